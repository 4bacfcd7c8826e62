//! The worker process of a delivery, as the system shows it.

use std::{fs, path::Path};

/// A process that the gateway started and that runs. While deliveries are made, it is a worker of theirs.
pub fn worker_of(gateway: u32) -> Option<u32> {
    // Each thread has children of its own.
    let threads = fs::read_dir(format!("/proc/{gateway}/task")).ok()?;
    let children = threads.filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("children")).ok());
    let children: Vec<u32> =
        children.flat_map(|ids| ids.split(' ').filter_map(|id| id.parse().ok()).collect::<Vec<_>>()).collect();
    children.into_iter().find(|id| runs(*id))
}

/// Whether a process is there and has not ended.
pub fn runs(process: u32) -> bool {
    let stat = fs::read_to_string(Path::new("/proc").join(process.to_string()).join("stat")).unwrap_or_default();
    // After the name in parentheses, which may hold anything, comes the state.
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}
