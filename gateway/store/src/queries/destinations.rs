//! Destinations.

use super::{
    super::{Conn, Db, lock},
    Changed, Done, Read, accounts, activations, cascade,
    change::{swapped, unless_taken},
    consents, idempotency, ownership,
    paging::page,
    schema::destinations,
};
use crate::{
    Change, Created, DestinationSettings, LoadedDestination, NewSettings, Outcome, Page, PageRequest, RenewSettings,
    Sealed, StoreError, columns,
};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use entente_domain::{
    AccountId, Code, ConsentId, DestinationId, Refusal, Timestamp, account::Account, activation::Destination,
};
use std::collections::{HashMap, HashSet};

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = destinations)]
struct DestinationRow {
    id: String,
    account_id: String,
    name: String,
    destination_type: String,
    match_keys: String,
    version: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl DestinationRow {
    fn new(d: &Destination) -> Read<Self> {
        Ok(Self {
            id: d.id.to_string(),
            account_id: d.account.to_string(),
            name: d.name.clone(),
            destination_type: d.destination_type.clone(),
            match_keys: columns::json(&d.match_keys)?,
            version: d.version,
            created_at: d.created_at,
            updated_at: d.updated_at,
        })
    }
}

impl TryFrom<DestinationRow> for Destination {
    type Error = StoreError;

    fn try_from(row: DestinationRow) -> Read<Self> {
        Ok(Self {
            id: columns::id(&row.id)?,
            account: columns::id(&row.account_id)?,
            name: row.name,
            destination_type: row.destination_type,
            match_keys: columns::from_json(&row.match_keys, "match keys")?,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

/// Sets a destination up. The consent that its settings came of is used up.
pub async fn create(
    conn: &mut Conn,
    change: &Change,
    id: DestinationId,
    account: AccountId,
    settings: DestinationSettings,
    consent: Option<ConsentId>,
    rule: impl FnOnce(&Account) -> Result<Outcome<Destination>, Refusal> + Send,
) -> Changed<Created<DestinationId>> {
    if let Some(first) = idempotency::claim(conn, change, &id).await? {
        return Ok(Done::repeated(first));
    }
    let account = accounts::hold(conn, account).await?;
    let outcome = rule(&account)?;
    if let Some(consent) = consent {
        consents::use_up(conn, consent).await?;
    }
    let values = (
        DestinationRow::new(&outcome.value)?,
        destinations::settings_sealed.eq(settings.sealed),
        destinations::settings_shown.eq(columns::json(&settings.shown)?),
    );
    unless_taken(diesel::insert_into(destinations::table).values(values).execute(conn).await, name_taken)?;
    Ok(Done::created(id, outcome.map(|_| ())))
}

/// Changes a destination, and its settings where there are new ones. The rule says what goes on with them.
pub async fn change(
    conn: &mut Conn,
    change: &Change,
    id: DestinationId,
    new: Option<NewSettings>,
    rule: impl FnOnce(&LoadedDestination) -> Result<Outcome<Destination>, Refusal> + Send,
) -> Changed<Destination> {
    let not_found = || Refusal::not_found("destination");
    ownership::require(conn, change, id, not_found).await?;
    lock(conn, "destinations", &id.to_string()).await?;
    let destination = by_ids(conn, vec![id]).await?.remove(&id).ok_or_else(not_found)?;
    let account = accounts::one(conn, destination.account).await?.ok_or_else(not_found)?;
    let refused = activations::with_credentials_refused(conn, id).await?;
    let outcome = rule(&LoadedDestination { destination, account, refused })?;
    let row = destinations::table.find(id.to_string());
    if let Some(new) = new {
        let as_read = row.clone().filter(destinations::settings_sealed.eq(new.read_sealed));
        let settings = (
            destinations::settings_sealed.eq(new.settings.sealed),
            destinations::settings_shown.eq(columns::json(&new.settings.shown)?),
        );
        swapped(diesel::update(as_read).set(settings).execute(conn).await?)?;
        if let Some(consent) = new.consent {
            consents::use_up(conn, consent).await?;
        }
    }
    let changed = diesel::update(row).set(DestinationRow::new(&outcome.value)?).execute(conn).await;
    unless_taken(changed, name_taken)?;
    Ok(Done::now(outcome))
}

fn name_taken() -> Refusal {
    Refusal::new(Code::AlreadyExists, "The account has a destination with this name already.").at("name")
}

/// Replaces the sealed settings of a destination as is asked; nothing where it is gone. Answers them as they are now.
pub async fn renew(conn: &mut Conn, id: DestinationId, renew: RenewSettings) -> Read<Option<Vec<u8>>> {
    lock(conn, "destinations", &id.to_string()).await?;
    let row = destinations::table.find(id.to_string());
    let sealed: Option<Vec<u8>> = row.clone().select(destinations::settings_sealed).first(conn).await.optional()?;
    let Some(sealed) = sealed else { return Ok(None) };
    match renew(&sealed).map_err(|_| StoreError::Unopened(Sealed::DestinationSettings(id)))? {
        Some(renewed) => {
            diesel::update(row).set(destinations::settings_sealed.eq(&renewed)).execute(conn).await?;
            Ok(Some(renewed))
        }
        None => Ok(Some(sealed)),
    }
}

/// Deletes a destination; nothing is delivered to it any longer.
pub async fn delete(
    conn: &mut Conn,
    change: &Change,
    id: DestinationId,
    rule: impl FnOnce(&Destination) -> Result<Outcome<()>, Refusal> + Send,
) -> Changed<()> {
    let not_found = || Refusal::not_found("destination");
    ownership::require(conn, change, id, not_found).await?;
    lock(conn, "destinations", &id.to_string()).await?;
    let present = by_ids(conn, vec![id]).await?.remove(&id).ok_or_else(not_found)?;
    let outcome = rule(&present)?;
    cascade::destination_deleted(conn, id, change.now).await?;
    diesel::delete(destinations::table.find(id.to_string())).execute(conn).await?;
    Ok(Done::now(outcome))
}

/// Destinations by id.
pub async fn by_ids(conn: &mut Conn, ids: Vec<DestinationId>) -> Read<HashMap<DestinationId, Destination>> {
    let rows = destinations::table
        .filter(destinations::id.eq_any(columns::texts(ids)))
        .select(DestinationRow::as_select())
        .load(conn)
        .await?;
    rows.into_iter().map(|row| Destination::try_from(row).map(|d| (d.id, d))).collect()
}

/// Settings of destinations: sealed, and what may be shown.
pub async fn settings(conn: &mut Conn, ids: Vec<DestinationId>) -> Read<HashMap<DestinationId, DestinationSettings>> {
    let rows: Vec<(String, Vec<u8>, String)> = destinations::table
        .filter(destinations::id.eq_any(columns::texts(ids)))
        .select((destinations::id, destinations::settings_sealed, destinations::settings_shown))
        .load(conn)
        .await?;
    rows.into_iter()
        .map(|(id, sealed, shown)| {
            let shown = columns::from_json(&shown, "settings")?;
            Ok((columns::id(&id)?, DestinationSettings { sealed, shown }))
        })
        .collect()
}

/// Destinations of an account, newest first.
pub async fn of_account(conn: &mut Conn, account: AccountId, request: PageRequest) -> Read<Page<Destination>> {
    let rows = || destinations::table.filter(destinations::account_id.eq(account.to_string())).into_boxed::<Db>();
    page!(conn, &request, rows(), destinations::id, DestinationRow)
}

/// Which of these accounts have a destination.
pub async fn accounts_with_any(conn: &mut Conn, ids: Vec<AccountId>) -> Read<HashSet<AccountId>> {
    let rows: Vec<String> = destinations::table
        .filter(destinations::account_id.eq_any(columns::texts(ids)))
        .select(destinations::account_id)
        .distinct()
        .load(conn)
        .await?;
    rows.iter().map(|id| columns::id(id)).collect()
}
