package db

import (
	"crypto/hmac"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// AuditEntry is one line of the audit log: who did what, to whose record, when. Entries are only ever added; each is
// chained by a keyed hash to the one before.
type AuditEntry struct {
	ID       int64
	At       time.Time
	StaffID  int64 // who did it; both empty: the program, or nobody known
	ByClient int64
	Act      string // a few plain words, such as "added the client"
	ClientID int64  // whose record; 0: nobody's
	Detail   string // what the act's words leave open; never health information
}

// Audit adds an entry to the log, in the transaction of the act that it tells of.
func (tx *Tx) Audit(e AuditEntry) error {
	last := tx.audit
	if last == nil {
		last = &chained{}
		err := named(tx.row("SELECT id, mac FROM audit_entries ORDER BY id DESC LIMIT 1").Scan(&last.ID, &last.mac))
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	e.ID, e.At = last.ID+1, tx.now
	mac := tx.auditMAC(e, last.mac)
	_, err := tx.exec("INSERT INTO audit_entries (id, at, staff_id, by_client, act, client_id, detail, mac) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		e.ID, ms(e.At), orNull(e.StaffID), orNull(e.ByClient), e.Act, orNull(e.ClientID), e.Detail, mac)
	if err != nil {
		return err
	}
	tx.audit = &chained{e, mac} // nobody else adds one while this transaction holds the write lock
	return nil
}

func (tx *Tx) auditMAC(e AuditEntry, before []byte) []byte {
	text, err := json.Marshal([]any{e.ID, e.At.UnixMilli(), e.StaffID, e.ByClient, e.Act, e.ClientID, e.Detail})
	if err != nil {
		panic(err) // numbers and texts only
	}
	return keyed(tx.key().audit, before, text)
}

const auditColumns = "id, at, staff_id, by_client, act, client_id, detail, mac FROM audit_entries"

type chained struct {
	AuditEntry
	mac []byte
}

func readAudit(s scanner) (e chained, err error) {
	err = s.Scan(&e.ID, timeScan{&e.At}, idScan{&e.StaffID}, idScan{&e.ByClient}, &e.Act, idScan{&e.ClientID}, &e.Detail, &e.mac)
	return e, err
}

// VerifyAudit checks the whole chain and names the first entry that was altered or follows a missing one.
func (tx *Tx) VerifyAudit() error {
	all, err := list(tx, readAudit, "SELECT "+auditColumns+" ORDER BY id")
	if err != nil {
		return err
	}
	var before []byte
	for i, e := range all {
		if e.ID != int64(i+1) || !hmac.Equal(e.mac, tx.auditMAC(e.AuditEntry, before)) {
			return fmt.Errorf("audit entry %d was altered, or one before it is missing", e.ID)
		}
		before = e.mac
	}
	return nil
}

// ActsAt lists what was done to a client within reach at one moment, which is in one transaction, newest first.
func (tx *Tx) ActsAt(reach Reach, clientID int64, at time.Time) ([]AuditEntry, error) {
	return list(tx, func(s scanner) (AuditEntry, error) { e, err := readAudit(s); return e.AuditEntry, err },
		"SELECT "+auditColumns+" WHERE client_id = ? AND at = ? AND "+reach.holds("client_id")+" ORDER BY id DESC", clientID, ms(at))
}

// ClientHistory lists the newest entries about a client within reach, newest first; those that say who opened something
// only if they are asked for.
func (tx *Tx) ClientHistory(reach Reach, clientID int64, openings bool, limit int) ([]AuditEntry, error) {
	return list(tx, func(s scanner) (AuditEntry, error) { e, err := readAudit(s); return e.AuditEntry, err },
		"SELECT "+auditColumns+" WHERE client_id = ? AND (? OR act NOT LIKE 'opened %') AND "+reach.holds("client_id")+" ORDER BY id DESC LIMIT ?", clientID, openings, limit)
}
