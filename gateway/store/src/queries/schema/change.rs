//! Tables of what every change of state leaves: events and who is told of them, the audit log, jobs.

diesel::table! {
    use diesel::sql_types::{BigInt, Text};

    event_counters (account_id) {
        account_id -> Text,
        last_number -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Nullable, Text};
    use super::super::super::super::Instant;

    events (account_id, number) {
        account_id -> Text,
        number -> BigInt,
        stream -> Text,
        what -> Text,
        subject_kind -> Text,
        subject_id -> Text,
        agency_id -> Nullable<Text>,
        at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Binary, Nullable, Text};
    use super::super::super::super::Instant;

    event_webhooks (id) {
        id -> Text,
        account_id -> Text,
        url -> Text,
        events -> Text,
        status -> Text,
        last_number -> BigInt,
        waits_since -> Instant,
        tries -> BigInt,
        failing_since -> Nullable<Instant>,
        last_status -> Nullable<BigInt>,
        last_error -> Nullable<Text>,
        secret_sealed -> Binary,
        old_secret_sealed -> Nullable<Binary>,
        old_secret_works_until -> Nullable<Instant>,
        rotated_at -> Nullable<Instant>,
        version -> BigInt,
        created_at -> Instant,
        updated_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Nullable, Text};
    use super::super::super::super::Instant;

    dead_letters (event_webhook_id, number) {
        event_webhook_id -> Text,
        account_id -> Text,
        number -> BigInt,
        stream -> Text,
        what -> Text,
        subject_kind -> Text,
        subject_id -> Text,
        agency_id -> Nullable<Text>,
        at -> Instant,
        tries -> BigInt,
        status -> Nullable<BigInt>,
        error -> Text,
        given_up_at -> Instant,
        replay_asked_at -> Nullable<Instant>,
    }
}

diesel::table! {
    use diesel::sql_types::{Nullable, Text};
    use super::super::super::super::Instant;

    audit (id) {
        id -> Text,
        account_id -> Nullable<Text>,
        at -> Instant,
        actor_kind -> Text,
        actor_id -> Nullable<Text>,
        action -> Text,
        subject_kind -> Nullable<Text>,
        subject_id -> Nullable<Text>,
        request_id -> Text,
        outcome -> Text,
        code -> Nullable<Text>,
        details -> Nullable<Text>,
        agency_id -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Text};

    audit_chain (chain, sequence) {
        chain -> Text,
        sequence -> BigInt,
        entry_id -> Text,
        hash -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Text};

    audit_heads (chain) {
        chain -> Text,
        sequence -> BigInt,
        hash -> Text,
        chained_later -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::Text;
    use super::super::super::super::Instant;

    idempotency (scope, action, key) {
        scope -> Text,
        action -> Text,
        key -> Text,
        result_id -> Text,
        at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Nullable, Text};
    use super::super::super::super::Instant;

    jobs (id) {
        id -> Text,
        kind -> Text,
        lane -> Text,
        share -> Nullable<Text>,
        account_id -> Text,
        subject_kind -> Nullable<Text>,
        subject_id -> Nullable<Text>,
        payload -> Text,
        trace_parent -> Nullable<Text>,
        state -> Text,
        run_at -> Instant,
        attempts -> BigInt,
        lease_owner -> Nullable<Text>,
        lease_until -> Nullable<Instant>,
        progress -> Nullable<Text>,
        error -> Nullable<Text>,
        created_at -> Instant,
        finished_at -> Nullable<Instant>,
    }
}

diesel::table! {
    use diesel::sql_types::Text;
    use super::super::super::super::Instant;

    job_turns (pool, account_id) {
        pool -> Text,
        account_id -> Text,
        at -> Instant,
    }
}
