//! What is said of statements: how many there were, how long they took, which were slow, and, where requests are traced, a
//! span of each. Of a statement its text alone is said, never what is bound to it.

use crate::trace;
use diesel::connection::{DebugQuery, Instrumentation, InstrumentationEvent};
use std::{
    fmt::{Display, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tracing::{Id, Span};

/// Between the text of a statement and what is bound to it, as diesel prints both.
const BINDS: &str = " -- binds: ";
/// The most bytes of a statement's text that are said.
const LONGEST: usize = 2_000;

/// What is known of all statements of a database.
#[derive(Debug)]
pub struct Statements {
    count: AtomicU64,
    /// Milliseconds.
    slow: AtomicU64,
}

impl Default for Statements {
    fn default() -> Self {
        Self { count: AtomicU64::new(0), slow: AtomicU64::new(u64::MAX) }
    }
}

impl Statements {
    /// How many there were.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// From now on, those are logged that take at least so long.
    pub fn log_slow(&self, slow: Duration) {
        self.slow.store(u64::try_from(slow.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Watches the statements of a connection, which are made within the present span.
    pub fn watch(self: &Arc<Self>, database: &'static str) -> impl Instrumentation + use<> {
        Watch { statements: self.clone(), database, within: Span::current().id(), running: None }
    }
}

struct Watch {
    statements: Arc<Statements>,
    database: &'static str,
    /// A connection is kept for longer than what is done with it: it must not hold the span open.
    within: Option<Id>,
    running: Option<(Instant, Span)>,
}

impl Instrumentation for Watch {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        match event {
            InstrumentationEvent::StartQuery { query, .. } => {
                self.statements.count.fetch_add(1, Ordering::Relaxed);
                self.running = Some((Instant::now(), self.span(query)));
            }
            InstrumentationEvent::FinishQuery { query, error, .. } => {
                if let Some((since, span)) = self.running.take() {
                    if error.is_some() {
                        span.record("otel.status_code", "ERROR");
                    }
                    self.finished(query, since.elapsed());
                }
            }
            _ => {}
        }
    }
}

impl Watch {
    /// By the conventions of OpenTelemetry for databases.
    fn span(&self, query: &dyn DebugQuery) -> Span {
        if self.within.is_none() {
            return Span::none();
        }
        let span = tracing::debug_span!(
            target: trace::TARGET, parent: self.within.clone(), "sql", otel.kind = "client", otel.name = tracing::field::Empty,
            otel.status_code = tracing::field::Empty, db.system.name = self.database, db.query.text = tracing::field::Empty,
        );
        if !span.is_disabled() {
            let text = text(query);
            span.record("otel.name", operation(&text)).record("db.query.text", text.as_str());
        }
        span
    }

    fn finished(&self, query: &dyn DebugQuery, took: Duration) {
        metrics::histogram!("entente_sql_statement_seconds").record(took.as_secs_f64());
        if took.as_millis() >= u128::from(self.statements.slow.load(Ordering::Relaxed)) {
            metrics::counter!("entente_slow_sql_statements_total").increment(1);
            let (took_ms, statement) = (took.as_millis() as u64, text(query));
            tracing::warn!(parent: self.within.clone(), message = "a slow statement", took_ms, statement);
        }
    }
}

/// The first word of a statement.
fn operation(text: &str) -> &str {
    text.split_whitespace().next().unwrap_or("statement")
}

/// The text of a statement, cut where it is long.
fn text(query: &(impl Display + ?Sized)) -> String {
    let mut text = Text(String::new());
    // It stops where the bound values begin.
    let _stopped = write!(text, "{query}");
    text.0
}

/// Takes text up to the values that are bound to it.
struct Text(String);

impl Write for Text {
    fn write_str(&mut self, more: &str) -> std::fmt::Result {
        self.0.push_str(more);
        if let Some(end) = self.0.find(BINDS) {
            self.0.truncate(end);
            return Err(std::fmt::Error);
        }
        if self.0.len() > LONGEST {
            self.0.truncate(self.0.floor_char_boundary(LONGEST));
            return Err(std::fmt::Error);
        }
        Ok(())
    }
}
