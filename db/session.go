package db

import (
	"crypto/rand"
	"time"

	"github.com/google/uuid"
)

// Session is somebody signed in at one browser. Only a hash of the cookie's value is kept.
type Session struct {
	PublicID    string // by which its owner ends it
	ClientID    int64  // one of the two
	StaffID     int64
	Device      string // what the browser calls itself, in a few words
	CreatedAt   time.Time
	SeenAt      time.Time // the last request that a person made
	SteppedAt   time.Time // the second step was taken; zero: not
	ConfirmedAt time.Time // its owner last proved who they are
}

// At how many browsers one person can be in, and halfway in: where they come in at more, the first of these is signed out. Whoever
// has no more than a password so ends no session of somebody who is in wholly.
const (
	sessionsKept = 50
	halfwayKept  = 5
)

func newSessionToken() string { return rand.Text() + rand.Text() } // 256 bits

// AddSession signs a client or a staff member in wholly, as s says, and returns the cookie's value.
func (tx *Tx) AddSession(s Session) (token string, err error) {
	if s.SteppedAt.IsZero() { // no step is owed: none of theirs is halfway
		return tx.addSession(s, "TRUE", sessionsKept)
	}
	return tx.addSession(s, "o.stepped_at IS NOT NULL", sessionsKept)
}

// AddHalfwaySession does the same for somebody who owes the second step.
func (tx *Tx) AddHalfwaySession(s Session) (token string, err error) {
	return tx.addSession(s, "o.stepped_at IS NULL", halfwayKept)
}

func (tx *Tx) addSession(s Session, among string, keep int) (token string, err error) {
	token = newSessionToken()
	_, err = tx.exec("INSERT INTO sessions (id, public_id, client_id, staff_id, device, created_at, seen_at, stepped_at, confirmed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
		tokenHash(token), uuid.NewString(), orNull(s.ClientID), orNull(s.StaffID), s.Device, ms(tx.now), ms(tx.now), ms(s.SteppedAt), ms(tx.now))
	if err != nil {
		return "", err
	}
	return token, tx.endBeyond(token, among, keep)
}

// endBeyond ends a person's other sessions of one sort, but for those used last: keep are left, with the one of this token.
func (tx *Tx) endBeyond(token, among string, keep int) error {
	_, err := tx.exec(`DELETE FROM sessions WHERE id IN (SELECT o.id FROM sessions s JOIN sessions o ON o.client_id = s.client_id OR o.staff_id = s.staff_id
		WHERE s.id = ?1 AND o.id <> ?1 AND `+among+` ORDER BY o.seen_at DESC LIMIT -1 OFFSET ?2)`, tokenHash(token), keep-1)
	return err
}

const sessionColumns = "public_id, client_id, staff_id, device, created_at, seen_at, stepped_at, confirmed_at FROM sessions"

func readSession(s scanner) (one Session, err error) {
	err = s.Scan(&one.PublicID, idScan{&one.ClientID}, idScan{&one.StaffID}, &one.Device, timeScan{&one.CreatedAt}, timeScan{&one.SeenAt},
		timeScan{&one.SteppedAt}, timeScan{&one.ConfirmedAt})
	return one, err
}

// Session finds a session by the cookie's value, however old it is.
func (tx *Tx) Session(token string) (Session, error) {
	s, err := readSession(tx.row("SELECT "+sessionColumns+" WHERE id = ?", tokenHash(token)))
	return s, named(err)
}

// SessionsOf lists where a client or a staff member is signed in, however long ago, the newest first.
func (tx *Tx) SessionsOf(clientID, staffID int64) ([]Session, error) {
	return list(tx, readSession, "SELECT "+sessionColumns+" WHERE client_id = ? OR staff_id = ? ORDER BY created_at DESC, public_id", orNull(clientID), orNull(staffID))
}

// TouchSession notes that a person used the session now.
func (tx *Tx) TouchSession(token string) error {
	_, err := tx.exec("UPDATE sessions SET seen_at = ? WHERE id = ?", ms(tx.now), tokenHash(token))
	return err
}

// ConfirmSession notes that the session's owner proved now who they are, and by a second step if stepped, and gives it another
// cookie's value, for somebody may have seen the one before. ErrNotFound when it ended meanwhile.
func (tx *Tx) ConfirmSession(token string, stepped bool) (renewed string, err error) {
	renewed = newSessionToken()
	n, err := tx.exec("UPDATE sessions SET id = ?1, seen_at = ?2, confirmed_at = ?2, stepped_at = CASE WHEN ?3 THEN ?2 ELSE stepped_at END WHERE id = ?4",
		tokenHash(renewed), ms(tx.now), stepped, tokenHash(token))
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	if err == nil && stepped {
		err = tx.endBeyond(renewed, "o.stepped_at IS NOT NULL", sessionsKept)
	}
	return renewed, err
}

// RenewSession gives a session another cookie's value. ErrNotFound when it ended meanwhile.
func (tx *Tx) RenewSession(token string) (renewed string, err error) {
	renewed = newSessionToken()
	n, err := tx.exec("UPDATE sessions SET id = ? WHERE id = ?", tokenHash(renewed), tokenHash(token))
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	return renewed, err
}

// EndSessionOf signs a client or a staff member out at one browser. ErrNotFound for a session that isn't theirs, or is over.
func (tx *Tx) EndSessionOf(clientID, staffID int64, publicID string) error {
	n, err := tx.exec("DELETE FROM sessions WHERE public_id = ? AND (client_id = ? OR staff_id = ?)", publicID, orNull(clientID), orNull(staffID))
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	return err
}

// EndSession signs one browser out.
func (tx *Tx) EndSession(token string) error {
	_, err := tx.exec("DELETE FROM sessions WHERE id = ?", tokenHash(token))
	return err
}

// EndSessions signs a client or a staff member out everywhere.
func (tx *Tx) EndSessions(clientID, staffID int64) error {
	_, err := tx.exec("DELETE FROM sessions WHERE client_id = ? OR staff_id = ?", orNull(clientID), orNull(staffID))
	return err
}

// EndOtherSessions signs a client or a staff member out everywhere but in the session of this public id.
func (tx *Tx) EndOtherSessions(clientID, staffID int64, but string) error {
	_, err := tx.exec("DELETE FROM sessions WHERE (client_id = ? OR staff_id = ?) AND public_id <> ?", orNull(clientID), orNull(staffID), but)
	return err
}

// EndClientSessions signs every client out.
func (tx *Tx) EndClientSessions() error {
	_, err := tx.exec("DELETE FROM sessions WHERE client_id IS NOT NULL")
	return err
}

// EndUnstepped signs out whoever took no second step, of staff and of clients.
func (tx *Tx) EndUnstepped(ofStaff, ofClients bool) error {
	_, err := tx.exec("DELETE FROM sessions WHERE stepped_at IS NULL AND (? AND staff_id IS NOT NULL OR ? AND client_id IS NOT NULL)", ofStaff, ofClients)
	return err
}

// AddAttempt notes a failed guess against an account or from a network.
func (tx *Tx) AddAttempt(key string) error {
	_, err := tx.exec("INSERT INTO attempts (key, at) VALUES (?, ?)", tx.attemptKey(key), ms(tx.now))
	return err
}

// Attempts counts the failed guesses since a time. Those that a clock dated too late don't count.
func (tx *Tx) Attempts(key string, since time.Time) (n int, err error) {
	err = tx.row("SELECT count(*) FROM attempts WHERE key = ? AND at > ? AND at <= ?", tx.attemptKey(key), ms(since), ms(tx.now)).Scan(&n)
	return n, err
}

// ClearAttempts forgets the failed guesses against an account, once its owner signed in or chose a new password.
func (tx *Tx) ClearAttempts(key string) error {
	_, err := tx.exec("DELETE FROM attempts WHERE key = ?", tx.attemptKey(key))
	return err
}

// TakeBackAttempt forgets the latest guess against a key, once it turned out right.
func (tx *Tx) TakeBackAttempt(key string) error {
	_, err := tx.exec("DELETE FROM attempts WHERE rowid = (SELECT max(rowid) FROM attempts WHERE key = ?)", tx.attemptKey(key))
	return err
}

// attemptKey hides what was guessed at: somebody may have typed a password where an address belongs.
func (tx *Tx) attemptKey(key string) []byte {
	return keyed(tx.key().guess, []byte(key))[:16]
}
