//! The gateway's side of destinations against a plugin in C that misbehaves as asked, in real worker processes. The
//! test program itself serves as the worker.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod calls;
mod deliveries;
mod fixture;
mod hostile;
mod in_process;
mod kills;
mod ledger;
mod types;
mod versions;
