-- +goose Up
ALTER TABLE clients ADD COLUMN pronouns TEXT NOT NULL DEFAULT '';
ALTER TABLE clients ADD COLUMN language TEXT NOT NULL DEFAULT ''; -- a BCP 47 tag; empty: nobody said
ALTER TABLE clients ADD COLUMN guardian TEXT NOT NULL DEFAULT ''; -- a minor's
ALTER TABLE clients ADD COLUMN notes BLOB; -- sealed
ALTER TABLE clients ADD COLUMN no_email_at INTEGER; -- somebody said that we may not email this client
ALTER TABLE clients ADD COLUMN archived_at INTEGER;

-- Words by which a practice groups its clients.
CREATE TABLE tags (
  id     INTEGER PRIMARY KEY,
  name   TEXT NOT NULL CHECK (name <> ''),
  folded TEXT NOT NULL UNIQUE -- spelled alike where it would be searched alike
) STRICT;
CREATE TABLE client_tags (
  tag_id    INTEGER NOT NULL REFERENCES tags (id),
  client_id INTEGER NOT NULL REFERENCES clients (id),
  PRIMARY KEY (tag_id, client_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX tags_of_client ON client_tags (client_id);

-- Most mail services put what is sent to name+word@ and, some of them, to n.ame@ into the mailbox of name@.
ALTER TABLE email_addresses ADD COLUMN mailbox TEXT NOT NULL DEFAULT '';
UPDATE email_addresses SET mailbox =
  replace(substr(canonical, 1, min(instr(canonical, '@'), instr(canonical || '+', '+')) - 1), '.', '') || substr(canonical, instr(canonical, '@'));
CREATE INDEX email_addresses_by_mailbox ON email_addresses (mailbox);

-- What lists are searched, filtered and sorted by is kept in memory. Whatever changes it leaves the client's id here, so that
-- memory knows what to read again.
DROP INDEX clients_by_change;
ALTER TABLE clients DROP COLUMN changed;
DROP TABLE client_changes;
CREATE TABLE client_touches (
  id        INTEGER PRIMARY KEY,
  client_id INTEGER NOT NULL
) STRICT;
-- +goose StatementBegin
CREATE TRIGGER clients_added AFTER INSERT ON clients
BEGIN INSERT INTO client_touches (client_id) VALUES (NEW.id); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER clients_changed AFTER UPDATE OF search, sort_key, portal_off_at, archived_at, no_email_at ON clients
BEGIN INSERT INTO client_touches (client_id) VALUES (NEW.id); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER clients_removed AFTER DELETE ON clients
BEGIN INSERT INTO client_touches (client_id) VALUES (OLD.id); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER assignments_added AFTER INSERT ON assignments
BEGIN INSERT INTO client_touches (client_id) VALUES (NEW.client_id); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER assignments_removed AFTER DELETE ON assignments
BEGIN INSERT INTO client_touches (client_id) VALUES (OLD.client_id); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER client_tags_added AFTER INSERT ON client_tags
BEGIN INSERT INTO client_touches (client_id) VALUES (NEW.client_id); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER client_tags_removed AFTER DELETE ON client_tags
BEGIN INSERT INTO client_touches (client_id) VALUES (OLD.client_id); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER portal_accounts_added AFTER INSERT ON portal_accounts
BEGIN INSERT INTO client_touches (client_id) VALUES (NEW.client_id); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER invitations_added AFTER INSERT ON invitations
BEGIN INSERT INTO client_touches (client_id) VALUES (NEW.client_id); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER links_over AFTER UPDATE OF used_at, ended_at, expires_at ON links WHEN NEW.client_id IS NOT NULL AND NEW.purpose = 'join'
BEGIN INSERT INTO client_touches (client_id) VALUES (NEW.client_id); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER letters_settled AFTER UPDATE OF state ON letters WHEN NEW.invitation_id IS NOT NULL AND NEW.state <> OLD.state AND NEW.state <> 'sending'
BEGIN INSERT INTO client_touches (client_id) VALUES (NEW.client_id); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER form_requests_added AFTER INSERT ON form_requests
BEGIN INSERT INTO client_touches (client_id) VALUES (NEW.client_id); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER form_requests_closed AFTER UPDATE OF completed_at, revoked_at ON form_requests
BEGIN INSERT INTO client_touches (client_id) VALUES (NEW.client_id); END;
-- +goose StatementEnd

-- +goose Down
SELECT 'the records keep their shape';
