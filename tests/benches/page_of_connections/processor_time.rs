//! Processor time of processes, their threads included, from `/proc`.

use std::{collections::HashMap, time::Duration};
use tokio_postgres::{Client, NoTls};

/// What a process has used, in user and kernel mode, to a hundredth of a second (`USER_HZ`); nothing when there is none.
pub fn of(process: u32) -> Duration {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{process}/stat")) else { return Duration::ZERO };
    let (_, after_name) = stat.rsplit_once(") ").unwrap();
    let ticks: u64 = after_name.split(' ').skip(11).take(2).map(|t| t.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}

/// The processes of PostgreSQL that work for one database.
pub struct Backends {
    client: Client,
}

impl Backends {
    pub async fn of(database: &str) -> Self {
        let (client, connection) = tokio_postgres::connect(database, NoTls).await.unwrap();
        tokio::spawn(connection);
        Self { client }
    }

    /// What each has used by now.
    pub async fn processor_time(&self) -> HashMap<u32, Duration> {
        let statement =
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
        let rows = self.client.query(statement, &[]).await.unwrap();
        rows.iter().map(|row| row.get::<_, i32>(0) as u32).map(|process| (process, of(process))).collect()
    }
}

/// What processes used in between, all together.
pub fn between(before: &HashMap<u32, Duration>, after: &HashMap<u32, Duration>) -> Duration {
    after.iter().map(|(process, used)| used.saturating_sub(before.get(process).copied().unwrap_or_default())).sum()
}
