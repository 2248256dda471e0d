-- Messages as received, on their way to a destination inside the hospital. The bytes stay in the journal.
-- lanes: 16 bytes each; rows that share one go in the order of their numbers. state: as in deliveries.
-- tried_us: the first attempt. accepted_us: the destination took it over (CA), and its outcome is outstanding.
CREATE TABLE forwards (
    number INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    destination TEXT NOT NULL,
    message BLOB NOT NULL,
    seq INTEGER NOT NULL,
    decision_id BLOB NOT NULL,
    lanes BLOB NOT NULL,
    state INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    next_us INTEGER NOT NULL,
    queued_us INTEGER NOT NULL,
    tried_us INTEGER,
    accepted_us INTEGER,
    settled_us INTEGER,
    last_error TEXT,
    ack_code TEXT,
    error_code TEXT
) STRICT;
CREATE INDEX forwards_pending ON forwards (destination, number) WHERE state = 0;
CREATE INDEX forwards_accepted ON forwards (destination, number) WHERE state = 0 AND accepted_us IS NOT NULL;
CREATE INDEX forwards_dead ON forwards (destination, number) WHERE state = 2;
CREATE INDEX forwards_by_message ON forwards (seq, number);
