//! Sourcing, from the upload to what is read: through the schema and the jobs, against a gateway of its own.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod campaign;
mod company;
mod crosswalks;
mod deleting;
mod delivering;
mod measuring;
mod opt_outs;
mod sourcing;
