//! Users of accounts.

use super::{
    super::Conn,
    Changed, Done, Read, accounts,
    schema::{members, users},
};
use crate::{Member, Outcome, StoreError, columns};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use entente_domain::{AccountId, Code, Refusal, Timestamp, UserId, access::MemberRole};
use std::collections::HashMap;

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = members)]
struct MemberRow {
    account_id: String,
    user_id: String,
    role: String,
    created_at: Timestamp,
}

impl TryFrom<MemberRow> for Member {
    type Error = StoreError;

    fn try_from(row: MemberRow) -> Read<Self> {
        Ok(Self {
            account: columns::id(&row.account_id)?,
            user: columns::id(&row.user_id)?,
            role: columns::from_name(&row.role, "role")?,
            created_at: row.created_at,
        })
    }
}

/// Adds a user to an account.
pub async fn add(conn: &mut Conn, member: &Member) -> Read<()> {
    let row = MemberRow {
        account_id: member.account.to_string(),
        user_id: member.user.to_string(),
        role: columns::name(&member.role)?,
        created_at: member.created_at,
    };
    diesel::insert_into(members::table).values(row).execute(conn).await?;
    Ok(())
}

/// Whether a user belongs to an account.
pub async fn is_in(conn: &mut Conn, account: AccountId, user: UserId) -> Read<bool> {
    let member = members::table.find((account.to_string(), user.to_string()));
    Ok(diesel::select(diesel::dsl::exists(member)).get_result(conn).await?)
}

/// Whether a user with an address, in lower case, belongs to an account.
pub async fn has_address(conn: &mut Conn, account: AccountId, email: &str) -> Read<bool> {
    match super::users::by_email(conn, email.to_owned()).await? {
        Some(user) => is_in(conn, account, user.id).await,
        None => Ok(false),
    }
}

/// Users of accounts, those who joined first at the front.
pub async fn of_accounts(conn: &mut Conn, accounts: Vec<AccountId>) -> Read<HashMap<AccountId, Vec<Member>>> {
    let rows = members::table
        .filter(members::account_id.eq_any(columns::texts(&accounts)))
        .select(MemberRow::as_select())
        .order((members::created_at.asc(), members::user_id.asc()))
        .load(conn)
        .await?;
    let mut lists: HashMap<AccountId, Vec<Member>> = accounts.into_iter().map(|a| (a, Vec::new())).collect();
    for row in rows {
        let member = Member::try_from(row)?;
        lists.entry(member.account).or_default().push(member);
    }
    Ok(lists)
}

/// Makes an account's users those that the rule answers. One ADMIN stays, unless an agency acts for the account, which
/// has one.
pub async fn change(
    conn: &mut Conn,
    account: AccountId,
    rule: impl FnOnce(&[Member]) -> Result<Outcome<Vec<Member>>, Refusal> + Send,
) -> Changed<Vec<Member>> {
    let agency = accounts::hold(conn, account).await?.agency;
    let present = of_accounts(conn, vec![account]).await?.remove(&account).unwrap_or_default();
    let outcome = rule(&present)?;
    let wanted = &outcome.value;
    if agency.is_none() && !wanted.iter().any(|m| m.role == MemberRole::Admin) {
        return Err(Refusal::new(Code::LastAdmin, "The last ADMIN of an account cannot go.").into());
    }
    for gone in present.iter().filter(|m| !wanted.iter().any(|w| w.user == m.user)) {
        diesel::delete(members::table.find((account.to_string(), gone.user.to_string()))).execute(conn).await?;
    }
    for member in wanted {
        match present.iter().find(|m| m.user == member.user) {
            Some(before) if before.role == member.role => {}
            Some(_) => {
                diesel::update(members::table.find((account.to_string(), member.user.to_string())))
                    .set(members::role.eq(columns::name(&member.role)?))
                    .execute(conn)
                    .await?;
            }
            None => {
                let known: i64 = users::table.find(member.user.to_string()).count().get_result(conn).await?;
                if known == 0 {
                    return Err(Refusal::not_found("user").at("userId").into());
                }
                add(conn, &Member { account, ..member.clone() }).await?;
            }
        }
    }
    Ok(Done::now(outcome))
}
