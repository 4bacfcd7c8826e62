//! What a delivery consists of. Each part keeps its own entry beside it until the manifest, which is written last,
//! lists them all; so a delivery that goes on after a crash knows the parts that were written before.

use std::io::Read;
use std::panic::resume_unwind;
use std::sync::mpsc;
use std::thread;

use entente_destination::files::{Files, Format, MANIFEST, Manifest, Part, part_name};
use entente_destination::rows::Rows;
use entente_destination::{Delivery, DestinationError};

use crate::content::Content;
use crate::destination::failed;
use crate::folder::Folder;

/// The most bytes of a part's entry.
const MAX_ENTRY: u64 = 4096;

/// Writes a part and its entry beside it. Both are there and safe when it returns.
pub(crate) fn keep(
    files: &Files,
    sequence: u64,
    rows: &Rows<'_>,
    content: &mut Content,
    folder: &Folder,
) -> Result<Part, DestinationError> {
    let (name, entry) = (part_name(sequence, files.format()), entry_name(sequence));
    content.clear();
    let part = thread::scope(|scope| {
        let (pieces, to_write) = mpsc::channel();
        let writing = thread::Builder::new().spawn_scoped(scope, || folder.write_aside(&name, to_write));
        let mut filling = content.filling(pieces);
        let made = files.write(rows, &mut filling);
        let made = made.and_then(|()| filling.end().map_err(failed("the file cannot be written")));
        let part = made.and_then(|()| {
            // Hashing takes about as long as the disk is waited for.
            let part = Part::in_pieces(sequence, files.format(), rows, content.pieces());
            let kept = folder.write_aside(&entry, [part.to_json()?]);
            kept.map_err(failed("the file's entry cannot be written")).map(|()| part)
        });
        let written = writing.and_then(|writing| writing.join().unwrap_or_else(|panic| resume_unwind(panic)));
        // Where it could not be written, that is why it could not be made.
        written.map_err(failed("the file cannot be written")).and(part)
    })?;
    folder.reveal(&[&entry, &name]).map_err(failed("the file cannot be given its name"))?;
    Ok(part)
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
