//! The pure HTTP/1.1 codec: bytes in, heads and body pieces out; no I/O and no clock.
//!
//! Strict where leniency would let two parsers disagree about where a message ends (request smuggling): bare line
//! feeds, folded lines, several or signed lengths, a length beside a transfer coding are all refused.

pub mod date;
pub mod decoder;
pub mod encode;
pub mod error;
pub mod framing;
pub mod head;
pub mod parse;

#[cfg(test)]
mod tests;

/// Bound of a whole message head (request or status line and all fields), in bytes.
pub const MAX_HEAD_LENGTH: usize = 64 * 1024;
/// Bound of the number of header fields of a head.
pub const MAX_HEADER_COUNT: usize = 200;
/// Bound of one chunk-size line with its extensions, in bytes.
pub const MAX_CHUNK_LINE: usize = 1024;
/// Bound of all chunk extensions of one body, in bytes.
pub const MAX_CHUNK_EXTENSIONS: usize = 64 * 1024;
/// Bound of the trailer section, in bytes.
pub const MAX_TRAILER_LENGTH: usize = 8 * 1024;
