//! Limits of a worker's resources.

use nix::sys::resource::{UsageWho, getrusage};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::{Deserialize, Serialize};

/// The least memory that a worker can have, in bytes: the program itself and a batch.
pub const LEAST_MEMORY: u64 = 64 * 1024 * 1024;
/// The most open files.
const MAX_FILES: u64 = 512;
/// The most bytes of a file that it writes.
const MAX_FILE_SIZE: u64 = 4 * 1024 * 1024 * 1024;
/// The most threads of all workers together, where they have a user of their own.
const MAX_THREADS: u64 = 2048;
/// How far it stands back behind the gateway when both want the processor.
const NICE: i32 = 19;

/// What a worker may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of memory of its own; mapped files do not count.
    pub memory: u64,
    /// Seconds of processor time from one call to the next, of all threads together.
    pub processor_time: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory: 1024 * 1024 * 1024, processor_time: 600 }
    }
}

/// Sets the limits.
pub fn set(limits: Limits, has_own_user: bool) {
    limit(Resource::Core, 0);
    limit(Resource::Nofile, MAX_FILES);
    limit(Resource::Fsize, MAX_FILE_SIZE);
    limit(Resource::Data, limits.memory);
    if has_own_user {
        // It counts everything of the user: with the gateway's own, the gateway would hit the limit.
        limit(Resource::Nproc, MAX_THREADS);
    }
    renew_processor_time(limits);
    // Where it cannot stand back, it is no worse than others.
    let _ = rustix::process::nice(NICE);
}

/// Lowers a limit; one that is lower already stays.
fn limit(resource: Resource, most: u64) {
    let maximum = getrlimit(resource).maximum.map_or(most, |maximum| maximum.min(most));
    // A system without the limit has other ways to bound a process.
    let _ = setrlimit(resource, Rlimit { current: Some(maximum), maximum: Some(maximum) });
}

/// Gives the worker processor time anew: a long delivery may use much in all, a single call may not. Past the limit the
/// system ends the worker.
pub fn renew_processor_time(limits: Limits) {
    let Ok(used) = getrusage(UsageWho::RUSAGE_SELF) else { return };
    let used = u64::try_from(used.user_time().tv_sec() + used.system_time().tv_sec()).unwrap_or_default();
    let maximum = getrlimit(Resource::Cpu).maximum;
    let most = used.saturating_add(limits.processor_time).min(maximum.unwrap_or(u64::MAX));
    let _ = setrlimit(Resource::Cpu, Rlimit { current: Some(most), maximum });
}
