package db

import "context"

// Deletion is what is on file about a client, in numbers.
type Deletion struct {
	Forms       int // sent, completed or not
	Answers     int
	Signatures  int
	Letters     int
	Invitations int
	Account     bool
}

// Deletion counts what deleting a client's data would delete.
func (tx *Tx) Deletion(clientID int64) (d Deletion, err error) {
	err = tx.row(`SELECT (SELECT count(*) FROM form_requests WHERE client_id = ?1),
		(SELECT count(*) FROM answers a JOIN form_requests r ON r.id = a.form_request_id WHERE r.client_id = ?1),
		(SELECT count(*) FROM signatures s JOIN form_requests r ON r.id = s.form_request_id WHERE r.client_id = ?1),
		(SELECT count(*) FROM letters WHERE client_id = ?1), (SELECT count(*) FROM invitations WHERE client_id = ?1),
		EXISTS (SELECT 1 FROM portal_accounts WHERE client_id = ?1)`, clientID).
		Scan(&d.Forms, &d.Answers, &d.Signatures, &d.Letters, &d.Invitations, &d.Account)
	return d, err
}

// DeleteClient deletes all that is on file about a client. The key under which their answers are sealed goes first, so that
// a copy of the database made before is the only place from which they can still be read.
func (tx *Tx) DeleteClient(clientID int64) error {
	const theirForms = " WHERE form_request_id IN (SELECT id FROM form_requests WHERE client_id = ?)"
	for _, statement := range []string{
		"DELETE FROM client_keys WHERE client_id = ?",
		"DELETE FROM answers" + theirForms,
		"DELETE FROM signatures" + theirForms,
		"DELETE FROM form_requests WHERE client_id = ?",
		"DELETE FROM letter_mails WHERE letter_id IN (SELECT id FROM letters WHERE client_id = ?)",
		"DELETE FROM letters WHERE client_id = ?",
		"DELETE FROM invitations WHERE client_id = ?",
		"DELETE FROM links WHERE client_id = ?",
		"DELETE FROM draft_clients WHERE client_id = ?",
		"DELETE FROM draft_clients WHERE draft_id IN (SELECT id FROM drafts WHERE client_id = ?)",
		"DELETE FROM draft_forms WHERE draft_id IN (SELECT id FROM drafts WHERE client_id = ?)",
		"DELETE FROM drafts WHERE client_id = ?",
		"DELETE FROM sessions WHERE client_id = ?",
		"DELETE FROM devices WHERE client_id = ?",
		"DELETE FROM passkeys WHERE client_id = ?",
		"DELETE FROM authenticators WHERE client_id = ?",
		"DELETE FROM recovery_codes WHERE client_id = ?",
		"DELETE FROM portal_accounts WHERE client_id = ?",
		"DELETE FROM email_addresses WHERE client_id = ?",
		"DELETE FROM client_tags WHERE client_id = ?",
		"DELETE FROM assignments WHERE client_id = ?",
		"DELETE FROM clients WHERE id = ?",
	} {
		if _, err := tx.exec(statement, clientID); err != nil {
			return named(err)
		}
	}
	return nil
}

// EmptyLog writes the write-ahead log into the database and empties it, so that nothing that was deleted is left in it. It
// tells whether it could: while somebody reads an older state, it can't.
func (db *DB) EmptyLog(ctx context.Context) (emptied bool, err error) {
	var busy, pages, written int
	err = db.write.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &pages, &written)
	return busy == 0, err
}
