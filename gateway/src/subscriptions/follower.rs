//! One subscriber: where it is among the events.

use super::{recent::Next, shared::Shared};
use crate::{
    graphql::{
        answer::{Answer, error_answer},
        fault::fault,
    },
    http::request_id::RequestId,
};
use entente_domain::event::Event;
use entente_store::StoreError;
use futures::{StreamExt, stream, stream::BoxStream};
use std::{collections::VecDeque, sync::Arc};
use tokio::sync::watch;

/// The answers to all events after a number, those that are stored and then those to come.
pub fn follow(shared: Arc<Shared>, after: i64, id: RequestId) -> BoxStream<'static, Answer> {
    let progress = shared.answers.progress();
    let follower = Follower { shared, progress, last: after, missed: VecDeque::new() };
    stream::unfold(Some((follower, id)), |state| async {
        let (mut follower, id) = state?;
        match follower.next().await {
            Ok(answer) => Some((answer, Some((follower, id)))),
            Err(error) => Some((error_answer(fault(error), &id), None)),
        }
    })
    .boxed()
}

struct Follower {
    shared: Arc<Shared>,
    progress: watch::Receiver<()>,
    /// The number of the last event.
    last: i64,
    /// Events of the table that come next, where the shared answers begin later.
    missed: VecDeque<Event>,
}

impl Follower {
    async fn next(&mut self) -> Result<Answer, StoreError> {
        let answers = self.shared.answers.clone();
        loop {
            // Before looking, so that what comes while looking wakes.
            self.progress.mark_unchanged();
            match answers.next(self.last) {
                Next::Answer(number, answer) => {
                    self.missed.clear();
                    self.last = number;
                    return Ok(answer);
                }
                Next::Nothing => {
                    self.missed.clear();
                    if self.progress.changed().await.is_err() {
                        std::future::pending::<()>().await;
                    }
                }
                Next::InTheTable(until) => {
                    if let Some(event) = self.missed.pop_front() {
                        self.last = event.number;
                        if let Some(answer) = answers.resolve(event).await {
                            return Ok(answer);
                        }
                        continue;
                    }
                    self.missed = answers.events_after(self.last).await?.into();
                    if self.missed.is_empty() {
                        self.last = self.last.max(until);
                    }
                }
            }
        }
    }
}
