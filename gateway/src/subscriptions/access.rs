//! Whether who subscribed may still see what it sees: keys are revoked, rotated and expire, sessions end, roles change,
//! members go.

use super::Credential;
use crate::{
    gateway::Gateway,
    graphql::{
        answer::{Answer, error_answer},
        fault::{access_changed, key_ended, session_ended},
    },
    http::request_id::RequestId,
};
use async_graphql::Error;
use entente_domain::{access::Viewer, sign_in::session_counts};
use entente_store::StoreError;
use futures::{StreamExt, stream, stream::BoxStream};
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::watch;

/// How often all keys and sessions of subscribers are checked.
const EVERY: Duration = Duration::from_secs(1);
/// As many are checked by one statement.
const AT_ONCE: usize = 1_000;

/// Whom a key or a session belongs to; nobody once it does not count any more.
type Holders = HashMap<Credential, watch::Sender<Option<Viewer>>>;

/// The keys and sessions by which somebody subscribes.
#[derive(Default)]
pub struct LiveCredentials(Mutex<Holders>);

/// What a subscriber could see when it subscribed, and whom its key or session belongs to now.
pub struct Access {
    by: Credential,
    before: Viewer,
    holder: watch::Receiver<Option<Viewer>>,
}

/// Why a subscription ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    /// The key was revoked, has expired or was replaced.
    Key,
    /// The session was signed out, was idle for too long, or is over.
    Session,
    /// A role changed, or a membership ended.
    Role,
}

impl LiveCredentials {
    /// Watches a key or a session, which belongs to this viewer now.
    pub fn watch(&self, by: Credential, viewer: &Viewer) -> Access {
        let mut holders = self.holders();
        let sender = holders.entry(by).or_insert_with(|| watch::Sender::new(None));
        tell(sender, Some(viewer));
        Access { by, before: viewer.clone(), holder: sender.subscribe() }
    }

    /// How many subscriptions there are.
    pub fn subscriptions(&self) -> usize {
        self.holders().values().map(watch::Sender::receiver_count).sum()
    }

    /// What is still watched.
    fn watched(&self) -> Vec<Credential> {
        let mut holders = self.holders();
        holders.retain(|_, sender| sender.receiver_count() > 0);
        holders.keys().copied().collect()
    }

    /// Tells whom keys and sessions belong to.
    fn found(&self, credentials: &[Credential], viewers: &HashMap<Credential, Viewer>) {
        let holders = self.holders();
        for credential in credentials {
            if let Some(sender) = holders.get(credential) {
                tell(sender, viewers.get(credential));
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
            match (&*self.holder.borrow_and_update(), self.by) {
                (None, Credential::Token(_)) => return Ended::Key,
                (None, Credential::Session(_)) => return Ended::Session,
                (Some(viewer), _) if !viewer.keeps(&self.before) => return Ended::Role,
                (Some(_), _) => {}
            }
            if self.holder.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

/// Checks the keys and sessions of all subscribers, again and again.
pub async fn keep_checking(gateway: &Gateway) {
    loop {
        tokio::time::sleep(EVERY).await;
        for credentials in gateway.live_credentials().watched().chunks(AT_ONCE) {
            match holders(gateway, credentials).await {
                Ok(viewers) => gateway.live_credentials().found(credentials, &viewers),
                Err(error) => tracing::warn!(message = "the keys of subscribers could not be checked", %error),
            }
        }
    }
}

/// Whom those of some keys and sessions belong to that count now. To be watched is no use: a session becomes idle meanwhile.
async fn holders(gateway: &Gateway, credentials: &[Credential]) -> Result<HashMap<Credential, Viewer>, StoreError> {
    let (mut tokens, mut sessions) = (vec![], vec![]);
    for credential in credentials {
        match credential {
            Credential::Token(hash) => tokens.push(*hash),
            Credential::Session(hash) => sessions.push(*hash),
        }
    }
    let (now, lifetimes) = (crate::clock::now(), gateway.settings.session_lifetimes());
    let mut holders = HashMap::with_capacity(credentials.len());
    if !tokens.is_empty() {
        let found = gateway.store().viewers_by_token_hashes(tokens, now).await?;
        holders.extend(found.into_iter().map(|(hash, viewer)| (Credential::Token(hash), viewer)));
    }
    if !sessions.is_empty() {
        let found = gateway.store().sessions(sessions, now).await?.into_iter();
        let counting = found.filter(|(_, s)| session_counts(s.created_at, s.last_seen_at, lifetimes, now));
        holders.extend(counting.map(|(hash, session)| (Credential::Session(hash), session.viewer)));
    }
    Ok(holders)
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
        Ended::Session => session_ended(),
        Ended::Role => access_changed(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use entente_domain::{
        AccountId, ApiKeyId,
        access::{Act, Actor, MemberRole},
    };
    use futures::FutureExt;

    #[tokio::test]
    async fn access_ends_with_its_credential_a_membership_or_a_limit() {
        let actor = Actor::ApiKey(ApiKeyId::new());
        let (luma, tv_tube) = (AccountId::new(), AccountId::new());
        let viewer = |memberships: &[(AccountId, MemberRole)]| Viewer {
            actor,
            memberships: memberships.to_vec(),
            agencies: vec![],
            limits: None,
        };
        let admin = (luma, MemberRole::Admin);
        let limited = Viewer { limits: Some(vec![Act::ManageData]), ..viewer(&[admin]) };
        let (token, session) = (Credential::Token([1; 32]), Credential::Session([1; 32]));
        for (by, now, ended) in [
            (token, Some(viewer(&[admin])), None),
            (token, Some(viewer(&[(tv_tube, MemberRole::Analyst), admin])), None),
            (token, Some(viewer(&[(luma, MemberRole::Manager)])), Some(Ended::Role)),
            (token, Some(viewer(&[])), Some(Ended::Role)),
            (token, Some(limited), Some(Ended::Role)),
            (token, None, Some(Ended::Key)),
            (session, Some(viewer(&[admin])), None),
            (session, Some(viewer(&[])), Some(Ended::Role)),
            (session, None, Some(Ended::Session)),
        ] {
            let live = LiveCredentials::default();
            let mut access = live.watch(by, &viewer(&[admin]));
            let other = if by == token { session } else { token };
            let mut beside = live.watch(other, &viewer(&[admin]));
            assert_eq!(access.ended().now_or_never(), None);
            live.found(&[by], &now.iter().map(|viewer| (by, viewer.clone())).collect());
            assert_eq!(access.ended().now_or_never(), ended, "{now:?}");
            assert_eq!(beside.ended().now_or_never(), None);
            drop(access);
            assert!(live.watched() == [other]);
        }
    }

    /// Who subscribes after its role changed, and before the next check, is not ended for what it had before.
    #[tokio::test]
    async fn a_new_subscriber_brings_news() {
        let (luma, by) = (AccountId::new(), Credential::Token([1; 32]));
        let viewer =
            |role| Viewer { actor: Actor::Gateway, memberships: vec![(luma, role)], agencies: vec![], limits: None };
        let live = LiveCredentials::default();
        let mut before = live.watch(by, &viewer(MemberRole::Analyst));
        let mut after = live.watch(by, &viewer(MemberRole::Admin));
        assert_eq!(before.ended().now_or_never(), Some(Ended::Role));
        assert_eq!(after.ended().now_or_never(), None);
    }
}
