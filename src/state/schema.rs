//! The tables, and whose they are.

use super::{Error, file::is_no_database};
use rusqlite::{Connection, TransactionBehavior};
use std::path::Path;

/// Tells our files from other programs' (`application_id` in the header of a sqlite file).
const APPLICATION: i64 = 0x506F_7274; // "Port"

/// What leads from each version of the tables to the next; the number of steps taken is the
/// file's version (`user_version` in its header). A step that was released never changes.
const STEPS: &[&str] = &[
    "
    -- The id is a digest of what the cookie holds, so that this file alone opens no session.
    CREATE TABLE sessions (
        id BLOB PRIMARY KEY,
        expires_at INTEGER NOT NULL, -- milliseconds since 1970, as last_used
        last_used INTEGER NOT NULL,
        data TEXT NOT NULL           -- JSON
    ) STRICT;
    CREATE INDEX sessions_by_expiry ON sessions (expires_at);

    -- Usernames are ASCII, and NOCASE folds exactly that.
    CREATE TABLE identities (
        issuer TEXT NOT NULL,
        subject TEXT NOT NULL,
        username TEXT NOT NULL COLLATE NOCASE UNIQUE,
        first_seen INTEGER NOT NULL, -- milliseconds since 1970, as last_seen
        last_seen INTEGER NOT NULL,
        PRIMARY KEY (issuer, subject)
    ) STRICT;
",
    "
    -- The time step of the last one-time code of each emergency account.
    CREATE TABLE spent_codes (
        username TEXT PRIMARY KEY COLLATE NOCASE,
        step INTEGER NOT NULL
    ) STRICT;
",
    "
    -- A name can have several subjects, once an administrator or his rule says so.
    CREATE TABLE linked_identities (
        issuer TEXT NOT NULL,
        subject TEXT NOT NULL,
        provider TEXT NOT NULL,      -- its id in the configuration
        username TEXT NOT NULL COLLATE NOCASE,
        verified_email TEXT,
        first_seen INTEGER NOT NULL, -- milliseconds since 1970, as last_seen
        last_seen INTEGER NOT NULL,
        facts TEXT,                  -- JSON
        PRIMARY KEY (issuer, subject)
    ) STRICT;
    INSERT INTO linked_identities (issuer, subject, provider, username, first_seen, last_seen)
        SELECT issuer, subject, '', username, first_seen, last_seen FROM identities;
    DROP TABLE identities;
    ALTER TABLE linked_identities RENAME TO identities;
    CREATE INDEX identities_by_username ON identities (username);
",
    "
    -- The built-in directory. Usernames are ASCII; of addresses, only ASCII case is folded.
    CREATE TABLE people (
        username TEXT PRIMARY KEY COLLATE NOCASE,
        display_name TEXT NOT NULL,
        email TEXT NOT NULL COLLATE NOCASE, -- empty: none
        active INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX people_by_email ON people (email);
    CREATE TABLE people_groups (
        key TEXT PRIMARY KEY, -- the name without case, as the program folds it
        name TEXT NOT NULL
    ) STRICT;
    CREATE TABLE memberships (
        username TEXT NOT NULL COLLATE NOCASE,
        group_key TEXT NOT NULL,
        PRIMARY KEY (username, group_key)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX memberships_by_group ON memberships (group_key);
",
    "
    -- What sessions are found by, computed from what is in them, so that the two cannot differ. A
    -- record that is no JSON has none of it.
    ALTER TABLE sessions ADD COLUMN username TEXT COLLATE NOCASE
        AS (CASE WHEN json_valid(data) THEN data ->> '$.session.person.username' END) VIRTUAL;
    ALTER TABLE sessions ADD COLUMN provider TEXT
        AS (CASE WHEN json_valid(data) THEN data ->> '$.session.how.id' END) VIRTUAL;
    ALTER TABLE sessions ADD COLUMN issuer TEXT
        AS (CASE WHEN json_valid(data) THEN data ->> '$.session.how.issuer' END) VIRTUAL;
    ALTER TABLE sessions ADD COLUMN subject TEXT
        AS (CASE WHEN json_valid(data) THEN data ->> '$.session.how.subject' END) VIRTUAL;
    ALTER TABLE sessions ADD COLUMN sid TEXT
        AS (CASE WHEN json_valid(data) THEN data ->> '$.session.sid' END) VIRTUAL;
    ALTER TABLE sessions ADD COLUMN signed_in_at INTEGER
        AS (CASE WHEN json_valid(data) THEN data ->> '$.session.signed_in_at' END) VIRTUAL;
    CREATE INDEX sessions_by_username ON sessions (username);
    CREATE INDEX sessions_by_subject ON sessions (provider, subject);
    CREATE INDEX sessions_by_sid ON sessions (provider, sid);
",
];

/// Reads whose file this is, without a change to it.
pub(super) fn recognize(connection: &Connection, path: &Path) -> Result<(), Error> {
    let known = version();
    // One snapshot: another connection may be making the tables at this moment, and half of its work
    // looks like another program's.
    let snapshot = connection.unchecked_transaction().and_then(|snapshot| {
        let header = header(&snapshot)?;
        snapshot.finish()?;
        Ok(header)
    });
    match snapshot {
        Ok(Header {
            application: 0,
            version: 0,
            tables: 0,
        }) => Ok(()),
        Ok(header) if header.application != APPLICATION => Err(Error::Foreign {
            path: path.to_owned(),
        }),
        Ok(header) if header.version > known => Err(Error::Newer {
            path: path.to_owned(),
            found: header.version,
            known,
        }),
        Ok(_) => Ok(()),
        Err(error) if is_no_database(&error) => Err(Error::Foreign {
            path: path.to_owned(),
        }),
        Err(error) => Err(Error::Sqlite(error)),
    }
}

/// Sets the connection up and takes the steps that are missing, all or none.
pub(super) fn prepare(connection: &mut Connection) -> rusqlite::Result<()> {
    // Readers and the writer do not wait for each other. FULL, because a session that was ended
    // must stay ended when the power fails a moment later.
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // What is deleted is overwritten: an ended session leaves no ID token behind.
    connection.pragma_update_and_check(None, "secure_delete", "ON", |_| Ok(()))?;

    // Immediate: of two connections that open a new file, the second one finds the work done.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let done = usize::try_from(header(&transaction)?.version).unwrap_or(0);
    for step in STEPS.iter().skip(done) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", version())?;
    transaction.commit()
}

struct Header {
    application: i64,
    version: i64,
    tables: i64,
}

fn header(connection: &Connection) -> rusqlite::Result<Header> {
    Ok(Header {
        application: connection.pragma_query_value(None, "application_id", |row| row.get(0))?,
        version: connection.pragma_query_value(None, "user_version", |row| row.get(0))?,
        tables: connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))?,
    })
}

fn version() -> i64 {
    i64::try_from(STEPS.len()).unwrap_or(i64::MAX)
}
