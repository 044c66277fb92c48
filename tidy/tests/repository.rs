//! Every check of `tidy`, asked of this repository.

use tidy::{Findings, changelog, definitions, documents, layers, root, sources};

fn clean(findings: &Findings) {
    assert!(findings.is_empty(), "\n  {}\n", findings.join("\n  "));
}

#[test]
fn imports_go_downward_only() {
    clean(&layers::check_imports(&layers::metadata(&root()).unwrap()));
}

#[test]
fn binaries_link_only_what_they_need() {
    let metadata = layers::metadata(&root()).unwrap();
    clean(&layers::check_linked(&root(), &metadata).unwrap());
}

#[test]
fn every_crate_says_what_it_is_and_how_it_is_licensed() {
    clean(&layers::check_manifests(&layers::metadata(&root()).unwrap()));
    clean(&sources::check_crate_docs(&root()));
}

#[test]
fn no_file_is_too_long() {
    clean(&sources::check_length(&root()));
}

#[test]
fn the_changelog_keeps_its_form() {
    clean(&changelog::check(
        &std::fs::read_to_string(root().join("CHANGELOG.md")).unwrap(),
    ));
}

#[test]
fn the_documents_name_commands_and_files_that_exist() {
    clean(&documents::check_commands(&root()));
    clean(&documents::check_links(&root()));
}

#[test]
fn the_appliance_is_defined_once() {
    clean(&definitions::check_said_once(&root()));
    clean(&definitions::check_paths(&root()));
}

#[test]
fn decisions_are_numbered_and_complete() {
    clean(&documents::check_decisions(&root()));
}
