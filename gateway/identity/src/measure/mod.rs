//! Measuring campaigns: exposures and conversions from files, campaign summary, attribution by several models.
//!
//! [`load_exposures`] and [`load_conversions`] turn CSV or Parquet into files sorted by identity and time, one for each
//! match key. [`measure`] reads those of both sides in one pass and gives a [`Report`] that may be released: figures
//! from the other side's data are bounded per identity and carry noise (see [`protection`]), and figures about too few
//! people are withheld.

mod apportion;
mod attribution;
mod code;
mod condition;
mod credit;
pub(crate) mod decimal;
mod definition;
mod event;
mod fault;
mod instant;
mod interval;
mod join;
mod journeys;
pub mod lift;
mod load;
mod noise;
mod path;
mod protect;
pub mod protection;
mod rates;
mod raw;
mod reconcile;
mod report;
mod run;
mod sample;
mod stored;
mod summary;
#[cfg(test)]
mod tests;
mod threshold;
mod touches;
mod watch;

pub use condition::{Condition, Field, Test};
pub use credit::{CreditRules, KindLookback, LONGEST_HALF_LIFE_HOURS, MOST_MODELS, Model, Steps};
pub use decimal::MICROS;
pub use definition::{
    Combine, ConversionEvent, Definition, Dimensions, LONGEST_LOOKBACK_DAYS, LONGEST_PERIOD_DAYS, MOST_CONDITIONS,
    MOST_EVENTS, MOST_VALUES, Period, ValueRule,
};
pub use event::Kind;
pub use fault::MeasureFault;
pub use instant::TimeForm;
pub use interval::Interval;
pub use load::{
    ConversionPlan, EventFault, ExposurePlan, Load, LoadFault, LoadedConversions, LoadedExposures, LoadedKey,
    load_conversions, load_exposures,
};
pub use noise::{DiscreteLaplace, Noise};
pub use path::{LONGEST_PATH, MOST_CAMPAIGNS_OF_PATHS};
pub use protection::{Bounds, Counts, Protection, Query, Share, Whose};
pub use raw::Breakdown;
pub use report::{
    Attribution, Conversions, Credit, CumulativeReach, DayConversions, DayMetrics, DimensionConversions,
    DimensionMetrics, DimensionTable, EventReport, Figure, FrequencyReach, Metrics, ModelReport, PathConversions,
    PathReport, REPORT_VERSION, Report, Summary,
};
pub use run::{Gathered, Sources, gather, measure};
pub use watch::Watch;
