//! The chain of the audit log: the entries of an account are numbered from 1 without a gap, and each has a hash over the
//! hash before it, its number and everything that it says. Changing, removing or moving one breaks the chain there.
//!
//! Entries are taken here as the database holds them, because one that was tampered with need not be readable.

use crate::{AccountId, Timestamp};
use chrono::{SecondsFormat, Timelike};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The chain of the entries without an account.
pub const OPERATOR: &str = "operator";

/// What the first entry of a chain has as the hash before it.
pub const FIRST: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// What every hash begins with, so that another form of hashing would be another name.
const FORM: &str = "entente audit 1";

/// The chain that the entries of an account are in.
pub fn chain_of(account: Option<AccountId>) -> String {
    account.map_or_else(|| OPERATOR.to_owned(), |id| id.to_string())
}

/// An entry of the audit log, column by column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its id.
    pub id: String,
    /// The account that was acted for.
    pub account_id: Option<String>,
    /// When, by default to the microsecond.
    #[serde(serialize_with = "instant")]
    pub at: Timestamp,
    /// What kind of actor did it.
    pub actor_kind: String,
    /// Which of them.
    pub actor_id: Option<String>,
    /// What was done.
    pub action: String,
    /// What kind of object it was done to.
    pub subject_kind: Option<String>,
    /// Which of them.
    pub subject_id: Option<String>,
    /// In which request.
    pub request_id: String,
    /// Whether it was done.
    pub outcome: String,
    /// Why not.
    pub code: Option<String>,
    /// What else is kept of it, as JSON: what a deletion took with it and what it left, or how opt-outs were kept to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<String>,
    /// The agency for which it was done to a client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agency_id: Option<String>,
}

impl Entry {
    /// The chain that it belongs to.
    pub fn chain(&self) -> &str {
        self.account_id.as_deref().unwrap_or(OPERATOR)
    }

    /// What is hashed. Each value is written as its length in bytes, a colon and itself, a missing one as `-`: no two
    /// lists of values are written alike. Details and the agency come last and only where there are some, since earlier
    /// entries had none.
    fn canonical(&self, previous: &str, sequence: i64) -> Vec<u8> {
        let (sequence, at) = (sequence.to_string(), written(self.at));
        let values = [
            Some(FORM),
            Some(previous),
            Some(&sequence),
            Some(&self.id),
            self.account_id.as_deref(),
            Some(&at),
            Some(&self.actor_kind),
            self.actor_id.as_deref(),
            Some(&self.action),
            self.subject_kind.as_deref(),
            self.subject_id.as_deref(),
            Some(&self.request_id),
            Some(&self.outcome),
            self.code.as_deref(),
        ];
        let mut bytes = Vec::with_capacity(512);
        let later = match (&self.details, &self.agency_id) {
            (details, Some(agency)) => vec![details.as_deref(), Some(agency)],
            (Some(details), None) => vec![Some(details.as_str())],
            (None, None) => vec![],
        };
        for value in values.into_iter().chain(later) {
            match value {
                Some(value) => {
                    bytes.extend_from_slice(value.len().to_string().as_bytes());
                    bytes.push(b':');
                    bytes.extend_from_slice(value.as_bytes());
                }
                None => bytes.push(b'-'),
            }
        }
        bytes
    }

    /// Its hash at a place of its chain: SHA-256, in lower-case hexadecimal, as is the hash before it.
    pub fn hash(&self, previous: &str, sequence: i64) -> String {
        hex::encode(Sha256::digest(self.canonical(previous, sequence)))
    }
}

/// Instants in UTC to the microsecond, which is what both databases keep; finer ones that only one of them keeps whole.
fn written(at: Timestamp) -> String {
    let format = if at.nanosecond().is_multiple_of(1_000) { SecondsFormat::Micros } else { SecondsFormat::Nanos };
    at.to_rfc3339_opts(format, true)
}

fn instant<S: serde::Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&written(*at))
}

/// A place of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its number, from 1 on.
    pub sequence: i64,
    /// The entry that was chained here.
    pub entry_id: String,
    /// The hash of the entry here.
    pub hash: String,
    /// The entry, where it is still there.
    pub entry: Option<Entry>,
}

/// What is wrong with a chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum Fault {
    /// The entry of a place is gone.
    #[error("sequence {sequence}: entry {entry} is missing")]
    EntryMissing {
        /// The place.
        sequence: i64,
        /// The entry that was chained there.
        entry: String,
    },
    /// A place is gone.
    #[error("sequence {sequence} is missing; entry {next} follows the gap")]
    SequenceMissing {
        /// The place.
        sequence: i64,
        /// The entry that comes after the gap.
        next: String,
    },
    /// The entry of a place, or its hash, is not as it was written.
    #[error("sequence {sequence}: entry {entry} was changed")]
    Changed {
        /// The place.
        sequence: i64,
        /// The entry.
        entry: String,
    },
    /// Another entry of the chain was written at this place.
    #[error("sequence {sequence}: entry {entry} was put where entry {belongs} was written")]
    Reordered {
        /// The place.
        sequence: i64,
        /// The entry that is there.
        entry: String,
        /// The entry that was written there.
        belongs: String,
    },
    /// An entry is in no chain, or in that of another account.
    #[error("entry {entry} is not chained")]
    NotChained {
        /// The entry.
        entry: String,
    },
    /// The chain ends before its head.
    #[error("the chain ends at sequence {sequence}, its head is at {head}")]
    CutOff {
        /// The last place.
        sequence: i64,
        /// The head's.
        head: i64,
    },
    /// The chain goes on after its head.
    #[error("the chain goes on to sequence {sequence}, its head is at {head}")]
    GoesOn {
        /// The last place.
        sequence: i64,
        /// The head's.
        head: i64,
    },
    /// A head that was kept elsewhere is not at its place.
    #[error("sequence {sequence}: the head that was kept is not in the chain")]
    KeptHeadGone {
        /// The head's place.
        sequence: i64,
    },
    /// The hash of a head is not that of its place.
    #[error("sequence {sequence}: the hash is not that of the head")]
    AnotherHead {
        /// The head's place.
        sequence: i64,
    },
}

/// Follows a chain from its start, some links at a time.
#[derive(Clone, Debug)]
pub struct Walk {
    chain: String,
    sequence: i64,
    hash: String,
}

impl Walk {
    /// Before the first link.
    pub fn new(chain: &str) -> Self {
        Self { chain: chain.to_owned(), sequence: 0, hash: FIRST.to_owned() }
    }

    /// The number of the last link that holds.
    pub fn sequence(&self) -> i64 {
        self.sequence
    }

    /// Its hash.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Goes on over the links that come next.
    ///
    /// # Errors
    /// The first link that does not hold. An entry that was moved is told from one that was changed if the one that
    /// belongs in its place is among these links.
    pub fn follow(&mut self, links: &[Link]) -> Result<(), Fault> {
        for (at, link) in links.iter().enumerate() {
            let sequence = self.sequence + 1;
            if link.sequence != sequence {
                return Err(Fault::SequenceMissing { sequence, next: link.entry_id.clone() });
            }
            let Some(entry) = &link.entry else {
                return Err(Fault::EntryMissing { sequence, entry: link.entry_id.clone() });
            };
            if entry.chain() != self.chain || entry.hash(&self.hash, sequence) != link.hash {
                return Err(self.misfit(link, &links[at + 1..]));
            }
            (self.sequence, self.hash) = (sequence, link.hash.clone());
        }
        Ok(())
    }

    /// What is wrong with a link whose entry does not have its hash.
    fn misfit(&self, link: &Link, rest: &[Link]) -> Fault {
        let (sequence, entry) = (link.sequence, link.entry_id.clone());
        let belongs = rest.iter().find(|other| {
            let hash = other.entry.as_ref().map(|e| e.hash(&self.hash, sequence));
            hash.is_some_and(|hash| hash == link.hash || hash == other.hash)
        });
        match belongs {
            Some(other) => Fault::Reordered { sequence, entry, belongs: other.entry_id.clone() },
            None => Fault::Changed { sequence, entry },
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use chrono::{DateTime, TimeDelta};
    use proptest::prelude::*;

    fn entry(id: &str) -> Entry {
        Entry {
            id: id.into(),
            account_id: Some("luma".into()),
            at: DateTime::from_timestamp(1_795_000_000, 1_000).unwrap(),
            actor_kind: "user".into(),
            actor_id: Some("ann".into()),
            action: "invite".into(),
            subject_kind: None,
            subject_id: None,
            request_id: "request".into(),
            outcome: "ALLOWED".into(),
            code: None,
            details: None,
            agency_id: None,
        }
    }

    fn chain(ids: &[&str]) -> Vec<Link> {
        let mut previous = FIRST.to_owned();
        let link = |(sequence, id): (i64, &&str)| {
            let entry = entry(id);
            previous = entry.hash(&previous, sequence);
            Link { sequence, entry_id: entry.id.clone(), hash: previous.clone(), entry: Some(entry) }
        };
        (1..).zip(ids).map(link).collect()
    }

    /// What `docs/operating.md` says, byte by byte: it may never change.
    #[test]
    fn the_form_is_what_is_documented() {
        let canonical = String::from_utf8(entry("an entry").canonical(FIRST, 12)).unwrap();
        let expected = format!(
            "15:entente audit 164:{FIRST}2:128:an entry4:luma27:2026-11-18T11:06:40.000001Z4:user3:ann6:invite--\
             7:request7:ALLOWED-"
        );
        assert_eq!(canonical, expected);
        let hash = entry("an entry").hash(FIRST, 12);
        assert_eq!(hash, hex::encode(Sha256::digest(expected.as_bytes())));
        let detailed = Entry { details: Some("{}".into()), ..entry("an entry") };
        assert_eq!(String::from_utf8(detailed.canonical(FIRST, 12)).unwrap(), expected.clone() + "2:{}");
        let by_agency = Entry { agency_id: Some("agency99".into()), ..entry("an entry") };
        assert_eq!(String::from_utf8(by_agency.canonical(FIRST, 12)).unwrap(), expected + "-8:agency99");
    }

    #[test]
    fn a_chain_holds_in_pieces_of_any_size() {
        let links = chain(&["a", "b", "c", "d", "e"]);
        for size in 1..=links.len() {
            let mut walk = Walk::new("luma");
            links.chunks(size).try_for_each(|piece| walk.follow(piece)).unwrap();
            assert_eq!((walk.sequence(), walk.hash()), (5, &*links[4].hash));
        }
    }

    #[test]
    fn what_was_done_to_a_chain_is_named() {
        type Tampering = fn(&mut Vec<Link>);
        let table: [(Tampering, Fault); 9] = [
            (|l| l[1].entry = None, Fault::EntryMissing { sequence: 2, entry: "b".into() }),
            (|l| drop(l.remove(1)), Fault::SequenceMissing { sequence: 2, next: "c".into() }),
            (|l| l[1].hash = FIRST.into(), Fault::Changed { sequence: 2, entry: "b".into() }),
            (
                |l| l.iter_mut().for_each(|l| l.entry.as_mut().unwrap().account_id = Some("tv tube".into())),
                Fault::Changed { sequence: 1, entry: "a".into() },
            ),
            (
                |l| l[1].entry.as_mut().unwrap().action = "delete".into(),
                Fault::Changed { sequence: 2, entry: "b".into() },
            ),
            // The entries of two links exchanged, without and with their hashes.
            (
                |l| {
                    let (b, d) = (l[1].clone(), l[3].clone());
                    (l[1].entry, l[3].entry) = (d.entry, b.entry);
                    (l[1].entry_id, l[3].entry_id) = (d.entry_id, b.entry_id);
                },
                Fault::Reordered { sequence: 2, entry: "d".into(), belongs: "b".into() },
            ),
            (
                |l| {
                    l.swap(1, 2);
                    (l[1].sequence, l[2].sequence) = (2, 3);
                },
                Fault::Reordered { sequence: 2, entry: "c".into(), belongs: "b".into() },
            ),
            // One put between, and one put before.
            (
                |l| {
                    l.insert(2, Link { sequence: 3, entry_id: "x".into(), ..l[0].clone() });
                    l[3..].iter_mut().for_each(|l| l.sequence += 1);
                },
                Fault::Reordered { sequence: 3, entry: "x".into(), belongs: "c".into() },
            ),
            (
                |l| l.insert(0, Link { sequence: 0, entry_id: "x".into(), ..l[0].clone() }),
                Fault::SequenceMissing { sequence: 1, next: "x".into() },
            ),
        ];
        for (tamper, fault) in table {
            let mut links = chain(&["a", "b", "c", "d"]);
            tamper(&mut links);
            assert_eq!(Walk::new("luma").follow(&links), Err(fault));
        }
    }

    /// Values whose boundaries could be mistaken: digits, colons and dashes.
    fn value() -> impl Strategy<Value = String> {
        prop_oneof!["[0-9:-]{0,4}", "\\PC{0,3}"]
    }

    fn optional() -> impl Strategy<Value = Option<String>> {
        prop::option::of(value())
    }

    fn any_entry() -> impl Strategy<Value = (String, i64, Entry)> {
        let required = (value(), value(), value(), value(), value());
        let missing = (optional(), optional(), optional(), optional(), optional(), optional(), optional());
        (value(), 1..200_i64, 0..3_i64, required, missing).prop_map(
            |(previous, sequence, micros, required, missing)| {
                let (id, actor_kind, action, request_id, outcome) = required;
                let (account_id, actor_id, subject_kind, subject_id, code, details, agency_id) = missing;
                let at = entry("").at + TimeDelta::microseconds(micros);
                let entry = Entry {
                    id,
                    account_id,
                    at,
                    actor_kind,
                    actor_id,
                    action,
                    subject_kind,
                    subject_id,
                    request_id,
                    outcome,
                    code,
                    details,
                    agency_id,
                };
                (previous, sequence, entry)
            },
        )
    }

    /// Reads what was written, which only an injective form allows.
    fn read(mut bytes: &[u8]) -> Vec<Option<String>> {
        let mut values = Vec::new();
        while let Some((first, rest)) = bytes.split_first() {
            if *first == b'-' {
                values.push(None);
                bytes = rest;
                continue;
            }
            let colon = bytes.iter().position(|b| *b == b':').unwrap();
            let length: usize = std::str::from_utf8(&bytes[..colon]).unwrap().parse().unwrap();
            let (value, rest) = bytes[colon + 1..].split_at(length);
            values.push(Some(String::from_utf8(value.to_vec()).unwrap()));
            bytes = rest;
        }
        values
    }

    proptest! {
        #[test]
        fn the_form_is_read_as_it_was_written((previous, sequence, entry) in any_entry()) {
            let values = read(&entry.canonical(&previous, sequence));
            let some = |text: &str| Some(text.to_owned());
            let mut expected = vec![
                some(FORM), some(&previous), some(&sequence.to_string()), some(&entry.id), entry.account_id.clone(),
                some(&written(entry.at)), some(&entry.actor_kind), entry.actor_id.clone(), some(&entry.action),
                entry.subject_kind.clone(), entry.subject_id.clone(), some(&entry.request_id), some(&entry.outcome),
                entry.code.clone(),
            ];
            if entry.details.is_some() || entry.agency_id.is_some() {
                expected.push(entry.details.clone());
            }
            expected.extend(entry.agency_id.clone().map(Some));
            prop_assert_eq!(values, expected);
            let at: Timestamp = written(entry.at).parse().unwrap();
            prop_assert_eq!(at, entry.at);
        }

        #[test]
        fn two_entries_are_written_alike_only_if_they_are_the_same(one in any_entry(), other in any_entry()) {
            let alike = one.2.canonical(&one.0, one.1) == other.2.canonical(&other.0, other.1);
            prop_assert_eq!(alike, one == other);
        }
    }
}
