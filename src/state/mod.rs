//! The sqlite file that survives a restart: who opens it, what is in it, and how to ask it.
//!
//! `session`, `directory` and `backdoor` keep their rows in the same file, each with its own statements; this
//! room holds what they share. It may import nothing but the values everyone speaks.
//!
//! Each [`Database`] is one connection on one thread: nothing that answers requests ever waits in a
//! system call for the disk, and there is no lock to hold. One gateway owns the file; several
//! connections of that gateway may use it at the same time.

mod file;
mod schema;

#[cfg(test)]
mod tests;

use rusqlite::Connection;
use std::path::{Path, PathBuf};
use tokio::sync::{mpsc, oneshot};

/// How many questions may wait for the thread. More wait in their own tasks.
const QUEUE: usize = 256;

/// Why the state file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file is not there and cannot be made, or may not be read.
    #[error("the state file \"{}\" cannot be opened", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// Another program's database, or no database at all.
    #[error("\"{}\" is not a state file of portcullis; name another file", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A later version has changed the tables.
    #[error(
        "\"{}\" was written by a newer version of portcullis (schema {found}, this one knows {known})",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The latest version that this program knows.
        known: i64,
    },
    /// The thread could not be started.
    #[error("the thread of the state file cannot be started")]
    Thread(#[source] std::io::Error),
    /// The thread has ended.
    #[error("the state file is closed")]
    Closed,
    /// Everything that sqlite reports: busy, full, read-only, damaged.
    #[error("the state file cannot be used")]
    Sqlite(#[source] rusqlite::Error),
}

type Work = Box<dyn FnOnce(&mut Connection) + Send>;

/// A connection to the state file. Cheap to clone; clones share the connection, which closes with
/// the last of them.
#[derive(Debug, Clone)]
pub struct Database {
    thread: mpsc::Sender<Work>,
}

impl Database {
    /// Opens the file, and makes it when there is none: for this user alone, as it holds ID tokens.
    ///
    /// # Errors
    ///
    /// If it cannot be opened, or is not ours, or is a later version's.
    pub async fn open(path: &Path) -> Result<Self, Error> {
        let path = path.to_owned();
        let (thread, mut works) = mpsc::channel::<Work>(QUEUE);
        let (opened, opening) = oneshot::channel();
        std::thread::Builder::new()
            .name("portcullis-state".to_owned())
            .spawn(move || {
                let mut connection = match file::open(&path) {
                    Ok(connection) => connection,
                    Err(error) => return drop(opened.send(Err(error))),
                };
                drop(opened.send(Ok(())));
                while let Some(work) = works.blocking_recv() {
                    work(&mut connection);
                }
            })
            .map_err(Error::Thread)?;
        opening.await.map_err(|_| Error::Closed)??;
        Ok(Self { thread })
    }

    /// Asks on the thread, after everything that was asked before. What was handed over happens
    /// even if nobody waits for the answer any more.
    ///
    /// # Errors
    ///
    /// What sqlite reports, or [`Error::Closed`].
    pub(crate) async fn ask<T, F>(&self, question: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let work: Work = Box::new(move |connection| drop(answer.send(question(connection))));
        self.thread.send(work).await.map_err(|_| Error::Closed)?;
        answered
            .await
            .map_err(|_| Error::Closed)?
            .map_err(Error::Sqlite)
    }
}
