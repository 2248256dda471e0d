-- Search, sort and history of resources; both roles. Nothing is kept from the tables that are made anew.
-- text: as received where folding changes it, for :exact.
DROP TABLE str;
CREATE TABLE str (pid INTEGER NOT NULL, folded TEXT NOT NULL, text TEXT NOT NULL, rid INTEGER NOT NULL,
    PRIMARY KEY (pid, folded, text, rid)) STRICT, WITHOUT ROWID;
-- Value before unit: most searches name no unit, all name a range.
DROP TABLE num;
CREATE TABLE num (pid INTEGER NOT NULL, value REAL NOT NULL, sys INTEGER NOT NULL, unit TEXT NOT NULL,
    rid INTEGER NOT NULL, PRIMARY KEY (pid, value, sys, unit, rid)) STRICT, WITHOUT ROWID;
-- What reaches beyond an instant, however early it began.
CREATE INDEX dat_by_high ON dat (pid, high_us);
-- What changed, in the order of the changes; of one type newest first is its history.
DROP TABLE changes;
CREATE TABLE changes (change INTEGER PRIMARY KEY, tid INTEGER NOT NULL, rid INTEGER NOT NULL,
    version INTEGER NOT NULL) STRICT;
CREATE INDEX changes_by_type ON changes (tid);
CREATE INDEX resources_by_update ON resources (tid, updated_us) WHERE version > 0 AND deleted = 0;
