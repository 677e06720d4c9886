package db

import (
	"sync"
	"sync/atomic"
)

// snapshots keeps in memory the newest snapshot of what long lists are found in. Triggers leave the id of each client whom a
// statement touches in client_touches, so that the next snapshot reads only those clients again. A snapshot never changes once
// it is in use.
type snapshots[S any] struct {
	current atomic.Pointer[snapshot[S]]
	refresh sync.Mutex
}

type snapshot[S any] struct {
	touch int64 // the latest that it holds
	of    *S
}

// newest returns a snapshot that holds at least what the transaction sees. follow makes the one after old: nil, the first.
func (k *snapshots[S]) newest(tx *Tx, follow func(old *S, since int64) (*S, error)) (*S, error) {
	var touch int64
	if err := tx.row("SELECT ifnull(max(id), 0) FROM client_touches").Scan(&touch); err != nil {
		return nil, err
	}
	if s := k.current.Load(); s != nil && s.touch >= touch {
		return s.of, nil
	}
	k.refresh.Lock()
	defer k.refresh.Unlock()
	old := k.current.Load()
	if old != nil && old.touch >= touch {
		return old.of, nil
	}
	if old == nil {
		old = &snapshot[S]{}
	}
	next, err := follow(old.of, old.touch)
	if err == nil && !tx.writes { // what a transaction wrote itself may yet be undone
		k.current.Store(&snapshot[S]{touch, next})
	}
	return next, err
}

// touchedSince lists the clients touched after a touch, each once.
func (tx *Tx) touchedSince(touch int64) ([]int64, error) {
	return column[int64](tx, "SELECT DISTINCT client_id FROM client_touches WHERE id > ?", touch)
}

// keptTouches is how many touches are kept at most for a list of sendings that nobody has looked at for a while.
const keptTouches = 10_000

// SweepTouches forgets what memory has read.
func (tx *Tx) SweepTouches() (more bool, err error) {
	s := tx.db.search.current.Load()
	if s == nil {
		return false, nil
	}
	until := s.touch
	if sent := tx.db.sendings.current.Load(); sent != nil {
		until = max(min(until, sent.touch), until-keptTouches)
	}
	tx.db.sendings.swept.Store(until)
	// The last one keeps ids growing.
	return tx.sweep("DELETE FROM client_touches WHERE id IN (SELECT id FROM client_touches WHERE id <= ? AND id < (SELECT max(id) FROM client_touches) LIMIT ?)", until)
}
