//! The three companies' customer lists.

use super::people::{self, About, ByInterest, Crowd, Dice, Person};
use super::{Company, Demo, WriteRow};

/// One company's list of customers.
#[derive(Debug)]
pub struct CustomerList {
    pub company: Company,
    pub rows: u32,
    pub columns: &'static str,
    people: Crowd,
    /// How many in 1,000 are in a second audience, and how many of those in a third.
    in_more: u32,
    audiences: &'static [Audience],
    identities: Identities,
}

#[derive(Debug)]
struct Audience {
    name: &'static str,
    /// How much it draws those who like each interest best.
    likes: ByInterest,
}

#[derive(Debug, Clone, Copy)]
enum Identities {
    /// An id with this first letter, then e-mail and phone as people typed them.
    Plain(u8),
    /// SHA-256 of e-mail and phone in hex.
    Hashed,
}

pub static LUMA: CustomerList = CustomerList {
    company: Company::Luma,
    rows: 300_000,
    columns: "crm_id,email,phone,audience",
    people: Crowd(&[people::LUMA]),
    in_more: 415,
    audiences: &[
        audience("Running", [40, 8, 14, 12, 10, 4, 6, 4]),
        audience("Trail shoes buyers", [22, 4, 34, 6, 2, 1, 2, 2]),
        audience("Yoga", [6, 44, 8, 10, 1, 4, 5, 8]),
        audience("Gym and training", [10, 8, 5, 42, 12, 2, 4, 2]),
        audience("Football kit", [4, 1, 3, 8, 46, 4, 12, 1]),
        audience("Kids sportswear", [2, 4, 4, 2, 8, 8, 48, 4]),
        audience("Lapsed 12 months", [10, 10, 10, 10, 12, 30, 14, 16]),
        audience("Newsletter", [12, 14, 12, 12, 8, 14, 12, 18]),
    ],
    identities: Identities::Plain(b'C'),
};

pub static TV_TUBE: CustomerList = CustomerList {
    company: Company::TvTube,
    rows: 600_000,
    columns: "hashed_email,hashed_phone,audience",
    people: Crowd(&[people::TV_TUBE]),
    in_more: 480,
    audiences: &[
        audience("Sports fans", [18, 6, 12, 20, 36, 4, 4, 2]),
        audience("Live football", [4, 1, 3, 10, 30, 6, 5, 1]),
        audience("Fitness at home", [14, 34, 6, 22, 2, 2, 3, 3]),
        audience("Outdoor and travel", [14, 8, 40, 3, 2, 4, 4, 10]),
        audience("Documentaries", [10, 10, 14, 5, 4, 8, 5, 24]),
        audience("Comedy nights", [8, 8, 8, 10, 10, 14, 10, 12]),
        audience("Crime drama", [5, 5, 4, 6, 5, 26, 8, 14]),
        audience("Reality evenings", [3, 5, 2, 6, 3, 30, 10, 2]),
        audience("Family films", [6, 6, 6, 4, 6, 12, 34, 8]),
        audience("Kids and cartoons", [2, 2, 2, 1, 3, 6, 40, 2]),
        audience("Cooking shows", [8, 14, 8, 4, 3, 16, 14, 12]),
        audience("Arthouse cinema", [3, 6, 5, 1, 1, 8, 2, 38]),
    ],
    identities: Identities::Hashed,
};

pub static FIT_APPAREL: CustomerList = CustomerList {
    company: Company::FitApparel,
    rows: 200_000,
    columns: "member_id,email,mobile,segment",
    people: Crowd(&people::FIT_APPAREL),
    in_more: 420,
    audiences: &[
        audience("Leggings and tights", [16, 38, 8, 24, 2, 8, 6, 8]),
        audience("Weights and gym", [6, 4, 4, 46, 14, 2, 2, 2]),
        audience("Runners", [50, 6, 16, 8, 6, 2, 4, 2]),
        audience("Studio classes", [4, 36, 4, 20, 2, 4, 8, 10]),
        audience("Sale shoppers", [10, 10, 10, 10, 14, 24, 24, 14]),
        audience("Members club", [14, 16, 12, 22, 6, 6, 6, 10]),
    ],
    identities: Identities::Plain(b'M'),
};

const fn audience(name: &'static str, likes: ByInterest) -> Audience {
    Audience { name, likes }
}

const MOST_AUDIENCES: usize = 3;

impl CustomerList {
    /// Writes the list's rows: the crowd one by one, each with a row for each of their audiences.
    pub fn rows(&'static self, demo: Demo) -> WriteRow {
        let mut place = 0;
        let mut waiting = ([0; MOST_AUDIENCES], 0);
        let mut person = 0;
        let mut hashes = ([0; 64], [0; 64]);
        Box::new(move |row, out| {
            if waiting.1 == 0 {
                person = self.people.at(place % self.people.len());
                place += 1;
                waiting = self.audiences_of(demo.seed, person);
                if let Identities::Hashed = self.identities {
                    hashes = (people::hashed_email(demo.seed, person), people::hashed_phone(person));
                }
            }
            waiting.1 -= 1;
            let mut dice = Dice::new(demo.seed, About::Customer(self.company), row);
            match self.identities {
                Identities::Plain(letter) => write_plain(demo.seed, person, letter, &mut dice, out),
                Identities::Hashed => write_hashed(demo.seed, person, &hashes, &mut dice, out),
            }
            out.push(b',');
            out.extend_from_slice(self.audiences[waiting.0[waiting.1]].name.as_bytes());
            out.push(b'\n');
        })
    }

    /// The positions of the audiences that a person is in, and how many these are.
    fn audiences_of(&self, seed: u64, person: Person) -> ([usize; MOST_AUDIENCES], usize) {
        let interest = people::interest(seed, person);
        let mut dice = Dice::new(seed, About::Audiences(self.company), person);
        let mut found = [dice.weighted(self.audiences.iter().map(|audience| audience.likes[interest])); MOST_AUDIENCES];
        let mut count = 1;
        while count < MOST_AUDIENCES && dice.per_mille(self.in_more) {
            let next = dice.weighted(self.audiences.iter().map(|audience| audience.likes[interest]));
            if !found[..count].contains(&next) {
                found[count] = next;
                count += 1;
            }
        }
        (found, count)
    }
}

/// How many rows in 100,000 have an identifier that is none.
const BAD_ROWS: u32 = 110;

const NO_EMAIL: [&str; 5] = ["not given", "mia.walsh(at)example.com", "@example.org", "theo.khan@", "see notes"];
const NO_PHONE: [&str; 4] = ["555-01", "call after six", "+1 000 000 0000", "n/a"];
const NO_HASH: [&str; 3] = ["5f4dcc3b5aa765d61d83", "unknown", "zz-missing-hash-of-this-subscriber"];

fn write_plain(seed: u64, person: Person, letter: u8, dice: &mut Dice, out: &mut Vec<u8>) {
    out.push(letter);
    people::write_number(people::scrambled(person), 7, out);
    out.push(b',');
    let bad = dice.below(100_000) < BAD_ROWS;
    let bad_email = bad && dice.per_mille(600);
    // What somebody left out is left out in all their rows.
    let missing = Dice::new(seed, About::Missing, person).below(100);
    if bad_email {
        out.extend_from_slice(dice.of(&NO_EMAIL).as_bytes());
    } else if missing >= 3 {
        write_typed_email(seed, person, dice, out);
    }
    out.push(b',');
    if bad && !bad_email {
        out.extend_from_slice(dice.of(&NO_PHONE).as_bytes());
    } else if missing < 88 {
        write_typed_phone(person, dice, out);
    }
}

fn write_hashed(seed: u64, person: Person, hashes: &([u8; 64], [u8; 64]), dice: &mut Dice, out: &mut Vec<u8>) {
    let bad = dice.below(100_000) < BAD_ROWS;
    let start = out.len();
    if bad {
        out.extend_from_slice(dice.of(&NO_HASH).as_bytes());
    } else {
        out.extend_from_slice(&hashes.0);
    }
    out.push(b',');
    if Dice::new(seed, About::Missing, person).below(100) < 75 {
        out.extend_from_slice(&hashes.1);
    }
    if !bad && dice.per_mille(50) {
        out[start..].make_ascii_uppercase();
    }
}

/// The address as people type it: mostly as it is, some with capitals, some with a space beside it.
fn write_typed_email(seed: u64, person: Person, dice: &mut Dice, out: &mut Vec<u8>) {
    let way = dice.below(100);
    if way < 3 {
        out.push(b' ');
    }
    let start = out.len();
    people::write_email(seed, person, out);
    match way {
        3..5 => out.push(b' '),
        5..9 => out[start..].make_ascii_uppercase(),
        9..18 => {
            for at in start..out.len() {
                if at == start || out[at - 1] == b'.' && out[at..].contains(&b'@') {
                    out[at].make_ascii_uppercase();
                }
            }
        }
        _ => {}
    }
}

/// The number as people write it: in E.164, or in one of the ways that are usual in the United States.
fn write_typed_phone(person: Person, dice: &mut Dice, out: &mut Vec<u8>) {
    let way = dice.below(100);
    if way < 40 {
        return people::write_phone(person, out);
    }
    let (area, line) = people::phone(person);
    let (before, between) = match way {
        40..70 => ("(", ") 555-"),
        70..90 => ("", "-555-"),
        _ => ("+1 ", " 555 "),
    };
    out.extend_from_slice(before.as_bytes());
    people::write_number(u32::from(area), 3, out);
    out.extend_from_slice(between.as_bytes());
    people::write_number(line, 4, out);
}
