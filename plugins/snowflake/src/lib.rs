//! Snowflake: a destination type that keeps the rows of a table, by the
//! [SQL API](https://docs.snowflake.com/en/developer-guide/sql-api/intro), with a key pair.
//!
//! The SQL API has no `PUT`, so files cannot be staged through it. Rows go into a table of the delivery's own, as JSON in
//! a bound value, and at the end one `MERGE` brings what was added and removed into the table of the settings. What is
//! there twice is merged once, so a batch may be sent twice. See [`encoder`] for the statements, [`response`] for what
//! may be answered, and [`token`] for how requests are signed.

pub mod config;
pub mod destination;
pub mod encoder;
pub mod response;
pub mod statements;
#[cfg(test)]
mod tests;
pub mod token;

pub use destination::Snowflake;

entente_destination::export_destination!(Snowflake);
