//! `templates export DIR`: what an administrator's own pages start from.

use crate::web;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Why nothing, or not everything, was written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A file of the name is there already; it may be somebody's work.
    #[error("\"{}\" exists already; nothing is overwritten, so name an empty directory", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The directory or a file cannot be written.
    #[error("\"{}\" cannot be written", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Writes the built-in templates, `style.css` and `en.toml`, and says so.
///
/// # Errors
///
/// If one of them exists already (nothing is written then), or the directory cannot be written to.
pub fn export_templates(directory: &Path) -> Result<String, ExportError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        |source| ExportError::Write { path, source }
    };
    for (name, _) in web::exported() {
        let path = directory.join(name);
        if path.symlink_metadata().is_ok() {
            return Err(ExportError::Exists { path });
        }
    }
    std::fs::create_dir_all(directory).map_err(failed(directory))?;
    let mut names = Vec::new();
    for (name, text) in web::exported() {
        let path = directory.join(name);
        // Still refused if somebody else was quicker.
        let mut file = std::fs::File::create_new(&path).map_err(failed(&path))?;
        file.write_all(text.as_bytes()).map_err(failed(&path))?;
        names.push(name);
    }
    Ok(format!(
        "{} files written to {}: {}\nKeep what you change, remove the rest, and set branding.templates_dir.",
        names.len(),
        directory.display(),
        names.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_written_once_and_nothing_twice() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("new/templates");
        let said = export_templates(&target).unwrap();
        assert!(said.contains("login.html") && said.contains("en.toml"));
        assert!(target.join("style.css").is_file());
        std::fs::write(target.join("login.html"), "mine").unwrap();
        let again = export_templates(&target).unwrap_err();
        assert!(matches!(again, ExportError::Exists { .. }), "{again}");
        assert_eq!(
            std::fs::read_to_string(target.join("login.html")).unwrap(),
            "mine"
        );
    }

    #[test]
    fn one_file_in_the_way_stops_all() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("en.toml"), "mine").unwrap();
        export_templates(directory.path()).unwrap_err();
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
