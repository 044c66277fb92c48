//! Fetching evidence from a security server, as an information system would.

use std::io::{Cursor, Read};
use std::path::Path;
use std::time::Duration;

use super::super::description::SecurityServer;
use super::super::{http, wait};
use crate::failure::{Failure, OrUnusable};
use protocol_globalconf::GlobalConf;

use crate::verify;

/// How long the records of a message may take to be time-stamped.
const PATIENCE: Duration = Duration::from_secs(20);

/// A container: its name in the download, and its bytes.
pub(super) type Named = (String, Vec<u8>);

/// The containers of the request and the response with this id, out of the message log of `server`.
pub(super) fn containers(server: &SecurityServer, query_id: &str) -> Result<Vec<Named>, Failure> {
    let url = url(server, query_id);
    let zip = wait::until(PATIENCE, || http::get(&url, &[])?.good(&url))?;
    entries(&zip)
}

/// Where the evidence of a message is downloaded (wire.md 4.4).
pub(super) fn url(server: &SecurityServer, query_id: &str) -> String {
    let names = ["xRoadInstance", "memberClass", "memberCode", "subsystemCode"];
    let parameters: String = names
        .iter()
        .zip(server.subsystem.split('/'))
        .map(|(name, value)| format!("&{name}={value}"))
        .collect();
    format!("{}/asic?queryId={query_id}{parameters}", server.client_http)
}

/// What verification trusts, as the security server gives it away.
pub(super) fn trust(server: &SecurityServer) -> Result<GlobalConf, Failure> {
    let url = format!("{}/verificationconf", server.client_http);
    let zip = http::get(&url, &[])?.good(&url)?;
    let folder = tempfile::tempdir().or_unusable(|| "make a temporary folder".into())?;
    for (name, content) in entries(&zip)? {
        unpack(folder.path(), &name, &content)?;
    }
    verify::trust(&folder.path().join("verificationconf"))
}

fn unpack(folder: &Path, name: &str, content: &[u8]) -> Result<(), Failure> {
    let plain = Path::new(name)
        .components()
        .all(|part| matches!(part, std::path::Component::Normal(_)));
    if !plain {
        return Err(Failure::unusable(format!(
            "the download has an entry {name}, which leads elsewhere"
        )));
    }
    super::super::files::write(&folder.join(name), content)
}

fn entries(zip: &[u8]) -> Result<Vec<Named>, Failure> {
    let doing = || "unpack the download".to_owned();
    let mut archive = zip::ZipArchive::new(Cursor::new(zip)).or_unusable(doing)?;
    let mut entries = Vec::with_capacity(archive.len());
    for index in 0..archive.len() {
        let mut file = archive.by_index(index).or_unusable(doing)?;
        if file.is_dir() {
            continue;
        }
        let mut content = Vec::new();
        file.read_to_end(&mut content).or_unusable(doing)?;
        entries.push((file.name().or_unusable(doing)?.into_owned(), content));
    }
    Ok(entries)
}

/// The container with one bit of its message changed: unpacked, changed, packed again.
pub(super) fn forged(container: &[u8]) -> Result<Vec<u8>, Failure> {
    let doing = || "pack the forged container".to_owned();
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, mut content) in entries(container)? {
        if name == "message.xml" {
            flip_a_bit(&mut content);
        }
        writer
            .start_file(name, zip::write::SimpleFileOptions::default())
            .or_unusable(doing)?;
        std::io::Write::write_all(&mut writer, &content).or_unusable(doing)?;
    }
    Ok(writer.finish().or_unusable(doing)?.into_inner())
}

/// Flips a bit of the last letter of the path, so that the message stays a message and says something else.
fn flip_a_bit(rest_request: &mut [u8]) {
    let mut ends =
        (0..rest_request.len()).filter(|index| rest_request.get(*index..*index + 2) == Some(b"\r\n"));
    let end_of_path = ends.nth(1).unwrap_or(rest_request.len());
    if let Some(byte) = end_of_path
        .checked_sub(1)
        .and_then(|last| rest_request.get_mut(last))
    {
        *byte ^= 1;
    }
}
