//! A real mail server on this machine: one process for all tests. It keeps what it takes.

use super::tool_is_there;
use serde_json::Value;
use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, Mutex, OnceLock},
    time::{Duration, Instant},
};

pub struct Mail {
    pub url: String,
    taken: Arc<Mutex<Vec<Value>>>,
    /// It ends when this is closed, as happens when the tests end.
    _stdin: ChildStdin,
    _process: Child,
}

impl Mail {
    /// The mails that an address got, the first one first.
    pub fn of(&self, address: &str) -> Vec<Value> {
        let taken = self.taken.lock().unwrap();
        taken.iter().filter(|mail| mail["to"][0] == address).cloned().collect()
    }

    /// Waits until an address got so many mails; the last of them.
    pub async fn last_of(&self, address: &str, count: usize) -> Value {
        let started = Instant::now();
        loop {
            let mut mails = self.of(address);
            if mails.len() >= count {
                assert_eq!(mails.len(), count);
                return mails.remove(count - 1);
            }
            assert!(started.elapsed() < Duration::from_secs(60), "{address} got {} of {count} mails", mails.len());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// The server, or `None` where it is not on this machine.
pub fn mail() -> Option<&'static Mail> {
    static SERVER: OnceLock<Option<Mail>> = OnceLock::new();
    let server = SERVER.get_or_init(|| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("emulators");
        folder.join("node_modules/smtp-server").exists().then(|| start(&folder)).flatten()
    });
    tool_is_there("tests/emulators/node_modules/smtp-server", server.is_some()).then_some(server.as_ref()).flatten()
}

fn start(folder: &Path) -> Option<Mail> {
    let mut command = Command::new("node");
    command.arg("smtp.mjs").current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut process = command.spawn().ok()?;
    let (stdin, stdout) = (process.stdin.take()?, process.stdout.take()?);
    let mut lines = BufReader::new(stdout).lines();
    let url = lines.next()?.ok()?.strip_prefix("listens on ")?.to_owned();
    let taken = Arc::new(Mutex::new(Vec::new()));
    let kept = taken.clone();
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            kept.lock().unwrap().push(serde_json::from_str(&line).unwrap());
        }
    });
    Some(Mail { url, taken, _stdin: stdin, _process: process })
}
