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
	"slices"
	"strings"
)

// Keyring holds the keys that are kept outside the database, in the order in which they came into use: each line of the key
// file is an id and a key, or what is left of one that is retired. A keyring never changes; DB.keys is swapped for another.
type Keyring struct {
	keys    []masterKey
	first   int // of those, the first that this database was used under
	current int // the one in use; one after it is in the key file, but this database has no proof of it yet
}

// masterKey is the keys that are derived from one line. Of a retired one those are left that no sealed text opens with:
// audit entries chained under it are still verified, letters' links still made, recovery codes still known.
type masterKey struct {
	id                                    string
	audit, link, codes                    []byte
	wrap, relay, factor, guess, challenge []byte // nil of a retired one
}

func (m masterKey) retired() bool { return m.wrap == nil }

// proof is what the database keeps of a key, so that another of the same name is noticed.
func (m masterKey) proof() []byte { return keyed(m.audit, []byte("proof")) }

// parseKeyring reads the text of a key file. In the environment commas stand for its line ends.
func parseKeyring(text string) (*Keyring, error) {
	k := &Keyring{}
	for _, line := range keyLines(text) {
		key, err := parseKey(line)
		if err != nil {
			return nil, err
		}
		if k.index(key.id) >= 0 {
			return nil, fmt.Errorf("the key is damaged: there are two of the id %s", key.id)
		}
		k.keys = append(k.keys, key)
	}
	if len(k.keys) == 0 {
		return nil, errors.New("there is no key")
	}
	if k.current = len(k.keys) - 1; k.keys[k.current].retired() {
		return nil, errors.New("the key is damaged: the last line, which is of the one in use, is of a retired one")
	}
	return k, nil
}

func keyLines(text string) (lines []string) {
	for line := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '\n' || r == '\r' || r == ',' }) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

var errKeyLine = errors.New("the key is damaged: each line is an id and 32 bytes in base64, or an id, the word retired and three times 32 bytes")

func parseKey(line string) (masterKey, error) {
	words := strings.Fields(line)
	retired := len(words) == 5 && words[1] == "retired"
	if len(words) != 2 && !retired {
		return masterKey{}, errKeyLine
	}
	var secrets [][]byte
	for _, word := range words[1:] {
		if secret, err := base64.StdEncoding.DecodeString(word); err == nil && len(secret) == 32 {
			secrets = append(secrets, secret)
		} else if !retired || word != "retired" {
			return masterKey{}, errKeyLine
		}
	}
	if retired {
		return masterKey{id: words[0], audit: secrets[0], link: secrets[1], codes: secrets[2]}, nil
	}
	secret := secrets[0]
	return masterKey{
		id: words[0], audit: subkey(secret, "audit chain"), link: subkey(secret, "link tokens"), codes: subkey(secret, "recovery codes"),
		wrap: subkey(secret, "wrap client keys"), relay: subkey(secret, "relay secrets"), factor: subkey(secret, "second steps"),
		guess: subkey(secret, "attempts"), challenge: subkey(secret, "passkey challenges"),
	}, nil
}

// CheckKey tells what is wrong with the text of a key file.
func CheckKey(text string) error {
	_, err := parseKeyring(text)
	return err
}

// NewKey is the line of a new key.
func NewKey() string {
	secret := make([]byte, 32)
	rand.Read(secret)
	return strings.ToLower(rand.Text()[:8]) + " " + base64.StdEncoding.EncodeToString(secret)
}

// retiredLine is the line that takes the place of a retired key's.
func (m masterKey) retiredLine() string {
	line := m.id + " retired"
	for _, key := range [][]byte{m.audit, m.link, m.codes} {
		line += " " + base64.StdEncoding.EncodeToString(key)
	}
	return line
}

func (k *Keyring) index(id string) int {
	return slices.IndexFunc(k.keys, func(m masterKey) bool { return m.id == id })
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

// key is the key in use: what a transaction that writes seals, chains and derives anew, it does under this one.
func (tx *Tx) key() masterKey { return tx.keys.keys[tx.keys.current] }

// keyOf is the key of an id that stands beside what was made under it, retired or not. It returns ErrWrongKey when the
// keyring has none.
func (tx *Tx) keyOf(id string) (masterKey, error) {
	// A transaction that reads may see what is older than the newest keyring, or newer than the one that it began with.
	var found masterKey
	for _, k := range []*Keyring{tx.keys, tx.db.keys.Load()} {
		if at := k.index(id); at >= 0 && (found.id == "" || found.retired()) {
			found = k.keys[at]
		}
	}
	if found.id == "" {
		return found, missingKey(id)
	}
	return found, nil
}

// sealingKey is keyOf for what is sealed: a retired key opens nothing.
func (tx *Tx) sealingKey(id string) (masterKey, error) {
	key, err := tx.keyOf(id)
	if err == nil && key.retired() {
		return key, retiredKey(id)
	}
	return key, err
}

func missingKey(id string) error {
	return fmt.Errorf("%w (key %s isn't in it: what is needed is the one that was kept with this database, or with the backup that it was restored from)", ErrWrongKey, id)
}

func retiredKey(id string) error {
	return fmt.Errorf("%w (key %s was retired after this copy of the database was made: what is needed is the key file that was kept with the copy)", ErrWrongKey, id)
}

// auditKey is the key under which those audit entries are chained that name it by id; the empty id, of entries made before
// there could be a second key, is the first one's. place counts the keys before it. A chain is sound only if place never
// falls along it and its last entry is under the key in use, which is keyInUse: otherwise whoever got hold of an old key could
// add entries, or replace the last ones.
func (tx *Tx) auditKey(id string) (key []byte, place int, err error) {
	if id == "" {
		id = tx.keys.keys[tx.keys.first].id
	}
	m, err := tx.keyOf(id)
	return m.audit, tx.keyPlace(id), err
}

// keyPlace counts the keys before the one of an id, in the newest keyring: places never change.
func (tx *Tx) keyPlace(id string) int { return tx.db.keys.Load().index(id) }

// keyInUse is the id of the key in use as this transaction sees the database, which may be some moments old. It returns
// ErrWrongKey when the database has lost the proof of the key that this program uses.
func (tx *Tx) keyInUse() (id string, err error) {
	known, err := column[string](tx, "SELECT key_id FROM keys")
	for _, each := range known {
		if id == "" || tx.keyPlace(each) > tx.keyPlace(id) {
			id = each
		}
	}
	if err == nil && tx.keyPlace(id) < tx.keys.current {
		err = fmt.Errorf("%w (the database has no record of key %s, which is in use)", ErrWrongKey, tx.key().id)
	}
	return id, err
}

// token derives a link's secret: 256 bits that the database alone cannot repeat.
func (tx *Tx) token(keyID, purpose string, nonce []byte) (string, error) {
	key, err := tx.keyOf(keyID)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(keyed(key.link, []byte(purpose), nonce)), nil
}

// sealedColumn is a column of texts that are sealed under a key of the keyring itself; column key_id beside it names which.
// Each is bound to its table, its column, its key and what the row holds in bound, so that it opens nowhere else. All of
// them are in sealedColumns: that is what is sealed anew when another key comes into use.
type sealedColumn struct {
	table, column string
	bound         []string // as texts; NULL is an empty one
	key           func(masterKey) []byte
	atOnce        int // how many are sealed anew in one transaction
}

var (
	clientKeySeal = sealedColumn{"client_keys", "wrapped", []string{"client_id"}, func(m masterKey) []byte { return m.wrap }, 200}
	relaySeal     = sealedColumn{"relay_settings", "sealed", []string{"id", "host", "port", "security", "username", "token_url", "client_id"}, func(m masterKey) []byte { return m.relay }, 1}
	importSeal    = sealedColumn{"imports", "sealed", []string{"public_id"}, func(m masterKey) []byte { return m.wrap }, 1}

	sealedColumns = []sealedColumn{clientKeySeal, relaySeal, importSeal, authenticatorSeal}
)

// seal seals a text under the key in use. bound are the row's values, in the order of the column's.
func (s sealedColumn) seal(tx *Tx, plain []byte, bound ...string) (sealed []byte, keyID string) {
	key := tx.key()
	return seal(newAEAD(s.key(key)), plain, s.place(key.id, bound)...), key.id
}

// open opens what was sealed in its place under the key that keyID names; ErrWrongKey when the keyring can't.
func (s sealedColumn) open(tx *Tx, sealed []byte, keyID string, bound ...string) ([]byte, error) {
	key, err := tx.sealingKey(keyID)
	if err != nil {
		return nil, err
	}
	return open(newAEAD(s.key(key)), sealed, s.place(keyID, bound)...)
}

func (s sealedColumn) place(keyID string, bound []string) []string {
	return append([]string{s.table, s.column, bound[0], keyID}, bound[1:]...)
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
	key, err := clientKeySeal.open(tx, wrapped, keyID, fmt.Sprint(clientID))
	if err != nil {
		return nil, err
	}
	return newAEAD(key), nil
}

func (tx *Tx) createClientKey(clientID int64) (cipher.AEAD, error) {
	key := make([]byte, 32)
	rand.Read(key)
	wrapped, keyID := clientKeySeal.seal(tx, key, fmt.Sprint(clientID))
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
