package db

import (
	"errors"
	"time"
)

// AddressChange is a new address that waits to be confirmed by the link mailed to it. Until then the client signs in with
// the old one, and nobody else can have the new one.
type AddressChange struct {
	ClientID int64
	Email    Email
	AskedBy  int64 // the staff member; 0: the client
	AskedAt  time.Time
	EndsAt   time.Time
}

// AddressChange finds the address that a client within reach has not confirmed yet; ErrNotFound when there is none.
func (tx *Tx) AddressChange(reach Reach, clientID int64) (a AddressChange, err error) {
	err = tx.row("SELECT client_id, email, canonical, asked_by, asked_at, ends_at FROM email_addresses WHERE client_id = ? AND pending = 1 AND ends_at > ? AND "+
		reach.holds("client_id"), clientID, ms(tx.now)).
		Scan(&a.ClientID, &a.Email.typed, &a.Email.canonical, idScan{&a.AskedBy}, timeScan{&a.AskedAt}, timeScan{&a.EndsAt})
	return a, named(err)
}

// AskAddressChange keeps an address until it is confirmed, in place of one that the client asked for before. ErrEmailTaken
// when anybody has it or waits for it; then nothing changes.
func (tx *Tx) AskAddressChange(a AddressChange) error {
	var before AddressChange
	before, err := tx.AddressChange(Everybody(), a.ClientID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if err := tx.EndAddressChange(a.ClientID); err != nil {
		return err
	}
	err = tx.addEmail(a.Email, a.ClientID, 0, &a)
	if errors.Is(err, ErrEmailTaken) && before.ClientID != 0 {
		if err := tx.addEmail(before.Email, before.ClientID, 0, &before); err != nil {
			return err
		}
	}
	return err
}

// EndAddressChange frees the address that a client has not confirmed, if there is one.
func (tx *Tx) EndAddressChange(clientID int64) error {
	_, err := tx.exec("DELETE FROM email_addresses WHERE client_id = ? AND pending = 1", clientID)
	return err
}

// ConfirmAddress puts the address that a client confirmed in the place of the old one. ErrNotFound when none waits any more.
func (tx *Tx) ConfirmAddress(c Client) error {
	change, err := tx.AddressChange(Oneself(c.ID), c.ID)
	if err != nil {
		return err
	}
	c.Email = change.Email
	return errors.Join(tx.EndAddressChange(c.ID), tx.ChangeClient(c))
}

// MarkBounced notes that the office had mail to a client's address back; it changes nothing where that is noted already.
func (tx *Tx) MarkBounced(clientID, by int64) error {
	_, err := tx.exec("UPDATE email_addresses SET bounced_at = ?, bounced_by = ? WHERE client_id = ? AND pending = 0 AND bounced_at IS NULL", ms(tx.now), by, clientID)
	return err
}

// MarkUnwanted notes that whoever reads a client's address said of a letter that it isn't meant for them. It tells whether it did:
// not where another address is on file by now, where that is noted already, nor by a letter that is older than the client's
// account or than the office's word that mail reaches them.
func (tx *Tx) MarkUnwanted(l Letter) (bool, error) {
	n, err := tx.exec(`UPDATE email_addresses SET unwanted_at = ? WHERE client_id = ? AND canonical = ? AND pending = 0 AND unwanted_at IS NULL
		AND ifnull(lifted_at, 0) < ? AND NOT EXISTS (SELECT 1 FROM portal_accounts p WHERE p.client_id = email_addresses.client_id AND p.created_at > ?)`,
		ms(tx.now), l.ClientID, l.To.canonical, ms(l.CreatedAt), ms(l.CreatedAt))
	return n == 1, err
}

// LiftAddressMarks forgets that mail to a client's address didn't reach them.
func (tx *Tx) LiftAddressMarks(clientID int64) error {
	_, err := tx.exec("UPDATE email_addresses SET bounced_at = NULL, bounced_by = NULL, unwanted_at = NULL, lifted_at = ? WHERE client_id = ? AND pending = 0", ms(tx.now), clientID)
	return err
}

// addEmail is the one way for an address into the table: a client's or a staff member's, or (change) one that waits to be
// confirmed. An address that nobody confirmed in time stands in nobody's way.
func (tx *Tx) addEmail(e Email, clientID, staffID int64, change *AddressChange) error {
	insert := func() (err error) {
		if change == nil {
			_, err = tx.exec("INSERT INTO email_addresses (canonical, email, mailbox, client_id, staff_id) VALUES (?, ?, ?, ?, ?)",
				e.canonical, e.typed, e.Mailbox(), orNull(clientID), orNull(staffID))
		} else {
			_, err = tx.exec("INSERT INTO email_addresses (canonical, email, mailbox, client_id, pending, asked_by, asked_at, ends_at) VALUES (?, ?, ?, ?, 1, ?, ?, ?)",
				e.canonical, e.typed, e.Mailbox(), change.ClientID, orNull(change.AskedBy), ms(change.AskedAt), ms(change.EndsAt))
		}
		return named(err)
	}
	err := insert()
	if !errors.Is(err, ErrEmailTaken) {
		return err
	}
	freed, sweepErr := tx.exec("DELETE FROM email_addresses WHERE canonical = ? AND pending = 1 AND ends_at <= ?", e.canonical, ms(tx.now))
	if sweepErr != nil {
		return sweepErr
	}
	if freed == 0 {
		return err
	}
	return insert()
}
