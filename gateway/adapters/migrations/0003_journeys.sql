-- What became of every row of the outbox: from the station's message to the cloud's answer. A row
-- moves from `outbox` to `journeys` in the commit that forgets it; the newest are kept. Instants that
-- are written with every message are seconds since 1970: a third of the bytes and of the time.

ALTER TABLE outbox ADD COLUMN station_message_id TEXT;  -- of the station's CALL that brought it
ALTER TABLE outbox ADD COLUMN kind TEXT;                -- what it tells, in a word
ALTER TABLE outbox ADD COLUMN occurred_at REAL;         -- by the station's clock
ALTER TABLE outbox ADD COLUMN sent_at REAL;             -- when the CALL of message_id left

ALTER TABLE quarantine ADD COLUMN station_message_id TEXT;
ALTER TABLE quarantine ADD COLUMN kind TEXT;
ALTER TABLE quarantine ADD COLUMN occurred_at REAL;
ALTER TABLE quarantine ADD COLUMN sent_at REAL;

CREATE TABLE journeys (
    id                 INTEGER PRIMARY KEY,  -- the one it had in the outbox
    transaction_number INTEGER,
    kind               TEXT,
    occurred_at        REAL,
    station_message_id TEXT,
    enqueued_at        TEXT,
    is_offline         INTEGER NOT NULL,
    attempts           INTEGER NOT NULL,
    message_id         TEXT,                 -- NULL: no message of the cloud's version tells it
    sent_at            REAL,
    sent_with          INTEGER,              -- the row whose CALL carried it; NULL: its own
    outcome            TEXT NOT NULL,        -- confirmed, discarded
    settled_at         REAL,
    note               TEXT
) STRICT;
CREATE INDEX journeys_by_transaction ON journeys (transaction_number, id);

-- Who changed a quarantined row before it was sent again, and what it said before.
CREATE TABLE quarantine_edits (
    number    INTEGER PRIMARY KEY AUTOINCREMENT,
    row_id    INTEGER NOT NULL,
    edited_at TEXT NOT NULL,
    edited_by TEXT NOT NULL,
    note      TEXT NOT NULL,
    old_body  BLOB NOT NULL,
    new_body  BLOB NOT NULL
) STRICT;
CREATE INDEX quarantine_edits_by_row ON quarantine_edits (row_id, number);
