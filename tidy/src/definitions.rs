//! One definition of the appliance: users, kernel settings, partitions and units are said in `systemd/` and nowhere else.
//!
//! `image/` (Debian's packages, QEMU) and `buildroot/` make the same appliance by other means. Neither has a file that says
//! one of these things itself, and every path of `systemd/` that they name exists. `image/test/` tries what is promised, and
//! may name what it looks for.

use std::path::{Path, PathBuf};

use crate::{Findings, inside};

/// Who makes images.
const BUILDERS: &[&str] = &["image", "buildroot"];
/// What in there does not: what is made, and what tries it.
const NOT_A_BUILDER: &[&str] = &["image/out", "image/keys", "image/test"];
/// How a file names a partition by its label.
const BY_LABEL: &[&str] = &["Label=", "PARTLABEL=", "by-partlabel/"];

/// Definitions of `systemd/` that are said again by a builder.
pub fn check_said_once(root: &Path) -> Findings {
    let said = Said::read(root);
    let mut findings = Vec::new();
    for path in builders_files(root) {
        let name = inside(root, &path);
        if is_unit(&path) {
            findings.push(format!("{name} is a unit; units are in systemd/"));
        }
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        findings.extend(said.again_in(&text).map(|what| format!("{name} {what}")));
    }
    findings
}

/// Paths of `systemd/` that a builder names and that do not exist.
pub fn check_paths(root: &Path) -> Findings {
    let mut findings = Vec::new();
    for path in builders_files(root) {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        for named in named_paths(&text).filter(|named| !is_there(root, named)) {
            findings.push(format!(
                "{} names {named}, which does not exist",
                inside(root, &path)
            ));
        }
    }
    findings
}

/// What `systemd/` says.
#[derive(Debug, Default)]
struct Said {
    sysctls: Vec<String>,
    users: Vec<(String, String)>,
    labels: Vec<String>,
    units: Vec<String>,
}

impl Said {
    fn read(root: &Path) -> Self {
        let mut said = Self::default();
        for path in all_files(&root.join("systemd")) {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let lines = || text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
            match folder_of(&path).as_str() {
                "sysctl.d" => said.sysctls.extend(lines().filter_map(sysctl)),
                "sysusers.d" => said.users.extend(lines().filter_map(user)),
                "repart.d" => said.labels.extend(lines().filter_map(label)),
                _ if is_unit(&path) => said
                    .units
                    .extend(path.file_name().map(|name| name.to_string_lossy().into_owned())),
                _ => {}
            }
        }
        said
    }

    fn again_in<'a>(&'a self, text: &'a str) -> impl Iterator<Item = String> + 'a {
        let sysctls = self.sysctls.iter().filter(|key| has_word(text, key));
        let users = self.users.iter().filter(|(name, id)| {
            text.lines()
                .any(|line| has_word(line, name) && has_word(line, id))
        });
        let labels = self
            .labels
            .iter()
            .filter(|label| BY_LABEL.iter().any(|by| has_word(text, &format!("{by}{label}"))));
        let units = self.units.iter().filter(|unit| has_word(text, unit));
        sysctls
            .map(|key| format!("sets {key}; kernel settings are in systemd/sysctl.d"))
            .chain(
                users.map(|(name, id)| format!("says that {name} is {id}; users are in systemd/sysusers.d")),
            )
            .chain(
                labels
                    .map(|label| format!("names the partition {label}; partitions are in systemd/repart.d")),
            )
            .chain(
                units.map(|unit| {
                    format!("names the unit {unit}; units are in systemd/, switched on by presets")
                }),
            )
    }
}

/// The key of `-net.core.somaxconn = 16384`.
fn sysctl(line: &str) -> Option<String> {
    let (key, _) = line.split_once('=')?;
    Some(key.trim().trim_start_matches('-').to_owned())
}

/// Name and number of `u kiirtee-signer 900 …`, of ours only: those of the system are everybody's.
fn user(line: &str) -> Option<(String, String)> {
    let mut words = line.split_whitespace();
    let kind = words.next()?;
    let (name, id) = (words.next()?, words.next()?);
    let is_ours = matches!(kind, "u" | "g") && name.starts_with("kiirtee") && id.parse::<u32>().is_ok();
    is_ours.then(|| (name.to_owned(), id.to_owned()))
}

/// The label of `Label=evidence`; one that is made at build time, or stands for an empty slot, is no name.
fn label(line: &str) -> Option<String> {
    let label = line.strip_prefix("Label=")?;
    (!label.contains('%') && !label.starts_with('_')).then(|| label.to_owned())
}

fn has_word(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    text.match_indices(word).any(|(at, _)| {
        let before = text.get(..at).and_then(|text| text.chars().next_back());
        let after = text.get(at + word.len()..).and_then(|text| text.chars().next());
        // A full stop may be the end of a sentence.
        !before.is_some_and(is_part) && !after.is_some_and(|c| is_part(c) && c != '.')
    })
}

/// Paths `systemd/…` of the repository in a text: not those of an appliance, before which there is a folder.
fn named_paths(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("systemd/").filter_map(|(at, _)| {
        let before = text.get(..at)?;
        let is_ours = before.ends_with("../") || before.ends_with("REPOSITORY/");
        let is_inner =
            before.ends_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '.' | '_' | ':'));
        let end = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '.' | '_' | '*' | '@'));
        let path = text.get(at..)?.split(end).next()?;
        (is_ours || !is_inner).then_some(path.trim_end_matches(['.', '/']))
    })
}

/// Whether a path, or something that fits a pattern such as `systemd/kernel/*.config`, is there.
fn is_there(root: &Path, path: &str) -> bool {
    let Some((folder, pattern)) = path.rsplit_once('/').filter(|(_, name)| name.contains('*')) else {
        return root.join(path).exists();
    };
    let (start, end) = pattern.split_once('*').unwrap_or((pattern, ""));
    let entries = std::fs::read_dir(root.join(folder))
        .into_iter()
        .flatten()
        .flatten();
    let mut names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.any(|name| name.starts_with(start) && name.ends_with(end))
}

fn builders_files(root: &Path) -> impl Iterator<Item = PathBuf> {
    let builds = |path: &PathBuf| !NOT_A_BUILDER.iter().any(|not| path.starts_with(root.join(not)));
    let files: Vec<PathBuf> = BUILDERS
        .iter()
        .flat_map(|folder| all_files(&root.join(folder)))
        .filter(builds)
        .collect();
    files.into_iter()
}

fn all_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries
        .flat_map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() && !entry.path().ends_with("out") => all_files(&entry.path()),
            Ok(kind) if kind.is_file() => vec![entry.path()],
            _ => Vec::new(),
        })
        .collect();
    found.sort();
    found
}

fn folder_of(path: &Path) -> String {
    let folder = path.parent().and_then(Path::file_name);
    folder
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

fn is_unit(path: &Path) -> bool {
    const KINDS: &[&str] = &["service", "socket", "target", "mount", "timer", "path", "slice"];
    let kind = path.extension().map(|kind| kind.to_string_lossy().into_owned());
    kind.is_some_and(|kind| KINDS.contains(&kind.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(builder: &str, text: &str) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("systemd/sysctl.d/60.conf", "# why\n-net.core.somaxconn = 16384\n");
        write(
            "systemd/sysusers.d/k.conf",
            "u kiirtee-signer 900 \"Signer\"\ng tty 5\n",
        );
        write("systemd/repart.d/50.conf", "[Partition]\nLabel=evidence\n");
        write("systemd/repart.d/10.conf", "[Partition]\nLabel=%M_%A\n");
        write("systemd/units/kiirtee-signer.service", "[Service]\n");
        write("systemd/install.sh", "");
        write(builder, text);
        root
    }

    #[test]
    fn a_builder_that_refers_to_the_definitions_passes() {
        let text = "systemd/install.sh; install /usr/lib/systemd/systemd; the signer; $(X)/../systemd/repart.d/*.conf\n\
                    Files of evidence, 900 of them. See systemd/units.";
        let root = tree("image/build", text);
        assert_eq!(check_said_once(root.path()), Findings::new());
        assert_eq!(check_paths(root.path()), Findings::new());
    }

    #[test]
    fn what_is_said_again_is_named() {
        for (text, what) in [
            ("sysctl net.core.somaxconn=1", "sets net.core.somaxconn"),
            ("adduser kiirtee-signer -u 900", "says that kiirtee-signer is 900"),
            (
                "mount /dev/disk/by-partlabel/evidence /srv",
                "names the partition evidence",
            ),
            (
                "systemctl enable kiirtee-signer.service",
                "names the unit kiirtee-signer.service",
            ),
        ] {
            let root = tree("buildroot/board/post.sh", text);
            let findings = check_said_once(root.path());
            assert_eq!(findings.len(), 1, "{text}: {findings:?}");
            assert!(findings[0].contains(what), "{findings:?}");
        }
        let root = tree("image/extra.service", "");
        assert_eq!(
            check_said_once(root.path()),
            ["image/extra.service is a unit; units are in systemd/"]
        );
    }

    #[test]
    fn a_path_that_does_not_exist_is_named() {
        let root = tree(
            "buildroot/x.mk",
            "FILES = $(PATH)/../systemd/kernel/*.config systemd/install.sh",
        );
        assert_eq!(
            check_paths(root.path()),
            ["buildroot/x.mk names systemd/kernel/*.config, which does not exist"]
        );
    }

    #[test]
    fn a_trial_may_name_what_it_looks_for() {
        let root = tree(
            "image/test/src/tamper.rs",
            "by-partlabel/evidence systemd/nothing",
        );
        assert_eq!(check_said_once(root.path()), Findings::new());
        assert_eq!(check_paths(root.path()), Findings::new());
    }
}
