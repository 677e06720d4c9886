-- +goose Up
-- An entry comes after the last and nowhere else: INSERT OR REPLACE takes a row away without asking the trigger that refuses a
-- deletion.
-- +goose StatementBegin
CREATE TRIGGER audit_entries_append BEFORE INSERT ON audit_entries WHEN new.id IS NOT (SELECT ifnull(max(id), 0) + 1 FROM audit_entries)
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
-- +goose StatementEnd

-- The log is read newest first for some acts at a time, whoever did them, one staff member, clients, or nobody known.
CREATE INDEX audit_entries_by_act ON audit_entries (act, at);
DROP INDEX audit_entries_by_staff;
CREATE INDEX audit_entries_by_staff ON audit_entries (staff_id, act, at) WHERE staff_id IS NOT NULL;
CREATE INDEX audit_entries_by_clients ON audit_entries (act, at) WHERE by_client IS NOT NULL;
CREATE INDEX audit_entries_by_nobody ON audit_entries (act, at) WHERE staff_id IS NULL AND by_client IS NULL;

-- +goose Down
SELECT 'this schema is not undone';
