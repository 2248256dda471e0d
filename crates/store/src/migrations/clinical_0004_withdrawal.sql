-- What stands at each destination, and why it may stand there.
-- revision: counts what was sent under one released id, whatever the clinical version; the destination keeps the highest.
-- withdrawal: the reason, when the delivery is a notice that the resource is gone. basis: policy and profiles it was decided under.
ALTER TABLE deliveries ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
ALTER TABLE deliveries ADD COLUMN withdrawal TEXT;
ALTER TABLE deliveries ADD COLUMN basis TEXT NOT NULL DEFAULT '';
CREATE INDEX deliveries_unsent ON deliveries (destination, released_id) WHERE state = 0;
CREATE INDEX deliveries_stuck ON deliveries (destination, lane, released_id) WHERE state = 2 AND withdrawal IS NOT NULL;
CREATE INDEX deliveries_dead ON deliveries (destination, number, withdrawal, queued_us) WHERE state = 2;
CREATE INDEX deliveries_withdrawing ON deliveries (destination, queued_us) WHERE state = 0 AND withdrawal IS NOT NULL;
CREATE INDEX deliveries_withdrawn ON deliveries (queued_us, withdrawal) WHERE withdrawal IS NOT NULL;
-- Kept when deliveries go. content: SHA-256 of the released bytes; null when withdrawn, or when they never arrived.
CREATE TABLE standings (
    destination TEXT NOT NULL,
    resource_type TEXT NOT NULL,
    resource_id TEXT NOT NULL,
    released_id TEXT NOT NULL,
    patient TEXT,
    lane TEXT NOT NULL,
    revision INTEGER NOT NULL,
    stands INTEGER NOT NULL,
    content BLOB,
    PRIMARY KEY (destination, resource_type, resource_id, released_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX standings_by_patient ON standings (patient, destination) WHERE stands = 1;
CREATE INDEX standings_by_released_id ON standings (destination, released_id);
-- through: the row of `resources` up to which everything was decided again. outcome: null while it runs.
CREATE TABLE sweeps (
    sweep INTEGER PRIMARY KEY,
    basis TEXT NOT NULL,
    requested_by TEXT,
    begun_us INTEGER NOT NULL,
    through INTEGER NOT NULL,
    units INTEGER NOT NULL,
    released INTEGER NOT NULL,
    withdrawn INTEGER NOT NULL,
    refused INTEGER NOT NULL,
    ended_us INTEGER,
    outcome TEXT
) STRICT;
-- What a person said about a patient's consent. Ground: no derivation writes here but the outcome.
CREATE TABLE consent_requests (
    request INTEGER PRIMARY KEY,
    patient TEXT NOT NULL,
    denies INTEGER NOT NULL,
    destination TEXT,
    requested_by TEXT NOT NULL,
    requested_us INTEGER NOT NULL,
    outcome TEXT
) STRICT;
CREATE INDEX consent_requests_open ON consent_requests (request) WHERE outcome IS NULL;
