//! Between the document and the rows of the database. Every function works inside the caller's transaction.

use protocol_message::identifier::ClientId;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ConfigurationError;
use super::certificate::Certificate;
use super::document::{
    Client, Document, Endpoint, InternalTls, LocalGroup, Service, ServiceDescription, TimeStampingService,
};

type Result<T> = std::result::Result<T, ConfigurationError>;

const VERSION: &str = "version";
const SERVER: &str = "server";
const TLS_KEY: &str = "internal_tls_key";
const TLS_CERTIFICATE: &str = "internal_tls_certificate";

/// The number of changes made so far.
pub(super) fn version(db: &Connection) -> Result<u64> {
    let version: i64 = db
        .prepare_cached("SELECT value FROM meta WHERE key = ?1")?
        .query_row([VERSION], |row| row.get(0))?;
    u64::try_from(version).map_err(|_| ConfigurationError::Damaged(format!("version {version}")))
}

pub(super) fn count_change(db: &Connection) -> Result<()> {
    db.execute("UPDATE meta SET value = value + 1 WHERE key = ?1", [VERSION])?;
    Ok(())
}

/// The whole document, in normal form.
pub(super) fn load(db: &Connection) -> Result<Document> {
    let server = meta(db, SERVER)?
        .map(|text| parsed("server", &text))
        .transpose()?;
    let internal_tls = meta(db, TLS_KEY)?
        .zip(meta(db, TLS_CERTIFICATE)?)
        .map(|(key, certificate)| InternalTls { key, certificate });
    let settings = all(db, "SELECT name, value FROM setting", [], |row| {
        Ok((row.get(0)?, row.get(1)?))
    })?;
    let time_stamping_services = all(
        db,
        "SELECT name, url FROM time_stamping_service ORDER BY position",
        [],
        |row| {
            Ok(TimeStampingService {
                name: row.get(0)?,
                url: row.get(1)?,
            })
        },
    )?;
    let mut clients = Vec::new();
    let rows = all(
        db,
        "SELECT id, identifier, status, authentication FROM client",
        [],
        |row| Ok((row.get(0)?, text(row, 1)?, text(row, 2)?, text(row, 3)?)),
    )?;
    for (key, identifier, status, authentication) in rows {
        clients.push(Client {
            id: parsed("client", &identifier)?,
            status: word(&status)?,
            authentication: word(&authentication)?,
            ..parts_of_client(db, key)?
        });
    }
    let settings = settings.into_iter().collect();
    Ok(Document {
        server,
        internal_tls,
        settings,
        time_stamping_services,
        clients,
    }
    .normal())
}

fn parts_of_client(db: &Connection, client: i64) -> Result<Client> {
    let certificates = all(
        db,
        "SELECT der FROM certificate WHERE client = ?1",
        [client],
        |row| row.get(0),
    )?;
    let certificates = certificates
        .into_iter()
        .map(Certificate::from_der)
        .collect::<std::result::Result<_, _>>();
    Ok(Client {
        id: ClientId::for_member("", "", ""),
        status: Default::default(),
        authentication: Default::default(),
        certificates: certificates.map_err(|error| ConfigurationError::Damaged(error.to_string()))?,
        local_groups: local_groups(db, client)?,
        service_descriptions: service_descriptions(db, client)?,
        endpoints: endpoints(db, client)?,
    })
}

fn local_groups(db: &Connection, client: i64) -> Result<Vec<LocalGroup>> {
    let sql = "SELECT id, code, description FROM local_group WHERE client = ?1";
    let rows = all(db, sql, [client], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
    })?;
    let mut groups = Vec::new();
    for (key, code, description) in rows {
        let key: i64 = key;
        let members = all(
            db,
            "SELECT identifier FROM group_member WHERE local_group = ?1",
            [key],
            |row| text(row, 0),
        )?;
        let members = members
            .iter()
            .map(|member| parsed("member of a local group", member))
            .collect::<Result<_>>()?;
        groups.push(LocalGroup {
            code,
            description,
            members,
        });
    }
    Ok(groups)
}

fn service_descriptions(db: &Connection, client: i64) -> Result<Vec<ServiceDescription>> {
    let sql = "SELECT id, type, url, disabled, disabled_notice FROM service_description WHERE client = ?1";
    let rows = all(db, sql, [client], |row| {
        Ok((row.get(0)?, text(row, 1)?, row.get(2)?, row.get(3)?, row.get(4)?))
    })?;
    let mut descriptions = Vec::new();
    for (key, kind, url, disabled, disabled_notice) in rows {
        let services = services(db, key)?;
        descriptions.push(ServiceDescription {
            kind: word(&kind)?,
            url,
            disabled,
            disabled_notice,
            services,
        });
    }
    Ok(descriptions)
}

fn services(db: &Connection, description: i64) -> Result<Vec<Service>> {
    let sql = "SELECT code, version, title, url, timeout, ssl_authentication FROM service WHERE service_description = ?1";
    all(db, sql, [description], |row| {
        Ok(Service {
            code: row.get(0)?,
            version: row.get(1)?,
            title: row.get(2)?,
            url: row.get(3)?,
            timeout: row.get(4)?,
            ssl_authentication: row.get(5)?,
        })
    })
}

fn endpoints(db: &Connection, client: i64) -> Result<Vec<Endpoint>> {
    let sql = "SELECT id, service_code, method, path, generated FROM endpoint WHERE client = ?1";
    let rows = all(db, sql, [client], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
    })?;
    let mut endpoints = Vec::new();
    for (key, service, method, path, generated) in rows {
        let key: i64 = key;
        let subjects = all(
            db,
            "SELECT subject FROM access_right WHERE endpoint = ?1",
            [key],
            |row| text(row, 0),
        )?;
        let subjects = subjects
            .iter()
            .map(|subject| parsed("access right", subject))
            .collect::<Result<_>>()?;
        endpoints.push(Endpoint {
            service,
            method,
            path,
            generated,
            subjects,
        });
    }
    Ok(endpoints)
}

/// Everything but the clients.
pub(super) fn store_general(db: &Connection, document: &Document) -> Result<()> {
    let tls = document.internal_tls.as_ref();
    store_meta(db, SERVER, document.server.as_ref().map(ToString::to_string))?;
    store_meta(db, TLS_KEY, tls.map(|tls| tls.key.clone()))?;
    store_meta(db, TLS_CERTIFICATE, tls.map(|tls| tls.certificate.clone()))?;
    db.execute("DELETE FROM setting", [])?;
    for (name, value) in &document.settings {
        db.execute("INSERT INTO setting VALUES (?1, ?2)", [name, value])?;
    }
    db.execute("DELETE FROM time_stamping_service", [])?;
    for TimeStampingService { name, url } in &document.time_stamping_services {
        db.execute(
            "INSERT INTO time_stamping_service (name, url) VALUES (?1, ?2)",
            [name, url],
        )?;
    }
    Ok(())
}

pub(super) fn remove_client(db: &Connection, id: &ClientId) -> Result<()> {
    db.execute("DELETE FROM client WHERE identifier = ?1", [id.to_string()])?;
    Ok(())
}

pub(super) fn insert_client(db: &Connection, client: &Client) -> Result<()> {
    let values = params![
        client.id.to_string(),
        word_of(&client.status),
        word_of(&client.authentication)
    ];
    let key = insert(
        db,
        "INSERT INTO client (identifier, status, authentication) VALUES (?1, ?2, ?3)",
        values,
    )?;
    for certificate in &client.certificates {
        db.execute(
            "INSERT INTO certificate VALUES (?1, ?2)",
            params![key, certificate.as_der()],
        )?;
    }
    client
        .local_groups
        .iter()
        .try_for_each(|group| insert_local_group(db, key, group))?;
    client
        .service_descriptions
        .iter()
        .try_for_each(|description| insert_service_description(db, key, description))?;
    client
        .endpoints
        .iter()
        .try_for_each(|endpoint| insert_endpoint(db, key, endpoint))
}

fn insert_local_group(db: &Connection, client: i64, group: &LocalGroup) -> Result<()> {
    let values = params![client, group.code, group.description];
    let key = insert(
        db,
        "INSERT INTO local_group (client, code, description) VALUES (?1, ?2, ?3)",
        values,
    )?;
    for member in &group.members {
        db.execute(
            "INSERT INTO group_member VALUES (?1, ?2)",
            params![key, member.to_string()],
        )?;
    }
    Ok(())
}

fn insert_service_description(db: &Connection, client: i64, description: &ServiceDescription) -> Result<()> {
    let ServiceDescription {
        kind,
        url,
        disabled,
        disabled_notice,
        services,
    } = description;
    let key = insert(
        db,
        "INSERT INTO service_description (client, type, url, disabled, disabled_notice) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![client, word_of(kind), url, disabled, disabled_notice],
    )?;
    for Service {
        code,
        version,
        title,
        url,
        timeout,
        ssl_authentication,
    } in services
    {
        db.execute(
            "INSERT INTO service VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![key, code, version, title, url, timeout, ssl_authentication],
        )?;
    }
    Ok(())
}

fn insert_endpoint(db: &Connection, client: i64, endpoint: &Endpoint) -> Result<()> {
    let Endpoint {
        service,
        method,
        path,
        generated,
        subjects,
    } = endpoint;
    let key = insert(
        db,
        "INSERT INTO endpoint (client, service_code, method, path, generated) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![client, service, method, path, generated],
    )?;
    for subject in subjects {
        db.execute(
            "INSERT INTO access_right VALUES (?1, ?2)",
            params![key, subject.to_string()],
        )?;
    }
    Ok(())
}

fn insert(db: &Connection, sql: &str, values: impl rusqlite::Params) -> Result<i64> {
    Ok(db.prepare_cached(sql)?.insert(values)?)
}

fn meta(db: &Connection, key: &str) -> Result<Option<String>> {
    Ok(db
        .query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0))
        .optional()?)
}

fn store_meta(db: &Connection, key: &str, value: Option<String>) -> Result<()> {
    match value {
        Some(value) => db.execute("INSERT OR REPLACE INTO meta VALUES (?1, ?2)", [key, &value])?,
        None => db.execute("DELETE FROM meta WHERE key = ?1", [key])?,
    };
    Ok(())
}

fn all<T>(
    db: &Connection,
    sql: &str,
    values: impl rusqlite::Params,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>> {
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map(values, read)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn text(row: &Row<'_>, column: usize) -> rusqlite::Result<String> {
    row.get(column)
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(what: &str, text: &str) -> Result<T> {
    text.parse()
        .map_err(|error| ConfigurationError::Damaged(format!("{what} `{text}`: {error}")))
}

/// The word of an enumeration, as in the TOML.
fn word_of<T: Serialize>(value: &T) -> Option<String> {
    serde_json::to_value(value).ok()?.as_str().map(Into::into)
}

fn word<T: DeserializeOwned>(text: &str) -> Result<T> {
    let value = serde_json::Value::String(text.into());
    serde_json::from_value(value).map_err(|error| ConfigurationError::Damaged(error.to_string()))
}
