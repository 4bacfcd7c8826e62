//! `entente audit verify`: is the audit log as it was written?

use super::{Chains, Outcome, chain_named};
use clap::Args;
use entente_domain::audit_chain::Fault;
use entente_store::{Store, StoreError, VerifiedChain};
use serde::{Deserialize, Serialize};
use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
};

/// Bytes that a line of kept heads may have.
const LONGEST_LINE: u64 = 64 * 1024;

/// Which chains to verify, and against what.
#[derive(Debug, Args)]
pub struct Verify {
    /// Only the chain of this account; `operator` is the chain of what was done outside all accounts
    #[arg(long, value_name = "ID", value_parser = chain_named)]
    account: Option<String>,
    /// Heads that an earlier `--json` printed and that were kept elsewhere: each has to be in its chain still
    #[arg(long, value_name = "FILE")]
    heads: Option<PathBuf>,
    /// Print a JSON object for each chain, to be kept as its head
    #[arg(long)]
    json: bool,
}

/// What is printed of a chain.
#[derive(Serialize)]
struct Line<'a> {
    chain: &'a str,
    entries: i64,
    head: &'a str,
    chained_later: i64,
    faults: &'a [Fault],
}

/// What is read of it again.
#[derive(Deserialize)]
struct KeptHead {
    chain: String,
    entries: i64,
    head: String,
}

impl Verify {
    pub(super) async fn run(self, store: &Store) -> Outcome {
        let mut out = io::stdout().lock();
        let (mut walked, mut faults) = (0_u64, 0_u64);
        let mut chains = Chains::new(store, self.account.clone());
        while let Some(chain) = chains.next().await? {
            let verified = store.verify_audit_chain(&chain).await?;
            walked += 1;
            faults += verified.faults.len() as u64;
            if self.json {
                let VerifiedChain { entries, head, chained_later, faults } = &verified;
                let line = Line { chain: &chain, entries: *entries, head, chained_later: *chained_later, faults };
                writeln!(out, "{}", serde_json::to_string(&line)?)?;
            } else {
                told(&mut out, &chain, &verified)?;
            }
        }
        if let Some(file) = &self.heads {
            faults += self.kept_heads(store, file).await?;
        }
        if faults > 0 {
            return Err(format!("the audit log is not as it was written: {faults} faults").into());
        }
        if !self.json {
            writeln!(out, "The audit log is as it was written, in {walked} chains.")?;
        }
        Ok(())
    }

    /// Looks for each kept head in its chain, which holds by then, and names those that are not there; how many.
    async fn kept_heads(&self, store: &Store, file: &Path) -> Result<u64, Box<dyn std::error::Error + Send + Sync>> {
        let named = |reason: String| format!("{}: {reason}", file.display());
        let mut lines = BufReader::new(File::open(file).map_err(|e| named(e.to_string()))?);
        let (mut gone, mut line) = (0, Vec::new());
        for number in 1.. {
            line.clear();
            let read =
                (&mut lines).take(LONGEST_LINE).read_until(b'\n', &mut line).map_err(|e| named(e.to_string()))?;
            if read == 0 {
                break;
            }
            let kept: KeptHead = serde_json::from_slice(&line)
                .map_err(|_| named(format!("line {number} is not what `entente audit verify --json` prints")))?;
            let asked = self.account.as_ref().is_none_or(|only| *only == kept.chain);
            if asked && !is_there(store, &kept).await? {
                eprintln!("{}: {}", kept.chain, Fault::KeptHeadGone { sequence: kept.entries });
                gone += 1;
            }
        }
        Ok(gone)
    }
}

async fn is_there(store: &Store, kept: &KeptHead) -> Result<bool, StoreError> {
    if kept.entries == 0 {
        return Ok(true);
    }
    let hash = store.audit_hash_at(&kept.chain, kept.entries).await?;
    Ok(hash.is_some_and(|hash| hash == kept.head))
}

fn told(out: &mut impl Write, chain: &str, verified: &VerifiedChain) -> io::Result<()> {
    let VerifiedChain { entries, head, chained_later, faults } = verified;
    if faults.is_empty() {
        let later = match chained_later {
            0 => String::new(),
            later => format!("; the first {later} were written before there was a chain"),
        };
        return writeln!(out, "{chain}: {entries} entries, head {head}{later}");
    }
    for fault in faults {
        writeln!(out, "{chain}: {fault}")?;
    }
    Ok(())
}
