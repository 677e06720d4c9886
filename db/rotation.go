package db

import (
	"context"
	"crypto/hmac"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// checkKeys refuses a database that was made under a key that the keyring does not hold, or holds something sealed under one
// that is retired. It puts the last key to use, if this database has no proof of it yet: it is a new database, or somebody
// added a key, or the program was killed as it rotated it. It returns the keyring as this database uses it.
func (tx *Tx) checkKeys() (*Keyring, error) {
	k, used, err := tx.knownKeys(tx.keys)
	if err != nil {
		return nil, err
	}
	tx.keys = k
	if !used {
		return k, tx.proveKey()
	}
	if m := tx.key(); m.retired() {
		return nil, retiredKey(m.id)
	}
	last := len(k.keys) - 1
	if err := tx.checkSealed(); err != nil || k.current == last {
		return tx.keys, err
	}
	if err := tx.useLastKey(); err != nil {
		return nil, err
	}
	return tx.keys, tx.Audit(AuditEntry{Act: "rotated the key", Detail: "to " + tx.key().id + ", as the program started"})
}

// knownKeys is a keyring as this database uses it, and whether it does: a new one has used none yet. It returns ErrWrongKey
// when the keyring lacks a key of the database's.
func (tx *Tx) knownKeys(all *Keyring) (_ *Keyring, used bool, err error) {
	type entry struct {
		id    string
		proof []byte
	}
	known, err := list(tx, func(s scanner) (e entry, err error) { err = s.Scan(&e.id, &e.proof); return }, "SELECT key_id, proof FROM keys ORDER BY rowid")
	if err != nil {
		return nil, false, err
	}
	k := *all
	k.current = -1
	for i, e := range known {
		at := k.index(e.id)
		switch {
		case at < 0:
			return nil, false, missingKey(e.id)
		case !hmac.Equal(e.proof, k.keys[at].proof()):
			return nil, false, fmt.Errorf("%w (it has another key %s)", ErrWrongKey, e.id)
		case at < k.current:
			return nil, false, fmt.Errorf("%w (in it, key %s has to come before key %s)", ErrWrongKey, k.keys[k.current].id, e.id)
		}
		if k.current = at; i == 0 {
			k.first = at
		}
	}
	if len(known) > 0 {
		return &k, true, nil
	}
	var entries bool
	if err := tx.row("SELECT EXISTS (SELECT 1 FROM audit_entries)").Scan(&entries); err != nil {
		return nil, false, err
	}
	if entries {
		return nil, false, fmt.Errorf("%w (the database's own record of its keys is gone)", ErrWrongKey)
	}
	k.first, k.current = len(k.keys)-1, len(k.keys)-1
	return &k, false, nil
}

// checkSealed refuses what is sealed under a key that the keyring can't open it with.
func (tx *Tx) checkSealed() error {
	for _, s := range sealedColumns {
		for id := ""; ; {
			var next sql.NullString
			if err := tx.row("SELECT min(key_id) FROM "+s.table+" WHERE key_id > ?", id).Scan(&next); err != nil {
				return err
			}
			if !next.Valid {
				break
			}
			id = next.String
			if _, err := tx.sealingKey(id); err != nil {
				return err
			}
		}
	}
	return nil
}

func (tx *Tx) proveKey() error {
	_, err := tx.exec("INSERT INTO keys (key_id, proof, used_from) VALUES (?, ?, ?)", tx.key().id, tx.key().proof(), ms(tx.now))
	return err
}

// useLastKey has this transaction, and those after it, use the last key.
func (tx *Tx) useLastKey() error {
	k := *tx.keys
	k.current = len(k.keys) - 1
	tx.keys = &k
	return tx.proveKey()
}

// RotateKey makes a new key and puts it to use: this transaction, and those after its commit, seal and chain under it. What
// is sealed stays so until SealAnew. It returns the new key's id, and ErrKeyFile when the key file can't take it. Should the
// program end before the commit, the key waits in the file and is put to use at the next rotation or start.
func (tx *Tx) RotateKey() (id string, err error) {
	if tx.keys.current == len(tx.keys.keys)-1 {
		k, err := tx.db.keySource.add(tx.keys)
		if err != nil {
			return "", err
		}
		tx.keys = k
		tx.db.keys.Store(k) // not in use yet, but known to those who read right after the commit
	}
	if err := tx.useLastKey(); err != nil {
		return "", err
	}
	return tx.key().id, nil
}

// keysInUse is the keyring for a transaction that writes. Whether a key that waits was put to use, only the database knows.
func (tx *Tx) keysInUse() (*Keyring, error) {
	k := tx.db.keys.Load()
	if k.current == len(k.keys)-1 {
		return k, nil
	}
	used := *k
	used.current = len(k.keys) - 1
	var proven bool
	if err := tx.row("SELECT EXISTS (SELECT 1 FROM keys WHERE key_id = ?)", used.keys[used.current].id).Scan(&proven); err != nil || !proven {
		return k, err
	}
	tx.db.keys.Store(&used) // nobody else does while this transaction holds the write lock
	return &used, nil
}

// SealAnew seals what is under older keys anew under the one in use: client keys, and all else in sealedColumns. It does so a
// few rows at a time, so that others write in between, and may be ended anywhere. It tells how many rows it sealed, and how
// many it left, for they don't open.
func (db *DB) SealAnew(ctx context.Context) (sealed, left int, err error) {
	var older []string
	if err := db.View(ctx, func(tx *Tx) error {
		inUse, err := tx.keyInUse()
		if err != nil {
			return err
		}
		older, err = column[string](tx, "SELECT key_id FROM keys WHERE key_id <> ?", inUse)
		return err
	}); err != nil {
		return 0, 0, err
	}
	for _, id := range older {
		for _, s := range sealedColumns {
			for after, more := int64(0), true; more; {
				if err := db.Update(ctx, func(tx *Tx) error {
					last, n, damaged, err := s.sealAnew(tx, id, after)
					after, more = last, n == s.atOnce
					if err == nil {
						sealed, left = sealed+n-damaged, left+damaged
					}
					return err
				}); err != nil {
					return sealed, left, err
				}
			}
		}
	}
	return sealed, left, nil
}

// sealAnew seals the next few rows after one anew that are under an older key. It tells which was the last and how many they
// were, and how many don't open: those stay as they are.
func (s sealedColumn) sealAnew(tx *Tx, old string, after int64) (last int64, n, damaged int, err error) {
	last = after
	if tx.key().id == old {
		return last, 0, 0, nil
	}
	type row struct {
		id     int64
		sealed []byte
		bound  []string
	}
	columns := "rowid, " + s.column
	for _, b := range s.bound {
		columns += ", ifnull(CAST(" + b + " AS TEXT), '')"
	}
	rows, err := list(tx, func(sc scanner) (row, error) {
		r := row{bound: make([]string, len(s.bound))}
		into := []any{&r.id, &r.sealed}
		for i := range r.bound {
			into = append(into, &r.bound[i])
		}
		return r, sc.Scan(into...)
	}, "SELECT "+columns+" FROM "+s.table+" WHERE key_id = ? AND rowid > ? ORDER BY rowid LIMIT ?", old, after, s.atOnce)
	if err != nil {
		return last, 0, 0, err
	}
	for _, r := range rows {
		last = r.id
		plain, err := s.open(tx, r.sealed, old, r.bound...)
		if errors.Is(err, ErrWrongKey) {
			return last, 0, 0, err
		}
		if err != nil {
			damaged++
			continue
		}
		sealed, keyID := s.seal(tx, plain, r.bound...)
		if _, err := tx.exec("UPDATE "+s.table+" SET "+s.column+" = ?, key_id = ? WHERE rowid = ?", sealed, keyID, r.id); err != nil {
			return last, 0, 0, err
		}
	}
	return last, len(rows), damaged, nil
}

// sealedUnder tells whether anything is sealed under a key.
func (tx *Tx) sealedUnder(id string) (any bool, err error) {
	for _, s := range sealedColumns {
		if err := tx.row("SELECT EXISTS (SELECT 1 FROM "+s.table+" WHERE key_id = ?)", id).Scan(&any); err != nil || any {
			return any, err
		}
	}
	return false, nil
}

// RetireKeys retires the older keys under which nothing is sealed any more: of their lines in the key file only that is left
// with which audit entries are verified and links made. A text that the host gave, it can't change; and with ErrKeyFile it says
// that it couldn't change the file, but all else is done.
func (db *DB) RetireKeys(ctx context.Context) error {
	var cant error
	err := db.Update(ctx, func(tx *Tx) error {
		type entry struct {
			id    string
			until time.Time
		}
		older, err := list(tx, func(s scanner) (e entry, err error) { err = s.Scan(&e.id, timeScan{&e.until}); return },
			"SELECT key_id, used_until FROM keys WHERE key_id <> ? ORDER BY rowid", tx.key().id)
		if err != nil {
			return err
		}
		for _, e := range older {
			if under, err := tx.sealedUnder(e.id); err != nil {
				return err
			} else if under {
				continue
			}
			if at := tx.keys.index(e.id); db.keySource.file != "" && !tx.keys.keys[at].retired() {
				if k, err := db.keySource.retire(tx.keys, at); err != nil {
					cant = errors.Join(cant, err)
				} else {
					tx.keys = k
					db.keys.Store(k)
				}
			}
			if !e.until.IsZero() {
				continue
			}
			if _, err := tx.exec("UPDATE keys SET used_until = ? WHERE key_id = ?", ms(tx.now), e.id); err != nil {
				return err
			}
			if err := tx.Audit(AuditEntry{Act: "retired a key", Detail: "key " + e.id}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return cant
}

// KeyUse is a key and what is sealed under it. Of the key itself it tells nothing.
type KeyUse struct {
	ID      string
	From    time.Time // zero: from the beginning
	Until   time.Time // since then nothing is sealed under it
	Clients int       // whose keys are wrapped under it
	Others  int       // mail secrets, second steps and lists to import that are sealed under it
	Retired bool      // nothing sealed opens with what is left of it
	InUse   bool
}

// Places where the keys are kept.
type KeyPlace string

const (
	KeyBesideDatabase KeyPlace = "beside the database"
	KeyInOwnFile      KeyPlace = "in a file of its own"
	KeyFromHost       KeyPlace = "in the environment"
)

// KeyPlace tells where the keys are kept.
func (db *DB) KeyPlace() KeyPlace {
	switch {
	case db.keySource.file == "":
		return KeyFromHost
	case db.keyBeside:
		return KeyBesideDatabase
	}
	return KeyInOwnFile
}

// KeyUses lists the keys that this database was used under, the one in use first.
func (tx *Tx) KeyUses() ([]KeyUse, error) {
	var others []string
	for _, s := range sealedColumns {
		if s.table != clientKeySeal.table {
			others = append(others, "(SELECT count(*) FROM "+s.table+" WHERE key_id = k.key_id)")
		}
	}
	all, err := list(tx, func(s scanner) (u KeyUse, err error) {
		err = s.Scan(&u.ID, timeScan{&u.From}, timeScan{&u.Until}, &u.Clients, &u.Others)
		return u, err
	}, `SELECT key_id, used_from, used_until, (SELECT count(*) FROM client_keys WHERE key_id = k.key_id), `+strings.Join(others, " + ")+`
		FROM keys k ORDER BY rowid DESC`)
	if err != nil {
		return nil, err
	}
	for i := range all {
		m, err := tx.keyOf(all[i].ID)
		if err != nil {
			return nil, err
		}
		all[i].InUse, all[i].Retired = i == 0, m.retired()
	}
	return all, nil
}
