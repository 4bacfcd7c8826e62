//! Applying a plan. Steps that follow from steps are planned again from what is there then, so that an apply that was
//! stopped and one that was not end alike.

use super::{
    api::{Api, ApiError, Mutation, UserError, in_the_file},
    format::With,
    plan::{Entry, Plan, Planning, Step, Verdict},
    present::Present,
    source::{Source, Wrong},
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{cell::RefCell, collections::BTreeMap};

/// The most times that it is planned: accounts, then what hangs below them, then each step of a connection between two
/// of them.
const ROUNDS: u32 = 16;

/// Why something was not applied.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The gateway did not say what is there.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The gateway did not answer, or with an error, when it was to do something.
    #[error("{at}: {error}; applying again goes on from there")]
    Stopped { at: String, error: ApiError },
    /// The file cannot be applied.
    #[error(transparent)]
    Wrong(#[from] Wrong),
    /// It refused some of it; each was told.
    #[error("the gateway refused {0} of what the file says; the rest is done, and applying again goes on from there")]
    Refused(usize),
    /// What is there changes all the time.
    #[error("there was always something to do; is somebody else changing the same?")]
    Endless,
}

/// A file and the gateway that it is applied to.
pub struct Applying {
    pub api: Api,
    pub source: Source,
    pub send_secrets: bool,
    /// The collaborators whose connect codes the file refers to, or why there are none, by their places.
    holders: RefCell<BTreeMap<String, Result<String, String>>>,
    /// How often each mutation was asked, by a digest.
    pressed: RefCell<BTreeMap<String, u32>>,
}

impl Applying {
    /// A file, and the gateway that it is for.
    pub fn new(api: Api, source: Source, send_secrets: bool) -> Self {
        Self { api, source, send_secrets, holders: RefCell::default(), pressed: RefCell::default() }
    }

    /// Compares the file with what is there.
    pub async fn plan(&self) -> Result<Plan, ApiError> {
        self.planned(self.send_secrets).await
    }

    async fn planned(&self, send_secrets: bool) -> Result<Plan, ApiError> {
        let names: Vec<_> = self.source.set_up.accounts.iter().map(|account| account.name.as_str()).collect();
        let present = Present::read(&self.api, Some(&names)).await?;
        self.ask_for_holders(&present).await?;
        let holders = &*self.holders.borrow();
        Ok(Planning { source: &self.source, present: &present, holders, send_secrets }.plan())
    }

    /// Asks whose the connect codes of the file are, each once: a gateway answers that a few times a minute only.
    async fn ask_for_holders(&self, present: &Present) -> Result<(), ApiError> {
        let query = "query($a: ID!, $code: String!) { connectCodeHolder(accountId: $a, connectCode: $code) { id } }";
        for (i, account) in self.source.set_up.accounts.iter().enumerate() {
            let Some(there) = present.accounts.get(&account.name) else { continue };
            for (j, connection) in account.connections.iter().enumerate() {
                let With::ConnectCode(reference) = &connection.with else { continue };
                let place = format!("accounts[{i}].connections[{j}]");
                if self.holders.borrow().contains_key(&place) {
                    continue;
                }
                let holder = match self.source.secret(reference) {
                    Err(why) => Err(why),
                    Ok(code) => match self.api.ask(query, &json!({ "a": there.profile.id, "code": code })).await {
                        Ok(data) => Ok(data["connectCodeHolder"]["id"].as_str().unwrap_or_default().to_owned()),
                        Err(ApiError::Refused { code, message }) => Err(format!("{message} ({code})")),
                        Err(other) => return Err(other),
                    },
                };
                self.holders.borrow_mut().insert(place, holder);
            }
        }
        Ok(())
    }

    /// Does what a plan says, and what follows from that; what is left then.
    ///
    /// # Errors
    /// Secrets that are missing, before anything is done; refusals, once everything else is done.
    pub async fn apply(&self, mut plan: Plan) -> Result<Plan, ApplyError> {
        self.check_secrets(&plan)?;
        for _ in 0..ROUNDS {
            let mut refused = 0;
            for entry in &plan.entries {
                let Some(step) = entry.step() else { continue };
                let refusals = self.step(entry, step).await.map_err(|stopped| match stopped {
                    ApplyError::Api(error) => ApplyError::Stopped { at: self.source.at(&entry.place), error },
                    other => other,
                })?;
                if refusals.is_empty() {
                    println!("done: {}", entry.done());
                }
                refused += usize::from(!refusals.is_empty());
                for refusal in refusals {
                    eprintln!("{}", self.told(entry, &refusal));
                }
            }
            if refused > 0 {
                return Err(ApplyError::Refused(refused));
            }
            plan = self.planned(false).await?;
            if !plan.has_steps() {
                return Ok(plan);
            }
        }
        Err(ApplyError::Endless)
    }

    async fn step(&self, entry: &Entry, step: &Step) -> Result<Vec<UserError>, ApplyError> {
        Ok(match step {
            Step::Press(mutation, input) => {
                let key = self.key(mutation, input);
                self.api.press(mutation, self.with_secrets(entry, mutation, input)?, key).await?
            }
            Step::Upload(file, mutation, input) => match self.api.upload(&input["accountId"], file).await? {
                Ok(upload) => {
                    let (key, mut input) = (self.key(mutation, input), input.clone());
                    input["uploadId"] = upload;
                    self.api.press(mutation, input, key).await?
                }
                Err(refusals) => refusals,
            },
            Step::Later => Vec::new(),
        })
    }

    /// The idempotency key of a mutation that takes one. It comes from what is asked, so that an apply after one that
    /// was stopped makes nothing twice, though the gateway may still be at it; and from how often this one has asked it,
    /// as what was made before may be gone again.
    fn key(&self, mutation: &Mutation, input: &Value) -> Option<String> {
        let asked = hex::encode(Sha256::digest(format!("{} {input}", mutation.name)));
        let mut pressed = self.pressed.borrow_mut();
        let times = pressed.entry(asked.clone()).or_insert(0);
        *times += 1;
        mutation.takes_key.then(|| format!("{asked}-{times}"))
    }

    fn with_secrets(&self, entry: &Entry, mutation: &Mutation, input: &Value) -> Result<Value, Wrong> {
        let mut input = input.clone();
        if let Some(secrets) = mutation.secrets.and_then(|at| input.pointer_mut(at)) {
            let resolved = self.source.resolved(secrets);
            *secrets = resolved.map_err(|what| Wrong { at: self.source.at(&entry.place), what })?;
        }
        Ok(input)
    }

    /// Makes sure that every secret that will be needed is there, before the first step.
    fn check_secrets(&self, plan: &Plan) -> Result<(), Wrong> {
        for entry in &plan.entries {
            match entry.step() {
                Some(Step::Press(mutation, input)) => drop(self.with_secrets(entry, mutation, input)?),
                Some(_) => {}
                None if matches!(entry.verdict, Verdict::Make { .. }) => self.check_later_secrets(&entry.place)?,
                None => {}
            }
        }
        Ok(())
    }

    /// The secrets of what is made once its account is there.
    fn check_later_secrets(&self, place: &str) -> Result<(), Wrong> {
        for (i, account) in self.source.set_up.accounts.iter().enumerate() {
            let of_destinations = account.destinations.iter().enumerate().map(|(j, destination)| {
                let settings = Value::Object(destination.settings.clone());
                (format!("accounts[{i}].destinations[{j}]"), self.source.resolved(&settings).err())
            });
            let of_data_connections = account.data_connections.iter().enumerate().map(|(j, data_connection)| {
                let settings = data_connection.source.as_ref().map(|source| Value::Object(source.settings.clone()));
                let missing = settings.and_then(|settings| self.source.resolved(&settings).err());
                (format!("accounts[{i}].data_connections[{j}]"), missing)
            });
            let of_connections = account.connections.iter().enumerate().map(|(j, connection)| {
                let missing = match &connection.with {
                    With::ConnectCode(reference) => self.source.secret(reference).err(),
                    With::Account(_) | With::CollaboratorId(_) => None,
                };
                (format!("accounts[{i}].connections[{j}]"), missing)
            });
            let secrets = of_destinations.chain(of_data_connections).chain(of_connections);
            let here = { secrets }.find(|(at, missing)| at == place && missing.is_some());
            if let Some((at, Some(what))) = here {
                return Err(Wrong { at: self.source.at(&at), what });
            }
        }
        Ok(())
    }

    /// A refusal, and where in the file it is about.
    fn told(&self, entry: &Entry, refusal: &UserError) -> String {
        let mut place = entry.place.clone();
        for part in &refusal.field {
            match (part.parse::<usize>(), part.as_str()) {
                (Ok(index), _) => place += &format!("[{index}]"),
                (_, "destinationType") => place += ".type",
                (_, "uploadId") => place += ".upload",
                (_, "invitee") => place += ".with",
                (
                    _,
                    "recurring" | "connectionId" | "dataConnectionId" | "destinationId" | "accountId"
                    | "settingsVersion" | "draftVersion",
                ) => {}
                (_, part) => place += &format!(".{}", spelt_as_in_the_file(part)),
            }
        }
        format!("{}: {} ({})", self.source.at(&place), refusal.message, refusal.code)
    }
}

fn spelt_as_in_the_file(name: &str) -> String {
    match in_the_file(json!({ name: null })) {
        Value::Object(fields) => fields.keys().next().cloned().unwrap_or_default(),
        _ => String::new(),
    }
}
