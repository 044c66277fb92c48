//! The requests as blocking calls with typed answers.

use crate::{
    Client, SignerError,
    algorithm::{KeyChoice, SignatureAlgorithm},
    blob::{Blob, Pin},
    request::{
        CertificateSha256, CertificateStatus, CsrFormat, ImportCertificate, KeySelector, KeyUsage,
        NameAttribute, Request, SignMessages,
    },
    response::{CertificateInfo, GeneratedCsr, KeyInfo, Response, SignedMessages, Status},
};

fn unexpected<T>(response: &Response) -> Result<T, SignerError> {
    let name = match response {
        Response::Done => "Done",
        Response::Status(_) => "Status",
        Response::Key(_) => "Key",
        Response::Csr(_) => "Csr",
        Response::Certificate(_) => "Certificate",
        Response::SignedMessages(_) => "SignedMessages",
        Response::Signature(_) => "Signature",
    };
    Err(SignerError::Protocol(format!(
        "{name} does not answer the request"
    )))
}

impl TryFrom<Response> for SignedMessages {
    type Error = SignerError;

    fn try_from(response: Response) -> Result<Self, SignerError> {
        match response {
            Response::SignedMessages(messages) => Ok(messages),
            other => unexpected(&other),
        }
    }
}

impl TryFrom<Response> for Status {
    type Error = SignerError;

    fn try_from(response: Response) -> Result<Self, SignerError> {
        match response {
            Response::Status(status) => Ok(status),
            other => unexpected(&other),
        }
    }
}

/// Every call blocks until the answer, at most the time limit of the settings.
///
/// # Errors
/// As [`Client::call`].
impl Client {
    fn done(&self, request: Request) -> Result<(), SignerError> {
        match self.call(request)? {
            Response::Done => Ok(()),
            other => unexpected(&other),
        }
    }

    /// Tokens, keys, certificates and counters.
    pub fn status(&self) -> Result<Status, SignerError> {
        self.call(Request::Status)?.try_into()
    }

    /// Gives the token its PIN, once. The token is logged in afterwards.
    pub fn init_token(&self, token: &str, pin: Pin) -> Result<(), SignerError> {
        self.done(Request::InitToken {
            token: token.to_owned(),
            pin,
        })
    }

    /// Opens the token's keys.
    pub fn login(&self, token: &str, pin: Pin) -> Result<(), SignerError> {
        self.done(Request::Login {
            token: token.to_owned(),
            pin,
        })
    }

    /// Gives a hardware token its PIN, and a blank one its label.
    pub fn init_hardware_token(
        &self,
        token: &str,
        label: &str,
        officer_pin: Pin,
        pin: Pin,
    ) -> Result<(), SignerError> {
        self.done(Request::InitHardwareToken {
            token: token.to_owned(),
            label: label.to_owned(),
            officer_pin,
            pin,
        })
    }

    /// Looks for hardware tokens now.
    pub fn refresh_devices(&self) -> Result<(), SignerError> {
        self.done(Request::RefreshDevices)
    }

    /// Gives a token another name; an empty one gives it the name back that it has by itself.
    pub fn name_token(&self, token: &str, name: &str) -> Result<(), SignerError> {
        self.done(Request::NameToken {
            token: token.to_owned(),
            name: name.to_owned(),
        })
    }

    /// Gives a key another name.
    pub fn name_key(&self, key: &str, name: &str) -> Result<(), SignerError> {
        self.done(Request::NameKey {
            key: key.to_owned(),
            name: name.to_owned(),
        })
    }

    /// Forgets a certificate signing request.
    pub fn delete_csr(&self, csr: &str) -> Result<(), SignerError> {
        self.done(Request::DeleteCsr { csr: csr.to_owned() })
    }

    /// Forgets the token's open keys.
    pub fn logout(&self, token: &str) -> Result<(), SignerError> {
        self.done(Request::Logout {
            token: token.to_owned(),
        })
    }

    /// Replaces the token's PIN.
    pub fn change_pin(&self, token: &str, old: Pin, new: Pin) -> Result<(), SignerError> {
        self.done(Request::ChangePin {
            token: token.to_owned(),
            old,
            new,
        })
    }

    /// Makes a key pair: of an algorithm, or as the signer's settings say.
    pub fn generate_key(
        &self,
        token: &str,
        label: &str,
        algorithm: impl Into<KeyChoice>,
        usage: KeyUsage,
    ) -> Result<KeyInfo, SignerError> {
        let (token, label) = (token.to_owned(), label.to_owned());
        match self.call(Request::GenerateKey {
            token,
            label,
            algorithm: algorithm.into(),
            usage,
        })? {
            Response::Key(key) => Ok(key),
            other => unexpected(&other),
        }
    }

    /// Destroys a key.
    pub fn delete_key(&self, key: &str) -> Result<(), SignerError> {
        self.done(Request::DeleteKey { key: key.to_owned() })
    }

    /// Makes a certificate signing request without alternative names.
    pub fn generate_csr(
        &self,
        key: &str,
        subject: Vec<NameAttribute>,
        client: Option<String>,
        format: CsrFormat,
    ) -> Result<GeneratedCsr, SignerError> {
        let request = Request::GenerateCsr {
            key: key.to_owned(),
            subject,
            dns_names: Vec::new(),
            client,
            format,
        };
        match self.call(request)? {
            Response::Csr(csr) => Ok(csr),
            other => unexpected(&other),
        }
    }

    /// Keeps a certificate (DER) with its key.
    pub fn import_certificate(
        &self,
        der: &[u8],
        status: CertificateStatus,
        client: Option<String>,
    ) -> Result<CertificateInfo, SignerError> {
        let import = ImportCertificate {
            certificate: der.into(),
            status,
            client,
        };
        match self.call(Request::ImportCertificate(import))? {
            Response::Certificate(certificate) => Ok(certificate),
            other => unexpected(&other),
        }
    }

    /// Changes where a certificate is in its registration.
    pub fn set_certificate_status(
        &self,
        certificate: CertificateSha256,
        status: CertificateStatus,
    ) -> Result<(), SignerError> {
        self.done(Request::SetCertificateStatus { certificate, status })
    }

    /// Allows or forbids the use of a certificate.
    pub fn set_certificate_active(
        &self,
        certificate: CertificateSha256,
        active: bool,
    ) -> Result<(), SignerError> {
        self.done(Request::SetCertificateActive { certificate, active })
    }

    /// Forgets a certificate.
    pub fn delete_certificate(&self, certificate: CertificateSha256) -> Result<(), SignerError> {
        self.done(Request::DeleteCertificate { certificate })
    }

    /// Signs messages and waits; request paths use [`Client::submit_to`].
    pub fn sign_messages(&self, messages: SignMessages) -> Result<SignedMessages, SignerError> {
        self.call(Request::SignMessages(messages))?.try_into()
    }

    /// Signs bytes; the signer computes the digest.
    pub fn sign_data(
        &self,
        key: KeySelector,
        algorithm: SignatureAlgorithm,
        data: &[u8],
    ) -> Result<Blob, SignerError> {
        match self.call(Request::SignData {
            key,
            algorithm,
            data: data.into(),
        })? {
            Response::Signature(signature) => Ok(signature),
            other => unexpected(&other),
        }
    }

    /// Signs a digest.
    pub fn sign_digest(
        &self,
        key: KeySelector,
        algorithm: SignatureAlgorithm,
        digest: &[u8],
    ) -> Result<Blob, SignerError> {
        match self.call(Request::SignDigest {
            key,
            algorithm,
            digest: digest.into(),
        })? {
            Response::Signature(signature) => Ok(signature),
            other => unexpected(&other),
        }
    }
}
