//! A source of configurations in this process: an HTTP server and a key that signs.
#![allow(dead_code, reason = "not every test uses everything")]

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use confclient::client::ConfigurationClient;
use confclient::http::{Http, Tls};
use confclient::settings::Federations;
use confclient::store::Store;
use protocol_globalconf::Version;
use protocol_globalconf::anchor::{Anchor, AnchorSource};
use protocol_globalconf::private_params::{ManagementService, PrivateParams};
use protocol_globalconf::shared_params::{GlobalSettings, SharedParams, Source};
use protocol_globalconf::signed_directory::{FilePart, UnsignedDirectory};
use protocol_pki::algorithm::SignatureAlgorithm;
use protocol_pki::digest::DigestAlgorithm;
use protocol_pki::issue::Template;
use protocol_pki::key::{KeySpec, Signer, SignerFailure, SoftwareKey};
use protocol_pki::name::DistinguishedName;
use time::OffsetDateTime;

/// Method, path with query, body.
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) body: Vec<u8>,
}

/// Status, content type, body.
pub(crate) type Answer = (u16, &'static str, Vec<u8>);

type Answerer = Box<dyn FnMut(&Asked) -> Answer + Send>;

/// An HTTP server on a free port. It ends with the test's process.
pub(crate) struct Server {
    pub(crate) authority: String,
    pub(crate) asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(crate) fn start(answer: impl FnMut(&Asked) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (log, mut answer): (_, Answerer) = (Arc::clone(&asked), Box::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                serve(stream.unwrap(), &log, &mut answer);
            }
        });
        Self { authority, asked }
    }

    /// Serves files by path with query.
    pub(crate) fn of_files(files: Arc<Mutex<HashMap<String, Vec<u8>>>>) -> Self {
        Self::start(move |asked| match files.lock().unwrap().get(&asked.path) {
            Some(bytes) => (200, "text/plain", bytes.clone()),
            None => (404, "text/plain", Vec::new()),
        })
    }

    /// What was asked since the last call.
    pub(crate) fn take_asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

/// One request a connection. What does not look like HTTP (a TLS handshake, say) gets nothing.
fn serve(stream: TcpStream, log: &Mutex<Vec<String>>, answer: &mut Answerer) {
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut first = [0];
    if !matches!(stream.peek(&mut first), Ok(1)) || !first[0].is_ascii_uppercase() {
        return;
    }
    let mut reader = BufReader::new(&stream);
    let mut line = String::new();
    if reader.read_line(&mut line).is_err() || !line.contains(" HTTP/1.1") {
        return;
    }
    let mut words = line.split(' ');
    let (method, path) = (words.next().unwrap().to_owned(), words.next().unwrap().to_owned());
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).unwrap();
        if header.trim().is_empty() {
            break;
        }
        if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    log.lock().unwrap().push(path.clone());
    let (status, content_type, bytes) = answer(&Asked { method, path, body });
    let head = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        bytes.len()
    );
    let _ = (&stream)
        .write_all(head.as_bytes())
        .and_then(|()| (&stream).write_all(&bytes));
}

/// Signs with RSA and SHA-512, as a central server does.
pub(crate) struct Key(SoftwareKey);

impl Signer for Key {
    fn algorithm(&self) -> SignatureAlgorithm {
        self.0.algorithm_with(DigestAlgorithm::Sha512)
    }

    fn public_key_spki(&self) -> &[u8] {
        self.0.spki_der()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignerFailure> {
        Ok(self.0.sign(self.algorithm(), message)?)
    }
}

/// An instance with its key and parameters, and the files that its central server has.
pub(crate) struct Central {
    pub(crate) key: Key,
    pub(crate) certificate: Vec<u8>,
    pub(crate) shared: SharedParams,
    pub(crate) private: PrivateParams,
    pub(crate) files: Arc<Mutex<HashMap<String, Vec<u8>>>>,
    pub(crate) server: Server,
}

impl Central {
    pub(crate) fn new(instance: &str) -> Self {
        let files = Arc::default();
        let server = Server::of_files(Arc::clone(&files));
        let key = Key(SoftwareKey::generate(KeySpec::P256).unwrap());
        let certificate = self_signed(&key);
        let shared = SharedParams {
            instance: instance.to_owned(),
            sources: vec![Source {
                address: server.authority.clone(),
                internal_verification_certs: vec![certificate.clone()],
                external_verification_certs: vec![certificate.clone()],
            }],
            settings: GlobalSettings {
                member_classes: Vec::new(),
                ocsp_freshness_seconds: 3600,
            },
            ..SharedParams::default()
        };
        let private = PrivateParams {
            instance: instance.to_owned(),
            anchors: Vec::new(),
            management_service: ManagementService {
                auth_cert_reg_address: "https://cs/".to_owned(),
                auth_cert_reg_cert: None,
                provider: format!("{instance}/GOV/1").parse().unwrap(),
            },
            time_stamping_interval_seconds: 60,
        };
        Self {
            key,
            certificate,
            shared,
            private,
            files,
            server,
        }
    }

    /// Puts a file where the server serves it.
    pub(crate) fn put(&self, path: &str, bytes: Vec<u8>) {
        self.files.lock().unwrap().insert(path.to_owned(), bytes);
    }

    /// Publishes everything in one version, internal and external.
    pub(crate) fn publish(&self, version: Version, expires_at: OffsetDateTime) {
        let shared = self.shared.write(version).unwrap();
        let private = self.private.write(version);
        let parts = [
            ("SHARED-PARAMETERS", "shared-params.xml", shared),
            ("PRIVATE-PARAMETERS", "private-params.xml", private),
        ];
        self.publish_parts("internalconf", version, expires_at, &parts);
        self.publish_parts("externalconf", version, expires_at, &parts[..1]);
    }

    /// Publishes a directory with the given parts: identifier, file name, bytes.
    pub(crate) fn publish_parts(
        &self,
        directory: &str,
        version: Version,
        expires_at: OffsetDateTime,
        parts: &[(&str, &str, Vec<u8>)],
    ) {
        let path = |name: &str| format!("/V{version}/1/{name}");
        let locations: Vec<String> = parts.iter().map(|(_, name, _)| path(name)).collect();
        let file_parts: Vec<FilePart<'_>> = parts
            .iter()
            .zip(&locations)
            .map(|((content_identifier, _, bytes), location)| FilePart {
                content_identifier,
                location,
                bytes,
            })
            .collect();
        let unsigned = UnsignedDirectory::new(
            &self.shared.instance,
            version,
            expires_at,
            &file_parts,
            "inner".to_owned(),
        );
        self.put(&format!("/{directory}?version={version}"), self.sign(&unsigned));
        for ((_, _, bytes), location) in parts.iter().zip(&locations) {
            self.put(location, bytes.clone());
        }
    }

    pub(crate) fn sign(&self, unsigned: &UnsignedDirectory) -> Vec<u8> {
        let signature = self.key.sign(unsigned.signed_bytes()).unwrap();
        unsigned.finish(self.key.algorithm(), &signature, &self.certificate, "outer")
    }

    pub(crate) fn anchor(&self, directory: &str) -> Anchor {
        Anchor {
            generated_at: None,
            instance: self.shared.instance.clone(),
            sources: vec![AnchorSource {
                download_url: format!("http://{}/{directory}", self.server.authority),
                verification_certs: vec![self.certificate.clone()],
            }],
        }
    }

    /// A client with the anchor of the internal configuration.
    pub(crate) fn client(&self, directory: &Path, federations: Federations) -> ConfigurationClient {
        let anchor = self.write_anchor(directory);
        ConfigurationClient::new(&anchor, store(directory), http(), federations)
    }

    pub(crate) fn write_anchor(&self, directory: &Path) -> PathBuf {
        let path = directory.join("anchor.xml");
        std::fs::write(&path, self.anchor("internalconf").write()).unwrap();
        path
    }
}

pub(crate) fn self_signed(key: &Key) -> Vec<u8> {
    let name = DistinguishedName::build(&[("CN", "internalSigningKey")]).unwrap();
    let now = OffsetDateTime::now_utc();
    let template = Template {
        serial: &[1],
        issuer: &name,
        subject: &name,
        not_before: now,
        not_after: now + time::Duration::days(1),
        spki: key.public_key_spki(),
        extensions: Vec::new(),
    };
    template.sign(key).unwrap().as_der().to_vec()
}

pub(crate) fn store(directory: &Path) -> Store {
    Store::new(directory.join("globalconf"))
}

pub(crate) fn http() -> Http {
    let tls = Tls::new(Path::new("/nonexistent"), true);
    Http::new(&tls, Duration::from_secs(2), Duration::from_secs(5))
}

pub(crate) fn new_key() -> Key {
    Key(SoftwareKey::generate(KeySpec::P256).unwrap())
}
