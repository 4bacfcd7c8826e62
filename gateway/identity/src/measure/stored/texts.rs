//! Columns of texts that repeat, while they are collected.

use super::chunk::Column;
use super::encoding::{width, write_packed};
use super::present::Values;
use crate::measure::load::Repeating;
use foldhash::HashMap;
use parquet::basic::Encoding;
use std::sync::Arc;

/// Collects texts, each once for a row group.
pub(super) struct TextRows {
    /// Texts that have a number. Threads that read the same text gave it several.
    numbered: Arc<Vec<String>>,
    /// Where they are among the distinct ones, as far as they were met.
    places: Vec<Option<u32>>,
    distinct: Distinct,
    /// Which text it is.
    rows: Values<u32>,
}

/// Distinct texts.
#[derive(Default)]
struct Distinct {
    /// Each behind its length.
    bytes: Vec<u8>,
    places: HashMap<Box<str>, u32>,
}

impl Distinct {
    /// Where a text is, which may be new.
    fn place(&mut self, text: &str) -> u32 {
        if let Some(place) = self.places.get(text) {
            return *place;
        }
        let place = self.places.len() as u32;
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        self.bytes.extend_from_slice(&length.to_le_bytes());
        self.bytes.extend_from_slice(text.as_bytes());
        self.places.insert(text.into(), place);
        place
    }
}

impl TextRows {
    /// For about so many rows of texts, those with a number in its order.
    pub(super) fn new(numbered: Arc<Vec<String>>, rows: usize) -> Self {
        Self { places: vec![None; numbered.len()], numbered, distinct: Distinct::default(), rows: Values::new(rows) }
    }

    /// Adds a text; `false` where its number is not one.
    #[inline]
    pub(super) fn append(&mut self, text: Repeating<'_>) -> bool {
        let place = match text {
            Repeating::Absent => None,
            Repeating::Number(number) => {
                let number = number as usize;
                let (Some(text), Some(place)) = (self.numbered.get(number), self.places.get_mut(number)) else {
                    return false;
                };
                Some(*place.get_or_insert_with(|| self.distinct.place(text)))
            }
            Repeating::Text(text) => Some(self.distinct.place(text)),
        };
        self.rows.append(place);
        true
    }

    pub(super) fn finish(self) -> Column {
        let count = self.distinct.places.len();
        let bits = width(count.saturating_sub(1) as u64);
        let mut values = vec![bits as u8];
        let Values { values: places, present } = self.rows;
        write_packed(places.iter().map(|place| u64::from(*place)), places.len(), bits, &mut values);
        Column {
            present,
            dictionary: Some((self.distinct.bytes, count)),
            encoding: Encoding::RLE_DICTIONARY,
            values,
            statistics: None,
        }
    }
}
