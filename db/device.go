package db

import (
	"errors"
	"fmt"
	"time"
)

// knownDevices is how many browsers are remembered of one person: the oldest is forgotten for a new one.
const knownDevices = 50

// RememberDevice notes that a client or a staff member is in at the browser that has this cookie. What is kept tells nothing of the
// cookie, nor that two people share a browser.
func (tx *Tx) RememberDevice(clientID, staffID int64, cookie string) error {
	id := deviceOf(clientID, staffID, cookie)
	const theirs = " (client_id = ?1 OR staff_id = ?2)"
	n, err := tx.exec("UPDATE devices SET seen_at = ?4 WHERE id = ?3 AND"+theirs, orNull(clientID), orNull(staffID), id, ms(tx.now))
	if err != nil || n > 0 {
		return err
	}
	if _, err := tx.exec("INSERT INTO devices (client_id, staff_id, id, seen_at) VALUES (?, ?, ?, ?)", orNull(clientID), orNull(staffID), id, ms(tx.now)); err != nil {
		return err
	}
	_, err = tx.exec("DELETE FROM devices WHERE rowid IN (SELECT rowid FROM devices WHERE"+theirs+" ORDER BY seen_at DESC, rowid DESC LIMIT -1 OFFSET ?3)",
		orNull(clientID), orNull(staffID), knownDevices)
	return err
}

// deviceOf is what is kept of a browser's cookie, beside whom it is remembered of.
func deviceOf(clientID, staffID int64, cookie string) []byte {
	return tokenHash(fmt.Sprintf("device %d %d %s", clientID, staffID, cookie))
}

// DeviceSeen tells when a browser was remembered last of a client or a staff member; the zero time when it isn't.
func (tx *Tx) DeviceSeen(clientID, staffID int64, cookie string) (at time.Time, err error) {
	err = named(tx.row("SELECT seen_at FROM devices WHERE id = ? AND (client_id = ? OR staff_id = ?)", deviceOf(clientID, staffID, cookie), orNull(clientID), orNull(staffID)).
		Scan(timeScan{&at}))
	if errors.Is(err, ErrNotFound) {
		err = nil
	}
	return at, err
}

// ForgetDevices forgets the browsers at which a client or a staff member was in.
func (tx *Tx) ForgetDevices(clientID, staffID int64) error {
	_, err := tx.exec("DELETE FROM devices WHERE client_id = ? OR staff_id = ?", orNull(clientID), orNull(staffID))
	return err
}

// HasDevices tells whether any browser is remembered of a client or a staff member.
func (tx *Tx) HasDevices(clientID, staffID int64) (has bool, err error) {
	err = tx.row("SELECT EXISTS (SELECT 1 FROM devices WHERE client_id = ? OR staff_id = ?)", orNull(clientID), orNull(staffID)).Scan(&has)
	return has, err
}
