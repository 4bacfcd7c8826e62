use crate::{
    database::{Database, done, on_both},
    world::{account, at, change},
};
use chrono::TimeDelta;
use entente_domain::{
    AccountId, Code, EventWebhookId, JobId,
    account::Role,
    event::{AccountEventKind, Event, NewEvent, Subject},
    event_webhook::{self, DeadLetter, EventWebhook, EventWebhookChange, Failure},
};
use entente_store::{
    Cursor, EventWebhookSecrets, Job, JobPool, JobState, LoadedAccount, NewJob, Outcome, PageRequest, Sealed,
};
use std::sync::{Arc, Mutex};

const MINUTE: TimeDelta = TimeDelta::seconds(60);
/// When what has nothing to do looks again.
const REST: i64 = 1_000_000;

async fn create(db: &Database, account: AccountId) -> Result<EventWebhook, Code> {
    let id = EventWebhookId::new();
    let rule = move |existing: &u64, latest: &i64| {
        let url = Some("https://receiver.luma.example/".to_owned());
        let wanted = EventWebhookChange { url, ..EventWebhookChange::default() };
        let made = event_webhook::create((id, account), wanted, (*existing, *latest), at(0))?;
        let job = NewJob {
            id: JobId(id.0),
            kind: "event_webhook".into(),
            lane: format!("event_webhook:{id}"),
            share: None,
            account,
            subject: Some(Subject::EventWebhook(id)),
            payload: serde_json::json!({}),
            run_at: at(0),
        };
        Ok(Outcome::of(made).job(job))
    };
    let by = change(account, "createEventWebhook");
    let made = db.store.create_event_webhook(by, account, vec![1], Box::new(rule)).await.unwrap();
    made.map_err(|refusal| refusal.code)
}

/// An event of the account, whose number it answers.
async fn happens(db: &Database, id: AccountId) -> Event {
    let rule = |loaded: &LoadedAccount| {
        let mut next = loaded.account.clone();
        next.version += 1;
        let event = NewEvent::of_account(next.id, AccountEventKind::AccountUpdated, Subject::Account(next.id));
        Ok(Outcome::of(next).events([event]))
    };
    done(db.store.change_account(change(id, "updateAccount"), id, Box::new(rule)).await);
    let latest = db.store.event_range(id).await.unwrap().latest;
    db.store.events_after(id, latest - 1, 1, None).await.unwrap().remove(0)
}

async fn read(db: &Database, id: EventWebhookId) -> EventWebhook {
    db.store.event_webhooks_by_ids(&[id]).await.unwrap().remove(&id).unwrap()
}

/// Pauses or resumes.
async fn pause(db: &Database, webhook: &EventWebhook, paused: bool) -> EventWebhook {
    let wanted = EventWebhookChange { paused: Some(paused), ..EventWebhookChange::default() };
    let rule = move |present: &EventWebhook| event_webhook::change(present, wanted, at(5)).map(Outcome::of);
    let by = change(webhook.account, "updateEventWebhook");
    done(db.store.change_event_webhook(by, webhook.account, webhook.id, Box::new(rule)).await)
}

async fn lease(db: &Database, seconds: i64) -> Option<Job> {
    db.store.lease_next("a", at(seconds), MINUTE, JobPool::of(&["event_webhook"])).await.unwrap()
}

async fn rest(db: &Database, job: &Job) {
    assert!(db.store.rest_job(job.id, "a", job.run_at, at(REST)).await.unwrap());
}

fn letter(webhook: &EventWebhook, event: Event) -> DeadLetter {
    DeadLetter {
        webhook: webhook.id,
        event,
        tries: 80,
        status: Some(500),
        error: "https://receiver.luma.example answered 500".into(),
        given_up_at: at(9),
        replay_asked_at: None,
    }
}

/// A webhook that was not told of an event.
pub async fn create_with_dead_letter(db: &Database, account: AccountId) {
    let webhook = create(db, account).await.unwrap();
    let event = happens(db, account).await;
    assert!(db.store.give_up_event(&webhook, letter(&webhook, event)).await.unwrap());
}

async fn they_are_an_accounts_own_and_so_many(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let other = account(&db, "Fit Apparel", Role::Advertiser).await;
    let event = happens(&db, luma).await;
    let first = create(&db, luma).await.unwrap();
    assert_eq!((first.last_number, read(&db, first.id).await), (event.number, first.clone()));
    for _ in 1..event_webhook::MOST {
        create(&db, luma).await.unwrap();
    }
    assert_eq!(create(&db, luma).await, Err(Code::LimitReached));
    create(&db, other).await.unwrap();
    let page = db.store.event_webhooks_of_account(luma, PageRequest::last(1)).await.unwrap();
    assert_eq!((page.total, page.into_values()), (event_webhook::MOST, vec![first.clone()]));

    let rule = || Box::new(|webhook: &EventWebhook| Ok(Outcome::of(webhook.clone())));
    let by = || change(other, "updateEventWebhook");
    let changed = db.store.change_event_webhook(by(), other, first.id, rule()).await.unwrap();
    assert_eq!(changed.unwrap_err().code, Code::NotFound);
    let deleted = db.store.delete_event_webhook(by(), other, first.id).await.unwrap();
    assert_eq!(deleted.unwrap_err().code, Code::NotFound);
    done(db.store.delete_event_webhook(change(luma, "deleteEventWebhook"), luma, first.id).await);
    assert!(db.store.event_webhook_with_secrets(first.id).await.unwrap().is_none());
    assert_eq!(db.store.job(JobId(first.id.0)).await.unwrap().unwrap().state, JobState::Cancelled);
    create(&db, luma).await.unwrap();
}

async fn what_its_account_changed_is_not_written_over(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let webhook = create(&db, luma).await.unwrap();
    let event = happens(&db, luma).await;
    let failure = Failure { tries: 2, since: at(3), status: None, error: "no connection".into() };
    assert!(db.store.event_webhook_failed(&webhook, failure.clone()).await.unwrap());
    assert_eq!(read(&db, webhook.id).await, EventWebhook { failure: Some(failure.clone()), ..webhook.clone() });
    assert!(db.store.event_webhook_passed(&webhook, event.number).await.unwrap());
    let passed = EventWebhook { failure: Some(failure), last_number: event.number, ..webhook.clone() };
    assert_eq!(read(&db, webhook.id).await, passed);
    assert!(db.store.event_webhook_took(&webhook, event.number).await.unwrap());
    assert_eq!(read(&db, webhook.id).await, EventWebhook { last_number: event.number, ..webhook.clone() });

    let paused = pause(&db, &webhook, true).await;
    assert!(!db.store.event_webhook_took(&webhook, 90).await.unwrap());
    assert!(!db.store.event_webhook_passed(&webhook, 90).await.unwrap());
    let failure = Failure { tries: 1, since: at(3), status: None, error: String::new() };
    assert!(!db.store.event_webhook_failed(&webhook, failure).await.unwrap());
    assert!(!db.store.give_up_event(&webhook, letter(&webhook, event)).await.unwrap());
    assert_eq!(read(&db, webhook.id).await, paused);
    assert_eq!(db.store.dead_letters(webhook.id, PageRequest::first(5)).await.unwrap().total, 0);
}

async fn a_secret_is_rotated_and_sealed_anew(db: Database) {
    db.store.gateway_secrets("a", vec![]).await.unwrap();
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let webhook = create(&db, luma).await.unwrap();
    let secrets = async || db.store.event_webhook_with_secrets(webhook.id).await.unwrap().unwrap().1;
    assert!(secrets().await == EventWebhookSecrets { sealed: vec![1], old_sealed: None });
    let by = || change(luma, "rotateEventWebhookSecret");
    let until = |at| Box::new(move |_: &EventWebhook| Ok(Outcome::of(at)));
    let rotated = db.store.rotate_event_webhook_secret(by(), luma, webhook.id, vec![2], until(Some(at(9)))).await;
    let rotated = done(rotated);
    assert_eq!((rotated.old_secret_works_until, rotated.version), (Some(at(9)), 2));
    assert!(secrets().await == EventWebhookSecrets { sealed: vec![2], old_sealed: Some(vec![1]) });

    let seen = Arc::new(Mutex::new(vec![]));
    let visited = seen.clone();
    let longer = move |sealed: &Sealed, value: &[u8]| {
        visited.lock().unwrap().push(sealed.clone());
        Ok(Some([value, &[9]].concat()))
    };
    db.store.reseal("a", "b", Box::new(longer)).await.unwrap();
    assert!(secrets().await == EventWebhookSecrets { sealed: vec![2, 9], old_sealed: Some(vec![1, 9]) });
    let both = seen.lock().unwrap().iter().filter(|s| **s == Sealed::EventWebhookSecret(webhook.id)).count();
    assert_eq!(both, 2);

    let now_with_b = entente_store::Store::open(&db.url).await.unwrap();
    let at_once = now_with_b.rotate_event_webhook_secret(by(), luma, webhook.id, vec![3], until(None)).await;
    assert_eq!(done(at_once).old_secret_works_until, None);
    assert!(secrets().await == EventWebhookSecrets { sealed: vec![3], old_sealed: None });
}

async fn a_job_rests_and_is_woken_whenever_there_is_something_to_tell(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let other = account(&db, "Fit Apparel", Role::Advertiser).await;
    let webhook = create(&db, luma).await.unwrap();
    let wake_for = async |accounts, seconds| db.store.wake_event_webhooks(accounts, at(seconds)).await.unwrap();
    let wake = async |seconds| wake_for(None::<Vec<AccountId>>, seconds).await;
    rest(&db, &lease(&db, 1).await.unwrap()).await;
    wake(2).await;
    assert!(lease(&db, 2).await.is_none(), "there is nothing to tell");
    let event = happens(&db, luma).await;
    wake_for(Some(vec![other]), 2).await;
    assert!(lease(&db, 2).await.is_none(), "another account");
    wake_for(Some(vec![other, luma]), 2).await;
    let job = lease(&db, 2).await.unwrap();
    assert!(db.store.event_webhook_took(&webhook, event.number).await.unwrap());
    rest(&db, &job).await;
    assert!(lease(&db, 3).await.is_none());

    // What happens between the last look and the rest.
    happens(&db, luma).await;
    wake(3).await;
    let job = lease(&db, 3).await.unwrap();
    wake(4).await;
    rest(&db, &job).await;
    let job = lease(&db, 4).await.expect("it was woken while it ran");
    let failure = Failure { tries: 1, since: at(3), status: None, error: String::new() };
    assert!(db.store.event_webhook_failed(&webhook, failure).await.unwrap());
    assert!(db.store.postpone_job(job.id, "a", at(60)).await.unwrap());
    wake(5).await;
    assert!(lease(&db, 59).await.is_none(), "what failed waits for its time");
    let job = lease(&db, 60).await.unwrap();
    assert!(db.store.fail_job(job.id, "a", "It failed.", at(61)).await.unwrap());
    wake(62).await;
    let job = lease(&db, 62).await.expect("no webhook is left without a job");
    rest(&db, &job).await;
    pause(&db, &webhook, true).await;
    rest(&db, &lease(&db, 63).await.expect("who changes it wakes it")).await;
    wake(64).await;
    assert!(lease(&db, 64).await.is_none(), "it is paused");
}

async fn what_was_given_up_is_kept_until_it_is_taken(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let other = account(&db, "Fit Apparel", Role::Advertiser).await;
    let webhook = create(&db, luma).await.unwrap();
    let mut letters = vec![];
    for _ in 0..3 {
        letters.push(letter(&webhook, happens(&db, luma).await));
        assert!(db.store.give_up_event(&webhook, letters.last().unwrap().clone()).await.unwrap());
    }
    let now = read(&db, webhook.id).await;
    assert_eq!(now.last_number, letters[2].event.number);
    assert_eq!(now.failure.map(|f| (f.tries, f.since, f.status)), Some((0, at(9), Some(500))));
    let page = async |request| db.store.dead_letters(webhook.id, request).await.unwrap().into_values();
    assert_eq!(page(PageRequest::first(5)).await, letters);
    let after = PageRequest::first(5).after(Cursor(letters[0].event.number.to_string()));
    assert_eq!(page(after).await, letters[1..]);
    assert_eq!(page(PageRequest::last(1)).await, letters[2..]);

    let ask = async |account, number| {
        let rule = Box::new(|webhook: &EventWebhook| event_webhook::replay_dead_letter(webhook).map(Outcome::of));
        let by = change(account, "replayDeadLetter");
        let asked = db.store.replay_dead_letter(by, account, webhook.id, number, rule).await.unwrap();
        asked.map(|letter| letter.replay_asked_at).map_err(|refusal| refusal.code)
    };
    let number = letters[1].event.number;
    assert_eq!(ask(other, number).await, Err(Code::NotFound));
    assert_eq!(ask(luma, 90).await, Err(Code::NotFound));
    rest(&db, &lease(&db, 1).await.unwrap()).await;
    assert_eq!(ask(luma, number).await, Ok(Some(at(0))));
    db.store.wake_event_webhooks(None, at(2)).await.unwrap();
    assert!(lease(&db, 2).await.is_some(), "who asks wakes the job");
    let to_replay = db.store.dead_letters_to_replay(webhook.id, 5).await.unwrap();
    assert_eq!(to_replay, [DeadLetter { replay_asked_at: Some(at(0)), ..letters[1].clone() }]);
    letters[1] = DeadLetter { tries: 81, status: None, error: "no connection".into(), ..letters[1].clone() };
    db.store.put_dead_letter_back(letters[1].clone()).await.unwrap();
    assert_eq!(page(PageRequest::first(5)).await, letters);
    assert!(db.store.dead_letters_to_replay(webhook.id, 5).await.unwrap().is_empty());

    db.store.remove_dead_letter(webhook.id, number).await.unwrap();
    assert!(db.store.event_webhook_took(&webhook, letters[0].event.number).await.unwrap(), "by a replay from a cursor");
    assert_eq!(page(PageRequest::first(5)).await, letters[2..]);
    pause(&db, &webhook, true).await;
    assert_eq!(ask(luma, letters[2].event.number).await, Err(Code::WrongState));
    let kept = event_webhook::DEAD_LETTERS_KEPT;
    db.store.delete_old_dead_letters(at(9) + kept).await.unwrap();
    assert_eq!(page(PageRequest::first(5)).await, letters[2..]);
    db.store.delete_old_dead_letters(at(10) + kept).await.unwrap();
    assert_eq!(page(PageRequest::first(5)).await, []);
}

async fn they_go_with_their_account(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let webhook = create(&db, luma).await.unwrap();
    let event = happens(&db, luma).await;
    assert!(db.store.give_up_event(&webhook, letter(&webhook, event)).await.unwrap());
    for rows in ["members WHERE account_id", "accounts WHERE id"] {
        db.execute(&format!("DELETE FROM {rows} = '{luma}'")).await.unwrap();
    }
    assert!(db.store.event_webhook_with_secrets(webhook.id).await.unwrap().is_none());
    assert_eq!(db.store.dead_letters(webhook.id, PageRequest::first(5)).await.unwrap().total, 0);
}

on_both!(
    they_are_an_accounts_own_and_so_many,
    what_its_account_changed_is_not_written_over,
    a_secret_is_rotated_and_sealed_anew,
    a_job_rests_and_is_woken_whenever_there_is_something_to_tell,
    what_was_given_up_is_kept_until_it_is_taken,
    they_go_with_their_account,
);
