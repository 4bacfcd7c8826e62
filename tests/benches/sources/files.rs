//! The files that are read: the same rows in all shapes.

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use entente_test_servers::xml_store::XmlStore;
use flate2::{Compression, write::GzEncoder};
use parquet::arrow::ArrowWriter;
use std::{
    fmt::Write as _,
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};
use tempfile::TempDir;

/// How many small files have the rows of the large one.
pub const SMALL: u64 = 1_000;
/// About what a row takes.
const ROW: u64 = 56;
const AUDIENCES: u64 = 100;
const COLUMNS: [&str; 3] = ["email", "crm_id", "audience"];

/// How the rows are kept.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    One,
    Many,
    Parquet,
    Gzip,
}

impl Shape {
    pub const ALL: [Self; 4] = [Self::One, Self::Many, Self::Parquet, Self::Gzip];

    /// The folder of its files.
    pub fn name(self) -> &'static str {
        match self {
            Self::One => "one-file",
            Self::Many => "small-files",
            Self::Parquet => "parquet",
            Self::Gzip => "gzip",
        }
    }
}

pub struct Files {
    folder: TempDir,
    pub rows: u64,
}

impl Files {
    /// Writes rows of so many bytes as CSV, in all shapes.
    pub fn write(bytes: u64) -> Self {
        let files = Self { folder: tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap(), rows: bytes / ROW };
        for shape in Shape::ALL {
            fs::create_dir(files.path(shape)).unwrap();
        }
        let create = |shape, name: &str| File::create(files.path(shape).join(name)).unwrap();
        let mut one = create(Shape::One, "people.csv");
        let mut gzip = GzEncoder::new(create(Shape::Gzip, "people.csv.gz"), Compression::fast());
        let mut parquet =
            ArrowWriter::try_new(create(Shape::Parquet, "people.parquet"), batch(0..1).schema(), None).unwrap();
        let header = COLUMNS.join(",") + "\n";
        for file in [&mut one as &mut dyn std::io::Write, &mut gzip] {
            file.write_all(header.as_bytes()).unwrap();
        }
        for number in 0..SMALL {
            let range = number * files.rows / SMALL..(number + 1) * files.rows / SMALL;
            let rows = csv(range.clone());
            one.write_all(rows.as_bytes()).unwrap();
            gzip.write_all(rows.as_bytes()).unwrap();
            parquet.write(&batch(range)).unwrap();
            let mut small = create(Shape::Many, &format!("people-{number:04}.csv"));
            small.write_all(header.as_bytes()).and_then(|()| small.write_all(rows.as_bytes())).unwrap();
        }
        gzip.finish().unwrap();
        parquet.close().unwrap();
        files
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The folder of a shape.
    pub fn path(&self, shape: Shape) -> PathBuf {
        self.folder.path().join(shape.name())
    }

    /// Puts all files into a bucket, by their paths here.
    pub fn put_into(&self, store: &XmlStore) {
        for shape in Shape::ALL {
            for file in self.of(shape) {
                let name = file.strip_prefix(self.folder()).unwrap().to_str().unwrap().to_owned();
                store.put(&name, fs::read(&file).unwrap());
            }
        }
    }

    /// Makes files look as if they were written anew.
    pub fn touch(&self, shape: Shape) {
        for file in self.of(shape) {
            File::options().append(true).open(file).unwrap().set_modified(SystemTime::now()).unwrap();
        }
    }

    fn of(&self, shape: Shape) -> impl Iterator<Item = PathBuf> {
        fs::read_dir(self.path(shape)).unwrap().map(|entry| entry.unwrap().path())
    }
}

/// A person with an e-mail, an id and an audience. Every fourth row is of the person before it, in another audience.
fn row(number: u64) -> [String; 3] {
    let person = scramble(if number % 4 == 3 { number - 1 } else { number });
    [
        format!("Person.{:x}@Example{}.com", person >> 8, person % 50),
        format!("C-{:012}", person % 1_000_000_000_000),
        format!("audience {}", scramble(number) % AUDIENCES),
    ]
}

fn csv(rows: std::ops::Range<u64>) -> String {
    let mut text = String::new();
    for [email, crm_id, audience] in rows.map(row) {
        writeln!(text, "{email},{crm_id},{audience}").unwrap();
    }
    text
}

fn batch(rows: std::ops::Range<u64>) -> RecordBatch {
    let mut columns: [Vec<String>; 3] = Default::default();
    for row in rows.map(row) {
        columns.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
    }
    let arrays = columns.map(|column| Arc::new(StringArray::from(column)) as ArrayRef);
    RecordBatch::try_from_iter(COLUMNS.into_iter().zip(arrays)).unwrap()
}

/// SplitMix64.
fn scramble(number: u64) -> u64 {
    let mut z = number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ z >> 31
}
