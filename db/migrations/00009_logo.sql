-- +goose Up
CREATE TABLE organization_logo (
  id         INTEGER PRIMARY KEY CHECK (id = 1),
  screen     BLOB NOT NULL, -- PNG
  mail       BLOB NOT NULL, -- PNG, smaller
  width      INTEGER NOT NULL, -- of the mail's
  height     INTEGER NOT NULL,
  hash       TEXT NOT NULL, -- of the screen's: part of its address
  changed_at INTEGER NOT NULL
) STRICT;

-- +goose Down
DROP TABLE organization_logo;
