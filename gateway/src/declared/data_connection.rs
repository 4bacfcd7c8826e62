//! Planning data connections: those that are missing are made from files; each keeps what it was made with.

use super::{
    api::{Mutation, in_the_api},
    format::{Access, Account, DataConnection, Visibility},
    plan::{OfAccount, Planning, Step, Verdict, alike, from_to, listed, spelt},
    present::PresentAccount,
};
use serde_json::{Value, json};

const CREATE: Mutation =
    Mutation { name: "createDataConnection", input: "CreateDataConnectionInput", takes_key: true, secrets: None };

/// Plans the data connections of an account.
pub fn plan(planning: &Planning<'_>, plan: &mut OfAccount<'_>, declared: &Account, present: Option<&PresentAccount>) {
    let there = present.map_or(&[][..], |account| &account.data_connections);
    for (i, wanted) in declared.data_connections.iter().enumerate() {
        let (at, what) = (format!("data_connections[{i}]"), format!("data connection {:?}", wanted.name));
        let named: Vec<_> = there.iter().filter(|found| found.name == wanted.name).collect();
        match named[..] {
            [] => plan.add(&at, what, made(planning, wanted, present)),
            [found] => {
                for (field, difference) in differences(wanted, found) {
                    let why = format!("{difference}: a data connection keeps what it was made with");
                    plan.add(&format!("{at}.{field}"), &what, Verdict::Cannot(why));
                }
            }
            _ => plan.add(&at, what, Verdict::Cannot("several of the account have this name".to_owned())),
        }
    }
    for left in there.iter().filter(|found| !declared.data_connections.iter().any(|d| d.name == found.name)) {
        plan.left(format!("data connection {:?}", left.name));
    }
}

fn made(planning: &Planning<'_>, wanted: &DataConnection, present: Option<&PresentAccount>) -> Verdict {
    let Some(upload) = &wanted.upload else {
        return Verdict::Cannot("it is not there, and made from a file only: say `upload`".to_owned());
    };
    let file = planning.source.file(&upload.file);
    if !file.is_file() {
        return Verdict::Cannot(format!("there is no file {}", upload.file.display()));
    }
    if wanted.consent_acknowledged != Some(true) {
        let why = "acknowledge that the people in the data have consented to its use (CONSENT_MISSING)";
        return Verdict::Cannot(why.to_owned());
    }
    let access = wanted.access.unwrap_or(Access::Private);
    let categories = wanted.categories.as_deref().filter(|categories| !categories.is_empty());
    let says = vec![
        format!("from {}, which is uploaded", upload.file.display()),
        format!("mapping: {}", spelt(&wanted.mapping)),
        format!("access {}, categories: {}", spelt(&access), categories.map_or_else(|| "none".to_owned(), listed)),
    ];
    let step = match present {
        Some(account) => Step::Upload(file, &CREATE, input(wanted, &account.profile.id)),
        None => Step::Later,
    };
    Verdict::Make { says, step }
}

fn input(wanted: &DataConnection, account: &str) -> Value {
    let DataConnection { name, categories, access, visibility, mapping, .. } = wanted;
    let mut input = in_the_api(json!({
        "account_id": account, "name": name, "mapping": mapping, "consent_acknowledged": true,
        "visibility": visibility,
    }));
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
