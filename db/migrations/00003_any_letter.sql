-- +goose NO TRANSACTION
-- Links and letters are made anew without the list of what they may be for: the program's types keep that list, and it grows.
-- Each statement can be run again, should the process end in the middle.

-- +goose Up
PRAGMA foreign_keys = OFF;
BEGIN IMMEDIATE;

CREATE TABLE new_links (
  id         INTEGER PRIMARY KEY,
  purpose    TEXT NOT NULL, -- a db.Purpose
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
INSERT INTO new_links SELECT id, purpose, client_id, staff_id, token_hash, nonce, key_id, created_at, expires_at, used_at, ended_at FROM links;
DROP TABLE links;
ALTER TABLE new_links RENAME TO links;
CREATE INDEX links_of_client ON links (client_id) WHERE client_id IS NOT NULL;
CREATE INDEX links_of_staff ON links (staff_id) WHERE staff_id IS NOT NULL;

CREATE TABLE new_letters (
  id            INTEGER PRIMARY KEY,
  public_id     TEXT NOT NULL UNIQUE,
  kind          TEXT NOT NULL, -- a db.LetterKind
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
INSERT INTO new_letters SELECT id, public_id, kind, client_id, staff_id, sent_by, draft_id, invitation_id, link_id, message_id, canonical,
  envelope_from, envelope_to, subject, data, state, due, attempts, deferred, uncertain, lease_until, reply, created_at, settled_at FROM letters;
DROP TABLE letters;
ALTER TABLE new_letters RENAME TO letters;
CREATE INDEX letters_due ON letters (due, id) WHERE state = 'queued';
CREATE INDEX letters_leased ON letters (lease_until) WHERE state = 'sending';
CREATE INDEX letters_of_client ON letters (client_id, id) WHERE client_id IS NOT NULL;
CREATE INDEX letters_of_staff ON letters (staff_id, id) WHERE staff_id IS NOT NULL;
CREATE INDEX letters_of_invitation ON letters (invitation_id) WHERE invitation_id IS NOT NULL;
CREATE INDEX letters_of_link ON letters (link_id) WHERE link_id IS NOT NULL;
CREATE INDEX letters_of_draft ON letters (draft_id, state) WHERE draft_id IS NOT NULL;

COMMIT;
PRAGMA foreign_keys = ON;

-- +goose Down
SELECT 'links and letters stay as they are';
