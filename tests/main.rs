//! Whole workflows over HTTP and WebSocket against the running program, on SQLite and on PostgreSQL.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod harness;

mod access;
mod advertiser_to_publisher;
mod api_keys;
mod attack;
mod audit;
mod brand_to_brand;
mod coins;
mod coins_stay;
mod connection_states;
mod consents;
mod crashes;
mod crosswalks;
mod deliveries;
mod delivery_control;
mod destination_updates;
mod documents;
mod ended_subscriptions;
mod exactness;
mod fairness;
mod hostile_plugins;
mod http;
mod introspection;
mod keys;
mod killed_deliveries;
mod measuring;
mod members;
mod people;
mod plugin_versions;
mod plugins_of_others;
mod queries_per_request;
mod repeated_questions;
mod schema;
mod settings_changes;
mod sign_in;
mod sourcing;
mod startup;
mod stories;
mod subscriptions;
mod timing;
mod two_gateways;
mod webhooks;
mod websocket;
