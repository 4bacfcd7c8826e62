//! The touches of one identity that may still count for a conversion.

use super::credit::CreditRules;
use super::event::{Exposure, Kind, Place};
use std::collections::VecDeque;

/// Of each kind of exposure, so many touches of an identity are kept: the last.
pub(crate) const MOST_TOUCHES: usize = 200;

/// An exposure before a conversion. The order is that in which touches share credit and make paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Touch {
    pub(crate) time: i64,
    pub(crate) kind: Kind,
    pub(crate) place: Place,
}

/// Keeps, of each kind, the last [`MOST_TOUCHES`] touches within its lookback; what is earlier is as if it had never been.
#[derive(Debug)]
pub(crate) struct Touches {
    of_kind: [VecDeque<Touch>; 3],
    lookback: [i64; 3],
    /// How good each kind is; the least is best. All the same where all kinds share the credit.
    rank: [usize; 3],
}

impl Touches {
    pub(crate) fn new(rules: &CreditRules, lookback_days: u32) -> Self {
        Self {
            of_kind: Kind::ALL.map(|_| VecDeque::new()),
            lookback: Kind::ALL.map(|kind| rules.lookback(kind, lookback_days)),
            rank: Kind::ALL.map(|kind| rules.rank(kind)),
        }
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        self.of_kind.iter_mut().for_each(VecDeque::clear);
    }

    /// Adds a touch that is not before any other; of those at the same instant in any order.
    pub(crate) fn add(&mut self, exposure: &Exposure) {
        let touch = Touch { time: exposure.time, kind: exposure.kind, place: exposure.place };
        let touches = &mut self.of_kind[touch.kind as usize];
        if touches.len() == MOST_TOUCHES {
            if touches.front().is_some_and(|first| touch <= *first) {
                return;
            }
            touches.pop_front();
        }
        touches.push_back(touch);
        let mut place = touches.len() - 1;
        while place > 0 && touches[place - 1] > touch {
            touches.swap(place - 1, place);
            place -= 1;
        }
    }

    /// The touches before a conversion at this instant, or at it, into `all` in order. Conversions must be asked for in
    /// the order of time.
    pub(crate) fn before(&mut self, time: i64, all: &mut Vec<Touch>) {
        all.clear();
        for (touches, lookback) in self.of_kind.iter_mut().zip(self.lookback) {
            while touches.front().is_some_and(|touch| time - touch.time > lookback) {
                touches.pop_front();
            }
            all.extend(touches.iter());
        }
        all.sort();
    }

    /// Leaves those of the best kind that there is.
    pub(crate) fn retain_best(&self, touches: &mut Vec<Touch>) {
        let rank = |touch: &Touch| self.rank[touch.kind as usize];
        if let Some(best) = touches.iter().map(rank).min() {
            touches.retain(|touch| rank(touch) == best);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::credit::KindLookback;
    use crate::measure::instant::DAY;
    use proptest::prelude::*;

    fn exposure(time: i64, kind: Kind, campaign: u32) -> Exposure {
        let place = Place { campaign, placement: 0, creative: 0 };
        Exposure { key: 1, time, place, kind, viewable: true, cost: 0 }
    }

    fn touch(exposure: &Exposure) -> Touch {
        Touch { time: exposure.time, kind: exposure.kind, place: exposure.place }
    }

    #[test]
    fn a_kind_is_kept_for_its_lookback() {
        let click = KindLookback { kind: Kind::Click, days: 3 };
        let view = KindLookback { kind: Kind::View, days: 1 };
        let rules = CreditRules { lookbacks: vec![click, view], priority: vec![Kind::Click], ..CreditRules::default() };
        let mut touches = Touches::new(&rules, 7);
        let (view, engaged, click) =
            (exposure(0, Kind::View, 0), exposure(0, Kind::EngagedView, 0), exposure(1, Kind::Click, 0));
        [view, engaged, click].iter().for_each(|exposure| touches.add(exposure));
        let mut all = Vec::new();
        for (time, expected, best) in [
            (DAY, vec![view, engaged, click], vec![click]),
            (DAY + 1, vec![engaged, click], vec![click]),
            (3 * DAY + 1, vec![engaged, click], vec![click]),
            (3 * DAY + 2, vec![engaged], vec![engaged]),
            (7 * DAY + 1, vec![], vec![]),
        ] {
            touches.before(time, &mut all);
            assert_eq!(all, expected.iter().map(touch).collect::<Vec<_>>(), "{time}");
            touches.retain_best(&mut all);
            assert_eq!(all, best.iter().map(touch).collect::<Vec<_>>(), "{time}");
        }
    }

    proptest! {
        #[test]
        fn the_last_of_each_kind_are_kept(
            mut exposures in prop::collection::vec((0_i64..40, 0_usize..3, 0_u32..4), 0..1_500),
            lookback in 1_u32..3,
        ) {
            exposures.sort_by_key(|(time, ..)| *time);
            let exposures: Vec<Exposure> = exposures
                .iter()
                .map(|(time, kind, campaign)| exposure(time * DAY / 10, Kind::ALL[*kind], *campaign))
                .collect();
            let mut touches = Touches::new(&CreditRules::default(), lookback);
            exposures.iter().for_each(|exposure| touches.add(exposure));
            let now = 4 * DAY;
            let mut expected: Vec<Touch> = Vec::new();
            for kind in Kind::ALL {
                let within = |exposure: &&Exposure| {
                    exposure.kind == kind && now - exposure.time <= i64::from(lookback) * DAY
                };
                let mut own: Vec<Touch> = exposures.iter().filter(within).map(touch).collect();
                own.sort();
                expected.extend(&own[own.len().saturating_sub(MOST_TOUCHES)..]);
            }
            expected.sort();
            let mut all = Vec::new();
            touches.before(now, &mut all);
            prop_assert_eq!(all, expected);
        }
    }
}
