//! REST requests, and plain HTTP ones.

use protocol_message::identifier::{ClientId, ServiceId};

use super::template::{ID_PLACE, Template};
use super::{Built, Pieces, ScenarioOptions, Target, assemble, body};

/// Builds a REST request: to a whole URL, or to a service through a security server.
pub(super) fn build(options: &ScenarioOptions, run: &str) -> Result<Built, String> {
    refuse_soap_options(options)?;
    let (target, path) = address(options)?;
    let body = body(options)?;
    let usual = if body.is_some() { "POST" } else { "GET" };
    let method = options.method.as_deref().unwrap_or(usual);
    let mut headers = Vec::new();
    if let Some(client) = &options.client {
        ClientId::parse_encoded(client)
            .map_err(|_| format!("client `{client}`: expected INSTANCE/CLASS/MEMBER[/SUBSYSTEM]"))?;
        headers.push(("X-Road-Client".to_owned(), client.clone()));
        headers.push(("X-Road-Id".to_owned(), format!("{run}-{ID_PLACE}")));
    }
    if body.is_some() {
        let content_type = options.content_type.as_deref();
        let content_type = content_type.unwrap_or("application/octet-stream").to_owned();
        headers.push(("Content-Type".to_owned(), content_type));
    }
    let pieces = Pieces {
        method,
        path: &path,
        headers,
        body,
    };
    let bytes = assemble(options, &target, pieces)?;
    Ok(Built {
        target,
        template: Template::new(bytes, options.client.is_some()),
        soap: false,
        to_head: method == "HEAD",
    })
}

fn address(options: &ScenarioOptions) -> Result<(Target, String), String> {
    match (&options.url, &options.server, &options.service) {
        (Some(url), None, None) if options.path.is_none() => Target::parse(url),
        (None, Some(server), Some(service)) => {
            ServiceId::parse_encoded(service).map_err(|_| {
                format!("service `{service}`: expected INSTANCE/CLASS/MEMBER/SUBSYSTEM/SERVICE")
            })?;
            if options.client.is_none() {
                return Err(
                    "client: expected the calling client, INSTANCE/CLASS/MEMBER[/SUBSYSTEM]".to_owned(),
                );
            }
            let (server, base) = Target::parse(server)?;
            let base = base.trim_end_matches('/');
            let path = options.path.as_deref().unwrap_or_default();
            let between = if path.is_empty() || path.starts_with(['/', '?']) {
                ""
            } else {
                "/"
            };
            Ok((server, format!("{base}/r1/{service}{between}{path}")))
        }
        (Some(_), ..) => Err("url: expected the whole URL alone, or server, service and path".to_owned()),
        _ => Err("expected a URL, or server and service".to_owned()),
    }
}

/// What a REST request has no use for is an error, not ignored.
fn refuse_soap_options(options: &ScenarioOptions) -> Result<(), String> {
    let used = [
        ("style", options.style.is_some()),
        ("namespace", options.namespace.is_some()),
        ("parameter", options.parameter.is_some()),
        ("user-id", options.user_id.is_some()),
        ("attachments", options.attachments.is_some()),
        ("attachment-size", options.attachment_size.is_some()),
        ("multipart", options.multipart.is_some()),
    ];
    match used.iter().find(|(_, used)| *used) {
        Some((name, _)) => Err(format!("{name}: only for SOAP; expected kind soap")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::units::Size;

    fn service() -> ScenarioOptions {
        ScenarioOptions {
            server: Some("http://127.0.0.1:8080".into()),
            client: Some("A/B/1/c".into()),
            service: Some("A/B/2/p/echo".into()),
            ..Default::default()
        }
    }

    fn text(built: &Built) -> String {
        String::from_utf8(built.template.rest(0).to_vec()).unwrap()
    }

    #[test]
    fn a_service_is_called_through_the_security_server() {
        let options = ScenarioOptions {
            path: Some("/x?y=1".into()),
            body_size: Some(Size(5)),
            ..service()
        };
        let text = text(&build(&options, "run").unwrap());
        assert!(
            text.starts_with(
                "POST /r1/A/B/2/p/echo/x?y=1 HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nX-Road-Client: A/B/1/c\r\n"
            ),
            "{text}"
        );
        assert!(text.contains("\r\nX-Road-Id: run-0123456789abcdef\r\n"), "{text}");
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("Content-Length: 5") && body.len() == 5, "{text}");
    }

    #[test]
    fn any_url_is_called_as_it_is_and_given_headers_win() {
        let options = ScenarioOptions {
            url: Some("http://127.0.0.1/a?b".into()),
            header: vec!["host: example".into(), "A: b:c".into()],
            ..Default::default()
        };
        let text = text(&build(&options, "run").unwrap());
        assert_eq!(text, "GET /a?b HTTP/1.1\r\nhost: example\r\nA: b:c\r\n\r\n");
    }

    #[test]
    fn what_is_missing_or_wrong_is_named_with_what_was_expected() {
        let wrong = |change: &dyn Fn(&mut ScenarioOptions)| {
            let mut options = service();
            change(&mut options);
            build(&options, "run").unwrap_err()
        };
        assert!(wrong(&|o| o.client = None).starts_with("client: expected"));
        assert!(wrong(&|o| o.client = Some("A".into())).starts_with("client `A`: expected INSTANCE/"));
        assert!(wrong(&|o| o.service = Some("A/B".into())).starts_with("service `A/B`: expected"));
        assert!(wrong(&|o| o.service = None).starts_with("expected a URL, or"));
        assert!(wrong(&|o| o.url = Some("http://127.0.0.1/".into())).starts_with("url: expected"));
        assert!(wrong(&|o| o.attachments = Some(1)).starts_with("attachments: only for SOAP"));
        assert!(wrong(&|o| o.header = vec!["x".into()]).starts_with("header `x`: expected"));
        assert!(wrong(&|o| o.path = Some("/a b".into())).contains("cannot be written"));
        let two = wrong(&|o| (o.body, o.body_size) = (Some("x".into()), Some(Size(1))));
        assert!(two.contains("expected one of them"));
    }
}
