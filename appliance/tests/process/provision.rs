//! `kiirtee-appliance provision`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use appliance::provision::{Outcome, Source, State};

use crate::harness::{Appliance, DOCUMENT, told};

#[test]
fn a_medium_becomes_settings_and_the_same_one_twice_changes_nothing() {
    let appliance = Appliance::new();
    appliance.fill_medium();
    let first = appliance.provisioned();
    assert_eq!((first.state, first.source), (State::Provisioned, Source::Medium));
    assert_eq!(first.appliance_id.as_ref().unwrap().len(), 14);
    for changed in [
        "appliance.toml",
        "proxy.toml",
        "pin",
        "systemd/network/50-kiirtee.network",
    ] {
        assert!(
            first.changed.iter().any(|name| name == changed),
            "{changed}: {first:?}"
        );
    }
    let read = |path: &str| fs::read_to_string(appliance.root(path)).unwrap();
    insta::assert_snapshot!("proxy.toml", read("var/lib/kiirtee/etc/proxy.toml"));
    insta::assert_snapshot!("network", read("run/systemd/network/50-kiirtee.network"));
    insta::assert_snapshot!("time", read("run/systemd/timesyncd.conf.d/50-kiirtee.conf"));
    assert_eq!(read("run/kiirtee/resolv.conf"), "nameserver 10.77.0.2\n");
    insta::assert_snapshot!("told_manager", appliance.told_manager().join("\n"));
    let report = fs::read(appliance.medium("report.json")).unwrap();

    let kept = appliance.kept();
    let second = appliance.provisioned();
    assert!(second.changed.is_empty(), "{second:?}");
    assert!(appliance.kept() == kept, "nothing is written again");
    assert_eq!(fs::read(appliance.medium("report.json")).unwrap(), report);
    assert!(appliance.told_manager().is_empty());
}

#[test]
fn without_a_medium_what_is_kept_is_used_and_without_that_nothing_is() {
    let appliance = Appliance::new();
    let nothing = appliance.provisioned();
    assert_eq!(
        (nothing.state, nothing.source),
        (State::Unprovisioned, Source::Kept)
    );
    assert!(!appliance.root("var/lib/kiirtee/etc").exists());
    assert!(!appliance.root("run/systemd").exists() && appliance.told_manager().is_empty());

    appliance.fill_medium();
    appliance.provisioned();
    appliance.empty_medium();
    // As after a start.
    fs::remove_dir_all(appliance.root("run")).unwrap();
    let kept = appliance.provisioned();
    assert_eq!((kept.state, kept.source), (State::Provisioned, Source::Kept));
    assert!(appliance.root("run/systemd/network/50-kiirtee.network").exists());
    assert!(!appliance.medium("report.json").exists(), "it is no medium");
}

#[test]
fn a_version_that_cannot_read_what_is_kept_uses_what_was_made_of_it() {
    let appliance = Appliance::new();
    appliance.fill_medium();
    appliance.provisioned();
    appliance.empty_medium();
    fs::remove_dir_all(appliance.root("run")).unwrap();
    let document = appliance.root("var/lib/kiirtee/etc/appliance.toml");
    fs::write(&document, format!("{DOCUMENT}[of-a-later-version]\n")).unwrap();
    let kept = appliance.kept();
    let (output, outcome) = appliance.provision();
    assert!(!output.status.success() && outcome.state == State::Provisioned);
    let problem = outcome.problems.join("\n");
    assert!(
        problem.contains("unknown field `of-a-later-version`"),
        "{problem}"
    );
    assert!(appliance.root("run/systemd/network/50-kiirtee.network").exists());
    assert!(appliance.kept() == kept);
}

#[test]
fn a_medium_that_comes_again_changes_what_it_names_and_nothing_else() {
    let appliance = Appliance::new();
    appliance.fill_medium();
    appliance.provisioned();
    appliance.empty_medium();
    appliance.told_manager();
    fs::write(
        appliance.medium("appliance.toml"),
        DOCUMENT.replace("8081", "8082"),
    )
    .unwrap();
    let outcome = appliance.provisioned();
    assert_eq!(outcome.changed, ["appliance.toml", "proxy.toml"]);
    assert!(outcome.pin_is_kept);
    let told = appliance.told_manager();
    assert_eq!(
        told.first().unwrap(),
        "--no-block try-restart kiirtee-monitor.service kiirtee-proxy.service"
    );
}

#[test]
fn what_is_refused_changes_nothing_and_is_told_with_place_and_expectation() {
    let appliance = Appliance::new();
    appliance.fill_medium();
    fs::remove_file(appliance.medium("anchor.xml")).unwrap();
    let (output, outcome) = appliance.provision();
    assert!(!output.status.success());
    assert_eq!(outcome.state, State::Unprovisioned);
    let missing = "anchor.xml is missing: expected it on the configuration medium";
    assert_eq!(outcome.problems, [missing]);
    assert!(
        told(&output).contains("anchor.xml is missing"),
        "{}",
        told(&output)
    );
    assert!(
        appliance.medium("pin").exists(),
        "nothing is taken from a medium that is refused"
    );
    assert!(!appliance.root("var/lib/kiirtee/credentials").exists());

    appliance.fill_medium();
    appliance.provisioned();
    let kept = appliance.kept();
    let mut told = String::new();
    for (name, content) in [
        ("appliance.toml", DOCUMENT.replace("8081", "'http'")),
        ("appliance.toml", DOCUMENT.replace("10.77.0.40/24", "10.77.0.40")),
        (
            "appliance.toml",
            format!("{DOCUMENT}\n[settings.proxy.message-log]\narchive-path = \"/var/lib/kiirtee\"\n"),
        ),
        ("server.toml", "[[client]]\nid = 'SANDBOX/ORG'\n".to_owned()),
        ("anchor.xml", "<anchor/>".to_owned()),
        ("devices.toml", "[device".to_owned()),
        ("devices.toml", "#".repeat(300_000)),
        ("certificates/ca.pem", "no certificate".to_owned()),
    ] {
        appliance.empty_medium();
        fs::create_dir_all(appliance.medium("certificates")).unwrap();
        fs::write(appliance.medium(name), content).unwrap();
        let (output, outcome) = appliance.provision();
        assert!(!output.status.success());
        assert_eq!(
            (outcome.state, outcome.source),
            (State::Provisioned, Source::Kept)
        );
        assert!(outcome.changed.is_empty() && appliance.kept() == kept, "{name}");
        let medium = appliance.path("medium").display().to_string();
        let problem = outcome.problems.join("\n").replace(&medium, "/MEDIUM");
        told.push_str(&format!("{problem}\n\n"));
    }
    insta::assert_snapshot!("refused", told);
}

#[test]
fn pins_are_kept_for_root_alone_and_gone_from_the_medium() {
    let appliance = Appliance::new();
    appliance.fill_medium();
    let pins = appliance.root("var/lib/kiirtee/credentials/kiirtee-signer.pin");
    // Where they cannot be kept they stay on the medium.
    fs::create_dir_all(&pins).unwrap();
    let (output, outcome) = appliance.provision();
    assert!(!output.status.success() && !outcome.pin_is_kept);
    assert_eq!(outcome.state, State::Provisioned, "the rest is in force");
    assert!(
        outcome
            .problems
            .iter()
            .any(|problem| problem.contains("kiirtee-signer.pin"))
    );
    assert!(appliance.medium("pin").exists());

    fs::remove_dir_all(pins.parent().unwrap()).unwrap();
    let outcome = appliance.provisioned();
    assert!(outcome.pin_is_kept && outcome.changed == ["pin"]);
    assert!(!appliance.medium("pin").exists());
    assert_eq!(fs::read_to_string(&pins).unwrap(), "Sunny-day-42\n");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&pins), mode(pins.parent().unwrap())), (0o600, 0o700));
    let kept = appliance.kept();
    assert!(
        kept.iter()
            .all(|(path, (content, _))| *path == pins || !content.windows(5).any(|part| part == b"Sunny")),
        "the PIN is nowhere else"
    );
    let report = fs::read_to_string(appliance.medium("report.json")).unwrap();
    assert!(!report.contains("Sunny"), "{report}");

    fs::write(appliance.medium("pin"), " \n").unwrap();
    let (_, outcome) = appliance.provision();
    assert!(
        outcome
            .problems
            .iter()
            .any(|problem| problem.contains("pin is empty")),
        "{outcome:?}"
    );
    fs::write(appliance.medium("pin"), "other").unwrap();
    appliance.provisioned();
    assert_eq!(fs::read_to_string(&pins).unwrap(), "other");
}

#[test]
fn credentials_of_the_machine_do_without_a_medium() {
    let appliance = Appliance::new();
    appliance.fill_medium();
    let credentials = appliance.path("credentials");
    fs::create_dir(&credentials).unwrap();
    for (from, to) in [
        ("appliance.toml", "appliance"),
        ("anchor.xml", "anchor"),
        ("server.toml", "server"),
    ] {
        fs::copy(appliance.medium(from), credentials.join(format!("kiirtee.{to}"))).unwrap();
    }
    appliance.empty_medium();
    let mut command = appliance.provision_command();
    let output = command
        .env("CREDENTIALS_DIRECTORY", &credentials)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", told(&output));
    let state = fs::read_to_string(appliance.root("run/kiirtee/provision.json")).unwrap();
    assert!(state.contains("\"source\": \"credential\""), "{state}");
    assert!(appliance.root("var/lib/kiirtee/etc/signer.toml").exists());
}

#[test]
fn a_factory_reset_needs_the_id_of_this_appliance_and_happens_once() {
    let appliance = Appliance::new();
    appliance.fill_medium();
    let id = appliance.provisioned().appliance_id.unwrap();
    let request = appliance.root("run/kiirtee/factory-reset");
    appliance.told_manager();

    fs::write(appliance.medium("factory-reset"), "0000-0000-0000\n").unwrap();
    let (output, outcome) = appliance.provision();
    assert!(!output.status.success() && !outcome.factory_reset && !request.exists());
    assert_eq!(
        outcome.problems,
        [format!(
            "factory-reset names \"0000-0000-0000\": expected {id}, the id of this appliance"
        )]
    );
    assert!(appliance.told_manager().is_empty());

    let ours = || {
        fs::write(
            appliance.medium("factory-reset"),
            format!("{}\n", id.to_uppercase()),
        )
        .unwrap()
    };
    let problem = || appliance.provision().1.problems.concat();
    ours();
    assert!(problem().contains("needs UEFI firmware"));
    assert!(!request.exists() && appliance.medium("factory-reset").exists());
    fs::create_dir_all(appliance.root("sys/firmware/efi/efivars")).unwrap();
    // What the loss of power leaves.
    fs::write(appliance.medium("factory-reset"), [0; 15]).unwrap();
    assert!(problem().contains("the power was lost: nothing was reset"));
    assert!(!request.exists() && !appliance.medium("factory-reset").exists());

    ours();
    assert!(appliance.provisioned().factory_reset && request.exists());
    assert!(!appliance.medium("factory-reset").exists());
    assert_eq!(
        appliance.told_manager(),
        ["--no-block start kiirtee-factory-reset.service"]
    );
}

#[test]
fn signing_requests_are_put_onto_the_medium() {
    let appliance = Appliance::new();
    appliance.fill_medium();
    fs::create_dir_all(appliance.root("run/kiirtee/requests")).unwrap();
    fs::write(appliance.root("run/kiirtee/requests/signing.pem"), "request").unwrap();
    fs::write(appliance.root("run/kiirtee/requests/other.pem"), "other").unwrap();
    appliance.provisioned();
    let requests = || fs::read_dir(appliance.medium("requests")).unwrap().count();
    assert_eq!(
        fs::read(appliance.medium("requests/signing.pem")).unwrap(),
        b"request"
    );
    assert_eq!(requests(), 1, "only what is named as requests are");
    let link = appliance.root("run/kiirtee/requests/internal.pem");
    std::os::unix::fs::symlink("/etc/passwd", link).unwrap();
    let (output, _) = appliance.provision();
    assert!(
        !output.status.success() && requests() == 1,
        "links are not followed"
    );
}

#[test]
fn a_start_of_the_same_version_needs_no_provisioning_and_one_of_another_does() {
    let appliance = Appliance::new();
    let remembered = |version: &str| appliance.root(format!("var/lib/kiirtee/provisioned/{version}"));
    let run = |version: &str| {
        let text = format!("IMAGE_ID=kiirtee\nIMAGE_VERSION={version}\n");
        fs::create_dir_all(appliance.root("usr/lib")).unwrap();
        fs::write(appliance.root("usr/lib/os-release"), text).unwrap();
        appliance.provisioned()
    };
    run("1.0.0");
    assert!(!remembered("1.0.0").exists(), "nothing was handed over");

    appliance.fill_medium();
    run("1.0.0");
    let outcome: Outcome = serde_json::from_slice(&fs::read(remembered("1.0.0")).unwrap()).unwrap();
    assert_eq!(
        (outcome.state, outcome.source),
        (State::Provisioned, Source::Kept)
    );
    assert!(outcome.changed.is_empty() && outcome.pin_is_kept, "{outcome:?}");

    run("1.0.1");
    assert!(remembered("1.0.1").exists() && !remembered("1.0.0").exists());
}

#[test]
fn a_server_configuration_is_applied_once() {
    let appliance = Appliance::new();
    appliance.fill_medium();
    appliance.provisioned();
    let pending = appliance.root("var/lib/kiirtee/pending/server.toml");
    assert!(pending.exists());
    let configure = || {
        let mut command = appliance.command("configure");
        let output = command
            .arg("--database")
            .arg(appliance.path("server.db"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", told(&output));
        told(&output)
    };
    assert!(configure().contains("the server configuration is applied"));
    assert!(!pending.exists());
    assert!(configure().contains("applied already"));
    appliance.provisioned();
    assert!(!pending.exists(), "the same medium changes nothing");

    let server = appliance.medium("server.toml");
    let text = fs::read_to_string(&server).unwrap();
    fs::write(
        &server,
        format!("{text}[[client]]\nid = \"SANDBOX/ORG/3003/more\"\n"),
    )
    .unwrap();
    appliance.provisioned();
    assert!(configure().contains("added=1"));
}
