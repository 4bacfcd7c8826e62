//! Writes the outputs of a generated campaign into a directory: `cargo run --release -p entente-report --example page -- DIR`.

mod campaign;

use campaign::{about, report};
use entente_report::Document;
use std::error::Error;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    let directory = std::env::args_os().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    std::fs::create_dir_all(&directory)?;
    let (about, report) = (about(), report(150_000)?);
    let document = Document::new(&about, &report);
    for (name, content) in [
        ("report.html", document.page()?.into_bytes()),
        ("report.json", document.json()?.into_bytes()),
        ("report.csv", document.csv().into_bytes()),
        ("report.parquet", document.parquet()?),
    ] {
        let path = directory.join(name);
        std::fs::write(&path, content)?;
        println!("{}", path.display());
    }
    Ok(())
}
