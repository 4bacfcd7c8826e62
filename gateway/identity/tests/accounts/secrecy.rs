//! An index is worth nothing without the secret that its keys are made with.

use std::collections::BTreeSet;
use std::path::Path;

use crate::fixture::{key, plan};
use entente_identity::generation::{RunSource, index_path, write_generation};
use entente_identity::normalise::{Form, Take, identity};
use entente_identity::source::{Control, source_csv};
use entente_identity::{Digest, IndexSecret, Slot};

const PEOPLE: u32 = 20_000;
const HEADER: usize = 64;

fn digest(person: u32) -> Digest {
    identity(Form::CrmId, Take::Transform, format!("person-{person}").as_bytes()).unwrap().unwrap()
}

/// The bytes of an index of the same people, made with a secret.
fn index_file(secret: [u8; 16]) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let mut file = String::from("id,audience\n");
    (0..PEOPLE).for_each(|person| file += &format!("person-{person},everybody\n"));
    let run = dir.path().join("run");
    let secret = IndexSecret::new(secret);
    source_csv(&mut file.as_bytes(), &plan(), dir.path(), &secret, &run, &mut |_| Control::Continue).unwrap();
    let generation = dir.path().join("generation");
    write_generation(&[RunSource { run, slots: vec![Some(Slot(1))] }], &generation).unwrap();
    read(&index_path(&generation, &key()))
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap()
}

/// The sorted 64-bit keys, which stand first in the file.
fn keys(file: &[u8]) -> BTreeSet<u64> {
    let section = &file[HEADER..HEADER + 8 * PEOPLE as usize];
    section.chunks_exact(8).map(|key| u64::from_le_bytes(key.try_into().unwrap())).collect()
}

#[test]
fn two_gateways_have_no_key_in_common() {
    let (one, other) = (keys(&index_file([1; 16])), keys(&index_file([2; 16])));
    // 64 bits: of 20,000 keys each, a common one is to be expected once in 46 thousand million tries.
    assert_eq!((one.len(), other.len(), one.intersection(&other).count()), (PEOPLE as usize, PEOPLE as usize, 0));
    let known: BTreeSet<u64> = (0..PEOPLE).map(|person| IndexSecret::new([1; 16]).key(&digest(person)).0).collect();
    assert_eq!(known, one, "with the secret they are found");
}

#[test]
fn a_known_identity_is_not_found_without_the_secret() {
    let file = index_file(*b"a gateway's own.");
    let keys = keys(&file);
    // The attacker knows everybody, and tries what a key might be: parts of the digest, and keys of secrets of its own.
    for person in 0..PEOPLE {
        let digest = digest(person);
        for part in digest.0.chunks_exact(8) {
            let part: [u8; 8] = part.try_into().unwrap();
            assert!(!keys.contains(&u64::from_le_bytes(part)) && !keys.contains(&u64::from_be_bytes(part)));
        }
        for guess in [[0; 16], [0xff; 16], *b"secret of tests!"] {
            assert!(!keys.contains(&IndexSecret::new(guess).key(&digest).0));
        }
    }
    // Nor do the keys lean to any side that a digest could be told by: each bit of them is one in half of them, within
    // five standard deviations.
    let deviation = (f64::from(PEOPLE) / 4.0).sqrt();
    for bit in 0..64 {
        let ones = keys.iter().filter(|key| *key >> bit & 1 == 1).count() as f64;
        assert!((ones - f64::from(PEOPLE) / 2.0).abs() < 5.0 * deviation, "bit {bit}: {ones}");
    }
    // No part of a digest stands anywhere else in the file.
    let words: BTreeSet<u64> = file.windows(8).map(|w| u64::from_le_bytes(w.try_into().unwrap())).collect();
    for person in 0..PEOPLE {
        let first: [u8; 8] = digest(person).0[..8].try_into().unwrap();
        assert!(!words.contains(&u64::from_le_bytes(first)));
    }
}
