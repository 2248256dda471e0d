-- One month of messages as received. Only acknowledgment_outcomes is ever updated.
CREATE TABLE facts (name TEXT PRIMARY KEY, value BYTEA NOT NULL);
CREATE TABLE entries (
    seq BIGINT PRIMARY KEY,
    id BYTEA NOT NULL,
    received_us BIGINT NOT NULL,
    channel TEXT NOT NULL,
    peer TEXT NOT NULL,
    refused TEXT,
    reused BIGINT NOT NULL,
    -- the first 8 bytes of SHA-256(salt, MSH-3, MSH-4, MSH-10); NULL: refused, or no sender
    sender BIGINT,
    -- SHA-256(salt, bytes)
    digest BYTEA NOT NULL,
    bytes BYTEA NOT NULL,
    -- the entry that was edited to make this one
    parent BYTEA,
    -- the label of the character set that the channel had for a message that names none (MSH-18 empty); null: UTF-8
    charset TEXT
);
CREATE UNIQUE INDEX entries_by_id ON entries (id);
CREATE INDEX entries_by_sender ON entries (sender) WHERE sender IS NOT NULL;
CREATE TABLE acknowledgments (seq BIGINT PRIMARY KEY, code TEXT NOT NULL, bytes BYTEA NOT NULL);
CREATE TABLE acknowledgment_outcomes (seq BIGINT PRIMARY KEY, outcome BIGINT NOT NULL);
-- Acknowledgments given after the one of the arrival. Only later_outcomes is ever updated.
-- Promised with the arrival, in its commit; promise 0: the only one of original mode, 1: of the application.
CREATE TABLE promises (
    seq BIGINT PRIMARY KEY,
    id BYTEA NOT NULL,
    channel TEXT NOT NULL,
    promise BIGINT NOT NULL
);
-- stage 0: interim, 1: final. Empty bytes: none is owed.
CREATE TABLE later_acknowledgments (
    seq BIGINT NOT NULL,
    stage BIGINT NOT NULL,
    given_us BIGINT NOT NULL,
    code TEXT NOT NULL,
    bytes BYTEA NOT NULL,
    PRIMARY KEY (seq, stage)
);
CREATE TABLE later_outcomes (
    seq BIGINT NOT NULL,
    stage BIGINT NOT NULL,
    outcome BIGINT NOT NULL,
    PRIMARY KEY (seq, stage)
);
-- What of an entry's bytes lies beyond its first part, in order: a large message is written and read piece by piece.
CREATE TABLE parts (
    seq BIGINT NOT NULL,
    number BIGINT NOT NULL,
    bytes BYTEA NOT NULL,
    PRIMARY KEY (seq, number)
);
CREATE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'append-only' USING ERRCODE = 'TG001';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON entries EXECUTE FUNCTION append_only();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON parts EXECUTE FUNCTION append_only();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON acknowledgments EXECUTE FUNCTION append_only();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON promises EXECUTE FUNCTION append_only();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON later_acknowledgments EXECUTE FUNCTION append_only();
