-- +goose Up
-- Final answers can't be deleted, unless the client's data is: its key goes first.
DROP TRIGGER answers_final_delete;
DROP TRIGGER signatures_final_delete;
-- +goose StatementBegin
CREATE TRIGGER answers_final_delete BEFORE DELETE ON answers
WHEN EXISTS (SELECT 1 FROM form_requests r JOIN client_keys k ON k.client_id = r.client_id
  WHERE r.id = OLD.form_request_id AND (r.completed_at IS NOT NULL OR r.revoked_at IS NOT NULL))
BEGIN SELECT RAISE(ABORT, 'this form is closed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER signatures_final_delete BEFORE DELETE ON signatures
WHEN EXISTS (SELECT 1 FROM form_requests r JOIN client_keys k ON k.client_id = r.client_id WHERE r.id = OLD.form_request_id)
BEGIN SELECT RAISE(ABORT, 'this form is closed'); END;
-- +goose StatementEnd
CREATE INDEX draft_clients_of_client ON draft_clients (client_id);
CREATE INDEX drafts_of_client ON drafts (client_id) WHERE client_id IS NOT NULL;

-- +goose Down
SELECT 'the rule stays';
