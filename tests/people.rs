//! Made-up customers, as CSV.

use sha2::{Digest, Sha256};
use std::{fmt::Write, ops::Range};

/// Whether a file has plain identifiers or digests.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Plain,
    Hashed,
}

/// Which audiences a person is in.
pub type Audiences = fn(u32) -> Vec<&'static str>;

pub fn email(person: u32) -> String {
    format!("person{person}@example.com")
}

/// A valid American number for each person below ten million.
pub fn phone(person: u32) -> String {
    let (area, line) = (["202", "212", "303", "404", "512"][person as usize / 2_000_000], person % 2_000_000);
    format!("+1{area}{}{:04}", 200 + line / 10_000 * 3 % 700, line % 10_000)
}

pub fn digest(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

/// One row for each person and audience; every third person has no phone.
pub fn customers(people: Range<u32>, form: Form, audiences: Audiences) -> String {
    let mut csv = match form {
        Form::Plain => "email,phone,audience\n".to_owned(),
        Form::Hashed => "hashed_email,hashed_phone,audience\n".to_owned(),
    };
    for person in people {
        let phone = if person.is_multiple_of(3) { String::new() } else { phone(person) };
        let (email, phone) = match form {
            Form::Plain => (format!(" {} ", email(person).to_uppercase()), phone),
            Form::Hashed => (digest(&email(person)), if phone.is_empty() { phone } else { digest(&phone) }),
        };
        for audience in audiences(person) {
            writeln!(csv, "{email},{phone},{audience}").unwrap();
        }
    }
    csv
}

/// Luma's audiences.
pub fn luma(person: u32) -> Vec<&'static str> {
    let mut audiences = vec![if person.is_multiple_of(2) { "Running" } else { "Yoga" }];
    if person.is_multiple_of(5) {
        audiences.push("Newsletter");
    }
    audiences
}

/// TV Tube's audiences.
pub fn tv_tube(person: u32) -> Vec<&'static str> {
    let mut audiences = vec![];
    if person % 4 != 1 {
        audiences.push("Sports fans");
    }
    if person % 3 == 1 {
        audiences.push("Comedy nights");
    }
    if person % 4 == 1 || person.is_multiple_of(10) {
        audiences.push("Documentaries");
    }
    audiences
}

/// Fit Apparel's audiences.
pub fn fit_apparel(person: u32) -> Vec<&'static str> {
    vec![if person.is_multiple_of(3) { "Gym" } else { "Outdoor" }, "Members"]
}

/// Three impressions of each person, on three days from `start` on.
pub fn exposures(people: Range<u32>, campaign: &str, start: chrono::NaiveDate, form: Form) -> String {
    let id = if form == Form::Hashed { "hashed_email" } else { "email" };
    let mut csv = format!("{id},time,campaign_id,placement,creative,cost,viewable,kind\n");
    for person in people {
        let identifier = if form == Form::Hashed { digest(&email(person)) } else { email(person) };
        for (n, kind) in (0..).zip(["view", "view", "click"]) {
            let day = start + chrono::Days::new(n);
            let placement = if person.is_multiple_of(2) { "home" } else { "sports" };
            let viewable = person % 5 != 0;
            writeln!(csv, "{identifier},{day}T1{n}:00:00Z,{campaign},{placement},spot,0.01,{viewable},{kind}").unwrap();
        }
    }
    csv
}

/// A purchase of every person, two days after the last of three days of impressions; every tenth is there twice.
pub fn conversions(people: Range<u32>, start: chrono::NaiveDate) -> String {
    let mut csv = "email,time,type,value,order_id,category\n".to_owned();
    let day = start + chrono::Days::new(4);
    for person in people {
        let category = if person.is_multiple_of(2) { "shoes" } else { "shirts" };
        for _ in 0..if person.is_multiple_of(10) { 2 } else { 1 } {
            writeln!(csv, "{},{day}T12:00:00Z,purchase,25.50,order-{person},{category}", email(person)).unwrap();
        }
    }
    csv
}
