//! Reservations: credits that are kept for work, until it is settled or comes to nothing.

use super::{
    Activity,
    price::{MicroCredits, Price},
    wallet::{Wallet, WalletChange},
};
use crate::{AccountId, Code, ConnectionId, Refusal, WorkId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Who pays for work that concerns two accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Payer {
    /// The account whose work it is.
    Account,
    /// The other side.
    OtherSide,
    /// Each a half; of an odd number of micro-credits the account whose work it is pays the one that is left.
    EachHalf,
}

/// Whom work concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Parties {
    /// One account, which pays.
    Alone(AccountId),
    /// Both sides of a connection; its activity is shown to both.
    Both {
        /// Whose work it is.
        account: AccountId,
        /// The other side.
        other: AccountId,
        /// Who pays.
        payer: Payer,
    },
}

impl Parties {
    /// Whose work it is.
    pub const fn account(self) -> AccountId {
        match self {
            Self::Alone(account) | Self::Both { account, .. } => account,
        }
    }

    /// Those whom it concerns, the account whose work it is first.
    pub fn accounts(self) -> impl Iterator<Item = AccountId> {
        self.shares(MicroCredits::default()).into_iter().map(|(account, _)| account)
    }

    /// What each pays of the whole, the account whose work it is first. The shares sum to the whole.
    pub fn shares(self, whole: MicroCredits) -> Vec<(AccountId, MicroCredits)> {
        let nothing = MicroCredits::default();
        match self {
            Self::Alone(account) => vec![(account, whole)],
            Self::Both { account, other, payer } => {
                let (own, others) = match payer {
                    Payer::Account => (whole, nothing),
                    Payer::OtherSide => (nothing, whole),
                    Payer::EachHalf => (whole - MicroCredits(whole.0 / 2), MicroCredits(whole.0 / 2)),
                };
                vec![(account, own), (other, others)]
            }
        }
    }
}

/// Where a reservation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ReservationStatus {
    /// Its work goes on.
    Reserved,
    /// Paid for what was processed.
    Settled,
    /// Nothing was processed, nothing is paid.
    Released,
}

/// Credits that are kept for work; there is one for each work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    /// The work.
    pub work: WorkId,
    /// What it is.
    pub activity: Activity,
    /// Whom it concerns.
    pub parties: Parties,
    /// The connection that it is done in.
    pub connection: Option<ConnectionId>,
    /// The price of when it began, which it is settled by.
    pub price: Price,
    /// Inputs that it is reserved for.
    pub reserved_inputs: u64,
    /// Inputs that were processed; 0 before it is settled.
    pub inputs: u64,
    /// Where it is.
    pub status: ReservationStatus,
}

impl Reservation {
    fn kept(&self) -> Vec<(AccountId, MicroCredits)> {
        self.parties.shares(self.price.of(self.reserved_inputs))
    }
}

/// What becomes of credits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Work begins.
    Reserve(Reservation),
    /// It ended, and processed so many inputs; more than were reserved for are paid of what is available.
    Settle {
        /// The work.
        work: WorkId,
        /// What was processed. Nothing is paid for nothing.
        inputs: u64,
    },
    /// It came to nothing.
    Release {
        /// The work.
        work: WorkId,
    },
}

impl Command {
    /// The work that it is about.
    pub const fn work(&self) -> WorkId {
        match self {
            Self::Reserve(reservation) => reservation.work,
            Self::Settle { work, .. } | Self::Release { work } => *work,
        }
    }
}

/// What was paid, as the daily tables count it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// What all of it cost.
    pub credits: MicroCredits,
    /// What each paid of it, who paid nothing as well.
    pub shares: Vec<(AccountId, MicroCredits)>,
}

/// What was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// The reservation as it becomes.
    pub reservation: Reservation,
    /// What wallets change by; those that stay as they are are missing.
    pub changes: Vec<(AccountId, WalletChange)>,
    /// What was paid, where it was settled.
    pub settled: Option<Settled>,
}

/// Decides a command, given the reservation of its work and the wallets of those whom it concerns; a wallet that is
/// missing is empty. `None` when it was done before, or there is nothing that it could be done to.
pub fn decide(
    command: Command,
    present: Option<&Reservation>,
    wallets: &BTreeMap<AccountId, Wallet>,
) -> Result<Option<Decided>, Refusal> {
    let open = present.filter(|reservation| reservation.status == ReservationStatus::Reserved);
    let decided = match (command, open) {
        (Command::Reserve(new), _) if present.is_none() => reserve(new),
        (Command::Settle { inputs, .. }, Some(open)) if inputs > 0 => settle(open, inputs),
        (Command::Settle { .. } | Command::Release { .. }, Some(open)) => release(open),
        _ => return Ok(None),
    };
    let whose = decided.reservation.parties.account();
    for (account, change) in &decided.changes {
        if wallets.get(account).copied().unwrap_or_default().after(*change).is_none() {
            return Err(unpaid(*account == whose));
        }
    }
    Ok(Some(decided))
}

fn reserve(new: Reservation) -> Decided {
    let change = |(account, kept)| (account, WalletChange { reserved: kept, ..WalletChange::default() });
    let changes = new.kept().into_iter().map(change).filter(is_one).collect();
    Decided { reservation: new, changes, settled: None }
}

fn settle(open: &Reservation, inputs: u64) -> Decided {
    let credits = open.price.of(inputs);
    let shares = open.parties.shares(credits);
    let change = |((account, kept), (_, paid)): ((AccountId, MicroCredits), &(AccountId, MicroCredits))| {
        (account, WalletChange { used: *paid, reserved: -kept, ..WalletChange::default() })
    };
    let changes = open.kept().into_iter().zip(&shares).map(change).filter(is_one).collect();
    let reservation = Reservation { inputs, status: ReservationStatus::Settled, ..open.clone() };
    Decided { reservation, changes, settled: Some(Settled { credits, shares }) }
}

fn release(open: &Reservation) -> Decided {
    let change = |(account, kept): (AccountId, MicroCredits)| {
        (account, WalletChange { reserved: -kept, ..WalletChange::default() })
    };
    let changes = open.kept().into_iter().map(change).filter(is_one).collect();
    Decided { reservation: Reservation { status: ReservationStatus::Released, ..open.clone() }, changes, settled: None }
}

fn is_one((_, change): &(AccountId, WalletChange)) -> bool {
    *change != WalletChange::default()
}

/// Says nothing of how much there is.
fn unpaid(by_itself: bool) -> Refusal {
    if by_itself {
        return Refusal::new(
            Code::InsufficientCredits,
            "The account's credits do not suffice; ask the operator for more.",
        );
    }
    Refusal::new(
        Code::OtherSideCannotPay,
        "By the settings the other side pays for this, and its credits do not suffice.",
    )
}
