//! Bytes on their way from the network to the disk.

use crate::gateway::Gateway;
use axum::body::Body;
use bytes::Bytes;
use entente_domain::UploadId;
use entente_identity::encrypted::EncryptedWriter;
use futures::StreamExt;
use std::{
    io, mem,
    time::{Duration, Instant},
};
use tokio::time::timeout;

/// So many bytes are written together: a thread is held while it writes, and not while a slow sender sends.
const AT_ONCE: usize = 64 << 10;
/// A sender that is silent for so long has gone; whoever comes back for it must not find it still sending.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often it is noted how much came.
const NOTED_EACH: Duration = Duration::from_secs(2);

/// Which bytes of a file are expected.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    /// No more than so many of the whole file.
    pub until: u64,
    /// How many the file has, where that is known.
    pub size: Option<u64>,
    /// Whether the file ends where the body ends, if its size is not known.
    pub to_the_end: bool,
}

/// How a body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// All of it came.
    Whole,
    /// It broke off.
    BrokenOff,
    /// It brought more than was expected: whatever was sent is not the file that was meant.
    TooLarge,
}

/// What came of a body.
pub struct Received {
    /// Holds the file until what came is noted.
    pub writer: EncryptedWriter,
    /// How the body ended.
    pub end: End,
}

/// Writes a body to its file. What came is kept when the body breaks off; when more came than may, nothing is.
pub async fn receive(
    gateway: &Gateway,
    id: UploadId,
    mut writer: EncryptedWriter,
    body: Body,
    expected: Expected,
) -> io::Result<Received> {
    let mut body = body.into_data_stream();
    let mut came = writer.bytes();
    let (mut pieces, mut gathered) = (Vec::new(), 0);
    let mut noted = Instant::now();
    let end = loop {
        let piece = tokio::select! {
            () = gateway.stopping().cancelled() => break End::BrokenOff,
            piece = timeout(PATIENCE, body.next()) => piece,
        };
        let piece = match piece {
            Ok(Some(Ok(piece))) => piece,
            Ok(None) => break End::Whole,
            Ok(Some(Err(_))) | Err(_) => break End::BrokenOff,
        };
        came += piece.len() as u64;
        if came > expected.until {
            break End::TooLarge;
        }
        gathered += piece.len();
        pieces.push(piece);
        if gathered >= AT_ONCE {
            let full = mem::take(&mut pieces);
            gathered = 0;
            writer = on_a_thread(move || written(writer, full)).await?;
            if noted.elapsed() >= NOTED_EACH {
                noted = Instant::now();
                note(gateway, id, writer.bytes()).await;
            }
        }
    };
    let writer = on_a_thread(move || ended(written(writer, pieces)?, end, expected)).await?;
    Ok(Received { writer, end })
}

async fn on_a_thread<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

/// Notes how much came, for those who look on.
async fn note(gateway: &Gateway, id: UploadId, bytes: u64) {
    if let Err(error) = gateway.store().upload_received(id, bytes, false).await {
        tracing::warn!(message = "it could not be noted how much of an upload came", %error);
    }
}

fn written(mut writer: EncryptedWriter, pieces: Vec<Bytes>) -> io::Result<EncryptedWriter> {
    for piece in pieces {
        writer.write(&piece)?;
        metrics::counter!("entente_uploaded_bytes_total").increment(piece.len() as u64);
    }
    Ok(writer)
}

fn ended(mut writer: EncryptedWriter, end: End, expected: Expected) -> io::Result<EncryptedWriter> {
    let is_all = match expected.size {
        Some(size) => writer.bytes() == size,
        None => end == End::Whole && expected.to_the_end,
    };
    if end == End::TooLarge {
        writer.begin_again()?;
    } else if is_all {
        writer.finish()?;
    } else {
        writer.keep()?;
    }
    Ok(writer)
}
