//! Audiences.

use super::{
    super::{Conn, Db, lock},
    Changed, Done, Read,
    accounts::{containing, lower},
    change::{swapped, unless_taken},
    paging::{first_pages, newest_of_each, page},
    schema::audiences,
    slots,
};
use crate::{AudienceFilter, Change, Cursor, Outcome, Page, PageRequest, StoreError, columns};
use chrono::TimeDelta;
use diesel::{dsl::count_star, prelude::*};
use diesel_async::RunQueryDsl;
use entente_domain::{
    AccountId, AudienceId, Code, ConnectionId, DataConnectionId, Refusal, Timestamp,
    audience::{
        Audience, AudienceStatus, ConnectionAccess, EXPIRES_AFTER_DAYS, MetadataVisibility, PartnerAudience, of_one,
    },
};
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};
use std::collections::{BTreeMap, HashMap, HashSet};

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = audiences, treat_none_as_null = true)]
struct AudienceRow {
    id: String,
    account_id: String,
    data_connection_id: String,
    slot: i64,
    name: String,
    description: String,
    categories: String,
    access_kind: String,
    access_connections: String,
    visibility: String,
    failed: bool,
    identities: String,
    refreshed_at: Option<Timestamp>,
    version: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
    updated_by: String,
}

const PUBLIC: &str = "PUBLIC";

impl AudienceRow {
    fn new(a: &Audience) -> Read<Self> {
        let (access_kind, connections): (_, &[ConnectionId]) = match &a.access {
            ConnectionAccess::Private => ("PRIVATE", &[]),
            ConnectionAccess::Public => (PUBLIC, &[]),
            ConnectionAccess::Custom(connections) => ("CUSTOM", connections),
        };
        Ok(Self {
            id: a.id.to_string(),
            account_id: a.account.to_string(),
            data_connection_id: a.data_connection.to_string(),
            slot: i64::from(a.slot.0),
            name: a.name.clone(),
            description: a.description.clone(),
            categories: columns::json(&a.categories)?,
            access_kind: access_kind.to_owned(),
            access_connections: columns::json(connections)?,
            visibility: columns::json(&a.visibility)?,
            failed: a.failed,
            identities: columns::json(&a.identities)?,
            refreshed_at: a.refreshed_at,
            version: a.version,
            created_at: a.created_at,
            updated_at: a.updated_at,
            updated_by: a.updated_by.clone(),
        })
    }
}

impl TryFrom<AudienceRow> for Audience {
    type Error = StoreError;

    fn try_from(row: AudienceRow) -> Read<Self> {
        let access = match row.access_kind.as_str() {
            "PRIVATE" => ConnectionAccess::Private,
            PUBLIC => ConnectionAccess::Public,
            _ => ConnectionAccess::Custom(columns::from_json(&row.access_connections, "access")?),
        };
        Ok(Self {
            id: columns::id(&row.id)?,
            account: columns::id(&row.account_id)?,
            data_connection: columns::id(&row.data_connection_id)?,
            slot: slots::slot(row.slot)?,
            name: row.name,
            description: row.description,
            categories: columns::from_json(&row.categories, "categories")?,
            access,
            visibility: columns::from_json(&row.visibility, "visibility")?,
            failed: row.failed,
            identities: columns::from_json(&row.identities, "identities")?,
            refreshed_at: row.refreshed_at,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
            updated_by: row.updated_by,
        })
    }
}

/// The columns that others see: lists of them are long.
#[derive(Queryable, Selectable)]
#[diesel(table_name = audiences)]
struct PartnerAudienceRow {
    id: String,
    account_id: String,
    name: String,
    description: String,
    categories: String,
    visibility: String,
    failed: bool,
    identities: String,
    refreshed_at: Option<Timestamp>,
}

impl TryFrom<PartnerAudienceRow> for PartnerAudience {
    type Error = StoreError;

    fn try_from(row: PartnerAudienceRow) -> Read<Self> {
        let visibility: MetadataVisibility = columns::from_json(&row.visibility, "visibility")?;
        let Total(identity_count) = columns::from_json(&row.identities, "identities")?;
        Ok(Self {
            id: columns::id(&row.id)?,
            account: columns::id(&row.account_id)?,
            name: row.name,
            description: row.description,
            categories: columns::from_json(&row.categories, "categories")?,
            shows_identity_count: visibility.identity_count,
            identity_count,
            failed: row.failed,
            refreshed_at: row.refreshed_at,
        })
    }
}

/// The sum of the numbers of a JSON object.
struct Total(u64);

impl<'de> Deserialize<'de> for Total {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Adding;
        impl<'de> Visitor<'de> for Adding {
            type Value = Total;
            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("an object of numbers")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut numbers: A) -> Result<Total, A::Error> {
                let mut total = 0_u64;
                while let Some((_, number)) = numbers.next_entry::<IgnoredAny, u64>()? {
                    total = total.saturating_add(number);
                }
                Ok(Total(total))
            }
        }
        deserializer.deserialize_map(Adding)
    }
}

/// Adds an audience. Its slot and its name are unique among the account's live audiences.
pub async fn insert(conn: &mut Conn, audience: &Audience, first_name: String) -> Result<(), crate::error::Stop> {
    let values = (AudienceRow::new(audience)?, audiences::first_name.eq(first_name));
    unless_taken(diesel::insert_into(audiences::table).values(values).execute(conn).await, || taken(&audience.name))?;
    Ok(())
}

/// Replaces what an audience holds.
pub async fn refresh(conn: &mut Conn, id: AudienceId, identities: &BTreeMap<String, u64>, now: Timestamp) -> Read<()> {
    diesel::update(audiences::table.find(id.to_string()))
        .set((
            audiences::identities.eq(columns::json(identities)?),
            audiences::refreshed_at.eq(now),
            audiences::failed.eq(false),
            audiences::version.eq(audiences::version + 1),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// Names and first names of an account's live audiences: neither may be another one's name.
pub async fn names_in_use(conn: &mut Conn, account: AccountId) -> Read<HashSet<String>> {
    let rows: Vec<(String, String)> = audiences::table
        .filter(audiences::account_id.eq(account.to_string()))
        .select((audiences::name, audiences::first_name))
        .load(conn)
        .await?;
    Ok(rows.into_iter().flat_map(|(name, first)| [name, first]).collect())
}

fn taken(name: &str) -> Refusal {
    Refusal::new(Code::AlreadyExists, format!("There is an audience named {name} already."))
}

/// Changes audiences of an account together, all or none. The rule gets them in the order of their ids; a refusal of one of
/// them says which of `ids` it is.
pub async fn change(
    conn: &mut Conn,
    _change: &Change,
    account: AccountId,
    ids: Vec<AudienceId>,
    rule: impl FnOnce(&[Audience]) -> Result<Outcome<Vec<Audience>>, Refusal> + Send,
) -> Changed<Vec<Audience>> {
    lock(conn, "accounts", &account.to_string()).await?;
    let mut wanted = ids.clone();
    wanted.sort_unstable();
    wanted.dedup();
    let mut found = by_ids(conn, wanted.clone()).await?;
    found.retain(|_, a| a.account == account);
    let present: Vec<Audience> = wanted.iter().filter_map(|id| found.remove(id)).collect();
    if present.len() != wanted.len() {
        let missing = |id: &AudienceId| !present.iter().any(|a| a.id == *id);
        let first = ids.iter().position(missing).unwrap_or_default();
        return Err(of_one(Refusal::not_found("audience"), first).into());
    }
    let outcome = rule(&present)?;
    free_names(conn, &present, &outcome.value).await?;
    for next in &outcome.value {
        let place = ids.iter().position(|id| *id == next.id).unwrap_or_default();
        let Some(before) = present.iter().find(|p| p.id == next.id) else { continue };
        if before.name != next.name {
            require_free_name(conn, next, place).await?;
        }
        let row = audiences::table.find(next.id.to_string()).filter(audiences::version.eq(before.version));
        let written = diesel::update(row).set(AudienceRow::new(next)?).execute(conn).await;
        swapped(unless_taken(written, || of_one(taken(&next.name), place))?)?;
    }
    Ok(Done::now(outcome))
}

/// Names that audiences lose are free for others of the same change.
async fn free_names(conn: &mut Conn, before: &[Audience], after: &[Audience]) -> Read<()> {
    let is_renamed = |next: &&Audience| !before.iter().any(|b| b.id == next.id && b.name == next.name);
    let renamed: Vec<_> = after.iter().filter(is_renamed).map(|a| a.id).collect();
    if renamed.len() > 1 {
        diesel::update(audiences::table.filter(audiences::id.eq_any(columns::texts(renamed))))
            .set(audiences::name.eq(audiences::id))
            .execute(conn)
            .await?;
    }
    Ok(())
}

async fn require_free_name(conn: &mut Conn, audience: &Audience, place: usize) -> Result<(), crate::error::Stop> {
    let others: i64 = audiences::table
        .filter(audiences::account_id.eq(audience.account.to_string()))
        .filter(audiences::id.ne(audience.id.to_string()))
        .filter(audiences::name.eq(&audience.name).or(audiences::first_name.eq(&audience.name)))
        .count()
        .get_result(conn)
        .await?;
    if others == 0 { Ok(()) } else { Err(of_one(taken(&audience.name), place).into()) }
}

/// Audiences by id.
pub async fn by_ids(conn: &mut Conn, ids: Vec<AudienceId>) -> Read<HashMap<AudienceId, Audience>> {
    let rows = audiences::table
        .filter(audiences::id.eq_any(columns::texts(ids)))
        .select(AudienceRow::as_select())
        .load(conn)
        .await?;
    rows.into_iter().map(|row| Audience::try_from(row).map(|a| (a.id, a))).collect()
}

/// All audiences of a data connection.
pub async fn of_data_connection(conn: &mut Conn, id: DataConnectionId) -> Read<Vec<Audience>> {
    let rows = audiences::table
        .filter(audiences::data_connection_id.eq(id.to_string()))
        .select(AudienceRow::as_select())
        .order(audiences::id.asc())
        .load(conn)
        .await?;
    rows.into_iter().map(Audience::try_from).collect()
}

/// Audiences that were refreshed after this are active.
fn active_since(now: Timestamp) -> Timestamp {
    now - TimeDelta::days(EXPIRES_AFTER_DAYS)
}

/// The pattern of JSON lists of strings that hold this one.
fn holding(item: &str) -> Read<String> {
    let mut pattern = String::from("%");
    for c in columns::json(item)?.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    Ok(pattern)
}

/// Audiences of an account, newest first.
pub async fn of_account(
    conn: &mut Conn,
    account: AccountId,
    filter: AudienceFilter,
    now: Timestamp,
    request: PageRequest,
) -> Read<Page<Audience>> {
    let category = filter.category.as_deref().map(holding).transpose()?;
    let visible = filter.visible_to.map(|c| holding(&c.to_string())).transpose()?;
    let rows = || {
        let mut rows = audiences::table.filter(audiences::account_id.eq(account.to_string())).into_boxed::<Db>();
        if let Some(id) = filter.data_connection {
            rows = rows.filter(audiences::data_connection_id.eq(id.to_string()));
        }
        if filter.active {
            rows = rows.filter(audiences::refreshed_at.gt(active_since(now)));
        }
        rows = match filter.status {
            None => rows,
            Some(AudienceStatus::Active) => rows.filter(audiences::refreshed_at.gt(active_since(now))),
            Some(AudienceStatus::Expired) => rows.filter(audiences::refreshed_at.le(active_since(now))),
            Some(AudienceStatus::Pending) => {
                rows.filter(audiences::refreshed_at.is_null().and(audiences::failed.eq(false)))
            }
            Some(AudienceStatus::Failed) => {
                rows.filter(audiences::refreshed_at.is_null().and(audiences::failed.eq(true)))
            }
        };
        if let Some(pattern) = category.clone() {
            rows = rows.filter(audiences::categories.like(pattern).escape('\\'));
        }
        if let Some(pattern) = visible.clone() {
            let named = audiences::access_connections.like(pattern).escape('\\');
            rows = rows.filter(audiences::access_kind.eq(PUBLIC).or(named));
        }
        if let Some(search) = &filter.search {
            rows = rows.filter(lower(audiences::name).like(lower(containing(search))).escape('\\'));
        }
        rows
    };
    page!(conn, &request, rows(), audiences::id, AudienceRow)
}

/// All active audiences of an account, oldest first.
pub async fn active(conn: &mut Conn, account: AccountId, now: Timestamp) -> Read<Vec<Audience>> {
    let rows = audiences::table
        .filter(audiences::account_id.eq(account.to_string()))
        .filter(audiences::refreshed_at.gt(active_since(now)))
        .select(AudienceRow::as_select())
        .order(audiences::id.asc())
        .load(conn)
        .await?;
    rows.into_iter().map(Audience::try_from).collect()
}

/// All audiences of an account, oldest first.
pub async fn all(conn: &mut Conn, account: AccountId) -> Read<Vec<Audience>> {
    let rows = audiences::table
        .filter(audiences::account_id.eq(account.to_string()))
        .select(AudienceRow::as_select())
        .order(audiences::id.asc())
        .load(conn)
        .await?;
    rows.into_iter().map(Audience::try_from).collect()
}

/// How many active audiences accounts have. Every account asked for is in the answer.
pub async fn active_counts(conn: &mut Conn, ids: Vec<AccountId>, now: Timestamp) -> Read<HashMap<AccountId, u64>> {
    let rows: Vec<(String, i64)> = audiences::table
        .filter(audiences::account_id.eq_any(columns::texts(&ids)))
        .filter(audiences::refreshed_at.gt(active_since(now)))
        .group_by(audiences::account_id)
        .select((audiences::account_id, count_star()))
        .load(conn)
        .await?;
    let mut counts: HashMap<AccountId, u64> = ids.into_iter().map(|id| (id, 0)).collect();
    for (account, count) in rows {
        counts.insert(columns::id(&account)?, columns::count(count)?);
    }
    Ok(counts)
}

/// How many audiences data connections have. Every data connection asked for is in the answer.
pub async fn counts_of_data_connections(
    conn: &mut Conn,
    ids: Vec<DataConnectionId>,
) -> Read<HashMap<DataConnectionId, u64>> {
    let rows: Vec<(String, i64)> = audiences::table
        .filter(audiences::data_connection_id.eq_any(columns::texts(&ids)))
        .group_by(audiences::data_connection_id)
        .select((audiences::data_connection_id, count_star()))
        .load(conn)
        .await?;
    let mut counts: HashMap<DataConnectionId, u64> = ids.into_iter().map(|id| (id, 0)).collect();
    for (id, count) in rows {
        counts.insert(columns::id(&id)?, columns::count(count)?);
    }
    Ok(counts)
}

/// The newest public and active audiences of each account, and how many there are if that is asked for: at most two
/// statements.
pub async fn newest_public_of_accounts(
    conn: &mut Conn,
    accounts: Vec<AccountId>,
    now: Timestamp,
    count: usize,
    counted: bool,
) -> Read<HashMap<AccountId, Page<PartnerAudience>>> {
    let ids = columns::texts(&accounts);
    let totals = if counted { public_counts(conn, ids.clone(), now).await? } else { HashMap::new() };
    let rows: Vec<PartnerAudienceRow> =
        newest_of_each(PartnerAudienceRow::as_select(), "audiences", "account_id", ids, count)
            .only("access_kind = 'PUBLIC' AND refreshed_at > ", active_since(now))
            .load(conn)
            .await?;
    let item = |row: PartnerAudienceRow| {
        let cursor = Cursor(row.id.clone());
        PartnerAudience::try_from(row).map(|audience| (audience.account, cursor, audience))
    };
    let items = rows.into_iter().map(item).collect::<Read<Vec<_>>>()?;
    Ok(first_pages(accounts, items, &totals, count))
}

async fn public_counts(conn: &mut Conn, ids: Vec<String>, now: Timestamp) -> Read<HashMap<AccountId, i64>> {
    let totals: Vec<(String, i64)> = audiences::table
        .filter(audiences::account_id.eq_any(ids))
        .filter(audiences::access_kind.eq(PUBLIC).and(audiences::refreshed_at.gt(active_since(now))))
        .group_by(audiences::account_id)
        .select((audiences::account_id, count_star()))
        .load(conn)
        .await?;
    totals.into_iter().map(|(id, n)| Ok((columns::id(&id)?, n))).collect()
}

/// The newest audiences of each data connection: two statements for all of them.
pub async fn newest_of_data_connections(
    conn: &mut Conn,
    data_connections: Vec<DataConnectionId>,
    count: usize,
) -> Read<HashMap<DataConnectionId, Page<Audience>>> {
    let totals = counts_of_data_connections(conn, data_connections.clone()).await?;
    let totals = totals.into_iter().map(|(id, n)| (id, columns::stored(n))).collect();
    let ids = columns::texts(&data_connections);
    let rows: Vec<AudienceRow> =
        newest_of_each(AudienceRow::as_select(), "audiences", "data_connection_id", ids, count).load(conn).await?;
    let items = rows.into_iter().map(Audience::try_from).collect::<Read<Vec<_>>>()?;
    let items = items.into_iter().map(|a| (a.data_connection, Cursor(a.id.to_string()), a));
    Ok(first_pages(data_connections, items, &totals, count))
}
