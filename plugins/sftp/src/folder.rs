//! A folder of the server, as far as files are delivered into it.

use entente_destination::DestinationError;
use futures::stream::{self, StreamExt, TryStreamExt};
use russh_sftp::client::error::Error;
use russh_sftp::protocol::{FileAttributes, OpenFlags, Packet, StatusCode};

use crate::connection::Connection;

/// The bytes of a file in one request, which every server takes.
/// <https://datatracker.ietf.org/doc/html/draft-ietf-secsh-filexfer-02#section-3>
const PIECE: usize = 32 * 1024;
/// How many requests of a file wait for their answers.
const UNDERWAY: usize = 16;

/// A folder that is there.
pub struct Folder {
    connection: Connection,
    path: String,
}

impl Folder {
    /// Looks for the folder `path`, whose last character is not a slash.
    ///
    /// # Errors
    /// `Config` if it is not there; else as [`Folder::write`].
    pub async fn find(connection: Connection, path: &str) -> Result<Self, DestinationError> {
        let what = "the folder cannot be opened";
        connection.sftp.stat(path).await.map_err(failed(what))?;
        Ok(Self { connection, path: path.to_owned() })
    }

    /// The folder `name` in this one, which is made if it is not there.
    ///
    /// # Errors
    /// As [`Folder::write`].
    pub async fn below(self, name: &str) -> Result<Self, DestinationError> {
        let path = self.at(name);
        if self.size(name).await?.is_none() {
            let made = self.connection.sftp.mkdir(&path, FileAttributes::empty()).await;
            made.map_err(failed("a folder cannot be made"))?;
        }
        Ok(Self { path, ..self })
    }

    /// Whether the connection is known to be lost.
    pub fn is_lost(&self) -> bool {
        self.connection.is_lost()
    }

    /// Writes a whole file under a name of its own and gives it its `name`, replacing what had it.
    ///
    /// # Errors
    /// `Config` where the server does not let the user, `Transient` where the connection is lost, no answer comes in
    /// time or the server fails, `Permanent` where it does not know what is asked. Nothing has the name then that
    /// did not have it before, but on servers that cannot replace a file nothing may have it.
    pub async fn write(&self, name: &str, bytes: &[u8]) -> Result<(), DestinationError> {
        let aside = format!(".{name}.tmp");
        let outcome = match self.write_aside(&aside, bytes).await {
            Ok(()) => self.rename(&aside, name).await,
            Err(error) => Err(error),
        };
        if outcome.as_ref().is_err_and(|error| !error.is_retried()) {
            // Nobody comes back to it; where it cannot be removed either, the error stays the first one.
            let _ = self.remove(&aside).await;
        }
        outcome
    }

    async fn write_aside(&self, aside: &str, bytes: &[u8]) -> Result<(), DestinationError> {
        let (sftp, failed) = (&self.connection.sftp, failed("the file cannot be written"));
        // A new file rather than the old one cut to nothing: a connection that was lost may still be writing to that.
        self.remove(aside).await?;
        let flags = OpenFlags::CREATE | OpenFlags::TRUNCATE | OpenFlags::WRITE;
        let handle = sftp.open(self.at(aside), flags, FileAttributes::empty()).await.map_err(&failed)?.handle;
        let piece = |offset: usize| bytes[offset..bytes.len().min(offset + PIECE)].to_vec();
        stream::iter((0..bytes.len()).step_by(PIECE))
            .map(|offset| sftp.write(&handle, offset as u64, piece(offset)))
            .buffer_unordered(UNDERWAY)
            .try_for_each(async |_| Ok(()))
            .await
            .map_err(&failed)?;
        if self.connection.syncs {
            sftp.fsync(&handle).await.map_err(&failed)?;
        }
        sftp.close(handle).await.map(drop).map_err(&failed)
    }

    /// The bytes of the file with this name, up to `most`, or `None` if there is none.
    ///
    /// # Errors
    /// As [`Folder::write`].
    pub async fn read(&self, name: &str, most: usize) -> Result<Option<Vec<u8>>, DestinationError> {
        let (sftp, failed) = (&self.connection.sftp, failed("the file cannot be read"));
        let opened = sftp.open(self.at(name), OpenFlags::READ, FileAttributes::empty()).await;
        let Some(handle) = found(opened).map_err(&failed)?.map(|opened| opened.handle) else { return Ok(None) };
        let mut bytes = Vec::new();
        while bytes.len() < most {
            match sftp.read(&handle, bytes.len() as u64, (most - bytes.len()) as u32).await {
                Ok(read) if read.data.is_empty() => break,
                Ok(read) => bytes.extend(read.data),
                Err(Error::Status(status)) if status.status_code == StatusCode::Eof => break,
                Err(error) => return Err(failed(error)),
            }
        }
        sftp.close(handle).await.map_err(&failed)?;
        Ok(Some(bytes))
    }

    /// The size of the file with this name (0 where the server does not say), or `None` if there is none.
    ///
    /// # Errors
    /// As [`Folder::write`].
    pub async fn size(&self, name: &str) -> Result<Option<u64>, DestinationError> {
        let attributes = found(self.connection.sftp.stat(self.at(name)).await);
        Ok(attributes.map_err(failed("the folder cannot be read"))?.map(|found| found.attrs.size.unwrap_or_default()))
    }

    /// Removes a file, if it is there.
    ///
    /// # Errors
    /// As [`Folder::write`].
    pub async fn remove(&self, name: &str) -> Result<(), DestinationError> {
        let removed = found(self.connection.sftp.remove(self.at(name)).await);
        removed.map(drop).map_err(failed("a file cannot be removed"))
    }

    async fn rename(&self, old: &str, new: &str) -> Result<(), DestinationError> {
        let (sftp, paths) = (&self.connection.sftp, (self.at(old), self.at(new)));
        let renamed = if self.connection.replaces {
            let paths = russh_sftp::ser::to_bytes(&paths).map(|bytes| bytes.to_vec()).map_err(Error::from);
            match paths {
                Ok(paths) => done(sftp.extended("posix-rename@openssh.com", paths).await),
                Err(error) => Err(error),
            }
        } else {
            self.remove(new).await?;
            sftp.rename(paths.0, paths.1).await.map(drop)
        };
        renamed.map_err(|error| match error {
            Error::Status(status) if status.status_code == StatusCode::NoSuchFile => {
                DestinationError::Transient("the file was moved away while it was written".to_owned())
            }
            other => failed("the file cannot be given its name")(other),
        })
    }

    fn at(&self, name: &str) -> String {
        format!("{}/{name}", self.path)
    }
}

/// `None` where there is no such file.
fn found<T>(answer: Result<T, Error>) -> Result<Option<T>, Error> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(Error::Status(status)) if status.status_code == StatusCode::NoSuchFile => Ok(None),
        Err(error) => Err(error),
    }
}

/// An answer that is a status.
fn done(answer: Result<Packet, Error>) -> Result<(), Error> {
    match answer? {
        Packet::Status(status) if status.status_code == StatusCode::Ok => Ok(()),
        Packet::Status(status) => Err(Error::Status(status)),
        _ => Err(Error::UnexpectedPacket),
    }
}

/// What an error of SFTP means for the delivery: what somebody can repair while it waits is tried again, a folder that
/// may not be entered is for the account or whoever runs the server to change. What the server says itself is not told:
/// it may repeat what it was sent.
fn failed(what: &'static str) -> impl Fn(Error) -> DestinationError {
    move |error| match error {
        Error::Status(status) => match status.status_code {
            code @ (StatusCode::NoSuchFile | StatusCode::PermissionDenied) => {
                DestinationError::Config(format!("{what}: {code}"))
            }
            code @ (StatusCode::BadMessage | StatusCode::OpUnsupported) => {
                DestinationError::Permanent(format!("{what}: {code}"))
            }
            code => DestinationError::Transient(format!("{what}: {code}")),
        },
        Error::Timeout => DestinationError::Transient(format!("{what}: the server did not answer in time")),
        _ => DestinationError::Transient(format!("{what}: the connection was lost")),
    }
}

#[cfg(test)]
mod tests {
    use russh_sftp::protocol::Status;

    use super::*;

    #[test]
    fn every_status_has_its_kind_and_what_the_server_says_is_not_told() {
        for (status_code, kind) in [
            (StatusCode::Eof, "TRANSIENT"),
            (StatusCode::NoSuchFile, "CONFIG"),
            (StatusCode::PermissionDenied, "CONFIG"),
            (StatusCode::Failure, "TRANSIENT"),
            (StatusCode::BadMessage, "PERMANENT"),
            (StatusCode::OpUnsupported, "PERMANENT"),
        ] {
            let (error_message, language_tag) = ("s3cret".to_owned(), String::new());
            let error = failed("x")(Error::Status(Status { id: 1, status_code, error_message, language_tag }));
            assert_eq!(error.kind(), kind, "{status_code}");
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
        assert_eq!(failed("x")(Error::Timeout).kind(), "TRANSIENT");
        assert_eq!(
            failed("x")(Error::UnexpectedBehavior("s3cret".to_owned())).to_string(),
            "x: the connection was lost"
        );
    }
}
