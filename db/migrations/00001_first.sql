-- +goose Up
-- Times are unix milliseconds in UTC, written by the program's clock. Dates are YYYY-MM-DD.

CREATE TABLE organization (
  id              INTEGER PRIMARY KEY CHECK (id = 1),
  name            TEXT NOT NULL CHECK (name <> ''),
  phone           TEXT NOT NULL,
  time_zone       TEXT NOT NULL,
  invitation_days INTEGER NOT NULL DEFAULT 7 CHECK (invitation_days BETWEEN 1 AND 30),
  portal_welcome  TEXT NOT NULL,
  portal_help     TEXT NOT NULL,
  crisis_text     TEXT NOT NULL,
  created_at      INTEGER NOT NULL
) STRICT;

CREATE TABLE staff_members (
  id            INTEGER PRIMARY KEY,
  public_id     TEXT NOT NULL UNIQUE,
  name          TEXT NOT NULL CHECK (name <> ''),
  role          TEXT NOT NULL CHECK (role IN ('administrator', 'therapist', 'staff')),
  password_hash TEXT, -- empty until they chose one
  disabled_at   INTEGER,
  created_at    INTEGER NOT NULL
) STRICT;

CREATE TABLE permissions (
  staff_id   INTEGER NOT NULL REFERENCES staff_members (id),
  permission TEXT NOT NULL CHECK (permission IN ('invite clients', 'edit clients', 'read forms')),
  PRIMARY KEY (staff_id, permission)
) STRICT, WITHOUT ROWID;

CREATE TABLE clients (
  id             INTEGER PRIMARY KEY,
  public_id      TEXT NOT NULL UNIQUE,
  first_name     TEXT NOT NULL CHECK (first_name <> ''),
  last_name      TEXT NOT NULL CHECK (last_name <> ''),
  preferred_name TEXT NOT NULL DEFAULT '',
  date_of_birth  TEXT NOT NULL DEFAULT '',
  phone          TEXT NOT NULL DEFAULT '',
  sort_key       TEXT NOT NULL, -- folded last name, first name
  search         TEXT NOT NULL, -- folded names and email
  changed        INTEGER NOT NULL, -- the change counter's value when search or sort_key last changed
  portal_off_at  INTEGER, -- an administrator turned portal access off
  created_at     INTEGER NOT NULL
) STRICT;
CREATE INDEX clients_by_name ON clients (sort_key, id);
CREATE INDEX clients_by_change ON clients (changed);

-- The last value given to clients.changed: tells the search index what it has not read yet.
CREATE TABLE client_changes (
  id    INTEGER PRIMARY KEY CHECK (id = 1),
  value INTEGER NOT NULL
) STRICT;
INSERT INTO client_changes VALUES (1, 0);

-- One email address, and one login, never serves two people: its canonical form is the key.
CREATE TABLE email_addresses (
  canonical TEXT PRIMARY KEY,
  email     TEXT NOT NULL, -- as typed: mail goes here
  client_id INTEGER REFERENCES clients (id),
  staff_id  INTEGER REFERENCES staff_members (id),
  pending   INTEGER NOT NULL DEFAULT 0 CHECK (pending IN (0, 1)), -- asked for, not yet confirmed
  CHECK ((client_id IS NULL) <> (staff_id IS NULL))
) STRICT;
CREATE UNIQUE INDEX email_addresses_of_client ON email_addresses (client_id, pending) WHERE client_id IS NOT NULL;
CREATE UNIQUE INDEX email_addresses_of_staff ON email_addresses (staff_id, pending) WHERE staff_id IS NOT NULL;

CREATE TABLE assignments (
  client_id INTEGER NOT NULL REFERENCES clients (id),
  staff_id  INTEGER NOT NULL REFERENCES staff_members (id),
  PRIMARY KEY (staff_id, client_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX assignments_of_client ON assignments (client_id, staff_id);

CREATE TABLE portal_accounts (
  client_id     INTEGER PRIMARY KEY REFERENCES clients (id),
  password_hash TEXT NOT NULL CHECK (password_hash <> ''),
  created_at    INTEGER NOT NULL
) STRICT;

-- A secret in a mail. Only a hash of its token is kept; the token is derived from the nonce under a key outside this file.
CREATE TABLE links (
  id         INTEGER PRIMARY KEY,
  purpose    TEXT NOT NULL CHECK (purpose IN ('join', 'join staff', 'new password')),
  client_id  INTEGER REFERENCES clients (id),
  staff_id   INTEGER REFERENCES staff_members (id),
  token_hash BLOB NOT NULL UNIQUE,
  nonce      BLOB NOT NULL,
  key_id     TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  used_at    INTEGER,
  ended_at   INTEGER, -- revoked, or replaced by a newer one
  CHECK ((client_id IS NULL) <> (staff_id IS NULL))
) STRICT;
CREATE INDEX links_of_client ON links (client_id) WHERE client_id IS NOT NULL;
CREATE INDEX links_of_staff ON links (staff_id) WHERE staff_id IS NOT NULL;

-- A version of a form; its definition is a FHIR R4 Questionnaire.
CREATE TABLE forms (
  id         INTEGER PRIMARY KEY,
  key        TEXT NOT NULL,
  version    TEXT NOT NULL,
  title      TEXT NOT NULL,
  definition TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  UNIQUE (key, version)
) STRICT;

-- The messages a new draft starts with, and the forms ticked in it.
CREATE TABLE default_messages (
  kind    TEXT PRIMARY KEY CHECK (kind IN ('invitation', 'forms')),
  subject TEXT NOT NULL,
  body    TEXT NOT NULL
) STRICT;
CREATE TABLE default_forms (
  kind     TEXT NOT NULL REFERENCES default_messages (kind),
  form_key TEXT NOT NULL,
  PRIMARY KEY (kind, form_key)
) STRICT, WITHOUT ROWID;

-- An invitation being composed: from the Organization page, or (client_id) from one client's page.
CREATE TABLE drafts (
  id                 INTEGER PRIMARY KEY,
  public_id          TEXT NOT NULL UNIQUE,
  author_id          INTEGER NOT NULL REFERENCES staff_members (id),
  client_id          INTEGER REFERENCES clients (id),
  invitation_subject TEXT, -- empty: the default message
  invitation_body    TEXT,
  forms_subject      TEXT,
  forms_body         TEXT,
  forms_chosen       INTEGER NOT NULL DEFAULT 0 CHECK (forms_chosen IN (0, 1)), -- 0: the default forms
  save_default       INTEGER NOT NULL DEFAULT 0 CHECK (save_default IN (0, 1)),
  created_at         INTEGER NOT NULL,
  sent_at            INTEGER
) STRICT;
CREATE UNIQUE INDEX drafts_open ON drafts (author_id, ifnull(client_id, 0)) WHERE sent_at IS NULL;

CREATE TABLE draft_clients (
  draft_id  INTEGER NOT NULL REFERENCES drafts (id),
  client_id INTEGER NOT NULL REFERENCES clients (id),
  subject   TEXT, -- this client's own message; empty: the draft's
  body      TEXT,
  PRIMARY KEY (draft_id, client_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE draft_forms (
  draft_id INTEGER NOT NULL REFERENCES drafts (id),
  form_key TEXT NOT NULL,
  PRIMARY KEY (draft_id, form_key)
) STRICT, WITHOUT ROWID;

CREATE TABLE invitations (
  id        INTEGER PRIMARY KEY,
  public_id TEXT NOT NULL UNIQUE,
  client_id INTEGER NOT NULL REFERENCES clients (id),
  link_id   INTEGER NOT NULL UNIQUE REFERENCES links (id),
  sent_by   INTEGER NOT NULL REFERENCES staff_members (id),
  sent_at   INTEGER NOT NULL
) STRICT;
CREATE INDEX invitations_of_client ON invitations (client_id, id);

-- The outbox. A letter is frozen when it is sent: data is the whole mail but for the link's token, for which it holds a slot.
CREATE TABLE letters (
  id            INTEGER PRIMARY KEY,
  public_id     TEXT NOT NULL UNIQUE,
  kind          TEXT NOT NULL CHECK (kind IN ('invitation', 'forms', 'join staff', 'new password')),
  client_id     INTEGER REFERENCES clients (id), -- to whom
  staff_id      INTEGER REFERENCES staff_members (id),
  sent_by       INTEGER REFERENCES staff_members (id), -- on whose right; empty: the program's own (a new password asked for)
  draft_id      INTEGER REFERENCES drafts (id),
  invitation_id INTEGER REFERENCES invitations (id),
  link_id       INTEGER REFERENCES links (id), -- whose token fills the slot
  message_id    TEXT NOT NULL UNIQUE,
  canonical     TEXT NOT NULL, -- the address's canonical form when it was sent
  envelope_from TEXT NOT NULL,
  envelope_to   TEXT NOT NULL,
  subject       TEXT NOT NULL,
  data          BLOB NOT NULL,
  state         TEXT NOT NULL DEFAULT 'queued'
                CHECK (state IN ('queued', 'sending', 'accepted', 'failed', 'needs attention', 'cancelled')),
  due           INTEGER NOT NULL,
  attempts      INTEGER NOT NULL DEFAULT 0, -- claims: only the newest may settle
  deferred      INTEGER NOT NULL DEFAULT 0, -- endings at which the relay asked for patience
  uncertain     INTEGER NOT NULL DEFAULT 0, -- endings after which nobody knows whether the relay has it
  lease_until   INTEGER,
  reply         TEXT NOT NULL DEFAULT '', -- the relay's last words, or why it was cancelled
  created_at    INTEGER NOT NULL,
  settled_at    INTEGER,
  CHECK ((client_id IS NULL) <> (staff_id IS NULL))
) STRICT;
CREATE INDEX letters_due ON letters (due, id) WHERE state = 'queued';
CREATE INDEX letters_leased ON letters (lease_until) WHERE state = 'sending';
CREATE INDEX letters_of_client ON letters (client_id, id) WHERE client_id IS NOT NULL;
CREATE INDEX letters_of_staff ON letters (staff_id, id) WHERE staff_id IS NOT NULL;
CREATE INDEX letters_of_invitation ON letters (invitation_id) WHERE invitation_id IS NOT NULL;
CREATE INDEX letters_of_link ON letters (link_id) WHERE link_id IS NOT NULL;
CREATE INDEX letters_of_draft ON letters (draft_id, state) WHERE draft_id IS NOT NULL;

CREATE TABLE form_requests (
  id           INTEGER PRIMARY KEY,
  public_id    TEXT NOT NULL UNIQUE,
  client_id    INTEGER NOT NULL REFERENCES clients (id),
  form_id      INTEGER NOT NULL REFERENCES forms (id),
  form_key     TEXT NOT NULL,
  sent_by      INTEGER NOT NULL REFERENCES staff_members (id),
  sent_at      INTEGER NOT NULL,
  started_at   INTEGER,
  completed_at INTEGER,
  revoked_at   INTEGER,
  result       BLOB, -- sealed: score and safety concern of a completed form
  reviewed_at  INTEGER, -- a staff member looked at what the form marked
  reviewed_by  INTEGER REFERENCES staff_members (id)
) STRICT;
CREATE INDEX form_requests_of_client ON form_requests (client_id, id);
CREATE UNIQUE INDEX form_requests_open ON form_requests (client_id, form_key) WHERE completed_at IS NULL AND revoked_at IS NULL;

-- A random key per client, wrapped by a key outside this file: destroying it destroys the client's answers.
CREATE TABLE client_keys (
  client_id INTEGER PRIMARY KEY REFERENCES clients (id),
  wrapped   BLOB NOT NULL,
  key_id    TEXT NOT NULL
) STRICT;

CREATE TABLE answers (
  form_request_id INTEGER NOT NULL REFERENCES form_requests (id),
  link_id         TEXT NOT NULL, -- the question's linkId in the form's definition
  sealed          BLOB NOT NULL,
  saved_at        INTEGER NOT NULL,
  PRIMARY KEY (form_request_id, link_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE signatures (
  form_request_id INTEGER NOT NULL REFERENCES form_requests (id),
  link_id         TEXT NOT NULL,
  sealed          BLOB NOT NULL, -- the typed name, the consent line, a digest of form and answers
  signed_at       INTEGER NOT NULL,
  PRIMARY KEY (form_request_id, link_id)
) STRICT, WITHOUT ROWID;

-- +goose StatementBegin
CREATE TRIGGER answers_final_insert BEFORE INSERT ON answers
WHEN (SELECT completed_at IS NOT NULL OR revoked_at IS NOT NULL FROM form_requests WHERE id = NEW.form_request_id)
BEGIN SELECT RAISE(ABORT, 'this form is closed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER answers_final_update BEFORE UPDATE ON answers
WHEN (SELECT completed_at IS NOT NULL OR revoked_at IS NOT NULL FROM form_requests WHERE id = OLD.form_request_id)
BEGIN SELECT RAISE(ABORT, 'this form is closed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER answers_final_delete BEFORE DELETE ON answers
WHEN (SELECT completed_at IS NOT NULL OR revoked_at IS NOT NULL FROM form_requests WHERE id = OLD.form_request_id)
BEGIN SELECT RAISE(ABORT, 'this form is closed'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER signatures_final_insert BEFORE INSERT ON signatures
WHEN (SELECT completed_at IS NOT NULL OR revoked_at IS NOT NULL FROM form_requests WHERE id = NEW.form_request_id)
BEGIN SELECT RAISE(ABORT, 'this form is closed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER signatures_final_update BEFORE UPDATE ON signatures BEGIN SELECT RAISE(ABORT, 'this form is closed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER signatures_final_delete BEFORE DELETE ON signatures BEGIN SELECT RAISE(ABORT, 'this form is closed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER form_requests_final BEFORE UPDATE ON form_requests
WHEN OLD.completed_at IS NOT NULL AND (NEW.completed_at IS NOT OLD.completed_at OR NEW.revoked_at IS NOT OLD.revoked_at OR NEW.result IS NOT OLD.result)
  OR OLD.revoked_at IS NOT NULL AND (NEW.revoked_at IS NOT OLD.revoked_at OR NEW.completed_at IS NOT OLD.completed_at)
BEGIN SELECT RAISE(ABORT, 'this form is closed'); END;
-- +goose StatementEnd

CREATE TABLE sessions (
  id         BLOB PRIMARY KEY, -- hash of the cookie's value
  client_id  INTEGER REFERENCES clients (id),
  staff_id   INTEGER REFERENCES staff_members (id),
  created_at INTEGER NOT NULL,
  seen_at    INTEGER NOT NULL,
  CHECK ((client_id IS NULL) <> (staff_id IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_of_client ON sessions (client_id) WHERE client_id IS NOT NULL;
CREATE INDEX sessions_of_staff ON sessions (staff_id) WHERE staff_id IS NOT NULL;

-- Failed sign-ins and other guesses, by a keyed hash of the account or network they were aimed at or came from.
CREATE TABLE attempts (
  key BLOB NOT NULL,
  at  INTEGER NOT NULL
) STRICT;
CREATE INDEX attempts_by_key ON attempts (key, at);
CREATE INDEX attempts_by_time ON attempts (at);

-- Each entry's mac covers the entry and the mac before it, under a key outside this file.
CREATE TABLE audit_entries (
  id        INTEGER PRIMARY KEY,
  at        INTEGER NOT NULL,
  staff_id  INTEGER, -- who did it; both empty: the program, or nobody known
  by_client INTEGER,
  act       TEXT NOT NULL,
  client_id INTEGER, -- whose record
  detail    TEXT NOT NULL DEFAULT '',
  mac       BLOB NOT NULL
) STRICT;
CREATE INDEX audit_entries_of_client ON audit_entries (client_id, id) WHERE client_id IS NOT NULL;
-- +goose StatementBegin
CREATE TRIGGER audit_entries_no_update BEFORE UPDATE ON audit_entries BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_entries_no_delete BEFORE DELETE ON audit_entries BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
-- +goose StatementEnd

-- A keyed check value: a database opened with another key refuses to start.
CREATE TABLE keys (
  key_id TEXT PRIMARY KEY,
  proof  BLOB NOT NULL
) STRICT;

-- +goose Down
SELECT 'the first schema is not undone';
