//! Everything on loopback in one process: a development provider, a Bitbucket stand-in, and the
//! gateway between them.
//!
//! `portcullis demo` is for the first minutes, and for tests of the whole gateway, which start the
//! two outer parts alone. Nothing here guards anything real: the provider asks for no password, the
//! stand-in believes a header, and both are reachable from this machine only, because
//! [`loopback`] is the one way to listen and it knows no other address.
//!
//! [`run`] is the only file that knows the gateway.

pub mod bitbucket;
mod configuration;
mod folder;
pub mod loopback;
mod page;
mod people;
pub mod provider;
mod run;
mod shelf;

pub use configuration::{Values, configuration};
pub use people::{Person, people};
pub use run::run;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitStatus;

/// What can keep the demo from starting.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The port is taken, most likely.
    #[error("cannot listen on \"{addr}\"")]
    Listen {
        /// The address, always of loopback.
        addr: SocketAddr,
        /// What the operating system says.
        source: io::Error,
    },
    /// A page of the demo has a mistake.
    #[error("a template of the demo has a mistake")]
    Template(#[from] minijinja::Error),
    /// The signing key could not be made.
    #[error("cannot make a signing key")]
    Key(#[from] aws_lc_rs::error::Unspecified),
    /// The backdoor's password could not be hashed.
    #[error("cannot hash the password of the backdoor")]
    PasswordHash(#[from] argon2::password_hash::Error),
    /// The temporary folder cannot be written.
    #[error("cannot write \"{path}\"")]
    Folder {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// `git` is installed but could not be run.
    #[error("cannot run \"git {command}\"")]
    Git {
        /// The subcommand.
        command: &'static str,
        /// What the operating system says.
        source: io::Error,
    },
    /// `git` ran and failed.
    #[error("\"git {command}\" failed ({status}): {message}")]
    GitFailed {
        /// The subcommand.
        command: &'static str,
        /// Its exit status.
        status: ExitStatus,
        /// The first line that it wrote to standard error.
        message: String,
    },
    /// The configuration that the demo writes is wrong.
    #[error("the configuration of the demo has mistakes")]
    Configuration(#[from] crate::config::Problems),
    /// The stand-in does not take the people that it begins with.
    #[error("the Bitbucket stand-in refuses the people of the demo")]
    People(#[from] bitbucket::Refusal),
    /// The gateway between the two parts did not start.
    #[error("the gateway did not start")]
    Gateway(#[from] crate::gateway::Error),
    /// What to try could not be printed.
    #[error("cannot write to standard output")]
    Print(#[source] io::Error),
    /// Ctrl-C or SIGTERM cannot be waited for.
    #[error("cannot wait for signals")]
    Signal(#[source] io::Error),
}
