-- +goose Up
ALTER TABLE outbox ADD COLUMN sender TEXT NOT NULL DEFAULT ''; -- from whom letters leave; empty: nobody said yet
ALTER TABLE email_addresses ADD COLUMN lifted_at INTEGER; -- the office heard that mail reaches the client: earlier letters can't deny it any more

-- +goose Down
SELECT 'nothing to undo';
