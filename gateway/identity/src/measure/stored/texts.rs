//! Columns of texts that repeat, while they are written.

use crate::measure::load::Repeating;
use arrow_array::builder::Int32Builder;
use arrow_array::types::Int32Type;
use arrow_array::{DictionaryArray, StringArray};
use arrow_schema::ArrowError;
use foldhash::HashMap;
use std::sync::Arc;

/// Collects texts, each once for a batch.
#[derive(Default)]
pub(super) struct TextRows {
    /// Texts that have a number.
    numbered: Arc<Vec<String>>,
    /// Where they are among the values of the batch.
    places: Vec<Option<i32>>,
    /// The same for others.
    others: HashMap<String, i32>,
    values: Vec<String>,
    keys: Int32Builder,
}

impl TextRows {
    /// Rows of texts, those with a number in its order.
    pub(super) fn new(numbered: Arc<Vec<String>>) -> Self {
        Self { places: vec![None; numbered.len()], numbered, ..Self::default() }
    }

    /// Adds a text; `false` where its number is not one.
    pub(super) fn append(&mut self, text: Repeating<'_>) -> bool {
        let next = i32::try_from(self.values.len()).unwrap_or(i32::MAX);
        let key = match text {
            Repeating::Absent => None,
            Repeating::Number(number) => {
                let number = number as usize;
                let (Some(text), Some(place)) = (self.numbered.get(number), self.places.get_mut(number)) else {
                    return false;
                };
                if place.is_none() {
                    self.values.push(text.clone());
                }
                Some(*place.get_or_insert(next))
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
        self.keys.append_option(key);
        true
    }

    /// Takes the rows that were added.
    pub(super) fn finish(&mut self) -> Result<DictionaryArray<Int32Type>, ArrowError> {
        self.places.fill(None);
        self.others.clear();
        let values = StringArray::from(std::mem::take(&mut self.values));
        DictionaryArray::try_new(self.keys.finish(), Arc::new(values))
    }
}
