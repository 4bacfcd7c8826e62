//! Accounts made of plain lists, through the same doors as those of files.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use entente_identity::generation::{RunSource, index_path, write_generation};
use entente_identity::normalise::{Form, Take};
use entente_identity::source::{AudienceFrom, Control, DEFAULT_MEMORY, Mapping, SourcePlan, source_csv};
use entente_identity::{Index, IndexSecret, KeyName, Slot};
use tempfile::TempDir;

/// By person, the slots the person is in.
pub type People = BTreeMap<u32, BTreeSet<u16>>;

/// An account with one match key.
pub struct Account {
    pub index: Index,
    pub generation: std::path::PathBuf,
    _dir: TempDir,
}

pub fn key() -> KeyName {
    KeyName::new("crm_id").unwrap()
}

pub fn secret() -> IndexSecret {
    IndexSecret::new(*b"secret of tests!")
}

/// Sources people from files, one per data connection, and merges these.
pub fn account(files: &[&People]) -> Account {
    let dir = tempfile::tempdir().unwrap();
    let sources: Vec<RunSource> =
        files.iter().enumerate().map(|(i, people)| run(dir.path(), &i.to_string(), people)).collect();
    let generation = dir.path().join("generation");
    write_generation(&sources, &generation).unwrap();
    let index = Index::open(&index_path(&generation, &key())).unwrap();
    Account { index, generation, _dir: dir }
}

/// A file of ids and the audiences that they are in.
pub fn plan() -> SourcePlan {
    SourcePlan {
        delimiter: b',',
        mappings: vec![Mapping { column: "id".to_owned(), key: key(), form: Form::CrmId, take: Take::Transform }],
        audience: AudienceFrom::Column("audience".to_owned()),
        memory: DEFAULT_MEMORY,
    }
}

/// One run, from a file whose audiences are named by their slots.
pub fn run(dir: &Path, name: &str, people: &People) -> RunSource {
    let mut file = String::from("id,audience\n");
    for (person, slots) in people {
        slots.iter().for_each(|slot| writeln!(file, "person-{person},{slot}").unwrap());
    }
    let run = dir.join(name);
    let sourced = source_csv(&mut file.as_bytes(), &plan(), dir, &secret(), &run, &mut |_| Control::Continue).unwrap();
    let slots = sourced.audiences.iter().map(|audience| Some(Slot(audience.name.parse().unwrap()))).collect();
    RunSource { run, slots }
}
