//! Long work that nobody waits for at a screen: on threads of its own, which yield to everything else.

use std::{io, thread};
use tokio::sync::oneshot;

/// As low as it goes: such work gets a sixtieth of a core that somebody else wants, and all of one that nobody wants.
const NICE: i32 = 19;

/// Why there is no outcome.
#[derive(Debug, thiserror::Error)]
pub enum BackgroundError {
    /// The system gave no thread.
    #[error("no thread for work in the background: {0}")]
    NoThread(#[from] io::Error),
    /// The work panicked.
    #[error("work in the background ended without an outcome")]
    Abandoned,
}

/// Runs work in the background; threads that it starts are in the background too.
pub async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, BackgroundError> {
    let (tell, told) = oneshot::channel();
    let thread = thread::Builder::new().name("background".to_owned());
    thread.spawn(move || {
        // On Linux this is of the thread, elsewhere of the process. Where it is refused, the work runs as it is.
        #[cfg(target_os = "linux")]
        let _ = rustix::process::setpriority_process(None, NICE);
        // Who asked may have gone.
        let _ = tell.send(work());
    })?;
    told.await.map_err(|_| BackgroundError::Abandoned)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
    use super::*;

    #[tokio::test]
    async fn work_and_its_threads_yield_to_others() {
        let nice = || rustix::process::getpriority_process(None).unwrap();
        let here = nice();
        let there = run(move || (nice(), thread::spawn(nice).join().unwrap())).await.unwrap();
        assert_eq!(there, (NICE, NICE));
        assert_eq!(nice(), here);
    }

    #[tokio::test]
    async fn a_panic_is_an_error() {
        let ended = run(|| {
            if thread::current().name().is_some() {
                panic!("on purpose")
            }
        })
        .await;
        assert!(matches!(ended, Err(BackgroundError::Abandoned)));
    }
}
