//! A real OpenSSH server on a port of this machine, for one test: `sshd` serves each connection as it does under inetd,
//! with keys and settings of its own. Between it and its clients stands a relay that can cut them apart.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::{fs, thread};

use entente_destination::testkit::{TakenRow, World, delivered};
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::files_of_one_delivery;

/// The folder of the settings.
pub const FOLDER: &str = "audiences";

const SSHD: &str = "/usr/sbin/sshd";

/// Whether this machine has the server; it has to where `ENTENTE_TEST_REQUIRE` is set.
pub fn openssh_is_there() -> bool {
    let found = Path::new(SSHD).exists();
    if !found {
        assert!(std::env::var_os("ENTENTE_TEST_REQUIRE").is_none(), "{SSHD} is missing");
        eprintln!("left out: {SSHD} is not on this machine; .ci/run installs it");
    }
    found
}

/// What happens to a connection that sent more than it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is cut; the server goes on.
    Cut,
    /// The server is killed, and takes no connection until it is started again.
    Killed,
}

pub struct OpenSsh {
    root: TempDir,
    pub port: u16,
    relay: Arc<Relay>,
    format: &'static str,
}

/// What the threads of a server share.
struct Relay {
    config: PathBuf,
    stopped: AtomicBool,
    down: AtomicBool,
    connections: AtomicU64,
    /// How many bytes clients may still send before their fate.
    left: AtomicU64,
    fate: Mutex<Fate>,
}

impl OpenSsh {
    pub fn start() -> Self {
        Self::start_with("csv", "")
    }

    /// A server that starts `internal-sftp` with these options, for files of this format.
    pub fn start_with(format: &'static str, options: &str) -> Self {
        // No name on the way to the folder may start with a dot.
        let root = tempfile::Builder::new().prefix("entente-sftp").tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        fs::create_dir_all(path("home").join(FOLDER)).unwrap();
        make_key(&path("host"), "ed25519", "");
        make_key(&path("user"), "ed25519", "");
        fs::copy(path("user.pub"), path("authorized_keys")).unwrap();
        let config = format!(
            "HostKey {root}/host\nAuthorizedKeysFile {root}/authorized_keys\nStrictModes no\nUsePAM no\nPidFile none\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\n\
             LogLevel ERROR\nSubsystem sftp internal-sftp\nForceCommand internal-sftp -d {root}/home {options}\n",
            root = root.path().display()
        );
        fs::write(path("config"), config).unwrap();
        // As root, sshd wants the folder that its service else makes when the machine starts.
        if rustix::process::geteuid().is_root() {
            fs::create_dir_all("/run/sshd").unwrap();
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let relay = Arc::new(Relay {
            config: path("config"),
            stopped: AtomicBool::new(false),
            down: AtomicBool::new(false),
            connections: AtomicU64::new(0),
            left: AtomicU64::new(u64::MAX),
            fate: Mutex::new(Fate::Cut),
        });
        let shared = Arc::clone(&relay);
        thread::spawn(move || shared.accept(&listener));
        Self { root, port, relay, format }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Makes a key pair `name`, `name.pub`.
    pub fn make_key(&self, name: &str, kind: &str, passphrase: &str) {
        make_key(&self.path(name), kind, passphrase);
    }

    /// Adds a line to one of the server's files.
    pub fn add(&self, name: &str, line: &str) {
        let file = fs::OpenOptions::new().append(true).open(self.path(name));
        writeln!(file.unwrap(), "{line}").unwrap();
    }

    /// The settings with some changed.
    pub fn settings_with(&self, changes: Value) -> Value {
        let mut settings = self.settings();
        settings.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        settings
    }

    /// The folder that files are to be delivered below.
    pub fn folder(&self) -> PathBuf {
        self.path("home").join(FOLDER)
    }

    /// How many connections were made.
    pub fn connections(&self) -> u64 {
        self.relay.connections.load(Ordering::SeqCst)
    }

    /// Lets clients send so many bytes more.
    pub fn limit(&self, bytes: u64, fate: Fate) {
        *self.relay.fate.lock().unwrap() = fate;
        self.relay.left.store(bytes, Ordering::SeqCst);
    }

    /// Starts it again after it was killed, and lets clients send what they like.
    pub fn start_again(&self) {
        self.relay.left.store(u64::MAX, Ordering::SeqCst);
        self.relay.down.store(false, Ordering::SeqCst);
    }
}

impl Drop for OpenSsh {
    fn drop(&mut self) {
        self.relay.stopped.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], self.port)));
    }
}

impl World for OpenSsh {
    fn settings(&self) -> Value {
        json!({
            "host": "localhost",
            "port": self.port,
            "user": user(),
            "private_key": self.text("user"),
            "host_key": self.text("host.pub"),
            "folder": FOLDER,
            "format": self.format,
        })
    }

    fn taken(&self) -> Result<Vec<TakenRow>, String> {
        Ok(delivered(&files_of_one_delivery(&self.folder()))?.1)
    }
}

impl Relay {
    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        for client in listener.incoming().map(Result::unwrap) {
            if self.stopped.load(Ordering::SeqCst) {
                return;
            }
            self.connections.fetch_add(1, Ordering::SeqCst);
            if !self.down.load(Ordering::SeqCst) {
                let shared = Arc::clone(self);
                thread::spawn(move || shared.serve(&client));
            }
        }
    }

    /// Serves one connection until either side ends it.
    fn serve(&self, client: &TcpStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut sshd = self.sshd(theirs);
        thread::scope(|scope| {
            scope.spawn(|| {
                let _ = std::io::copy(&mut &ours, &mut &*client);
                let _ = client.shutdown(Shutdown::Both);
            });
            self.pass_on(client, &ours, &sshd);
            let _ = client.shutdown(Shutdown::Both);
            let _ = ours.shutdown(Shutdown::Both);
        });
        let _ = sshd.wait();
    }

    fn sshd(&self, socket: UnixStream) -> Child {
        let output = OwnedFd::from(socket.try_clone().unwrap());
        let mut command = Command::new(SSHD);
        command.arg("-i").arg("-f").arg(&self.config).process_group(0);
        command.stdin(OwnedFd::from(socket)).stdout(output).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Passes on what the client sends, until it has sent more than it may.
    fn pass_on(&self, mut client: &TcpStream, mut server: &UnixStream, sshd: &Child) {
        let mut buffer = [0; 16 * 1024];
        while let Ok(count @ 1..) = client.read(&mut buffer) {
            let spend = |left: u64| (left == u64::MAX).then_some(left).or_else(|| left.checked_sub(count as u64));
            if self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, spend).is_err() {
                if *self.fate.lock().unwrap() == Fate::Killed {
                    self.down.store(true, Ordering::SeqCst);
                    kill_process_group(Pid::from_child(sshd), Signal::KILL).unwrap();
                }
                return;
            }
            if server.write_all(&buffer[..count]).is_err() {
                return;
            }
        }
    }
}

/// The user that runs the tests.
pub fn user() -> String {
    let output = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn make_key(path: &Path, kind: &str, passphrase: &str) {
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-t", kind, "-N", passphrase, "-C", "", "-f"]).arg(path);
    assert!(command.status().unwrap().success());
}
