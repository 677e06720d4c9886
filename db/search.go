package db

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ClientFilter says which clients a list shows. The zero value is everybody who isn't archived.
type ClientFilter struct {
	Query       string // every word of it is in the client's names or address
	StaffID     int64  // assigned to this staff member
	Unassigned  bool   // assigned to nobody
	State       PortalState
	Outstanding bool // forms wait for the client
	TagID       int64
	Archived    bool // the archived instead of the others
}

// ClientOrder is what a list is ordered by; then, as by itself, by last name, first name.
type ClientOrder string

const (
	ByName      ClientOrder = "" // last name, first name
	ByNameDown  ClientOrder = "name-down"
	ByState     ClientOrder = "state" // in the order in which a client passes through them
	ByStateDown ClientOrder = "state-down"
	ByForms     ClientOrder = "forms" // those with most outstanding first
	ByAdded     ClientOrder = "added" // newest first
)

// FindClients finds a page of the clients within reach that a filter lets through, in order, and counts them all.
func (tx *Tx) FindClients(reach Reach, f ClientFilter, order ClientOrder, offset, limit int) ([]Client, int, error) {
	s, err := tx.searchSnapshot()
	if err != nil {
		return nil, 0, err
	}
	ids, total := s.find(reach, f, order, tx.now, offset, limit)
	clients, err := tx.ClientsByID(reach, ids)
	return clients, total, err
}

// ClientIDs finds all clients within reach that a filter lets through.
func (tx *Tx) ClientIDs(reach Reach, f ClientFilter) ([]int64, error) {
	s, err := tx.searchSnapshot()
	if err != nil {
		return nil, err
	}
	ids, _ := s.find(reach, f, ByName, tx.now, 0, len(s.names))
	return ids, nil
}

// searchIndex keeps in memory what everybody is searched, filtered and ordered by, in list order, so that a search over all
// clients is one scan of a few megabytes. Before it is used it reads again those clients who were touched since.
type searchIndex struct {
	snapshots[searchSnapshot]
	sets  [][]int64        // each combination of staff members, or of tags, that clients have; the first is nobody
	setAt map[string]int32 // their ids → where they are
}

type searchSnapshot struct {
	names    []searchName
	facts    []searchFacts // of the same clients
	text     string        // the search texts, each followed by a line feed
	ends     []int         // where each text ends
	counts   [256]int      // how often each byte stands in the text
	archived int
	sets     [][]int64
}

type searchName struct {
	id      int64
	sortKey string
	search  string
}

func (n searchName) compare(other searchName) int {
	return cmp.Or(strings.Compare(n.sortKey, other.sortKey), cmp.Compare(n.id, other.id))
}

// searchFacts are what a client is filtered by.
type searchFacts struct {
	expires     int64 // of the latest invitation
	staff, tags int32 // which of the sets
	outstanding int32
	has         searchFlags
	letter      int8
}

type searchFlags uint8

const (
	hasEmail searchFlags = 1 << iota
	hasAccount
	isOff
	isArchived
	isInvited
	isEnded
	isTroubled
	isUsed
)

var searchLetters = []LetterState{"", LetterQueued, LetterSending, LetterAccepted, LetterFailed, LetterNeedsAttention, LetterCancelled}

func (f searchFacts) state(now time.Time) PortalState {
	some := time.UnixMilli(1)
	p := Portal{ExpiresAt: time.UnixMilli(f.expires), Letter: searchLetters[f.letter], hasEmail: f.has&hasEmail != 0}
	if f.has&hasAccount != 0 {
		p.AccountAt = some
	}
	if f.has&isOff != 0 {
		p.OffAt = some
	}
	if f.has&isArchived != 0 {
		p.ArchivedAt = some
	}
	if f.has&isEnded != 0 {
		p.EndedAt = some
	}
	if f.has&isUsed != 0 {
		p.UsedAt = some
	}
	if f.has&isTroubled != 0 {
		p.BouncedAt = some
	}
	if f.has&isInvited != 0 {
		p.Invitation = "one"
	}
	return p.State(now)
}

type searchEntry struct {
	searchName
	searchFacts
}

func (tx *Tx) searchSnapshot() (*searchSnapshot, error) {
	index := &tx.db.search
	return index.newest(tx, func(old *searchSnapshot, since int64) (*searchSnapshot, error) { return index.read(tx, old, since) })
}

// read makes the snapshot that follows old, or (nil) the first.
func (index *searchIndex) read(tx *Tx, old *searchSnapshot, since int64) (*searchSnapshot, error) {
	var touched []int64
	if old != nil {
		var err error
		if touched, err = tx.touchedSince(since); err != nil {
			return nil, err
		}
	}
	where, ids := "c.id IN (SELECT value FROM json_each(?))", touched
	if old == nil || len(touched) > len(old.names)/2 {
		old, where, ids = &searchSnapshot{}, "? IS NOT NULL", nil // everybody is read
	}
	entries, err := index.entries(tx, where, ids)
	if err != nil {
		return nil, err
	}
	s := old.with(touched, entries)
	s.sets = index.sets
	return s, nil
}

// entries reads clients in list order.
func (index *searchIndex) entries(tx *Tx, where string, ids []int64) ([]searchEntry, error) {
	text, err := json.Marshal(ids)
	if err != nil {
		return nil, err
	}
	return list(tx, func(s scanner) (e searchEntry, err error) {
		var letter, staff, tags string
		if err = s.Scan(&e.id, &e.sortKey, &e.search, &e.has, &e.expires, textScan{&letter}, &e.outstanding, textScan{&staff}, textScan{&tags}); err != nil {
			return e, err
		}
		e.letter = int8(max(slices.Index(searchLetters, LetterState(letter)), 0))
		if e.staff, err = index.set(staff); err != nil {
			return e, err
		}
		e.tags, err = index.set(tags)
		return e, err
	}, `SELECT c.id, c.sort_key, c.search,
		(e.client_id IS NOT NULL) + 2 * (p.client_id IS NOT NULL) + 4 * (c.portal_off_at IS NOT NULL) + 8 * (c.archived_at IS NOT NULL)
			+ 16 * (i.id IS NOT NULL) + 32 * (k.ended_at IS NOT NULL)
			+ 64 * (e.bounced_at IS NOT NULL OR e.unwanted_at IS NOT NULL) + 128 * (k.used_at IS NOT NULL), ifnull(k.expires_at, 0), t.state,
		(SELECT count(*) FROM form_requests WHERE client_id = c.id AND completed_at IS NULL AND revoked_at IS NULL),
		(SELECT group_concat(staff_id) FROM (SELECT staff_id FROM assignments WHERE client_id = c.id ORDER BY staff_id)),
		(SELECT group_concat(tag_id) FROM (SELECT tag_id FROM client_tags WHERE client_id = c.id ORDER BY tag_id))
		FROM clients c LEFT JOIN email_addresses e ON e.client_id = c.id AND e.pending = 0 `+portalJoins+`
		WHERE `+where+" ORDER BY c.sort_key, c.id", string(text))
}

// set tells where a combination of ids is kept, which come with commas between them.
func (index *searchIndex) set(ids string) (int32, error) {
	if index.setAt == nil {
		index.setAt, index.sets = map[string]int32{"": 0}, [][]int64{nil}
	}
	if at, known := index.setAt[ids]; known {
		return at, nil
	}
	var set []int64
	for text := range strings.SplitSeq(ids, ",") {
		id, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return 0, err
		}
		set = append(set, id)
	}
	at := int32(len(index.sets))
	index.sets = append(index.sets, set)
	index.setAt[ids] = at
	return at, nil
}

// with returns the snapshot after some clients were touched; those who are still there come in order.
func (s *searchSnapshot) with(touched []int64, entries []searchEntry) *searchSnapshot {
	if next, ok := s.withFacts(touched, entries); ok {
		return next
	}
	gone := make(map[int64]bool, len(touched))
	for _, id := range touched {
		gone[id] = true
	}
	next := &searchSnapshot{names: make([]searchName, 0, len(s.names)+len(entries)), facts: make([]searchFacts, 0, len(s.names)+len(entries))}
	size := 0
	add := func(n searchName, f searchFacts) {
		next.names = append(next.names, n)
		next.facts = append(next.facts, f)
		size += len(n.search) + 1
		if f.has&isArchived != 0 {
			next.archived++
		}
	}
	for i, n := range s.names {
		if gone[n.id] {
			continue
		}
		for len(entries) > 0 && entries[0].compare(n) < 0 {
			add(entries[0].searchName, entries[0].searchFacts)
			entries = entries[1:]
		}
		add(n, s.facts[i])
	}
	for _, e := range entries {
		add(e.searchName, e.searchFacts)
	}
	var text strings.Builder
	text.Grow(size)
	next.ends = make([]int, len(next.names))
	for i := range next.names {
		n := &next.names[i]
		start := text.Len()
		text.WriteString(n.search)
		text.WriteByte('\n')
		next.ends[i] = text.Len()
		n.search = text.String()[start : text.Len()-1] // the builder has grown to its full size: its bytes stay where they are
	}
	next.text = text.String()
	for i := range len(next.text) {
		next.counts[next.text[i]]++
	}
	return next
}

// withFacts is with, where nobody came, went or is called otherwise now: then the text stays.
func (s *searchSnapshot) withFacts(touched []int64, entries []searchEntry) (*searchSnapshot, bool) {
	if len(touched) != len(entries) || len(s.names) == 0 {
		return nil, false
	}
	at := make([]int, len(entries))
	for n, e := range entries {
		i, found := slices.BinarySearchFunc(s.names, e.searchName, searchName.compare)
		if !found || s.names[i].search != e.search {
			return nil, false
		}
		at[n] = i
	}
	next := *s
	next.facts = slices.Clone(s.facts)
	for n, e := range entries {
		next.archived += int(e.has&isArchived)/int(isArchived) - int(next.facts[at[n]].has&isArchived)/int(isArchived)
		next.facts[at[n]] = e.searchFacts
	}
	return &next, true
}

// find returns a page of the ids that are within reach and that a filter lets through, and how many there are.
func (s *searchSnapshot) find(reach Reach, f ClientFilter, order ClientOrder, now time.Time, offset, limit int) (ids []int64, total int) {
	lets := s.filter(reach, f, now)
	words := searchWords(f.Query)
	if len(words) == 0 && lets == nil && order == ByName { // the first page that most people see
		for _, n := range s.names[min(offset, len(s.names)):min(offset+limit, len(s.names))] {
			ids = append(ids, n.id)
		}
		return ids, len(s.names)
	}
	var found []int32
	s.scan(words, func(at int) {
		if lets != nil && !lets(at) {
			return
		}
		if order != ByName {
			found = append(found, int32(at))
		} else if total >= offset && len(ids) < limit {
			ids = append(ids, s.names[at].id)
		}
		total++
	})
	if order != ByName {
		s.sort(found, order, now)
		for _, at := range found[min(offset, len(found)):min(offset+limit, len(found))] {
			ids = append(ids, s.names[at].id)
		}
	}
	return ids, total
}

// filter tells whether the client at a place is within reach and let through, but for the query; nil: all are.
func (s *searchSnapshot) filter(reach Reach, f ClientFilter, now time.Time) func(at int) bool {
	var all []func(at int) bool
	if f.Archived || s.archived > 0 {
		all = append(all, func(at int) bool { return (s.facts[at].has&isArchived != 0) == f.Archived })
	}
	if within := s.within(reach); within != nil {
		all = append(all, within)
	}
	if f.StaffID != 0 {
		all = append(all, s.assignedTo(f.StaffID))
	}
	if f.Unassigned {
		all = append(all, func(at int) bool { return s.facts[at].staff == 0 })
	}
	if f.TagID != 0 {
		holds := s.setsWith(f.TagID)
		all = append(all, func(at int) bool { return holds[s.facts[at].tags] })
	}
	if f.Outstanding {
		all = append(all, func(at int) bool { return s.facts[at].outstanding > 0 })
	}
	if f.State != "" {
		all = append(all, func(at int) bool { return s.facts[at].state(now) == f.State })
	}
	if len(all) == 0 {
		return nil
	}
	return func(at int) bool {
		for _, lets := range all {
			if !lets(at) {
				return false
			}
		}
		return true
	}
}

func (s *searchSnapshot) assignedTo(staffID int64) func(at int) bool {
	holds := s.setsWith(staffID)
	return func(at int) bool { return holds[s.facts[at].staff] }
}

// within tells whether the client at a place is within reach; nil: all are.
func (s *searchSnapshot) within(reach Reach) func(at int) bool {
	switch reach.kind {
	case reachEverybody:
		return nil
	case reachAssigned:
		return s.assignedTo(reach.id)
	case reachOneself:
		return func(at int) bool { return s.names[at].id == reach.id }
	}
	return func(int) bool { return false }
}

// among tells of each client's id below a number whether they are within reach, and a list of sendings shows what was sent to
// them; nil: all are.
func (s *searchSnapshot) among(reach Reach, f SendingFilter, below int64) []bool {
	within, words := s.within(reach), searchWords(f.Query)
	if within == nil && len(words) == 0 && f.StaffID == 0 && !f.Unassigned {
		return nil
	}
	var assigned func(at int) bool
	if f.StaffID != 0 {
		assigned = s.assignedTo(f.StaffID)
	}
	among := make([]bool, below)
	s.scan(words, func(at int) {
		if within != nil && !within(at) || assigned != nil && !assigned(at) || f.Unassigned && s.facts[at].staff != 0 {
			return
		}
		if id := s.names[at].id; id < below {
			among[id] = true
		}
	})
	return among
}

// setsWith tells of each set whether an id is in it.
func (s *searchSnapshot) setsWith(id int64) []bool {
	holds := make([]bool, len(s.sets))
	for n, set := range s.sets {
		holds[n] = slices.Contains(set, id)
	}
	return holds
}

// sort puts places, which come in list order, into another.
func (s *searchSnapshot) sort(found []int32, order ClientOrder, now time.Time) {
	if order == ByNameDown {
		slices.Reverse(found)
		return
	}
	keys := make([]int64, len(found)) // what a place is ordered by, above the place itself
	for i, at := range found {
		var key int64
		switch order {
		case ByState:
			key = int64(slices.Index(PortalStates, s.facts[at].state(now)))
		case ByStateDown:
			key = -int64(slices.Index(PortalStates, s.facts[at].state(now)))
		case ByForms:
			key = -int64(s.facts[at].outstanding)
		case ByAdded:
			key = -s.names[at].id
		}
		keys[i] = key<<32 + int64(at)
	}
	slices.Sort(keys)
	for i, key := range keys {
		found[i] = int32(key)
	}
}

// scan calls each for the place of every client whose text has every word in it, in list order.
func (s *searchSnapshot) scan(words []string, each func(at int)) {
	if len(words) == 0 {
		for at := range s.names {
			each(at)
		}
		return
	}
	// The text is scanned for the longest word, and only what has it is asked for the others.
	words = slices.Clone(words)
	slices.SortFunc(words, func(a, b string) int { return len(b) - len(a) })
	word, rest := words[0], words[1:]
	rare := s.rarest(word)
	place := 0
	for at := 0; ; {
		hit := strings.IndexByte(s.text[at:], word[rare])
		if hit < 0 {
			return
		}
		start := at + hit - rare
		if start < 0 || !strings.HasPrefix(s.text[start:], word) {
			at += hit + 1
			continue
		}
		for s.ends[place] <= start {
			place++
		}
		if len(rest) == 0 || containsAll(s.names[place].search, rest) {
			each(place)
		}
		at = s.ends[place]
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

func containsAll(text string, words []string) bool {
	for _, w := range words {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}
