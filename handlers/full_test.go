package handlers

import (
	"fmt"
	"net/http"
	"testing"

	"anteroom/db"
)

// Row "disk full" of the fault table, with a database that can't grow: writes say so, the rest is read, nothing is sent without
// its record, and it goes on by itself.
func TestFullDisk(t *testing.T) {
	s := newSite(t)
	s.library()
	olga := s.as("Olga")
	draft := s.olgasDraft(s.Ann)
	pages := func(most string) {
		t.Helper()
		if err := s.DB.Update(t.Context(), func(tx *db.Tx) error {
			return tx.QueryRow("PRAGMA max_page_count = " + most).Scan(new(int))
		}); err != nil {
			t.Fatal(err)
		}
	}
	var now int
	if err := s.DB.View(t.Context(), func(tx *db.Tx) error { return tx.QueryRow("PRAGMA page_count").Scan(&now) }); err != nil {
		t.Fatal(err)
	}
	pages(fmt.Sprint(now))
	for range 2 {
		olga.post(draft+"/send").want(http.StatusServiceUnavailable, "can't save right now", "nothing was changed")
	}
	olga.get("/clients").want(http.StatusOK, "Abbott, Ann")
	olga.get(draft).want(http.StatusOK, "1 client is invited.")
	counts := func() map[db.LetterState]int {
		l, err := s.Practice.Letters(t.Context(), s.Olga, db.LetterFilter{}, 0, 9)
		if err != nil {
			t.Fatal(err)
		}
		return l.Count
	}
	if n := counts(); len(n) != 0 {
		t.Errorf("letters: %v", n)
	}
	pages("1000000")
	olga.post(draft + "/send").wantTo(draft + "/sent")
	if n := counts(); n[db.LetterQueued] != 1 {
		t.Errorf("letters: %v", n)
	}
}
