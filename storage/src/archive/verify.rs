//! Checking one archive file: is every container in it, unchanged and in the order of the chain?

use std::collections::{HashMap, HashSet};
use std::io::{self, Read, Seek};

use zip::ZipArchive;
use zip::result::ZipError;

use super::{DigestAlgorithm, LINKING_INFO, LinkingInfo, LinkingInfoError, MAX_LINKING_INFO};
use crate::message_log::ArchiveLink;

/// End of the names of containers.
const CONTAINER: &str = ".asice";
/// Entries of a file that are looked at; zip files of this format have no more.
const MAX_ENTRIES: usize = 65_535;

/// What an archive file turned out to be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileReport {
    /// Containers in the file.
    pub containers: usize,
    /// The file that it says to follow; empty parts: none.
    pub previous: ArchiveLink,
    /// The digest that the next file has to go on from; empty if the file cannot be read.
    pub last_digest: String,
    /// What is wrong; nothing: the file is as it was written.
    pub problems: Vec<Problem>,
}

/// What can be wrong with an archive.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// It is not a zip file, or damaged as one.
    #[error("it cannot be read as a zip file: {0}")]
    Zip(String),
    /// It cannot be decrypted.
    #[error("it cannot be decrypted: {0}")]
    Encrypted(String),
    /// There is no linking information.
    #[error("there is no entry linkinginfo")]
    NoLinkingInfo,
    /// The linking information does not follow its format.
    #[error(transparent)]
    LinkingInfo(#[from] LinkingInfoError),
    /// No container is in it.
    #[error("there is no container in it")]
    Empty,
    /// A container is not in the linking information.
    #[error("the container {0} is not in linkinginfo")]
    NotLinked(String),
    /// A container of the linking information is not there.
    #[error("the container {0} of linkinginfo is missing")]
    Missing(String),
    /// The linking information names a container twice.
    #[error("linkinginfo has the container {0} twice")]
    Twice(String),
    /// The containers stand in another order than in the linking information.
    #[error("the container {found} stands where linkinginfo has {expected}")]
    Order {
        /// Of the linking information.
        expected: String,
        /// In the file.
        found: String,
    },
    /// A container is not the one that was archived, or its digest was changed.
    #[error("the digest of the container {0} does not match")]
    Changed(String),
    /// An entry of no archive.
    #[error("the entry {0} does not belong into an archive")]
    Foreign(String),
    /// The file follows another one than expected.
    #[error("it follows the digest {found:?}, expected {expected:?}")]
    Previous {
        /// Digest of the file before.
        expected: String,
        /// What the file says.
        found: String,
    },
    /// The name of the file is not that of its content.
    #[error("its name does not have the beginning of its last digest, {0}")]
    Name(String),
    /// The file that it follows is not there.
    #[error("the file that it follows is missing: {0}")]
    MissingFile(String),
    /// Another file follows the same one.
    #[error("the file {0} follows the same file")]
    Fork(String),
}

/// Checks a file. `previous` is the last digest of the file before, empty if there must be none; `None` leaves open
/// which file it follows.
///
/// # Errors
/// When the file cannot be read; what is wrong with its content is in the report.
pub fn verify(file: impl Read + Seek, previous: Option<&str>) -> io::Result<FileReport> {
    let mut report = FileReport::default();
    match verify_zip(file, previous, &mut report) {
        Ok(()) => {}
        Err(ZipError::Io(error)) if is_of_system(&error) => return Err(error),
        Err(error) => report.problems.push(Problem::Zip(error.to_string())),
    }
    Ok(report)
}

/// Errors of the disk, as opposed to those of the bytes on it.
fn is_of_system(error: &io::Error) -> bool {
    error.raw_os_error().is_some()
}

fn verify_zip(
    file: impl Read + Seek,
    previous: Option<&str>,
    report: &mut FileReport,
) -> Result<(), ZipError> {
    let mut zip = ZipArchive::new(file)?;
    if zip.len() > MAX_ENTRIES {
        return Err(ZipError::InvalidArchive("too many entries".into()));
    }
    let Some(info) = read_linking_info(&mut zip, report)? else {
        return Ok(());
    };
    report.previous = info.previous.clone();
    info.last_digest().clone_into(&mut report.last_digest);
    if let Some(expected) = previous.filter(|expected| *expected != info.previous.digest) {
        report.problems.push(Problem::Previous {
            expected: expected.to_owned(),
            found: info.previous.digest.clone(),
        });
    }
    let digests = digests(&mut zip, info.algorithm, report)?;
    report.containers = digests.len();
    if digests.is_empty() {
        report.problems.push(Problem::Empty);
    }
    compare(&info, &digests, &mut report.problems);
    Ok(())
}

fn read_linking_info<R: Read + Seek>(
    zip: &mut ZipArchive<R>,
    report: &mut FileReport,
) -> Result<Option<LinkingInfo>, ZipError> {
    let entry = match zip.by_name(LINKING_INFO) {
        Ok(entry) => entry,
        Err(ZipError::FileNotFound) => {
            report.problems.push(Problem::NoLinkingInfo);
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let mut text = Vec::new();
    entry.take(MAX_LINKING_INFO).read_to_end(&mut text)?;
    match LinkingInfo::parse(&text) {
        Ok(info) => Ok(Some(info)),
        Err(problem) => {
            report.problems.push(problem.into());
            Ok(None)
        }
    }
}

/// Name and digest of each container, in the order of the file.
fn digests<R: Read + Seek>(
    zip: &mut ZipArchive<R>,
    algorithm: DigestAlgorithm,
    report: &mut FileReport,
) -> Result<Vec<(String, String)>, ZipError> {
    let mut digests = Vec::with_capacity(zip.len());
    for index in 0..zip.len() {
        let mut entry = zip.by_index(index)?;
        let name = entry.name()?.into_owned();
        if name == LINKING_INFO {
            continue;
        }
        if !name.ends_with(CONTAINER) {
            report.problems.push(Problem::Foreign(name));
            continue;
        }
        let mut digesting = algorithm.writer(io::sink());
        match io::copy(&mut entry, &mut digesting) {
            Ok(_) => digests.push((name, digesting.finish().1)),
            Err(error) if is_of_system(&error) => return Err(error.into()),
            // What cannot be inflated, or has another checksum, is not what was archived.
            Err(_) => digests.push((name, String::new())),
        }
    }
    Ok(digests)
}

/// Each digest of the chain is computed from the one before it in the linking information, so that the report names
/// the containers that were changed and not all that follow them.
fn compare(info: &LinkingInfo, digests: &[(String, String)], problems: &mut Vec<Problem>) {
    let found: HashMap<&str, &str> = digests
        .iter()
        .map(|(name, digest)| (name.as_str(), digest.as_str()))
        .collect();
    let mut linked = HashSet::with_capacity(info.entries.len());
    let mut before = info.previous.digest.as_str();
    for (digest, name) in &info.entries {
        if !linked.insert(name.as_str()) {
            problems.push(Problem::Twice(name.clone()));
        }
        match found.get(name.as_str()) {
            None => problems.push(Problem::Missing(name.clone())),
            Some(own) if info.algorithm.chain(before, own) != *digest => {
                problems.push(Problem::Changed(name.clone()));
            }
            Some(_) => {}
        }
        before = digest;
    }
    let foreign = digests.iter().filter(|(name, _)| !linked.contains(name.as_str()));
    problems.extend(foreign.map(|(name, _)| Problem::NotLinked(name.clone())));
    let pairs = info.entries.iter().zip(digests);
    let reordered = pairs.filter(|((_, expected), (found, _))| expected != found);
    if info.entries.len() == digests.len() {
        problems.extend(reordered.map(|((_, expected), (found, _))| Problem::Order {
            expected: expected.clone(),
            found: found.clone(),
        }));
    }
}

/// Gives every container of a file of at most `max_size` bytes to `inspect`, with its name; `None`: a larger one.
///
/// # Errors
/// When the file cannot be read.
pub fn for_each_container(
    file: impl Read + Seek,
    max_size: u64,
    mut inspect: impl FnMut(&str, Option<&[u8]>),
) -> io::Result<()> {
    let mut zip = ZipArchive::new(file)?;
    for index in 0..zip.len() {
        let entry = zip.by_index(index)?;
        let name = entry.name()?.into_owned();
        if !name.ends_with(CONTAINER) {
            continue;
        }
        let mut bytes = Vec::new();
        entry.take(max_size.saturating_add(1)).read_to_end(&mut bytes)?;
        let whole = u64::try_from(bytes.len()).is_ok_and(|length| length <= max_size);
        inspect(&name, whole.then_some(bytes.as_slice()));
    }
    Ok(())
}
