-- What the tags of all models come to. Raise catalogue.VERSION with every change: it has a file of its own.
CREATE TABLE tags (
  ref   TEXT PRIMARY KEY,     -- refs/tags/digits@v1.2.0, and every other tag
  oid   TEXT NOT NULL,        -- what it points at
  model TEXT                  -- NULL: it is no model's
) WITHOUT ROWID;
CREATE INDEX tags_by_model ON tags (model) WHERE model IS NOT NULL;

CREATE TABLE models (
  model TEXT PRIMARY KEY,
  moved REAL NOT NULL,        -- when its last tag was made, in seconds since the epoch
  standing INTEGER NOT NULL   -- how many versions of it stand
) WITHOUT ROWID;
CREATE INDEX models_by_time ON models (moved);

-- The versions that stand.
CREATE TABLE versions (
  model    TEXT NOT NULL,
  place    INTEGER NOT NULL,  -- from 0, the oldest version first
  version  TEXT NOT NULL,
  "commit" TEXT NOT NULL,
  made     REAL NOT NULL,     -- when it was registered, in seconds since the epoch
  who      BLOB NOT NULL,
  run      TEXT NOT NULL,     -- this, and what follows, as its record says, unchecked; empty where there is none
  artifact TEXT NOT NULL,
  content  TEXT NOT NULL,
  metrics  BLOB NOT NULL,     -- JSON
  PRIMARY KEY (model, place)
) WITHOUT ROWID;

-- What stages serve, by the tags.
CREATE TABLE stages (
  model   TEXT NOT NULL,
  stage   TEXT NOT NULL,
  version TEXT NOT NULL,
  ours    INTEGER NOT NULL,   -- whether the tag that says so was made by mlgit
  PRIMARY KEY (model, stage)
) WITHOUT ROWID;

-- What the refs looked like (git.looking), as JSON.
CREATE TABLE looks (
  stamp TEXT NOT NULL,
  loose TEXT NOT NULL
);
