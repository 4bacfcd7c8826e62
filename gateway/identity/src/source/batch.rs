//! Parsed rows on their way from the thread that parses to the one that hashes and sorts.

use super::fault::{RowFault, SourceFault};
use super::rows::{MAX_COLUMNS, MAX_ROW_BYTES, RowReader, Shape, field};
use crate::giving_way::GivingWay;

/// A batch is full once it holds this much text; one more row of any length always fits above.
const FULL_TEXT: usize = 512 << 10;
const FULL_ENDS: usize = 64 << 10;

/// The ordinal of a row's audience, or what is wrong with the column that names it.
pub(super) type RowAudience = Result<u16, (usize, RowFault)>;

pub(crate) struct Batch {
    text: Box<[u8]>,
    ends: Box<[usize]>,
    rows: Vec<Span>,
    /// The audience of each row.
    audiences: Vec<RowAudience>,
    first: u64,
    /// The row that is being added field by field, behind those that are complete.
    open: Span,
    open_text: usize,
}

/// A row longer than [`MAX_ROW_BYTES`], or of more than [`MAX_COLUMNS`] fields.
pub(super) struct RowFull;

#[derive(Default)]
struct Span {
    text: usize,
    ends: usize,
    shape: Shape,
}

/// A row inside a batch.
pub(crate) struct BatchRow<'a> {
    text: &'a [u8],
    ends: &'a [usize],
    gap: usize,
    /// 1 is the first below the header.
    pub(crate) number: u64,
    /// Of the first audience until they are named.
    pub(super) audience: RowAudience,
}

impl Batch {
    pub(crate) fn new() -> Self {
        Self {
            text: vec![0; FULL_TEXT + MAX_ROW_BYTES].into_boxed_slice(),
            ends: vec![0; FULL_ENDS + MAX_COLUMNS].into_boxed_slice(),
            rows: Vec::new(),
            audiences: Vec::new(),
            first: 0,
            open: Span::default(),
            open_text: 0,
        }
    }

    /// Begins anew; the next row has this number.
    pub(super) fn clear(&mut self, first: u64) {
        self.rows.clear();
        (self.first, self.open, self.open_text) = (first, Span::default(), 0);
    }

    /// Counts so many rows before its own.
    pub(super) fn number_after(&mut self, rows: u64) {
        self.first += rows;
    }

    /// Whether no more rows should be added.
    pub(super) fn is_full(&self) -> bool {
        self.open.text >= FULL_TEXT || self.open.ends >= FULL_ENDS
    }

    /// Whether it has no rows.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Adds a field to the row that was begun. Until the batch is full there is room for a row of any length.
    pub(super) fn push_field(&mut self, field: &[u8]) -> Result<(), RowFull> {
        let (start, length) = (self.open_text, self.open_text + field.len());
        if length > MAX_ROW_BYTES || self.open.shape.fields == MAX_COLUMNS {
            return Err(RowFull);
        }
        self.text[self.open.text + start..self.open.text + length].copy_from_slice(field);
        self.ends[self.open.ends + self.open.shape.fields] = length;
        self.open_text = length;
        self.open.shape.fields += 1;
        Ok(())
    }

    /// Completes the row that was begun. Gives the bytes of its text.
    pub(super) fn end_row(&mut self) -> usize {
        let ends = self.open.ends + self.open.shape.fields;
        let next = Span { text: self.open.text + self.open_text, ends, shape: Shape::default() };
        self.rows.push(std::mem::replace(&mut self.open, next));
        std::mem::take(&mut self.open_text)
    }

    /// Replaces the batch's rows by the next of the file. `false` when there are none.
    pub(super) fn fill(&mut self, reader: &mut RowReader<'_>) -> Result<bool, SourceFault> {
        self.rows.clear();
        self.first = reader.rows() + 1;
        let (mut text, mut ends, mut giving_way) = (0, 0, GivingWay::default());
        while text < FULL_TEXT && ends < FULL_ENDS {
            let row_ends = &mut self.ends[ends..ends + MAX_COLUMNS];
            let Some(shape) = reader.read_row(&mut self.text[text..], row_ends)? else {
                break;
            };
            let length = shape.fields.checked_sub(1).map_or(0, |last| row_ends[last]);
            self.rows.push(Span { text, ends, shape });
            text += length;
            ends += shape.fields;
            giving_way.row();
        }
        Ok(!self.rows.is_empty())
    }

    /// Notes the audience of each row.
    pub(super) fn name_audiences(
        &mut self,
        mut name: impl FnMut(&BatchRow<'_>) -> Result<RowAudience, SourceFault>,
    ) -> Result<(), SourceFault> {
        self.audiences.clear();
        let mut audiences = std::mem::take(&mut self.audiences);
        audiences.extend(self.rows.iter().map(|_| Ok(0)));
        for (row, audience) in self.rows().zip(&mut audiences) {
            *audience = name(&row)?;
        }
        self.audiences = audiences;
        Ok(())
    }

    /// The rows, in the order of the file.
    pub(crate) fn rows(&self) -> impl Iterator<Item = BatchRow<'_>> {
        let audiences = self.audiences.iter().copied().chain(std::iter::repeat(Ok(0)));
        self.rows.iter().zip(self.first..).zip(audiences).map(|((span, number), audience)| BatchRow {
            text: &self.text[span.text..],
            ends: &self.ends[span.ends..span.ends + span.shape.fields],
            gap: span.shape.gap,
            number,
            audience,
        })
    }
}

impl<'a> BatchRow<'a> {
    /// How many fields it has.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The bytes of a field without its quotes; empty where the row has no such field.
    pub(crate) fn field(&self, column: usize) -> &'a [u8] {
        field(self.text, self.ends, self.gap, column)
    }
}
