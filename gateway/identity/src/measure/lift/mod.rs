//! Lift: what a campaign brought beyond what happens without it, told from people who were held out of it.
//!
//! Everybody whom an audience was sent for is compared with everybody who was held out of it, whether or not a campaign
//! reached them ("intention to treat"): who is reached is not drawn by lot, who is held out is. All of it is about the
//! sender's own people and conversions.

mod count;
mod effect;
mod power;
mod report;
mod roster;
#[cfg(test)]
mod tests;

pub use count::{LiftSources, measure_lift};
pub use effect::{CONFIDENCE, Estimate};
pub use power::{LiftPlan, LiftPower};
pub use report::{EventLift, Groups, LIFT_VERSION, LiftDefinition, LiftReport, LiftWarning, OutcomeLift};
pub use roster::write_roster;
