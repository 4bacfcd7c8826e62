//! Where event webhooks may lead.

use super::operator;
use crate::{endpoint::said, gateway::Gateway};
use entente_destination::{
    http::{Plain, endpoint},
    reach::{NoConnection, Reach},
};
use entente_domain::{Refusal, event_webhook::checked_url};
use std::time::Duration;
use tokio::time::timeout;

/// How long it may take to find out where a name leads.
const LOOKING_UP: Duration = Duration::from_secs(5);

/// An address that an account gave: HTTPS, or plain HTTP into a network that the operator allowed. Where a name leads today is
/// looked at, so that its account hears of it; what counts is where it leads when somebody is told.
pub async fn checked(gateway: &Gateway, url: &str) -> Result<String, Refusal> {
    let url = checked_url(url)?;
    let refused = |why: String| Refusal::invalid("url", why);
    let address = endpoint(&url, Plain::ToAllowedNetworks).map_err(|error| refused(said(&error)))?;
    let is_plain = address.scheme_str() == Some("http");
    let reach = Reach::of(&operator(gateway));
    let reach = if is_plain { reach.in_allowed_networks() } else { reach };
    let host = address.host().unwrap_or_default();
    let port = address.port_u16().unwrap_or(if is_plain { 80 } else { 443 });
    match timeout(LOOKING_UP, reach.resolve(host, port)).await {
        Ok(Err(NoConnection::OutOfReach(why))) if is_plain => Err(refused(format!(
            "The URL must start with https://, as its host cannot be reached by plain HTTP: {why}."
        ))),
        Ok(Err(NoConnection::OutOfReach(why))) => Err(refused(format!("The host cannot be reached: {why}."))),
        // A name that leads nowhere today may do so tomorrow.
        Ok(Ok(_) | Err(NoConnection::UnknownHost | NoConnection::NotConnected(_))) | Err(_) => Ok(url),
    }
}
