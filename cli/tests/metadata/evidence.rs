//! Metadata exchanges are logged at both servers like others, and what is logged is evidence.

use std::path::PathBuf;

use super::ask::{SUBSYSTEM, fault_of, get_wsdl, rest, soap};
use super::can_run;
use super::instance::{Instance, kiirtee, wait_until};

#[test]
fn metadata_exchanges_are_evidence_at_both_servers() {
    if !can_run() {
        return;
    }
    let instance = Instance::up(65);
    let wsdl = get_wsdl(&instance, SUBSYSTEM, "meta-wsdl", "echoMessage", "v1");
    let list = soap(
        &instance,
        SUBSYSTEM,
        "allowedMethods",
        "meta-list",
        "<xroad:allowedMethods/>",
    );
    for answer in [wsdl, list] {
        assert_eq!(fault_of(&answer), (String::new(), String::new()));
    }
    for (id, service) in [
        ("meta-openapi", "getOpenAPI?serviceCode=pets"),
        ("meta-rest", "listMethods"),
    ] {
        let answer = rest(
            &instance,
            SUBSYSTEM,
            service,
            &["-H", &format!("X-Road-Id: {id}")],
        );
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let refused = get_wsdl(&instance, SUBSYSTEM, "meta-refused", "none", "");
    assert_eq!(fault_of(&refused).0, "server.serverproxy.unknown_service");
    for server in ["consumer", "provider"] {
        for id in ["meta-wsdl", "meta-list", "meta-openapi", "meta-rest"] {
            verify(&instance, &records(&instance, server, id, 2));
        }
        // The question was asked, and logged; a fault is no answer to be signed.
        verify(&instance, &records(&instance, server, "meta-refused", 1));
    }
}

/// The time-stamped records of an exchange.
fn records(instance: &Instance, server: &str, id: &str, count: usize) -> Vec<PathBuf> {
    let out = instance.dir().join("evidence").join(server).join(id);
    let mut files = Vec::new();
    wait_until("the records to be time-stamped", || {
        let mut get = kiirtee();
        let get = get.args(["log", "get", "--query-id", id, "--message-log"]);
        let get = get.arg(instance.get(&format!("{server}/message_log")));
        let output = get.arg("--out").arg(&out).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        files = text.lines().map(PathBuf::from).collect();
        output.status.success()
    });
    assert_eq!(files.len(), count, "{id} at the {server}: {files:?}");
    files
}

fn verify(instance: &Instance, files: &[PathBuf]) {
    let mut verify = kiirtee();
    let verify = verify.arg("verify").args(files).arg("--globalconf");
    let output = verify
        .arg(instance.get("global_configuration/directory"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{files:?}: {said}");
}
