//! The parameters of `/asic` (wire.md 4.4).

use protocol_message::identifier::ClientId;
use storage::message_log::Direction;

use crate::query_string::{decode, pairs};

/// Why parameters are refused. The texts are the reference's, with its two spaces.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// One is missing.
    #[error("Parameter \"{0}\"  must be specified.")]
    Missing(&'static str),
    /// One is blank.
    #[error("'{0}' must not be blank")]
    Blank(&'static str),
    /// Both directions.
    #[error("Parameters \"requestOnly\" and \"responseOnly\" cannot be used at the same time.")]
    Contradiction,
    /// One container, but of which direction?
    #[error("Parameter \"unique\" not applicable without \"requestOnly\" or \"responseOnly\".")]
    UniqueWithoutDirection,
    /// A parameter is not UTF-8.
    #[error("Parameter \"{0}\" is malformed.")]
    Malformed(&'static str),
    /// The client can't be one.
    #[error("Invalid client identifier")]
    Client,
}

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub struct AsicQuery {
    /// Whose messages.
    pub client: ClientId,
    /// The message id of the exchange.
    pub query_id: String,
    /// Requests or responses only.
    pub direction: Option<Direction>,
    /// One container instead of a zip file.
    pub unique: bool,
    /// Time-stamp now what waits.
    pub force: bool,
}

/// The client that a query names: whom the information system must be allowed to speak for.
///
/// # Errors
/// [`QueryError::Missing`] names the parameter.
pub fn client(query: &str) -> Result<ClientId, QueryError> {
    let [instance, class, code] =
        ["xRoadInstance", "memberClass", "memberCode"].map(|name| required(query, name));
    let (instance, class, code) = (instance?, class?, code?);
    let subsystem = parameter(query, "subsystemCode")?;
    let parts = [Some(instance), Some(class), Some(code), subsystem];
    let names = ["xRoadInstance", "memberClass", "memberCode", "subsystemCode"];
    for (part, name) in parts.iter().zip(names) {
        if part.as_ref().is_some_and(|part| part.trim().is_empty()) {
            return Err(QueryError::Blank(name));
        }
    }
    let encoded: Vec<String> = parts.into_iter().flatten().map(|part| encode(&part)).collect();
    ClientId::parse_encoded(&encoded.join("/")).map_err(|_| QueryError::Client)
}

impl AsicQuery {
    /// The rest of the parameters, once the client is known to be who it says.
    ///
    /// # Errors
    /// [`QueryError`]
    pub fn parse(query: &str, client: ClientId) -> Result<Self, QueryError> {
        let query_id = required(query, "queryId")?;
        let direction = match (has(query, "requestOnly"), has(query, "responseOnly")) {
            (true, true) => return Err(QueryError::Contradiction),
            (true, false) => Some(Direction::Request),
            (false, true) => Some(Direction::Response),
            (false, false) => None,
        };
        Ok(Self {
            client,
            query_id,
            direction,
            unique: has(query, "unique"),
            force: has(query, "force"),
        })
    }
}

fn has(query: &str, name: &str) -> bool {
    pairs(query).any(|(found, _)| found == name)
}

fn required(query: &str, name: &'static str) -> Result<String, QueryError> {
    parameter(query, name)?.ok_or(QueryError::Missing(name))
}

fn parameter(query: &str, name: &'static str) -> Result<Option<String>, QueryError> {
    let value = pairs(query)
        .find(|(found, _)| *found == name)
        .map(|(_, value)| decode(value));
    value.transpose().map_err(|_| QueryError::Malformed(name))
}

fn encode(part: &str) -> String {
    percent_encoding::utf8_percent_encode(part, percent_encoding::NON_ALPHANUMERIC).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: &str = "xRoadInstance=EE&memberClass=GOV&memberCode=1%2F2+x&subsystemCode=sub";

    #[test]
    fn reads_every_parameter() {
        let query = format!("{CLIENT}&queryId=a%26b+c&responseOnly&unique&force");
        let client = client(&query).unwrap();
        assert_eq!(
            (client.member_code(), client.subsystem_code()),
            ("1/2 x", Some("sub"))
        );
        let asked = AsicQuery::parse(&query, client.clone()).unwrap();
        let expected = AsicQuery {
            client,
            query_id: "a&b c".into(),
            direction: Some(Direction::Response),
            unique: true,
            force: true,
        };
        assert_eq!(asked, expected);
    }

    #[test]
    fn a_member_has_no_subsystem() {
        let member = "xRoadInstance=EE&memberClass=GOV&memberCode=1";
        assert_eq!(client(member).unwrap().subsystem_code(), None);
        assert_eq!(
            client(&format!("{member}&subsystemCode=+")),
            Err(QueryError::Blank("subsystemCode"))
        );
    }

    #[test]
    fn what_is_missing_or_contradicts_is_named() {
        assert_eq!(
            client("xRoadInstance=EE&memberClass=GOV"),
            Err(QueryError::Missing("memberCode"))
        );
        assert_eq!(
            client("xRoadInstance=%FF&memberClass=GOV&memberCode=1"),
            Err(QueryError::Malformed("xRoadInstance"))
        );
        let parse =
            |rest: &str| AsicQuery::parse(&format!("{CLIENT}{rest}"), client(CLIENT).unwrap()).unwrap_err();
        assert_eq!(parse("").to_string(), "Parameter \"queryId\"  must be specified.");
        assert_eq!(
            parse("&queryId=x&requestOnly&responseOnly"),
            QueryError::Contradiction
        );
    }
}
