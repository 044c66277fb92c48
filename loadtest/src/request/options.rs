//! How a request is described: the same names as flags and in scenario files.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Deserialize;

use crate::plan::units::Size;

/// The kind of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// REST, or any HTTP request.
    #[default]
    Rest,
    /// A SOAP message of the message protocol 4.0.
    Soap,
}

/// How the content of a SOAP body is shaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Style {
    /// document/literal: the parameters belong to the operation's namespace.
    #[default]
    Document,
    /// rpc/literal: the parameters belong to none.
    Rpc,
}

/// How attachments are put into a SOAP request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Multipart {
    /// SOAP with attachments.
    #[default]
    Swa,
    /// MTOM: an XOP package.
    Mtom,
}

/// A request. Everything is optional here; what is needed is found out when it is built.
#[derive(Debug, Clone, Default, Args, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct ScenarioOptions {
    /// The scenario's name in the results
    #[arg(skip)]
    pub(crate) name: Option<String>,
    /// Its share in the mix, by the sum of all
    #[arg(skip)]
    pub(crate) weight: Option<u32>,
    /// The whole URL (instead of --server, --service and --path)
    #[arg(help_heading = "Request")]
    pub(crate) url: Option<String>,
    /// Kind of the request
    #[arg(long, value_enum, help_heading = "Request")]
    pub(crate) kind: Option<Kind>,
    /// The consumer's security server, such as http://127.0.1.10:8080
    #[arg(long, value_name = "URL", help_heading = "Request")]
    pub(crate) server: Option<String>,
    /// The client, INSTANCE/CLASS/MEMBER[/SUBSYSTEM]: X-Road-Client, or the SOAP header's client
    #[arg(long, value_name = "ID", help_heading = "Request")]
    pub(crate) client: Option<String>,
    /// The service, INSTANCE/CLASS/MEMBER/SUBSYSTEM/SERVICE; for SOAP also …/SERVICE/VERSION
    #[arg(long, value_name = "ID", help_heading = "Request")]
    pub(crate) service: Option<String>,
    /// Path and query behind the REST service, such as /bytes?size=1k
    #[arg(long, help_heading = "Request")]
    pub(crate) path: Option<String>,
    /// Method [default: GET, or POST with a body]
    #[arg(short = 'X', long, help_heading = "Request")]
    pub(crate) method: Option<String>,
    /// A header field; may be repeated
    #[arg(short = 'H', long, value_name = "NAME: VALUE", help_heading = "Request")]
    pub(crate) header: Vec<String>,
    /// The body as text; for SOAP the XML inside of soap:Body
    #[arg(long, value_name = "TEXT", help_heading = "Request")]
    pub(crate) body: Option<String>,
    /// The body from a file
    #[arg(long, value_name = "FILE", help_heading = "Request")]
    pub(crate) body_file: Option<PathBuf>,
    /// A body of so many bytes; for SOAP a parameter of so many
    #[arg(long, value_name = "SIZE", help_heading = "Request")]
    pub(crate) body_size: Option<Size>,
    /// Type of the body [default: application/octet-stream; SOAP: text/xml]
    #[arg(long, value_name = "TYPE", help_heading = "Request")]
    pub(crate) content_type: Option<String>,
    /// The status that counts as success [default: 200 to 299]
    #[arg(long, value_name = "STATUS", help_heading = "Request")]
    pub(crate) expect: Option<u16>,
    /// SOAP: shape of the body's content
    #[arg(long, value_enum, help_heading = "SOAP")]
    pub(crate) style: Option<Style>,
    /// SOAP: namespace of the operation
    #[arg(long, value_name = "URI", help_heading = "SOAP")]
    pub(crate) namespace: Option<String>,
    /// SOAP: name of the operation's one parameter [default: text]
    #[arg(long, value_name = "NAME", help_heading = "SOAP")]
    pub(crate) parameter: Option<String>,
    /// SOAP: the header's userId
    #[arg(long, value_name = "ID", help_heading = "SOAP")]
    pub(crate) user_id: Option<String>,
    /// SOAP: how many attachments
    #[arg(long, value_name = "NUMBER", help_heading = "SOAP")]
    pub(crate) attachments: Option<u16>,
    /// SOAP: size of each attachment [default: 1k]
    #[arg(long, value_name = "SIZE", help_heading = "SOAP")]
    pub(crate) attachment_size: Option<Size>,
    /// SOAP: form of the request with attachments
    #[arg(long, value_enum, help_heading = "SOAP")]
    pub(crate) multipart: Option<Multipart>,
}

impl ScenarioOptions {
    /// Takes from `base` what is not said here. Header fields of both are sent, ours behind those of `base`. A body
    /// or an address said here in one way replaces one that `base` says in another.
    pub(crate) fn or(self, base: &Self) -> Self {
        let own_body = self.body.is_some() || self.body_file.is_some() || self.body_size.is_some();
        let own_address = self.url.is_some();
        let own_service = self.service.is_some() || self.server.is_some();
        let no = Self::default();
        let body = if own_body { &no } else { base };
        let address = if own_address { &no } else { base };
        let url = if own_service { &no } else { base };
        Self {
            name: self.name.or_else(|| base.name.clone()),
            weight: self.weight.or(base.weight),
            url: self.url.or_else(|| url.url.clone()),
            kind: self.kind.or(base.kind),
            server: self.server.or_else(|| address.server.clone()),
            client: self.client.or_else(|| base.client.clone()),
            service: self.service.or_else(|| address.service.clone()),
            path: self.path.or_else(|| address.path.clone()),
            method: self.method.or_else(|| base.method.clone()),
            header: [base.header.clone(), self.header].concat(),
            body: self.body.or_else(|| body.body.clone()),
            body_file: self.body_file.or_else(|| body.body_file.clone()),
            body_size: self.body_size.or(body.body_size),
            content_type: self.content_type.or_else(|| base.content_type.clone()),
            expect: self.expect.or(base.expect),
            style: self.style.or(base.style),
            namespace: self.namespace.or_else(|| base.namespace.clone()),
            parameter: self.parameter.or_else(|| base.parameter.clone()),
            user_id: self.user_id.or_else(|| base.user_id.clone()),
            attachments: self.attachments.or(base.attachments),
            attachment_size: self.attachment_size.or(base.attachment_size),
            multipart: self.multipart.or(base.multipart),
        }
    }
}
