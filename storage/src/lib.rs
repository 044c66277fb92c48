//! What survives a restart: the message log and the server configuration.
//!
//! - [`archive`]: files of containers in which time-stamped records leave the log, and checking them.
//! - [`message_log`]: evidence. Every message that this server signed or verified, durable before anything leaves
//!   the server. One RocksDB, one writer thread, group commit.
//! - [`time_stamping`]: the rule that stops the server when its evidence can no longer be time-stamped.
//! - [`server_configuration`]: clients, services, access rights. One SQLite file, TOML in and out.
//!
//! This crate knows nothing of HTTP; nobody else knows the formats below. What it refuses to open it leaves untouched.
//!
//! # On-disk layout of the message log
//!
//! A RocksDB directory, written by exactly one process. Integers in keys are big endian, so that the order of keys is
//! the order of ids; integers in values are little endian. A `bytes` field is a u32 length and the bytes; an optional
//! field is a byte 0, or a byte 1 and the field.
//!
//! A *record id* is a u64: microseconds since 1970 in the upper 54 bits, a sequence in the lower 10. An id is larger
//! than every id before it, also when the clock steps backwards and after a restart; ids never repeat.
//!
//! | column family | key | value |
//! |---|---|---|
//! | `default` | `format` | u32, [`message_log::FORMAT_VERSION`]; a log of format 1 or 2 is brought to it when the writer opens it, any other is refused |
//! | | `last_id` | u64, no id up to it is given again (written when records are cleaned) |
//! | | `failing_since` | i64 microseconds, present while time-stamping fails |
//! | | `archive/` + group | version byte 1; last digest and name of the last archive of the group |
//! | | `archiving/` + group | version byte 1; an archive that is complete but may not have its name yet, with its records |
//! | | `key/` + key id | check value of 16 bytes, last record id (u64, big endian) before another key took its place |
//! | | `body` + body id u64 | empty; chunks of this body were written, its record was not yet |
//! | `record` | record id | one record without what is shared: version byte 1, or 2 if message or body is encrypted, then the fields in the order of `codec::encode_record` |
//! | `signature` | id of the first record that carried it | version byte 1, signature document, optional hash chain result; stored once for the messages of a batch |
//! | `body` | body id u64 + chunk number u32 | the bytes of the chunk, in a blob file |
//! | `index` | upper 20 bits of the record id as u32 (4.8 hours), first 8 bytes of the SHA-256 of client and query id (`codec::index_digest`), record id | empty; another client and query id may have the same digest |
//! | `pending` | record id | key in `signature`; the record has no time-stamp yet |
//! | `stamp` | record id | version byte 1; kind 1: signature document with the embedded token; kind 3: id of the shared time-stamp, number of the hash chain (u32); kind 2, of older formats: id of the shared time-stamp, hash chain |
//! | `to_archive` | record id | version byte 1; key in `signature`, optional key in `time_stamp`; the record is time-stamped and in no archive |
//! | `time_stamp` | id, of the same sequence as the records | version byte 1, time-stamp token (DER), hash chain result |
//! | | the same id, number u32 | version byte 1, hash chain of all records of one signature document |
//!
//! A record, its index entry, its pending entry and, for the first of a batch, its signature document are written in
//! one write batch. A body's chunks are written before its record, so the WAL that holds the record holds the chunks.
//!
//! Errors when writing are final: the log acknowledges nothing any more until it is opened anew, since RocksDB
//! cannot tell what of a failed write is on the disk.
//!
//! # On-disk layout of the server configuration
//!
//! One SQLite file in WAL mode. `PRAGMA user_version` is the version of the schema (`schema::VERSION`), any other is
//! refused; `PRAGMA application_id` tells the file from other SQLite files. The tables are in `schema.sql`.

pub mod archive;
pub mod message_log;
pub mod server_configuration;
pub mod time_stamping;
