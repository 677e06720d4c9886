-- +goose Up
-- A letter's words stand apart from how it fares, which is written several times for each.
CREATE TABLE letter_mails (
  letter_id INTEGER PRIMARY KEY REFERENCES letters (id),
  data      BLOB NOT NULL
) STRICT;
INSERT INTO letter_mails SELECT id, data FROM letters;
ALTER TABLE letters DROP COLUMN data;

-- The letter's own secret, with which whoever got it by mistake says so: only its hash, as for links.
ALTER TABLE letters ADD COLUMN token_hash BLOB;
ALTER TABLE letters ADD COLUMN key_id TEXT; -- under which it was derived
CREATE UNIQUE INDEX letters_by_token ON letters (token_hash) WHERE token_hash IS NOT NULL;

ALTER TABLE links ADD COLUMN opened_at INTEGER; -- first, by anybody: possibly a mail scanner

-- What is known of an address: mail to it came back, or whoever reads it said that ours isn't meant for them.
ALTER TABLE email_addresses ADD COLUMN bounced_at INTEGER;
ALTER TABLE email_addresses ADD COLUMN bounced_by INTEGER REFERENCES staff_members (id);
ALTER TABLE email_addresses ADD COLUMN unwanted_at INTEGER;
-- +goose StatementBegin
CREATE TRIGGER email_addresses_marked AFTER UPDATE OF bounced_at, unwanted_at ON email_addresses WHEN NEW.client_id IS NOT NULL
BEGIN INSERT INTO client_touches (client_id) VALUES (NEW.client_id); END;
-- +goose StatementEnd

-- Reminders. Days are counted from the sending; quiet hours are of the practice's own day.
ALTER TABLE clients ADD COLUMN reminders_off_at INTEGER;
ALTER TABLE organization ADD COLUMN reminders_off_at INTEGER;
ALTER TABLE organization ADD COLUMN invitation_reminder_days TEXT NOT NULL DEFAULT '3,6';
ALTER TABLE organization ADD COLUMN forms_reminder_days INTEGER NOT NULL DEFAULT 7 CHECK (forms_reminder_days BETWEEN 1 AND 60);
ALTER TABLE organization ADD COLUMN forms_reminders INTEGER NOT NULL DEFAULT 3 CHECK (forms_reminders BETWEEN 0 AND 10);
ALTER TABLE organization ADD COLUMN quiet_from INTEGER NOT NULL DEFAULT 20 CHECK (quiet_from BETWEEN 0 AND 23);
ALTER TABLE organization ADD COLUMN quiet_until INTEGER NOT NULL DEFAULT 8 CHECK (quiet_until BETWEEN 0 AND 23);

ALTER TABLE organization ADD COLUMN email TEXT NOT NULL DEFAULT ''; -- where answers to its letters go; empty: to where they come from

-- Messages come in languages, and in more kinds; the program's types keep that list.
CREATE TABLE new_default_messages (
  kind     TEXT NOT NULL, -- a db.MessageKind
  language TEXT NOT NULL DEFAULT '', -- a BCP 47 tag; empty: the practice's own
  subject  TEXT NOT NULL,
  body     TEXT NOT NULL,
  PRIMARY KEY (kind, language)
) STRICT, WITHOUT ROWID;
INSERT INTO new_default_messages SELECT kind, '', subject, body FROM default_messages;
CREATE TABLE new_default_forms (
  kind     TEXT NOT NULL,
  form_key TEXT NOT NULL,
  PRIMARY KEY (kind, form_key)
) STRICT, WITHOUT ROWID;
INSERT INTO new_default_forms SELECT kind, form_key FROM default_forms;
DROP TABLE default_forms;
DROP TABLE default_messages;
ALTER TABLE new_default_messages RENAME TO default_messages;
ALTER TABLE new_default_forms RENAME TO default_forms;

-- The outbox as a whole. Its marker is also in a file beside the database, so that a copy is told from the original.
CREATE TABLE outbox (
  id         INTEGER PRIMARY KEY CHECK (id = 1),
  marker     TEXT NOT NULL,
  beat_at    INTEGER NOT NULL, -- the worker's heartbeat
  paused_at  INTEGER, -- until an administrator resumes it
  paused_by  INTEGER REFERENCES staff_members (id), -- empty: the program did
  paused_why TEXT NOT NULL DEFAULT ''
) STRICT;

-- The relay as an administrator set it on a screen; what the host gives comes before it.
CREATE TABLE relay_settings (
  id           INTEGER PRIMARY KEY CHECK (id = 1),
  provider     TEXT NOT NULL, -- a preset's name; empty: another provider
  host         TEXT NOT NULL,
  port         INTEGER NOT NULL,
  security     TEXT NOT NULL,
  from_address TEXT NOT NULL,
  username     TEXT NOT NULL,
  token_url    TEXT NOT NULL, -- not empty: signs in with XOAUTH2
  client_id    TEXT NOT NULL,
  scope        TEXT NOT NULL,
  per_minute   INTEGER NOT NULL, -- letters; 0: no limit
  per_day      INTEGER NOT NULL,
  sealed       BLOB NOT NULL, -- its secrets
  key_id       TEXT NOT NULL,
  changed_by   INTEGER NOT NULL REFERENCES staff_members (id),
  changed_at   INTEGER NOT NULL
) STRICT;

-- +goose Down
SELECT 'letters keep their shape';
