//! Whose objects are.
//!
//! The database leaves out what belongs to others, so that of it as little is read as of what is not there, and answers about
//! both take as long. So this is asked before anything is locked and before more is looked up.

use super::{
    super::Conn,
    QueryResult, Read,
    schema::{
        activations, audiences, connections, crosswalks, data_connections, destinations, event_data_sets,
        event_webhooks, jobs, projects, reports, sent_audiences, uploads,
    },
};
use crate::{Change, Owned, OwnedKind, columns, error::Stop};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use entente_domain::{AccountId, Refusal};
use std::collections::{HashMap, HashSet};

/// Refuses what is not of the change's account, like what is not there. A change of no account is of the gateway or its
/// operator, who may change all.
pub async fn require(
    conn: &mut Conn,
    change: &Change,
    object: impl Into<Owned>,
    not_found: impl FnOnce() -> Refusal,
) -> Result<(), Stop> {
    match change.account {
        Some(account) if !is_of(conn, account, object).await? => Err(not_found().into()),
        _ => Ok(()),
    }
}

/// Whether an object is an account's.
pub async fn is_of(conn: &mut Conn, account: AccountId, object: impl Into<Owned>) -> Read<bool> {
    let Owned { kind, id } = object.into();
    let found = of_kind(conn, kind, &columns::texts([id]), &columns::texts([account])).await?;
    Ok(!found.is_empty())
}

/// Those of some objects that are of these accounts: a statement for each kind.
pub async fn owned(conn: &mut Conn, objects: Vec<Owned>, accounts: Vec<AccountId>) -> Read<HashSet<Owned>> {
    let accounts = columns::texts(accounts);
    let mut kinds: HashMap<OwnedKind, Vec<String>> = HashMap::new();
    for Owned { kind, id } in objects {
        kinds.entry(kind).or_default().push(id.to_string());
    }
    let mut found = HashSet::new();
    for (kind, ids) in kinds {
        for id in of_kind(conn, kind, &ids, &accounts).await? {
            found.insert(Owned { kind, id: columns::id(&id)? });
        }
    }
    Ok(found)
}

async fn of_kind(conn: &mut Conn, kind: OwnedKind, ids: &[String], accounts: &[String]) -> QueryResult<Vec<String>> {
    macro_rules! of_one {
        ($table:ident) => {{
            let rows = $table::table.filter($table::id.eq_any(ids)).filter($table::account_id.eq_any(accounts));
            rows.select($table::id).load(conn).await
        }};
    }
    let is_a_side = connections::owner_id.eq_any(accounts).or(connections::recipient_id.eq_any(accounts));
    match kind {
        OwnedKind::Activation => of_one!(activations),
        OwnedKind::Audience => of_one!(audiences),
        OwnedKind::Crosswalk => of_one!(crosswalks),
        OwnedKind::DataConnection => of_one!(data_connections),
        OwnedKind::Destination => of_one!(destinations),
        OwnedKind::EventDataSet => of_one!(event_data_sets),
        OwnedKind::EventWebhook => of_one!(event_webhooks),
        OwnedKind::Job => of_one!(jobs),
        OwnedKind::Report => of_one!(reports),
        OwnedKind::Upload => of_one!(uploads),
        OwnedKind::Connection => {
            let rows = connections::table.filter(connections::id.eq_any(ids)).filter(is_a_side);
            rows.select(connections::id).load(conn).await
        }
        OwnedKind::Project => {
            let both = projects::table.inner_join(connections::table.on(connections::id.eq(projects::connection_id)));
            let rows = both.filter(projects::id.eq_any(ids)).filter(is_a_side);
            rows.select(projects::id).load(conn).await
        }
        OwnedKind::SentAudience => {
            use sent_audiences::{receiver_id, sender_id, table};
            let rows = table.filter(sent_audiences::id.eq_any(ids));
            let rows = rows.filter(sender_id.eq_any(accounts).or(receiver_id.eq_any(accounts)));
            rows.select(sent_audiences::id).load(conn).await
        }
    }
}
