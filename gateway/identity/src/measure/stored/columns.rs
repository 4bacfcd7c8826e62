//! Columns of a row group, while they are collected.

use super::chunk::Column;
use super::encoding::{width, write_differences, write_packed, write_run};
use super::present::{Present, Values};
use arrow_buffer::BooleanBuffer;
use parquet::basic::Encoding;
use parquet::file::statistics::Statistics;

/// Identities, in their order.
#[derive(Default)]
pub(super) struct Identities {
    distinct: Vec<u64>,
    /// Rows of each.
    rows: Vec<u32>,
}

impl Identities {
    #[inline]
    pub(super) fn append(&mut self, key: u64) {
        match (self.distinct.last(), self.rows.last_mut()) {
            (Some(last), Some(rows)) if *last == key => *rows += 1,
            _ => {
                self.distinct.push(key);
                self.rows.push(1);
            }
        }
    }

    /// How many distinct ones there are.
    pub(super) fn count(&self) -> usize {
        self.distinct.len()
    }

    /// The first and the last.
    pub(super) fn ends(&self) -> Option<(u64, u64)> {
        self.distinct.first().copied().zip(self.distinct.last().copied())
    }

    /// Each once, and a run of its number for its rows; or the number in each row, where runs would take more.
    pub(super) fn finish(self) -> Column {
        let bits = width(self.distinct.len().saturating_sub(1) as u64);
        let rows: u32 = self.rows.iter().sum();
        let numbered = || (0_u64..).zip(&self.rows);
        let mut values = vec![bits as u8];
        // A run takes its length and its number.
        let of_runs = self.rows.len() as u64 * u64::from(1 + bits.div_ceil(8));
        if of_runs <= u64::from(rows) * u64::from(bits) / 8 {
            numbered().for_each(|(number, rows)| write_run(number, u64::from(*rows), bits, &mut values));
        } else {
            let each = numbered().flat_map(|(number, rows)| std::iter::repeat_n(number, *rows as usize));
            write_packed(each, rows as usize, bits, &mut values);
        }
        // Statistics are of the integers with the same bits.
        let ends = self.ends().map(|(first, last)| (first.cast_signed(), last.cast_signed()));
        Column {
            present: Present::all(rows),
            dictionary: Some((self.distinct.iter().flat_map(|key| key.to_le_bytes()).collect(), self.distinct.len())),
            encoding: Encoding::RLE_DICTIONARY,
            values,
            statistics: ends.map(|(first, last)| Statistics::int64(Some(first), Some(last), None, Some(0), false)),
        }
    }
}

/// Integers, of which some may be absent.
pub(super) type Integers = Values<i64>;

impl Integers {
    pub(super) fn finish(self) -> Column {
        let mut values = Vec::with_capacity(8 * self.values.len());
        write_differences(&self.values, &mut values);
        Column {
            present: self.present,
            dictionary: None,
            encoding: Encoding::DELTA_BINARY_PACKED,
            values,
            statistics: None,
        }
    }
}

/// What is or is not so, or unknown.
pub(super) type Flags = Values<bool>;

impl Flags {
    pub(super) fn finish(self) -> Column {
        let bits = BooleanBuffer::collect_bool(self.values.len(), |row| self.values[row]);
        Column {
            present: self.present,
            dictionary: None,
            encoding: Encoding::PLAIN,
            values: bits.values()[..self.values.len().div_ceil(8)].to_vec(),
            statistics: None,
        }
    }
}
