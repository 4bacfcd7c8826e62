//! Meta custom audiences: a destination type that keeps the people of a customer file custom audience, by Meta's
//! [Marketing API](https://developers.facebook.com/documentation/ads-commerce/marketing-api/audiences/guides/custom-audiences).
//!
//! People who joined are added, those who left removed; or the audience is replaced by what is delivered. A person that
//! comes again changes nothing at Meta, so a batch may be sent twice. See [`encoder`] for what is sent, [`response`] for
//! what may be answered, [`replacement`] for how a whole audience is replaced.

pub mod config;
pub mod destination;
pub mod encoder;
pub mod replacement;
pub mod response;
#[cfg(test)]
mod tests;

pub use destination::MetaCustomAudiences;

entente_destination::export_destination!(MetaCustomAudiences);
