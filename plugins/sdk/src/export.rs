//! The C table of a Rust destination. Nothing unwinds out of it: a panic is caught and answered as one.

use std::any::Any;
use std::marker::PhantomData;
use std::mem::size_of;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi};
use arrow_array::{RecordBatch, StructArray};
use arrow_schema::DataType;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::abi::{Buffer, DestinationTable, MAGIC, MAX_STATE, SessionPointer, Slice, Status, VERSION};
use crate::destination::{Description, Destination, Reaches};
use crate::error::DestinationError;
use crate::message::{CheckRequest, Failure, OpenRequest};
use crate::renewal::RefreshToken;
use crate::runtime::block_on;

/// Exports a type that implements [`Destination`] from a cdylib. Written once, beside the implementation.
#[macro_export]
macro_rules! export_destination {
    ($destination:ty) => {
        /// Returns the table of this plugin's functions.
        #[unsafe(no_mangle)]
        pub extern "C" fn entente_destination_v1() -> *const $crate::abi::DestinationTable {
            $crate::export::table::<$destination>()
        }
    };
}

/// The table of `D`.
pub fn table<D: Destination>() -> &'static DestinationTable {
    &Exported::<D>::TABLE
}

struct Exported<D>(PhantomData<D>);

impl<D: Destination> Exported<D> {
    const TABLE: DestinationTable = DestinationTable {
        magic: MAGIC,
        size: size_of::<DestinationTable>() as u32,
        version: VERSION,
        describe: Some(describe::<D>),
        check: Some(check::<D>),
        open: Some(open::<D>),
        write: Some(write::<D>),
        poll: Some(poll::<D>),
        finish: Some(finish::<D>),
        abort: Some(abort::<D>),
        close: Some(close::<D>),
    };
}

/// A delivery that is under way; after a panic nothing is known about it any more, and it is not called again.
struct Session<D> {
    destination: D,
    panicked: bool,
}

unsafe extern "C" fn describe<D: Destination>(answer: *mut Buffer) -> Status {
    let outcome = guard(|| {
        encode(&Description {
            id: D::ID.to_owned(),
            name: D::NAME.to_owned(),
            summary: D::SUMMARY.to_owned(),
            version: D::VERSION.to_owned(),
            repeats: D::REPEATS,
            reaches: Reaches { folder: D::FOLDER, hosts: D::HOSTS.iter().map(|host| (*host).to_owned()).collect() },
            settings: schemars::schema_for!(D::Settings).to_value(),
            consent: D::consent(),
        })
        .map(Called::of)
    });
    // SAFETY: the caller gives an empty buffer.
    unsafe { reply(outcome, answer) }
}

unsafe extern "C" fn check<D: Destination>(request: Slice, answer: *mut Buffer) -> Status {
    let outcome = guard(|| {
        // SAFETY: the caller lends the request for the time of the call.
        let request: CheckRequest = decode(unsafe { request.bytes() })?;
        Ok(called(D::check(settings::<D>(request.settings)?, request.operator), |()| Ok(Vec::new())))
    });
    // SAFETY: the caller gives an empty buffer.
    unsafe { reply(outcome, answer) }
}

unsafe extern "C" fn open<D: Destination>(
    request: Slice,
    state: Slice,
    session: *mut SessionPointer,
    answer: *mut Buffer,
) -> Status {
    let outcome = guard(|| {
        // SAFETY: the caller lends request and state for the time of the call.
        let (request, state) = unsafe { (request.bytes(), state.bytes().to_vec()) };
        let request: OpenRequest = decode(request)?;
        let mut delivery = request.delivery;
        delivery.state = state;
        Ok(called(D::open(settings::<D>(request.settings)?, request.operator, delivery), |destination| {
            let opened = Box::new(Session { destination, panicked: false });
            // SAFETY: the caller gives room for one pointer; what is put there is freed by `close`.
            unsafe { ptr::write(session, Box::into_raw(opened).cast()) };
            Ok(Vec::new())
        }))
    });
    // SAFETY: the caller gives an empty buffer.
    unsafe { reply(outcome, answer) }
}

unsafe extern "C" fn write<D: Destination>(
    session: SessionPointer,
    sequence: u64,
    key: Slice,
    array: *mut FFI_ArrowArray,
    schema: *mut FFI_ArrowSchema,
    state: *mut Buffer,
    answer: *mut Buffer,
) -> Status {
    let call = |destination: &mut D| {
        // SAFETY: the caller gives a valid array and schema; both are moved out, so that it does not free them too.
        let rows = unsafe { take_rows(array, schema) }?;
        // SAFETY: the caller lends the key for the time of the call.
        let key = std::str::from_utf8(unsafe { key.bytes() })
            .map_err(|_| DestinationError::Payload("the batch's key is not text".to_owned()))?;
        Ok(called(destination.write(sequence, key, rows), |written| {
            let answer = encode(&written)?;
            // SAFETY: the caller gives an empty buffer for the state.
            unsafe { give_state(written.state, state) }?;
            Ok(answer)
        }))
    };
    // SAFETY: the session is what `open` made, and the answer an empty buffer.
    unsafe { reply(in_session(session, call), answer) }
}

unsafe extern "C" fn poll<D: Destination>(session: SessionPointer, state: *mut Buffer, answer: *mut Buffer) -> Status {
    let call = |destination: &mut D| {
        Ok(called(destination.poll(), |progress| {
            let answer = encode(&progress)?;
            if let Some(bytes) = progress.state {
                // SAFETY: the caller gives an empty buffer for the state.
                unsafe { give_state(bytes, state) }?;
            }
            Ok(answer)
        }))
    };
    // SAFETY: the session is what `open` made, and the answer an empty buffer.
    unsafe { reply(in_session(session, call), answer) }
}

unsafe extern "C" fn finish<D: Destination>(session: SessionPointer, answer: *mut Buffer) -> Status {
    let call = |destination: &mut D| Ok(called(destination.finish(), |()| Ok(Vec::new())));
    // SAFETY: the session is what `open` made, and the answer an empty buffer.
    unsafe { reply(in_session(session, call), answer) }
}

unsafe extern "C" fn abort<D: Destination>(session: SessionPointer, answer: *mut Buffer) -> Status {
    let call = |destination: &mut D| Ok(called(destination.abort(), |()| Ok(Vec::new())));
    // SAFETY: the session is what `open` made, and the answer an empty buffer.
    unsafe { reply(in_session(session, call), answer) }
}

unsafe extern "C" fn close<D: Destination>(session: SessionPointer) {
    if session.is_null() {
        return;
    }
    // SAFETY: the pointer is what `open` made, and this is the last call of the session.
    let session = unsafe { Box::from_raw(session.cast::<Session<D>>()) };
    // A panic while dropping ends here: there is nobody left to tell.
    let _ = catch_unwind(AssertUnwindSafe(|| drop(session)));
}

type Panic = Box<dyn Any + Send>;
type Outcome = Result<Called, Panic>;

/// What a call came to: an answer or an error, and the refresh token that came meanwhile.
struct Called {
    answer: Result<Vec<u8>, DestinationError>,
    refresh_token: Option<RefreshToken>,
}

impl Called {
    fn of(answer: Vec<u8>) -> Self {
        Self { answer: Ok(answer), refresh_token: None }
    }
}

impl From<DestinationError> for Called {
    fn from(error: DestinationError) -> Self {
        Self { answer: Err(error), refresh_token: None }
    }
}

/// Makes a call of the author's, and an answer of what it gives.
fn called<T>(
    call: impl Future<Output = Result<T, DestinationError>>,
    answer: impl FnOnce(T) -> Result<Vec<u8>, DestinationError>,
) -> Called {
    let (outcome, refresh_token) = block_on(call);
    Called { answer: outcome.and_then(answer), refresh_token }
}

fn guard(call: impl FnOnce() -> Result<Called, DestinationError>) -> Outcome {
    catch_unwind(AssertUnwindSafe(|| call().unwrap_or_else(Called::from)))
}

/// Runs `call` on the session's destination, unless an earlier call panicked.
///
/// # Safety
/// `session` must come from `open::<D>`, be open, and not be in use by another call.
unsafe fn in_session<D: Destination>(
    session: SessionPointer,
    call: impl FnOnce(&mut D) -> Result<Called, DestinationError>,
) -> Outcome {
    // SAFETY: promised by the caller; a null pointer is answered below.
    let Some(session) = (unsafe { session.cast::<Session<D>>().as_mut() }) else {
        return Ok(DestinationError::Permanent("the delivery is not open".to_owned()).into());
    };
    if session.panicked {
        return Err(Box::new("an earlier call panicked"));
    }
    let outcome = guard(|| call(&mut session.destination));
    session.panicked = outcome.is_err();
    outcome
}

/// Fills `answer` and says how the call went.
///
/// # Safety
/// `answer` must point to a buffer.
unsafe fn reply(outcome: Outcome, answer: *mut Buffer) -> Status {
    let (status, bytes) = match outcome {
        Ok(Called { answer: Ok(bytes), refresh_token }) => (Status::OK, with_token(bytes, refresh_token)),
        Ok(Called { answer: Err(error), refresh_token }) => {
            let retry_after_ms = error.retry_after().map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
            let failure = Failure { message: error.to_string(), retry_after_ms };
            (error.status(), with_token(serde_json::to_vec(&failure).unwrap_or_default(), refresh_token))
        }
        Err(_) => (Status::PANICKED, Vec::new()),
    };
    // SAFETY: promised by the caller; assigning frees whatever was in it.
    unsafe { *answer = Buffer::give(bytes) };
    status
}

/// An answer with the refresh token that goes along with it. An answer that is not read is none without it.
fn with_token(answer: Vec<u8>, refresh_token: Option<RefreshToken>) -> Vec<u8> {
    let Some(token) = refresh_token else { return answer };
    let mut fields: serde_json::Map<String, Value> = serde_json::from_slice(&answer).unwrap_or_default();
    fields.insert("refresh_token".to_owned(), token.reveal().into());
    serde_json::to_vec(&fields).unwrap_or(answer)
}

/// # Safety
/// `state` must point to a buffer.
unsafe fn give_state(bytes: Vec<u8>, state: *mut Buffer) -> Result<(), DestinationError> {
    if bytes.len() > MAX_STATE {
        return Err(DestinationError::Permanent("the plugin's state is larger than 64 KiB".to_owned()));
    }
    // SAFETY: promised by the caller; assigning frees whatever was in it.
    unsafe { *state = Buffer::give(bytes) };
    Ok(())
}

/// # Safety
/// Both must point to structures as the Arrow C Data Interface describes them.
unsafe fn take_rows(array: *mut FFI_ArrowArray, schema: *mut FFI_ArrowSchema) -> Result<RecordBatch, DestinationError> {
    // SAFETY: promised by the caller; moving out leaves released structures behind.
    let data = unsafe {
        let (array, schema) = (FFI_ArrowArray::from_raw(array), FFI_ArrowSchema::from_raw(schema));
        from_ffi(array, &schema)
    };
    match data {
        Ok(data) if matches!(data.data_type(), DataType::Struct(_)) && data.null_count() == 0 => {
            Ok(RecordBatch::from(StructArray::from(data)))
        }
        _ => Err(DestinationError::Payload("the batch is not readable as Arrow data".to_owned())),
    }
}

fn settings<D: Destination>(value: Value) -> Result<D::Settings, DestinationError> {
    // A list would be taken for the fields in their order.
    if !value.is_object() {
        return Err(DestinationError::Config("the settings are not an object".to_owned()));
    }
    let wrong = |error: serde_json::Error| DestinationError::Config(describe_wrong_settings(&error));
    serde_json::from_value(value).map_err(wrong)
}

/// Says what is wrong without the value, which may be a secret: serde's messages quote values only between
/// `invalid type: string "` or `invalid value: string "` and the next `", expected`.
fn describe_wrong_settings(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let quoted = message.starts_with("invalid type: ") || message.starts_with("invalid value: ");
    match message.rfind(", expected ") {
        Some(at) if quoted => format!("the settings have a value of the wrong type{}", &message[at..]),
        _ => format!("the settings are wrong: {message}"),
    }
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DestinationError> {
    serde_json::from_slice(bytes).map_err(|_| DestinationError::Permanent("the request is not readable".to_owned()))
}

fn encode(value: &impl Serialize) -> Result<Vec<u8>, DestinationError> {
    serde_json::to_vec(value)
        .map_err(|_| DestinationError::Permanent("the answer cannot be written as JSON".to_owned()))
}

#[cfg(test)]
mod tests;
