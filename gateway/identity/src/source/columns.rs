//! The columns of a file with their types, from its header or its footer: no row is read.

use std::sync::Arc;

use entente_domain::drift::Column;

use super::fault::SourceFault;
use super::masking::{MASK, looks_like_identifier};
use super::parquet;
use super::plan::SourcePlan;
use super::rows::RowReader;
use super::wanted::Wanted;
use crate::random_access::{FromStart, RandomAccess};

/// What the values of all columns of CSV are, and of those of Parquet that hold text.
pub(super) const TEXT: &str = "text";
/// The longest name that a mapping can name; others are cut.
const NAME_CHARS: usize = 200;

/// The columns of a file, CSV or Parquet by its first bytes, whether or not those that are wanted are among them. Where the
/// file seems to have no header, because a name looks like an identifier, all names that are not wanted are hidden.
pub fn columns(file: &Arc<dyn RandomAccess>, plan: &SourcePlan) -> Result<Vec<Column>, SourceFault> {
    let found = if parquet::is_parquet(&**file)? { parquet::columns(file)? } else { of_csv(file, plan)? };
    Ok(without_identifiers(found, &plan.wanted()))
}

fn of_csv(file: &Arc<dyn RandomAccess>, plan: &SourcePlan) -> Result<Vec<Column>, SourceFault> {
    plan.check()?;
    let open = |wanted: &[&str]| RowReader::open(FromStart::new(file.clone())?, plan.delimiter, wanted);
    let wanted = plan.wanted();
    let reader = match open(&wanted.iter().map(Wanted::name).collect::<Vec<_>>()) {
        // Those that there are say more than the one that there is not.
        Err(SourceFault::MissingColumn { .. }) => open(&[])?,
        opened => opened?,
    };
    let column = |name: &String| Column { name: name.clone(), data_type: TEXT.to_owned() };
    Ok(reader.columns().iter().map(column).collect())
}

fn without_identifiers(columns: Vec<Column>, wanted: &[Wanted]) -> Vec<Column> {
    let is_wanted = |name: &str| wanted.iter().any(|wanted| wanted.name() == name);
    let hides = columns.iter().any(|column| !is_wanted(&column.name) && looks_like_identifier(&column.name));
    let shown = |column: Column| match is_wanted(&column.name) {
        true => column,
        false if hides => Column { name: MASK.to_owned(), ..column },
        false => Column { name: column.name.chars().take(NAME_CHARS).collect(), ..column },
    };
    columns.into_iter().map(shown).collect()
}
