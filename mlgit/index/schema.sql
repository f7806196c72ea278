-- What git's refs said when they were last looked at. Raise build.VERSION with every change: the file is then made anew.
CREATE TABLE runs (
  ref      TEXT PRIMARY KEY,  -- refs/heads/exp/digits/radiant-glade-12-k3f9a2
  tip      TEXT NOT NULL,     -- what the ref points at
  "commit" TEXT,              -- where the record stands; NULL: the branch holds no run
  id       TEXT,
  project  TEXT,
  name     TEXT,
  created  REAL,              -- seconds since the epoch
  sweep    TEXT,
  record   TEXT               -- the whole run, as in its Mlgit-Result trailer
) WITHOUT ROWID;

CREATE INDEX runs_by_time ON runs (project, created);
CREATE INDEX runs_by_id ON runs (id);
