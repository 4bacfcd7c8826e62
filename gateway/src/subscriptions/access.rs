//! Whether who subscribed may still see what it sees: keys are revoked and expire, roles change, members go.

use crate::{
    gateway::Gateway,
    graphql::{
        answer::{Answer, error_answer},
        fault::{access_changed, key_ended},
    },
    http::request_id::RequestId,
};
use async_graphql::Error;
use entente_domain::{
    AccountId,
    access::{MemberRole, Viewer},
};
use futures::{StreamExt, stream, stream::BoxStream};
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::watch;

/// How often all keys of subscribers are checked.
const EVERY: Duration = Duration::from_secs(1);
/// Keys that are checked by one statement.
const AT_ONCE: usize = 1_000;

/// By its hash, whom a key belongs to; nobody once it does not count any more.
type Holders = HashMap<[u8; 32], watch::Sender<Option<Viewer>>>;

/// The keys by which somebody subscribes.
#[derive(Default)]
pub struct LiveKeys(Mutex<Holders>);

/// What a subscriber could see when it subscribed, and whom its key belongs to now.
pub struct Access {
    memberships: Vec<(AccountId, MemberRole)>,
    holder: watch::Receiver<Option<Viewer>>,
}

/// Why a subscription ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    /// The key was revoked, has expired or was replaced.
    Key,
    /// A role changed, or a membership ended.
    Role,
}

impl LiveKeys {
    /// Watches a key, which belongs to this viewer now.
    pub fn watch(&self, key: [u8; 32], viewer: &Viewer) -> Access {
        let mut holders = self.holders();
        let sender = holders.entry(key).or_insert_with(|| watch::Sender::new(None));
        tell(sender, Some(viewer));
        Access { memberships: viewer.memberships.clone(), holder: sender.subscribe() }
    }

    /// The keys that are still watched.
    fn watched(&self) -> Vec<[u8; 32]> {
        let mut holders = self.holders();
        holders.retain(|_, sender| sender.receiver_count() > 0);
        holders.keys().copied().collect()
    }

    /// Tells whom keys belong to.
    fn found(&self, keys: &[[u8; 32]], viewers: &HashMap<[u8; 32], Viewer>) {
        let holders = self.holders();
        for key in keys {
            if let Some(sender) = holders.get(key) {
                tell(sender, viewers.get(key));
            }
        }
    }

    fn holders(&self) -> MutexGuard<'_, Holders> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn tell(sender: &watch::Sender<Option<Viewer>>, now: Option<&Viewer>) {
    sender.send_if_modified(|holder| {
        let changed = holder.as_ref() != now;
        if changed {
            *holder = now.cloned();
        }
        changed
    });
}

impl Access {
    /// Waits until it ends.
    async fn ended(&mut self) -> Ended {
        loop {
            match &*self.holder.borrow_and_update() {
                None => return Ended::Key,
                Some(viewer) if !viewer.keeps(&self.memberships) => return Ended::Role,
                Some(_) => {}
            }
            if self.holder.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

/// Checks the keys of all subscribers, again and again.
pub async fn keep_checking(gateway: &Gateway) {
    loop {
        tokio::time::sleep(EVERY).await;
        for keys in gateway.live_keys().watched().chunks(AT_ONCE) {
            match gateway.store().viewers_by_token_hashes(keys.to_vec(), crate::clock::now()).await {
                Ok(viewers) => gateway.live_keys().found(keys, &viewers),
                Err(error) => tracing::warn!(message = "the keys of subscribers could not be checked", %error),
            }
        }
    }
}

/// The answers for as long as access lasts, and then why it ended.
pub fn while_allowed(answers: BoxStream<'static, Answer>, access: Access, id: RequestId) -> BoxStream<'static, Answer> {
    stream::unfold(Some((answers, access, id)), |state| async {
        let (mut answers, mut access, id) = state?;
        tokio::select! {
            biased;
            ended = access.ended() => Some((error_answer(reason(ended), &id), None)),
            answer = answers.next() => answer.map(|answer| (answer, Some((answers, access, id)))),
        }
    })
    .boxed()
}

fn reason(ended: Ended) -> Error {
    match ended {
        Ended::Key => key_ended(),
        Ended::Role => access_changed(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use entente_domain::{ApiKeyId, access::Actor};
    use futures::FutureExt;

    #[tokio::test]
    async fn access_ends_with_the_key_or_a_membership() {
        let actor = Actor::ApiKey(ApiKeyId::new());
        let (luma, tv_tube) = (AccountId::new(), AccountId::new());
        let viewer = |memberships: &[(AccountId, MemberRole)]| Viewer { actor, memberships: memberships.to_vec() };
        let admin = (luma, MemberRole::Admin);
        for (now, ended) in [
            (Some(viewer(&[admin])), None),
            (Some(viewer(&[(tv_tube, MemberRole::Analyst), admin])), None),
            (Some(viewer(&[(luma, MemberRole::Manager)])), Some(Ended::Role)),
            (Some(viewer(&[])), Some(Ended::Role)),
            (None, Some(Ended::Key)),
        ] {
            let keys = LiveKeys::default();
            let mut access = keys.watch([1; 32], &viewer(&[admin]));
            let mut other = keys.watch([2; 32], &viewer(&[admin]));
            assert_eq!(access.ended().now_or_never(), None);
            keys.found(&[[1; 32]], &now.iter().map(|viewer| ([1; 32], viewer.clone())).collect());
            assert_eq!(access.ended().now_or_never(), ended, "{now:?}");
            assert_eq!(other.ended().now_or_never(), None);
            drop(access);
            assert_eq!(keys.watched(), [[2; 32]]);
        }
    }

    /// Who subscribes after its role changed, and before the next check, is not ended for what it had before.
    #[tokio::test]
    async fn a_new_subscriber_brings_news() {
        let luma = AccountId::new();
        let viewer = |role| Viewer { actor: Actor::Gateway, memberships: vec![(luma, role)] };
        let keys = LiveKeys::default();
        let mut before = keys.watch([1; 32], &viewer(MemberRole::Analyst));
        let mut after = keys.watch([1; 32], &viewer(MemberRole::Admin));
        assert_eq!(before.ended().now_or_never(), Some(Ended::Role));
        assert_eq!(after.ended().now_or_never(), None);
    }
}
