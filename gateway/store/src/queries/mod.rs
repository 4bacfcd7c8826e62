//! The queries, one file per noun. This file is compiled for each database: `super::Conn` is its connection.

pub mod accepted_terms;
pub mod account_deletion;
pub mod accounts;
pub mod activations;
pub mod agencies;
pub mod api_keys;
pub mod audience_sizes;
pub mod audiences;
pub mod audit;
pub mod audit_chain;
pub mod budgets;
pub mod campaigns;
pub mod cascade;
pub mod change;
pub mod connections;
pub mod consents;
pub mod credit_activity;
pub mod credits;
pub mod crosswalks;
pub mod data_connections;
pub mod data_sources;
pub mod dead_letters;
pub mod deletions;
pub mod deliveries;
pub mod destinations;
pub mod drifts;
pub mod email_invites;
pub mod event_data_sets;
pub mod event_webhooks;
pub mod events;
pub mod expiry;
pub mod gateway_meta;
pub mod generations;
pub mod idempotency;
pub mod invitations;
pub mod jobs;
pub mod late_rejections;
pub mod lease;
pub mod members;
pub mod opt_out_sources;
pub mod opt_outs;
pub mod ownership;
mod paging;
pub mod projects;
pub mod publication;
pub mod refreshes;
pub mod reports;
pub mod schema;
pub mod sealed;
pub mod secrets;
pub mod sent_audiences;
pub mod sessions;
pub mod settings_drafts;
pub mod slots;
pub mod standings;
pub mod uploads;
pub mod users;
pub mod viewers;

pub use change::Done;
pub use diesel::QueryResult;

/// What reading answers.
pub(crate) type Read<T> = Result<T, crate::StoreError>;
/// What changing answers: the new state, or why the transaction is rolled back.
pub(crate) type Changed<T> = Result<Done<T>, crate::error::Stop>;
