//! Deliveries through the plugin's C table to servers on this machine.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod password_server;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Duration;

use arrow_array::RecordBatch;
use entente_destination::caller::{CallError, Session};
use entente_destination::files::{Files, Format, Manifest, Part, part_name};
use entente_destination::rows::{Row, Rows, batch};
use entente_destination::testkit::{
    TakenRow, Trouble, World, check, deliver, kind, operator, plugin, sample_rows, write,
};
use entente_destination::{Delivery, DestinationError, IdentityFormat, Operator};
use serde_json::{Value, json};

use crate::Sftp;
use entente_test_servers::files;
use entente_test_servers::openssh::{FOLDER, Fate, OpenSsh, openssh_is_there};
use password_server::{Behind, PasswordServer, sftp_server_is_there};

/// The folder of a delivery of the test kit below it.
const DELIVERY: &str = "0190f3c4-trial/1";

/// The files of the delivery of these batches: what all destinations that write files write.
fn expected(format: Format, batches: &[&[TakenRow]]) -> BTreeMap<String, Vec<u8>> {
    let encoding = Files::new(format, IdentityFormat::Hex, BTreeMap::new()).unwrap();
    let (mut parts, mut expected) = (Vec::new(), BTreeMap::new());
    for (rows, sequence) in batches.iter().zip(1..) {
        let rows = record_batch(rows);
        let rows = Rows::read(&rows).unwrap();
        let content = encoding.encode(&rows).unwrap();
        parts.push(Part::new(sequence, format, &rows, &content));
        expected.insert(part_name(sequence, format), content);
    }
    let manifest = Manifest::new(&delivery(), &encoding, parts).to_json().unwrap();
    expected.insert("manifest.json".to_owned(), manifest);
    expected
}

fn record_batch(rows: &[TakenRow]) -> RecordBatch {
    let rows = rows.iter().map(|row| Row { match_key: &row.match_key, identity: &row.identity, change: row.change });
    batch(rows).unwrap()
}

/// A server, with other settings or another operator.
struct Changed<'a> {
    settings: Value,
    operator: Operator,
    server: &'a OpenSsh,
}

impl World for Changed<'_> {
    fn settings(&self) -> Value {
        self.settings.clone()
    }

    fn operator(&self) -> Operator {
        self.operator.clone()
    }

    fn taken(&self) -> Result<Vec<TakenRow>, String> {
        self.server.taken()
    }
}

fn check_with(server: &OpenSsh, changes: Value) -> Result<(), DestinationError> {
    check::<Sftp, _>(&Changed { settings: server.settings_with(changes), operator: operator(), server })
}

mod contract {
    entente_destination::contract_tests!(
        crate::Sftp, super::OpenSsh::start(); if super::openssh_is_there()
    );
}

#[test]
fn the_files_are_those_of_every_destination_that_writes_files() {
    if !openssh_is_there() {
        return;
    }
    // Not every server can replace files and write them to its disk when told to.
    let sample = sample_rows(500);
    let batches = [&sample[..200], &[], &sample[200..300], &sample[300..]];
    for (format, name, options) in [
        (Format::Parquet, "parquet", ""),
        (Format::Csv, "csv", "-P posix-rename,fsync"),
        (Format::Parquet, "parquet", "-P posix-rename,fsync"),
    ] {
        let server = OpenSsh::start_with(name, options);
        let mut session = open(&server);
        for sequence in [1, 1, 2, 3, 4, 3] {
            write_rows(&mut session, sequence, batches[sequence as usize - 1]).unwrap();
        }
        session.finish().unwrap();
        session.finish().unwrap();
        assert_eq!(files(&server.folder().join(DELIVERY)), expected(format, &batches), "{name} {options}");
    }
}

fn delivery() -> Delivery {
    Delivery {
        activation: "0190f3c4-trial".to_owned(),
        name: "Spring shoes".to_owned(),
        generation: "1".to_owned(),
        match_keys: vec!["hashed_email".to_owned(), "hashed_phone".to_owned()],
        ..Delivery::default()
    }
}

fn open(server: &OpenSsh) -> Session {
    plugin::<Sftp>().unwrap().open(&server.settings(), &server.operator(), &delivery()).unwrap()
}

fn write_rows(session: &mut Session, sequence: u64, rows: &[TakenRow]) -> Result<(), DestinationError> {
    let rows = record_batch(rows);
    destination_error(session.write(sequence, &format!("trial-{sequence}"), &rows).map(drop))
}

fn destination_error<T>(outcome: Result<T, CallError>) -> Result<T, DestinationError> {
    outcome.map_err(|error| match error {
        CallError::Destination(error) => error,
        other => DestinationError::Permanent(format!("the plugin broke: {other}")),
    })
}

#[test]
fn a_part_that_was_cut_is_written_again() {
    if !openssh_is_there() {
        return;
    }
    let sample = sample_rows(30_000);
    let expected = expected(Format::Csv, &[&sample[..10], &sample[10..]]);
    for fate in [Fate::Cut, Fate::Killed] {
        let server = OpenSsh::start();
        let mut session = open(&server);
        write_rows(&mut session, 1, &sample[..10]).unwrap();
        server.limit(500_000, fate);
        let error = write_rows(&mut session, 2, &sample[10..]).unwrap_err();
        assert_eq!(error.kind(), "TRANSIENT", "{error}");
        let left: Vec<String> = files(&server.folder().join(DELIVERY)).into_keys().collect();
        let entries = [".part-00001.json", ".part-00002.csv.tmp", ".part-00002.json", "part-00001.csv"];
        assert_eq!(left, entries, "{fate:?}");
        if fate == Fate::Killed {
            let error = write_rows(&mut session, 2, &sample[10..]).unwrap_err();
            assert_eq!(error.kind(), "TRANSIENT", "{error}");
        }
        server.start_again();
        write_rows(&mut session, 2, &sample[10..]).unwrap();
        session.finish().unwrap();
        assert_eq!(files(&server.folder().join(DELIVERY)), expected, "{fate:?}");
    }
}

#[test]
fn check_leaves_nothing_behind() {
    if !openssh_is_there() {
        return;
    }
    let server = OpenSsh::start();
    for folder in [FOLDER.to_owned(), format!("{FOLDER}/"), server.folder().to_str().unwrap().to_owned()] {
        assert_eq!(check_with(&server, json!({"folder": folder})), Ok(()), "{folder}");
    }
    assert_eq!(files(&server.folder()), BTreeMap::new());
    assert_eq!(server.connections(), 3);
}

#[test]
fn a_folder_that_is_not_there_or_closed_is_for_the_account_to_change() {
    if !openssh_is_there() {
        return;
    }
    let server = OpenSsh::start();
    fs::write(server.path("home/file"), "").unwrap();
    for folder in ["missing", "audiences/missing", "file"] {
        let error = check_with(&server, json!({"folder": folder})).unwrap_err();
        assert_eq!(error.kind(), "CONFIG", "{folder}: {error}");
    }
    assert!(!server.path("home/missing").exists());
    let closed = OpenSsh::start_with("csv", "-R");
    let error = check_with(&closed, json!({})).unwrap_err();
    assert!(error.kind() == "CONFIG" && error.to_string().ends_with(": Permission denied"), "{error}");
}

#[test]
fn another_host_key_is_refused_and_shown() {
    if !openssh_is_there() {
        return;
    }
    let server = OpenSsh::start();
    server.make_key("other", "ed25519", "");
    let error = check_with(&server, json!({"host_key": server.text("other.pub")})).unwrap_err();
    let fingerprint = error.to_string().split(' ').find(|word| word.starts_with("SHA256:")).unwrap().to_owned();
    assert_eq!(error.kind(), "CONFIG");
    // What was shown is the server's.
    let fingerprint = fingerprint.trim_end_matches('.');
    assert_eq!(check_with(&server, json!({"host_key": fingerprint})), Ok(()));
    server.make_key("rsa", "rsa", "");
    let error = check_with(&server, json!({"host_key": server.text("rsa.pub")})).unwrap_err();
    assert_eq!(error.kind(), "CONFIG", "{error}");
}

#[test]
fn keys_of_every_kind_are_taken() {
    if !openssh_is_there() {
        return;
    }
    let server = OpenSsh::start();
    for kind in ["ecdsa", "rsa"] {
        server.make_key(kind, kind, "");
        server.add("config", &format!("HostKey {}", server.path(kind).display()));
        server.add("authorized_keys", &server.text(&format!("{kind}.pub")));
        let (host_key, key) = (server.text(&format!("{kind}.pub")), server.text(kind));
        assert_eq!(check_with(&server, json!({"host_key": host_key, "private_key": key})), Ok(()), "{kind}");
    }
}

#[test]
fn a_wrong_key_is_refused() {
    if !openssh_is_there() {
        return;
    }
    let server = OpenSsh::start();
    server.make_key("stranger", "ed25519", "");
    server.make_key("encrypted", "ed25519", "open sesame");
    server.add("authorized_keys", &server.text("encrypted.pub"));
    let encrypted = server.text("encrypted");
    for (changes, expected) in [
        (json!({"private_key": server.text("stranger")}), "AUTH"),
        (json!({"user": "nobody-of-this-name"}), "AUTH"),
        (json!({"private_key": null, "password": "open sesame"}), "AUTH"),
        (json!({"private_key": encrypted, "passphrase": "open sesame"}), "-"),
        (json!({"private_key": encrypted, "passphrase": "close sesame"}), "CONFIG"),
        (json!({"private_key": encrypted}), "CONFIG"),
        (json!({"passphrase": "open sesame"}), "CONFIG"),
        (json!({"private_key": server.text("user.pub")}), "CONFIG"),
    ] {
        let outcome = check_with(&server, changes);
        assert_eq!(kind(&outcome), expected, "{outcome:?}");
        assert!(outcome.err().is_none_or(|error| !error.to_string().contains("sesame")));
    }
}

#[test]
fn a_network_that_is_not_allowed_is_not_connected_to() {
    if !openssh_is_there() {
        return;
    }
    let server = OpenSsh::start();
    for host in ["localhost", "127.0.0.1", "::1", "::ffff:127.0.0.1"] {
        let settings = server.settings_with(json!({"host": host}));
        let world = Changed { settings, operator: Operator::default(), server: &server };
        assert_eq!(kind(&check::<Sftp, _>(&world)), "CONFIG", "{host}");
        assert_eq!(kind(&write::<Sftp, _>(&world, 1)), "CONFIG", "{host}");
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn a_lost_part_is_not_papered_over() {
    if !openssh_is_there() {
        return;
    }
    let server = OpenSsh::start();
    let (mut session, folder) = (open(&server), server.folder().join(DELIVERY));
    for sequence in [1, 2] {
        write_rows(&mut session, sequence, &sample_rows(10)).unwrap();
    }
    fs::remove_file(folder.join("part-00001.csv")).unwrap();
    let error = session.finish().unwrap_err();
    assert_eq!(error.to_string(), "part 1 of the delivery is no longer there");
    assert!(!folder.join("manifest.json").exists());
}

#[test]
fn a_complete_delivery_stays_as_it_is() {
    if !openssh_is_there() {
        return;
    }
    let server = OpenSsh::start();
    deliver::<Sftp, _>(&server, &sample_rows(10), &[], Trouble::None).unwrap();
    let outcome = write_rows(&mut open(&server), 1, &sample_rows(20));
    assert_eq!(kind(&outcome), "PERMANENT");
    assert_eq!(server.taken().unwrap().len(), 10);
}

#[test]
fn a_password_is_taken_or_refused() {
    if !sftp_server_is_there() {
        return;
    }
    let server = PasswordServer::start();
    deliver::<Sftp, _>(&server, &sample_rows(100), &[30], Trouble::CrashAfterEveryBatch).unwrap();
    let mut settings = server.settings();
    settings["password"] = "close sesame".into();
    let error = plugin::<Sftp>().unwrap().check(&settings, &server.operator()).unwrap_err();
    assert_eq!(error.to_string(), "the server refuses the user or the password");
}

#[test]
fn servers_that_do_not_keep_to_the_protocol_end_soon() {
    // The length of an answer of 4 GiB; an answer that is none; one to nothing that was asked.
    for bytes in [&b"\xff\xff\xff\xff\x02"[..], b"\0\0\0\x01\xff", b"\0\0\0\x05\x66\0\0\0\x07"] {
        let server = PasswordServer::start_with(|_: PathBuf| Behind::Bytes(bytes));
        let outcome = check::<Sftp, _>(&server);
        assert_eq!(kind(&outcome), "TRANSIENT", "{outcome:?}");
    }
}

/// Settings for whatever listens on a port.
struct Port(u16);

impl World for Port {
    fn settings(&self) -> Value {
        let host_key = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU";
        json!({
            "host": "127.0.0.1", "port": self.0, "user": "luma", "password": "x", "host_key": host_key, "folder": FOLDER
        })
    }

    fn taken(&self) -> Result<Vec<TakenRow>, String> {
        Ok(Vec::new())
    }
}

#[test]
fn a_server_that_goes_while_one_logs_in_has_not_refused() {
    if !openssh_is_there() {
        return;
    }
    let server = OpenSsh::start();
    for (bytes, fate) in (0..3000).step_by(100).zip([Fate::Cut, Fate::Killed].into_iter().cycle()) {
        server.start_again();
        server.limit(bytes, fate);
        let outcome = check::<Sftp, _>(&server);
        assert!(outcome.is_ok() || kind(&outcome) == "TRANSIENT", "after {bytes} bytes: {outcome:?}");
    }
}

#[test]
fn what_speaks_no_ssh_is_given_up() {
    let flood = |mut client: std::net::TcpStream| while client.write_all(&[b'x'; 4096]).is_ok() {};
    // Begins like one, and says nothing more until the other side ends it.
    let silence = |mut client: std::net::TcpStream| {
        client.write_all(b"SSH-2.0-silence\r\n").unwrap();
        let _ = std::io::copy(&mut client, &mut std::io::sink());
    };
    let closing = drop::<std::net::TcpStream>;
    for serve in [flood as fn(std::net::TcpStream), silence, closing] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let world = Port(listener.local_addr().unwrap().port());
        let serving = std::thread::spawn(move || serve(listener.accept().unwrap().0));
        let outcome = check::<Sftp, _>(&world);
        assert_eq!(kind(&outcome), "TRANSIENT", "{outcome:?}");
        // The connection was ended, not only left.
        serving.join().unwrap();
    }
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let started = std::time::Instant::now();
    assert_eq!(kind(&check::<Sftp, _>(&Port(nobody))), "TRANSIENT");
    assert!(started.elapsed() < Duration::from_secs(10));
}
