//! Frames between the gateway and a worker: four bytes of length, little-endian, then that many bytes of JSON.

use std::io::{self, Read, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The most bytes of one frame; every row of a batch rejected with its reason fits.
const MAX_FRAME: usize = 64 * 1024 * 1024;
/// The most bytes of one that the gateway reads without letting others go ahead.
const SHORT_FRAME: usize = 64 * 1024;

/// Why a frame could not be read or written.
#[derive(Debug, thiserror::Error)]
pub(super) enum FrameError {
    /// The other side is gone or cannot be reached.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The other side sends something else.
    #[error("{0}")]
    Garbage(&'static str),
}

fn encode(message: &impl Serialize) -> Result<Vec<u8>, FrameError> {
    let mut frame = vec![0; 4];
    serde_json::to_writer(&mut frame, message).map_err(|_| FrameError::Garbage("a message is not JSON"))?;
    let length = frame.len() - 4;
    if length > MAX_FRAME {
        return Err(FrameError::Garbage("a message is too long"));
    }
    let length = u32::try_from(length).map_err(|_| FrameError::Garbage("a message is too long"))?;
    frame[..4].copy_from_slice(&length.to_le_bytes());
    Ok(frame)
}

fn length(header: [u8; 4]) -> Result<u64, FrameError> {
    let length = u32::from_le_bytes(header);
    if length as usize > MAX_FRAME { Err(FrameError::Garbage("a message is too long")) } else { Ok(length.into()) }
}

fn decode<T: DeserializeOwned>(expected: u64, bytes: &[u8]) -> Result<T, FrameError> {
    if bytes.len() as u64 != expected {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    serde_json::from_slice(bytes).map_err(|_| FrameError::Garbage("a message is not the JSON it should be"))
}

/// Sends one message; for the worker.
pub(super) fn send(channel: &mut impl Write, message: &impl Serialize) -> Result<(), FrameError> {
    Ok(channel.write_all(&encode(message)?)?)
}

/// Receives one message; for the worker.
pub(super) fn receive<T: DeserializeOwned>(channel: &mut impl Read) -> Result<T, FrameError> {
    let mut header = [0; 4];
    channel.read_exact(&mut header)?;
    let length = length(header)?;
    // Memory grows with what really comes, not with what was announced.
    let mut bytes = Vec::new();
    channel.take(length).read_to_end(&mut bytes)?;
    decode(length, &bytes)
}

/// Sends one message; for the gateway.
pub(super) async fn send_async(
    channel: &mut (impl AsyncWrite + Unpin),
    message: &impl Serialize,
) -> Result<(), FrameError> {
    Ok(channel.write_all(&encode(message)?).await?)
}

/// Receives one message; for the gateway.
pub(super) async fn receive_async<T: DeserializeOwned + Send + 'static>(
    channel: &mut (impl AsyncRead + Unpin),
) -> Result<T, FrameError> {
    let mut header = [0; 4];
    channel.read_exact(&mut header).await?;
    let length = length(header)?;
    let mut bytes = Vec::new();
    channel.take(length).read_to_end(&mut bytes).await?;
    if bytes.len() <= SHORT_FRAME {
        return decode(length, &bytes);
    }
    let decoded = tokio::task::spawn_blocking(move || decode(length, &bytes));
    decoded.await.unwrap_or(Err(FrameError::Garbage("a message cannot be read")))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[tokio::test]
    async fn both_ways_read_what_both_ways_write() {
        let message = vec!["Luma".to_owned(), "TV Tube".to_owned()];
        let (mut blocking, mut waiting) = (Vec::new(), Vec::new());
        send(&mut blocking, &message).unwrap();
        send_async(&mut waiting, &message).await.unwrap();
        assert_eq!(blocking, waiting);
        assert_eq!(receive::<Vec<String>>(&mut blocking.as_slice()).unwrap(), message);
        assert_eq!(receive_async::<Vec<String>>(&mut blocking.as_slice()).await.unwrap(), message);
        let long = vec!["x".repeat(SHORT_FRAME)];
        send(&mut blocking, &long).unwrap();
        let mut both = blocking.as_slice();
        assert_eq!(receive_async::<Vec<String>>(&mut both).await.unwrap(), message);
        assert_eq!(receive_async::<Vec<String>>(&mut both).await.unwrap(), long);
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        let receive = |bytes: &[u8]| receive::<Vec<String>>(&mut &*bytes);
        assert!(matches!(receive(b""), Err(FrameError::Io(_))));
        assert!(matches!(receive(b"\x05\0\0\0[]"), Err(FrameError::Io(_))));
        assert!(matches!(receive(b"\x02\0\0\0{}"), Err(FrameError::Garbage(_))));
        assert!(matches!(receive(b"y\ny\ny\n"), Err(FrameError::Garbage(_))));
        assert!(matches!(receive(&[0xff; 64]), Err(FrameError::Garbage(_))));
    }
}
