//! Accounts.

use super::{
    super::{Conn, Db, lock},
    Changed, Done, Read,
    change::swapped,
    crosswalks, idempotency, members, opt_out_sources, opt_outs,
    paging::page,
    schema::{accounts, connections, data_connections},
};
use crate::{
    AccountSecrets, Change, Created, DirectoryFilter, LoadedAccount, Member, Outcome, Page, PageRequest, StoreError,
    columns, error::Stop,
};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use entente_domain::{
    AccountId, MatchKey, Refusal, Timestamp, UserId,
    access::MemberRole,
    account::{Account, Profile, Role},
    connection::State,
    data_connection::Mapping,
    opt_out::OptOutList,
    settings::Settings,
};
use std::collections::{BTreeSet, HashMap};

diesel::define_sql_function! {
    /// Lower case, of ASCII letters at least.
    fn lower(text: diesel::sql_types::Text) -> diesel::sql_types::Text;
}

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = accounts, treat_none_as_null = true)]
struct AccountRow {
    id: String,
    name: String,
    description: String,
    industry: String,
    contact_email: String,
    role: String,
    region: String,
    agency_id: Option<String>,
    match_keys: String,
    privacy_level: String,
    version: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl AccountRow {
    fn new(account: &Account) -> Read<Self> {
        let profile = account.profile.clone();
        Ok(Self {
            id: account.id.to_string(),
            name: profile.name,
            description: profile.description,
            industry: profile.industry,
            contact_email: profile.contact_email,
            role: columns::name(&account.role)?,
            region: account.region.clone(),
            agency_id: account.agency.map(|id| id.to_string()),
            match_keys: columns::json(&account.match_keys)?,
            privacy_level: columns::name(&account.privacy_level)?,
            version: account.version,
            created_at: account.created_at,
            updated_at: account.updated_at,
        })
    }
}

impl TryFrom<AccountRow> for Account {
    type Error = StoreError;

    fn try_from(row: AccountRow) -> Read<Self> {
        Ok(Self {
            id: columns::id(&row.id)?,
            profile: Profile {
                name: row.name,
                description: row.description,
                industry: row.industry,
                contact_email: row.contact_email,
            },
            role: columns::from_name(&row.role, "role")?,
            region: row.region,
            agency: columns::optional_id(row.agency_id.as_deref())?,
            match_keys: columns::from_json(&row.match_keys, "match keys")?,
            privacy_level: columns::from_name(&row.privacy_level, "privacy level")?,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

/// Creates an account; its first ADMIN is `admin`.
pub async fn create(
    conn: &mut Conn,
    change: &Change,
    id: AccountId,
    admin: UserId,
    secrets: AccountSecrets,
    rule: impl FnOnce() -> Result<Outcome<Account>, Refusal> + Send,
) -> Changed<Created<AccountId>> {
    if let Some(first) = idempotency::claim_as_actor(conn, change, &id).await? {
        return Ok(Done::repeated(first));
    }
    let outcome = rule()?;
    let admin = Member { account: id, user: admin, role: MemberRole::Admin, created_at: change.now };
    insert(conn, &outcome.value, Some(&admin), secrets).await?;
    Ok(Done::created(id, outcome.map(|_| ())))
}

/// Writes a new account with its first member; a client has none.
pub async fn insert(conn: &mut Conn, new: &Account, admin: Option<&Member>, secrets: AccountSecrets) -> Read<()> {
    diesel::insert_into(accounts::table)
        .values((
            AccountRow::new(new)?,
            accounts::connect_code_hash.eq(columns::hash(&secrets.connect_code_hash)),
            accounts::connect_code_sealed.eq(secrets.connect_code_sealed),
            accounts::coin_secret_sealed.eq(secrets.coin_secret_sealed),
            accounts::next_slot.eq(1),
        ))
        .execute(conn)
        .await?;
    match admin {
        Some(admin) => members::add(conn, admin).await,
        None => Ok(()),
    }
}

/// Changes an account.
pub async fn change(
    conn: &mut Conn,
    _change: &Change,
    id: AccountId,
    rule: impl FnOnce(&LoadedAccount) -> Result<Outcome<Account>, Refusal> + Send,
) -> Changed<Account> {
    let account = hold(conn, id).await?;
    let keys_in_use = keys_in_use(conn, id).await?;
    let loaded = LoadedAccount { account, keys_in_use };
    let outcome = rule(&loaded)?;
    write(conn, loaded.account.version, &outcome.value).await?;
    Ok(Done::now(outcome))
}

/// Writes the next state of an account over the version that was read.
pub async fn write(conn: &mut Conn, read: i64, next: &Account) -> Result<(), Stop> {
    let present = accounts::table.find(next.id.to_string()).filter(accounts::version.eq(read));
    swapped(diesel::update(present).set(AccountRow::new(next)?).execute(conn).await?)
}

/// Keeps an account from being deleted or changed by others until the transaction ends.
pub async fn hold(conn: &mut Conn, id: AccountId) -> Result<Account, Stop> {
    lock(conn, "accounts", &id.to_string()).await?;
    Ok(one(conn, id).await?.ok_or_else(|| Refusal::not_found("account"))?)
}

/// Makes an account one that is deleted, with secrets that nobody knows.
pub async fn bury(conn: &mut Conn, deleted: &Account, secrets: AccountSecrets, now: Timestamp) -> Read<()> {
    diesel::update(accounts::table.find(deleted.id.to_string()))
        .set((
            AccountRow::new(deleted)?,
            accounts::connect_code_hash.eq(columns::hash(&secrets.connect_code_hash)),
            accounts::connect_code_sealed.eq(secrets.connect_code_sealed),
            accounts::coin_secret_sealed.eq(secrets.coin_secret_sealed),
            accounts::logo_svg.eq(None::<String>),
            accounts::header_picture.eq(None::<Vec<u8>>),
            accounts::header_picture_type.eq(None::<String>),
            accounts::current_generation.eq(None::<String>),
            accounts::deleted_at.eq(now),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// Clients of an agency, newest first.
pub async fn clients_of(conn: &mut Conn, agency: AccountId, request: PageRequest) -> Read<Page<Account>> {
    let clients = || accounts::table.filter(accounts::agency_id.eq(agency.to_string())).into_boxed::<Db>();
    page!(conn, &request, clients(), accounts::id, AccountRow)
}

/// One account that is not deleted.
pub async fn one(conn: &mut Conn, id: AccountId) -> Read<Option<Account>> {
    let present = accounts::table.find(id.to_string()).filter(accounts::deleted_at.is_null());
    let row = present.select(AccountRow::as_select()).first(conn).await.optional()?;
    row.map(Account::try_from).transpose()
}

/// Accounts by id, also deleted ones: others have them in their records.
pub async fn by_ids(conn: &mut Conn, ids: Vec<AccountId>) -> Read<HashMap<AccountId, Account>> {
    let rows = accounts::table
        .filter(accounts::id.eq_any(columns::texts(ids)))
        .select(AccountRow::as_select())
        .load(conn)
        .await?;
    rows.into_iter().map(|row| Account::try_from(row).map(|account| (account.id, account))).collect()
}

/// The account with a connect code.
pub async fn by_connect_code_hash(conn: &mut Conn, hash: [u8; 32]) -> Read<Option<Account>> {
    let row = accounts::table
        .filter(accounts::connect_code_hash.eq(columns::hash(&hash)).and(accounts::deleted_at.is_null()))
        .select(AccountRow::as_select())
        .first(conn)
        .await
        .optional()?;
    row.map(Account::try_from).transpose()
}

/// All accounts, newest first.
pub async fn all(conn: &mut Conn, request: PageRequest) -> Read<Page<Account>> {
    let rows = || accounts::table.filter(accounts::deleted_at.is_null()).into_boxed::<Db>();
    page!(conn, &request, rows(), accounts::id, AccountRow)
}

/// Publishers and data partners, newest first.
pub async fn directory(conn: &mut Conn, filter: DirectoryFilter, request: PageRequest) -> Read<Page<Account>> {
    let listed = match filter.role {
        None => vec![Role::Publisher, Role::DataPartner],
        Some(role @ (Role::Publisher | Role::DataPartner)) => vec![role],
        Some(Role::Advertiser | Role::Agency) => Vec::new(),
    };
    let listed = listed.iter().map(columns::name).collect::<Read<Vec<_>>>()?;
    let rows = || {
        let present = accounts::table.filter(accounts::deleted_at.is_null());
        let mut rows = present.filter(accounts::role.eq_any(listed.clone())).into_boxed::<Db>();
        if let Some(search) = &filter.search {
            rows = rows.filter(lower(accounts::name).like(lower(containing(search))).escape('\\'));
        }
        if let Some(industry) = &filter.industry {
            rows = rows.filter(lower(accounts::industry).eq(lower(columns::plain(industry))));
        }
        rows
    };
    page!(conn, &request, rows(), accounts::id, AccountRow)
}

/// The pattern of texts that hold this one; what the pattern would read as a wildcard is escaped.
pub(super) fn containing(text: &str) -> String {
    let mut pattern = String::from("%");
    for c in columns::plain(text).chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

/// Match keys that cannot be changed: those that data connections map, that crosswalks link, that the list of opt-outs or its
/// source has, and that live connections name.
pub async fn keys_in_use(conn: &mut Conn, id: AccountId) -> Read<Vec<MatchKey>> {
    let mut keys = BTreeSet::new();
    let mappings: Vec<String> = data_connections::table
        .filter(data_connections::account_id.eq(id.to_string()))
        .select(data_connections::mapping)
        .load(conn)
        .await?;
    for mapping in mappings {
        let mapping: Mapping = columns::from_json(&mapping, "mapping")?;
        keys.extend(mapping.fields.into_iter().map(|f| f.match_key));
    }
    keys.extend(crosswalks::all(conn, id).await?.into_iter().flat_map(|c| [c.join.match_key, c.linked.match_key]));
    let sources = opt_out_sources::of_accounts(conn, vec![id]).await?.into_values();
    keys.extend(sources.flat_map(|source| source.load.fields).map(|field| field.match_key));
    let lists: Vec<OptOutList> = opt_outs::of_accounts(conn, vec![id]).await?.into_values().collect();
    let is_listed = |key: &MatchKey| lists.iter().any(|list| list.identities.contains_key(&key.name()));
    let own = one(conn, id).await?.map(|account| account.keys()).unwrap_or_default();
    keys.extend(own.into_iter().filter(is_listed));
    let live: Vec<State> = State::ALL.into_iter().filter(|s| s.is_live()).collect();
    let live = live.iter().map(columns::name).collect::<Read<Vec<_>>>()?;
    let settings: Vec<(Option<String>, Option<String>)> = connections::table
        .filter(connections::owner_id.eq(id.to_string()).or(connections::recipient_id.eq(id.to_string())))
        .filter(connections::state.eq_any(live))
        .select((connections::settings, connections::proposed))
        .load(conn)
        .await?;
    for text in settings.into_iter().flat_map(|(agreed, proposed)| [agreed, proposed]).flatten() {
        let settings: Settings = columns::from_json(&text, "settings")?;
        keys.extend(settings.match_keys);
    }
    Ok(keys.into_iter().collect())
}
