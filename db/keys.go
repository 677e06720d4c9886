package db

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strings"
)

// Keyring holds the keys that are kept outside the database. Each line of its file is an id and a key; the last line's
// key is the one in use, the ones before it still open what they sealed.
type Keyring struct {
	current string
	keys    map[string]masterKey
}

type masterKey struct{ wrap, link, audit, guess, relay []byte }

func openKeyring(file string, mayCreate bool) (*Keyring, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) && mayCreate {
		if text, err = createKeyFile(file); err != nil {
			return nil, err
		}
	} else if err != nil {
		return nil, fmt.Errorf("the key file is needed to open this database: %w", err)
	}
	return parseKeyring(string(text))
}

func createKeyFile(file string) ([]byte, error) {
	secret := make([]byte, 32)
	rand.Read(secret)
	text := fmt.Appendf(nil, "%s %s\n", strings.ToLower(rand.Text()[:8]), base64.StdEncoding.EncodeToString(secret))
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if _, err := f.Write(text); err != nil {
		return nil, err
	}
	return text, f.Sync()
}

func parseKeyring(text string) (*Keyring, error) {
	k := &Keyring{keys: map[string]masterKey{}}
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		id, encoded, _ := strings.Cut(strings.TrimSpace(line), " ")
		secret, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil || len(secret) != 32 || id == "" {
			return nil, errors.New("the key file is damaged: each line is an id and 32 bytes in base64")
		}
		k.keys[id] = masterKey{
			wrap: subkey(secret, "wrap client keys"), link: subkey(secret, "link tokens"),
			audit: subkey(secret, "audit chain"), guess: subkey(secret, "attempts"),
			relay: subkey(secret, "relay secrets"),
		}
		k.current = id
	}
	if k.current == "" {
		return nil, errors.New("the key file is empty")
	}
	return k, nil
}

func subkey(secret []byte, purpose string) []byte {
	key, err := hkdf.Key(sha256.New, secret, nil, "anteroom "+purpose, 32)
	if err != nil {
		panic(err) // only for a length that SHA-256 cannot give
	}
	return key
}

func keyed(key []byte, parts ...[]byte) []byte {
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		fmt.Fprintf(h, "%d:", len(p)) // lengths, so that no two lists of parts read the same
		h.Write(p)
	}
	return h.Sum(nil)
}

// checkKey refuses a database that was made under a key the keyring does not hold, and vouches for the current one.
func (tx *Tx) checkKey() error {
	type entry struct {
		id    string
		proof []byte
	}
	known, err := list(tx, func(s scanner) (e entry, err error) { err = s.Scan(&e.id, &e.proof); return }, "SELECT key_id, proof FROM keys")
	if err != nil {
		return err
	}
	current := false
	for _, e := range known {
		key, ok := tx.db.keys.keys[e.id]
		if !ok || !hmac.Equal(e.proof, keyed(key.audit, []byte("proof"))) {
			return ErrWrongKey
		}
		current = current || e.id == tx.db.keys.current
	}
	if current {
		return nil
	}
	_, err = tx.exec("INSERT INTO keys (key_id, proof) VALUES (?, ?)", tx.db.keys.current, keyed(tx.db.keys.keys[tx.db.keys.current].audit, []byte("proof")))
	return err
}

// token derives a link's secret: 256 bits that the database alone cannot repeat.
func (k *Keyring) token(keyID, purpose string, nonce []byte) (string, error) {
	key, ok := k.keys[keyID]
	if !ok {
		return "", ErrWrongKey
	}
	return base64.RawURLEncoding.EncodeToString(keyed(key.link, []byte(purpose), nonce)), nil
}

// clientKey returns the key under which a client's answers are sealed, and makes it the first time.
func (tx *Tx) clientKey(clientID int64) (cipher.AEAD, error) {
	var wrapped []byte
	var keyID string
	err := named(tx.row("SELECT wrapped, key_id FROM client_keys WHERE client_id = ?", clientID).Scan(&wrapped, &keyID))
	if errors.Is(err, ErrNotFound) {
		return tx.createClientKey(clientID)
	}
	if err != nil {
		return nil, err
	}
	master, ok := tx.db.keys.keys[keyID]
	if !ok {
		return nil, ErrWrongKey
	}
	key, err := open(newAEAD(master.wrap), wrapped, "client_keys", "wrapped", fmt.Sprint(clientID), keyID)
	if err != nil {
		return nil, err
	}
	return newAEAD(key), nil
}

func (tx *Tx) createClientKey(clientID int64) (cipher.AEAD, error) {
	key := make([]byte, 32)
	rand.Read(key)
	keyID := tx.db.keys.current
	wrapped := seal(newAEAD(tx.db.keys.keys[keyID].wrap), key, "client_keys", "wrapped", fmt.Sprint(clientID), keyID)
	_, err := tx.exec("INSERT INTO client_keys (client_id, wrapped, key_id) VALUES (?, ?, ?)", clientID, wrapped, keyID)
	return newAEAD(key), err
}

func newAEAD(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // only for a key that is not 32 bytes long
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return aead
}

// seal binds a text to its place: it opens nowhere else.
func seal(aead cipher.AEAD, plain []byte, place ...string) []byte {
	return aead.Seal(nil, nil, plain, aad(place))
}

func open(aead cipher.AEAD, sealed []byte, place ...string) ([]byte, error) {
	plain, err := aead.Open(nil, nil, sealed, aad(place))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", strings.Join(place[:2], "."), err)
	}
	return plain, nil
}

func aad(place []string) []byte {
	return []byte(strings.Join(place, "\x1f"))
}
