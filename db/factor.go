package db

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
	"time"
)

// Factors are the ways in which a person can take the second step when they sign in.
type Factors struct {
	Passkeys      int
	Authenticator bool // an app that shows codes
	RecoveryCodes int  // that are left
}

// Any tells whether there is one; recovery codes alone are none.
func (f Factors) Any() bool { return f.Passkeys > 0 || f.Authenticator }

// Factors tells a client's or a staff member's ways to take the second step.
func (tx *Tx) Factors(clientID, staffID int64) (f Factors, err error) {
	err = tx.row(`SELECT (SELECT count(*) FROM passkeys WHERE client_id = ?1 OR staff_id = ?2),
		EXISTS (SELECT 1 FROM authenticators WHERE client_id = ?1 OR staff_id = ?2),
		(SELECT count(*) FROM recovery_codes WHERE (client_id = ?1 OR staff_id = ?2) AND used_at IS NULL)`, orNull(clientID), orNull(staffID)).
		Scan(&f.Passkeys, &f.Authenticator, &f.RecoveryCodes)
	return f, err
}

// DropFactors takes from a client or a staff member all their ways to take the second step.
func (tx *Tx) DropFactors(clientID, staffID int64) error {
	for _, table := range []string{"passkeys", "authenticators", "recovery_codes"} {
		if _, err := tx.exec("DELETE FROM "+table+" WHERE client_id = ? OR staff_id = ?", orNull(clientID), orNull(staffID)); err != nil {
			return err
		}
	}
	return nil
}

// SecondStepRequired tells who must take a second step when they sign in, also those who have set up none yet.
func (tx *Tx) SecondStepRequired() (staff, clients bool, err error) {
	err = tx.row("SELECT staff_second_step, client_second_step FROM organization").Scan(&staff, &clients)
	return staff, clients, named(err)
}

// RequireSecondStep says who must take a second step when they sign in.
func (tx *Tx) RequireSecondStep(staff, clients bool) error {
	_, err := tx.exec("UPDATE organization SET staff_second_step = ?, client_second_step = ?", staff, clients)
	return err
}

// FactorUse counts who signs in, and who of them takes a second step.
type FactorUse struct{ Staff, StaffWith, Clients, ClientsWith int }

// FactorUse counts those who can sign in now.
func (tx *Tx) FactorUse() (u FactorUse, err error) {
	with := func(column, id string) string {
		return "EXISTS (SELECT 1 FROM passkeys WHERE " + column + " = " + id + ") OR EXISTS (SELECT 1 FROM authenticators WHERE " + column + " = " + id + ")"
	}
	err = tx.row(`SELECT count(*), ifnull(sum(`+with("staff_id", "s.id")+`), 0) FROM staff_members s WHERE disabled_at IS NULL AND password_hash IS NOT NULL`).Scan(&u.Staff, &u.StaffWith)
	if err != nil {
		return u, err
	}
	err = tx.row(`SELECT count(*), ifnull(sum(`+with("client_id", "c.id")+`), 0) FROM portal_accounts a JOIN clients c ON c.id = a.client_id
		WHERE c.portal_off_at IS NULL AND c.archived_at IS NULL`).Scan(&u.Clients, &u.ClientsWith)
	return u, err
}

// Authenticator is an app that shows a code for every half minute.
type Authenticator struct {
	Secret    []byte
	CreatedAt time.Time
}

// authenticatorSeal binds a secret to whose it is.
var authenticatorSeal = sealedColumn{"authenticators", "sealed", []string{"client_id", "staff_id"}, func(m masterKey) []byte { return m.factor }, 200}

// whose names a client or a staff member where something is bound to them.
func whose(clientID, staffID int64) []string {
	text := func(id int64) string {
		if id == 0 {
			return ""
		}
		return strconv.FormatInt(id, 10)
	}
	return []string{text(clientID), text(staffID)}
}

// Authenticator returns a client's or a staff member's; ErrNotFound when they have none.
func (tx *Tx) Authenticator(clientID, staffID int64) (a Authenticator, err error) {
	var sealed []byte
	var keyID string
	err = tx.row("SELECT sealed, key_id, created_at FROM authenticators WHERE client_id = ? OR staff_id = ?", orNull(clientID), orNull(staffID)).
		Scan(&sealed, &keyID, timeScan{&a.CreatedAt})
	if err != nil {
		return a, named(err)
	}
	a.Secret, err = authenticatorSeal.open(tx, sealed, keyID, whose(clientID, staffID)...)
	return a, err
}

// SetAuthenticator keeps a client's or a staff member's authenticator app, in the place of the one before. step is the half
// minute of the code that it was proved with.
func (tx *Tx) SetAuthenticator(clientID, staffID int64, secret []byte, step int64) error {
	if err := tx.DropAuthenticator(clientID, staffID); err != nil {
		return err
	}
	sealed, keyID := authenticatorSeal.seal(tx, secret, whose(clientID, staffID)...)
	_, err := tx.exec("INSERT INTO authenticators (client_id, staff_id, sealed, key_id, last_step, created_at) VALUES (?, ?, ?, ?, ?, ?)",
		orNull(clientID), orNull(staffID), sealed, keyID, step, ms(tx.now))
	return err
}

// DropAuthenticator forgets a client's or a staff member's authenticator app.
func (tx *Tx) DropAuthenticator(clientID, staffID int64) error {
	_, err := tx.exec("DELETE FROM authenticators WHERE client_id = ? OR staff_id = ?", orNull(clientID), orNull(staffID))
	return err
}

// TakeStep notes that the code of a half minute was taken. ErrNotFound when one of it, or of a later one, was before.
func (tx *Tx) TakeStep(clientID, staffID, step int64) error {
	n, err := tx.exec("UPDATE authenticators SET last_step = ?1 WHERE (client_id = ?2 OR staff_id = ?3) AND last_step < ?1", step, orNull(clientID), orNull(staffID))
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	return err
}

// SealFor seals a secret that waits in a form, such as an authenticator app's until its first code, so that whoever fills it in can bring it
// back: it opens for them alone, until then.
func (tx *Tx) SealFor(clientID, staffID int64, purpose string, secret []byte, until time.Time) string {
	key := tx.key()
	plain := append([]byte(strconv.FormatInt(until.UnixMilli(), 10)+" "), secret...)
	return key.id + "." + base64.RawURLEncoding.EncodeToString(seal(newAEAD(key.factor), plain, formPlace(purpose, key.id, clientID, staffID)...))
}

// OpenFor opens what was sealed for a client or a staff member, for that purpose; ErrNotFound when it wasn't, or is too old.
func (tx *Tx) OpenFor(clientID, staffID int64, purpose, sealed string) (secret []byte, err error) {
	id, text, _ := strings.Cut(sealed, ".")
	key, err := tx.sealingKey(id)
	if err != nil {
		return nil, ErrNotFound
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil, ErrNotFound
	}
	plain, err := open(newAEAD(key.factor), raw, formPlace(purpose, id, clientID, staffID)...)
	if err != nil {
		return nil, ErrNotFound
	}
	until, secret, _ := bytes.Cut(plain, []byte(" "))
	if at, err := strconv.ParseInt(string(until), 10, 64); err != nil || tx.now.UnixMilli() > at {
		return nil, ErrNotFound
	}
	return secret, nil
}

func formPlace(purpose, keyID string, clientID, staffID int64) []string {
	return append([]string{"a form", purpose, keyID}, whose(clientID, staffID)...)
}

// recoveryCodes is how many a person is given at once.
const recoveryCodes = 10

// NewRecoveryCodes makes a client's or a staff member's recovery codes, in the place of those before. Only keyed hashes of them
// are kept.
func (tx *Tx) NewRecoveryCodes(clientID, staffID int64) (codes []string, err error) {
	if err := tx.DropRecoveryCodes(clientID, staffID); err != nil {
		return nil, err
	}
	key := tx.key()
	for range recoveryCodes {
		code := rand.Text()[:12] // 60 bits
		if _, err := tx.exec("INSERT INTO recovery_codes (hash, client_id, staff_id, key_id) VALUES (?, ?, ?, ?)",
			recoveryHash(key, clientID, staffID, code), orNull(clientID), orNull(staffID), key.id); err != nil {
			return nil, err
		}
		codes = append(codes, code)
	}
	return codes, nil
}

// RecoverySet names the recovery codes that a client or a staff member has, spent ones too; empty: they have none. Other codes have
// another name, which tells nothing of them.
func (tx *Tx) RecoverySet(clientID, staffID int64) (string, error) {
	var first []byte
	err := tx.row("SELECT min(hash) FROM recovery_codes WHERE client_id = ? OR staff_id = ?", orNull(clientID), orNull(staffID)).Scan(&first)
	if err != nil || first == nil {
		return "", err
	}
	name := sha256.Sum256(first)
	return hex.EncodeToString(name[:8]), nil
}

// DropRecoveryCodes ends a client's or a staff member's recovery codes.
func (tx *Tx) DropRecoveryCodes(clientID, staffID int64) error {
	_, err := tx.exec("DELETE FROM recovery_codes WHERE client_id = ? OR staff_id = ?", orNull(clientID), orNull(staffID))
	return err
}

// UseRecoveryCode spends a recovery code. ErrNotFound when the client or staff member has no such code left.
func (tx *Tx) UseRecoveryCode(clientID, staffID int64, code string) error {
	ids, err := column[string](tx, "SELECT DISTINCT key_id FROM recovery_codes WHERE client_id = ? OR staff_id = ?", orNull(clientID), orNull(staffID))
	if err != nil {
		return err
	}
	for _, id := range ids {
		key, err := tx.keyOf(id)
		if err != nil {
			return err
		}
		n, err := tx.exec("UPDATE recovery_codes SET used_at = ? WHERE hash = ? AND used_at IS NULL", ms(tx.now), recoveryHash(key, clientID, staffID, code))
		if err != nil || n > 0 {
			return err
		}
	}
	return ErrNotFound
}

// recoveryHash is what is kept of a recovery code: the database alone can't try codes against it, and it is its owner's alone.
func recoveryHash(key masterKey, clientID, staffID int64, code string) []byte {
	person := whose(clientID, staffID)
	return keyed(key.codes, []byte(person[0]), []byte(person[1]), []byte(code))
}
