//! Entente, the open data-collaboration gateway: the program, its HTTP server and its GraphQL schema.

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
mod gateway;
mod graphql;
mod http;
mod identities;
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
mod trial;
mod turns;
mod work;
