//! The plugin's own tokio runtime, on which the author's async functions run.

use std::future::Future;
use std::sync::OnceLock;

use tokio::runtime::{Builder, Runtime};

use crate::error::DestinationError;
use crate::renewal::{RefreshToken, noting};

/// Runs `future` to its end on the plugin's runtime, which starts with the first call and stays. Gives the refresh token
/// that came meanwhile too.
pub(crate) fn block_on<T>(
    future: impl Future<Output = Result<T, DestinationError>>,
) -> (Result<T, DestinationError>, Option<RefreshToken>) {
    static RUNTIME: OnceLock<std::io::Result<Runtime>> = OnceLock::new();
    let runtime = RUNTIME
        .get_or_init(|| Builder::new_multi_thread().worker_threads(1).thread_name("destination").enable_all().build());
    match runtime {
        Ok(runtime) => runtime.block_on(noting(future)),
        Err(error) => {
            let message = format!("the plugin's runtime did not start: {}", error.kind());
            (Err(DestinationError::Transient(message)), None)
        }
    }
}
