-- What a transaction must remember when its station, or a clock, went wrong.

ALTER TABLE transactions ADD COLUMN last_heard_at      TEXT;  -- newest instant told of it
ALTER TABLE transactions ADD COLUMN is_estimated       INTEGER NOT NULL DEFAULT 0;
ALTER TABLE transactions ADD COLUMN register_offset_wh REAL NOT NULL DEFAULT 0;
ALTER TABLE transactions ADD COLUMN refused_at_wh      REAL;  -- register when its token was refused
ALTER TABLE transactions ADD COLUMN started_told_at    TEXT;  -- NULL: the station's time is believed
ALTER TABLE transactions ADD COLUMN ended_told_at      TEXT;
ALTER TABLE transactions ADD COLUMN clock_shift_s      REAL NOT NULL DEFAULT 0;
