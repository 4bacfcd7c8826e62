//! The Trade Desk: a destination type that keeps the people of a first-party segment of an advertiser, by the
//! [Data API](https://open.thetradedesk.com/advertiser/docsApp/GuidesAdvertiser/data/doc/post-data-advertiser-firstparty).
//!
//! The API knows people by ids of advertising, of which Unified ID 2.0 is one that can be delivered: 32 bytes, in Base64.
//! It takes no hashed e-mail addresses or phone numbers; a crosswalk makes them into UID2. A person that comes again
//! stays for longer and is counted once, so a batch may be sent twice. See [`encoder`] for what is sent, [`response`] for
//! what may be answered, and [`signature`] for how it is signed.

pub mod config;
pub mod destination;
pub mod encoder;
pub mod response;
pub mod signature;
#[cfg(test)]
mod tests;

pub use destination::TheTradeDesk;

entente_destination::export_destination!(TheTradeDesk);
