//! The attacker's judgement: logistic regression over everything that was seen, practised on people whose membership the
//! attacker knows.

use super::{
    algebra,
    evidence::Evidence,
    world::{DELIVERED, World},
};

const ROUNDS: usize = 25;
const RIDGE: f64 = 0.5;

/// How sure the attacker is, from 0 to 1, that each pair of a subject and a place is one of a member.
pub struct Judged {
    pub subject: usize,
    pub place: usize,
    pub sureness: f64,
}

/// Judges all pairs that are in question, by the clues of one attack or, where none is named, by all together.
pub fn judge(world: &World, evidence: &Evidence, attack: Option<&str>) -> Vec<Judged> {
    let mut judged = vec![];
    for is_all in [false, true] {
        let pairs: Vec<(usize, usize)> = (0..world.subjects.len())
            .flat_map(|s| world.questions(s).map(move |place| (s, place)))
            .filter(|(_, place)| (*place == world.all()) == is_all)
            .collect();
        let attacks = evidence.attacks().into_iter().filter(|name| attack.is_none_or(|a| a == *name));
        let attacks: Vec<&str> = attacks.collect();
        let features = |(subject, place): &(usize, usize)| {
            let mut features: Vec<f64> = attacks.iter().map(|name| evidence.mean(name, *subject, *place)).collect();
            if attack.is_none() {
                // What is known about the same person elsewhere.
                features.push(evidence.mean("subtraction", *subject, DELIVERED));
                features.push(evidence.mean("subtraction", *subject, world.all()));
            }
            features
        };
        let mut rows: Vec<Vec<f64>> = pairs.iter().map(features).collect();
        standardise(&mut rows);
        let (known, truth): (Vec<&[f64]>, Vec<f64>) = pairs
            .iter()
            .zip(&rows)
            .filter(|((subject, _), _)| world.subjects[*subject].is_known)
            .map(|((subject, place), row)| (row.as_slice(), f64::from(world.is_member(*subject, *place))))
            .unzip();
        let weights = fit(&known, &truth);
        let targets = pairs.iter().zip(&rows).filter(|((subject, _), _)| !world.subjects[*subject].is_known);
        judged.extend(targets.map(|((subject, place), row)| Judged {
            subject: *subject,
            place: *place,
            sureness: probability(&weights, row),
        }));
    }
    judged
}

/// Brings every column to mean 0 and spread 1, what was not seen to the mean, and appends a constant.
fn standardise(rows: &mut [Vec<f64>]) {
    for column in 0..rows.first().map_or(0, Vec::len) {
        let seen: Vec<f64> = rows.iter().map(|row| row[column]).filter(|v| !v.is_nan()).collect();
        let count = seen.len().max(1) as f64;
        let mean = seen.iter().sum::<f64>() / count;
        let spread = (seen.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / count).sqrt().max(1e-9);
        for row in rows.iter_mut() {
            row[column] = if row[column].is_nan() { 0.0 } else { (row[column] - mean) / spread };
        }
    }
    rows.iter_mut().for_each(|row| row.push(1.0));
}

fn probability(weights: &[f64], row: &[f64]) -> f64 {
    let sum: f64 = weights.iter().zip(row).map(|(w, v)| w * v).sum();
    1.0 / (1.0 + (-sum).exp())
}

/// Newton's method on the penalised likelihood.
fn fit(rows: &[&[f64]], truth: &[f64]) -> Vec<f64> {
    let width = rows.first().map_or(0, |row| row.len());
    let mut weights = vec![0.0; width];
    for _ in 0..ROUNDS {
        let mut gradient: Vec<f64> = weights.iter().map(|w| -RIDGE * w).collect();
        let mut curvature = vec![vec![0.0; width]; width];
        for (row, truth) in rows.iter().zip(truth) {
            let p = probability(&weights, row);
            gradient.iter_mut().zip(*row).for_each(|(sum, value)| *sum += (truth - p) * value);
            for (i, of_i) in curvature.iter_mut().enumerate() {
                let scale = (p * (1.0 - p)).max(1e-6) * row[i];
                of_i.iter_mut().zip(&row[..=i]).for_each(|(sum, value)| *sum += scale * value);
            }
        }
        (0..width).for_each(|i| curvature[i][i] += RIDGE);
        let step = algebra::solve(&algebra::cholesky(curvature), gradient);
        weights.iter_mut().zip(step).for_each(|(weight, step)| *weight += step.clamp(-2.0, 2.0));
    }
    weights
}
