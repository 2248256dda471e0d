-- Legal holds (ground), and the months of the journal that were dropped.
CREATE TABLE journal_holds (
    hold INTEGER PRIMARY KEY,
    -- exactly one of the two: YYYY-MM, or a number of a patient
    month TEXT,
    patient TEXT,
    reason TEXT NOT NULL,
    placed_by TEXT NOT NULL,
    placed_us INTEGER NOT NULL,
    released_by TEXT,
    released_us INTEGER,
    CHECK ((month IS NULL) <> (patient IS NULL))
) STRICT;
-- file_gone 0: its record is written and its file is removed at the next start.
CREATE TABLE journal_drops (
    month TEXT PRIMARY KEY,
    entries INTEGER NOT NULL,
    last INTEGER NOT NULL,
    digest BLOB NOT NULL,
    dropped_us INTEGER NOT NULL,
    file_gone INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
