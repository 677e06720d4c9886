package db

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// searchIndex keeps everybody's search text in memory, in list order, so that a search over all clients is one scan of a
// few megabytes. It is brought up to date, before it is used, with what has changed since.
type searchIndex struct {
	current atomic.Pointer[searchSnapshot]
	refresh sync.Mutex
}

// searchSnapshot never changes once it is in use.
type searchSnapshot struct {
	change  int64 // the change counter's value that it holds
	entries []searchEntry
	text    string   // the search texts, each followed by a line feed
	ends    []int    // where each text ends
	counts  [256]int // how often each byte stands in the text
}

type searchEntry struct {
	id      int64
	sortKey string
	search  string
}

func (e searchEntry) compare(other searchEntry) int {
	if c := strings.Compare(e.sortKey, other.sortKey); c != 0 {
		return c
	}
	return int(e.id - other.id)
}

func (tx *Tx) searchEverybody(words []string, offset, limit int) (ids []int64, total int, err error) {
	s, err := tx.searchSnapshot()
	if err != nil {
		return nil, 0, err
	}
	ids, total = s.find(words, offset, limit)
	return ids, total, nil
}

// searchSnapshot returns a snapshot that holds at least what this transaction sees.
func (tx *Tx) searchSnapshot() (*searchSnapshot, error) {
	var change int64
	if err := tx.row("SELECT value FROM client_changes").Scan(&change); err != nil {
		return nil, err
	}
	index := &tx.db.search
	if s := index.current.Load(); s != nil && s.change >= change {
		return s, nil
	}
	index.refresh.Lock()
	defer index.refresh.Unlock()
	old := index.current.Load()
	if old == nil {
		old = &searchSnapshot{change: -1}
	}
	if old.change >= change {
		return old, nil
	}
	changed, err := list(tx, func(s scanner) (e searchEntry, err error) { err = s.Scan(&e.id, &e.sortKey, &e.search); return },
		"SELECT id, sort_key, search FROM clients WHERE changed > ? ORDER BY sort_key, id", old.change)
	if err != nil {
		return nil, err
	}
	s := old.with(changed, change)
	if tx.change == 0 { // what this transaction wrote itself may yet be undone
		index.current.Store(s)
	}
	return s, nil
}

// with returns the snapshot after a change of some entries, which come in order.
func (s *searchSnapshot) with(changed []searchEntry, change int64) *searchSnapshot {
	replaced := make(map[int64]bool, len(changed))
	for _, e := range changed {
		replaced[e.id] = true
	}
	next := &searchSnapshot{change: change, entries: make([]searchEntry, 0, len(s.entries)+len(changed))}
	size := 0
	add := func(e searchEntry) {
		next.entries = append(next.entries, e)
		size += len(e.search) + 1
	}
	for _, e := range s.entries {
		if replaced[e.id] {
			continue
		}
		for len(changed) > 0 && changed[0].compare(e) < 0 {
			add(changed[0])
			changed = changed[1:]
		}
		add(e)
	}
	for _, e := range changed {
		add(e)
	}
	var text strings.Builder
	text.Grow(size)
	next.ends = make([]int, len(next.entries))
	for i := range next.entries {
		e := &next.entries[i]
		start := text.Len()
		text.WriteString(e.search)
		text.WriteByte('\n')
		next.ends[i] = text.Len()
		e.search = text.String()[start : text.Len()-1] // the builder has grown to its full size: its bytes stay where they are
	}
	next.text = text.String()
	for i := range len(next.text) {
		next.counts[next.text[i]]++
	}
	return next
}

// find returns a page of the entries that have every word in them, and how many there are.
func (s *searchSnapshot) find(words []string, offset, limit int) (ids []int64, total int) {
	if len(words) == 0 {
		from, to := min(offset, len(s.entries)), min(offset+limit, len(s.entries))
		for _, e := range s.entries[from:to] {
			ids = append(ids, e.id)
		}
		return ids, len(s.entries)
	}
	// The text is scanned for the longest word, and only what has it is asked for the others.
	words = slices.Clone(words)
	slices.SortFunc(words, func(a, b string) int { return len(b) - len(a) })
	word, rest := words[0], words[1:]
	rare := s.rarest(word)
	for at := 0; ; {
		hit := strings.IndexByte(s.text[at:], word[rare])
		if hit < 0 {
			return ids, total
		}
		start := at + hit - rare
		if start < 0 || !strings.HasPrefix(s.text[start:], word) {
			at += hit + 1
			continue
		}
		end := start + strings.IndexByte(s.text[start:], '\n')
		if len(rest) == 0 || containsAll(s.text[strings.LastIndexByte(s.text[:start], '\n')+1:end], rest) {
			if total >= offset && len(ids) < limit {
				ids = append(ids, s.entryAt(start).id)
			}
			total++
		}
		at = end + 1
	}
}

// rarest is where in a word the byte stands that the text has least of: there the scan stumbles least.
func (s *searchSnapshot) rarest(word string) int {
	best := 0
	for i := range len(word) {
		if s.counts[word[i]] < s.counts[word[best]] {
			best = i
		}
	}
	return best
}

// entryAt is the entry in whose text a position lies.
func (s *searchSnapshot) entryAt(position int) searchEntry {
	i, _ := slices.BinarySearch(s.ends, position+1) // the first text that ends after it
	return s.entries[i]
}

func containsAll(text string, words []string) bool {
	for _, w := range words {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}
