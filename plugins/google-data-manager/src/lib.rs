//! Google Data Manager: a destination type that adds people to an audience of Google Ads or Display & Video 360 and removes
//! them, by the [Data Manager API](https://developers.google.com/data-manager/api/get-started).
//!
//! Google takes requests at once and works on them later: what became of them is asked for when all were sent. A person
//! that comes again changes nothing, so a batch may be sent twice. See [`encoder`] for what is sent, [`response`] for
//! what may be answered, and [`pending`] for what is asked later.

pub mod config;
pub mod destination;
pub mod encoder;
pub mod pending;
pub mod response;
#[cfg(test)]
mod tests;

pub use destination::GoogleDataManager;

entente_destination::export_destination!(GoogleDataManager);
