//! Made-up accounts, written as CSV while they are read, and their indexes.

use std::error::Error;
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::Instant;

use entente_identity::generation::{RunSource, index_path, write_generation};
use entente_identity::normalise::{Form, Take};
use entente_identity::source::{AudienceFrom, Control, DEFAULT_MEMORY, Mapping, SourcePlan, source_csv};
use entente_identity::{BadKeyName, Index, IndexSecret, KeyName, Slot};

/// Identities `first..end`, each in one to three of `audiences` audiences, two in the mean.
pub struct Account {
    pub first: u64,
    pub end: u64,
    pub audiences: u16,
}

impl Account {
    /// The digest of an identity: the same in every account.
    pub fn digest(identity: u64) -> [u8; 32] {
        let mut digest = [0; 32];
        for (word, bytes) in (0..).zip(digest.chunks_exact_mut(8)) {
            bytes.copy_from_slice(&scramble(identity * 4 + word).to_le_bytes());
        }
        digest
    }

    /// The audiences of an identity, numbered from 1; low numbers have more identities.
    pub fn audiences_of(&self, identity: u64) -> impl Iterator<Item = u16> + use<> {
        let random = scramble(identity ^ u64::from(self.audiences) << 48);
        let audiences = u64::from(self.audiences);
        let mut taken = [0; 3];
        for place in 0..1 + (random % 3) as usize {
            let draw = scramble(random + place as u64);
            // The lesser of two draws in one case of two.
            let (one, other) = ((draw >> 32) % audiences, (draw >> 1 & 0x7fff_ffff) % audiences);
            let audience = (if draw & 1 == 0 { one } else { one.min(other) }) as u16 + 1;
            if !taken.contains(&audience) {
                taken[place] = audience;
            }
        }
        taken.into_iter().filter(|audience| *audience > 0)
    }

    /// The account as a CSV file with the columns `identity` (hex) and `audience`.
    pub fn csv(self) -> Csv {
        Csv { next: self.first, account: self, ready: b"identity,audience\n".to_vec(), read: 0 }
    }
}

/// A CSV file that is never whole anywhere.
pub struct Csv {
    account: Account,
    next: u64,
    ready: Vec<u8>,
    read: usize,
}

impl Read for Csv {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.read == self.ready.len() {
            self.ready.clear();
            self.read = 0;
            while self.ready.len() < 1 << 16 && self.next < self.account.end {
                let mut hex = [0; 64];
                encode(&Account::digest(self.next), &mut hex);
                for audience in self.account.audiences_of(self.next) {
                    self.ready.extend_from_slice(&hex);
                    writeln!(self.ready, ",audience {audience}")?;
                }
                self.next += 1;
            }
        }
        let some = buffer.len().min(self.ready.len() - self.read);
        buffer[..some].copy_from_slice(&self.ready[self.read..self.read + some]);
        self.read += some;
        Ok(some)
    }
}

fn encode(digest: &[u8; 32], hex: &mut [u8; 64]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (pair, byte) in hex.chunks_exact_mut(2).zip(digest) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
}

/// The match key of made-up accounts.
pub fn key() -> Result<KeyName, BadKeyName> {
    KeyName::new("hashed_email")
}

/// The index of an account, made as a gateway makes it, unless it is there from the last time.
pub fn index(dir: &Path, name: &str, account: Account) -> Result<Index, Box<dyn Error>> {
    let generation = dir.join(name);
    if !generation.exists() {
        let begin = Instant::now();
        let mapping =
            Mapping { column: "identity".to_owned(), key: key()?, form: Form::HashedEmail, take: Take::AsHashed };
        let audience = AudienceFrom::Column("audience".to_owned());
        let plan = SourcePlan { delimiter: b',', mappings: vec![mapping], audience, memory: DEFAULT_MEMORY };
        let run = dir.join(format!("{name}-run"));
        let secret = IndexSecret::new([3; 16]);
        let sourced = source_csv(&mut account.csv(), &plan, dir, &secret, &run, &mut |_| Control::Continue)?;
        println!("{name}: {} rows sourced in {:.1} s", sourced.rows, begin.elapsed().as_secs_f64());
        let number = |name: &str| name.trim_start_matches("audience ").parse().ok().map(Slot);
        let slots = sourced.audiences.iter().map(|audience| number(&audience.name)).collect();
        let begin = Instant::now();
        write_generation(&[RunSource { run: run.clone(), slots }], &generation)?;
        std::fs::remove_dir_all(run)?;
        println!("{name}: merged in {:.1} s", begin.elapsed().as_secs_f64());
    }
    Ok(Index::open(&index_path(&generation, &key()?))?)
}

/// SplitMix64.
fn scramble(number: u64) -> u64 {
    let mut z = number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ z >> 31
}

/// The most memory that this process held since it began, or since the last call.
pub fn peak_mebibytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kibibytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    // Linux forgets the peak when told so; where it cannot be told, the next answer is of the whole run.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    Some(kibibytes / 1024)
}
