//! A destination type that is made with nothing of Entente's: it writes the C table down by hand, reads batches with
//! another version of arrow, and is compiled by another compiler. It writes the identities that joined as lines of
//! hexadecimal digits, a file for each batch, straight into the operator's folder.

mod boundary;

use std::ffi::c_void;
use std::fs::{self, File};
use std::io::Write;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::ffi::{from_ffi, FFI_ArrowArray, FFI_ArrowSchema};
use arrow_array::{Array, StructArray};
use boundary::{Buffer, Slice, Table, CONFIG, OK, PANICKED, PAYLOAD, PERMANENT, TRANSIENT};
use serde_json::{json, Value};

/// What a call answers: its JSON, or a status and what is told.
type Answer = Result<String, (i32, String)>;

/// One delivery: the folder that it goes to.
struct Session {
    root: PathBuf,
}

extern "C" fn describe(answer: *mut Buffer) -> i32 {
    let description = json!({
        "id": "foreign", "name": "Foreign", "summary": "Writes identities as lines.", "version": "0.1.0",
        "repeats": "TAKEN_ONCE", "reaches": {"folder": true}, "settings": {"type": "object", "properties": {}, "additionalProperties": false},
    });
    reply(answer, || Ok(description.to_string()))
}

extern "C" fn check(request: Slice, answer: *mut Buffer) -> i32 {
    reply(answer, || root(request).map(|_| String::new()))
}

extern "C" fn open(request: Slice, _state: Slice, session: *mut *mut c_void, answer: *mut Buffer) -> i32 {
    reply(answer, || {
        let opened = Box::new(Session { root: root(request)? });
        // SAFETY: the caller gives room for one pointer; `close` frees what is put there.
        unsafe { session.write(Box::into_raw(opened).cast()) };
        Ok(String::new())
    })
}

extern "C" fn write(
    session: *mut c_void,
    _sequence: u64,
    key: Slice,
    array: *mut FFI_ArrowArray,
    schema: *mut FFI_ArrowSchema,
    _state: *mut Buffer,
    answer: *mut Buffer,
) -> i32 {
    reply(answer, || {
        // SAFETY: the session is what `open` made. Array and schema are valid and moved out.
        let (session, array, schema) = unsafe {
            (&*session.cast::<Session>(), FFI_ArrowArray::from_raw(array), FFI_ArrowSchema::from_raw(schema))
        };
        let unreadable = |_| (PAYLOAD, "the batch is not readable".to_owned());
        // SAFETY: the caller promises that the two belong together.
        let batch = StructArray::from(unsafe { from_ffi(array, &schema) }.map_err(unreadable)?);
        let text = lines(&batch).ok_or((PAYLOAD, "the batch lacks a column".to_owned()))?;
        let key = key.text().ok_or((PAYLOAD, "the batch's key is not text".to_owned()))?;
        put(&session.root, &format!("{key}.txt"), &text).map_err(|error| (TRANSIENT, error.kind().to_string()))?;
        Ok(json!({"accepted": batch.len()}).to_string())
    })
}

extern "C" fn poll(_session: *mut c_void, _state: *mut Buffer, answer: *mut Buffer) -> i32 {
    reply(answer, || Ok("{}".to_owned()))
}

extern "C" fn finish(_session: *mut c_void, answer: *mut Buffer) -> i32 {
    reply(answer, || Ok(String::new()))
}

extern "C" fn abort(_session: *mut c_void, answer: *mut Buffer) -> i32 {
    reply(answer, || Ok(String::new()))
}

extern "C" fn close(session: *mut c_void) {
    if !session.is_null() {
        // SAFETY: the session is what `open` made, and this is its last call.
        drop(unsafe { Box::from_raw(session.cast::<Session>()) });
    }
}

/// Fills the answer; nothing unwinds out of a call.
fn reply(answer: *mut Buffer, call: impl FnOnce() -> Answer) -> i32 {
    let (status, text) = match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(text)) => (OK, text),
        Ok(Err((status, message))) => (status, json!({ "message": message }).to_string()),
        Err(_) => (PANICKED, String::new()),
    };
    // SAFETY: the caller gives an empty buffer.
    unsafe { answer.write(Buffer::give(text)) };
    status
}

/// The operator's folder.
fn root(request: Slice) -> Result<PathBuf, (i32, String)> {
    let request: Option<Value> = request.text().and_then(|text| serde_json::from_str(text).ok());
    let request = request.ok_or((PERMANENT, "the request is not readable".to_owned()))?;
    let root = request["operator"]["local_root"].as_str();
    root.map(PathBuf::from).ok_or((CONFIG, "the operator has set no folder aside".to_owned()))
}

/// A line for each identity that joined.
fn lines(batch: &StructArray) -> Option<String> {
    let identities = batch.column_by_name("identity")?.as_fixed_size_binary_opt()?;
    let changes = batch.column_by_name("change")?.as_string_opt::<i32>()?;
    let joined = identities.iter().zip(changes).filter(|(_, change)| *change == Some("added"));
    let line = |identity: &[u8]| identity.iter().map(|byte| format!("{byte:02x}")).chain(["\n".to_owned()]).collect();
    Some(joined.filter_map(|(identity, _)| identity.map(line)).collect::<Vec<String>>().concat())
}

/// Writes a file aside and gives it its name: a batch that comes again replaces itself.
fn put(root: &Path, name: &str, text: &str) -> std::io::Result<()> {
    let aside = root.join(format!(".{name}"));
    let mut file = File::create(&aside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(aside, root.join(name))
}

static TABLE: Table = Table {
    magic: boundary::MAGIC,
    size: std::mem::size_of::<Table>() as u32,
    version: 1,
    describe,
    check,
    open,
    write,
    poll,
    finish,
    abort,
    close,
};

/// The one symbol.
#[no_mangle]
pub extern "C" fn entente_destination_v1() -> *const Table {
    &TABLE
}
