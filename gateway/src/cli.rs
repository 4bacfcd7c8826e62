//! The command line.

use crate::{
    audit::AuditCommand,
    declared::{Apply, Export},
    demo,
    plugin_author::{Bench, Check, NewPlugin, Run},
    secrets::{
        self, KeyError, KeyPlace, key_place,
        rotation::{self, Rotation},
    },
    serve,
    settings::{Settings, SettingsError},
    uploading::Upload,
};
use clap::{Parser, Subcommand};
use entente_store::Store;
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Entente, the open data-collaboration gateway.
///
/// Two companies find out what their customers have in common, send each other audiences and measure campaigns, without
/// handing over their customer lists. Start with `entente serve`, or with `entente serve --demo` to find three companies
/// in it already.
#[derive(Debug, Parser)]
#[command(name = "entente", version, after_help = SETTINGS_HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const SETTINGS_HELP: &str = "\
Settings come from defaults, then from the file of --config, then from the environment: `listen` is ENTENTE_LISTEN.
`entente settings` prints every setting with its default and what it means.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway
    Serve {
        /// A file of settings
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Load Luma, TV Tube and Fit Apparel with generated data; harmless when they are there
        #[arg(long)]
        demo: bool,
    },
    /// Print every setting with its default; redirect it into a file to change some
    Settings,
    /// Print the GraphQL schema
    Schema,
    /// The gateway's key, under which every secret in the database is sealed
    Key {
        /// A file of settings
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        #[command(subcommand)]
        command: KeyCommand,
    },
    /// The audit log: verify that it is as it was written, export it
    Audit {
        /// A file of settings
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        #[command(subcommand)]
        command: AuditCommand,
    },
    /// Set up what a file says: accounts, match keys, members, data connections, destinations and connections
    ///
    /// It asks a gateway's API as anybody else does, prints a plan first, and deletes nothing. docs/setup-in-git.md says
    /// more.
    Apply(Apply),
    /// Write such a file of what is there, without secrets
    Export(Export),
    /// Upload a file, and refresh a data connection from it
    ///
    /// It goes on after whatever cut it off, and when it is started again on the same file within a day.
    Upload(Upload),
    /// Destination plugins
    Plugin {
        /// A file of settings
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        #[command(subcommand)]
        command: PluginCommand,
    },
    /// Run one destination plugin for the gateway; the gateway starts this itself
    #[command(hide = true)]
    PluginWorker,
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// Seal every secret in the database under another key. Gateways that run stop by themselves; start them again
    ///
    /// The new key is made, or taken from --new-key or from the environment variable ENTENTE_NEW_GATEWAY_KEY. It takes the
    /// place of the old one in the key's file. Killed at any point, it is finished by the next start or the next rotation.
    /// Backups from before open with the key that was backed up with them.
    Rotate {
        /// A file that holds the new key
        #[arg(long, value_name = "FILE")]
        new_key: Option<PathBuf>,
    },
    /// Say whether the key is that of the database, and opens every secret in it; the key itself is never shown
    Check,
}

#[derive(Debug, Subcommand)]
enum PluginCommand {
    /// Make a crate for a new plugin, which builds, passes its tests and delivers at once
    New(NewPlugin),
    /// Try what the gateway relies on: the contract, the settings' schema, how settings are refused
    Check(Check),
    /// Deliver rows from a file through a plugin, for real. Ctrl-C aborts the delivery
    Run(Run),
    /// Measure how fast a plugin takes rows, against writing the same bytes to a file
    Bench(Bench),
    /// Allow a plugin file, by the SHA-256 of what it holds now
    Allow {
        /// The plugin's shared library
        file: PathBuf,
    },
    /// Take a plugin off the list of those that are allowed; deliveries that run end what they do
    Disallow {
        /// The plugin's shared library, or the SHA-256 that was allowed
        #[arg(value_name = "FILE|SHA256")]
        plugin: String,
    },
    /// List the plugin files that are found, and whether they are allowed
    List,
}

/// Runs the program.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    if matches!(cli.command, Command::PluginWorker) {
        // A session of its own: Ctrl-C at the terminal is for whoever started it, who then ends or aborts a delivery.
        let _ = rustix::process::setsid();
        return crate::destinations::worker::run_worker();
    }
    let outcome = match cli.command {
        Command::Apply(apply) => apply.run(),
        Command::Export(export) => export.run(),
        Command::Upload(upload) => upload.run(),
        command => run(command).map(|()| ExitCode::SUCCESS),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("entente: {error}");
            ExitCode::FAILURE
        }
    }
}

type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;

fn run(command: Command) -> Outcome {
    match command {
        Command::Serve { config, demo } => {
            let settings = Settings::load(config.as_deref())?;
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            let served = runtime.block_on(serve::serve(settings, demo.then_some(demo::load as _)));
            runtime.shutdown_timeout(std::time::Duration::from_secs(1));
            served
        }
        Command::Settings => {
            print!("{}", crate::settings::DEFAULTS);
            Ok(())
        }
        Command::Schema => {
            print!("{}", crate::graphql::sdl());
            Ok(())
        }
        Command::Key { config, command } => {
            let settings = Settings::load(config.as_deref())?;
            tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(key(&settings, command))
        }
        Command::Audit { config, command } => {
            let settings = Settings::load(config.as_deref())?;
            tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
                let store = Store::open_existing(&settings.database()).await?;
                command.run(&store).await
            })
        }
        Command::Plugin { config, command } => plugin(config.as_deref(), command),
        Command::Apply(_) | Command::Export(_) | Command::Upload(_) | Command::PluginWorker => Ok(()),
    }
}

async fn key(settings: &Settings, command: KeyCommand) -> Outcome {
    let place = KeyPlace::of(settings)?;
    let store = Store::open_existing(&settings.database()).await?;
    match command {
        KeyCommand::Rotate { new_key } => {
            match rotation::rotate(&place, &store, key_place::new_key(new_key.as_deref())?).await? {
                Rotation::Resealed { from, to, secrets } => {
                    println!("Sealed {secrets} secrets anew: the gateway key was {from} and is {to} now, in {place}.");
                }
                Rotation::Finished { key } => {
                    println!("An earlier rotation had sealed all secrets under the gateway key {key}: it is finished.");
                }
            }
            if let KeyPlace::Environment(_) = place {
                println!("Put the new key into {} now, before a gateway starts.", key_place::KEY_VARIABLE);
            }
            println!("Gateways that ran stop by themselves; start them again. Back up the new key with the database.");
        }
        KeyCommand::Check => {
            let held = store.gateway_key().await?.ok_or(KeyError::NoSecrets)?;
            let secrets = secrets::check(&place.key(Some(&held))?, &store).await?;
            println!(
                "The gateway key {held} in {place} is that of the database and opens all {secrets} secrets in it."
            );
        }
    }
    Ok(())
}

fn plugin(config: Option<&Path>, command: PluginCommand) -> Outcome {
    use crate::destinations::{allow_list::AllowList, process::Workers, registry::Registry};
    use crate::plugin_author::target;
    let with_list = || {
        let settings = Settings::load(config)?;
        Ok::<_, SettingsError>((AllowList::new(settings.allow_list()), settings))
    };
    match command {
        PluginCommand::New(new) => return new.run(),
        PluginCommand::Check(check) => return check.run(),
        PluginCommand::Run(run) => return run.run(),
        PluginCommand::Bench(bench) => return bench.run(),
        PluginCommand::Allow { file } => {
            let (list, settings) = with_list()?;
            list.begin(&settings.plugin_folders(), crate::clock::now())?;
            let launcher = target::launcher(&file)?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let reaches = runtime.block_on(target::describe(&launcher))?.reaches;
            let said = target::reaches(&reaches);
            let allowed = list.allow(&file, reaches, crate::clock::now())?;
            println!("allowed {} ({}): {said}", allowed.file, allowed.sha256);
        }
        PluginCommand::Disallow { plugin } => {
            let (list, _) = with_list()?;
            match list.disallow(AllowList::hash_named(&plugin)?)? {
                Some(taken_off) => println!("no longer allowed: {} ({})", taken_off.file, taken_off.sha256),
                None => return Err(format!("{plugin} was not allowed").into()),
            }
        }
        PluginCommand::List => {
            let (list, settings) = with_list()?;
            let registry = Registry::new(settings.plugin_folders(), list, Workers::of_this_program()?);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let found = runtime.block_on(registry.refresh())?;
            for id in found.types {
                println!("allowed      {id}");
            }
            for file in found.not_allowed {
                println!("not allowed  {}", file.display());
            }
            for (file, reason) in found.unusable {
                println!("unusable     {} ({reason})", file.display());
            }
        }
    }
    Ok(())
}
