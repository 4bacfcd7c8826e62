//! The C boundary between Entente and a plugin that provides a destination type.
//!
//! A plugin is a shared library that exports one function, `entente_destination_v1`, which returns a table of functions
//! that lives as long as the library is loaded; nothing is ever unloaded. The table starts with magic, size and
//! version; later versions only append functions, so a reader takes the smaller of its own size and the table's and
//! leaves the rest empty.
//!
//! Requests and answers are JSON in UTF-8; rows are a struct array as the Arrow C Data Interface describes it. What
//! Entente passes is lent for the time of the call; what the plugin gives back carries its own free function. Calls of
//! one session come one after another, not always from the same thread. No exception and no panic may leave a function.
//!
//! A plugin makes no sockets: where the system has seccomp, `socket`, `connect` and `bind` fail. For each TCP
//! connection it asks Entente, on the socket whose number is `connector` in `operator`. It makes a pair of its own,
//! `socketpair(AF_UNIX, SOCK_STREAM, 0, pair)`, sends `{"host": "api.tvtube.example", "port": 443}` (at most 1,024
//! bytes; no other members needed) as one message, by `sendmsg` with `pair[1]` as its one `SCM_RIGHTS`, closes
//! `pair[1]`, and receives the answer from `pair[0]` by `recvmsg`, at most 1,024 bytes: `{"connected": true}` with the
//! connected socket as `SCM_RIGHTS`, which blocks as a new one does (options of IP and `SO_LINGER` cannot be set on
//! it), or `{"refused": "HOST", "reason": "..."}`. `HOST` is a host that the plugin did not describe, `NETWORK` one
//! with addresses that the operator did not allow, `UNKNOWN_HOST` one without any, `NOT_CONNECTED` one that does not
//! take the connection. The name is Entente's to resolve, and may take 30 seconds: set `SO_RCVTIMEO` on `pair[0]`. Any
//! thread may ask at any time. Beyond 32 at once or 50 a second, requests wait; after one that is none, no more are
//! answered, and `recvmsg` gives 0. A proxy is connected to where it is the one of the settings, `{"proxy": {"url":
//! "http://proxy.luma.example:3128"}}`. To libcurl the socket is given by `CURLOPT_OPENSOCKETFUNCTION`, with
//! `CURLOPT_SOCKOPTFUNCTION` that returns `CURL_SOCKOPT_ALREADY_CONNECTED` and, since names are not the plugin's to
//! resolve, some address for the host in `CURLOPT_RESOLVE`. Where `connector` is null or left out, the plugin is in no
//! worker, and connects by itself.
//!
//! A type that describes its `consent` may answer any call, a failed one too, with a `"refresh_token"` beside the rest,
//! or alone where the answer is not read otherwise: it takes the place of the one in the settings.

// `include/entente_destination.h` is made from this file: its comments are read by authors who write C.

use std::ffi::c_void;
use std::mem::{MaybeUninit, size_of};
use std::ptr;

use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema};

/// The first eight bytes of every table: `ENTENTE` and a zero, read as a little-endian number.
pub const MAGIC: u64 = 0x0045_544e_4554_4e45;
const _: () = assert!(MAGIC == u64::from_le_bytes(*b"ENTENTE\0"));

/// The version of the table; what is appended later does not change it.
pub const VERSION: u32 = 1;

/// The one symbol that a plugin exports.
pub const SYMBOL: &str = "entente_destination_v1";

/// The most that a plugin may keep between two batches (its state), in bytes.
pub const MAX_STATE: usize = 64 * 1024;

/// The most that one answer may have, in bytes.
pub const MAX_ANSWER: usize = 32 * 1024 * 1024;

/// What a call returns. Except for [`Status::OK`] and [`Status::PANICKED`] the answer is an error's JSON, `{"message":
/// "...", "retry_after_ms": 1000}`, of which only the message must be there. It is shown to the account whose
/// destination it is: it says what to do, and never holds a secret or an identifier. Only [`Status::RATE_LIMITED`] and
/// [`Status::TRANSIENT`] are tried again.
#[repr(transparent)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status(pub i32);

impl Status {
    /// The call did what it should.
    pub const OK: Self = Self(0);
    /// The settings are wrong; the account has to change them.
    pub const CONFIG: Self = Self(1);
    /// The credentials were refused; the account has to renew them.
    pub const AUTH: Self = Self(2);
    /// The batch cannot be taken as it is.
    pub const PAYLOAD: Self = Self(3);
    /// Too fast; tried again, not before `retry_after_ms` where it is given.
    pub const RATE_LIMITED: Self = Self(4);
    /// May work later; tried again.
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

/// Bytes that the plugin gives back, with the function that frees them. The plugin gets it empty, all zero.
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
    pub free: Option<unsafe extern "C" fn(buffer: *mut Buffer)>,
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

/// The table of functions that a plugin returns, none of them null. Later versions append to it and never change what
/// is there.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct DestinationTable {
    /// [`MAGIC`].
    pub magic: u64,
    /// The size of this table in bytes, as the plugin knew it.
    pub size: u32,
    /// [`VERSION`].
    pub version: u32,

    /// What the destination type is. Answer: `{"id", "name", "summary", "version", "settings", "repeats", "reaches":
    /// {"folder", "hosts"}, "consent"}`. The settings are their JSON Schema, in which `writeOnly` marks secrets; `repeats`
    /// is `TAKEN_ONCE` where a batch that is written again is taken once, `POSSIBLY_TWICE` otherwise, and where it is left
    /// out. `folder` is whether it writes into the operator's folder, and `hosts` are those it connects to:
    /// `api.tvtube.example`, `*.tvtube.example` for those below a domain, `*` for those that its settings name. What is left
    /// out is closed to it. Where the endpoint signs in by OAuth 2.0, `consent` says how accounts consent:
    /// `{"authorization_url", "token_url", "scopes": [], "parameters": {}, "pkce": true, "client_id", "client_secret",
    /// "refresh_token"}`, the last three the names of the settings that hold them; `parameters` are further ones of the
    /// authorization URL, and `pkce` whether S256 is taken.
    pub describe: Option<unsafe extern "C" fn(answer: *mut Buffer) -> Status>,

    /// Tries the settings against the real endpoint and leaves nothing behind. Request: `{"settings", "operator":
    /// {"local_root", "networks", "hosts", "connector"}}`, where `local_root` is the only folder of this machine below
    /// which the plugin may write (null: none), `networks` are those it may send to although they are not public,
    /// `hosts` the only ones it may send to (null: any), and `connector` the number of the socket on which it asks for
    /// connections. The answer is not read.
    pub check: Option<unsafe extern "C" fn(request: Slice, answer: *mut Buffer) -> Status>,

    /// Begins a delivery, or goes on with one. Request: that of `check` with `"delivery": {"activation", "name",
    /// "generation", "key_prefix", "match_keys", "acknowledged"}`. The state is that of the last batch that was
    /// acknowledged, empty at the start. A session that is set is closed even where the call fails. The answer is not
    /// read.
    pub open: Option<
        unsafe extern "C" fn(request: Slice, state: Slice, session: *mut SessionPointer, answer: *mut Buffer) -> Status,
    >,

    /// Takes one batch: a struct array of at most 65,536 rows with the columns `match_key` (format `u`: the kind of
    /// identifier), `identity` (format `w:32`: its SHA-256) and `change` (format `u`: `added` or `removed`), none of
    /// them null. The plugin moves array and schema out, as the Arrow C Data Interface says, or leaves them to the
    /// caller. The sequence starts at 1, and the same batch always comes with the same key. What is put into `state` is
    /// kept with the acknowledgement. Answer: `{"accepted": 2, "rejected": [{"row": 0, "code": "...", "reason":
    /// "..."}], "retry_after_ms": 1000}`, of which only `accepted` must be there; rows that are in neither are told
    /// about by `poll`.
    pub write: Option<
        unsafe extern "C" fn(
            session: SessionPointer,
            sequence: u64,
            key: Slice,
            array: *mut FFI_ArrowArray,
            schema: *mut FFI_ArrowSchema,
            state: *mut Buffer,
            answer: *mut Buffer,
        ) -> Status,
    >,

    /// What became known since about batches that were written earlier. Answer: `{"pending": 0, "settled":
    /// [{"sequence": 1, "accepted": 2, "rejected": []}], "retry_after_ms": 1000}`, all of which may be left out. The
    /// state stays what it was where the buffer's `data` stays null.
    pub poll: Option<unsafe extern "C" fn(session: SessionPointer, state: *mut Buffer, answer: *mut Buffer) -> Status>,

    /// Every batch was acknowledged and none is pending. May be called again after a crash. The answer is not read.
    pub finish: Option<unsafe extern "C" fn(session: SessionPointer, answer: *mut Buffer) -> Status>,

    /// The delivery was cancelled; what was delivered may stay. The answer is not read.
    pub abort: Option<unsafe extern "C" fn(session: SessionPointer, answer: *mut Buffer) -> Status>,

    /// Frees what `open` made. The last call of a session, also after a failure.
    pub close: Option<unsafe extern "C" fn(session: SessionPointer)>,
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
