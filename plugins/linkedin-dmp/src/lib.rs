//! LinkedIn: a destination type that adds people to a DMP segment of LinkedIn's matched audiences and removes them, by the
//! [DMP Segment Users API](https://learn.microsoft.com/en-us/linkedin/marketing/matched-audiences/create-and-manage-segment-users).
//!
//! LinkedIn answers for each person of a request, and takes one who comes again or is gone already as if new, so a batch
//! may be sent twice. See [`encoder`] for what is sent and [`response`] for what may be answered.

pub mod config;
pub mod destination;
pub mod encoder;
pub mod response;
#[cfg(test)]
mod tests;

pub use destination::LinkedinDmp;

entente_destination::export_destination!(LinkedinDmp);
