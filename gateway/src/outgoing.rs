//! HTTP to addresses that the operator has named: they are reached wherever they are.

use entente_destination::{
    DestinationError, Operator,
    http::{Http, Options, Retry},
};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::time::Duration;

/// A client that waits for an answer for so long, and asks once.
///
/// # Errors
/// Those of the system's certificates.
pub fn client(patience: Duration) -> Result<Http, DestinationError> {
    let networks = vec![IpNet::V4(Ipv4Net::default()), IpNet::V6(Ipv6Net::default())];
    let options = Options { timeout: patience, retry: Retry::NEVER, ..Options::default() };
    Http::new(&Operator { networks, ..Operator::default() }, options)
}
