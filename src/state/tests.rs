use super::*;
use tempfile::TempDir;

struct Place {
    _directory: TempDir,
    file: PathBuf,
}

fn place() -> Place {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("state.db");
    Place {
        _directory: directory,
        file,
    }
}

async fn count(database: &Database) -> Result<i64, Error> {
    database
        .ask(|connection| {
            connection.query_row("SELECT count(*) FROM identities", [], |row| row.get(0))
        })
        .await
}

#[tokio::test]
async fn a_new_file_is_for_this_user_alone() {
    let place = place();
    let database = Database::open(&place.file).await.unwrap();
    assert_eq!(count(&database).await.unwrap(), 0);
    #[cfg(unix)]
    for suffix in ["", "-wal", "-shm"] {
        use std::os::unix::fs::PermissionsExt;
        let file = format!("{}{suffix}", place.file.display());
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}

#[tokio::test]
async fn two_connections_share_a_file() {
    let place = place();
    let (one, two) = tokio::join!(Database::open(&place.file), Database::open(&place.file));
    let (one, two) = (one.unwrap(), two.unwrap());
    one.ask(|c| {
        c.execute(
            "INSERT INTO identities VALUES ('i', 's', 'p', 'Ana', NULL, 0, 0, NULL)",
            [],
        )
    })
    .await
    .unwrap();
    assert_eq!(count(&two).await.unwrap(), 1);
}

#[tokio::test]
async fn a_file_without_a_place_is_an_error() {
    let place = place();
    let error = Database::open(&place.file.join("below")).await.unwrap_err();
    assert!(matches!(error, Error::File { .. }), "{error:?}");
}

#[tokio::test]
async fn something_that_is_no_database_is_refused_and_stays() {
    let place = place();
    let text = "dear diary, ".repeat(200);
    std::fs::write(&place.file, &text).unwrap();
    let error = Database::open(&place.file).await.unwrap_err();
    assert!(matches!(error, Error::Foreign { .. }), "{error:?}");
    assert_eq!(std::fs::read_to_string(&place.file).unwrap(), text);
}

#[tokio::test]
async fn another_programs_database_is_refused_and_stays() {
    let place = place();
    let theirs = Connection::open(&place.file).unwrap();
    theirs.execute_batch("CREATE TABLE theirs (x)").unwrap();
    drop(theirs);
    let before = std::fs::read(&place.file).unwrap();
    let error = Database::open(&place.file).await.unwrap_err();
    assert!(matches!(error, Error::Foreign { .. }), "{error:?}");
    assert_eq!(std::fs::read(&place.file).unwrap(), before);
}

#[tokio::test]
async fn a_newer_versions_file_is_refused() {
    let place = place();
    drop(Database::open(&place.file).await.unwrap());
    let later = Connection::open(&place.file).unwrap();
    later.pragma_update(None, "user_version", 99).unwrap();
    drop(later);
    let error = Database::open(&place.file).await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::Newer {
                found: 99,
                known,
                ..
            } if known < 99
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn pins_of_an_earlier_version_stay() {
    let place = place();
    let earlier = Connection::open(&place.file).unwrap();
    // As the first two steps left it.
    earlier
        .execute_batch(
            "CREATE TABLE sessions (id BLOB PRIMARY KEY, expires_at INTEGER NOT NULL, \
             last_used INTEGER NOT NULL, data TEXT NOT NULL) STRICT;
             CREATE TABLE identities (issuer TEXT NOT NULL, subject TEXT NOT NULL, \
             username TEXT NOT NULL COLLATE NOCASE UNIQUE, first_seen INTEGER NOT NULL, \
             last_seen INTEGER NOT NULL, PRIMARY KEY (issuer, subject)) STRICT;
             CREATE TABLE spent_codes (username TEXT PRIMARY KEY COLLATE NOCASE, \
             step INTEGER NOT NULL) STRICT;
             INSERT INTO identities VALUES ('https://idp', '1', 'Ana', 5, 6);
             PRAGMA application_id = 0x506F7274;
             PRAGMA user_version = 2;",
        )
        .unwrap();
    drop(earlier);
    let database = Database::open(&place.file).await.unwrap();
    let row = database.ask(|connection| {
        connection.query_row(
            "SELECT issuer || subject || username || first_seen || last_seen FROM identities \
             WHERE username = 'ANA' AND verified_email IS NULL",
            [],
            |row| row.get::<_, String>(0),
        )
    });
    assert_eq!(row.await.unwrap(), "https://idp1Ana56");
}
