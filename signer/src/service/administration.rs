//! Everything that changes tokens, keys or certificates.

use std::{sync::Arc, time::Duration};

use signer_client::{CertificateSha256, KeyChoice, KeyUsage, Outcome, Request, Response, SignerError};

use super::{Change, Service, status};
use crate::{
    certificates, csr,
    registry::{CsrRecord, KeyRecord},
    token::Token,
};

/// Most bytes of a key's label, and of the name that a token is given.
const MAX_LABEL_BYTES: usize = 256;
/// How long a look for hardware tokens may take.
const REFRESH_PATIENCE: Duration = Duration::from_secs(30);

impl Service {
    pub(super) fn make_changes(&self, changes: &flume::Receiver<Change>) {
        while let Ok(change) = changes.recv() {
            let Change::Asked(request, ticket) = change else {
                self.take_over_tokens();
                continue;
            };
            let name = name(&request);
            let outcome = self.change(request);
            match &outcome {
                Ok(_) => tracing::info!(change = name, "done"),
                Err(error) => tracing::warn!(change = name, code = error.fault_code(), %error, "refused"),
            }
            self.take_over_tokens();
            ticket.answer(outcome);
        }
    }

    fn change(&self, request: Request) -> Outcome {
        match request {
            Request::InitToken { token, pin } => done(self.token(&token)?.initialize(&pin)),
            Request::InitHardwareToken {
                token,
                label,
                officer_pin,
                pin,
            } => {
                self.token(&token)?
                    .initialize_hardware(&label, &officer_pin, &pin)?;
                self.refresh_devices()
            }
            Request::RefreshDevices => self.refresh_devices(),
            Request::NameToken { token, name } => self.name_token(&token, name),
            Request::NameKey { key, name } => self.name_key(&key, name),
            Request::Login { token, pin } => done(self.token(&token)?.login(&pin)),
            Request::Logout { token } => done(self.token(&token)?.logout()),
            Request::ChangePin { token, old, new } => done(self.token(&token)?.change_pin(&old, &new)),
            Request::GenerateKey {
                token,
                label,
                algorithm,
                usage,
            } => self.generate_key(&token, &label, algorithm, usage),
            Request::DeleteKey { key } => self.delete_key(&key),
            request @ Request::GenerateCsr { .. } => self.generate_csr(request),
            Request::DeleteCsr { csr } => done(self.registry.change(|registry| csr::forget(registry, &csr))),
            Request::ImportCertificate(import) => {
                let record = self
                    .registry
                    .change(|registry| certificates::import(registry, &import))?;
                Ok(Response::Certificate(status::describe_certificate(&record)))
            }
            Request::SetCertificateStatus { certificate, status } => done(self.registry.change(|registry| {
                registry.certificate_mut(certificate)?.status = status;
                Ok(())
            })),
            Request::SetCertificateActive { certificate, active } => done(self.registry.change(|registry| {
                registry.certificate_mut(certificate)?.active = active;
                Ok(())
            })),
            Request::DeleteCertificate { certificate } => self.delete_certificate(certificate),
            Request::Status
            | Request::SignMessages(_)
            | Request::SignData { .. }
            | Request::SignDigest { .. } => Err(SignerError::Internal("not a change".to_owned())),
        }
    }

    fn token(&self, id: &str) -> Result<Arc<dyn Token>, SignerError> {
        self.tokens.find(id, &self.registry.current())
    }

    fn refresh_devices(&self) -> Outcome {
        if self.tokens.refresh(REFRESH_PATIENCE) {
            Ok(Response::Done)
        } else {
            Err(SignerError::TimedOut)
        }
    }

    fn name_token(&self, id: &str, name: String) -> Outcome {
        check_name(&name)?;
        let id = self.token(id)?.id().to_owned();
        done(self.registry.change(|registry| {
            if name.is_empty() {
                registry.token_names.remove(&id);
            } else {
                registry.token_names.insert(id, name);
            }
            Ok(())
        }))
    }

    fn name_key(&self, id: &str, name: String) -> Outcome {
        check_name(&name)?;
        done(self.registry.change(|registry| {
            registry.key_mut(id)?.label = name;
            Ok(())
        }))
    }

    /// The token first: what stays on it would be found again.
    fn delete_certificate(&self, name: CertificateSha256) -> Outcome {
        let registry = self.registry.current();
        let found = registry.keys.values().find_map(|key| {
            let found = key.certificates.iter().find(|found| found.sha256() == name)?;
            Some((key.token.clone(), found.der.clone()))
        });
        if let Some((token, der)) = found {
            self.token(&token)?.delete_certificate(&der)?;
        }
        done(
            self.registry
                .change(|registry| certificates::delete(registry, name)),
        )
    }

    fn generate_key(&self, token: &str, label: &str, algorithm: KeyChoice, usage: KeyUsage) -> Outcome {
        check_name(label)?;
        let algorithm = self.preferences.key(algorithm);
        let key = self.token(token)?.generate_key(label, algorithm, usage)?;
        let record = KeyRecord::new(token, key);
        let described = status::describe_key(&record, true);
        self.registry.change(|registry| {
            registry.keys.insert(record.id.clone(), record);
            Ok(())
        })?;
        Ok(Response::Key(described))
    }

    /// The token first: if the process dies in between, the key can be deleted again, and does not come back.
    fn delete_key(&self, id: &str) -> Outcome {
        let token = self.registry.current().key(id)?.token.clone();
        self.token(&token)?.delete_key(id)?;
        done(self.registry.change(|registry| {
            registry.keys.remove(id);
            Ok(())
        }))
    }

    fn generate_csr(&self, request: Request) -> Outcome {
        let Request::GenerateCsr {
            key,
            subject,
            dns_names,
            client,
            format,
        } = request
        else {
            return Err(SignerError::Internal(
                "not a certificate signing request".to_owned(),
            ));
        };
        let record = self.registry.current().key(&key)?.clone();
        let token = self.token(&record.token)?;
        let made = csr::make(
            (&record, token.as_ref(), self.preferences.csr_digest()),
            &subject,
            &dns_names,
            format,
        )?;
        let remembered = CsrRecord {
            id: made.id.clone(),
            subject: made.subject,
            client,
        };
        self.registry
            .change(|registry| csr::remember(registry, &key, remembered))?;
        Ok(Response::Csr(signer_client::GeneratedCsr {
            id: made.id,
            csr: made.encoded.into(),
        }))
    }
}

fn check_name(name: &str) -> Result<(), SignerError> {
    if name.len() <= MAX_LABEL_BYTES {
        return Ok(());
    }
    let reason = format!("a name has at most {MAX_LABEL_BYTES} bytes, not {}", name.len());
    Err(SignerError::InvalidRequest(reason))
}

fn done(result: Result<(), SignerError>) -> Outcome {
    result.map(|()| Response::Done)
}

const fn name(request: &Request) -> &'static str {
    match request {
        Request::InitToken { .. } => "init token",
        Request::InitHardwareToken { .. } => "init hardware token",
        Request::RefreshDevices => "refresh devices",
        Request::NameToken { .. } => "name token",
        Request::NameKey { .. } => "name key",
        Request::Login { .. } => "login",
        Request::Logout { .. } => "logout",
        Request::ChangePin { .. } => "change PIN",
        Request::GenerateKey { .. } => "generate key",
        Request::DeleteKey { .. } => "delete key",
        Request::GenerateCsr { .. } => "generate CSR",
        Request::DeleteCsr { .. } => "delete CSR",
        Request::ImportCertificate(_) => "import certificate",
        Request::SetCertificateStatus { .. } => "set certificate status",
        Request::SetCertificateActive { .. } => "set certificate active",
        Request::DeleteCertificate { .. } => "delete certificate",
        Request::Status
        | Request::SignMessages(_)
        | Request::SignData { .. }
        | Request::SignDigest { .. } => "none",
    }
}
