//! Whether a request is for an endpoint.

use protocol_message::rest::EndpointPattern;

use super::document::{self, BASE_METHOD, BASE_PATH};
use super::snapshot::Target;
use super::subject::Subject;

/// A part of a service that rights are given for.
#[derive(Debug)]
pub struct Endpoint {
    /// An HTTP method, or `*`.
    pub method: String,
    /// A path glob, or `**`.
    pub path: String,
    pattern: Option<EndpointPattern>,
    pub(super) subjects: Vec<Subject>,
}

impl Endpoint {
    /// A pattern too long to be compiled, which validation refuses, would match nothing.
    pub(super) fn new(endpoint: document::Endpoint) -> Self {
        let pattern = EndpointPattern::parse(&endpoint.path).ok();
        Self {
            method: endpoint.method,
            path: endpoint.path,
            pattern,
            subjects: endpoint.subjects,
        }
    }

    /// Whether this is the whole service.
    #[must_use]
    pub fn is_base(&self) -> bool {
        self.method == BASE_METHOD && self.path == BASE_PATH
    }

    /// Whether who may call this endpoint hears of another one of the same service in `allowedMethods`.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        let method = self.method == BASE_METHOD || self.method.eq_ignore_ascii_case(&other.method);
        let path = |pattern: &EndpointPattern| pattern.covers(&other.path);
        method && (self.path == BASE_PATH || self.pattern.as_ref().is_some_and(path))
    }

    pub(super) fn matches(&self, target: Target<'_>) -> bool {
        let method = self.method == BASE_METHOD
            || target
                .method
                .is_some_and(|method| method.eq_ignore_ascii_case(&self.method));
        method && (self.path == BASE_PATH || self.matches_path(target))
    }

    fn matches_path(&self, target: Target<'_>) -> bool {
        self.pattern
            .as_ref()
            .zip(target.path)
            .is_some_and(|(pattern, path)| pattern.matches(path))
    }
}
