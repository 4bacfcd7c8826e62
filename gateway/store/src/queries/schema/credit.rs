//! Tables of credits.

diesel::table! {
    use diesel::sql_types::{BigInt, Text};

    wallets (account_id) {
        account_id -> Text,
        provisioned -> BigInt,
        used -> BigInt,
        reserved -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Nullable, Text};
    use super::super::super::super::Instant;

    credit_entries (id) {
        id -> Text,
        account_id -> Text,
        work_id -> Nullable<Text>,
        provisioned -> BigInt,
        used -> BigInt,
        reserved -> BigInt,
        note -> Nullable<Text>,
        at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Nullable, Text};
    use super::super::super::super::Instant;

    credit_reservations (id) {
        id -> Text,
        account_id -> Text,
        other_id -> Nullable<Text>,
        payer -> Nullable<Text>,
        connection_id -> Nullable<Text>,
        activity -> Text,
        price -> BigInt,
        reserved_inputs -> BigInt,
        inputs -> BigInt,
        status -> Text,
        created_at -> Instant,
        ended_at -> Nullable<Instant>,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Date, Nullable, Text};

    credit_activity (id) {
        id -> Text,
        account_id -> Text,
        day -> Date,
        connection_id -> Nullable<Text>,
        activity -> Text,
        inputs -> BigInt,
        credits -> BigInt,
        share -> BigInt,
    }
}
