-- +goose Up
-- Who may be due a reminder is asked every few minutes: invitations whose link still works, and forms that are still open.
CREATE INDEX links_open ON links (expires_at) WHERE purpose = 'join' AND used_at IS NULL AND ended_at IS NULL;
CREATE INDEX form_requests_waiting ON form_requests (client_id, sent_at) WHERE completed_at IS NULL AND revoked_at IS NULL;

-- +goose Down
DROP INDEX links_open;
DROP INDEX form_requests_waiting;
