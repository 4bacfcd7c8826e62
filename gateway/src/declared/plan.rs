//! What applying a file would do: everything that differs, and what comes of each difference.

use super::{
    account,
    api::Mutation,
    connection, data_connection, destination,
    format::SetUp,
    present::{Present, PresentAccount},
    source::Source,
};
use serde_json::Value;
use std::{collections::BTreeMap, fmt, path::PathBuf};

/// Something that differs, or is not in the file.
#[derive(Debug)]
pub struct Entry {
    /// Where in the file it is: `accounts[0].destinations[1]`. Empty for what is not in it.
    pub place: String,
    /// The account and the thing, such as `"Luma": destination "Landing zone"`.
    pub what: String,
    pub verdict: Verdict,
}

/// What comes of a difference.
#[derive(Debug)]
pub enum Verdict {
    /// It is made.
    Make { says: Vec<String>, step: Step },
    /// It is changed.
    Change { says: Vec<String>, step: Step },
    /// It cannot be: why, and by which rule.
    Cannot(String),
    /// Others have to do something first.
    Waits(String),
    /// It is there and not in the file, and stays.
    NotInTheFile,
}

/// What is done about a difference.
#[derive(Debug)]
pub enum Step {
    /// A mutation, with its input as far as it is known; secrets are references in it still.
    Press(&'static Mutation, Value),
    /// A file is uploaded first, whose id goes into the input.
    Upload(PathBuf, &'static Mutation, Value),
    /// Something else has to be made before, after which it is planned again.
    Later,
}

/// Everything that differs.
#[derive(Debug, Default)]
pub struct Plan {
    pub entries: Vec<Entry>,
}

/// What plans are made from.
pub struct Planning<'a> {
    pub source: &'a Source,
    pub present: &'a Present,
    /// The collaborators whose connect codes the file refers to, or why there are none, by their places.
    pub holders: &'a BTreeMap<String, Result<String, String>>,
    /// Whether secrets of what is there are sent again.
    pub send_secrets: bool,
}

impl Planning<'_> {
    /// Compares a file with what is there.
    pub fn plan(&self) -> Plan {
        let mut plan = Plan::default();
        let SetUp { accounts, .. } = &self.source.set_up;
        for (i, declared) in accounts.iter().enumerate() {
            let place = format!("accounts[{i}]");
            let mut of_account = OfAccount { place, name: &declared.name, plan: &mut plan };
            if self.present.ambiguous.contains(&declared.name) {
                of_account.add("", "account", Verdict::Cannot("several accounts have this name".to_owned()));
                continue;
            }
            let present = self.account(&declared.name);
            if present.is_none() && self.present.is_of_key {
                let why = "it is not the account of the API key; a user's token makes accounts (FORBIDDEN)";
                of_account.add("", "account", Verdict::Cannot(why.to_owned()));
                continue;
            }
            account::plan(&mut of_account, declared, present);
            data_connection::plan(self, &mut of_account, declared, present);
            destination::plan(self, &mut of_account, declared, present);
            connection::plan(self, &mut of_account, declared, present);
        }
        for name in &self.present.other_accounts {
            let what = format!("{name:?}: account");
            plan.entries.push(Entry { place: String::new(), what, verdict: Verdict::NotInTheFile });
        }
        plan
    }

    /// The account of a name, where it is there.
    pub fn account(&self, name: &str) -> Option<&PresentAccount> {
        self.present.accounts.get(name)
    }
}

/// The part of a plan that is about one account.
pub struct OfAccount<'a> {
    place: String,
    name: &'a str,
    plan: &'a mut Plan,
}

impl OfAccount<'_> {
    /// Adds an entry about a part of the account, at `destinations[1]` for example.
    pub fn add(&mut self, at: &str, what: impl fmt::Display, verdict: Verdict) {
        let place = match at {
            "" => self.place.clone(),
            at => format!("{}.{at}", self.place),
        };
        self.plan.entries.push(Entry { place, what: format!("{:?}: {what}", self.name), verdict });
    }

    /// Adds what is there and not in the file.
    pub fn left(&mut self, what: impl fmt::Display) {
        let what = format!("{:?}: {what}", self.name);
        self.plan.entries.push(Entry { place: String::new(), what, verdict: Verdict::NotInTheFile });
    }

    /// Where in the file a part of the account is.
    pub fn place_of(&self, at: &str) -> String {
        format!("{}.{at}", self.place)
    }
}

impl Plan {
    /// Whether there is something that a person has to look at: to make, to change, or that cannot be.
    pub fn differs(&self) -> bool {
        self.entries.iter().any(|entry| !matches!(entry.verdict, Verdict::Waits(_) | Verdict::NotInTheFile))
    }

    /// Whether something can be done now.
    pub fn has_steps(&self) -> bool {
        self.entries.iter().any(|entry| entry.step().is_some())
    }

    /// Whether something is as it cannot be left, and cannot be otherwise.
    pub fn is_stuck(&self) -> bool {
        self.entries.iter().any(|entry| matches!(entry.verdict, Verdict::Cannot(_)))
    }

    /// The plan in words.
    pub fn told(&self, source: &Source) -> String {
        let mut lines = Vec::new();
        let (mut made, mut changed, mut stuck, mut waiting) = (0, 0, 0, 0);
        for Entry { place, what, verdict } in &self.entries {
            match verdict {
                Verdict::Make { says, .. } => {
                    made += 1;
                    lines.push(format!("+ {what}"));
                    lines.extend(says.iter().map(|says| format!("    {says}")));
                }
                Verdict::Change { says, .. } => {
                    changed += 1;
                    lines.push(format!("~ {what}"));
                    lines.extend(says.iter().map(|says| format!("    {says}")));
                }
                Verdict::Cannot(why) => {
                    stuck += 1;
                    lines.push(format!("! {what}\n    cannot be: {why}\n    {}", source.at(place)));
                }
                Verdict::Waits(for_what) => {
                    waiting += 1;
                    lines.push(format!("… {what}\n    waits for {for_what}"));
                }
                Verdict::NotInTheFile => lines.push(format!("  {what}: not in the file, stays as it is")),
            }
        }
        let summary = if self.differs() || waiting > 0 {
            format!("To make: {made}. To change: {changed}. Cannot be: {stuck}. Waits for others: {waiting}.")
        } else {
            "Everything is as the file says.".to_owned()
        };
        lines.push(summary);
        lines.join("\n")
    }
}

impl Entry {
    /// What was done, in a line.
    pub fn done(&self) -> String {
        match &self.verdict {
            Verdict::Change { says, .. } | Verdict::Make { says, .. } if !says.is_empty() => {
                format!("{}: {}", self.what, says[0])
            }
            _ => self.what.clone(),
        }
    }

    /// What can be done now.
    pub fn step(&self) -> Option<&Step> {
        match &self.verdict {
            Verdict::Make { step: Step::Later, .. } | Verdict::Change { step: Step::Later, .. } => None,
            Verdict::Make { step, .. } | Verdict::Change { step, .. } => Some(step),
            _ => None,
        }
    }
}

/// How a difference reads.
pub fn from_to(what: &str, from: impl fmt::Debug, to: impl fmt::Debug) -> String {
    format!("{what}: {from:?} → {to:?}")
}

/// A value as the API spells it: `HASHED_EMAIL`.
pub fn spelt(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(text)) => text,
        Ok(value) => value.to_string(),
        Err(_) => String::new(),
    }
}

/// Match keys, or other values, in one line.
pub fn listed<T: serde::Serialize>(values: &[T]) -> String {
    values.iter().map(|value| named(&serde_json::to_value(value).unwrap_or_default())).collect::<Vec<_>>().join(", ")
}

fn named(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(fields) => fields.values().map(named).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

/// Whether two lists hold the same, in whatever order.
pub fn alike<T: Ord + Clone>(one: &[T], other: &[T]) -> bool {
    let sorted = |list: &[T]| {
        let mut list = list.to_vec();
        list.sort();
        list.dedup();
        list
    };
    sorted(one) == sorted(other)
}
