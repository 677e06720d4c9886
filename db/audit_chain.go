package db

import (
	"context"
	"crypto/hmac"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/mattn/go-sqlite3"
)

// chained is an entry with what holds it in its place: a hash over it and the hash before, under a key outside the database.
type chained struct {
	AuditEntry
	keyID string // empty in entries older than the second key: the first
	mac   []byte
}

// chain is what e's hash must be after the one before.
func (e chained) chain(key, before []byte) []byte {
	all := []any{e.ID, e.At.UnixMilli(), e.StaffID, e.ByClient, e.Act, e.ClientID, e.Detail}
	if e.keyID != "" {
		all = append(all, e.keyID)
	}
	text, err := json.Marshal(all)
	if err != nil {
		panic(err) // numbers and texts only
	}
	return keyed(key, before, text)
}

// AuditHead is the end of the log. Whoever keeps one away from here can tell later that nothing before it was changed, and
// that the log wasn't cut off before it.
type AuditHead struct {
	Entry int64 // the last one's number, which is how many there are
	MAC   []byte
}

func (h AuditHead) String() string { return fmt.Sprintf("%d:%x", h.Entry, h.MAC) }

// ParseAuditHead reads what String wrote.
func ParseAuditHead(s string) (h AuditHead, err error) {
	number, mac, _ := strings.Cut(strings.TrimSpace(s), ":")
	h.Entry, err = strconv.ParseInt(number, 10, 64)
	if err == nil {
		h.MAC, err = hex.DecodeString(mac)
	}
	if err != nil || h.Entry < 1 || len(h.MAC) == 0 {
		return AuditHead{}, errors.New("a head is a number, a colon and letters and digits, as “anteroom audit verify” and the log print it")
	}
	return h, nil
}

// AuditFault says which entry of the log is the first that isn't as it was written.
type AuditFault struct {
	Entry int64
	Why   string // follows the entry's number
}

func (f *AuditFault) Error() string { return fmt.Sprintf("audit entry %d %s", f.Entry, f.Why) }

// Why an entry isn't as it was written.
const (
	auditMissing  = "is missing"
	auditAltered  = "was altered, or wasn't written by Anteroom"
	auditNoKey    = "names a key that isn't one of this database's"
	auditOlderKey = "is written under an older key than the entry before it, so it isn't Anteroom's"
	auditCutAtKey = "is missing: the log ends under a key that was replaced, so its end was cut off"
	auditCut      = "is missing: the head that was given was printed for it, so the end of the log was cut off"
	auditReplaced = "isn't the one that the head was printed for: the end of the log was cut off and replaced"
	auditRemoved  = "is missing: the whole log was removed"
)

// AuditHead is the end of the log as it stands, unverified; the zero value while it is empty.
func (tx *Tx) AuditHead() (AuditHead, error) {
	last, err := tx.lastAudit()
	return AuditHead{last.ID, last.mac}, err
}

// auditBatch is how many entries are verified in one transaction, so that a long log holds up nobody.
const auditBatch = 5000

// VerifyAudit checks the whole log as it stands, some entries at a time, and returns its head. It returns an *AuditFault for the
// first entry that was altered or is missing, or was added by somebody without the key; or, with a known head, when that isn't
// in the log. step is told how many entries are done; nil tells nobody.
func (db *DB) VerifyAudit(ctx context.Context, known AuditHead, step func(done int64)) (AuditHead, error) {
	v := auditVerifier{known: known}
	if err := db.View(ctx, v.begin); err != nil {
		return AuditHead{}, err
	}
	return v.verify(ctx, db, step)
}

// auditVerifier walks along the chain.
type auditVerifier struct {
	until int64 // the last entry there was when it began
	place int   // of the key then in use
	known AuditHead
	fault *AuditFault // the known head isn't in the log: told only if the chain itself is whole
	begun bool        // the practice is set up
	last  chained     // the last entry that is as it was written
	at    int         // the place of its key
}

// begin notes where the log ends: what is added from then on isn't verified.
func (v *auditVerifier) begin(tx *Tx) error {
	head, err := tx.AuditHead()
	if err != nil {
		return err
	}
	id, err := tx.keyInUse()
	if err != nil {
		return err
	}
	v.until, v.place = head.Entry, tx.keyPlace(id)
	return tx.row("SELECT EXISTS (SELECT 1 FROM organization)").Scan(&v.begun)
}

func (v *auditVerifier) verify(ctx context.Context, db *DB, step func(done int64)) (AuditHead, error) {
	for v.last.ID < v.until {
		if err := db.View(ctx, v.some); err != nil {
			return AuditHead{}, err
		}
		if step != nil {
			step(v.last.ID)
		}
	}
	return AuditHead{v.last.ID, v.last.mac}, v.end()
}

// some verifies the next entries.
func (v *auditVerifier) some(tx *Tx) error {
	from := v.last.ID + 1
	if from == 1 {
		from = math.MinInt64 // also those that were put before the first
	}
	rows, err := tx.QueryContext(tx.ctx, "SELECT "+auditColumns+" WHERE id >= ? AND id <= ? ORDER BY id LIMIT ?", from, v.until, auditBatch)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		e, err := readAudit(rows)
		if err != nil {
			return err
		}
		if err := v.next(tx, e); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if v.last.ID < from || v.last.ID == 0 {
		return &AuditFault{v.last.ID + 1, auditMissing} // cut off while it is read
	}
	// The chain reads nobody as 0, but the log's filters don't find an entry that says so.
	var odd int64
	err = tx.row("SELECT ifnull(min(id), 0) FROM audit_entries WHERE id BETWEEN ? AND ? AND 0 IN (staff_id, by_client, client_id)", from, v.last.ID).Scan(&odd)
	if err == nil && odd != 0 {
		return &AuditFault{odd, auditAltered}
	}
	return err
}

func (v *auditVerifier) next(tx *Tx, e chained) error {
	if e.ID != v.last.ID+1 {
		return &AuditFault{v.last.ID + 1, auditMissing}
	}
	key, place, err := tx.auditKey(e.keyID)
	switch {
	case errors.Is(err, ErrWrongKey):
		return &AuditFault{e.ID, auditNoKey}
	case err != nil:
		return err
	case !hmac.Equal(e.mac, e.chain(key, v.last.mac)):
		return &AuditFault{e.ID, auditAltered}
	case place < v.at:
		return &AuditFault{e.ID, auditOlderKey}
	}
	if e.ID == v.known.Entry && !hmac.Equal(e.mac, v.known.MAC) {
		v.fault = &AuditFault{e.ID, auditReplaced}
	}
	v.last, v.at = e, place
	return nil
}

// end judges the log by where it ends.
func (v *auditVerifier) end() error {
	switch {
	case v.fault != nil:
		return v.fault
	case v.last.ID < v.known.Entry:
		return &AuditFault{v.last.ID + 1, auditCut}
	case v.last.ID == 0 && v.begun: // whose set-up is the first entry
		return &AuditFault{1, auditRemoved}
	case v.last.ID > 0 && v.at < v.place:
		return &AuditFault{v.last.ID + 1, auditCutAtKey}
	}
	return nil
}

// AuditLog is a database's audit log, to be verified from outside: beside a server that holds the data folder, or without one.
type AuditLog struct {
	db *DB
	v  auditVerifier
}

// OpenAuditLog opens the log of the database in folder for reading alone, with the key in keyFile (empty: the file beside the
// database), or with a key file's text. It takes no lock, writes nothing and migrates nothing. It returns ErrWrongKey as Open does.
func OpenAuditLog(ctx context.Context, folder, keyFile, keyText string) (*AuditLog, error) {
	path := databaseFile(folder)
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("there is no database to verify: %w", err)
	}
	if keyFile == "" && keyText == "" {
		keyFile = filepath.Join(folder, "anteroom.key")
	}
	log := &AuditLog{db: &DB{folder: folder, clock: time.Now, keySource: keySource{file: keyFile, text: keyText}}}
	if err := log.open(ctx, path); err != nil {
		return nil, errors.Join(named(err), log.Close())
	}
	return log, nil
}

const readAlone = "?mode=ro&_query_only=on&_busy_timeout=5000&_cache_size=-4096"

func (l *AuditLog) open(ctx context.Context, path string) (err error) {
	if l.db.read, err = sql.Open(driver, fileAddress(path)+readAlone); err != nil {
		return err
	}
	err = l.db.View(ctx, l.begin)
	var broken sqlite3.Error
	if !errors.As(err, &broken) || broken.Code != sqlite3.ErrCantOpen && broken.Code != sqlite3.ErrReadonly {
		return err
	}
	// Beside a database in WAL mode SQLite makes two files, which it can't where this process may not write. When nobody has
	// it open, all is in the one file that is there, and that can be read as it is.
	if left, err := os.Stat(path + "-wal"); err == nil && left.Size() > 0 || err != nil && !errors.Is(err, fs.ErrNotExist) {
		return errors.New("the database's write-ahead log can't be read from here: verify as the user who runs the server, or verify a copy in a folder where you may write")
	}
	if err := l.db.read.Close(); err != nil {
		return err
	}
	if l.db.read, err = sql.Open(driver, fileAddress(path)+readAlone+"&immutable=1"); err != nil {
		return err
	}
	return l.db.View(ctx, l.begin)
}

// begin refuses a database that this program's version doesn't know, or of another key. The key file is read after the database:
// so it holds all keys that the log names up to there.
func (l *AuditLog) begin(tx *Tx) error {
	migrator, err := newMigrator(l.db.read)
	if err != nil {
		return err
	}
	known := migrator.ListSources()
	newest := known[len(known)-1].Version
	var version int64
	if err := tx.row("SELECT max(version_id) FROM goose_db_version").Scan(&version); err != nil {
		return err
	}
	switch {
	case version < newest:
		return errors.New("this database was last used by an older version of Anteroom: verify with that one, or start this one's server on it first")
	case version > newest:
		return errors.New("this database was last used by a newer version of Anteroom: verify with that one")
	}
	keys, err := l.db.keySource.look()
	if err != nil {
		return err
	}
	if tx.keys, _, err = tx.knownKeys(keys); err != nil {
		return err
	}
	l.db.keys.Store(tx.keys)
	return l.v.begin(tx)
}

// Verify is DB.VerifyAudit, once. It returns ErrOldKey too: of the log of a database that doesn't use the last key in the key file,
// whoever got hold of an older one can have written any part.
func (l *AuditLog) Verify(ctx context.Context, known AuditHead) (AuditHead, error) {
	l.v.known = known
	head, err := l.v.verify(ctx, l.db, nil)
	if err == nil {
		err = l.db.View(ctx, l.usesLastKey) // looked up last: by now a rotation that was under way is over
	}
	return head, err
}

// ErrOldKey says that the key file holds a newer key than the database knows.
var ErrOldKey = errors.New("this database is from before the key was rotated")

func (l *AuditLog) usesLastKey(tx *Tx) error {
	k := l.db.keys.Load()
	used, last := k.keys[max(k.current, 0)], k.keys[len(k.keys)-1]
	var proven bool
	switch err := tx.row("SELECT EXISTS (SELECT 1 FROM keys WHERE key_id = ?)", last.id).Scan(&proven); {
	case err != nil || proven:
		return err
	case used.retired():
		return fmt.Errorf("%w: it uses key %s, which is retired in the key file, so its log may have been forged with that key. A copy from then is verified with the key file that was kept with it", ErrOldKey, used.id)
	default:
		return fmt.Errorf("%w: the key file holds a newer key, %s, so its log may have been forged with an older one. A copy from then is verified with the key file that was kept with it; if the newer key was just added, start the server first", ErrOldKey, last.id)
	}
}

// Close closes the log.
func (l *AuditLog) Close() error { return l.db.read.Close() }
