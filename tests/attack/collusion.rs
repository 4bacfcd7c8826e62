//! Colluding accounts: another account asks the same in other company.

use super::{
    attacker::{Attacker, alone},
    evidence::Evidence,
    pads::{pad, push_pad},
    subtraction,
    world::{Rows, World},
};

pub async fn run(colluder: &mut Attacker, world: &World, subjects: &[usize], evidence: &mut Evidence) {
    let mut file = Rows::new();
    push_pad(&mut file, 1, &pad(1));
    let data_connection = colluder.source(subtraction::csv(file, world, subjects)).await;
    let questions = subjects.iter().map(|s| vec![pad(1), alone(world, *s)]).collect();
    let answers = colluder.ask_all(questions).await;
    for place in 0..=world.all() {
        let values: Vec<f64> = answers.iter().map(|a| a.places[place].identities.unwrap_or(0.0)).collect();
        evidence.put(("collusion", 0), place, subjects, &values);
    }
    colluder.delete(&data_connection).await;
}
