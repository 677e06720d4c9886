package db

import (
	"fmt"
)

// knownDevices is how many browsers are remembered of one person: the oldest is forgotten for a new one.
const knownDevices = 50

// RememberDevice notes that a client or a staff member is in at the browser that has this cookie. It tells whether they were
// before, and whether any other browser of theirs is remembered. What is kept tells nothing of the cookie, nor that two people
// share a browser.
func (tx *Tx) RememberDevice(clientID, staffID int64, cookie string) (known, others bool, err error) {
	id := tokenHash(fmt.Sprintf("device %d %d %s", clientID, staffID, cookie))
	const theirs = " (client_id = ?1 OR staff_id = ?2)"
	err = tx.row("SELECT count(*) FILTER (WHERE id = ?3) > 0, count(*) FILTER (WHERE id <> ?3) > 0 FROM devices WHERE"+theirs, orNull(clientID), orNull(staffID), id).
		Scan(&known, &others)
	if err != nil {
		return false, false, err
	}
	if known {
		_, err = tx.exec("UPDATE devices SET seen_at = ?4 WHERE id = ?3 AND"+theirs, orNull(clientID), orNull(staffID), id, ms(tx.now))
		return known, others, err
	}
	if _, err = tx.exec("INSERT INTO devices (client_id, staff_id, id, seen_at) VALUES (?, ?, ?, ?)", orNull(clientID), orNull(staffID), id, ms(tx.now)); err != nil {
		return false, others, err
	}
	_, err = tx.exec("DELETE FROM devices WHERE rowid IN (SELECT rowid FROM devices WHERE"+theirs+" ORDER BY seen_at DESC, rowid DESC LIMIT -1 OFFSET ?3)",
		orNull(clientID), orNull(staffID), knownDevices)
	return false, others, err
}

// ForgetDevices forgets the browsers at which a client or a staff member was in.
func (tx *Tx) ForgetDevices(clientID, staffID int64) error {
	_, err := tx.exec("DELETE FROM devices WHERE client_id = ? OR staff_id = ?", orNull(clientID), orNull(staffID))
	return err
}

// HasDevices tells whether any browser is remembered at which a client or a staff member was in.
func (tx *Tx) HasDevices(clientID, staffID int64) (has bool, err error) {
	err = tx.row("SELECT EXISTS (SELECT 1 FROM devices WHERE client_id = ? OR staff_id = ?)", orNull(clientID), orNull(staffID)).Scan(&has)
	return has, err
}
