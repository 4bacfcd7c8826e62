//! Subtraction: the same known people with and without a target, several times over, read in everything that an answer
//! says: estimates, standard errors, percentages, shares, the index, the union, and how long it took.

use super::{
    attacker::{Answers, Attacker, Reading, alone},
    evidence::Evidence,
    pads::{PADS, WITH_PHONES, pad},
    world::{Rows, World},
};

/// A file with an audience for each subject alone, after what is in it already.
pub fn csv(mut file: Rows, world: &World, subjects: &[usize]) -> String {
    subjects.iter().for_each(|s| file.push(world.subjects[*s].person, &alone(world, *s)));
    file.csv
}

pub async fn run(attacker: &Attacker, world: &World, subjects: &[usize], evidence: &mut Evidence) {
    let mut seconds = vec![0.0; subjects.len()];
    for number in 0..PADS {
        let questions = subjects.iter().map(|s| vec![pad(number), alone(world, *s)]).collect();
        let answers = attacker.ask_all(questions).await;
        seconds.iter_mut().zip(&answers).for_each(|(sum, answer)| *sum += answer.seconds);
        for place in 0..=world.all() {
            let mut put = |attack, value: &dyn Fn(&Reading) -> f64| {
                let values: Vec<f64> = answers.iter().map(|a| value(&a.places[place])).collect();
                evidence.put((attack, number), place, subjects, &values);
            };
            put("subtraction", &|r| r.identities.unwrap_or(0.0));
            put("standard error", &|r| r.standard_error);
            put("percentage", &|r| r.percentage);
            if place != world.all() {
                put("index", &|r| r.index);
            }
            if number == WITH_PHONES {
                put("share", &|r| r.share);
            }
        }
        put_differences(evidence, world, subjects, number, &answers);
    }
    for place in 0..=world.all() {
        evidence.put(("time to answer", 0), place, subjects, &seconds);
    }
}

/// Private audiences by difference: all audiences without the union of those that are seen.
fn put_differences(evidence: &mut Evidence, world: &World, subjects: &[usize], number: usize, answers: &[Answers]) {
    let identities = |r: &Reading| r.identities.unwrap_or(0.0);
    let union: Vec<f64> = answers.iter().map(|a| identities(&a.union)).collect();
    let private =
        answers.iter().zip(&union).map(|(a, union)| identities(&a.places[world.all()]) - union).collect::<Vec<_>>();
    for place in 0..=world.all() {
        evidence.put(("union", number), place, subjects, &union);
    }
    evidence.put(("difference", number), world.all(), subjects, &private);
}
