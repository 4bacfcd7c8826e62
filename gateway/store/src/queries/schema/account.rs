//! Tables of accounts and of who may act for them.

diesel::table! {
    use diesel::sql_types::Text;

    gateway_meta (key) {
        key -> Text,
        value -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::{Binary, Text};

    gateway_secrets (name) {
        name -> Text,
        secret_sealed -> Binary,
    }
}

diesel::table! {
    use diesel::sql_types::Text;
    use super::super::super::super::Instant;

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
    use super::super::super::super::Instant;

    accounts (id) {
        id -> Text,
        name -> Text,
        description -> Text,
        industry -> Text,
        contact_email -> Text,
        role -> Text,
        region -> Text,
        agency_id -> Nullable<Text>,
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
        deleted_at -> Nullable<Instant>,
    }
}

diesel::table! {
    use diesel::sql_types::Text;
    use super::super::super::super::Instant;

    members (account_id, user_id) {
        account_id -> Text,
        user_id -> Text,
        role -> Text,
        created_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::{Nullable, Text};
    use super::super::super::super::Instant;

    api_keys (id) {
        id -> Text,
        account_id -> Text,
        name -> Text,
        role -> Text,
        purpose -> Text,
        scopes -> Nullable<Text>,
        token_hash -> Text,
        old_token_hash -> Nullable<Text>,
        old_works_until -> Nullable<Instant>,
        rotated_at -> Nullable<Instant>,
        expires_at -> Nullable<Instant>,
        revoked_at -> Nullable<Instant>,
        last_used_at -> Nullable<Instant>,
        created_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::{Nullable, Text};
    use super::super::super::super::Instant;

    token_holders (token_hash) {
        token_hash -> Text,
        kind -> Text,
        holder_id -> Nullable<Text>,
        account_id -> Nullable<Text>,
        role -> Nullable<Text>,
        agency_id -> Nullable<Text>,
        purpose -> Nullable<Text>,
        scopes -> Nullable<Text>,
        expires_at -> Nullable<Instant>,
        revoked_at -> Nullable<Instant>,
    }
}

diesel::table! {
    use diesel::sql_types::{Bool, Text};
    use super::super::super::super::Instant;

    invitations (id) {
        id -> Text,
        account_id -> Text,
        email -> Text,
        role -> Text,
        hands_over -> Bool,
        token_hash -> Text,
        created_at -> Instant,
        expires_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::{Nullable, Text};
    use super::super::super::super::Instant;

    email_invites (id) {
        id -> Text,
        account_id -> Text,
        email -> Text,
        note -> Text,
        status -> Text,
        report_reason -> Nullable<Text>,
        connection_id -> Nullable<Text>,
        token_hash -> Nullable<Text>,
        created_at -> Instant,
        expires_at -> Instant,
        sent_at -> Nullable<Instant>,
        ended_at -> Nullable<Instant>,
    }
}

diesel::table! {
    use diesel::sql_types::Text;
    use super::super::super::super::Instant;

    accepted_terms (account_id, version) {
        account_id -> Text,
        version -> Text,
        user_id -> Text,
        accepted_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::Text;
    use super::super::super::super::Instant;

    identities (issuer, subject) {
        issuer -> Text,
        subject -> Text,
        user_id -> Text,
        created_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::Text;
    use super::super::super::super::Instant;

    sessions (token_hash) {
        token_hash -> Text,
        user_id -> Text,
        created_at -> Instant,
        last_seen_at -> Instant,
        expires_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::{Nullable, Text};
    use super::super::super::super::Instant;

    session_holders (token_hash) {
        token_hash -> Text,
        user_id -> Text,
        created_at -> Instant,
        last_seen_at -> Instant,
        expires_at -> Instant,
        account_id -> Nullable<Text>,
        role -> Nullable<Text>,
        agency_id -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::Text;
    use super::super::super::super::Instant;

    used_sign_ins (state_hash) {
        state_hash -> Text,
        expires_at -> Instant,
    }
}
