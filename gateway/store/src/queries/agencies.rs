//! Agencies and their clients.

use super::{
    super::Conn,
    Changed, Done, Read, accounts, connections, idempotency, invitations, jobs, members,
    schema::{
        accounts as rows, api_keys, event_webhooks, invitations as invited, members as belonging, oauth_consents,
    },
    secrets, users,
};
use crate::{AccountSecrets, Change, Created, LoadedAgency, Member, NewConnectCode, Outcome, columns, error::Stop};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use entente_domain::{
    AccountId, InvitationId, Refusal, Timestamp, UserId,
    access::MemberRole,
    account::Account,
    agency::{HandedOver, Offering, TakingOver},
    invitation::Invitation,
};

/// Makes an account for a client of an agency.
pub async fn create_client(
    conn: &mut Conn,
    change: &Change,
    (agency, id): (AccountId, AccountId),
    secrets: AccountSecrets,
    rule: impl FnOnce(&LoadedAgency) -> Result<Outcome<Account>, Refusal> + Send,
) -> Changed<Created<AccountId>> {
    if let Some(first) = idempotency::claim(conn, change, &id).await? {
        return Ok(Done::repeated(first));
    }
    let agency = accounts::hold(conn, agency).await?;
    let clients = count_clients(conn, agency.id).await?;
    let outcome = rule(&LoadedAgency { agency, clients })?;
    accounts::insert(conn, &outcome.value, None, secrets).await?;
    Ok(Done::created(id, outcome.map(|_| ())).in_log_of(Some(id)))
}

/// Makes an invitation of which a client is taken over, by an ADMIN of an agency.
pub async fn offer(
    conn: &mut Conn,
    new: Invitation,
    token_hash: [u8; 32],
    by: Option<AccountId>,
    rule: impl FnOnce(&Offering) -> Result<Outcome<()>, Refusal> + Send,
) -> Changed<()> {
    let client = accounts::hold(conn, new.account).await?;
    let agency = client.agency;
    let waiting = invitations::make_room(conn, &new).await?;
    let is_in_agency = match agency {
        Some(agency) => members::has_address(conn, agency, &new.email).await?,
        None => false,
    };
    let outcome = rule(&Offering { client, by, is_in_agency, waiting })?;
    invitations::insert(conn, new, token_hash).await?;
    Ok(Done::now(outcome).in_log_of(agency))
}

/// Makes a client an account of its own, whose ADMIN is the user who accepts an invitation.
pub async fn take_over(
    conn: &mut Conn,
    change: &Change,
    (id, user): (InvitationId, UserId),
    code: NewConnectCode,
    rule: impl FnOnce(&TakingOver) -> Result<Outcome<HandedOver>, Refusal> + Send,
) -> Changed<Member> {
    let invitation = invitations::by_id(conn, id).await?;
    let client = accounts::hold(conn, invitation.account).await?;
    let (account, agency, version) = (client.id, client.agency, client.version);
    let live = connections::hold_live(conn, account).await?;
    let email = users::address(conn, user).await?;
    let is_in_agency = match agency {
        Some(agency) => members::is_in(conn, agency, user).await?,
        None => false,
    };
    let outcome = rule(&TakingOver { client, invitation, email, is_in_agency, live })?;
    invitations::use_up(conn, id).await?;
    accounts::write(conn, version, &outcome.value.account).await?;
    for next in &outcome.value.connections {
        connections::write(conn, next.version - 1, next).await?;
    }
    end_access(conn, account, agency, change.now).await?;
    secrets::refresh_connect_code(conn, account, code.hash, code.sealed).await?;
    let admin = Member { account, user, role: MemberRole::Admin, created_at: change.now };
    diesel::delete(belonging::table.find((account.to_string(), user.to_string()))).execute(conn).await?;
    members::add(conn, &admin).await?;
    Ok(Done::now(outcome.map(|_| admin)).in_log_of(agency))
}

/// Ends whatever an agency could still act for its client or read of it by: users of its own, invitations, API keys,
/// event webhooks and consents that are under way.
async fn end_access(conn: &mut Conn, client: AccountId, agency: Option<AccountId>, now: Timestamp) -> Read<()> {
    let me = client.to_string();
    let of_agency: Vec<String> = belonging::table
        .filter(belonging::account_id.eq(agency.map(|id| id.to_string()).unwrap_or_default()))
        .select(belonging::user_id)
        .load(conn)
        .await?;
    let of_client = belonging::table.filter(belonging::account_id.eq(&me));
    diesel::delete(of_client.filter(belonging::user_id.eq_any(of_agency))).execute(conn).await?;
    diesel::delete(invited::table.filter(invited::account_id.eq(&me))).execute(conn).await?;
    let keys = api_keys::table.filter(api_keys::account_id.eq(&me)).filter(api_keys::revoked_at.is_null());
    diesel::update(keys).set(api_keys::revoked_at.eq(now)).execute(conn).await?;
    let webhooks = event_webhooks::table.filter(event_webhooks::account_id.eq(&me));
    let ids = webhooks.select(event_webhooks::id).load(conn).await?;
    jobs::cancel_about(conn, ids, now).await?;
    diesel::delete(event_webhooks::table.filter(event_webhooks::account_id.eq(&me))).execute(conn).await?;
    diesel::delete(oauth_consents::table.filter(oauth_consents::account_id.eq(&me))).execute(conn).await?;
    Ok(())
}

/// How many clients an agency has.
pub async fn count_clients(conn: &mut Conn, agency: AccountId) -> Read<u64> {
    let clients = rows::table.filter(rows::agency_id.eq(agency.to_string()));
    columns::count(clients.count().get_result(conn).await?)
}

/// Whether an agency still acts for the account of a change: it may have been handed over since that was authorised.
pub async fn still_acts(conn: &mut Conn, change: &Change) -> Result<(), Stop> {
    let (Some(account), Some(agency)) = (change.account, change.agency) else { return Ok(()) };
    if account == agency {
        return Ok(());
    }
    let client = rows::table.find(account.to_string()).filter(rows::agency_id.eq(agency.to_string()));
    let acts: bool = diesel::select(diesel::dsl::exists(client)).get_result(conn).await?;
    if acts { Ok(()) } else { Err(Refusal::not_found("account").at("accountId").into()) }
}
