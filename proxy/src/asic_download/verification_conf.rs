//! `verificationconf.zip`: the shared parameters of every instance, which is what verifying containers takes (wire.md 4.4).

use std::io::{self, Write};
use std::path::Path;

use protocol_globalconf::Files;
use protocol_globalconf::layout::{
    INSTANCE_IDENTIFIER_FILE, METADATA_SUFFIX, SHARED_PARAMETERS, SHARED_PARAMS_FILE, directory_name,
};
use protocol_globalconf::metadata::Metadata;
use time::OffsetDateTime;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::DownloadError;
use super::containers::{ZIP, zip_time};
use super::stream::{Output, PieceWriter, Start};
use crate::snapshot::files::Directory;

/// Folder of everything in the zip file.
const FOLDER: &str = "verificationconf";

/// Writes the file from the configuration directory as it is on the disk, expired or not.
///
/// # Errors
/// [`DownloadError::GlobalConf`] while nothing is written; afterwards the download breaks off.
pub fn write(folder: &Path, out: Output) -> Result<(), DownloadError> {
    let files = Directory::new(folder);
    let own = files
        .read(INSTANCE_IDENTIFIER_FILE)
        .and_then(|own| own.ok_or_else(|| io::ErrorKind::NotFound.into()));
    let own = own.map_err(DownloadError::GlobalConf)?;
    let mut directories = files.directories().map_err(DownloadError::GlobalConf)?;
    directories.sort();
    let start = Start {
        media_type: ZIP,
        disposition: "filename=\"verificationconf.zip\"".to_owned(),
    };
    out.send(start, |writer| write_zip(&files, &directories, &own, writer));
    Ok(())
}

fn write_zip(
    files: &Directory,
    directories: &[String],
    own: &[u8],
    writer: PieceWriter,
) -> io::Result<PieceWriter> {
    let mut zip = ZipWriter::new_stream(writer);
    let options = SimpleFileOptions::default().last_modified_time(zip_time(OffsetDateTime::now_utc()));
    for directory in directories {
        let Some(Instance {
            code,
            parameters,
            metadata,
        }) = shared_parameters(files, directory)?
        else {
            continue;
        };
        let name = format!("{FOLDER}/{}/{SHARED_PARAMS_FILE}", directory_name(&code));
        zip.start_file(&name, options)?;
        zip.write_all(&parameters)?;
        zip.start_file(name + METADATA_SUFFIX, options)?;
        zip.write_all(&metadata)?;
    }
    zip.start_file(format!("{FOLDER}/{INSTANCE_IDENTIFIER_FILE}"), options)?;
    zip.write_all(own)?;
    Ok(zip.finish()?.into_inner())
}

/// What is given of an instance.
struct Instance {
    code: String,
    parameters: Vec<u8>,
    /// The one thing that verifiers need to know of them: their version.
    metadata: Vec<u8>,
}

/// Nothing where the directory has no shared parameters, or none that can be read.
fn shared_parameters(files: &Directory, directory: &str) -> io::Result<Option<Instance>> {
    let path = format!("{directory}/{SHARED_PARAMS_FILE}");
    let metadata = files
        .read(&format!("{path}{METADATA_SUFFIX}"))?
        .map(|bytes| Metadata::parse(&bytes));
    let Some(Ok(metadata)) = metadata else {
        return Ok(None);
    };
    let is_shared = metadata.content_identifier.as_deref() == Some(SHARED_PARAMETERS);
    let (Some(code), true) = (metadata.instance_identifier, is_shared) else {
        return Ok(None);
    };
    let Some(parameters) = files.read(&path)? else {
        return Ok(None);
    };
    let told = Metadata {
        configuration_version: metadata.configuration_version,
        ..Metadata::default()
    };
    Ok(Some(Instance {
        code,
        parameters,
        metadata: told.write(),
    }))
}
