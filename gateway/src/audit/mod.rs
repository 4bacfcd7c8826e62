//! What an operator does with the audit log: verify its chains and export it. Neither needs the gateway's key.

mod export;
mod verify;

use crate::graphql::id::{self, Global};
use clap::Subcommand;
use entente_domain::{AccountId, audit_chain};
use entente_store::Store;

/// How a command ended.
type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;

#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Walk the chain of each account and name what was changed, removed or moved; nothing is changed
    Verify(verify::Verify),
    /// Write entries as JSON lines, each with its number and its hash
    Export(export::Export),
}

impl AuditCommand {
    /// Runs the command on a database, whose entries from before there was a chain are chained first, as by a start.
    ///
    /// # Errors
    /// When a chain does not hold, or cannot be read.
    pub async fn run(self, store: &Store) -> Outcome {
        store.chain_earlier_audit().await?;
        match self {
            Self::Verify(verify) => verify.run(store).await,
            Self::Export(export) => export.run(store).await,
        }
    }
}

/// The chain that is named: that of an account by its id, as the API or the log shows it, or the operator's.
fn chain_named(text: &str) -> Result<String, String> {
    if text == audit_chain::OPERATOR {
        return Ok(text.to_owned());
    }
    let global = || id::parse(text).filter(|(of_type, _)| of_type == AccountId::TYPE).map(|(_, id)| AccountId(id));
    let account = text.parse().ok().or_else(global).ok_or("neither an account's id nor `operator`")?;
    Ok(audit_chain::chain_of(Some(account)))
}

/// Names of chains, in order: the one asked for, or all.
struct Chains<'a> {
    store: &'a Store,
    one: Option<String>,
    read: std::vec::IntoIter<String>,
    last: Option<String>,
}

impl<'a> Chains<'a> {
    fn new(store: &'a Store, one: Option<String>) -> Self {
        Self { store, one, read: Vec::new().into_iter(), last: Some(String::new()) }
    }

    async fn next(&mut self) -> Result<Option<String>, entente_store::StoreError> {
        if let Some(one) = self.one.take() {
            self.last = None;
            return Ok(Some(one));
        }
        if self.read.as_slice().is_empty()
            && let Some(last) = self.last.take()
        {
            let read = self.store.audit_chains_after(&last).await?;
            self.last = read.last().cloned();
            self.read = read.into_iter();
        }
        Ok(self.read.next())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_are_named_by_either_id() {
        let account = AccountId::new();
        for text in [account.to_string(), id::global(account).to_string()] {
            assert_eq!(chain_named(&text), Ok(account.to_string()));
        }
        assert_eq!(chain_named("operator").as_deref(), Ok("operator"));
        let user = id::global(entente_domain::UserId::new()).to_string();
        for text in ["", "Luma", "operators", &user] {
            assert!(chain_named(text).is_err(), "{text}");
        }
    }
}
