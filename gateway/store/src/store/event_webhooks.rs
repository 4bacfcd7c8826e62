//! Event webhooks and their dead letters.
//!
//! Whoever tells a webhook writes what came of it with the webhook as it was read, and nothing is written where its account
//! has changed it since: what the account wants now, such as to be told anew, holds.

use super::{Answer, Store, change, read, write};
use crate::{Change, EventWebhookSecrets, Page, PageRequest, PairRule, Rule, StoreError, Wakeup};
use async_recursion::async_recursion as boxed;
use entente_domain::{
    AccountId, EventWebhookId, Timestamp,
    event_webhook::{DEAD_LETTERS_KEPT, DeadLetter, EventWebhook, Failure},
};
use std::collections::HashMap;

impl Store {
    /// Sets an event webhook up. The rule is told how many the account has, and the number of its last event; it makes the
    /// webhook's job.
    #[boxed]
    pub async fn create_event_webhook(
        &self,
        change: Change,
        account: AccountId,
        secret_sealed: Vec<u8>,
        rule: PairRule<u64, i64, EventWebhook>,
    ) -> Answer<EventWebhook> {
        change!(self, change, |conn, _by| queries::event_webhooks::create(conn, account, secret_sealed, rule))
    }

    /// Changes an event webhook of an account, and wakes its job.
    #[boxed]
    pub async fn change_event_webhook(
        &self,
        change: Change,
        account: AccountId,
        id: EventWebhookId,
        rule: Rule<EventWebhook, EventWebhook>,
    ) -> Answer<EventWebhook> {
        let changed = change!(self, change, |conn, by| queries::event_webhooks::change(conn, by, (account, id), rule));
        self.wake(Wakeup::Jobs);
        changed
    }

    /// Gives an event webhook of an account another secret. The rule says until when the present one signs as well; none: it
    /// stops at once.
    #[boxed]
    pub async fn rotate_event_webhook_secret(
        &self,
        change: Change,
        account: AccountId,
        id: EventWebhookId,
        secret_sealed: Vec<u8>,
        rule: Rule<EventWebhook, Option<Timestamp>>,
    ) -> Answer<EventWebhook> {
        change!(self, change, |conn, by| queries::event_webhooks::rotate(conn, by, (account, id), secret_sealed, rule))
    }

    /// Deletes an event webhook of an account, with its dead letters.
    #[boxed]
    pub async fn delete_event_webhook(&self, change: Change, account: AccountId, id: EventWebhookId) -> Answer<()> {
        change!(self, change, |conn, by| queries::event_webhooks::delete(conn, by, (account, id)))
    }

    /// Event webhooks by id.
    #[boxed]
    pub async fn event_webhooks_by_ids(
        &self,
        ids: &[EventWebhookId],
    ) -> Result<HashMap<EventWebhookId, EventWebhook>, StoreError> {
        let ids = ids.to_vec();
        read!(self, |conn| queries::event_webhooks::by_ids(conn, ids))
    }

    /// Event webhooks of an account, newest first.
    #[boxed]
    pub async fn event_webhooks_of_account(
        &self,
        account: AccountId,
        page: PageRequest,
    ) -> Result<Page<EventWebhook>, StoreError> {
        read!(self, |conn| queries::event_webhooks::of_account(conn, account, page))
    }

    /// An event webhook with its secrets.
    #[boxed]
    pub async fn event_webhook_with_secrets(
        &self,
        id: EventWebhookId,
    ) -> Result<Option<(EventWebhook, EventWebhookSecrets)>, StoreError> {
        read!(self, |conn| queries::event_webhooks::with_secrets(conn, id))
    }

    /// The webhook took the event with a number, and is done with all before it. False when it was changed since.
    #[boxed]
    pub async fn event_webhook_took(&self, webhook: &EventWebhook, number: i64) -> Result<bool, StoreError> {
        let webhook = webhook.clone();
        write!(self, |conn| queries::event_webhooks::took(conn, webhook, number))
    }

    /// The webhook is not told of the events up to a number. False when it was changed since.
    #[boxed]
    pub async fn event_webhook_passed(&self, webhook: &EventWebhook, number: i64) -> Result<bool, StoreError> {
        let webhook = webhook.clone();
        write!(self, |conn| queries::event_webhooks::passed(conn, webhook, number))
    }

    /// The webhook did not take the next event. False when it was changed since.
    #[boxed]
    pub async fn event_webhook_failed(&self, webhook: &EventWebhook, failure: Failure) -> Result<bool, StoreError> {
        let webhook = webhook.clone();
        write!(self, |conn| queries::event_webhooks::failed(conn, webhook, failure))
    }

    /// The next event is given up. False when the webhook was changed since.
    #[boxed]
    pub async fn give_up_event(&self, webhook: &EventWebhook, letter: DeadLetter) -> Result<bool, StoreError> {
        let webhook = webhook.clone();
        write!(self, |conn| queries::dead_letters::give_up(conn, webhook, letter))
    }

    /// Wakes the jobs of webhooks that have something to be told: of these accounts, or of all. Nothing is written where
    /// there are none.
    #[boxed]
    pub async fn wake_event_webhooks(
        &self,
        accounts: Option<Vec<AccountId>>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let asleep = read!(self, |conn| queries::event_webhooks::asleep(conn, accounts, now))?;
        if !asleep.is_empty() {
            write!(self, |conn| queries::event_webhooks::wake(conn, asleep, now))?;
            self.wake(Wakeup::Jobs);
        }
        Ok(())
    }

    /// Dead letters of a webhook, in the order of their events.
    #[boxed]
    pub async fn dead_letters(&self, id: EventWebhookId, page: PageRequest) -> Result<Page<DeadLetter>, StoreError> {
        read!(self, |conn| queries::dead_letters::of_webhook(conn, id, page))
    }

    /// Asks for a dead letter of an account's webhook to be sent once more, and wakes the webhook's job.
    #[boxed]
    pub async fn replay_dead_letter(
        &self,
        change: Change,
        account: AccountId,
        id: EventWebhookId,
        number: i64,
        rule: Rule<EventWebhook, ()>,
    ) -> Answer<DeadLetter> {
        let asked =
            change!(self, change, |conn, by| queries::dead_letters::ask_replay(conn, by, (account, id), number, rule));
        self.wake(Wakeup::Jobs);
        asked
    }

    /// Dead letters of a webhook that are to be sent once more, the oldest first.
    #[boxed]
    pub async fn dead_letters_to_replay(
        &self,
        id: EventWebhookId,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        read!(self, |conn| queries::dead_letters::to_replay(conn, id, limit as i64))
    }

    /// A dead letter was sent once more, and stays one.
    #[boxed]
    pub async fn put_dead_letter_back(&self, letter: DeadLetter) -> Result<(), StoreError> {
        write!(self, |conn| queries::dead_letters::put_back(conn, letter))
    }

    /// A dead letter was taken after all.
    #[boxed]
    pub async fn remove_dead_letter(&self, id: EventWebhookId, number: i64) -> Result<(), StoreError> {
        write!(self, |conn| queries::dead_letters::remove(conn, id, number))
    }

    /// Deletes dead letters that were given up 90 days ago.
    #[boxed]
    pub async fn delete_old_dead_letters(&self, now: Timestamp) -> Result<(), StoreError> {
        write!(self, |conn| queries::dead_letters::delete_before(conn, now - DEAD_LETTERS_KEPT))
    }
}
