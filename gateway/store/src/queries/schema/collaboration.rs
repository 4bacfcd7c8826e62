//! Tables of connections, projects and what is sent in them.

diesel::table! {
    use diesel::sql_types::{BigInt, Nullable, Text};
    use super::super::super::super::Instant;

    connections (id) {
        id -> Text,
        owner_id -> Text,
        recipient_id -> Text,
        account_low -> Text,
        account_high -> Text,
        pattern -> Text,
        state -> Text,
        note -> Text,
        settings -> Nullable<Text>,
        agreed_version -> BigInt,
        proposed -> Nullable<Text>,
        proposed_at -> Nullable<Instant>,
        settings_version -> BigInt,
        rejection -> Nullable<Text>,
        payer -> Nullable<Text>,
        version -> BigInt,
        created_at -> Instant,
        updated_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Nullable, Text};
    use super::super::super::super::Instant;

    settings_drafts (connection_id) {
        connection_id -> Text,
        settings -> Nullable<Text>,
        version -> BigInt,
        saved_by -> Text,
        saved_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Text};
    use super::super::super::super::Instant;

    projects (id) {
        id -> Text,
        connection_id -> Text,
        creator_id -> Text,
        name -> Text,
        description -> Text,
        advertiser -> Text,
        use_cases -> Text,
        version -> BigInt,
        created_at -> Instant,
        updated_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::Text;
    use super::super::super::super::Instant;

    campaigns (id) {
        id -> Text,
        project_id -> Text,
        runner_id -> Text,
        external_id -> Text,
        name -> Text,
        placements -> Text,
        creatives -> Text,
        created_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Binary, Text};
    use super::super::super::super::Instant;

    destinations (id) {
        id -> Text,
        account_id -> Text,
        name -> Text,
        destination_type -> Text,
        match_keys -> Text,
        settings_sealed -> Binary,
        settings_shown -> Text,
        version -> BigInt,
        created_at -> Instant,
        updated_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Date, Nullable, Text};
    use super::super::super::super::Instant;

    sent_audiences (id) {
        id -> Text,
        connection_id -> Text,
        project_id -> Text,
        sender_id -> Text,
        receiver_id -> Text,
        audience_id -> Text,
        within_audiences -> Text,
        match_keys -> Text,
        recurring_from -> Nullable<Date>,
        recurring_until -> Nullable<Date>,
        holdout -> Nullable<Text>,
        revoked_at -> Nullable<Instant>,
        version -> BigInt,
        created_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Date, Nullable, Text};
    use super::super::super::super::Instant;

    activations (id) {
        id -> Text,
        sent_audience_id -> Text,
        account_id -> Text,
        destination_id -> Text,
        on_day -> Date,
        match_keys -> Text,
        deliver_as -> Nullable<Text>,
        status -> Text,
        paused_at -> Nullable<Instant>,
        failure -> Nullable<Text>,
        delivered -> BigInt,
        rejected -> BigInt,
        version -> BigInt,
        created_at -> Instant,
        updated_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Binary, Nullable, Text};
    use super::super::super::super::Instant;

    deliveries (id) {
        id -> Text,
        activation_id -> Text,
        account_id -> Text,
        destination_id -> Text,
        generation_id -> Text,
        status -> Text,
        acknowledged -> BigInt,
        tries -> BigInt,
        plugin_state_sealed -> Nullable<Binary>,
        added -> BigInt,
        removed -> BigInt,
        rejected -> BigInt,
        without_link -> Nullable<BigInt>,
        set_ref -> Nullable<Text>,
        failure -> Nullable<Text>,
        started_at -> Instant,
        finished_at -> Nullable<Instant>,
        opt_outs -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Text};

    rejected_rows (delivery_id, ordinal) {
        delivery_id -> Text,
        ordinal -> BigInt,
        sequence -> BigInt,
        row_number -> BigInt,
        code -> Text,
        reason -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::{Binary, Nullable, Text};
    use super::super::super::super::Instant;

    oauth_consents (id) {
        id -> Text,
        account_id -> Text,
        begun_by -> Text,
        destination_type -> Text,
        state_hash -> Nullable<Binary>,
        code_hash -> Nullable<Binary>,
        secrets_sealed -> Binary,
        created_at -> Instant,
        expires_at -> Instant,
    }
}
