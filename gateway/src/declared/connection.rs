//! Planning connections: what a side does next, as a step of the plan.

use super::{
    api::{Mutation, in_the_api},
    format::{Account, AdvertiserName, Connection, Settings, With},
    next::{Next, next},
    plan::{OfAccount, Planning, Step, Verdict, listed, spelt},
    present::{PresentAccount, PresentConnection},
};
use serde_json::{Value, json};

const INVITE: Mutation =
    Mutation { name: "invite", input: "InviteInput", takes_key: true, secrets: Some("/invitee/connectCode") };
const ACCEPT_INVITE: Mutation =
    Mutation { name: "acceptInvite", input: "ConnectionInput", takes_key: false, secrets: None };
const PROPOSE: Mutation =
    Mutation { name: "proposeSettings", input: "ProposeSettingsInput", takes_key: false, secrets: None };
const ACCEPT: Mutation =
    Mutation { name: "acceptSettings", input: "AcceptSettingsInput", takes_key: false, secrets: None };
const SAVE_DRAFT: Mutation =
    Mutation { name: "saveSettingsDraft", input: "SaveSettingsDraftInput", takes_key: false, secrets: None };
const PROPOSE_CHANGE: Mutation =
    Mutation { name: "proposeSettingsChange", input: "ProposeSettingsChangeInput", takes_key: false, secrets: None };
const ACCEPT_CHANGE: Mutation =
    Mutation { name: "acceptSettingsChange", input: "AcceptSettingsInput", takes_key: false, secrets: None };

/// Plans the connections of an account.
pub fn plan(planning: &Planning<'_>, plan: &mut OfAccount<'_>, declared: &Account, present: Option<&PresentAccount>) {
    let mut stated = Vec::new();
    for (i, wanted) in declared.connections.iter().enumerate() {
        let at = format!("connections[{i}]");
        let other = match other(planning, plan, &at, wanted) {
            Ok(other) => other,
            Err(why) => {
                plan.add(&format!("{at}.with"), "connection", Verdict::Cannot(why));
                continue;
            }
        };
        let found = other.as_ref().and_then(|id| with(present?, id));
        let name = match (&wanted.with, found) {
            (With::Account(name), _) => format!("{name:?}"),
            (_, Some(found)) => format!("{:?}", found.other_name),
            (With::CollaboratorId(id), None) => format!("the collaborator {id:?}"),
            (With::ConnectCode(_), None) => "the holder of the connect code".to_owned(),
        };
        let next = next(wanted, found);
        let is_known = other.is_some() || matches!(wanted.with, With::ConnectCode(_));
        let step = match present {
            Some(account) if is_known => step(&next, &account.profile.id, other.as_deref(), wanted, found),
            _ => Some(Step::Later),
        };
        if let Some(verdict) = verdict(next, wanted, found, &name, step) {
            plan.add(&at, format!("connection with {name}"), verdict);
        }
        stated.extend(other);
    }
    let live = present.into_iter().flat_map(|account| &account.connections).filter(|c| c.state.is_live());
    for left in live.filter(|connection| !stated.contains(&connection.other_id)) {
        plan.left(format!("connection with {:?}", left.other_name));
    }
}

/// The collaborator on the other side, where it is known already.
fn other(
    planning: &Planning<'_>,
    plan: &OfAccount<'_>,
    at: &str,
    wanted: &Connection,
) -> Result<Option<String>, String> {
    match &wanted.with {
        With::CollaboratorId(id) => Ok(Some(id.clone())),
        With::Account(name) => match planning.account(name) {
            Some(account) => Ok(Some(account.profile.collaborator_id.clone())),
            None if planning.present.is_of_key => {
                Err(format!("an API key does not see {name:?}: name it by its `collaborator_id`"))
            }
            None => Ok(None),
        },
        With::ConnectCode(_) => planning.holders.get(&plan.place_of(at)).cloned().transpose(),
    }
}

/// The live connection with a collaborator, or else the last that has ended.
fn with<'a>(present: &'a PresentAccount, other: &str) -> Option<&'a PresentConnection> {
    let all = || present.connections.iter().filter(|connection| connection.other_id == other);
    all().find(|connection| connection.state.is_live()).or_else(|| all().next())
}

fn step(
    next: &Next,
    account: &str,
    other: Option<&str>,
    wanted: &Connection,
    found: Option<&PresentConnection>,
) -> Option<Step> {
    let id = found.map(|connection| &connection.id);
    let input = |more: Value| {
        let mut input = json!({ "accountId": account, "connectionId": id });
        if let (Value::Object(input), Value::Object(more)) = (&mut input, more) {
            input.extend(more);
        }
        input
    };
    let accept = |version: &u64, names: &[AdvertiserName]| {
        input(json!({ "settingsVersion": version, "advertiserNames": in_the_api(json!(names)) }))
    };
    Some(match next {
        Next::Invite => {
            let invitee = match &wanted.with {
                With::ConnectCode(code) => json!({ "connectCode": code }),
                With::CollaboratorId(_) | With::Account(_) => json!({ "collaboratorId": other }),
            };
            let note = wanted.note.as_deref().unwrap_or_default();
            Step::Press(&INVITE, json!({ "accountId": account, "invitee": invitee, "note": note }))
        }
        Next::AcceptInvite => Step::Press(&ACCEPT_INVITE, input(json!({}))),
        Next::Propose(settings) => Step::Press(&PROPOSE, input(json!({ "settings": in_the_api(json!(settings)) }))),
        Next::Accept(version, names) => Step::Press(&ACCEPT, accept(version, names)),
        Next::SaveDraft(settings) => {
            let more = json!({ "settings": in_the_api(json!(settings)), "draftVersion": 0 });
            Step::Press(&SAVE_DRAFT, input(more))
        }
        Next::ProposeDraft(version) => Step::Press(&PROPOSE_CHANGE, input(json!({ "draftVersion": version }))),
        Next::AcceptChange(version, names) => Step::Press(&ACCEPT_CHANGE, accept(version, names)),
        Next::Nothing | Next::Waits(_) | Next::Cannot(_) => return None,
    })
}

fn verdict(
    next: Next,
    wanted: &Connection,
    found: Option<&PresentConnection>,
    name: &str,
    step: Option<Step>,
) -> Option<Verdict> {
    let step = step.unwrap_or(Step::Later);
    let in_force = found.and_then(|connection| connection.settings.as_ref());
    let in_force = in_force.map(|version| format!("in force until then: {}", told(&version.settings)));
    let settings = wanted.settings.as_ref();
    let says = |first: &str, then: &str| match settings {
        Some(settings) => vec![first.to_owned(), format!("{then}: {}", told(settings))],
        None => vec![first.to_owned()],
    };
    Some(match next {
        Next::Nothing => return None,
        Next::Invite => {
            let says = says(&format!("invite {name}"), "once the invite is accepted, propose");
            Verdict::Make { says, step }
        }
        Next::AcceptInvite => {
            let says = says("accept the invite", "once just these settings are proposed, accept them");
            Verdict::Change { says, step }
        }
        Next::Propose(settings) => Verdict::Change { says: vec![format!("propose: {}", told(&settings))], step },
        Next::Accept(version, names) | Next::AcceptChange(version, names) => {
            let mut says = says(&format!("accept version {version} of the settings"), "which are then");
            if !names.is_empty() {
                says.push(format!("add the advertiser names {}", listed(&names)));
            }
            says.extend(in_force);
            Verdict::Change { says, step }
        }
        Next::SaveDraft(settings) => {
            let mut says = vec![format!("propose a change of the settings to: {}", told(&settings))];
            says.extend(in_force);
            Verdict::Change { says, step }
        }
        Next::ProposeDraft(version) => {
            let mut says = says(&format!("propose version {version} of the draft"), "which says");
            says.extend(in_force);
            Verdict::Change { says, step }
        }
        Next::Waits(what) => Verdict::Waits(format!("{name} {what}")),
        Next::Cannot(why) => Verdict::Cannot(why),
    })
}

/// Settings in one line.
fn told(settings: &Settings) -> String {
    let Settings { use_cases, match_keys, activators, activation_payer, measurement_payer, advertiser_names, counts } =
        settings;
    let mut told = format!(
        "{} by {}; activates {}; pays for activation {}, for measurement {}; counts {}",
        listed(use_cases),
        listed(match_keys),
        spelt(activators),
        spelt(activation_payer),
        spelt(measurement_payer),
        spelt(counts)
    );
    if !advertiser_names.is_empty() {
        told += &format!("; advertiser names {}", listed(advertiser_names));
    }
    told
}
