-- What a meter has shown of the phases of EVSEs that the site file does not know.

CREATE TABLE found_phases (
    station_id  TEXT NOT NULL,
    evse_id     INTEGER NOT NULL,
    wirings     TEXT NOT NULL,  -- those still possible: 'L2-L1-L3 L2-L3-L1'
    found_at    TEXT NOT NULL,
    found_under TEXT NOT NULL,  -- the lines of the site file it depends on
    boot_id     TEXT NOT NULL,  -- of the machine, whose monotonic clock the next one is of
    in_sight_at REAL,           -- NULL: out of sight since, it may have changed
    PRIMARY KEY (station_id, evse_id)
) STRICT, WITHOUT ROWID;
