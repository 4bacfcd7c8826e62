//! Who signed in at a provider, and browsers that stay signed in.

use super::{
    super::Conn,
    Changed, Done, Read,
    change::unless_taken,
    email_invites, invitations,
    schema::{identities, session_holders, sessions, used_sign_ins as used},
    viewers::acting,
};
use crate::{Change, Identity, NewSession, Outcome, Session, User, columns};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use entente_domain::{
    Refusal, Timestamp, UserId,
    access::Actor,
    sign_in::{Identified, Identifying},
};
use std::collections::HashMap;

/// Notes that a browser came back from the provider; whether it is the first that came back so.
pub async fn come_back(conn: &mut Conn, state_hash: [u8; 32], until: Timestamp) -> Read<bool> {
    let row = (used::state_hash.eq(columns::hash(&state_hash)), used::expires_at.eq(until));
    let noted = diesel::insert_into(used::table).values(row).on_conflict_do_nothing().execute(conn).await?;
    Ok(noted == 1)
}

/// The user who signs in as this.
pub async fn user_of(conn: &mut Conn, identity: Identity) -> Read<Option<UserId>> {
    let row = identities::table.find((columns::plain(&identity.issuer), columns::plain(&identity.subject)));
    let user: Option<String> = row.select(identities::user_id).first(conn).await.optional()?;
    columns::optional_id(user.as_deref())
}

/// Makes somebody a user who signs in for the first time, or finds out which user it is. The rule decides.
pub async fn identify(
    conn: &mut Conn,
    change: &Change,
    (identity, new): (Identity, User),
    token_hash: [u8; 32],
    rule: impl FnOnce(&Identifying) -> Result<Outcome<Identified>, Refusal> + Send,
) -> Changed<UserId> {
    // Somebody who signs in for the first time twice at once.
    if let Some(user) = user_of(conn, identity.clone()).await? {
        return Ok(Done::now(Outcome::of(user)));
    }
    let (issuer, subject) = (columns::plain(&identity.issuer), columns::plain(&identity.subject));
    let user = super::users::by_email(conn, new.email.clone()).await?.map(|user| user.id);
    let has_another_identity = match user {
        Some(user) => {
            let others = identities::table.filter(identities::user_id.eq(user.to_string()));
            let at_this = others.filter(identities::issuer.eq(issuer.clone()));
            diesel::select(diesel::dsl::exists(at_this)).get_result(conn).await?
        }
        None => false,
    };
    let is_invited = invitations::waits_for(conn, new.email.clone(), change.now).await?
        || email_invites::waits_for(conn, new.email.clone(), change.now).await?;
    let outcome = rule(&Identifying { user, has_another_identity, is_invited })?;
    let user = match outcome.value {
        Identified::User(user) => user,
        Identified::New => super::users::create(conn, change, new, token_hash).await?.value.id,
    };
    let row = (
        identities::issuer.eq(issuer),
        identities::subject.eq(subject),
        identities::user_id.eq(user.to_string()),
        identities::created_at.eq(change.now),
    );
    let written = diesel::insert_into(identities::table).values(row).execute(conn).await;
    // As before, or two people did as one user.
    unless_taken(written, || {
        Refusal::new(entente_domain::Code::Conflict, "Somebody signed in so just now. Try again.")
    })?;
    Ok(Done::now(outcome.map(|_| user)))
}

/// Begins a session.
pub async fn begin(conn: &mut Conn, new: NewSession) -> Changed<()> {
    let row = (
        sessions::token_hash.eq(columns::hash(&new.token_hash)),
        sessions::user_id.eq(new.user.to_string()),
        sessions::created_at.eq(new.created_at),
        sessions::last_seen_at.eq(new.created_at),
        sessions::expires_at.eq(new.expires_at),
    );
    diesel::insert_into(sessions::table).values(row).execute(conn).await?;
    Ok(Done::now(Outcome::of(())))
}

/// A session's token, its user, when it began, when it was last seen, and an account that the user may act for, with
/// its role and the agency for which it does.
type Row = (String, String, Timestamp, Timestamp, Option<String>, Option<String>, Option<String>);

/// The rows of sessions that have not ended.
macro_rules! rows {
    ($now:expr) => {
        session_holders::table.filter(session_holders::expires_at.gt($now)).select((
            session_holders::token_hash,
            session_holders::user_id,
            session_holders::created_at,
            session_holders::last_seen_at,
            session_holders::account_id,
            session_holders::role,
            session_holders::agency_id,
        ))
    };
}

/// A session with the accounts that its user may act for. One statement.
pub async fn by_token_hash(conn: &mut Conn, token_hash: [u8; 32], now: Timestamp) -> Read<Option<Session>> {
    let rows: Vec<Row> =
        rows!(now).filter(session_holders::token_hash.eq(columns::hash(&token_hash))).load(conn).await?;
    session(&rows)
}

/// Those of some sessions that have not ended, with the accounts that their users may act for. One statement.
pub async fn by_token_hashes(
    conn: &mut Conn,
    hashes: Vec<[u8; 32]>,
    now: Timestamp,
) -> Read<HashMap<[u8; 32], Session>> {
    let mut rows: Vec<Row> =
        rows!(now).filter(session_holders::token_hash.eq_any(hashes.iter().map(columns::hash))).load(conn).await?;
    rows.sort_unstable();
    let texts: HashMap<String, [u8; 32]> = hashes.into_iter().map(|hash| (columns::hash(&hash), hash)).collect();
    let mut found = HashMap::with_capacity(texts.len());
    for rows in rows.chunk_by(|one, other| one.0 == other.0) {
        if let (Some(hash), Some(session)) = (rows.first().and_then(|row| texts.get(&row.0)), session(rows)?) {
            found.insert(*hash, session);
        }
    }
    Ok(found)
}

/// What the rows of one session tell of.
fn session(rows: &[Row]) -> Read<Option<Session>> {
    let Some((_, user, created_at, last_seen_at, ..)) = rows.first() else { return Ok(None) };
    let accounts =
        rows.iter().map(|(.., account, role, agency)| (account.as_deref(), role.as_deref(), agency.as_deref()));
    let viewer = acting(Actor::User(columns::id(user)?), None, accounts)?;
    Ok(Some(Session { viewer, created_at: *created_at, last_seen_at: *last_seen_at }))
}

/// Notes that a session was seen.
pub async fn touch(conn: &mut Conn, token_hash: [u8; 32], now: Timestamp) -> Read<()> {
    let row = sessions::table.find(columns::hash(&token_hash));
    diesel::update(row).set(sessions::last_seen_at.eq(now)).execute(conn).await?;
    Ok(())
}

/// Ends a session.
pub async fn end(conn: &mut Conn, token_hash: [u8; 32]) -> Changed<()> {
    diesel::delete(sessions::table.find(columns::hash(&token_hash))).execute(conn).await?;
    Ok(Done::now(Outcome::of(())))
}

/// Deletes sessions that are over, and notes of browsers that came back too long ago to do it again.
pub async fn delete_expired(conn: &mut Conn, idle_since: Timestamp, now: Timestamp) -> Read<()> {
    let over = sessions::expires_at.le(now).or(sessions::last_seen_at.le(idle_since));
    diesel::delete(sessions::table.filter(over)).execute(conn).await?;
    diesel::delete(used::table.filter(used::expires_at.le(now))).execute(conn).await?;
    Ok(())
}
