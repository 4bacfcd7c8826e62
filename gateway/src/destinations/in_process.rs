//! A worker in this very process, for tests. The gateway itself never calls a plugin like this.

use std::path::PathBuf;

use async_trait::async_trait;
use entente_destination::caller::{Plugin, Session};
use entente_destination::{Description, DestinationError, Operator, Progress, RefreshToken, Written};
use serde_json::Value;

use super::confinement::Reach;
use super::contract::{Launcher, Opening, Worker, WorkerError, WorkerFault};
use super::rows_file::RowsFile;

/// Calls a plugin's table on tokio's blocking threads.
#[derive(Debug, Clone)]
pub struct InProcess(pub Plugin);

#[async_trait]
impl Launcher for InProcess {
    async fn launch(&self, reach: &Reach) -> Result<Box<dyn Worker>, WorkerFault> {
        Ok(Box::new(InProcessWorker {
            plugin: self.0.apart(),
            rows: reach.rows.clone().unwrap_or_default(),
            open: None,
        }))
    }
}

/// The delivery is moved into the thread that calls it and back; a call that was cancelled does not bring it back.
struct InProcessWorker {
    plugin: Plugin,
    rows: PathBuf,
    open: Option<(Session, RowsFile)>,
}

impl InProcessWorker {
    async fn in_session<T: Send + 'static>(
        &mut self,
        call: impl FnOnce(&mut Session, &RowsFile) -> Result<T, WorkerError> + Send + 'static,
    ) -> Result<T, WorkerError> {
        let (mut session, rows) = self.open.take().ok_or_else(not_open)?;
        let (outcome, open) = blocking(move || (call(&mut session, &rows), (session, rows))).await?;
        self.open = Some(open);
        outcome
    }
}

async fn blocking<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> Result<T, WorkerError> {
    tokio::task::spawn_blocking(call).await.map_err(|_| WorkerFault::Panicked.into())
}

/// The answer to calls that need an open delivery when there is none.
pub(super) fn not_open() -> WorkerError {
    DestinationError::Permanent("the delivery is not open".to_owned()).into()
}

#[async_trait]
impl Worker for InProcessWorker {
    async fn describe(&mut self) -> Result<Description, WorkerError> {
        let plugin = self.plugin.clone();
        Ok(blocking(move || plugin.describe()).await??)
    }

    async fn check(&mut self, settings: &Value, operator: &Operator) -> Result<(), WorkerError> {
        let (plugin, settings, operator) = (self.plugin.clone(), settings.clone(), operator.clone());
        Ok(blocking(move || plugin.check(&settings, &operator)).await??)
    }

    async fn open(&mut self, opening: &Opening) -> Result<u64, WorkerError> {
        let (plugin, rows, opening) = (self.plugin.clone(), self.rows.clone(), opening.clone());
        let open = blocking(move || -> Result<_, WorkerError> {
            let rows = RowsFile::open(&rows)?;
            Ok((plugin.open(&opening.settings, &opening.operator, &opening.delivery)?, rows))
        });
        let (session, rows) = open.await??;
        let batches = rows.batches();
        self.open = Some((session, rows));
        Ok(batches)
    }

    async fn write(&mut self, sequence: u64, key: &str) -> Result<Written, WorkerError> {
        let key = key.to_owned();
        self.in_session(move |session, rows| Ok(session.write(sequence, &key, &rows.read(sequence)?)?)).await
    }

    async fn poll(&mut self) -> Result<Progress, WorkerError> {
        self.in_session(|session, _| Ok(session.poll()?)).await
    }

    async fn finish(&mut self) -> Result<(), WorkerError> {
        self.in_session(|session, _| Ok(session.finish()?)).await
    }

    async fn abort(&mut self) -> Result<(), WorkerError> {
        self.in_session(|session, _| Ok(session.abort()?)).await
    }

    fn renewed(&mut self) -> Option<RefreshToken> {
        self.plugin.renewed()
    }
}
