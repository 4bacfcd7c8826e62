//! The webhook: a destination type that posts identities as JSON to an HTTPS address, signed as
//! [Standard Webhooks](https://www.standardwebhooks.com) say, so that a receiver can check them with a library of theirs.
//!
//! Each request has the headers `webhook-id`, `webhook-timestamp` and `webhook-signature`. The id is made from the
//! batch's key and the numbers of its rows: the same rows always come under the same id, and a receiver that keeps the
//! ids takes none of them twice. See [`encoder`] for the body, and [`response`] for what may be answered.

pub mod config;
pub mod destination;
pub mod encoder;
pub mod response;
#[cfg(test)]
mod tests;

pub use destination::Webhook;

entente_destination::export_destination!(Webhook);
