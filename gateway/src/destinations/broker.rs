//! Connections that the gateway makes for a worker, which can make none itself. The plugin asks as
//! [`entente_destination::broker`] says; here it is looked at which host that is, whatever the plugin did about it.
//!
//! Whoever asks may be hostile: what it sends is bounded, nothing waits for it to listen, and a request that is none is
//! its last.

use std::io;
use std::num::NonZeroU32;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use entente_destination::Operator;
use entente_destination::broker::{Answer, MOST_BYTES, Request};
use entente_destination::descriptor::{receive, send};
use entente_destination::http::Proxy;
use entente_destination::reach::{NoConnection, Reach};
use governor::{Quota, RateLimiter};
use serde_json::Value;
use tokio::io::Interest;
use tokio::net::{TcpStream, UnixDatagram};
use tokio::sync::{Semaphore, watch};
use tokio_util::task::AbortOnDropHandle;
use tracing::info;

/// The most connections that are being made at once for a worker; further requests wait.
const MOST_AT_ONCE: usize = 32;
/// The most that are begun in a second.
const MOST_A_SECOND: NonZeroU32 = NonZeroU32::new(50).unwrap();

/// Makes the connections of one worker until it is dropped.
#[derive(Debug)]
pub(super) struct Broker {
    admission: watch::Sender<Option<Admission>>,
    _serving: AbortOnDropHandle<()>,
}

impl Broker {
    /// A broker that answers nothing until something is admitted, and the worker's end of its socket.
    ///
    /// # Errors
    /// Those of the system that has no more sockets.
    pub fn start(plugin: &str) -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) = pair()?;
        let ours = waiting(ours)?;
        let (admission, admitted) = watch::channel(None);
        let plugin = plugin.to_owned();
        let serving = tokio::spawn(async move {
            if let Err(error) = serve(ours, admitted).await {
                info!(%plugin, %error, "a plugin gets no more connections");
            }
        });
        Ok((Self { admission, _serving: AbortOnDropHandle::new(serving) }, theirs))
    }

    /// From now on the plugin is connected to what the operator allows, and to the proxy in the settings.
    pub fn admit(&self, operator: &Operator, settings: &Value) {
        let operator = Operator { connector: None, ..operator.clone() };
        let admission = Admission { reach: Reach::of(&operator), proxy: Proxy::in_settings(settings) };
        self.admission.send_replace(Some(admission));
    }
}

/// What a worker may be connected to.
#[derive(Debug, Clone)]
struct Admission {
    reach: Reach,
    /// The account chose it, so it need not be among the hosts of the type.
    proxy: Option<(String, u16)>,
}

impl Admission {
    async fn connect(&self, Request { host, port }: &Request) -> Result<std::net::TcpStream, NoConnection> {
        let is_proxy = self.proxy.as_ref().is_some_and(|(proxy, at)| proxy.eq_ignore_ascii_case(host) && at == port);
        let reach = if is_proxy { self.reach.any_host() } else { self.reach.clone() };
        let stream = reach.connect(host, *port).await?;
        blocking(stream).map_err(|error| NoConnection::NotConnected(error.kind().to_string()))
    }
}

fn blocking(stream: TcpStream) -> io::Result<std::net::TcpStream> {
    let stream = stream.into_std()?;
    stream.set_nonblocking(false)?;
    Ok(stream)
}

/// Two ends of a socket on which every request stays one message. macOS has nothing but datagrams for that.
#[cfg(not(target_vendor = "apple"))]
fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
    Ok(socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?)
}

#[cfg(target_vendor = "apple")]
fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let (ours, theirs) = std::os::unix::net::UnixDatagram::pair()?;
    Ok((ours.into(), theirs.into()))
}

/// The gateway's end, to be waited on.
fn waiting(ours: OwnedFd) -> io::Result<UnixDatagram> {
    let ours = std::os::unix::net::UnixDatagram::from(ours);
    ours.set_nonblocking(true)?;
    UnixDatagram::from_std(ours)
}

/// Answers until the worker hangs up, or asks for what is no connection.
async fn serve(socket: UnixDatagram, mut admitted: watch::Receiver<Option<Admission>>) -> io::Result<()> {
    let rate = RateLimiter::direct(Quota::per_second(MOST_A_SECOND));
    let being_made = Arc::new(Semaphore::new(MOST_AT_ONCE));
    loop {
        rate.until_ready().await;
        let permit = being_made.clone().acquire_owned().await.map_err(io::Error::other)?;
        let Some((request, asker)) = next(&socket).await? else { return Ok(()) };
        let Ok(Some(admission)) = admitted.wait_for(Option::is_some).await.map(|admission| admission.clone()) else {
            return Ok(());
        };
        // It ends by itself, and counts until then: nothing stops a name from being looked up.
        tokio::spawn(async move {
            answer(&admission, &request, &asker).await;
            drop(permit);
        });
    }
}

/// The next request, and the socket on which its answer is waited for.
async fn next(socket: &UnixDatagram) -> io::Result<Option<(Request, OwnedFd)>> {
    let mut message = [0; MOST_BYTES];
    let received = socket.async_io(Interest::READABLE, || receive(socket, &mut message)).await?;
    let malformed = || io::Error::new(io::ErrorKind::InvalidData, "it asks for what is no connection");
    match (received.length, received.descriptor) {
        (0, _) => Ok(None),
        (length, Some(asker)) if !received.is_cut => {
            let request = serde_json::from_slice(&message[..length]).map_err(|_| malformed())?;
            Ok(Some((request, asker)))
        }
        _ => Err(malformed()),
    }
}

async fn answer(admission: &Admission, request: &Request, asker: &OwnedFd) {
    let (answer, stream) = match admission.connect(request).await {
        Ok(stream) => (Answer::Connected { connected: true }, Some(stream)),
        Err(why) => (why.into(), None),
    };
    let Ok(answer) = serde_json::to_vec(&answer) else { return };
    // Whoever asked may listen no more, or have sent something else than a socket.
    let _ = send(asker, &answer, stream.as_ref().map(AsFd::as_fd));
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::os::fd::AsRawFd;
    use std::time::Duration;

    use entente_destination::reach::OutOfReach;
    use serde_json::json;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpSocket};
    use tokio::time::timeout;

    use super::*;

    /// A broker that admits what the operator allows, and what a plugin knows of it.
    fn broker(operator: &Operator, settings: &Value) -> (Broker, OwnedFd, Reach) {
        let (broker, connector) = Broker::start("test").unwrap();
        broker.admit(operator, settings);
        let reach = Reach::of(&Operator {
            networks: vec!["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()],
            connector: Some(connector.as_raw_fd()),
            ..Operator::default()
        });
        (broker, connector, reach)
    }

    fn operator(hosts: &[&str]) -> Operator {
        let networks = vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
        Operator { networks, hosts: Some(hosts.iter().map(ToString::to_string).collect()), ..Operator::default() }
    }

    /// A server that says who asks, and its port.
    async fn server() -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, from)) = listener.accept().await {
                stream.write_all(from.to_string().as_bytes()).await.unwrap();
            }
        });
        port
    }

    #[tokio::test]
    async fn connections_come_from_the_gateway() {
        let port = server().await;
        let (_broker, _connector, reach) = broker(&operator(&["localhost", "127.0.0.1"]), &json!({}));
        for host in ["localhost", "127.0.0.1"] {
            let mut stream = reach.connect(host, port).await.unwrap();
            let mut said = String::new();
            stream.read_to_string(&mut said).await.unwrap();
            assert_eq!(said, stream.local_addr().unwrap().to_string());
            assert!(stream.nodelay().unwrap());
        }
    }

    #[tokio::test]
    async fn it_is_told_why_there_is_none() {
        let port = server().await;
        let unused = TcpSocket::new_v4().unwrap();
        unused.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let free = unused.local_addr().unwrap().port();
        let (_broker, _connector, reach) = broker(&operator(&["localhost", "10.0.0.1", "no name at all"]), &json!({}));
        for (host, port, expected) in [
            ("127.0.0.1", port, OutOfReach::Host.into()),
            ("10.0.0.1", port, OutOfReach::Network.into()),
            ("no name at all", port, NoConnection::UnknownHost),
            ("localhost", free, NoConnection::NotConnected("connection refused".to_owned())),
        ] {
            assert_eq!(reach.connect(host, port).await.unwrap_err(), expected, "{host}");
        }
    }

    #[tokio::test]
    async fn the_proxy_of_the_settings_is_the_only_other_host() {
        let port = server().await;
        let hosts = operator(&["api.tvtube.example"]);
        let settings = json!({"proxy": {"url": format!("http://127.0.0.1:{port}")}});
        let (_broker, _connector, reach) = broker(&hosts, &settings);
        assert!(reach.connect("127.0.0.1", port).await.is_ok());
        for (host, port) in [("127.0.0.1", port - 1), ("127.0.0.2", port), ("localhost", port)] {
            assert_eq!(reach.connect(host, port).await.unwrap_err(), OutOfReach::Host.into(), "{host}:{port}");
        }
        let settings = json!({"proxy": {"url": "http://10.0.0.1:3128"}});
        let (_broker, _connector, reach) = broker(&hosts, &settings);
        assert_eq!(reach.connect("10.0.0.1", 3128).await.unwrap_err(), OutOfReach::Network.into());
    }

    #[tokio::test]
    async fn nothing_is_answered_before_something_is_admitted() {
        let port = server().await;
        let (broker, connector) = Broker::start("test").unwrap();
        let networks = operator(&[]).networks;
        let reach = Reach::of(&Operator { networks, connector: Some(connector.as_raw_fd()), ..Operator::default() });
        let mut connecting = Box::pin(reach.connect("127.0.0.1", port));
        assert!(timeout(Duration::from_millis(100), &mut connecting).await.is_err());
        broker.admit(&operator(&["127.0.0.1"]), &json!({}));
        assert!(connecting.await.is_ok());
    }

    #[tokio::test]
    async fn a_host_that_is_slow_keeps_no_other_waiting() {
        let port = server().await;
        // One that accepts nobody: the system makes a connection or two in its name, and no more.
        let silent = TcpSocket::new_v4().unwrap();
        silent.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let silent = silent.listen(0).unwrap();
        let slow = silent.local_addr().unwrap().port();
        let (_broker, _connector, reach) = broker(&operator(&["127.0.0.1"]), &json!({}));
        let mut slow_ones: Vec<_> = (0..5).map(|_| Box::pin(reach.connect("127.0.0.1", slow))).collect();
        let mut waiting = 0;
        for one in &mut slow_ones {
            waiting += usize::from(timeout(Duration::from_millis(100), one).await.is_err());
        }
        assert!(waiting > 0, "the slow host is not slow");
        assert!(timeout(Duration::from_secs(2), reach.connect("127.0.0.1", port)).await.unwrap().is_ok());
    }
}
