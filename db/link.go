package db

import (
	"crypto/rand"
	"crypto/sha256"
	"time"
)

// Purpose is what a link in a mail lets its reader do.
type Purpose string

const (
	LinkJoin        Purpose = "join"         // a client makes a portal account
	LinkJoinStaff   Purpose = "join staff"   // a new staff member chooses a password
	LinkNewPassword Purpose = "new password" // somebody forgot theirs
	LinkNewAddress  Purpose = "new address"  // a client confirms the address that the link was mailed to
)

// Link is a secret in a mail to a client or a staff member. Only a hash of its token is kept.
type Link struct {
	ID        int64
	Purpose   Purpose
	ClientID  int64 // one of the two
	StaffID   int64
	CreatedAt time.Time
	ExpiresAt time.Time
	OpenedAt  time.Time // first, by anybody: possibly a mail scanner
	UsedAt    time.Time
	EndedAt   time.Time // revoked, or replaced by a newer one
}

// Live tells that the link still opens at a time.
func (l Link) Live(now time.Time) bool {
	return l.UsedAt.IsZero() && l.EndedAt.IsZero() && now.Before(l.ExpiresAt)
}

// AddLink makes a link that replaces every other of the same purpose for the same person, and fills in its id.
func (tx *Tx) AddLink(l *Link) (err error) {
	if err := tx.EndLinks(l.Purpose, l.ClientID, l.StaffID); err != nil {
		return err
	}
	return tx.AddFirstLink(l)
}

// AddFirstLink is AddLink for somebody who never had one of this purpose.
func (tx *Tx) AddFirstLink(l *Link) error {
	nonce := make([]byte, 16)
	rand.Read(nonce)
	keyID := tx.key().id
	token, err := tx.token(keyID, string(l.Purpose), nonce)
	if err != nil {
		return err
	}
	l.CreatedAt = tx.now
	l.ID, err = tx.insert(`INSERT INTO links (purpose, client_id, staff_id, token_hash, nonce, key_id, created_at, expires_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?)`, l.Purpose, orNull(l.ClientID), orNull(l.StaffID), tokenHash(token), nonce, keyID, ms(tx.now), ms(l.ExpiresAt))
	return err
}

// LinksSince counts the links that a client or a staff member was sent since a time.
func (tx *Tx) LinksSince(clientID, staffID int64, since time.Time) (n int, err error) {
	err = tx.row("SELECT count(*) FROM links WHERE (client_id = ? OR staff_id = ?) AND created_at > ?", orNull(clientID), orNull(staffID), ms(since)).Scan(&n)
	return n, err
}

// HasLiveLink tells whether a client or a staff member holds a link of one purpose that opens now.
func (tx *Tx) HasLiveLink(purpose Purpose, clientID, staffID int64) (has bool, err error) {
	err = tx.row("SELECT EXISTS (SELECT 1 FROM links WHERE (client_id = ? OR staff_id = ?) AND purpose = ? AND used_at IS NULL AND ended_at IS NULL AND expires_at > ?)",
		orNull(clientID), orNull(staffID), purpose, ms(tx.now)).Scan(&has)
	return has, err
}

// EndLinks ends the links of one purpose that a client or a staff member still holds.
func (tx *Tx) EndLinks(purpose Purpose, clientID, staffID int64) error {
	whose, id := "client_id", clientID
	if clientID == 0 {
		whose, id = "staff_id", staffID
	}
	_, err := tx.exec("UPDATE links SET ended_at = ? WHERE purpose = ? AND "+whose+" = ? AND used_at IS NULL AND ended_at IS NULL", ms(tx.now), purpose, id)
	return err
}

// EndLink ends one link, unless it was used or ended before.
func (tx *Tx) EndLink(id int64) error {
	_, err := tx.exec("UPDATE links SET ended_at = ? WHERE id = ? AND used_at IS NULL AND ended_at IS NULL", ms(tx.now), id)
	return err
}

const linkColumns = "id, purpose, client_id, staff_id, created_at, expires_at, opened_at, used_at, ended_at"

func readLink(s scanner) (l Link, err error) {
	err = s.Scan(&l.ID, &l.Purpose, idScan{&l.ClientID}, idScan{&l.StaffID}, timeScan{&l.CreatedAt}, timeScan{&l.ExpiresAt}, timeScan{&l.OpenedAt}, timeScan{&l.UsedAt}, timeScan{&l.EndedAt})
	return l, named(err)
}

// JoinStaffLinks tells when the newest link expires with which each staff member who holds one chooses a first password.
func (tx *Tx) JoinStaffLinks() (map[int64]time.Time, error) {
	links, err := list(tx, readLink, "SELECT "+linkColumns+" FROM links WHERE staff_id IS NOT NULL AND purpose = 'join staff' AND used_at IS NULL AND ended_at IS NULL")
	expires := make(map[int64]time.Time, len(links))
	for _, l := range links {
		expires[l.StaffID] = l.ExpiresAt
	}
	return expires, err
}

// LinkByToken finds a link, live or not, by the token that a reader brought.
func (tx *Tx) LinkByToken(token string) (Link, error) {
	return readLink(tx.row("SELECT "+linkColumns+" FROM links WHERE token_hash = ?", tokenHash(token)))
}

// LinkToken finds the link of a letter and derives the token that the letter carries. Only the worker asks, for a letter on
// its way out.
func (tx *Tx) LinkToken(linkID int64) (l Link, token string, err error) {
	var keyID string
	var nonce []byte
	if l, err = readLink(also{tx.row("SELECT "+linkColumns+", key_id, nonce FROM links WHERE id = ?", linkID), []any{&keyID, &nonce}}); err != nil {
		return l, "", err
	}
	token, err = tx.token(keyID, string(l.Purpose), nonce)
	return l, token, err
}

// NoteLinkOpened notes when a link was opened first.
func (tx *Tx) NoteLinkOpened(id int64) error {
	_, err := tx.exec("UPDATE links SET opened_at = ? WHERE id = ? AND opened_at IS NULL", ms(tx.now), id)
	return err
}

// UseLink spends a live link; ErrNotFound when it was spent, ended or expired meanwhile.
func (tx *Tx) UseLink(id int64) error {
	n, err := tx.exec("UPDATE links SET used_at = ? WHERE id = ? AND used_at IS NULL AND ended_at IS NULL AND expires_at > ?", ms(tx.now), id, ms(tx.now))
	if err == nil && n == 0 {
		return ErrNotFound
	}
	return err
}

func tokenHash(token string) []byte {
	h := sha256.Sum256([]byte(token))
	return h[:]
}
