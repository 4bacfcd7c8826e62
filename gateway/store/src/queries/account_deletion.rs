//! Deleting an account: with it goes all that it alone could read. Its row stays, for those who dealt with it.

use super::{
    super::Conn,
    Changed, Done, Read, accounts, agencies, cascade, connections, deletions, jobs,
    schema::{
        activations, api_keys, audience_slots, audiences, crosswalks, data_connections, deliveries, destinations,
        email_invites, event_data_sets, event_webhooks, invitations, members, oauth_consents, opt_out_sources,
        opt_outs, refreshes, reports, runs, sources, uploads,
    },
};
use crate::{AccountSecrets, Change, DeletedAccount, LoadedDeletion, Outcome};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use entente_domain::{
    AccountId, Refusal, Timestamp,
    deletion::{Target, account_may_go},
};

/// Deletes an account. Its connections end as the rule says; its secrets become others, which nobody knows.
pub async fn delete(
    conn: &mut Conn,
    change: &Change,
    id: AccountId,
    secrets: AccountSecrets,
    rule: impl FnOnce(&LoadedDeletion) -> Result<Outcome<DeletedAccount>, Refusal> + Send,
) -> Changed<()> {
    // Invites lock both accounts, so that no live connection comes of one meanwhile.
    let account = accounts::hold(conn, id).await?;
    let agency = account.agency;
    let clients = agencies::count_clients(conn, id).await?;
    let live = connections::hold_live(conn, id).await?;
    let running_deliveries = deletions::running_deliveries(conn, id).await?;
    let outcome = rule(&LoadedDeletion { account, live, running_deliveries, clients })?;
    let deletion = deletions::of(conn, Target::Account(id), id).await?;
    for next in &outcome.value.connections {
        connections::write(conn, next.version - 1, next).await?;
        cascade::connection_ended(conn, next.id, change.now).await?;
    }
    // Activations have ended, which a delivery looks at when it begins: none has begun since, or it is seen here.
    account_may_go(deletions::running_deliveries(conn, id).await?)?;
    remove_all(conn, id, change.now).await?;
    accounts::bury(conn, &outcome.value.account, secrets, change.now).await?;
    Ok(Done::now(outcome.map(|_| ())).keeping(&deletion)?.in_log_of(agency))
}

/// Deletes rows of an account.
macro_rules! delete_rows {
    ($conn:expr, $account:expr, $($table:ident),*) => {
        $(diesel::delete($table::table.filter($table::account_id.eq($account))).execute($conn).await?;)*
    };
}

async fn remove_all(conn: &mut Conn, id: AccountId, now: Timestamp) -> Read<()> {
    let me = &id.to_string();
    // Each before what it refers to.
    delete_rows!(conn, me, deliveries, activations, reports, event_data_sets, audiences, runs, refreshes);
    delete_rows!(conn, me, crosswalks, data_connections, audience_slots, destinations, oauth_consents, event_webhooks);
    delete_rows!(conn, me, sources, opt_out_sources, opt_outs, invitations, email_invites, api_keys, members);
    // Their files go first.
    diesel::update(uploads::table.filter(uploads::account_id.eq(me)).filter(uploads::expires_at.gt(now)))
        .set(uploads::expires_at.eq(now))
        .execute(conn)
        .await?;
    jobs::cancel_of_account(conn, id, now).await
}
