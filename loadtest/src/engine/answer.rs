//! Reading an answer, and judging it.

use bytes::{Buf, BytesMut};
use proxy_http_codec::decoder::{BodyDecoder, Decoded};
use proxy_http_codec::framing::{BodyFraming, keeps_alive, response_framing};
use proxy_http_codec::head::ResponseHead;
use proxy_http_codec::parse::{HeadScanner, parse_response};

use crate::plan::Scenario;

/// How much of a body is kept to find a fault code in, in bytes.
const KEPT: usize = 4 * 1024;
/// Longest fault code that is told apart; what is behind is cut off.
const LONGEST_CODE: usize = 120;

/// The answer that is being read.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    scanner: HeadScanner,
    /// Once the head is read.
    body: Option<Body>,
}

#[derive(Debug)]
struct Body {
    decoder: BodyDecoder,
    verdict: Verdict,
    keeps_alive: bool,
    /// The beginning of the body, where it may tell a fault.
    kept: Option<Vec<u8>>,
}

/// What an answer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// As expected.
    Good,
    /// Something else: its kind, as it is counted.
    Bad(String),
}

/// A whole answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// What it is.
    pub(crate) verdict: Verdict,
    /// Whether the connection can be used again.
    pub(crate) keeps_alive: bool,
}

impl Reading {
    /// Takes what it can use out of the inbox; the answer once it is whole. `ended`: nothing more will come.
    ///
    /// # Errors
    /// What about the answer is not HTTP, or that it is cut off.
    pub(crate) fn read(
        &mut self,
        scenario: &Scenario,
        inbox: &mut BytesMut,
        ended: bool,
    ) -> Result<Option<Answer>, String> {
        while self.body.is_none() {
            match self.scanner.find_end(inbox) {
                Ok(Some(length)) => self.take_head(scenario, inbox, length)?,
                Ok(None) if ended => return Err(cut_off(inbox)),
                Ok(None) => return Ok(None),
                Err(error) => return Err(format!("not HTTP: {error}")),
            }
        }
        let Some(body) = &mut self.body else {
            return Ok(None);
        };
        if !body.read(inbox, ended)? {
            return Ok(None);
        }
        let body = std::mem::take(self).body;
        Ok(body.map(|body| body.judge(scenario)))
    }

    fn take_head(&mut self, scenario: &Scenario, inbox: &mut BytesMut, length: usize) -> Result<(), String> {
        let raw = inbox.split_to(length).freeze();
        let head = parse_response(&raw).map_err(|error| format!("not HTTP: {error}"))?;
        self.scanner = HeadScanner::default();
        if (100..200).contains(&head.status) && head.status != 101 {
            return Ok(()); // Interim: the answer follows.
        }
        let framing =
            response_framing(&head, scenario.to_head).map_err(|error| format!("not HTTP: {error}"))?;
        let verdict = judge_head(scenario, &head);
        let in_body = verdict == Verdict::Good && scenario.soap;
        self.body = Some(Body {
            decoder: BodyDecoder::new(framing),
            verdict,
            keeps_alive: framing != BodyFraming::UntilClose && keeps_alive(head.version, &head.headers),
            kept: in_body.then(Vec::new),
        });
        Ok(())
    }
}

impl Body {
    /// Takes its bytes out of the inbox; whether it is whole.
    fn read(&mut self, inbox: &mut BytesMut, ended: bool) -> Result<bool, String> {
        // The usual case: a body of known length that may be dropped unread.
        if self.kept.is_none() && !inbox.is_empty() && self.decoder.remaining() == Some(inbox.len() as u64) {
            inbox.advance(inbox.len());
            return Ok(true);
        }
        loop {
            match self.decoder.decode(inbox) {
                Ok(Decoded::Data(data)) => {
                    if let Some(kept) = &mut self.kept {
                        let room = KEPT.saturating_sub(kept.len()).min(data.len());
                        kept.extend_from_slice(data.get(..room).unwrap_or_default());
                    }
                }
                Ok(Decoded::End) => return Ok(true),
                Ok(Decoded::NeedMore) if ended => {
                    let whole = self.decoder.end_of_input();
                    return whole.map(|()| true).map_err(|_| "answer cut off".to_owned());
                }
                Ok(Decoded::NeedMore) => return Ok(false),
                Err(error) => return Err(format!("not HTTP: {error}")),
            }
        }
    }

    fn judge(self, scenario: &Scenario) -> Answer {
        let fault = self
            .kept
            .as_deref()
            .filter(|_| scenario.soap)
            .and_then(fault_code);
        Answer {
            verdict: fault.map_or(self.verdict, |code| Verdict::Bad(format!("fault {code}"))),
            keeps_alive: self.keeps_alive,
        }
    }
}

fn cut_off(inbox: &BytesMut) -> String {
    if inbox.is_empty() {
        "closed without an answer".to_owned()
    } else {
        "answer cut off".to_owned()
    }
}

/// What the head alone tells: a fault of a security server is in `X-Road-Error` (wire.md 1.5).
fn judge_head(scenario: &Scenario, head: &ResponseHead) -> Verdict {
    let expected = match scenario.expect {
        Some(status) => head.status == status,
        None => (200..300).contains(&head.status),
    };
    match head.headers.get("x-road-error") {
        _ if expected && scenario.expect.is_some() => Verdict::Good,
        Some(code) => Verdict::Bad(format!("fault {}", shorten(code))),
        None if expected => Verdict::Good,
        None => Verdict::Bad(format!("status {}", head.status)),
    }
}

/// The fault code of a SOAP fault, `<faultcode>CODE</faultcode>` with any prefix.
fn fault_code(body: &[u8]) -> Option<String> {
    let at = memchr::memmem::find(body, b"faultcode")?;
    let rest = body.get(at + b"faultcode".len()..)?;
    let rest = rest.get(memchr::memchr(b'>', rest)? + 1..)?;
    let code = rest.get(..memchr::memchr(b'<', rest)?)?;
    Some(shorten(String::from_utf8_lossy(code).trim()))
}

fn shorten(code: &str) -> String {
    code.chars().take(LONGEST_CODE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Template;

    fn scenario(soap: bool, expect: Option<u16>) -> Scenario {
        Scenario {
            name: "x".into(),
            weight: 1,
            target: 0,
            template: Template::new(Vec::new(), false),
            expect,
            soap,
            to_head: false,
        }
    }

    /// Feeds an answer byte by byte, then the end.
    fn read(scenario: &Scenario, text: &str) -> Result<Option<Answer>, String> {
        let (mut reading, mut inbox) = (Reading::default(), BytesMut::new());
        for byte in text.bytes() {
            inbox.extend_from_slice(&[byte]);
            if let Some(answer) = reading.read(scenario, &mut inbox, false)? {
                return Ok(Some(answer));
            }
        }
        reading.read(scenario, &mut inbox, true)
    }

    fn verdict(scenario: &Scenario, text: &str) -> Verdict {
        read(scenario, text).unwrap().unwrap().verdict
    }

    fn bad(kind: &str) -> Verdict {
        Verdict::Bad(kind.to_owned())
    }

    #[test]
    fn answers_are_counted_by_status_and_fault_code() {
        let rest = scenario(false, None);
        assert_eq!(
            verdict(&rest, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"),
            Verdict::Good
        );
        let status = verdict(&rest, "HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(status, bad("status 503"));
        let fault = "HTTP/1.1 500 X\r\nX-Road-Error: server.clientproxy.x\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(verdict(&rest, fault), bad("fault server.clientproxy.x"));
    }

    #[test]
    fn a_soap_fault_is_one_whatever_the_status() {
        let soap = scenario(true, None);
        let text = |body: &str| format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let fault = text("<s:Fault><faultcode>Server.X</faultcode></s:Fault>");
        assert_eq!(verdict(&soap, &fault), bad("fault Server.X"));
        assert_eq!(verdict(&soap, &text("<s:Body/>")), Verdict::Good);
        assert_eq!(
            verdict(&scenario(false, None), &fault),
            Verdict::Good,
            "only where SOAP is spoken"
        );
    }

    #[test]
    fn an_expected_failure_is_a_success_and_its_success_a_failure() {
        let expects = scenario(false, Some(404));
        assert_eq!(
            verdict(&expects, "HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n"),
            Verdict::Good
        );
        assert_eq!(
            verdict(&expects, "HTTP/1.1 200 X\r\nContent-Length: 0\r\n\r\n"),
            bad("status 200")
        );
    }

    #[test]
    fn interim_answers_chunks_and_closing_are_understood() {
        let rest = scenario(false, None);
        let chunked =
            "HTTP/1.1 100 C\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
        let answer = read(&rest, chunked).unwrap().unwrap();
        assert!(answer.keeps_alive && answer.verdict == Verdict::Good);
        let answer = read(&rest, "HTTP/1.1 200 OK\r\n\r\nuntil the end")
            .unwrap()
            .unwrap();
        assert!(!answer.keeps_alive && answer.verdict == Verdict::Good);
    }

    #[test]
    fn what_is_cut_off_or_no_http_is_told_apart() {
        let rest = scenario(false, None);
        assert_eq!(read(&rest, "").unwrap_err(), "closed without an answer");
        assert_eq!(read(&rest, "HTTP/1.1 200 OK\r\n").unwrap_err(), "answer cut off");
        let short = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi";
        assert_eq!(read(&rest, short).unwrap_err(), "answer cut off");
        assert!(
            read(&rest, "SSH-2.0-x\r\n\r\n")
                .unwrap_err()
                .starts_with("not HTTP")
        );
    }
}
