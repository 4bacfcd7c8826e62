//! What a delivery consists of. Each part keeps its own entry beside it until the manifest, which is written last,
//! lists them all; so a delivery that goes on after a crash knows the parts that were written before.

use std::io::Read;

use entente_destination::files::{Files, Format, MANIFEST, Manifest, Part, part_name};
use entente_destination::{Delivery, DestinationError};

use crate::destination::failed;
use crate::folder::Folder;

/// The most bytes of a part's entry.
const MAX_ENTRY: u64 = 4096;

/// Keeps the entry of a part beside it.
pub(crate) fn keep(part: &Part, sequence: u64, folder: &Folder) -> Result<(), DestinationError> {
    folder.write(&entry_name(sequence), &part.to_json()?).map_err(failed("the file's entry cannot be written"))
}

/// Reads the entry of a part, making sure that the part is there.
fn find(sequence: u64, format: Format, folder: &Folder) -> Result<Part, DestinationError> {
    let lost = || DestinationError::Permanent(format!("part {sequence} of the delivery is no longer there"));
    let entry = folder.open(&entry_name(sequence)).map_err(failed("the delivery's folder cannot be read"))?;
    let mut text = Vec::new();
    entry
        .ok_or_else(lost)?
        .take(MAX_ENTRY)
        .read_to_end(&mut text)
        .map_err(failed("the file's entry cannot be read"))?;
    let part: Part = serde_json::from_slice(&text).map_err(|_| lost())?;
    let file = folder.open(&part_name(sequence, format)).map_err(failed("the delivery's folder cannot be read"))?;
    let size = file.ok_or_else(lost)?.metadata().map_err(failed("the file cannot be read"))?.len();
    if size == part.bytes && part.name == part_name(sequence, format) { Ok(part) } else { Err(lost()) }
}

/// Writes the manifest of a delivery whose parts are `1..=last`, and then removes what the parts kept for it. Once a
/// manifest is there, the delivery is complete, and only the rest is tidied.
pub(crate) fn complete(delivery: &Delivery, files: &Files, last: u64, folder: &Folder) -> Result<(), DestinationError> {
    if folder.open(MANIFEST).map_err(failed("the delivery's folder cannot be read"))?.is_none() {
        let parts = (1..=last).map(|sequence| find(sequence, files.format(), folder)).collect::<Result<Vec<_>, _>>()?;
        let manifest = Manifest::new(delivery, files, parts).to_json()?;
        folder.write(MANIFEST, &manifest).map_err(failed("the manifest cannot be written"))?;
    }
    (1..=last).try_for_each(|sequence| folder.remove(&entry_name(sequence))).map_err(failed("tidying up failed"))
}

fn entry_name(sequence: u64) -> String {
    format!(".part-{sequence:05}.json")
}
