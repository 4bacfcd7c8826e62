//! What the database keeps by itself, when somebody writes to it who goes around the gateway.

use crate::{
    database::{Database, on_both},
    world::{account, command, connected, invite, project, sourced},
};
use diesel::result::Error::DatabaseError;
use entente_domain::{account::Role, connection::Command, settings::Side};

/// A statement is refused: PostgreSQL names the constraint, SQLite names it or says what it is about.
async fn refused(db: &Database, statement: &str, constraint: &str, on_sqlite: &str) {
    match db.execute(statement).await {
        Err(DatabaseError(_, about)) if db.is_postgres() => {
            assert_eq!(about.constraint_name(), Some(constraint), "{statement}: {}", about.message());
        }
        Err(DatabaseError(_, about)) => {
            assert!(about.message().contains(on_sqlite), "{statement}: {}", about.message())
        }
        other => panic!("{statement}: {other:?}"),
    }
}

/// The statement that copies a connection with other values in some columns.
fn copied(changed: &[(&str, &str)]) -> String {
    const COLUMNS: [&str; 15] = [
        "id",
        "owner_id",
        "recipient_id",
        "account_low",
        "account_high",
        "pattern",
        "state",
        "note",
        "settings_version",
        "version",
        "created_at",
        "updated_at",
        "agreed_version",
        "proposed_at",
        "settings",
    ];
    let value =
        |column: &str| changed.iter().find(|(name, _)| *name == column).map_or(column.to_owned(), |c| c.1.into());
    let values: Vec<_> = COLUMNS.iter().map(|column| value(column)).collect();
    format!(
        "INSERT INTO connections ({}) SELECT {} FROM connections WHERE state = 'ACTIVE'",
        COLUMNS.join(", "),
        values.join(", ")
    )
}

async fn a_pair_has_one_live_connection(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let tv = account(&db, "TV Tube", Role::Publisher).await;
    let over = connected(&db, luma, tv).await;
    command(&db, over, Side::Owner, Command::Delete).await.unwrap().unwrap();
    connected(&db, luma, tv).await;
    let (one, two) = ("connections_one_live_per_pair", "connections.account_low, connections.account_high");
    let swapped = [("id", "'x'"), ("owner_id", "recipient_id"), ("recipient_id", "owner_id")];
    refused(&db, &copied(&[("id", "'x'")]), one, two).await;
    refused(&db, &copied(&[("id", "'x'"), ("state", "'INVITED'")]), one, two).await;
    refused(&db, &copied(&swapped), one, two).await;
    let back = format!("UPDATE connections SET state = 'ACTIVE' WHERE id = '{over}'");
    refused(&db, &back, one, two).await;
    // Nor does another order, another pair or another state of the same name go around the index.
    let order = [("id", "'x'"), ("account_low", "account_high"), ("account_high", "account_low")];
    let pair = "connections_pair_is_its_accounts";
    refused(&db, &copied(&order), pair, pair).await;
    refused(&db, &copied(&[("id", "'x'"), ("account_low", "'0'")]), pair, pair).await;
    refused(&db, "UPDATE connections SET account_high = 'z'", pair, pair).await;
    let state = "connections_state_is_known";
    refused(&db, &copied(&[("id", "'x'"), ("state", "'Active'")]), state, state).await;
    refused(&db, "UPDATE connections SET state = 'LIVE'", state, state).await;
    assert_eq!(db.count("connections").await, 2);
}

async fn numbers_are_given_once(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let tv = account(&db, "TV Tube", Role::Publisher).await;
    sourced(&db, luma, &["Runners", "Hikers"]).await;
    invite(&db, luma, tv).await;
    for (statement, constraint, on_sqlite) in [
        ("INSERT INTO events SELECT * FROM events", "events_pkey", "events.account_id, events.number"),
        ("UPDATE events SET number = 1", "events_pkey", "events.account_id, events.number"),
        ("INSERT INTO event_counters SELECT account_id, 0 FROM event_counters", "event_counters_pkey", "account_id"),
        ("UPDATE event_counters SET last_number = last_number - 1", "event_counters_go_forward", "go_forward"),
        ("DELETE FROM event_counters", "event_counters_are_never_deleted", "are_never_deleted"),
        ("INSERT INTO audit_chain SELECT chain, sequence, 'x', hash FROM audit_chain", "audit_chain_pkey", "sequence"),
        ("UPDATE audience_slots SET slot = 1", "audience_slots_account_id_slot_key", "audience_slots.slot"),
        (
            "INSERT INTO audience_slots SELECT account_id, 'Swimmers', slot FROM audience_slots",
            "audience_slots_account_id_slot_key",
            "audience_slots.slot",
        ),
    ] {
        refused(&db, statement, constraint, on_sqlite).await;
    }
}

async fn nothing_is_orphaned(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let tv = account(&db, "TV Tube", Role::Publisher).await;
    sourced(&db, luma, &["Runners"]).await;
    let connection = connected(&db, luma, tv).await;
    project(&db, connection, luma).await;
    let foreign_key = "FOREIGN KEY constraint failed";
    for (statement, constraint, on_sqlite) in [
        ("UPDATE projects SET connection_id = 'none'", "projects_connection_id_fkey", foreign_key),
        ("DELETE FROM connections", "projects_connection_id_fkey", foreign_key),
        ("UPDATE audiences SET data_connection_id = 'none'", "audiences_data_connection_id_fkey", foreign_key),
        ("DELETE FROM data_connections", "audiences_data_connection_id_fkey", "runs_data_connection_id_fkey"),
        (
            "INSERT INTO members SELECT 'none', user_id, role, created_at FROM members",
            "members_account_id_fkey",
            foreign_key,
        ),
        (
            "INSERT INTO runs (data_connection_id, account_id, run_id, slots, keys, refreshed_at)
                SELECT 'none', account_id, run_id, slots, keys, refreshed_at FROM runs",
            "runs_data_connection_id_fkey",
            "runs_data_connection_id_fkey",
        ),
        ("DELETE FROM audience_slots", "audiences_slot_fkey", "audiences_slot_fkey"),
        (
            "UPDATE accounts SET current_generation = 'none'",
            "accounts_current_generation_fkey",
            "accounts_current_generation_fkey",
        ),
        ("DELETE FROM generations", "accounts_current_generation_fkey", "accounts_current_generation_fkey"),
    ] {
        refused(&db, statement, constraint, on_sqlite).await;
    }
}

on_both!(a_pair_has_one_live_connection, numbers_are_given_once, nothing_is_orphaned);
