//! Accounts made of plain lists, compared through the package's public doors alone.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod change_over_time;
mod counting;
mod deliveries;
mod fixture;
mod generations;
mod lift;
mod opt_outs;
mod secrecy;
mod view;
