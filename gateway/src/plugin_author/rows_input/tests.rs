//! Files as authors have them, and files that are none.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use ::parquet::arrow::ArrowWriter;
use arrow_array::{ArrayRef, BinaryArray, Int32Array, StringArray};
use entente_destination::rows::{Change, MAX_BATCH_ROWS, Row, batch};
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::destinations::rows_file::RowsFile;

/// A folder with one file of rows in it.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn source(&self) -> PathBuf {
        self.folder.path().join("rows")
    }

    /// The rows of a file with these bytes, with their match key, first byte and change.
    fn copy(&self, bytes: &[u8]) -> Result<Vec<(String, u8, Change)>, RowsFault> {
        fs::write(self.source(), bytes).unwrap();
        let to = self.folder.path().join("copy");
        let copied = copy_rows(&self.source(), &to, &CancellationToken::new())?;
        let file = RowsFile::open(&to).unwrap();
        let batches: Vec<_> = (1..=file.batches()).map(|sequence| file.read(sequence).unwrap()).collect();
        let rows: Vec<_> = batches
            .iter()
            .flat_map(|batch| Rows::read(batch).unwrap().iter().collect::<Vec<_>>())
            .map(|row| (row.match_key.to_owned(), row.identity[0], row.change))
            .collect();
        assert_eq!(copied.rows, rows.len() as u64);
        assert_eq!(copied.match_keys, rows.iter().map(|(key, ..)| key.clone()).collect());
        Ok(rows)
    }
}

fn hexed(byte: u8) -> String {
    hex::encode([byte; 32])
}

fn parquet(columns: &[(&str, ArrayRef)]) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter(columns.iter().cloned()).unwrap();
    let mut written = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut written, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    written
}

fn texts(texts: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(texts.to_vec()))
}

#[test]
fn csv_is_read_with_and_without_changes() {
    let place = Place::new();
    let (a, b) = (hexed(0xaa), hexed(0xbb));
    let csv = format!("match_key,identity_hex\nhashed_email,{a}\npartner_id-luma,{}\n", b.to_uppercase());
    let expected = vec![("hashed_email".into(), 0xaa, Change::Added), ("partner_id-luma".into(), 0xbb, Change::Added)];
    assert_eq!(place.copy(csv.as_bytes()).unwrap(), expected);
    let csv = format!("note,change,identity_hex,match_key\n\"a, b\",removed,\"{a}\",idfa\n,,{b},idfa\n");
    let expected = vec![("idfa".into(), 0xaa, Change::Removed), ("idfa".into(), 0xbb, Change::Added)];
    assert_eq!(place.copy(csv.as_bytes()).unwrap(), expected);
}

#[test]
fn only_this_user_may_read_the_copy() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    place.copy(format!("match_key,identity_hex\nidfa,{}\n", hexed(1)).as_bytes()).unwrap();
    assert_eq!(fs::metadata(place.folder.path().join("copy")).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn many_rows_become_full_batches_and_a_rest() {
    let place = Place::new();
    let line = format!("idfa,{}\n", hexed(7));
    let csv = format!("match_key,identity_hex\n{}", line.repeat(MAX_BATCH_ROWS + 1));
    assert_eq!(place.copy(csv.as_bytes()).unwrap().len(), MAX_BATCH_ROWS + 1);
    assert_eq!(RowsFile::open(&place.folder.path().join("copy")).unwrap().batches(), 2);
}

#[test]
fn odd_rows_are_told_by_number_and_never_shown() {
    let place = Place::new();
    let good = format!("hashed_email,{},added", hexed(0xaa));
    for (row, told) in [
        ("hashed_email,s3cret,added".to_owned(), "row 2: `identity_hex`"),
        (format!("hashed_email,{}s3cret,added", hexed(0xaa)), "row 2: `identity_hex`"),
        (format!("s3cret,{},added", hexed(0xaa)), "row 2: `match_key`"),
        (format!(",{},added", hexed(0xaa)), "row 2: `match_key`"),
        (format!("hashed_email,{},s3cret", hexed(0xaa)), "row 2: `change`"),
        (format!("hashed_email,{}", hexed(0xaa)), "row 2: it has another number of fields"),
        (format!("{good},s3cret"), "row 2: it has another number of fields"),
        ("hashed_email,\"s3cret".to_owned(), "row 2"),
        (format!("hashed_email,{},\"{}\"", hexed(0xaa), "s3cret".repeat(400_000)), "row 2"),
        ("s3cret\0,,".to_owned(), "NUL byte"),
    ] {
        let error = place.copy(format!("match_key,identity_hex,change\n{good}\n{row}\n").as_bytes()).unwrap_err();
        let message = error.to_string();
        assert!(
            message.contains(told) && !message.contains("s3cret") && !message.contains("aaaa"),
            "{told}: {message}"
        );
    }
}

#[test]
fn files_that_are_none_are_refused() {
    let place = Place::new();
    for bytes in [
        &b""[..],
        b"match_key\n",
        b"match_key,identity\nidfa,aa\n",
        b"PAR1",
        b"PAR1\0\0\0\0PAR1",
        b"ARROW1",
        b"ARROW1\0\0\xff\xff\xff\x7fARROW1",
        b"\xff\xfem\0a\0",
        b"\x89PNG\r\n\x1a\n",
    ] {
        assert!(place.copy(bytes).is_err(), "{bytes:?}");
    }
    let missing = copy_rows(&place.folder.path().join("none"), &place.source(), &CancellationToken::new());
    assert!(matches!(missing, Err(RowsFault::Io(_))));
}

#[test]
fn parquet_is_read_as_texts_or_bytes() {
    let place = Place::new();
    let keys = texts(&["hashed_email", "idfa"]);
    let expected = vec![("hashed_email".into(), 0xaa, Change::Added), ("idfa".into(), 0xbb, Change::Added)];
    let identities = texts(&[&hexed(0xaa), &hexed(0xbb)]);
    let text = parquet(&[("match_key", keys.clone()), ("identity_hex", identities.clone())]);
    assert_eq!(place.copy(&text).unwrap(), expected);
    let bytes: ArrayRef = Arc::new(BinaryArray::from(vec![&[0xaa; 32][..], &[0xbb; 32]]));
    let binary = parquet(&[("identity", bytes), ("other", keys.clone()), ("match_key", keys.clone())]);
    assert_eq!(place.copy(&binary).unwrap(), expected);
    let changes = texts(&["removed", "added"]);
    let changed = parquet(&[("match_key", keys), ("identity", identities), ("change", changes)]);
    assert_eq!(place.copy(&changed).unwrap()[0].2, Change::Removed);
}

#[test]
fn odd_parquet_is_refused() {
    let place = Place::new();
    let (keys, identity) = (texts(&["idfa", "idfa"]), hexed(0xaa));
    let nulls: ArrayRef = Arc::new(StringArray::from(vec![Some(identity.as_str()), None]));
    let numbers: ArrayRef = Arc::new(Int32Array::from(vec![1, 2]));
    let short = texts(&[&identity, &identity[..32]]);
    for (columns, told) in [
        ([("match_key", keys.clone()), ("identity_hex", nulls)], "row 2: `identity_hex`"),
        ([("match_key", keys.clone()), ("identity", short)], "row 2: `identity_hex`"),
        ([("match_key", keys.clone()), ("identity", numbers)], "neither text"),
        ([("match_key", keys.clone()), ("other", keys.clone())], "no column `identity_hex`"),
        ([("identity", keys.clone()), ("other", keys)], "no column `match_key`"),
    ] {
        let message = place.copy(&parquet(&columns)).unwrap_err().to_string();
        assert!(message.contains(told) && !message.contains("aaaa"), "{told}: {message}");
    }
}

#[test]
fn a_workers_own_file_is_taken_as_it_is() {
    let place = Place::new();
    let row = Row { match_key: "idfa", identity: &[7; 32], change: Change::Removed };
    write_rows(&place.source(), [batch([row]).unwrap(), batch([]).unwrap(), batch([row]).unwrap()]).unwrap();
    let bytes = fs::read(place.source()).unwrap();
    assert_eq!(place.copy(&bytes).unwrap(), vec![("idfa".into(), 7, Change::Removed); 2]);
    let odd = Row { match_key: "s3cret", ..row };
    write_rows(&place.source(), [batch([row]).unwrap(), batch([row, odd]).unwrap()]).unwrap();
    let message = place.copy(&fs::read(place.source()).unwrap()).unwrap_err().to_string();
    assert!(message.starts_with("rows 2 to 3:") && !message.contains("s3cret"), "{message}");
}

#[test]
fn who_cancels_is_not_kept_waiting() {
    let place = Place::new();
    fs::write(place.source(), format!("match_key,identity_hex\nidfa,{}\n", hexed(1))).unwrap();
    let cancel = CancellationToken::new();
    cancel.cancel();
    let copied = copy_rows(&place.source(), &place.folder.path().join("copy"), &cancel);
    assert!(matches!(copied, Err(RowsFault::Cancelled)));
}

proptest! {
    #[test]
    fn damaged_files_do_no_harm(at in any::<prop::sample::Index>(), byte in any::<u8>(), arrow in any::<bool>()) {
        let place = Place::new();
        let mut bytes = if arrow {
            let row = Row { match_key: "idfa", identity: &[7; 32], change: Change::Added };
            write_rows(&place.source(), [batch([row; 3]).unwrap()]).unwrap();
            fs::read(place.source()).unwrap()
        } else {
            parquet(&[("match_key", texts(&["idfa"])), ("identity", texts(&[&hexed(7)]))])
        };
        let at = at.index(bytes.len());
        bytes[at] = byte;
        // Whatever comes of it, it is an answer.
        let _ = place.copy(&bytes);
    }
}
