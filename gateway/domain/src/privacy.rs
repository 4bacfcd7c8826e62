//! Privacy levels of the randomised response view.

use serde::{Deserialize, Serialize};

/// How strongly the view of an account's people is randomised. The observed account chooses.
///
/// A member of an audience shows up in it with probability p, anyone else with probability q
/// (Warner 1965; coins that stay: RAPPOR, Erlingsson et al. 2014). ε of an appearance is ln(p/q).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PrivacyLevel {
    /// p, q = 7/8, 1/32 of an audience; 7/8, 1/8 of all audiences.
    Standard,
    /// p, q = 3/4, 1/8 of an audience; 3/4, 1/4 of all audiences.
    Strong,
}

impl PrivacyLevel {
    /// Probability that a member shows up.
    pub const fn p(self) -> f64 {
        match self {
            Self::Standard => 7.0 / 8.0,
            Self::Strong => 3.0 / 4.0,
        }
    }

    /// Probability that anyone else shows up in one audience.
    pub const fn q(self) -> f64 {
        match self {
            Self::Standard => 1.0 / 32.0,
            Self::Strong => 1.0 / 8.0,
        }
    }

    /// Probability that anyone else shows up in "all audiences".
    pub const fn q_all(self) -> f64 {
        match self {
            Self::Standard => 1.0 / 8.0,
            Self::Strong => 1.0 / 4.0,
        }
    }
}
