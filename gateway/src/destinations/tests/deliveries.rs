//! Whole deliveries through a worker process.

use std::time::Duration;

use entente_destination::{DestinationError, Rejected};

use super::fixture::{Place, launcher, policy};
use super::ledger::Ledger;
use crate::destinations::backoff::RetryPolicy;
use crate::destinations::contract::WorkerFault;
use crate::destinations::delivery::{Delivered, DeliveryError, Order, Stop, abandon, deliver, key_prefix};

async fn run(order: &Order, ledger: &mut Ledger) -> Result<Delivered, DeliveryError> {
    deliver(&launcher(), order, ledger, policy(), &Stop::default()).await
}

#[tokio::test]
async fn everything_arrives_once_whatever_happens_on_the_way() {
    for mode in ["", "transient", "rate limited", "crash after writing", "crash at finish"] {
        let (place, mut ledger) = (Place::new(4, 50), Ledger::default());
        let delivered = run(&place.order(mode), &mut ledger).await.unwrap();
        assert_eq!(delivered, Delivered { batches: 4, accepted: place.rows(), rejected: 0 }, "{mode}");
        ledger.assert_complete(4);
        assert_eq!(ledger.accepted(), place.rows());
        place.assert_all_taken();
        assert!(place.has(".finished-0"));
    }
}

#[tokio::test]
async fn a_delivery_of_nothing_is_finished_too() {
    let (place, mut ledger) = (Place::new(0, 0), Ledger::default());
    assert_eq!(run(&place.order(""), &mut ledger).await.unwrap(), Delivered::default());
    assert!(place.has(".finished-0"));
}

#[tokio::test]
async fn rejected_rows_are_told_with_their_batch() {
    let (place, mut ledger) = (Place::new(2, 10), Ledger::default());
    let delivered = run(&place.order("reject"), &mut ledger).await.unwrap();
    assert_eq!(delivered, Delivered { batches: 2, accepted: 18, rejected: 2 });
    let first = Rejected { row: 0, code: "FIRST".to_owned(), reason: "the first".to_owned() };
    assert!(ledger.acknowledged.iter().all(|acknowledged| acknowledged.rejected == [first.clone()]));
}

#[tokio::test]
async fn what_is_answered_later_is_waited_for() {
    let (place, mut ledger) = (Place::new(1, 2), Ledger::default());
    let delivered = run(&place.order("late"), &mut ledger).await.unwrap();
    assert_eq!(delivered, Delivered { batches: 1, accepted: 1, rejected: 1 });
    let [settlement] = ledger.settled.as_slice() else { unreachable!("one settlement") };
    assert_eq!(settlement.settled[0].rejected[0].code, "LATE");
    assert_eq!(settlement.state, b"1", "the state stays what it was");
}

#[tokio::test]
async fn final_errors_end_it() {
    for (mode, message) in [("payload", "no"), ("cannot open", "wrong token")] {
        let (place, mut ledger) = (Place::new(2, 10), Ledger::default());
        let error = run(&place.order(mode), &mut ledger).await.unwrap_err();
        assert!(matches!(&error, DeliveryError::Destination(error) if error.to_string() == message), "{error}");
        assert!(ledger.acknowledged.is_empty());
    }
}

#[tokio::test]
async fn a_worker_that_never_gets_on_is_given_up() {
    for mode in ["always crash", "too many", "settles another"] {
        let (place, mut ledger) = (Place::new(1, 10), Ledger::default());
        let error = run(&place.order(mode), &mut ledger).await.unwrap_err();
        assert!(matches!(error, DeliveryError::Fault(WorkerFault::Ended(_) | WorkerFault::Garbage(_))), "{error}");
        assert!(!place.has(".finished-0"));
    }
}

#[tokio::test]
async fn a_long_pause_hands_the_delivery_back() {
    let (place, mut ledger) = (Place::new(2, 10), Ledger::default());
    let error = run(&place.order("long pause"), &mut ledger).await.unwrap_err();
    assert!(
        matches!(&error, DeliveryError::Later { after, cause, .. } if *after == Duration::from_secs(86400) && cause == "tomorrow"),
        "{error}"
    );
}

#[tokio::test]
async fn waits_grow_over_the_times_that_it_is_handed_back() {
    let (place, mut ledger) = (Place::new(2, 10), Ledger::default());
    let impatient = RetryPolicy { longest: Duration::from_secs(60), patience: Duration::from_millis(1), ..policy() };
    let mut order = place.order("away");
    for handed_back in 1..=8 {
        let stop = Stop::default();
        let error = deliver(&launcher(), &order, &mut ledger, impatient, &stop).await.unwrap_err();
        let DeliveryError::Later { after, tries, cause } = error else { unreachable!("{error}") };
        assert!(tries > order.tries && cause == "come back");
        let whole = impatient.first * 2_u32.pow(tries - 1);
        assert!(after >= whole / 2 && after <= whole, "{handed_back}: {after:?} after {tries}");
        order.tries = tries;
    }
    assert!(order.tries >= 8);
    order.settings = Place::settings("");
    run(&order, &mut ledger).await.unwrap();
    place.assert_all_taken();
}

#[tokio::test]
async fn what_is_not_recorded_is_not_acknowledged() {
    let (place, mut ledger) = (Place::new(4, 50), Ledger { fail_at: Some(3), ..Ledger::default() });
    let order = place.order("");
    assert!(matches!(run(&order, &mut ledger).await, Err(DeliveryError::Sink(_))));
    ledger.assert_complete(2);
    let rest = run(&ledger.resume(&order), &mut ledger).await.unwrap();
    assert_eq!(rest.accepted, 100);
    ledger.assert_complete(4);
    place.assert_all_taken();
}

#[tokio::test]
async fn a_state_that_is_not_the_last_is_noticed() {
    let (place, mut ledger) = (Place::new(2, 1), Ledger::default());
    let order = Order { acknowledged: 1, state: b"7".to_vec(), ..place.order("") };
    let error = run(&order, &mut ledger).await.unwrap_err();
    assert!(matches!(error, DeliveryError::Destination(DestinationError::Permanent(_))));
}

#[tokio::test]
async fn work_that_is_handed_back_goes_on_elsewhere() {
    let (place, mut ledger) = (Place::new(60, 20), Ledger::default());
    let order = place.order("slow");
    let mut rounds = 0_u32;
    loop {
        let resumed = ledger.resume(&order);
        let run = run(&resumed, &mut ledger);
        match tokio::time::timeout(Duration::from_millis(80) * (rounds + 1), run).await {
            Ok(done) => break assert_eq!(done.unwrap().batches, 60),
            Err(_) => rounds += 1,
        }
    }
    assert!(rounds > 0, "it was never interrupted");
    ledger.assert_complete(60);
    place.assert_all_taken();
}

#[tokio::test]
async fn a_cancelled_delivery_tells_the_destination() {
    let (place, mut ledger) = (Place::new(500, 1), Ledger::default());
    let stop = Stop::default();
    let (launcher, order) = (launcher(), place.order("slow"));
    let cancelling = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        stop.cancel.cancel();
    };
    let (outcome, ()) = tokio::join!(deliver(&launcher, &order, &mut ledger, policy(), &stop), cancelling);
    assert!(matches!(outcome, Err(DeliveryError::Cancelled)));
    assert!(place.has(".aborted-0") && !place.has(".finished-0"));
    let acknowledged = ledger.acknowledged.len() as u64;
    assert!(acknowledged < 500);
    ledger.assert_complete(acknowledged);
    place.assert_taken(acknowledged);
}

#[tokio::test]
async fn a_cancelled_wait_ends_at_once() {
    let (place, mut ledger) = (Place::new(1, 1), Ledger::default());
    let stop = Stop::default();
    let patient = RetryPolicy { patience: Duration::from_secs(100_000), ..policy() };
    let (launcher, order) = (launcher(), place.order("long pause"));
    let cancelling = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        stop.cancel.cancel();
    };
    let delivery = deliver(&launcher, &order, &mut ledger, patient, &stop);
    let both = async { tokio::join!(delivery, cancelling).0 };
    let outcome = tokio::time::timeout(Duration::from_secs(10), both).await.unwrap();
    assert!(matches!(outcome, Err(DeliveryError::Cancelled)));
    assert!(place.has(".aborted-0"));
}

#[tokio::test]
async fn a_paused_delivery_ends_after_the_batch_under_way_and_goes_on_with_the_next() {
    let (place, mut ledger) = (Place::new(300, 1), Ledger::default());
    let stop = Stop::default();
    let (launcher, order) = (launcher(), place.order("slow"));
    let pausing = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        stop.pause.cancel();
    };
    let (outcome, ()) = tokio::join!(deliver(&launcher, &order, &mut ledger, policy(), &stop), pausing);
    assert!(matches!(outcome, Err(DeliveryError::Paused)));
    assert!(!place.has(".aborted-0") && !place.has(".finished-0"), "the destination is not told");
    let acknowledged = ledger.acknowledged.len() as u64;
    assert!(acknowledged < 300);
    place.assert_taken(acknowledged);
    run(&ledger.resume(&order), &mut ledger).await.unwrap();
    ledger.assert_complete(300);
    place.assert_all_taken();
}

#[tokio::test]
async fn a_paused_wait_ends_at_once() {
    let (place, mut ledger) = (Place::new(1, 1), Ledger::default());
    let stop = Stop::default();
    stop.pause.cancel();
    let patient = RetryPolicy { patience: Duration::from_secs(100_000), ..policy() };
    let (launcher, order) = (launcher(), place.order("long pause"));
    let delivery = deliver(&launcher, &order, &mut ledger, patient, &stop);
    let outcome = tokio::time::timeout(Duration::from_secs(10), delivery).await.unwrap();
    assert!(matches!(outcome, Err(DeliveryError::Paused)));
}

#[tokio::test]
async fn a_delivery_that_nobody_goes_on_with_is_aborted_where_it_is() {
    let (place, mut ledger) = (Place::new(4, 10), Ledger { fail_at: Some(3), ..Ledger::default() });
    let order = place.order("");
    run(&order, &mut ledger).await.unwrap_err();
    let resumed = ledger.resume(&order);
    abandon(&launcher(), &resumed, &mut ledger).await;
    assert!(place.has(".aborted-0") && !place.has(".finished-0"));
    abandon(&launcher(), &Order { settings: Place::settings("cannot open"), ..order }, &mut ledger).await;
}

#[test]
fn the_keys_of_batches_never_change() {
    assert_eq!(key_prefix("0190f3c4", "1"), key_prefix("0190f3c4", "1"));
    let others = [("0190f3c4", "2"), ("0190f3c41", ""), ("0190f3c", "41"), ("", "0190f3c41")];
    assert!(
        others.iter().all(|(activation, generation)| key_prefix(activation, generation) != key_prefix("0190f3c4", "1"))
    );
    assert_eq!(key_prefix("0190f3c4", "1").len(), 32);
}
