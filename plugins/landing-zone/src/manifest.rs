//! What a delivery consists of. Parts that this process wrote are known; those of an earlier one, before a crash, are read
//! again for the manifest, which is written last and lists them all.

use std::collections::BTreeMap;
use std::io;
use std::panic::resume_unwind;
use std::sync::mpsc;
use std::thread;

use entente_destination::files::{Files, Format, MANIFEST, Manifest, Part, part_name};
use entente_destination::rows::Rows;
use entente_destination::{Delivery, DestinationError};

use crate::content::Content;
use crate::destination::failed;
use crate::folder::Folder;

/// Parts by sequence.
pub(crate) type Parts = BTreeMap<u64, Part>;

/// Writes a part, which is there and safe when it returns.
pub(crate) fn keep(
    files: &Files,
    sequence: u64,
    rows: &Rows<'_>,
    content: &mut Content,
    folder: &Folder,
) -> Result<Part, DestinationError> {
    let name = part_name(sequence, files.format());
    content.clear();
    let part = thread::scope(|scope| {
        let (pieces, to_write) = mpsc::channel();
        let writing = thread::Builder::new().spawn_scoped(scope, || folder.write_aside(&name, to_write));
        let mut filling = content.filling(pieces);
        let made = files.write(rows, &mut filling);
        let made = made.and_then(|()| filling.end().map_err(failed("the file cannot be written")));
        // Hashing takes about as long as the disk is waited for.
        let part = made.map(|()| Part::in_pieces(sequence, files.format(), rows, content.pieces()));
        let written = writing.and_then(|writing| writing.join().unwrap_or_else(|panic| resume_unwind(panic)));
        // Where it could not be written, that is why it could not be made.
        written.map_err(failed("the file cannot be written")).and(part)
    })?;
    folder.reveal(&name).map_err(failed("the file cannot be given its name"))?;
    Ok(part)
}

/// A part, making sure that it is there.
fn find(sequence: u64, known: Option<&Part>, format: Format, folder: &Folder) -> Result<Part, DestinationError> {
    let lost = || DestinationError::Permanent(format!("part {sequence} of the delivery is no longer there"));
    let file = folder.open(&part_name(sequence, format)).map_err(failed("the delivery's folder cannot be read"))?;
    let file = file.ok_or_else(lost)?;
    let Some(part) = known else {
        return Part::read_again(sequence, format, &file).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => lost(),
            _ => failed("the file cannot be read")(error),
        });
    };
    let size = file.metadata().map_err(failed("the file cannot be read"))?.len();
    if size == part.bytes { Ok(part.clone()) } else { Err(lost()) }
}

/// Writes the manifest of a delivery whose parts are `1..=last`, of which some are `known`. Once a manifest is there, the
/// delivery is complete.
pub(crate) fn complete(
    delivery: &Delivery,
    files: &Files,
    (last, known): (u64, &Parts),
    folder: &Folder,
) -> Result<(), DestinationError> {
    if folder.open(MANIFEST).map_err(failed("the delivery's folder cannot be read"))?.is_some() {
        return Ok(());
    }
    let find = |sequence| find(sequence, known.get(&sequence), files.format(), folder);
    let parts = (1..=last).map(find).collect::<Result<Vec<_>, _>>()?;
    let manifest = Manifest::new(delivery, files, parts).to_json()?;
    folder.write(MANIFEST, &manifest).map_err(failed("the manifest cannot be written"))
}
