//! The events of identities that converted, set aside to be attributed again and again without those of all others.

use super::MeasureFault;
use super::event::{Conversion, Exposure, Kind, Place};
use super::join::{Attributing, IDENTITIES_BETWEEN_CHECKS};
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, Write};
use std::path::Path;

/// What comes next in a file.
const IDENTITY: u8 = 0;
const TOUCH: u8 = 1;
const CONVERSION: u8 = 2;

/// Bytes that are read or written at a time.
const BUFFER: usize = 1 << 18;

/// Writes what it is told into a file without a name: nothing is left behind, however the process ends.
pub(crate) struct JourneyWriter {
    file: BufWriter<File>,
}

impl JourneyWriter {
    pub(crate) fn new(scratch: &Path) -> Result<Self, MeasureFault> {
        Ok(Self { file: BufWriter::with_capacity(BUFFER, tempfile::tempfile_in(scratch)?) })
    }

    pub(crate) fn finish(self) -> Result<Journeys, MeasureFault> {
        Ok(Journeys { file: self.file.into_inner().map_err(std::io::IntoInnerError::into_error)? })
    }
}

impl Attributing for JourneyWriter {
    fn begin(&mut self, key: u64) -> Result<(), MeasureFault> {
        self.file.write_all(&[IDENTITY])?;
        Ok(self.file.write_all(&key.to_le_bytes())?)
    }

    fn touch(&mut self, exposure: &Exposure) -> Result<(), MeasureFault> {
        let Place { campaign, placement, creative } = exposure.place;
        self.file.write_all(&[TOUCH, exposure.kind as u8])?;
        self.file.write_all(&exposure.time.to_le_bytes())?;
        for cell in [campaign, placement, creative] {
            self.file.write_all(&cell.to_le_bytes())?;
        }
        Ok(())
    }

    fn convert(&mut self, conversion: &Conversion) -> Result<(), MeasureFault> {
        self.file.write_all(&[CONVERSION, conversion.events])?;
        self.file.write_all(&conversion.time.to_le_bytes())?;
        Ok(self.file.write_all(&conversion.value.to_le_bytes())?)
    }

    fn end(&mut self) -> Result<(), MeasureFault> {
        Ok(())
    }
}

/// What was written.
#[derive(Debug)]
pub(crate) struct Journeys {
    file: File,
}

impl Journeys {
    /// Tells all of it. `go_on` is asked now and then, with the identity that comes next.
    pub(crate) fn tell(
        &self,
        attribution: &mut impl Attributing,
        go_on: &dyn Fn(u64) -> bool,
    ) -> Result<(), MeasureFault> {
        let mut file = &self.file;
        file.rewind()?;
        let mut file = BufReader::with_capacity(BUFFER, file);
        let (mut identity, mut identities) = (None, 0_u32);
        loop {
            let mut tag = [0];
            if file.read(&mut tag)? == 0 {
                break;
            }
            match (tag[0], identity) {
                (IDENTITY, last) => {
                    if last.is_some() {
                        attribution.end()?;
                    }
                    let key = u64::from_le_bytes(bytes(&mut file)?);
                    identities = identities.wrapping_add(1);
                    if identities.is_multiple_of(IDENTITIES_BETWEEN_CHECKS) && !go_on(key) {
                        return Err(MeasureFault::Stopped);
                    }
                    attribution.begin(key)?;
                    identity = Some(key);
                }
                (TOUCH, Some(key)) => attribution.touch(&touch(&mut file, key)?)?,
                (CONVERSION, Some(key)) => {
                    let [events] = bytes(&mut file)?;
                    let (time, value) = (i64::from_le_bytes(bytes(&mut file)?), i64::from_le_bytes(bytes(&mut file)?));
                    attribution.convert(&Conversion { key, time, value, events })?;
                }
                _ => return Err(DAMAGED),
            }
        }
        if identity.is_some() { attribution.end() } else { Ok(()) }
    }
}

const DAMAGED: MeasureFault = MeasureFault::Damaged { reason: "journeys that were set aside cannot be read" };

fn touch(file: &mut impl Read, key: u64) -> Result<Exposure, MeasureFault> {
    let [kind] = bytes(file)?;
    let kind = *Kind::ALL.get(usize::from(kind)).ok_or(DAMAGED)?;
    let time = i64::from_le_bytes(bytes(file)?);
    let mut cells = [0; 3];
    for cell in &mut cells {
        *cell = u32::from_le_bytes(bytes(file)?);
    }
    let [campaign, placement, creative] = cells;
    // Whether it was viewable and what it cost does not matter to a conversion.
    Ok(Exposure { key, time, place: Place { campaign, placement, creative }, kind, viewable: false, cost: 0 })
}

fn bytes<const N: usize>(file: &mut impl Read) -> Result<[u8; N], MeasureFault> {
    let mut bytes = [0; N];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}
