-- Who is who: identifiers of trusted authorities, reviews.
CREATE TABLE patient_identifiers (system TEXT NOT NULL, value TEXT NOT NULL, patient TEXT NOT NULL,
    PRIMARY KEY (system, value)) STRICT, WITHOUT ROWID;
CREATE INDEX patient_identifiers_by_patient ON patient_identifiers (patient);
-- patients and contradictions: with spaces between. answer: 0 different, 1 the same.
CREATE TABLE reviews (
    review INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    message BLOB NOT NULL,
    at_us INTEGER NOT NULL,
    patients TEXT NOT NULL,
    contradictions TEXT NOT NULL,
    answer INTEGER,
    answered_by TEXT,
    answered_us INTEGER
) STRICT;
CREATE INDEX reviews_open ON reviews (review) WHERE answer IS NULL;
-- Every message that waits for the answer.
CREATE TABLE review_messages (review INTEGER NOT NULL, message BLOB NOT NULL,
    PRIMARY KEY (review, message)) STRICT, WITHOUT ROWID;
-- What was said last about two ids; one < other. of_person 1: by a person, ground, which no message changes. 0: by a message.
CREATE TABLE identity_decisions (one TEXT NOT NULL, other TEXT NOT NULL, answer INTEGER NOT NULL,
    decided_by TEXT NOT NULL, decided_us INTEGER NOT NULL, of_person INTEGER NOT NULL,
    PRIMARY KEY (one, other)) STRICT, WITHOUT ROWID;
CREATE INDEX identity_decisions_by_other ON identity_decisions (other);
