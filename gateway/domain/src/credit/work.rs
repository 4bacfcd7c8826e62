//! What work reserves, and what it is paid by.

use super::{
    Activity,
    price::Prices,
    reservation::{Parties, Payer, Reservation, ReservationStatus},
};
use crate::{
    AccountId, ConnectionId, DeliveryId, JobId, WorkId,
    activation::{Recurrence, SentAudience},
    connection::Connection,
    release::shown_size,
    report::Report,
    settings::{ActivationPayer, Counts, Side},
};

/// Bytes of a file that are taken for one row before it is read: a hashed identity and what separates it.
const BYTES_OF_A_ROW: u64 = 64;

/// The inputs that sourcing a file is reserved for.
pub const fn inputs_of_upload(bytes: u64) -> u64 {
    bytes.div_ceil(BYTES_OF_A_ROW)
}

/// The inputs that a report is paid by: the impressions that it shows, to three significant digits, and the threshold
/// where there are fewer. Both sides may read them. What an account's report says of its own people is exact, and the
/// other side has agreed to less: such a report is paid by the threshold, whatever it shows.
pub fn inputs_of_report(
    viewer: AccountId,
    runner: AccountId,
    counts: Counts,
    shown: Option<i64>,
    threshold: u64,
) -> u64 {
    let is_released = viewer != runner || counts == Counts::Exact;
    let released = shown.filter(|_| is_released).and_then(|n| u64::try_from(n).ok());
    released.and_then(|n| shown_size(n, threshold)).unwrap_or(threshold)
}

/// Sourcing a data connection, which its account pays.
pub fn of_refresh(prices: &Prices, account: AccountId, job: JobId, bytes: u64) -> Reservation {
    let parties = Parties::Alone(account);
    reservation(prices, WorkId(job.0), Activity::AudienceManagement, (parties, None), inputs_of_upload(bytes))
}

/// Sending an audience, which is paid by the settings. Both sides may read the inputs: the sender has read the estimate
/// that they are, and the receiver has got the people.
pub fn of_send(prices: &Prices, sent: &SentAudience, connection: &Connection, reached: u64) -> Reservation {
    let activity = match sent.recurrence {
        Recurrence::Once => Activity::AudienceAccessOnce,
        Recurrence::Recurring { .. } => Activity::AudienceAccessRecurring,
    };
    let payer = match connection.settings.as_ref().map(|s| s.activation_payer) {
        Some(ActivationPayer::Owner) => payer_on(connection, Side::Owner, sent.sender),
        Some(ActivationPayer::Recipient) => payer_on(connection, Side::Recipient, sent.sender),
        Some(ActivationPayer::EachOwn) | None => Payer::EachHalf,
    };
    let parties = Parties::Both { account: sent.sender, other: sent.receiver, payer };
    reservation(prices, WorkId(sent.id.0), activity, (parties, Some(connection.id)), reached)
}

/// Delivering rows to a destination, which its account pays. The other side sees nothing of it.
pub fn of_delivery(prices: &Prices, delivery: DeliveryId, sent: &SentAudience, rows: u64) -> Reservation {
    let activity = match sent.recurrence {
        Recurrence::Once => Activity::AudienceEgressOnce,
        Recurrence::Recurring { .. } => Activity::AudienceEgressRecurring,
    };
    let parties = Parties::Alone(sent.receiver);
    reservation(prices, WorkId(delivery.0), activity, (parties, Some(sent.connection)), rows)
}

/// Making a report, which is paid by the settings. Before it has run nothing may be told of its impressions but that
/// they are at least the threshold.
pub fn of_report(prices: &Prices, report: &Report, connection: &Connection, threshold: u64) -> Reservation {
    let parties = match connection.side_of(report.account) {
        Some(side) => {
            let pays = connection.settings.as_ref().map_or(side, |s| s.measurement_payer);
            let payer = payer_on(connection, pays, report.account);
            Parties::Both { account: report.account, other: connection.account_on(side.other()), payer }
        }
        None => Parties::Alone(report.account),
    };
    reservation(prices, WorkId(report.id.0), Activity::Measurement, (parties, Some(connection.id)), threshold)
}

fn payer_on(connection: &Connection, pays: Side, account: AccountId) -> Payer {
    if connection.account_on(pays) == account { Payer::Account } else { Payer::OtherSide }
}

fn reservation(
    prices: &Prices,
    work: WorkId,
    activity: Activity,
    (parties, connection): (Parties, Option<ConnectionId>),
    reserved_inputs: u64,
) -> Reservation {
    Reservation {
        work,
        activity,
        parties,
        connection,
        price: prices.of(activity),
        reserved_inputs,
        inputs: 0,
        status: ReservationStatus::Reserved,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_paid_by_what_it_releases() {
        let (luma, tv_tube) = (AccountId::new(), AccountId::new());
        for (viewer, counts, shown, inputs) in [
            (luma, Counts::Protected, None, 1_000),
            (luma, Counts::Protected, Some(-1), 1_000),
            (luma, Counts::Protected, Some(999), 1_000),
            (luma, Counts::Protected, Some(1_234), 1_230),
            (luma, Counts::Protected, Some(60_000), 60_000),
            (tv_tube, Counts::Protected, Some(60_000), 1_000),
            (tv_tube, Counts::Exact, Some(61_234), 61_200),
        ] {
            assert_eq!(inputs_of_report(viewer, tv_tube, counts, shown, 1_000), inputs, "{counts:?} {shown:?}");
        }
    }

    #[test]
    fn a_file_is_taken_for_rows_before_it_is_read() {
        assert_eq!([0, 1, 64, 65].map(inputs_of_upload), [0, 1, 1, 2]);
    }
}
