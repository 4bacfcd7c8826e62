//! A fake service: a server that keeps rows, refuses some, asks for pauses and loses answers.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use super::attempt::{check, kind};
use super::failure::Failure;
use super::fake_server::{FakeServer, Recorded, Reply};
use super::world::{AsksForPause, RefusesRows, TakenRow, World};
use crate::destination::Destination;

/// A service of the tests, for services where a row that comes again changes nothing. Its author says how it answers.
pub struct Fake {
    /// Where it listens, and what it was asked.
    pub server: FakeServer,
    shelf: Arc<Mutex<Shelf>>,
    settings: Value,
    match_keys: Vec<&'static str>,
}

/// What a fake service keeps, and how it behaves.
#[derive(Debug, Default)]
pub struct Shelf {
    /// The rows that it took.
    pub taken: BTreeSet<TakenRow>,
    refused: BTreeSet<TakenRow>,
    pause: Option<Duration>,
    lost: usize,
}

impl Shelf {
    /// Takes rows, apart from those that it was told to refuse, of which it gives the places.
    pub fn take(&mut self, rows: impl IntoIterator<Item = TakenRow>) -> Vec<usize> {
        let mut refused = Vec::new();
        for (place, row) in rows.into_iter().enumerate() {
            if self.refused.contains(&row) {
                refused.push(place);
            } else {
                self.taken.insert(row);
            }
        }
        refused
    }

    /// The pause to ask for now, once.
    pub fn pause(&mut self) -> Option<Duration> {
        self.pause.take()
    }

    /// The pause to ask for now, once, as 429 with `Retry-After`.
    pub fn too_many(&mut self) -> Option<Reply> {
        let pause = self.pause()?;
        Some(Reply::status(429).header("retry-after", &pause.as_secs().to_string()))
    }
}

impl Fake {
    /// A service that answers with `answer`. `settings` are those of the destination, given the server's address.
    ///
    /// # Errors
    /// As [`FakeServer::start`].
    pub fn new(
        settings: impl FnOnce(&str) -> Value,
        mut answer: impl FnMut(&mut Shelf, &Recorded) -> Reply + Send + 'static,
    ) -> io::Result<Self> {
        let (server, shelf) = (FakeServer::start()?, Arc::new(Mutex::new(Shelf::default())));
        let kept = shelf.clone();
        server.otherwise(move |request| {
            let mut shelf = lock(&kept);
            let before = shelf.taken.len();
            let reply = answer(&mut shelf, request);
            if shelf.lost > 0 && shelf.taken.len() > before {
                shelf.lost -= 1;
                return Reply::cut();
            }
            reply
        });
        let settings = settings(&server.url(""));
        Ok(Self { server, shelf, settings, match_keys: vec!["hashed_email", "hashed_phone"] })
    }

    /// The same, which loses so many answers after it took the rows.
    #[must_use]
    pub fn losing(self, answers: usize) -> Self {
        self.shelf().lost = answers;
        self
    }

    /// The same, for a destination that takes these match keys.
    #[must_use]
    pub fn knowing(self, match_keys: &[&'static str]) -> Self {
        Self { match_keys: match_keys.to_vec(), ..self }
    }

    /// The same with another value of one setting.
    #[must_use]
    pub fn with(mut self, setting: &str, value: Value) -> Self {
        self.settings[setting] = value;
        self
    }

    /// What it keeps.
    pub fn shelf(&self) -> MutexGuard<'_, Shelf> {
        lock(&self.shelf)
    }
}

/// Settings that cannot be are refused as `Config`, without anything being sent: these, one that does not exist, and a
/// proxy that is none.
///
/// # Errors
/// [`Failure::Settings`] for the first that is not.
pub fn prove_refused<D: Destination>(
    mut new_fake: impl FnMut() -> Fake,
    settings: impl IntoIterator<Item = (&'static str, Value)>,
) -> Result<(), Failure> {
    let always = [("no_such_setting", Value::Null), ("proxy", json!({"url": "ftp://proxy.luma.example"}))];
    for (setting, value) in settings.into_iter().chain(always) {
        let told = format!("`{setting}` as {value}");
        let fake = new_fake().with(setting, value);
        let outcome = kind(&check::<D, _>(&fake));
        let requests = fake.server.requests().len();
        if outcome != "CONFIG" || requests > 0 {
            let reason = format!("{told} was answered with {outcome} after {requests} requests");
            return Err(Failure::Settings { reason });
        }
    }
    Ok(())
}

/// The shelf also after a test's function panicked over it: that test fails by itself.
fn lock(shelf: &Mutex<Shelf>) -> MutexGuard<'_, Shelf> {
    shelf.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World for Fake {
    fn settings(&self) -> Value {
        self.settings.clone()
    }

    fn taken(&self) -> Result<Vec<TakenRow>, String> {
        Ok(self.shelf().taken.iter().cloned().collect())
    }

    fn match_keys(&self) -> Vec<&'static str> {
        self.match_keys.clone()
    }
}

impl AsksForPause for Fake {
    fn ask_for_pause(&self, pause: Duration) {
        self.shelf().pause = Some(pause);
    }
}

impl RefusesRows for Fake {
    fn refuse(&self, rows: &[TakenRow]) {
        self.shelf().refused = rows.iter().cloned().collect();
    }
}
