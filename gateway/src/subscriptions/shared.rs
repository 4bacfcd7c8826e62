//! What subscribers share who may see the same and ask the same: one reader of the table, and one answer to each event.

use super::{
    Start, Step, new_events,
    question::{Asked, Question},
    recent::{Next, Recent},
};
use crate::{
    gateway::Gateway,
    graphql::{
        answer::{Answer, answer},
        operation_data,
    },
    http::request_id::RequestId,
};
use entente_domain::{
    AccountId,
    access::{Act, Actor, MemberRole, Viewer},
    event::Event,
};
use futures::StreamExt;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

/// Events that are read at once.
pub const BATCH: usize = 100;
/// Events before the last one from which a first subscriber on is answered for all: who comes after it, as all do when a
/// gateway has ended, finds the answers.
const BEFORE: i64 = 200;

/// All that an answer depends on.
#[derive(PartialEq, Eq, Hash)]
pub struct Key {
    memberships: Vec<(AccountId, MemberRole)>,
    limits: Option<Vec<Act>>,
    asked: Asked,
}

impl Key {
    /// What the viewer may see, and what it asks. Who it is, is nothing of it.
    pub fn new(viewer: Viewer, asked: Asked) -> Self {
        let Viewer { actor: _, agencies: _, mut memberships, limits } = viewer;
        memberships.sort_unstable();
        let limits = limits.map(|limits| Act::ALL.into_iter().filter(|act| limits.contains(act)).collect());
        Self { memberships, limits, asked }
    }

    /// As whom all are answered who share the answers: as nobody in particular, who may see what each of them may see.
    fn viewer(&self) -> Viewer {
        Viewer {
            actor: Actor::Gateway,
            memberships: self.memberships.clone(),
            agencies: vec![],
            limits: self.limits.clone(),
        }
    }
}

/// What is shared now.
#[derive(Default)]
pub struct Hub(Mutex<HashMap<Arc<Key>, Weak<Shared>>>);

impl Hub {
    /// What subscribers with this key share, from now on at the latest.
    pub fn join(&self, gateway: &Arc<Gateway>, key: Key, question: Question, start: Start) -> Arc<Shared> {
        let mut all = self.all();
        if let Some(shared) = all.get(&key).and_then(Weak::upgrade) {
            return shared;
        }
        let key = Arc::new(key);
        let shared = Arc::new(Shared::begin(gateway, key.clone(), question, start));
        all.insert(key, Arc::downgrade(&shared));
        shared
    }

    fn leave(&self, key: &Key) {
        let mut all = self.all();
        if all.get(key).is_some_and(|shared| shared.strong_count() == 0) {
            all.remove(key);
        }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Arc<Key>, Weak<Shared>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Shared for as long as a subscriber keeps it.
pub struct Shared {
    /// The answers.
    pub answers: Arc<Answers>,
    key: Arc<Key>,
    _keeping_up: AbortOnDropHandle<()>,
}

impl Shared {
    fn begin(gateway: &Arc<Gateway>, key: Arc<Key>, question: Question, start: Start) -> Self {
        let after = start.after.max(start.latest - BEFORE);
        let answers = Arc::new(Answers {
            gateway: gateway.clone(),
            viewer: key.viewer(),
            question,
            start,
            id: RequestId::generate(),
            recent: Mutex::new(Recent::after(after)),
            progress: watch::Sender::new(()),
        });
        let keeping_up = tokio::spawn(answers.clone().keep_up(after));
        Self { answers, key, _keeping_up: AbortOnDropHandle::new(keeping_up) }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.answers.gateway.hub().leave(&self.key);
    }
}

/// The answers to a question.
pub struct Answers {
    gateway: Arc<Gateway>,
    viewer: Viewer,
    question: Question,
    start: Start,
    /// Named in errors within answers.
    id: RequestId,
    recent: Mutex<Recent>,
    progress: watch::Sender<()>,
}

impl Answers {
    /// What comes after an event, as far as it is kept.
    pub fn next(&self, number: i64) -> Next {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner).next(number)
    }

    /// Changes whenever there is another answer.
    pub fn progress(&self) -> watch::Receiver<()> {
        self.progress.subscribe()
    }

    /// Events after a number, as the table has them.
    pub async fn events_after(&self, number: i64) -> Result<Vec<Event>, entente_store::StoreError> {
        let Start { account, stream, .. } = self.start;
        self.gateway.store().events_after(account, number, BATCH, Some(stream)).await
    }

    /// The answer to an event; none when the document asks nothing.
    pub async fn resolve(&self, event: Event) -> Option<Answer> {
        let request = operation_data(self.question.request(), &self.gateway, Some(self.viewer.clone()), &self.id);
        let mut results = self.gateway.schema().execute_stream(request.data(Step::Answer(event)));
        let span = tracing::info_span!("subscription", id = self.id.as_str());
        let response = results.next().instrument(span).await?;
        metrics::counter!("entente_subscription_answers_total").increment(1);
        Some(answer(response, &self.id))
    }

    /// Answers each event after a number, for ever.
    async fn keep_up(self: Arc<Self>, mut last: i64) {
        let store = self.gateway.store();
        let mut wakeups = store.wakeups();
        loop {
            match self.events_after(last).await {
                Ok(events) if events.is_empty() => new_events(store, &mut wakeups, self.start.account).await,
                Ok(events) => {
                    for event in events {
                        last = event.number;
                        if let Some(answer) = self.resolve(event).await {
                            self.recent.lock().unwrap_or_else(PoisonError::into_inner).push(last, answer);
                            self.progress.send_replace(());
                        }
                    }
                }
                Err(error) => {
                    tracing::warn!(message = "events could not be read; it is tried again", %error);
                    tokio::time::sleep(super::LOOK_AGAIN).await;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use entente_domain::{
        ApiKeyId, UserId,
        api_key::{Purpose, limits},
    };
    use std::collections::HashSet;

    /// A user or a key, with its role in one account.
    fn holder(account: AccountId, actor: Actor, role: MemberRole, limits: Option<Vec<Act>>) -> Viewer {
        Viewer { actor, memberships: vec![(account, role)], agencies: vec![], limits }
    }

    /// Answers are shared by those who may see the same, and by nobody else.
    #[test]
    fn who_shares_may_see_the_same() {
        let (luma, tv_tube) = (AccountId::new(), AccountId::new());
        let (user, key) = (|| Actor::User(UserId::new()), || Actor::ApiKey(ApiKeyId::new()));
        let (admin, service) = (MemberRole::Admin, limits(Purpose::Service, None));
        let scoped = |acts: &[Act]| limits(Purpose::Account, Some(acts));
        let both = Viewer { memberships: vec![(luma, admin), (tv_tube, admin)], ..holder(luma, user(), admin, None) };
        let reversed = Viewer { memberships: vec![(tv_tube, admin), (luma, admin)], ..both.clone() };
        let (data_first, read_first) = ([Act::ManageData, Act::Read], [Act::Read, Act::ManageData]);
        for (one, other, share) in [
            (holder(luma, user(), admin, None), holder(luma, key(), admin, None), true),
            (both.clone(), reversed, true),
            (holder(luma, key(), admin, scoped(&data_first)), holder(luma, key(), admin, scoped(&read_first)), true),
            (holder(luma, key(), admin, service.clone()), holder(luma, key(), admin, service.clone()), true),
            (both, holder(luma, user(), admin, None), false),
            (holder(luma, user(), admin, None), holder(tv_tube, user(), admin, None), false),
            (holder(luma, user(), admin, None), holder(luma, user(), MemberRole::Manager, None), false),
            (holder(luma, user(), admin, None), holder(luma, key(), admin, service.clone()), false),
            (holder(luma, key(), admin, scoped(&Act::ALL)), holder(luma, key(), admin, service), false),
            (holder(luma, key(), admin, scoped(&[Act::Read])), holder(luma, key(), admin, scoped(&read_first)), false),
        ] {
            let keys = [&one, &other].map(|viewer| Key::new(viewer.clone(), Asked::default()));
            assert_eq!(keys[0] == keys[1], share, "{one:?}, {other:?}");
            for (viewer, key) in [&one, &other].into_iter().zip(&keys) {
                let answered = key.viewer();
                assert!(!answered.is_operator());
                for (account, act) in [luma, tv_tube].into_iter().flat_map(|a| Act::ALL.map(|act| (a, act))) {
                    let allowed = viewer.authorise(account, act);
                    assert_eq!(answered.authorise(account, act), allowed, "{viewer:?} {act:?}");
                }
            }
        }
    }

    /// No event leads to a field that says who asks, which all who share an answer would read of nobody.
    #[tokio::test]
    async fn no_answer_depends_on_who_asks() {
        let query = "{ __schema { types { name possibleTypes { name } fields { type {
            name ofType { name ofType { name ofType { name } } } } } } } }";
        let schema = crate::graphql::schema(true).execute(query).await.data.into_json().unwrap();
        let types = schema["__schema"]["types"].as_array().unwrap();
        let named = |of: &serde_json::Value| {
            let mut of = of.clone();
            while of["name"].is_null() {
                of = of["ofType"].take();
            }
            of["name"].as_str().unwrap().to_owned()
        };
        let (mut reached, mut ahead) = (HashSet::new(), vec!["Subscription".to_owned()]);
        while let Some(name) = ahead.pop() {
            let of = types.iter().find(|of| of["name"] == *name).unwrap();
            if reached.insert(name) {
                let fields = of["fields"].as_array().into_iter().flatten().map(|field| named(&field["type"]));
                let possible = of["possibleTypes"].as_array().into_iter().flatten().map(named);
                ahead.extend(fields.chain(possible));
            }
        }
        assert!(reached.contains("ConnectionEvent") && reached.contains("Project"));
        for who_asks in ["Viewer", "Query", "Mutation"] {
            assert!(!reached.contains(who_asks), "{who_asks}");
        }
    }
}
