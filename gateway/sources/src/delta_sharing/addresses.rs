//! Where files of a table are read for now, as many as fit.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::delta_sharing::lines::File;

/// The most bytes of addresses that are kept.
const MOST_BYTES: usize = 32 << 20;

/// Addresses of the files that are read next: from one on, by their names, and as many as fit. Parts are read in that
/// order, so that those of a large table are asked for a few times.
#[derive(Default)]
pub struct Addresses {
    from: String,
    kept: BTreeMap<String, Address>,
    bytes: usize,
}

struct Address {
    url: String,
    until: Option<i64>,
}

impl Addresses {
    /// None yet, and only for files from this name on.
    pub fn from(name: &str) -> Self {
        Self { from: name.to_owned(), ..Self::default() }
    }

    /// Keeps the address of a file, if it fits, in the place of what is read later.
    pub fn keep(&mut self, file: File) {
        if file.id < self.from {
            return;
        }
        self.bytes += file.id.len() + file.url.len();
        let address = Address { url: file.url, until: file.until };
        if let Some(before) = self.kept.get(&file.id) {
            self.bytes -= file.id.len() + before.url.len();
        }
        self.kept.insert(file.id, address);
        while self.bytes > MOST_BYTES
            && let Some((id, address)) = self.kept.pop_last()
        {
            self.bytes -= id.len() + address.url.len();
        }
    }

    /// The address of a file, if it is kept and its signature has not ended.
    pub fn good(&self, name: &str, now: DateTime<Utc>) -> Option<&str> {
        let address = self.kept.get(name)?;
        address.until.is_none_or(|until| until > now.timestamp_millis()).then_some(&*address.url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(id: &str, url: &str, until: Option<i64>) -> File {
        File { id: id.to_owned(), url: url.to_owned(), size: 1, until }
    }

    #[test]
    fn those_that_are_read_next_are_kept() {
        let mut addresses = Addresses::from("000100");
        let url = "u".repeat(1 << 10);
        for number in (0..100_000).rev() {
            addresses.keep(file(&format!("{number:06}"), &url, None));
        }
        let kept = |number: usize| addresses.good(&format!("{number:06}"), Utc::now()).is_some();
        let fit = MOST_BYTES / (url.len() + 6);
        assert!(!kept(99) && kept(100) && kept(99 + fit) && !kept(100 + fit));
        assert!(addresses.bytes <= MOST_BYTES);
    }

    #[test]
    fn the_last_address_of_a_file_is_given_until_it_ends() {
        let mut addresses = Addresses::default();
        let now = DateTime::UNIX_EPOCH;
        for (until, good) in [(None, true), (Some(0), false), (Some(1), true), (Some(i64::MIN), false)] {
            addresses.keep(file("a", "other", None));
            addresses.keep(file("a", "url", until));
            assert_eq!(addresses.good("a", now), good.then_some("url"), "{until:?}");
        }
        assert_eq!(addresses.bytes, "a".len() + "url".len());
    }
}
