-- One month of messages as received. Only acknowledgment_outcomes is ever updated.
CREATE TABLE facts (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE entries (
    seq INTEGER PRIMARY KEY,
    id BLOB NOT NULL,
    received_us INTEGER NOT NULL,
    channel TEXT NOT NULL,
    peer TEXT NOT NULL,
    refused TEXT,
    reused INTEGER NOT NULL,
    -- the first 8 bytes of SHA-256(salt, MSH-3, MSH-4, MSH-10); NULL: refused, or no sender
    sender INTEGER,
    -- SHA-256(salt, bytes)
    digest BLOB NOT NULL,
    bytes BLOB NOT NULL,
    -- the entry that was edited to make this one
    parent BLOB
) STRICT;
CREATE UNIQUE INDEX entries_by_id ON entries (id);
CREATE INDEX entries_by_sender ON entries (sender) WHERE sender IS NOT NULL;
CREATE TABLE acknowledgments (seq INTEGER PRIMARY KEY, code TEXT NOT NULL, bytes BLOB NOT NULL) STRICT;
CREATE TABLE acknowledgment_outcomes (seq INTEGER PRIMARY KEY, outcome INTEGER NOT NULL) STRICT;
