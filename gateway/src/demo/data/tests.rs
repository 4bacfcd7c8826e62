#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{HashMap, HashSet};
use std::io::Read as _;
use std::sync::LazyLock;

use chrono::{DateTime, TimeDelta, Utc};
use entente_identity::normalise::{Form, Region, Take, identity};
use sha2::{Digest as _, Sha256};

use super::*;

const DEMO: Demo = Demo { seed: 1, campaign_start: NaiveDate::from_ymd_opt(2026, 2, 20).unwrap() };

fn file(name: &str) -> &'static DemoFile {
    FILES.iter().find(|file| file.name == name).unwrap()
}

fn text(name: &str) -> String {
    String::from_utf8(file(name).open(DEMO).flatten().collect()).unwrap()
}

fn records(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines().skip(1).map(|line| line.split(',').collect())
}

/// The audiences of each digest of an address.
type List = HashMap<[u8; 32], HashSet<String>>;

/// A customer list and how many of its rows have an address that is none.
struct Customers {
    list: List,
    bad: usize,
}

impl Customers {
    fn add(&mut self, digest: [u8; 32], audience: &str) {
        self.list.entry(digest).or_default().insert(audience.to_owned());
    }

    fn plain(name: &str) -> Self {
        let mut customers = Self { list: List::new(), bad: 0 };
        for record in records(&text(name)) {
            let email = record[1].trim().to_lowercase();
            match email.split_once('@') {
                Some((local, "example.com" | "example.net" | "example.org")) if local.len() > 5 => {
                    customers.add(Sha256::digest(&email).into(), record[3]);
                }
                _ => customers.bad += usize::from(!email.is_empty()),
            }
        }
        customers
    }

    fn hashed(name: &str) -> Self {
        let mut customers = Self { list: List::new(), bad: 0 };
        for record in records(&text(name)) {
            match hex::decode(record[0]).ok().and_then(|digest| digest.try_into().ok()) {
                Some(digest) => customers.add(digest, record[2]),
                None => customers.bad += 1,
            }
        }
        customers
    }
}

static LUMA: LazyLock<Customers> = LazyLock::new(|| Customers::plain("luma-customers.csv"));
static TV_TUBE: LazyLock<Customers> = LazyLock::new(|| Customers::hashed("tv-tube-subscribers.csv"));

fn shared(one: &List, other: &List) -> f64 {
    one.keys().filter(|digest| other.contains_key(*digest)).count() as f64
}

#[test]
fn every_file_has_the_rows_and_columns_it_says() {
    for file in &FILES {
        let columns = file.columns.split(',').count();
        let text = text(file.name);
        assert_eq!(text.lines().next(), Some(file.columns));
        assert_eq!(text.lines().count(), file.rows as usize + 1, "{}", file.name);
        for line in text.lines() {
            assert_eq!(line.split(',').count(), columns, "{}: {line}", file.name);
            assert!(line.len() < ROW && !line.contains('"'), "{}: {line}", file.name);
        }
    }
}

#[test]
fn reading_and_taking_chunks_give_the_same_file() {
    let file = file("fit-apparel-conversions.csv");
    let mut read = Vec::new();
    let mut stream = file.open(DEMO);
    let mut start = [0; 1_000];
    stream.read_exact(&mut start).unwrap();
    read.extend_from_slice(&start);
    read.extend(stream.next().unwrap());
    stream.read_to_end(&mut read).unwrap();
    assert_eq!(stream.rows_made(), file.rows);
    assert!(read == file.open(DEMO).flatten().collect::<Vec<u8>>());
}

#[test]
fn another_seed_makes_other_people() {
    for file in &FILES {
        let start = |seed| file.open(Demo { seed, ..DEMO }).next().unwrap();
        assert_eq!(start(1), start(1));
        assert_ne!(start(1), start(2));
    }
}

#[test]
fn companies_share_customers() {
    let fit_apparel = Customers::plain("fit-apparel-customers.csv");
    let (luma, tv_tube, fit) = (&LUMA.list, &TV_TUBE.list, &fit_apparel.list);
    assert!((0.33..0.37).contains(&(shared(luma, tv_tube) / luma.len() as f64)));
    assert!((0.23..0.27).contains(&(shared(fit, luma) / fit.len() as f64)));
    for bad in [LUMA.bad, TV_TUBE.bad, fit_apparel.bad] {
        assert!((50..1_000).contains(&bad), "{bad}");
    }
    assert!(luma.len() > 150_000 && tv_tube.len() > 300_000 && fit.len() > 100_000);
}

#[test]
fn the_index_of_audiences_has_every_band() {
    let (luma, tv_tube) = (&LUMA.list, &TV_TUBE.list);
    let index_of = |selection: &dyn Fn(&HashSet<String>) -> bool| {
        let mut hits: HashMap<&str, f64> = HashMap::new();
        let mut sizes: HashMap<&str, f64> = HashMap::new();
        let mut all_hits = 0.0;
        for (digest, audiences) in tv_tube {
            let hit = luma.get(digest).is_some_and(selection);
            all_hits += f64::from(u8::from(hit));
            for audience in audiences {
                *sizes.entry(audience).or_default() += 1.0;
                *hits.entry(audience).or_default() += f64::from(u8::from(hit));
            }
        }
        let all = tv_tube.len() as f64;
        let mut indices: Vec<f64> =
            sizes.iter().map(|(audience, size)| (hits[audience] / all_hits) / (size / all) * 100.0).collect();
        indices.sort_by(f64::total_cmp);
        assert_eq!(indices.len(), 12);
        indices
    };
    for indices in [index_of(&|_| true), index_of(&|audiences| audiences.contains("Running"))] {
        for band in [0.0..60.0, 60.0..80.0, 80.0..120.0, 120.0..140.0, 140.0..1_000.0] {
            assert!(indices.iter().any(|index| band.contains(index)), "none in {band:?} of {indices:?}");
        }
    }
}

#[test]
fn the_gateway_takes_every_phone_number_but_the_bad_ones() {
    let form = Form::HashedPhone { region: Some(Region::US) };
    let hashed: HashSet<String> =
        records(&text("tv-tube-subscribers.csv")).map(|record| record[1].to_lowercase()).collect();
    let (mut numbers, mut found, mut bad) = (0, 0, 0);
    for record in records(&text("luma-customers.csv")).take(50_000) {
        match identity(form, Take::Transform, record[2].as_bytes()) {
            Ok(Some(digest)) => {
                numbers += 1;
                found += u32::from(hashed.contains(&hex::encode(digest.0)));
            }
            Ok(None) => {}
            Err(_) => bad += 1,
        }
    }
    assert!(numbers > 40_000 && (5..100).contains(&bad), "{numbers}, {bad}");
    assert!((0.20..0.30).contains(&(f64::from(found) / f64::from(numbers))), "{found} of {numbers}");
}

#[test]
fn everybody_has_a_phone_number_of_their_own() {
    let areas: HashSet<u16> = people::AREA_CODES.into_iter().collect();
    assert_eq!(areas.len(), people::AREA_CODES.len());
    let numbers: HashSet<(u16, u32)> = (0..people::PEOPLE).map(people::phone).collect();
    assert_eq!(numbers.len(), people::PEOPLE as usize);
    assert!(numbers.iter().all(|&(_, line)| line < 10_000));
    let mut written = Vec::new();
    people::write_phone(77, &mut written);
    assert_eq!(written.len(), "+12025550123".len());
    assert_eq!(&written[5..8], b"555");
}

fn time(text: &str) -> DateTime<Utc> {
    assert!(text.ends_with('Z'));
    text.parse().unwrap()
}

fn start() -> DateTime<Utc> {
    DEMO.campaign_start.and_hms_opt(0, 0, 0).unwrap().and_utc()
}

#[test]
fn exposures_fill_the_days_of_the_campaign() {
    let text = text("tv-tube-exposures.csv");
    let end = start() + TimeDelta::days(i64::from(CAMPAIGN_DAYS));
    let mut last = start();
    let mut days = HashSet::new();
    let mut frequency: HashMap<&str, u32> = HashMap::new();
    let mut kinds: HashMap<&str, u32> = HashMap::new();
    for record in records(&text) {
        let [person, at, campaign, _, _, cost, viewable, kind] = record[..] else { unreachable!() };
        let at = time(at);
        assert!(last <= at && at < end);
        last = at;
        days.insert(at.date_naive());
        *frequency.entry(person).or_default() += 1;
        *kinds.entry(kind).or_default() += 1;
        assert_eq!(campaign, file("tv-tube-exposures.csv").campaign.unwrap().id);
        assert!((0.016..0.034).contains(&cost.parse::<f64>().unwrap()), "{cost}");
        assert!(viewable == "true" || (viewable == "false" && kind == "view"));
    }
    assert_eq!(days.len(), CAMPAIGN_DAYS as usize);
    assert!((100_000..200_000).contains(&frequency.len()), "{}", frequency.len());
    assert!(frequency.values().any(|&times| times == 1) && frequency.values().any(|&times| times > 20));
    assert!(kinds["view"] > kinds["engaged_view"] && kinds["engaged_view"] > kinds["click"], "{kinds:?}");
    assert_eq!(kinds.len(), 3);
}

#[test]
fn conversions_follow_exposures_more_often_than_not() {
    let exposures = text("tv-tube-exposures.csv");
    let mut first_seen: HashMap<&str, DateTime<Utc>> = HashMap::new();
    for record in records(&exposures) {
        first_seen.entry(record[0]).or_insert_with(|| time(record[1]));
    }
    let conversions = text("luma-conversions.csv");
    let end = start() + TimeDelta::days(i64::from(CONVERSION_DAYS));
    let mut after = 0;
    let mut purchases = 0;
    let mut orders = HashSet::new();
    for record in records(&conversions) {
        let at = time(record[1]);
        assert!(start() <= at && at < end);
        let digest = hex::encode(Sha256::digest(record[0]));
        after += u32::from(first_seen.get(digest.as_str()).is_some_and(|seen| *seen <= at));
        let value: f64 = record[3].parse().unwrap();
        purchases += u32::from(record[2] == "purchase");
        assert_eq!(record[2] == "purchase", value > 0.0, "{record:?}");
        orders.insert(record[4]);
    }
    assert!((18_000..28_000).contains(&after), "{after}");
    assert!((28_000..34_000).contains(&purchases), "{purchases}");
    assert_eq!(orders.len(), 39_600);
}
