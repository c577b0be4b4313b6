//! The `portcullis` program: arguments and exit codes.

use clap::{Parser, Subcommand};
use portcullis::clock::Clock;
use portcullis::command::{self, IdentitiesAction, SessionsAction};
use portcullis::config::Loaded;
use portcullis::identity::Username;
use portcullis::session::Which;
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
    /// Print every mistake of the configuration at once, and run the tests in it. Exit code 0, or 2.
    Check {
        #[command(flatten)]
        file: File,
        /// Also reach the providers, the upstream and Bitbucket's interface, and print the addresses to
        /// register.
        #[arg(long)]
        online: bool,
    },
    /// Show who claims would become and why, rule by rule, without any network. Exit code 0, or 2
    /// when a rule refuses.
    Explain {
        #[command(flatten)]
        file: File,
        /// The provider that would say these claims.
        #[arg(long, value_name = "ID")]
        provider: String,
        /// One JSON object: the claims of the ID token and of userinfo.
        #[arg(long, value_name = "FILE.json")]
        claims: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print a one-time address of the test page, for before anyone can sign in. It works for 15
    /// minutes.
    TestUrl {
        #[command(flatten)]
        file: File,
        /// The provider to test.
        #[arg(long, value_name = "ID")]
        provider: String,
    },
    /// Which subject of which provider has which username.
    Identities {
        #[command(subcommand)]
        action: Identities,
    },
    /// Who is signed in, and ending that. Needs the running gateway.
    Sessions {
        #[command(subcommand)]
        action: Sessions,
    },
    /// Show what a sign-in would change in Bitbucket. People are provisioned when they sign in, so
    /// there is nothing but --dry-run.
    Provision {
        #[command(flatten)]
        file: File,
        /// Change nothing.
        #[arg(long, required = true)]
        dry_run: bool,
        /// The username that the person signs in with.
        #[arg(long, value_name = "NAME", value_parser = username)]
        user: Username,
        /// Who would say --claims.
        #[arg(long, value_name = "ID", requires = "claims")]
        provider: Option<String>,
        /// Claims to go by instead of what the last sign-in knew.
        #[arg(long, value_name = "FILE.json", requires = "provider")]
        claims: Option<PathBuf>,
    },
    /// Tell what happened in a request, step by step: why somebody got in, or did not.
    Why {
        #[command(flatten)]
        file: File,
        /// The id that the page showed, or the log.
        request_id: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// The pages that people see.
    Templates {
        #[command(subcommand)]
        action: Templates,
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

#[derive(Debug, Subcommand)]
enum Identities {
    /// Show everybody, or one person.
    List {
        #[command(flatten)]
        file: File,
        /// Only this person.
        #[arg(long, value_name = "NAME", value_parser = username)]
        username: Option<Username>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Give a provider's subject a username, besides those who have it.
    Relink {
        #[command(flatten)]
        file: File,
        #[command(flatten)]
        subject: OneSubject,
        /// The username from now on.
        #[arg(long, value_name = "NAME", value_parser = username)]
        username: Username,
    },
    /// Forget a person or one subject: whoever signs in next under the name gets it.
    #[command(group = clap::ArgGroup::new("who").required(true).args(["username", "subject"]))]
    Forget {
        #[command(flatten)]
        file: File,
        /// Every subject of this username.
        #[arg(long, value_name = "NAME", value_parser = username, conflicts_with = "provider")]
        username: Option<Username>,
        /// One subject's provider.
        #[arg(long, value_name = "ID", requires = "subject")]
        provider: Option<String>,
        /// One subject, as the list shows it.
        #[arg(long, value_name = "SUBJECT", requires = "provider")]
        subject: Option<String>,
        /// The subject's issuer, where the provider has several.
        #[arg(long, value_name = "URL", requires = "subject")]
        issuer: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
enum Sessions {
    /// Show everybody's, or one person's, the last used first.
    List {
        #[command(flatten)]
        file: File,
        /// Only this person's.
        #[arg(long, value_name = "NAME", value_parser = username)]
        username: Option<Username>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// End sessions: at once, with the downloads and connections that are open for them.
    #[command(group = clap::ArgGroup::new("which").required(true).args(["user", "handle", "all"]))]
    Revoke {
        #[command(flatten)]
        file: File,
        /// All of this person.
        #[arg(long, value_name = "NAME", value_parser = username)]
        user: Option<Username>,
        /// The one that the list shows under this handle.
        #[arg(long, value_name = "HANDLE")]
        handle: Option<String>,
        /// Everybody's.
        #[arg(long)]
        all: bool,
    },
}

#[derive(Debug, Subcommand)]
enum Templates {
    /// Write the built-in templates, style.css and en.toml, to change and name in [branding].
    Export {
        /// Where to; files that are there already are not touched.
        #[arg(value_name = "DIR")]
        directory: PathBuf,
    },
}

#[derive(Debug, clap::Args)]
struct OneSubject {
    /// The provider.
    #[arg(long, value_name = "ID")]
    provider: String,
    /// Its unchanging name for the person, as the list and the log show it.
    #[arg(long, value_name = "SUBJECT")]
    subject: String,
    /// Its issuer, where the provider has several.
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
}

fn username(text: &str) -> Result<Username, String> {
    Username::parse(text).map_err(|invalid| format!("a username that {invalid} is none"))
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
        // Whoever read what is printed has read enough, such as `head`.
        Err(error) if is_broken_pipe(&*error) => ExitCode::FAILURE,
        Err(error) => {
            let why = telemetry::chain(&*error);
            let _ = writeln!(std::io::stderr(), "portcullis: {why}");
            ExitCode::FAILURE
        }
    }
}

fn is_broken_pipe(error: &(dyn std::error::Error + 'static)) -> bool {
    error
        .downcast_ref::<std::io::Error>()
        .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

fn run(command: Command) -> Result<ExitCode, Box<dyn std::error::Error>> {
    match command {
        Command::Serve { file } => serve(&file.path),
        Command::Check { file, online } => check(&file.path, online),
        Command::Explain {
            file,
            provider,
            claims,
            json,
        } => with(&file, |loaded| {
            let (text, fine) = command::explain(&loaded.config, &provider, &claims, json)?;
            print(&text)?;
            Ok(match fine {
                true => ExitCode::SUCCESS,
                false => ExitCode::from(UNUSABLE),
            })
        }),
        Command::TestUrl { file, provider } => with(&file, |loaded| {
            let clock = Clock::system();
            let url = command::test_url(&loaded.config, &provider, &clock);
            print(&runtime()?.block_on(url)?)
        }),
        Command::Identities { action } => identities(action),
        Command::Sessions { action } => sessions(action),
        Command::Provision {
            file,
            dry_run: _,
            user,
            provider,
            claims,
        } => with(&file, |loaded| {
            let claims = provider.zip(claims);
            let plea = command::Plea { user, claims };
            let clock = Clock::system();
            let plan = command::provision(&loaded.config, plea, &clock);
            print(&runtime()?.block_on(plan)?)
        }),
        Command::Why {
            file,
            request_id,
            json,
        } => with(&file, |loaded| {
            let clock = Clock::system();
            let told = command::why(&loaded.config, &request_id, json, &clock);
            print(&runtime()?.block_on(told)?)
        }),
        Command::Templates {
            action: Templates::Export { directory },
        } => print(&command::export_templates(&directory)?),
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

fn identities(action: Identities) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let (file, action) = match action {
        Identities::List {
            file,
            username,
            json,
        } => (file, IdentitiesAction::List { username, json }),
        Identities::Relink {
            file,
            subject,
            username,
        } => (
            file,
            IdentitiesAction::Relink {
                provider: subject.provider,
                issuer: subject.issuer,
                subject: subject.subject,
                username,
            },
        ),
        Identities::Forget {
            file,
            username,
            provider,
            subject,
            issuer,
        } => match (username, provider.zip(subject)) {
            (Some(username), _) => (file, IdentitiesAction::ForgetUsername(username)),
            (None, Some((provider, subject))) => (
                file,
                IdentitiesAction::ForgetSubject {
                    provider,
                    issuer,
                    subject,
                },
            ),
            (None, None) => return Err("say whom: --username, or --provider and --subject".into()),
        },
    };
    with(&file, |loaded| {
        let clock = Clock::system();
        let done = command::identities(&loaded.config, action, &clock);
        print(&runtime()?.block_on(done)?)
    })
}

fn sessions(action: Sessions) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let (file, action) = match action {
        Sessions::List {
            file,
            username,
            json,
        } => (file, SessionsAction::List { username, json }),
        Sessions::Revoke {
            file,
            user,
            handle,
            all,
        } => match (user, handle, all) {
            (Some(user), None, false) => (file, SessionsAction::Revoke(Which::Username(user))),
            (None, Some(handle), false) => (file, SessionsAction::Revoke(Which::Handle(handle))),
            (None, None, true) => (file, SessionsAction::Revoke(Which::All)),
            _ => return Err("say which: --user, --handle or --all".into()),
        },
    };
    with(&file, |loaded| {
        let clock = Clock::system();
        let done = command::sessions(&loaded.config, action, &clock);
        print(&runtime()?.block_on(done)?)
    })
}

/// A command that needs the configuration.
fn with(
    file: &File,
    work: impl FnOnce(Loaded) -> Result<ExitCode, Box<dyn std::error::Error>>,
) -> Result<ExitCode, Box<dyn std::error::Error>> {
    match config::load(&file.path, &environment) {
        Ok(loaded) => work(loaded),
        Err(problems) => refuse(&problems),
    }
}

fn check(path: &Path, online: bool) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let loaded = match config::load(path, &environment) {
        Ok(loaded) => loaded,
        Err(problems) => return refuse(&problems),
    };
    let mut out = std::io::stdout();
    let running_out = loaded.config.running_out(Clock::system().now());
    for warning in loaded.warnings.iter().chain(&running_out) {
        writeln!(out, "warning: {warning}")?;
    }
    let mut failures = Vec::new();
    match gateway::pages(&loaded.config) {
        Ok(warnings) => {
            for warning in warnings {
                writeln!(out, "warning: {warning}")?;
            }
        }
        Err(mistakes) => {
            let name = path.display();
            failures.extend(mistakes.iter().map(|it| format!("{name}: branding: {it}")));
        }
    }
    failures.extend(command::trials(path, &loaded));
    for failure in &failures {
        writeln!(std::io::stderr(), "{failure}")?;
    }
    if !failures.is_empty() {
        return Ok(ExitCode::from(UNUSABLE));
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
