//! Credits: what work costs, who pays for it, and what becomes of a wallet.
//!
//! Work reserves credits when it begins and settles when it ends, for what was really processed; work that comes to
//! nothing releases them. Each work does so once: whoever is cut off and tries again changes nothing.

mod price;
mod reservation;
mod wallet;
mod work;

pub use price::{MOST, MicroCredits, Price, Prices};
pub use reservation::{Command, Decided, Parties, Payer, Reservation, ReservationStatus, Settled, decide};
pub use wallet::{NewProvision, Wallet, WalletChange, provision};
pub use work::{inputs_of_report, inputs_of_upload, of_delivery, of_refresh, of_report, of_send};

use serde::{Deserialize, Serialize};

/// What credits are spent on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Activity {
    /// Sourcing a data connection, the first time and each further one. Inputs are rows that were accepted.
    AudienceManagement,
    /// Sending an audience once. Inputs are people whom it reaches, as they are released.
    AudienceAccessOnce,
    /// Sending an audience between two days. Inputs are people whom it reaches when it is sent, as they are released.
    AudienceAccessRecurring,
    /// Delivering what was sent once. Inputs are rows that a destination answered for.
    AudienceEgressOnce,
    /// Delivering what was sent between two days. Inputs are rows that a destination answered for.
    AudienceEgressRecurring,
    /// Making a report. Inputs are its impressions, as they are released.
    Measurement,
}
