//! Whose membership is in question, and who else is in the victim's files.

use super::Size;
use crate::people::{digest, email, phone};
use rand::{SeedableRng, rngs::StdRng, seq::SliceRandom};
use std::fmt::Write;

/// People that the attacker made members of every visible audience.
pub const SYBILS: u32 = 2_400;
/// People that the attacker made members of the last visible audience alone.
pub const SYBILS_OF_THE_LAST: std::ops::Range<u32> = 10_000..10_320;
/// The audience whose members are delivered to the attacker.
pub const DELIVERED: usize = 0;
/// The audience for which the attacks are run that cost a file or a send for each person.
pub const CONTESTED: usize = 1;

const FIRST_SUBJECT: u32 = 100_000;
const CROWD: std::ops::Range<u32> = 1_000_000..1_006_000;

/// What is asked about a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    /// In which audiences they are; that they are in some is known.
    Audiences,
    /// Whether they are in any; if so, in a private one.
    All,
}

/// A person that the attacker asks about.
pub struct Subject {
    pub person: u32,
    pub aim: Aim,
    /// The attacker knows the truth, and practises on it.
    pub is_known: bool,
    is_in: Vec<bool>,
    is_in_any: bool,
}

/// The victim's people. Audiences are numbered from 0; the number after the last is "all audiences".
pub struct World {
    pub audiences: usize,
    pub subjects: Vec<Subject>,
}

impl World {
    pub fn new(size: &Size, seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let mut subjects = Vec::new();
        for (aim, is_known, count) in [
            (Aim::Audiences, true, size.known_in_audiences),
            (Aim::All, true, size.known_in_all),
            (Aim::Audiences, false, size.audience_targets),
            (Aim::All, false, size.all_targets),
        ] {
            // Half members, half strangers, in each audience.
            let mut halves: Vec<Vec<bool>> =
                (0..=size.audiences).map(|_| (0..count).map(|n| n % 2 == 0).collect()).collect();
            halves.iter_mut().for_each(|half| half.shuffle(&mut random));
            for (n, is_in_any) in halves[size.audiences].iter().enumerate() {
                let listed = |a: usize| aim == Aim::Audiences && a + 1 < size.audiences && halves[a][n];
                subjects.push(Subject {
                    person: 0,
                    aim,
                    is_known,
                    is_in: (0..size.audiences).map(listed).collect(),
                    is_in_any: aim == Aim::Audiences || *is_in_any,
                });
            }
        }
        subjects.shuffle(&mut random);
        (FIRST_SUBJECT..).zip(&mut subjects).for_each(|(person, subject)| subject.person = person);
        Self { audiences: size.audiences, subjects }
    }

    /// The number of "all audiences".
    pub fn all(&self) -> usize {
        self.audiences
    }

    /// What is true, and never shown.
    pub fn is_member(&self, subject: usize, place: usize) -> bool {
        let subject = &self.subjects[subject];
        if place == self.all() { subject.is_in_any } else { subject.is_in[place] }
    }

    /// The places at which a subject's membership is in question: not where it was delivered.
    pub fn questions(&self, subject: usize) -> std::ops::Range<usize> {
        match self.subjects[subject].aim {
            Aim::Audiences => DELIVERED + 1..self.audiences - 1,
            Aim::All => self.all()..self.all() + 1,
        }
    }

    /// The first subjects of each kind, for the attacks that cost much for each person.
    pub fn some(&self, aim: Aim, known: usize, targets: usize) -> Vec<usize> {
        let of = |is_known: bool, count: usize| {
            let wanted = move |s: &usize| self.subjects[*s].aim == aim && self.subjects[*s].is_known == is_known;
            (0..self.subjects.len()).filter(wanted).take(count)
        };
        of(true, known).chain(of(false, targets)).collect()
    }

    /// The victim's file of audiences that others see.
    pub fn visible_csv(&self) -> String {
        let mut file = Rows::new();
        for sybil in 0..SYBILS {
            for audience in 0..self.audiences {
                file.push_with_phone(sybil, &audience_name(audience));
            }
        }
        for sybil in SYBILS_OF_THE_LAST {
            file.push(sybil, &audience_name(self.audiences - 1));
        }
        for subject in &self.subjects {
            for (audience, _) in subject.is_in.iter().enumerate().filter(|(_, is_in)| **is_in) {
                file.push(subject.person, &audience_name(audience));
            }
        }
        // The contested and the last are small, so that few people tip the scales between them.
        for (person, audience) in CROWD.zip((CONTESTED + 1..self.audiences - 1).cycle()) {
            file.push(person, &audience_name(audience));
            file.push(person, &audience_name(DELIVERED));
        }
        file.csv
    }

    /// The victim's file of an audience that nobody sees.
    pub fn private_csv(&self) -> String {
        let mut file = Rows::new();
        self.subjects.iter().filter(|s| s.is_in_any).for_each(|s| file.push(s.person, "Private"));
        CROWD.step_by(3).for_each(|person| file.push(person, "Private"));
        file.csv
    }
}

pub fn audience_name(audience: usize) -> String {
    format!("Audience {audience:02}")
}

/// A file that is being written.
pub struct Rows {
    pub csv: String,
}

impl Rows {
    pub fn new() -> Self {
        Self { csv: "hashed_email,hashed_phone,audience\n".to_owned() }
    }

    pub fn push(&mut self, person: u32, audience: &str) {
        self.push_digest(&digest(&email(person)), audience);
    }

    pub fn push_with_phone(&mut self, person: u32, audience: &str) {
        writeln!(self.csv, "{},{},{audience}", digest(&email(person)), digest(&phone(person))).unwrap();
    }

    pub fn push_digest(&mut self, digest: &str, audience: &str) {
        writeln!(self.csv, "{digest},,{audience}").unwrap();
    }
}
