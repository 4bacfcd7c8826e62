//! Runs: the sorted identities of one refresh of one data connection, a file per match key.
//!
//! `<key>.run` is a sealed file with a record per identity, by ascending [`Key64`](crate::Key64): the hash (8 bytes,
//! little-endian like all numbers), the digest (32), the number of audiences (2) and their ordinals (2 each, ascending).

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::key_name::KeyName;
use crate::sealed::{SealedReader, SealedWriter, damaged};

const MAGIC: &[u8; 8] = b"ENTRUN\r\n";

/// The file of one match key inside a run.
pub fn run_path(run: &Path, key: &KeyName) -> PathBuf {
    run.join(format!("{key}.run"))
}

/// Writes the file of one match key, from entries sorted by hash and then audience.
pub(crate) struct RunWriter {
    out: SealedWriter,
    records: u64,
    key: u64,
    digest: [u8; 32],
    audiences: Vec<u16>,
}

impl RunWriter {
    pub(crate) fn create(run: &Path, key: &KeyName) -> io::Result<Self> {
        let out = SealedWriter::new(File::create_new(run_path(run, key))?)?;
        Ok(Self { out, records: 0, key: 0, digest: [0; 32], audiences: Vec::new() })
    }

    pub(crate) fn push(&mut self, key: u64, digest: &[u8; 32], audience: u16) -> io::Result<()> {
        if self.audiences.is_empty() || key != self.key {
            self.write_record()?;
            self.key = key;
            self.digest = *digest;
        }
        self.audiences.push(audience);
        Ok(())
    }

    /// The number of identities written.
    pub(crate) fn finish(mut self) -> io::Result<u64> {
        self.write_record()?;
        self.out.seal(MAGIC, self.records)?;
        Ok(self.records)
    }

    fn write_record(&mut self) -> io::Result<()> {
        if self.audiences.is_empty() {
            return Ok(());
        }
        self.out.write_all(&self.key.to_le_bytes())?;
        self.out.write_all(&self.digest)?;
        self.out.write_all(&(self.audiences.len() as u16).to_le_bytes())?;
        for audience in &self.audiences {
            self.out.write_all(&audience.to_le_bytes())?;
        }
        self.records += 1;
        self.audiences.clear();
        Ok(())
    }
}

/// One identity of a run.
#[derive(Clone)]
pub(crate) struct RunRecord {
    pub(crate) key: u64,
    pub(crate) digest: [u8; 32],
    pub(crate) audiences: Vec<u16>,
}

/// Reads the file of one match key from its start to its end.
pub(crate) struct RunReader {
    input: SealedReader,
    last: Option<u64>,
}

impl RunReader {
    /// `None` where the run has no file of that match key.
    pub(crate) fn open(run: &Path, key: &KeyName) -> io::Result<Option<Self>> {
        match File::open(run_path(run, key)) {
            Err(fault) if fault.kind() == io::ErrorKind::NotFound && run.is_dir() => Ok(None),
            file => Ok(Some(Self { input: SealedReader::new(file?, MAGIC)?, last: None })),
        }
    }

    /// Reads the next identity into `record`; `false` at the end, where the checksum of the file is verified.
    pub(crate) fn next(&mut self, record: &mut RunRecord) -> io::Result<bool> {
        if !self.input.begin_record()? {
            return Ok(false);
        }
        let mut fixed = [0; 42];
        self.input.read_exact(&mut fixed)?;
        let mut key = [0; 8];
        key.copy_from_slice(&fixed[..8]);
        record.key = u64::from_le_bytes(key);
        record.digest.copy_from_slice(&fixed[8..40]);
        if self.last.replace(record.key).is_some_and(|last| last >= record.key) {
            return Err(damaged());
        }
        record.audiences.clear();
        for _ in 0..u16::from_le_bytes([fixed[40], fixed[41]]) {
            let mut audience = [0; 2];
            self.input.read_exact(&mut audience)?;
            record.audiences.push(u16::from_le_bytes(audience));
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn write(dir: &Path, key: &KeyName) {
        let mut writer = RunWriter::create(dir, key).unwrap();
        for (hash, audience) in [(3, 0), (3, 2), (5, 1), (u64::MAX, 0)] {
            writer.push(hash, &[hash as u8; 32], audience).unwrap();
        }
        assert_eq!(writer.finish().unwrap(), 3);
    }

    fn read(dir: &Path, key: &KeyName) -> io::Result<Vec<(u64, u8, Vec<u16>)>> {
        let mut reader = RunReader::open(dir, key)?.unwrap();
        let mut record = RunRecord { key: 0, digest: [0; 32], audiences: Vec::new() };
        let mut all = Vec::new();
        while reader.next(&mut record)? {
            all.push((record.key, record.digest[31], record.audiences.clone()));
        }
        Ok(all)
    }

    #[test]
    fn what_is_written_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let key = KeyName::new("idfa").unwrap();
        write(dir.path(), &key);
        let expected = vec![(3, 3, vec![0, 2]), (5, 5, vec![1]), (u64::MAX, 255, vec![0])];
        assert_eq!(read(dir.path(), &key).unwrap(), expected);
        assert!(RunReader::open(dir.path(), &KeyName::new("gaid").unwrap()).unwrap().is_none());
    }

    #[test]
    fn damage_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let key = KeyName::new("idfa").unwrap();
        write(dir.path(), &key);
        let sound = std::fs::read(run_path(dir.path(), &key)).unwrap();
        for at in 0..sound.len() {
            let mut bytes = sound.clone();
            bytes[at] ^= 1;
            std::fs::write(run_path(dir.path(), &key), &bytes).unwrap();
            assert!(read(dir.path(), &key).is_err(), "byte {at}");
        }
        std::fs::write(run_path(dir.path(), &key), &sound[..sound.len() - 1]).unwrap();
        assert!(read(dir.path(), &key).is_err());
    }
}
