//! The process: serve until a signal says otherwise, reload when asked or when a file changes.

use super::{Error, Running, start};
use crate::clock::Clock;
use crate::config::{self, Loaded};
use notify::{RecursiveMode, Watcher};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// Editors and mounts change a file in several steps; this long after the last one it is read.
const SETTLE: Duration = Duration::from_millis(300);

/// Why the process cannot run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The gateway cannot start.
    #[error(transparent)]
    Start(#[from] Error),
    /// Signals cannot be received.
    #[error("signals cannot be received")]
    Signals(#[from] std::io::Error),
}

/// Serves with the configuration of `path` until SIGTERM or SIGINT, then drains.
///
/// # Errors
///
/// If the gateway cannot start.
pub async fn run(
    path: &Path,
    loaded: Loaded,
    clock: Clock,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<(), RunError> {
    let mut hangup = signal(SignalKind::hangup())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let files = loaded.files.clone();
    let running = start(loaded, clock).await?;
    tokio::select! {
        () = follow(&running, path, files, env, async || { hangup.recv().await; }) => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    running.shutdown().await;
    Ok(())
}

/// Reloads whenever one of `files` changes, or when `asked` to; never ends. `files` are those that
/// the configuration in force names, and change with it.
pub async fn follow(
    running: &Running,
    path: &Path,
    mut files: Vec<PathBuf>,
    env: &dyn Fn(&str) -> Option<String>,
    mut asked: impl AsyncFnMut(),
) {
    let mut watched = Files::watch(&files);
    loop {
        tokio::select! {
            () = asked() => {}
            () = watched.changed() => {}
        }
        match config::load(path, env) {
            Ok(loaded) => {
                let named = loaded.files.clone();
                // The same watcher for the same files: it may know of the next change already.
                if running.reload(loaded).is_ok() && named != files {
                    watched = Files::watch(&named);
                    files = named;
                }
            }
            Err(problems) => running
                .reload_refused(&problems.iter().map(ToString::to_string).collect::<Vec<_>>()),
        }
    }
}

/// Tells when a file of the configuration changes.
struct Files {
    changes: mpsc::Receiver<()>,
    _watcher: Option<notify::RecommendedWatcher>,
}

impl Files {
    /// Watches the directories, since editors and mounted secrets replace files.
    fn watch(files: &[PathBuf]) -> Self {
        let (tell, changes) = mpsc::channel(1);
        let names: BTreeSet<_> = files
            .iter()
            .filter_map(|file| file.file_name())
            .map(ToOwned::to_owned)
            .collect();
        let directories: BTreeSet<PathBuf> = files
            .iter()
            .map(|file| match file.parent() {
                Some(parent) if parent != Path::new("") => parent.to_owned(),
                _ => PathBuf::from("."),
            })
            .collect();
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // `..data` is what a mounted Kubernetes secret swaps.
            let ours = event.is_ok_and(|event| {
                !event.kind.is_access()
                    && event
                        .paths
                        .iter()
                        .filter_map(|path| path.file_name())
                        .any(|name| names.contains(name) || name == "..data")
            });
            if ours {
                // A full channel already says that something changed.
                let _ = tell.try_send(());
            }
        });
        let watcher = watcher.and_then(|mut watcher| {
            for directory in &directories {
                watcher.watch(directory, RecursiveMode::NonRecursive)?;
            }
            Ok(watcher)
        });
        let watcher = watcher
            .inspect_err(|error| tracing::warn!(%error, "files are not watched; SIGHUP reloads"))
            .ok();
        Self {
            changes,
            _watcher: watcher,
        }
    }

    /// Waits for a change, and until it has settled.
    async fn changed(&mut self) {
        if self.changes.recv().await.is_none() {
            // No watcher: never.
            return std::future::pending().await;
        }
        while tokio::time::timeout(SETTLE, self.changes.recv())
            .await
            .is_ok_and(|more| more.is_some())
        {}
    }
}
