//! Archives and downloads for those who may read them: GnuPG decrypts, of each member its own.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::gnupg::{Gpg, MODERN};
use super::instance::{Instance, agent, is_built, wait_until};
use super::server::{ALWAYS, archive_folder, archives, exchange, send, set};
use super::verifying::{Verdict, entries, evidence, verify, verify_with_evidence};

/// The member of the consumer's server, which is not its subsystem.
const MEMBER: &str = "SANDBOX/ORG/1001";

/// A server that encrypts, and who has the key.
struct Encrypted<'a> {
    server: &'a str,
    keys: PathBuf,
    gpg: Gpg,
}

#[test]
fn archives_and_downloads_of_each_member_are_decrypted_by_those_who_have_its_key_and_by_no_others() {
    let (true, Some(member), Some(operator)) = (is_built(), Gpg::new(), Gpg::new()) else {
        return;
    };
    let mut instance = Instance::up(161);
    let consumer = Encrypted::new(&instance, "consumer", member);
    let provider = Encrypted::new(&instance, "provider", operator);
    // The operator's key is the default at both; at the consumer's server the member has one of its own.
    std::fs::copy(
        provider.keys.join("provider.asc"),
        consumer.keys.join("operator.asc"),
    )
    .unwrap();
    let mapping = instance.dir().join("mapping.ini");
    std::fs::write(&mapping, format!("{MEMBER} = consumer@example.org\n")).unwrap();
    consumer.encrypt(&mut instance, "subsystem", Some(&mapping));
    provider.encrypt(&mut instance, "member", None);
    exchange(&instance, "sealed");
    // Its owner may not use the service. What it asked is in the log all the same, and no subsystem's.
    assert_eq!(send(&instance, MEMBER, "denied"), 500);

    consumer.has_archives(&instance, &["SANDBOX_ORG_1001", "SANDBOX_ORG_1001_client"], 3);
    provider.has_archives(&instance, &["SANDBOX_ORG_2002"], 2);
    consumer.is_decrypted_with_its_key_only(&provider);
    provider.is_decrypted_with_its_key_only(&consumer);
    consumer.downloads_are_sealed(&instance, &provider.gpg);
    provider.downloads_are_sealed(&instance, &consumer.gpg);
    provider.refuses_downloads_without_keys(&instance);
}

impl<'a> Encrypted<'a> {
    fn new(instance: &Instance, server: &'a str, gpg: Gpg) -> Self {
        let keys = instance.dir().join(format!("{server}-keys"));
        std::fs::create_dir(&keys).unwrap();
        gpg.key(&user(server), MODERN, &keys, &format!("{server}.asc"));
        Self { server, keys, gpg }
    }

    fn encrypt(&self, instance: &mut Instance, grouping: &str, mapping: Option<&Path>) {
        let text = |path: &Path| toml::Value::from(path.to_str().unwrap());
        let mut values = vec![
            ("archive-interval", ALWAYS.into()),
            ("archive-grouping", grouping.into()),
            ("archive-encryption-enabled", true.into()),
            ("archive-gpg-home-directory", text(&self.keys)),
            ("archive-default-encryption-key", user("provider").into()),
        ];
        values.extend(mapping.map(|mapping| ("archive-encryption-keys-config", text(mapping))));
        set(instance, self.server, &values);
    }

    /// One chain a group. Decrypted by GnuPG the files are a folder that is accepted, with all that is in it.
    fn has_archives(&self, instance: &Instance, groups: &[&str], records: u64) {
        let folder = archive_folder(instance, self.server);
        let found = || {
            let names = archives(&folder);
            let mut groups: Vec<String> = names.iter().map(|name| group(name)).collect();
            groups.dedup();
            groups
        };
        wait_until("archives of every group", || found() == groups);
        wait_until("all records to be archived", || {
            self.open(&folder).sum("containers") == records
        });
        assert!(archives(&folder).iter().all(|name| name.ends_with(".zip.gpg")));
        let plain = tempfile::tempdir().unwrap();
        for name in archives(&folder) {
            let content = self.gpg.decrypt(&folder.join(&name)).unwrap();
            let name = name.strip_suffix(".gpg").unwrap();
            std::fs::write(plain.path().join(name), content).unwrap();
        }
        let (verdict, _) = verify_with_evidence(instance, plain.path());
        assert_eq!(verdict.answer["chain"]["chains"], groups.len());
    }

    /// What the operator's command says with the private key.
    fn open(&self, folder: &Path) -> Verdict {
        let key = self.gpg.private(&user(self.server));
        verify(&[folder.as_os_str(), OsStr::new("--key"), key.as_os_str()])
    }

    fn is_decrypted_with_its_key_only(&self, other: &Self) {
        let folder = self.keys.with_file_name(self.server).join("proxy/archive");
        self.open(&folder).accepted();
        let refused = other.open(&folder).refused();
        assert_eq!(refused.len(), archives(&folder).len(), "{refused:?}");
        for (_, problem) in refused {
            assert_eq!(
                problem,
                "it cannot be decrypted: none of the keys given decrypts it"
            );
        }
    }

    fn downloads_are_sealed(&self, instance: &Instance, other: &Gpg) {
        let all = self.download(instance, "queryId=sealed");
        assert_eq!(all.disposition, "attachment; filename=\"sealed.zip.gpg\"");
        let one = self.download(instance, "queryId=sealed&responseOnly&unique");
        assert!(
            one.disposition
                .starts_with("attachment; filename=\"sealed-response-")
        );
        assert!(one.disposition.ends_with(".asice.gpg\""), "{}", one.disposition);
        for download in [&all, &one] {
            let head = (download.status, download.media_type.as_str());
            assert_eq!(head, (200, "application/octet-stream"));
            assert!(other.decrypt(&download.file).is_none());
        }
        let one = self.gpg.decrypt(&one.file).unwrap();
        let all = entries(&self.gpg.decrypt(&all.file).unwrap());
        assert!(all.len() == 2 && entries(&all[1].1) == entries(&one));
        let write = |(name, content): &(String, Vec<u8>)| {
            let path = self.gpg.path(name);
            std::fs::write(&path, content).unwrap();
            path
        };
        evidence(instance, &all.iter().map(write).collect::<Vec<_>>());
    }

    /// Nothing is sent that everybody can read, and the next download is encrypted again.
    fn refuses_downloads_without_keys(&self, instance: &Instance) {
        let away = self.keys.with_extension("away");
        std::fs::rename(&self.keys, &away).unwrap();
        let refused = self.download(instance, "queryId=sealed");
        let text = String::from_utf8(std::fs::read(&refused.file).unwrap()).unwrap();
        assert_eq!(
            (refused.status, refused.media_type.as_str()),
            (500, "text/plain;charset=utf-8"),
            "{text}"
        );
        assert!(text.starts_with("Signed documents can't be encrypted"), "{text}");
        // Parameters are looked at first.
        assert_eq!(self.download(instance, "queryId=sealed&unique").status, 400);
        std::fs::rename(&away, &self.keys).unwrap();
        assert_eq!(self.download(instance, "queryId=sealed").status, 200);
    }

    /// A download of the server's own client, once what is asked for is time-stamped.
    fn download(&self, instance: &Instance, query: &str) -> Download {
        let get = |of: &str| instance.get(&format!("{}/{of}", self.server));
        let subsystem = get("subsystem");
        let names = ["xRoadInstance", "memberClass", "memberCode", "subsystemCode"];
        let client = names.iter().zip(subsystem.split('/'));
        let client: String = client.map(|(name, value)| format!("{name}={value}&")).collect();
        let url = format!("{}/asic?{client}{query}", get("client_http"));
        let mut answer = agent().get(&url).call().unwrap();
        let header = |name: &str| {
            let value = answer.headers().get(name);
            value.map_or_else(String::new, |value| value.to_str().unwrap().to_owned())
        };
        let (media_type, disposition) = (header("content-type"), header("content-disposition"));
        let file = tempfile::Builder::new().tempfile_in(instance.dir()).unwrap();
        let file = file.into_temp_path().keep().unwrap();
        std::fs::write(&file, answer.body_mut().read_to_vec().unwrap()).unwrap();
        Download {
            status: answer.status().as_u16(),
            media_type,
            disposition,
            file,
        }
    }
}

struct Download {
    status: u16,
    media_type: String,
    disposition: String,
    file: PathBuf,
}

fn user(server: &str) -> String {
    format!("{server}@example.org")
}

/// The group in an archive's name.
fn group(name: &str) -> String {
    let group = name.strip_prefix("mlog-").unwrap().rsplitn(4, '-').nth(3);
    group.unwrap_or_default().to_owned()
}
