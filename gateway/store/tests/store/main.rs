//! The store against both databases. PostgreSQL is used when `ENTENTE_TEST_POSTGRES` is the URL of a server where
//! databases can be made; with `ENTENTE_TEST_REQUIRE_POSTGRES=1` it must be.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod accounts;
mod agencies;
mod audit_chain;
mod changes;
mod connections;
mod consents;
mod constraints;
mod credits;
mod crosswalks;
mod database;
mod deletions;
mod deliveries;
mod drifts;
mod email_invites;
mod event_webhooks;
mod events;
mod invitations;
mod jobs;
mod migrations;
mod opt_out_sources;
mod opt_outs;
mod pages;
mod reports;
mod sealed;
mod sessions;
mod slots;
mod sourcing;
mod world;
