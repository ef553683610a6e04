-- The record. Times are INTEGER microseconds since 1970-01-01T00:00:00Z; *_at of events is event time, wall is the clock's.

-- How far each log was read; opaque to the store. Changes in one transaction with what was concluded from it.
CREATE TABLE cursor (
    source   TEXT PRIMARY KEY,
    position BLOB NOT NULL
) STRICT;

-- The engine's state: ledger entries by keyed hash, messages under way, and named whole parts.
CREATE TABLE sender (
    key   BLOB PRIMARY KEY,
    state BLOB NOT NULL
) STRICT;

CREATE TABLE message (
    number INTEGER PRIMARY KEY,
    state  BLOB NOT NULL
) STRICT;

CREATE TABLE part (
    name  TEXT PRIMARY KEY,
    state BLOB NOT NULL
) STRICT;

-- Clear names of recently seen senders, for the screen; forgotten after two days.
CREATE TABLE name (
    key       BLOB PRIMARY KEY,
    sender_id TEXT NOT NULL,
    seen      INTEGER NOT NULL
) STRICT;
CREATE INDEX name_by_seen ON name (seen);

-- record is the whole incident as JSON; the other columns repeat what is searched by.
CREATE TABLE incident (
    number    INTEGER PRIMARY KEY,
    sender_id TEXT NOT NULL,
    state     TEXT NOT NULL,
    verdict   TEXT NOT NULL,
    mode      TEXT NOT NULL,
    opened    INTEGER NOT NULL,
    record    TEXT NOT NULL
) STRICT;
CREATE INDEX incident_by_sender ON incident (sender_id);
CREATE INDEX incident_by_state ON incident (state);

-- The timeline. A step is named by incident, kind and event time, so that deciding it again adds nothing.
CREATE TABLE event (
    number   INTEGER PRIMARY KEY,
    incident INTEGER NOT NULL REFERENCES incident (number),
    kind     TEXT NOT NULL,
    at       INTEGER NOT NULL,
    wall     INTEGER NOT NULL,
    who      TEXT NOT NULL,
    detail   TEXT NOT NULL,
    UNIQUE (incident, kind, at)
) STRICT;

-- What became of each message of an incident.
CREATE TABLE held (
    incident   INTEGER NOT NULL REFERENCES incident (number),
    host       TEXT NOT NULL,
    queue_id   TEXT NOT NULL,
    arrival    INTEGER NOT NULL,
    recipients INTEGER NOT NULL,
    bytes      INTEGER NOT NULL,
    state      TEXT NOT NULL,
    changed    INTEGER NOT NULL,
    PRIMARY KEY (incident, host, queue_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX held_by_state ON held (incident, state);

-- The durable list of work. rank orders kinds: what stops mail comes first.
CREATE TABLE job (
    number     INTEGER PRIMARY KEY,
    incident   INTEGER NOT NULL REFERENCES incident (number),
    kind       TEXT NOT NULL,
    generation INTEGER NOT NULL,
    rank       INTEGER NOT NULL,
    detail     TEXT NOT NULL,
    state      TEXT NOT NULL,
    attempts   INTEGER NOT NULL DEFAULT 0,
    next_due   INTEGER NOT NULL,
    last_error TEXT,
    UNIQUE (incident, kind, generation)
) STRICT;
CREATE INDEX job_by_due ON job (state, rank, next_due);

-- Mail to people. key makes a message that is built twice one message.
CREATE TABLE outbox (
    number        INTEGER PRIMARY KEY,
    key           TEXT NOT NULL UNIQUE,
    incident      INTEGER,
    envelope_from TEXT NOT NULL,
    envelope_to   TEXT NOT NULL,
    message       BLOB NOT NULL,
    state         TEXT NOT NULL,
    attempts      INTEGER NOT NULL DEFAULT 0,
    created       INTEGER NOT NULL,
    next_try      INTEGER NOT NULL,
    ended         INTEGER,
    last_error    TEXT
) STRICT;
CREATE INDEX outbox_by_due ON outbox (state, next_try);

CREATE TABLE evidence (
    incident INTEGER NOT NULL REFERENCES incident (number),
    path     TEXT NOT NULL,
    queue_id TEXT,
    sha256   TEXT NOT NULL,
    bytes    INTEGER NOT NULL,
    created  INTEGER NOT NULL,
    PRIMARY KEY (incident, path)
) STRICT, WITHOUT ROWID;

-- A set of digests and its life on the MXes. One of a name is active at a time.
CREATE TABLE publication (
    number    INTEGER PRIMARY KEY AUTOINCREMENT,
    name      TEXT NOT NULL,
    incident  INTEGER,
    created   INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    retracted INTEGER,
    retracted_by TEXT
) STRICT;
CREATE UNIQUE INDEX publication_active ON publication (name) WHERE retracted IS NULL;

CREATE TABLE digest (
    publication INTEGER NOT NULL REFERENCES publication (number),
    digest      TEXT NOT NULL,
    samples     INTEGER NOT NULL,
    PRIMARY KEY (publication, digest)
) STRICT, WITHOUT ROWID;

-- What people ask the daemon to do.
CREATE TABLE request (
    number    INTEGER PRIMARY KEY AUTOINCREMENT,
    verb      TEXT NOT NULL,
    arguments TEXT NOT NULL,
    who       TEXT NOT NULL,
    at        INTEGER NOT NULL,
    state     TEXT NOT NULL,
    result    TEXT,
    ended     INTEGER
) STRICT;
CREATE INDEX request_by_state ON request (state, number);

-- Small facts of the whole daemon that must survive it: the brake, unprotected since.
CREATE TABLE gate (
    name    TEXT PRIMARY KEY,
    value   TEXT NOT NULL,
    changed INTEGER NOT NULL
) STRICT;

-- The daemon's own report, one row.
CREATE TABLE status (
    number    INTEGER PRIMARY KEY CHECK (number = 1),
    heartbeat INTEGER NOT NULL,
    record    TEXT NOT NULL
) STRICT;
