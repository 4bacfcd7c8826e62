//! Subscriptions: every subscriber follows the table of events by a cursor of its own, and all who may see the same and ask
//! the same are answered together.
//!
//! A subscription begins as any operation does: its resolver authorises, reads the cursor, and puts down where it begins.
//! From then on each event is an operation of its own: the same document, resolved for that event, once for all who share
//! it. Who lags behind what is kept of such answers reads the table.

mod access;
mod follower;
mod question;
mod recent;
mod shared;

use crate::{
    gateway::Gateway,
    graphql::{
        answer::{Answer, answer, error_answer},
        cost::Asked,
        fault::{refused, unauthenticated},
        operation_data,
    },
    http::request_id::RequestId,
};
use access::while_allowed;
use async_graphql::{Error, Request};
use entente_domain::{AccountId, Refusal, access::Viewer, event::Event};
use entente_store::{Store, Stream as EventStream, Wakeup};
use futures::{StreamExt, stream, stream::BoxStream};
use question::Question;
use shared::Key;
use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};
use tokio::sync::broadcast::{Receiver, error::RecvError};

pub use access::LiveCredentials;
pub use question::operation;
pub use shared::Hub;

/// How long who waits sleeps when nothing wakes it, where others may write unheard.
pub const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// The same where all that is written is heard of.
const LOOK_AGAIN_HEARING: Duration = Duration::from_secs(10);

/// Where a subscription to events begins.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// The account.
    pub account: AccountId,
    /// Which of its events.
    pub stream: EventStream,
    /// The number of the last event that the subscriber has.
    pub after: i64,
    /// The number of the account's last event.
    pub latest: i64,
}

/// What the resolver of a subscription is to do.
#[derive(Clone, Debug)]
pub enum Step {
    /// Put down where it begins; nothing, where it is not about events.
    Begin(Arc<OnceLock<Option<Start>>>),
    /// Answer this event.
    Answer(Event),
}

/// Puts down how the one field of a subscription begins.
pub fn begin(begun: &OnceLock<Option<Start>>, start: Option<Start>) -> Result<(), Error> {
    begun.set(start).map_err(|_| one_field())
}

fn one_field() -> Error {
    refused(Refusal::invalid("query", "A subscription has exactly one field, which stands in no fragment."))
}

/// What somebody subscribes by: its hash.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Credential {
    /// A key, by one of its secrets, or a user's token.
    Token([u8; 32]),
    /// The session of a browser.
    Session([u8; 32]),
}

/// Who subscribes, and by what.
#[derive(Clone)]
pub struct Subscriber {
    /// Who.
    pub viewer: Viewer,
    /// By what.
    pub by: Credential,
}

/// The answers to a subscription, until it is over or what the subscriber may do has changed.
pub async fn subscribe(
    gateway: &Arc<Gateway>,
    mut request: Request,
    subscriber: Option<Subscriber>,
    id: &RequestId,
) -> BoxStream<'static, Answer> {
    let Some(Subscriber { viewer, by }) = subscriber else {
        return stream::iter([error_answer(unauthenticated(), id)]).boxed();
    };
    let access = gateway.live_credentials().watch(by, &viewer);
    let question = Question::of(&mut request);
    let (asked, begun) = (Asked::of(&request), Arc::new(OnceLock::new()));
    let begin = operation_data(request, gateway, Some(viewer.clone()), id).data(Step::Begin(begun.clone()));
    let mut results = gateway.schema().execute_stream(begin);
    let answers = match (results.next().await, begun.get(), question) {
        (None, Some(Some(start)), Ok(question)) => {
            let key = Key::new(viewer, question.key());
            follower::follow(gateway.hub().join(gateway, key, question, *start), start.after, id.clone())
        }
        (None, None, _) => stream::iter([error_answer(one_field(), id)]).boxed(),
        (first, _, _) => {
            let first = match first {
                Some(response) => Some(asked.explain(response).await),
                None => None,
            };
            let id = id.clone();
            stream::iter(first).chain(results).map(move |response| answer(response, &id)).boxed()
        }
    };
    while_allowed(answers, access, id.clone())
}

/// Hears of other gateways' events and checks the keys and sessions of subscribers, until the gateway stops.
pub async fn keep_up(gateway: Arc<Gateway>) {
    tokio::select! {
        () = gateway.stopping().cancelled() => {}
        () = gateway.store().hear_others() => {}
        () = access::keep_checking(&gateway) => {}
    }
}

/// Waits for a wake-up that matters, or until it is time to look again; forgets those that came before that.
pub async fn woken(wakeups: &mut Receiver<Wakeup>, at_most: Duration, matters: impl Fn(Wakeup) -> bool) {
    let wait = async {
        loop {
            match wakeups.recv().await {
                Ok(wakeup) if !matters(wakeup) => {}
                Ok(_) | Err(RecvError::Lagged(_)) => return,
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    };
    // Late is as good as in time.
    let _ = tokio::time::timeout(at_most, wait).await;
    *wakeups = wakeups.resubscribe();
}

/// How long who waits for events sleeps when nothing wakes it.
pub fn look_again(store: &Store) -> Duration {
    if store.hears_all() { LOOK_AGAIN_HEARING } else { LOOK_AGAIN }
}

/// Waits until an account may have new events.
async fn new_events(store: &Store, wakeups: &mut Receiver<Wakeup>, account: AccountId) {
    woken(wakeups, look_again(store), |wakeup| wakeup == Wakeup::Events(account) || wakeup == Wakeup::AllEvents).await;
}
