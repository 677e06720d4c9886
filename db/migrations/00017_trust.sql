-- +goose Up
-- A session that began without a second step owes it; everybody signs in anew.
DROP TABLE sessions;
CREATE TABLE sessions (
  id           BLOB PRIMARY KEY, -- hash of the cookie's value
  public_id    TEXT NOT NULL UNIQUE, -- by which its owner ends it from another browser
  client_id    INTEGER REFERENCES clients (id),
  staff_id     INTEGER REFERENCES staff_members (id),
  device       TEXT NOT NULL DEFAULT '', -- what the browser calls itself, in a few words
  created_at   INTEGER NOT NULL,
  seen_at      INTEGER NOT NULL,
  stepped_at   INTEGER, -- the second step was taken
  confirmed_at INTEGER NOT NULL, -- its owner last proved who they are
  CHECK ((client_id IS NULL) <> (staff_id IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_of_client ON sessions (client_id) WHERE client_id IS NOT NULL;
CREATE INDEX sessions_of_staff ON sessions (staff_id) WHERE staff_id IS NOT NULL;

-- Who must take a second step when they sign in.
ALTER TABLE organization ADD COLUMN staff_second_step INTEGER NOT NULL DEFAULT 1 CHECK (staff_second_step IN (0, 1));
ALTER TABLE organization ADD COLUMN client_second_step INTEGER NOT NULL DEFAULT 0 CHECK (client_second_step IN (0, 1));

CREATE TABLE passkeys (
  id            INTEGER PRIMARY KEY,
  public_id     TEXT NOT NULL UNIQUE,
  client_id     INTEGER REFERENCES clients (id),
  staff_id      INTEGER REFERENCES staff_members (id),
  credential_id BLOB NOT NULL UNIQUE,
  credential    TEXT NOT NULL, -- the WebAuthn credential as JSON: public key, counter, flags
  name          TEXT NOT NULL CHECK (name <> ''),
  created_at    INTEGER NOT NULL,
  used_at       INTEGER, -- a challenge made before then is no longer taken
  CHECK ((client_id IS NULL) <> (staff_id IS NULL))
) STRICT;
CREATE INDEX passkeys_of_client ON passkeys (client_id) WHERE client_id IS NOT NULL;
CREATE INDEX passkeys_of_staff ON passkeys (staff_id) WHERE staff_id IS NOT NULL;

-- Apps that show a code for every half minute: one a person.
CREATE TABLE authenticators (
  id         INTEGER PRIMARY KEY,
  client_id  INTEGER UNIQUE REFERENCES clients (id),
  staff_id   INTEGER UNIQUE REFERENCES staff_members (id),
  sealed     BLOB NOT NULL, -- the secret
  key_id     TEXT NOT NULL,
  last_step  INTEGER NOT NULL, -- the half minute of the last code taken: none is taken twice
  created_at INTEGER NOT NULL,
  CHECK ((client_id IS NULL) <> (staff_id IS NULL))
) STRICT;

CREATE TABLE recovery_codes (
  hash      BLOB PRIMARY KEY, -- keyed
  client_id INTEGER REFERENCES clients (id),
  staff_id  INTEGER REFERENCES staff_members (id),
  key_id    TEXT NOT NULL,
  used_at   INTEGER,
  CHECK ((client_id IS NULL) <> (staff_id IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX recovery_codes_of_client ON recovery_codes (client_id) WHERE client_id IS NOT NULL;
CREATE INDEX recovery_codes_of_staff ON recovery_codes (staff_id) WHERE staff_id IS NOT NULL;

-- Browsers at which somebody signed in before: signing in at another is told by mail.
CREATE TABLE devices (
  id        BLOB NOT NULL, -- hash of a cookie's value
  client_id INTEGER REFERENCES clients (id),
  staff_id  INTEGER REFERENCES staff_members (id),
  seen_at   INTEGER NOT NULL,
  CHECK ((client_id IS NULL) <> (staff_id IS NULL))
) STRICT;
CREATE UNIQUE INDEX devices_of_client ON devices (client_id, id) WHERE client_id IS NOT NULL;
CREATE UNIQUE INDEX devices_of_staff ON devices (staff_id, id) WHERE staff_id IS NOT NULL;

-- Under which key an entry is chained; empty in entries made before there could be a second one: the first.
ALTER TABLE audit_entries ADD COLUMN key_id TEXT NOT NULL DEFAULT '';
CREATE INDEX audit_entries_by_staff ON audit_entries (staff_id, id) WHERE staff_id IS NOT NULL;
CREATE INDEX audit_entries_by_doing_client ON audit_entries (by_client, id) WHERE by_client IS NOT NULL;
CREATE INDEX audit_entries_by_time ON audit_entries (at, id);

-- +goose Down
SELECT 'this schema is not undone';
