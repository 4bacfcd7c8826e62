//! What the attacks have seen of each subject at each place.

use std::collections::{BTreeMap, BTreeSet};

/// The attack, and which of its looks.
pub type Clue = (&'static str, usize);

pub struct Evidence {
    subjects: usize,
    places: usize,
    seen: BTreeMap<Clue, Vec<f64>>,
}

impl Evidence {
    pub fn new(subjects: usize, places: usize) -> Self {
        Self { subjects, places, seen: BTreeMap::new() }
    }

    /// Takes a number about each of some subjects. What it is worth is for the classifier to learn; it is only brought
    /// to between 0 and 1, from the least to the most that was seen in the same company. Where all are the same, rounding
    /// has hidden the difference: other company will show it.
    pub fn put(&mut self, clue: Clue, place: usize, subjects: &[usize], values: &[f64]) {
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let size = self.subjects * self.places;
        let seen = self.seen.entry(clue).or_insert_with(|| vec![f64::NAN; size]);
        for (subject, value) in subjects.iter().zip(values).filter(|_| most > least) {
            seen[subject * self.places + place] = (value - least) / (most - least);
        }
    }

    pub fn attacks(&self) -> BTreeSet<&'static str> {
        self.seen.keys().map(|(attack, _)| *attack).collect()
    }

    /// The mean over all looks of an attack; NaN where nothing was seen.
    pub fn mean(&self, attack: &str, subject: usize, place: usize) -> f64 {
        let of_attack = self.seen.iter().filter(|((name, _), _)| *name == attack);
        let looks = of_attack.map(|(_, seen)| seen[subject * self.places + place]).filter(|v| !v.is_nan());
        let looks: Vec<f64> = looks.collect();
        looks.iter().sum::<f64>() / looks.len() as f64
    }
}
