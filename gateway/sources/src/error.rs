//! What can go wrong with a source.

use std::error::Error;
use std::io;
use std::time::Duration;

/// Why a source was not read. Messages are shown to its account: they begin small, end without a full stop, and hold no
/// secret and no name of a part.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// The settings are wrong; the account has to change them.
    #[error("{0}")]
    Settings(String),
    /// The credentials are refused; the account has to renew them.
    #[error("the credentials are refused: {0}")]
    Credentials(String),
    /// The credentials are good, but do not allow to list or to read.
    #[error("the credentials do not allow it: {0}")]
    NoPermission(String),
    /// The folder, bucket, container or table is not there.
    #[error("there is no such {0}")]
    NoSuchPlace(&'static str),
    /// There are no parts.
    #[error("there is nothing to read: no file fits the prefix and the pattern, or the table is empty")]
    NoParts,
    /// There are more parts than are read.
    #[error("there are more than {0} files; give a prefix or a pattern that fits fewer")]
    TooManyParts(usize),
    /// A part has a name that cannot be asked for.
    #[error("a file has a name that cannot be read, such as one with an empty piece between slashes")]
    Name,
    /// There was no answer in time, or no connection; it may work later.
    #[error("{0}")]
    Unreachable(String),
    /// Too many requests; it may work later.
    #[error("{message}")]
    Busy {
        /// What the service asked to wait.
        after: Option<Duration>,
        /// What happened.
        message: String,
    },
    /// A part changed or went while it was read, or since it was listed; it may work later.
    #[error("a file changed while it was read")]
    ChangedWhileRead,
    /// A part is not what its name or its first bytes say.
    #[error("{0}")]
    Format(&'static str),
    /// A part has more bytes than are read.
    #[error("a file has more than {0} bytes, compression taken off")]
    TooLarge(u64),
    /// Something else, which the account can do nothing about.
    #[error("{0}")]
    Unexpected(String),
    /// What is wrong with one of several parts.
    #[error("file {number}: {error}")]
    InPart {
        /// Its number, by the order of names; 1 for the first.
        number: usize,
        /// What is wrong with it.
        error: Box<SourceError>,
    },
}

impl SourceError {
    /// The same, with the number of the part that it is about, where it is about one that somebody has to change.
    pub fn in_part(self, number: usize) -> Self {
        match self {
            Self::NoPermission(_) | Self::Name | Self::Format(_) => Self::InPart { number, error: Box::new(self) },
            of_all => of_all,
        }
    }

    /// Whether the same may work later, without anybody changing anything.
    pub fn is_retried(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Busy { .. } | Self::ChangedWhileRead)
    }

    /// The kind's stable name.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Settings(_) => "SETTINGS",
            Self::Credentials(_) => "CREDENTIALS",
            Self::NoPermission(_) => "NO_PERMISSION",
            Self::NoSuchPlace(_) => "NO_SUCH_PLACE",
            Self::NoParts => "NO_PARTS",
            Self::TooManyParts(_) => "TOO_MANY_PARTS",
            Self::Name => "NAME",
            Self::Unreachable(_) => "UNREACHABLE",
            Self::Busy { .. } => "BUSY",
            Self::ChangedWhileRead => "CHANGED_WHILE_READ",
            Self::Format(_) => "FORMAT",
            Self::TooLarge(_) => "TOO_LARGE",
            Self::Unexpected(_) => "UNEXPECTED",
            Self::InPart { error, .. } => error.kind(),
        }
    }

    /// The one among an error's causes, as libraries hand it on.
    pub(crate) fn among_causes(error: &(dyn Error + 'static)) -> Option<Self> {
        std::iter::successors(Some(error), |&error| error.source())
            .find_map(|error| error.downcast_ref::<Self>().cloned())
    }
}

impl From<SourceError> for io::Error {
    fn from(error: SourceError) -> Self {
        Self::other(error)
    }
}

impl From<io::Error> for SourceError {
    /// What was handed on, or else a fault of this machine, whose message may hold a path.
    fn from(error: io::Error) -> Self {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Self>().cloned());
        inner.unwrap_or_else(|| match error.kind() {
            io::ErrorKind::PermissionDenied => Self::NoPermission("the gateway may not read it".to_owned()),
            kind => Self::Unexpected(format!("it cannot be read: {kind}")),
        })
    }
}
