//! Delivers an activation to its destination: the people whom both sides hold, or what changed among them since the last
//! delivery. It may be killed at any point: what was acknowledged stays so, and the same file of rows is gone on with.

mod abandoned;
mod batch_rows;
mod files;
mod opt_outs;
mod outcome;
mod prepare;
mod refreshed;
mod sink;
mod sources;
mod through;

use super::{Ended, Fault, Task};
use crate::{
    destinations::{
        DeliveryError, Order, Stop,
        backoff::{Backoff, RetryPolicy},
    },
    endpoint,
};
pub use abandoned::clean_up;
use chrono::{NaiveTime, TimeDelta};
use entente_destination::DestinationError;
use entente_domain::{
    ActivationId, JobId, Refusal, Timestamp,
    activation::{Activation, ActivationStatus},
    credit,
    delivery::Readiness,
    event::Subject,
    opt_out::OptOutVersions,
};
use entente_store::{Delivery, DeliveryStatus, NewJob};
use opt_outs::Lists;
use outcome::Ending;
use prepare::Prepared;
pub use refreshed::after_refresh;
use serde_json::Value;
use sink::Sink;
use sources::Sources;
use std::{path::PathBuf, time::Duration};

/// The kind of this job.
pub const KIND: &str = "deliver";

/// A delivery that failed this often by a fault without getting on, with ever longer waits in between, is given up.
const ATTEMPTS: u32 = 20;
/// The waits in between.
const FAULTS: RetryPolicy = RetryPolicy { longest: Duration::from_secs(60 * 60), ..RetryPolicy::DEFAULT };
const GIVEN_UP: &str = "It failed again and again; the gateway's operator can find out why.";
/// How often it is looked whether a delivery that runs is still wanted.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// The job that delivers an activation on its day. Jobs of one activation never overlap.
pub fn job(activation: &Activation, now: Timestamp) -> NewJob {
    NewJob {
        id: JobId::new(),
        kind: KIND.to_owned(),
        lane: format!("activation:{}", activation.id),
        share: Some(format!("destination:{}", activation.destination)),
        account: activation.account,
        subject: Some(Subject::Activation(activation.id)),
        payload: serde_json::json!({}),
        run_at: now.max(start_of(activation.on)),
    }
}

/// The job that ends what is left of an activation that was cancelled.
pub fn ending(activation: &Activation, now: Timestamp) -> NewJob {
    NewJob { run_at: now, ..job(activation, now) }
}

fn start_of(day: chrono::NaiveDate) -> Timestamp {
    day.and_time(NaiveTime::MIN).and_utc()
}

/// Delivers.
pub async fn run(task: Task) -> Result<Ended, Fault> {
    match attempt(&task).await {
        Err(fault) if !task.gateway.stopping().is_cancelled() => put_off(&task, fault).await,
        ended => ended,
    }
}

/// Tries again after ever longer waits; a destination's plugin or a disk may be repaired in the meantime. Only faults count:
/// a destination that asks to be tried again is, for as long as access lasts.
async fn put_off(task: &Task, fault: Fault) -> Result<Ended, Fault> {
    // Fewer than when it was leased, where it got on.
    let attempts = task.gateway.store().job(task.job.id).await?.map_or(task.job.attempts, |job| job.attempts);
    if attempts < ATTEMPTS {
        tracing::warn!(message = "a delivery is put off", job = %task.job.id, attempts, %fault);
        let wait = Backoff::going_on(FAULTS, attempts).next(None);
        return Ok(Ended::PutOff(crate::clock::now() + wait));
    }
    tracing::error!(message = "a delivery is given up", job = %task.job.id, %fault);
    let Some(Subject::Activation(id)) = task.job.subject else { return Err(fault) };
    let Some(sources) = Sources::load(&task.gateway, id).await? else { return Ok(Ended::Done) };
    match task.gateway.store().latest_delivery(id, DeliveryStatus::Running).await? {
        Some(delivery) => outcome::end(task, &sources, &delivery, Ending::Refused(GIVEN_UP.to_owned())).await,
        None => outcome::stop(task, &sources.activation, ActivationStatus::Failed, Some(GIVEN_UP.to_owned())).await,
    }
}

async fn attempt(task: &Task) -> Result<Ended, Fault> {
    let Some(Subject::Activation(id)) = task.job.subject else {
        return Err(Fault::new("a delivery of nothing"));
    };
    let Some(mut sources) = Sources::load(&task.gateway, id).await? else { return Ok(Ended::Done) };
    let running = task.gateway.store().latest_delivery(id, DeliveryStatus::Running).await?;
    match (sources.activation.status, &running) {
        (ActivationStatus::Cancelled, Some(delivery)) => return abandon(task, &sources, delivery).await,
        // Resuming it makes a job of its own.
        _ if sources.activation.paused_at.is_some() => return Ok(Ended::Done),
        (_, None) if !sources.waits() => return Ok(Ended::Done),
        (ActivationStatus::CredentialsRefused, _) => {
            outcome::stop(task, &sources.activation, ActivationStatus::Delivering, None).await?;
            let Some(again) = Sources::load(&task.gateway, id).await? else { return Ok(Ended::Done) };
            sources = again;
        }
        _ => {}
    }
    let stop = |status| outcome::stop(task, &sources.activation, status, None);
    match (sources.readiness(crate::clock::now()), running) {
        (Readiness::NotBefore(day), None) => Ok(Ended::Later(start_of(day))),
        (Readiness::Paused, None) => stop(ActivationStatus::Paused).await,
        (Readiness::AccessEnded, None) => stop(ActivationStatus::AccessEnded).await,
        (Readiness::AccessEnded, Some(delivery)) => outcome::end(task, &sources, &delivery, Ending::AccessEnded).await,
        (_, Some(delivery)) => deliver(task, &sources, delivery).await,
        (Readiness::Ready, None) => match outcome::begin(task, &sources).await? {
            Some(delivery) => deliver(task, &sources, delivery).await,
            None => Ok(Ended::Done),
        },
    }
}

async fn deliver(task: &Task, sources: &Sources, delivery: Delivery) -> Result<Ended, Fault> {
    let Some(target) = sources.destination(&task.gateway).await? else {
        return outcome::end(task, sources, &delivery, Ending::DestinationGone).await;
    };
    if !sources.has_crosswalks() {
        return outcome::end(task, sources, &delivery, Ending::CrosswalkGone).await;
    }
    let (rows, opt_outs) = match prepare::prepare(task, sources, &delivery).await? {
        Prepared::Rows(rows, opt_outs) => (rows, opt_outs),
        Prepared::BelowThreshold => return outcome::end(task, sources, &delivery, Ending::BelowThreshold).await,
    };
    let mut sink = Sink::open(task, &delivery, &target, &rows).await?;
    if let Err(refusal) = reserve(task, sources, &delivery, sink.total_rows()).await? {
        return outcome::end(task, sources, &delivery, Ending::Unpaid(refusal.message)).await;
    }
    let order = order(task, sources, &delivery, target.settings, rows, sink.state()?);
    let stop = Stop::default();
    let (registry, of_type) = (task.gateway.destinations(), &target.destination_type);
    let delivered = tokio::select! {
        delivered = registry.deliver(of_type, &order, &mut sink, RetryPolicy::default(), &stop) => delivered,
        () = stop_when_unwanted(task, sources.activation.id, opt_outs, &stop) => Err(DeliveryError::Cancelled),
        () = task.stop.cancelled() => return Ok(Ended::HandedBack),
    };
    match delivered {
        Ok(_) => {
            refreshed::catch_up(task, sources, &delivery).await?;
            outcome::end(task, sources, &delivery, Ending::Delivered).await
        }
        Err(DeliveryError::Destination(error @ DestinationError::Auth(_))) => {
            await_credentials(task, sources, sink.settings(), endpoint::said(&error)).await
        }
        Err(DeliveryError::Destination(error)) => {
            outcome::end(task, sources, &delivery, Ending::Refused(endpoint::said(&error))).await
        }
        Err(DeliveryError::Cancelled) => {
            let ending = why_unwanted(task, sources).await?;
            outcome::end(task, sources, &delivery, ending).await
        }
        // It goes on at once without those who opted out meanwhile.
        Err(DeliveryError::Paused) if Lists::load(&task.gateway, sources).await?.versions() != opt_outs => {
            Ok(Ended::Later(crate::clock::now()))
        }
        // It stays as it is until it is resumed.
        Err(DeliveryError::Paused) => Ok(Ended::Done),
        Err(DeliveryError::Later { after, tries, cause }) => {
            tracing::info!(message = "a delivery waits for its destination", delivery = %delivery.id, ?after, cause);
            task.gateway.store().note_delivery_tries(delivery.id, tries).await?;
            Ok(Ended::Later(crate::clock::now() + TimeDelta::from_std(after).unwrap_or(TimeDelta::days(1))))
        }
        Err(DeliveryError::Fault(fault)) => Err(Fault::new(fault)),
        Err(DeliveryError::Sink(error)) => Err(Fault::new(error)),
    }
}

/// Reserves the credits of a delivery once it is known how many rows it has, before the destination gets the first.
async fn reserve(task: &Task, sources: &Sources, delivery: &Delivery, rows: u64) -> Result<Result<(), Refusal>, Fault> {
    let reserved = credit::of_delivery(&task.gateway.settings.prices, delivery.id, &sources.sent, rows);
    Ok(task.gateway.store().reserve_credits(reserved, crate::clock::now()).await?)
}

/// Leaves a delivery as it is until its destination has other credentials than those that were refused. It may have them
/// already: another delivery was given a refresh token in place of the one that this one began with, or somebody changed
/// them before this one was seen to wait.
async fn await_credentials(task: &Task, sources: &Sources, refused: &Value, said: String) -> Result<Ended, Fault> {
    if !has_others(task, sources, refused).await? {
        outcome::stop(task, &sources.activation, ActivationStatus::CredentialsRefused, Some(said)).await?;
        if !has_others(task, sources, refused).await? {
            return Ok(Ended::Done);
        }
    }
    Ok(Ended::Later(crate::clock::now()))
}

/// Whether a destination has other settings by now.
async fn has_others(task: &Task, sources: &Sources, refused: &Value) -> Result<bool, Fault> {
    Ok(sources.destination(&task.gateway).await?.is_some_and(|target| target.settings != *refused))
}

/// Ends a delivery that was cancelled while nothing ran. Its destination is told, unless there is nothing to tell.
async fn abandon(task: &Task, sources: &Sources, delivery: &Delivery) -> Result<Ended, Fault> {
    let rows = files::rows(&task.gateway, delivery.id);
    if tokio::fs::try_exists(&rows).await?
        && let Some(target) = sources.destination(&task.gateway).await?
    {
        let mut sink = Sink::open(task, delivery, &target, &rows).await?;
        let order = order(task, sources, delivery, target.settings, rows, sink.state()?);
        let abandoned = task.gateway.destinations().abandon(&target.destination_type, &order, &mut sink);
        abandoned.await.map_err(Fault::new)?;
    }
    outcome::end(task, sources, delivery, Ending::Cancelled).await
}

fn order(task: &Task, sources: &Sources, delivery: &Delivery, settings: Value, rows: PathBuf, state: Vec<u8>) -> Order {
    Order {
        settings,
        // The registry knows what a type may renew.
        refresh_token: None,
        operator: endpoint::operator(&task.gateway, sources.activation.account),
        activation: sources.activation.id.to_string(),
        name: sources.audience_name(),
        generation: delivery.id.to_string(),
        match_keys: sources.delivered_keys().iter().map(|k| k.name()).collect(),
        rows,
        acknowledged: delivery.acknowledged,
        tries: delivery.tries,
        state,
    }
}

/// Why a delivery was cancelled.
async fn why_unwanted(task: &Task, sources: &Sources) -> Result<Ending, Fault> {
    if sources.destination(&task.gateway).await?.is_none() {
        return Ok(Ending::DestinationGone);
    }
    match Sources::load(&task.gateway, sources.activation.id).await? {
        Some(sources) if sources.activation.status == ActivationStatus::Cancelled => Ok(Ending::Cancelled),
        Some(sources) if !sources.has_crosswalks() => Ok(Ending::CrosswalkGone),
        _ => Ok(Ending::AccessEnded),
    }
}

/// Cancels a delivery, so that its destination is told, when the activation was cancelled or deleted or access ended; pauses
/// it when its receiver did, or when a list of opt-outs is another one than its rows are kept to. Never returns.
async fn stop_when_unwanted(task: &Task, activation: ActivationId, opt_outs: OptOutVersions, stop: &Stop) {
    loop {
        tokio::time::sleep(LOOK_AGAIN).await;
        match Sources::load(&task.gateway, activation).await {
            Ok(Some(sources)) if sources.is_wanted(crate::clock::now()) => {
                match Lists::load(&task.gateway, &sources).await {
                    Ok(lists) if sources.activation.paused_at.is_none() && lists.versions() == opt_outs => {}
                    Ok(_) => stop.pause.cancel(),
                    Err(error) => tracing::warn!(message = "a delivery could not be looked after", %error),
                }
            }
            Ok(_) => stop.cancel.cancel(),
            Err(error) => tracing::warn!(message = "a delivery could not be looked after", %error),
        }
    }
}
