//! Documents that are read, and documents that are refused with what was expected.

use proptest::prelude::*;

use super::*;

const LEAST: &str = r#"[network]
addresses = ["10.77.0.40/24"]
[time]
servers = ["10.77.0.1"]
[server]
signing-subject = ["C=SANDBOX", "O=ORG", "CN=3003"]
authentication-subject = ["C=SANDBOX", "O=Member", "CN=appliance"]
"#;

const MOST: &str = r#"[network]
interface = "52:54:00:AB:cd:ef"
addresses = ["10.77.0.40/24", "2001:db8::40/64"]
gateway = "10.77.0.1"
dns = ["10.77.0.2", "2001:db8::2"]
mtu = 9000
[time]
servers = ["10.77.0.1", "time.example.org"]
[server]
signing-subject = ["C=SANDBOX", "O=ORG", "CN=3003"]
authentication-subject = ["C=SANDBOX", "O=Member", "CN=appliance"]
key-algorithm = "ec"
token = "736f6674"
[admin]
listen = "10.77.0.40"
[health]
client = "SANDBOX/ORG/3003/client"
interval = 10
[settings.proxy.proxy]
client-http-port = 80
[settings.signer.signer]
key-length = 3072
[settings.confclient.configuration-client]
update-interval = 60
"#;

fn read(text: &str) -> Result<Document, String> {
    Document::read(text.as_bytes()).map_err(|error| error.to_string())
}

#[test]
fn what_is_not_said_is_as_usual() {
    let document = read(LEAST).unwrap();
    assert_eq!(document.network.interface, Interface::Name("e*".to_owned()));
    assert_eq!(document.server.token, "0");
    assert_eq!(document.server.key_algorithm, KeyKind::Rsa);
    assert_eq!(document.admin.proxy().to_string(), "127.0.0.1:5566");
    assert_eq!(document.health, None);
    let names = document.server.signing_subject.name();
    assert_eq!(names.common_name(), Some("3003"));
}

#[test]
fn everything_can_be_said() {
    let document = read(MOST).unwrap();
    assert_eq!(
        document.network.interface,
        Interface::Mac("52:54:00:ab:cd:ef".to_owned())
    );
    assert_eq!(document.admin.diagnostics().to_string(), "10.77.0.40:5567");
    let health = document.health.unwrap();
    assert_eq!(
        (health.client.to_string().as_str(), health.interval),
        ("SANDBOX/ORG/3003/client", 10)
    );
    assert_eq!(document.settings.signer.len(), 1);
}

/// Each line of `MOST` with what cannot stand there.
const REFUSED: &[(&str, &str)] = &[
    (
        "addresses = [\"10.77.0.40/24\", \"2001:db8::40/64\"]",
        "addresses = []",
    ),
    ("10.77.0.40/24", "10.77.0.40"),
    ("10.77.0.40/24", "10.77.0.40/33"),
    ("10.77.0.40/24", "10.77.0.0/24"),
    ("10.77.0.40/24", "10.77.0.255/24"),
    ("10.77.0.40/24", "127.0.0.1/8"),
    ("10.77.0.40/24", "224.0.0.1/4"),
    ("52:54:00:AB:cd:ef", "eth 0"),
    ("52:54:00:AB:cd:ef", ""),
    ("gateway = \"10.77.0.1\"", "gateway = \"10.78.0.1\""),
    ("gateway = \"10.77.0.1\"", "gateway = \"10.77.0.40\""),
    ("gateway = \"10.77.0.1\"", "gatway = \"10.77.0.1\""),
    ("\"2001:db8::2\"", "\"1.1.1.1\", \"1.1.1.2\", \"1.1.1.3\""),
    ("dns = [\"10.77.0.2\", \"2001:db8::2\"]", "dns = []"),
    ("mtu = 9000", "mtu = 100"),
    ("servers = [\"10.77.0.1\", \"time.example.org\"]", "servers = []"),
    ("time.example.org", "time..example"),
    ("\"C=SANDBOX\", \"O=ORG\", \"CN=3003\"", ""),
    ("CN=3003", "CN="),
    ("CN=3003", "3003"),
    ("CN=3003", "MEMBER=3003"),
    ("key-algorithm = \"ec\"", "key-algorithm = \"dsa\""),
    ("token = \"736f6674\"", "token = \"one\""),
    ("listen = \"10.77.0.40\"", "listen = \"10.77.0.41\""),
    ("listen = \"10.77.0.40\"", "listen = \"everywhere\""),
    ("SANDBOX/ORG/3003/client", "SANDBOX/ORG/3003"),
    ("interval = 10", "interval = 1"),
    ("[settings.proxy.proxy]", "[settings.central.central]"),
    ("[time]", "[tyme]"),
];

#[test]
fn what_cannot_be_is_refused_with_place_and_expectation() {
    let mut told = String::new();
    for (right, wrong) in REFUSED {
        assert!(MOST.contains(right), "{right}");
        let refusal = read(&MOST.replacen(right, wrong, 1)).expect_err(wrong);
        told.push_str(&format!("{wrong}\n{}\n\n", refusal.trim_end()));
    }
    insta::assert_snapshot!(told);
    assert!(matches!(Document::read(&[0xff]), Err(DocumentError::NotText)));
    let long = vec![b'#'; MAX_BYTES + 1];
    assert!(matches!(Document::read(&long), Err(DocumentError::TooLong(_))));
    assert!(matches!(Document::read(&long[1..]), Err(DocumentError::Toml(_))));
}

/// What must hold of any bytes: they are refused, or what was read keeps to the bounds.
fn check(bytes: &[u8]) {
    let Ok(document) = Document::read(bytes) else {
        return;
    };
    let network = &document.network;
    assert!((1..=16).contains(&network.addresses.len()) && network.dns.len() <= 3);
    assert!((1..=8).contains(&document.time.servers.len()));
    assert!(!document.server.signing_subject.attributes().is_empty());
    // Nothing of it can begin another line of a file of the system.
    for (path, text) in crate::provision::network_files::files(&document) {
        let lines = text.lines().count();
        assert!(lines <= 40, "{path} has {lines} lines: {text}");
        assert!(
            text.chars().all(|one| one == '\n' || !one.is_control()),
            "{path}: {text:?}"
        );
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        check(&bytes);
    }

    /// Documents with parts of themselves, and odd characters, in other places: most are still TOML.
    #[test]
    fn documents_that_are_nearly_right_are_read_or_refused(
        changes in proptest::collection::vec((any::<u16>(), any::<u16>(), 0_usize..40, 0_usize..5), 1..6),
    ) {
        let mut text: Vec<u8> = MOST.into();
        for (from, to, length, way) in changes {
            let (from, to) = (usize::from(from) % text.len(), usize::from(to) % text.len());
            let until = (from + length).min(text.len());
            let part = text[from..until].to_vec();
            match way {
                0 => drop(text.splice(to..to, part)),
                1 => drop(text.drain(from..until)),
                2 => drop(text.splice(to..to, *b"\\n[Network]\\nDHCP=yes")),
                3 => text[to] = b'"',
                _ => drop(text.splice(from..until, "9".repeat(length).into_bytes())),
            }
            if text.is_empty() {
                break;
            }
        }
        check(&text);
    }
}
