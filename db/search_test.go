package db

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"
)

var (
	testFirst = []string{"Ann", "Anna", "Änne", "Ben", "José", "Zoë", "O'Neil", "李", "İnci", "x"}
	testLast  = []string{"Abbott", "abbott", "Ångström", "Bell", "Strauß", "van der Aa", "Ann", "Übel", "%", "_"}
	testWords = []string{"", "a", "ann", "ANN", "abb", "ott abb", "ang", "strom", "strauss", "ß", "jose", "der van", "mail", "@", "1@mail", "%", "_", "李", "zzz", "ann bell", "e e e", "2"}
)

func randomClient(t *testing.T, r *rand.Rand, n int) Client {
	t.Helper()
	c := Client{FirstName: testFirst[r.IntN(len(testFirst))], LastName: testLast[r.IntN(len(testLast))]}
	if r.IntN(3) == 0 {
		c.PreferredName = testFirst[r.IntN(len(testFirst))]
	}
	if r.IntN(3) > 0 {
		var err error
		if c.Email, err = ParseEmail(fmt.Sprintf("c%d-%d@mail.example", n, r.IntN(1_000_000))); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// plainSearch is the same search, put to SQLite.
func plainSearch(tx *Tx, query string, offset, limit int) (ids []int64, total int, err error) {
	where, args := "1", []any{}
	for _, w := range searchWords(query) {
		where += " AND instr(c.search, ?) > 0"
		args = append(args, w)
	}
	if err := tx.row("SELECT count(*) FROM clients c WHERE "+where, args...).Scan(&total); err != nil {
		return nil, 0, err
	}
	ids, err = column[int64](tx, "SELECT c.id FROM clients c WHERE "+where+" ORDER BY c.sort_key, c.id LIMIT ? OFFSET ?", append(args, limit, offset)...)
	return ids, total, err
}

// sameAsPlain compares every search with SQLite's answer, in one transaction.
func sameAsPlain(t *testing.T, tx *Tx) {
	t.Helper()
	for _, query := range testWords {
		for _, offset := range []int{0, 3, 1000} {
			want, total, err := plainSearch(tx, query, offset, 5)
			if err != nil {
				t.Error(err)
				return
			}
			clients, n, err := tx.FindClients(Everybody(), ClientFilter{Query: query}, ByName, offset, 5)
			if err != nil {
				t.Error(err)
				return
			}
			var got []int64
			for _, c := range clients {
				got = append(got, c.ID)
			}
			if n != total || !slices.Equal(got, want) {
				t.Errorf("%q from %d: %v of %d, SQLite says %v of %d", query, offset, got, n, want, total)
			}
		}
	}
}

func TestSearchIsWhatSQLiteFinds(t *testing.T) {
	d := Temp(t, time.Now)
	r := rand.New(rand.NewPCG(1, 2))
	var all []Client
	for round := range 12 {
		err := d.Update(t.Context(), func(tx *Tx) error {
			for range r.IntN(30) {
				c := randomClient(t, r, len(all))
				if err := tx.AddClient(&c); err != nil {
					return err
				}
				all = append(all, c)
			}
			for range r.IntN(10) {
				if len(all) == 0 {
					break
				}
				at := r.IntN(len(all))
				c := randomClient(t, r, at)
				c.ID = all[at].ID
				if err := tx.ChangeClient(c); err != nil {
					return err
				}
			}
			sameAsPlain(t, tx) // what the transaction wrote itself is found in it
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		// What is undone is not found afterwards.
		_ = d.Update(t.Context(), func(tx *Tx) error {
			c := randomClient(t, r, len(all))
			if err := tx.AddClient(&c); err != nil {
				t.Error(err)
			}
			sameAsPlain(t, tx)
			return fmt.Errorf("undo round %d", round)
		})
		if err := d.View(t.Context(), func(tx *Tx) error { sameAsPlain(t, tx); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if len(all) < 100 {
		t.Fatalf("only %d clients were compared", len(all))
	}
}

func TestSearchWhileOthersWrite(t *testing.T) {
	d := Temp(t, time.Now)
	var all sync.WaitGroup
	done := make(chan struct{})
	all.Go(func() {
		defer close(done)
		r := rand.New(rand.NewPCG(3, 4))
		for n := range 60 {
			if err := d.Update(t.Context(), func(tx *Tx) error {
				c := randomClient(t, r, n)
				if err := tx.AddClient(&c); err != nil {
					return err
				}
				c.LastName = "Changed"
				return tx.ChangeClient(c)
			}); err != nil {
				t.Error(err)
			}
		}
	})
	for range 4 {
		all.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if err := d.View(t.Context(), func(tx *Tx) error {
					var n int
					if err := tx.row("SELECT count(*) FROM clients").Scan(&n); err != nil {
						return err
					}
					_, total, err := tx.FindClients(Everybody(), ClientFilter{}, ByName, 0, 5)
					if total < n {
						t.Errorf("%d of %d found", total, n)
					}
					return err
				}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if err := d.View(t.Context(), func(tx *Tx) error { sameAsPlain(t, tx); return nil }); err != nil {
		t.Fatal(err)
	}
}
