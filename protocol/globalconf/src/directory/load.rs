//! Loading a configuration directory.

use std::collections::HashMap;
use std::sync::Arc;

use protocol_pki::digest::DigestAlgorithm;
use protocol_pki::ocsp::ConfiguredResponder;
use time::OffsetDateTime;

use super::authorities::Authorities;
use super::clients::Clients;
use super::{Files, GlobalConf, GlobalConfError, Instance, MAX_INSTANCES, OcspMaterial, Problem};
use crate::layout::{
    self, FETCH_INTERVAL_PARAMS_FILE, INSTANCE_IDENTIFIER_FILE, MONITORING_PARAMS_FILE,
    NEXT_UPDATE_PARAMS_FILE, PRIVATE_PARAMS_FILE, SHARED_PARAMS_FILE,
};
use crate::metadata::Metadata;
use crate::optional_parts::{self, OptionalParts};
use crate::private_params::PrivateParams;
use crate::shared_params::SharedParams;
use crate::version::Version;
use crate::xml::XmlError;

/// Identifies a file by version and content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fingerprint {
    version: Version,
    sha256: Vec<u8>,
}

impl GlobalConf {
    /// Loads a configuration. An expired own instance is loaded all the same ([`GlobalConf::verify_validity`] tells),
    /// a federated instance that has expired at `now` is left out.
    ///
    /// # Errors
    /// When the own instance is incomplete or malformed.
    pub fn load(files: &dyn Files, now: OffsetDateTime) -> Result<Self, GlobalConfError> {
        Loader {
            files,
            now,
            previous: None,
            problems: Vec::new(),
        }
        .load()
    }

    /// Loads a configuration again; instances whose shared parameters did not change are taken over.
    ///
    /// # Errors
    /// As [`GlobalConf::load`].
    pub fn reload(&self, files: &dyn Files, now: OffsetDateTime) -> Result<Self, GlobalConfError> {
        Loader {
            files,
            now,
            previous: Some(self),
            problems: Vec::new(),
        }
        .load()
    }
}

struct Loader<'a> {
    files: &'a dyn Files,
    now: OffsetDateTime,
    previous: Option<&'a GlobalConf>,
    problems: Vec<Problem>,
}

impl Loader<'_> {
    fn load(mut self) -> Result<GlobalConf, GlobalConfError> {
        let own_code = self.own_code()?;
        let own = self.instance(&own_code)?;
        let (private, private_expires_at) = self.private_params(&own_code)?;
        let optional = self.optional_parts(&own_code);
        let mut instances = self.federated(&own_code)?;
        instances.insert(own_code, Arc::clone(&own));
        Ok(GlobalConf {
            own,
            private: Arc::new(private),
            private_expires_at,
            optional,
            ocsp: Arc::new(OcspMaterial::new(&instances)),
            instances,
            problems: Arc::new(self.problems),
        })
    }

    fn own_code(&self) -> Result<String, GlobalConfError> {
        let bytes = self.required(INSTANCE_IDENTIFIER_FILE)?;
        let code = String::from_utf8(bytes).map_err(|_not_utf8| GlobalConfError::BadInstanceIdentifier)?;
        match code.trim() {
            "" => Err(GlobalConfError::BadInstanceIdentifier),
            code => Ok(code.to_owned()),
        }
    }

    fn federated(&mut self, own_code: &str) -> Result<HashMap<String, Arc<Instance>>, GlobalConfError> {
        let directories = self.files.directories();
        let directories = directories.map_err(|source| GlobalConfError::Read {
            path: ".".to_owned(),
            source,
        })?;
        let mut instances = HashMap::new();
        for name in directories {
            let Some(code) = layout::instance_of_directory(&name).filter(|code| code != own_code) else {
                continue;
            };
            if instances.len() >= MAX_INSTANCES {
                self.problems.push(Problem {
                    instance: name,
                    error: GlobalConfError::TooManyInstances,
                });
                break;
            }
            match self.unexpired_instance(&code) {
                Ok(instance) => {
                    instances.insert(code, instance);
                }
                Err(GlobalConfError::Missing(_)) => {}
                Err(error) => self.problems.push(Problem {
                    instance: code,
                    error,
                }),
            }
        }
        Ok(instances)
    }

    fn unexpired_instance(&mut self, code: &str) -> Result<Arc<Instance>, GlobalConfError> {
        let instance = self.instance(code)?;
        match instance.expires_at.filter(|expires_at| *expires_at < self.now) {
            Some(expired_at) => Err(GlobalConfError::Expired {
                instance: code.to_owned(),
                expired_at,
            }),
            None => Ok(instance),
        }
    }

    fn instance(&mut self, code: &str) -> Result<Arc<Instance>, GlobalConfError> {
        let path = layout::path(code, SHARED_PARAMS_FILE);
        let bytes = self.required(&path)?;
        let (version, expires_at) = self.metadata(code, SHARED_PARAMS_FILE)?;
        let fingerprint = Fingerprint {
            version,
            sha256: DigestAlgorithm::Sha256.digest(&bytes).to_vec(),
        };
        let previous = self.previous.and_then(|previous| previous.instances.get(code));
        if let Some(previous) = previous.filter(|previous| previous.fingerprint == fingerprint) {
            return Ok(taken_over(previous, expires_at));
        }
        let shared = SharedParams::read(version, &bytes);
        let shared = shared.map_err(|source| GlobalConfError::Malformed {
            path: path.clone(),
            source,
        })?;
        if shared.instance != code {
            return Err(GlobalConfError::WrongInstance {
                path,
                found: shared.instance,
            });
        }
        let (authorities, bad_certificates) = Authorities::new(&shared);
        let problem = |error| Problem {
            instance: code.to_owned(),
            error,
        };
        self.problems.extend(bad_certificates.into_iter().map(problem));
        Ok(Arc::new(Instance {
            fingerprint,
            expires_at,
            version,
            clients: Clients::new(version, &shared),
            authorities,
            shared,
        }))
    }

    fn private_params(&self, code: &str) -> Result<(PrivateParams, Option<OffsetDateTime>), GlobalConfError> {
        let path = layout::path(code, PRIVATE_PARAMS_FILE);
        let bytes = self.required(&path)?;
        let (version, expires_at) = self.metadata(code, PRIVATE_PARAMS_FILE)?;
        let private = PrivateParams::read(version, &bytes).map_err(|source| {
            GlobalConfError::MalformedPrivateParams {
                path: path.clone(),
                source,
            }
        })?;
        match private.instance == code {
            true => Ok((private, expires_at)),
            false => Err(GlobalConfError::WrongInstance {
                path,
                found: private.instance,
            }),
        }
    }

    fn metadata(&self, code: &str, file: &str) -> Result<(Version, Option<OffsetDateTime>), GlobalConfError> {
        let path = layout::metadata_path(code, file);
        let metadata = Metadata::parse(&self.required(&path)?);
        let metadata = metadata.map_err(|source| GlobalConfError::MalformedMetadata {
            path: path.clone(),
            source,
        })?;
        let version = metadata.version();
        let version = version.map_err(|source| GlobalConfError::UnknownVersion { path, source })?;
        Ok((version, metadata.expiration_date))
    }

    /// An optional part that cannot be read has its default, which is the stricter choice, and is a problem.
    fn optional_parts(&mut self, code: &str) -> OptionalParts {
        let mut parts = OptionalParts::default();
        if let Some(seconds) = self.optional(
            code,
            FETCH_INTERVAL_PARAMS_FILE,
            optional_parts::read_ocsp_fetch_interval,
        ) {
            parts.ocsp_fetch_interval_seconds = seconds;
        }
        if let Some(verify) = self.optional(
            code,
            NEXT_UPDATE_PARAMS_FILE,
            optional_parts::read_verify_next_update,
        ) {
            parts.verify_ocsp_next_update = verify;
        }
        let monitoring = self.optional(
            code,
            MONITORING_PARAMS_FILE,
            optional_parts::read_monitoring_client,
        );
        parts.monitoring_client = monitoring.flatten();
        parts
    }

    fn optional<T>(
        &mut self,
        code: &str,
        file: &str,
        read: impl FnOnce(&[u8]) -> Result<T, XmlError>,
    ) -> Option<T> {
        let path = layout::path(code, file);
        let part = self.read(&path).and_then(|bytes| {
            let malformed = |source| GlobalConfError::MalformedOptionalPart { path, source };
            bytes.map(|bytes| read(&bytes)).transpose().map_err(malformed)
        });
        part.unwrap_or_else(|error| {
            self.problems.push(Problem {
                instance: code.to_owned(),
                error,
            });
            None
        })
    }

    fn required(&self, path: &str) -> Result<Vec<u8>, GlobalConfError> {
        self.read(path)?
            .ok_or_else(|| GlobalConfError::Missing(path.to_owned()))
    }

    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, GlobalConfError> {
        self.files.read(path).map_err(|source| GlobalConfError::Read {
            path: path.to_owned(),
            source,
        })
    }
}

/// The same instance, which may have a later expiry now.
fn taken_over(previous: &Arc<Instance>, expires_at: Option<OffsetDateTime>) -> Arc<Instance> {
    if previous.expires_at == expires_at {
        return Arc::clone(previous);
    }
    Arc::new(Instance {
        expires_at,
        ..Instance::clone(previous)
    })
}

impl OcspMaterial {
    fn new(instances: &HashMap<String, Arc<Instance>>) -> Self {
        let mut material = Self::default();
        for ca in instances.values().flat_map(|instance| &instance.authorities.cas) {
            material.authorities.push(ca.certificate.clone());
            let responders = ca
                .ocsp_responders
                .iter()
                .filter_map(|responder| responder.certificate.clone());
            let configured = responders.map(|responder| ConfiguredResponder {
                authority: ca.certificate.clone(),
                responder,
            });
            material.responders.extend(configured);
        }
        material
    }
}
