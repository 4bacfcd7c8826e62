//! Entente, the open data-collaboration gateway: the program, its HTTP server and its GraphQL schema.

// The fields of the schema's roots are one type inside the other, as many as there are nouns.
#![recursion_limit = "256"]

#[cfg(any(test, feature = "fuzzing"))]
mod alone;
mod audit;
mod background;
pub mod cli;
mod clock;
mod consent;
mod declared;
mod demo;
pub mod destinations;
mod discover;
mod email_invites;
mod endpoint;
mod event_webhooks;
mod figures;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod gateway;
mod graphql;
mod holdout;
mod http;
mod identities;
mod mail;
mod outgoing;
mod plugin_author;
mod rates;
mod readiness;
mod report_link;
mod secrets;
mod serve;
mod settings;
mod sign_in;
mod sources;
mod subscriptions;
mod telemetry;
mod traces;
mod trial;
mod turns;
mod uploading;
mod work;

/// An answer is many small values, made by one thread and dropped by another, which the usual allocator of Linux makes a third
/// of the work: `cargo bench --workspace --bench page_of_connections`.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;
