//! The daily table of credits.

use chrono::NaiveDate;
use entente_domain::{
    ConnectionId,
    credit::{Activity, MicroCredits},
};

/// What work of one kind came to for an account on a day, in one connection or in none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreditActivity {
    /// The UTC day.
    pub day: NaiveDate,
    /// The connection that it was done in; none for what an account does by itself.
    pub connection: Option<ConnectionId>,
    /// What was done.
    pub activity: Activity,
    /// Inputs that were processed.
    pub inputs: u64,
    /// What all of it cost.
    pub credits: MicroCredits,
    /// What the account paid of that.
    pub share: MicroCredits,
}

/// Which lines of an account's daily table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CreditActivityFilter {
    /// From this UTC day on.
    pub from: Option<NaiveDate>,
    /// Until this UTC day, which is included.
    pub until: Option<NaiveDate>,
    /// Only of this connection.
    pub connection: Option<ConnectionId>,
}
