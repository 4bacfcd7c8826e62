//! The footer of a Parquet file: what its columns are, and where their chunks are. Everything in it is checked against the
//! file before anything is read by it, and what is kept of it is bounded.

use std::sync::Arc;

use super::compression::Codec;
use super::fault::ParquetFault;
use super::schema::{Column, Schema};
use super::thrift::{Compact, Kind, Malformed};
use crate::random_access::RandomAccess;
use crate::source::fault::SourceFault;

/// The longest footer that is read.
pub(super) const MAX_FOOTER: u64 = 32 << 20;
/// The most rows that a file may have.
pub(super) const MAX_ROWS: u64 = 1 << 31;
/// The most chunks of mapped columns.
const MAX_CHUNKS: usize = 500_000;

/// Length and magic, at the end of the file.
const TAIL: usize = 8;
pub(super) const MAGIC: &[u8; 4] = b"PAR1";
pub(super) const MAGIC_ENCRYPTED: &[u8; 4] = b"PARE";

/// The footer of a file.
pub(super) struct Footer {
    bytes: Vec<u8>,
    schema: Schema,
    /// Rows in the file.
    pub(super) rows: u64,
    /// Where the footer begins and data ends.
    start: u64,
}

/// A row group, as far as wanted columns go.
pub(super) struct Group {
    pub(super) rows: u64,
    /// One for each wanted column.
    pub(super) chunks: Vec<Chunk>,
}

/// The first row group, of which any column may be unsound.
pub(super) struct FirstGroup {
    pub(super) rows: u64,
    /// One for each column of the file.
    pub(super) chunks: Vec<Result<Chunk, ParquetFault>>,
}

/// The values of one column in one row group.
#[derive(Clone, Copy)]
pub(super) struct Chunk {
    pub(super) codec: Codec,
    pub(super) start: u64,
    pub(super) end: u64,
}

impl Footer {
    pub(super) fn read(file: &Arc<dyn RandomAccess>) -> Result<Self, SourceFault> {
        let size = file.size()?;
        let mut tail = [0; TAIL];
        let at = size.checked_sub(TAIL as u64).ok_or(ParquetFault::CutShort)?;
        file.read_part(at, &mut tail)?;
        let [a, b, c, d, magic @ ..] = tail;
        if magic == *MAGIC_ENCRYPTED {
            return Err(ParquetFault::Encrypted.into());
        }
        if magic != *MAGIC {
            return Err(ParquetFault::CutShort.into());
        }
        let length = u64::from(u32::from_le_bytes([a, b, c, d]));
        let start = at.checked_sub(length).filter(|start| *start >= MAGIC.len() as u64);
        let start = start.ok_or(ParquetFault::Damaged("its footer is longer than the file"))?;
        if length > MAX_FOOTER {
            return Err(ParquetFault::TooLarge("a footer of at most 32 MiB").into());
        }
        let mut bytes = vec![0; length as usize];
        file.read_part(start, &mut bytes)?;
        Self::parse(bytes, start)
    }

    fn parse(bytes: Vec<u8>, start: u64) -> Result<Self, SourceFault> {
        let (mut schema, mut rows, mut encrypted) = (None, None, false);
        let read = Compact::new(&bytes).fields(|reader, id, kind| {
            match (id, kind) {
                (2, Kind::List) => schema = Some(Schema::read(reader)?),
                (3, Kind::Integer) => rows = Some(reader.integer()?),
                (8, _) => {
                    encrypted = true;
                    return Ok(false);
                }
                _ => return Ok(false),
            }
            Ok(true)
        });
        read.map_err(ParquetFault::from)?;
        if encrypted {
            return Err(ParquetFault::Encrypted.into());
        }
        let schema = schema.ok_or(ParquetFault::Damaged("it has no schema"))??;
        let rows = rows.and_then(|rows| u64::try_from(rows).ok());
        let rows = rows.ok_or(ParquetFault::Damaged("it has no number of rows"))?;
        if rows > MAX_ROWS {
            return Err(ParquetFault::TooLarge("at most 2,147,483,648 rows").into());
        }
        Ok(Self { bytes, schema, rows, start })
    }

    /// The columns at the top of the schema.
    pub(super) fn columns(&self) -> &[Column] {
        &self.schema.columns
    }

    /// The row groups that have rows, with the chunks of these columns.
    pub(super) fn groups(&self, wanted: &[&Column]) -> Result<Vec<Group>, SourceFault> {
        let (mut groups, mut fault) = (Vec::new(), None);
        let read = Compact::new(&self.bytes).fields(|reader, id, kind| {
            if (id, kind) != (4, Kind::List) {
                return Ok(false);
            }
            reader.structs(|reader| {
                let raw = RawGroup::read(reader, wanted)?;
                if fault.is_none() && raw.rows != Some(0) {
                    match self.checked(raw, wanted) {
                        Ok(_) if (groups.len() + 1) * wanted.len().max(1) > MAX_CHUNKS => {
                            fault = Some(ParquetFault::TooLarge("at most 500,000 chunks of mapped columns"));
                        }
                        Ok(group) => groups.push(group),
                        Err(found) => fault = Some(found),
                    }
                }
                Ok(())
            })?;
            Ok(true)
        });
        read.map_err(ParquetFault::from)?;
        if let Some(fault) = fault {
            return Err(fault.into());
        }
        self.check_all(&groups)?;
        Ok(groups)
    }

    /// The first row group that has rows, with the chunk of each column or what is wrong with it.
    pub(super) fn first_group(&self) -> Result<Option<FirstGroup>, SourceFault> {
        let (columns, mut first): (Vec<_>, Option<RawGroup>) = (self.columns().iter().collect(), None);
        let read = Compact::new(&self.bytes).fields(|reader, id, kind| {
            if (id, kind) != (4, Kind::List) {
                return Ok(false);
            }
            reader.structs(|reader| {
                let wanted: &[&Column] = if first.is_none() { &columns } else { &[] };
                let raw = RawGroup::read(reader, wanted)?;
                if first.is_none() && raw.rows != Some(0) {
                    first = Some(raw);
                }
                Ok(())
            })?;
            Ok(true)
        });
        read.map_err(ParquetFault::from)?;
        let Some(raw) = first else { return Ok(None) };
        let rows = self.checked_rows(&raw)?;
        let chunk = |(raw, column): (&RawChunk, &&Column)| raw.checked(self.start, rows, &column.name);
        Ok(Some(FirstGroup { rows, chunks: raw.wanted.iter().zip(&columns).map(chunk).collect() }))
    }

    fn checked_rows(&self, raw: &RawGroup) -> Result<u64, ParquetFault> {
        if raw.columns != self.schema.leaves {
            return Err(ParquetFault::Damaged("a row group has other columns than the schema"));
        }
        let rows = raw.rows.and_then(|rows| u64::try_from(rows).ok()).filter(|rows| *rows <= MAX_ROWS);
        rows.ok_or(ParquetFault::Damaged("a row group has no sound number of rows"))
    }

    fn checked(&self, raw: RawGroup, wanted: &[&Column]) -> Result<Group, ParquetFault> {
        let rows = self.checked_rows(&raw)?;
        let chunk = |(raw, column): (&RawChunk, &&Column)| raw.checked(self.start, rows, &column.name);
        Ok(Group { rows, chunks: raw.wanted.iter().zip(wanted).map(chunk).collect::<Result<_, _>>()? })
    }

    /// What only all row groups together show.
    fn check_all(&self, groups: &[Group]) -> Result<(), ParquetFault> {
        let rows = groups.iter().try_fold(0u64, |sum, group| sum.checked_add(group.rows));
        if rows != Some(self.rows) {
            return Err(ParquetFault::Damaged("its row groups have another number of rows than it says"));
        }
        let mut ranges: Vec<_> = groups.iter().flat_map(|group| &group.chunks).map(|c| (c.start, c.end)).collect();
        ranges.sort_unstable();
        if ranges.windows(2).any(|pair| pair[0].1 > pair[1].0) {
            return Err(ParquetFault::Damaged("two of its column chunks overlap"));
        }
        Ok(())
    }
}

/// A row group as it is written.
struct RawGroup {
    rows: Option<i64>,
    /// How many chunks it has.
    columns: usize,
    /// Those that are wanted.
    wanted: Vec<RawChunk>,
}

impl RawGroup {
    fn read(reader: &mut Compact<'_>, wanted: &[&Column]) -> Result<Self, Malformed> {
        let mut group = Self { rows: None, columns: 0, wanted: Vec::with_capacity(wanted.len()) };
        reader.fields(|reader, id, kind| {
            match (id, kind) {
                (1, Kind::List) => {
                    group.columns = 0;
                    group.wanted.clear();
                    reader.structs(|reader| {
                        let chunk = RawChunk::read(reader)?;
                        // Wanted columns are in the order of the file.
                        if wanted.get(group.wanted.len()).is_some_and(|column| column.leaf == group.columns) {
                            group.wanted.push(chunk);
                        }
                        group.columns += 1;
                        Ok(())
                    })?;
                }
                (3, Kind::Integer) => group.rows = Some(reader.integer()?),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(group)
    }
}

/// A column chunk as it is written.
#[derive(Default)]
struct RawChunk {
    elsewhere: bool,
    encrypted: bool,
    codec: Option<i64>,
    values: Option<i64>,
    compressed: Option<i64>,
    data: Option<i64>,
    dictionary: Option<i64>,
}

impl RawChunk {
    fn read(reader: &mut Compact<'_>) -> Result<Self, Malformed> {
        let mut chunk = Self::default();
        reader.fields(|reader, id, kind| {
            match (id, kind) {
                (1, Kind::Binary) => chunk.elsewhere = !reader.binary()?.is_empty(),
                (3, Kind::Struct) => chunk.read_metadata(reader)?,
                (8 | 9, _) => {
                    chunk.encrypted = true;
                    return Ok(false);
                }
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(chunk)
    }

    fn read_metadata(&mut self, reader: &mut Compact<'_>) -> Result<(), Malformed> {
        reader.fields(|reader, id, kind| {
            let into = match (id, kind) {
                (4, Kind::Integer) => &mut self.codec,
                (5, Kind::Integer) => &mut self.values,
                (7, Kind::Integer) => &mut self.compressed,
                (9, Kind::Integer) => &mut self.data,
                (11, Kind::Integer) => &mut self.dictionary,
                _ => return Ok(false),
            };
            *into = Some(reader.integer()?);
            Ok(true)
        })
    }

    fn checked(&self, data_end: u64, rows: u64, column: &str) -> Result<Chunk, ParquetFault> {
        if self.encrypted {
            return Err(ParquetFault::Encrypted);
        }
        if self.elsewhere {
            return Err(ParquetFault::Damaged("a column chunk is in another file"));
        }
        let missing = ParquetFault::Damaged("a column chunk has no sound place");
        let number = |number: Option<i64>| number.and_then(|n| u64::try_from(n).ok()).ok_or(missing.clone());
        if number(self.values)? != rows {
            return Err(ParquetFault::Damaged("a column chunk has another number of values than its row group"));
        }
        let codec = Codec::of(number(self.codec)?);
        let codec = codec.map_err(|codec| ParquetFault::Codec { column: column.to_owned(), codec })?;
        let data = number(self.data)?;
        // Some writers say 0 where there is no dictionary.
        let dictionary = self.dictionary.and_then(|at| u64::try_from(at).ok()).filter(|at| (1..data).contains(at));
        let start = dictionary.unwrap_or(data);
        let end = start.checked_add(number(self.compressed)?).filter(|end| *end <= data_end);
        let end = end.filter(|_| start >= MAGIC.len() as u64).ok_or(missing.clone())?;
        Ok(Chunk { codec, start, end })
    }
}
