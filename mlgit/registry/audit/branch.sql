-- What a branch did to registry/, along first parents. Raise branch.VERSION with every change: it has a file of its own.
CREATE TABLE commits (
  number INTEGER PRIMARY KEY,   -- from 0, the branch's first
  oid    TEXT NOT NULL UNIQUE
);

CREATE TABLE changes (
  number  INTEGER NOT NULL,     -- of the commit
  place   INTEGER NOT NULL,     -- among what it changed
  part    BLOB NOT NULL,        -- the name below registry/ that it is or lies in: a model's, mostly
  "when"  REAL NOT NULL,
  who     BLOB NOT NULL,
  subject BLOB NOT NULL,
  old     TEXT NOT NULL,        -- blobs; zeros: there was none
  new     TEXT NOT NULL,
  path    BLOB NOT NULL,
  PRIMARY KEY (number, place)
) WITHOUT ROWID;
CREATE INDEX changes_by_part ON changes (part);

-- Where the clone ends: a deeper one has more of the same commit's history.
CREATE TABLE ends (
  shallow BLOB NOT NULL
);
