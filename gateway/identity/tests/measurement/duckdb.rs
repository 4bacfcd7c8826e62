//! What DuckDB counts.

use entente_identity::measure::Definition;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

pub const KINDS: [&str; 3] = ["view", "engaged_view", "click"];

/// CSV files.
pub struct Files {
    pub exposures: Vec<PathBuf>,
    pub conversions: Vec<PathBuf>,
}

/// Figures of cells; those of a cell that is not there are 0.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
pub struct Figures<const N: usize>(#[serde(with = "figures")] pub BTreeMap<usize, [i64; N]>);

/// Arrays of any length, which serde does not have.
mod figures {
    use super::BTreeMap;
    use serde::{Deserialize, Deserializer, de::Error};

    pub fn deserialize<'de, D: Deserializer<'de>, const N: usize>(
        deserializer: D,
    ) -> Result<BTreeMap<usize, [i64; N]>, D::Error> {
        let cells = BTreeMap::<usize, Vec<i64>>::deserialize(deserializer)?;
        let array = |(cell, figures): (usize, Vec<i64>)| Ok((cell, figures.try_into().map_err(|_| "figures")?));
        cells.into_iter().map(array).collect::<Result<_, &str>>().map_err(D::Error::custom)
    }
}

impl<const N: usize> Figures<N> {
    pub fn at(&self, cell: usize) -> [i64; N] {
        self.0.get(&cell).copied().unwrap_or([0; N])
    }
}

#[derive(Deserialize)]
pub struct Counts {
    pub summary: Summary,
    pub events: Vec<Event>,
}

/// Impressions, viewable, reach, cost.
#[derive(Deserialize)]
pub struct Summary {
    pub total: [i64; 4],
    pub by: BTreeMap<String, Figures<4>>,
    pub frequency: BTreeMap<usize, i64>,
    pub newly_reached: BTreeMap<usize, i64>,
}

/// Conversions, revenue, people.
#[derive(Deserialize)]
pub struct Event {
    pub all: [i64; 3],
    pub credited: [i64; 3],
    pub days: Figures<3>,
    pub new_people: BTreeMap<usize, i64>,
    pub models: Vec<Model>,
    pub paths: BTreeMap<String, BTreeMap<String, [i64; 2]>>,
}

/// Micros of conversions, revenue, people.
#[derive(Deserialize)]
pub struct Model {
    pub campaign: Figures<3>,
    pub placement: Figures<3>,
    pub creative: Figures<3>,
}

/// A Python that has DuckDB; none where there is none, unless it is required.
pub fn python() -> Option<OsString> {
    let python = std::env::var_os("ENTENTE_TEST_PYTHON").unwrap_or_else(|| "python3".into());
    let found = Command::new(&python).args(["-c", "import duckdb"]).output().is_ok_and(|out| out.status.success());
    if !found {
        assert!(std::env::var_os("ENTENTE_TEST_REQUIRE").is_none(), "DuckDB for Python is missing");
        eprintln!("left out: DuckDB for Python is not on this machine; .ci/run installs it");
    }
    found.then_some(python)
}

/// Counts what a report asks for.
pub fn count(python: &OsString, directory: &Path, definition: &Definition, files: &Files) -> Counts {
    let asked = directory.join("asked.json");
    let request = json!({ "definition": definition, "exposures": files.exposures, "conversions": files.conversions });
    std::fs::write(&asked, request.to_string()).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/measurement/counted_in_sql.py");
    let out = Command::new(python).args([&script, &asked]).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).unwrap()
}
