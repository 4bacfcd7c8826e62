//! Plugins that are not made with the SDK: one in C, and one that another compiler made with another arrow. The boundary
//! is C and Arrow C Data, so the worker cannot tell.

use crate::{
    deliveries::files,
    harness::{Gateway, Kind, Options, on_both_databases, tool_is_there},
    stories,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
};

/// How often each identity is to be delivered.
type Expected = BTreeMap<String, u32>;

/// Delivers what two sides hold, to a destination of the one type that the gateway's only plugin provides.
async fn deliver(gateway: &Gateway, destination_type: &str, settings: Value) -> Expected {
    let (luma, tv_tube) = stories::two_sides(gateway).await;
    let made = tv_tube.try_destination(destination_type, settings).await;
    assert_eq!(made["userErrors"], json!([]));

    let destination = made["destination"]["id"].as_str().unwrap();
    let (activation, expected) = stories::deliver_runners(&luma, &tv_tube, destination).await;
    assert_eq!((&activation["delivered"], &activation["rejected"]), (&json!(expected.len()), &json!(0)));
    expected
}

/// A gateway that finds this plugin, was told to allow it, and was started again.
async fn gateway_with(plugin: &Path, kind: Kind) -> Gateway {
    let folder = plugin.parent().unwrap().to_str().unwrap().to_owned();
    let mut gateway = Gateway::start_with(kind, Options { settings: vec![("ENTENTE_PLUGINS", folder)] }).await;
    assert!(gateway.log().contains("plugin is not allowed"), "{}", gateway.log());
    let (allowed, said) = gateway.run(&["plugin", "allow", plugin.to_str().unwrap()], &[]);
    assert!(allowed, "{said}");
    gateway.stop();
    gateway.start_again();
    gateway
}

/// The files with this ending that were delivered.
fn delivered(gateway: &Gateway, ending: &str) -> Vec<PathBuf> {
    let mut files = files(&gateway.data().join("landing"));
    files.retain(|file| file.extension().is_some_and(|is| is == ending));
    files
}

on_both_databases! {
    async fn a_plugin_in_c_delivers_every_identity_once(kind: Kind) {
        if !tool_is_there("cc, make or jansson", entente_ndjson_files::can_be_compiled()) {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let plugin = entente_ndjson_files::compile(folder.path(), "-O2").unwrap();
        let gateway = gateway_with(&plugin, kind).await;
        let expected = deliver(&gateway, "ndjson-files", json!({ "folder": "audiences" })).await;

        let mut identities = Expected::new();
        for file in delivered(&gateway, "ndjson") {
            for line in std::fs::read_to_string(file).unwrap().lines() {
                let row: Value = serde_json::from_str(line).unwrap();
                assert_eq!((&row["match_key"], &row["change"]), (&json!("hashed_email"), &json!("added")));
                *identities.entry(row["identity"].as_str().unwrap().to_owned()).or_default() += 1;
            }
        }
        assert_eq!(identities, expected);
        let manifests = delivered(&gateway, "json");
        let manifest: Value = serde_json::from_slice(&std::fs::read(&manifests[0]).unwrap()).unwrap();
        assert_eq!((manifests.len(), &manifest["added"]), (1, &json!(expected.len())));
    }
}

on_both_databases! {
    async fn a_plugin_by_another_compiler_with_another_arrow_delivers_every_identity_once(kind: Kind) {
        let Some(plugin) = compiled_by_another() else { return };
        let gateway = gateway_with(&plugin, kind).await;
        let expected = deliver(&gateway, "foreign", json!({})).await;

        let mut identities = Expected::new();
        for file in delivered(&gateway, "txt") {
            for line in std::fs::read_to_string(file).unwrap().lines() {
                *identities.entry(line.to_owned()).or_default() += 1;
            }
        }
        assert_eq!(identities, expected);
    }
}

/// The compiler that the system brings, beside the one that compiled this.
const OTHER_RUSTC: &str = "/usr/bin/rustc";
const OTHER_CARGO: &str = "/usr/bin/cargo";

/// What a compiler says of its version; `None` where it is not there.
fn version(rustc: &str) -> Option<String> {
    let output = Command::new(rustc).arg("--version").output().ok()?;
    let said = String::from_utf8(output.stdout).unwrap();
    said.split(' ').nth(1).map(str::to_owned)
}

/// The plugin in `foreign-plugin`, compiled by the other compiler and kept in the target folder.
fn compiled_by_another() -> Option<PathBuf> {
    let (ours, other) = (version("rustc"), version(OTHER_RUSTC));
    let there = other.is_some() && other != ours && Path::new(OTHER_CARGO).exists();
    if !tool_is_there("a second Rust compiler", there) {
        return None;
    }
    let target = concat!(env!("CARGO_TARGET_TMPDIR"), "/foreign-plugin");
    let mut cargo = Command::new(OTHER_CARGO);
    cargo.args(["build", "--locked", "--target-dir", target]);
    cargo.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/foreign-plugin")).env("RUSTC", OTHER_RUSTC);
    // What the tests' own cargo and compiler are told is not meant for these.
    let ours = ["LD_LIBRARY_PATH", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"];
    for name in ours {
        cargo.env_remove(name);
    }
    let output = cargo.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let plugin = PathBuf::from(target).join("debug/libforeign_plugin.so");
    let mark = format!("rustc version {}", other.unwrap());
    let bytes = std::fs::read(&plugin).unwrap();
    assert!(bytes.windows(mark.len()).any(|at| at == mark.as_bytes()), "the other compiler made it");
    Some(plugin)
}
