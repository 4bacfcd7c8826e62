//! What a worker can do from the moment before the plugin is loaded: it gives up what no destination needs, sockets
//! among it, and keeps the files that it was started for. What it gave up it cannot get back.
//!
//! Each part is of its own system: where one has none of it, the worker does without, and the gateway says so in its
//! log when it starts.

mod limits;
mod user;

#[cfg(target_os = "linux")]
mod files;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")))]
mod system_calls;

use std::io;
use std::path::PathBuf;

use entente_destination::Operator;
use serde::{Deserialize, Serialize};
use tracing::{info, warn};

pub use limits::{LEAST_MEMORY, Limits, renew_processor_time};
pub use user::{NoUser, User, UserName};

/// What a worker may reach, beside what every plugin needs to be loaded.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reach {
    /// The folder that it may read and write.
    pub folder: Option<PathBuf>,
    /// The Arrow IPC file with the rows to deliver; an absolute path.
    pub rows: Option<PathBuf>,
}

impl Reach {
    /// What the operator allows an account's destinations, without any rows. Hosts are not among it: connections are
    /// the gateway's to make.
    pub fn of(operator: &Operator) -> Self {
        Self { folder: operator.local_root.clone(), rows: None }
    }
}

/// How a worker is confined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confinement {
    /// What it may reach all the same.
    pub reach: Reach,
    /// Whom it runs as; none: as the gateway does.
    pub user: Option<User>,
    /// What it may use.
    pub limits: Limits,
}

/// What a worker found in force, once it was confined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InForce {
    /// The version of Landlock by which the system keeps it from other files.
    pub landlock: Option<String>,
    /// Whether seccomp keeps it from sockets and from system calls that no destination needs.
    pub seccomp: bool,
    /// The user that it runs as, where that is not the gateway's.
    pub user: Option<User>,
}

/// A worker that cannot be confined as it has to be.
#[derive(Debug, thiserror::Error)]
pub enum NotConfined {
    /// It cannot become the other user.
    #[error("it cannot become the user {user}, which only a gateway that runs as root lets its workers do: {error}")]
    User {
        /// The user.
        user: User,
        /// Why not.
        error: io::Error,
    },
    /// It cannot give up what root may do.
    #[error("it cannot give up its capabilities: {0}")]
    Capabilities(io::Error),
    /// The system has Landlock, which does not do what it should.
    #[error("Landlock: {0}")]
    Landlock(String),
}

/// Confines the calling thread and all that it starts from now on; the worker has no other yet.
///
/// # Errors
/// [`NotConfined`]; what the system does not have at all is none.
pub fn confine(confinement: &Confinement) -> Result<InForce, NotConfined> {
    limits::set(confinement.limits, confinement.user.is_some());
    if let Some(user) = confinement.user {
        user.become_it().map_err(|error| NotConfined::User { user, error })?;
    }
    drop_capabilities().map_err(NotConfined::Capabilities)?;
    Ok(InForce {
        landlock: restrict_files(&confinement.reach)?,
        seccomp: forbid_system_calls(),
        user: confinement.user,
    })
}

/// Without capabilities root is a user like others, who owns much.
#[cfg(target_os = "linux")]
fn drop_capabilities() -> io::Result<()> {
    use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};
    let none = CapabilitySet::empty();
    Ok(set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })?)
}

#[cfg(not(target_os = "linux"))]
fn drop_capabilities() -> io::Result<()> {
    Ok(())
}

#[cfg(target_os = "linux")]
fn restrict_files(reach: &Reach) -> Result<Option<String>, NotConfined> {
    files::restrict(reach).map_err(|error| NotConfined::Landlock(error.to_string()))
}

#[cfg(not(target_os = "linux"))]
fn restrict_files(_: &Reach) -> Result<Option<String>, NotConfined> {
    Ok(None)
}

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")))]
fn forbid_system_calls() -> bool {
    system_calls::forbid().is_ok()
}

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64"))))]
fn forbid_system_calls() -> bool {
    false
}

impl InForce {
    /// Says in the log what keeps plugins within their bounds, and what the system lacks for it.
    pub fn tell(&self) {
        let user = self.user.map_or_else(|| "the gateway's".to_owned(), |user| user.to_string());
        info!(message = "plugins are confined", landlock = ?self.landlock, seccomp = self.seccomp, user);
        if self.landlock.is_none() {
            warn!(
                message = "this system has no Landlock (Linux 5.13 or later): plugins can read and write every file that \
                           their user can; allow only those that you trust, and set `worker_user`"
            );
        }
        if !self.seccomp {
            warn!(
                message = "this system has no seccomp: plugins can start processes, connect wherever this machine \
                           can and use every system call that their user can; allow only those that you trust, and set \
                           `worker_user`"
            );
        }
    }
}
