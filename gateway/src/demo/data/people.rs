//! The demo's people: who they are, which company knows them, what they like.
//!
//! A person is a number. All else is a function of the seed and that number, so that companies which
//! know the same person agree about them without anything being kept.

use std::io::Write as _;
use std::ops::Range;

use sha2::{Digest, Sha256};

use super::Company;

/// A person's number, below [`PEOPLE`].
pub type Person = u32;

/// People have numbers of this many bits.
const BITS: u32 = 20;

/// One more than the highest number a person may have.
pub const PEOPLE: u32 = 1 << BITS;

const FIRST_NAMES: [&str; 48] = [
    "ada", "aisha", "alex", "amara", "anna", "ben", "bruno", "carla", "chen", "clara", "dara", "david", "elena",
    "emil", "fatima", "felix", "finn", "grace", "hana", "hugo", "ines", "ivan", "jamal", "jonas", "julia", "kai",
    "lars", "leila", "lena", "liam", "lucia", "maria", "mateo", "maya", "mia", "nina", "noah", "nora", "omar", "paula",
    "priya", "rosa", "samir", "sara", "theo", "tomas", "yuki", "zoe",
];

const LAST_NAMES: [&str; 48] = [
    "abbott", "adeyemi", "alvarez", "bauer", "bell", "berg", "bianchi", "brandt", "castro", "chen", "costa", "dubois",
    "evans", "fischer", "garcia", "gomez", "haas", "hughes", "ito", "jensen", "kaur", "keller", "khan", "kim", "klein",
    "larsen", "lopez", "marino", "mendes", "meyer", "moreno", "murphy", "nguyen", "novak", "okafor", "olsen", "park",
    "patel", "reyes", "rossi", "sato", "silva", "singh", "stone", "torres", "vega", "walsh", "weber",
];

const DOMAINS: [&str; 3] = ["example.com", "example.net", "example.org"];

/// Area codes in use in the United States. Their exchange 555 has 10,000 numbers each, valid by the
/// numbering plan and not given to subscribers; 105 areas are enough for a number for everybody.
pub const AREA_CODES: [u16; 112] = [
    201, 202, 203, 205, 206, 207, 208, 209, 210, 212, 213, 214, 215, 216, 217, 218, 219, 224, 225, 228, 229, 231, 234,
    239, 240, 248, 251, 252, 253, 254, 256, 260, 262, 267, 269, 270, 276, 281, 301, 302, 303, 304, 305, 307, 308, 309,
    310, 312, 313, 314, 315, 316, 317, 318, 319, 320, 321, 323, 325, 330, 334, 336, 337, 339, 351, 352, 360, 361, 386,
    401, 402, 404, 405, 406, 407, 408, 409, 410, 412, 413, 414, 415, 417, 419, 423, 424, 425, 432, 434, 435, 440, 443,
    469, 478, 479, 480, 484, 501, 502, 503, 504, 505, 507, 508, 509, 510, 512, 513, 515, 516, 517, 518,
];

/// What is drawn; draws about different things are independent.
#[derive(Debug, Clone, Copy)]
pub enum About {
    Name,
    Interest,
    Missing,
    Audiences(Company),
    Customer(Company),
    Impression(Company),
    Conversion(Company),
}

impl About {
    /// A number of its own for each.
    fn question(self) -> u64 {
        match self {
            Self::Name => 0,
            Self::Interest => 1,
            Self::Missing => 2,
            Self::Audiences(company) => 10 + company as u64,
            Self::Customer(company) => 20 + company as u64,
            Self::Impression(company) => 30 + company as u64,
            Self::Conversion(company) => 40 + company as u64,
        }
    }
}

/// Draws numbers about one thing: SplitMix64 (Steele, Lea and Flood 2014), started from what it is about.
pub struct Dice(u64);

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

impl Dice {
    /// The same seed, question and number always draw the same.
    pub fn new(seed: u64, about: About, number: u32) -> Self {
        let question = mix(seed.wrapping_add(STEP.wrapping_mul(about.question())));
        Self(mix(question.wrapping_add(STEP.wrapping_mul(u64::from(number)))))
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u32) -> u32 {
        self.0 = self.0.wrapping_add(STEP);
        ((u64::from((mix(self.0) >> 32) as u32) * u64::from(bound)) >> 32) as u32
    }

    /// A number between 0 and 1.
    pub fn fraction(&mut self) -> f64 {
        f64::from(self.below(u32::MAX)) / f64::from(u32::MAX)
    }

    /// One of them.
    pub fn of<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len() as u32) as usize]
    }

    /// The position of one of them, each as likely as its weight says.
    pub fn weighted(&mut self, weights: impl Iterator<Item = u8> + Clone) -> usize {
        let mut left = self.below(weights.clone().map(u32::from).sum());
        let mut position = 0;
        for weight in weights.map(u32::from) {
            if left < weight {
                break;
            }
            left -= weight;
            position += 1;
        }
        position
    }

    /// True in `share` out of 1,000.
    pub fn per_mille(&mut self, share: u32) -> bool {
        self.below(1_000) < share
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A number as unique as the person's own that says nothing about who knows them.
pub fn scrambled(person: Person) -> u32 {
    person.wrapping_mul(0x9e37_79b1) % PEOPLE
}

/// Appends the person's address in lower case.
pub fn write_email(seed: u64, person: Person, out: &mut Vec<u8>) {
    let mut dice = Dice::new(seed, About::Name, person);
    out.extend_from_slice(dice.of(&FIRST_NAMES).as_bytes());
    out.push(b'.');
    out.extend_from_slice(dice.of(&LAST_NAMES).as_bytes());
    write_number(scrambled(person), 1, out);
    out.push(b'@');
    out.extend_from_slice(dice.of(&DOMAINS).as_bytes());
}

/// The person's area code and line number; the exchange between them is 555.
pub fn phone(person: Person) -> (u16, u32) {
    let number = scrambled(person);
    let areas = AREA_CODES.len() as u32;
    (AREA_CODES[(number % areas) as usize], number / areas)
}

/// Appends the person's phone number in E.164.
pub fn write_phone(person: Person, out: &mut Vec<u8>) {
    let (area, line) = phone(person);
    out.extend_from_slice(b"+1");
    write_number(u32::from(area), 3, out);
    out.extend_from_slice(b"555");
    write_number(line, 4, out);
}

/// SHA-256 of the normalised address, in lower-case hex.
pub fn hashed_email(seed: u64, person: Person) -> [u8; 64] {
    let mut email = Vec::with_capacity(64);
    write_email(seed, person, &mut email);
    hex_digest(&email)
}

/// SHA-256 of the number in E.164, in lower-case hex.
pub fn hashed_phone(person: Person) -> [u8; 64] {
    let mut phone = Vec::with_capacity(16);
    write_phone(person, &mut phone);
    hex_digest(&phone)
}

fn hex_digest(value: &[u8]) -> [u8; 64] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut hex = [0; 64];
    for (pair, byte) in hex.chunks_exact_mut(2).zip(Sha256::digest(value)) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    hex
}

/// Appends a decimal number with at least that many digits.
pub fn write_number(number: u32, digits: usize, out: &mut Vec<u8>) {
    // Writing to a vector cannot fail.
    let _ = write!(out, "{number:0digits$}");
}

/// What a person likes best; which audiences they are in follows from it.
pub const INTERESTS: usize = 8;

/// One weight for each interest: running, yoga, outdoors, gym, watching sports, staying in, family, culture.
pub type ByInterest = [u8; INTERESTS];

const LUMA_INTERESTS: ByInterest = [26, 16, 18, 14, 10, 4, 8, 4];
const TV_TUBE_INTERESTS: ByInterest = [5, 5, 7, 6, 17, 28, 18, 14];
const FIT_APPAREL_INTERESTS: ByInterest = [14, 22, 6, 30, 8, 6, 8, 6];

/// Luma knows the first people.
pub const LUMA: Range<Person> = 0..204_000;

/// TV Tube knows 35 % of those and many more.
pub const TV_TUBE: Range<Person> = 132_600..515_000;

/// A quarter of Fit Apparel's customers are Luma's too, half of these also TV Tube's; of the others a third
/// are TV Tube's.
pub const FIT_APPAREL: [Range<Person>; 2] = [115_600..149_600, 481_000..583_000];

/// What this person likes best.
pub fn interest(seed: u64, person: Person) -> usize {
    let weights = if LUMA.contains(&person) {
        &LUMA_INTERESTS
    } else if TV_TUBE.contains(&person) {
        &TV_TUBE_INTERESTS
    } else {
        &FIT_APPAREL_INTERESTS
    };
    Dice::new(seed, About::Interest, person).weighted(weights.iter().copied())
}

/// A set of people, in an order that goes criss-cross through their numbers.
#[derive(Debug, Clone, Copy)]
pub struct Crowd(pub &'static [Range<Person>]);

impl Crowd {
    pub fn len(self) -> u32 {
        self.0.iter().map(|range| range.end - range.start).sum()
    }

    pub fn contains(self, person: Person) -> bool {
        self.0.iter().any(|range| range.contains(&person))
    }

    /// The person at a place below [`Crowd::len`]; each place is another person.
    pub fn at(self, place: u32) -> Person {
        // A prime above any crowd's size goes through all places before it comes back to one.
        const STEP: u64 = 1_000_003;
        let mut left = (u64::from(place) * STEP % u64::from(self.len())) as u32;
        let mut person = 0;
        for range in self.0 {
            person = range.start + left;
            let length = range.end - range.start;
            if left < length {
                break;
            }
            left -= length;
        }
        person
    }
}
