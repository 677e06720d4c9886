package db

import (
	"cmp"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"time"
)

// Act is what somebody did, in a few plain words that follow their name, such as "added the client". Each is written as it
// stands in the source, and is made of nothing else: practice tells what it means.
type Act string

// AuditEntry is one line of the audit log: who did what, to whose record, when. Entries are only ever added; each is
// chained by a keyed hash to the one before.
type AuditEntry struct {
	ID       int64
	At       time.Time
	StaffID  int64 // who did it; both empty: the program, or nobody known
	ByClient int64
	Act      Act
	ClientID int64  // whose record; 0: nobody's
	Detail   string // what the act's words leave open; never health information
}

// Audit adds an entry to the log, in the transaction of the act that it tells of.
func (tx *Tx) Audit(e AuditEntry) error {
	if tx.audit == nil {
		last, err := tx.lastAudit()
		if err != nil {
			return err
		}
		tx.audit = &last
	}
	next := chained{e, tx.key().id, nil}
	next.ID, next.At = tx.audit.ID+1, tx.now
	next.mac = next.chain(tx.key().audit, tx.audit.mac)
	_, err := tx.exec("INSERT INTO audit_entries (id, at, staff_id, by_client, act, client_id, detail, key_id, mac) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
		next.ID, ms(next.At), orNull(e.StaffID), orNull(e.ByClient), e.Act, orNull(e.ClientID), e.Detail, next.keyID, next.mac)
	if err != nil {
		return err
	}
	tx.audit = &next // nobody else adds one while this transaction holds the write lock
	return nil
}

// lastAudit reads the log's last entry; the zero value when there is none.
func (tx *Tx) lastAudit() (chained, error) {
	last, err := readAudit(tx.row("SELECT " + auditColumns + " ORDER BY id DESC LIMIT 1"))
	if err = named(err); errors.Is(err, ErrNotFound) {
		return chained{}, nil
	}
	return last, err
}

const auditColumns = "id, at, staff_id, by_client, act, client_id, detail, key_id, mac FROM audit_entries"

func readAudit(s scanner) (e chained, err error) {
	err = s.Scan(&e.ID, timeScan{&e.At}, idScan{&e.StaffID}, idScan{&e.ByClient}, &e.Act, idScan{&e.ClientID}, &e.Detail, &e.keyID, &e.mac)
	return e, err
}

func readEntry(s scanner) (AuditEntry, error) { e, err := readAudit(s); return e.AuditEntry, err }

// ActsAt lists what was done to a client within reach at one moment, which is in one transaction, newest first.
func (tx *Tx) ActsAt(reach Reach, clientID int64, at time.Time) ([]AuditEntry, error) {
	return list(tx, readEntry, "SELECT "+auditColumns+" WHERE client_id = ? AND at = ? AND "+reach.holds("client_id")+" ORDER BY id DESC", clientID, ms(at))
}

// ClientHistory lists the newest entries about a client within reach, newest first; those that say who opened something
// only if they are asked for.
func (tx *Tx) ClientHistory(reach Reach, clientID int64, openings bool, limit int) ([]AuditEntry, error) {
	return list(tx, readEntry,
		"SELECT "+auditColumns+" WHERE client_id = ? AND (? OR act NOT LIKE 'opened %') AND "+reach.holds("client_id")+" ORDER BY id DESC LIMIT ?", clientID, openings, limit)
}

// AuditFilter says which entries are read. The zero value is all.
type AuditFilter struct {
	By      Doer
	StaffID int64   // who did it, with ByStaff
	Acts    []Act   // any of these; nil: whatever was done
	Clients []int64 // about any of these, or done by one; nil: whoever's
	From    time.Time
	Until   time.Time // not any more; zero: whenever
}

// Doer is what kind of somebody did something.
type Doer int

const (
	ByAnybody Doer = iota
	ByStaff        // by one staff member
	ByClients      // by whichever client
	ByNobody       // by the program, or nobody known
)

// sql is the condition under which an entry a was done by them. Each has an index of its own, by act and time.
func (d Doer) sql() string {
	return [...]string{"?1 = 0", "a.staff_id = ?1", "?1 = 0 AND a.by_client IS NOT NULL", "?1 = 0 AND a.staff_id IS NULL AND a.by_client IS NULL"}[d]
}

// AuditPlace is where in the log a page begins: at the newest entry, or beside one of which the id is known.
type AuditPlace struct {
	Before int64 // what is older than this entry, or
	After  int64 // what is newer, next to it
}

// AuditEntries reads up to limit entries within reach that a filter lets through, newest first, from a place on: at once, however
// few of a long log they are. ErrNotFound when there is no such place.
func (tx *Tx) AuditEntries(reach Reach, f AuditFilter, place AuditPlace, limit int) ([]AuditEntry, error) {
	if f.Acts == nil && f.Clients == nil && f.By != ByAnybody {
		var err error
		if f.Acts, err = tx.Acts(); err != nil {
			return nil, err
		}
	}
	return tx.auditEntries(reach, f, place, limit, false)
}

// AuditWalk is AuditEntries for whoever reads all that a filter lets through, part by part: it goes through the log once.
func (tx *Tx) AuditWalk(reach Reach, f AuditFilter, place AuditPlace, limit int) ([]AuditEntry, error) {
	return tx.auditEntries(reach, f, place, limit, true)
}

func (tx *Tx) auditEntries(reach Reach, f AuditFilter, place AuditPlace, limit int, walk bool) ([]AuditEntry, error) {
	if f.By != ByStaff {
		f.StaffID = 0
	}
	from, until := int64(math.MinInt64), int64(math.MaxInt64)
	if !f.From.IsZero() {
		from = f.From.UnixMilli()
	}
	if !f.Until.IsZero() {
		until = f.Until.UnixMilli() - 1
	}
	id, at, beyond, order := int64(math.MaxInt64), until, "<", "DESC"
	if entry := cmp.Or(place.Before, place.After); entry != 0 {
		if err := named(tx.row("SELECT id, at FROM audit_entries WHERE id = ?", entry).Scan(&id, &at)); err != nil {
			return nil, err
		}
	}
	if place.After != 0 {
		from, beyond, order = max(from, at), ">", "ASC"
	} else {
		until = min(until, at)
	}
	acts, err := json.Marshal(f.Acts)
	if err != nil {
		return nil, err
	}
	clients, err := json.Marshal(f.Clients)
	if err != nil {
		return nil, err
	}
	where := f.By.sql() + " AND a.at >= ?2 AND a.at <= ?3 AND (a.at, a.id) " + beyond + " (?4, ?5) AND " + reach.holds("a.client_id")
	sorted := func(of string) string {
		return " ORDER BY " + of + ".at " + order + ", " + of + ".id " + order + " LIMIT ?6"
	}
	if f.Acts != nil && (f.Clients != nil || walk) {
		where += " AND a.act IN (SELECT value FROM json_each(?7))"
	}
	var found string
	switch {
	case f.Clients != nil:
		const whose = "SELECT a.id FROM json_each(?8) c CROSS JOIN audit_entries a ON "
		found = "e.id IN (" + whose + "a.client_id = c.value WHERE " + where + " UNION " + whose + "a.by_client = c.value WHERE " + where + ")"
	case f.Acts != nil && !walk:
		// The newest of each act, of which there are a hundred: an index holds them in order.
		found = "e.id IN (SELECT n.id FROM json_each(?7) w CROSS JOIN audit_entries n ON n.id IN (SELECT a.id FROM audit_entries a WHERE a.act = w.value AND " + where + sorted("a") + "))"
	default:
		found = "e.id IN (SELECT a.id FROM audit_entries a INDEXED BY audit_entries_by_time WHERE " + where + sorted("a") + ")"
	}
	entries, err := list(tx, readEntry, "SELECT "+auditColumns+" e WHERE "+found+sorted("e"), f.StaffID, from, until, at, id, limit, string(acts), string(clients))
	if place.After != 0 {
		slices.Reverse(entries)
	}
	return entries, err
}

// Acts lists each act that the log holds, by one look into an index for each.
func (tx *Tx) Acts() ([]Act, error) {
	return column[Act](tx, `WITH RECURSIVE acts (act) AS (SELECT min(act) FROM audit_entries
		UNION ALL SELECT (SELECT min(a.act) FROM audit_entries a WHERE a.act > acts.act) FROM acts WHERE acts.act IS NOT NULL)
		SELECT act FROM acts WHERE act IS NOT NULL`)
}

// DidSince tells that the log says of a client or a staff member that they did something after a time.
func (tx *Tx) DidSince(clientID, staffID int64, act Act, since time.Time) (did bool, err error) {
	err = tx.row("SELECT EXISTS (SELECT 1 FROM audit_entries WHERE act = ? AND at > ? AND (by_client = ? OR staff_id = ?))",
		act, ms(since), orNull(clientID), orNull(staffID)).Scan(&did)
	return did, err
}

// LastAct is the last entry that tells of a staff member's doing this; ErrNotFound when there is none.
func (tx *Tx) LastAct(staffID int64, act Act) (AuditEntry, error) {
	e, err := readEntry(tx.row("SELECT "+auditColumns+" WHERE staff_id = ? AND act = ? ORDER BY at DESC, id DESC LIMIT 1", staffID, act))
	return e, named(err)
}
