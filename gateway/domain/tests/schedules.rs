//! Schedules of data connections: when they run next, whatever was missed.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use chrono::{NaiveDate, TimeDelta};
use entente_domain::{DataConnectionId, Timestamp, schedule::Schedule};
use proptest::prelude::*;
use uuid::Uuid;

fn day(text: &str) -> NaiveDate {
    format!("2026-{text}").parse().unwrap()
}

fn at(text: &str) -> Timestamp {
    format!("2026-{text}:00Z").parse().unwrap()
}

fn every(every_days: u8, from: &str, until: &str) -> Schedule {
    Schedule::Recurring { every_days, from: day(from), until: day(until) }
}

/// What has its runs begin so many seconds after midnight.
fn beginning_at(seconds: u64) -> Uuid {
    Uuid::from_u64_pair(7, seconds)
}

#[test]
fn schedules_are_checked() {
    let today = day("03-10");
    for (schedule, field) in [
        (Schedule::Once, None),
        (every(1, "03-10", "03-10"), None),
        (every(6, "03-01", "03-31"), None),
        (every(2, "04-01", "12-31"), None),
        (every(0, "03-10", "03-31"), Some("everyDays")),
        (every(7, "03-10", "03-31"), Some("everyDays")),
        (every(1, "03-12", "03-11"), Some("until")),
        (every(1, "03-01", "03-09"), Some("until")),
        (Schedule::Recurring { every_days: 1, from: today, until: NaiveDate::MAX }, Some("until")),
    ] {
        let refused = schedule.checked(today).err();
        assert_eq!(refused.as_ref().and_then(|r| r.field.last().map(String::as_str)), field, "{schedule:?}");
    }
}

#[test]
fn a_data_connection_is_read_at_once_from_its_first_day_on() {
    for (schedule, begins) in
        [(Schedule::Once, true), (every(1, "03-10", "03-31"), true), (every(1, "03-11", "03-31"), false)]
    {
        assert_eq!(schedule.begins(day("03-10")), begins, "{schedule:?}");
    }
}

#[test]
fn the_next_run_is_the_one_that_is_due_or_the_one_to_come() {
    // At half past midnight.
    let whose = beginning_at(1_800);
    let third_day = every(3, "03-10", "03-20");
    for (schedule, last, now, next) in [
        (Schedule::Once, None, "03-10T00:00", None),
        // Before the first day, at its first minute, when its time has come.
        (third_day, None, "03-01T12:00", Some("03-10T00:30")),
        (third_day, None, "03-10T00:29", Some("03-10T00:30")),
        (third_day, None, "03-10T00:30", Some("03-10T00:30")),
        // It ran.
        (third_day, Some("03-10T00:30"), "03-10T00:30", Some("03-13T00:30")),
        (third_day, Some("03-10T00:31"), "03-12T23:59", Some("03-13T00:30")),
        // Somebody asked for it on a day between.
        (third_day, Some("03-12T08:00"), "03-12T08:00", Some("03-13T00:30")),
        // Or early on the same day.
        (third_day, Some("03-13T00:10"), "03-13T00:20", Some("03-16T00:30")),
        // One was missed, or three.
        (third_day, Some("03-10T00:30"), "03-14T09:00", Some("03-13T00:30")),
        (third_day, Some("03-10T00:30"), "03-20T09:00", Some("03-19T00:30")),
        (third_day, Some("03-20T09:00"), "03-20T09:00", None),
        // Somebody asked for it since.
        (third_day, Some("03-14T08:00"), "03-14T09:00", Some("03-16T00:30")),
        // The last day is included, and then it is over, missed or not.
        (every(1, "03-10", "03-11"), Some("03-10T00:30"), "03-10T12:00", Some("03-11T00:30")),
        (every(1, "03-10", "03-11"), Some("03-10T00:30"), "03-11T23:59", Some("03-11T00:30")),
        (every(1, "03-10", "03-11"), Some("03-10T00:30"), "03-12T00:00", None),
        // A clock that goes wrong makes no run come twice.
        (every(1, "03-10", "03-20"), Some("03-12T00:30"), "03-10T12:00", Some("03-13T00:30")),
    ] {
        let found = schedule.next_run(whose, last.map(at), at(now));
        assert_eq!(found, next.map(at), "{schedule:?}, last {last:?}, at {now}");
    }
}

#[test]
fn runs_of_a_day_are_spread() {
    let time = |id| every(1, "03-10", "03-20").next_run(id, None, at("03-01T00:00")).unwrap() - at("03-10T00:00");
    let times: Vec<_> = (0..1_000).map(|_| time(DataConnectionId::new().0).num_minutes()).collect();
    assert!(times.iter().all(|minutes| (0..240).contains(minutes)));
    for hour in 0..4 {
        let within = times.iter().filter(|minutes| **minutes / 60 == hour).count();
        assert!((150..350).contains(&within), "{within} in hour {hour}");
    }
}

prop_compose! {
    fn a_schedule()(every_days in 1u8..=6, first in 0i64..20, length in 0i64..40) -> Schedule {
        let from = day("03-01") + TimeDelta::days(first);
        Schedule::Recurring { every_days, from, until: from + TimeDelta::days(length) }
    }
}

proptest! {
    /// A gateway that looks now and then, and is away for days.
    #[test]
    fn every_run_that_was_due_is_made_once_or_made_up_for(
        schedule in a_schedule(),
        seconds: u64,
        looks in prop::collection::vec(1i64..6_000, 1..200),
    ) {
        let Schedule::Recurring { every_days, from, until } = schedule else { unreachable!() };
        let whose = beginning_at(seconds);
        let (mut now, mut last) = (at("02-25T00:00"), None::<Timestamp>);
        let mut runs: Vec<(Timestamp, Timestamp)> = vec![];
        for minutes in looks {
            now += TimeDelta::minutes(minutes);
            let next = schedule.next_run(whose, last, now);
            if let Some(planned) = next.filter(|next| *next <= now) {
                runs.push((planned, now));
                last = Some(now);
                let after = schedule.next_run(whose, last, now);
                prop_assert!(after.is_none_or(|after| after > now), "it ran just now");
            }
            // What is to come is on a day of the schedule, and no later than an interval from now or the first day.
            if let Some(next) = schedule.next_run(whose, last, now) {
                let number = (next.date_naive() - from).num_days();
                prop_assert!(number >= 0 && number % i64::from(every_days) == 0 && next.date_naive() <= until);
                let begun = now.max(from.and_time(chrono::NaiveTime::MIN).and_utc());
                prop_assert!(next - begun <= TimeDelta::days(every_days.into()) + TimeDelta::hours(4));
            }
        }
        for (planned, made) in &runs {
            prop_assert!((from..=until).contains(&made.date_naive()));
            prop_assert!(*made - *planned < TimeDelta::days(every_days.into()), "the latest of those that were missed");
        }
        for pair in runs.windows(2) {
            prop_assert!(pair[0].0 < pair[1].0, "one run for each time");
            prop_assert!(pair[0].1 < pair[1].0, "a run that was made up for is not made again");
        }
    }

    /// Where nothing is missed, there is a run for each of its days.
    #[test]
    fn a_gateway_that_always_looks_makes_all_runs(schedule in a_schedule(), seconds: u64) {
        let Schedule::Recurring { every_days, from, until } = schedule else { unreachable!() };
        let whose = beginning_at(seconds);
        let (mut last, mut days) = (None, vec![]);
        while let Some(next) = schedule.next_run(whose, last, last.unwrap_or(at("02-25T00:00"))) {
            days.push(next.date_naive());
            last = Some(next);
        }
        let expected: Vec<_> = from.iter_days().take_while(|day| *day <= until).step_by(every_days.into()).collect();
        prop_assert_eq!(days, expected);
    }

    /// Nothing that is stored makes it panic.
    #[test]
    fn any_schedule_can_be_asked(every_days: u8, from: i32, until: i32, last: Option<i32>, now: i32) {
        let date = |days: i32| NaiveDate::from_num_days_from_ce_opt(days % 90_000_000).unwrap_or(NaiveDate::MAX);
        let time = |hours: i32| Timestamp::UNIX_EPOCH + TimeDelta::hours(hours.into());
        let schedule = Schedule::Recurring { every_days, from: date(from), until: date(until) };
        schedule.next_run(DataConnectionId::new().0, last.map(time), time(now));
        let _ = schedule.checked(time(now).date_naive());
    }
}
