//! The calling side of the C table: what the gateway's worker and the test kit use. Nothing that a plugin answers is
//! taken on trust; what cannot be right is [`CallError::Malformed`].

use std::ptr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arrow_array::ffi::to_ffi;
use arrow_array::{Array, RecordBatch, StructArray};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::abi::{Buffer, DestinationTable, MAX_ANSWER, MAX_STATE, SessionPointer, Slice, Status, TableError};
use crate::destination::{Delivery, Description, Operator, Progress, Rejected, Written};
use crate::error::DestinationError;
use crate::message::{CheckRequest, Failure, OpenRequest, Renewed};
use crate::renewal::RefreshToken;

/// The most characters of a message or a reason that are kept.
const MAX_TEXT: usize = 500;
/// The most characters of a rejection's code that are kept.
const MAX_CODE: usize = 64;

/// Why a call on a plugin failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The destination said so.
    #[error(transparent)]
    Destination(#[from] DestinationError),
    /// The plugin panicked; the session is lost.
    #[error("the plugin panicked")]
    Panicked,
    /// The plugin broke the contract; the session is lost.
    #[error("the plugin broke its contract: {0}")]
    Malformed(&'static str),
}

/// A destination type behind its table, which has all functions of version 1.
#[derive(Debug, Clone)]
pub struct Plugin {
    table: DestinationTable,
    renewed: Renewals,
}

/// The refresh token that came with an answer and was not taken yet; of several the last.
#[derive(Debug, Clone, Default)]
struct Renewals(Arc<Mutex<Option<RefreshToken>>>);

impl Renewals {
    /// Keeps the token that is in an answer. Those of many calls are not read otherwise, and may be anything.
    fn note(&self, answer: &[u8]) {
        if let Ok(Renewed { refresh_token: Some(token) }) = serde_json::from_slice(answer) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(token);
        }
    }
}

/// What a function that is not in the table comes to, though [`Plugin::from_table`] lets no such table through.
const MISSING: CallError = CallError::Malformed("its table lacks a function");

impl Plugin {
    /// The plugin behind `table`.
    ///
    /// # Errors
    /// [`TableError`] where the table cannot be used.
    ///
    /// # Safety
    /// As [`DestinationTable::read`]; and the functions must do what [`crate::abi`] says, for as long as the process
    /// runs, since nothing is ever unloaded.
    pub unsafe fn from_table(table: *const DestinationTable) -> Result<Self, TableError> {
        // SAFETY: promised by the caller.
        Ok(Self { table: unsafe { DestinationTable::read(table) }?, renewed: Renewals::default() })
    }

    /// The same type, whose refresh tokens are not mixed with those of this one.
    #[must_use]
    pub fn apart(&self) -> Self {
        Self { table: self.table, renewed: Renewals::default() }
    }

    /// The refresh token that came with an answer of the type's or of one of its sessions, once; also where that was an
    /// error.
    pub fn renewed(&self) -> Option<RefreshToken> {
        self.renewed.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// What the destination type is.
    ///
    /// # Errors
    /// [`CallError`]; `Malformed` for a description that is not [sound](Description::is_sound).
    pub fn describe(&self) -> Result<Description, CallError> {
        let describe = self.table.describe.ok_or(MISSING)?;
        let mut answer = Buffer::empty();
        // SAFETY: the table's function, called as `abi` says.
        let status = unsafe { describe(&mut answer) };
        let description: Description = parse(&answered(status, &answer, &Renewals::default())?)?;
        if description.is_sound() { Ok(description) } else { Err(CallError::Malformed("its description is not sound")) }
    }

    /// Tries settings against the real endpoint.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn check(&self, settings: &Value, operator: &Operator) -> Result<(), CallError> {
        let check = self.table.check.ok_or(MISSING)?;
        let request = request(&CheckRequest { settings: settings.clone(), operator: operator.clone() })?;
        let mut answer = Buffer::empty();
        // SAFETY: the table's function, called as `abi` says; the request outlives the call.
        let status = unsafe { check(Slice::lend(&request), &mut answer) };
        answered(status, &answer, &self.renewed).map(drop)
    }

    /// Begins a delivery or goes on with one.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn open(&self, settings: &Value, operator: &Operator, delivery: &Delivery) -> Result<Session, CallError> {
        let open = self.table.open.ok_or(MISSING)?;
        let request = request(&OpenRequest {
            settings: settings.clone(),
            operator: operator.clone(),
            delivery: delivery.clone(),
        })?;
        let (mut answer, mut pointer) = (Buffer::empty(), ptr::null_mut());
        let (lent, state) = (Slice::lend(&request), Slice::lend(&delivery.state));
        // SAFETY: the table's function, called as `abi` says; request and state outlive the call.
        let status = unsafe { open(lent, state, &mut pointer, &mut answer) };
        let session = Session { table: self.table, pointer, renewed: self.renewed.clone() };
        answered(status, &answer, &self.renewed)?;
        if session.pointer.is_null() { Err(CallError::Malformed("it opened nothing")) } else { Ok(session) }
    }
}

/// A delivery that is under way; closed when dropped.
#[derive(Debug)]
pub struct Session {
    table: DestinationTable,
    pointer: SessionPointer,
    renewed: Renewals,
}

// SAFETY: the contract lets calls of one session come from any thread, one after another, and `&mut self` makes it so.
unsafe impl Send for Session {}

impl Session {
    /// Writes one batch.
    ///
    /// # Errors
    /// [`CallError`]; `Malformed` for counts that do not fit the batch, or a state that is too large.
    pub fn write(&mut self, sequence: u64, key: &str, rows: &RecordBatch) -> Result<Written, CallError> {
        let write = self.table.write.ok_or(MISSING)?;
        let data = StructArray::from(rows.clone()).into_data();
        let (mut array, mut schema) =
            to_ffi(&data).map_err(|_| CallError::Malformed("the batch cannot be exported"))?;
        let (mut state, mut answer) = (Buffer::empty(), Buffer::empty());
        let key = Slice::lend(key.as_bytes());
        // SAFETY: the table's function, called as `abi` says; array and schema are released here unless moved out.
        let status = unsafe { write(self.pointer, sequence, key, &mut array, &mut schema, &mut state, &mut answer) };
        let mut written: Written = parse(&answered(status, &answer, &self.renewed)?)?;
        written.state = read_state(&state)?;
        sound_rejections(&mut written.rejected)?;
        let total = rows.num_rows() as u64;
        let all_known = written.rejected.iter().all(|rejected| u64::from(rejected.row) < total);
        if !all_known || written.accepted > total.saturating_sub(written.rejected.len() as u64) {
            return Err(CallError::Malformed("it answered for more rows than the batch has"));
        }
        Ok(written)
    }

    /// Asks what became known about earlier batches.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn poll(&mut self) -> Result<Progress, CallError> {
        let poll = self.table.poll.ok_or(MISSING)?;
        let (mut state, mut answer) = (Buffer::empty(), Buffer::empty());
        // SAFETY: the table's function, called as `abi` says.
        let status = unsafe { poll(self.pointer, &mut state, &mut answer) };
        let mut progress: Progress = parse(&answered(status, &answer, &self.renewed)?)?;
        progress.state = if state.data.is_null() { None } else { Some(read_state(&state)?) };
        for settled in &mut progress.settled {
            sound_rejections(&mut settled.rejected)?;
        }
        Ok(progress)
    }

    /// Ends the delivery well.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn finish(&mut self) -> Result<(), CallError> {
        let finish = self.table.finish.ok_or(MISSING)?;
        let mut answer = Buffer::empty();
        // SAFETY: the table's function, called as `abi` says.
        let status = unsafe { finish(self.pointer, &mut answer) };
        answered(status, &answer, &self.renewed).map(drop)
    }

    /// Ends a delivery that was cancelled.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn abort(&mut self) -> Result<(), CallError> {
        let abort = self.table.abort.ok_or(MISSING)?;
        let mut answer = Buffer::empty();
        // SAFETY: the table's function, called as `abi` says.
        let status = unsafe { abort(self.pointer, &mut answer) };
        answered(status, &answer, &self.renewed).map(drop)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(close) = self.table.close.filter(|_| !self.pointer.is_null()) {
            // SAFETY: the pointer is what `open` made, and this is the session's last call.
            unsafe { close(self.pointer) };
        }
    }
}

fn request(value: &impl Serialize) -> Result<Vec<u8>, CallError> {
    serde_json::to_vec(value).map_err(|_| CallError::Malformed("the request cannot be written as JSON"))
}

/// The bytes of a good answer, or the error that a bad one stands for.
fn answered(status: Status, answer: &Buffer, renewed: &Renewals) -> Result<Vec<u8>, CallError> {
    if status == Status::PANICKED {
        return Err(CallError::Panicked);
    }
    // SAFETY: the contract says that `data` has `len` bytes; a plugin that lies takes its own process down.
    let bytes = unsafe { answer.copy(MAX_ANSWER) }.ok_or(CallError::Malformed("its answer is too large"))?;
    renewed.note(&bytes);
    if status == Status::OK {
        return Ok(bytes);
    }
    let failure: Failure = parse(&bytes)?;
    let after = failure.retry_after_ms.map(Duration::from_millis);
    DestinationError::from_status(status, one_line(&failure.message, MAX_TEXT), after)
        .map_or(Err(CallError::Malformed("its status is unknown")), |error| Err(error.into()))
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CallError> {
    serde_json::from_slice(bytes).map_err(|_| CallError::Malformed("its answer is not the JSON it should be"))
}

fn read_state(state: &Buffer) -> Result<Vec<u8>, CallError> {
    // SAFETY: as in `answered`.
    unsafe { state.copy(MAX_STATE) }.ok_or(CallError::Malformed("its state is larger than 64 KiB"))
}

/// Rejections in the order of their rows, each row once, with texts that can be stored and shown.
fn sound_rejections(rejected: &mut [Rejected]) -> Result<(), CallError> {
    rejected.sort_unstable_by_key(|rejected| rejected.row);
    if rejected.windows(2).any(|pair| pair[0].row == pair[1].row) {
        return Err(CallError::Malformed("it rejected a row twice"));
    }
    for rejected in rejected {
        rejected.code = one_line(&rejected.code, MAX_CODE);
        rejected.reason = one_line(&rejected.reason, MAX_TEXT);
    }
    Ok(())
}

fn one_line(text: &str, most: usize) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).take(most).collect()
}
