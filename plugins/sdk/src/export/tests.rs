#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, and one of the plugins panics")]

use std::cell::Cell;
use std::collections::BTreeMap;
use std::mem::size_of;
use std::ptr;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::table;
use crate::abi::{DestinationTable, TableError};
use crate::caller::{CallError, Plugin};
use crate::destination::{Delivery, Description, Destination, Operator, Progress, Rejected, Repeats, Written};
use crate::error::DestinationError;
use crate::renewal::{RefreshToken, renewed};
use crate::rows::Rows;
use crate::secret::Secret;
use crate::testkit::{Failure, TakenRow, Trouble, World, deliver, plugin, prove, sample_rows};

/// What every memory destination took, by the name of its world and by batch key.
type Shelves = BTreeMap<String, BTreeMap<String, Vec<TakenRow>>>;
static SHELVES: LazyLock<Mutex<Shelves>> = LazyLock::new(Mutex::default);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The world's name.
    world: String,
    /// What goes wrong.
    #[serde(default)]
    fault: String,
    /// What nobody reads.
    #[expect(dead_code, reason = "only its schema and its errors matter")]
    token: Option<Secret<String>>,
}

/// Keeps what it takes in memory, by key. As `FORGETFUL` it ignores the key and takes everything as new, which it admits
/// only where it is `HONEST`.
struct Memory<const FORGETFUL: bool, const HONEST: bool = false> {
    settings: Settings,
    state: Vec<u8>,
}

impl<const FORGETFUL: bool, const HONEST: bool> Destination for Memory<FORGETFUL, HONEST> {
    const ID: &'static str = "memory";
    const NAME: &'static str = "Memory";
    const SUMMARY: &'static str = "Keeps rows in memory.";
    const VERSION: &'static str = "1.2.3";
    const REPEATS: Repeats = if HONEST { Repeats::PossiblyTwice } else { Repeats::TakenOnce };
    type Settings = Settings;

    async fn check(settings: Settings, _: Operator) -> Result<(), DestinationError> {
        match settings.fault.as_str() {
            "auth" => Err(DestinationError::Auth("the token\nis wrong".to_owned())),
            "rate" => Err(DestinationError::RateLimited {
                after: Some(Duration::from_millis(1500)),
                message: "slow down".to_owned(),
            }),
            "panic" => panic!("as asked"),
            "renew" => {
                assert!(renewed(&token("one")));
                Ok(())
            }
            "renew and fail" => {
                assert!(renewed(&token("one")) && renewed(&token("two")));
                Err(DestinationError::Transient("not now".to_owned()))
            }
            _ => Ok(()),
        }
    }

    async fn open(settings: Settings, _: Operator, delivery: Delivery) -> Result<Self, DestinationError> {
        Ok(Self { settings, state: delivery.state })
    }

    async fn write(
        &mut self,
        sequence: u64,
        key: &str,
        rows: arrow_array::RecordBatch,
    ) -> Result<Written, DestinationError> {
        // The runtime must be there for the author's own awaiting.
        tokio::time::sleep(Duration::from_micros(1)).await;
        let mut written = Written { accepted: rows.num_rows() as u64, ..Written::default() };
        match self.settings.fault.as_str() {
            "panic" => panic!("as asked"),
            "big state" => written.state = vec![0; 65 * 1024],
            "too many" => written.accepted += 1,
            "renew" => assert!(renewed(&token("three"))),
            "unknown row" | "row twice" => {
                let row = if self.settings.fault == "row twice" { 0 } else { 1000 };
                let rejected = Rejected { row, code: "NO".to_owned(), reason: "No.".to_owned() };
                written.rejected = vec![rejected.clone(), rejected];
                written.accepted = 0;
            }
            _ => {
                self.state.push(1);
                written.state.clone_from(&self.state);
            }
        }
        let rows: Vec<TakenRow> = Rows::read(&rows)?
            .iter()
            .map(|row| TakenRow { match_key: row.match_key.to_owned(), identity: *row.identity, change: row.change })
            .collect();
        let mut shelves = SHELVES.lock().unwrap();
        let shelf = shelves.entry(self.settings.world.clone()).or_default();
        let name = if FORGETFUL { format!("{sequence} {}", shelf.len()) } else { key.to_owned() };
        shelf.insert(name, rows);
        Ok(written)
    }

    async fn poll(&mut self) -> Result<Progress, DestinationError> {
        Ok(Progress { state: Some(self.state.clone()), ..Progress::default() })
    }

    async fn finish(&mut self) -> Result<(), DestinationError> {
        Ok(())
    }
}

fn token(text: &str) -> RefreshToken {
    RefreshToken::new(text).unwrap()
}

struct MemoryWorld(String);

impl MemoryWorld {
    fn new() -> Self {
        thread_local!(static COUNT: Cell<u64> = const { Cell::new(0) });
        let number = COUNT.replace(COUNT.get() + 1);
        Self(format!("{:?} {number}", std::thread::current().id()))
    }
}

impl World for MemoryWorld {
    fn settings(&self) -> Value {
        json!({"world": self.0})
    }

    fn taken(&self) -> Result<Vec<TakenRow>, String> {
        let shelves = SHELVES.lock().unwrap();
        Ok(shelves.get(&self.0).into_iter().flat_map(BTreeMap::values).flatten().cloned().collect())
    }
}

fn faulty(fault: &str) -> Value {
    json!({"world": fault, "fault": fault})
}

fn write_with(fault: &str) -> Result<Written, CallError> {
    let plugin = plugin::<Memory<false>>().unwrap();
    let mut session = plugin.open(&faulty(fault), &Operator::default(), &Delivery::default())?;
    let batch = crate::rows::batch([]).unwrap();
    let first = session.write(1, "key", &batch);
    if first == Err(CallError::Panicked) {
        assert_eq!(session.finish(), Err(CallError::Panicked), "a session that panicked is not called again");
    }
    first
}

mod contract {
    crate::contract_tests!(super::Memory<false>, super::MemoryWorld::new());
}

mod contract_of_an_honest_one {
    crate::contract_tests!(super::Memory<true, true>, super::MemoryWorld::new());
}

#[test]
fn the_test_kit_sees_a_batch_that_is_taken_twice() {
    let failure = prove::<Memory<true>, _>(MemoryWorld::new).unwrap_err();
    let Failure::Difference { trouble, difference, .. } = failure else { panic!("{failure}") };
    assert_eq!((trouble, difference.missing, difference.surplus), (Trouble::EveryBatchAgain, 0, 97));
}

#[test]
fn a_plugin_that_does_not_say_is_not_trusted_to_take_batches_once() {
    let old = json!({"id": "old", "name": "Old", "summary": "Old.", "version": "1", "settings": {}});
    assert_eq!(serde_json::from_value::<Description>(old).unwrap().repeats, Repeats::PossiblyTwice);
    let described = plugin::<Memory<false>>().unwrap().describe().unwrap();
    assert_eq!(serde_json::to_value(described).unwrap()["repeats"], "TAKEN_ONCE");
}

proptest! {
    #[test]
    fn any_split_at_all(count in 0_usize..300, split in prop::collection::vec(0_usize..80, 0..8)) {
        for trouble in [Trouble::None, Trouble::EveryBatchAgain, Trouble::CrashAfterEveryBatch] {
            deliver::<Memory<false>, _>(&MemoryWorld::new(), &sample_rows(count), &split, trouble).unwrap();
        }
    }
}

#[test]
fn it_describes_itself() {
    let description = plugin::<Memory<false>>().unwrap().describe().unwrap();
    assert_eq!((description.id.as_str(), description.version.as_str()), ("memory", "1.2.3"));
    assert_eq!(description.settings["properties"]["world"]["description"], "The world's name.");
    assert_eq!(description.settings["properties"]["token"]["writeOnly"], true);
}

#[test]
fn errors_keep_their_kind() {
    let plugin = plugin::<Memory<false>>().unwrap();
    let check = |settings: Value| plugin.check(&settings, &Operator::default());
    assert_eq!(check(faulty("")), Ok(()));
    assert_eq!(check(faulty("auth")), Err(DestinationError::Auth("the token is wrong".to_owned()).into()));
    let limited =
        DestinationError::RateLimited { after: Some(Duration::from_millis(1500)), message: "slow down".to_owned() };
    assert_eq!(check(faulty("rate")), Err(limited.into()));
    assert_eq!(check(faulty("panic")), Err(CallError::Panicked));
}

#[test]
fn a_refresh_token_goes_along_with_every_answer() {
    let plugin = plugin::<Memory<false>>().unwrap();
    let check = |fault: &str| plugin.check(&faulty(fault), &Operator::default()).is_ok();
    assert_eq!((check(""), plugin.renewed()), (true, None));
    assert_eq!((check("renew"), plugin.renewed(), plugin.renewed()), (true, Some(token("one")), None));
    assert_eq!((check("renew and fail"), plugin.renewed()), (false, Some(token("two"))));
    let mut session = plugin.open(&faulty("renew"), &Operator::default(), &Delivery::default()).unwrap();
    let written = session.write(1, "key", &crate::rows::batch([]).unwrap()).unwrap();
    assert_eq!((written.accepted, plugin.apart().renewed(), plugin.renewed()), (0, None, Some(token("three"))));
}

#[test]
fn wrong_settings_are_said_without_their_values() {
    let plugin = plugin::<Memory<false>>().unwrap();
    for (settings, expected) in [
        (json!({"world": "w", "token": 7_654_321}), "a value of the wrong type, expected a string"),
        (json!({"world": ["hunter2, expected x"]}), "a value of the wrong type, expected a string"),
        (json!({"wrold": "w"}), "unknown field `wrold`"),
        (json!({}), "missing field `world`"),
        (json!(["hunter2"]), "not an object"),
    ] {
        let Err(CallError::Destination(DestinationError::Config(message))) =
            plugin.check(&settings, &Operator::default())
        else {
            panic!("{settings} was not refused as it should be")
        };
        assert!(message.contains(expected), "{message}");
        assert!(!message.contains("7654321") && !message.contains("hunter2"), "{message}");
    }
}

#[test]
fn a_panic_does_not_cross_the_boundary() {
    assert_eq!(write_with("panic"), Err(CallError::Panicked));
}

#[test]
fn answers_that_cannot_be_right_are_refused() {
    assert!(matches!(write_with("big state"), Err(CallError::Destination(DestinationError::Permanent(_)))));
    for fault in ["too many", "unknown row", "row twice"] {
        assert!(matches!(write_with(fault), Err(CallError::Malformed(_))), "{fault}");
    }
}

#[test]
fn a_batch_of_another_shape_is_the_batchs_fault() {
    let plugin = plugin::<Memory<false>>().unwrap();
    let mut session = plugin.open(&faulty("shape"), &Operator::default(), &Delivery::default()).unwrap();
    let column: arrow_array::ArrayRef = Arc::new(arrow_array::StringArray::from(vec!["x"]));
    let batch = arrow_array::RecordBatch::try_from_iter([("other", column)]).unwrap();
    let error = session.write(1, "key", &batch).unwrap_err();
    assert!(matches!(error, CallError::Destination(DestinationError::Payload(_))), "{error}");
}

fn read(table: &DestinationTable) -> Result<DestinationTable, TableError> {
    // SAFETY: the table is a whole one; what it says about its size is at most its size.
    unsafe { DestinationTable::read(table) }
}

#[test]
fn tables_that_are_none_are_refused() {
    let good = *table::<Memory<false>>();
    assert!(read(&good).is_ok());
    // SAFETY: a null pointer is allowed.
    assert_eq!(unsafe { DestinationTable::read(ptr::null()) }.unwrap_err(), TableError::NoTable);
    assert_eq!(read(&DestinationTable { magic: 1, ..good }).unwrap_err(), TableError::WrongMagic);
    assert_eq!(read(&DestinationTable { version: 2, ..good }).unwrap_err(), TableError::WrongVersion(2));
    assert_eq!(read(&DestinationTable { size: good.size - 8, ..good }).unwrap_err(), TableError::TooShort(8));
    assert_eq!(read(&DestinationTable { size: 0, ..good }).unwrap_err(), TableError::TooShort(good.size));
    assert_eq!(read(&DestinationTable { poll: None, ..good }).unwrap_err(), TableError::Missing("poll"));
    // SAFETY: the table is refused before any of its functions is called.
    assert!(unsafe { Plugin::from_table(&DestinationTable { close: None, ..good }) }.is_err());
}

#[test]
fn a_longer_table_of_a_later_day_is_read() {
    #[repr(C)]
    struct Longer {
        table: DestinationTable,
        appended: u64,
    }
    let mut longer = Longer { table: *table::<Memory<false>>(), appended: u64::MAX };
    longer.table.size = size_of::<Longer>() as u32;
    assert_eq!(longer.appended, u64::MAX);
    // SAFETY: the table is as long as it says.
    let plugin = unsafe { Plugin::from_table(ptr::from_ref(&longer).cast()) }.unwrap();
    assert_eq!(plugin.describe().unwrap().id, "memory");
}
