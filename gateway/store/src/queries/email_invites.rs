//! Invites by e-mail. Whoever writes one holds its account.

use super::{
    super::{Conn, Db},
    Changed, Done, Read, accounts, connections, idempotency,
    paging::page,
    schema::{accepted_terms, email_invites as rows, users},
};
use crate::{
    AccountSecrets, Change, Created, MailOfInvite, Member, Outcome, Page, PageRequest, StoreError, columns, error::Stop,
};
use chrono::TimeDelta;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use entente_domain::{
    AccountId, EmailInviteId, Refusal, Timestamp, UserId,
    access::MemberRole,
    account::Account,
    email_invite::{self, Accepted, Accepting, EmailInvite, Inviting, KEPT, Mailing, Status, WEEK, token_invalid},
};
use std::collections::HashMap;

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = rows)]
struct EmailInviteRow {
    id: String,
    account_id: String,
    email: String,
    note: String,
    status: String,
    report_reason: Option<String>,
    connection_id: Option<String>,
    created_at: Timestamp,
    expires_at: Timestamp,
    sent_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
}

impl EmailInviteRow {
    fn new(invite: &EmailInvite) -> Read<Self> {
        Ok(Self {
            id: invite.id.to_string(),
            account_id: invite.account.to_string(),
            email: invite.email.clone(),
            note: invite.note.clone(),
            status: columns::name(&invite.status)?,
            report_reason: invite.report_reason.as_ref().map(columns::name).transpose()?,
            connection_id: invite.connection.map(|id| id.to_string()),
            created_at: invite.created_at,
            expires_at: invite.expires_at,
            sent_at: invite.sent_at,
            ended_at: invite.ended_at,
        })
    }
}

impl TryFrom<EmailInviteRow> for EmailInvite {
    type Error = StoreError;

    fn try_from(row: EmailInviteRow) -> Read<Self> {
        let reason = |text: String| columns::from_name(&text, "reason of a report");
        Ok(Self {
            id: columns::id(&row.id)?,
            account: columns::id(&row.account_id)?,
            email: row.email,
            note: row.note,
            status: columns::from_name(&row.status, "status of an invite")?,
            report_reason: row.report_reason.map(reason).transpose()?,
            connection: columns::optional_id(row.connection_id.as_deref())?,
            created_at: row.created_at,
            expires_at: row.expires_at,
            sent_at: row.sent_at,
            ended_at: row.ended_at,
        })
    }
}

/// Makes one, in the place of one that the address has from the account.
pub async fn create(
    conn: &mut Conn,
    change: &Change,
    (id, account, email): (EmailInviteId, AccountId, String),
    rule: impl FnOnce(&Inviting) -> Result<Outcome<EmailInvite>, Refusal> + Send,
) -> Changed<Created<EmailInviteId>> {
    if let Some(first) = idempotency::claim(conn, change, &id).await? {
        return Ok(Done::repeated(first));
    }
    accounts::hold(conn, account).await?;
    let outcome = rule(&inviting(conn, account, &email, change.now).await?)?;
    end_waiting(conn, (account, email), Status::Replaced, change.now).await?;
    diesel::insert_into(rows::table).values(EmailInviteRow::new(&outcome.value)?).execute(conn).await?;
    Ok(Done::created(id, outcome.map(|_| ())))
}

/// What the rule is told before an address is invited.
async fn inviting(conn: &mut Conn, account: AccountId, email: &str, now: Timestamp) -> Read<Inviting> {
    let of_account = rows::table.filter(rows::account_id.eq(account.to_string()));
    let waiting = columns::name(&Status::Waiting)?;
    let is_address = rows::email.eq(columns::plain(email));
    let reported =
        of_account.clone().filter(is_address.clone().and(rows::status.eq(columns::name(&Status::Reported)?)));
    let others = of_account.clone().filter(rows::email.ne(columns::plain(email)));
    let others = others.filter(rows::status.eq(waiting).and(rows::expires_at.gt(now)));
    let today = of_account.clone().filter(rows::created_at.gt(now - TimeDelta::days(1)));
    let for_address = of_account.filter(is_address).filter(rows::created_at.gt(now - WEEK));
    Ok(Inviting {
        has_reported: diesel::select(diesel::dsl::exists(reported)).get_result(conn).await?,
        waiting: columns::count(others.count().get_result(conn).await?)?,
        made_today: columns::count(today.count().get_result(conn).await?)?,
        made_for_address: columns::count(for_address.count().get_result(conn).await?)?,
    })
}

/// Ends what waits of an account for an address.
async fn end_waiting(
    conn: &mut Conn,
    (account, email): (AccountId, String),
    status: Status,
    now: Timestamp,
) -> Read<()> {
    let waiting = rows::table
        .filter(rows::account_id.eq(account.to_string()).and(rows::email.eq(columns::plain(&email))))
        .filter(rows::status.eq(columns::name(&Status::Waiting)?));
    let ended = (rows::status.eq(columns::name(&status)?), rows::ended_at.eq(now));
    diesel::update(waiting).set(ended).execute(conn).await?;
    Ok(())
}

/// One with its account, both kept from being changed by others.
async fn held(conn: &mut Conn, id: EmailInviteId) -> Result<(EmailInvite, Account), Stop> {
    let read = by_ids(conn, vec![id]).await?.remove(&id).ok_or_else(token_invalid)?;
    let inviter = accounts::hold(conn, read.account).await?;
    Ok((by_ids(conn, vec![id]).await?.remove(&id).ok_or_else(token_invalid)?, inviter))
}

/// Ends one, as the rule says. With one that is reported, what else the address has waiting of the account ends.
pub async fn end(
    conn: &mut Conn,
    change: &Change,
    id: EmailInviteId,
    rule: impl FnOnce(&EmailInvite) -> Result<Outcome<EmailInvite>, Refusal> + Send,
) -> Changed<EmailInvite> {
    let outcome = rule(&held(conn, id).await?.0)?;
    let ended = &outcome.value;
    write_end(conn, ended).await?;
    if ended.status == Status::Reported {
        end_waiting(conn, (ended.account, ended.email.clone()), Status::Reported, change.now).await?;
    }
    Ok(Done::now(outcome))
}

/// Makes a user the ADMIN of a new account, which is connected with the account that invited it.
pub async fn accept(
    conn: &mut Conn,
    change: &Change,
    (id, user): (EmailInviteId, UserId),
    secrets: AccountSecrets,
    rule: impl FnOnce(&Accepting) -> Result<Outcome<Accepted>, Refusal> + Send,
) -> Changed<Accepted> {
    let (invite, inviter) = held(conn, id).await?;
    let email: Option<String> =
        users::table.find(user.to_string()).select(users::email).first(conn).await.optional()?;
    let email = email.ok_or_else(|| Refusal::not_found("user"))?;
    let outcome = rule(&Accepting { invite, inviter, email })?;
    let Accepted { account, connection, terms, invite } = &outcome.value;
    let admin = Member { account: account.id, user, role: MemberRole::Admin, created_at: change.now };
    accounts::insert(conn, account, Some(&admin), secrets).await?;
    connections::insert(conn, connection).await?;
    diesel::insert_into(accepted_terms::table)
        .values((
            accepted_terms::account_id.eq(terms.account.to_string()),
            accepted_terms::version.eq(&terms.version),
            accepted_terms::user_id.eq(terms.user.to_string()),
            accepted_terms::accepted_at.eq(terms.accepted_at),
        ))
        .execute(conn)
        .await?;
    write_end(conn, invite).await?;
    Ok(Done::now(outcome))
}

/// Writes how one ended. Its mail is another's to write about.
async fn write_end(conn: &mut Conn, ended: &EmailInvite) -> Read<()> {
    let ended = EmailInviteRow::new(ended)?;
    diesel::update(rows::table.find(ended.id))
        .set((
            rows::status.eq(ended.status),
            rows::report_reason.eq(ended.report_reason),
            rows::connection_id.eq(ended.connection_id),
            rows::ended_at.eq(ended.ended_at),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// Invites by id.
pub async fn by_ids(conn: &mut Conn, ids: Vec<EmailInviteId>) -> Read<HashMap<EmailInviteId, EmailInvite>> {
    let rows =
        rows::table.filter(rows::id.eq_any(columns::texts(ids))).select(EmailInviteRow::as_select()).load(conn).await?;
    rows.into_iter().map(|row| EmailInvite::try_from(row).map(|invite| (invite.id, invite))).collect()
}

/// The invite that a token names.
pub async fn by_token(conn: &mut Conn, token_hash: [u8; 32]) -> Read<Option<EmailInvite>> {
    let row = rows::table.filter(rows::token_hash.eq(columns::hash(&token_hash)));
    let row = row.select(EmailInviteRow::as_select()).first(conn).await.optional()?;
    row.map(EmailInvite::try_from).transpose()
}

/// Invites of an account, newest first.
pub async fn of_account(conn: &mut Conn, account: AccountId, request: PageRequest) -> Read<Page<EmailInvite>> {
    let of_account = || rows::table.filter(rows::account_id.eq(account.to_string())).into_boxed::<Db>();
    page!(conn, &request, of_account(), rows::id, EmailInviteRow)
}

/// Whether somebody with this address may accept one.
pub async fn waits_for(conn: &mut Conn, email: String, now: Timestamp) -> Read<bool> {
    let waiting = rows::table
        .filter(rows::email.eq(columns::plain(&email)).and(rows::expires_at.gt(now)))
        .filter(rows::status.eq(columns::name(&Status::Waiting)?));
    Ok(diesel::select(diesel::dsl::exists(waiting)).get_result(conn).await?)
}

/// Gives the mail of one a token, where it is to be sent; a token of before names nothing any more.
pub async fn begin_mail(
    conn: &mut Conn,
    id: EmailInviteId,
    token_hash: [u8; 32],
    now: Timestamp,
) -> Read<MailOfInvite> {
    let Some(invite) = by_ids(conn, vec![id]).await?.remove(&id) else { return Ok(MailOfInvite::NotWanted) };
    let Some(inviter) = accounts::one(conn, invite.account).await? else { return Ok(MailOfInvite::NotWanted) };
    let mails: Vec<Option<Timestamp>> = rows::table
        .filter(rows::email.eq(&invite.email).and(rows::sent_at.gt(now - WEEK)))
        .select(rows::sent_at)
        .load(conn)
        .await?;
    let mails: Vec<_> = mails.into_iter().flatten().collect();
    match email_invite::mailing(&invite, &mails, now) {
        Mailing::NotWanted => Ok(MailOfInvite::NotWanted),
        Mailing::Later(at) => Ok(MailOfInvite::Later(at)),
        Mailing::Send => {
            let row = diesel::update(rows::table.find(id.to_string()));
            row.set(rows::token_hash.eq(columns::hash(&token_hash))).execute(conn).await?;
            Ok(MailOfInvite::Send { invite: Box::new(invite), inviter: Box::new(inviter) })
        }
    }
}

/// The mail server took the mail of one.
pub async fn mail_sent(conn: &mut Conn, id: EmailInviteId, now: Timestamp) -> Read<()> {
    diesel::update(rows::table.find(id.to_string())).set(rows::sent_at.eq(now)).execute(conn).await?;
    Ok(())
}

/// There is no address as that of one.
pub async fn mail_undeliverable(conn: &mut Conn, id: EmailInviteId, now: Timestamp) -> Read<()> {
    let waiting = rows::table.find(id.to_string()).filter(rows::status.eq(columns::name(&Status::Waiting)?));
    let ended = (rows::status.eq(columns::name(&Status::Undeliverable)?), rows::ended_at.eq(now));
    diesel::update(waiting).set(ended).execute(conn).await?;
    Ok(())
}

/// Deletes those that ended, or were not accepted in time, too long ago; those that were reported stay.
pub async fn delete_old(conn: &mut Conn, now: Timestamp) -> Read<()> {
    let over = rows::expires_at.le(now - KEPT).or(rows::ended_at.le(now - KEPT));
    let reported = columns::name(&Status::Reported)?;
    diesel::delete(rows::table.filter(rows::status.ne(reported)).filter(over)).execute(conn).await?;
    Ok(())
}
