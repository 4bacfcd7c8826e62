//! Publication: a refresh becomes what everybody reads, all of it in one transaction.

use super::{
    super::Conn, Changed, Done, audiences, cascade, data_connections, data_sources, drifts, generations, refreshes,
};
use crate::{Change, NewJob, Outcome, Publication, RefreshEnd, RefreshedAudience, Run, SourceId, error::Stop};
use entente_domain::{
    AudienceId, Code, Refusal, WorkId,
    audience::Audience,
    credit::Command,
    data_connection::{DataConnection, DataConnectionStatus},
    event::{AccountEventKind, NewEvent, Subject},
};

/// Publishes a refresh. New audiences get what their data connection gives, known ones keep what was edited, and those
/// that the file no longer names go. A generation that was built from another one than is current is a conflict.
pub async fn publish(
    conn: &mut Conn,
    change: &Change,
    publication: Publication,
    jobs: Vec<NewJob>,
) -> Changed<DataConnection> {
    let loaded = data_connections::for_change(conn, change, publication.data_connection).await?.data_connection;
    let Publication { built_from, generation, account_identities, .. } = &publication;
    generations::switch(conn, loaded.account, *built_from, *generation, account_identities, change.now).await?;
    let run = Run {
        data_connection: loaded.id,
        run: publication.run.clone(),
        slots: publication.audiences.iter().map(|a| a.slot).collect(),
        keys: publication.keys.clone(),
        refreshed_at: change.now,
    };
    generations::set_run(conn, loaded.account, &run).await?;
    drifts::set_published_shape(conn, loaded.id, &publication.shape).await?;
    replace_audiences(conn, change, &loaded, &publication.audiences).await?;
    let next = DataConnection {
        status: DataConnectionStatus::Active,
        failure: None,
        version: loaded.version + 1,
        updated_at: change.now,
        ..loaded.clone()
    };
    data_connections::write(conn, loaded.version, &next).await?;
    if let Some(seen) = publication.seen {
        data_sources::set_seen(conn, SourceId::DataConnection(loaded.id), seen).await?;
    }
    let paid = Command::Settle { work: WorkId(publication.job.0), inputs: publication.read.accepted };
    let end = RefreshEnd {
        job: publication.job,
        read: publication.read,
        run: Some(publication.run),
        keys: publication.keys,
        failure: None,
    };
    refreshes::end(conn, next.id.to_string(), &end, change.now).await?;
    let event =
        NewEvent::of_account(next.account, AccountEventKind::DataConnectionRefreshed, Subject::DataConnection(next.id));
    Ok(Done::now(Outcome { value: next, events: vec![event], jobs, credits: vec![paid] }))
}

async fn replace_audiences(
    conn: &mut Conn,
    change: &Change,
    source: &DataConnection,
    refreshed: &[RefreshedAudience],
) -> Result<(), Stop> {
    let present = audiences::of_data_connection(conn, source.id).await?;
    let gone: Vec<AudienceId> =
        present.iter().filter(|p| !refreshed.iter().any(|r| r.slot == p.slot)).map(|p| p.id).collect();
    cascade::audiences_deleted(conn, &gone, change.now).await?;
    let names = audiences::names_in_use(conn, source.account).await?;
    for audience in refreshed {
        match present.iter().find(|p| p.slot == audience.slot) {
            Some(known) => audiences::refresh(conn, known.id, &audience.identities, change.now).await?,
            None if names.contains(&audience.first_name) => {
                let message = format!("There is an audience named {} already.", audience.first_name);
                return Err(Refusal::new(Code::AlreadyExists, message).into());
            }
            None => {
                let first_name = audience.first_name.clone();
                audiences::insert(conn, &new_audience(change, source, audience), first_name).await?;
            }
        }
    }
    Ok(())
}

fn new_audience(change: &Change, source: &DataConnection, refreshed: &RefreshedAudience) -> Audience {
    Audience {
        id: AudienceId::new(),
        account: source.account,
        data_connection: source.id,
        slot: refreshed.slot,
        name: refreshed.first_name.clone(),
        description: String::new(),
        categories: source.categories.clone(),
        access: source.access.clone(),
        visibility: source.visibility,
        failed: false,
        identities: refreshed.identities.clone(),
        refreshed_at: Some(change.now),
        version: 1,
        created_at: change.now,
        updated_at: change.now,
        updated_by: source.consent.by.clone(),
    }
}
