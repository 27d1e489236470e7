-- The first schema. Instants are UTC as RFC 3339 text, so that they sort and can be read by eye;
-- booleans are 0 or 1; bodies are what gateway/bodies.py writes. AUTOINCREMENT keeps the highest
-- number ever given, so that none is given twice, not even after its row is gone.

CREATE TABLE slots (
    cloud_evse INTEGER PRIMARY KEY,
    station_id TEXT NOT NULL,
    evse_id    INTEGER NOT NULL,
    is_removed INTEGER NOT NULL
) STRICT;

CREATE TABLE transactions (
    number                 INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid                   TEXT NOT NULL UNIQUE,
    station_id             TEXT NOT NULL,
    evse_id                INTEGER NOT NULL,
    connector_id           INTEGER NOT NULL,
    cloud_evse             INTEGER NOT NULL,
    started_at             TEXT NOT NULL,
    station_transaction_id TEXT NOT NULL,
    id_token               TEXT,
    id_token_type          TEXT,
    register_start_wh      REAL,
    register_last_wh       REAL,
    ended_at               TEXT,     -- NULL: running
    stopped_reason         TEXT,
    next_seq_no            INTEGER NOT NULL,
    charging_state         TEXT,
    remote_start_id        INTEGER,
    cloud_number           INTEGER,  -- not unique: clouds repeat it
    verdict                TEXT,
    is_start_queued        INTEGER NOT NULL
) STRICT;
CREATE INDEX transactions_running ON transactions (number) WHERE ended_at IS NULL;
CREATE INDEX transactions_by_start ON transactions (started_at);

CREATE TABLE outbox (
    id                 INTEGER PRIMARY KEY AUTOINCREMENT,  -- order of acceptance
    lane               TEXT NOT NULL,
    body               BLOB NOT NULL,
    transaction_number INTEGER,
    enqueued_at        TEXT,
    is_offline         INTEGER NOT NULL,
    attempts           INTEGER NOT NULL DEFAULT 0,
    message_id         TEXT,     -- of the CALL that may have left
    sent               BLOB,     -- its payload, byte by byte
    sent_version       TEXT,
    sent_with          TEXT      -- ids of the rows it also carried: '8,9,12'
) STRICT;
-- Holds all that counting lanes and finding their transactions needs, without touching a body.
CREATE INDEX outbox_by_lane ON outbox (lane, id, transaction_number);

CREATE TABLE quarantine (
    id                 INTEGER PRIMARY KEY,  -- the one it had in the outbox
    lane               TEXT NOT NULL,
    body               BLOB NOT NULL,
    transaction_number INTEGER,
    enqueued_at        TEXT,
    is_offline         INTEGER NOT NULL,
    attempts           INTEGER NOT NULL,
    message_id         TEXT,
    sent               BLOB,
    sent_version       TEXT,
    sent_with          TEXT,
    quarantined_at     TEXT NOT NULL,
    code               TEXT NOT NULL,
    description        TEXT NOT NULL
) STRICT;

CREATE TABLE tokens (
    key        TEXT PRIMARY KEY,  -- the value, without case
    value      TEXT NOT NULL,
    type       TEXT NOT NULL,
    status     TEXT NOT NULL,
    expires_at TEXT,
    group_id   TEXT,
    group_type TEXT,
    heard_at   TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE local_list (
    key        TEXT PRIMARY KEY,
    value      TEXT NOT NULL,
    type       TEXT NOT NULL,
    status     TEXT NOT NULL,
    expires_at TEXT,
    group_id   TEXT,
    group_type TEXT,
    heard_at   TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE local_list_version (
    the_only INTEGER PRIMARY KEY CHECK (the_only = 1),
    version  INTEGER NOT NULL
) STRICT;
INSERT INTO local_list_version VALUES (1, 0);

CREATE TABLE profiles (
    profile_id INTEGER PRIMARY KEY,
    cloud_evse INTEGER NOT NULL,
    body       BLOB NOT NULL
) STRICT;

CREATE TABLE circuit_limits (
    circuit TEXT NOT NULL,
    source  TEXT NOT NULL,
    limit_a REAL NOT NULL,
    reason  TEXT NOT NULL,
    set_by  TEXT NOT NULL,
    set_at  TEXT NOT NULL,
    until   TEXT,
    PRIMARY KEY (circuit, source)
) STRICT, WITHOUT ROWID;

CREATE TABLE availability (
    cloud_evse     INTEGER PRIMARY KEY,  -- 0: the whole station
    is_operational INTEGER NOT NULL
) STRICT;

CREATE TABLE settings (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
