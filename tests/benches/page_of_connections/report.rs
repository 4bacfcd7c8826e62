//! The table and the ratios.

use crate::load::Times;
use std::{collections::BTreeMap, time::Duration};

/// All runs of one server with one number of clients.
#[derive(Default)]
struct Runs {
    answers: Vec<Duration>,
    time: Duration,
    server: Duration,
    database: Duration,
}

impl Runs {
    /// Milliseconds of a share of the answers.
    fn within(&self, share: f64) -> f64 {
        let mut answers = self.answers.clone();
        answers.sort_unstable();
        answers[((answers.len() - 1) as f64 * share).ceil() as usize].as_secs_f64() * 1e3
    }

    /// Milliseconds of processor time for each answer.
    fn each(&self, used: Duration) -> f64 {
        used.as_secs_f64() * 1e3 / self.answers.len() as f64
    }

    fn throughput(&self) -> f64 {
        self.answers.len() as f64 / self.time.as_secs_f64()
    }
}

/// Figures by the server's place and the number of clients.
#[derive(Default)]
pub struct Figures(BTreeMap<(usize, usize), Runs>);

impl Figures {
    pub fn add(&mut self, place: usize, clients: usize, times: &Times, server: Duration, database: Duration) {
        let runs = self.0.entry((place, clients)).or_default();
        runs.answers.extend(&times.answers);
        runs.time += times.run;
        runs.server += server;
        runs.database += database;
    }

    /// Prints all of them. The first name is the gateway's, the last two are those of the bare servers.
    pub fn print(&self, names: &[&str], clients: &[usize]) {
        println!("clients | server          |   CPU ms |  database ms | answers/s |  p50 ms |  p99 ms");
        for &clients in clients {
            for (place, name) in names.iter().enumerate() {
                let runs = &self.0[&(place, clients)];
                println!(
                    "{clients:>7} | {name:<15} | {:>8.2} | {:>12.2} | {:>9.0} | {:>7.2} | {:>7.2}",
                    runs.each(runs.server),
                    runs.each(runs.database),
                    runs.throughput(),
                    runs.within(0.5),
                    runs.within(0.99)
                );
            }
        }
        println!("CPU and database: processor time of the server's process and of PostgreSQL's, for each answer.");
        println!(
            "PostGraphile and Mercurius are one process of node each; their users are not checked, the gateway's are."
        );
        for &clients in clients {
            self.print_ratios(names, clients);
        }
    }

    fn print_ratios(&self, names: &[&str], clients: usize) {
        let of = |place: usize| &self.0[&(place, clients)];
        let (bare, floor) = (names.len() - 1, names.len() - 2);
        let peers = 1..floor;
        let cpu = |place: usize| of(place).each(of(place).server);
        let least = peers.clone().map(cpu).fold(f64::INFINITY, f64::min);
        let most = peers.map(|p| of(p).throughput()).fold(0.0, f64::max);
        println!(
            "{clients} clients: {:.2} of the CPU of the better peer (wanted: at most 0.25), {:.2} times its throughput \
             (wanted: at least 2); {:.2} times the CPU of {} (wanted: at most 2) at {:.2} of its throughput",
            cpu(0) / least,
            of(0).throughput() / most,
            cpu(0) / cpu(bare),
            names[bare],
            of(0).throughput() / of(bare).throughput()
        );
        println!(
            "           {0} itself takes {1:.2} times the CPU of {2}, which is {3:.2} of the CPU of the better peer; the \
             gateway {4:.2} times that of {0}",
            names[floor],
            cpu(floor) / cpu(bare),
            names[bare],
            cpu(floor) / least,
            cpu(0) / cpu(floor)
        );
    }
}
