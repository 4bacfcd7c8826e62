//! How far estimates are from the truth, over overlaps of 10 thousand to 10 million: prints how often the standard error
//! covers the truth, and draws `docs/utility.svg`. `cargo bench -p entente-identity --bench utility`. Data is kept in
//! `BENCH_DIR` (default: `entente-utility` below the directory for temporary files).

mod synthetic;

use std::error::Error;
use std::ops::Range;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use entente_domain::PrivacyLevel;
use entente_domain::release::{Counted, Rules, figure};
use entente_domain::settings::Counts;
use entente_identity::count::{Selection, Sum, Table, Target, count};
use entente_identity::{AccountSecret, Index, Slot, SlotSet, View};
use plotters::coord::Shift;
use plotters::prelude::*;
use synthetic::{Account, index, key, peak_mebibytes};

const THREADS: usize = 2;
const MY_AUDIENCES: u16 = 20;
const THEIR_AUDIENCES: u16 = 50;
/// The threshold: nothing below is shown.
const MINIMUM: u64 = 1_000;

type Result<T> = std::result::Result<T, Box<dyn Error>>;
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

fn mine() -> Account {
    Account { first: 0, end: 12_000_000, audiences: MY_AUDIENCES }
}

fn theirs() -> Account {
    Account { first: 1_000_000, end: 16_000_000, audiences: THEIR_AUDIENCES }
}

/// Questions of one kind.
struct Kind {
    name: &'static str,
    selections: Vec<Selection>,
    targets: Vec<Target>,
    /// Accounts with coins of their own that are asked the same. Answers about selections that have people in common go
    /// together, so that it takes more accounts where there are fewer questions.
    secrets: u8,
    colour: RGBColor,
}

/// What is read, and what is true.
struct Point {
    truth: f64,
    estimate: f64,
    standard_error: f64,
}

fn main() -> Result<()> {
    let dir = std::env::var_os("BENCH_DIR").map_or_else(|| std::env::temp_dir().join("entente-utility"), PathBuf::from);
    std::fs::create_dir_all(&dir)?;
    let indexes = [index(&dir, "mine", mine())?, index(&dir, "theirs", theirs())?];
    println!("{} against {} identities", indexes[0].rows(), indexes[1].rows());
    let mut drawn = Vec::new();
    for level in [PrivacyLevel::Standard, PrivacyLevel::Strong] {
        for kind in kinds() {
            let points = measure(&indexes, &kind, level)?;
            report(level, &kind, &points);
            if level == PrivacyLevel::Standard {
                drawn.push((kind, points));
            }
        }
    }
    draw(&drawn)?;
    if let Some(peak) = peak_mebibytes() {
        println!("peak memory {peak} MiB, the mapped files among it");
    }
    Ok(())
}

fn kinds() -> [Kind; 3] {
    let first = |count: u16| Selection::Any((1..=count).map(Slot).collect());
    let one = || (1..=MY_AUDIENCES).map(|slot| Selection::Any(vec![Slot(slot)])).collect();
    let audiences = || (1..=THEIR_AUDIENCES).map(|slot| Target::One(Slot(slot)));
    let union = |count: u16| Target::Any((1..=count).map(Slot).collect());
    [
        Kind {
            name: "an audience with an audience",
            selections: one(),
            targets: audiences().collect(),
            secrets: 12,
            colour: BLUE,
        },
        Kind {
            name: "several with one, or with a union",
            selections: [2, 4, 8, 12, 20].map(first).into(),
            targets: audiences().chain([2, 3, 5, 10].map(union)).collect(),
            secrets: 12,
            colour: RGBColor(200, 110, 0),
        },
        Kind {
            name: "with all audiences",
            selections: (1..=MY_AUDIENCES).map(first).chain(one()).collect(),
            targets: vec![Target::All],
            secrets: 100,
            colour: BLACK,
        },
    ]
}

/// Every question of a kind, for every secret.
fn measure([mine, theirs]: &[Index; 2], kind: &Kind, level: PrivacyLevel) -> Result<Vec<Point>> {
    let active: SlotSet = (1..=THEIR_AUDIENCES).map(Slot).collect();
    let ask = |view: &View| count(mine, &active, &kind.selections, theirs, &active, &kind.targets, view, THREADS);
    let exact = ask(&View::Exact);
    let mut points = Vec::new();
    for secret in 0..kind.secrets {
        let view = View::protected(level, &AccountSecret::new([secret; 32]), &key()?, NaiveDate::default());
        let table = ask(&view);
        points.extend(pairs(&exact, &table).filter_map(|(truth, sum)| released(truth, sum)));
    }
    Ok(points)
}

fn pairs<'a>(exact: &'a Table, table: &'a Table) -> impl Iterator<Item = (&'a Sum, &'a Sum)> {
    (0..exact.sizes().len()).flat_map(|row| exact.row(row).iter().zip(table.row(row)))
}

/// As it is read: rounded, and nothing where it is below the threshold.
fn released(truth: &Sum, sum: &Sum) -> Option<Point> {
    let rules = Rules { minimum: MINIMUM, counts: Counts::Protected };
    let figure = figure(Counted { estimate: sum.estimate, variance: sum.variance }, sum.n, rules)?;
    Some(Point { truth: truth.estimate, estimate: figure.value as f64, standard_error: figure.standard_error })
}

fn report(level: PrivacyLevel, kind: &Kind, points: &[Point]) {
    let off = |point: &Point| (point.estimate - point.truth) / point.standard_error;
    let within = |errors: f64| points.iter().filter(|p| off(p).abs() <= errors).count() as f64 / points.len() as f64;
    let bias = points.iter().map(off).sum::<f64>() / points.len() as f64;
    println!(
        "{level:?}, {}: {} answers, truth within 1 standard error {:.1} %, within 1.96 {:.1} %, mean {bias:+.3}",
        kind.name,
        points.len(),
        within(1.0) * 100.0,
        within(1.96) * 100.0,
    );
    for decade in [1e4, 1e5, 1e6] {
        let near = points.iter().filter(|p| (decade..decade * 10.0).contains(&p.truth));
        let mut errors: Vec<f64> = near.map(|p| p.standard_error / p.truth * 100.0).collect();
        errors.sort_by(f64::total_cmp);
        if let Some(median) = errors.get(errors.len() / 2) {
            println!("    overlaps of {decade:.0} and more: standard error {median:.3} % of the truth");
        }
    }
}

fn draw(drawn: &[(Kind, Vec<Point>)]) -> Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/utility.svg");
    let root = SVGBackend::new(&path, (900, 960)).into_drawing_area();
    root.fill(&WHITE)?;
    let (above, below) = root.split_vertically(460);
    let estimates = |p: &Point| (p.truth, p.estimate);
    panel(&above, drawn, "estimate (identities)", 1e4..2e7, SeriesLabelPosition::LowerRight, &estimates)?;
    let errors = |p: &Point| (p.truth, (p.estimate - p.truth).abs() / p.truth * 100.0);
    panel(&below, drawn, "off by (% of the truth)", 1e-3..1e1, SeriesLabelPosition::UpperRight, &errors)?;
    root.present()?;
    println!("drawn: {}", path.display());
    Ok(())
}

fn panel(
    area: &Area<'_>,
    drawn: &[(Kind, Vec<Point>)],
    what: &str,
    range: Range<f64>,
    legend: SeriesLabelPosition,
    place: &dyn Fn(&Point) -> (f64, f64),
) -> Result<()> {
    let mut chart = ChartBuilder::on(area)
        .margin(16)
        .x_label_area_size(46)
        .y_label_area_size(76)
        .build_cartesian_2d((1e4..2e7).log_scale(), range.clone().log_scale())?;
    let number = |value: &f64| match *value {
        v if v >= 1e6 => format!("{} M", v / 1e6),
        v if v >= 1e3 => format!("{} k", v / 1e3),
        v => format!("{v}"),
    };
    chart
        .configure_mesh()
        .x_desc("true overlap (identities)")
        .y_desc(what)
        .x_label_formatter(&number)
        .y_label_formatter(&number)
        .label_style(("sans-serif", 15))
        .light_line_style(RGBColor(235, 235, 235))
        .draw()?;
    for (kind, points) in drawn {
        // One account's answers: those of the others lie on top of them.
        let of_one = points.iter().take(points.len() / usize::from(kind.secrets)).filter(|p| p.truth >= 1e4);
        let places = of_one.map(place).filter(|(_, y)| range.contains(y));
        let colour = kind.colour;
        chart
            .draw_series(places.map(|at| Circle::new(at, 2, colour.filled())))?
            .label(kind.name)
            .legend(move |(x, y)| Circle::new((x + 8, y), 4, colour.filled()));
    }
    chart
        .configure_series_labels()
        .position(legend)
        .label_font(("sans-serif", 15))
        .background_style(WHITE)
        .border_style(BLACK)
        .draw()?;
    Ok(())
}
