//! Complement: everybody but the target.

use super::{
    attacker::{Attacker, alone},
    evidence::Evidence,
    pads::pad,
    world::{Rows, World},
};

/// Subjects in an audience: who is left out is left out of its own only.
const GROUP: usize = 12;

fn group(subjects: &[usize]) -> String {
    format!("group of {}", subjects[0])
}

/// Adds audiences of groups, beside which there are those of each subject alone.
pub fn push(file: &mut Rows, world: &World, subjects: &[usize]) {
    for together in subjects.chunks(GROUP) {
        together.iter().for_each(|s| file.push(world.subjects[*s].person, &group(together)));
    }
}

pub async fn run(attacker: &Attacker, world: &World, subjects: &[usize], evidence: &mut Evidence) {
    let all_but = |left_out: &usize| {
        let (own, others): (Vec<_>, Vec<_>) = subjects.chunks(GROUP).partition(|together| together.contains(left_out));
        let neighbours = own.concat().into_iter().filter(|s| s != left_out).map(|s| alone(world, s));
        neighbours.chain(others.into_iter().map(group)).collect::<Vec<_>>()
    };
    let questions = subjects.iter().map(|s| [vec![pad(0)], all_but(s)].concat()).collect();
    let answers = attacker.ask_all(questions).await;
    for place in 0..=world.all() {
        let values: Vec<f64> = answers.iter().map(|a| a.places[place].identities.unwrap_or(0.0)).collect();
        evidence.put(("complement", 0), place, subjects, &values);
    }
}
