-- +goose Up
-- A draft that was never sent is forgotten once nobody touched it for long.
ALTER TABLE drafts ADD COLUMN touched_at INTEGER NOT NULL DEFAULT 0;
UPDATE drafts SET touched_at = created_at;

-- +goose Down
ALTER TABLE drafts DROP COLUMN touched_at;
