//! Tells an event webhook of its account's events, in their order, each until it is taken or given up. Each webhook has one
//! job for as long as it lasts, which rests while there is nothing to tell.

use super::{Ended, Fault, Task};
use crate::{
    destinations::backoff::{Backoff, RetryPolicy},
    event_webhooks::{Telling, Told},
};
use chrono::TimeDelta;
use entente_domain::{
    EventWebhookId, JobId, Timestamp,
    event::{Event, Subject},
    event_webhook::{self, DeadLetter, EventWebhook, EventWebhookStatus, Failure, Follows},
};
use entente_store::{NewJob, Outcome, StoreError};
use std::time::{Duration, Instant};

/// The kind of this job.
pub const KIND: &str = "event_webhook";

/// After this long its place is another webhook's, should one wait for it.
const TURN: Duration = Duration::from_secs(10);
/// Events that are read at once.
const BATCH: usize = 100;
/// The waits between attempts, and between faults of the gateway's own.
const RETRY: RetryPolicy = RetryPolicy { longest: Duration::from_secs(60 * 60), ..RetryPolicy::DEFAULT };
/// A webhook with nothing to be told looks by itself after this long; it is woken before.
const REST: TimeDelta = TimeDelta::days(1);

/// The job of a webhook: it has the webhook's id, so that there is never a second one.
pub fn job(webhook: &EventWebhook, now: Timestamp) -> NewJob {
    NewJob {
        id: JobId(webhook.id.0),
        kind: KIND.to_owned(),
        lane: format!("event_webhook:{}", webhook.id),
        share: None,
        account: webhook.account,
        subject: Some(Subject::EventWebhook(webhook.id)),
        payload: serde_json::json!({}),
        run_at: now,
    }
}

/// Tells for a while. A fault of the gateway's own is no reason to give anything up.
pub async fn run(task: Task) -> Result<Ended, Fault> {
    match turn(&task).await {
        Err(fault) if !task.gateway.stopping().is_cancelled() => {
            tracing::warn!(message = "an event webhook is put off", job = %task.job.id, %fault);
            Ok(Ended::PutOff(crate::clock::now() + Backoff::going_on(RETRY, task.job.attempts).next(None)))
        }
        ended => ended,
    }
}

async fn turn(task: &Task) -> Result<Ended, Fault> {
    let Some(Subject::EventWebhook(id)) = task.job.subject else {
        return Err(Fault::new("an event webhook's job about something else"));
    };
    let ends = Instant::now() + TURN;
    loop {
        let Some(turn) = Turn::load(task, id, ends).await? else { return Ok(Ended::Done) };
        match turn.go_on().await {
            Ok(()) | Err(Stop::Changed) => {}
            Err(Stop::Ended(ended)) => return Ok(ended),
            Err(Stop::Fault(fault)) => return Err(fault),
        }
    }
}

/// Why a batch is not gone on with.
enum Stop {
    /// The webhook was changed since it was read.
    Changed,
    /// The job ends.
    Ended(Ended),
    /// A fault of the gateway's own.
    Fault(Fault),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Fault(error.into())
    }
}

impl Stop {
    fn rest() -> Self {
        Self::Ended(Ended::Resting(crate::clock::now() + REST))
    }
}

/// What was written of a webhook, unless it was changed since it was read.
fn unless_changed(written: bool) -> Result<(), Stop> {
    if written { Ok(()) } else { Err(Stop::Changed) }
}

/// A webhook's turn, with the webhook as it was read.
struct Turn<'a> {
    task: &'a Task,
    telling: Telling,
    ends: Instant,
}

impl<'a> Turn<'a> {
    async fn load(task: &'a Task, id: EventWebhookId, ends: Instant) -> Result<Option<Self>, Fault> {
        let telling = Telling::load(&task.gateway, id).await.map_err(Fault::new)?;
        Ok(telling.map(|telling| Self { task, telling, ends }))
    }

    /// Sends dead letters that were asked for, then tells of the next events.
    async fn go_on(mut self) -> Result<(), Stop> {
        self.unless_over()?;
        let store = self.task.gateway.store();
        let (id, account) = (self.telling.webhook.id, self.telling.webhook.account);
        if self.telling.webhook.status != EventWebhookStatus::Active {
            return Err(Stop::rest());
        }
        for letter in store.dead_letters_to_replay(id, BATCH).await? {
            self.replay(letter).await?;
        }
        let events = store.events_after(account, self.telling.webhook.last_number, BATCH, None).await?;
        let Some(last) = events.last().map(|event| event.number) else { return Err(Stop::rest()) };
        let selection = self.telling.webhook.events.clone();
        for event in events.iter().filter(|event| selection.has(&event.happening)) {
            self.event(event).await?;
        }
        if self.telling.webhook.last_number < last {
            unless_changed(store.event_webhook_passed(&self.telling.webhook, last).await?)?;
        }
        Ok(())
    }

    /// Tells of the next event.
    async fn event(&mut self, event: &Event) -> Result<(), Stop> {
        let told = self.tell(event).await?;
        let (store, now) = (self.task.gateway.store(), crate::clock::now());
        let webhook = &mut self.telling.webhook;
        let before = webhook.failure.as_ref().map_or(0, |failure| failure.tries);
        match event_webhook::follows(webhook, event, told.status, now) {
            Follows::NextEvent => {
                unless_changed(store.event_webhook_took(webhook, event.number).await?)?;
                webhook.failure = None;
            }
            Follows::Stop => return self.gone(told).await,
            Follows::TryAgain => {
                let wait = Backoff::going_on(RETRY, before).next(told.retry_after);
                unless_changed(store.event_webhook_failed(webhook, failure(webhook, told, now)).await?)?;
                return Err(Stop::Ended(Ended::Later(now + wait)));
            }
            Follows::GiveUp => {
                let failure = failure(webhook, told, now);
                unless_changed(store.give_up_event(webhook, dead_letter(webhook, event, &failure, now)).await?)?;
                webhook.failure = Some(Failure { tries: 0, ..failure });
            }
        }
        webhook.last_number = event.number;
        Ok(())
    }

    /// Sends a dead letter once more; it stays one unless it is taken.
    async fn replay(&self, letter: DeadLetter) -> Result<(), Stop> {
        let told = self.tell(&letter.event).await?;
        let store = self.task.gateway.store();
        match told.status {
            Some(200..=299) => store.remove_dead_letter(letter.webhook, letter.event.number).await?,
            Some(410) => return self.gone(told).await,
            status => {
                let tries = letter.tries.saturating_add(1);
                let back = DeadLetter { tries, status, error: told.error, replay_asked_at: None, ..letter };
                store.put_dead_letter_back(back).await?;
            }
        }
        Ok(())
    }

    fn unless_over(&self) -> Result<(), Stop> {
        if self.task.stop.is_cancelled() {
            return Err(Stop::Ended(Ended::HandedBack));
        }
        if Instant::now() >= self.ends {
            return Err(Stop::Ended(Ended::Later(crate::clock::now())));
        }
        Ok(())
    }

    /// One request, unless the turn is over or the gateway stops.
    async fn tell(&self, event: &Event) -> Result<Told, Stop> {
        self.unless_over()?;
        let told = tokio::select! {
            told = self.telling.tell(&self.task.gateway, event) => told.map_err(|e| Stop::Fault(Fault::new(e)))?,
            () = self.task.stop.cancelled() => return Err(Stop::Ended(Ended::HandedBack)),
        };
        let outcome = if matches!(told.status, Some(200..=299)) { "taken" } else { "not_taken" };
        metrics::counter!("entente_event_webhook_attempts_total", "outcome" => outcome).increment(1);
        Ok(told)
    }

    /// The address is gone: nothing is sent to it until its account resumes it.
    async fn gone(&self, told: Told) -> Result<(), Stop> {
        let webhook = &self.telling.webhook;
        let change = self.task.change(KIND, Subject::EventWebhook(webhook.id));
        let (failure, now, version) = (failure(webhook, told, change.now), change.now, webhook.version);
        let rule = move |present: &EventWebhook| {
            let is_as_read = present.version == version;
            Ok(Outcome::of(if is_as_read { event_webhook::gone(present, failure, now) } else { present.clone() }))
        };
        let store = self.task.gateway.store();
        // Whether it was changed or deleted meanwhile shows when it is read again.
        let _ = store.change_event_webhook(change, webhook.account, webhook.id, Box::new(rule)).await?;
        Err(Stop::Changed)
    }
}

fn failure(webhook: &EventWebhook, told: Told, now: Timestamp) -> Failure {
    let (tries, since) = webhook.failure.as_ref().map_or((0, now), |failure| (failure.tries, failure.since));
    Failure { tries: tries.saturating_add(1), since, status: told.status, error: told.error }
}

fn dead_letter(webhook: &EventWebhook, event: &Event, failure: &Failure, now: Timestamp) -> DeadLetter {
    DeadLetter {
        webhook: webhook.id,
        event: *event,
        tries: failure.tries,
        status: failure.status,
        error: failure.error.clone(),
        given_up_at: now,
        replay_asked_at: None,
    }
}
