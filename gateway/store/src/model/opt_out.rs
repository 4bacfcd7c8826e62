//! Where lists of opt-outs come from by themselves.

use crate::NewJob;
use entente_domain::{
    account::Account,
    drift::{Drifted, Shape},
    opt_out::OptOutSource,
};

/// What the rules for the source of an account's opt-outs ask for.
#[derive(Clone, Debug)]
pub struct LoadedOptOutSource {
    /// Whose it is.
    pub account: Account,
    /// Where the list comes from by itself; `None` where it is loaded from uploads alone.
    pub source: Option<OptOutSource>,
}

/// What the rule for accepting a drift of opt-outs asks for.
#[derive(Clone, Debug)]
pub struct LoadedOptOutDrift {
    /// Where the list comes from; `None` where that was removed.
    pub source: Option<OptOutSource>,
    /// The load that drifted.
    pub drifted: Drifted,
}

/// What the last good load from a source read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptOutsRead {
    /// Its columns and rows.
    pub shape: Shape,
    /// The version of the list that it made.
    pub made: i64,
    /// What stands for what the source held.
    pub seen: Option<String>,
}

/// The kind of the job that reads the source of an account's opt-outs by its schedule: one at most waits for each.
pub const SCHEDULED_OPT_OUTS: &str = "scheduled_opt_outs";

/// The job that reads it next, if there is to be one.
pub type OptOutPlan = Box<dyn FnOnce(&OptOutSource) -> Option<NewJob> + Send>;
