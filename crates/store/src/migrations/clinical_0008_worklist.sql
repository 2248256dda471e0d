-- What became of the leaves of messages by day and sender, alerts on new fields, and codes that wait for a row in their
-- table. Derived once from each message, but for who acknowledged an alert.
-- 1: its leaves and codes are counted; whatever happens to it later, they are not counted again.
ALTER TABLE messages ADD COLUMN covered INTEGER NOT NULL DEFAULT 0;
-- day: days since the epoch (UTC) until the message was received
CREATE TABLE coverage_messages (sender TEXT NOT NULL, message_type TEXT NOT NULL, day INTEGER NOT NULL, messages INTEGER NOT NULL,
    PRIMARY KEY (sender, message_type, day)) STRICT, WITHOUT ROWID;
CREATE TABLE coverage_paths (day INTEGER NOT NULL, sender TEXT NOT NULL, message_type TEXT NOT NULL, path TEXT NOT NULL, fate INTEGER NOT NULL,
    leaves INTEGER NOT NULL, PRIMARY KEY (day, sender, message_type, path, fate)) STRICT, WITHOUT ROWID;
-- Paths that a sender is known to use though nobody maps them, or uses with values that cannot be used.
CREATE TABLE known_gaps (sender TEXT NOT NULL, message_type TEXT NOT NULL, path TEXT NOT NULL, kind INTEGER NOT NULL,
    PRIMARY KEY (sender, message_type, path, kind)) STRICT, WITHOUT ROWID;
CREATE TABLE alerts (
    alert INTEGER PRIMARY KEY,
    kind INTEGER NOT NULL,
    sender TEXT NOT NULL,
    message_type TEXT NOT NULL,
    path TEXT NOT NULL,
    -- the first message that has it
    message BLOB NOT NULL,
    day INTEGER NOT NULL,
    acknowledged_by TEXT,
    acknowledged_us INTEGER
) STRICT;
CREATE INDEX alerts_open ON alerts (sender, message_type) WHERE acknowledged_us IS NULL;
CREATE TABLE code_items (
    item INTEGER PRIMARY KEY,
    code_table TEXT NOT NULL,
    sender TEXT NOT NULL,
    -- empty: what is no code
    code TEXT NOT NULL,
    system TEXT,
    messages INTEGER NOT NULL,
    first_day INTEGER NOT NULL,
    last_day INTEGER NOT NULL,
    -- 0: open, 1: mapped, and its messages are being asked for again, 2: mapped
    state INTEGER NOT NULL,
    -- the package under which it was last found missing, or found
    package_hash TEXT NOT NULL,
    -- state 1: subjects up to here are asked for
    asked_through TEXT NOT NULL DEFAULT '',
    UNIQUE (code_table, sender, code)
) STRICT;
-- Whom to derive again: a patient by the last message that missed the code, or a message by itself.
CREATE TABLE code_subjects (item INTEGER NOT NULL, subject TEXT NOT NULL, message BLOB NOT NULL, PRIMARY KEY (item, subject)) STRICT, WITHOUT ROWID;
CREATE TABLE code_examples (item INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (item, seq)) STRICT, WITHOUT ROWID;
