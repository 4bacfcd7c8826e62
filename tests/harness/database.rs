//! A database of its own for each gateway under test.

use std::{path::Path, process::Command};

/// Which database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
}

/// A database that goes with its test.
pub struct Database {
    kind: Kind,
    name: String,
}

fn admin_url() -> Option<String> {
    std::env::var("ENTENTE_TEST_POSTGRES").ok().filter(|url| !url.is_empty())
}

impl Database {
    /// Whether a PostgreSQL server was named.
    pub fn postgres_is_there() -> bool {
        super::tool_is_there("PostgreSQL (ENTENTE_TEST_POSTGRES)", admin_url().is_some())
    }

    pub fn new(kind: Kind) -> Self {
        let name = format!("entente_test_{}", uuid::Uuid::now_v7().simple());
        if kind == Kind::Postgres {
            psql(&format!("create database {name}"));
        }
        Self { kind, name }
    }

    /// What the gateway is given as its address.
    pub fn url(&self, data: &Path) -> String {
        match self.kind {
            Kind::Sqlite => data.join("entente.db").display().to_string(),
            Kind::Postgres => {
                let admin = admin_url().expect("ENTENTE_TEST_POSTGRES is set");
                let (server, _) = admin.rsplit_once('/').expect("the address ends in a database");
                format!("{server}/{}", self.name)
            }
        }
    }
}

impl Database {
    /// A copy of what is in it, as a restored backup has it. Nobody may be using it.
    pub fn copy(&self, from: &Path, to: &Path) -> Self {
        let copy = Self { kind: self.kind, name: format!("entente_test_{}", uuid::Uuid::now_v7().simple()) };
        match self.kind {
            Kind::Sqlite => {
                // What a gateway that was killed left in the write-ahead log belongs to it.
                for suffix in ["", "-wal"] {
                    let file = format!("entente.db{suffix}");
                    if from.join(&file).exists() {
                        std::fs::copy(from.join(&file), to.join(&file)).unwrap();
                    }
                }
            }
            Kind::Postgres => psql(&format!("create database {} template {}", copy.name, self.name)),
        }
        copy
    }

    /// Changes the database behind the gateway's back.
    pub fn execute(&self, data: &Path, sql: &str) {
        let done = match self.kind {
            Kind::Sqlite => {
                let code = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute(sys.argv[2]); c.commit()";
                Command::new("python3").args(["-c", code, &self.url(data), sql]).output().expect("python3 runs")
            }
            Kind::Postgres => Command::new("psql").args([&self.url(data), "-c", sql]).output().expect("psql runs"),
        };
        assert!(done.status.success(), "{sql}: {}", String::from_utf8_lossy(&done.stderr));
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if self.kind == Kind::Postgres && !std::thread::panicking() {
            psql(&format!("drop database if exists {} with (force)", self.name));
        }
    }
}

fn psql(sql: &str) {
    let url = admin_url().expect("ENTENTE_TEST_POSTGRES is set");
    let done = Command::new("psql").args([&url, "-q", "-v", "ON_ERROR_STOP=1", "-c", sql]).output().expect("psql runs");
    assert!(done.status.success(), "{sql}: {}", String::from_utf8_lossy(&done.stderr));
}
