//! Padding to the threshold: known people are added until one more would lift the answer over it; then whether the
//! target does is read from "below threshold", and from whether a send is refused.

use super::{
    attacker::{Answers, Attacker, alone},
    evidence::Evidence,
    pads::{BASES, FILLERS, Steps, base, push_base},
    world::{Aim, CONTESTED, Rows, World},
};
use futures::{StreamExt, stream};
use serde_json::json;

/// For the contested audience and for all audiences, people of whom just too few show.
pub struct Threshold(Vec<Padding>);

struct Padding {
    aim: Aim,
    place: usize,
    base: usize,
    fillers: Steps,
}

impl Padding {
    fn names(&self) -> Vec<String> {
        [vec![base(self.base)], self.fillers.names()].concat()
    }
}

impl Threshold {
    /// Looks for the point at which one more known person makes the difference.
    pub async fn find(attacker: &Attacker, world: &World) -> Self {
        let mut found = vec![];
        for (aim, place) in [(Aim::Audiences, CONTESTED), (Aim::All, world.all())] {
            // Rounding may hide the difference that one makes; in other company it does not.
            for base in 0..BASES.len() {
                let with = |fillers: &Steps| Padding { aim, place, base, fillers: fillers.clone() };
                let is_over = async |fillers: &Steps| {
                    attacker.ask(&with(fillers).names()).await.places[place].identities.is_some()
                };
                found.extend(FILLERS.climb(is_over).await.map(|fillers| with(&fillers)));
            }
        }
        Self(found)
    }

    pub async fn run(&self, attacker: &Attacker, world: &World, subjects: &[usize], evidence: &mut Evidence) {
        for padding in &self.0 {
            let asked = |subject: &usize| world.subjects[*subject].aim == padding.aim;
            let subjects: Vec<_> = subjects.iter().copied().filter(asked).collect();
            let padded = |subject: &usize| [padding.names(), vec![alone(world, *subject)]].concat();
            let answers = attacker.ask_all(subjects.iter().map(padded).collect()).await;
            let is_read = |a: &Answers| f64::from(a.places[padding.place].identities.is_some());
            let read: Vec<f64> = answers.iter().map(is_read).collect();
            evidence.put(("padding to the threshold", padding.base), padding.place, &subjects, &read);
        }
    }

    /// The same with sends, which say only whether they are refused.
    pub async fn send(
        &self,
        attacker: &mut Attacker,
        world: &World,
        some: impl Fn(Aim) -> Vec<usize>,
        evidence: &mut Evidence,
    ) {
        for padding in &self.0 {
            let (place, subjects) = (padding.place, some(padding.aim));
            let mut file = Rows::new();
            for subject in &subjects {
                let name = to_send(world, *subject);
                push_base(&mut file, padding.base, &name);
                padding
                    .fillers
                    .rungs()
                    .into_iter()
                    .for_each(|rung| rung.people.for_each(|person| file.push(person, &name)));
                file.push(world.subjects[*subject].person, &name);
            }
            let data_connection = attacker.source(file.csv).await;
            let sender = &*attacker;
            let within = if place == world.all() { vec![] } else { vec![sender.seen(place)] };
            let sent = stream::iter(&subjects).map(|subject| {
                let within = within.clone();
                async move {
                    sender.count_question();
                    let audience = sender.own(&to_send(world, *subject));
                    let payload = sender.party.send(&sender.project, audience, &within).await;
                    f64::from(payload["userErrors"] == json!([]))
                }
            });
            let sent: Vec<f64> = sent.buffered(4).collect().await;
            evidence.put(("refused sends", padding.base), place, &subjects, &sent);
            attacker.delete(&data_connection).await;
        }
    }
}

fn to_send(world: &World, subject: usize) -> String {
    format!("to send with {}", alone(world, subject))
}
