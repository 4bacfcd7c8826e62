//! The values of a column whose rows need not have one, and which rows do, while they are collected: nearly always all or none.

/// The values that there are, and which rows have them.
pub(super) struct Values<T> {
    pub(super) values: Vec<T>,
    pub(super) present: Present,
}

impl<T> Values<T> {
    /// For about so many rows.
    pub(super) fn new(rows: usize) -> Self {
        Self { values: Vec::with_capacity(rows), present: Present::default() }
    }

    #[inline]
    pub(super) fn append(&mut self, value: Option<T>) {
        self.present.append(value.is_some());
        if let Some(value) = value {
            self.values.push(value);
        }
    }
}

/// Rows, in order.
#[derive(Default)]
pub(super) struct Present {
    rows: u32,
    /// Those without a value.
    absent: Vec<u32>,
}

impl Present {
    /// So many rows, all of which have one.
    pub(super) fn all(rows: u32) -> Self {
        Self { rows, absent: Vec::new() }
    }

    #[inline]
    fn append(&mut self, present: bool) {
        if !present {
            self.absent.push(self.rows);
        }
        self.rows += 1;
    }

    pub(super) fn rows(&self) -> u32 {
        self.rows
    }

    /// A bit for each row, the lowest first; none where all have a value.
    pub(super) fn bits(&self) -> Option<Vec<u8>> {
        if self.absent.is_empty() {
            return None;
        }
        let mut bits = vec![0xFF; self.rows.div_ceil(8) as usize];
        for row in &self.absent {
            bits[*row as usize / 8] &= !(1 << (row % 8));
        }
        Some(bits)
    }
}
