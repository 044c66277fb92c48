//! The settings file as it stands.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use settings::duration::{millis, millis_or_none};

use super::{Federations, NO_LIMIT, OcspSettings, Settings};

/// Its sections.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct File {
    kiirtee: Own,
    configuration_client: Download,
    signer: Ocsp,
}

/// `[kiirtee]`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Own {
    anchor: PathBuf,
    global_configuration: PathBuf,
    status_file: Option<PathBuf>,
    retry_delay: u64,
    root_certificates: PathBuf,
    signer_socket: PathBuf,
    ocsp_cache: PathBuf,
    ocsp_interval: Option<u64>,
    ocsp_poll_interval: u64,
    #[serde(with = "millis")]
    ocsp_connect_timeout: Duration,
    #[serde(with = "millis")]
    ocsp_read_timeout: Duration,
    log_json: bool,
}

/// `[configuration-client]`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Download {
    update_interval: u64,
    allowed_federations: Vec<String>,
    #[serde(with = "millis_or_none")]
    downloader_connect_timeout: Option<Duration>,
    #[serde(with = "millis_or_none")]
    downloader_read_timeout: Option<Duration>,
    global_conf_tls_cert_verification: bool,
}

/// `[signer]`, of which the signer itself has nothing.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Ocsp {
    ocsp_retry_delay: u64,
    ocsp_response_retrieval_active: bool,
}

impl From<File> for Settings {
    fn from(file: File) -> Self {
        let (own, download) = (file.kiirtee, file.configuration_client);
        Self {
            anchor: own.anchor,
            directory: own.global_configuration,
            status_file: own.status_file,
            interval: download.update_interval,
            retry_delay: own.retry_delay,
            connect_timeout: download.downloader_connect_timeout.unwrap_or(NO_LIMIT),
            read_timeout: download.downloader_read_timeout.unwrap_or(NO_LIMIT),
            root_certificates: own.root_certificates,
            verify_tls: download.global_conf_tls_cert_verification,
            federations: Federations::from_list(download.allowed_federations),
            ocsp: OcspSettings {
                signer_socket: file
                    .signer
                    .ocsp_response_retrieval_active
                    .then_some(own.signer_socket),
                directory: own.ocsp_cache,
                interval: own.ocsp_interval,
                poll_interval: own.ocsp_poll_interval,
                retry_delay: file.signer.ocsp_retry_delay,
                connect_timeout: own.ocsp_connect_timeout,
                read_timeout: own.ocsp_read_timeout,
            },
            log_json: own.log_json,
        }
    }
}
