-- Beside what each charge point was allowed: what all of them were allowed together.
ALTER TABLE dimming_evidence ADD COLUMN before_total_w REAL;   -- NULL: nobody dimmed, or older
ALTER TABLE dimming_evidence ADD COLUMN after_total_w REAL;
