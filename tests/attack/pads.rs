//! Audiences of people whom the attacker knows, to lift a question over the threshold and to tip scales.

use super::world::{Rows, SYBILS, SYBILS_OF_THE_LAST};
use std::ops::Range;

pub const PADS: usize = 3;
/// This one has phones too: the shares of two match keys are read with it.
pub const WITH_PHONES: usize = PADS - 1;
const PAD: u32 = 1_400;
/// People who nearly reach the threshold.
pub const BASES: [Range<u32>; 3] = [0..920, 1_130..2_050, 1_480..2_400];
/// They lift the base to the threshold.
pub const FILLERS: Ladder = Ladder { name: "filler", tens: 920..1_100, ones: 1_100..1_130 };
/// They tip the scales between the contested and the last audience.
pub const WEIGHTS: Ladder =
    Ladder { name: "weight", tens: SYBILS_OF_THE_LAST.start..10_290, ones: 10_290..SYBILS_OF_THE_LAST.end };

pub fn pad(number: usize) -> String {
    format!("pad {number}")
}

pub fn base(number: usize) -> String {
    format!("base {number}")
}

fn pad_people(number: usize) -> impl Iterator<Item = u32> {
    let first = 310 * number as u32;
    (first..first + PAD).map(|person| person % SYBILS)
}

pub fn push_pad(file: &mut Rows, number: usize, name: &str) {
    for person in pad_people(number) {
        if number == WITH_PHONES { file.push_with_phone(person, name) } else { file.push(person, name) }
    }
}

pub fn push_base(file: &mut Rows, number: usize, name: &str) {
    BASES[number].clone().for_each(|person| file.push(person, name));
}

/// A file of them all.
pub fn csv() -> String {
    let mut file = Rows::new();
    (0..PADS).for_each(|number| push_pad(&mut file, number, &pad(number)));
    (0..BASES.len()).for_each(|number| push_base(&mut file, number, &base(number)));
    for ladder in [FILLERS, WEIGHTS] {
        for rung in ladder.all().rungs() {
            rung.people.for_each(|person| file.push(person, &rung.name));
        }
    }
    file.csv
}

/// People who are added ten at a time, then one at a time.
pub struct Ladder {
    name: &'static str,
    tens: Range<u32>,
    ones: Range<u32>,
}

/// So many tens and so many ones of a ladder.
#[derive(Clone)]
pub struct Steps {
    name: &'static str,
    tens: Range<u32>,
    ones: Range<u32>,
}

pub struct Rung {
    pub name: String,
    pub people: Range<u32>,
}

impl Ladder {
    fn all(&self) -> Steps {
        Steps { name: self.name, tens: self.tens.clone(), ones: self.ones.clone() }
    }

    fn steps(&self, tens: u32, ones: u32) -> Steps {
        let (first_ten, first_one) = (self.tens.start, self.ones.start);
        Steps { name: self.name, tens: first_ten..first_ten + 10 * tens, ones: first_one..first_one + ones }
    }

    /// The last steps at which something is not the case, where one person more makes the difference.
    pub async fn climb(&self, is_over: impl AsyncFn(&Steps) -> bool) -> Option<Steps> {
        let tens = bisect(self.tens.len() as u32 / 10, async |tens| is_over(&self.steps(tens, 0)).await).await?;
        let ones = bisect(self.ones.len() as u32, async |ones| is_over(&self.steps(tens, ones)).await).await?;
        Some(self.steps(tens, ones))
    }
}

impl Steps {
    pub fn rungs(&self) -> Vec<Rung> {
        let rung = |size: usize| {
            move |first: u32| Rung {
                name: format!("{} {size} from {first}", self.name),
                people: first..first + size as u32,
            }
        };
        self.tens.clone().step_by(10).map(rung(10)).chain(self.ones.clone().map(rung(1))).collect()
    }

    pub fn one_more(mut self) -> Self {
        self.ones.end += 1;
        self
    }

    pub fn names(&self) -> Vec<String> {
        self.rungs().into_iter().map(|rung| rung.name).collect()
    }
}

/// A number at which it is not the case while it is at the next one.
async fn bisect(most: u32, is_over: impl AsyncFn(u32) -> bool) -> Option<u32> {
    let (mut below, mut over) = (0, most);
    if is_over(below).await || !is_over(over).await {
        return None;
    }
    while over - below > 1 {
        let middle = below.midpoint(over);
        if is_over(middle).await { over = middle } else { below = middle }
    }
    Some(below)
}
