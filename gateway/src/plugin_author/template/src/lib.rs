//! New destination: a destination type that posts identities as JSON to an HTTP service.
//!
//! A request has at most `batch_rows` rows and an id that is made from the batch's key and the numbers of its rows: the
//! same rows always come under the same id, and a service that keeps the ids takes none of them twice. See [`encoder`]
//! for the body and [`response`] for what may be answered.

pub mod config;
pub mod destination;
pub mod encoder;
pub mod response;
#[cfg(test)]
mod tests;

pub use destination::NewDestination;

entente_destination::export_destination!(NewDestination);
