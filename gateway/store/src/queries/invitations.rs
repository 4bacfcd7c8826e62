//! Invitations to accounts.

use super::{
    super::{Conn, lock},
    Changed, Done, Read, accounts, members,
    paging::page,
    schema::{invitations as rows, users},
};
use crate::{Change, Member, Outcome, Page, PageRequest, StoreError, columns};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use entente_domain::{
    AccountId, InvitationId, Refusal, Timestamp, UserId,
    access::MemberRole,
    invitation::{Accepting, Invitation, Inviting, token_invalid},
};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = rows)]
struct InvitationRow {
    id: String,
    account_id: String,
    email: String,
    role: String,
    created_at: Timestamp,
    expires_at: Timestamp,
}

impl TryFrom<InvitationRow> for Invitation {
    type Error = StoreError;

    fn try_from(row: InvitationRow) -> Read<Self> {
        Ok(Self {
            id: columns::id(&row.id)?,
            account: columns::id(&row.account_id)?,
            email: row.email,
            role: columns::from_name(&row.role, "role")?,
            created_at: row.created_at,
            expires_at: row.expires_at,
        })
    }
}

/// Makes an invitation, in the place of one that the same address has from the same account.
pub async fn create(
    conn: &mut Conn,
    new: Invitation,
    token_hash: [u8; 32],
    rule: impl FnOnce(&Inviting) -> Result<Outcome<()>, Refusal> + Send,
) -> Changed<()> {
    let account = new.account.to_string();
    accounts::hold(conn, new.account).await?;
    let of_account = rows::table.filter(rows::account_id.eq(account.clone()));
    let over = rows::email.eq(new.email.clone()).or(rows::expires_at.le(new.created_at));
    diesel::delete(of_account.clone().filter(over)).execute(conn).await?;
    let waiting: i64 = of_account.count().get_result(conn).await?;
    let is_member = match super::users::by_email(conn, new.email.clone()).await? {
        Some(user) => members::is_in(conn, new.account, user.id).await?,
        None => false,
    };
    let outcome = rule(&Inviting { is_member, waiting: columns::count(waiting)? })?;
    let row = InvitationRow {
        id: new.id.to_string(),
        account_id: account,
        email: new.email,
        role: columns::name(&new.role)?,
        created_at: new.created_at,
        expires_at: new.expires_at,
    };
    diesel::insert_into(rows::table)
        .values((row, rows::token_hash.eq(columns::hash(&token_hash))))
        .execute(conn)
        .await?;
    Ok(Done::now(outcome))
}

/// Takes an invitation of an account back.
pub async fn withdraw(conn: &mut Conn, account: AccountId, id: InvitationId) -> Changed<()> {
    let row = rows::table.find(id.to_string()).filter(rows::account_id.eq(account.to_string()));
    match diesel::delete(row).execute(conn).await? {
        0 => Err(Refusal::not_found("invitation").into()),
        _ => Ok(Done::now(Outcome::of(()))),
    }
}

/// The invitation that a token names.
pub async fn by_token(conn: &mut Conn, token_hash: [u8; 32]) -> Read<Option<Invitation>> {
    let row = rows::table.filter(rows::token_hash.eq(columns::hash(&token_hash)));
    let row = row.select(InvitationRow::as_select()).first(conn).await.optional()?;
    row.map(Invitation::try_from).transpose()
}

/// Makes a user a member by an invitation, which nobody can use again.
pub async fn accept(
    conn: &mut Conn,
    change: &Change,
    (id, user): (InvitationId, UserId),
    rule: impl FnOnce(&Accepting) -> Result<Outcome<MemberRole>, Refusal> + Send,
) -> Changed<Member> {
    let row = rows::table.find(id.to_string()).select(InvitationRow::as_select());
    let row = row.first(conn).await.optional()?.ok_or_else(token_invalid)?;
    lock(conn, "accounts", &row.account_id).await?;
    let invitation = Invitation::try_from(row)?;
    let account = invitation.account;
    let email: Option<String> =
        users::table.find(user.to_string()).select(users::email).first(conn).await.optional()?;
    let email = email.ok_or_else(|| Refusal::not_found("user"))?;
    let is_member = members::is_in(conn, account, user).await?;
    let outcome = rule(&Accepting { invitation, email, is_member })?;
    // Somebody who accepted or withdrew it meanwhile had the account before.
    if diesel::delete(rows::table.find(id.to_string())).execute(conn).await? == 0 {
        return Err(token_invalid().into());
    }
    let member = Member { account, user, role: outcome.value, created_at: change.now };
    members::add(conn, &member).await?;
    Ok(Done::now(outcome.map(|_| member)))
}

/// Invitations of an account that can be accepted, newest first.
pub async fn of_account(
    conn: &mut Conn,
    account: AccountId,
    now: Timestamp,
    request: PageRequest,
) -> Read<Page<Invitation>> {
    let waiting = || {
        let of_account = rows::account_id.eq(account.to_string()).and(rows::expires_at.gt(now));
        rows::table.filter(of_account).into_boxed::<super::super::Db>()
    };
    page!(conn, &request, waiting(), rows::id, InvitationRow)
}

/// Whether somebody with this address may accept an invitation.
pub async fn waits_for(conn: &mut Conn, email: String, now: Timestamp) -> Read<bool> {
    let waiting = rows::table.filter(rows::email.eq(email)).filter(rows::expires_at.gt(now));
    Ok(diesel::select(diesel::dsl::exists(waiting)).get_result(conn).await?)
}

/// Deletes invitations that were not accepted in time.
pub async fn delete_expired(conn: &mut Conn, now: Timestamp) -> Read<()> {
    diesel::delete(rows::table.filter(rows::expires_at.le(now))).execute(conn).await?;
    Ok(())
}
