//! Parquet files by their columns, and sourcing them.

use arrow_array::{ArrayRef, RecordBatch};
use entente_identity::normalise::{Form, Take};
use entente_identity::source::{
    AudienceFrom, Control, DEFAULT_MEMORY, Mapping, SourceFault, SourcePlan, Sourced, source, source_csv,
};
use entente_identity::{IndexSecret, KeyName};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Columns by name.
pub type Columns = Vec<(&'static str, ArrayRef)>;

pub fn written(columns: Columns, properties: WriterProperties) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut file = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut file, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    file
}

pub fn mapping(column: &str, key: &str, form: Form, take: Take) -> Mapping {
    Mapping { column: column.to_owned(), key: KeyName::new(key).unwrap(), form, take }
}

pub fn plan(mappings: Vec<Mapping>, audience: Option<&str>) -> SourcePlan {
    let audience = match audience {
        Some(column) => AudienceFrom::Column(column.to_owned()),
        None => AudienceFrom::Fixed("Runners".to_owned()),
    };
    SourcePlan { delimiter: b',', mappings, audience, memory: DEFAULT_MEMORY }
}

/// Plain e-mail addresses of one audience.
pub fn emails() -> SourcePlan {
    plan(vec![mapping("email", "hashed_email", Form::HashedEmail, Take::Transform)], None)
}

/// The files of a run, by name.
pub type Run = BTreeMap<String, Vec<u8>>;

fn run(dir: &Path, sourced: Result<Sourced, SourceFault>) -> Result<(Sourced, Run), SourceFault> {
    let sourced = sourced?;
    let files = std::fs::read_dir(dir.join("run")).unwrap().map(|entry| entry.unwrap().path());
    let named = |path: std::path::PathBuf| {
        (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap())
    };
    Ok((sourced, files.map(named).collect()))
}

/// Sources a file as it would be uploaded.
pub fn sourced(plan: &SourcePlan, file: Vec<u8>) -> Result<(Sourced, Run), SourceFault> {
    let (dir, secret) = (tempfile::tempdir().unwrap(), IndexSecret::new([7; 16]));
    let out = dir.path().join("run");
    let sourced = source(Arc::new(file), plan, dir.path(), &secret, &out, &mut |_| Control::Continue);
    if sourced.is_err() {
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "a refused file left something");
    }
    run(dir.path(), sourced)
}

pub fn sourced_csv(plan: &SourcePlan, csv: &str) -> (Sourced, Run) {
    let (dir, secret) = (tempfile::tempdir().unwrap(), IndexSecret::new([7; 16]));
    let out = dir.path().join("run");
    let sourced = source_csv(&mut csv.as_bytes(), plan, dir.path(), &secret, &out, &mut |_| Control::Continue);
    run(dir.path(), sourced).unwrap()
}

/// Sources a file that must be refused.
pub fn refused(plan: &SourcePlan, file: Vec<u8>) -> SourceFault {
    match sourced(plan, file) {
        Ok(_) => unreachable!("it was not refused"),
        Err(fault) => fault,
    }
}
