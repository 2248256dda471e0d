-- Acknowledgments given after the one of the arrival. Only later_outcomes is ever updated.
-- Promised with the arrival, in its commit; promise 0: the only one of original mode, 1: of the application.
CREATE TABLE promises (
    seq INTEGER PRIMARY KEY,
    id BLOB NOT NULL,
    channel TEXT NOT NULL,
    promise INTEGER NOT NULL
) STRICT;
-- stage 0: interim, 1: final. Empty bytes: none is owed.
CREATE TABLE later_acknowledgments (
    seq INTEGER NOT NULL,
    stage INTEGER NOT NULL,
    given_us INTEGER NOT NULL,
    code TEXT NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (seq, stage)
) STRICT, WITHOUT ROWID;
CREATE TABLE later_outcomes (
    seq INTEGER NOT NULL,
    stage INTEGER NOT NULL,
    outcome INTEGER NOT NULL,
    PRIMARY KEY (seq, stage)
) STRICT, WITHOUT ROWID;
