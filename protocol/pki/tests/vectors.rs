//! Certificates, OCSP responses and time-stamp tokens that the reference implementation made.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

mod common;

use common::vector;
use protocol_pki::certificate::Certificate;
use protocol_pki::chain;
use protocol_pki::ocsp::{ConfiguredResponder, OcspError, Response, VerifyContext};
use protocol_pki::pem::base64_decode;
use protocol_pki::profile::Profile;
use protocol_pki::tsp::{TimeStampToken, TspError};
use std::io::Read as _;
use std::path::Path;
use time::{Duration, OffsetDateTime};

struct Trust {
    ca: Certificate,
    ocsp: Certificate,
    tsa: Certificate,
}

fn all_between<'a>(text: &'a str, open: &str, close: &str) -> Vec<&'a str> {
    text.split(open)
        .skip(1)
        .filter_map(|rest| rest.split_once(close).map(|(found, _)| found))
        .collect()
}

fn decoded(text: &str) -> Vec<u8> {
    base64_decode(&text.replace("&#13;", "")).unwrap()
}

fn trust() -> Option<Trust> {
    let xml =
        std::fs::read_to_string(vector("globalconf/globalconf_good2_v3/DEV/shared-params.xml")?).unwrap();
    let certificates: Vec<Certificate> = all_between(&xml, "<cert>", "</cert>")
        .into_iter()
        .map(|text| Certificate::from_der_or_pem(&decoded(text)).unwrap())
        .collect();
    let [ca, ocsp, tsa] = certificates.try_into().unwrap();
    Some(Trust { ca, ocsp, tsa })
}

fn entry(container: &Path, name: &str) -> Option<Vec<u8>> {
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(std::fs::read(container).unwrap())).unwrap();
    let mut bytes = Vec::new();
    archive.by_name(name).ok()?.read_to_end(&mut bytes).unwrap();
    Some(bytes)
}

struct Signed {
    signer: Certificate,
    ocsp: Response,
    token: TimeStampToken,
    stamped: Vec<u8>,
}

fn signed(container: &str) -> Option<Signed> {
    let container = vector(container)?;
    let xml = String::from_utf8(entry(&container, "META-INF/signatures.xml").unwrap()).unwrap();
    let first = |open: &str, close: &str| all_between(&xml, open, close).first().map(|text| decoded(text));
    let signer = first("<ds:X509Certificate>", "</ds:X509Certificate>").unwrap();
    let ocsp = first(
        "<xades:EncapsulatedOCSPValue Id=\"ocsp-response-1\">",
        "</xades:EncapsulatedOCSPValue>",
    )
    .unwrap();
    let (token, stamped) = match first("<xades:EncapsulatedTimeStamp>", "</xades:EncapsulatedTimeStamp>") {
        Some(token) => {
            let value = xml.split("<ds:SignatureValue").nth(1).unwrap();
            let (value, _) = value.split_once("</ds:SignatureValue>").unwrap();
            let (_, value) = value.split_once('>').unwrap();
            (token, decoded(value))
        }
        None => (
            entry(&container, "META-INF/timestamp.tst").unwrap(),
            entry(&container, "ts-hashchainresult.xml").unwrap(),
        ),
    };
    Some(Signed {
        signer: Certificate::from_der(&signer).unwrap(),
        ocsp: Response::from_der(&ocsp).unwrap(),
        token: TimeStampToken::parse(&token).unwrap(),
        stamped,
    })
}

const VALID: [(&str, OffsetDateTime); 3] = [
    (
        "asic/valid-signed-message.asice",
        time::macros::datetime!(2024-12-05 13:16:35 UTC),
    ),
    (
        "asic/valid-signed-hashchain.asice",
        time::macros::datetime!(2024-12-05 12:37:50 UTC),
    ),
    (
        "asic/valid-batch-ts.asice",
        time::macros::datetime!(2024-12-05 07:34:14 UTC),
    ),
];

#[test]
fn containers_carry_proofs_that_hold() {
    let Some(trust) = trust() else { return };
    for (container, gen_time) in VALID {
        let signed = signed(container).unwrap();
        assert_eq!(signed.token.gen_time(), gen_time, "{container}");
        assert_eq!(signed.token.policy(), "1.2.3.4.1");
        let tsa = signed
            .token
            .verify_data(&signed.stamped, std::slice::from_ref(&trust.tsa))
            .unwrap();
        assert_eq!(tsa, trust.tsa);
        assert!(signed.signer.may_sign_messages() && !signed.signer.may_authenticate());
        chain::build(&signed.signer, &[], std::slice::from_ref(&trust.ca), gen_time).unwrap();
        let configured = [ConfiguredResponder {
            authority: trust.ca.clone(),
            responder: trust.ocsp.clone(),
        }];
        let context = VerifyContext::new(&configured, &[], Duration::seconds(3600));
        let verified = signed
            .ocsp
            .verify(&context, &signed.signer, &trust.ca, gen_time)
            .unwrap();
        assert_eq!(verified.responder, trust.ocsp);
        assert!(verified.good_until >= gen_time);
        let late = verified.good_until + Duration::seconds(1);
        assert!(
            signed
                .ocsp
                .verify(&context, &signed.signer, &trust.ca, late)
                .is_err()
        );
        let member = Profile::FiVrk.member(&signed.signer, "DEV").unwrap();
        assert_eq!(member.instance, "DEV");
    }
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let Some(trust) = trust() else { return };
    let signed = signed("asic/valid-signed-message.asice").unwrap();
    let tsa = [trust.tsa.clone()];
    assert_eq!(
        signed.token.verify_data(b"other", &tsa),
        Err(TspError::ImprintMismatch)
    );
    let wrong = signed
        .token
        .verify_data(&signed.stamped, std::slice::from_ref(&trust.ocsp));
    assert_eq!(wrong, Err(TspError::UnknownAuthority));
    assert_eq!(
        signed.token.verify_data(&signed.stamped, &[]),
        Err(TspError::NoAuthorities)
    );

    let context = VerifyContext::new(&[], &[], Duration::seconds(3600));
    let other = signed
        .ocsp
        .verify(&context, &trust.tsa, &trust.ca, signed.token.gen_time());
    assert!(matches!(other, Err(OcspError::OtherCertificate { .. })));
    assert_eq!(other.unwrap_err().fault_code(), "incorrect_validation_info");
}

#[test]
fn every_changed_byte_of_a_token_is_noticed() {
    let Some(trust) = trust() else { return };
    let signed = signed("asic/valid-signed-message.asice").unwrap();
    let authorities = [trust.tsa];
    let der = signed.token.as_der();
    let certificates: usize = signed
        .token
        .certificates()
        .iter()
        .map(|found| found.as_der().len())
        .sum();
    let mut unnoticed = 0;
    for position in 0..der.len() {
        let mut changed = der.to_vec();
        changed[position] ^= 1;
        let outcome =
            TimeStampToken::parse(&changed).map(|token| token.verify_data(&signed.stamped, &authorities));
        unnoticed += usize::from(matches!(outcome, Ok(Ok(_))));
    }
    // Not covered by the signature: the certificates, versions, the set of digest algorithms.
    assert!(
        unnoticed < certificates + 64,
        "{unnoticed} changes went unnoticed, certificates are {certificates} bytes"
    );
}

#[test]
fn issuer_names_print_as_the_reference_wrote_them() {
    let Some(container) = vector("asic/valid-signed-message.asice") else {
        return;
    };
    let xml = String::from_utf8(entry(&container, "META-INF/signatures.xml").unwrap()).unwrap();
    let signer = signed("asic/valid-signed-message.asice").unwrap().signer;
    let issuer = all_between(&xml, "<ds:X509IssuerName>", "</ds:X509IssuerName>").remove(0);
    let serial = all_between(&xml, "<ds:X509SerialNumber>", "</ds:X509SerialNumber>").remove(0);
    assert_eq!(signer.issuer_rfc2253(), issuer);
    assert_eq!(signer.serial_decimal(), serial);
}

#[test]
fn a_certificate_added_to_a_token_leaves_it_valid() {
    let Some(trust) = trust() else { return };
    let signed = signed("asic/valid-batch-ts.asice").unwrap();
    let before = signed.token.certificates().len();
    let with_tsa = signed.token.with_certificate(&trust.tsa).unwrap();
    let with_both = with_tsa.with_certificate(&trust.ca).unwrap();
    assert!(with_both.certificates().contains(&trust.tsa) && with_both.certificates().contains(&trust.ca));
    assert!(with_both.certificates().len() > before);
    let again = TimeStampToken::parse(with_both.as_der()).unwrap();
    again
        .verify_data(&signed.stamped, std::slice::from_ref(&trust.tsa))
        .unwrap();
}

/// This token of 2014 has indefinite lengths.
#[test]
fn indefinite_lengths_are_read() {
    let Some(container) = vector("asic/invalid-ts-hashchainresult.asice") else {
        return;
    };
    let ber = entry(&container, "META-INF/timestamp.tst").unwrap();
    assert_eq!(ber[..2], [0x30, 0x80]);
    let token = TimeStampToken::parse(&ber).unwrap();
    assert_eq!(token.policy(), "1.2.3");
    assert!(token.certificates().is_empty());
    assert_eq!(TimeStampToken::parse(token.as_der()).unwrap(), token);
}

#[test]
fn every_certificate_of_every_configuration_is_read() {
    let Some(folder) = vector("globalconf") else {
        return;
    };
    let mut folders = vec![folder];
    let mut count = 0;
    while let Some(folder) = folders.pop() {
        for found in std::fs::read_dir(folder).unwrap() {
            let path = found.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.ends_with("shared-params.xml") && !path.to_string_lossy().contains("malformed") {
                let xml = std::fs::read_to_string(&path).unwrap();
                for text in all_between(&xml, "<cert>", "</cert>") {
                    let bytes = decoded(text);
                    if !bytes.is_empty() {
                        let read = Certificate::from_der_or_pem(&bytes);
                        match read {
                            Ok(certificate) => {
                                let der = certificate.as_der();
                                let theirs = <x509_cert::Certificate as der::Decode>::from_der(der).unwrap();
                                let subject = der::Encode::to_der(&theirs.tbs_certificate.subject).unwrap();
                                assert_eq!(subject, certificate.subject_der());
                                assert_eq!(
                                    Certificate::from_der_or_pem(text.as_bytes()).unwrap(),
                                    certificate
                                );
                                count += 1;
                            }
                            // Some test configurations have placeholders instead of certificates.
                            Err(error) => eprintln!("{}: {} bytes: {error}", path.display(), bytes.len()),
                        }
                    }
                }
            }
        }
    }
    assert!(count > 10, "only {count} certificates were read");
}
