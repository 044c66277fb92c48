//! The entry `linkinginfo`: what links the containers of a file, and the file to the one before it (wire.md 4.6).

use super::DigestAlgorithm;
use crate::message_log::ArchiveLink;

/// Size of a `linkinginfo` that is read: 65,535 lines of longest names and digests have less.
pub const MAX_LINKING_INFO: u64 = 32 << 20;

/// What a `linkinginfo` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkingInfo {
    /// The file before; empty parts: there is none.
    pub previous: ArchiveLink,
    /// Algorithm of all digests.
    pub algorithm: DigestAlgorithm,
    /// Digest and name of each container, in the order of the chain.
    pub entries: Vec<(String, String)>,
}

/// What is wrong with a `linkinginfo`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkingInfoError {
    /// It is not text.
    #[error("linkinginfo is not UTF-8")]
    Text,
    /// A line has not the words that it must have.
    #[error("line {line} of linkinginfo has {found} words, expected {expected}")]
    Words {
        /// Which, from 1.
        line: usize,
        /// How many there are.
        found: usize,
        /// How many there must be.
        expected: usize,
    },
    /// The digest algorithm is not one of the three.
    #[error("linkinginfo names the digest algorithm {0:?}, expected SHA-256, SHA-384 or SHA-512")]
    Algorithm(String),
}

impl LinkingInfo {
    /// The beginning of a chain's next file.
    pub(super) const fn after(previous: ArchiveLink, algorithm: DigestAlgorithm) -> Self {
        Self {
            previous,
            algorithm,
            entries: Vec::new(),
        }
    }

    /// The digest that the next entry, or the next file, goes on from.
    #[must_use]
    pub fn last_digest(&self) -> &str {
        self.entries
            .last()
            .map_or(self.previous.digest.as_str(), |(digest, _)| digest)
    }

    /// Adds a container by its own digest.
    pub(super) fn add(&mut self, name: String, digest: &str) {
        let chained = self.algorithm.chain(self.last_digest(), digest);
        self.entries.push((chained, name));
    }

    /// The entry.
    pub(super) fn render(&self) -> String {
        let ArchiveLink { digest, file } = &self.previous;
        let mut text = format!(
            "{} {} {}\n",
            or_dash(digest),
            or_dash(file),
            self.algorithm.name()
        );
        for (digest, name) in &self.entries {
            text.push_str(&format!("{digest} {name}\n"));
        }
        text
    }

    /// Reads an entry of at most [`MAX_LINKING_INFO`] bytes.
    ///
    /// # Errors
    /// [`LinkingInfoError`]
    pub fn parse(bytes: &[u8]) -> Result<Self, LinkingInfoError> {
        let text = std::str::from_utf8(bytes).map_err(|_| LinkingInfoError::Text)?;
        let mut lines = text.lines().enumerate();
        let (_, first) = lines.next().unwrap_or_default();
        let [digest, file, algorithm] = words(1, first)?;
        let algorithm = DigestAlgorithm::of_name(algorithm)
            .ok_or_else(|| LinkingInfoError::Algorithm(algorithm.to_owned()))?;
        let entry = |(index, line)| {
            let [digest, name] = words(index + 1, line)?;
            Ok((digest.to_owned(), name.to_owned()))
        };
        Ok(Self {
            previous: ArchiveLink {
                digest: not_dash(digest),
                file: not_dash(file),
            },
            algorithm,
            entries: lines.map(entry).collect::<Result<_, _>>()?,
        })
    }
}

fn words<const N: usize>(line: usize, text: &str) -> Result<[&str; N], LinkingInfoError> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let found = words.len();
    words.try_into().map_err(|_| LinkingInfoError::Words {
        line,
        found,
        expected: N,
    })
}

fn or_dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

fn not_dash(word: &str) -> String {
    if word == "-" {
        String::new()
    } else {
        word.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_wrote_with_and_without_a_file_before() {
        for previous in [
            ArchiveLink::default(),
            ArchiveLink {
                digest: "ab12".into(),
                file: "mlog-1.zip".into(),
            },
        ] {
            let mut info = LinkingInfo::after(previous, DigestAlgorithm::Sha384);
            info.add("q-request-1.asice".into(), "00");
            info.add("q-response-2.asice".into(), "01");
            assert_eq!(LinkingInfo::parse(info.render().as_bytes()).unwrap(), info);
            assert_eq!(info.last_digest(), info.entries[1].0);
        }
    }

    #[test]
    fn says_what_is_wrong() {
        let parse = |text: &str| LinkingInfo::parse(text.as_bytes()).unwrap_err().to_string();
        assert!(parse("").contains("line 1"));
        assert!(parse("- - MD5\n").contains("MD5"));
        assert!(parse("- - SHA-512\nab q-request-1.asice x\n").contains("line 2"));
        assert_eq!(LinkingInfo::parse(&[0xff]), Err(LinkingInfoError::Text));
    }
}
