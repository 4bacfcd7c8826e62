//! Which rows of a column have a value, while they are collected: nearly always all or none.

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
    pub(super) fn append(&mut self, present: bool) {
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
