-- Version 1. Identifiers are texts in the plain form INSTANCE/CLASS/MEMBER[/SUBSYSTEM].
CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value ANY NOT NULL -- version: counts changes; server: id of this server; internal_tls_key, internal_tls_certificate: paths
) STRICT, WITHOUT ROWID;

CREATE TABLE setting (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE time_stamping_service (
    position INTEGER PRIMARY KEY, -- order in which they are tried
    name TEXT NOT NULL,
    url TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE client (
    id INTEGER PRIMARY KEY,
    identifier TEXT NOT NULL UNIQUE,
    status TEXT NOT NULL,
    authentication TEXT NOT NULL -- NOSSL, SSLNOAUTH, SSLAUTH
) STRICT;

CREATE TABLE certificate (
    client INTEGER NOT NULL REFERENCES client ON DELETE CASCADE,
    der BLOB NOT NULL,
    UNIQUE (client, der)
) STRICT;

CREATE TABLE local_group (
    id INTEGER PRIMARY KEY,
    client INTEGER NOT NULL REFERENCES client ON DELETE CASCADE,
    code TEXT NOT NULL,
    description TEXT NOT NULL,
    UNIQUE (client, code)
) STRICT;

CREATE TABLE group_member (
    local_group INTEGER NOT NULL REFERENCES local_group ON DELETE CASCADE,
    identifier TEXT NOT NULL,
    UNIQUE (local_group, identifier)
) STRICT;

CREATE TABLE service_description (
    id INTEGER PRIMARY KEY,
    client INTEGER NOT NULL REFERENCES client ON DELETE CASCADE,
    type TEXT NOT NULL, -- WSDL, REST, OPENAPI3
    url TEXT NOT NULL,
    disabled INTEGER NOT NULL,
    disabled_notice TEXT,
    UNIQUE (client, url, type)
) STRICT;

CREATE TABLE service (
    service_description INTEGER NOT NULL REFERENCES service_description ON DELETE CASCADE,
    code TEXT NOT NULL,
    version TEXT,
    title TEXT,
    url TEXT NOT NULL,
    timeout INTEGER NOT NULL, -- seconds
    ssl_authentication INTEGER NOT NULL,
    UNIQUE (service_description, code, version)
) STRICT;

CREATE TABLE endpoint (
    id INTEGER PRIMARY KEY,
    client INTEGER NOT NULL REFERENCES client ON DELETE CASCADE,
    service_code TEXT NOT NULL,
    method TEXT NOT NULL,
    path TEXT NOT NULL,
    generated INTEGER NOT NULL,
    UNIQUE (client, service_code, method, path)
) STRICT;

CREATE TABLE access_right (
    endpoint INTEGER NOT NULL REFERENCES endpoint ON DELETE CASCADE,
    subject TEXT NOT NULL, -- client:…, global-group:…, local-group:…
    UNIQUE (endpoint, subject)
) STRICT;

INSERT INTO meta VALUES ('version', 0);
