//! Logs, as text or as JSON lines, and traces, where somebody collects them.

use crate::{
    settings::{LogFormat, Settings},
    traces,
};
use opentelemetry_sdk::trace::SdkTracerProvider;
use std::io::IsTerminal;
use tracing_subscriber::{EnvFilter, Layer, layer::SubscriberExt, util::SubscriberInitExt};

/// What was started.
pub struct Telemetry(Option<SdkTracerProvider>);

/// Starts logging to standard error, and tracing. Does nothing when it was started before.
///
/// # Errors
/// A filter that is none, or an address of a collector that is none.
pub fn start(settings: &Settings) -> Result<Telemetry, Box<dyn std::error::Error + Send + Sync>> {
    let filter = EnvFilter::builder().parse(&settings.log)?;
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = match settings.log_format {
        LogFormat::Text => lines.with_target(false).with_ansi(std::io::stderr().is_terminal()).boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    let provider = traces::provider()?;
    let traces = provider.as_ref().map(traces::layer);
    let _started_before = tracing_subscriber::registry().with(traces).with(lines.with_filter(filter)).try_init();
    Ok(Telemetry(provider))
}

impl Telemetry {
    /// Sends the spans that are left.
    pub async fn end(self) {
        let Some(provider) = self.0 else { return };
        // It waits for the thread that collects them.
        let ended = tokio::task::spawn_blocking(move || provider.shutdown()).await;
        if let Ok(Err(error)) = ended {
            tracing::warn!(message = "the last spans could not be sent", %error);
        }
    }
}
