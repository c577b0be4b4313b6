//! The `portcullis` program: arguments and exit codes.

use clap::{Parser, Subcommand};
use portcullis::clock::Clock;
use portcullis::{backdoor, config, demo, gateway, telemetry};
use std::io::{BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Single-sign-on gateway for Bitbucket Server and Data Center.
#[derive(Debug, Parser)]
#[command(name = "portcullis", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway. SIGHUP, or a change of the file, reloads it; SIGTERM drains.
    Serve {
        #[command(flatten)]
        file: File,
    },
    /// Print every mistake of the configuration at once. Exit code 0, or 2.
    Check {
        #[command(flatten)]
        file: File,
        /// Also reach the providers and the upstream.
        #[arg(long)]
        online: bool,
    },
    /// Everything on loopback in one process: a provider, a small Bitbucket and the gateway.
    Demo {
        /// The gateway's port on 127.0.0.1.
        #[arg(long, default_value_t = 8080)]
        port: u16,
    },
    /// Read a password and print its argon2id hash for [[backdoor.accounts]].
    HashPassword,
    /// Print a fresh key for session.keys.
    GenerateKey {
        /// A signing key for identity.assertion_keys instead, in PEM.
        #[arg(long)]
        assertion: bool,
    },
    /// Print the JSON Schema of the configuration, for editors.
    Schema,
    /// Ask a running gateway for its health: exit code 0 if it is well. For container health checks.
    Health {
        /// The address of its /healthz.
        #[arg(long, default_value = "http://127.0.0.1:9090/healthz")]
        url: String,
    },
}

#[derive(Debug, clap::Args)]
struct File {
    /// The configuration file.
    #[arg(long = "config", env = "PORTCULLIS_CONFIG", value_name = "FILE")]
    path: PathBuf,
}

/// The exit code for a configuration, or an argument, that cannot be used.
const UNUSABLE: u8 = 2;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments.command) {
        Ok(code) => code,
        Err(error) => {
            let mut err = std::io::stderr();
            let _ = write!(err, "portcullis: {error}");
            let causes = std::iter::successors(error.source(), |error| error.source());
            for cause in causes {
                let _ = write!(err, ": {cause}");
            }
            let _ = writeln!(err);
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode, Box<dyn std::error::Error>> {
    match command {
        Command::Serve { file } => serve(&file.path),
        Command::Check { file, online } => check(&file.path, online),
        Command::Demo { port } => {
            runtime()?.block_on(demo::run(port))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::HashPassword => {
            let hash = backdoor::hash_password(&read_password()?)?;
            print(&hash)
        }
        Command::GenerateKey { assertion: false } => print(&config::generate_key()),
        Command::GenerateKey { assertion: true } => {
            print(config::generate_assertion_key().trim_end())
        }
        Command::Schema => print(&serde_json::to_string_pretty(&config::schema())?),
        Command::Health { url } => {
            if runtime()?.block_on(gateway::is_healthy(&url)) {
                return Ok(ExitCode::SUCCESS);
            }
            Err(format!("{url:?} does not answer 200").into())
        }
    }
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
}

fn serve(path: &Path) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let loaded = match config::load(path, &environment) {
        Ok(loaded) => loaded,
        Err(problems) => return refuse(&problems),
    };
    telemetry::log::start(&loaded.config.log);
    runtime()?.block_on(gateway::run(path, loaded, Clock::system(), &environment))?;
    Ok(ExitCode::SUCCESS)
}

fn check(path: &Path, online: bool) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let loaded = match config::load(path, &environment) {
        Ok(loaded) => loaded,
        Err(problems) => return refuse(&problems),
    };
    let mut out = std::io::stdout();
    for warning in &loaded.warnings {
        writeln!(out, "warning: {warning}")?;
    }
    writeln!(out, "{}: no mistakes", path.display())?;
    if !online {
        return Ok(ExitCode::SUCCESS);
    }
    let findings = runtime()?.block_on(gateway::online(&loaded.config));
    for finding in &findings {
        writeln!(
            out,
            "{} {}",
            if finding.ok { "ok  " } else { "FAIL" },
            finding.what
        )?;
        if let Some(remedy) = &finding.remedy {
            writeln!(out, "     remedy: {remedy}")?;
        }
    }
    Ok(if findings.iter().all(|finding| finding.ok) {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(UNUSABLE)
    })
}

fn refuse(problems: &config::Problems) -> Result<ExitCode, Box<dyn std::error::Error>> {
    writeln!(std::io::stderr(), "{problems}")?;
    Ok(ExitCode::from(UNUSABLE))
}

fn print(text: &str) -> Result<ExitCode, Box<dyn std::error::Error>> {
    writeln!(std::io::stdout(), "{text}")?;
    Ok(ExitCode::SUCCESS)
}

/// From the terminal without echo, or the first line of what is piped in.
fn read_password() -> std::io::Result<String> {
    if std::io::stdin().is_terminal() {
        let password = rpassword::prompt_password("Password: ")?;
        // Nobody saw what was typed, and the hash would hide a slip until the emergency.
        return if rpassword::prompt_password("Again: ")? == password {
            Ok(password)
        } else {
            Err(std::io::Error::other("the two differ"))
        };
    }
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// The one place where the environment is read.
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
