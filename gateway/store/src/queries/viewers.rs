//! Whom a token belongs to.

use super::{super::Conn, Read, schema::token_holders};
use crate::{StoreError, columns};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use entente_domain::{
    AccountId, Timestamp,
    access::{Act, Actor, MemberRole, Viewer},
    api_key,
};
use std::collections::{BTreeMap, HashMap};

#[derive(Queryable, Selectable)]
#[diesel(table_name = token_holders)]
struct HolderRow {
    kind: String,
    holder_id: Option<String>,
    account_id: Option<String>,
    role: Option<String>,
    agency_id: Option<String>,
    purpose: Option<String>,
    scopes: Option<String>,
}

impl HolderRow {
    /// What limits an API key beside its role.
    fn limits(&self) -> Read<Option<Vec<Act>>> {
        let Some(purpose) = &self.purpose else { return Ok(None) };
        let scopes: Option<Vec<Act>> =
            self.scopes.as_deref().map(|scopes| columns::from_json(scopes, "scopes")).transpose()?;
        Ok(api_key::limits(columns::from_name(purpose, "purpose")?, scopes.as_deref()))
    }
}

/// The rows of tokens that count.
macro_rules! holders {
    ($now:expr) => {
        token_holders::table
            .filter(token_holders::revoked_at.is_null())
            .filter(token_holders::expires_at.is_null().or(token_holders::expires_at.gt($now)))
    };
}

/// The holder of a token, with the accounts that it may act for. One statement.
pub async fn by_token_hash(conn: &mut Conn, hash: [u8; 32], now: Timestamp) -> Read<Option<Viewer>> {
    let rows: Vec<HolderRow> = holders!(now)
        .filter(token_holders::token_hash.eq(columns::hash(&hash)))
        .select(HolderRow::as_select())
        .load(conn)
        .await?;
    viewer(&rows)
}

/// The holders of those tokens that count. One statement.
pub async fn by_token_hashes(
    conn: &mut Conn,
    hashes: Vec<[u8; 32]>,
    now: Timestamp,
) -> Read<HashMap<[u8; 32], Viewer>> {
    let rows: Vec<(String, HolderRow)> = holders!(now)
        .filter(token_holders::token_hash.eq_any(hashes.iter().map(columns::hash)))
        .select((token_holders::token_hash, HolderRow::as_select()))
        .load(conn)
        .await?;
    let mut of_tokens: HashMap<String, Vec<HolderRow>> = HashMap::new();
    for (hash, row) in rows {
        of_tokens.entry(hash).or_default().push(row);
    }
    let mut viewers = HashMap::with_capacity(of_tokens.len());
    for hash in hashes {
        let rows = of_tokens.get(&columns::hash(&hash)).map_or(&[][..], Vec::as_slice);
        if let Some(viewer) = viewer(rows)? {
            viewers.insert(hash, viewer);
        }
    }
    Ok(viewers)
}

/// Whom the rows of one token tell of.
fn viewer(rows: &[HolderRow]) -> Read<Option<Viewer>> {
    let Some(first) = rows.first() else { return Ok(None) };
    let holder = || first.holder_id.as_deref().ok_or(StoreError::Unreadable("token"));
    let actor = match first.kind.as_str() {
        "user" => Actor::User(columns::id(holder()?)?),
        "api_key" => Actor::ApiKey(columns::id(holder()?)?),
        "operator" => Actor::Operator,
        _ => return Err(StoreError::Unreadable("token")),
    };
    let rows = rows.iter().map(|row| (row.account_id.as_deref(), row.role.as_deref(), row.agency_id.as_deref()));
    acting(actor, first.limits()?, rows).map(Some)
}

/// Somebody with the accounts that it may act for, by rows of an account, a role in it and an agency for which it acts
/// there. Who may act for none has one row with none of these.
pub(super) fn acting<'a>(
    actor: Actor,
    limits: Option<Vec<Act>>,
    rows: impl Iterator<Item = (Option<&'a str>, Option<&'a str>, Option<&'a str>)>,
) -> Read<Viewer> {
    let (mut memberships, mut agencies) = (BTreeMap::<AccountId, MemberRole>::new(), Vec::new());
    for (account, role, agency) in rows {
        let Some((account, role)) = account.zip(role) else { continue };
        let (account, role) = (columns::id(account)?, columns::from_name(role, "role")?);
        // Who belongs to a client and to its agency may do what either role may.
        let most = memberships.entry(account).or_insert(role);
        *most = role.max(*most);
        if let Some(agency) = agency {
            agencies.push((account, columns::id(agency)?));
        }
    }
    agencies.sort_unstable();
    Ok(Viewer { actor, memberships: memberships.into_iter().collect(), agencies, limits })
}
