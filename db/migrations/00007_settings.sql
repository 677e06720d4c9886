-- +goose Up
ALTER TABLE organization ADD COLUMN address TEXT NOT NULL DEFAULT '';
ALTER TABLE organization ADD COLUMN portal_off_at INTEGER; -- the portal is closed to all clients

-- +goose Down
ALTER TABLE organization DROP COLUMN portal_off_at;
ALTER TABLE organization DROP COLUMN address;
