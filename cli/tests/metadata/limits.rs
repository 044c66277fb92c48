//! Descriptions that are too large or never come hold up nobody else.

use std::time::{Duration, Instant};

use super::ask::{SUBSYSTEM, attachment, fault_of, get_wsdl, rest, rest_fault};
use super::can_run;
use super::configured::{Configured, add};
use super::information_system::{Answer, Manner, Provider};

const MEGABYTE: usize = 1024 * 1024;

#[test]
fn descriptions_that_are_too_large_or_never_come_hold_up_nobody_else() {
    if !can_run() {
        return;
    }
    let Configured { instance, site } = Configured::up(64);
    let silent = Provider::start("127.0.64.41");
    silent.answers(Answer {
        manner: Manner::IsSilent,
        ..Answer::new("", "")
    });
    let url = format!("http://{}", silent.address);
    let more = format!(
        "[[service_description]]\ntype = 'WSDL'\nurl = '{url}/silent.wsdl'\nservice = [{{ code = 'getSilent', url = '{url}/' }}]\n\
         [[service_description]]\ntype = 'OPENAPI3'\nurl = 'http://{}/books.json'\nservice = [{{ code = 'books', url = '{url}/' }}]\n\
         [[service_description]]\ntype = 'WSDL'\nurl = 'http://{}/one.wsdl'\nservice = [{{ code = 'getOne', url = '{url}/' }}]",
        site.address, site.address
    );
    add(&instance, &[(SUBSYSTEM, &more)]);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let began = Instant::now();
            let fault = fault_of(&get_wsdl(&instance, SUBSYSTEM, "silent", "getSilent", ""));
            (fault.0, began.elapsed())
        });
        while silent.asked().is_empty() {
            std::thread::yield_now();
        }
        let (head, tail) = ("<a><!--", "--></a>");
        let body = "x".repeat(16 * MEGABYTE - head.len() - tail.len());
        site.answers(Answer::new("text/xml", format!("{head}{body}{tail}")));
        let got = get_wsdl(&instance, SUBSYSTEM, "large", "getOne", "");
        assert!(attachment(&got).ends_with(tail), "{:?}", fault_of(&got));
        site.answers(Answer::new("text/xml", format!("{head}{body}x{tail}")));
        let (code, text) = fault_of(&get_wsdl(&instance, SUBSYSTEM, "larger", "getOne", ""));
        assert_eq!(code, "server.serverproxy.io_error", "{text}");
        assert_eq!(text, "Service description is larger than 16777216 bytes");
        let (code, _) = rest_fault(&rest(&instance, SUBSYSTEM, "getOpenAPI?serviceCode=books", &[]));
        assert_eq!(code, "server.serverproxy.io_error");

        for _ in 0..20 {
            assert_eq!(
                rest(&instance, SUBSYSTEM, "echo/while-one-waits", &[]).status,
                200
            );
        }
        assert!(
            !waiting.is_finished(),
            "all that took less time than a silent information system is given"
        );
        let (code, took) = waiting.join().unwrap();
        assert_eq!(code, "server.serverproxy.io_error");
        assert!(
            took > Duration::from_secs(25) && took < Duration::from_secs(45),
            "{took:?}"
        );
    });
}
