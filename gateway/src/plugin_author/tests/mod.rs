//! The commands on destinations in this very process, some of which misbehave.

mod checking;
mod delivering;
mod destinations;
