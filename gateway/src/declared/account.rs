//! Planning accounts and their members.

use super::{
    api::{Mutation, in_the_api},
    format::{Account, AccountMatchKey, Member},
    plan::{OfAccount, Step, Verdict, from_to, listed, spelt},
    present::PresentAccount,
};
use serde_json::{Value, json};

const CREATE: Mutation =
    Mutation { name: "createAccount", input: "CreateAccountInput", takes_key: true, secrets: None };
const UPDATE: Mutation =
    Mutation { name: "updateAccount", input: "UpdateAccountInput", takes_key: false, secrets: None };
const RAISE: Mutation =
    Mutation { name: "raisePrivacyLevel", input: "RaisePrivacyLevelInput", takes_key: false, secrets: None };
const SET_MEMBER: Mutation = Mutation { name: "setMember", input: "SetMemberInput", takes_key: false, secrets: None };

/// Plans an account and its members.
pub fn plan(plan: &mut OfAccount<'_>, declared: &Account, present: Option<&PresentAccount>) {
    match present {
        None => {
            let mut says = vec![
                format!("{}, {}, {:?}", spelt(&declared.role), declared.region, declared.contact_email),
                format!("match keys: {}", listed(&declared.match_keys)),
            ];
            for (what, text) in [("description", &declared.description), ("industry", &declared.industry)] {
                says.extend(text.as_ref().map(|text| format!("{what}: {text:?}")));
            }
            says.extend(declared.privacy_level.map(|level| format!("privacy level: {}", spelt(&level))));
            plan.add("", "account", Verdict::Make { says, step: Step::Press(&CREATE, created(declared)) });
        }
        Some(present) => {
            fixed(plan, declared, present);
            changed(plan, declared, present);
        }
    }
    members(plan, declared, present);
}

fn created(declared: &Account) -> Value {
    let Account { name, role, region, contact_email, description, industry, privacy_level, match_keys, .. } = declared;
    let mut input = in_the_api(json!({
        "name": name, "role": role, "region": region, "contact_email": contact_email, "match_keys": match_keys,
        "privacy_level": privacy_level,
    }));
    for (field, text) in [("description", description), ("industry", industry)] {
        if let Some(text) = text {
            input[field] = json!(text);
        }
    }
    input
}

/// What an account keeps for ever.
fn fixed(plan: &mut OfAccount<'_>, declared: &Account, present: &PresentAccount) {
    let profile = &present.profile;
    if declared.role != profile.role {
        let difference = from_to("role", spelt(&profile.role), spelt(&declared.role));
        plan.add("role", "account", Verdict::Cannot(format!("{difference}: fixed once the account exists")));
    }
    if declared.region != profile.region {
        let difference = from_to("region", &profile.region, &declared.region);
        plan.add("region", "account", Verdict::Cannot(format!("{difference}: fixed once the account exists")));
    }
    match declared.privacy_level {
        Some(level) if level > profile.privacy_level => {
            let says = vec![from_to("privacy level", spelt(&profile.privacy_level), spelt(&level))];
            let input = json!({ "accountId": profile.id, "privacyLevel": level });
            plan.add("privacy_level", "account", Verdict::Change { says, step: Step::Press(&RAISE, input) });
        }
        Some(level) if level < profile.privacy_level => {
            let difference = from_to("privacy level", spelt(&profile.privacy_level), spelt(&level));
            let why = format!("{difference}: it can be raised, not lowered (PRIVACY_LEVEL_LOWERED)");
            plan.add("privacy_level", "account", Verdict::Cannot(why));
        }
        _ => {}
    }
}

fn changed(plan: &mut OfAccount<'_>, declared: &Account, present: &PresentAccount) {
    let profile = &present.profile;
    let (mut says, mut input) = (Vec::new(), json!({ "accountId": profile.id }));
    for (what, field, from, to) in [
        ("contact e-mail", "contactEmail", &profile.contact_email, Some(&declared.contact_email)),
        ("description", "description", &profile.description, declared.description.as_ref()),
        ("industry", "industry", &profile.industry, declared.industry.as_ref()),
    ] {
        if let Some(to) = to.filter(|to| *to != from) {
            says.push(from_to(what, from, to));
            input[field] = json!(to);
        }
    }
    let same =
        |one: &AccountMatchKey, other: &AccountMatchKey| one.kind == other.kind && one.provider == other.provider;
    let left: Vec<_> =
        profile.match_keys.iter().filter(|key| !declared.match_keys.iter().any(|k| same(k, key))).cloned().collect();
    let differing: Vec<_> =
        declared.match_keys.iter().filter(|key| !profile.match_keys.contains(key)).cloned().collect();
    for key in &differing {
        match profile.match_keys.iter().find(|there| same(there, key)) {
            Some(there) => says.push(from_to("match key", listed(&[there]), listed(&[key]))),
            None => says.push(format!("match key {} is added", listed(&[key]))),
        }
    }
    if !differing.is_empty() {
        let whole: Vec<_> = declared.match_keys.iter().chain(&left).collect();
        input["matchKeys"] = in_the_api(json!(whole));
    }
    if !says.is_empty() {
        plan.add("", "account", Verdict::Change { says, step: Step::Press(&UPDATE, input) });
    }
    for key in left {
        plan.left(format!("match key {}", listed(&[key])));
    }
}

fn members(plan: &mut OfAccount<'_>, declared: &Account, present: Option<&PresentAccount>) {
    if declared.members.is_empty() {
        return;
    }
    let nobody = Vec::new();
    let there = match present {
        None => &nobody,
        Some(PresentAccount { members: Some(members), .. }) => members,
        Some(_) => {
            let why = "members are read and set by an ADMIN of the account (FORBIDDEN)".to_owned();
            return plan.add("members", "members", Verdict::Cannot(why));
        }
    };
    for (i, member) in declared.members.iter().enumerate() {
        if !there.contains(member) {
            self::member(plan, &format!("members[{i}]"), member, there, present);
        }
    }
    for member in there.iter().filter(|there| !declared.members.iter().any(|m| m.email == there.email)) {
        plan.left(format!("member {:?} ({})", member.email, spelt(&member.role)));
    }
}

fn member(plan: &mut OfAccount<'_>, at: &str, member: &Member, there: &[Member], present: Option<&PresentAccount>) {
    let what = format!("member {:?}", member.email);
    let Some(account) = present else {
        return plan.add(at, what, Verdict::Make { says: vec![spelt(&member.role)], step: Step::Later });
    };
    if account.invited.contains(member) {
        return plan.add(at, what, Verdict::Waits("them to accept their invitation".to_owned()));
    }
    let input = json!({ "accountId": account.profile.id, "email": member.email, "role": member.role });
    let step = Step::Press(&SET_MEMBER, input);
    match there.iter().find(|there| there.email == member.email) {
        Some(there) => plan.add(
            at,
            what,
            Verdict::Change { says: vec![from_to("role", spelt(&there.role), spelt(&member.role))], step },
        ),
        None => plan.add(at, what, Verdict::Make { says: vec![spelt(&member.role)], step }),
    }
}
