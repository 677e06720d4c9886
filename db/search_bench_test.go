package db

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// crowd adds n invented clients, the same each time.
func crowd(tb testing.TB, d *DB, n int) {
	tb.Helper()
	first := []string{"Ann", "Ben", "Carla", "Dmitri", "Élise", "Farid", "Grace", "Hana", "Ivan", "Jorge", "Katarína", "Liam", "Mia", "Noor", "Olive", "Pablo"}
	last := []string{"Abbott", "Bell", "Castillo", "Dahl", "Eze", "Fischer", "García", "Hughes", "Ito", "Johansson", "Kowalski", "Lind", "Moreno", "Nguyễn", "Okafor", "Peterson"}
	r := rand.New(rand.NewPCG(1, 2))
	if err := d.Update(tb.Context(), func(tx *Tx) error {
		for i := range n {
			address, err := ParseEmail(fmt.Sprintf("client%06d@mail.example", i))
			if err != nil {
				return err
			}
			c := Client{FirstName: first[r.IntN(len(first))], LastName: last[r.IntN(len(last))] + last[r.IntN(len(last))][:3], Email: address}
			if err := tx.AddClient(&c); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		tb.Fatal(err)
	}
}

// BenchmarkSearch compares the scan in memory with the same question put to SQLite.
func BenchmarkSearch(b *testing.B) {
	d := Temp(b, time.Now)
	crowd(b, d, 100_000)
	for _, q := range []struct{ name, query string }{{"selective", "client012345"}, {"two words", "castillo elise"}, {"common", "son"}, {"everybody", "example"}, {"nothing typed", ""}} {
		b.Run(q.name+"/memory", func(b *testing.B) {
			for b.Loop() {
				if err := d.View(b.Context(), func(tx *Tx) error {
					_, _, err := tx.FindClients(Everybody(), ClientFilter{Query: q.query}, ByName, 0, 25)
					return err
				}); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(q.name+"/sqlite", func(b *testing.B) {
			for b.Loop() {
				if err := d.View(b.Context(), func(tx *Tx) error {
					var total int
					return tx.row("SELECT count(*) FROM clients c WHERE instr(c.search, ?) > 0", q.query).Scan(&total)
				}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkFilter is the cost of filters and orders over everybody.
func BenchmarkFilter(b *testing.B) {
	d := Temp(b, time.Now)
	crowd(b, d, 100_000)
	if err := d.View(b.Context(), func(tx *Tx) error { _, err := tx.searchSnapshot(); return err }); err != nil {
		b.Fatal(err)
	}
	for _, q := range []struct {
		name   string
		filter ClientFilter
		order  ClientOrder
	}{
		{"state", ClientFilter{State: PortalNotInvited}, ByName},
		{"nobody's, with forms", ClientFilter{Unassigned: true, Outstanding: true}, ByName},
		{"state and words", ClientFilter{State: PortalNotInvited, Query: "son"}, ByName},
		{"ordered by state", ClientFilter{}, ByState},
		{"ordered by forms", ClientFilter{Query: "son"}, ByForms},
		{"newest first", ClientFilter{}, ByAdded},
	} {
		b.Run(q.name, func(b *testing.B) {
			for b.Loop() {
				if err := d.View(b.Context(), func(tx *Tx) error { _, _, err := tx.FindClients(Everybody(), q.filter, q.order, 0, 25); return err }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
