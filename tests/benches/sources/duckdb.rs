//! DuckDB reading the same files and doing the same.

use crate::{
    files::{Files, Shape},
    median,
    reading::Source,
};
use entente_test_servers::xml_store::XmlStore;
use serde_json::{Value, json};
use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

const ROUNDS: usize = 2;
/// As many as the gateway's machine has.
const THREADS: usize = 2;

/// Prints how DuckDB compares, as far as it is there.
pub fn compare(files: &Files, store: &XmlStore, sources: &[Source]) {
    println!();
    let Some(python) = std::env::var_os("ENTENTE_TEST_PYTHON") else {
        return println!("DuckDB is left out: ENTENTE_TEST_PYTHON names no Python that has it");
    };
    let out = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    for source in sources {
        let bucket = (!source.is_local).then(|| bucket(store));
        let pattern = match source.shape {
            Shape::Parquet => "*.parquet",
            Shape::Gzip => "*.csv.gz",
            Shape::One => "people.csv",
            Shape::Many => "*.csv",
        };
        let folder = files.path(source.shape);
        let folder =
            if source.is_local { folder.display().to_string() } else { format!("s3://luma/{}", source.shape.name()) };
        let asked = json!({
            "files": format!("{folder}/{pattern}"), "out": out.path(), "threads": THREADS, "bucket": bucket,
        });
        let answers: Vec<Value> = (0..ROUNDS).map(|_| ask(python.as_ref(), &asked)).collect();
        if let Some(why) = answers[0]["left_out"].as_str() {
            println!("DuckDB, {}: left out: {why}", source.name());
            continue;
        }
        let of = |field: &str| median(answers.iter().map(|answer| answer[field].as_f64().unwrap()));
        assert_eq!(answers[0]["rows"], files.rows, "{}", source.name());
        println!(
            "DuckDB {}, {}: {:.2} s, processor {:.2} s, {:.0} MiB; the gateway takes {:.2} of its time",
            answers[0]["version"].as_str().unwrap(),
            source.name(),
            of("seconds"),
            of("processor"),
            of("mebibytes"),
            source.seconds() / of("seconds"),
        );
    }
}

fn bucket(store: &XmlStore) -> Value {
    let settings = store.settings();
    let credentials = &settings["credentials"];
    json!({
        "endpoint": store.server.address().to_string(), "key": credentials["access_key_id"],
        "secret": credentials["secret_access_key"], "token": credentials["session_token"],
    })
}

fn ask(python: &Path, asked: &Value) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/sources/reading_duckdb.py");
    let mut process =
        Command::new(python).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("Python starts");
    process.stdin.take().unwrap().write_all(asked.to_string().as_bytes()).unwrap();
    let output = process.wait_with_output().unwrap();
    assert!(output.status.success(), "DuckDB fails; has ENTENTE_TEST_PYTHON the module duckdb?");
    serde_json::from_slice(&output.stdout).unwrap()
}
