//! Waking the jobs of event webhooks when their accounts have new events.

use crate::{
    gateway::Gateway,
    subscriptions::{LOOK_AGAIN, look_again},
};
use entente_domain::AccountId;
use entente_store::Wakeup;
use std::{sync::Arc, time::Duration};
use tokio::sync::broadcast::{
    Receiver,
    error::{RecvError, TryRecvError},
};

/// Wakes jobs until the gateway stops. A wake-up is a hint only: now and then it is looked for whatever was missed, such as by
/// a gateway that was killed after it wrote an event.
pub async fn keep_waking(gateway: Arc<Gateway>) {
    let store = gateway.store();
    let mut wakeups = store.wakeups();
    let mut accounts = None;
    loop {
        if let Err(error) = store.wake_event_webhooks(accounts.take(), crate::clock::now()).await {
            tracing::warn!(message = "event webhooks could not be woken; it is tried again", %error);
            tokio::time::sleep(LOOK_AGAIN).await;
            continue;
        }
        accounts = tokio::select! {
            () = gateway.stopping().cancelled() => return,
            accounts = with_new_events(&mut wakeups, look_again(store)) => accounts,
        };
    }
}

/// Waits for accounts that may have new events; none is any of them.
async fn with_new_events(wakeups: &mut Receiver<Wakeup>, at_most: Duration) -> Option<Vec<AccountId>> {
    let mut accounts = vec![tokio::time::timeout(at_most, next(wakeups)).await.ok()??];
    loop {
        match wakeups.try_recv() {
            Ok(Wakeup::Events(account)) if !accounts.contains(&account) => accounts.push(account),
            Ok(Wakeup::AllEvents) | Err(TryRecvError::Lagged(_)) => return None,
            Ok(_) => {}
            Err(TryRecvError::Empty | TryRecvError::Closed) => return Some(accounts),
        }
    }
}

/// The next account with new events; none is any of them.
async fn next(wakeups: &mut Receiver<Wakeup>) -> Option<AccountId> {
    loop {
        match wakeups.recv().await {
            Ok(Wakeup::Events(account)) => return Some(account),
            Ok(Wakeup::AllEvents) | Err(RecvError::Lagged(_)) => return None,
            Ok(Wakeup::Jobs | Wakeup::Job(_)) => {}
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use entente_domain::JobId;
    use tokio::sync::broadcast;

    #[tokio::test]
    async fn accounts_are_woken_for_together_or_all_of_them() {
        let (one, other) = (AccountId::new(), AccountId::new());
        let (soon, jobs) = (Duration::from_millis(20), [Wakeup::Jobs, Wakeup::Job(JobId::new())]);
        for (sent, expected) in [
            (vec![], None),
            (jobs.to_vec(), None),
            (vec![jobs[0], Wakeup::Events(one), jobs[1]], Some(vec![one])),
            (vec![Wakeup::Events(one), Wakeup::Events(other), Wakeup::Events(one)], Some(vec![one, other])),
            (vec![Wakeup::Events(one), Wakeup::AllEvents], None),
            (vec![Wakeup::AllEvents, Wakeup::Events(one)], None),
            (vec![Wakeup::Events(one); 40], None),
        ] {
            let (sender, mut wakeups) = broadcast::channel(16);
            for wakeup in &sent {
                sender.send(*wakeup).unwrap();
            }
            assert_eq!(with_new_events(&mut wakeups, soon).await, expected, "{sent:?}");
        }
    }
}
