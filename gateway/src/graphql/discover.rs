//! Discover: what two accounts have in common.

use crate::{
    discover::{DiscoverError, Discovery},
    graphql::{
        access::gateway,
        cost::{cost, list_size, sized, slicing_by},
        fault::{fault, refused},
        id::{local_as, locals},
        match_key::{MatchKey, MatchKeyInput, keys},
        page::{self, page},
        partner_audience::PartnerAudience,
        scalar::SafeInt,
        settings::Counts,
    },
    identities::IdentitiesError,
};
use async_graphql::{Context, Enum, ID, Object, OneofObject, Result, SimpleObject, Union};
use entente_domain::{
    AccountId, AudienceId, Code, MatchKey as Key, Refusal,
    activation::require_use_case,
    connection::{Connection, State},
    discover::{self, Answer, Choice, Rated, Unavailable as DomainUnavailable},
    project::Project,
    release::{self, IndexBand as DomainIndexBand, Overlap as DomainOverlap, Rules},
    settings::{Settings, UseCase},
};
use std::sync::Arc;

/// Audiences that are compared at once.
const MOST_AUDIENCES: usize = 100;
/// What one comparison costs, for the complexity of a query.
pub const COMPARISON: usize = 2_000;

/// Why there is nothing to read.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "DomainUnavailable")]
pub enum UnavailableReason {
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

/// Bands of the audience index.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "DomainIndexBand")]
pub enum IndexBand {
    /// Below 60.
    VeryLow,
    /// 60 to 80.
    Low,
    /// To 120.
    Medium,
    /// To 140.
    High,
    /// Above 140.
    VeryHigh,
}

/// One match key's part of an overlap.
#[derive(Clone, SimpleObject)]
pub struct KeyOverlap {
    /// The match key.
    match_key: MatchKey,
    /// Distinct identities of my selection.
    mine: SafeInt,
    /// What both have; null when it is below the threshold.
    identities: Option<SafeInt>,
    /// The estimate's standard error; null when it is below the threshold.
    standard_error: Option<f64>,
    /// This key's part of all identities that are released, 0 to 1; null when it is below the threshold.
    share: Option<f64>,
}

/// What two selections have in common. Identities are distinct per match key, and summed over the keys that are
/// released.
#[derive(Clone, SimpleObject)]
pub struct Overlap {
    /// Identities of my selection.
    mine: SafeInt,
    /// Identities of their selection, to three significant digits; null when the other account does not show it.
    theirs: Option<SafeInt>,
    /// Identities that both have.
    identities: SafeInt,
    /// The standard error of `identities`; 0 when counts are exact.
    standard_error: f64,
    /// `identities` in percent of `mine`.
    percentage: f64,
    /// Each match key that was compared.
    keys: Vec<KeyOverlap>,
    /// PROTECTED: estimated from the randomised response view. EXACT: both sides agreed on exact counts.
    counts: Counts,
}

impl Overlap {
    fn of(overlap: DomainOverlap, rules: Rules) -> Self {
        let key = |k: release::KeyOverlap| KeyOverlap {
            match_key: k.key.into(),
            mine: SafeInt(k.mine),
            identities: k.figure.map(|f| SafeInt(f.value)),
            standard_error: k.figure.map(|f| f.standard_error),
            share: k.share,
        };
        Self {
            mine: SafeInt(overlap.mine),
            theirs: overlap.theirs.map(SafeInt),
            identities: SafeInt(overlap.identities.value),
            standard_error: overlap.identities.standard_error,
            percentage: overlap.percentage,
            keys: overlap.keys.into_iter().map(key).collect(),
            counts: rules.counts.into(),
        }
    }
}

/// Too few people: fewer than the threshold, or less than three standard errors.
#[derive(Clone, SimpleObject)]
pub struct BelowThreshold {
    /// The least number that this gateway shows.
    threshold: SafeInt,
}

/// There is nothing to read.
#[derive(Clone, SimpleObject)]
pub struct Unavailable {
    /// Why.
    reason: UnavailableReason,
}

/// What a comparison answers.
#[derive(Clone, Union)]
pub enum OverlapAnswer {
    /// What they have in common.
    Overlap(Overlap),
    /// Too few people.
    BelowThreshold(BelowThreshold),
    /// Nothing to read.
    Unavailable(Unavailable),
}

impl OverlapAnswer {
    /// An answer under rules.
    pub fn of(answer: Answer, rules: Rules) -> Self {
        match answer {
            Answer::Overlap(overlap) => Self::Overlap(Overlap::of(overlap, rules)),
            Answer::BelowThreshold => Self::BelowThreshold(BelowThreshold { threshold: SafeInt(rules.minimum) }),
            Answer::Unavailable(reason) => Self::Unavailable(Unavailable { reason: reason.into() }),
        }
    }
}

/// An audience of the other account against a selection of mine.
#[derive(Clone, SimpleObject)]
pub struct AudienceOverlap {
    /// The audience.
    audience: PartnerAudience,
    /// What they have in common.
    answer: OverlapAnswer,
    /// How much likelier people of my selection are in this audience than their people on the whole, times 100; null
    /// when its account does not show it or has fewer than three active audiences, or below the threshold.
    index: Option<f64>,
    /// The band of the index; null when there is no index.
    index_band: Option<IndexBand>,
}

impl AudienceOverlap {
    fn of(rated: Rated, rules: Rules) -> Self {
        Self {
            audience: PartnerAudience(rated.audience.into()),
            answer: OverlapAnswer::of(rated.answer, rules),
            index: rated.index,
            index_band: rated.index.map(|i| release::band(i).into()),
        }
    }
}

page!(AudienceOverlapPage, AudienceOverlapEdge, AudienceOverlap, "audiences of the other account");

/// One of the audiences most worth reaching.
#[derive(Clone, SimpleObject)]
pub struct RankedAudience {
    /// 1 is the best.
    rank: i32,
    /// The audience, against all of mine.
    #[graphql(flatten)]
    overlap: AudienceOverlap,
}

/// Which audiences are compared.
#[derive(Clone, Debug, OneofObject)]
pub enum SelectionInput {
    /// `true`: all active audiences of the account.
    All(bool),
    /// These, at most 100: ids of `Audience` for mine, of `PartnerAudience` for theirs.
    AudienceIds(Vec<ID>),
}

/// My selection; all when nothing is said.
fn mine(input: Option<SelectionInput>) -> Result<Choice, Refusal> {
    choice(input, "mine", |ids| locals::<AudienceId>(ids, "mine.audienceIds"))
}

/// Their selection; all when nothing is said.
fn theirs(input: Option<SelectionInput>) -> Result<Choice, Refusal> {
    choice(input, "theirs", |ids| partner_audiences(ids, "theirs.audienceIds"))
}

/// Ids of partners' audiences.
pub fn partner_audiences(ids: &[ID], field: &str) -> Result<Vec<AudienceId>, Refusal> {
    ids.iter().map(|id| local_as::<AudienceId>(id, "PartnerAudience", "audience", field)).collect()
}

fn choice(
    input: Option<SelectionInput>,
    field: &str,
    ids_of: impl FnOnce(&[ID]) -> Result<Vec<AudienceId>, Refusal>,
) -> Result<Choice, Refusal> {
    match input {
        None | Some(SelectionInput::All(true)) => Ok(Choice::All),
        Some(SelectionInput::All(false)) => {
            Err(Refusal::invalid(field, "Either `all: true` or the audiences by their ids."))
        }
        Some(SelectionInput::AudienceIds(ids)) if ids.is_empty() || ids.len() > MOST_AUDIENCES => {
            Err(Refusal::invalid(field, format!("Between 1 and {MOST_AUDIENCES} audiences.")))
        }
        Some(SelectionInput::AudienceIds(ids)) => ids_of(&ids).map(Choice::Audiences),
    }
}

/// What a project lets the viewing account find out.
pub struct Discover(Arc<Discovery>);

/// What a project lets the viewing account find out.
#[Object]
impl Discover {
    /// What a selection of mine and one of theirs have in common.
    #[graphql(complexity = "COMPARISON + child_complexity", directive = cost::apply(COMPARISON.to_string()))]
    async fn compare(
        &self,
        #[graphql(desc = "Audiences of the viewing account; all when left out.")] mine: Option<SelectionInput>,
        #[graphql(desc = "Audiences of the other account; all when left out.")] theirs: Option<SelectionInput>,
    ) -> Result<OverlapAnswer> {
        let mine = self::mine(mine).map_err(refused)?;
        let theirs = self::theirs(theirs).map_err(refused)?;
        let answer = self.0.compare(&mine, &theirs).await.map_err(unanswered)?.map_err(refused)?;
        Ok(OverlapAnswer::of(answer, self.0.rules()))
    }

    /// The five of their audiences most worth reaching, best first: against all of mine, by index where any shows one,
    /// otherwise by overlap. Fewer when fewer can be ranked.
    #[graphql(
        complexity = "COMPARISON + 5 * child_complexity",
        directive = cost::apply(COMPARISON.to_string()),
        directive = list_size::apply(5, None, None, false)
    )]
    async fn relevant_audiences(&self) -> Result<Vec<RankedAudience>> {
        let visible = self.0.visible(None);
        let rated = self.0.rate(&Choice::All, visible).await.map_err(unanswered)?.map_err(refused)?;
        let rules = self.0.rules();
        let ranked = (1..).zip(discover::relevant(rated));
        Ok(ranked.map(|(rank, r)| RankedAudience { rank, overlap: AudienceOverlap::of(r, rules) }).collect())
    }

    /// Each of their audiences against a selection of mine, newest first.
    #[graphql(
        complexity = "COMPARISON + page::cost(first, last, child_complexity)",
        directive = cost::apply(COMPARISON.to_string()),
        directive = list_size::apply(page::USUAL, slicing_by(&["first", "last"]), sized(), false)
    )]
    #[expect(clippy::too_many_arguments, reason = "they are the field's arguments")]
    async fn overlaps(
        &self,
        #[graphql(desc = "Audiences of the viewing account; all when left out.")] mine: Option<SelectionInput>,
        #[graphql(desc = "Only audiences of this category.")] category: Option<String>,
        #[graphql(desc = "Items from the start of the list; at most 100.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Items from the end of the list; at most 100.")] last: Option<i32>,
        #[graphql(desc = "Only items before this cursor.")] before: Option<String>,
    ) -> Result<AudienceOverlapPage> {
        let mine = self::mine(mine).map_err(refused)?;
        let request = page::arguments(first, after, last, before).map_err(refused)?;
        let listed = page::part_of(self.0.visible(category.as_deref()), |a| a.id.to_string(), &request);
        let (cursors, audiences): (Vec<_>, Vec<_>) = listed.items.into_iter().unzip();
        let rated = self.0.rate(&mine, audiences).await.map_err(unanswered)?.map_err(refused)?;
        let rules = self.0.rules();
        let page = entente_store::Page {
            items: cursors.into_iter().zip(rated).collect(),
            has_next: listed.has_next,
            has_previous: listed.has_previous,
            total: listed.total,
        };
        Ok(AudienceOverlapPage::of(page, |r| AudienceOverlap::of(r, rules)))
    }
}

/// Opens Discover of a project for one of its sides, by all match keys or by some. The connection is that of the project,
/// none where the account is not one of its sides.
pub async fn open(
    ctx: &Context<'_>,
    account: AccountId,
    project: &Project,
    connection: Option<Connection>,
    match_keys: Option<Vec<MatchKeyInput>>,
) -> Result<Discover> {
    let Some(connection) = connection else { return Err(refused(Refusal::not_found("project"))) };
    let settings = usable(project, &connection).map_err(refused)?;
    let keys = chosen_keys(settings, match_keys).map_err(refused)?;
    let discovery = Discovery::open(gateway(ctx), &connection, settings, account, keys).await.map_err(fault)?;
    Ok(Discover(Arc::new(discovery)))
}

/// Why a question has no answer: the account asks faster than is answered, or something went wrong.
pub fn unanswered(error: DiscoverError) -> async_graphql::Error {
    match error {
        DiscoverError::Identities(IdentitiesError::Busy(_)) => {
            let message = "Too many questions of this account are waiting for their answers. Ask again in a moment.";
            refused(Refusal::new(Code::RateLimited, message))
        }
        error => fault(error),
    }
}

fn usable<'a>(project: &Project, connection: &'a Connection) -> Result<&'a Settings, Refusal> {
    require_use_case(project, UseCase::Discover)?;
    match (&connection.settings, connection.state) {
        (Some(settings), State::Active) => Ok(settings),
        _ => Err(Refusal::new(Code::WrongState, "The connection is not active.")),
    }
}

/// The settings' match keys, those that are not switched off.
fn chosen_keys(settings: &Settings, chosen: Option<Vec<MatchKeyInput>>) -> Result<Vec<Key>, Refusal> {
    let Some(chosen) = chosen else { return Ok(settings.match_keys.clone()) };
    let mut chosen = keys(&chosen, "matchKeys")?;
    chosen.sort_unstable();
    chosen.dedup();
    if chosen.is_empty() {
        return Err(Refusal::invalid("matchKeys", "At least one match key."));
    }
    match chosen.iter().find(|k| !settings.match_keys.contains(k)) {
        Some(other) => {
            let message = format!("{} is not agreed on in this connection's settings.", other.name());
            Err(Refusal::new(Code::MatchKeyUnavailable, message).at("matchKeys"))
        }
        None => Ok(chosen),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_is_said_or_audiences_are_named() {
        assert_eq!(mine(None), Ok(Choice::All));
        assert_eq!(mine(Some(SelectionInput::All(true))), Ok(Choice::All));
        assert!(mine(Some(SelectionInput::All(false))).is_err());
        assert!(mine(Some(SelectionInput::AudienceIds(vec![]))).is_err());
        let id = AudienceId::new();
        let own = vec![super::super::id::global(id)];
        assert_eq!(mine(Some(SelectionInput::AudienceIds(own.clone()))), Ok(Choice::Audiences(vec![id])));
        assert!(theirs(Some(SelectionInput::AudienceIds(own))).is_err(), "an own audience is not a partner's");
    }
}
