-- What only the portal has.
CREATE TABLE arrivals (idempotency_key BLOB PRIMARY KEY, receipt TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE witnesses (origin TEXT NOT NULL, size INTEGER NOT NULL, kept INTEGER NOT NULL, at_us INTEGER NOT NULL,
    note TEXT NOT NULL, PRIMARY KEY (origin, size, kept), UNIQUE (origin, size, note)) STRICT, WITHOUT ROWID;
