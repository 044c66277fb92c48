//! What a configuration must be beyond its shape. Every refusal says where, what was found and what was expected.

use std::collections::HashSet;
use std::hash::Hash;

use super::ConfigurationError;
use super::document::{
    BASE_PATH, Client, Document, Endpoint, LocalGroup, Service, ServiceDescription, TimeStampingService,
};
use super::subject::Subject;

/// Longest URL and endpoint path (features.md 3.1).
const MAX_PATH: usize = 2048;
/// Longest code or name.
const MAX_NAME: usize = 255;
/// Longest notice, title or description.
const MAX_TEXT: usize = 4096;
/// Longest time to wait for a service, in seconds.
const MAX_TIMEOUT: u32 = 1000;

type Checked = Result<(), ConfigurationError>;

pub(super) fn check(document: &Document) -> Checked {
    if let Some(tls) = &document.internal_tls {
        name("internal_tls, key", &tls.key, MAX_TEXT)?;
        name("internal_tls, certificate", &tls.certificate, MAX_TEXT)?;
    }
    for (key, value) in &document.settings {
        name("settings, name", key, MAX_NAME)?;
        text(&format!("settings, {key}"), value)?;
    }
    document
        .time_stamping_services
        .iter()
        .try_for_each(time_stamping_service)?;
    unique(
        "time_stamping_service",
        document.time_stamping_services.iter().map(|service| &service.url),
    )?;
    document.clients.iter().try_for_each(client)?;
    unique("client", document.clients.iter().map(|client| &client.id))
}

fn time_stamping_service(service: &TimeStampingService) -> Checked {
    name("time_stamping_service, name", &service.name, MAX_NAME)?;
    url(
        &format!("time_stamping_service {}, url", service.name),
        &service.url,
    )
}

fn client(client: &Client) -> Checked {
    let place = format!("client {}", client.id);
    client
        .local_groups
        .iter()
        .try_for_each(|group| local_group(&place, group))?;
    unique(
        &format!("{place}, local_group"),
        client.local_groups.iter().map(|group| &group.code),
    )?;
    client
        .service_descriptions
        .iter()
        .try_for_each(|description| service_description(&place, description))?;
    let descriptions = client
        .service_descriptions
        .iter()
        .map(|description| (&description.url, description.kind));
    unique(&format!("{place}, service_description"), descriptions)?;
    let services = client
        .service_descriptions
        .iter()
        .flat_map(|description| &description.services);
    unique(
        &format!("{place}, service"),
        services.clone().map(|service| (&service.code, &service.version)),
    )?;
    let codes = services.map(|service| service.code.as_str()).collect();
    client
        .endpoints
        .iter()
        .try_for_each(|endpoint| self::endpoint(&place, endpoint, &codes, client))?;
    let endpoints = client.endpoints.iter();
    unique(
        &format!("{place}, endpoint"),
        endpoints.map(|endpoint| {
            (
                &endpoint.service,
                endpoint.method.to_ascii_uppercase(),
                &endpoint.path,
            )
        }),
    )
}

fn local_group(place: &str, group: &LocalGroup) -> Checked {
    name(&format!("{place}, local_group, code"), &group.code, MAX_NAME)?;
    text(
        &format!("{place}, local_group {}, description", group.code),
        &group.description,
    )
}

fn service_description(place: &str, description: &ServiceDescription) -> Checked {
    let place = format!("{place}, service_description {}", description.url);
    url(&format!("{place}, url"), &description.url)?;
    text(
        &format!("{place}, disabled_notice"),
        description.disabled_notice.as_deref().unwrap_or_default(),
    )?;
    description
        .services
        .iter()
        .try_for_each(|service| self::service(&place, service))
}

fn service(place: &str, service: &Service) -> Checked {
    name(&format!("{place}, service, code"), &service.code, MAX_NAME)?;
    let place = format!("{place}, service {}", service.code);
    if let Some(version) = &service.version {
        name(&format!("{place}, version"), version, MAX_NAME)?;
    }
    text(
        &format!("{place}, title"),
        service.title.as_deref().unwrap_or_default(),
    )?;
    url(&format!("{place}, url"), &service.url)?;
    let fits = (1..=MAX_TIMEOUT).contains(&service.timeout);
    ensure(
        fits,
        &format!("{place}, timeout"),
        service.timeout.to_string(),
        "1 to 1000 seconds",
    )
}

fn endpoint(place: &str, endpoint: &Endpoint, services: &HashSet<&str>, client: &Client) -> Checked {
    let place = format!(
        "{place}, endpoint {} {} {}",
        endpoint.service, endpoint.method, endpoint.path
    );
    let known = services.contains(endpoint.service.as_str());
    ensure(
        known,
        &format!("{place}, service"),
        quoted(&endpoint.service),
        "the code of a service of this client",
    )?;
    let method = &endpoint.method;
    let is_method =
        method == "*" || (!method.is_empty() && method.bytes().all(|byte| byte.is_ascii_alphabetic()));
    ensure(
        is_method,
        &format!("{place}, method"),
        quoted(method),
        "an HTTP method or `*`",
    )?;
    let path = &endpoint.path;
    let is_path =
        path == BASE_PATH || (path.starts_with('/') && path.len() <= MAX_PATH && !has_controls(path));
    ensure(
        is_path,
        &format!("{place}, path"),
        quoted(path),
        "`**` or a path of at most 2048 bytes that begins with `/`",
    )?;
    let groups: HashSet<&str> = client
        .local_groups
        .iter()
        .map(|group| group.code.as_str())
        .collect();
    for subject in &endpoint.subjects {
        if let Subject::LocalGroup(code) = subject {
            let known = groups.contains(code.as_str());
            ensure(
                known,
                &format!("{place}, subjects"),
                subject.to_string(),
                "the code of a local_group of this client",
            )?;
        }
    }
    Ok(())
}

fn name(place: &str, value: &str, limit: usize) -> Checked {
    let fits = !value.is_empty() && value.len() <= limit && !has_controls(value);
    ensure(
        fits,
        place,
        quoted(value),
        "a name, not empty and without control characters",
    )
}

fn text(place: &str, value: &str) -> Checked {
    let fits = value.len() <= MAX_TEXT && !value.contains('\0');
    ensure(
        fits,
        place,
        format!("{} bytes", value.len()),
        "a text of at most 4096 bytes without zero characters",
    )
}

fn url(place: &str, value: &str) -> Checked {
    let rest = value
        .strip_prefix("http://")
        .or_else(|| value.strip_prefix("https://"));
    let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next());
    let fits = host.is_some_and(|host| !host.is_empty())
        && value.len() <= MAX_PATH
        && !value.chars().any(|c| c.is_control() || c.is_whitespace());
    ensure(
        fits,
        place,
        quoted(value),
        "a URL of at most 2048 bytes that begins with `http://` or `https://` and a host",
    )
}

fn has_controls(value: &str) -> bool {
    value.chars().any(char::is_control)
}

fn unique<T: Hash + Eq + std::fmt::Debug>(place: &str, values: impl Iterator<Item = T>) -> Checked {
    let mut seen = HashSet::new();
    for value in values {
        if let Some(twice) = seen.replace(value) {
            return Err(ConfigurationError::invalid(
                place,
                format!("{twice:?} twice"),
                "each at most once",
            ));
        }
    }
    Ok(())
}

fn ensure(fits: bool, place: &str, found: String, expected: &'static str) -> Checked {
    if fits {
        Ok(())
    } else {
        Err(ConfigurationError::invalid(place, found, expected))
    }
}

/// A value for a message: short, and with control characters escaped.
fn quoted(value: &str) -> String {
    let short: String = value.chars().take(80).collect();
    format!("{short:?}")
}
