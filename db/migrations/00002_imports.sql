-- +goose Up
-- A file of clients that an administrator looks at before it is imported: one for each, for a day.
CREATE TABLE imports (
  author_id  INTEGER PRIMARY KEY REFERENCES staff_members (id),
  public_id  TEXT NOT NULL UNIQUE,
  file_name  TEXT NOT NULL,
  sealed     BLOB NOT NULL,
  key_id     TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;

-- +goose Down
DROP TABLE imports;
