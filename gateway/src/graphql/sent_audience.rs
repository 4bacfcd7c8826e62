//! Audiences sent to the other side of a connection: access, not data.

use crate::{
    discover::Discovery,
    graphql::{
        access::{authorise, change, connection_of, creation, gateway, loaders, may_read, now, project_of},
        collaborator::{Collaborator, collaborator},
        connection::Connection,
        cost::{cost, list_size},
        discover::{COMPARISON, OverlapAnswer, partner_audiences, unanswered},
        fault::{allow, fault, payload},
        id::{global, local},
        lift::Holdout,
        loaders::load,
        match_key::{MatchKey, MatchKeyInput, keys},
        page::page,
        partner_audience::PartnerAudience,
        project::Project,
        scalar::{Date, SafeInt},
    },
    readiness::present,
    work::record_holdout,
};
use async_graphql::{Context, ID, InputObject, Object, OneofObject, Result, SimpleObject};
use chrono::{DateTime, Utc};
use entente_domain::{
    AccountId, AudienceId, Code, MatchKey as Key, ProjectId, Refusal, SentAudienceId, Timestamp,
    access::Act,
    activation::{self, NewSend, Recurrence, SentAudience as Row},
    connection::State,
    credit,
    discover::{self, Answer, Choice, Unavailable},
    event::{AccountEventKind, Subject},
    project::{self, Missing},
    release::Rules,
    sending,
    settings::UseCase,
};
use entente_store::{LoadedSend, Outcome, Owned};

/// When the receiver may activate.
#[derive(Clone, SimpleObject)]
pub struct Schedule {
    /// Whether what was added and removed is delivered at each refresh.
    recurring: bool,
    /// The first UTC day; null when it is sent once.
    from: Option<Date>,
    /// The last UTC day; null when it is sent once.
    until: Option<Date>,
}

impl From<Recurrence> for Schedule {
    fn from(recurrence: Recurrence) -> Self {
        match recurrence {
            Recurrence::Once => Self { recurring: false, from: None, until: None },
            Recurrence::Recurring { from, until } => {
                Self { recurring: true, from: Some(Date(from)), until: Some(Date(until)) }
            }
        }
    }
}

/// An audience that one side of a connection sent to the other: access, not data. Both sides see it.
#[derive(Clone)]
pub struct SentAudience(pub Row);

page!(SentAudiencePage, SentAudienceEdge, SentAudience, "sent audiences");

/// An audience that one side of a connection sent to the other: access, not data. Both sides see it.
#[Object]
impl SentAudience {
    /// Opaque.
    pub async fn id(&self) -> ID {
        global(self.0.id)
    }

    /// The connection.
    async fn connection(&self, ctx: &Context<'_>) -> Result<Connection> {
        let connection = load(&loaders(ctx).connections, self.0.connection).await?;
        connection.map(Connection).ok_or_else(|| fault("a sent audience without its connection"))
    }

    /// The project that it was sent in; null when that was deleted.
    async fn project(&self, ctx: &Context<'_>) -> Result<Option<Project>> {
        Ok(load(&loaders(ctx).projects, self.0.project).await?.map(Project::from))
    }

    /// Who sent it.
    async fn sender(&self, ctx: &Context<'_>) -> Result<Collaborator> {
        collaborator(ctx, self.0.sender).await
    }

    /// Who may activate it.
    async fn receiver(&self, ctx: &Context<'_>) -> Result<Collaborator> {
        collaborator(ctx, self.0.receiver).await
    }

    /// What the sender calls the audience; null when it was deleted.
    async fn audience_name(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        Ok(load(&loaders(ctx).audiences, self.0.audience).await?.map(|a| a.name))
    }

    /// The id of the sender's `Audience`; null to the receiver.
    async fn audience_id(&self, ctx: &Context<'_>) -> Result<Option<ID>> {
        Ok(may_read(ctx, self.0.sender)?.then(|| global(self.0.audience)))
    }

    /// Whether it was sent whole, and not only those in `within`.
    async fn whole(&self) -> bool {
        self.0.within.is_empty()
    }

    /// The receiver's audiences that it is limited to, those that the sender still sees; none when it was sent whole.
    #[graphql(complexity = "10 * child_complexity", directive = list_size::apply(10, None, None, false))]
    async fn within(&self, ctx: &Context<'_>) -> Result<Vec<PartnerAudience>> {
        let audiences = self.0.within.iter().map(|id| load(&loaders(ctx).audiences, *id));
        let found = futures::future::try_join_all(audiences).await?;
        let is_seen = |a: &entente_domain::audience::Audience| discover::is_visible(a, self.0.connection, now());
        Ok(found.into_iter().flatten().filter(is_seen).map(|audience| PartnerAudience(audience.into())).collect())
    }

    /// The match keys by which it is matched.
    async fn match_keys(&self) -> Vec<MatchKey> {
        self.0.match_keys.iter().cloned().map(Into::into).collect()
    }

    /// Who is left out of its deliveries; null where nobody is, and to the receiver.
    async fn holdout(&self, ctx: &Context<'_>) -> Result<Option<Holdout>> {
        let is_senders = may_read(ctx, self.0.sender)?;
        Ok(self.0.holdout.filter(|_| is_senders).map(Holdout::from))
    }

    /// When the receiver may activate.
    async fn schedule(&self) -> Schedule {
        self.0.recurrence.into()
    }

    /// Whether the receiver may still activate it.
    async fn has_access(&self) -> bool {
        self.0.grants(now().date_naive())
    }

    /// When access was taken away; null while it was not.
    async fn revoked_at(&self) -> Option<DateTime<Utc>> {
        self.0.revoked_at
    }

    /// How many people it reaches, as the sender may know it; null to the receiver.
    #[graphql(complexity = "COMPARISON + child_complexity", directive = cost::apply(COMPARISON.to_string()))]
    async fn estimate(&self, ctx: &Context<'_>) -> Result<Option<OverlapAnswer>> {
        if !may_read(ctx, self.0.sender)? {
            return Ok(None);
        }
        estimate(ctx, &self.0).await.map(Some)
    }

    /// Grows by one with each change.
    async fn version(&self) -> SafeInt {
        SafeInt(self.0.version.unsigned_abs())
    }

    /// When it was sent.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }
}

/// The released estimate of a sent audience, for its sender.
async fn estimate(ctx: &Context<'_>, sent: &Row) -> Result<OverlapAnswer> {
    let rules = |counts| Rules { minimum: gateway(ctx).settings.threshold, counts };
    let unavailable = |reason, counts| OverlapAnswer::of(Answer::Unavailable(reason), rules(counts));
    let connection = connection_of(ctx, sent.sender, sent.connection).await?;
    let settings = connection.as_ref().and_then(|c| c.settings.as_ref().map(|s| (c, s)));
    let Some((connection, settings)) = settings.filter(|(c, _)| c.state == State::Active) else {
        return Ok(unavailable(Unavailable::AccessEnded, entente_domain::settings::Counts::Protected));
    };
    if !sent.grants(now().date_naive()) {
        return Ok(unavailable(Unavailable::AccessEnded, settings.counts));
    }
    let opened = Discovery::open(gateway(ctx), connection, settings, sent.sender, sent.match_keys.clone()).await;
    let theirs = if sent.within.is_empty() { Choice::All } else { Choice::Audiences(sent.within.clone()) };
    let mine = Choice::Audiences(vec![sent.audience]);
    let answered = opened.map_err(fault)?.compare(&mine, &theirs).await.map_err(unanswered)?;
    // An audience of the receiver that the sender no longer sees is not shown any longer.
    let answer = answered.unwrap_or(Answer::Unavailable(Unavailable::NotShown));
    Ok(OverlapAnswer::of(answer, rules(settings.counts)))
}

/// Between two UTC days.
#[derive(Clone, Copy, InputObject)]
pub struct RecurringInput {
    /// The first UTC day.
    from: Date,
    /// The last UTC day; that day is included.
    until: Date,
}

/// Once or recurring.
#[derive(Clone, Copy, OneofObject)]
pub enum ScheduleInput {
    /// `true`: once.
    Once(bool),
    /// At each refresh between two days.
    Recurring(RecurringInput),
}

impl ScheduleInput {
    fn recurrence(self) -> Result<Recurrence, Refusal> {
        match self {
            Self::Once(true) => Ok(Recurrence::Once),
            Self::Once(false) => Err(Refusal::invalid("schedule", "Either `once: true` or `recurring`.")),
            Self::Recurring(days) => Ok(Recurrence::Recurring { from: days.from.0, until: days.until.0 }),
        }
    }
}

/// Sends an audience to the other side of a project's connection.
#[derive(InputObject)]
struct SendAudienceInput {
    /// The account that sends.
    account_id: ID,
    /// The project.
    project_id: ID,
    /// An `Audience` of the account that sends.
    audience_id: ID,
    /// `PartnerAudience`s of the receiver: only people in these are sent; none is the whole audience.
    #[graphql(default)]
    within_audience_ids: Vec<ID>,
    /// Match keys to match by; at least one. Every one must meet the threshold.
    match_keys: Vec<MatchKeyInput>,
    /// Once or recurring.
    schedule: ScheduleInput,
    /// Leaves so many of a hundred people out of all deliveries, between 1 and 50, drawn by lot, so that a report can tell what
    /// the audience brings. Needs a single match key. Nobody is left out unless it is said.
    holdout_percent: Option<u32>,
    /// The same key within 24 hours returns the first result.
    idempotency_key: Option<String>,
}

/// Takes access to a sent audience away.
#[derive(InputObject)]
struct RevokeSentAudienceInput {
    /// The account that sent it.
    account_id: ID,
    /// The sent audience.
    sent_audience_id: ID,
}

payload! {
    /// What was sent, or why nothing was.
    SendAudiencePayload {
        /// What was sent.
        sent_audience: SentAudience,
    }
}

payload! {
    /// What was revoked, or why nothing was.
    RevokeSentAudiencePayload {
        /// As it is now.
        sent_audience: SentAudience,
    }
}

/// Mutations of sent audiences.
#[derive(Default)]
pub struct SentAudienceMutation;

#[Object]
impl SentAudienceMutation {
    /// Sends an audience: the receiver may activate it. Nothing is delivered by this. For ADMIN and MANAGER.
    async fn send_audience(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: SendAudienceInput,
    ) -> Result<SendAudiencePayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::ManageDeliveries)?);
        let project = allow!(local::<ProjectId>(&input.project_id, "projectId"));
        let new = NewSend {
            audience: allow!(local::<AudienceId>(&input.audience_id, "audienceId")),
            within: allow!(partner_audiences(&input.within_audience_ids, "withinAudienceIds")),
            match_keys: allow!(keys(&input.match_keys, "matchKeys")),
            recurrence: allow!(input.schedule.recurrence()),
            holdout_percent: input.holdout_percent,
        };
        let change = allow!(creation(ctx, authorised, "sendAudience", input.idempotency_key)?);
        let (id, at, by) = (SentAudienceId::new(), change.now, authorised.account);
        let counted = count(ctx, by, project, &new).await?;
        let prices = gateway(ctx).settings.prices;
        let (audience, within) = (new.audience, new.within.clone());
        let rule = move |loaded: &LoadedSend| {
            let sent = checked(loaded, id, by, new, at)?;
            // What was counted was allowed a moment ago; when it was not, somebody has changed something since.
            let counted =
                counted.ok_or_else(|| Refusal::new(Code::Conflict, "Something changed meanwhile; try again."))?;
            project::require_ready(&counted.missing)?;
            activation::all_keys_released(&counted.released)?;
            let events = sending::events(&sent, AccountEventKind::AudienceSent);
            // It was counted already: what is reserved is settled at once.
            let reserved = credit::of_send(&prices, &sent, &loaded.connection, counted.reached);
            let settled = credit::Command::Settle { work: reserved.work, inputs: counted.reached };
            let record = sent.holdout.is_some().then(|| record_holdout::job(&sent, at));
            let outcome = record.into_iter().fold(Outcome::of(sent).events(events), Outcome::job);
            Ok(outcome.credits(credit::Command::Reserve(reserved)).credits(settled))
        };
        let store = gateway(ctx).store();
        let created =
            store.create_sent_audience(change, id, project, audience, within, Box::new(rule)).await.map_err(fault)?;
        let sent = load(&loaders(ctx).sent_audiences, allow!(created).id).await?;
        Ok(SendAudiencePayload { sent_audience: sent.map(SentAudience), user_errors: vec![] })
    }

    /// Takes access to a sent audience away: its activations end. What was delivered stays delivered. For ADMIN and
    /// MANAGER of the sender.
    async fn revoke_sent_audience(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: RevokeSentAudienceInput,
    ) -> Result<RevokeSentAudiencePayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::ManageDeliveries)?);
        let id = allow!(local::<SentAudienceId>(&input.sent_audience_id, "sentAudienceId"));
        let change = change(ctx, authorised, "revokeSentAudience", Some(Subject::SentAudience(id)))?;
        let (at, by) = (change.now, authorised.account);
        let rule = move |sent: &Row| {
            let revoked = activation::revoke(sent, by, at)?;
            let events = sending::events(&revoked, AccountEventKind::AudienceRevoked);
            Ok(Outcome::of(revoked).events(events))
        };
        let revoked = gateway(ctx).store().change_sent_audience(change, id, Box::new(rule)).await.map_err(fault)?;
        Ok(RevokeSentAudiencePayload { sent_audience: Some(SentAudience(allow!(revoked))), user_errors: vec![] })
    }
}

/// All rules of a send but readiness and the threshold.
fn checked(
    loaded: &LoadedSend,
    id: SentAudienceId,
    by: AccountId,
    new: NewSend,
    at: Timestamp,
) -> Result<Row, Refusal> {
    let connection = &loaded.connection;
    let side = connection.side_of(by).ok_or_else(|| Refusal::not_found("project").at("projectId"))?;
    sending::own(loaded.audience.as_ref(), by, at)?;
    sending::within(&new.within, &loaded.within, connection, side.other(), at)?;
    activation::send(id, connection, &loaded.project, by, new, at)
}

/// What counting found out about a send.
struct CountedSend {
    missing: Vec<Missing>,
    released: Vec<(Key, bool)>,
    /// People whom it reaches, by all keys, as they are released.
    reached: u64,
}

/// Counts what a send needs counted. `None` when the rules refuse it anyway; then nothing is counted.
async fn count(ctx: &Context<'_>, by: AccountId, project: ProjectId, new: &NewSend) -> Result<Option<CountedSend>> {
    let Some((project, connection)) = project_of(ctx, by, project).await? else { return Ok(None) };
    let (gateway, at) = (gateway(ctx), now());
    let wanted = std::iter::once(new.audience).chain(new.within.iter().copied()).map(Owned::from).collect();
    let sides = vec![connection.owner, connection.recipient];
    let own = gateway.store().owned(wanted, sides).await.map_err(fault)?;
    let wanted: Vec<_> = own.into_iter().map(|object| AudienceId(object.id)).collect();
    let mut found = gateway.store().audiences_by_ids(&wanted).await.map_err(fault)?;
    let loaded = LoadedSend {
        audience: found.get(&new.audience).cloned(),
        within: new.within.iter().filter_map(|id| found.remove(id)).collect(),
        project,
        connection,
    };
    let Ok(sent) = checked(&loaded, SentAudienceId::new(), by, new.clone(), at) else { return Ok(None) };
    let (Some(settings), Some(audience)) = (&loaded.connection.settings, &loaded.audience) else { return Ok(None) };
    let Some(side) = loaded.connection.side_of(by) else { return Ok(None) };
    let present = present(gateway.store(), sent.project, by, sent.receiver, at).await.map_err(fault)?;
    let missing = project::missing(UseCase::Activate, side, settings.activators, present);
    let opened = Discovery::open(gateway, &loaded.connection, settings, by, sent.match_keys).await.map_err(fault)?;
    let within: Vec<_> = loaded.within.iter().map(|a| a.slot).collect();
    let released = opened.released_keys(audience.slot, &within).await.map_err(unanswered)?;
    let reached = released.iter().filter_map(|(_, figure)| figure.map(|f| f.value)).sum();
    let released = released.into_iter().map(|(key, figure)| (key, figure.is_some())).collect();
    Ok(Some(CountedSend { missing, released, reached }))
}
