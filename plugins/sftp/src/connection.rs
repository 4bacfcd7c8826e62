//! Connections to the server: TCP, then SSH with the host key checked and the user logged in, then SFTP.

use std::future::Future;
use std::net::Shutdown;
use std::sync::Arc;
use std::time::Duration;

use entente_destination::reach::{NoConnection, Reach};
use entente_destination::{DestinationError, Operator};
use russh::client::{Handle, Handler};
use russh::keys::PublicKeyOrCertificate;
use russh::{AlgorithmKind, ChannelMsg, Preferred};
use russh_sftp::client::RawSftpSession;
use tokio::net::TcpStream;

use crate::config::Settings;
use crate::host_key::{HostKey, shown};
use crate::login::Login;

/// The longest that finding the server's addresses and connecting to one of them takes.
const CONNECTING: Duration = Duration::from_secs(12);
/// The longest that agreeing on keys takes.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// The longest that logging in takes: servers wait some seconds before they refuse a password.
const LOGIN: Duration = Duration::from_secs(15);
/// The longest that SFTP takes to begin.
const BEGINNING: Duration = Duration::from_secs(10);
/// The longest that a request waits for its answer, in seconds.
const REQUEST: u64 = 20;
/// How often a server that says nothing is asked whether it is there; the third time without an answer it is not.
const KEEPALIVE: Duration = Duration::from_secs(15);
/// The most bytes of an answer. Nothing is asked for that is longer.
const MAX_ANSWER: u32 = 64 * 1024;
/// The most bytes that a server may send before they are read.
const WINDOW: u32 = 256 * 1024;

/// A server and who logs in to it.
#[derive(Debug)]
pub struct Server {
    host: String,
    port: u16,
    host_key: HostKey,
    login: Login,
    reach: Reach,
}

/// A connection that is logged in. Ends when it is dropped.
pub struct Connection {
    /// What files are asked for through.
    pub sftp: RawSftpSession,
    /// Whether a file can be given the name of another that is there.
    pub replaces: bool,
    /// Whether the server can be told to write a file to its disk.
    pub syncs: bool,
    ssh: Handle<Guard>,
    _line: Line,
}

impl Connection {
    /// Whether it is known to be lost.
    pub fn is_lost(&self) -> bool {
        self.ssh.is_closed()
    }
}

impl Server {
    /// The server of the settings.
    ///
    /// # Errors
    /// `Config` for settings that cannot be.
    pub fn new(settings: &Settings, operator: &Operator) -> Result<Self, DestinationError> {
        Ok(Self {
            host: settings.host()?.to_owned(),
            port: settings.port,
            host_key: settings.host_key()?,
            login: settings.login()?,
            reach: Reach::of(operator),
        })
    }

    /// Connects and logs in.
    ///
    /// # Errors
    /// `Config` for a host that may not be reached, another host key or a server without SFTP; `Auth` where it refuses
    /// the user; `Permanent` where there is no way to talk; else `Transient`.
    pub async fn connect(&self) -> Result<Connection, DestinationError> {
        let (line, stream) = within(CONNECTING, "connecting to the server", self.tcp()).await?;
        let mut ssh = within(HANDSHAKE, "agreeing on keys with the server", self.ssh(stream)).await?;
        within(LOGIN, "logging in", self.login.prove(&mut ssh)).await?;
        within(BEGINNING, "beginning SFTP", sftp(ssh, line)).await
    }

    async fn tcp(&self) -> Result<(Line, TcpStream), DestinationError> {
        let (host, port) = (&self.host, self.port);
        let stream = self.reach.connect(host, port).await.map_err(|error| match error {
            NoConnection::OutOfReach(why) => DestinationError::Config(format!("{host} cannot be used: {why}")),
            NoConnection::UnknownHost => {
                DestinationError::Transient(format!("the address of {host} cannot be found out"))
            }
            NoConnection::NotConnected(why) => {
                DestinationError::Transient(format!("no connection to {host}, port {port}: {why}"))
            }
        })?;
        Line::of(stream).map_err(|_| DestinationError::Transient("the connection was lost".to_owned()))
    }

    async fn ssh(&self, stream: TcpStream) -> Result<Handle<Guard>, DestinationError> {
        let config = russh::client::Config {
            preferred: Preferred { key: self.host_key.algorithms().into(), ..Preferred::default() },
            window_size: WINDOW,
            keepalive_interval: Some(KEEPALIVE),
            keepalive_max: 3,
            ..russh::client::Config::default()
        };
        let guard = Guard { expected: self.host_key.clone() };
        russh::client::connect_stream(Arc::new(config), stream, guard).await.map_err(DestinationError::from)
    }
}

async fn sftp(ssh: Handle<Guard>, line: Line) -> Result<Connection, DestinationError> {
    let lost = || DestinationError::Transient("the connection was lost while SFTP began".to_owned());
    let mut channel = ssh.channel_open_session().await.map_err(|_| lost())?;
    channel.request_subsystem(true, "sftp").await.map_err(|_| lost())?;
    loop {
        match channel.wait().await {
            Some(ChannelMsg::Success) => break,
            Some(ChannelMsg::Failure) => {
                return Err(DestinationError::Config("the server has no SFTP for this user".to_owned()));
            }
            Some(_) => {}
            None => return Err(lost()),
        }
    }
    let limits = russh_sftp::client::Config {
        max_packet_len: MAX_ANSWER,
        request_timeout_secs: REQUEST,
        ..russh_sftp::client::Config::default()
    };
    let sftp = RawSftpSession::new_with_config(channel.into_stream(), limits);
    let extensions = sftp.init().await.map_err(|_| lost())?.extensions;
    let has = |name: &str| extensions.get(name).is_some_and(|version| version == "1");
    Ok(Connection {
        sftp,
        replaces: has("posix-rename@openssh.com"),
        syncs: has("fsync@openssh.com"),
        ssh,
        _line: line,
    })
}

/// `work` within a time.
///
/// # Errors
/// Those of `work`; `Transient` when the time is over.
pub async fn within<T>(
    time: Duration,
    what: &str,
    work: impl Future<Output = Result<T, DestinationError>>,
) -> Result<T, DestinationError> {
    let late = |_| DestinationError::Transient(format!("{what} took longer than {} seconds", time.as_secs()));
    tokio::time::timeout(time, work).await.map_err(late)?
}

/// The TCP connection, which ends when this is dropped, whatever tasks of the libraries still hold its other handle.
struct Line(std::net::TcpStream);

impl Line {
    fn of(stream: TcpStream) -> std::io::Result<(Self, TcpStream)> {
        let stream = stream.into_std()?;
        Ok((Self(stream.try_clone()?), TcpStream::from_std(stream)?))
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

/// Checks the host key.
struct Guard {
    expected: HostKey,
}

/// Why there was no handshake.
#[derive(Debug)]
enum NoHandshake {
    /// The server showed this key.
    OtherKey(String),
    Ssh(russh::Error),
}

impl From<russh::Error> for NoHandshake {
    fn from(error: russh::Error) -> Self {
        Self::Ssh(error)
    }
}

impl Handler for Guard {
    type Error = NoHandshake;

    async fn check_server_key(&mut self, server: &PublicKeyOrCertificate) -> Result<bool, NoHandshake> {
        let key = server.public_key();
        if self.expected.is(&key) { Ok(true) } else { Err(NoHandshake::OtherKey(shown(&key))) }
    }
}

impl From<NoHandshake> for DestinationError {
    fn from(fault: NoHandshake) -> Self {
        match fault {
            NoHandshake::OtherKey(shown) => Self::Config(format!(
                "the server shows another host key than `host_key`: {shown}. Ask whoever runs it whether that is theirs"
            )),
            NoHandshake::Ssh(russh::Error::NoCommonAlgo { kind: AlgorithmKind::Key, .. }) => {
                Self::Config("the server has no host key of the kind that `host_key` is".to_owned())
            }
            NoHandshake::Ssh(russh::Error::NoCommonAlgo { .. }) => {
                Self::Permanent("the server speaks only algorithms that are too old".to_owned())
            }
            NoHandshake::Ssh(russh::Error::WrongServerSig) => {
                Self::Permanent("the server does not have the private part of its host key".to_owned())
            }
            NoHandshake::Ssh(_) => Self::Transient("the connection was lost while agreeing on keys".to_owned()),
        }
    }
}
