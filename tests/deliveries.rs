//! What arrived in the landing zone.

use arrow_array::cast::AsArray;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::{
    collections::BTreeMap,
    fs::File,
    path::{Path, PathBuf},
};

/// All files below a folder.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return vec![] };
    let mut found: Vec<_> = entries
        .flat_map(|entry| {
            let path = entry.unwrap().path();
            if path.is_dir() { files(&path) } else { vec![path] }
        })
        .collect();
    found.sort();
    found
}

/// Nobody finds these texts in a file below a folder, whatever their letter case. What goes meanwhile is gone.
pub fn assert_nowhere(folder: &Path, texts: &[&str]) {
    let mut read = 0;
    for file in files(folder) {
        let Ok(bytes) = std::fs::read(&file) else { continue };
        read += 1;
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        for wanted in texts {
            assert!(!text.contains(&wanted.to_lowercase()), "{wanted} is in {}", file.display());
        }
    }
    assert!(read > 0, "there is nothing in {}", folder.display());
}

/// How often each identity was delivered, by match key and hex digest.
pub fn delivered(folder: &Path) -> BTreeMap<(String, String), u32> {
    let mut rows = BTreeMap::new();
    for file in files(folder).iter().filter(|f| f.extension().is_some_and(|e| e == "parquet")) {
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(file).unwrap()).unwrap().build().unwrap();
        for batch in reader {
            let batch = batch.unwrap();
            let text =
                |name: &str, row: usize| batch.column_by_name(name).unwrap().as_string::<i32>().value(row).to_owned();
            for row in 0..batch.num_rows() {
                assert_eq!(text("change", row), "added");
                *rows.entry((text("match_key", row), text("identity", row))).or_insert(0) += 1;
            }
        }
    }
    rows
}
