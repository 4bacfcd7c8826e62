//! Columns of texts that repeat, while they are written.

use crate::measure::load::Repeating;
use arrow_array::types::Int32Type;
use arrow_array::{DictionaryArray, Int32Array, StringArray};
use arrow_schema::ArrowError;
use foldhash::HashMap;
use std::sync::Arc;

/// Collects texts, each once for a batch.
#[derive(Default)]
pub(super) struct TextRows {
    /// Texts that have a number, and where they are among the values of the batch.
    numbered: Vec<(String, Option<i32>)>,
    /// The same for others.
    others: HashMap<String, i32>,
    values: Vec<String>,
    keys: Vec<Option<i32>>,
}

impl TextRows {
    /// Rows of texts, those with a number in its order.
    pub(super) fn new(numbered: Vec<String>) -> Self {
        Self { numbered: numbered.into_iter().map(|text| (text, None)).collect(), ..Self::default() }
    }

    /// Adds a text; `false` where its number is not one.
    pub(super) fn append(&mut self, text: Repeating<'_>) -> bool {
        let next = i32::try_from(self.values.len()).unwrap_or(i32::MAX);
        let key = match text {
            Repeating::Absent => None,
            Repeating::Number(number) => {
                let Some((text, key)) = self.numbered.get_mut(number as usize) else {
                    return false;
                };
                if key.is_none() {
                    self.values.push(text.clone());
                }
                Some(*key.get_or_insert(next))
            }
            Repeating::Text(text) => match self.others.get(text) {
                Some(key) => Some(*key),
                None => {
                    self.values.push(text.to_owned());
                    self.others.insert(text.to_owned(), next);
                    Some(next)
                }
            },
        };
        self.keys.push(key);
        true
    }

    /// Takes the rows that were added.
    pub(super) fn finish(&mut self) -> Result<DictionaryArray<Int32Type>, ArrowError> {
        self.numbered.iter_mut().for_each(|(_, key)| *key = None);
        self.others.clear();
        let values = StringArray::from(std::mem::take(&mut self.values));
        DictionaryArray::try_new(Int32Array::from(std::mem::take(&mut self.keys)), Arc::new(values))
    }
}
