//! CSV files as sources.

use crate::sourcing::{refused, sourced};
use entente_identity::source::{Row, RowReader, SourceFault, preview};
use std::sync::Arc;

/// A CSV file is read or refused in the same way by all that read one, and what was read reads the same once more. A
/// Parquet file is another input.
pub fn csv(file: &[u8]) {
    if file.starts_with(b"PAR") {
        return;
    }
    let read = read(file);
    match preview(Arc::new(file.to_vec()), Some(b',')) {
        Ok(preview) => assert_eq!(Some(preview.estimated_rows), read.as_ref().ok().map(|t| t.rows.len() as u64)),
        Err(fault) => refused(&fault),
    }
    if let Err(fault) = preview(Arc::new(file.to_vec()), None) {
        refused(&fault);
    }
    let sourced = sourced(file);
    let Ok(table) = read.inspect_err(refused) else {
        assert!(sourced.is_err(), "it was sourced, and cannot be read");
        return;
    };
    if let Ok(sourced) = sourced {
        assert_eq!((sourced.rows, &sourced.columns), (table.rows.len() as u64, &table.columns));
    }
    assert_eq!(read_quoted(&table), table.rows);
}

/// What a file holds.
struct Table {
    columns: Vec<String>,
    rows: Vec<Vec<Vec<u8>>>,
}

fn read(mut file: &[u8]) -> Result<Table, SourceFault> {
    let mut reader = RowReader::open(&mut file, b',', &[])?;
    let (mut row, mut rows) = (Row::default(), Vec::new());
    while reader.next_row(&mut row)? {
        rows.push((0..row.len()).map(|field| row.field(field).to_vec()).collect());
        assert_eq!(row.number(), rows.len() as u64);
    }
    Ok(Table { columns: reader.columns().to_vec(), rows })
}

/// The rows again, written with a quote around each field.
fn read_quoted(table: &Table) -> Vec<Vec<Vec<u8>>> {
    let columns = table.columns.iter().map(|column| column.as_bytes());
    let mut file = quoted(columns);
    table.rows.iter().for_each(|row| file.extend(quoted(row.iter().map(Vec::as_slice))));
    read(&file).unwrap_or_else(|fault| panic!("what was read is refused once more: {fault}")).rows
}

fn quoted<'a>(fields: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let escaped = |byte: &u8| if *byte == b'"' { vec![*byte; 2] } else { vec![*byte] };
    let fields = fields.map(|field| [b"\"", &*field.iter().flat_map(escaped).collect::<Vec<_>>(), b"\""].concat());
    [fields.collect::<Vec<_>>().join(&b','), b"\n".to_vec()].concat()
}
