//! Tables of files, data connections, audiences and indexes.

diesel::table! {
    use diesel::sql_types::{BigInt, Binary, Bool, Nullable, Text};
    use super::super::super::super::Instant;

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
        size -> Nullable<BigInt>,
    }
}

diesel::table! {
    use diesel::sql_types::{Binary, Nullable, Text};

    sources (id) {
        id -> Text,
        account_id -> Text,
        settings_sealed -> Binary,
        settings_shown -> Text,
        seen -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Nullable, Text};
    use super::super::super::super::Instant;

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
        source_type -> Nullable<Text>,
        schedule -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Nullable, Text};
    use super::super::super::super::Instant;

    crosswalks (id) {
        id -> Text,
        account_id -> Text,
        name -> Text,
        join_side -> Text,
        linked_side -> Text,
        delimiter -> Text,
        consent -> Text,
        status -> Text,
        failure -> Nullable<Text>,
        links_id -> Nullable<Text>,
        counts -> Text,
        version -> BigInt,
        created_at -> Instant,
        updated_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Text};
    use super::super::super::super::Instant;

    opt_outs (account_id) {
        account_id -> Text,
        number -> BigInt,
        files_id -> Text,
        identities -> Text,
        sha256 -> Text,
        loaded_by -> Text,
        loaded_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Nullable, Text};
    use super::super::super::super::Instant;

    opt_out_sources (account_id) {
        account_id -> Text,
        source_type -> Text,
        schedule -> Text,
        read_as -> Text,
        set_at -> Instant,
        shape -> Nullable<Text>,
        made -> Nullable<BigInt>,
    }
}

diesel::table! {
    use diesel::sql_types::{Bool, Nullable, Text};
    use super::super::super::super::Instant;

    runs (data_connection_id) {
        data_connection_id -> Text,
        account_id -> Text,
        run_id -> Text,
        slots -> Text,
        keys -> Text,
        refreshed_at -> Instant,
        shape -> Nullable<Text>,
        expiry_told -> Bool,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Nullable, Text};
    use super::super::super::super::Instant;

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
        bytes -> Nullable<BigInt>,
        identities -> Nullable<BigInt>,
        drifts -> Text,
        shape -> Nullable<Text>,
        upload_id -> Nullable<Text>,
        accepted_by -> Nullable<Text>,
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
    use super::super::super::super::Instant;

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
    use super::super::super::super::Instant;

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
