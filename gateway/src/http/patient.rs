//! A sink that is waited for only so long: who takes nothing must not hold for ever what it is to be sent.

use futures::{Sink, ready};
use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::Sleep;

/// Passes everything on, and fails once the sink behind it is busy for too long at a stretch.
pub struct Patient<S> {
    sink: S,
    patience: Duration,
    /// Runs while the sink is busy.
    waits: Option<Pin<Box<Sleep>>>,
    gave_up: bool,
}

/// Nothing more can be sent.
#[derive(Debug, thiserror::Error)]
#[error("the other side takes nothing, or has gone")]
pub struct Unsent;

impl<S> Patient<S> {
    /// Waits for a sink so long, each time that it is busy.
    pub fn new(sink: S, patience: Duration) -> Self {
        Self { sink, patience, waits: None, gave_up: false }
    }

    /// Whether it failed because the sink was busy for too long.
    pub fn gave_up(&self) -> bool {
        self.gave_up
    }

    fn within<E>(&mut self, cx: &mut Context<'_>, poll: Poll<Result<(), E>>) -> Poll<Result<(), Unsent>> {
        if let Poll::Ready(result) = poll {
            self.waits = None;
            return Poll::Ready(result.map_err(|_| Unsent));
        }
        let patience = self.patience;
        let waits = self.waits.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        ready!(waits.as_mut().poll(cx));
        self.gave_up = true;
        Poll::Ready(Err(Unsent))
    }
}

impl<T, S: Sink<T> + Unpin> Sink<T> for Patient<S> {
    type Error = Unsent;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Unsent>> {
        let this = self.get_mut();
        let poll = Pin::new(&mut this.sink).poll_ready(cx);
        this.within(cx, poll)
    }

    fn start_send(self: Pin<&mut Self>, item: T) -> Result<(), Unsent> {
        Pin::new(&mut self.get_mut().sink).start_send(item).map_err(|_| Unsent)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Unsent>> {
        let this = self.get_mut();
        let poll = Pin::new(&mut this.sink).poll_flush(cx);
        this.within(cx, poll)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Unsent>> {
        let this = self.get_mut();
        let poll = Pin::new(&mut this.sink).poll_close(cx);
        this.within(cx, poll)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{FutureExt, SinkExt, StreamExt, channel::mpsc};

    const HOUR: Duration = Duration::from_secs(3_600);

    #[tokio::test]
    async fn what_is_taken_at_once_needs_no_patience() {
        let (sender, mut taken) = mpsc::unbounded();
        let mut sink = Patient::new(sender, Duration::ZERO);
        for n in 0..100 {
            assert!(sink.send(n).await.is_ok());
            assert_eq!(taken.next().await, Some(n));
        }
        drop(taken);
        assert!(sink.send(0).await.is_err());
        assert!(!sink.gave_up(), "it has gone, and took what there was");
    }

    #[tokio::test]
    async fn a_busy_sink_is_waited_for_and_then_given_up() {
        // The channel holds one item, and the sender another one.
        let (sender, mut taken) = mpsc::channel(0);
        let mut sink = Patient::new(sender, HOUR);
        assert!(sink.feed(0).await.is_ok());
        for n in 1..4 {
            assert!(sink.feed(n).now_or_never().is_none(), "it is full");
            assert!(sink.waits.is_some());
            assert_eq!(taken.next().await, Some(n - 1));
            assert!(sink.feed(n).await.is_ok());
            assert!(sink.waits.is_none(), "the next wait begins anew");
        }
        assert!(!sink.gave_up());
        sink.patience = Duration::ZERO;
        assert!(sink.feed(4).await.is_err());
        assert!(sink.gave_up());
    }
}
