package practice_test

import (
	"strings"
	"testing"

	"anteroom/db"
	"anteroom/practice/cast"
)

func TestAdministratorPausesAndResumesTheOutbox(t *testing.T) {
	c := cast.New(t)
	outbox := func() (o db.Outbox) {
		if err := c.DB.View(t.Context(), func(tx *db.Tx) (err error) { o, err = tx.Outbox(); return }); err != nil {
			t.Fatal(err)
		}
		return o
	}
	if o := outbox(); o.Paused() {
		t.Fatalf("a new one: %+v", o)
	}
	for range 2 { // the second time changes nothing
		if err := c.Practice.PauseOutbox(t.Context(), c.Olga); err != nil {
			t.Fatal(err)
		}
	}
	if o := outbox(); !o.PausedAt.Equal(c.DB.Now().Truncate(1e6)) || o.PausedBy == 0 || o.PausedWhy != "Olga Olson paused the outbox." {
		t.Errorf("%+v", o)
	}
	before := outbox().Marker
	for range 2 {
		if err := c.Practice.ResumeOutbox(t.Context(), c.Olga); err != nil {
			t.Fatal(err)
		}
	}
	if o := outbox(); o.Paused() || o.PausedBy != 0 || o.PausedWhy != "" || o.Marker == before {
		t.Errorf("%+v", o)
	}
	var acts []string
	if err := c.DB.View(t.Context(), func(tx *db.Tx) error {
		rows, err := tx.Query("SELECT act FROM audit_entries WHERE act LIKE '%the outbox' ORDER BY id")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var act string
			if err := rows.Scan(&act); err != nil {
				return err
			}
			acts = append(acts, act)
		}
		return rows.Err()
	}); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(acts, ", "); got != "paused the outbox, resumed the outbox" {
		t.Errorf("audited: %s", got)
	}
}
