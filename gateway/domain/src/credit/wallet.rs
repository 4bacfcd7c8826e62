//! An account's wallet.

use super::price::{MOST, MicroCredits};
use crate::{Code, Refusal, refusal::text};
use serde::{Deserialize, Serialize};

/// What an account has. No part is ever negative, nor is what is available.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wallet {
    /// What the operator gave, less what it took back.
    pub provisioned: MicroCredits,
    /// What was spent on work that has ended.
    pub used: MicroCredits,
    /// What is kept for work that has not.
    pub reserved: MicroCredits,
}

/// What a wallet changes by: a line of the ledger. A wallet is the sum of its lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalletChange {
    /// Given; negative where it is taken back.
    pub provisioned: MicroCredits,
    /// Spent.
    pub used: MicroCredits,
    /// Kept; negative where it is no longer.
    pub reserved: MicroCredits,
}

impl Wallet {
    /// What can be spent.
    pub fn available(&self) -> MicroCredits {
        self.provisioned - self.used - self.reserved
    }

    /// The wallet after a change; `None` when it does not hold so much, or cannot.
    pub fn after(&self, change: WalletChange) -> Option<Self> {
        let next = Self {
            provisioned: self.provisioned + change.provisioned,
            used: self.used + change.used,
            reserved: self.reserved + change.reserved,
        };
        let parts = [next.provisioned, next.used, next.reserved, next.available()];
        parts.iter().all(|part| (0..=MOST).contains(&part.0)).then_some(next)
    }
}

/// What the operator gives to an account, or takes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewProvision {
    /// Given; negative where it is taken back.
    pub credits: MicroCredits,
    /// Why: 1 to 500 characters.
    pub note: String,
}

/// Gives credits to an account, or takes back of those that are available.
pub fn provision(wallet: &Wallet, new: NewProvision) -> Result<(WalletChange, String), Refusal> {
    let note = text("note", &new.note, 1, 500)?;
    if new.credits.0 == 0 {
        return Err(Refusal::invalid("amount", "Give more than nothing, or less to take some back."));
    }
    let change = WalletChange { provisioned: new.credits, ..WalletChange::default() };
    match wallet.after(change) {
        Some(_) => Ok((change, note)),
        None if new.credits.0 < 0 => {
            let message = "What is used or reserved cannot be taken back.";
            Err(Refusal::new(Code::InsufficientCredits, message).at("amount"))
        }
        None => Err(Refusal::invalid("amount", format!("A wallet holds at most {MOST} micro-credits."))),
    }
}
