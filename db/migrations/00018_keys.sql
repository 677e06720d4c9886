-- +goose Up
-- When a key was the one in use: from, if that is known, until nothing was sealed under it any more.
ALTER TABLE keys ADD COLUMN used_from INTEGER;
ALTER TABLE keys ADD COLUMN used_until INTEGER;
-- What is sealed under an older key is looked for at each start.
CREATE INDEX client_keys_by_key ON client_keys (key_id);
CREATE INDEX imports_by_key ON imports (key_id);

-- +goose Down
SELECT 'this schema is not undone';
