//! How long work may still take.

use std::time::Duration;

/// How long work has to go on before it says anything about its end.
const AT_LEAST: Duration = Duration::from_secs(1);

/// How long work will still take that goes on as until now: it has done so much of all in the time that passed. `None` where
/// that says nothing yet.
pub fn time_left(passed: Duration, done: u64, all: u64) -> Option<Duration> {
    if passed < AT_LEAST || done == 0 {
        return None;
    }
    let times = all.saturating_sub(done) as f64 / done as f64;
    Duration::try_from_secs_f64(passed.as_secs_f64() * times).ok()
}

/// How much of files that are fetched and read one after the other is done, in bytes as they are stored: compression makes
/// more of them only where they are read. Each counts half when it came, and half when its rows were read.
#[derive(Clone, Debug, Default)]
pub struct FilesRead {
    fetched: u64,
    /// Stored and plain bytes of the files before the one that is read.
    before: (u64, u64),
    /// Of the one that is read.
    stored: u64,
    plain: u64,
    /// Plain bytes read of all files.
    read: u64,
}

impl FilesRead {
    /// So many more stored bytes came.
    pub const fn fetched(&mut self, bytes: u64) {
        self.fetched = self.fetched.saturating_add(bytes);
    }

    /// The next file is read: so many bytes as it is stored, and so many without compression. All of the one before was.
    pub const fn next(&mut self, stored: u64, plain: u64) {
        self.before = (self.before.0.saturating_add(self.stored), self.before.1.saturating_add(self.plain));
        (self.stored, self.plain) = (stored, plain);
    }

    /// So many plain bytes were read of all files.
    pub const fn read(&mut self, bytes: u64) {
        self.read = bytes;
    }

    /// How many bytes are done, of so many that are stored.
    pub fn bytes(&self, all: u64) -> u64 {
        let of_this = self.read.saturating_sub(self.before.1).min(self.plain);
        let of_this = u128::from(self.stored) * u128::from(of_this) / u128::from(self.plain.max(1));
        let read = self.before.0.saturating_add(u64::try_from(of_this).unwrap_or(self.stored)).min(all);
        let fetched = self.fetched.max(read).min(all);
        read + (fetched - read) / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn stored_bytes_count_by_half_when_they_came() {
        let mut files = FilesRead::default();
        assert_eq!(files.bytes(100), 0);
        files.fetched(60);
        assert_eq!(files.bytes(100), 30);
        // 40 bytes that become 400, of which half is read.
        files.next(40, 400);
        files.read(200);
        assert_eq!(files.bytes(100), 20 + 20);
        files.fetched(40);
        files.next(60, 60);
        files.read(400);
        assert_eq!(files.bytes(100), 40 + 30);
        files.read(460);
        assert_eq!(files.bytes(100), 100);
    }

    proptest! {
        /// Whatever files become, they are never read backwards, nor beyond their end, and they are all read in the end.
        #[test]
        fn files_are_read_from_nothing_to_all(files in prop::collection::vec((1..50u64, 0..200u64), 1..9)) {
            let all: u64 = files.iter().map(|(stored, _)| stored).sum();
            let (mut read, mut plain_read, mut last) = (FilesRead::default(), 0, 0);
            for (stored, plain) in &files {
                read.fetched(*stored);
                read.next(*stored, *plain);
                for at in 0..=*plain {
                    read.read(plain_read + at);
                    prop_assert!((last..=all).contains(&read.bytes(all)));
                    last = read.bytes(all);
                }
                plain_read += plain;
            }
            // A last file that is empty without its compression was never said to be read.
            let left = files.last().map_or(0, |(stored, plain)| match plain { 0 => *stored, _ => 0 });
            prop_assert!(all - last <= left);
        }
    }

    #[test]
    fn work_goes_on_as_until_now() {
        let seconds = Duration::from_secs;
        for (passed, done, all, expected) in [
            (0, 50, 100, None),
            (10, 0, 100, None),
            (10, 50, 100, Some(10)),
            (10, 20, 100, Some(40)),
            (10, 100, 100, Some(0)),
            (10, 101, 100, Some(0)),
            (1, 1, 1 << 40, Some((1 << 40) - 1)),
            (1, 1, u64::MAX, None),
        ] {
            let left = time_left(seconds(passed), done, all);
            assert_eq!(left, expected.map(seconds), "{passed} s, {done} of {all}");
        }
    }
}
