//! A small SSH server that takes a password. OpenSSH's takes only those of the machine's users, and a test makes no
//! users. Behind it stands OpenSSH's `sftp-server`, or one that does not keep to the protocol.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use entente_destination::testkit::{TakenRow, World, delivered};
use entente_test_servers::files_of_one_delivery;
use entente_test_servers::openssh::FOLDER;
use russh::keys::{HashAlg, PrivateKey};
use russh::server::{Auth, ChannelOpenHandle, Config, Handler, Msg, Session};
use russh::{Channel, ChannelId};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::runtime::Runtime;

const SFTP_SERVER: &str = "/usr/lib/openssh/sftp-server";
pub const PASSWORD: &str = "open sesame";
/// An Ed25519 key, made for this test.
const HOST_KEY: &str = include_str!("host_key");

/// Whether this machine has `sftp-server`; it has to where `ENTENTE_TEST_REQUIRE` is set.
pub fn sftp_server_is_there() -> bool {
    let found = Path::new(SFTP_SERVER).exists();
    if !found {
        assert!(std::env::var_os("ENTENTE_TEST_REQUIRE").is_none(), "{SFTP_SERVER} is missing");
        eprintln!("left out: {SFTP_SERVER} is not on this machine; .ci/run installs it");
    }
    found
}

/// What stands behind the password.
#[derive(Debug, Clone)]
pub enum Behind {
    /// `sftp-server`, started in this folder.
    SftpServer(PathBuf),
    /// One that answers everything with these bytes.
    Bytes(&'static [u8]),
}

pub struct PasswordServer {
    root: TempDir,
    port: u16,
    host_key: String,
    _runtime: Runtime,
}

impl PasswordServer {
    pub fn start() -> Self {
        Self::start_with(Behind::SftpServer)
    }

    pub fn start_with(behind: impl FnOnce(PathBuf) -> Behind) -> Self {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join(FOLDER)).unwrap();
        let key = PrivateKey::from_openssh(HOST_KEY).unwrap();
        let host_key = key.fingerprint(HashAlg::Sha256).to_string();
        let config = Config { keys: vec![key], auth_rejection_time: Duration::ZERO, ..Config::default() };
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        runtime.spawn(serve(listener, Arc::new(config), behind(root.path().to_owned())));
        Self { root, port, host_key, _runtime: runtime }
    }
}

impl World for PasswordServer {
    fn settings(&self) -> Value {
        json!({
            "host": "127.0.0.1",
            "port": self.port,
            "user": "luma",
            "password": PASSWORD,
            "host_key": self.host_key,
            "folder": FOLDER,
            "format": "csv",
        })
    }

    fn taken(&self) -> Result<Vec<TakenRow>, String> {
        Ok(delivered(&files_of_one_delivery(&self.root.path().join(FOLDER)))?.1)
    }
}

async fn serve(listener: TcpListener, config: Arc<Config>, behind: Behind) {
    while let Ok((stream, _)) = listener.accept().await {
        let visit = Visit { behind: behind.clone(), channel: None };
        let config = Arc::clone(&config);
        tokio::spawn(async move {
            if let Ok(session) = russh::server::run_stream(config, stream, visit).await {
                let _ = session.await;
            }
        });
    }
}

/// One connection.
struct Visit {
    behind: Behind,
    channel: Option<Channel<Msg>>,
}

impl Handler for Visit {
    type Error = russh::Error;

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, Self::Error> {
        Ok(if (user, password) == ("luma", PASSWORD) { Auth::Accept } else { Auth::reject() })
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        self.channel = Some(channel);
        reply.accept().await;
        Ok(())
    }

    async fn subsystem_request(&mut self, id: ChannelId, name: &str, session: &mut Session) -> Result<(), Self::Error> {
        assert_eq!(name, "sftp");
        session.channel_success(id)?;
        let stream = self.channel.take().unwrap().into_stream();
        match self.behind.clone() {
            Behind::SftpServer(folder) => drop(tokio::spawn(sftp_server(folder, stream))),
            Behind::Bytes(bytes) => drop(tokio::spawn(answer(bytes, stream))),
        }
        Ok(())
    }
}

async fn sftp_server(folder: PathBuf, mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let mut command = Command::new(SFTP_SERVER);
    command.arg("-d").arg(folder).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    let mut pipes = tokio::io::join(child.stdout.take().unwrap(), child.stdin.take().unwrap());
    let _ = tokio::io::copy_bidirectional(&mut stream, &mut pipes).await;
}

async fn answer(bytes: &'static [u8], mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let _ = stream.write_all(bytes).await;
    let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
}
