//! The chains of the audit log: chaining what was written before there were any, walking them, verifying them.

use super::{Store, read, write};
use crate::{AuditHead, StoreError, VerifiedChain};
use async_recursion::async_recursion as boxed;
use entente_domain::audit_chain::{FIRST, Fault, Link, Walk};

impl Store {
    /// Chains the entries of the audit log that were written before there was a chain, in pieces, and goes on where it was
    /// interrupted; how many those were. Entries of later programs are chained when they are written.
    #[boxed]
    pub async fn chain_earlier_audit(&self) -> Result<u64, StoreError> {
        let mut chained = 0;
        while let Some(some) = write!(self, |conn| queries::audit_chain::chain_earlier(conn))? {
            chained += some as u64;
        }
        Ok(chained)
    }

    /// The names of some chains after a name, in order; none after the last one. All come after the empty name.
    #[boxed]
    pub async fn audit_chains_after(&self, name: &str) -> Result<Vec<String>, StoreError> {
        let name = name.to_owned();
        read!(self, |conn| queries::audit_chain::names_after(conn, name))
    }

    /// Some links of a chain after a place, in order; none after the last one.
    #[boxed]
    pub async fn audit_links_after(&self, chain: &str, sequence: i64) -> Result<Vec<Link>, StoreError> {
        let chain = chain.to_owned();
        read!(self, |conn| queries::audit_chain::links_after(conn, chain, sequence))
    }

    /// The hash at a place of a chain.
    #[boxed]
    pub async fn audit_hash_at(&self, chain: &str, sequence: i64) -> Result<Option<String>, StoreError> {
        let chain = chain.to_owned();
        read!(self, |conn| queries::audit_chain::hash_at(conn, chain, sequence))
    }

    /// Walks a chain, in pieces, and says what it is like. Entries may be appended meanwhile.
    #[boxed]
    pub async fn verify_audit_chain(&self, chain: &str) -> Result<VerifiedChain, StoreError> {
        let before = self.audit_head(chain).await?;
        let (mut walk, mut after) = (Walk::new(chain), i64::MIN);
        let mut faults = Vec::new();
        loop {
            let links = self.audit_links_after(chain, after).await?;
            let Some(last) = links.last() else { break };
            after = last.sequence;
            if let Err(fault) = walk.follow(&links) {
                faults.push(fault);
                break;
            }
        }
        if faults.is_empty() {
            faults.extend(self.fault_at_the_end(chain, &walk, &before).await?);
        }
        let outside = chain.to_owned();
        let outside = read!(self, |conn| queries::audit_chain::first_outside(conn, outside))?;
        faults.extend(outside.map(|entry| Fault::NotChained { entry }));
        let (entries, head) = (walk.sequence(), walk.hash().to_owned());
        Ok(VerifiedChain { entries, head, chained_later: before.chained_later, faults })
    }

    /// Whether a chain that holds ends where the database says: not before its head as it was when the walk began, and not
    /// after its head as it is now.
    async fn fault_at_the_end(
        &self,
        chain: &str,
        walk: &Walk,
        before: &AuditHead,
    ) -> Result<Option<Fault>, StoreError> {
        let (sequence, head) = (walk.sequence(), before.sequence);
        if sequence < head {
            return Ok(Some(Fault::CutOff { sequence, head }));
        }
        let now = self.audit_head(chain).await?.sequence;
        if sequence > now {
            return Ok(Some(Fault::GoesOn { sequence, head: now }));
        }
        let hash = if head == 0 { Some(FIRST.to_owned()) } else { self.audit_hash_at(chain, head).await? };
        Ok((hash.as_ref() != Some(&before.hash)).then_some(Fault::AnotherHead { sequence: head }))
    }

    /// Where the database says that a chain ends; at its start, where it does not know the chain.
    async fn audit_head(&self, chain: &str) -> Result<AuditHead, StoreError> {
        let chain = chain.to_owned();
        let head = read!(self, |conn| queries::audit_chain::head(conn, chain))?;
        Ok(head.unwrap_or_else(|| AuditHead { sequence: 0, hash: FIRST.to_owned(), chained_later: 0 }))
    }
}
