//! Discover: what is compared, how the answer reads, and which audiences are worth reaching.

use crate::{
    AudienceId, ConnectionId, Timestamp,
    audience::{Audience, AudienceStatus},
    release::{self, KeyCount, Overlap, Rules},
};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// Active audiences that an account needs before an audience index of it is shown.
pub const AUDIENCES_FOR_AN_INDEX: usize = 3;
/// Relevant audiences that are named.
pub const RELEVANT: usize = 5;

/// Why there is nothing to read. It follows from what is shown anyway, and from nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Unavailable {
    /// An audience of the viewing account was not refreshed for 7 days.
    OwnAudienceExpired,
    /// An audience of the other account was not refreshed for 7 days.
    TheirAudienceExpired,
    /// The viewing account has no active audience, or the one asked for has no identities yet.
    NoOwnAudience,
    /// The other account has no active audience.
    NoTheirAudience,
    /// There is no match key by which both accounts have enough identities to show.
    NoCommonKey,
    /// The other account does not show the overlap of this audience.
    NotShown,
    /// What was sent can no longer be activated.
    AccessEnded,
}

/// What a comparison answers: never a null that may mean either.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Answer {
    /// What they have in common.
    Overlap(Overlap),
    /// Too few people.
    BelowThreshold,
    /// Nothing to read, and why.
    Unavailable(Unavailable),
}

/// Audiences of one account that are compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// All active ones.
    All,
    /// These.
    Audiences(Vec<AudienceId>),
}

/// Why audiences cannot be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotPicked {
    /// One of them is not in the list.
    Unknown,
    /// One of them, or all that there are, is expired.
    Expired,
    /// One of them has no identities yet, or there are none.
    Empty,
}

/// The active audiences that are chosen from a list, each once.
pub fn pick<'a>(choice: &Choice, list: &[&'a Audience], now: Timestamp) -> Result<Vec<&'a Audience>, NotPicked> {
    let Choice::Audiences(ids) = choice else { return all_active(list, now) };
    let mut picked: Vec<&Audience> = Vec::with_capacity(ids.len());
    for id in ids {
        let audience = *list.iter().find(|a| a.id == *id).ok_or(NotPicked::Unknown)?;
        if picked.iter().all(|p| p.id != audience.id) {
            picked.push(audience);
        }
    }
    let statuses = || picked.iter().map(|a| a.status(now));
    if statuses().any(|s| s == AudienceStatus::Expired) {
        return Err(NotPicked::Expired);
    }
    if picked.is_empty() || statuses().any(|s| s != AudienceStatus::Active) {
        return Err(NotPicked::Empty);
    }
    Ok(picked)
}

fn all_active<'a>(list: &[&'a Audience], now: Timestamp) -> Result<Vec<&'a Audience>, NotPicked> {
    let active: Vec<_> = list.iter().copied().filter(|a| a.is_active(now)).collect();
    match active.is_empty() {
        false => Ok(active),
        true if list.iter().any(|a| a.status(now) == AudienceStatus::Expired) => Err(NotPicked::Expired),
        true => Err(NotPicked::Empty),
    }
}

/// Whether the other side of a connection may see an audience by name: it is granted and was sourced once.
pub fn is_visible(audience: &Audience, connection: ConnectionId, now: Timestamp) -> bool {
    audience.access.grants(connection)
        && matches!(audience.status(now), AudienceStatus::Active | AudienceStatus::Expired)
}

/// What the other account shows of the audiences that are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Their identity count.
    pub size: bool,
    /// Their overlap. Without the percentage there is no overlap either: the one follows from the other.
    pub overlap: bool,
}

impl Shown {
    /// What is shown of all audiences together.
    pub const ALL: Self = Self { size: true, overlap: true };

    /// What is shown of some audiences together: what each of them shows.
    pub fn of(audiences: &[&Audience]) -> Self {
        Self {
            size: audiences.iter().all(|a| a.visibility.identity_count),
            overlap: audiences.iter().all(|a| a.visibility.overlap_percentage),
        }
    }
}

/// How a comparison reads.
pub fn answer(keys: &[KeyCount], shown: Shown, rules: Rules) -> Answer {
    if !shown.overlap {
        return Answer::Unavailable(Unavailable::NotShown);
    }
    match release::overlap(keys, rules) {
        Some(overlap) => Answer::Overlap(Overlap { theirs: overlap.theirs.filter(|_| shown.size), ..overlap }),
        None => Answer::BelowThreshold,
    }
}

/// The index of an audience, where its account shows one and has audiences enough.
pub fn index(
    audience: &Audience,
    active: usize,
    with_audience: &[KeyCount],
    with_all: &[KeyCount],
    rules: Rules,
) -> Option<f64> {
    let shown = audience.visibility.audience_index && active >= AUDIENCES_FOR_AN_INDEX;
    if shown { release::audience_index(with_audience, with_all, rules) } else { None }
}

/// One audience of the other account against a selection of mine.
#[derive(Clone, Debug, PartialEq)]
pub struct Rated {
    /// The audience.
    pub audience: Audience,
    /// What they have in common.
    pub answer: Answer,
    /// Its index; `None` where it is not shown.
    pub index: Option<f64>,
}

impl Rated {
    fn percentage(&self) -> Option<f64> {
        match &self.answer {
            Answer::Overlap(overlap) => Some(overlap.percentage),
            _ => None,
        }
    }
}

/// The five best, best first: by index where any has one, otherwise by overlap.
pub fn relevant(rated: Vec<Rated>) -> Vec<Rated> {
    let by_index = rated.iter().any(|r| r.index.is_some());
    let score = |r: &Rated| if by_index { r.index } else { r.percentage() };
    let mut scored: Vec<(f64, Rated)> = rated.into_iter().filter_map(|r| Some((score(&r)?, r))).collect();
    scored.sort_by(|(a, left), (b, right)| {
        let by_score = b.partial_cmp(a).unwrap_or(Ordering::Equal);
        by_score.then_with(|| left.audience.id.cmp(&right.audience.id))
    });
    scored.into_iter().map(|(_, r)| r).take(RELEVANT).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::{
        AccountId, DataConnectionId, MatchKey, MatchKeyKind,
        audience::{ConnectionAccess, MetadataVisibility},
        release::Counted,
        settings::Counts,
        slot::Slot,
    };
    use chrono::TimeDelta;
    use std::collections::BTreeMap;

    const RULES: Rules = Rules { minimum: 1_000, counts: Counts::Exact };

    fn now() -> Timestamp {
        "2026-11-23T12:00:00Z".parse().unwrap()
    }

    fn audience(refreshed_days_ago: Option<i64>) -> Audience {
        Audience {
            id: AudienceId::new(),
            account: AccountId::new(),
            data_connection: DataConnectionId::new(),
            slot: Slot(1),
            name: "Runners".to_owned(),
            description: String::new(),
            categories: vec![],
            access: ConnectionAccess::Public,
            visibility: MetadataVisibility::default(),
            failed: false,
            identities: BTreeMap::new(),
            refreshed_at: refreshed_days_ago.map(|days| now() - TimeDelta::days(days)),
            version: 1,
            created_at: now(),
            updated_at: now(),
            updated_by: "gateway".to_owned(),
        }
    }

    fn key(mine: u64, theirs: u64, estimate: f64) -> KeyCount {
        let counted = Counted { estimate, variance: 0.0 };
        KeyCount { key: MatchKey::of(MatchKeyKind::HashedEmail), mine, theirs, counted }
    }

    fn rated(index: Option<f64>, overlap: f64) -> Rated {
        let answer = answer(&[key(100_000, 100_000, overlap)], Shown::ALL, RULES);
        Rated { audience: audience(Some(1)), answer, index }
    }

    #[test]
    fn only_active_audiences_are_compared() {
        let (active, expired, pending) = (audience(Some(6)), audience(Some(7)), audience(None));
        let list = [active.clone(), expired.clone(), pending.clone()];
        let ids = |audiences: &[&Audience]| Choice::Audiences(audiences.iter().map(|a| a.id).collect());
        let picked = |choice: &Choice, list: &[Audience]| {
            pick(choice, &list.iter().collect::<Vec<_>>(), now())
                .map(|p| p.into_iter().map(|a| a.id).collect::<Vec<_>>())
        };
        assert_eq!(picked(&Choice::All, &list), Ok(vec![active.id]));
        assert_eq!(picked(&ids(&[&active, &active]), &list), Ok(vec![active.id]));
        for (choice, list, expected) in [
            (ids(&[&active, &expired]), &list[..], NotPicked::Expired),
            (ids(&[&pending]), &list[..], NotPicked::Empty),
            (ids(&[]), &list[..], NotPicked::Empty),
            (ids(&[&audience(Some(1))]), &list[..], NotPicked::Unknown),
            (Choice::All, &list[1..], NotPicked::Expired),
            (Choice::All, &list[2..], NotPicked::Empty),
            (Choice::All, &[], NotPicked::Empty),
        ] {
            assert_eq!(picked(&choice, list), Err(expected), "{choice:?}");
        }
    }

    #[test]
    fn what_is_not_shown_is_not_read() {
        let keys = [key(100_000, 100_000, 5_000.0)];
        let Answer::Overlap(overlap) = answer(&keys, Shown::ALL, RULES) else { unreachable!("it is released") };
        assert_eq!((overlap.theirs, overlap.identities.value), (Some(100_000), 5_000));
        let Answer::Overlap(overlap) = answer(&keys, Shown { size: false, overlap: true }, RULES) else {
            unreachable!("it is released")
        };
        assert_eq!(overlap.theirs, None);
        let hidden = answer(&keys, Shown { size: true, overlap: false }, RULES);
        assert_eq!(hidden, Answer::Unavailable(Unavailable::NotShown));
        assert_eq!(answer(&[key(100_000, 100_000, 999.0)], Shown::ALL, RULES), Answer::BelowThreshold);
    }

    #[test]
    fn an_index_needs_three_audiences_and_consent() {
        let (with_audience, with_all) = ([key(100_000, 20_000, 6_000.0)], [key(100_000, 100_000, 20_000.0)]);
        let mut shown = audience(Some(1));
        assert_eq!(index(&shown, 3, &with_audience, &with_all, RULES), Some(150.0));
        assert_eq!(index(&shown, 2, &with_audience, &with_all, RULES), None);
        shown.visibility.audience_index = false;
        assert_eq!(index(&shown, 3, &with_audience, &with_all, RULES), None);
    }

    #[test]
    fn the_five_best_are_relevant() {
        let by_overlap: Vec<_> = (1..=7).map(|n| rated(None, f64::from(n) * 1_000.0)).collect();
        let percentages: Vec<_> = relevant(by_overlap.clone()).iter().map(|r| r.percentage().unwrap()).collect();
        assert_eq!(percentages, [7.0, 6.0, 5.0, 4.0, 3.0]);

        let mut mixed = by_overlap;
        mixed[0].index = Some(120.0);
        mixed[3].index = Some(90.0);
        let indexes: Vec<_> = relevant(mixed).iter().map(|r| r.index.unwrap()).collect();
        assert_eq!(indexes, [120.0, 90.0], "overlaps are not weighed against indexes");
        assert!(relevant(vec![rated(None, 10.0)]).is_empty());
    }
}
