//! `kiirtee archive verify` and `kiirtee verify` as an auditor calls them.

use std::ffi::OsStr;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::instance::{Instance, kiirtee};

/// What `kiirtee archive verify` says.
#[derive(Debug)]
pub(crate) struct Verdict {
    /// The exit code.
    pub(crate) code: Option<i32>,
    /// What it says of the files, and of the chains that they are.
    pub(crate) answer: Value,
}

/// One archive of an answer.
pub(crate) struct Archive {
    pub(crate) path: PathBuf,
    pub(crate) previous_digest: String,
    pub(crate) last_digest: String,
}

impl Verdict {
    /// Every file is as it was archived.
    pub(crate) fn accepted(self) -> Self {
        assert_eq!(self.code, Some(0), "{:#}", self.answer);
        self
    }

    /// What is wrong, all of it, by the names of the files.
    pub(crate) fn refused(&self) -> Vec<(String, String)> {
        assert_eq!(self.code, Some(1), "{:#}", self.answer);
        let files = self.answer["files"].as_array().unwrap().iter();
        let problems = files.flat_map(|file| {
            let name = name(Path::new(file["file"].as_str().unwrap()));
            let problems = file["problems"].as_array().unwrap().iter();
            problems.map(move |problem| (name.clone(), problem.as_str().unwrap().to_owned()))
        });
        problems.collect()
    }

    /// A number of each file, added up.
    pub(crate) fn sum(&self, of: &str) -> u64 {
        let files = self.answer["files"].as_array().into_iter().flatten();
        files.map(|file| file[of].as_u64().unwrap_or(0)).sum()
    }

    /// The one chain of these files, from its first to its last.
    pub(crate) fn chain(&self) -> Vec<Archive> {
        let files = self.answer["files"].as_array().unwrap();
        let mut chain: Vec<Archive> = Vec::new();
        while chain.len() < files.len() {
            let before = chain.last().map(|last| name(&last.path)).unwrap_or_default();
            let next = files.iter().find(|file| file["previous_file"] == before).unwrap();
            let text = |of: &str| next[of].as_str().unwrap().to_owned();
            chain.push(Archive {
                path: text("file").into(),
                previous_digest: text("previous_digest"),
                last_digest: text("last_digest"),
            });
        }
        chain
    }
}

/// Asks for a verdict on archives.
pub(crate) fn verify<S: AsRef<OsStr>>(arguments: &[S]) -> Verdict {
    let output = kiirtee()
        .args(["archive", "verify", "--json"])
        .args(arguments)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Verdict {
        code: output.status.code(),
        answer: serde_json::from_slice(&output.stdout).unwrap_or(Value::String(said)),
    }
}

/// Asks for a verdict on archives and the evidence in them, each container by the archive's verifier and, unpacked,
/// by `kiirtee verify`. Gives the number of containers.
pub(crate) fn verify_with_evidence(instance: &Instance, folder: &Path) -> (Verdict, u64) {
    let trust = instance.get("global_configuration/directory");
    let [containers, globalconf] = ["--containers", "--globalconf"].map(OsStr::new);
    let verdict = verify(&[folder.as_os_str(), containers, globalconf, trust.as_ref()]).accepted();
    let unpacked = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    for archive in super::server::archives(folder) {
        for (name, bytes) in entries(&std::fs::read(folder.join(archive)).unwrap()) {
            if name != "linkinginfo" {
                let path = unpacked.path().join(name);
                std::fs::write(&path, bytes).unwrap();
                files.push(path);
            }
        }
    }
    evidence(instance, &files);
    let count = u64::try_from(files.len()).unwrap();
    assert_eq!(verdict.sum("valid_containers"), count);
    (verdict, count)
}

/// Every container is valid evidence.
pub(crate) fn evidence(instance: &Instance, files: &[PathBuf]) {
    let output = kiirtee()
        .arg("verify")
        .args(files)
        .arg("--globalconf")
        .arg(instance.get("global_configuration/directory"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// Names and contents of a zip file, in its order.
pub(crate) fn entries(zip: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = zip::ZipArchive::new(Cursor::new(zip)).unwrap();
    let read = |index| {
        let mut file = archive.by_index(index).unwrap();
        let mut content = Vec::new();
        file.read_to_end(&mut content).unwrap();
        (file.name().unwrap().into_owned(), content)
    };
    let count = zip::ZipArchive::new(Cursor::new(zip)).unwrap().len();
    (0..count).map(read).collect()
}

/// The name of a file.
pub(crate) fn name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}
