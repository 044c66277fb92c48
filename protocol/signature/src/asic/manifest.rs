//! The two manifests of a container. Nobody verifies them; their bytes are fixed by what others wrote.

use super::{ENTRY_TIME_STAMP, MIME_TYPE};
use crate::file_name::{TS_HASH_CHAIN_RESULT, entry};
use crate::time_stamp::ALGORITHM;
use crate::xml::encode_base64;

/// `META-INF/manifest.xml`: the entries outside META-INF, with their media types.
pub(super) fn open_document<'a>(entries: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut manifest = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<manifest:manifest \
         xmlns:manifest=\"urn:oasis:names:tc:opendocument:xmlns:manifest:1.0\" manifest:version=\"1.2\">\n",
    );
    for (name, media_type) in std::iter::once(("/", MIME_TYPE)).chain(entries) {
        manifest.push_str(&format!(
            "    <manifest:file-entry manifest:media-type=\"{media_type}\" manifest:full-path=\"{name}\"/>\n"
        ));
    }
    manifest.push_str("</manifest:manifest>\n");
    manifest
}

/// `META-INF/ASiCManifest.xml`: what the batch time-stamp covers. The namespace lacks a 0, as it always has.
pub(super) fn asic(ts_hash_chain_result: &[u8]) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n\
         <asic:ASiCManifest xmlns:asic=\"http://uri.etsi.org/2918/v1.2.1#\" \
         xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\">\n\
         <asic:SigReference URI=\"{ENTRY_TIME_STAMP}\" MimeType=\"vnd.etsi.timestamp-token\"/>\n\
         <asic:DataObjectReference URI=\"{}\" MimeType=\"text/xml\">\n\
         <ds:DigestMethod Algorithm=\"{}\" />\n<ds:DigestValue>{}</ds:DigestValue>\n\
         </asic:DataObjectReference>\n</asic:ASiCManifest>",
        entry(TS_HASH_CHAIN_RESULT),
        ALGORITHM.uri(),
        encode_base64(&ALGORITHM.digest(ts_hash_chain_result)),
    )
}
