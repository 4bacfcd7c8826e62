//! The user that workers run as.

use std::fmt;
use std::io;

use nix::unistd::{Gid, Uid};
use serde::{Deserialize, Serialize};

/// A user as the setting `worker_user` names it: by name or by id.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum UserName {
    /// By id.
    Id(u32),
    /// By name, or by an id that is written as a text; empty: nobody in particular.
    Name(String),
}

/// There is no such user.
#[derive(Debug, thiserror::Error)]
#[error("setting `worker_user`: this system has no user `{0}`")]
pub struct NoUser(String);

/// A user with the group that it has by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The user's id.
    pub uid: u32,
    /// The group's id.
    pub gid: u32,
}

impl fmt::Display for User {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.uid, self.gid)
    }
}

impl UserName {
    /// The user; none where none is named.
    ///
    /// # Errors
    /// [`NoUser`] where the system does not know it.
    pub fn find(&self) -> Result<Option<User>, NoUser> {
        let (named, found) = match self {
            Self::Name(name) if name.is_empty() => return Ok(None),
            Self::Name(name) => match name.parse() {
                Ok(id) => (name.clone(), nix::unistd::User::from_uid(Uid::from_raw(id))),
                Err(_) => (name.clone(), nix::unistd::User::from_name(name)),
            },
            Self::Id(id) => (id.to_string(), nix::unistd::User::from_uid(Uid::from_raw(*id))),
        };
        let user = found.ok().flatten().ok_or(NoUser(named))?;
        Ok(Some(User { uid: user.uid.as_raw(), gid: user.gid.as_raw() }))
    }
}

impl User {
    /// Becomes this user for good, in no other group than its own.
    ///
    /// # Errors
    /// Those of the system: only root may.
    #[cfg(target_os = "linux")]
    pub fn become_it(self) -> io::Result<()> {
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        if Uid::effective() == uid && Uid::current() == uid {
            return Ok(());
        }
        nix::unistd::setgroups(&[])?;
        nix::unistd::setresgid(gid, gid, gid)?;
        nix::unistd::setresuid(uid, uid, uid)?;
        // The system keeps a process that changed its user from its own files in /proc, where the plugin is loaded from.
        Ok(rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::Dumpable)?)
    }

    /// Becomes this user for good.
    ///
    /// # Errors
    /// Those of the system: only root may.
    #[cfg(not(target_os = "linux"))]
    pub fn become_it(self) -> io::Result<()> {
        nix::unistd::setgid(Gid::from_raw(self.gid))?;
        Ok(nix::unistd::setuid(Uid::from_raw(self.uid))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_name_and_id() {
        let root = Some(User { uid: 0, gid: 0 });
        for name in [UserName::Id(0), UserName::Name("0".to_owned()), UserName::Name("root".to_owned())] {
            assert_eq!(name.find().ok(), Some(root), "{name:?}");
        }
        assert_eq!(UserName::Name(String::new()).find().ok(), Some(None));
        for name in [UserName::Id(3_999_999_999), UserName::Name("nobody here".to_owned())] {
            assert!(name.find().is_err(), "{name:?}");
        }
    }
}
