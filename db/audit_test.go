package db

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// fourEntries is a log of four, written in two transactions.
func fourEntries(t *testing.T) *DB {
	t.Helper()
	d := Temp(t, time.Now)
	for _, some := range [][]AuditEntry{{{Act: "a"}, {Act: "b", StaffID: 1}}, {{Act: "c", ClientID: 1, Detail: "d"}, {Act: "d"}}} {
		if err := d.Update(t.Context(), func(tx *Tx) error { return errors.Join(tx.Audit(some[0]), tx.Audit(some[1])) }); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

func verified(t *testing.T, d *DB) AuditHead {
	t.Helper()
	head, err := d.VerifyAudit(t.Context(), AuditHead{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return head
}

// wantFault fails the test unless the log's check names this entry as the first that isn't as it was written.
func wantFault(t *testing.T, err error, entry int64, why string) {
	t.Helper()
	var fault *AuditFault
	if !errors.As(err, &fault) || *fault != (AuditFault{entry, why}) {
		t.Errorf("%v, want entry %d %s", err, entry, why)
	}
}

func TestAuditShowsEveryTampering(t *testing.T) {
	for name, c := range map[string]struct {
		statements string
		entry      int64
		why        string
	}{
		"other words":     {"UPDATE audit_entries SET act = 'signed out' WHERE id = 2", 2, auditAltered},
		"another detail":  {"UPDATE audit_entries SET detail = 'e' WHERE id = 3", 3, auditAltered},
		"another time":    {"UPDATE audit_entries SET at = at + 1 WHERE id = 2", 2, auditAltered},
		"somebody else":   {"UPDATE audit_entries SET staff_id = 9 WHERE id = 2", 2, auditAltered},
		"a client":        {"UPDATE audit_entries SET by_client = 9 WHERE id = 2", 2, auditAltered},
		"another's":       {"UPDATE audit_entries SET client_id = 9 WHERE id = 3", 3, auditAltered},
		"another mac":     {"UPDATE audit_entries SET mac = x'00' WHERE id = 2", 2, auditAltered},
		"another key":     {"UPDATE audit_entries SET key_id = 'mine' WHERE id = 2", 2, auditNoKey},
		"no key":          {"UPDATE audit_entries SET key_id = '' WHERE id = 2", 2, auditAltered},
		"one removed":     {"DELETE FROM audit_entries WHERE id = 2", 2, auditMissing},
		"first removed":   {"DELETE FROM audit_entries WHERE id = 1", 1, auditMissing},
		"numbered anew":   {"DELETE FROM audit_entries WHERE id = 2; UPDATE audit_entries SET id = id - 1 WHERE id > 2", 2, auditAltered},
		"two exchanged":   {"UPDATE audit_entries SET id = CASE id WHEN 2 THEN -3 WHEN 3 THEN -2 END WHERE id IN (2, 3); UPDATE audit_entries SET id = -id WHERE id < 0", 2, auditAltered},
		"one before all":  {"INSERT INTO audit_entries (id, at, act, mac) SELECT 0, at, act, mac FROM audit_entries WHERE id = 1", 1, auditMissing},
		"one below zero":  {"INSERT INTO audit_entries (id, at, act, mac) SELECT -7, at, act, mac FROM audit_entries WHERE id = 1", 1, auditMissing},
		"one below all":   {"INSERT INTO audit_entries (id, at, act, mac) SELECT -9223372036854775808, at, act, zeroblob(32) FROM audit_entries WHERE id = 1", 1, auditMissing},
		"nobody, oddly":   {"UPDATE audit_entries SET by_client = 0 WHERE id = 2", 2, auditAltered},
		"one added":       {"INSERT INTO audit_entries (id, at, act, key_id, mac) SELECT 5, at, act, key_id, mac FROM audit_entries WHERE id = 4", 5, auditAltered},
		"one added later": {"INSERT INTO audit_entries (id, at, act, key_id, mac) SELECT 7, at, act, key_id, mac FROM audit_entries WHERE id = 4", 5, auditMissing},
		"all removed": {"DELETE FROM audit_entries; INSERT INTO organization (id, name, phone, time_zone, invitation_days, portal_welcome, portal_help, crisis_text, created_at) VALUES (1, 'Willow', '5', 'UTC', 7, 'a', 'b', 'c', 1)",
			1, auditRemoved},
	} {
		t.Run(name, func(t *testing.T) {
			d := fourEntries(t)
			if head := verified(t, d); head.Entry != 4 {
				t.Fatal(head)
			}
			withoutTriggers(t, d, c.statements)
			_, err := d.VerifyAudit(t.Context(), AuditHead{}, nil)
			wantFault(t, err, c.entry, c.why)
		})
	}
}

// A log whose end is cut off is whole in itself: only a head that was kept elsewhere tells.
func TestAuditHeadShowsACutEnd(t *testing.T) {
	d := fourEntries(t)
	head := verified(t, d)
	if parsed, err := ParseAuditHead(" " + head.String() + "\n"); err != nil || parsed.String() != head.String() {
		t.Errorf("%s is read as %s, %v", head, parsed, err)
	}
	for _, wrong := range []string{"", "4", "4:", "four:00", "4:xx", "0:00", "-1:00"} {
		if _, err := ParseAuditHead(wrong); err == nil {
			t.Errorf("%q is a head", wrong)
		}
	}
	withoutTriggers(t, d, "DELETE FROM audit_entries WHERE id > 2")
	if cut := verified(t, d); cut.Entry != 2 {
		t.Fatal(cut)
	}
	_, err := d.VerifyAudit(t.Context(), head, nil)
	wantFault(t, err, 3, auditCut)
	if err := d.Update(t.Context(), func(tx *Tx) error {
		return errors.Join(tx.Audit(AuditEntry{Act: "e"}), tx.Audit(AuditEntry{Act: "f"}), tx.Audit(AuditEntry{Act: "g"}))
	}); err != nil {
		t.Fatal(err)
	}
	_, err = d.VerifyAudit(t.Context(), head, nil)
	wantFault(t, err, 4, auditReplaced)
	withoutTriggers(t, d, "UPDATE audit_entries SET act = 'x' WHERE id = 2")
	_, err = d.VerifyAudit(t.Context(), head, nil) // what is altered comes first
	wantFault(t, err, 2, auditAltered)
}

// Whoever got hold of an older key can neither add an entry under it nor end the log where it was in use.
func TestAuditUnderAnOlderKey(t *testing.T) {
	d := fourEntries(t)
	old := d.keys.Load()
	rotate(t, d)
	head := verified(t, d)
	if head.Entry != 5 {
		t.Fatal(head)
	}
	forged := chained{AuditEntry{ID: 6, At: time.UnixMilli(1), Act: "signed in", StaffID: 1}, old.keys[old.current].id, nil}
	mac := forged.chain(old.keys[old.current].audit, head.MAC)
	withoutTriggers(t, d, fmt.Sprintf("INSERT INTO audit_entries (id, at, act, staff_id, key_id, mac) VALUES (6, 1, 'signed in', 1, '%s', x'%x')", forged.keyID, mac))
	_, err := d.VerifyAudit(t.Context(), AuditHead{}, nil)
	wantFault(t, err, 6, auditOlderKey)
	withoutTriggers(t, d, "DELETE FROM audit_entries WHERE id > 4")
	_, err = d.VerifyAudit(t.Context(), AuditHead{}, nil)
	wantFault(t, err, 5, auditCutAtKey)
}

// TestAuditIsAppendedOnly asks the database itself: nothing takes an entry away or changes one, whichever way it is put.
func TestAuditIsAppendedOnly(t *testing.T) {
	d := fourEntries(t)
	const entry = "audit_entries (id, at, act, mac) VALUES "
	for _, statement := range []string{
		"UPDATE audit_entries SET act = 'x' WHERE id = 2",
		"UPDATE OR REPLACE audit_entries SET id = 3 WHERE id = 2",
		"UPDATE OR IGNORE audit_entries SET act = 'x'",
		"DELETE FROM audit_entries WHERE id = 4",
		"DELETE FROM audit_entries",
		"REPLACE INTO " + entry + "(2, 1, 'x', x'00')",
		"INSERT OR REPLACE INTO " + entry + "(4, 1, 'x', x'00')",
		"INSERT INTO " + entry + "(2, 1, 'x', x'00') ON CONFLICT DO UPDATE SET act = 'x'",
		"INSERT OR IGNORE INTO " + entry + "(2, 1, 'x', x'00')",
		"INSERT INTO " + entry + "(0, 1, 'x', x'00')",
		"INSERT INTO " + entry + "(6, 1, 'x', x'00')",
		"INSERT INTO " + entry + "(NULL, 1, 'x', x'00')",
	} {
		err := d.Update(t.Context(), func(tx *Tx) error { _, err := tx.exec(statement); return err })
		if err == nil || !strings.Contains(err.Error(), "append-only") {
			t.Errorf("%s: %v", statement, err)
		}
	}
	if head := verified(t, d); head.Entry != 4 {
		t.Error(head)
	}
}

// A long log is verified in several parts, and what is added meanwhile is left for the next time.
func TestAuditIsVerifiedInParts(t *testing.T) {
	d := Temp(t, time.Now)
	const entries = 2*auditBatch + 3
	if err := d.Update(t.Context(), func(tx *Tx) error {
		for range entries {
			if err := tx.Audit(AuditEntry{Act: "a"}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	var steps []int64
	head, err := d.VerifyAudit(t.Context(), AuditHead{}, func(done int64) {
		steps = append(steps, done)
		if err := d.Update(t.Context(), func(tx *Tx) error { return tx.Audit(AuditEntry{Act: "b"}) }); err != nil {
			t.Error(err)
		}
	})
	if want := []int64{auditBatch, 2 * auditBatch, entries}; err != nil || head.Entry != entries || !slices.Equal(steps, want) {
		t.Errorf("%d entries in %v, want %v: %v", head.Entry, steps, want, err)
	}
}

// TestAuditEntries asks for every filter, forwards and back, whole and walked, and compares with what was written.
func TestAuditEntries(t *testing.T) {
	now := time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
	d := Temp(t, func() time.Time { return now })
	var all []AuditEntry
	for i := range 60 {
		switch {
		case i == 30:
			now = now.Add(-20 * time.Hour) // a clock that was put back
		case i%4 == 0:
			now = now.Add(time.Hour)
		}
		e := AuditEntry{ID: int64(i + 1), At: now, Act: []Act{"a", "b", "c"}[i%3], ClientID: int64(i % 5), Detail: fmt.Sprint(i)}
		switch i % 7 {
		case 0, 1, 2:
			e.StaffID = int64(1 + i%2)
		case 3, 4:
			e.ByClient = int64(1 + i%3)
		}
		all = append(all, e)
		if err := d.Update(t.Context(), func(tx *Tx) error { return tx.Audit(e) }); err != nil {
			t.Fatal(err)
		}
	}
	slices.SortFunc(all, func(a, b AuditEntry) int {
		if c := b.At.Compare(a.At); c != 0 {
			return c
		}
		return int(b.ID - a.ID)
	})
	noon := time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
	lets := func(f AuditFilter, e AuditEntry) bool {
		by := map[Doer]bool{ByAnybody: true, ByStaff: e.StaffID == f.StaffID && e.StaffID != 0, ByClients: e.ByClient != 0, ByNobody: e.StaffID == 0 && e.ByClient == 0}[f.By]
		return by && (f.Acts == nil || slices.Contains(f.Acts, e.Act)) &&
			(f.Clients == nil || slices.Contains(f.Clients, e.ClientID) || slices.Contains(f.Clients, e.ByClient)) &&
			!e.At.Before(f.From) && (f.Until.IsZero() || e.At.Before(f.Until))
	}
	for _, by := range []Doer{ByAnybody, ByStaff, ByClients, ByNobody} {
		for _, acts := range [][]Act{nil, {}, {"a"}, {"b", "c", "none"}} {
			for _, clients := range [][]int64{nil, {}, {2}, {1, 3, 99}} {
				for _, days := range [][2]time.Time{{}, {noon.Add(2 * time.Hour)}, {{}, noon.Add(3 * time.Hour)}, {noon.Add(-9 * time.Hour), noon.Add(2 * time.Hour)}} {
					f := AuditFilter{By: by, StaffID: 2, Acts: acts, Clients: clients, From: days[0], Until: days[1]}
					var want []AuditEntry
					for _, e := range all {
						if lets(f, e) {
							want = append(want, e)
						}
					}
					if err := d.View(t.Context(), func(tx *Tx) error { return comparePages(t, tx, f, want) }); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
	}
	if err := d.View(t.Context(), func(tx *Tx) error {
		if got, err := tx.AuditEntries(Reach{}, AuditFilter{}, AuditPlace{}, 9); err != nil || len(got) > 0 {
			t.Errorf("nobody's reach finds %v, %v", got, err)
		}
		if _, err := tx.AuditEntries(Everybody(), AuditFilter{}, AuditPlace{Before: 999}, 9); !errors.Is(err, ErrNotFound) {
			t.Errorf("a place that isn't there: %v", err)
		}
		acts, err := tx.Acts()
		if !slices.Equal(acts, []Act{"a", "b", "c"}) {
			t.Errorf("acts %v", acts)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

func comparePages(t *testing.T, tx *Tx, f AuditFilter, want []AuditEntry) error {
	t.Helper()
	const some = 4
	for name, read := range map[string]func(Reach, AuditFilter, AuditPlace, int) ([]AuditEntry, error){"entries": tx.AuditEntries, "walk": tx.AuditWalk} {
		var got []AuditEntry
		for place := (AuditPlace{}); ; {
			page, err := read(Everybody(), f, place, some)
			if err != nil {
				return err
			}
			if got = append(got, page...); len(page) < some {
				break
			}
			place.Before = page[some-1].ID
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s of %+v:\ngot  %v\nwant %v", name, f, got, want)
			return nil
		}
	}
	for i := range want {
		page, err := tx.AuditEntries(Everybody(), f, AuditPlace{After: want[i].ID}, some)
		if err != nil {
			return err
		}
		if !slices.Equal(page, want[max(i-some, 0):i]) {
			t.Errorf("after entry %d of %+v: %v, want %v", want[i].ID, f, page, want[max(i-some, 0):i])
		}
	}
	return nil
}
