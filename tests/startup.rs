//! Starting, settings, and what the command line says.

use crate::harness::{Gateway, Kind, Options, on_both_databases};
use std::{
    process::{Command, Output},
    time::{Duration, Instant},
};

fn program(args: &[&str], settings: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_entente-under-test"))
        .args(args)
        .env_clear()
        .envs(settings.iter().copied())
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn help_says_what_there_is() {
    let help = said(&program(&["--help"], &[]));
    for word in ["serve", "settings", "schema", "key", "audit", "plugin", "ENTENTE_LISTEN"] {
        assert!(help.contains(word), "{help}");
    }
    assert!(said(&program(&["settings"], &[])).contains("listen = \"127.0.0.1:8080\""));
}

#[test]
fn an_unknown_setting_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let variable = program(&["serve"], &[("ENTENTE_DATA", data.to_str().unwrap()), ("ENTENTE_LISTEM", "x")]);
    assert!(!variable.status.success() && said(&variable).contains("listem"), "{}", said(&variable));

    let file = folder.path().join("settings.toml");
    std::fs::write(&file, "treshold = 100\n").unwrap();
    let from_file = program(&["serve", "--config", file.to_str().unwrap()], &[]);
    assert!(!from_file.status.success() && said(&from_file).contains("treshold"), "{}", said(&from_file));

    let too_low = program(&["serve"], &[("ENTENTE_THRESHOLD", "49")]);
    assert!(!too_low.status.success() && said(&too_low).contains("never under 50"), "{}", said(&too_low));
    assert!(!data.exists(), "a refused start leaves nothing");
}

on_both_databases! {
    /// A start on what is there is quick, shows no operator key, and knows who it knew.
    async fn a_second_start_finds_everything(kind: Kind) {
        let mut gateway = Gateway::start(kind).await;
        let luma = crate::stories::Party::create(&gateway, "Luma", "ADVERTISER").await;
        let code = luma.connect_code().await;
        assert!(gateway.stop() < Duration::from_secs(10));
        let started = Instant::now();
        gateway.start_again();
        let took = started.elapsed();
        assert!(took < Duration::from_secs(5), "{took:?}");
        let luma = crate::stories::Party { client: luma.client.at(&gateway.url), ..luma };
        assert_eq!(luma.connect_code().await, code);
    }
}

#[tokio::test]
async fn the_first_start_allows_the_bundled_plugins_alone() {
    let gateway = Gateway::start(Kind::Sqlite).await;
    let list = std::fs::read_to_string(gateway.data().join("plugins/allowed.toml")).unwrap();
    let listed = |name: &str| list.matches(name).count();
    assert_eq!([listed("[[plugin]]"), listed("landing_zone"), listed("webhook")], [2, 1, 1], "{list}");
    assert!(gateway.log().contains("a bundled plugin is allowed"), "{}", gateway.log());
    let foreign = gateway.data().join("libforeign.so");
    let allow = || gateway.command().args(["plugin", "allow"]).arg(&foreign).output().unwrap();
    std::fs::write(&foreign, b"not a plugin").unwrap();
    assert!(!allow().status.success());
    assert_eq!(std::fs::read_to_string(gateway.data().join("plugins/allowed.toml")).unwrap(), list);
    // The same plugin by another hash.
    let mut bytes = std::fs::read(gateway.data().join("program/libentente_landing_zone.so")).unwrap();
    bytes.push(0);
    std::fs::write(&foreign, bytes).unwrap();
    let allowed = allow();
    assert!(allowed.status.success());
    let said = String::from_utf8_lossy(&allowed.stdout);
    assert!(said.contains("connects to no host, and writes into the folder set aside for it"), "{said}");
    let list = std::fs::read_to_string(gateway.data().join("plugins/allowed.toml")).unwrap();
    assert!(list.contains("libforeign.so"), "{list}");
    let disallow = || gateway.command().args(["plugin", "disallow"]).arg(&foreign).output().unwrap().status;
    assert!(disallow().success());
    let list = std::fs::read_to_string(gateway.data().join("plugins/allowed.toml")).unwrap();
    assert!(!list.contains("libforeign.so"), "{list}");
    assert!(!disallow().success(), "it was not allowed any longer");
}

on_both_databases! {
    /// A database that a newer program migrated is refused with a message that says so.
    async fn a_newer_database_is_refused(kind: Kind) {
        let mut gateway = Gateway::start_with(kind, Options::default()).await;
        gateway.stop();
        gateway.database().execute(
            gateway.data(),
            "insert into __diesel_schema_migrations (version, run_on) values ('99991231000000', current_timestamp)",
        );
        let refused = gateway.command().arg("serve").stderr(std::process::Stdio::piped()).output().unwrap();
        assert!(!refused.status.success());
        assert!(said(&refused).contains("newer than this program"), "{}", said(&refused));
    }
}
