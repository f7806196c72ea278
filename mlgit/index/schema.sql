-- What git's refs said when they were last looked at. Raise build.VERSION with every change: it has a file of its own.
-- Rows are only ever added: a branch that moved gets a new one, and its old one is not shown any more and loses its ref.
CREATE TABLE runs (
  row      INTEGER PRIMARY KEY,
  ref      TEXT,              -- refs/heads/exp/digits/radiant-glade-12-k3f9a2, or <month of the archive>:<name>
  tip      TEXT NOT NULL,     -- what the ref points at
  "commit" TEXT,              -- where the record stands; NULL: at the tip
  id       TEXT,              -- NULL: it tells of no run
  name     TEXT,
  project  TEXT,
  created  REAL,              -- seconds since the epoch
  sweep    TEXT,
  shown    INTEGER NOT NULL   -- 0: hidden, or another ref tells of the same run
);

-- Another word where rows that were looked at may tell something new after all: they begin anew, or are shown again.
CREATE TABLE ages (
  age TEXT NOT NULL
);
INSERT INTO ages VALUES (hex(randomblob(8)));

-- What the runs of a segment have under one key: `params.lr`, `metrics.loss.min`, `state` (see cells.py).
CREATE TABLE cells (
  key       TEXT NOT NULL,
  segment   INTEGER NOT NULL,  -- rows segment * SEGMENT to (segment + 1) * SEGMENT - 1
  positions BLOB NOT NULL,
  numbers   BLOB,
  codes     BLOB,
  others    TEXT,
  whole     INTEGER NOT NULL
);
CREATE UNIQUE INDEX cells_by_key ON cells (key, segment);

-- Which rows of a segment are shown, a byte each.
CREATE TABLE segments (
  segment INTEGER PRIMARY KEY,
  shown   BLOB NOT NULL
);

-- What the refs looked like (git.looking), as JSON; none: they were not all read.
CREATE TABLE looks (
  stamp TEXT NOT NULL,
  loose TEXT NOT NULL
);
