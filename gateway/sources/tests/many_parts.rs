//! A hundred thousand parts of each source: listed within seconds and little memory, and one more refused. In a process
//! of its own, as memory is the process's.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::{self, File};
use std::future::Future;
use std::time::{Duration, Instant};

use entente_source::types::SourceType;
use entente_source::{Operator, Source, SourceError};
use entente_test_servers::delta_sharing::DeltaSharing;
use entente_test_servers::snowflake::{Rows, Snowflake};
use entente_test_servers::xml_store::{Cloud, XmlStore};
use futures::TryStreamExt;
use serde_json::{Value, json};

/// The most parts that a source may have.
const MOST: usize = 100_000;
/// How long one listing may take, where all of a machine's cores build something else.
const LONGEST: Duration = Duration::from_secs(60);
/// What the process may need meanwhile, in MiB, with the servers of this test: less than what the program may.
const MOST_MEBIBYTES: u64 = 384;

#[test]
fn a_hundred_thousand_parts_are_listed_and_one_more_is_refused() {
    for cloud in Cloud::ALL {
        bucket(cloud);
    }
    local_folder();
    delta_sharing();
    snowflake();
}

fn bucket(cloud: Cloud) {
    let store = XmlStore::start(cloud);
    let name = |number: usize| format!("audiences/day={:02}/part-{number:06}.csv.gz", number % 100);
    (0..MOST).for_each(|number| store.put(&name(number), number.to_string()));
    let source = open(cloud.source_type(), &store.settings(), Operator::default());
    listed(cloud.source_type(), &*source, |number| (number / 1_000 + number % 1_000 * 100).to_string());
    assert_eq!(store.server.requests().len(), MOST / cloud.page() + 3);
    store.put(&name(MOST), "one more");
    refused(&*source);
}

fn local_folder() {
    // In memory, and sparse: no byte of them is anywhere.
    let folder = tempfile::tempdir_in("/dev/shm").unwrap();
    let create = |number: usize| {
        let day = folder.path().join(format!("day={:02}", number % 100));
        fs::create_dir_all(&day).unwrap();
        File::create(day.join(format!("{number:06}.csv"))).unwrap().set_len(1).unwrap();
    };
    (0..MOST).for_each(create);
    let operator = Operator { roots: vec![folder.path().to_owned()], ..Operator::default() };
    let source = open("local_folder", &json!({"folder": folder.path()}), operator);
    listed("local_folder", &*source, |_| "\0".to_owned());
    create(MOST);
    refused(&*source);
}

fn delta_sharing() {
    let server = DeltaSharing::start();
    let id = |number: usize| format!("{number:06}");
    server.shelf().files.extend((0..MOST).map(|number| (id(number), number.to_string().into_bytes())));
    let source = open("delta_sharing", &server.settings(), Operator::default());
    listed("delta_sharing", &*source, |number| number.to_string());
    // Pages of 2,000.
    assert_eq!(server.server.requests().len(), MOST / 2_000 + 3);
    server.put(&id(MOST), b"one more");
    refused(&*source);
}

fn snowflake() {
    let server = Snowflake::start();
    let rows = |most: usize| {
        let columns = vec![("ID".to_owned(), "fixed".to_owned())];
        Rows { columns, rows: (0..most).map(|number| vec![Some(number.to_string())]).collect() }
    };
    server.shelf().partition = 1;
    server.put(rows(MOST));
    let source = open("snowflake", &server.settings(), Operator::default());
    listed("snowflake", &*source, |number| format!("ID\n{number}\n"));
    server.put(rows(MOST + 1));
    refused(&*source);
}

fn open(source_type: &str, settings: &Value, operator: Operator) -> Box<dyn Source> {
    let networks = vec!["127.0.0.0/8".parse().unwrap()];
    SourceType::find(source_type).unwrap().open(settings, &Operator { networks, ..operator }).unwrap()
}

/// Lists all parts, and reads some, of which it is known what they hold.
fn listed(what: &str, source: &dyn Source, content: impl Fn(usize) -> String) {
    // The most that was needed is forgotten when Linux is told so.
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let began = Instant::now();
    let parts = now(source.list(MOST)).unwrap();
    let (took, needed) = (began.elapsed(), most_memory());
    println!("{what}: {MOST} parts listed in {took:.1?}, {needed} MiB");
    assert!(took < LONGEST && needed <= MOST_MEBIBYTES, "{what}: {took:?}, {needed} MiB");
    assert_eq!(parts.len(), MOST);
    assert!(parts.is_sorted_by(|a, b| a.name < b.name));
    for number in [0, MOST / 2, MOST - 1] {
        let part = &parts[number];
        let read = now(async { source.open(part, 0..part.size).await?.try_collect::<Vec<_>>().await }).unwrap();
        assert_eq!(String::from_utf8(read.concat()).unwrap(), content(number), "{what} {number}");
    }
}

fn refused(source: &dyn Source) {
    assert_eq!(now(source.list(MOST)).unwrap_err(), SourceError::TooManyParts(MOST));
}

/// The most memory that this process had, in MiB.
fn most_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() / 1024
}

/// Servers of tests have runtimes of their own, and are asked outside of this one.
fn now<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(future)
}
