-- Large values lie beside the database, as files that are named by their hash. A row that refers to one has the hash in `blob`, and
-- no bytes in `body`, `value` or `mutation`. Immutable once released: a change is the next numbered file.
ALTER TABLE journal ADD COLUMN blob BLOB;
ALTER TABLE state   ADD COLUMN blob BLOB;
ALTER TABLE promise ADD COLUMN blob BLOB;
ALTER TABLE queue   ADD COLUMN blob BLOB;

-- hash: SHA-256 of the value. id: at random, another each time the value is stored anew. refs: how many rows refer to it; of the rows
-- of one hash at most one has any. unreferenced_at_ms: since when there are none.
CREATE TABLE blob (
  hash               BLOB    NOT NULL CHECK (length(hash) = 32),
  id                 BLOB    NOT NULL CHECK (length(id) = 8),
  size               INTEGER NOT NULL,
  refs               INTEGER NOT NULL CHECK (refs >= 0),
  unreferenced_at_ms INTEGER,
  PRIMARY KEY (hash, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX blob_unreferenced ON blob (unreferenced_at_ms) WHERE refs = 0;
