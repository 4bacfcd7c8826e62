//! What a report protects, and how the privacy budget is shared out.
//!
//! **Unit.** One identity (a value of one match key). Two data sets of the other side are neighbours when one has all
//! events of one identity more than the other. A report is ε-differentially private in the other side's data: adding
//! or taking away all events of an identity changes the probability of any report by a factor of at most exp(ε).
//! (Exchanging them for other events is one taking away and one adding: 2ε.) A person with two match keys is two
//! identities. The viewer's own data is known to the viewer and counts as fixed; where a figure joins both sides' events,
//! taking away one side's events of an identity takes away all that the identity contributes.
//!
//! **Mechanism.** Each query is a vector of integers q, and what is released is q + Z, Z independent discrete Laplace
//! noise, P(Z = z) proportional to exp(-|z|/b) with b = Δ/ε_q, where Δ is the most by which the vector can change
//! between neighbours in the sum of its absolute differences (L1). This is ε_q-differentially private: Dwork, McSherry,
//! Nissim, Smith, "Calibrating Noise to Sensitivity in Private Data Analysis" (2006); the discrete form is the
//! two-sided geometric mechanism of Ghosh, Roughgarden, Sundararajan, "Universally Utility-Maximizing Privacy
//! Mechanisms" (2009). All queries together spend the sum of their ε_q (sequential composition).
//!
//! **Sensitivities**, with B impressions, C cost of an impression, K conversions of an event and V value of a conversion
//! as the bounds for one identity, applied before counting (a sample of the identity's events, values clamped):
//!
//! | query | one vector of | Δ |
//! |---|---|---|
//! | frequency | identities by frequency (no more cells than B): each is in one cell | 1 |
//! | newly reached | identities by first day: each is in one cell | 1 |
//! | impressions by X | viewable and other exposures by X: each of B is in one of the cells | B |
//! | cost by X | cost by X: each of B exposures adds 0 to C to one cell | B·C |
//! | reach by X | identities by X: each is in at most B of n cells | min(B, n) |
//! | conversions by day | credited conversions by day: each of K is in one cell | K |
//! | revenue by day | credited revenue by day: each of K conversions adds -V to V to one cell | K·V |
//! | credit by X | micros of conversions that a model credits by X: each of K adds a million in all | K·10⁶ |
//! | revenue by X | revenue that a model credits by X: each of K conversions adds -V to V in all, of one sign | K·V |
//! | paths | credited conversions by the path before them: each of K is in one cell | K |
//! | all conversions, all revenue | one number each, only where conversions are the other side's | K, K·V |
//!
//! Parts of a conversion change nothing in these bounds. Neighbours differ in all events of one identity on the other
//! side. Its conversions are sampled down to K each with the credit that each model gives to its touches; what it adds to
//! the cells of a model is the sum of those K vectors, whatever is in them. A model's credit of one conversion is not
//! negative and adds up to exactly a million micros, so that its L1 norm is a million, over however many cells it is
//! spread; the norm of a sum is at most the sum of the norms, K·10⁶. The value of a conversion, clamped to V, is shared
//! out in proportion in whole micros of one sign that add up to it: L1 norm at most V, in all K·V. Without its events the
//! identity adds nothing: a conversion without a touch, or touches without a conversion, credit nobody. And it is credited
//! from its own touches only, so that it changes what no other identity adds. (Were other identities' credit, or a total
//! over identities, in the shares, none of this would hold.) Models are further vectors, each with an ε of its own.
//!
//! Which cells there are depends on the definition of the report only, never on the other side's data.

use super::MeasureFault;
use super::credit::Steps;
use super::decimal::MICROS;
use super::definition::{Definition, ValueRule};
use super::raw::Breakdown;
use serde::{Deserialize, Serialize};

/// Whose data it is, as the viewer of the report sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Whose {
    /// The viewer's own.
    Mine,
    /// The other side's.
    Theirs,
}

/// The most that one identity may contribute to a protected report. All at least 1, but for the cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    /// Exposures in the whole report; of more, a sample of as many counts.
    pub impressions: u32,
    /// Cost of one exposure, in micros; a higher one counts as this. 0 leaves costs out and spends nothing on them.
    pub cost_micros: i64,
    /// Conversions of each conversion event; of more, a sample of as many counts.
    pub conversions: u32,
    /// Value of one conversion in either direction, in micros; one beyond counts as this.
    pub value_micros: i64,
}

/// How the other side's people are protected.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Counts {
    /// Bounded contributions and noise.
    Protected {
        /// What the report spends of the privacy budget.
        epsilon: f64,
        /// The most that one identity contributes.
        bounds: Bounds,
    },
    /// Exact counts, which both sides must have agreed on. Only the threshold protects.
    Exact,
}

/// What a report protects.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Protection {
    /// Whose exposures are measured: those of one side in one report.
    pub exposures: Whose,
    /// Whose conversions are measured.
    pub conversions: Whose,
    /// How the other side's people are protected.
    pub counts: Counts,
    /// Figures of fewer than so many people are withheld.
    pub threshold: u32,
}

/// What an identity may contribute to a protected campaign summary.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ExposureBounds {
    pub(crate) impressions: u32,
    pub(crate) cost_micros: i64,
}

/// What an identity may contribute to a protected attribution.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CreditBounds {
    pub(crate) conversions: u32,
    pub(crate) value_micros: i64,
    /// Whether all conversions are bounded, not only those that are credited.
    pub(crate) totals_too: bool,
}

/// One question that is answered with noise.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Query {
    /// Identities by how often they were exposed.
    Frequency,
    /// Identities by the day of their first exposure.
    NewlyReached,
    /// Viewable and other exposures.
    Impressions(Breakdown),
    /// Distinct identities.
    Reach(Breakdown),
    /// Cost.
    Cost(Breakdown),
    /// Credited conversions of an event, by its number. In reports of version 1 by every breakdown, since then by day.
    Conversions(usize, Breakdown),
    /// Credited revenue of an event, by its number. In reports of version 1 by every breakdown, since then by day.
    Revenue(usize, Breakdown),
    /// What a model credits of an event's conversions, in micros of a conversion, by the numbers of event and model.
    Credit(usize, usize, Breakdown),
    /// What a model credits of an event's revenue, by the numbers of event and model.
    CreditedRevenue(usize, usize, Breakdown),
    /// Paths to the credited conversions of an event, by its number.
    Paths(usize, Steps),
    /// All conversions of an event.
    AllConversions(usize),
    /// All revenue of an event.
    AllRevenue(usize),
}

/// What one question spends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// The question.
    pub query: Query,
    /// Its part of ε.
    pub epsilon: f64,
    /// By how much one identity can change its answer, Δ.
    pub sensitivity: i64,
}

impl Protection {
    fn noise(&self) -> Option<(f64, Bounds)> {
        match self.counts {
            Counts::Protected { epsilon, bounds } => Some((epsilon, bounds)),
            Counts::Exact => None,
        }
    }

    /// Bounds of the campaign summary; none where it is exact.
    pub(crate) fn exposure_bounds(&self) -> Option<ExposureBounds> {
        let (_, bounds) = self.noise()?;
        let Bounds { impressions, cost_micros, .. } = bounds;
        (self.exposures == Whose::Theirs).then_some(ExposureBounds { impressions, cost_micros })
    }

    /// Bounds of the attribution; none where it is exact.
    pub(crate) fn credit_bounds(&self) -> Option<CreditBounds> {
        let (_, bounds) = self.noise()?;
        let totals_too = self.conversions == Whose::Theirs;
        let Bounds { conversions, value_micros, .. } = bounds;
        let theirs = totals_too || self.exposures == Whose::Theirs;
        theirs.then_some(CreditBounds { conversions, value_micros, totals_too })
    }

    /// Whether the answer to a question tells something about the other side's people.
    pub(crate) fn needs_noise(&self, query: &Query) -> bool {
        match query {
            Query::Frequency | Query::NewlyReached | Query::Impressions(_) | Query::Reach(_) | Query::Cost(_) => {
                self.exposure_bounds().is_some()
            }
            Query::Conversions(..)
            | Query::Revenue(..)
            | Query::Credit(..)
            | Query::CreditedRevenue(..)
            | Query::Paths(..) => self.credit_bounds().is_some(),
            Query::AllConversions(_) | Query::AllRevenue(_) => {
                self.credit_bounds().is_some_and(|bounds| bounds.totals_too)
            }
        }
    }

    /// Refuses what protects nobody or cannot be computed.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn check(&self) -> Result<(), MeasureFault> {
        let Some((epsilon, bounds)) = self.noise() else {
            return Ok(());
        };
        let refused = |reason| Err(MeasureFault::Definition { reason });
        if !epsilon.is_finite() || !(1e-3..=20.0).contains(&epsilon) {
            return refused("epsilon must be between 0.001 and 20");
        }
        if !(1..=10_000).contains(&bounds.impressions) || !(1..=10_000).contains(&bounds.conversions) {
            return refused("impressions and conversions of an identity must be bounded by 1 to 10,000");
        }
        let money = 1_000_000_000_000;
        if !(0..=money).contains(&bounds.cost_micros) || !(1..=money).contains(&bounds.value_micros) {
            return refused("cost and value must be bounded by at most a million");
        }
        Ok(())
    }

    /// How ε is shared out among the questions of a report; empty where nothing needs noise.
    ///
    /// With an attribution that needs noise, and a summary that does too, each gets half; events share the attribution's
    /// half equally. Within each the parts are fixed: frequency and newly reached 2 each, then for every breakdown
    /// impressions 3, reach 2 and cost 1; conversions 2, revenue 1, by day, for every breakdown of every model and for
    /// all; paths 2 over each kind of step.
    #[must_use]
    pub fn shares(&self, definition: &Definition) -> Vec<Share> {
        let Some((epsilon, bounds)) = self.noise() else {
            return Vec::new();
        };
        let mut groups: Vec<Vec<(Query, f64, i64)>> = Vec::new();
        let mut halves = Vec::new();
        if self.exposures == Whose::Theirs {
            groups.push(summary_queries(definition, bounds));
            halves.push(1.0);
        }
        if self.credit_bounds().is_some() {
            let events = definition.events.iter().enumerate();
            groups.extend(
                events.map(|(number, _)| event_queries(number, definition, bounds, self.conversions == Whose::Theirs)),
            );
            let each = 1.0 / definition.events.len().max(1) as f64;
            halves.resize(groups.len(), each);
        }
        let whole: f64 = halves.iter().sum();
        let mut shares = Vec::new();
        for (queries, half) in groups.into_iter().zip(halves) {
            let parts: f64 = queries.iter().map(|(_, part, _)| part).sum();
            shares.extend(queries.into_iter().map(|(query, part, sensitivity)| Share {
                query,
                epsilon: epsilon * (half / whole) * (part / parts),
                sensitivity,
            }));
        }
        shares
    }
}

fn summary_queries(definition: &Definition, bounds: Bounds) -> Vec<(Query, f64, i64)> {
    let impressions = i64::from(bounds.impressions);
    let mut queries = vec![(Query::Frequency, 2.0, 1), (Query::NewlyReached, 2.0, 1)];
    for by in Breakdown::OF_SUMMARY {
        let cells = by.cells(definition.period.days(), &definition.dimensions);
        let cells = i64::try_from(cells).unwrap_or(i64::MAX);
        queries.push((Query::Impressions(by), 3.0, impressions));
        queries.push((Query::Reach(by), 2.0, impressions.min(cells)));
        if bounds.cost_micros > 0 {
            queries.push((Query::Cost(by), 1.0, impressions * bounds.cost_micros));
        }
    }
    queries
}

fn event_queries(event: usize, definition: &Definition, bounds: Bounds, totals: bool) -> Vec<(Query, f64, i64)> {
    let conversions = i64::from(bounds.conversions);
    let revenue = conversions * bounds.value_micros;
    let mut queries = vec![
        (Query::Conversions(event, Breakdown::Day), 2.0, conversions),
        (Query::Revenue(event, Breakdown::Day), 1.0, revenue),
    ];
    for model in 0..definition.credit.models.len() {
        for by in Breakdown::OF_CREDIT {
            queries.push((Query::Credit(event, model, by), 2.0, conversions * MICROS));
            queries.push((Query::CreditedRevenue(event, model, by), 1.0, revenue));
        }
    }
    let paths = definition.credit.paths.iter();
    queries.extend(paths.map(|steps| (Query::Paths(event, *steps), 2.0, conversions)));
    if totals {
        queries.push((Query::AllConversions(event), 2.0, conversions));
        queries.push((Query::AllRevenue(event), 1.0, revenue));
    }
    if definition.events[event].value == ValueRule::Count {
        let money =
            |query: &Query| matches!(query, Query::Revenue(..) | Query::CreditedRevenue(..) | Query::AllRevenue(_));
        queries.retain(|(query, ..)| !money(query));
    }
    queries
}
