//! Long work that nobody waits for at a screen: on threads of its own, which yield to everything else.

use std::{io, thread};
use thread_priority::ThreadPriority;
#[cfg(target_os = "linux")]
use thread_priority::{NormalThreadSchedulePolicy, ThreadSchedulePolicy};
use tokio::sync::oneshot;

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
        // Where it is refused, the work runs as it is.
        let _ = yield_to_others();
        // Who asked may have gone.
        let _ = tell.send(work());
    })?;
    told.await.map_err(|_| BackgroundError::Abandoned)
}

/// Lets this thread, and those that it starts, have a core only while nobody else wants it: a thread that does not idle
/// takes the core at once, where one that was merely nicer would first end its slice of some milliseconds.
#[cfg(target_os = "linux")]
fn yield_to_others() -> Result<(), thread_priority::Error> {
    let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
    thread_priority::set_thread_priority_and_policy(thread_priority::thread_native_id(), ThreadPriority::Min, idle)
}

/// Gives this thread the lowest priority that there is.
#[cfg(not(target_os = "linux"))]
fn yield_to_others() -> Result<(), thread_priority::Error> {
    thread_priority::set_current_thread_priority(ThreadPriority::Min)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
    use super::*;

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn work_and_its_threads_yield_to_others() {
        let policy = || thread_priority::thread_schedule_policy().unwrap();
        let here = policy();
        let there = run(move || (policy(), thread::spawn(policy).join().unwrap())).await.unwrap();
        let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
        assert_eq!(there, (idle, idle));
        assert_eq!(policy(), here);
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
