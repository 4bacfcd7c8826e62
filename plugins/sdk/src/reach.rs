//! Which hosts a destination may connect to: those that its type says, at public addresses and at those in networks
//! that the operator allowed. Names of hosts come from settings, and could else be used to reach what stands behind the
//! operator's own walls.
//!
//! [`Reach::connect`] is how every connection is made, by the client of feature `http` as well. In a worker it asks the
//! gateway for it, which looks at the host again; elsewhere it connects to the very addresses that it found within
//! reach, so that a name cannot have other addresses a moment later.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::RawFd;
use std::sync::Arc;
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use tokio::net::TcpStream;

use crate::broker::{self, Request};
use crate::destination::Operator;
use crate::hosts;

/// The longest that connecting to one address takes.
const ONE_ADDRESS: Duration = Duration::from_secs(5);
/// The most addresses of a host that are tried.
const MOST_ADDRESSES: usize = 4;

/// Networks of IANA's registry of special-purpose IPv4 addresses (RFC 6890), and what is no host's: multicast and what is
/// reserved.
const SPECIAL_V4: [Ipv4Net; 15] = [
    Ipv4Net::new_assert(Ipv4Addr::new(0, 0, 0, 0), 8),
    Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, 0), 8),
    Ipv4Net::new_assert(Ipv4Addr::new(100, 64, 0, 0), 10),
    Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8),
    Ipv4Net::new_assert(Ipv4Addr::new(169, 254, 0, 0), 16),
    Ipv4Net::new_assert(Ipv4Addr::new(172, 16, 0, 0), 12),
    Ipv4Net::new_assert(Ipv4Addr::new(192, 0, 0, 0), 24),
    Ipv4Net::new_assert(Ipv4Addr::new(192, 0, 2, 0), 24),
    Ipv4Net::new_assert(Ipv4Addr::new(192, 88, 99, 0), 24),
    Ipv4Net::new_assert(Ipv4Addr::new(192, 168, 0, 0), 16),
    Ipv4Net::new_assert(Ipv4Addr::new(198, 18, 0, 0), 15),
    Ipv4Net::new_assert(Ipv4Addr::new(198, 51, 100, 0), 24),
    Ipv4Net::new_assert(Ipv4Addr::new(203, 0, 113, 0), 24),
    Ipv4Net::new_assert(Ipv4Addr::new(224, 0, 0, 0), 4),
    Ipv4Net::new_assert(Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// All that IANA gives out of IPv6 for hosts that everybody reaches.
const GLOBAL_V6: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// What of that is for special purposes: protocols' own, documentation, and 6to4, which leads to IPv4 addresses.
const SPECIAL_V6: [Ipv6Net; 4] = [
    Ipv6Net::new_assert(Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    Ipv6Net::new_assert(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    Ipv6Net::new_assert(Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    Ipv6Net::new_assert(Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// Why a host may not be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OutOfReach {
    /// The address is in a network that the operator did not allow.
    #[error("it is in a network that the operator of this gateway has not allowed")]
    Network,
    /// It is none of those that the destination type says it connects to.
    #[error("it is none of the hosts that this type of destination may connect to")]
    Host,
}

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoConnection {
    /// The host, or each of its addresses, may not be reached.
    #[error(transparent)]
    OutOfReach(#[from] OutOfReach),
    /// The host's addresses cannot be found out, now at least.
    #[error("its address cannot be found out")]
    UnknownHost,
    /// None of its addresses takes a connection, now at least; why the last did not.
    #[error("{0}")]
    NotConnected(String),
}

/// The hosts and addresses that may be reached.
#[derive(Debug, Clone)]
pub struct Reach {
    allowed: Arc<[IpNet]>,
    /// Whether public addresses are within reach.
    public: bool,
    hosts: Option<Arc<[String]>>,
    connector: Option<RawFd>,
}

impl Reach {
    /// The hosts that the operator allows, where they have public addresses or such in a network that the operator allows.
    pub fn of(operator: &Operator) -> Self {
        Self {
            allowed: operator.networks.as_slice().into(),
            public: true,
            hosts: operator.hosts.as_deref().map(Into::into),
            connector: operator.connector,
        }
    }

    /// Any host with such an address: a proxy is chosen by the account, and what is asked of it is admitted by itself.
    /// The gateway makes no connection to another proxy than that of the settings.
    #[must_use]
    pub fn any_host(&self) -> Self {
        Self { hosts: None, ..self.clone() }
    }

    /// The same within the networks that the operator allowed, and at no public address. For whoever makes its
    /// connections itself: where the gateway makes them, it does not know of it.
    #[must_use]
    pub fn in_allowed_networks(&self) -> Self {
        Self { public: false, ..self.clone() }
    }

    /// Connects to `host`, a name or an address. Its addresses are tried in turn; finding them out takes as long as the
    /// system lets it: set a time.
    ///
    /// # Errors
    /// [`NoConnection`].
    pub async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, NoConnection> {
        self.admit(host)?;
        if let Some(connector) = self.connector {
            let host = unbracketed(host).to_owned();
            return broker::ask(connector, &Request { host, port }).await;
        }
        let mut why = String::new();
        for address in self.resolve(host, port).await?.into_iter().take(MOST_ADDRESSES) {
            match connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => why = error.kind().to_string(),
            }
        }
        Err(NoConnection::NotConnected(why))
    }

    /// The addresses of a host that may be reached, each with `port`: at least one. Finding them out takes as long as the
    /// system lets it: set a time.
    ///
    /// # Errors
    /// [`NoConnection`], but for connections that are not taken.
    pub async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, NoConnection> {
        self.admit(host)?;
        let found = tokio::net::lookup_host((unbracketed(host), port)).await.map_err(|_| NoConnection::UnknownHost)?;
        let within: Vec<_> = found.filter(|address| self.allows(address.ip())).collect();
        if within.is_empty() { Err(OutOfReach::Network.into()) } else { Ok(within) }
    }

    /// Whether a host may be reached by its name. Where it is written as an address, that is known already as well; the
    /// addresses of a name are found out later.
    ///
    /// # Errors
    /// [`OutOfReach`] for a host that may not.
    pub fn admit(&self, host: &str) -> Result<(), OutOfReach> {
        let host = unbracketed(host);
        if self.hosts.as_ref().is_some_and(|allowed| !allowed.iter().any(|pattern| hosts::matches(pattern, host))) {
            return Err(OutOfReach::Host);
        }
        match host.parse() {
            Ok(address) if !self.allows(address) => Err(OutOfReach::Network),
            _ => Ok(()),
        }
    }

    fn allows(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        (self.public && is_public(address)) || self.allowed.iter().any(|network| network.contains(&address))
    }
}

async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = tokio::time::timeout(ONE_ADDRESS, TcpStream::connect(address)).await??;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// URLs have IPv6 addresses in brackets.
pub(crate) fn unbracketed(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !SPECIAL_V4.iter().any(|network| network.contains(&address)),
        IpAddr::V6(address) => {
            GLOBAL_V6.contains(&address) && !SPECIAL_V6.iter().any(|network| network.contains(&address))
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use proptest::prelude::*;

    fn reach(networks: &[&str]) -> Reach {
        let networks = networks.iter().map(|network| network.parse().unwrap()).collect();
        Reach::of(&Operator { networks, ..Operator::default() })
    }

    fn admits(networks: &[&str], host: &str) -> bool {
        reach(networks).admit(host).is_ok()
    }

    #[tokio::test]
    async fn only_hosts_that_the_type_names_are_within_reach() {
        let hosts = Some(vec!["*.tvtube.example".to_owned()]);
        let networks = vec!["127.0.0.0/8".parse().unwrap()];
        let reach = Reach::of(&Operator { hosts, networks, ..Operator::default() });
        assert_eq!(reach.admit("api.tvtube.example"), Ok(()));
        for other in ["luma.example", "127.0.0.1", "8.8.8.8", "localhost"] {
            assert_eq!(reach.admit(other), Err(OutOfReach::Host), "{other}");
            let refused = reach.connect(other, 443).await.unwrap_err();
            assert_eq!(refused, NoConnection::OutOfReach(OutOfReach::Host), "{other}");
        }
        assert_eq!(reach.any_host().admit("127.0.0.1"), Ok(()));
        assert_eq!(reach.any_host().admit("10.0.0.1"), Err(OutOfReach::Network));
    }

    #[test]
    fn only_public_addresses_are_within_reach() {
        for (address, is_within) in [
            ("8.8.8.8", true),
            ("100.63.255.255", true),
            ("172.32.0.1", true),
            ("192.0.1.1", true),
            ("223.255.255.255", true),
            ("[2606:4700::1111]", true),
            ("[2001:4860:4860::8888]", true),
            ("tvtube.example", true),
            ("0.0.0.0", false),
            ("10.0.0.1", false),
            ("100.64.0.1", false),
            ("127.0.0.1", false),
            ("169.254.169.254", false),
            ("172.16.0.1", false),
            ("172.31.255.255", false),
            ("192.168.1.1", false),
            ("198.19.0.1", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
            ("[::]", false),
            ("[::1]", false),
            ("[::ffff:127.0.0.1]", false),
            ("[::ffff:10.0.0.1]", false),
            ("[64:ff9b::a00:1]", false),
            ("[fd00::1]", false),
            ("[fe80::1]", false),
            ("[ff02::1]", false),
            ("[2001:db8::1]", false),
            ("[2002:a00:1::]", false),
        ] {
            assert_eq!(admits(&[], address), is_within, "{address}");
        }
    }

    #[test]
    fn the_operator_may_allow_networks() {
        assert!(admits(&["10.1.0.0/16"], "10.1.2.3"));
        assert!(!admits(&["10.1.0.0/16"], "10.2.2.3"));
        assert!(admits(&["10.1.0.0/16"], "[::ffff:10.1.2.3]"));
        assert!(admits(&["127.0.0.1/32", "fd00::/8"], "[fd00::7]"));
        let within = reach(&["10.1.0.0/16", "8.8.0.0/16"]).in_allowed_networks();
        assert!(within.admit("10.1.2.3").is_ok() && within.admit("8.8.8.8").is_ok());
        assert_eq!(within.admit("1.1.1.1"), Err(OutOfReach::Network));
    }

    #[tokio::test]
    async fn a_host_leads_only_where_an_address_may() {
        let near = ["127.0.0.0/8", "::1/128"];
        for host in ["localhost", "127.0.0.1", "[::1]", "::1"] {
            let refused = reach(&[]).connect(host, 22).await.unwrap_err();
            assert_eq!(refused, NoConnection::OutOfReach(OutOfReach::Network), "{host}");
            let found = reach(&near).resolve(host, 22).await.unwrap();
            assert!(!found.is_empty() && found.iter().all(|address| address.port() == 22), "{found:?}");
        }
        assert_eq!(reach(&[]).connect("no name at all", 22).await.unwrap_err(), NoConnection::UnknownHost);
    }

    #[tokio::test]
    async fn connections_are_made_or_it_is_told_why_not() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let reach = reach(&["127.0.0.0/8"]);
        let stream = reach.connect("127.0.0.1", address.port()).await.unwrap();
        assert_eq!((stream.peer_addr().unwrap(), stream.nodelay().unwrap()), (address, true));
        drop(listener);
        let why = reach.connect("127.0.0.1", address.port()).await.unwrap_err();
        assert_eq!(why, NoConnection::NotConnected("connection refused".to_owned()));
    }

    proptest! {
        #[test]
        fn no_address_of_this_machine_or_its_neighbours_is_public(address: [u8; 4]) {
            let address = Ipv4Addr::from(address);
            let is_near = address.is_private() || address.is_loopback() || address.is_link_local()
                || address.is_unspecified() || address.is_broadcast() || address.is_multicast();
            prop_assert!(!(is_near && is_public(address.into())));
            prop_assert!(!(is_near && reach(&[]).allows(address.to_ipv6_mapped().into())));
        }
    }
}
