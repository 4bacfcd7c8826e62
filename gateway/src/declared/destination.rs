//! Planning destinations. Their secrets are never read again, so that they differ in nothing that can be seen.

use super::{
    api::Mutation,
    format::{Account, Destination},
    plan::{OfAccount, Planning, Step, Verdict, alike, from_to, listed},
    present::{PresentAccount, PresentDestination},
    type_settings::{Settings, settings},
};
use serde_json::json;

const CREATE: Mutation = Mutation {
    name: "createDestination",
    input: "CreateDestinationInput",
    takes_key: true,
    secrets: Some("/settings"),
};
const UPDATE: Mutation = Mutation {
    name: "updateDestination",
    input: "UpdateDestinationInput",
    takes_key: false,
    secrets: Some("/settings"),
};

/// Plans the destinations of an account.
pub fn plan(planning: &Planning<'_>, plan: &mut OfAccount<'_>, declared: &Account, present: Option<&PresentAccount>) {
    let there = present.map_or(&[][..], |account| &account.destinations);
    for (i, wanted) in declared.destinations.iter().enumerate() {
        let (at, what) = (format!("destinations[{i}]"), format!("destination {:?}", wanted.name));
        let found = there.iter().find(|found| found.declared.name == wanted.name);
        if let Some(found) = found.filter(|found| found.declared.destination_type != wanted.destination_type) {
            let difference = from_to("type", &found.declared.destination_type, &wanted.destination_type);
            let why = format!("{difference}: a destination keeps its type; make another under a new name");
            plan.add(&format!("{at}.type"), what, Verdict::Cannot(why));
            continue;
        }
        let Some(schema) = planning.present.destination_types.get(&wanted.destination_type) else {
            let why = format!("this gateway has no destination type {:?}", wanted.destination_type);
            plan.add(&format!("{at}.type"), what, Verdict::Cannot(why));
            continue;
        };
        let settings = settings(planning.source, (&wanted.destination_type, schema), &wanted.settings);
        let verdict = match (settings, found) {
            (Err((path, why)), _) => {
                plan.add(&format!("{at}.settings{path}"), what, Verdict::Cannot(why));
                continue;
            }
            (Ok(settings), None) => Some(made(wanted, &settings, present)),
            (Ok(settings), Some(found)) => changed(planning, wanted, &settings, found, present),
        };
        if let Some(verdict) = verdict {
            plan.add(&at, what, verdict);
        }
    }
    for left in there.iter().filter(|found| !declared.destinations.iter().any(|d| d.name == found.declared.name)) {
        plan.left(format!("destination {:?}", left.declared.name));
    }
}

fn made(wanted: &Destination, settings: &Settings, present: Option<&PresentAccount>) -> Verdict {
    let mut says = vec![
        format!("type {:?}, match keys: {}", wanted.destination_type, listed(&wanted.match_keys)),
        format!("settings: {}", settings.told),
    ];
    if settings.secrets {
        says.push("secrets: sent".to_owned());
    }
    let step = match present {
        Some(account) => {
            let input = json!({
                "accountId": account.profile.id, "name": wanted.name, "destinationType": wanted.destination_type,
                "settings": settings.whole, "matchKeys": wanted.match_keys,
            });
            Step::Press(&CREATE, input)
        }
        None => Step::Later,
    };
    Verdict::Make { says, step }
}

fn changed(
    planning: &Planning<'_>,
    wanted: &Destination,
    settings: &Settings,
    found: &PresentDestination,
    present: Option<&PresentAccount>,
) -> Option<Verdict> {
    let id = present.map(|account| &account.profile.id);
    let (mut says, mut input) = (Vec::new(), json!({ "accountId": id, "destinationId": found.id }));
    if !alike(&wanted.match_keys, &found.declared.match_keys) {
        says.push(from_to("match keys", listed(&found.declared.match_keys), listed(&wanted.match_keys)));
        input["matchKeys"] = json!(wanted.match_keys);
    }
    if settings.compare(&found.declared.settings, planning.send_secrets, &mut says) {
        input["settings"] = settings.whole.clone();
    }
    (!says.is_empty()).then_some(Verdict::Change { says, step: Step::Press(&UPDATE, input) })
}
