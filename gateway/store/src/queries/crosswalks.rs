//! Crosswalks.

use super::{
    super::{Conn, Db, lock},
    Changed, Done, Read, accounts, audience_sizes, cascade,
    change::swapped,
    generations, idempotency, jobs, ownership,
    paging::page,
    refreshes,
    schema::crosswalks,
    uploads,
};
use crate::{
    Change, Created, LinksPublication, NewJob, Outcome, Page, PageRequest, RefreshEnd, StoreError, columns, error::Stop,
};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use entente_domain::{
    AccountId, CrosswalkId, Refusal, Timestamp, UploadId,
    account::Account,
    crosswalk::{self, Crosswalk},
    event::{AccountEventKind, NewEvent, Subject},
};
use std::collections::HashMap;

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = crosswalks, treat_none_as_null = true)]
struct CrosswalkRow {
    id: String,
    account_id: String,
    name: String,
    join_side: String,
    linked_side: String,
    delimiter: String,
    consent: String,
    status: String,
    failure: Option<String>,
    links_id: Option<String>,
    counts: String,
    version: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl CrosswalkRow {
    fn new(c: &Crosswalk) -> Read<Self> {
        Ok(Self {
            id: c.id.to_string(),
            account_id: c.account.to_string(),
            name: c.name.clone(),
            join_side: columns::json(&c.join)?,
            linked_side: columns::json(&c.linked)?,
            delimiter: c.delimiter.to_string(),
            consent: columns::json(&c.consent)?,
            status: columns::name(&c.status)?,
            failure: c.failure.clone(),
            links_id: c.links.clone(),
            counts: columns::json(&c.counts)?,
            version: c.version,
            created_at: c.created_at,
            updated_at: c.updated_at,
        })
    }
}

impl TryFrom<CrosswalkRow> for Crosswalk {
    type Error = StoreError;

    fn try_from(row: CrosswalkRow) -> Read<Self> {
        Ok(Self {
            id: columns::id(&row.id)?,
            account: columns::id(&row.account_id)?,
            name: row.name,
            join: columns::from_json(&row.join_side, "join side")?,
            linked: columns::from_json(&row.linked_side, "linked side")?,
            delimiter: row.delimiter.chars().next().ok_or(StoreError::Unreadable("delimiter"))?,
            consent: columns::from_json(&row.consent, "consent")?,
            status: columns::from_name(&row.status, "status")?,
            failure: row.failure,
            links: row.links_id,
            counts: columns::from_json(&row.counts, "counts")?,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

/// Creates a crosswalk, and takes the upload that it is first loaded from. The rule gets the account and its crosswalks.
pub async fn create(
    conn: &mut Conn,
    change: &Change,
    id: CrosswalkId,
    account: AccountId,
    upload: UploadId,
    rule: impl FnOnce(&Account, &Vec<Crosswalk>) -> Result<Outcome<Crosswalk>, Refusal> + Send,
) -> Changed<Created<CrosswalkId>> {
    if let Some(first) = idempotency::claim(conn, change, &id).await? {
        return Ok(Done::repeated(first));
    }
    // The account is locked so that none of its match keys goes meanwhile, and no other crosswalk comes.
    let account = accounts::hold(conn, account).await?;
    let present = all(conn, account.id).await?;
    let outcome = rule(&account, &present)?;
    uploads::take(conn, change, account.id, upload, id.to_string()).await?;
    diesel::insert_into(crosswalks::table).values(CrosswalkRow::new(&outcome.value)?).execute(conn).await?;
    Ok(Done::created(id, outcome.map(|_| ())))
}

/// Changes a crosswalk, and takes the upload that it is loaded from again.
pub async fn change(
    conn: &mut Conn,
    change: &Change,
    id: CrosswalkId,
    upload: Option<UploadId>,
    rule: impl FnOnce(&Crosswalk) -> Result<Outcome<Crosswalk>, Refusal> + Send,
) -> Changed<Crosswalk> {
    let loaded = for_change(conn, change, id).await?;
    let outcome = rule(&loaded)?;
    if let Some(upload) = upload {
        uploads::take(conn, change, loaded.account, upload, id.to_string()).await?;
    }
    write(conn, loaded.version, &outcome.value).await?;
    Ok(Done::now(outcome))
}

/// Deletes a crosswalk; what would still have been delivered through it fails.
pub async fn delete(
    conn: &mut Conn,
    change: &Change,
    id: CrosswalkId,
    rule: impl FnOnce(&Crosswalk) -> Result<Outcome<()>, Refusal> + Send,
) -> Changed<()> {
    let loaded = for_change(conn, change, id).await?;
    let outcome = rule(&loaded)?;
    cascade::crosswalk_deleted(conn, &loaded, change.now).await?;
    refreshes::delete_of(conn, id.to_string()).await?;
    jobs::cancel_about(conn, vec![id.to_string()], change.now).await?;
    diesel::delete(crosswalks::table.find(id.to_string())).execute(conn).await?;
    Ok(Done::now(outcome))
}

/// A load becomes what everybody's audiences are compared through: links, generation, sizes of audiences and history at
/// once. A generation that was built from another one than is current is a conflict.
pub async fn publish(
    conn: &mut Conn,
    change: &Change,
    publication: LinksPublication,
    jobs: Vec<NewJob>,
) -> Changed<Crosswalk> {
    let loaded = for_change(conn, change, publication.crosswalk).await?;
    let LinksPublication { built_from, generation, account_identities, audience_sizes, .. } = &publication;
    generations::switch(conn, loaded.account, *built_from, *generation, account_identities, change.now).await?;
    audience_sizes::write(conn, loaded.account, audience_sizes).await?;
    let next = crosswalk::loaded(&loaded, &publication.links, publication.counts, change.now);
    write(conn, loaded.version, &next).await?;
    let end = RefreshEnd {
        job: publication.job,
        read: publication.read,
        run: Some(publication.links),
        keys: [&next.join, &next.linked].map(|side| side.match_key.name()).to_vec(),
        failure: None,
    };
    refreshes::end(conn, next.id.to_string(), &end, change.now).await?;
    let event = NewEvent::of_account(next.account, AccountEventKind::CrosswalkLoaded, Subject::Crosswalk(next.id));
    Ok(Done::now(Outcome { value: next, events: vec![event], jobs, credits: vec![] }))
}

/// A load failed: the links that were there stay.
pub async fn fail(conn: &mut Conn, change: &Change, id: CrosswalkId, end: RefreshEnd) -> Changed<Crosswalk> {
    let loaded = for_change(conn, change, id).await?;
    let next = crosswalk::failed(&loaded, end.failure.as_deref().unwrap_or_default(), change.now);
    write(conn, loaded.version, &next).await?;
    refreshes::end(conn, id.to_string(), &end, change.now).await?;
    let event = NewEvent::of_account(next.account, AccountEventKind::CrosswalkLoadFailed, Subject::Crosswalk(id));
    Ok(Done::now(Outcome::of(next).events([event])))
}

/// Loads a crosswalk to change it. Its account is locked: generations belong to all of it.
async fn for_change(conn: &mut Conn, change: &Change, id: CrosswalkId) -> Result<Crosswalk, Stop> {
    let not_found = || Refusal::not_found("crosswalk");
    ownership::require(conn, change, id, not_found).await?;
    let present = by_ids(conn, vec![id]).await?.remove(&id);
    let owner = present.ok_or_else(not_found)?.account;
    lock(conn, "accounts", &owner.to_string()).await?;
    Ok(by_ids(conn, vec![id]).await?.remove(&id).ok_or_else(not_found)?)
}

/// Writes a crosswalk over the version that was read.
async fn write(conn: &mut Conn, read_version: i64, next: &Crosswalk) -> Result<(), Stop> {
    let present = crosswalks::table.find(next.id.to_string()).filter(crosswalks::version.eq(read_version));
    swapped(diesel::update(present).set(CrosswalkRow::new(next)?).execute(conn).await?)
}

/// Crosswalks by id.
pub async fn by_ids(conn: &mut Conn, ids: Vec<CrosswalkId>) -> Read<HashMap<CrosswalkId, Crosswalk>> {
    let rows = crosswalks::table
        .filter(crosswalks::id.eq_any(columns::texts(ids)))
        .select(CrosswalkRow::as_select())
        .load(conn)
        .await?;
    rows.into_iter().map(|row| Crosswalk::try_from(row).map(|c| (c.id, c))).collect()
}

/// Crosswalks of an account, newest first.
pub async fn of_account(conn: &mut Conn, account: AccountId, request: PageRequest) -> Read<Page<Crosswalk>> {
    let rows = || crosswalks::table.filter(crosswalks::account_id.eq(account.to_string())).into_boxed::<Db>();
    page!(conn, &request, rows(), crosswalks::id, CrosswalkRow)
}

/// All crosswalks of an account, oldest first. They are few.
pub async fn all(conn: &mut Conn, account: AccountId) -> Read<Vec<Crosswalk>> {
    let rows = crosswalks::table
        .filter(crosswalks::account_id.eq(account.to_string()))
        .select(CrosswalkRow::as_select())
        .order(crosswalks::id.asc())
        .load(conn)
        .await?;
    rows.into_iter().map(Crosswalk::try_from).collect()
}
