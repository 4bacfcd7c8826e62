//! `entente plugin check`: what the gateway relies on, tried one by one on a plugin in a worker process.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use entente_destination::{Consent, Description, DestinationError, Operator, Repeats};
use entente_domain::destination_settings::shown;
use serde_json::{Value, json};

use super::Outcome;
use super::settings_schema::{faults, properties, required, types};
use super::target::{self, OperatorOptions};
use crate::destinations::confinement::Reach;
use crate::destinations::contract::{Launcher, Worker, WorkerError};

/// A value of wrong settings, which no message may repeat: it could be a secret.
const MARKER: &str = "n0t-to-be-t0ld";
/// Shorter settings occur in messages by chance.
const MIN_SECRET: usize = 4;

/// What to check.
#[derive(Debug, Args)]
pub struct Check {
    /// The plugin's shared library. Its code is run, in a worker process
    file: PathBuf,
    /// Settings as JSON (`-`: standard input), to be tried against the endpoint as the gateway does before it saves them
    #[arg(long, value_name = "FILE|-")]
    settings: Option<PathBuf>,
    /// The kind of error that the endpoint must bring about with these settings; none: it must take them
    #[arg(long, value_name = "KIND", requires = "settings")]
    expect: Option<Kind>,
    #[command(flatten)]
    operator: OperatorOptions,
}

/// The six kinds of errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// The settings are wrong
    Config,
    /// The endpoint refuses the credentials
    Auth,
    /// The endpoint cannot take the rows
    Payload,
    /// Too many requests
    RateLimited,
    /// The endpoint may work again later
    Transient,
    /// It will never work
    Permanent,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Config => "CONFIG",
            Self::Auth => "AUTH",
            Self::Payload => "PAYLOAD",
            Self::RateLimited => "RATE_LIMITED",
            Self::Transient => "TRANSIENT",
            Self::Permanent => "PERMANENT",
        }
    }
}

impl Check {
    /// Prints the checklist.
    ///
    /// # Errors
    /// Where the plugin fails a check, or a file cannot be read.
    pub fn run(&self) -> Outcome {
        let launcher = target::launcher(&self.file)?;
        let settings = self.settings.as_deref().map(target::settings).transpose()?;
        let operator = self.operator.operator()?;
        println!("{}\nSHA-256 {}\n", self.file.display(), launcher.plugin.hash);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let checklist = runtime.block_on(examine(&launcher, settings.as_ref(), &operator, self.expect));
        match checklist.failed() {
            0 => Ok(()),
            1 => Err("1 check failed".into()),
            failed => Err(format!("{failed} checks failed").into()),
        }
    }
}

/// What was checked, and how it went.
#[derive(Debug, Default)]
pub(super) struct Checklist {
    pub lines: Vec<(String, Result<String, String>)>,
}

impl Checklist {
    fn add(&mut self, what: impl Into<String>, outcome: Result<String, String>) {
        let what = what.into();
        match &outcome {
            Ok(detail) if detail.is_empty() => println!("ok      {what}"),
            Ok(detail) => println!("ok      {what}: {detail}"),
            Err(reason) => println!("FAILED  {what}: {reason}"),
        }
        self.lines.push((what, outcome));
    }

    fn failed(&self) -> usize {
        self.lines.iter().filter(|(_, outcome)| outcome.is_err()).count()
    }
}

/// Tries everything that can be tried with or without good settings.
pub(super) async fn examine(
    launcher: &dyn Launcher,
    settings: Option<&Value>,
    operator: &Operator,
    expect: Option<Kind>,
) -> Checklist {
    let mut list = Checklist::default();
    let Some(description) = describe(launcher, &mut list).await else { return list };
    let operator = description.reaches.of(operator);
    let mut trial = Trial { launcher, operator, worker: None, told: Vec::new() };
    let schema = &description.settings;
    let faults = faults(schema);
    if faults.is_empty() {
        list.add(
            "its settings have a JSON Schema",
            Ok(format!("{} settings, all described", properties(schema).count())),
        );
    }
    faults.into_iter().for_each(|fault| list.add("its settings have a JSON Schema", Err(fault)));
    if let Some(consent) = &description.consent {
        list.add("consent can be asked for", askable(consent));
    }
    refusals(&mut trial, &mut list, schema, settings).await;
    if let Some(settings) = settings {
        list.add("the endpoint is asked", answered(trial.check(settings).await, expect));
    }
    let secrets = settings.map(|settings| secrets(schema, settings)).unwrap_or_default();
    let leak = |message: &String| message.contains(MARKER) || secrets.iter().any(|secret| message.contains(secret));
    let outcome = match trial.told.iter().any(leak) {
        true => Err("a message repeats a value of the settings".to_owned()),
        false => Ok(format!("{} messages", trial.told.len())),
    };
    list.add("no error tells a secret", outcome);
    list
}

async fn describe(launcher: &dyn Launcher, list: &mut Checklist) -> Option<Description> {
    let mut worker = match launcher.launch(&Reach::default()).await {
        Ok(worker) => worker,
        Err(fault) => {
            list.add("it is a plugin", Err(fault.to_string()));
            return None;
        }
    };
    list.add("it is a plugin", Ok("its table has version 1 and every function".to_owned()));
    match worker.describe().await {
        Ok(description) => {
            let Description { id, name, version, repeats, .. } = &description;
            let repeats = match repeats {
                Repeats::TakenOnce => "what is sent again is taken once",
                Repeats::PossiblyTwice => "what is sent again may be taken twice",
            };
            list.add("it describes itself", Ok(format!("`{id}` {version}, \"{name}\"; {repeats}")));
            list.add("it says what it reaches", Ok(target::reaches(&description.reaches)));
            Some(description)
        }
        Err(error) => {
            list.add("it describes itself", Err(error.to_string()));
            None
        }
    }
}

/// Whether consent goes over HTTPS alone. All else about it was looked at with the description.
fn askable(consent: &Consent) -> Result<String, String> {
    let is_plain = |url: &&String| !url.starts_with("https://");
    match [&consent.authorization_url, &consent.token_url].into_iter().find(is_plain) {
        Some(url) => Err(format!("{url} is no address that starts with https://")),
        None => Ok(format!("at {}, into `{}`", consent.authorization_url, consent.refresh_token)),
    }
}

/// Settings that must be refused, and with which kind.
async fn refusals(trial: &mut Trial<'_>, list: &mut Checklist, schema: &Value, settings: Option<&Value>) {
    let base = settings.filter(|settings| settings.is_object()).cloned().unwrap_or_else(|| json!({}));
    for value in [Value::Null, json!([MARKER]), json!(MARKER), json!(7)] {
        let what = format!("settings that are {} are refused", type_of(&value));
        list.add(what, as_config(trial.check(&value).await));
    }
    let mut unknown = base.clone();
    unknown["no_such_setting"] = json!(MARKER);
    list.add("a setting that does not exist is refused", as_config(trial.check(&unknown).await));
    let none = trial.check(&json!({})).await;
    let outcome = match required(schema).next() {
        Some(_) => as_config(none),
        None => as_typed(none),
    };
    list.add("no settings at all are answered", outcome);
    for (name, property) in properties(schema) {
        let Some(value) = of_another_type(&types(schema, property)) else { continue };
        let what = format!("`{name}` as {} is refused", type_of(&value));
        let mut wrong = base.clone();
        wrong[name] = value;
        list.add(what, as_config(trial.check(&wrong).await));
    }
    for name in required(schema).filter(|name| base.get(name).is_some()) {
        let mut without = base.clone();
        without.as_object_mut().map(|fields| fields.remove(name));
        list.add(format!("settings without `{name}` are refused"), as_config(trial.check(&without).await));
    }
}

/// Calls a plugin, in another worker after one is lost, and remembers what it told.
struct Trial<'a> {
    launcher: &'a dyn Launcher,
    operator: Operator,
    worker: Option<Box<dyn Worker>>,
    told: Vec<String>,
}

impl Trial<'_> {
    async fn check(&mut self, settings: &Value) -> Result<(), WorkerError> {
        let mut worker = match self.worker.take() {
            Some(worker) => worker,
            None => self.launcher.launch(&Reach::of(&self.operator)).await?,
        };
        let outcome = worker.check(settings, &self.operator).await;
        if let Err(WorkerError::Destination(error)) = &outcome {
            self.told.push(error.to_string());
        }
        if !matches!(outcome, Err(WorkerError::Fault(_))) {
            self.worker = Some(worker);
        }
        outcome
    }
}

fn as_config(outcome: Result<(), WorkerError>) -> Result<String, String> {
    match outcome {
        Ok(()) => Err("they are taken".to_owned()),
        Err(WorkerError::Destination(error @ DestinationError::Config(_))) => told(&error),
        Err(WorkerError::Destination(error)) => Err(format!("the error is {}, not CONFIG", error.kind())),
        Err(WorkerError::Fault(fault)) => Err(fault.to_string()),
    }
}

fn as_typed(outcome: Result<(), WorkerError>) -> Result<String, String> {
    match outcome {
        Ok(()) => Ok("they are taken".to_owned()),
        Err(WorkerError::Destination(error)) => told(&error),
        Err(WorkerError::Fault(fault)) => Err(fault.to_string()),
    }
}

fn answered(outcome: Result<(), WorkerError>, expect: Option<Kind>) -> Result<String, String> {
    let kind = match &outcome {
        Ok(()) => None,
        Err(WorkerError::Destination(error)) => Some(error.kind()),
        Err(WorkerError::Fault(fault)) => return Err(fault.to_string()),
    };
    if kind == expect.map(Kind::name) {
        return as_typed(outcome)
            .map(|detail| if kind.is_none() { "it takes the settings".to_owned() } else { detail });
    }
    match (outcome, expect) {
        (Err(error), None) => Err(format!("{}: {error}", kind.unwrap_or_default())),
        (Err(error), Some(expect)) => {
            Err(format!("{} was expected, it is {}: {error}", expect.name(), kind.unwrap_or_default()))
        }
        (Ok(()), _) => {
            Err(format!("{} was expected, it takes the settings", expect.map(Kind::name).unwrap_or_default()))
        }
    }
}

/// The error as it is shown to people, who need a message.
fn told(error: &DestinationError) -> Result<String, String> {
    let message = error.to_string();
    match message.trim() {
        "" => Err(format!("{} has no message", error.kind())),
        message => Ok(format!("{}, \"{message}\"", error.kind())),
    }
}

/// A value that has none of these types; none where everything may be.
fn of_another_type(types: &std::collections::BTreeSet<&str>) -> Option<Value> {
    if types.is_empty() {
        return None;
    }
    let values = [json!(MARKER), json!([MARKER]), json!(true), json!({"marker": MARKER})];
    values.into_iter().find(|value| !types.contains(type_of(value)))
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// The texts of settings that are not shown to anybody.
fn secrets(schema: &Value, settings: &Value) -> Vec<String> {
    let (mut all, mut open) = (Vec::new(), Vec::new());
    texts(settings, &mut all);
    texts(&shown(schema, settings), &mut open);
    all.retain(|text| text.len() >= MIN_SECRET && !open.contains(text));
    all
}

fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(values) => values.iter().for_each(|value| texts(value, found)),
        Value::Object(fields) => fields.values().for_each(|value| texts(value, found)),
        _ => {}
    }
}
