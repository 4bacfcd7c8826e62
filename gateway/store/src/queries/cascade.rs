//! What goes with something that goes. Records of what happened stay: finished reports, deliveries, the audit log.

use super::{
    super::Conn,
    Read, data_sources, jobs,
    schema::{activations, audiences, event_data_sets, projects, refreshes, reports, sent_audiences, settings_drafts},
};
use crate::columns;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use entente_domain::{
    AccountId, AudienceId, ConnectionId, DestinationId, MatchKey, Timestamp, activation::ActivationStatus,
    crosswalk::Crosswalk, report::ReportStatus,
};

/// A connection ended: its projects and its draft go, what was sent in it is revoked.
pub async fn connection_ended(conn: &mut Conn, id: ConnectionId, now: Timestamp) -> Read<()> {
    diesel::delete(settings_drafts::table.find(id.to_string())).execute(conn).await?;
    let gone: Vec<String> =
        projects::table.filter(projects::connection_id.eq(id.to_string())).select(projects::id).load(conn).await?;
    projects_deleted(conn, gone, now).await
}

/// By a connection's settings an account no longer activates: what was sent to it is revoked.
pub async fn no_longer_activates(
    conn: &mut Conn,
    connection: ConnectionId,
    account: AccountId,
    now: Timestamp,
) -> Read<()> {
    let sent: Vec<String> = sent_audiences::table
        .filter(sent_audiences::connection_id.eq(connection.to_string()))
        .filter(sent_audiences::receiver_id.eq(account.to_string()).and(sent_audiences::revoked_at.is_null()))
        .select(sent_audiences::id)
        .load(conn)
        .await?;
    revoke(conn, sent, now).await
}

/// Projects go: with them their campaigns and event data sets, and reports that have not run. What was sent in them is
/// revoked.
pub async fn projects_deleted(conn: &mut Conn, ids: Vec<String>, now: Timestamp) -> Read<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let sent: Vec<String> = sent_audiences::table
        .filter(sent_audiences::project_id.eq_any(&ids))
        .select(sent_audiences::id)
        .load(conn)
        .await?;
    revoke(conn, sent, now).await?;
    let unfinished = reports::table
        .filter(reports::project_id.eq_any(&ids))
        .filter(reports::status.ne(columns::name(&ReportStatus::Finished)?));
    let cancelled: Vec<String> = diesel::delete(unfinished).returning(reports::id).get_results(conn).await?;
    jobs::cancel_about(conn, cancelled, now).await?;
    let data_sets: Vec<String> = event_data_sets::table
        .filter(event_data_sets::project_id.eq_any(&ids))
        .select(event_data_sets::id)
        .load(conn)
        .await?;
    diesel::delete(refreshes::table.filter(refreshes::source_id.eq_any(&data_sets))).execute(conn).await?;
    jobs::cancel_about(conn, data_sets.clone(), now).await?;
    data_sources::forget(conn, data_sets).await?;
    diesel::delete(projects::table.filter(projects::id.eq_any(&ids))).execute(conn).await?;
    Ok(())
}

/// Audiences go: what was sent of them is revoked. What was sent within them to their account is revoked as well, since
/// nobody can say any longer who that would be.
pub async fn audiences_deleted(conn: &mut Conn, ids: &[AudienceId], now: Timestamp) -> Read<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let sent = sent_of(conn, ids).await?;
    revoke(conn, sent, now).await?;
    diesel::delete(audiences::table.filter(audiences::id.eq_any(columns::texts(ids)))).execute(conn).await?;
    Ok(())
}

/// What was sent of audiences, and what was sent within them to their account, where that is not revoked yet.
pub async fn sent_of(conn: &mut Conn, ids: &[AudienceId]) -> Read<Vec<String>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let gone = columns::texts(ids);
    let owner = audiences::table.filter(audiences::id.eq_any(&gone)).select(audiences::account_id).distinct();
    let owners: Vec<String> = owner.load(conn).await?;
    let whole: Vec<String> = sent_audiences::table
        .filter(sent_audiences::audience_id.eq_any(&gone))
        .select(sent_audiences::id)
        .load(conn)
        .await?;
    let within: Vec<(String, String)> = sent_audiences::table
        .filter(sent_audiences::receiver_id.eq_any(owners).and(sent_audiences::revoked_at.is_null()))
        .filter(sent_audiences::within_audiences.ne("[]"))
        .select((sent_audiences::id, sent_audiences::within_audiences))
        .load(conn)
        .await?;
    let mut sent = whole;
    for (id, list) in within {
        let list: Vec<AudienceId> = columns::from_json(&list, "audiences")?;
        if list.iter().any(|audience| ids.contains(audience)) {
            sent.push(id);
        }
    }
    Ok(sent)
}

/// Takes access to what was sent away, and ends its activations.
pub async fn revoke(conn: &mut Conn, sent: Vec<String>, now: Timestamp) -> Read<()> {
    if sent.is_empty() {
        return Ok(());
    }
    let granted = sent_audiences::table.filter(sent_audiences::id.eq_any(&sent));
    diesel::update(granted.filter(sent_audiences::revoked_at.is_null()))
        .set((sent_audiences::revoked_at.eq(now), sent_audiences::version.eq(sent_audiences::version + 1)))
        .execute(conn)
        .await?;
    sends_revoked(conn, sent, now).await
}

/// Access to what was sent is gone: its activations end.
pub async fn sends_revoked(conn: &mut Conn, sent: Vec<String>, now: Timestamp) -> Read<()> {
    let ended: Vec<String> = diesel::update(activations::table.filter(activations::sent_audience_id.eq_any(sent)))
        .set((
            activations::status.eq(columns::name(&ActivationStatus::AccessEnded)?),
            activations::version.eq(activations::version + 1),
            activations::updated_at.eq(now),
        ))
        .returning(activations::id)
        .get_results(conn)
        .await?;
    jobs::cancel_about(conn, ended, now).await
}

/// A destination goes: nothing is delivered to it any longer. What was delivered stays there.
pub async fn destination_deleted(conn: &mut Conn, id: DestinationId, now: Timestamp) -> Read<()> {
    let ended: Vec<String> = diesel::update(activations::table.filter(activations::destination_id.eq(id.to_string())))
        .set((
            activations::status.eq(columns::name(&ActivationStatus::Failed)?),
            activations::failure.eq("The destination was deleted."),
            activations::version.eq(activations::version + 1),
            activations::updated_at.eq(now),
        ))
        .returning(activations::id)
        .get_results(conn)
        .await?;
    jobs::cancel_about(conn, ended, now).await
}

/// A crosswalk goes: nothing is delivered through it any longer. What was delivered stays there.
pub async fn crosswalk_deleted(conn: &mut Conn, crosswalk: &Crosswalk, now: Timestamp) -> Read<()> {
    let waiting = [
        ActivationStatus::Scheduled,
        ActivationStatus::Delivering,
        ActivationStatus::CredentialsRefused,
        ActivationStatus::Paused,
    ];
    let waiting = waiting.iter().map(columns::name).collect::<Read<Vec<_>>>()?;
    let between = [ActivationStatus::Delivered, ActivationStatus::SkippedBelowThreshold];
    let between = between.iter().map(columns::name).collect::<Read<Vec<_>>>()?;
    let recurring =
        sent_audiences::table.filter(sent_audiences::recurring_until.is_not_null()).select(sent_audiences::id);
    let goes_on = activations::status.eq_any(between).and(activations::sent_audience_id.eq_any(recurring));
    let through_any: Vec<(String, String, Option<String>)> = activations::table
        .filter(activations::account_id.eq(crosswalk.account.to_string()))
        .filter(activations::deliver_as.is_not_null())
        .filter(activations::status.eq_any(waiting).or(goes_on))
        .select((activations::id, activations::match_keys, activations::deliver_as))
        .load(conn)
        .await?;
    let mut ended = Vec::new();
    for (id, matched, deliver_as) in through_any {
        let matched: Vec<MatchKey> = columns::from_json(&matched, "match keys")?;
        let deliver_as: MatchKey = columns::from_json(&deliver_as.unwrap_or_default(), "match key")?;
        if matched.iter().any(|key| crosswalk.is_between(key, &deliver_as)) {
            ended.push(id);
        }
    }
    diesel::update(activations::table.filter(activations::id.eq_any(&ended)))
        .set((
            activations::status.eq(columns::name(&ActivationStatus::Failed)?),
            activations::failure.eq("The crosswalk that it is delivered through was deleted."),
            activations::version.eq(activations::version + 1),
            activations::updated_at.eq(now),
        ))
        .execute(conn)
        .await?;
    jobs::cancel_about(conn, ended, now).await
}
