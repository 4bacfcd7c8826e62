//! The content of a part in pieces: one is written to the disk while the next is made. Their room is used again for the
//! next part, because asking the system for some megabytes for each takes as long as filling them.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::mpsc::Sender;

/// Bytes of a piece, roughly: few enough to stay close to the processor.
const PIECE_BYTES: usize = 256 * 1024;

/// A piece that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece(Arc<Vec<u8>>);

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// The pieces of a part, in order, and room for further ones.
#[derive(Debug, Default)]
pub struct Content {
    pieces: Vec<Piece>,
    room: Vec<Vec<u8>>,
}

impl Content {
    /// Takes what is written as further pieces, and passes each on as soon as it is full.
    pub fn filling(&mut self, to: Sender<Piece>) -> Filling<'_> {
        Filling { piece: self.room.pop().unwrap_or_default(), content: self, to }
    }

    /// The pieces, in order.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// Forgets the pieces, and keeps the room of those that nobody else has.
    pub fn clear(&mut self) {
        let empty = |mut piece: Vec<u8>| {
            piece.clear();
            piece
        };
        self.room.extend(self.pieces.drain(..).filter_map(|piece| Arc::into_inner(piece.0)).map(empty));
    }
}

/// Content that is being made.
pub struct Filling<'a> {
    content: &'a mut Content,
    piece: Vec<u8>,
    to: Sender<Piece>,
}

impl Filling<'_> {
    /// Passes on what is left.
    ///
    /// # Errors
    /// `BrokenPipe` where nobody takes it.
    pub fn end(mut self) -> io::Result<()> {
        self.pass_on()
    }

    fn pass_on(&mut self) -> io::Result<()> {
        let room = self.content.room.pop().unwrap_or_default();
        let piece = Piece(Arc::new(std::mem::replace(&mut self.piece, room)));
        self.content.pieces.push(piece.clone());
        self.to.send(piece).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for Filling<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE_BYTES {
            self.pass_on()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn pieces_are_passed_on_in_order_and_their_room_is_used_again() {
        let mut content = Content::default();
        for _ in 0..2 {
            let (to, from) = channel();
            let mut filling = content.filling(to);
            let expected: Vec<u8> = (0..PIECE_BYTES * 5 / 2).map(|place| (place % 251) as u8).collect();
            for bytes in expected.chunks(1000) {
                filling.write_all(bytes).unwrap();
            }
            filling.end().unwrap();
            let (kept, passed) = (content.pieces().to_vec(), from.iter().collect::<Vec<_>>());
            assert_eq!((kept.len(), &kept), (3, &passed));
            assert_eq!(passed.iter().flat_map(|piece| piece.as_ref().to_vec()).collect::<Vec<_>>(), expected);
            drop((kept, passed));
            content.clear();
            assert_eq!((content.pieces().len(), content.room.len()), (0, 3));
        }
    }

    #[test]
    fn making_ends_where_nobody_takes_it() {
        let mut content = Content::default();
        let mut filling = content.filling(channel().0);
        assert_eq!(filling.write_all(&[0; PIECE_BYTES]).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}
