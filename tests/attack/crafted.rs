//! Crafted hashes: values that differ from the target's in the first or the last bytes, or in the case of their digits,
//! in the hope that they share its place in the index and have coins of their own, which would average out.

use super::{
    attacker::{Attacker, alone},
    evidence::Evidence,
    pads::pad,
    world::{Rows, World},
};
use crate::people::{digest, email};

const WAYS: [&str; 3] = ["first bytes", "last bytes", "upper case"];
/// The values that are tried of each target.
const TRIES: usize = 5;

fn crafted(world: &World, subject: usize, way: &str) -> String {
    format!("{way} of {}", alone(world, subject))
}

fn values(target: &str, way: &str) -> Vec<String> {
    let other = digest(target);
    match way {
        "first bytes" => (0..TRIES).map(|n| format!("{}{}", &target[..16 + 8 * n], &other[16 + 8 * n..])).collect(),
        "last bytes" => (0..TRIES).map(|n| format!("{}{}", &other[..16 + 8 * n], &target[16 + 8 * n..])).collect(),
        _ => vec![target.to_owned(), target.to_uppercase()],
    }
}

fn csv(world: &World, subjects: &[usize]) -> String {
    let mut file = Rows::new();
    for subject in subjects {
        let target = digest(&email(world.subjects[*subject].person));
        for way in WAYS {
            values(&target, way).iter().for_each(|value| file.push_digest(value, &crafted(world, *subject, way)));
        }
    }
    file.csv
}

pub async fn run(attacker: &mut Attacker, world: &World, subjects: &[usize], evidence: &mut Evidence) {
    let data_connection = attacker.source(csv(world, subjects)).await;
    for (number, way) in WAYS.iter().enumerate() {
        let questions = subjects.iter().map(|s| vec![pad(number), crafted(world, *s, way)]).collect();
        let answers = attacker.ask_all(questions).await;
        for place in 0..=world.all() {
            let values: Vec<f64> = answers.iter().map(|a| a.places[place].identities.unwrap_or(0.0)).collect();
            evidence.put(("crafted hashes", number), place, subjects, &values);
        }
    }
    attacker.delete(&data_connection).await;
}
