//! Entente, the open data-collaboration gateway: the program, its HTTP server and its GraphQL schema.

#[cfg(any(test, feature = "fuzzing"))]
mod alone;
mod audit;
mod background;
pub mod cli;
mod clock;
mod consent;
mod demo;
pub mod destinations;
mod discover;
mod endpoint;
mod event_webhooks;
mod figures;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod gateway;
mod graphql;
mod http;
mod identities;
mod outgoing;
mod plugin_author;
mod rates;
mod readiness;
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
mod work;
