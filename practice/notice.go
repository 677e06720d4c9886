package practice

import (
	"time"

	"anteroom/db"
)

// notice is what a person is told by mail of their own way in, so that they notice when it wasn't them. It names nothing of
// health, nor any form.
type notice string

const (
	newDevice       notice = "new device"       // signed in at a browser that wasn't known
	passwordChanged notice = "password changed" // chose another password
	stepAdded       notice = "step added"       // an authenticator app or a passkey
	stepRemoved     notice = "step removed"
	codesUsedUp     notice = "codes used up" // the last recovery code was taken
	wrongCodes      notice = "wrong codes"   // after the right password: somebody else may know it
)

// noticesADay is how often a person is told the same in a day.
const noticesADay = 5

// DeviceLife is how long a browser is known after somebody was in at it.
const DeviceLife = 365 * 24 * time.Hour

// tell queues the letter that tells a person, in their language, what happened to their account just now, and at which browser.
// One that waits for more than a day is dropped. While one that says the same waits already, or after noticesADay of them, there is
// no more: whoever is in could fill the outbox, and the audit log has each. Whoever calls it wakes the outbox after the commit.
func (p *Practice) tell(tx *db.Tx, who Actor, what notice, at Browser) error {
	o, err := tx.Organization()
	if err != nil {
		return err
	}
	l := languageOf(who.client.record)
	letter, err := p.writeLetterTo(o, l.notices[what], who, tx.Now(), map[string]string{
		"notice_time":    l.minute(tx.Now().In(o.TimeZone)),
		"notice_browser": l.browser(at.Words),
	}, "forgotten-password")
	if err != nil {
		return err
	}
	kind := db.LetterOwnAccount
	if what == newDevice {
		kind = db.LetterNewDevice
	}
	clientID, staffID := who.ids()
	waits, n, err := tx.SameNotices(clientID, staffID, kind, letter.Subject, letter.To.Email, tx.Now().Add(-24*time.Hour))
	if err != nil || waits || n >= noticesADay {
		return err
	}
	return p.queue(tx, letter, db.Letter{Kind: kind, StaffID: staffID, ClientID: clientID})
}

// noteDevice remembers the browser at which a person is in, and tells them of one that isn't known, unless they were never in at any.
func (p *Practice) noteDevice(tx *db.Tx, who Actor, at Browser) error {
	if at.Device == "" {
		return nil
	}
	clientID, staffID := who.ids()
	seen, err := tx.DeviceSeen(clientID, staffID, at.Device)
	if err != nil {
		return err
	}
	before, err := tx.HasDevices(clientID, staffID)
	if err != nil {
		return err
	}
	known := tx.Now().Sub(seen) <= DeviceLife
	if err := tx.RememberDevice(clientID, staffID, at.Device); err != nil || known || !before || at.told {
		return err
	}
	return p.tell(tx, who, newDevice, at)
}

// rememberFirst remembers the browser at which a person chooses their first password, though they may be halfway in: whoever else comes
// with that password comes from another.
func rememberFirst(tx *db.Tx, who Actor, at Browser) error {
	if at.Device == "" {
		return nil
	}
	clientID, staffID := who.ids()
	return tx.RememberDevice(clientID, staffID, at.Device)
}

// isFirst tells that nobody was in yet with an account, and that this is the browser where its password was chosen, or it was chosen at
// none.
func isFirst(tx *db.Tx, who Actor, at Browser) (bool, error) {
	clientID, staffID := who.ids()
	seen, err := tx.DeviceSeen(clientID, staffID, at.Device)
	if err != nil {
		return false, err
	}
	if seen.IsZero() {
		others, err := tx.HasDevices(clientID, staffID)
		return !others, err
	}
	was, err := tx.DidSince(clientID, staffID, signedIn, seen.Add(-time.Millisecond)) // a browser is remembered at the time of that entry
	return !was, err
}
