//! `systemd/root.manifest`: what the appliance's root has.

use std::path::{Path, PathBuf};

use crate::failure::{At, Failure};

/// One line of the manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A pattern of paths that are kept from the packages, with a leading slash.
    Keep(String),
    /// A symbolic link that is made.
    Link {
        /// Where.
        path: PathBuf,
        /// What it points at.
        target: PathBuf,
    },
    /// A folder that is made.
    Folder(PathBuf),
    /// A library that is loaded by its name.
    Dlopen(String),
}

/// Reads a manifest.
///
/// # Errors
/// When it cannot be read, or a line is none of the four kinds.
pub fn read(path: &Path) -> Result<Vec<Entry>, Failure> {
    let text = std::fs::read_to_string(path).at(path)?;
    parse(&text).map_err(|(line, what)| Failure::unusable(format!("{}:{line}", path.display()), what))
}

fn parse(text: &str) -> Result<Vec<Entry>, (usize, String)> {
    let lines = text.lines().enumerate();
    let lines = lines.map(|(index, line)| (index.saturating_add(1), line.trim()));
    lines
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(number, line)| entry(line).map_err(|what| (number, what)))
        .collect()
}

fn entry(line: &str) -> Result<Entry, String> {
    if let Some(name) = line.strip_prefix("dlopen ") {
        return Ok(Entry::Dlopen(name.trim().to_owned()));
    }
    if !line.starts_with('/') {
        return Err(format!(
            "`{line}`: expected a path that begins with /, or `dlopen NAME`"
        ));
    }
    if line.split('/').any(|part| part == "..") && !line.contains(" -> ") {
        return Err(format!("`{line}`: a path must not have `..`"));
    }
    Ok(match line.split_once(" -> ") {
        Some((path, target)) => Entry::Link {
            path: path.trim().into(),
            target: target.trim().into(),
        },
        None => match line.strip_suffix('/') {
            Some(folder) => Entry::Folder(folder.into()),
            None => Entry::Keep(line.to_owned()),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_keeps_links_makes_or_names_a_library() {
        let text = "# reason\n\n/usr/bin/x*\n/bin -> usr/bin\n/var/\ndlopen libx.so.1\n";
        let entries = parse(text).unwrap();
        let expected = [
            Entry::Keep("/usr/bin/x*".into()),
            Entry::Link {
                path: "/bin".into(),
                target: "usr/bin".into(),
            },
            Entry::Folder("/var".into()),
            Entry::Dlopen("libx.so.1".into()),
        ];
        assert_eq!(entries, expected);
    }

    #[test]
    fn a_line_of_another_kind_is_named() {
        assert_eq!(parse("/usr\nusr/bin/x\n").unwrap_err().0, 2);
        assert_eq!(parse("/usr/../etc/x\n").unwrap_err().0, 1);
    }
}
