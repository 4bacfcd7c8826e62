//! For destinations that speak HTTP (feature `http`).
//!
//! [`Http`] sends requests within limits that an author sets once, in [`Options`]: timeouts, a rate, a proxy, how much
//! of an answer is read, and how often is tried again. It tries again only what cannot have been taken already or what
//! the endpoint itself asks for: connections that were never made, and 429, 502, 503 and 504. It follows no
//! redirects, so that rows and credentials go nowhere but to the host in the settings, and takes nothing from the
//! environment, which is empty in a worker. It reaches public addresses only, and those in networks that the
//! operator allowed. Certificates are checked against the authorities that the machine trusts.
//!
//! [`SigningKey`] signs requests as Standard Webhooks have it.
//!
//! [`Answer::taken`] turns an answer into success or the right [`DestinationError`]. No error holds anything of a
//! request or an answer but the endpoint's scheme, host and port and the answer's status: paths and queries carry
//! tokens, and bodies identifiers.
//!
//! ```
//! use std::time::Duration;
//!
//! use entente_destination::{DestinationError, Operator};
//! use entente_destination::http::{self, Http, Options, Plain, Rate, Refusal, endpoint};
//!
//! async fn send(operator: Operator, rows: String) -> Result<(), DestinationError> {
//!     let every_minute = Rate { requests: 300, period: Duration::from_secs(60) };
//!     let http = Http::new(&operator, Options { rate: Some(every_minute), ..Options::default() })?;
//!     let url = endpoint("https://api.tvtube.example/v1/members", Plain::Never)?;
//!     let request = http::request("POST", &url, &[("content-type", "application/json")], rows)?;
//!     http.send(request).await?.taken(Refusal::Payload)?;
//!     Ok(())
//! }
//! ```

mod answer;
mod body;
mod client;
mod connector;
mod endpoint;
mod fault;
mod oauth;
mod proxy;
mod rate;
mod retry;
mod signing;
mod stand_in;
mod tcp;
#[cfg(test)]
mod tests;

pub use ::http::{Method, Request, StatusCode, Uri};
pub use answer::{Answer, Refusal, code};
pub use body::{form, json_request, percent};
pub use bytes::Bytes;
pub use client::{Http, Options, request};
pub use endpoint::{Plain, endpoint};
pub use oauth::OAuth;
pub use proxy::Proxy;
pub use rate::Rate;
pub use retry::Retry;
pub use signing::SigningKey;
pub use stand_in::StandIn;

#[cfg(doc)]
use crate::DestinationError;
