package db

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Passkey is one of a client's or a staff member's passkeys.
type Passkey struct {
	ID         int64
	PublicID   string // by which its owner names and removes it
	ClientID   int64  // one of the two
	StaffID    int64
	Credential Credential
	Name       string
	CreatedAt  time.Time
	UsedAt     time.Time // zero: not yet
}

// Credential is what is known of a passkey's private key, which never leaves where it was made.
type Credential struct {
	ID         []byte   `json:"-"` // as its authenticator calls it: no two are the same
	PublicKey  []byte   `json:"public_key"`
	Counter    uint32   `json:"counter"`     // of its uses; 0: it counts none
	MayBackUp  bool     `json:"may_back_up"` // it can be copied to the owner's other devices, which never changes
	BackedUp   bool     `json:"backed_up"`
	Transports []string `json:"transports,omitempty"` // how a browser reaches it, in WebAuthn's words
}

// AddPasskey keeps a new passkey, and sets its ids and time. ErrExists when there is one of that credential.
func (tx *Tx) AddPasskey(k *Passkey) error {
	k.PublicID, k.CreatedAt = uuid.NewString(), tx.now
	return named(tx.row("INSERT INTO passkeys (public_id, client_id, staff_id, credential_id, credential, name, created_at) VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id",
		k.PublicID, orNull(k.ClientID), orNull(k.StaffID), k.Credential.ID, k.Credential.text(), k.Name, ms(tx.now)).Scan(&k.ID))
}

func (c Credential) text() string {
	text, err := json.Marshal(c)
	if err != nil {
		panic(err) // numbers and texts only
	}
	return string(text)
}

const passkeyColumns = "id, public_id, client_id, staff_id, credential_id, credential, name, created_at, used_at FROM passkeys"

func readPasskey(s scanner) (k Passkey, err error) {
	var id, credential []byte
	if err = s.Scan(&k.ID, &k.PublicID, idScan{&k.ClientID}, idScan{&k.StaffID}, &id, &credential, &k.Name, timeScan{&k.CreatedAt}, timeScan{&k.UsedAt}); err != nil {
		return k, named(err)
	}
	err = json.Unmarshal(credential, &k.Credential)
	k.Credential.ID = id
	return k, err
}

// PasskeyOf finds the passkey of a credential, whosever it is.
func (tx *Tx) PasskeyOf(credentialID []byte) (Passkey, error) {
	return readPasskey(tx.row("SELECT "+passkeyColumns+" WHERE credential_id = ?", credentialID))
}

// Passkeys lists a client's or a staff member's passkeys, the oldest first.
func (tx *Tx) Passkeys(clientID, staffID int64) ([]Passkey, error) {
	return list(tx, readPasskey, "SELECT "+passkeyColumns+" WHERE client_id = ? OR staff_id = ? ORDER BY id", orNull(clientID), orNull(staffID))
}

// UsePasskey notes that a passkey answered a challenge, and what its credential is now. ErrNotFound when it answered since the
// challenge was made, so that no answer counts twice. A use in the future, by a clock that was set back, keeps nobody out.
func (tx *Tx) UsePasskey(id int64, challengeMade time.Time, now Credential) error {
	n, err := tx.exec("UPDATE passkeys SET used_at = ?1, credential = ?2 WHERE id = ?3 AND (used_at IS NULL OR used_at < ?4 OR used_at > ?1)",
		ms(tx.now), now.text(), id, ms(challengeMade))
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	return err
}

// RenamePasskey gives a client's or a staff member's passkey another name. ErrNotFound when it isn't theirs.
func (tx *Tx) RenamePasskey(clientID, staffID int64, publicID, name string) error {
	n, err := tx.exec("UPDATE passkeys SET name = ? WHERE public_id = ? AND (client_id = ? OR staff_id = ?)", name, publicID, orNull(clientID), orNull(staffID))
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	return err
}

// DropPasskey forgets a client's or a staff member's passkey. ErrNotFound when it isn't theirs.
func (tx *Tx) DropPasskey(clientID, staffID int64, publicID string) error {
	n, err := tx.exec("DELETE FROM passkeys WHERE public_id = ? AND (client_id = ? OR staff_id = ?)", publicID, orNull(clientID), orNull(staffID))
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	return err
}

// Challenge is what a passkey has to sign. It is kept nowhere: a browser brings it back, sealed.
type Challenge struct {
	Bytes  []byte
	MadeAt time.Time
}

// SealChallenge seals a new challenge, so that it opens for the same purpose and the same session only.
func (tx *Tx) SealChallenge(challenge []byte, purpose, session string) (sealed string) {
	key := tx.key()
	plain := append(binary.BigEndian.AppendUint64(nil, uint64(tx.now.UnixMilli())), challenge...)
	return key.id + "." + base64.RawURLEncoding.EncodeToString(seal(newAEAD(key.challenge), plain, challengePlace(key.id, purpose, session)...))
}

// OpenChallenge opens a challenge that was sealed for this purpose and this session; ErrNotFound when it wasn't.
func (tx *Tx) OpenChallenge(sealed, purpose, session string) (c Challenge, err error) {
	id, text, _ := strings.Cut(sealed, ".")
	key, err := tx.sealingKey(id)
	if err != nil {
		return c, ErrNotFound
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return c, ErrNotFound
	}
	plain, err := open(newAEAD(key.challenge), raw, challengePlace(id, purpose, session)...)
	if err != nil || len(plain) < 8 {
		return c, ErrNotFound
	}
	return Challenge{plain[8:], time.UnixMilli(int64(binary.BigEndian.Uint64(plain))).UTC()}, nil
}

func challengePlace(keyID, purpose, session string) []string {
	return []string{"a cookie", "challenge", keyID, purpose, session}
}
