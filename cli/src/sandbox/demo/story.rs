//! The story of the demo: what is done, what comes back, what it means.

use std::time::Instant;

use uuid::Uuid;

use super::super::description::Description;
use super::super::http::{self, Answer};
use super::{evidence, soap};
use crate::failure::Failure;
use crate::output;
use protocol_globalconf::GlobalConf;

use crate::verify::{self, Verdict};

/// Size of the larger body.
const MEGABYTE: usize = 1024 * 1024;

pub(super) struct Story<'a> {
    description: &'a Description,
    began: Instant,
    /// Ids of the messages that went through.
    sent: Vec<String>,
}

impl<'a> Story<'a> {
    pub(super) fn new(description: &'a Description) -> Self {
        Self {
            description,
            began: Instant::now(),
            sent: Vec::new(),
        }
    }

    pub(super) fn introduction(&self) -> Result<(), Failure> {
        let Description {
            instance,
            consumer,
            provider,
            trust,
            ..
        } = self.description;
        say(&format!(
            "An instance, {instance}, runs on this machine: {} processes.\n\n\
             \x20 organisation A   {}   security server at {}\n\
             \x20 organisation B   {}   security server at {}\n\
             \x20 trust services   certificates {}, their validity {}, time {}",
            self.description.processes.len(),
            consumer.subsystem,
            consumer.client_http,
            provider.subsystem,
            provider.client_http,
            trust.ca,
            trust.ocsp,
            trust.tsa,
        ))
    }

    pub(super) fn rest_get(&mut self) -> Result<(), Failure> {
        title("1. A asks B: a REST request")?;
        let id = new_id();
        let url = self.rest_url("echo/hello?name=kiirtee");
        say(&format!(
            "$ curl -H 'X-Road-Client: {}' -H 'X-Road-Id: {id}' \\\n    '{url}'",
            self.description.consumer.subsystem
        ))?;
        let answer = http::get(&url, &self.headers(&id))?;
        expect(&answer, 200, "the request through both security servers")?;
        say(&format!(
            "HTTP {}\n{}\n\n\
             The path names instance, class, member, subsystem and service. A's server found B's address in the global\n\
             configuration, signed the request, logged it, sent it over mutual TLS; B's server verified who asks and\n\
             whether they may, logged it, and called the service. The answer came back the same way.\n\
             The response is bound to the request by its hash:\n  x-road-request-hash: {}",
            answer.status,
            answer.text().trim(),
            answer.header("x-road-request-hash").unwrap_or("(missing)"),
        ))?;
        self.sent.push(id);
        Ok(())
    }

    pub(super) fn rest_post(&mut self) -> Result<(), Failure> {
        title("2. A sends B a megabyte")?;
        let id = new_id();
        let url = self.rest_url("echo/document");
        let body: Vec<u8> = (0..MEGABYTE)
            .map(|index| b"0123456789abcdef".get(index % 16).copied().unwrap_or(0))
            .collect();
        let begin = Instant::now();
        let mut headers = self.headers(&id).to_vec();
        headers.push(("Content-Type", "application/octet-stream"));
        let answer = http::post(&url, &headers, &body)?;
        expect(&answer, 200, "the large request")?;
        if answer.body != body {
            return Err(Failure::No("the body did not come back as it was sent".into()));
        }
        say(&format!(
            "POST {url}\nHTTP {}, the same {MEGABYTE} bytes back in {} ms: streamed, hashed, signed, logged and verified on both sides.",
            answer.status,
            begin.elapsed().as_millis(),
        ))?;
        self.sent.push(id);
        Ok(())
    }

    pub(super) fn soap(&mut self) -> Result<(), Failure> {
        title("3. The same in SOAP")?;
        let id = new_id();
        let request = soap::request(self.description, "echoMessage", &id, "Tere!");
        let url = format!("{}/", self.description.consumer.client_http);
        let answer = http::post(
            &url,
            &[("Content-Type", "text/xml; charset=UTF-8")],
            request.as_bytes(),
        )?;
        expect(&answer, 200, "the SOAP request")?;
        let text = answer.text();
        if !text.contains("echoMessageResponse") || !text.contains("requestHash") {
            return Err(Failure::No(format!("the SOAP request was answered with\n{text}")));
        }
        say(&format!(
            "POST {url} with the service in the SOAP header\n{}\n\n\
             B's server added the requestHash element; A's server compared it with the request that it had sent.",
            text.lines()
                .filter(|line| line.contains("requestHash") || line.contains("Response"))
                .collect::<Vec<_>>()
                .join("\n"),
        ))?;
        self.sent.push(id);
        Ok(())
    }

    pub(super) fn refused(&self) -> Result<(), Failure> {
        title("4. What is not allowed does not pass")?;
        for (service, expected) in [
            ("private/x", "server.serverproxy.access_denied"),
            ("closed/x", "server.serverproxy.service_disabled"),
            ("nothing/x", "server.serverproxy.unknown_service"),
        ] {
            let answer = http::get(&self.rest_url(service), &self.headers(&new_id()))?;
            let code = answer.header("x-road-error").unwrap_or("(none)").to_owned();
            say(&format!(
                "GET …/{service}\n  HTTP {}, X-Road-Error: {code}",
                answer.status
            ))?;
            if code != expected {
                return Err(Failure::No(format!(
                    "expected the fault code {expected}, got {code}: {}",
                    answer.text()
                )));
            }
        }
        say("The refusal comes from B's server, before the service hears of the request.")
    }

    pub(super) fn evidence(&self) -> Result<(), Failure> {
        title("5. Both have proof")?;
        say(
            "Each exchange left four records: request and response, in A's log and in B's. With a time-stamp they are\n\
             complete, and can be downloaded as ASiC containers and verified by anybody, offline:",
        )?;
        for server in [&self.description.consumer, &self.description.provider] {
            let trust = evidence::trust(server)?;
            say(&format!(
                "\n$ curl -O '{}'",
                evidence::url(server, self.sent.first().map_or("", String::as_str))
            ))?;
            let mut valid = 0;
            for id in &self.sent {
                for (name, container) in evidence::containers(server, id)? {
                    prove(&name, &container, &trust, valid == 0)?;
                    valid += 1;
                }
            }
            let expected = 2 * self.sent.len();
            if valid != expected {
                return Err(Failure::No(format!(
                    "{} has {valid} containers, expected {expected}",
                    server.server_id
                )));
            }
            say(&format!("{valid} containers of {}: all valid", server.server_id))?;
        }
        Ok(())
    }

    pub(super) fn forgery(&self) -> Result<(), Failure> {
        title("6. A forgery is found")?;
        let server = &self.description.provider;
        let trust = evidence::trust(server)?;
        let id = self.sent.first().map_or("", String::as_str);
        let containers = evidence::containers(server, id)?;
        let Some((name, container)) = containers.first() else {
            return Err(Failure::No("there is no container to forge".into()));
        };
        match verify::verify(&evidence::forged(container)?, &trust) {
            Verdict::Valid(_) => Err(Failure::No(format!(
                "{name} with one bit changed was found valid"
            ))),
            Verdict::Invalid { code, reason } => say(&format!(
                "{name} with one bit of the message changed: NOT VALID, {code}\n  {reason}"
            )),
        }
    }

    pub(super) fn end(&self) -> Result<(), Failure> {
        title("Done")?;
        say(&format!(
            "{} exchanges, {} containers verified, in {} ms. Everything is stopped again.\n\
             An instance that stays: kiirtee sandbox up --dir DIR",
            self.sent.len(),
            4 * self.sent.len(),
            self.began.elapsed().as_millis(),
        ))
    }

    fn rest_url(&self, path: &str) -> String {
        format!(
            "{}/r1/{}/{path}",
            self.description.consumer.client_http, self.description.provider.subsystem
        )
    }

    fn headers<'h>(&'h self, id: &'h str) -> [(&'h str, &'h str); 2] {
        [
            ("X-Road-Client", &self.description.consumer.subsystem),
            ("X-Road-Id", id),
        ]
    }
}

fn prove(name: &str, container: &[u8], trust: &GlobalConf, tell: bool) -> Result<(), Failure> {
    match verify::verify(container, trust) {
        Verdict::Valid(proven) if tell => say(&format!("{name}: valid\n{proven}")),
        Verdict::Valid(_) => Ok(()),
        Verdict::Invalid { code, reason } => {
            Err(Failure::No(format!("{name} is not valid: {code}: {reason}")))
        }
    }
}

fn new_id() -> String {
    Uuid::new_v4().to_string()
}

fn expect(answer: &Answer, status: u16, what: &str) -> Result<(), Failure> {
    if answer.status == status {
        return Ok(());
    }
    Err(Failure::No(format!(
        "{what} was answered with HTTP {}: {}",
        answer.status,
        answer.text().trim()
    )))
}

fn title(text: &str) -> Result<(), Failure> {
    output::line(&format!("\n{text}\n{}", "─".repeat(text.chars().count())))
}

fn say(text: &str) -> Result<(), Failure> {
    output::line(text)
}
