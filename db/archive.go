package db

import (
	"encoding/json"
	"errors"
	"time"
)

// ArchiveEffect is what archiving some clients ends.
type ArchiveEffect struct {
	Clients     int
	Accounts    int // they can't sign in
	Invitations int // open ones
	Letters     int // queued ones
	Forms       int // not completed
}

// ArchiveEffect counts what archiving these clients would end.
func (tx *Tx) ArchiveEffect(clientIDs []int64) (e ArchiveEffect, err error) {
	ids, err := json.Marshal(clientIDs)
	if err != nil {
		return e, err
	}
	const among = " IN (SELECT value FROM json_each(?1))"
	err = tx.row(`SELECT (SELECT count(*) FROM clients WHERE archived_at IS NULL AND id`+among+`),
		(SELECT count(*) FROM portal_accounts WHERE client_id`+among+`),
		(SELECT count(*) FROM links WHERE purpose = 'join' AND used_at IS NULL AND ended_at IS NULL AND expires_at > ?2 AND client_id`+among+`),
		(SELECT count(*) FROM letters WHERE state = 'queued' AND client_id`+among+`),
		(SELECT count(*) FROM form_requests WHERE completed_at IS NULL AND revoked_at IS NULL AND client_id`+among+`)`, string(ids), ms(tx.now)).
		Scan(&e.Clients, &e.Accounts, &e.Invitations, &e.Letters, &e.Forms)
	return e, err
}

// ArchiveClient archives a client or restores them.
func (tx *Tx) ArchiveClient(clientID int64, away bool) error {
	var at time.Time
	if away {
		at = tx.now
	}
	_, err := tx.exec("UPDATE clients SET archived_at = ? WHERE id = ?", ms(at), clientID)
	return err
}

// ReleaseAddress takes a client's address off their record, with the portal account that signs in by it: nothing is left of
// what that account came in with.
func (tx *Tx) ReleaseAddress(c Client) error {
	c.Email = Email{}
	_, err := tx.exec("DELETE FROM portal_accounts WHERE client_id = ?", c.ID)
	return errors.Join(err, tx.DropFactors(c.ID, 0), tx.ForgetDevices(c.ID, 0), tx.ChangeClient(c))
}
