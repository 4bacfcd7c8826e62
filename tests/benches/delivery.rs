//! Deliveries through worker processes, beside plain programs that write the same bytes: the boundary by itself, a local
//! folder, and a server with S3's interface on this machine. `cargo bench --workspace --bench delivery`; takes some
//! minutes, 4 GB of disk, 1 GB of /dev/shm and a C compiler. Names after `--` choose: `boundary`, `landing-zone`,
//! `object-storage`.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a bench fails by panicking")]

#[path = "../harness/mod.rs"]
#[expect(dead_code, unused_imports, unused_macros, reason = "what tests need and this does not")]
mod harness;

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use entente_destination::testkit::operator;
use entente_object_storage::bucket::Bucket;
use entente_test_servers::s3::S3;
use harness::built;
use object_store::Attributes;
use serde_json::{Value, json};
use tempfile::TempDir;

const ROWS: u64 = 10_000_000;
const ROUNDS: usize = 6;
/// Where the rows are that go to a disk: one that has just written them as well is slower.
const IN_MEMORY: &str = "/dev/shm";

fn main() {
    let asked: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let is_asked = |name: &str| asked.is_empty() || asked.iter().any(|asked| asked == name);
    if is_asked("boundary") {
        boundary();
    }
    for format in ["parquet", "csv"] {
        if is_asked("landing-zone") {
            landing_zone(format);
        }
        if is_asked("object-storage") {
            object_storage(format);
        }
    }
}

/// A plugin that does nothing, and how much memory workers take.
fn boundary() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench {
        plugin: idle(folder.path()),
        settings: json!({}),
        options: Vec::new(),
        rows: env!("CARGO_TARGET_TMPDIR"),
    };
    for rows in [1_000_000, ROWS] {
        let Delivery { took, memory } = bench.best(rows);
        let a_row = took.as_secs_f64() * 1e9 / rows as f64;
        println!("idle plugin: {rows} rows, {a_row:.1} ns a row, worker {memory} MiB at most");
    }
}

fn landing_zone(format: &str) {
    let zone = Zone(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap());
    let bench = Bench {
        plugin: built("libentente_landing_zone.so"),
        settings: json!({"folder": "luma", "format": format}),
        options: vec!["--local-root".into(), zone.delivered().into()],
        rows: IN_MEMORY,
    };
    let small = bench.deliver(ROWS / 10).memory;
    zone.clear();
    bench.deliver(ROWS);
    zone.keep();
    let mut ratios = Ratios::default();
    for round in 0..ROUNDS {
        zone.clear();
        let before = (round % 2 == 0).then(|| zone.write_plainly());
        with_memory_at_hand();
        let Delivery { took, memory } = bench.deliver(ROWS);
        let (plain, bytes) = before.unwrap_or_else(|| zone.write_plainly());
        println!(
            "landing-zone, {format}: {ROWS} rows, {} MiB in {took:.2?}, plainly {plain:.2?}, ratio {:.2}; worker {memory} \
             MiB at most, with a tenth of the rows {small} MiB",
            bytes >> 20,
            ratios.note(took, plain)
        );
    }
    ratios.print(&format!("landing-zone, {format}"));
}

fn object_storage(format: &str) {
    let server = S3::start();
    let mut settings = server.settings();
    settings["format"] = format.into();
    let options = vec!["--allow-network".into(), "127.0.0.0/8".into()];
    let bench = Bench { plugin: built("libentente_object_storage.so"), settings, options, rows: IN_MEMORY };
    let small = bench.deliver(ROWS / 10).memory;
    let mut ratios = Ratios::default();
    for _ in 0..ROUNDS {
        fs::remove_dir_all(server.bucket()).unwrap();
        fs::create_dir(server.bucket()).unwrap();
        let Delivery { took, memory } = bench.deliver(ROWS);
        let (plain, bytes) = upload_plainly(&server);
        println!(
            "object-storage, {format}: {ROWS} rows, {} MiB in {took:.2?}, plainly in pieces of one object {plain:.2?}, ratio \
             {:.2}; worker {memory} MiB at most, with a tenth of the rows {small} MiB",
            bytes >> 20,
            ratios.note(took, plain)
        );
    }
    ratios.print(&format!("object-storage, {format}"));
}

/// `entente plugin bench` with a plugin.
struct Bench {
    plugin: PathBuf,
    settings: Value,
    options: Vec<std::ffi::OsString>,
    /// The folder for the file of rows.
    rows: &'static str,
}

struct Delivery {
    /// From the start of the worker to its end.
    took: Duration,
    /// The most that the worker had in memory, in MiB.
    memory: u64,
}

impl Bench {
    fn best(&self, rows: u64) -> Delivery {
        (0..ROUNDS).map(|_| self.deliver(rows)).min_by_key(|delivery| delivery.took).unwrap()
    }

    fn deliver(&self, rows: u64) -> Delivery {
        let mut bench = Command::new(env!("CARGO_BIN_EXE_entente-under-test"))
            .args(["plugin", "bench"])
            .arg(&self.plugin)
            .args(["--settings", "-", "--rows-count", &rows.to_string()])
            .args(&self.options)
            .env("TMPDIR", self.rows)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        bench.stdin.take().unwrap().write_all(self.settings.to_string().as_bytes()).unwrap();
        let memory = most_memory_of_a_worker(&mut bench);
        let lines: Vec<String> = BufReader::new(bench.stdout.take().unwrap()).lines().map(Result::unwrap).collect();
        assert!(bench.wait().unwrap().success(), "{lines:?}");
        assert!(lines.iter().any(|line| line.ends_with(&format!("{rows} accepted, 0 rejected"))), "{lines:?}");
        let delivered = lines.iter().find_map(|line| line.strip_prefix("delivered")).unwrap();
        let seconds = delivered.split_whitespace().next().unwrap().parse().unwrap();
        Delivery { took: Duration::from_secs_f64(seconds), memory }
    }
}

/// The most memory, in MiB, that a worker of a process had while the process ran.
fn most_memory_of_a_worker(process: &mut Child) -> u64 {
    let children = format!("/proc/{0}/task/{0}/children", process.id());
    let mut most = 0;
    while process.try_wait().unwrap().is_none() {
        for child in fs::read_to_string(&children).unwrap_or_default().split_whitespace() {
            let status = fs::read_to_string(format!("/proc/{child}/status")).unwrap_or_default();
            let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let kilobytes = peak.and_then(|peak| peak.trim().strip_suffix(" kB")?.parse::<u64>().ok());
            most = most.max(kilobytes.unwrap_or_default() / 1024);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    most
}

/// Has the system find memory for files beforehand. A virtual machine may have to ask its host for it, which takes longer than
/// filling it, and whoever came first would pay for the others.
fn with_memory_at_hand() {
    std::hint::black_box(vec![1_u8; 3 << 30]);
}

/// Where deliveries go, and beside it a plain program's files.
struct Zone(TempDir);

impl Zone {
    fn delivered(&self) -> PathBuf {
        self.0.path().join("delivered")
    }

    /// What was delivered once.
    fn kept(&self) -> PathBuf {
        self.0.path().join("kept")
    }

    fn plain(&self) -> PathBuf {
        self.0.path().join("plain")
    }

    fn keep(&self) {
        fs::rename(self.delivered(), self.kept()).unwrap();
    }

    fn clear(&self) {
        for folder in [self.delivered(), self.plain()] {
            let _not_there = fs::remove_dir_all(folder);
        }
        rustix::fs::sync();
    }

    /// Writes each file that was kept once more, whole, safely and aside, as a delivery promises it; reading them is not
    /// timed. How long that took, and how many bytes they have.
    fn write_plainly(&self) -> (Duration, usize) {
        with_memory_at_hand();
        fs::create_dir(self.plain()).unwrap();
        let folder = File::open(self.plain()).unwrap();
        let (mut took, mut bytes, mut content) = (Duration::ZERO, 0, Vec::new());
        for (name, path) in (0..).map(|name| name.to_string()).zip(files(&self.kept())) {
            content.clear();
            bytes += File::open(path).unwrap().read_to_end(&mut content).unwrap();
            let begin = Instant::now();
            let mut file = File::create(self.plain().join("aside")).unwrap();
            file.write_all(&content).unwrap();
            file.sync_all().unwrap();
            fs::rename(self.plain().join("aside"), self.plain().join(name)).unwrap();
            folder.sync_all().unwrap();
            took += begin.elapsed();
        }
        (took, bytes)
    }
}

/// Uploads the bytes of all objects as one object in pieces, by the destination's own client; reading them is not timed. How
/// long that took, and how many bytes they have.
fn upload_plainly(server: &S3) -> (Duration, usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let bucket = Bucket::open(serde_json::from_value(server.settings()).unwrap(), &operator(), &["plain"]).unwrap();
    let content: Vec<u8> = files(&server.bucket()).flat_map(|file| fs::read(file).unwrap()).collect();
    let bytes = content.len();
    let begin = Instant::now();
    runtime.block_on(bucket.put("all", content, Attributes::new())).unwrap();
    (begin.elapsed(), bytes)
}

/// What rounds took, and a plain program beside them.
#[derive(Default)]
struct Ratios(Vec<(Duration, Duration)>);

impl Ratios {
    fn note(&mut self, took: Duration, plain: Duration) -> f64 {
        self.0.push((took, plain));
        took.div_duration_f64(plain)
    }

    fn print(&self, what: &str) {
        let mut ratios: Vec<f64> = self.0.iter().map(|(took, plain)| took.div_duration_f64(*plain)).collect();
        ratios.sort_unstable_by(f64::total_cmp);
        let median = f64::midpoint(ratios[(ratios.len() - 1) / 2], ratios[ratios.len() / 2]);
        let best = |time: fn(&(Duration, Duration)) -> Duration| self.0.iter().map(time).min().unwrap();
        let of_best = best(|(took, _)| *took).div_duration_f64(best(|(_, plain)| *plain));
        println!("{what}: median of the ratios {median:.2}, ratio of the best {of_best:.2}");
    }
}

/// The plugin that does nothing, compiled into a folder.
fn idle(folder: &Path) -> PathBuf {
    let (here, file) = (Path::new(env!("CARGO_MANIFEST_DIR")), folder.join("libidle.so"));
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O2", "-o"]).arg(&file).arg(here.join("benches/idle.c"));
    assert!(compiler.arg("-I").arg(here.join("../plugins/sdk/include")).status().unwrap().success());
    file
}

/// The files below a folder.
fn files(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let names = entente_test_servers::names(folder).into_iter();
    let folder = folder.to_owned();
    names.map(move |name| folder.join(name))
}
