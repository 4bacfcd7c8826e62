//! `entente_destination.h`, written down by hand.

use std::ffi::c_void;
use std::ptr;

use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema};

pub const MAGIC: u64 = u64::from_le_bytes(*b"ENTENTE\0");

pub const OK: i32 = 0;
pub const CONFIG: i32 = 1;
pub const PAYLOAD: i32 = 3;
pub const TRANSIENT: i32 = 5;
pub const PERMANENT: i32 = 6;
pub const PANICKED: i32 = 7;

/// Bytes that are lent for the time of a call.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Slice {
    data: *const u8,
    len: usize,
}

impl Slice {
    /// The bytes as text. Used within the call that lends them, and not longer.
    pub fn text<'a>(self) -> Option<&'a str> {
        if self.len == 0 {
            return Some("");
        }
        // SAFETY: the caller lends `len` bytes for the time of the call.
        std::str::from_utf8(unsafe { std::slice::from_raw_parts(self.data, self.len) }).ok()
    }
}

/// Bytes that are given back.
#[repr(C)]
pub struct Buffer {
    data: *mut u8,
    len: usize,
    owner: *mut c_void,
    free: extern "C" fn(*mut Buffer),
}

impl Buffer {
    pub fn give(text: String) -> Self {
        let mut owner = Box::new(text.into_bytes());
        Self { data: owner.as_mut_ptr(), len: owner.len(), owner: Box::into_raw(owner).cast(), free }
    }
}

extern "C" fn free(buffer: *mut Buffer) {
    // SAFETY: only `Buffer::give` sets this function, and its owner is a boxed vector.
    unsafe {
        drop(Box::from_raw((*buffer).owner.cast::<Vec<u8>>()));
        (*buffer).owner = ptr::null_mut();
    }
}

/// The table of functions.
#[repr(C)]
pub struct Table {
    pub magic: u64,
    pub size: u32,
    pub version: u32,
    pub describe: extern "C" fn(*mut Buffer) -> i32,
    pub check: extern "C" fn(Slice, *mut Buffer) -> i32,
    pub open: extern "C" fn(Slice, Slice, *mut *mut c_void, *mut Buffer) -> i32,
    pub write: extern "C" fn(
        *mut c_void,
        u64,
        Slice,
        *mut FFI_ArrowArray,
        *mut FFI_ArrowSchema,
        *mut Buffer,
        *mut Buffer,
    ) -> i32,
    pub poll: extern "C" fn(*mut c_void, *mut Buffer, *mut Buffer) -> i32,
    pub finish: extern "C" fn(*mut c_void, *mut Buffer) -> i32,
    pub abort: extern "C" fn(*mut c_void, *mut Buffer) -> i32,
    pub close: extern "C" fn(*mut c_void),
}
