//! SOAP messages (wire.md 1.6, 1.7).
