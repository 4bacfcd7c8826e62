//! Exposures and conversions as a report counts them: values are replaced by the numbers of their cells.

use serde::{Deserialize, Serialize};

/// What kind of exposure it was, in the order in which they win at a tie: a click is the strongest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Kind {
    /// It was shown.
    View,
    /// It was shown and engaged with, short of a click.
    EngagedView,
    /// It was clicked.
    Click,
}

impl Kind {
    /// All kinds, in the order of their cells.
    pub const ALL: [Self; 3] = [Self::View, Self::EngagedView, Self::Click];

    /// The name in files: `view`, `engaged_view`, `click`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::EngagedView => "engaged_view",
            Self::Click => "click",
        }
    }

    /// The kind of a name, letter case and the sign between words being free.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let known = |name: &str| Self::ALL.into_iter().find(|kind| kind.name() == name);
        known(name).or_else(|| known(&name.to_ascii_lowercase().replace(['-', ' '], "_")))
    }
}

/// One exposure of one identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exposure {
    /// The identity within its match key.
    pub(crate) key: u64,
    /// Microseconds since 1970.
    pub(crate) time: i64,
    /// Its cells.
    pub(crate) place: Place,
    /// What kind it was.
    pub(crate) kind: Kind,
    /// Whether it is known to have been viewable.
    pub(crate) viewable: bool,
    /// Micros of the currency; none counts as 0.
    pub(crate) cost: i64,
}

/// Numbers of the campaign, placement and creative among the sorted values of the report; the number after the last
/// stands for the rest. The order decides ties.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) campaign: u32,
    pub(crate) placement: u32,
    pub(crate) creative: u32,
}

/// One conversion of one identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Conversion {
    /// The identity within its match key.
    pub(crate) key: u64,
    /// Microseconds since 1970.
    pub(crate) time: i64,
    /// Micros of the currency; none counts as 0.
    pub(crate) value: i64,
    /// One bit for each conversion event of the report that takes it.
    pub(crate) events: u8,
}

/// What the stored files are sorted by.
pub(crate) trait Ordered {
    /// The identity, then the time.
    fn order(&self) -> (u64, i64);
}

impl Ordered for Exposure {
    fn order(&self) -> (u64, i64) {
        (self.key, self.time)
    }
}

impl Ordered for Conversion {
    fn order(&self) -> (u64, i64) {
        (self.key, self.time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_read_and_ranked() {
        for (name, kind) in [
            ("view", Some(Kind::View)),
            ("CLICK", Some(Kind::Click)),
            ("engaged_view", Some(Kind::EngagedView)),
            ("Engaged view", Some(Kind::EngagedView)),
            ("engaged-view", Some(Kind::EngagedView)),
            ("viewed", None),
            ("", None),
        ] {
            assert_eq!(Kind::named(name), kind, "{name}");
        }
        assert!(Kind::Click > Kind::EngagedView && Kind::EngagedView > Kind::View);
    }
}
