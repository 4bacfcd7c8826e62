//! Which exposure a conversion is credited to.

use super::world::{EXACT, World, conversion, definition, exposure, quarter};
use crate::measure::event::{Conversion, Exposure, Kind, Place};
use crate::measure::instant::DAY;
use crate::measure::raw::{Conversions, Credit, RawEvent};

fn purchases(exposures: &[Exposure], conversions: &[Conversion]) -> RawEvent {
    let world = World { exposures: exposures.to_vec(), conversions: conversions.to_vec() };
    world.count(&definition(), EXACT).events.remove(0)
}

fn in_campaign(exposure: Exposure, campaign: u32) -> Exposure {
    Exposure { place: Place { campaign, ..exposure.place }, ..exposure }
}

fn conversions_by_campaign(event: &RawEvent) -> Vec<i64> {
    event.models[0][0].iter().map(|cell| cell.conversions / 1_000_000).collect()
}

#[test]
fn the_last_exposure_gets_the_credit() {
    let exposures = [in_campaign(exposure(1, quarter(0)), 1), in_campaign(exposure(1, quarter(2)), 0)];
    assert_eq!(conversions_by_campaign(&purchases(&exposures, &[conversion(1, quarter(3))])), [1, 0]);
}

#[test]
fn a_conversion_before_every_exposure_gets_none() {
    let event = purchases(&[exposure(1, quarter(4))], &[conversion(1, quarter(4) - 1)]);
    assert_eq!(conversions_by_campaign(&event), [0, 0]);
    assert_eq!(event.total, Conversions { conversions: 1, revenue: 1_000_000, people: 1 });
    assert_eq!(event.new_people.iter().sum::<i64>(), 0);
}

#[test]
fn the_same_instant_is_in_time() {
    assert_eq!(conversions_by_campaign(&purchases(&[exposure(1, quarter(4))], &[conversion(1, quarter(4))])), [1, 0]);
}

#[test]
fn the_lookback_is_exact_to_the_microsecond() {
    let seen = quarter(4);
    let lookback = 2 * DAY;
    let credited = |time| {
        purchases(&[exposure(1, seen)], &[conversion(1, time)]).days.iter().map(|day| day.conversions).sum::<i64>()
    };
    assert_eq!(credited(seen + lookback), 1);
    assert_eq!(credited(seen + lookback + 1), 0);
}

#[test]
fn somebody_elses_exposure_gets_none() {
    assert_eq!(conversions_by_campaign(&purchases(&[exposure(2, quarter(1))], &[conversion(1, quarter(2))])), [0, 0]);
}

#[test]
fn at_a_tie_the_stronger_kind_wins_then_what_sorts_last() {
    let of = |kind, campaign| Exposure { kind, ..in_campaign(exposure(1, quarter(1)), campaign) };
    for (tied, winner) in [
        ([of(Kind::Click, 0), of(Kind::EngagedView, 1)], [1, 0]),
        ([of(Kind::EngagedView, 0), of(Kind::View, 1)], [1, 0]),
        ([of(Kind::Click, 1), of(Kind::Click, 0)], [0, 1]),
        ([of(Kind::View, 1), of(Kind::View, 1)], [0, 1]),
    ] {
        let reversed = [tied[1], tied[0]];
        for tied in [tied, reversed] {
            assert_eq!(conversions_by_campaign(&purchases(&tied, &[conversion(1, quarter(2))])), winner, "{tied:?}");
        }
    }
}

#[test]
fn an_exposure_outside_the_period_gets_none() {
    let before = exposure(1, quarter(-1));
    let after = exposure(2, quarter(20));
    let conversions = [conversion(1, quarter(0)), conversion(2, quarter(21))];
    let event = purchases(&[before, after], &conversions);
    assert_eq!(conversions_by_campaign(&event), [0, 0]);
    assert_eq!(event.total.conversions, 2);
}

#[test]
fn conversions_count_from_the_first_day_until_the_lookback_has_passed() {
    let exposures = [exposure(1, quarter(0)), exposure(1, quarter(19))];
    // The period has 5 days, the lookback 2: quarter 28 is the first that is too late.
    let event = purchases(&exposures, &[-1, 0, 27, 28].map(|time| conversion(1, quarter(time))));
    assert_eq!(event.total.conversions, 2);
    assert_eq!(event.days.iter().map(|cell| cell.conversions).collect::<Vec<_>>(), [1, 0, 0, 0, 0, 0, 1]);
}

#[test]
fn refunds_reduce_revenue() {
    let refund = Conversion { value: -2_500_000, ..conversion(1, quarter(2)) };
    let event = purchases(&[exposure(1, quarter(0))], &[conversion(1, quarter(1)), refund]);
    assert_eq!(event.models[0][0][0], Credit { conversions: 2_000_000, revenue: -1_500_000, people: 1 });
}
