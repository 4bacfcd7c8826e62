//! Single calls on a worker process, and what becomes of it.

use std::path::Path;
use std::time::{Duration, Instant};

use entente_destination::{DestinationError, Operator};

use super::fixture::{Place, compile, launcher, plugin_file, workers};
use crate::destinations::confinement::Reach;
use crate::destinations::contract::{Launcher, Worker, WorkerError, WorkerFault};
use crate::destinations::plugin::FileHash;
use crate::destinations::process::{PluginFile, ProcessWorker, Timeouts, Workers};

async fn start() -> Result<ProcessWorker, WorkerFault> {
    workers().start(&plugin_file(), &Reach::default()).await
}

async fn check(worker: &mut ProcessWorker, mode: &str) -> Result<(), WorkerError> {
    worker.check(&Place::settings(mode), &Operator::default()).await
}

async fn check_once(mode: &str) -> Result<(), WorkerError> {
    check(&mut start().await.unwrap(), mode).await
}

#[tokio::test]
async fn a_plugin_in_c_describes_itself() {
    let description = launcher().launch(&Reach::default()).await.unwrap().describe().await.unwrap();
    assert_eq!((description.id.as_str(), description.version.as_str()), ("fixture", "1.0"));
}

#[tokio::test]
async fn errors_leave_the_worker_alive() {
    let mut worker = start().await.unwrap();
    let wrong = WorkerError::Destination(DestinationError::Auth("wrong token".to_owned()));
    assert_eq!(check(&mut worker, "auth").await, Err(wrong));
    assert_eq!(check(&mut worker, "").await, Ok(()));
    assert!(worker.id().is_some());
}

#[tokio::test]
async fn faults_are_told_apart_and_end_the_worker() {
    type Expected = fn(&WorkerFault) -> bool;
    let cases: [(&str, Expected); 6] = [
        ("exit", |fault| matches!(fault, WorkerFault::Ended(status) if status.contains('3'))),
        ("segfault", |fault| matches!(fault, WorkerFault::Ended(status) if status.contains("11"))),
        ("panicked", |fault| *fault == WorkerFault::Panicked),
        ("not json", |fault| matches!(fault, WorkerFault::Garbage(_))),
        ("unknown status", |fault| matches!(fault, WorkerFault::Garbage(_))),
        ("huge", |fault| matches!(fault, WorkerFault::Garbage(_))),
    ];
    for (mode, expected) in cases {
        let mut worker = start().await.unwrap();
        let Err(WorkerError::Fault(fault)) = check(&mut worker, mode).await else { unreachable!("{mode}") };
        assert!(expected(&fault), "{mode}: {fault}");
        assert_eq!(check(&mut worker, "").await, Err(fault.into()), "it stays lost");
        assert_eq!(worker.id(), None, "and is gone");
    }
}

#[tokio::test]
async fn a_hanging_plugin_is_killed() {
    let timeouts = Timeouts { check: Duration::from_millis(200), ..Timeouts::default() };
    let workers = Workers { timeouts, ..workers() };
    let mut worker = workers.start(&plugin_file(), &Reach::default()).await.unwrap();
    let began = Instant::now();
    let fault = check(&mut worker, "hang").await.unwrap_err();
    assert_eq!(fault, WorkerFault::TimedOut { call: "check", after: Duration::from_millis(200) }.into());
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(worker.id(), None);
}

#[tokio::test]
async fn a_call_that_was_given_up_does_not_answer_the_next() {
    let mut worker = start().await.unwrap();
    let given_up = tokio::time::timeout(Duration::from_millis(50), check(&mut worker, "hang")).await;
    assert!(given_up.is_err());
    assert!(matches!(check(&mut worker, "").await, Err(WorkerError::Fault(_))));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_plugin_finds_nothing_of_the_gateway() {
    // A file that every child inherits, as careless programs that start the gateway leave them.
    let _left_open = rustix::io::dup(std::io::stderr()).unwrap();
    // The worker's files are the socket, twice: to read from and to write to; and the one to ask for connections on.
    let Err(WorkerError::Destination(DestinationError::Config(message))) = check_once("report").await else {
        unreachable!("the report is an error")
    };
    assert_eq!(message, "variables 0, files 3, stdin 0");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_dead_gateway_takes_a_hanging_worker_with_it() {
    let mut worker = start().await.unwrap();
    let process = format!("/proc/{}/stat", worker.id().unwrap());
    let given_up = tokio::time::timeout(Duration::from_millis(50), check(&mut worker, "hang")).await;
    assert!(given_up.is_err());
    let mut child = worker.abandon();
    let ended = tokio::time::timeout(Duration::from_secs(5), child.wait()).await;
    assert!(ended.is_ok(), "{process} is still there");
}

#[tokio::test]
async fn files_that_are_no_plugins_are_unusable() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("libtext.so");
    std::fs::write(&text, "text").unwrap();
    let no_table = compile(folder.path(), "fixture.c", "libnothing.so", &["-DNO_TABLE"]);
    for file in [text, no_table] {
        let plugin = PluginFile { hash: FileHash::of(&file).unwrap(), file };
        assert!(matches!(workers().start(&plugin, &Reach::default()).await, Err(WorkerFault::Unusable(_))));
    }
    let changed = PluginFile { hash: FileHash::of(Path::new("/dev/null")).unwrap(), ..plugin_file() };
    assert!(matches!(workers().start(&changed, &Reach::default()).await, Err(WorkerFault::Unusable(_))));
}

#[tokio::test]
async fn programs_that_are_no_workers_are_faults() {
    let program = |program: &str, arguments: &[&str]| Workers {
        program: program.into(),
        arguments: arguments.iter().map(Into::into).collect(),
        timeouts: Timeouts { load: Duration::from_millis(1500), ..Timeouts::default() },
        ..workers()
    };
    for (workers, expected) in [
        (program("/does/not/exist", &[]), "did not start"),
        (program("/bin/false", &[]), "ended"),
        (program("/bin/sh", &["-c", "exec cat >&0"]), "contract"),
        (program("/bin/sh", &["-c", "while :; do echo yyyyyyyy >&0; done"]), "contract"),
        (program("/bin/sh", &["-c", "exec sleep 100"]), "did not answer"),
    ] {
        let fault = workers.start(&plugin_file(), &Reach::default()).await.unwrap_err();
        assert!(fault.to_string().contains(expected), "{fault}, not {expected}");
    }
}

#[tokio::test]
async fn rows_that_cannot_be_read_are_a_fault() {
    for rows in ["/does/not/exist", "/dev/null", "/etc/passwd"] {
        let reach = Reach { rows: Some(rows.into()), ..Reach::default() };
        let fault = workers().start(&plugin_file(), &reach).await.unwrap_err();
        assert!(matches!(fault, WorkerFault::Rows(_)), "{rows}: {fault}");
    }
}
