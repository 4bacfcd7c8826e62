//! Models side by side: what each credits to every value of a dimension.

use super::chart::{Chart, Group, Width};
use super::section::{Block, Body, Line, Picture, column, describe, in_order, of_event, words};
use super::wording;
use crate::cell::Cell;
use crate::document::Document;
use crate::fault::WriteFault;
use crate::table::{Row, Table};
use entente_identity::measure::Model;

/// A value of the dimension, and its row in the table of each model.
type Compared<'a> = (String, Vec<(Model, &'a Row)>);

/// One table and one chart of tables by the same dimension, one of each model.
pub(super) fn block(tables: &[Table], number: usize, document: &Document<'_>) -> Result<Option<Block>, WriteFault> {
    let Some(first) = tables.first() else { return Ok(None) };
    let compared = compared(tables, document);
    let title = wording::title(first.view, first.dimension);
    let name = format!("{title}{}", of_event(first));
    let head = first.dimension.map_or("", wording::dimension);
    let metrics = first.metrics.iter().map(|metric| wording::metric(*metric));
    Ok(Some(Block {
        id: format!("table-{number}"),
        lead: wording::lead_of_comparison(first.dimension),
        is_wide: false,
        picture: picture(tables, &compared, &name, document)?,
        without_picture: wording::without_picture(compared.is_empty()),
        caption: format!("{name}: figures"),
        columns: [head, "Model"].into_iter().chain(metrics).collect(),
        heads: 2,
        bodies: compared.iter().map(|of| body(of, first)).collect(),
        title,
    }))
}

/// Values in the order of what the first model credits to them. All models have the same rows.
fn compared<'a>(tables: &'a [Table], document: &Document<'_>) -> Vec<Compared<'a>> {
    let Some(first) = tables.first() else { return Vec::new() };
    let of_place = |place: usize| {
        let rows = tables.iter().filter_map(move |table| Some((table.model?, table.rows.get(place)?)));
        let name = first.rows.get(place).map(|row| wording::group(&row.group, first.dimension, document));
        (name.unwrap_or_default(), rows.collect())
    };
    in_order(first).into_iter().map(of_place).collect()
}

fn body((name, rows): &Compared<'_>, table: &Table) -> Body {
    let line = |(model, row): &(Model, &Row)| Line {
        name: wording::model_name(*model),
        cells: table.metrics.iter().zip(&row.cells).map(|(metric, cell)| words(*metric, cell)).collect(),
    };
    Body { name: Some(name.clone()), lines: rows.iter().map(line).collect() }
}

fn picture(
    tables: &[Table],
    compared: &[Compared<'_>],
    name: &str,
    document: &Document<'_>,
) -> Result<Option<Picture>, WriteFault> {
    let mut groups: Vec<Group> = compared.iter().map(bars).collect();
    groups.retain(|group| group.bars.iter().any(|(_, cell)| cell.measured().is_some()));
    if groups.is_empty() {
        return Ok(None);
    }
    let models: Vec<String> = tables.iter().filter_map(|table| table.model).map(wording::model_name).collect();
    let Some(first) = tables.first() else { return Ok(None) };
    let places = in_order(first);
    let rows: Vec<&Row> = places.iter().filter_map(|place| first.rows.get(*place)).collect();
    let shown: Vec<Vec<&Cell>> = tables.iter().map(|table| column(table, &places, 0)).collect();
    let chart = Chart::Groups(groups);
    Ok(Some(Picture {
        title: format!("{name}: {}", models.join(", ").to_lowercase()),
        description: describe(&models, &rows, &shown, first.dimension, document),
        wide: chart.draw(Width::Column)?,
        narrow: chart.draw(Width::Narrow)?,
        legend: models,
    }))
}

/// Of what the models credit to one value.
fn bars<'a>((name, rows): &Compared<'a>) -> Group<'a> {
    let bar = |(model, row): &(Model, &'a Row)| Some((wording::short_model_name(*model), row.cells.first()?));
    Group { name: name.clone(), bars: rows.iter().filter_map(bar).collect() }
}
