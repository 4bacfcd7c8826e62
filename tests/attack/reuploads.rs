//! Averaging over re-uploads: random halves of the targets, uploaded again and again, and the linear equations of all
//! answers solved by least squares (Dinur and Nissim, 2003).

use super::{
    algebra,
    attacker::{Answers, Attacker},
    evidence::Evidence,
    pads::{PADS, pad},
    world::{Rows, World},
};
use rand::{RngExt, rngs::StdRng};

/// Files that are uploaded, one after the other into the same data connection.
const UPLOADS: usize = PADS;
/// Equations for each unknown.
const EQUATIONS: usize = 2;

pub async fn run(
    attacker: &mut Attacker,
    world: &World,
    subjects: &[usize],
    random: &mut StdRng,
    evidence: &mut Evidence,
) {
    let halves = (EQUATIONS * subjects.len()).div_ceil(UPLOADS);
    let mut data_connection: Option<String> = None;
    let (mut equations, mut answers): (Vec<Vec<f64>>, Vec<Answers>) = (vec![], vec![]);
    for upload in 0..UPLOADS {
        let mut file = Rows::new();
        for half in 0..halves {
            let is_in: Vec<bool> = subjects.iter().map(|_| random.random()).collect();
            for (subject, _) in subjects.iter().zip(&is_in).filter(|(_, is_in)| **is_in) {
                file.push(world.subjects[*subject].person, &name(half));
            }
            // The last unknown is what the pad alone reads.
            let mut equation: Vec<f64> = is_in.into_iter().map(f64::from).collect();
            equation.extend((0..UPLOADS).map(|u| f64::from(u == upload)));
            equations.push(equation);
        }
        match &data_connection {
            Some(data_connection) => attacker.refresh(data_connection, file.csv).await,
            None => data_connection = Some(attacker.source(file.csv).await),
        }
        answers.extend(attacker.ask_all((0..halves).map(|half| vec![pad(upload), name(half)]).collect()).await);
    }
    if let Some(data_connection) = data_connection {
        attacker.delete(&data_connection).await;
    }
    let normal = algebra::normal_equations(&equations);
    for place in 0..=world.all() {
        let read: Vec<f64> = answers.iter().map(|a| a.places[place].identities.unwrap_or(0.0)).collect();
        let solved = normal.solve(&read);
        evidence.put(("least squares", 0), place, subjects, &solved[..subjects.len()]);
    }
}

fn name(half: usize) -> String {
    format!("half {half}")
}
