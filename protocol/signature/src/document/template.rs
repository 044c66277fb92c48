//! The text of our signature documents, in two forms: as the document has it, and canonical.

use std::fmt::Write as _;

use protocol_pki::certificate::Certificate;
use protocol_pki::digest::DigestAlgorithm;
use time::OffsetDateTime;

use super::BuildError;
use crate::xml::encode_base64;

pub(super) const HEADER: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"no\"?>";
pub(super) const ROOT: &str = "asic:XAdESSignatures";

/// Declared on the root, so inclusive canonicalisation repeats them on every element that is digested alone.
pub(super) const NAMESPACES: &str = " xmlns:asic=\"http://uri.etsi.org/02918/v1.2.1#\" \
     xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\" xmlns:xades=\"http://uri.etsi.org/01903/v1.3.2#\" \
     xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"";

const INCLUSIVE_C14N: &str = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315";

/// The signature policy that every document names; its digest is over a document of 2014.
const POLICY: &str = "<xades:SignaturePolicyIdentifier><xades:SignaturePolicyId><xades:SigPolicyId>\
     <xades:Identifier Qualifier=\"OIDAsURN\">urn:oid:1.3.6.1.4.1.3516.16.2</xades:Identifier>\
     <xades:Description>Profile for High Performance Digital Signatures (version 1.2)</xades:Description>\
     </xades:SigPolicyId><xades:SigPolicyHash>";
const POLICY_DIGEST: &str =
    "BuO0EDNfkxSVlUbxCzmQPzX1AUF1/xx9ytWHk3/6SAOePxQiniEfDYk+90QeYb3lWpV3Izhuz9fKaYyE+lTcXw==";
const POLICY_END: &str = "</xades:SigPolicyHash><xades:SigPolicyQualifiers><xades:SigPolicyQualifier>\
     <xades:SPURI>https://repo.cyber.ee/dsig-profile-1.2.pdf</xades:SPURI></xades:SigPolicyQualifier>\
     </xades:SigPolicyQualifiers></xades:SignaturePolicyId></xades:SignaturePolicyIdentifier>";

/// Columns of base64 in `ds:X509Certificate`.
const CERTIFICATE_COLUMNS: usize = 76;

/// How an element is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// As in the document: empty elements closed at once, namespaces declared on the root only.
    Document,
    /// Inclusive Canonical XML 1.0 of the element within the document.
    Canonical,
}

impl Form {
    fn apex_namespaces(self) -> &'static str {
        match self {
            Self::Document => "",
            Self::Canonical => NAMESPACES,
        }
    }

    fn empty(self, out: &mut String, name: &str, algorithm: &str) {
        let _ = match self {
            Self::Document => write!(out, "<{name} Algorithm=\"{algorithm}\"/>"),
            Self::Canonical => write!(out, "<{name} Algorithm=\"{algorithm}\"></{name}>"),
        };
    }
}

/// What `ds:SignedInfo` is made of.
pub(super) struct SignedInfo<'a> {
    pub(super) signature_algorithm: &'a str,
    pub(super) digest_algorithm: DigestAlgorithm,
    pub(super) data_uri: &'a str,
    pub(super) data_digest: &'a [u8],
    pub(super) properties_digest: &'a [u8],
}

impl SignedInfo<'_> {
    pub(super) fn write(&self, form: Form, out: &mut String) {
        out.push_str("<ds:SignedInfo");
        out.push_str(form.apex_namespaces());
        out.push_str(">\n");
        form.empty(out, "ds:CanonicalizationMethod", INCLUSIVE_C14N);
        out.push('\n');
        form.empty(out, "ds:SignatureMethod", self.signature_algorithm);
        let _ = write!(
            out,
            "\n<ds:Reference Id=\"signature-reference-0\" URI=\"{}\">",
            self.data_uri
        );
        self.digest(form, out, self.data_digest);
        out.push_str(
            "<ds:Reference Id=\"signature-reference-1\" Type=\"http://uri.etsi.org/01903#SignedProperties\" \
             URI=\"#signed-properties\">",
        );
        self.digest(form, out, self.properties_digest);
        out.push_str("</ds:SignedInfo>");
    }

    fn digest(&self, form: Form, out: &mut String, digest: &[u8]) {
        out.push('\n');
        form.empty(out, "ds:DigestMethod", self.digest_algorithm.uri());
        let _ = write!(
            out,
            "\n<ds:DigestValue>{}</ds:DigestValue>\n</ds:Reference>\n",
            encode_base64(digest)
        );
    }
}

/// What `xades:SignedProperties` is made of.
pub(super) struct SignedProperties<'a> {
    pub(super) signing_time: &'a str,
    pub(super) digest_algorithm: DigestAlgorithm,
    pub(super) certificate: &'a Certificate,
    pub(super) issuer: &'a str,
    pub(super) mime_type: &'a str,
}

impl SignedProperties<'_> {
    pub(super) fn write(&self, form: Form, out: &mut String) {
        let namespaces = form.apex_namespaces();
        let _ = write!(
            out,
            "<xades:SignedProperties{namespaces} Id=\"signed-properties\"><xades:SignedSignatureProperties>\
             <xades:SigningTime>{}</xades:SigningTime><xades:SigningCertificate><xades:Cert>",
            self.signing_time
        );
        certificate_reference(form, out, self.digest_algorithm, self.certificate, self.issuer);
        out.push_str("</xades:Cert></xades:SigningCertificate>");
        out.push_str(POLICY);
        form.empty(out, "ds:DigestMethod", DigestAlgorithm::Sha512.uri());
        let _ = write!(
            out,
            "<ds:DigestValue>{POLICY_DIGEST}</ds:DigestValue>{POLICY_END}"
        );
        let _ = write!(
            out,
            "</xades:SignedSignatureProperties><xades:SignedDataObjectProperties>\
             <xades:DataObjectFormat ObjectReference=\"#signature-reference-0\"><xades:MimeType>{}</xades:MimeType>\
             </xades:DataObjectFormat></xades:SignedDataObjectProperties></xades:SignedProperties>",
            self.mime_type
        );
    }
}

/// `CertDigest` and `IssuerSerial` of a certificate; `issuer` is escaped already.
fn certificate_reference(
    form: Form,
    out: &mut String,
    algorithm: DigestAlgorithm,
    certificate: &Certificate,
    issuer: &str,
) {
    out.push_str("<xades:CertDigest>");
    form.empty(out, "ds:DigestMethod", algorithm.uri());
    let _ = write!(
        out,
        "<ds:DigestValue>{}</ds:DigestValue></xades:CertDigest><xades:IssuerSerial><ds:X509IssuerName>{issuer}\
         </ds:X509IssuerName><ds:X509SerialNumber>{}</ds:X509SerialNumber></xades:IssuerSerial>",
        encode_base64(&algorithm.digest(certificate.as_der())),
        certificate.serial_decimal(),
    );
}

/// `ds:KeyInfo` with the signing certificate. Nothing here is signed.
pub(super) fn key_info(out: &mut String, certificate: &Certificate) {
    out.push_str("<ds:KeyInfo>\n<ds:X509Data>\n<ds:X509Certificate>\n");
    let base64 = encode_base64(certificate.as_der());
    for (index, line) in base64.as_bytes().chunks(CERTIFICATE_COLUMNS).enumerate() {
        if index > 0 {
            out.push_str("&#13;\n");
        }
        out.extend(line.iter().copied().map(char::from));
    }
    out.push_str("\n</ds:X509Certificate>\n</ds:X509Data>\n</ds:KeyInfo>\n");
}

/// `xades:UnsignedProperties`: intermediates with their references, and OCSP responses.
pub(super) fn unsigned_properties(
    out: &mut String,
    algorithm: DigestAlgorithm,
    intermediates: &[Certificate],
    ocsp_responses: &[Vec<u8>],
) -> Result<(), BuildError> {
    out.push_str("<xades:UnsignedProperties><xades:UnsignedSignatureProperties>");
    if !intermediates.is_empty() {
        certificate_references(out, algorithm, intermediates)?;
        certificate_values(out, intermediates);
    }
    out.push_str("<xades:RevocationValues><xades:OCSPValues>");
    for (number, response) in (1_usize..).zip(ocsp_responses) {
        let _ = write!(
            out,
            "<xades:EncapsulatedOCSPValue Id=\"ocsp-response-{number}\">{}</xades:EncapsulatedOCSPValue>",
            encode_base64(response)
        );
    }
    out.push_str(
        "</xades:OCSPValues></xades:RevocationValues></xades:UnsignedSignatureProperties></xades:UnsignedProperties>",
    );
    Ok(())
}

fn certificate_references(
    out: &mut String,
    algorithm: DigestAlgorithm,
    intermediates: &[Certificate],
) -> Result<(), BuildError> {
    out.push_str("<xades:CompleteCertificateRefs Id=\"complete-certificate-refs\"><xades:CertRefs>");
    for (number, certificate) in (1_usize..).zip(intermediates) {
        let issuer = escape_text(&certificate.issuer_rfc2253())?;
        let _ = write!(out, "<xades:Cert URI=\"#encapsulated-cert-{number}\">");
        certificate_reference(Form::Document, out, algorithm, certificate, &issuer);
        out.push_str("</xades:Cert>");
    }
    out.push_str("</xades:CertRefs></xades:CompleteCertificateRefs>");
    Ok(())
}

fn certificate_values(out: &mut String, intermediates: &[Certificate]) {
    out.push_str("<xades:CertificateValues>");
    for (number, certificate) in (1_usize..).zip(intermediates) {
        let _ = write!(
            out,
            "<xades:EncapsulatedX509Certificate Id=\"encapsulated-cert-{number}\">{}\
             </xades:EncapsulatedX509Certificate>",
            encode_base64(certificate.as_der())
        );
    }
    out.push_str("</xades:CertificateValues>");
}

/// Escapes text so that the document and its canonical form are the same bytes.
///
/// `&#xD;` is how Canonical XML writes a carriage return (2.3), and is as good in the document. Characters that XML
/// does not have are refused.
pub(super) fn escape_text(text: &str) -> Result<String, BuildError> {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\r' => escaped.push_str("&#xD;"),
            '\t' | '\n' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'.. => {
                escaped.push(character)
            }
            _ => return Err(BuildError::IssuerName),
        }
    }
    Ok(escaped)
}

/// `xs:dateTime` in UTC with milliseconds: `2024-12-05T13:16:11.661Z`.
pub(super) fn date_time(at: OffsetDateTime) -> String {
    let at = at.to_offset(time::UtcOffset::UTC);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        at.year(),
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second(),
        at.millisecond()
    )
}
