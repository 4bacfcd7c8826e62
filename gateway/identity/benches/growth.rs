//! What sourcing and counting cost, from 1 million to 100 million identities on each side: prints a table and draws
//! `docs/growth.svg`. `cargo bench --workspace --bench growth`; takes some minutes and 25 GB of disk below
//! `BENCH_DIR` (default: the directory for temporary files). `MOST_MILLIONS` ends it earlier.

mod synthetic;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Instant;

use chrono::NaiveDate;
use entente_domain::PrivacyLevel;
use entente_identity::count::{Selection, Target, count};
use entente_identity::{AccountSecret, Slot, SlotSet, View};
use plotters::prelude::*;
use synthetic::{Account, index, key, peak_mebibytes};

const THREADS: usize = 2;
const ROUNDS: usize = 5;
const MILLIONS: [u64; 5] = [1, 3, 10, 30, 100];
const MY_AUDIENCES: u16 = 20;
const THEIR_AUDIENCES: u16 = 50;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Seconds, for so many millions on each side.
struct Cost {
    millions: u64,
    sourcing: f64,
    distinct: f64,
    exact: f64,
    protected: f64,
}

fn main() -> Result<()> {
    let parent = std::env::var_os("BENCH_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let most = std::env::var("MOST_MILLIONS").ok().and_then(|most| most.parse().ok()).unwrap_or(u64::MAX);
    println!("millions a side | sourcing s | universes ms | exact table ms | protected table ms | memory MiB");
    let mut costs = Vec::new();
    for millions in MILLIONS.into_iter().filter(|millions| *millions <= most) {
        let dir = tempfile::tempdir_in(&parent)?;
        costs.push(measure(dir.path(), millions)?);
    }
    let first = costs.first().map_or(1.0, |cost| cost.protected / cost.millions as f64);
    for cost in &costs {
        let share = cost.protected / cost.millions as f64 / first;
        println!("{} million: {share:.2} times the first one's time for each identity, protected", cost.millions);
    }
    draw(&costs)
}

fn measure(dir: &Path, millions: u64) -> Result<Cost> {
    let size = millions * 1_000_000;
    let begin = Instant::now();
    // Half of each side are also on the other.
    let mine = index(dir, "mine", Account { first: 0, end: size, audiences: MY_AUDIENCES })?;
    let theirs = index(dir, "theirs", Account { first: size / 2, end: size / 2 + size, audiences: THEIR_AUDIENCES })?;
    let sourcing = begin.elapsed().as_secs_f64();
    let sourcing_peak = peak_mebibytes().unwrap_or(0);
    let view = View::protected(PrivacyLevel::Standard, &AccountSecret::new([7; 32]), &key()?, NaiveDate::default());
    let active: SlotSet = (1..=THEIR_AUDIENCES).map(Slot).collect();
    let ask = |selections: &[Selection], targets: &[Target], view: &View| {
        let mut times: Vec<f64> = (0..ROUNDS)
            .map(|_| {
                let begin = Instant::now();
                count(&mine, &active, selections, &theirs, &active, targets, view, THREADS);
                begin.elapsed().as_secs_f64()
            })
            .collect();
        times.sort_by(f64::total_cmp);
        times[ROUNDS / 2]
    };
    let selections: Vec<_> = (1..=MY_AUDIENCES).map(|slot| Selection::Any(vec![Slot(slot)])).collect();
    let targets: Vec<_> = (1..=THEIR_AUDIENCES).map(|slot| Target::One(Slot(slot))).collect();
    let cost = Cost {
        millions,
        sourcing,
        distinct: ask(&[Selection::All], &[Target::All], &View::Exact),
        exact: ask(&selections, &targets, &View::Exact),
        protected: ask(&selections, &targets, &view),
    };
    let memory = peak_mebibytes().unwrap_or(0);
    println!(
        "{millions} | {sourcing:.1} (peak {sourcing_peak} MiB) | {:.1} | {:.1} | {:.1} | {memory}, the mapped files among it",
        cost.distinct * 1e3,
        cost.exact * 1e3,
        cost.protected * 1e3
    );
    Ok(cost)
}

/// A line of the plot: its name, its colour, and the seconds that it shows.
type Line = (&'static str, RGBColor, fn(&Cost) -> f64);

const LINES: [Line; 4] = [
    ("two files to two indexes", BLACK, |cost| cost.sourcing),
    ("protected table of 20 by 50", RGBColor(200, 110, 0), |cost| cost.protected),
    ("exact table of 20 by 50", BLUE, |cost| cost.exact),
    ("everybody against everybody, exact", RGBColor(0, 130, 60), |cost| cost.distinct),
];

fn draw(costs: &[Cost]) -> Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/growth.svg");
    let root = SVGBackend::new(&path, (900, 560)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption("Time grows as the sum of the sizes (2 threads)", ("sans-serif", 22))
        .margin(16)
        .x_label_area_size(48)
        .y_label_area_size(72)
        .build_cartesian_2d((0.8e6..130e6).log_scale(), (0.001..1_000.0).log_scale())?;
    chart
        .configure_mesh()
        .x_desc("identities on each side")
        .y_desc("seconds")
        .x_label_formatter(&|identities| format!("{} M", identities / 1e6))
        .y_label_formatter(&|seconds| format!("{seconds}"))
        .draw()?;
    for (name, colour, seconds) in LINES {
        let points = || costs.iter().map(|cost| (cost.millions as f64 * 1e6, seconds(cost)));
        chart
            .draw_series(LineSeries::new(points(), colour.stroke_width(2)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 24, y)], colour.stroke_width(2)));
        chart.draw_series(points().map(|point| Circle::new(point, 4, colour.filled())))?;
    }
    let labels = SeriesLabelPosition::UpperLeft;
    chart.configure_series_labels().position(labels).background_style(WHITE).border_style(BLACK).draw()?;
    root.present()?;
    Ok(())
}
