-- +goose Up
-- Files are kept compressed from now on: one that waits from before is brought again.
DELETE FROM imports;

-- +goose Down
SELECT 'nothing to undo';
