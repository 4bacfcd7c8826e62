//! How a plugin in a worker asks the gateway for connections, since it can make no socket itself.
//!
//! A request is one message to the socket [`Operator::connector`](crate::Operator::connector), and carries one end of a
//! pair of sockets. The answer comes on the other end: so any thread asks at any time without numbers or locks, and a
//! host that is slow keeps no other waiting. [`Reach::connect`](crate::reach::Reach::connect) does all of it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};

use serde::{Deserialize, Serialize};
use tokio::io::Interest;
use tokio::net::{TcpStream, UnixDatagram, UnixStream};

use crate::descriptor::{Received, receive, send};
use crate::reach::{NoConnection, OutOfReach};

/// The most bytes of a request, and of an answer.
pub const MOST_BYTES: usize = 1024;

/// A connection that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The host, a name or an address; IPv6 without brackets.
    pub host: String,
    /// The TCP port.
    pub port: u16,
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Answer {
    /// There is none.
    Refused {
        /// Why.
        refused: Refused,
        /// Why, as people read it.
        reason: String,
    },
    /// The connection comes with the message, as an open socket that waits when it is read.
    Connected {
        /// Always `true`.
        connected: bool,
    },
}

/// Why there is no connection, see [`NoConnection`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Refused {
    /// The host's addresses are in networks that the operator did not allow.
    Network,
    /// The host is none of those that the destination type says it connects to.
    Host,
    /// The host's addresses cannot be found out.
    UnknownHost,
    /// No address of the host takes a connection.
    NotConnected,
}

impl From<NoConnection> for Answer {
    fn from(why: NoConnection) -> Self {
        let refused = match why {
            NoConnection::OutOfReach(OutOfReach::Network) => Refused::Network,
            NoConnection::OutOfReach(OutOfReach::Host) => Refused::Host,
            NoConnection::UnknownHost => Refused::UnknownHost,
            NoConnection::NotConnected(_) => Refused::NotConnected,
        };
        Self::Refused { refused, reason: why.to_string() }
    }
}

impl Refused {
    fn because(self, reason: String) -> NoConnection {
        match self {
            Self::Network => OutOfReach::Network.into(),
            Self::Host => OutOfReach::Host.into(),
            Self::UnknownHost => NoConnection::UnknownHost,
            Self::NotConnected => NoConnection::NotConnected(reason),
        }
    }
}

/// Asks for a connection on the socket `connector`.
pub(crate) async fn ask(connector: RawFd, request: &Request) -> Result<TcpStream, NoConnection> {
    let unanswered =
        |error: io::Error| NoConnection::NotConnected(format!("the gateway makes no connection: {}", error.kind()));
    match exchange(connector, request).await.map_err(unanswered)? {
        (Answer::Connected { .. }, Some(socket)) => connected(socket).map_err(unanswered),
        (Answer::Connected { .. }, None) => Err(unanswered(io::ErrorKind::InvalidData.into())),
        (Answer::Refused { refused, reason }, _) => Err(refused.because(reason)),
    }
}

async fn exchange(connector: RawFd, request: &Request) -> io::Result<(Answer, Option<OwnedFd>)> {
    let (ours, theirs) = UnixStream::pair()?;
    let request = serde_json::to_vec(request)?;
    let connector = duplicate(connector)?;
    connector.async_io(Interest::WRITABLE, || send(&connector, &request, Some(theirs.as_fd()))).await?;
    drop(theirs);
    let mut answer = [0; MOST_BYTES];
    let received = ours.async_io(Interest::READABLE, || receive(&ours, &mut answer)).await?;
    let Received { length, descriptor, .. } = received;
    if length == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok((serde_json::from_slice(&answer[..length])?, descriptor))
}

/// A handle of one's own of the socket, to wait on.
fn duplicate(connector: RawFd) -> io::Result<UnixDatagram> {
    if connector < 0 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: the number comes from whoever called the plugin, who keeps the socket open for as long as the process
    // lives.
    let connector = unsafe { BorrowedFd::borrow_raw(connector) }.try_clone_to_owned()?;
    let connector = std::os::unix::net::UnixDatagram::from(connector);
    connector.set_nonblocking(true)?;
    UnixDatagram::from_std(connector)
}

fn connected(socket: OwnedFd) -> io::Result<TcpStream> {
    let stream = std::net::TcpStream::from(socket);
    stream.set_nonblocking(true)?;
    TcpStream::from_std(stream)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn answers_say_why_there_is_no_connection() {
        for (why, answer) in [
            (
                OutOfReach::Network.into(),
                r#"{"refused":"NETWORK","reason":"it is in a network that the operator of this gateway has not allowed"}"#,
            ),
            (
                OutOfReach::Host.into(),
                r#"{"refused":"HOST","reason":"it is none of the hosts that this type of destination may connect to"}"#,
            ),
            (NoConnection::UnknownHost, r#"{"refused":"UNKNOWN_HOST","reason":"its address cannot be found out"}"#),
            (NoConnection::NotConnected("timed out".to_owned()), r#"{"refused":"NOT_CONNECTED","reason":"timed out"}"#),
        ] {
            assert_eq!(serde_json::to_string(&Answer::from(why.clone())).unwrap(), answer);
            let Answer::Refused { refused, reason } = serde_json::from_str(answer).unwrap() else { unreachable!() };
            assert_eq!(refused.because(reason), why);
        }
        let connected = Answer::Connected { connected: true };
        assert_eq!(serde_json::to_string(&connected).unwrap(), r#"{"connected":true}"#);
        assert_eq!(serde_json::from_str::<Answer>(r#"{"connected":true}"#).unwrap(), connected);
    }

    #[tokio::test]
    async fn without_anybody_to_ask_there_is_no_connection() {
        let request = Request { host: "tvtube.example".to_owned(), port: 443 };
        let (ours, theirs) = UnixStream::pair().unwrap();
        drop(theirs);
        for connector in [-1, ours.as_raw_fd()] {
            let why = ask(connector, &request).await.unwrap_err();
            assert!(matches!(&why, NoConnection::NotConnected(why) if why.starts_with("the gateway")), "{why}");
        }
    }
}
