-- What both roles have: resources with their index, and the ledger.
CREATE TABLE resource_types (tid INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE parameters (pid INTEGER PRIMARY KEY, tid INTEGER NOT NULL, name TEXT NOT NULL, UNIQUE (tid, name)) STRICT;
CREATE TABLE systems (sys INTEGER PRIMARY KEY, uri TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE packages (pkg INTEGER PRIMARY KEY, hash TEXT NOT NULL UNIQUE) STRICT;
-- version 0: only referred to so far. entries: the index rows of this version, so that the next can take them out.
-- body: one format byte (0 as it is, 1 zlib) and the canonical JSON.
CREATE TABLE resources (
    rid INTEGER PRIMARY KEY,
    tid INTEGER NOT NULL,
    id TEXT NOT NULL,
    version INTEGER NOT NULL,
    updated_us INTEGER NOT NULL,
    deleted INTEGER NOT NULL,
    source_version INTEGER NOT NULL,
    patient TEXT,
    pkg INTEGER,
    entries BLOB NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX resources_by_id ON resources (id, tid);
CREATE INDEX resources_live ON resources (tid) WHERE version > 0 AND deleted = 0;
-- Versions that are no longer current.
CREATE TABLE resource_versions (
    rid INTEGER NOT NULL,
    version INTEGER NOT NULL,
    updated_us INTEGER NOT NULL,
    deleted INTEGER NOT NULL,
    source_version INTEGER NOT NULL,
    patient TEXT,
    pkg INTEGER,
    body BLOB NOT NULL,
    PRIMARY KEY (rid, version)
) STRICT;
CREATE TABLE changes (change INTEGER PRIMARY KEY, rid INTEGER NOT NULL, version INTEGER NOT NULL) STRICT;
CREATE TABLE type_counts (tid INTEGER PRIMARY KEY, live INTEGER NOT NULL) STRICT;
CREATE TABLE tok (pid INTEGER NOT NULL, code TEXT NOT NULL, sys INTEGER NOT NULL, rid INTEGER NOT NULL,
    PRIMARY KEY (pid, code, sys, rid)) STRICT, WITHOUT ROWID;
CREATE TABLE ref (pid INTEGER NOT NULL, target INTEGER NOT NULL, rid INTEGER NOT NULL,
    PRIMARY KEY (pid, target, rid)) STRICT, WITHOUT ROWID;
CREATE TABLE dat (pid INTEGER NOT NULL, low_us INTEGER NOT NULL, high_us INTEGER NOT NULL, rid INTEGER NOT NULL,
    PRIMARY KEY (pid, low_us, high_us, rid)) STRICT, WITHOUT ROWID;
CREATE TABLE str (pid INTEGER NOT NULL, folded TEXT NOT NULL, rid INTEGER NOT NULL,
    PRIMARY KEY (pid, folded, rid)) STRICT, WITHOUT ROWID;
CREATE TABLE uri (pid INTEGER NOT NULL, uri TEXT NOT NULL, rid INTEGER NOT NULL,
    PRIMARY KEY (pid, uri, rid)) STRICT, WITHOUT ROWID;
CREATE TABLE num (pid INTEGER NOT NULL, sys INTEGER NOT NULL, unit TEXT NOT NULL, value REAL NOT NULL,
    rid INTEGER NOT NULL, PRIMARY KEY (pid, sys, unit, value, rid)) STRICT, WITHOUT ROWID;
-- The patient compartment, newest first: newness is the negated instant.
CREATE TABLE comp (patient INTEGER NOT NULL, tid INTEGER NOT NULL, newness INTEGER NOT NULL, rid INTEGER NOT NULL,
    PRIMARY KEY (patient, tid, newness, rid)) STRICT, WITHOUT ROWID;
CREATE TABLE records (record INTEGER PRIMARY KEY, at_us INTEGER NOT NULL, message BLOB, bytes BLOB NOT NULL) STRICT;
CREATE INDEX records_by_message ON records (message) WHERE message IS NOT NULL;
-- file 0: records of this database; 1: of access.db
CREATE TABLE leaves (leaf INTEGER PRIMARY KEY, file INTEGER NOT NULL, record INTEGER NOT NULL, hash BLOB NOT NULL) STRICT;
CREATE UNIQUE INDEX leaves_by_record ON leaves (file, record);
-- Several of one size are fresh checkpoints of a tree that did not grow.
CREATE TABLE checkpoints (checkpoint INTEGER PRIMARY KEY, size INTEGER NOT NULL, note TEXT NOT NULL, frontier BLOB NOT NULL) STRICT;
