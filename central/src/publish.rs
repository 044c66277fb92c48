//! What is served now, over HTTP, at the addresses of the reference (features.md 2.2).
//!
//! `/internalconf` and `/externalconf` with `?version=N` (2 if absent), and the files that they name. Files of older
//! generations stay until those expire, for clients that have read their directory already.

use std::collections::HashMap;
use std::fs::{self, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use protocol_globalconf::Version;
use serde::Deserialize;
use time::{Duration, OffsetDateTime};

use crate::generate::Generation;
use crate::keys::Scope;

/// Files that everybody may read.
const FILE_MODE: u32 = 0o644;

/// What is served: replaced as a whole.
#[derive(Debug, Default)]
pub struct Publication {
    current: ArcSwap<Published>,
}

#[derive(Debug, Default)]
struct Published {
    directories: HashMap<(Version, Scope), Bytes>,
    /// Newest generation last.
    generations: Vec<Arc<Files>>,
}

#[derive(Debug)]
struct Files {
    made_at: OffsetDateTime,
    by_path: HashMap<String, Bytes>,
}

impl Publication {
    /// Serves a new generation, and the files of the older ones as long as they may be used.
    pub fn publish(&self, generation: Generation, validity: Duration) {
        let made_at = generation.made_at.unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let bytes = |(path, bytes): (String, Vec<u8>)| (path, Bytes::from(bytes));
        let files = Files {
            made_at,
            by_path: generation.files.into_iter().map(bytes).collect(),
        };
        let previous = self.current.load();
        let valid = previous
            .generations
            .iter()
            .filter(|files| files.made_at + validity >= made_at);
        let generations = valid.cloned().chain([Arc::new(files)]).collect();
        let directories = generation.directories.into_iter();
        let directories = directories
            .map(|(key, bytes)| (key, Bytes::from(bytes)))
            .collect();
        self.current.store(Arc::new(Published {
            directories,
            generations,
        }));
    }

    /// Bytes of a signed directory.
    #[must_use]
    pub fn directory(&self, version: Version, scope: Scope) -> Option<Bytes> {
        self.current.load().directories.get(&(version, scope)).cloned()
    }

    /// Bytes of a file of a generation that may still be used.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<Bytes> {
        self.current
            .load()
            .generations
            .iter()
            .rev()
            .find_map(|files| files.by_path.get(path).cloned())
    }
}

/// The HTTP service.
pub fn router(publication: Arc<Publication>) -> Router {
    Router::new()
        .route(
            "/internalconf",
            get(|state, query| directory(state, query, Scope::Internal)),
        )
        .route(
            "/externalconf",
            get(|state, query| directory(state, query, Scope::External)),
        )
        .fallback(get(file))
        .with_state(publication)
}

#[derive(Debug, Deserialize)]
struct DirectoryQuery {
    version: Option<String>,
}

async fn directory(
    State(publication): State<Arc<Publication>>,
    Query(query): Query<DirectoryQuery>,
    scope: Scope,
) -> Response {
    let version = query.version.as_deref().map_or(Ok(Version::V2), str::parse).ok();
    respond(version.and_then(|version| publication.directory(version, scope)))
}

async fn file(State(publication): State<Arc<Publication>>, uri: Uri) -> Response {
    respond(publication.file(uri.path()))
}

fn respond(bytes: Option<Bytes>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    match bytes {
        Some(bytes) => (headers, bytes).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Replaces a file as a whole: a reader sees the old one or the new one, also after a crash.
///
/// # Errors
/// When it cannot be written.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = path.parent().unwrap_or_else(|| Path::new("."));
    fs::create_dir_all(directory)?;
    let mut file = tempfile::Builder::new()
        .prefix(".")
        .suffix(".tmp")
        .permissions(Permissions::from_mode(FILE_MODE))
        .tempfile_in(directory)?;
    file.write_all(bytes)?;
    file.as_file().sync_data()?;
    file.persist(path)?;
    File::open(directory)?.sync_all()
}
