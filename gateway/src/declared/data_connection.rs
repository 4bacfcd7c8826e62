//! Planning data connections: those that are missing are made from files or sources. Each keeps what it was made with, but
//! for the settings and the schedule of its source.

use super::{
    api::{Mutation, in_the_api},
    format::{Access, Account, DataConnection, DataSource, Schedule, Upload, Visibility},
    plan::{OfAccount, Planning, Step, Verdict, alike, from_to, listed, spelt},
    present::{PresentAccount, PresentDataConnection},
    type_settings::{Settings, settings},
};
use serde_json::{Value, json};

const CREATE: Mutation = Mutation {
    name: "createDataConnection",
    input: "CreateDataConnectionInput",
    takes_key: true,
    secrets: Some("/source/settings"),
};
const UPDATE: Mutation = Mutation {
    name: "updateDataConnection",
    input: "UpdateDataConnectionInput",
    takes_key: false,
    secrets: Some("/source/settings"),
};

/// Something that cannot be: where below the data connection, and why.
type Impossible = (String, String);

/// Plans the data connections of an account.
pub fn plan(planning: &Planning<'_>, plan: &mut OfAccount<'_>, declared: &Account, present: Option<&PresentAccount>) {
    let there = present.map_or(&[][..], |account| &account.data_connections);
    for (i, wanted) in declared.data_connections.iter().enumerate() {
        let (at, what) = (format!("data_connections[{i}]"), format!("data connection {:?}", wanted.name));
        let named: Vec<_> = there.iter().filter(|found| found.declared.name == wanted.name).collect();
        let verdict = match named[..] {
            [] => made(planning, wanted, present).map(Some),
            [found] => {
                for (field, difference) in differences(wanted, &found.declared) {
                    let why = format!("{difference}: a data connection keeps what it was made with");
                    plan.add(&format!("{at}.{field}"), &what, Verdict::Cannot(why));
                }
                changed(planning, wanted, found, present)
            }
            _ => Err((String::new(), "several of the account have this name".to_owned())),
        };
        match verdict {
            Ok(verdict) => verdict.into_iter().for_each(|verdict| plan.add(&at, &what, verdict)),
            Err((below, why)) => plan.add(&format!("{at}{below}"), &what, Verdict::Cannot(why)),
        }
    }
    let is_declared = |name: &str| declared.data_connections.iter().any(|d| d.name == name);
    for left in there.iter().filter(|found| !is_declared(&found.declared.name)) {
        plan.left(format!("data connection {:?}", left.declared.name));
    }
}

fn made(
    planning: &Planning<'_>,
    wanted: &DataConnection,
    present: Option<&PresentAccount>,
) -> Result<Verdict, Impossible> {
    let cannot = |why: &str| Err((String::new(), why.to_owned()));
    let account = present.map(|account| account.profile.id.as_str());
    let input = input(wanted, account.unwrap_or_default());
    let (mut says, step) = match (&wanted.upload, &wanted.source) {
        (Some(upload), None) => from_file(planning, upload, input)?,
        (None, Some(source)) => from_source(planning, source, input)?,
        (None, None) => return cannot("it is not there, and made from a file or a source: say `upload` or `source`"),
        (Some(_), Some(_)) => return cannot("it is made from a file or a source, not from both"),
    };
    if wanted.consent_acknowledged != Some(true) {
        return cannot("acknowledge that the people in the data have consented to its use (CONSENT_MISSING)");
    }
    let access = wanted.access.unwrap_or(Access::Private);
    let categories = wanted.categories.as_deref().filter(|categories| !categories.is_empty());
    says.extend(wanted.schedule.as_ref().map(|schedule| format!("schedule: {}", told(Some(schedule)))));
    says.extend([
        format!("mapping: {}", spelt(&wanted.mapping)),
        format!("access {}, categories: {}", spelt(&access), categories.map_or_else(|| "none".to_owned(), listed)),
    ]);
    Ok(Verdict::Make { says, step: if account.is_some() { step } else { Step::Later } })
}

fn from_file(planning: &Planning<'_>, upload: &Upload, input: Value) -> Result<(Vec<String>, Step), Impossible> {
    let file = planning.source.file(&upload.file);
    if !file.is_file() {
        return Err((String::new(), format!("there is no file {}", upload.file.display())));
    }
    let says = vec![format!("from {}, which is uploaded", upload.file.display())];
    Ok((says, Step::Upload(file, &CREATE, input)))
}

fn from_source(
    planning: &Planning<'_>,
    source: &DataSource,
    mut input: Value,
) -> Result<(Vec<String>, Step), Impossible> {
    let settings = settings_of(planning, source)?;
    let mut says =
        vec![format!("from a source of type {:?}", source.source_type), format!("settings: {}", settings.told)];
    if settings.secrets {
        says.push("secrets: sent".to_owned());
    }
    input["source"] = json!({ "type": source.source_type, "settings": settings.whole });
    Ok((says, Step::Press(&CREATE, input)))
}

fn settings_of(planning: &Planning<'_>, source: &DataSource) -> Result<Settings, Impossible> {
    let of_type = &source.source_type;
    let schema = planning.present.source_types.get(of_type);
    let schema =
        schema.ok_or_else(|| (".source.type".to_owned(), format!("this gateway has no source type {of_type:?}")))?;
    settings(planning.source, (of_type, schema), &source.settings)
        .map_err(|(path, why)| (format!(".source.settings{path}"), why))
}

/// What becomes of one that is there: its source's settings and its schedule are those of the file.
fn changed(
    planning: &Planning<'_>,
    wanted: &DataConnection,
    found: &PresentDataConnection,
    present: Option<&PresentAccount>,
) -> Result<Option<Verdict>, Impossible> {
    let account = present.map(|account| &account.profile.id);
    let (mut says, mut input) = (Vec::new(), json!({ "accountId": account, "dataConnectionId": found.id }));
    if let Some(schedule) =
        wanted.schedule.as_ref().filter(|schedule| found.declared.schedule.as_ref() != Some(*schedule))
    {
        says.push(from_to("schedule", told(found.declared.schedule.as_ref()), told(Some(schedule))));
        input["schedule"] = of_api(schedule);
    }
    if let Some(source) = &wanted.source {
        let there = found.declared.source.as_ref().ok_or_else(|| {
            let why = "it is made from files; make another one under a new name that reads a source";
            (".source".to_owned(), why.to_owned())
        })?;
        if source.source_type != there.source_type {
            let difference = from_to("type", &there.source_type, &source.source_type);
            let why = format!("{difference}: a data connection keeps its source's type; make another under a new name");
            return Err((".source.type".to_owned(), why));
        }
        let settings = settings_of(planning, source)?;
        if settings.compare(&there.settings, planning.send_secrets, &mut says) {
            input["source"] = json!({ "type": source.source_type, "settings": settings.whole });
        }
    }
    Ok((!says.is_empty()).then_some(Verdict::Change { says, step: Step::Press(&UPDATE, input) }))
}

fn told(schedule: Option<&Schedule>) -> String {
    let of =
        |Schedule { every_days, from, until }: &Schedule| format!("every {every_days} days from {from} to {until}");
    schedule.map_or_else(|| "once".to_owned(), of)
}

fn of_api(schedule: &Schedule) -> Value {
    json!({ "recurring": in_the_api(json!(schedule)) })
}

fn input(wanted: &DataConnection, account: &str) -> Value {
    let DataConnection { name, schedule, categories, access, visibility, mapping, .. } = wanted;
    let mut input = in_the_api(json!({
        "account_id": account, "name": name, "mapping": mapping, "consent_acknowledged": true,
        "visibility": visibility,
    }));
    if let Some(schedule) = schedule {
        input["schedule"] = of_api(schedule);
    }
    if let Some(categories) = categories {
        input["categories"] = json!(categories);
    }
    if let Some(access) = access {
        input["access"] = match access {
            Access::Private => json!({ "private": true }),
            Access::Public => json!({ "public": true }),
        };
    }
    input
}

/// Which fields differ, and how.
fn differences(wanted: &DataConnection, found: &DataConnection) -> Vec<(&'static str, String)> {
    let mut differences = Vec::new();
    if let Some(categories) = &wanted.categories {
        let there = found.categories.clone().unwrap_or_default();
        if !alike(categories, &there) {
            differences.push(("categories", from_to("categories", listed(&there), listed(categories))));
        }
    }
    if let Some(access) = wanted.access.filter(|access| found.access != Some(*access)) {
        let there = found.access.map_or_else(|| "CUSTOM".to_owned(), |access| spelt(&access));
        differences.push(("access", format!("access: {there} → {}", spelt(&access))));
    }
    for ((name, wanted), (_, there)) in figures(wanted.visibility).into_iter().zip(figures(found.visibility)) {
        if let Some(wanted) = wanted.filter(|wanted| there != Some(*wanted)) {
            differences.push(("visibility", from_to(name, there.unwrap_or_default(), wanted)));
        }
    }
    if wanted.mapping != found.mapping {
        differences.push(("mapping", from_to("mapping", spelt(&found.mapping), spelt(&wanted.mapping))));
    }
    differences
}

fn figures(visibility: Option<Visibility>) -> [(&'static str, Option<bool>); 3] {
    [
        ("identity count", visibility.and_then(|v| v.identity_count)),
        ("overlap percentage", visibility.and_then(|v| v.overlap_percentage)),
        ("audience index", visibility.and_then(|v| v.audience_index)),
    ]
}
