//! `entente audit export`: the audit log as JSON lines, for whoever keeps it or checks its hashes elsewhere.

use super::{Chains, Outcome, chain_named};
use chrono::{DateTime, Utc};
use clap::Args;
use entente_domain::audit_chain::{Entry, FIRST};
use entente_store::Store;
use serde::Serialize;
use std::{
    fs::OpenOptions,
    io::{self, BufWriter, Write},
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
};

/// Which entries to export, and where to.
#[derive(Debug, Args)]
pub struct Export {
    /// Only the entries of this account; `operator` is what was done outside all accounts
    #[arg(long, value_name = "ID", value_parser = chain_named)]
    account: Option<String>,
    /// Only entries from this moment on, such as 2026-11-29T00:00:00Z
    #[arg(long, value_name = "TIME")]
    from: Option<DateTime<Utc>>,
    /// Only entries before this moment
    #[arg(long, value_name = "TIME")]
    until: Option<DateTime<Utc>>,
    /// A file that is not there yet, made readable by its owner alone; standard output by default
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// An entry as it is exported.
#[derive(Serialize)]
struct Line<'a> {
    sequence: i64,
    previous_hash: &'a str,
    hash: &'a str,
    #[serde(flatten)]
    entry: &'a Entry,
}

impl Export {
    pub(super) async fn run(self, store: &Store) -> Outcome {
        let out: Box<dyn Write> = match &self.out {
            Some(path) => {
                let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
                Box::new(file.map_err(|e| format!("{}: {e}", path.display()))?)
            }
            None => Box::new(io::stdout().lock()),
        };
        let mut out = BufWriter::new(out);
        let mut chains = Chains::new(store, self.account.clone());
        while let Some(chain) = chains.next().await? {
            self.export_chain(store, &chain, &mut out).await?;
        }
        out.flush()?;
        Ok(())
    }

    async fn export_chain(&self, store: &Store, chain: &str, out: &mut impl Write) -> Outcome {
        let (mut sequence, mut previous_hash) = (0, FIRST.to_owned());
        loop {
            let links = store.audit_links_after(chain, sequence).await?;
            if links.is_empty() {
                return Ok(());
            }
            for link in links {
                sequence = link.sequence;
                let Some(entry) = &link.entry else {
                    return Err(format!("{chain}: {} is missing; see `entente audit verify`", link.entry_id).into());
                };
                if self.from.is_none_or(|from| entry.at >= from) && self.until.is_none_or(|until| entry.at < until) {
                    let line = Line { sequence, previous_hash: &previous_hash, hash: &link.hash, entry };
                    serde_json::to_writer(&mut *out, &line)?;
                    out.write_all(b"\n")?;
                }
                previous_hash = link.hash;
            }
        }
    }
}
