//! The C boundary between the gateway's worker and a plugin. `include/entente_destination.h` says the same in C.
//!
//! A plugin exports one symbol, [`SYMBOL`], a function without arguments that returns a [`DestinationTable`] which
//! lives as long as the library is loaded. The table starts with magic, size and version; later versions only
//! append functions, so a reader takes the smaller of its own size and the table's and leaves the rest empty.
//!
//! Requests and answers are JSON (UTF-8), rows are Arrow C Data. What the caller passes is borrowed for the call;
//! what the plugin gives back is a [`Buffer`] that carries its own free function. Calls for one session come one
//! after another, not always from the same thread.

use std::ffi::c_void;
use std::mem::{MaybeUninit, size_of};
use std::ptr;

use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema};

/// The first eight bytes of every table: `ENTENTE` and a zero.
pub const MAGIC: u64 = u64::from_le_bytes(*b"ENTENTE\0");

/// The version of the table; what is appended later does not change it.
pub const VERSION: u32 = 1;

/// The one symbol that a plugin exports.
pub const SYMBOL: &str = "entente_destination_v1";

/// The most that a plugin may keep between two batches, in bytes.
pub const MAX_STATE: usize = 64 * 1024;

/// The most that one answer may have, in bytes.
pub const MAX_ANSWER: usize = 32 * 1024 * 1024;

/// What a call returns. Except for [`Status::OK`] and [`Status::PANICKED`] the answer is an error's JSON,
/// `{"message": "…", "retry_after_ms": 1000}`, of which only the message must be there.
#[repr(transparent)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status(pub i32);

impl Status {
    /// The call did what it should.
    pub const OK: Self = Self(0);
    /// The settings are wrong.
    pub const CONFIG: Self = Self(1);
    /// The credentials were refused.
    pub const AUTH: Self = Self(2);
    /// The batch cannot be taken as it is.
    pub const PAYLOAD: Self = Self(3);
    /// Too fast; try again later.
    pub const RATE_LIMITED: Self = Self(4);
    /// May work when tried again.
    pub const TRANSIENT: Self = Self(5);
    /// Will not work however often it is tried.
    pub const PERMANENT: Self = Self(6);
    /// The plugin panicked; its session must not be called again.
    pub const PANICKED: Self = Self(7);
}

/// Bytes that the caller lends for the time of a call.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Slice {
    /// The first byte; may be anything where `len` is 0.
    pub data: *const u8,
    /// How many bytes.
    pub len: usize,
}

impl Slice {
    /// Lends `bytes`.
    pub fn lend(bytes: &[u8]) -> Self {
        Self { data: bytes.as_ptr(), len: bytes.len() }
    }

    /// The bytes that were lent.
    ///
    /// # Safety
    /// `data` must point to `len` bytes that stay unchanged for as long as `'a`.
    pub unsafe fn bytes<'a>(self) -> &'a [u8] {
        if self.len == 0 || self.data.is_null() {
            return &[];
        }
        // SAFETY: the caller promises `len` readable bytes at `data`.
        unsafe { std::slice::from_raw_parts(self.data, self.len) }
    }
}

/// Bytes that the plugin gives back, with the function that frees them.
#[repr(C)]
#[derive(Debug)]
pub struct Buffer {
    /// The first byte; null when there are none.
    pub data: *mut u8,
    /// How many bytes.
    pub len: usize,
    /// The plugin's own, for `free`.
    pub owner: *mut c_void,
    /// Frees the bytes; null when there is nothing to free. Called once.
    pub free: Option<unsafe extern "C" fn(*mut Buffer)>,
}

impl Buffer {
    /// A buffer without bytes, which the plugin fills.
    pub const fn empty() -> Self {
        Self { data: ptr::null_mut(), len: 0, owner: ptr::null_mut(), free: None }
    }

    /// Gives `bytes` away.
    pub fn give(bytes: Vec<u8>) -> Self {
        let mut owner = Box::new(bytes);
        Self { data: owner.as_mut_ptr(), len: owner.len(), owner: Box::into_raw(owner).cast(), free: Some(free_given) }
    }

    /// A copy of the bytes, or `None` when there are more than `limit` or the buffer contradicts itself.
    ///
    /// # Safety
    /// `data` must be null or point to `len` readable bytes.
    pub unsafe fn copy(&self, limit: usize) -> Option<Vec<u8>> {
        if self.len == 0 {
            return Some(Vec::new());
        }
        if self.len > limit || self.data.is_null() {
            return None;
        }
        // SAFETY: not null, and the caller promises `len` readable bytes.
        Some(unsafe { std::slice::from_raw_parts(self.data, self.len) }.to_vec())
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Some(free) = self.free.take() {
            // SAFETY: the plugin set `free` for this very buffer, and it was taken, so it is called once.
            unsafe { free(self) };
        }
    }
}

unsafe extern "C" fn free_given(buffer: *mut Buffer) {
    // SAFETY: only `Buffer::give` sets this function, and its owner is a boxed vector.
    unsafe {
        drop(Box::from_raw((*buffer).owner.cast::<Vec<u8>>()));
        (*buffer).owner = ptr::null_mut();
        (*buffer).data = ptr::null_mut();
        (*buffer).len = 0;
    }
}

/// What `open` makes and `close` frees; only the plugin knows what is behind it.
pub type SessionPointer = *mut c_void;

/// `describe(answer)`: what the destination type is, as a [`crate::Description`] in JSON.
pub type Describe = unsafe extern "C" fn(*mut Buffer) -> Status;
/// `check(request, answer)`: tries the settings against the real endpoint. Request: `{settings, operator}`.
pub type Check = unsafe extern "C" fn(Slice, *mut Buffer) -> Status;
/// `open(request, state, session, answer)`. Request: `{settings, operator, delivery}`; the state is the last that was
/// acknowledged, empty at the start.
pub type Open = unsafe extern "C" fn(Slice, Slice, *mut SessionPointer, *mut Buffer) -> Status;
/// `write(session, sequence, key, array, schema, state, answer)`. Array and schema are a struct array with the columns
/// of [`crate::rows`]; the plugin moves them out, as the Arrow C Data Interface says, or leaves them to the caller.
/// Answer: a [`crate::Written`] in JSON without its state, which goes into a buffer of its own.
pub type Write = unsafe extern "C" fn(
    SessionPointer,
    u64,
    Slice,
    *mut FFI_ArrowArray,
    *mut FFI_ArrowSchema,
    *mut Buffer,
    *mut Buffer,
) -> Status;
/// `poll(session, state, answer)`: what became known since about batches written earlier. Answer: a
/// [`crate::Progress`] in JSON without its state, which stays what it was where the buffer's `data` stays null.
pub type Poll = unsafe extern "C" fn(SessionPointer, *mut Buffer, *mut Buffer) -> Status;
/// `finish(session, answer)`: every batch was acknowledged. May be called again after a crash.
pub type Finish = unsafe extern "C" fn(SessionPointer, *mut Buffer) -> Status;
/// `abort(session, answer)`: the delivery was cancelled.
pub type Abort = unsafe extern "C" fn(SessionPointer, *mut Buffer) -> Status;
/// `close(session)`: frees what `open` made. The last call of a session, also after a failure.
pub type Close = unsafe extern "C" fn(SessionPointer);

/// The table of functions that a plugin returns.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct DestinationTable {
    /// [`MAGIC`].
    pub magic: u64,
    /// The size of the plugin's table in bytes.
    pub size: u32,
    /// [`VERSION`].
    pub version: u32,
    /// See [`Describe`].
    pub describe: Option<Describe>,
    /// See [`Check`].
    pub check: Option<Check>,
    /// See [`Open`].
    pub open: Option<Open>,
    /// See [`Write`].
    pub write: Option<Write>,
    /// See [`Poll`].
    pub poll: Option<Poll>,
    /// See [`Finish`].
    pub finish: Option<Finish>,
    /// See [`Abort`].
    pub abort: Option<Abort>,
    /// See [`Close`].
    pub close: Option<Close>,
}

/// The function behind [`SYMBOL`].
pub type Entry = unsafe extern "C" fn() -> *const DestinationTable;

/// Why a table cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// The pointer is null or not aligned.
    #[error("the plugin returned no table")]
    NoTable,
    /// It does not start with [`MAGIC`].
    #[error("what the plugin returned is not a table of destination functions")]
    WrongMagic,
    /// Another version than [`VERSION`].
    #[error("the plugin's table has version {0}, this gateway knows version 1")]
    WrongVersion(u32),
    /// Shorter than the functions of version 1 need.
    #[error("the plugin's table is {0} bytes short of what its version needs")]
    TooShort(u32),
    /// A function of version 1 is missing.
    #[error("the plugin's table lacks the function `{0}`")]
    Missing(&'static str),
}

/// Size of the table as version 1 began, in bytes.
const FIRST_SIZE: u32 = size_of::<DestinationTable>() as u32;

impl DestinationTable {
    /// Copies a plugin's table after checking everything about it that can be checked.
    ///
    /// # Errors
    /// [`TableError`] where it is not a table that this version can call.
    ///
    /// # Safety
    /// `table` must be null or point to at least the eight bytes of the magic, and to as many bytes as the table says
    /// where they are right.
    pub unsafe fn read(table: *const Self) -> Result<Self, TableError> {
        if table.is_null() || !table.is_aligned() {
            return Err(TableError::NoTable);
        }
        // SAFETY: not null, aligned, and the caller promises eight bytes.
        if unsafe { ptr::addr_of!((*table).magic).read() } != MAGIC {
            return Err(TableError::WrongMagic);
        }
        // SAFETY: with the right magic the caller promises that size and version follow.
        let (size, version) = unsafe { (ptr::addr_of!((*table).size).read(), ptr::addr_of!((*table).version).read()) };
        if version != VERSION {
            return Err(TableError::WrongVersion(version));
        }
        if size < FIRST_SIZE {
            return Err(TableError::TooShort(FIRST_SIZE - size));
        }
        let mut copy = MaybeUninit::<Self>::zeroed();
        // SAFETY: the source has `size` bytes, no more than our own size are copied, and zeroes are a valid table
        // (empty functions), so whatever is not covered is valid too.
        let copy = unsafe {
            let len = size_of::<Self>().min(size as usize);
            ptr::copy_nonoverlapping(table.cast::<u8>(), copy.as_mut_ptr().cast::<u8>(), len);
            copy.assume_init()
        };
        copy.complete()
    }

    fn complete(self) -> Result<Self, TableError> {
        let functions = [
            ("describe", self.describe.is_some()),
            ("check", self.check.is_some()),
            ("open", self.open.is_some()),
            ("write", self.write.is_some()),
            ("poll", self.poll.is_some()),
            ("finish", self.finish.is_some()),
            ("abort", self.abort.is_some()),
            ("close", self.close.is_some()),
        ];
        match functions.into_iter().find(|(_, there)| !there) {
            Some((name, _)) => Err(TableError::Missing(name)),
            None => Ok(self),
        }
    }
}
