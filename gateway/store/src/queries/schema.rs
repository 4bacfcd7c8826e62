//! Tables as diesel sees them: the same in both databases, but for the type of instants.

diesel::table! {
    use diesel::sql_types::Text;

    gateway_meta (key) {
        key -> Text,
        value -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::Text;
    use super::super::super::Instant;

    users (id) {
        id -> Text,
        email -> Text,
        name -> Text,
        token_hash -> Text,
        created_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Binary, Nullable, Text};
    use super::super::super::Instant;

    accounts (id) {
        id -> Text,
        name -> Text,
        description -> Text,
        industry -> Text,
        contact_email -> Text,
        role -> Text,
        region -> Text,
        match_keys -> Text,
        privacy_level -> Text,
        connect_code_hash -> Text,
        connect_code_sealed -> Binary,
        coin_secret_sealed -> Binary,
        logo_svg -> Nullable<Text>,
        header_picture -> Nullable<Binary>,
        header_picture_type -> Nullable<Text>,
        current_generation -> Nullable<Text>,
        next_slot -> BigInt,
        version -> BigInt,
        created_at -> Instant,
        updated_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::Text;
    use super::super::super::Instant;

    members (account_id, user_id) {
        account_id -> Text,
        user_id -> Text,
        role -> Text,
        created_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::{Nullable, Text};
    use super::super::super::Instant;

    api_keys (id) {
        id -> Text,
        account_id -> Text,
        name -> Text,
        role -> Text,
        token_hash -> Text,
        expires_at -> Nullable<Instant>,
        revoked_at -> Nullable<Instant>,
        last_used_at -> Nullable<Instant>,
        created_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::{Nullable, Text};
    use super::super::super::Instant;

    token_holders (token_hash) {
        token_hash -> Text,
        kind -> Text,
        holder_id -> Nullable<Text>,
        account_id -> Nullable<Text>,
        role -> Nullable<Text>,
        expires_at -> Nullable<Instant>,
        revoked_at -> Nullable<Instant>,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Text};

    event_counters (account_id) {
        account_id -> Text,
        last_number -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Text};
    use super::super::super::Instant;

    events (account_id, number) {
        account_id -> Text,
        number -> BigInt,
        stream -> Text,
        what -> Text,
        subject_kind -> Text,
        subject_id -> Text,
        at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::{Nullable, Text};
    use super::super::super::Instant;

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
    }
}

diesel::table! {
    use diesel::sql_types::Text;
    use super::super::super::Instant;

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
    use super::super::super::Instant;

    jobs (id) {
        id -> Text,
        kind -> Text,
        lane -> Text,
        account_id -> Text,
        subject_kind -> Nullable<Text>,
        subject_id -> Nullable<Text>,
        payload -> Text,
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
    use diesel::sql_types::{BigInt, Binary, Bool, Nullable, Text};
    use super::super::super::Instant;

    uploads (id) {
        id -> Text,
        account_id -> Text,
        created_by -> Text,
        file_name -> Text,
        bytes_received -> BigInt,
        complete -> Bool,
        sealed_key -> Binary,
        used_by -> Nullable<Text>,
        created_at -> Instant,
        expires_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Nullable, Text};
    use super::super::super::Instant;

    data_connections (id) {
        id -> Text,
        account_id -> Text,
        name -> Text,
        mapping -> Text,
        categories -> Text,
        access -> Text,
        visibility -> Text,
        consent -> Text,
        status -> Text,
        failure -> Nullable<Text>,
        version -> BigInt,
        created_at -> Instant,
        updated_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::Text;
    use super::super::super::Instant;

    runs (data_connection_id) {
        data_connection_id -> Text,
        account_id -> Text,
        run_id -> Text,
        slots -> Text,
        keys -> Text,
        refreshed_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Nullable, Text};
    use super::super::super::Instant;

    refreshes (job_id) {
        job_id -> Text,
        account_id -> Text,
        source_id -> Text,
        status -> Text,
        row_count -> BigInt,
        accepted -> BigInt,
        faults -> Text,
        run_id -> Nullable<Text>,
        keys -> Text,
        failure -> Nullable<Text>,
        started_at -> Instant,
        finished_at -> Nullable<Instant>,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Nullable, Text};

    row_faults (job_id, ordinal) {
        job_id -> Text,
        ordinal -> BigInt,
        source_id -> Text,
        row_number -> BigInt,
        column_name -> Nullable<Text>,
        reason -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::Text;
    use super::super::super::Instant;

    generations (id) {
        id -> Text,
        account_id -> Text,
        identities -> Text,
        created_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Text};

    audience_slots (account_id, first_name) {
        account_id -> Text,
        first_name -> Text,
        slot -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Bool, Nullable, Text};
    use super::super::super::Instant;

    audiences (id) {
        id -> Text,
        account_id -> Text,
        data_connection_id -> Text,
        slot -> BigInt,
        first_name -> Text,
        name -> Text,
        description -> Text,
        categories -> Text,
        access_kind -> Text,
        access_connections -> Text,
        visibility -> Text,
        failed -> Bool,
        identities -> Text,
        refreshed_at -> Nullable<Instant>,
        version -> BigInt,
        created_at -> Instant,
        updated_at -> Instant,
        updated_by -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Nullable, Text};
    use super::super::super::Instant;

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
        proposed -> Nullable<Text>,
        settings_version -> BigInt,
        rejection -> Nullable<Text>,
        version -> BigInt,
        created_at -> Instant,
        updated_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Text};
    use super::super::super::Instant;

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
    use super::super::super::Instant;

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
    use super::super::super::Instant;

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
    use super::super::super::Instant;

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
        revoked_at -> Nullable<Instant>,
        version -> BigInt,
        created_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Date, Nullable, Text};
    use super::super::super::Instant;

    activations (id) {
        id -> Text,
        sent_audience_id -> Text,
        account_id -> Text,
        destination_id -> Text,
        on_day -> Date,
        match_keys -> Text,
        status -> Text,
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
    use super::super::super::Instant;

    deliveries (id) {
        id -> Text,
        activation_id -> Text,
        account_id -> Text,
        destination_id -> Text,
        generation_id -> Text,
        status -> Text,
        acknowledged -> BigInt,
        plugin_state_sealed -> Nullable<Binary>,
        added -> BigInt,
        removed -> BigInt,
        rejected -> BigInt,
        set_ref -> Nullable<Text>,
        failure -> Nullable<Text>,
        started_at -> Instant,
        finished_at -> Nullable<Instant>,
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
    use diesel::sql_types::{BigInt, Nullable, Text};
    use super::super::super::Instant;

    event_data_sets (id) {
        id -> Text,
        account_id -> Text,
        project_id -> Text,
        kind -> Text,
        name -> Text,
        fields -> Text,
        column_names -> Text,
        delimiter -> Text,
        events -> Text,
        consent -> Text,
        status -> Text,
        failure -> Nullable<Text>,
        row_count -> BigInt,
        version -> BigInt,
        created_at -> Instant,
        updated_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Date, Double, Nullable, Text};
    use super::super::super::Instant;

    reports (id) {
        id -> Text,
        account_id -> Text,
        project_id -> Text,
        name -> Text,
        kind -> Text,
        campaigns -> Text,
        from_day -> Date,
        until_day -> Date,
        run_on -> Date,
        status -> Text,
        failure -> Nullable<Text>,
        epsilon -> Double,
        result -> Nullable<Text>,
        finished_at -> Nullable<Instant>,
        version -> BigInt,
        created_at -> Instant,
        updated_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::{Double, Text};

    budgets (account_low, account_high, quarter) {
        account_low -> Text,
        account_high -> Text,
        quarter -> Text,
        spent -> Double,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    accounts,
    activations,
    api_keys,
    audience_slots,
    audiences,
    audit,
    budgets,
    campaigns,
    connections,
    data_connections,
    deliveries,
    destinations,
    event_counters,
    event_data_sets,
    events,
    gateway_meta,
    generations,
    idempotency,
    jobs,
    members,
    projects,
    refreshes,
    rejected_rows,
    reports,
    row_faults,
    runs,
    sent_audiences,
    token_holders,
    uploads,
    users,
);
