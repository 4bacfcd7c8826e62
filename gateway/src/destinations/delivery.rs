//! One delivery from its file of rows to a destination: in order, acknowledged batch by batch, through crashes.

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use entente_destination::rows::MAX_BATCH_ROWS;
use entente_destination::{Delivery, DestinationError, Operator, Progress, RefreshToken, Rejected, Settled};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, info, warn};

use super::backoff::{Backoff, RetryPolicy, bounded};
use super::confinement::Reach;
use super::contract::{Launcher, Opening, Worker, WorkerError, WorkerFault};
use crate::traces;

/// How long a call may go on after the delivery was cancelled.
const GRACE: Duration = Duration::from_secs(5);

/// What to deliver.
#[derive(Debug, Clone)]
pub struct Order {
    /// The account's settings, secrets included.
    pub settings: Value,
    /// The setting with the refresh token, which alone may be renewed; none: nothing may.
    pub refresh_token: Option<String>,
    /// What the operator allows this account.
    pub operator: Operator,
    /// Id of the activation.
    pub activation: String,
    /// What the receiver calls it.
    pub name: String,
    /// Which delivery of the activation.
    pub generation: String,
    /// The match keys that occur in the rows.
    pub match_keys: Vec<String>,
    /// The Arrow IPC file with the rows, which nobody changes any more; an absolute path.
    pub rows: PathBuf,
    /// Sequence of the last batch that the sink acknowledged; 0 at the start.
    pub acknowledged: u64,
    /// The state that the sink was given last; empty at the start.
    pub state: Vec<u8>,
    /// How often in a row the destination had asked to be tried again when the delivery was handed back.
    pub tries: u32,
}

impl Order {
    /// What a worker that delivers it may reach.
    pub fn reach(&self) -> Reach {
        Reach { rows: Some(self.rows.clone()), ..Reach::of(&self.operator) }
    }
}

/// Stores what became of batches. Each call is one transaction: when it returns, all of it is durable.
#[async_trait]
pub trait AckSink: Send {
    /// A batch was taken. Its rejected rows and the new state are stored with its sequence, or nothing is.
    ///
    /// # Errors
    /// [`SinkError`] where it could not be stored; the batch is then not acknowledged.
    async fn acknowledged(&mut self, acknowledgement: Acknowledgement) -> Result<(), SinkError>;

    /// The destination answered later for batches acknowledged before. The same may come again after a crash: what is
    /// stored for a sequence replaces what a settlement stored for it.
    ///
    /// # Errors
    /// As above.
    async fn settled(&mut self, settlement: Settlement) -> Result<(), SinkError>;

    /// A refresh token came with an answer that has nothing else to be stored.
    ///
    /// # Errors
    /// As above; the token may be lost then.
    async fn renewed(&mut self, renewal: Renewal) -> Result<(), SinkError>;
}

/// A refresh token that takes the place of another in the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renewal {
    /// The setting.
    pub setting: String,
    /// What it held when the delivery was opened, or renewed last. Where it holds something else by now, that stays.
    pub before: Option<RefreshToken>,
    /// What it is to hold.
    pub token: RefreshToken,
}

impl Renewal {
    /// What renewed settings that are otherwise the same; `None` where nothing did.
    pub fn between(setting: &str, before: &Value, after: &Value) -> Option<Self> {
        let (before, token) = (held(before, setting), held(after, setting)?);
        (before.as_ref() != Some(&token)).then(|| Self { setting: setting.to_owned(), before, token })
    }

    /// Puts the token into settings; whether they were those that it is for.
    pub fn apply(&self, settings: &mut Value) -> bool {
        let is_meant = held(settings, &self.setting) == self.before;
        if let Some(fields) = settings.as_object_mut().filter(|_| is_meant) {
            fields.insert(self.setting.clone(), self.token.reveal().into());
        }
        is_meant
    }
}

/// The refresh token in settings.
fn held(settings: &Value, setting: &str) -> Option<RefreshToken> {
    settings.get(setting).and_then(Value::as_str).and_then(RefreshToken::new)
}

/// Takes a refresh token that came with an answer into the settings; none where none came.
///
/// # Errors
/// `Garbage` where the type has no such setting.
pub(super) fn renew(
    worker: &mut dyn Worker,
    setting: Option<&str>,
    settings: &mut Value,
) -> Result<Option<Renewal>, WorkerFault> {
    let Some(token) = worker.renewed() else { return Ok(None) };
    let undeclared = || WorkerFault::Garbage("it renewed a refresh token that its settings do not have".to_owned());
    let setting = setting.ok_or_else(undeclared)?;
    let renewal = Renewal { setting: setting.to_owned(), before: held(settings, setting), token };
    renewal.apply(settings);
    Ok(Some(renewal))
}

/// A batch that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledgement {
    /// Which one, from 1.
    pub sequence: u64,
    /// How many there are in all.
    pub batches: u64,
    /// Rows that the destination took.
    pub accepted: u64,
    /// Rows that it did not.
    pub rejected: Vec<Rejected>,
    /// To be given back when the delivery goes on; to be stored encrypted.
    pub state: Vec<u8>,
    /// The refresh token that came with it.
    pub renewal: Option<Renewal>,
}

/// What the destination answered later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// The batches it answered for, beyond what their acknowledgements said.
    pub settled: Vec<Settled>,
    /// Replaces the state stored before.
    pub state: Vec<u8>,
    /// The refresh token that came with it.
    pub renewal: Option<Renewal>,
}

/// The sink could not store something.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct SinkError(#[from] pub Box<dyn Error + Send + Sync>);

/// How a delivery that runs is stopped.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    /// Cancelled to end it for good: the destination is told.
    pub cancel: CancellationToken,
    /// Cancelled to end it for now: the call under way is waited for, and what it wrote is acknowledged.
    pub pause: CancellationToken,
}

/// Why a delivery ended before its end. In every case what was acknowledged stays so, and the delivery can go on.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// The destination refuses, and trying again would not help.
    #[error(transparent)]
    Destination(DestinationError),
    /// The worker was lost too often without getting on.
    #[error(transparent)]
    Fault(WorkerFault),
    /// Not now: it is worth trying again after a wait that is too long to be waited out.
    #[error("to be tried again: {cause}")]
    Later {
        /// How long to wait.
        after: Duration,
        /// How often in a row the destination has asked for that; to be given back with the order.
        tries: u32,
        /// Why.
        cause: String,
    },
    /// It was cancelled.
    #[error("the delivery was cancelled")]
    Cancelled,
    /// It was paused.
    #[error("the delivery was paused")]
    Paused,
    /// The sink could not store an acknowledgement.
    #[error("what was delivered could not be recorded: {0}")]
    Sink(SinkError),
}

/// What this run of a delivery did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Delivered {
    /// Batches in all, in this run and earlier ones.
    pub batches: u64,
    /// Rows accepted in this run.
    pub accepted: u64,
    /// Rows rejected in this run.
    pub rejected: u64,
}

/// What the keys of all batches of a delivery start with; the same for ever.
pub fn key_prefix(activation: &str, generation: &str) -> String {
    let mut hasher = Sha256::new();
    for part in ["entente batch key", activation, generation] {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hex::encode(&hasher.finalize()[..16])
}

/// Delivers until everything is acknowledged and the destination has finished. Transient errors and rate limits are
/// tried again for as long as it takes, lost workers are replaced. To hand the work back, drop the future: the worker is
/// killed, and what was acknowledged is stored. Otherwise it is stopped by `stop`.
///
/// # Errors
/// [`DeliveryError`].
pub async fn deliver(
    launcher: &dyn Launcher,
    order: &Order,
    sink: &mut dyn AckSink,
    policy: RetryPolicy,
    stop: &Stop,
) -> Result<Delivered, DeliveryError> {
    let mut run = Run::new(launcher, order, sink, policy);
    loop {
        let outcome = tokio::select! {
            outcome = run.step() => outcome,
            () = cancelled_for(&stop.cancel, GRACE) => {
                run.worker = None;
                return Err(DeliveryError::Cancelled);
            }
        };
        let pause = match outcome {
            Ok(Step::Finished) => return Ok(run.delivered),
            Ok(Step::Again(pause)) => pause,
            Err(failure) => run.recover(failure)?,
        };
        match rest(pause, stop).await {
            Rested::GoesOn => {}
            Rested::Paused => return Err(DeliveryError::Paused),
            Rested::Cancelled => {
                run.abort().await;
                return Err(DeliveryError::Cancelled);
            }
        }
    }
}

/// Tells the destination that a delivery which nobody goes on with is cancelled, as far as it listens.
pub async fn abandon(launcher: &dyn Launcher, order: &Order, sink: &mut dyn AckSink) {
    let mut run = Run::new(launcher, order, sink, RetryPolicy::default());
    while !run.is_open {
        if let Err(error) = run.step().await {
            info!(activation = %order.activation, ?error, "the destination could not be told");
            return;
        }
    }
    run.abort().await;
}

async fn cancelled_for(cancel: &CancellationToken, grace: Duration) {
    cancel.cancelled().await;
    tokio::time::sleep(grace).await;
}

/// What came of a wait.
enum Rested {
    GoesOn,
    Paused,
    Cancelled,
}

/// Waits, unless the delivery is stopped before or meanwhile.
async fn rest(pause: Duration, stop: &Stop) -> Rested {
    tokio::select! {
        biased;
        () = stop.cancel.cancelled() => Rested::Cancelled,
        () = stop.pause.cancelled() => Rested::Paused,
        // A timer takes a millisecond even for no time at all, which is as long as a batch takes.
        () = std::future::ready(()), if pause.is_zero() => Rested::GoesOn,
        () = tokio::time::sleep(pause) => Rested::GoesOn,
    }
}

fn opening(order: &Order) -> Opening {
    let delivery = Delivery {
        activation: order.activation.clone(),
        name: order.name.clone(),
        generation: order.generation.clone(),
        key_prefix: key_prefix(&order.activation, &order.generation),
        match_keys: order.match_keys.clone(),
        acknowledged: order.acknowledged,
        state: order.state.clone(),
    };
    Opening { settings: order.settings.clone(), operator: order.operator.clone(), delivery }
}

async fn abort(worker: &mut dyn Worker) {
    match tokio::time::timeout(GRACE, worker.abort()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => info!(%error, "the destination did not abort"),
        Err(_) => info!("the destination did not abort in time"),
    }
}

/// What to do next.
enum Step {
    /// Go on after a pause.
    Again(Duration),
    /// Everything is done.
    Finished,
}

/// Why a step failed.
#[derive(Debug)]
enum Failure {
    Worker(WorkerError),
    Sink(SinkError),
    Later(Duration),
}

impl From<WorkerError> for Failure {
    fn from(error: WorkerError) -> Self {
        Self::Worker(error)
    }
}

impl From<WorkerFault> for Failure {
    fn from(fault: WorkerFault) -> Self {
        Self::Worker(fault.into())
    }
}

struct Run<'a> {
    launcher: &'a dyn Launcher,
    sink: &'a mut dyn AckSink,
    policy: RetryPolicy,
    backoff: Backoff,
    reach: Reach,
    opening: Opening,
    refresh_token: Option<String>,
    worker: Option<Box<dyn Worker>>,
    is_open: bool,
    faults: u32,
    delivered: Delivered,
}

impl<'a> Run<'a> {
    fn new(launcher: &'a dyn Launcher, order: &Order, sink: &'a mut dyn AckSink, policy: RetryPolicy) -> Self {
        let backoff = Backoff::going_on(policy, order.tries);
        let delivered = Delivered::default();
        Self {
            launcher,
            sink,
            policy,
            backoff,
            reach: order.reach(),
            opening: opening(order),
            refresh_token: order.refresh_token.clone(),
            worker: None,
            is_open: false,
            faults: 0,
            delivered,
        }
    }

    /// Does the next thing that is to be done: start, open, write, or poll and finish.
    async fn step(&mut self) -> Result<Step, Failure> {
        let Some(worker) = &mut self.worker else {
            self.is_open = false;
            self.worker = Some(self.launcher.launch(&self.reach).await?);
            return Ok(Step::Again(Duration::ZERO));
        };
        if !self.is_open {
            let opened = worker.open(&self.opening).instrument(traces::call("open")).await;
            self.keep_renewed().await?;
            self.delivered.batches = opened?;
            self.is_open = true;
            return Ok(Step::Again(Duration::ZERO));
        }
        let sequence = self.opening.delivery.acknowledged + 1;
        if sequence <= self.delivered.batches { self.write(sequence).await } else { self.end().await }
    }

    async fn write(&mut self, sequence: u64) -> Result<Step, Failure> {
        let Some(worker) = &mut self.worker else { return Ok(Step::Again(Duration::ZERO)) };
        let key = format!("{}-{sequence}", self.opening.delivery.key_prefix);
        let written = worker.write(sequence, &key).instrument(traces::call("write")).await;
        if written.is_err() {
            self.keep_renewed().await?;
        }
        let (written, renewal) = (written?, self.renewed()?);
        let (accepted, rejected) = (written.accepted, written.rejected.len() as u64);
        let acknowledgement = Acknowledgement {
            sequence,
            batches: self.delivered.batches,
            accepted,
            rejected: written.rejected,
            state: written.state.clone(),
            renewal,
        };
        self.sink.acknowledged(acknowledgement).await.map_err(Failure::Sink)?;
        self.opening.delivery.acknowledged = sequence;
        self.opening.delivery.state = written.state;
        self.delivered.accepted += accepted;
        self.delivered.rejected += rejected;
        self.got_on();
        self.pause(bounded(written.retry_after))
    }

    async fn end(&mut self) -> Result<Step, Failure> {
        let Some(worker) = &mut self.worker else { return Ok(Step::Again(Duration::ZERO)) };
        let progress = worker.poll().instrument(traces::call("poll")).await;
        if progress.is_err() {
            self.keep_renewed().await?;
        }
        let (progress, renewal) = (progress?, self.renewed()?);
        self.make_sure_of(&progress)?;
        let Progress { pending, settled, state, retry_after } = progress;
        let got_on = !settled.is_empty();
        for settled in &settled {
            self.delivered.accepted += settled.accepted;
            self.delivered.rejected += settled.rejected.len() as u64;
        }
        if got_on || state.is_some() {
            let state = state.unwrap_or_else(|| self.opening.delivery.state.clone());
            let settlement = Settlement { settled, state: state.clone(), renewal };
            self.sink.settled(settlement).await.map_err(Failure::Sink)?;
            self.opening.delivery.state = state;
        } else if let Some(renewal) = renewal {
            self.sink.renewed(renewal).await.map_err(Failure::Sink)?;
        }
        if pending > 0 {
            if got_on {
                self.got_on();
            }
            let pause = self.backoff.next(retry_after);
            return self.pause(pause);
        }
        let Some(worker) = &mut self.worker else { return Ok(Step::Again(Duration::ZERO)) };
        let finished = worker.finish().instrument(traces::call("finish")).await;
        self.keep_renewed().await?;
        finished?;
        Ok(Step::Finished)
    }

    /// The refresh token that came with the last answer; whoever opens the delivery again has it.
    fn renewed(&mut self) -> Result<Option<Renewal>, Failure> {
        let Some(worker) = &mut self.worker else { return Ok(None) };
        Ok(renew(worker.as_mut(), self.refresh_token.as_deref(), &mut self.opening.settings)?)
    }

    /// Stores the refresh token that came with an answer which has nothing else to be stored.
    async fn keep_renewed(&mut self) -> Result<(), Failure> {
        match self.renewed()? {
            Some(renewal) => self.sink.renewed(renewal).await.map_err(Failure::Sink),
            None => Ok(()),
        }
    }

    /// Refuses an answer for batches that were never written or rows that no batch has.
    fn make_sure_of(&self, progress: &Progress) -> Result<(), Failure> {
        let known = |settled: &Settled| {
            (1..=self.opening.delivery.acknowledged).contains(&settled.sequence)
                && settled.accepted <= MAX_BATCH_ROWS as u64
                && settled.rejected.iter().all(|rejected| (rejected.row as usize) < MAX_BATCH_ROWS)
        };
        if progress.settled.iter().all(known) {
            return Ok(());
        }
        Err(WorkerFault::Garbage("it answered for a batch that it was not given".to_owned()).into())
    }

    fn got_on(&mut self) {
        self.backoff.reset();
        self.faults = 0;
    }

    fn pause(&self, pause: Duration) -> Result<Step, Failure> {
        if pause > self.policy.patience { Err(Failure::Later(pause)) } else { Ok(Step::Again(pause)) }
    }

    /// How long to wait before going on after a failure, unless it is the end.
    fn recover(&mut self, failure: Failure) -> Result<Duration, DeliveryError> {
        let (pause, cause) = match failure {
            Failure::Sink(error) => return Err(DeliveryError::Sink(error)),
            Failure::Later(after) => {
                let cause = "the destination asked for a pause".to_owned();
                return Err(DeliveryError::Later { after, tries: self.backoff.tries(), cause });
            }
            Failure::Worker(WorkerError::Destination(error)) if error.is_retried() => {
                (self.backoff.next(error.retry_after()), error.to_string())
            }
            Failure::Worker(WorkerError::Destination(error)) => return Err(DeliveryError::Destination(error)),
            Failure::Worker(WorkerError::Fault(fault)) => {
                self.worker = None;
                self.faults += 1;
                warn!(activation = %self.opening.delivery.activation, %fault, faults = self.faults, "worker lost");
                let pause = self.backoff.next(None);
                if self.faults >= self.policy.faults || pause > self.policy.patience {
                    return Err(DeliveryError::Fault(fault));
                }
                (pause, fault.to_string())
            }
        };
        if pause > self.policy.patience {
            return Err(DeliveryError::Later { after: pause, tries: self.backoff.tries(), cause });
        }
        info!(activation = %self.opening.delivery.activation, ?pause, %cause, "delivery waits");
        Ok(pause)
    }

    /// Tells the destination, as far as it listens.
    async fn abort(&mut self) {
        if let Some(worker) = self.worker.as_mut().filter(|_| self.is_open) {
            abort(worker.as_mut()).await;
            if let Err(error) = self.keep_renewed().await {
                warn!(activation = %self.opening.delivery.activation, ?error, "a refresh token could not be kept");
            }
        }
        self.worker = None;
    }
}
