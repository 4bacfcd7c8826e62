//! Figures in the text format of Prometheus. They hold no ids of people or accounts, and their labels have few values.

use crate::{gateway::Gateway, work};
use entente_domain::email_invite::ReportReason;
use entente_store::StoreError;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Upper bounds of times, in seconds: a statement takes a millisecond, a job may take hours.
const SECONDS: [f64; 17] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 300.0, 1_800.0, 7_200.0];
/// How often times are sorted in, so that they do not pile up where nobody asks for the figures.
const SORT_IN: Duration = Duration::from_secs(5);

/// What is counted, and what that is.
const COUNTS: [(&str, &str); 13] = [
    ("entente_comparisons_total", "Comparisons in Discover, by answer: counted, or remembered from before"),
    ("entente_delivered_rows_total", "Rows that destinations took or rejected, by destination type and outcome"),
    ("entente_email_invite_reports_total", "Invites by e-mail that were reported as unwanted, by reason"),
    ("entente_event_webhook_attempts_total", "Attempts to tell event webhooks, by outcome"),
    ("entente_graphql_errors_total", "Errors of operations, by code"),
    ("entente_http_requests_total", "Requests, by route and status"),
    ("entente_jobs_total", "Jobs that ended or were put off, by kind and how they ended"),
    ("entente_mails_total", "Attempts to send mails, by outcome"),
    ("entente_slow_sql_statements_total", "SQL statements that took as long as the setting slow_statement_ms"),
    ("entente_slow_subscribers_total", "Subscribers that were dropped because they took nothing"),
    ("entente_sql_statements_total", "SQL statements"),
    ("entente_subscription_answers_total", "Answers to subscriptions, each of which goes to all who ask the same"),
    ("entente_uploaded_bytes_total", "Bytes of files that were uploaded"),
];
/// Those of them without labels, which are 0 at first.
const PLAIN: [&str; 4] = [
    "entente_slow_sql_statements_total",
    "entente_slow_subscribers_total",
    "entente_subscription_answers_total",
    "entente_uploaded_bytes_total",
];
/// What is timed.
const TIMES: [(&str, &str); 4] = [
    ("entente_graphql_seconds", "Time that operations took, by type of operation"),
    ("entente_http_request_seconds", "Time until requests were answered, by route"),
    ("entente_job_seconds", "Time that jobs were worked on, by kind"),
    ("entente_sql_statement_seconds", "Time that SQL statements took"),
];
/// What is as it is now.
const STATES: [(&str, &str); 2] = [
    ("entente_jobs_waiting", "Jobs that wait, of all gateways on the database, by kind"),
    ("entente_subscriptions", "Subscriptions that are open"),
];

/// Records the figures of this process.
///
/// # Errors
/// They are recorded already.
pub fn record() -> Result<PrometheusHandle, BuildError> {
    let times = Matcher::Suffix("_seconds".to_owned());
    let figures = PrometheusBuilder::new().set_buckets_for_metric(times, &SECONDS)?.install_recorder()?;
    COUNTS.iter().for_each(|(name, what)| metrics::describe_counter!(*name, *what));
    TIMES.iter().for_each(|(name, what)| metrics::describe_histogram!(*name, metrics::Unit::Seconds, *what));
    STATES.iter().for_each(|(name, what)| metrics::describe_gauge!(*name, *what));
    PLAIN.iter().for_each(|name| metrics::counter!(*name).increment(0));
    for outcome in ["taken", "not_taken"] {
        metrics::counter!("entente_event_webhook_attempts_total", "outcome" => outcome).increment(0);
    }
    for outcome in ["taken", "refused", "put_off"] {
        metrics::counter!("entente_mails_total", "outcome" => outcome).increment(0);
    }
    for reason in ReportReason::ALL {
        metrics::counter!("entente_email_invite_reports_total", "reason" => reason.name()).increment(0);
    }
    Ok(figures)
}

/// Keeps the figures small until the gateway stops.
pub async fn keep_up(figures: PrometheusHandle, stopping: CancellationToken) {
    while stopping.run_until_cancelled(tokio::time::sleep(SORT_IN)).await.is_some() {
        figures.run_upkeep();
    }
}

/// All figures, with what is counted only when somebody asks.
///
/// # Errors
/// Those of the database.
pub async fn text(gateway: &Gateway) -> Result<String, StoreError> {
    metrics::counter!("entente_sql_statements_total").absolute(gateway.store().statements());
    metrics::gauge!("entente_subscriptions").set(gateway.live_credentials().subscriptions() as f64);
    let waiting = gateway.store().waiting_jobs().await?;
    for kind in work::kinds() {
        metrics::gauge!("entente_jobs_waiting", "kind" => kind).set(waiting.get(kind).copied().unwrap_or(0) as f64);
    }
    Ok(gateway.metrics().render())
}
