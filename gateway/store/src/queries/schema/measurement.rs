//! Tables of events, reports and privacy budgets.

diesel::table! {
    use diesel::sql_types::{BigInt, Nullable, Text};
    use super::super::super::super::Instant;

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
        source_type -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Date, Double, Nullable, Text};
    use super::super::super::super::Instant;

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
        failure_reason -> Nullable<Text>,
        provenance -> Nullable<Text>,
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
