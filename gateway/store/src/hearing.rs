//! The connection to PostgreSQL on which a gateway hears that others wrote events.

use crate::{
    StoreError, Wakeup,
    postgres::{Conn, connect, hear, is_there},
};
use futures::StreamExt;
use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};
use tokio::{
    sync::broadcast,
    time::{sleep, timeout},
};

/// Between attempts to connect; twice as long each time.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// When nothing was heard for this long, the server is asked whether it is still there.
const SILENCE: Duration = Duration::from_secs(10);
/// How long it may take to answer.
const ANSWER: Duration = Duration::from_secs(5);

/// One connection that listens, again and again.
pub struct Hearing {
    url: String,
    wakeups: broadcast::Sender<Wakeup>,
    up: AtomicBool,
}

impl Hearing {
    /// What is heard from a database becomes wake-ups.
    pub fn of(url: &str, wakeups: broadcast::Sender<Wakeup>) -> Self {
        Self { url: url.to_owned(), wakeups, up: AtomicBool::new(false) }
    }

    /// Whether it hears now.
    pub fn is_up(&self) -> bool {
        self.up.load(Ordering::Relaxed)
    }

    /// Hears, and connects anew whenever the connection is lost.
    pub async fn keep_up(&self) {
        let mut wait = FIRST_WAIT;
        loop {
            let Err(error) = self.hear().await;
            if self.up.swap(false, Ordering::Relaxed) {
                wait = FIRST_WAIT;
                self.wake(Wakeup::AllEvents);
            }
            tracing::warn!(message = "other gateways are not heard; their events are looked for each second", %error);
            sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    async fn hear(&self) -> Result<std::convert::Infallible, StoreError> {
        let lost = |why: &str| StoreError::NoConnection(why.to_owned());
        let mut conn = connect(&self.url).await.map_err(|e| StoreError::NoConnection(e.to_string()))?;
        hear(&mut conn).await?;
        self.up.store(true, Ordering::Relaxed);
        // What was written before this.
        self.wake(Wakeup::AllEvents);
        loop {
            match timeout(SILENCE, next(&mut conn)).await {
                Ok(Some(heard)) => {
                    // Anybody who may connect may notify: what is no account is nothing.
                    if let Ok(account) = heard?.payload.parse() {
                        self.wake(Wakeup::Events(account));
                    }
                }
                Ok(None) => return Err(lost("it was closed")),
                Err(_silence) => {
                    timeout(ANSWER, is_there(&mut conn)).await.map_err(|_| lost("the server does not answer"))??;
                }
            }
        }
    }

    fn wake(&self, wakeup: Wakeup) {
        let _nobody_waits = self.wakeups.send(wakeup);
    }
}

async fn next(conn: &mut Conn) -> Option<diesel::QueryResult<diesel::pg::PgNotification>> {
    Box::pin(conn.notifications_stream()).next().await
}
