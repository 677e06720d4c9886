-- +goose Up
-- The list of all sendings is kept in memory too: what changes a row of it touches the client.
-- +goose StatementBegin
CREATE TRIGGER letters_added AFTER INSERT ON letters WHEN NEW.client_id IS NOT NULL
BEGIN INSERT INTO client_touches (client_id) VALUES (NEW.client_id); END;
-- +goose StatementEnd
DROP TRIGGER letters_settled;
-- +goose StatementBegin
CREATE TRIGGER letters_settled AFTER UPDATE OF state ON letters WHEN NEW.client_id IS NOT NULL AND NEW.state <> OLD.state AND NEW.state <> 'sending'
BEGIN INSERT INTO client_touches (client_id) VALUES (NEW.client_id); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER links_opened AFTER UPDATE OF opened_at ON links WHEN NEW.client_id IS NOT NULL
BEGIN INSERT INTO client_touches (client_id) VALUES (NEW.client_id); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER email_addresses_removed AFTER DELETE ON email_addresses WHEN OLD.client_id IS NOT NULL AND OLD.pending = 0
BEGIN INSERT INTO client_touches (client_id) VALUES (OLD.client_id); END;
-- +goose StatementEnd

-- +goose Down
SELECT 'the triggers stay';
