//! Tables as diesel sees them: the same in both databases, but for the type of instants.

mod account;
mod change;
mod collaboration;
mod credit;
mod measurement;
mod source;

pub use account::*;
pub use change::*;
pub use collaboration::*;
pub use credit::*;
pub use measurement::*;
pub use source::*;

diesel::allow_tables_to_appear_in_same_query!(
    accepted_terms,
    accounts,
    activations,
    api_keys,
    audience_slots,
    audiences,
    audit,
    audit_chain,
    audit_heads,
    budgets,
    campaigns,
    connections,
    credit_activity,
    credit_entries,
    credit_reservations,
    crosswalks,
    data_connections,
    dead_letters,
    deliveries,
    destinations,
    email_invites,
    event_counters,
    event_data_sets,
    event_webhooks,
    events,
    gateway_meta,
    gateway_secrets,
    generations,
    idempotency,
    identities,
    invitations,
    jobs,
    members,
    oauth_consents,
    opt_out_sources,
    opt_outs,
    projects,
    refreshes,
    rejected_rows,
    reports,
    row_faults,
    runs,
    sent_audiences,
    session_holders,
    settings_drafts,
    sessions,
    sources,
    token_holders,
    uploads,
    used_sign_ins,
    users,
    wallets,
);
