//! The server configuration: clients, services, access rights (features.md 3.1, 3.2).
