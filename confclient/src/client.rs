//! A whole round: the own instance, then the federated ones.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use protocol_globalconf::GlobalConf;
use protocol_globalconf::anchor::Anchor;
use protocol_globalconf::layout;
use protocol_globalconf::metadata::Metadata;
use protocol_globalconf::shared_params::{SharedParams, Source};
use protocol_globalconf::{Files as _, Version};
use time::OffsetDateTime;

use crate::download::{Configuration, Downloader, Kind};
use crate::error::{DownloadError, chain};
use crate::http::Http;
use crate::locations::{self, Location};
use crate::settings::Federations;
use crate::store::Store;

/// Downloads rounds of the configuration and remembers which location worked.
#[derive(Debug)]
pub struct ConfigurationClient {
    anchor: PathBuf,
    store: Store,
    http: Http,
    federations: Federations,
    last_used: HashMap<String, Location>,
}

/// How a round went.
#[derive(Debug)]
pub struct Round {
    /// The own instance.
    pub own: Configuration,
    /// The federated instances, each with its failure if it has one.
    pub federated: Vec<(String, Result<Configuration, DownloadError>)>,
    /// What is stored now.
    pub loaded: GlobalConf,
}

impl ConfigurationClient {
    /// A client for the instance of an anchor.
    #[must_use]
    pub fn new(anchor: &Path, store: Store, http: Http, federations: Federations) -> Self {
        Self {
            anchor: anchor.to_owned(),
            store,
            http,
            federations,
            last_used: HashMap::new(),
        }
    }

    /// Downloads everything once. The failure of a federated instance does not fail the round.
    ///
    /// # Errors
    /// When the own instance cannot be downloaded from any location, stored or loaded.
    pub fn round(&mut self, now: OffsetDateTime) -> Result<Round, DownloadError> {
        let anchor = read_anchor(&self.anchor)?;
        self.store.write_instance_identifier(&anchor.instance)?;
        let own = self.any_location(&anchor, Kind::Own, now)?;
        own.store(&self.store)?;
        let own_conf = GlobalConf::load(&self.store, now)?;
        let anchors = self.federated_anchors(&own_conf);
        let federated = anchors
            .iter()
            .map(|anchor| self.federated(anchor, &own, now))
            .collect();
        self.store.keep_instances(&kept_instances(&anchor, &anchors));
        Ok(Round {
            own,
            federated,
            loaded: GlobalConf::load(&self.store, now)?,
        })
    }

    fn federated_anchors(&self, own: &GlobalConf) -> Vec<Anchor> {
        let mut seen = HashSet::from([own.instance()]);
        let anchors = own.private_params().anchors.iter();
        let wanted = anchors.filter(|anchor| self.federations.allow(&anchor.instance));
        wanted
            .filter(|anchor| seen.insert(anchor.instance.as_str()))
            .cloned()
            .collect()
    }

    fn federated(
        &mut self,
        anchor: &Anchor,
        own: &Configuration,
        now: OffsetDateTime,
    ) -> (String, Result<Configuration, DownloadError>) {
        let downloaded = self.any_location(anchor, Kind::Federated, now).or_else(|failed| {
            // A configuration proxy passes on what its members may not reach themselves.
            self.downloader(now)
                .passed_on(own, &anchor.instance)
                .map_err(|_not_passed_on| failed)
        });
        let stored = downloaded.and_then(|configuration| {
            configuration.store(&self.store)?;
            Ok(configuration)
        });
        (anchor.instance.clone(), stored)
    }

    fn any_location(
        &mut self,
        anchor: &Anchor,
        kind: Kind,
        now: OffsetDateTime,
    ) -> Result<Configuration, DownloadError> {
        let instance = &anchor.instance;
        let locations = locations::of_source(
            anchor,
            &self.known_sources(instance),
            self.last_used.get(instance),
        );
        let mut failure = DownloadError::NoLocation(instance.clone());
        for location in locations {
            match self.downloader(now).download(instance, kind, &location) {
                Ok(configuration) => {
                    self.last_used.insert(instance.clone(), location);
                    return Ok(configuration);
                }
                Err(failed) => {
                    tracing::warn!(
                        instance,
                        url = location.url,
                        code = failed.fault_code(),
                        error = chain(&failed),
                        "cannot download from this location"
                    );
                    failure = graver(failure, failed);
                }
            }
        }
        self.last_used.remove(instance);
        Err(failure)
    }

    fn downloader(&self, now: OffsetDateTime) -> Downloader<'_> {
        Downloader {
            http: &self.http,
            store: &self.store,
            now,
        }
    }

    /// Nodes that the stored shared parameters name; none if there are none or they cannot be read.
    fn known_sources(&self, instance: &str) -> Vec<Source> {
        let read = |path: String| self.store.read(&path).ok().flatten();
        let metadata = read(layout::metadata_path(instance, layout::SHARED_PARAMS_FILE));
        let metadata = metadata.and_then(|bytes| Metadata::parse(&bytes).ok());
        let version: Option<Version> = metadata.and_then(|metadata| metadata.version().ok());
        let shared = read(layout::path(instance, layout::SHARED_PARAMS_FILE));
        let shared = version
            .zip(shared)
            .and_then(|(version, bytes)| SharedParams::read(version, &bytes).ok());
        shared.map_or_else(Vec::new, |shared| shared.sources)
    }
}

/// Reads an anchor file.
///
/// # Errors
/// When it does not exist or is no anchor.
pub fn read_anchor(path: &Path) -> Result<Anchor, DownloadError> {
    let bytes = std::fs::read(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => DownloadError::NoAnchor(path.to_owned()),
        _ => DownloadError::Read {
            path: path.to_owned(),
            source,
        },
    })?;
    Anchor::parse(&bytes).map_err(|source| DownloadError::Anchor {
        path: path.to_owned(),
        source,
    })
}

fn kept_instances(own: &Anchor, federated: &[Anchor]) -> HashSet<String> {
    std::iter::once(own)
        .chain(federated)
        .map(|anchor| anchor.instance.clone())
        .collect()
}

/// Of the failures of two locations the one that says more: that an answer was wrong rather than that there was none.
fn graver(first: DownloadError, second: DownloadError) -> DownloadError {
    match second {
        DownloadError::Directory(_) if !matches!(first, DownloadError::NoLocation(_)) => first,
        second => second,
    }
}
