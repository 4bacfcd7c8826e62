//! From files of exposures and conversions to a report with five models, and DuckDB counting the same: loading, which
//! sorts; the report; the same with other models from what was gathered. `cargo bench --workspace --bench measure`; needs a
//! Python with the module `duckdb`, named by `ENTENTE_TEST_PYTHON`. `EXPOSURES` is how many there are (default:
//! 100,000,000, for which 20 GB have to be free), with a conversion for every hundred. Data goes to a temporary directory
//! that is removed, or into `BENCH_DIR`, where the CSV files stay for the next time. As DuckDB has two threads, machines
//! with more cores run it as `taskset -c 0,1 cargo bench …`.
//!
//! DuckDB reads the same CSV files into tables of what the report is about, with times and amounts as numbers, and counts
//! from these: its two times are told apart, as ours are.

#[expect(dead_code, reason = "other benches make accounts")]
mod synthetic;

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use chrono::{DateTime, NaiveDate};
use entente_identity::measure::{
    Combine, ConversionEvent, ConversionPlan, Counts, CreditRules, Definition, Dimensions, DiscreteLaplace,
    ExposurePlan, Figure, Kind, Model, Period, Protection, Report, Sources, Steps, TimeForm, ValueRule, Whose, gather,
    load_conversions, load_exposures, measure,
};
use entente_identity::normalise::{Form, Take};
use entente_identity::source::{Control, DEFAULT_MEMORY, Input, Mapping};
use entente_identity::{IndexSecret, KeyName};
use serde_json::{Value, json};
use synthetic::{Account, peak_mebibytes};

const THREADS: usize = 2;
const LIMIT_MEBIBYTES: u64 = 2_048;
const EXPOSURES_OF_A_CONVERSION: u64 = 100;
const EXPOSURES_OF_AN_IDENTITY: u64 = 10;
/// Midnight of the first day.
const FIRST: i64 = 20_513 * DAY;
const DAY: i64 = 86_400_000_000;
const DAYS: u64 = 30;
const LOOKBACK_DAYS: u32 = 14;
const PLACEMENTS: u64 = 20;
const CREATIVES: u64 = 12;
const CAMPAIGNS: u64 = 4;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let exposures: u64 = std::env::var("EXPOSURES").ok().and_then(|n| n.parse().ok()).unwrap_or(100_000_000);
    let temporary = tempfile::tempdir()?;
    let base = std::env::var_os("BENCH_DIR").map_or_else(|| temporary.path().to_owned(), PathBuf::from);
    let dir = base.join(exposures.to_string());
    std::fs::create_dir_all(&dir)?;
    let files = write_files(&dir, exposures)?;
    println!("{exposures} exposures, {} conversions", exposures / EXPOSURES_OF_A_CONVERSION);
    let (sources, load) = load(&dir, &files)?;
    let (report, counting) = count(&sources)?;
    repeat(&sources, &dir)?;
    compare_with_duckdb(&dir, &files, &report, load, counting)
}

/// Seconds that loading took, and what of it went into sorting.
struct Load {
    all: f64,
    sorting: f64,
}

/// Seconds that something took, told with the memory that it took.
fn timed<T>(what: &str, work: impl FnOnce() -> Result<T>) -> Result<(T, f64)> {
    peak_mebibytes();
    let (begin, processor) = (Instant::now(), processor_seconds());
    let done = work()?;
    let seconds = begin.elapsed().as_secs_f64();
    let peak = peak_mebibytes().unwrap_or(0);
    let processor = processor_seconds() - processor;
    println!(
        "{what}: {seconds:.2} s, {processor:.2} s of processors, peak memory {peak} MiB (wanted: at most {LIMIT_MEBIBYTES})"
    );
    Ok((done, seconds))
}

/// Seconds that all threads of this process had a processor: on a machine with other work they say more than a clock does.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The user's and the system's are the 12th and 13th after the name, in hundredths.
    let after_name = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    after_name.skip(11).take(2).filter_map(|hundredths| hundredths.parse::<f64>().ok()).sum::<f64>() / 100.0
}

fn load(dir: &Path, [exposures, conversions]: &[PathBuf; 2]) -> Result<(Sources, Load)> {
    let secret = IndexSecret::new([3; 16]);
    let out = [dir.join("e"), dir.join("c")];
    for out in &out {
        if out.exists() {
            std::fs::remove_dir_all(out)?;
        }
    }
    let (loaded, seconds) = timed("load", || {
        let go_on = &mut |_| Control::Continue;
        load_conversions(Input::Csv(&mut File::open(conversions)?), &conversion_plan()?, &secret, dir, &out[1], go_on)?;
        Ok(load_exposures(Input::Csv(&mut File::open(exposures)?), &exposure_plan()?, &secret, dir, &out[0], go_on)?)
    })?;
    let sorting = loaded.sorting.as_secs_f64();
    println!("  of it sorting, and writing what was sorted: {sorting:.2} s");
    let [exposures, conversions] = out.map(|out| vec![out]);
    Ok((Sources { exposures, conversions }, Load { all: seconds, sorting }))
}

fn exact() -> Protection {
    Protection { exposures: Whose::Mine, conversions: Whose::Mine, counts: Counts::Exact, threshold: 0 }
}

fn count(sources: &Sources) -> Result<(Report, f64)> {
    timed("report", || Ok(measure(sources, &definition(), exact(), &mut DiscreteLaplace, &|_| Control::Continue)?))
}

fn repeat(sources: &Sources, dir: &Path) -> Result<()> {
    let (gathered, _) = timed("gather", || Ok(gather(sources, &definition(), exact(), dir, &|_| Control::Continue)?))?;
    let credit = CreditRules {
        models: vec![Model::TimeDecay { half_life_hours: 12 }, Model::LastTouch],
        priority: vec![Kind::Click],
        ..CreditRules::default()
    };
    timed("report with other models", || Ok(gathered.report(credit, &mut DiscreteLaplace, &|_| Control::Continue)?))?;
    Ok(())
}

fn compare_with_duckdb(dir: &Path, files: &[PathBuf; 2], report: &Report, load: Load, counting: f64) -> Result<()> {
    let asked = json!({
        "definition": definition(), "exposures": [files[0]], "conversions": [files[1]], "threads": THREADS,
        "scratch": dir, "identity": "hash(email)",
    });
    let request = dir.join("asked.json");
    std::fs::write(&request, asked.to_string())?;
    let python = std::env::var_os("ENTENTE_TEST_PYTHON").unwrap_or_else(|| "python3".into());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/measurement/counted_in_sql.py");
    let out = Command::new(python).args([&script, &request]).output()?;
    if !out.status.success() {
        let fault = String::from_utf8_lossy(&out.stderr);
        return Err(format!("DuckDB: {fault}; has ENTENTE_TEST_PYTHON the module duckdb?").into());
    }
    let peer: Value = serde_json::from_slice(&out.stdout)?;
    agree(report, &peer)?;
    let seconds = |what: &str| peer["seconds"][what].as_f64().unwrap_or_default();
    let (read, counted) = (seconds("load"), seconds("count"));
    println!(
        "DuckDB {}: CSV to tables {read:.2} s, {:.2} s of processors; report from them {counted:.2} s, {:.2} s of processors; \
         peak memory {} MiB",
        peer["version"],
        seconds("load_processors"),
        seconds("count_processors"),
        peer["peak_mebibytes"]
    );
    println!("report, both from what was loaded: {:.1} times as fast", counted / counting);
    println!("report and the sorting for it: {:.1} times as fast (wanted: 5)", counted / (load.sorting + counting));
    println!("from the CSV files to the report: {:.1} times as fast", (read + counted) / (load.all + counting));
    Ok(())
}

/// That both counted the same, figure by figure where models differ.
fn agree(report: &Report, peer: &Value) -> Result<()> {
    let value = |figure: Figure<i64>| figure.value().unwrap_or_default();
    let total = &report.summary.total;
    let mut pairs = vec![
        (value(total.impressions), &peer["summary"]["total"][0]),
        (value(total.reach), &peer["summary"]["total"][2]),
    ];
    let event = report.attribution.as_ref().and_then(|attribution| attribution.per_event.first());
    let event = event.ok_or("no attribution")?;
    pairs.push((value(event.credited.conversions), &peer["events"][0]["credited"][0]));
    for (model, peer) in event.models.iter().zip(peer["events"][0]["models"].as_array().ok_or("no models")?) {
        for (cell, credit) in model.by_placement.iter().enumerate() {
            let cell = cell.to_string();
            pairs.push((value(credit.conversions), &peer["placement"][&cell][0]));
            pairs.push((value(credit.revenue), &peer["placement"][&cell][1]));
        }
    }
    for (own, other) in pairs {
        if own != other.as_i64().unwrap_or_default() {
            return Err(format!("counted {own}, DuckDB {other}").into());
        }
    }
    Ok(())
}

/// CSV files of exposures and conversions, unless they are there from the last time.
fn write_files(dir: &Path, exposures: u64) -> Result<[PathBuf; 2]> {
    let files = ["exposures.csv", "conversions.csv"].map(|name| dir.join(name));
    if files[1].exists() {
        return Ok(files);
    }
    let identities = (exposures / EXPOSURES_OF_AN_IDENTITY).max(1);
    let mut csv = BufWriter::with_capacity(1 << 20, File::create(&files[0])?);
    writeln!(csv, "email,time,campaign,placement,creative,cost,viewable,kind")?;
    for row in 0..exposures {
        let random = Random::new(row);
        let kind =
            ["view", "view", "view", "view", "view", "engaged_view", "engaged_view", "click"][random.below(0, 8)];
        writeln!(
            csv,
            "{},{},campaign {},placement {},creative {},0.00{},{},{kind}",
            digest(random.below(1, identities as usize)),
            random.instant(DAYS),
            random.below(2, CAMPAIGNS as usize),
            random.below(3, PLACEMENTS as usize),
            random.below(4, CREATIVES as usize),
            random.below(5, 900) + 100,
            random.below(6, 3) > 0,
        )?;
    }
    csv.flush()?;
    let mut csv = BufWriter::new(File::create(&files[1])?);
    writeln!(csv, "email,time,type,value,order,row")?;
    for row in 0..exposures / EXPOSURES_OF_A_CONVERSION {
        let random = Random::new(row | 1 << 60);
        // A third has never been exposed.
        let identity = digest(random.below(1, identities as usize * 3 / 2));
        let (time, value) = (random.instant(DAYS + u64::from(LOOKBACK_DAYS)), random.below(2, 20_000));
        writeln!(csv, "{identity},{time},purchase,{}.{:02},o{row},{row}", value / 100, value % 100)?;
    }
    csv.flush()?;
    Ok(files)
}

/// Numbers that depend on a row only.
struct Random([u8; 32], [u8; 32]);

impl Random {
    fn new(row: u64) -> Self {
        Self(Account::digest(row << 2), Account::digest(row << 2 | 1))
    }

    /// The number of this place, from 0 to 7, below a bound.
    fn below(&self, place: usize, bound: usize) -> usize {
        let digest = if place < 4 { &self.0 } else { &self.1 };
        let word = digest.chunks_exact(8).nth(place % 4).and_then(|word| word.try_into().ok()).unwrap_or([0; 8]);
        (u64::from_le_bytes(word) >> 11) as usize % bound.max(1)
    }

    fn instant(&self, days: u64) -> String {
        let time = FIRST + self.below(7, days as usize * DAY as usize / 1_000_000) as i64 * 1_000_000;
        DateTime::from_timestamp_micros(time)
            .map(|time| time.format("%Y-%m-%dT%H:%M:%SZ").to_string())
            .unwrap_or_default()
    }
}

fn digest(identity: usize) -> String {
    hex::encode(Account::digest(identity as u64))
}

fn definition() -> Definition {
    let first = NaiveDate::from_ymd_opt(2026, 3, 1).unwrap_or_default();
    let names = |name: &str, count: u64| (0..count).map(|number| format!("{name} {number}")).collect();
    let event = ConversionEvent {
        name: "Purchases".into(),
        kind: "purchase".into(),
        value: ValueRule::SumOfValue,
        deduplicate: true,
        combine: Combine::All,
        conditions: vec![],
    };
    let models = vec![Model::LastTouch, Model::FirstTouch, Model::Linear, Model::TIME_DECAY, Model::POSITION_BASED];
    Definition {
        period: Period { first, last: first + chrono::Days::new(DAYS - 1) },
        match_keys: vec!["hashed_email".into()],
        dimensions: Dimensions {
            campaigns: names("campaign", CAMPAIGNS),
            placements: names("placement", PLACEMENTS),
            creatives: names("creative", CREATIVES),
        }
        .sorted(),
        events: vec![event],
        lookback_days: LOOKBACK_DAYS,
        credit: CreditRules { models, paths: vec![Steps::Kinds, Steps::Campaigns], ..CreditRules::default() },
    }
}

fn identity() -> Result<Vec<Mapping>> {
    let key = KeyName::new("hashed_email")?;
    Ok(vec![Mapping { column: "email".into(), key, form: Form::HashedEmail, take: Take::AsHashed }])
}

fn exposure_plan() -> Result<ExposurePlan> {
    Ok(ExposurePlan {
        delimiter: b',',
        identities: identity()?,
        time: "time".into(),
        key_type: None,
        time_form: TimeForm::Written { zone: None },
        any_spelling: false,
        campaigns: None,
        campaign: "campaign".into(),
        placement: Some("placement".into()),
        creative: Some("creative".into()),
        cost: Some("cost".into()),
        viewable: Some("viewable".into()),
        kind: Some("kind".into()),
        memory: DEFAULT_MEMORY,
    })
}

fn conversion_plan() -> Result<ConversionPlan> {
    Ok(ConversionPlan {
        delimiter: b',',
        identities: identity()?,
        time: "time".into(),
        key_type: None,
        time_form: TimeForm::Written { zone: None },
        any_spelling: false,
        currency: None,
        kind: "type".into(),
        value: Some("value".into()),
        deduplication_key: Some("order".into()),
        attributes: vec![],
        memory: DEFAULT_MEMORY,
    })
}
