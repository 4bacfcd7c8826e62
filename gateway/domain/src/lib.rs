//! The rules of Entente: what an account, a connection, a project, an audience, an activation and a report may become,
//! who may make it so, and what one side may read about the other side's people.
//!
//! Pure functions over plain values. No I/O, no async, no database, no GraphQL.

pub mod access;
pub mod account;
pub mod activation;
pub mod admap;
pub mod agency;
pub mod api_key;
pub mod attribution;
pub mod audience;
pub mod audit_chain;
pub mod connect_code;
pub mod connection;
pub mod conversion_event;
pub mod credit;
pub mod crosswalk;
pub mod data_connection;
pub mod deletion;
pub mod delivery;
pub mod destination_settings;
pub mod discover;
pub mod drift;
pub mod email_invite;
pub mod event;
pub mod event_data;
pub mod event_webhook;
pub mod holdout;
pub mod id;
pub mod invitation;
pub mod match_key;
pub mod oauth_consent;
pub mod opt_out;
pub mod privacy;
pub mod privacy_budget;
pub mod progress;
pub mod project;
pub mod provenance;
pub mod refusal;
pub mod release;
pub mod report;
pub mod schedule;
pub mod sending;
pub mod settings;
pub mod settings_change;
pub mod settings_draft;
pub mod sign_in;
pub mod slot;
pub mod terms;
pub mod upload;

pub use id::*;
pub use match_key::{MatchKey, MatchKeyKind};
pub use privacy::PrivacyLevel;
pub use refusal::{Code, Refusal};

/// Instants are UTC everywhere; days are UTC days.
pub type Timestamp = chrono::DateTime<chrono::Utc>;
