//! Time-stamp responses (RFC 3161 2.4.2).

use super::{MAX_TSP_BYTES, TimeStampToken, TspError, ber};
use crate::asn1::{self, Asn1Error, Element};

/// Most texts read from a status.
const MAX_TEXTS: usize = 16;

/// What the authority says about the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Granted as asked.
    Granted,
    /// Granted with changes.
    GrantedWithMods,
    /// Refused.
    Rejection,
    /// Not decided yet.
    Waiting,
    /// A revocation is imminent.
    RevocationWarning,
    /// A revocation has occurred.
    RevocationNotification,
    /// Another number.
    Other(u32),
}

impl Status {
    const fn of(number: u32) -> Self {
        match number {
            0 => Self::Granted,
            1 => Self::GrantedWithMods,
            2 => Self::Rejection,
            3 => Self::Waiting,
            4 => Self::RevocationWarning,
            5 => Self::RevocationNotification,
            other => Self::Other(other),
        }
    }
}

/// A response, its token not yet verified.
#[derive(Clone, Debug)]
pub struct Response {
    status: Status,
    text: String,
    token: Option<TimeStampToken>,
}

impl Response {
    /// Reads BER or DER.
    ///
    /// # Errors
    /// [`TspError`] of the response or of the token in it.
    pub fn parse(bytes: &[u8]) -> Result<Self, TspError> {
        if bytes.len() > MAX_TSP_BYTES {
            return Err(TspError::TooLong(bytes.len()));
        }
        let der = ber::to_der(bytes)?;
        let mut parts = asn1::only(&der, asn1::SEQUENCE)?.inside();
        let mut info = parts.expect(asn1::SEQUENCE)?.inside();
        let status = Status::of(info.expect(asn1::INTEGER)?.small_number()?);
        let text = info
            .optional(asn1::SEQUENCE)?
            .map_or(Ok(String::new()), |texts| read_texts(&texts))?;
        let token = parts
            .optional(asn1::SEQUENCE)?
            .map(|token| TimeStampToken::parse(token.whole))
            .transpose()?;
        parts.end()?;
        Ok(Self { status, text, token })
    }

    /// The status.
    pub fn status(&self) -> Status {
        self.status
    }

    /// The status texts, separated by commas.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The token of a granted request.
    ///
    /// # Errors
    /// [`TspError::NotGranted`], [`TspError::NoToken`]
    pub fn into_token(self) -> Result<TimeStampToken, TspError> {
        match self.status {
            Status::Granted | Status::GrantedWithMods => self.token.ok_or(TspError::NoToken),
            status => Err(TspError::NotGranted {
                status,
                text: self.text,
            }),
        }
    }
}

fn read_texts(list: &Element<'_>) -> Result<String, Asn1Error> {
    let mut texts = Vec::new();
    let mut reader = list.inside();
    while !reader.is_empty() && texts.len() < MAX_TEXTS {
        texts.push(reader.next()?.text().unwrap_or_default());
    }
    Ok(texts.join(", "))
}
