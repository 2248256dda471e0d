-- What only the on-prem side has.
CREATE TABLE messages (
    seq INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    channel TEXT NOT NULL,
    received_us INTEGER NOT NULL,
    processed_us INTEGER NOT NULL,
    state INTEGER NOT NULL,
    message_type TEXT NOT NULL,
    sender TEXT NOT NULL,
    reason TEXT,
    issues TEXT NOT NULL,
    package_hash TEXT NOT NULL,
    flags INTEGER NOT NULL,
    leaves_mapped INTEGER NOT NULL,
    leaves_total INTEGER NOT NULL,
    parent BLOB,
    -- the first message made by an edit of this one, or of such a one, that was applied
    resolved_by BLOB
) STRICT;
CREATE INDEX messages_by_state ON messages (state);
CREATE TABLE message_resources (seq INTEGER NOT NULL, rid INTEGER NOT NULL, version INTEGER NOT NULL,
    PRIMARY KEY (seq, rid, version)) STRICT, WITHOUT ROWID;
CREATE TABLE message_keys (value TEXT NOT NULL, seq INTEGER NOT NULL, kind TEXT NOT NULL, system TEXT NOT NULL,
    PRIMARY KEY (value, seq, kind, system)) STRICT, WITHOUT ROWID;
CREATE TABLE message_patients (patient TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (patient, seq)) STRICT, WITHOUT ROWID;
CREATE TABLE patient_aliases (alias TEXT PRIMARY KEY, patient TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX patient_aliases_by_patient ON patient_aliases (patient);
CREATE TABLE pseudonyms (destination TEXT NOT NULL, resource_type TEXT NOT NULL, clinical_id TEXT NOT NULL,
    released_id TEXT NOT NULL, secret BLOB NOT NULL, PRIMARY KEY (destination, resource_type, clinical_id)) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX pseudonyms_by_released_id ON pseudonyms (destination, released_id);
CREATE TABLE deliveries (
    number INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    seq INTEGER NOT NULL,
    destination TEXT NOT NULL,
    lane TEXT NOT NULL,
    state INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    next_us INTEGER NOT NULL,
    queued_us INTEGER NOT NULL,
    delivered_us INTEGER,
    last_error TEXT,
    receipt TEXT,
    resource_type TEXT NOT NULL,
    resource_id TEXT NOT NULL,
    released_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    actions TEXT NOT NULL,
    sealed_for TEXT NOT NULL,
    decision_id BLOB NOT NULL,
    mac BLOB NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE INDEX deliveries_by_message ON deliveries (seq);
CREATE INDEX deliveries_pending ON deliveries (destination, number) WHERE state = 0;
CREATE INDEX deliveries_waiting ON deliveries (destination, lane, number) WHERE state = 0 AND next_us > 0;
CREATE TABLE reprocess_requests (
    request INTEGER PRIMARY KEY,
    message BLOB NOT NULL,
    requested_by TEXT NOT NULL,
    requested_us INTEGER NOT NULL,
    outcome TEXT
) STRICT;
CREATE UNIQUE INDEX reprocess_requests_open ON reprocess_requests (message) WHERE outcome IS NULL;
