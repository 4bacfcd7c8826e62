//! Charts, drawn by plotters as SVG.

use super::name::shortened;
use super::numbers::{self, compact, compact_percent, full, percent, short_day};
use super::palette::{FIFTH, FIRST, FOURTH, GRID, SECOND, STRONG, TEXT, THIRD};
use crate::cell::{Cell, Measured, Number};
use crate::fault::WriteFault;
use chrono::NaiveDate;
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::drawing::DrawingAreaErrorKind;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::ops::Range;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Plane<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;
type Drawn = Result<(), DrawingAreaErrorKind<std::io::Error>>;

/// How much lighter an interval is than what it is of.
const LIGHT: f64 = 0.18;
/// The most days whose figures are marked one by one.
const MARKED_DAYS: usize = 62;
/// Height of a row of [`Chart::Bars`] and [`Chart::Intervals`].
const ROW: u32 = 40;
/// The highest [`Chart::Groups`]; groups that do not fit are in its table only.
const HIGHEST: u32 = 680;
/// Of one of its groups, in pixels: the height of its name, of a bar, and of what is below.
const GROUP: (u32, u32, u32) = (26, 21, 10);
/// What the labels of an axis below a chart take, in pixels.
const BELOW: u32 = 26;
/// Beside a bar, in pixels: room for what it is called, and for its number.
const BESIDE: (i32, i32) = (100, 92);

/// A chart that is drawn: the inside of an `svg` element of this size.
#[derive(Debug)]
pub(super) struct Drawing {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) marks: String,
}

/// For which screen a chart is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    /// As wide as the page.
    Page,
    /// Beside a table.
    Column,
    /// A telephone.
    Narrow,
}

impl Width {
    fn pixels(self) -> u32 {
        match self {
            Self::Page => 960,
            Self::Column => 480,
            Self::Narrow => 350,
        }
    }

    /// How many days an axis names.
    fn days(self) -> usize {
        match self {
            Self::Page => 12,
            Self::Column => 6,
            Self::Narrow => 4,
        }
    }

    /// How many letters of a name fit beside a number.
    fn letters(self) -> usize {
        match self {
            Self::Page => 90,
            Self::Column => 44,
            Self::Narrow => 30,
        }
    }
}

/// What a chart shows.
#[derive(Debug)]
pub(super) enum Chart<'a> {
    /// A line over days, or two.
    Lines {
        /// The days.
        days: Vec<NaiveDate>,
        /// Figures of each day, for each line.
        series: Vec<Vec<&'a Cell>>,
    },
    /// Columns beside each other, each with a short label.
    Columns(Vec<(String, &'a Cell)>),
    /// Bars below each other, each with a name.
    Bars(Vec<(String, &'a Measured)>),
    /// Parts with their intervals below each other, each with a name.
    Intervals(Vec<(String, &'a Measured)>),
    /// Groups of bars below each other, each with the same few bars.
    Groups(Vec<Group<'a>>),
}

/// Bars that are compared.
#[derive(Debug)]
pub(super) struct Group<'a> {
    pub(super) name: String,
    /// Figures with a short label each, at most five.
    pub(super) bars: Vec<(String, &'a Cell)>,
}

impl Group<'_> {
    fn height(&self) -> u32 {
        GROUP.0 + GROUP.1 * u32::try_from(self.bars.len()).unwrap_or(u32::MAX / GROUP.1) + GROUP.2
    }
}

impl Chart<'_> {
    /// Draws it.
    pub(super) fn draw(&self, width: Width) -> Result<Drawing, WriteFault> {
        let height = match (self, width) {
            (Self::Bars(bars), _) => rows(bars.len()) + 8,
            (Self::Intervals(parts), _) => rows(parts.len()) + 8 + BELOW,
            (Self::Groups(groups), _) => fitting(groups).map(Group::height).sum(),
            (_, Width::Page) => 300,
            (_, Width::Column | Width::Narrow) => 260,
        };
        let mut svg = String::new();
        {
            let area = SVGBackend::with_string(&mut svg, (width.pixels(), height)).into_drawing_area();
            match self {
                Self::Lines { days, series } => lines(&area, days, series, width)?,
                Self::Columns(columns) => draw_columns(&area, columns)?,
                Self::Bars(bars) => draw_bars(&area, bars, width)?,
                Self::Intervals(parts) => draw_intervals(&area, parts, width)?,
                Self::Groups(groups) => draw_groups(&area, groups, width)?,
            }
            area.present()?;
        }
        // Without its outer element: the page says what the drawing is called.
        let inside = svg.split_once('>').map_or("", |(_, inside)| inside);
        let marks = inside.rsplit_once("</svg>").map_or(inside, |(marks, _)| marks).to_owned();
        Ok(Drawing { width: width.pixels(), height, marks })
    }
}

/// The height of so many rows.
fn rows(count: usize) -> u32 {
    ROW * u32::try_from(count).unwrap_or(u32::MAX / ROW / 2)
}

fn text(size: f64, colour: RGBColor, anchor: HPos) -> TextStyle<'static> {
    // plotters writes a size that is smaller by this.
    let font = ("sans-serif", size * 1.24).into_font();
    font.color(&colour).pos(Pos::new(anchor, VPos::Center))
}

/// From 0, or from below where something is, to a little above the highest end of an interval.
fn range<'a>(cells: impl Iterator<Item = &'a Measured>) -> Range<f64> {
    let ends =
        cells.fold((0.0_f64, 0.0_f64), |(low, high), cell| (low.min(cell.low.as_f64()), high.max(cell.high.as_f64())));
    let (low, high) = if ends.0 == ends.1 { (0.0, 1.0) } else { ends };
    low * 1.05..high * 1.05
}

/// Both axes and the lines across, with labels below by `label`.
fn plane<'a, 'b>(
    area: &'a Area<'b>,
    places: usize,
    range: Range<f64>,
    labels: usize,
    label: &dyn Fn(usize) -> String,
) -> Result<Plane<'a, 'b>, DrawingAreaErrorKind<std::io::Error>> {
    let mut chart = ChartBuilder::on(area)
        .margin_top(10)
        .margin_right(24)
        .x_label_area_size(26)
        .y_label_area_size(52)
        .build_cartesian_2d(-0.5..places as f64 - 0.5, range)?;
    let of_place =
        |place: &f64| if place.fract() == 0.0 && *place >= 0.0 { label(*place as usize) } else { String::new() };
    chart
        .configure_mesh()
        .disable_x_mesh()
        .axis_style(TRANSPARENT)
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .set_all_tick_mark_size(4)
        .x_labels(labels)
        .y_labels(5)
        .x_label_formatter(&of_place)
        .y_label_formatter(&|value: &f64| compact(*value))
        .label_style(("sans-serif", 12.5 * 1.24, &TEXT))
        .draw()?;
    Ok(chart)
}

fn lines(area: &Area<'_>, days: &[NaiveDate], series: &[Vec<&Cell>], width: Width) -> Drawn {
    let range = range(series.iter().flatten().filter_map(|cell| cell.measured()));
    let label = |place: usize| days.get(place).map_or_else(String::new, |day| short_day(*day));
    let mut chart = plane(area, days.len(), range, width.days(), &label)?;
    for (cells, colour) in series.iter().zip([FIRST, SECOND]) {
        for run in runs(cells) {
            line(&mut chart, &run, colour, days.len() <= MARKED_DAYS)?;
        }
    }
    Ok(())
}

/// Days that follow each other and have a figure: a line does not go on over one that is withheld.
fn runs<'a>(cells: &[&'a Cell]) -> Vec<Vec<(f64, &'a Measured)>> {
    let mut runs = vec![Vec::new()];
    for (place, cell) in cells.iter().enumerate() {
        match (cell.measured(), runs.last_mut()) {
            (Some(measured), Some(run)) => run.push((place as f64, measured)),
            _ => runs.push(Vec::new()),
        }
    }
    runs.retain(|run| !run.is_empty());
    runs
}

fn line(chart: &mut Plane<'_, '_>, run: &[(f64, &Measured)], colour: RGBColor, marked: bool) -> Drawn {
    let value = |(place, cell): &(f64, &Measured)| (*place, cell.number.as_f64());
    if let [alone] = run {
        whisker(chart, alone.0, alone.1, colour)?;
    } else {
        let above = run.iter().map(|(place, cell)| (*place, cell.high.as_f64()));
        let below = run.iter().rev().map(|(place, cell)| (*place, cell.low.as_f64()));
        if run.iter().any(|(_, cell)| !cell.is_exact()) {
            let band: Vec<(f64, f64)> = above.chain(below).collect();
            chart.draw_series([Polygon::new(band, colour.mix(LIGHT).filled())])?;
        }
        let points: Vec<(f64, f64)> = run.iter().map(value).collect();
        chart.draw_series([PathElement::new(points, colour.stroke_width(2))])?;
    }
    if marked || run.len() == 1 {
        chart.draw_series(run.iter().map(|cell| Circle::new(value(cell), 3, colour.filled())))?;
    }
    Ok(())
}

/// The interval of one figure, upright.
fn whisker(chart: &mut Plane<'_, '_>, place: f64, cell: &Measured, colour: RGBColor) -> Drawn {
    if cell.is_exact() {
        return Ok(());
    }
    let ends = vec![(place, cell.low.as_f64()), (place, cell.high.as_f64())];
    chart.draw_series([PathElement::new(ends, colour.stroke_width(2))])?;
    Ok(())
}

fn draw_columns(area: &Area<'_>, columns: &[(String, &Cell)]) -> Drawn {
    let range = range(columns.iter().filter_map(|(_, cell)| cell.measured()));
    let label = |place: usize| columns.get(place).map_or_else(String::new, |(label, _)| label.clone());
    let mut chart = plane(area, columns.len(), range, columns.len() + 1, &label)?;
    for (place, (_, cell)) in columns.iter().enumerate() {
        let Some(cell) = cell.measured() else { continue };
        let place = place as f64;
        let corners = [(place - 0.36, 0.0), (place + 0.36, cell.number.as_f64())];
        chart.draw_series([Rectangle::new(corners, FIRST.filled())])?;
        whisker(&mut chart, place, cell, STRONG)?;
    }
    Ok(())
}

/// Each row has its name and its number above its bar: names are long, and a telephone is narrow.
fn draw_bars(area: &Area<'_>, bars: &[(String, &Measured)], width: Width) -> Drawn {
    let range = range(bars.iter().map(|(_, cell)| *cell));
    let (least, most) = (range.start, range.end);
    let mut chart = ChartBuilder::on(area).margin(2).build_cartesian_2d(range, bars.len() as f64..0.0)?;
    let (name_style, number_style) = (text(13.0, STRONG, HPos::Left), text(13.0, TEXT, HPos::Right));
    for (row, (name, cell)) in bars.iter().enumerate() {
        let (row, value) = (row as f64, cell.number.as_f64());
        let name = shortened(name, width.letters());
        chart.draw_series([
            Text::new(name, (least, row + 0.27), name_style.clone()),
            Text::new(full(cell.number), (most, row + 0.27), number_style.clone()),
        ])?;
        chart.draw_series([
            Rectangle::new([(least, row + 0.55), (most, row + 0.8)], GRID.mix(0.6).filled()),
            Rectangle::new([(0.0, row + 0.55), (value, row + 0.8)], FIRST.filled()),
        ])?;
        if !cell.is_exact() {
            let ends = vec![(cell.low.as_f64(), row + 0.675), (cell.high.as_f64(), row + 0.675)];
            chart.draw_series([PathElement::new(ends, STRONG.stroke_width(2))])?;
        }
    }
    Ok(())
}

/// Each row has its name and its number above its interval; beside it a line stands where there is no effect.
fn draw_intervals(area: &Area<'_>, parts: &[(String, &Measured)], width: Width) -> Drawn {
    let range = range(parts.iter().map(|(_, cell)| *cell));
    let (least, most, rows) = (range.start, range.end, parts.len() as f64);
    let mut chart = ChartBuilder::on(area)
        .margin(4)
        .margin_left(28)
        .margin_right(28)
        .x_label_area_size(BELOW)
        .build_cartesian_2d(range, rows..0.0)?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .disable_y_axis()
        .axis_style(TRANSPARENT)
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .x_labels(width.days())
        .x_label_formatter(&|part: &f64| compact_percent(*part))
        .label_style(("sans-serif", 12.5 * 1.24, &TEXT))
        .draw()?;
    let (name_style, number_style) = (text(13.0, STRONG, HPos::Left), text(13.0, TEXT, HPos::Right));
    for (row, (name, cell)) in parts.iter().enumerate() {
        let (row, [low, value, high]) = (row as f64, [cell.low, cell.number, cell.high].map(Number::as_f64));
        let middle = row + 0.68;
        chart.draw_series([
            Text::new(shortened(name, width.letters()), (least, row + 0.27), name_style.clone()),
            Text::new(percent(cell.number), (most, row + 0.27), number_style.clone()),
        ])?;
        let upright = |of: f64, half: f64| vec![(of, middle - half), (of, middle + half)];
        chart.draw_series([PathElement::new(upright(0.0, 0.2), TEXT)])?;
        for line in [vec![(low, middle), (high, middle)], upright(low, 0.12), upright(high, 0.12)] {
            chart.draw_series([PathElement::new(line, FIRST.stroke_width(2))])?;
        }
        chart.draw_series([Circle::new((value, middle), 5, FIRST.filled())])?;
    }
    Ok(())
}

/// The first groups, as many as a chart has room for, but one at least.
fn fitting<'a, 'b>(groups: &'a [Group<'b>]) -> impl Iterator<Item = &'a Group<'b>> {
    let mut height = 0;
    groups
        .iter()
        .enumerate()
        .take_while(move |(number, group)| {
            height += group.height();
            *number == 0 || height <= HIGHEST
        })
        .map(|(_, group)| group)
}

/// Each bar has its label before it and its number behind it, so that nobody has to tell colours apart.
fn draw_groups(area: &Area<'_>, groups: &[Group<'_>], width: Width) -> Drawn {
    let Range { start: least, end: most } =
        range(fitting(groups).flat_map(|group| &group.bars).filter_map(|(_, cell)| cell.measured()));
    let right_edge = i32::try_from(width.pixels()).unwrap_or(i32::MAX) - 2;
    let (left, right) = (BESIDE.0, right_edge - BESIDE.1);
    let place = |value: f64| left + ((value - least) / (most - least) * f64::from(right - left)).round() as i32;
    let (name_style, label_style) = (text(13.0, STRONG, HPos::Left), text(12.0, TEXT, HPos::Left));
    let number_style = text(12.0, TEXT, HPos::Right);
    let mut top = 0;
    for group in fitting(groups) {
        let name = shortened(&group.name, width.letters());
        area.draw(&Text::new(name, (2, top + 14), name_style.clone()))?;
        top += GROUP.0 as i32;
        for ((label, cell), colour) in group.bars.iter().zip([FIRST, SECOND, THIRD, FOURTH, FIFTH]) {
            let (middle, half) = (top + GROUP.1 as i32 / 2, 6);
            area.draw(&Text::new(label.clone(), (2, middle), label_style.clone()))?;
            area.draw(&Text::new(numbers::cell(cell, full), (right_edge, middle), number_style.clone()))?;
            let bar = |from, to| [(from, middle - half), (to, middle + half)];
            area.draw(&Rectangle::new(bar(left, right), GRID.mix(0.6).filled()))?;
            if let Some(measured) = cell.measured() {
                area.draw(&Rectangle::new(bar(place(0.0), place(measured.number.as_f64())), colour.filled()))?;
                if !measured.is_exact() {
                    let ends = [measured.low, measured.high].map(|end| (place(end.as_f64()), middle));
                    area.draw(&PathElement::new(ends.to_vec(), STRONG.stroke_width(2)))?;
                }
            }
            top += GROUP.1 as i32;
        }
        top += GROUP.2 as i32;
    }
    Ok(())
}
