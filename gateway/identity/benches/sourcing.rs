//! Sourcing a CSV file of 2 GB: seconds and peak memory. `cargo bench -p entente-identity --bench sourcing`.

mod synthetic;

use std::error::Error;
use std::io::Read;
use std::time::Instant;

use entente_identity::normalise::{Form, Take};
use entente_identity::source::{AudienceFrom, Control, DEFAULT_MEMORY, Mapping, SourcePlan, source_csv};
use entente_identity::{IndexSecret, KeyName};
use synthetic::{Account, peak_mebibytes};

const BYTES: u64 = 2 << 30;
const LIMIT_MEBIBYTES: u64 = 512;

fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("audiences.csv");
    let account = Account { first: 0, end: u64::MAX / 8, audiences: 100 };
    // The file ends inside a row: one faulty row.
    std::io::copy(&mut account.csv().take(BYTES), &mut std::fs::File::create(&file)?)?;
    peak_mebibytes();

    for (form, take, what) in
        [(Form::HashedEmail, Take::AsHashed, "hashed e-mails"), (Form::CrmId, Take::Transform, "plain ids")]
    {
        let plan = SourcePlan {
            delimiter: b',',
            mappings: vec![Mapping { column: "identity".to_owned(), key: KeyName::new("hashed_email")?, form, take }],
            audience: AudienceFrom::Column("audience".to_owned()),
            memory: DEFAULT_MEMORY,
        };
        let begin = Instant::now();
        let run = dir.path().join("run");
        let mut calls: u64 = 0;
        let sourced = source_csv(
            &mut std::fs::File::open(&file)?,
            &plan,
            dir.path(),
            &IndexSecret::new([3; 16]),
            &run,
            &mut |_| {
                calls += 1;
                Control::Continue
            },
        )?;
        let seconds = begin.elapsed().as_secs_f64();
        println!("2 GiB of {what}: {} rows, {} identities", sourced.rows, sourced.keys[0].identities);
        println!("{seconds:.1} s, {:.0} MB/s, {calls} reports of progress", BYTES as f64 / 1e6 / seconds);
        if let Some(peak) = peak_mebibytes() {
            println!("peak memory {peak} MiB (wanted: at most {LIMIT_MEBIBYTES})");
        }
        std::fs::remove_dir_all(run)?;
    }
    Ok(())
}
