//! The multipart transport message (wire.md 2.2).
