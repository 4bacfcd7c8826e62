//! Tells the program which plugins come with it, and bundles the GraphiQL page (`graphiql/`) where Node is on the machine, so
//! that it works with no network.
//!
//! Without Node or the npm registry, or with `ENTENTE_GRAPHIQL=cdn`, the page loads the same versions
//! from a public CDN; the build says so and goes on.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

/// What npm and esbuild need; everything else in the folder only matters at run time.
const INPUTS: [&str; 7] =
    [".npmrc", "bundle.js", "libraries.js", "package-lock.json", "package.json", "page.css", "page.js"];

/// How long npm may take in all before the build goes on without it.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> Result<(), Box<dyn Error>> {
    name_bundled_plugins()?;
    for input in INPUTS {
        println!("cargo:rerun-if-changed=graphiql/{input}");
    }
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=ENTENTE_GRAPHIQL");
    println!("cargo:rustc-check-cfg=cfg(graphiql_bundled)");

    match bundle() {
        Ok(()) => println!("cargo:rustc-cfg=graphiql_bundled"),
        Err(reason) => println!(
            "cargo:warning=the GraphiQL page will load its scripts from cdn.jsdelivr.net (with integrity hashes) \
             and needs the Internet: {reason}. To bundle it, install Node 20 or later, then \
             `touch gateway/build.rs` and build again."
        ),
    }
    Ok(())
}

/// The plugins that `cargo build --release` builds come with the program: the workspace's default members.
fn name_bundled_plugins() -> Result<(), Box<dyn Error>> {
    const WORKSPACE: &str = "../Cargo.toml";
    println!("cargo:rerun-if-changed={WORKSPACE}");
    let workspace: toml::Table = fs::read_to_string(WORKSPACE)?.parse()?;
    let members = workspace["workspace"]["default-members"].as_array().ok_or("the workspace has no default members")?;
    let plugins = members.iter().filter_map(|member| member.as_str()?.strip_prefix("plugins/"));
    let libraries: Vec<String> = plugins.map(|plugin| format!("entente_{}", plugin.replace('-', "_"))).collect();
    println!("cargo:rustc-env=ENTENTE_BUNDLED_PLUGINS={}", libraries.join(","));
    Ok(())
}

/// Leaves `app.js` and `app.css` in `OUT_DIR/graphiql/dist`. npm works in a copy: a build writes
/// nothing into the source tree.
fn bundle() -> Result<(), Box<dyn Error>> {
    match env::var("ENTENTE_GRAPHIQL").as_deref() {
        Ok("cdn") => return Err("ENTENTE_GRAPHIQL=cdn asks for it".into()),
        Ok("bundle") | Err(_) => {}
        Ok(other) => return Err(format!("ENTENTE_GRAPHIQL is `{other}`, which is neither `bundle` nor `cdn`").into()),
    }
    let folder = PathBuf::from(env::var("OUT_DIR")?).join("graphiql");
    fs::create_dir_all(&folder)?;
    for input in INPUTS {
        fs::copy(Path::new("graphiql").join(input), folder.join(input))?;
    }
    let deadline = Instant::now() + PATIENCE;
    npm(&["ci"], &folder, deadline)?;
    npm(&["run", "bundle"], &folder, deadline)?;
    for output in ["dist/app.js", "dist/app.css"] {
        if !folder.join(output).is_file() {
            return Err(format!("esbuild made no {output}").into());
        }
    }
    // Some 130 MB that nothing needs any more.
    if let Err(error) = fs::remove_dir_all(folder.join("node_modules")) {
        println!("cargo:warning=cannot remove what npm installed: {error}");
    }
    Ok(())
}

fn npm(arguments: &[&str], folder: &Path, deadline: Instant) -> Result<(), Box<dyn Error>> {
    let what = format!("npm {}", arguments.join(" "));
    let program = if cfg!(windows) { "npm.cmd" } else { "npm" };
    let log = folder.join("npm.log");
    let mut child = Command::new(program)
        .args(arguments)
        .args(["--no-progress", "--no-update-notifier"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(fs::File::create(&log)?)
        .spawn()
        .map_err(|error| format!("`{what}` did not start: {error}"))?;
    loop {
        if let Some(status) = child.try_wait()? {
            let first_error = fs::read_to_string(&log)?
                .lines()
                .find(|line| line.contains("error") || line.contains("ERR!"))
                .unwrap_or_default()
                .to_owned();
            return if status.success() {
                Ok(())
            } else {
                Err(format!("`{what}` failed, {status}: {first_error}").into())
            };
        }
        if Instant::now() >= deadline {
            child.kill()?;
            child.wait()?;
            return Err(format!("`{what}` was not done after {} seconds", PATIENCE.as_secs()).into());
        }
        thread::sleep(Duration::from_millis(100));
    }
}
