//! Set-ups that teams keep in git: `entente apply` makes what a file says so, by the API as anybody else would, and
//! `entente export` writes such a file.

mod account;
pub mod api;
mod applying;
mod connection;
mod data_connection;
mod destination;
mod export;
mod format;
mod next;
mod plan;
mod present;
mod source;
mod tidy;
mod type_settings;

pub use export::Export;

use api::Api;
use applying::Applying;
use clap::Args;
use source::Source;
use std::{
    env, fs,
    io::{self, BufRead, IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
};
use zeroize::Zeroizing;

/// The environment variable that holds the token.
const TOKEN_VARIABLE: &str = "ENTENTE_TOKEN";
/// What `--plan` ends with where the file and what is there differ, and an apply that leaves something as it is.
const DIFFERS: u8 = 2;

/// How a command ended.
type Outcome = Result<ExitCode, Box<dyn std::error::Error + Send + Sync>>;

/// The gateway that is asked, and as whom.
#[derive(Debug, Args)]
pub struct Asked {
    /// The gateway's address: https, or http on this machine
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    url: String,
    /// A file that holds the token of a user or an API key; by default it is in ENTENTE_TOKEN
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

impl Asked {
    /// The API of that gateway.
    ///
    /// # Errors
    /// Where there is no token, or the address is none.
    pub fn api(&self) -> Result<Api, Box<dyn std::error::Error + Send + Sync>> {
        let token = match &self.token_file {
            Some(path) => fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?,
            None => env::var(TOKEN_VARIABLE).ok().filter(|token| !token.trim().is_empty()).ok_or_else(|| {
                format!(
                    "a token is needed: put it into the environment variable {TOKEN_VARIABLE}, or name a --token-file"
                )
            })?,
        };
        let token = Zeroizing::new(token);
        Ok(Api::new(&self.url, Zeroizing::new(token.trim().to_owned()))?)
    }
}

/// What to apply.
#[derive(Debug, Args)]
pub struct Apply {
    /// The set-up: TOML, or JSON where its name ends in .json
    #[arg(value_name = "FILE", required_unless_present = "schema")]
    file: Option<PathBuf>,
    /// Print what would be done, and do nothing. Ends with 0 where nothing is to do, with 2 where something is
    #[arg(long)]
    plan: bool,
    /// Do it without asking
    #[arg(long, conflicts_with = "plan")]
    yes: bool,
    /// Send the secrets of destinations and sources that are there again, which cannot be compared
    #[arg(long)]
    send_secrets: bool,
    /// Print the JSON Schema of the file, and do nothing
    #[arg(long)]
    schema: bool,
    #[command(flatten)]
    asked: Asked,
}

impl Apply {
    /// Applies the file, or tells what that would do.
    ///
    /// # Errors
    /// A file that is none, a gateway that does not answer, or something that it refused.
    pub fn run(self) -> Outcome {
        let Some(file) = self.file.as_deref().filter(|_| !self.schema) else {
            print!("{}", format::schema());
            return Ok(ExitCode::SUCCESS);
        };
        let source = Source::read(file)?;
        let applying = Applying::new(self.asked.api()?, source, self.send_secrets);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let plan = runtime.block_on(applying.plan())?;
        println!("{}", plan.told(&applying.source));
        if self.plan || !plan.has_steps() {
            return Ok(code(if self.plan { plan.differs() } else { plan.is_stuck() }));
        }
        if !self.yes && !is_agreed()? {
            return Err("nothing was done".into());
        }
        let left = runtime.block_on(applying.apply(plan))?;
        println!("{}", left.told(&applying.source));
        Ok(code(left.is_stuck()))
    }
}

fn code(differs: bool) -> ExitCode {
    if differs { ExitCode::from(DIFFERS) } else { ExitCode::SUCCESS }
}

/// Asks whoever is at the terminal.
fn is_agreed() -> Result<bool, Box<dyn std::error::Error + Send + Sync>> {
    if !io::stdin().is_terminal() {
        return Err("nobody is at a terminal to agree: say --yes, or --plan".into());
    }
    print!("Do this? Only `yes` does it: ");
    io::stdout().flush()?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim() == "yes")
}
