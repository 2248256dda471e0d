-- What of an entry's bytes lies beyond its first part, in order: a large message is written and read piece by piece.
CREATE TABLE parts (
    seq INTEGER NOT NULL,
    number INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (seq, number)
) STRICT;
