//! Opening the file.

use super::{Error, schema};
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::fs::OpenOptions;
use std::path::Path;
use std::time::Duration;

/// How long one statement waits while another connection writes.
const BUSY: Duration = Duration::from_secs(5);

pub(super) fn open(path: &Path) -> Result<Connection, Error> {
    make(path).map_err(|source| Error::File {
        path: path.to_owned(),
        source,
    })?;
    // Neither CREATE, as the file is there with the right mode, nor URI, which would read a file
    // name that begins with "file:" as something else.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(Error::Sqlite)?;
    connection.busy_timeout(BUSY).map_err(Error::Sqlite)?;
    // Before anything is written, so that another program's database stays as it is.
    schema::recognize(&connection, path)?;
    schema::prepare(&mut connection).map_err(Error::Sqlite)?;
    Ok(connection)
}

/// Makes the file, readable by this user alone, unless it is there. Sqlite gives the files beside
/// it (`-wal`, `-shm`) the same mode.
fn make(path: &Path) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = file.metadata()?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            tracing::warn!(
                file.path = %path.display(),
                file.mode = %format_args!("{mode:o}"),
                "other users can reach the state file, which holds sessions; chmod it to 600"
            );
        }
    }
    #[cfg(not(unix))]
    drop(file);
    Ok(())
}

/// Whether sqlite says that this is no database at all.
pub(super) fn is_no_database(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::NotADatabase)
}
