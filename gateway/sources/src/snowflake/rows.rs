//! The rows of a partition, one after the other, out of a JSON object that comes piece by piece: the arrays in the
//! array `data` of it. Of everything else only the nesting is looked at.

use crate::error::SourceError;

/// The longest row.
const MOST_ROW_BYTES: usize = 16 << 20;
/// As much of a name as tells it from all others.
const MOST_NAME_BYTES: usize = 8;

/// Where in the object the reader is.
#[derive(Debug, Default)]
pub struct Rows {
    /// Arrays and objects that are open.
    depth: usize,
    in_string: bool,
    is_escaped: bool,
    /// The text that was read last in the outermost object, as it is written there.
    name: Vec<u8>,
    in_data: bool,
    is_over: bool,
    row: Vec<u8>,
}

impl Rows {
    /// Reads on, and gives each row that is whole, as JSON.
    ///
    /// # Errors
    /// Those of `take`; `Format` for a row that is too long; `Unexpected` for what is no such object.
    pub fn read(
        &mut self,
        piece: &[u8],
        mut take: impl FnMut(&[u8]) -> Result<(), SourceError>,
    ) -> Result<(), SourceError> {
        let mut row_from = self.in_row().then_some(0);
        for (at, byte) in piece.iter().enumerate() {
            let was_in_row = self.in_row();
            self.step(*byte)?;
            match (was_in_row, self.in_row()) {
                (false, true) => row_from = Some(at),
                (true, false) => {
                    self.keep(&piece[row_from.take().unwrap_or(0)..=at])?;
                    take(&self.row)?;
                    self.row.clear();
                }
                _ => {}
            }
        }
        match row_from {
            Some(from) => self.keep(&piece[from..]),
            None => Ok(()),
        }
    }

    /// Whether the array of rows was read to its end.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    fn in_row(&self) -> bool {
        self.in_data && self.depth > 2
    }

    fn keep(&mut self, piece: &[u8]) -> Result<(), SourceError> {
        if self.row.len() + piece.len() > MOST_ROW_BYTES {
            return Err(SourceError::Format("a row has more than 16 MiB"));
        }
        self.row.extend_from_slice(piece);
        Ok(())
    }

    fn step(&mut self, byte: u8) -> Result<(), SourceError> {
        if self.in_string {
            let ends = byte == b'"' && !self.is_escaped;
            self.in_string = !ends;
            self.is_escaped = byte == b'\\' && !self.is_escaped;
            if !ends && self.depth == 1 && self.name.len() < MOST_NAME_BYTES {
                self.name.push(byte);
            }
            return Ok(());
        }
        match byte {
            b'"' => {
                self.in_string = true;
                if self.depth == 1 {
                    self.name.clear();
                }
            }
            b'[' | b'{' => {
                self.depth += 1;
                self.in_data |= self.depth == 2 && byte == b'[' && self.name == b"data";
            }
            b']' | b'}' => {
                self.depth = self.depth.checked_sub(1).ok_or_else(strange)?;
                if self.in_data && self.depth == 1 {
                    (self.in_data, self.is_over) = (false, true);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// What it means that an answer is none of the API. The reader's own message may quote what it read.
pub fn strange() -> SourceError {
    SourceError::Unexpected("Snowflake did not answer as its documentation says".to_owned())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn read(text: &[u8], size: usize) -> Result<(Vec<Value>, bool), SourceError> {
        let (mut rows, mut read) = (Rows::default(), Vec::new());
        for piece in text.chunks(size) {
            rows.read(piece, |row| {
                read.push(serde_json::from_slice(row).map_err(|_| strange())?);
                Ok(())
            })?;
        }
        Ok((read, rows.is_over()))
    }

    #[test]
    fn rows_are_those_of_the_outermost_data() {
        for (text, rows) in [
            (r#"{"data":[["a",null],["b]","\"}"]]}"#, json!([["a", null], ["b]", "\"}"]])),
            (
                r#"{"resultSetMetaData":{"data":[["x"]]},"code":"data","data" : [ ["a"] ] , "stats":[["y"]]}"#,
                json!([["a"]]),
            ),
            (r#"{"data":[]}"#, json!([])),
            (r#"{"data\\":[["x"]],"data":[["a"]],"datas":[["z"]]}"#, json!([["a"]])),
        ] {
            for size in [1, 2, 7, 1000] {
                assert_eq!(read(text.as_bytes(), size).unwrap(), (rows.as_array().unwrap().clone(), true), "{text}");
            }
        }
        for none in [r#"{"data":null}"#, r#"{"data":[["a"]"#, "<html>", "[[[\"a\"]]]", ""] {
            assert!(!read(none.as_bytes(), 3).unwrap().1, "{none}");
        }
        assert!(read(b"]", 1).is_err());
    }

    #[test]
    fn a_row_is_of_a_bounded_size() {
        let mut rows = Rows::default();
        let mut read = |piece: &[u8]| rows.read(piece, |_| Ok(()));
        read(b"{\"data\":[[\"").unwrap();
        let told = (0..17).find_map(|_| read(&vec![b'a'; 1 << 20]).err());
        assert_eq!(told.unwrap().kind(), "FORMAT");
    }

    proptest! {
        #[test]
        fn rows_come_back_in_any_pieces(
            rows in vec(vec(proptest::option::of("\\PC{0,9}|[\\[\\]{}\"\\\\,\n]{0,5}"), 1..4), 0..6),
            size in 1..40usize,
        ) {
            let text = json!({"code": "090001", "data": rows, "message": "]]}"}).to_string();
            let (read, is_over) = read(text.as_bytes(), size).unwrap();
            prop_assert!(is_over);
            prop_assert_eq!(json!(read), json!(rows));
        }

        #[test]
        fn hostile_bytes_are_read_or_told(text in "[\\[\\]{}\"\\\\:,a]{0,60}", size in 1..9usize) {
            let _ = read(format!("{{\"data\":[{text}").as_bytes(), size);
        }
    }
}
