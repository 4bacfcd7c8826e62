//! Work over many rows lets those have the core who wait for an answer. Threads in the background have the lowest
//! priority, but a busy kernel may leave a core to them up to its next tick: some milliseconds.

use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Rows between two looks: some 50 microseconds.
const ROWS: u32 = 256;

/// How many are waiting for an answer of this program.
static WAITING: AtomicUsize = AtomicUsize::new(0);

/// Somebody waits for an answer of this program for as long as this is kept.
#[derive(Debug)]
#[must_use]
pub struct Waits(());

impl Waits {
    /// From now on.
    #[expect(clippy::new_without_default, reason = "it counts; nobody should make one by the way")]
    pub fn new() -> Self {
        WAITING.fetch_add(1, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        WAITING.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Counts rows up to the next look.
#[derive(Default)]
pub(crate) struct GivingWay(u32);

impl GivingWay {
    /// One more row is done.
    #[inline(always)]
    pub(crate) fn row(&mut self) {
        self.0 += 1;
        if self.0 == ROWS {
            self.0 = 0;
            give_way();
        }
    }
}

/// Lets others have the core now, where somebody waits.
pub(crate) fn give_way() {
    // To yield for nothing costs: those would take turns that share the work.
    if WAITING.load(Ordering::Relaxed) > 0 {
        thread::yield_now();
    }
}

/// Writes in pieces of some 20 microseconds: nobody else has the core in the midst of a write, however long it is.
pub(crate) struct InPieces<W>(W);

const PIECE: usize = 64 << 10;

impl<W> InPieces<W> {
    pub(crate) fn new(inner: W) -> Self {
        Self(inner)
    }

    pub(crate) fn into_inner(self) -> W {
        self.0
    }
}

impl<W: Write> Write for InPieces<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.0.write(&bytes[..bytes.len().min(PIECE)])?;
        give_way();
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn all_is_written_in_pieces() {
        struct Pieces(Vec<Vec<u8>>);
        impl Write for Pieces {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.push(bytes.to_vec());
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let bytes: Vec<u8> = (0..3 * PIECE + 7).map(|i| i as u8).collect();
        let mut out = InPieces::new(Pieces(Vec::new()));
        out.write_all(&bytes).unwrap();
        let Pieces(pieces) = out.into_inner();
        assert!(pieces.iter().all(|piece| piece.len() <= PIECE));
        assert_eq!(pieces.concat(), bytes);
    }
}
