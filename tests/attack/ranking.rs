//! Ranking against a known audience: known people are weighed against each other until the contested audience and one
//! all of whose members are known change places in the top five; then whether the target tips the scales is read.

use super::{
    attacker::{Answers, Attacker, alone},
    evidence::Evidence,
    pads::{PADS, Steps, WEIGHTS, pad, push_pad},
    subtraction,
    world::{CONTESTED, Rows, World, audience_name},
};

/// What lies on the scales.
struct Scales {
    pad: usize,
    weights: Steps,
}

/// `scout` has all pads and weights; `ranker` uploads one file for each subject.
pub async fn run(
    scout: &mut Attacker,
    ranker: &mut Attacker,
    world: &World,
    subjects: &[usize],
    evidence: &mut Evidence,
) {
    let known: Vec<usize> = subjects.iter().copied().filter(|s| world.subjects[*s].is_known).collect();
    let data_connection = scout.source(subtraction::csv(Rows::new(), world, &known)).await;
    let scales = balance(scout, world, &known).await;
    scout.delete(&data_connection).await;
    let Some(scales) = scales else { return };

    let mut data_connection: Option<String> = None;
    let mut leads = vec![];
    for subject in subjects {
        let mut file = Rows::new();
        push_pad(&mut file, scales.pad, "everybody");
        let weights = scales.weights.rungs().into_iter().flat_map(|rung| rung.people);
        weights.for_each(|person| file.push(person, "everybody"));
        file.push(world.subjects[*subject].person, "everybody");
        match &data_connection {
            Some(data_connection) => ranker.refresh(data_connection, file.csv).await,
            None => data_connection = Some(ranker.source(file.csv).await),
        }
        let ranked = ranker.top_five().await;
        let rank = |audience: usize| ranked.iter().position(|name| *name == audience_name(audience));
        leads.push(f64::from(
            rank(CONTESTED).unwrap_or(ranked.len()) < rank(world.audiences - 1).unwrap_or(ranked.len()),
        ));
    }
    evidence.put(("ranking", 0), CONTESTED, subjects, &leads);
}

/// Looks for a balance that some known people tip and others do not.
async fn balance(scout: &Attacker, world: &World, known: &[usize]) -> Option<Scales> {
    let last_leads = |answers: &Answers| answers.places[world.audiences - 1].index > answers.places[CONTESTED].index;
    for number in 0..PADS {
        let on_scales = |weights: &Steps| [vec![pad(number)], weights.names()].concat();
        let is_over = async |weights: &Steps| last_leads(&scout.ask(&on_scales(weights)).await);
        let Some(just_below) = WEIGHTS.climb(is_over).await else { continue };
        // The target makes up for the weight that let the last one lead, or for one more.
        for weights in [just_below.clone().one_more(), just_below.one_more().one_more()] {
            let with = |subject: &usize| [on_scales(&weights), vec![alone(world, *subject)]].concat();
            let tipped = scout.ask_all(known.iter().map(with).collect()).await;
            let leads = tipped.iter().filter(|answers| last_leads(answers)).count();
            if leads > 0 && leads < known.len() {
                return Some(Scales { pad: number, weights });
            }
        }
    }
    None
}
