package db

import (
	"crypto/rand"
	"time"
)

// Session is somebody signed in at one browser. Only a hash of the cookie's value is kept.
type Session struct {
	ClientID  int64 // one of the two
	StaffID   int64
	CreatedAt time.Time
	SeenAt    time.Time // the last request that a person made
}

// AddSession signs a client or a staff member in and returns the cookie's value.
func (tx *Tx) AddSession(clientID, staffID int64) (token string, err error) {
	token = rand.Text() + rand.Text() // 256 bits
	_, err = tx.exec("INSERT INTO sessions (id, client_id, staff_id, created_at, seen_at) VALUES (?, ?, ?, ?, ?)",
		tokenHash(token), orNull(clientID), orNull(staffID), ms(tx.now), ms(tx.now))
	return token, err
}

// Session finds a session by the cookie's value, however old it is.
func (tx *Tx) Session(token string) (s Session, err error) {
	err = tx.row("SELECT client_id, staff_id, created_at, seen_at FROM sessions WHERE id = ?", tokenHash(token)).
		Scan(idScan{&s.ClientID}, idScan{&s.StaffID}, timeScan{&s.CreatedAt}, timeScan{&s.SeenAt})
	return s, named(err)
}

// TouchSession notes that a person used the session now.
func (tx *Tx) TouchSession(token string) error {
	_, err := tx.exec("UPDATE sessions SET seen_at = ? WHERE id = ?", ms(tx.now), tokenHash(token))
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

// EndClientSessions signs every client out.
func (tx *Tx) EndClientSessions() error {
	_, err := tx.exec("DELETE FROM sessions WHERE client_id IS NOT NULL")
	return err
}

// SweepSessions forgets those that ended: not seen since idle, or made before oldest.
func (tx *Tx) SweepSessions(idle, oldest time.Time) error {
	_, err := tx.exec("DELETE FROM sessions WHERE seen_at < ? OR created_at < ?", ms(idle), ms(oldest))
	return err
}

// AddAttempt notes a failed guess against an account or from a network.
func (tx *Tx) AddAttempt(key string) error {
	_, err := tx.exec("INSERT INTO attempts (key, at) VALUES (?, ?)", tx.attemptKey(key), ms(tx.now))
	return err
}

// Attempts counts the failed guesses since a time, and tells when the last one was.
func (tx *Tx) Attempts(key string, since time.Time) (n int, last time.Time, err error) {
	err = tx.row("SELECT count(*), max(at) FROM attempts WHERE key = ? AND at > ?", tx.attemptKey(key), ms(since)).Scan(&n, timeScan{&last})
	return n, last, err
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

// SweepAttempts forgets the failed guesses before a time.
func (tx *Tx) SweepAttempts(before time.Time) error {
	_, err := tx.exec("DELETE FROM attempts WHERE at < ?", ms(before))
	return err
}

// attemptKey hides what was guessed at: somebody may have typed a password where an address belongs.
func (tx *Tx) attemptKey(key string) []byte {
	return keyed(tx.key().guess, []byte(key))[:16]
}
