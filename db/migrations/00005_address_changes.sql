-- +goose Up
-- A pending address waits to be confirmed by the link that was mailed to it.
ALTER TABLE email_addresses ADD COLUMN asked_at INTEGER;
ALTER TABLE email_addresses ADD COLUMN ends_at INTEGER; -- nobody confirmed it by then: it is free again
ALTER TABLE email_addresses ADD COLUMN asked_by INTEGER REFERENCES staff_members (id); -- empty: the client
CREATE INDEX email_addresses_pending ON email_addresses (ends_at) WHERE pending = 1;

-- +goose Down
SELECT 'pending addresses stay as they are';
