-- Why every limit was what it was, for a day; kept by the balancer's side, never by the billing one.
CREATE TABLE journal (
    id            INTEGER PRIMARY KEY,
    at            REAL NOT NULL,          -- seconds since 1970
    station_id    TEXT NOT NULL,
    evse_id       INTEGER NOT NULL,
    from_a        REAL NOT NULL,
    to_a          REAL NOT NULL,
    rule          TEXT NOT NULL,
    circuit       TEXT,
    phase         TEXT,
    value_a       REAL NOT NULL,
    compared_to_a REAL
) STRICT;
CREATE INDEX journal_by_evse ON journal (station_id, evse_id, at);
CREATE INDEX journal_by_time ON journal (at);

-- What this quarter of an hour has used of a demand tariff.
CREATE TABLE quarters (
    circuit    TEXT PRIMARY KEY,
    begins_at  TEXT NOT NULL,
    used_wh    REAL NOT NULL,
    counted_to TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What the grid operator allows the charge points, until it is taken back.
CREATE TABLE dimming (
    source  TEXT PRIMARY KEY,
    total_w REAL,                         -- NULL: the floor
    reason  TEXT NOT NULL,
    set_by  TEXT NOT NULL,
    set_at  TEXT NOT NULL,
    until   TEXT
) STRICT, WITHOUT ROWID;

-- What was done when the grid operator dimmed: kept for years.
CREATE TABLE dimming_evidence (
    id       INTEGER PRIMARY KEY,
    at       TEXT NOT NULL,
    what     TEXT NOT NULL,
    source   TEXT,
    set_by   TEXT,
    reason   TEXT NOT NULL,
    before_w REAL,                        -- for each charge point; NULL: nobody dimmed
    after_w  REAL,
    cars_w   REAL NOT NULL,
    grid_w   REAL
) STRICT;
CREATE INDEX dimming_evidence_by_time ON dimming_evidence (at);
