//! What a delivery consists of. Each part keeps its own entry beside it until the manifest, which is written last,
//! lists them all; so a delivery that goes on after a crash knows the parts that were written before.

use entente_destination::files::{Files, Format, MANIFEST, Manifest, Part, part_name};
use entente_destination::{Delivery, DestinationError};
use futures::stream::{self, StreamExt, TryStreamExt};

use crate::folder::Folder;

/// The most bytes of a part's entry.
const MAX_ENTRY: usize = 4096;
/// How many parts are looked at together when a delivery ends.
const TOGETHER: usize = 16;

/// Keeps the entry of a part beside it.
pub(crate) async fn keep(part: &Part, sequence: u64, folder: &Folder) -> Result<(), DestinationError> {
    folder.write(&entry_name(sequence), &part.to_json()?).await
}

/// Reads the entry of a part, making sure that the part is there.
async fn find(sequence: u64, format: Format, folder: &Folder) -> Result<Part, DestinationError> {
    let lost = || DestinationError::Permanent(format!("part {sequence} of the delivery is no longer there"));
    let entry = folder.read(&entry_name(sequence), MAX_ENTRY).await?.ok_or_else(lost)?;
    let size = folder.size(&part_name(sequence, format)).await?.ok_or_else(lost)?;
    let part: Part = serde_json::from_slice(&entry).map_err(|_| lost())?;
    if size == part.bytes && part.name == part_name(sequence, format) { Ok(part) } else { Err(lost()) }
}

/// Writes the manifest of a delivery whose parts are `1..=last`, and then removes what the parts kept for it. Once a
/// manifest is there, the delivery is complete, and only the rest is tidied.
pub(crate) async fn complete(
    delivery: &Delivery,
    files: &Files,
    last: u64,
    folder: &Folder,
) -> Result<(), DestinationError> {
    if folder.size(MANIFEST).await?.is_none() {
        let parts = stream::iter(1..=last).map(|sequence| find(sequence, files.format(), folder)).buffered(TOGETHER);
        let manifest = Manifest::new(delivery, files, parts.try_collect().await?).to_json()?;
        folder.write(MANIFEST, &manifest).await?;
    }
    stream::iter(1..=last)
        .map(|sequence| remove_entry(sequence, folder))
        .buffer_unordered(TOGETHER)
        .try_for_each(async |()| Ok(()))
        .await
}

async fn remove_entry(sequence: u64, folder: &Folder) -> Result<(), DestinationError> {
    folder.remove(&entry_name(sequence)).await
}

fn entry_name(sequence: u64) -> String {
    format!(".part-{sequence:05}.json")
}
