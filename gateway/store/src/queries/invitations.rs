//! Invitations to accounts.

use super::{super::Conn, Changed, Done, Read, accounts, members, paging::page, schema::invitations as rows, users};
use crate::{Change, Member, Outcome, Page, PageRequest, StoreError, columns, error::Stop};
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
    hands_over: bool,
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
            hands_over: row.hands_over,
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
    accounts::hold(conn, new.account).await?;
    let waiting = make_room(conn, &new).await?;
    let is_member = members::has_address(conn, new.account, &new.email).await?;
    let outcome = rule(&Inviting { is_member, waiting })?;
    insert(conn, new, token_hash).await?;
    Ok(Done::now(outcome))
}

/// Deletes what a new invitation comes in the place of, and what has run out; how many others of its account wait.
pub async fn make_room(conn: &mut Conn, new: &Invitation) -> Read<u64> {
    let of_account = rows::table.filter(rows::account_id.eq(new.account.to_string()));
    let over = rows::email.eq(&new.email).or(rows::expires_at.le(new.created_at));
    diesel::delete(of_account.clone().filter(over)).execute(conn).await?;
    columns::count(of_account.count().get_result(conn).await?)
}

/// Writes a new invitation.
pub async fn insert(conn: &mut Conn, new: Invitation, token_hash: [u8; 32]) -> Read<()> {
    let row = InvitationRow {
        id: new.id.to_string(),
        account_id: new.account.to_string(),
        email: new.email,
        role: columns::name(&new.role)?,
        hands_over: new.hands_over,
        created_at: new.created_at,
        expires_at: new.expires_at,
    };
    diesel::insert_into(rows::table)
        .values((row, rows::token_hash.eq(columns::hash(&token_hash))))
        .execute(conn)
        .await?;
    Ok(())
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
    let invitation = by_id(conn, id).await?;
    let account = accounts::hold(conn, invitation.account).await?.id;
    let email = users::address(conn, user).await?;
    let is_member = members::is_in(conn, account, user).await?;
    let outcome = rule(&Accepting { invitation, email, is_member })?;
    use_up(conn, id).await?;
    let member = Member { account, user, role: outcome.value, created_at: change.now };
    members::add(conn, &member).await?;
    Ok(Done::now(outcome.map(|_| member)))
}

/// An invitation that a token named before.
pub async fn by_id(conn: &mut Conn, id: InvitationId) -> Result<Invitation, Stop> {
    let row = rows::table.find(id.to_string()).select(InvitationRow::as_select());
    let row = row.first(conn).await.optional()?.ok_or_else(token_invalid)?;
    Ok(row.try_into()?)
}

/// Uses an invitation up: somebody who accepted or withdrew it meanwhile had the account before.
pub async fn use_up(conn: &mut Conn, id: InvitationId) -> Result<(), Stop> {
    match diesel::delete(rows::table.find(id.to_string())).execute(conn).await? {
        0 => Err(token_invalid().into()),
        _ => Ok(()),
    }
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
