//! Event webhooks: addresses of an account that are told of its events, one after the other. An event that an address does
//! not take in time is given up, and kept as a dead letter.

use crate::{
    AccountId, Code, EventWebhookId, Refusal, Timestamp,
    event::{AccountEventKind, ConnectionEvent, Event, Happening},
    refusal::text,
};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

/// Event webhooks that an account may have.
pub const MOST: u64 = 20;
/// How long it is tried to tell of an event.
pub const TRIED_FOR: TimeDelta = TimeDelta::days(3);
/// How long dead letters are kept.
pub const DEAD_LETTERS_KEPT: TimeDelta = TimeDelta::days(90);
/// The longest address, in characters.
const LONGEST_URL: usize = 2_000;

/// Which events; of either stream all where nothing is listed, those to come included.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventSelection {
    /// Events of connections.
    pub connection: Option<Vec<ConnectionEvent>>,
    /// Everything else.
    pub account: Option<Vec<AccountEventKind>>,
}

impl EventSelection {
    /// Each kind once; at least one has to be left.
    pub fn checked(self) -> Result<Self, Refusal> {
        let checked = Self { connection: self.connection.map(each_once), account: self.account.map(each_once) };
        if [checked.connection.as_ref().map(Vec::len), checked.account.as_ref().map(Vec::len)] == [Some(0); 2] {
            return Err(Refusal::invalid("events", "Name one kind of event at least, or leave a list out for all."));
        }
        Ok(checked)
    }

    /// Whether something that happened is among them.
    pub fn has(&self, happening: &Happening) -> bool {
        match happening {
            Happening::Connection(kind) => self.connection.as_ref().is_none_or(|kinds| kinds.contains(kind)),
            Happening::Account(kind) => self.account.as_ref().is_none_or(|kinds| kinds.contains(kind)),
        }
    }
}

fn each_once<T: Copy + PartialEq>(kinds: Vec<T>) -> Vec<T> {
    kinds.into_iter().fold(vec![], |mut seen, kind| {
        if !seen.contains(&kind) {
            seen.push(kind);
        }
        seen
    })
}

/// Whether an address is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum EventWebhookStatus {
    /// It is.
    Active,
    /// Its account paused it.
    Paused,
    /// It answered that it is gone, and is not told until its account resumes it.
    Gone,
}

/// What came of the last attempt that failed, while none has succeeded since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// How often the event that comes next was tried.
    pub tries: u32,
    /// Since when nothing was taken.
    pub since: Timestamp,
    /// The HTTP status; none where there was no answer.
    pub status: Option<u16>,
    /// What happened, for the account.
    pub error: String,
}

/// An address that is told of an account's events. Its secrets are not in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventWebhook {
    /// Its id.
    pub id: EventWebhookId,
    /// Whose events.
    pub account: AccountId,
    /// The address.
    pub url: String,
    /// Which events.
    pub events: EventSelection,
    /// Whether it is told.
    pub status: EventWebhookStatus,
    /// The number of the last event that it is done with.
    pub last_number: i64,
    /// Events from before this have waited for it since then.
    pub waits_since: Timestamp,
    /// The last attempt, where it failed.
    pub failure: Option<Failure>,
    /// When it last got another secret.
    pub rotated_at: Option<Timestamp>,
    /// Until then it is also signed with the secret from before.
    pub old_secret_works_until: Option<Timestamp>,
    /// Grows with each change by its account, which whoever tells it has to notice.
    pub version: i64,
    /// When it was set up.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// What is asked for; what is left out stays.
#[derive(Clone, Debug, Default)]
pub struct EventWebhookChange {
    /// Another address.
    pub url: Option<String>,
    /// Other events, from now on.
    pub events: Option<EventSelection>,
    /// To be paused, or resumed.
    pub paused: Option<bool>,
}

/// An address that was checked otherwise has a length.
pub fn checked_url(url: &str) -> Result<String, Refusal> {
    text("url", url, 1, LONGEST_URL)
}

/// A new event webhook, which is told of what happens after the event `latest`. `existing` are those that the account has.
pub fn create(
    (id, account): (EventWebhookId, AccountId),
    wanted: EventWebhookChange,
    (existing, latest): (u64, i64),
    now: Timestamp,
) -> Result<EventWebhook, Refusal> {
    if existing >= MOST {
        return Err(Refusal::new(Code::LimitReached, format!("An account has at most {MOST} event webhooks.")));
    }
    Ok(EventWebhook {
        id,
        account,
        url: checked_url(&wanted.url.unwrap_or_default())?,
        events: wanted.events.unwrap_or_default().checked()?,
        status: if wanted.paused == Some(true) { EventWebhookStatus::Paused } else { EventWebhookStatus::Active },
        last_number: latest,
        waits_since: now,
        failure: None,
        rotated_at: None,
        old_secret_works_until: None,
        version: 1,
        created_at: now,
        updated_at: now,
    })
}

/// A changed event webhook. Another address, or one that is resumed, is tried at once, and for as long as a new one.
pub fn change(webhook: &EventWebhook, wanted: EventWebhookChange, now: Timestamp) -> Result<EventWebhook, Refusal> {
    use EventWebhookStatus::{Active, Gone, Paused};
    let mut next = changed(webhook, now);
    let resumed = wanted.paused == Some(false) && webhook.status != Active;
    match (wanted.paused, webhook.status) {
        (Some(false), _) => next.status = Active,
        (Some(true), Active) => next.status = Paused,
        (Some(true), Paused | Gone) | (None, _) => {}
    }
    if let Some(events) = wanted.events {
        next.events = events.checked()?;
    }
    let url = wanted.url.as_deref().map(checked_url).transpose()?;
    let moved = url.as_ref().is_some_and(|url| *url != webhook.url);
    next.url = url.unwrap_or(next.url);
    Ok(if resumed || moved { anew(next, now) } else { next })
}

/// An event webhook that is told once more of what happened after the event `after`.
pub fn replay(webhook: &EventWebhook, after: i64, now: Timestamp) -> Result<EventWebhook, Refusal> {
    told(webhook)?;
    if after > webhook.last_number {
        return Err(Refusal::invalid("after", "The webhook has not come so far yet."));
    }
    Ok(anew(EventWebhook { last_number: after, ..changed(webhook, now) }, now))
}

/// Whether a dead letter may be sent once more.
pub fn replay_dead_letter(webhook: &EventWebhook) -> Result<(), Refusal> {
    told(webhook)
}

/// An event webhook whose address is gone.
pub fn gone(webhook: &EventWebhook, failure: Failure, now: Timestamp) -> EventWebhook {
    EventWebhook { status: EventWebhookStatus::Gone, failure: Some(failure), ..changed(webhook, now) }
}

fn told(webhook: &EventWebhook) -> Result<(), Refusal> {
    if webhook.status == EventWebhookStatus::Active {
        return Ok(());
    }
    Err(Refusal::new(Code::WrongState, "The webhook is paused or its address is gone. Resume it first."))
}

fn changed(webhook: &EventWebhook, now: Timestamp) -> EventWebhook {
    EventWebhook { version: webhook.version + 1, updated_at: now, ..webhook.clone() }
}

fn anew(webhook: EventWebhook, now: Timestamp) -> EventWebhook {
    EventWebhook { waits_since: now, failure: None, ..webhook }
}

/// What follows from an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follows {
    /// The event was taken: the next one.
    NextEvent,
    /// Nothing is sent any longer.
    Stop,
    /// The same event again, later.
    TryAgain,
    /// The event is given up: the next one.
    GiveUp,
}

/// What follows from an attempt to tell of an event; `status` is that of the answer, where there was one. An event is tried
/// once at least, and for as long as it has not waited for three days.
pub fn follows(webhook: &EventWebhook, event: &Event, status: Option<u16>, now: Timestamp) -> Follows {
    match status {
        Some(200..=299) => Follows::NextEvent,
        Some(410) => Follows::Stop,
        _ if now - webhook.waits_since.max(event.at) >= TRIED_FOR => Follows::GiveUp,
        _ => Follows::TryAgain,
    }
}

/// An event that was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Who was not told.
    pub webhook: EventWebhookId,
    /// Of what.
    pub event: Event,
    /// How often it was tried.
    pub tries: u32,
    /// The last HTTP status; none where there was no answer.
    pub status: Option<u16>,
    /// What happened the last time, for the account.
    pub error: String,
    /// When it was given up.
    pub given_up_at: Timestamp,
    /// When its account asked for it to be sent once more, while it was not.
    pub replay_asked_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::event::Subject;
    use proptest::prelude::*;

    fn at(hours: i64) -> Timestamp {
        chrono::DateTime::from_timestamp(1_795_000_000, 0).unwrap() + TimeDelta::hours(hours)
    }

    fn webhook() -> EventWebhook {
        let url = Some("https://receiver.luma.example/events".to_owned());
        let wanted = EventWebhookChange { url, ..EventWebhookChange::default() };
        create((EventWebhookId::new(), AccountId::new()), wanted, (0, 7), at(0)).unwrap()
    }

    fn failing() -> EventWebhook {
        let failure = Failure { tries: 3, since: at(1), status: Some(500), error: "500".to_owned() };
        EventWebhook { failure: Some(failure), ..webhook() }
    }

    fn event(hours: i64) -> Event {
        let account = AccountId::new();
        let happening = Happening::Account(AccountEventKind::AccountUpdated);
        Event { number: 8, account, happening, subject: Subject::Account(account), agency: None, at: at(hours) }
    }

    #[test]
    fn kinds_are_chosen_within_either_stream() {
        let (invited, declined) = (ConnectionEvent::Invited, ConnectionEvent::Declined);
        let created = AccountEventKind::ProjectCreated;
        for (connection, account, expected) in [
            (None, None, Some([true, true, true])),
            (Some(vec![invited, invited]), None, Some([true, false, true])),
            (Some(vec![]), None, Some([false, false, true])),
            (None, Some(vec![]), Some([true, true, false])),
            (Some(vec![declined]), Some(vec![]), Some([false, true, false])),
            (Some(vec![]), Some(vec![]), None),
        ] {
            let selection = EventSelection { connection, account }.checked();
            let happenings =
                [Happening::Connection(invited), Happening::Connection(declined), Happening::Account(created)];
            let has = selection.as_ref().ok().map(|selection| happenings.map(|happening| selection.has(&happening)));
            assert_eq!(has, expected, "{selection:?}");
            assert!(selection.is_err() || selection.unwrap().connection.is_none_or(|kinds| kinds.len() < 2));
        }
    }

    #[test]
    fn a_new_one_begins_with_what_comes() {
        let made = webhook();
        assert_eq!((made.last_number, made.status, made.version), (7, EventWebhookStatus::Active, 1));
        for (url, existing, code) in [
            (Some("https://receiver.luma.example/".to_owned()), MOST, Code::LimitReached),
            (Some("x".repeat(LONGEST_URL + 1)), 0, Code::Invalid),
            (None, 0, Code::Invalid),
        ] {
            let wanted = EventWebhookChange { url, ..EventWebhookChange::default() };
            let refused = create((made.id, made.account), wanted, (existing, 7), at(0)).unwrap_err();
            assert_eq!(refused.code, code);
        }
    }

    #[test]
    fn who_is_resumed_or_moves_is_tried_anew() {
        use EventWebhookStatus::{Active, Gone, Paused};
        let (other, same) = ("https://other.luma.example/", "https://receiver.luma.example/events");
        for (status, url, paused, expected, is_anew) in [
            (Active, None, Some(true), Paused, false),
            (Paused, None, Some(true), Paused, false),
            (Gone, None, Some(true), Gone, false),
            (Active, None, Some(false), Active, false),
            (Paused, None, Some(false), Active, true),
            (Gone, None, Some(false), Active, true),
            (Active, Some(same), None, Active, false),
            (Active, Some(other), None, Active, true),
            (Gone, Some(other), None, Gone, true),
        ] {
            let before = EventWebhook { status, ..failing() };
            let wanted = EventWebhookChange { url: url.map(str::to_owned), paused, events: None };
            let after = change(&before, wanted, at(9)).unwrap();
            let found = (after.status, after.failure.is_none(), after.waits_since == at(9));
            assert_eq!(found, (expected, is_anew, is_anew), "{status:?} {url:?} {paused:?}");
            assert_eq!((after.version, after.last_number), (before.version + 1, before.last_number));
        }
    }

    #[test]
    fn a_replay_goes_back_and_never_ahead() {
        let before = failing();
        let after = replay(&before, 3, at(9)).unwrap();
        assert_eq!((after.last_number, after.failure, after.waits_since, after.version), (3, None, at(9), 2));
        assert_eq!(replay(&before, 8, at(9)).unwrap_err().code, Code::Invalid);
        for status in [EventWebhookStatus::Paused, EventWebhookStatus::Gone] {
            let stopped = EventWebhook { status, ..before.clone() };
            assert_eq!(replay(&stopped, 3, at(9)).unwrap_err().code, Code::WrongState);
            assert_eq!(replay_dead_letter(&stopped).unwrap_err().code, Code::WrongState);
        }
    }

    #[test]
    fn an_event_is_tried_for_three_days() {
        use Follows::{GiveUp, NextEvent, Stop, TryAgain};
        for (status, event_at, now, expected) in [
            (Some(200), 1, 500, NextEvent),
            (Some(204), 1, 500, NextEvent),
            (Some(410), 1, 500, Stop),
            (Some(500), 1, 2, TryAgain),
            (Some(302), 1, 72, TryAgain),
            (Some(500), 1, 73, GiveUp),
            (None, 1, 73, GiveUp),
            (None, 40, 73, TryAgain),
            // It waits since the webhook does.
            (Some(400), -900, 71, TryAgain),
            (Some(400), -900, 72, GiveUp),
        ] {
            let found = follows(&webhook(), &event(event_at), status, at(now));
            assert_eq!(found, expected, "{status:?} {event_at} {now}");
        }
    }

    proptest! {
        /// Once an event would be given up, it always would; nothing is given up that was taken.
        #[test]
        fn later_is_no_better(status in prop::option::of(100_u16..600), event_at in -200_i64..200, now in -200_i64..400) {
            let (webhook, event) = (webhook(), event(event_at));
            let first = follows(&webhook, &event, status, at(now));
            let second = follows(&webhook, &event, status, at(now + 1));
            prop_assert!(first == second || (first, second) == (Follows::TryAgain, Follows::GiveUp));
            prop_assert_eq!(status.is_some_and(|s| (200..300).contains(&s)), first == Follows::NextEvent);
        }
    }
}
