package db

import (
	"encoding/json"
	"slices"
	"sync/atomic"
	"time"
)

// SendingState is how far one sending has come. It is derived from what happened, never kept.
type SendingState string

const (
	SendingQueued      SendingState = "Queued"
	SendingCouldntSend SendingState = "Couldn't be sent"
	SendingInvited     SendingState = "Invited"
	SendingOpened      SendingState = "Link opened" // possibly by a mail scanner
	SendingExpired     SendingState = "Expired"
	SendingOutstanding SendingState = "Forms outstanding" // of one who had an account already
	SendingJoined      SendingState = "Joined"
	SendingFinished    SendingState = "Forms finished"
	SendingReplaced    SendingState = "Replaced" // a newer one took its place
	SendingRevoked     SendingState = "Revoked"
	SendingCancelled   SendingState = "Cancelled" // its letter never left
)

// SendingStates are all of them: those in which something is still to happen first.
var SendingStates = [...]SendingState{SendingQueued, SendingCouldntSend, SendingInvited, SendingOpened, SendingExpired, SendingOutstanding,
	SendingJoined, SendingFinished, SendingReplaced, SendingRevoked, SendingCancelled}

// Sending is one letter with which a client was invited, or told of forms, and what came of it.
type Sending struct {
	ID         int64 // the letter's
	PublicID   string
	Kind       LetterKind
	ClientID   int64
	SentBy     int64 // 0: the client asked for it
	DraftID    int64
	To         Email
	SentAt     time.Time
	Letter     LetterState
	Reply      string // the relay's last words, or why it was cancelled
	SettledAt  time.Time
	Due        time.Time // when a queued letter is tried next
	Tries      int       // that came to nothing for good
	ExpiresAt  time.Time // of an invitation's link, and what became of it
	OpenedAt   time.Time
	UsedAt     time.Time
	EndedAt    time.Time
	Replaced   bool // a newer sending took its place
	Troubled   bool // it is the latest of its kind, and mail to its address, which is still on file, doesn't reach the client
	Forms      int  // that were open for the client once it was sent, but for those that were revoked since
	FormsDone  int
	FinishedAt time.Time // the last of them was completed
	Reminders  int       // that followed it
	RemindedAt time.Time
}

// State derives the sending's state at a time.
func (s Sending) State(now time.Time) SendingState {
	finished := s.Forms > 0 && s.FormsDone == s.Forms
	switch {
	case s.Kind == LetterForms && finished && s.Letter != LetterCancelled, !s.UsedAt.IsZero() && finished:
		return SendingFinished
	case !s.UsedAt.IsZero():
		return SendingJoined
	case s.Replaced:
		return SendingReplaced
	case s.Troubled:
		return SendingCouldntSend
	case s.Letter == LetterCancelled:
		return SendingCancelled
	case !s.EndedAt.IsZero(), s.Kind == LetterForms && s.Forms == 0:
		return SendingRevoked
	case s.Letter == LetterFailed, s.Letter == LetterNeedsAttention:
		return SendingCouldntSend
	case s.Kind == LetterInvitation && !now.Before(s.ExpiresAt):
		return SendingExpired
	case s.Letter != LetterAccepted:
		return SendingQueued
	case s.Kind == LetterForms:
		return SendingOutstanding
	case !s.OpenedAt.IsZero():
		return SendingOpened
	}
	return SendingInvited
}

// What is asked of the records about each sending; l is its letter, k an invitation's link.
const (
	sendingTables = ` FROM letters l LEFT JOIN invitations i ON i.id = l.invitation_id LEFT JOIN links k ON k.id = i.link_id
		WHERE l.kind IN ('invitation', 'forms') AND l.client_id IS NOT NULL AND `
	sendingReplaced = `CASE l.kind WHEN 'forms' THEN EXISTS (SELECT 1 FROM letters n WHERE n.client_id = l.client_id AND n.id > l.id AND n.kind = 'forms')
		ELSE k.ended_at IS NOT NULL AND EXISTS (SELECT 1 FROM invitations n WHERE n.client_id = l.client_id AND n.id > i.id AND n.sent_at = k.ended_at) END`
	sendingTroubled = `(EXISTS (SELECT 1 FROM email_addresses e WHERE e.canonical = l.canonical AND e.client_id = l.client_id AND e.pending = 0
		AND (e.bounced_at IS NOT NULL OR e.unwanted_at IS NOT NULL))
		AND NOT EXISTS (SELECT 1 FROM letters n WHERE n.client_id = l.client_id AND n.id > l.id AND n.kind = l.kind))`
	sendingForms = ` FROM form_requests r WHERE r.client_id = l.client_id AND r.revoked_at IS NULL AND r.sent_at <= l.created_at
		AND (r.completed_at IS NULL OR r.completed_at > l.created_at)`
	sendingReminders = ` FROM letters m WHERE m.client_id = l.client_id AND m.id > l.id AND m.` + isReminder + ` AND m.state <> 'cancelled'
		AND NOT EXISTS (SELECT 1 FROM letters n WHERE n.client_id = l.client_id AND n.id > l.id AND n.id < m.id AND n.kind IN ('invitation', 'forms'))`
)

const sendingColumns = `l.id, l.public_id, l.kind, l.client_id, l.sent_by, l.draft_id, l.envelope_to, l.canonical, l.created_at, l.state, l.reply, l.settled_at, l.due, l.deferred + l.uncertain,
	k.expires_at, k.opened_at, k.used_at, k.ended_at, ` + sendingReplaced + ", " + sendingTroubled +
	", (SELECT count(*)" + sendingForms + "), (SELECT count(r.completed_at)" + sendingForms + "), (SELECT max(r.completed_at)" + sendingForms + ")" +
	", (SELECT count(*)" + sendingReminders + "), (SELECT max(m.created_at)" + sendingReminders + ")" + sendingTables

func readSending(s scanner) (x Sending, err error) {
	err = s.Scan(&x.ID, &x.PublicID, &x.Kind, &x.ClientID, idScan{&x.SentBy}, idScan{&x.DraftID}, &x.To.typed, &x.To.canonical, timeScan{&x.SentAt},
		&x.Letter, &x.Reply, timeScan{&x.SettledAt}, timeScan{&x.Due}, &x.Tries,
		timeScan{&x.ExpiresAt}, timeScan{&x.OpenedAt}, timeScan{&x.UsedAt}, timeScan{&x.EndedAt}, &x.Replaced, &x.Troubled,
		&x.Forms, &x.FormsDone, timeScan{&x.FinishedAt}, &x.Reminders, timeScan{&x.RemindedAt})
	return x, err
}

// Sendings lists what was sent to a client within reach to invite them or to tell them of forms, newest first.
func (tx *Tx) Sendings(reach Reach, clientID int64) ([]Sending, error) {
	return list(tx, readSending, "SELECT "+sendingColumns+"l.client_id = ? AND "+reach.holds("l.client_id")+" ORDER BY l.id DESC", clientID)
}

// SendingsByID reads the sendings to clients within reach that have these ids, newest first.
func (tx *Tx) SendingsByID(reach Reach, ids []int64) ([]Sending, error) {
	text, err := json.Marshal(ids)
	if err != nil {
		return nil, err
	}
	return list(tx, readSending, "SELECT "+sendingColumns+"l.id IN (SELECT value FROM json_each(?)) AND "+reach.holds("l.client_id")+" ORDER BY l.id DESC", string(text))
}

// SendingFilter says which sendings a list shows. The zero value is all.
type SendingFilter struct {
	Query      string // every word of it is in the client's names or address
	StaffID    int64  // to clients assigned to this staff member
	Unassigned bool   // to clients who are assigned to nobody
	From       time.Time
	Until      time.Time // not any more; zero: whenever
	State      SendingState
	Troubled   bool // mail to its address doesn't reach the client
}

// SendingCounts is what there is of sendings that a filter lets through, whichever state it asks for.
type SendingCounts struct {
	All      int // the sum of the states
	States   map[SendingState]int
	Troubled int
	Invited  int // clients
	Joined   int // of them
	Finished int // of those
}

// FindSendings finds a page of the sendings to clients within reach that a filter lets through, newest first, and how many
// there are; and counts what there is beside the state that it asks for.
func (tx *Tx) FindSendings(reach Reach, f SendingFilter, offset, limit int) (page []Sending, total int, counts SendingCounts, err error) {
	var ids []int64
	counts, err = tx.scanSendings(reach, f, func(s *sendingFacts) {
		if total >= offset && len(ids) < limit {
			ids = append(ids, s.id)
		}
		total++
	})
	if err != nil {
		return nil, 0, counts, err
	}
	page, err = tx.SendingsByID(reach, ids)
	return page, total, counts, err
}

// SendingIDs finds all sendings to clients within reach that a filter lets through, newest first.
func (tx *Tx) SendingIDs(reach Reach, f SendingFilter) (ids []int64, err error) {
	_, err = tx.scanSendings(reach, f, func(s *sendingFacts) { ids = append(ids, s.id) })
	return ids, err
}

// SendingClients finds the clients of all sendings to clients within reach that a filter lets through, each once.
func (tx *Tx) SendingClients(reach Reach, f SendingFilter) (clientIDs []int64, err error) {
	seen := map[int64]bool{}
	_, err = tx.scanSendings(reach, f, func(s *sendingFacts) {
		if !seen[s.client] {
			seen[s.client] = true
			clientIDs = append(clientIDs, s.client)
		}
	})
	return clientIDs, err
}

// sendingIndex keeps in memory what sendings are filtered and counted by, oldest first, so that a list with its counts is one
// scan. Before it is used it reads again the sendings to those clients who were touched since.
type sendingIndex struct {
	snapshots[sendingSnapshot]
	swept atomic.Int64 // touches up to here may be gone: an older snapshot can't be followed by another
}

type sendingSnapshot struct {
	all     []sendingFacts
	clients int64 // above each id of theirs
}

// sendingFacts are what a sending is filtered and counted by.
type sendingFacts struct {
	id, client  int64
	at          int64
	expires     int64
	forms, done int32
	has         sendingFlags
	letter      int8
}

type sendingFlags uint8

const (
	sentForms sendingFlags = 1 << iota // and no invitation
	wasOpened
	wasUsed
	wasEnded
	wasReplaced
	goesAstray
)

func (s *sendingFacts) state(now time.Time) SendingState {
	some := time.UnixMilli(1)
	x := Sending{Kind: LetterInvitation, Letter: searchLetters[s.letter], ExpiresAt: time.UnixMilli(s.expires), Forms: int(s.forms), FormsDone: int(s.done),
		Replaced: s.has&wasReplaced != 0, Troubled: s.has&goesAstray != 0}
	if s.has&sentForms != 0 {
		x.Kind = LetterForms
	}
	if s.has&wasOpened != 0 {
		x.OpenedAt = some
	}
	if s.has&wasUsed != 0 {
		x.UsedAt = some
	}
	if s.has&wasEnded != 0 {
		x.EndedAt = some
	}
	return x.State(now)
}

func (tx *Tx) sendingSnapshot() (*sendingSnapshot, error) {
	index := &tx.db.sendings
	return index.newest(tx, func(old *sendingSnapshot, since int64) (*sendingSnapshot, error) { return index.read(tx, old, since) })
}

// read makes the snapshot that follows old, or (nil) the first.
func (index *sendingIndex) read(tx *Tx, old *sendingSnapshot, since int64) (*sendingSnapshot, error) {
	where, args := "1", []any{}
	var gone map[int64]bool
	if old != nil && since >= index.swept.Load() {
		touched, err := tx.touchedSince(since)
		if err != nil {
			return nil, err
		}
		ids, err := json.Marshal(touched)
		if err != nil {
			return nil, err
		}
		if len(touched) <= len(old.all)/2 {
			where, args, gone = "l.client_id IN (SELECT value FROM json_each(?))", []any{string(ids)}, map[int64]bool{}
			for _, id := range touched {
				gone[id] = true
			}
		}
	}
	entries, err := list(tx, func(s scanner) (x sendingFacts, err error) {
		var letter string
		err = s.Scan(&x.id, &x.client, &x.at, &letter, &x.expires, &x.has, &x.forms, &x.done)
		x.letter = int8(max(slices.Index(searchLetters, LetterState(letter)), 0))
		return x, err
	}, `SELECT l.id, l.client_id, l.created_at, l.state, ifnull(k.expires_at, 0),
		(l.kind = 'forms') + 2 * (k.opened_at IS NOT NULL) + 4 * (k.used_at IS NOT NULL) + 8 * (k.ended_at IS NOT NULL) + 16 * (`+sendingReplaced+") + 32 * "+sendingTroubled+
		", (SELECT count(*)"+sendingForms+"), (SELECT count(r.completed_at)"+sendingForms+")"+sendingTables+where+" ORDER BY l.id", args...)
	if err != nil {
		return nil, err
	}
	next := &sendingSnapshot{all: entries}
	for _, x := range entries {
		next.clients = max(next.clients, x.client+1)
	}
	if gone == nil {
		return next, nil
	}
	next.all, next.clients = make([]sendingFacts, 0, len(old.all)+len(entries)), max(next.clients, old.clients)
	for _, x := range old.all {
		if gone[x.client] {
			continue
		}
		for len(entries) > 0 && entries[0].id < x.id {
			next.all = append(next.all, entries[0])
			entries = entries[1:]
		}
		next.all = append(next.all, x)
	}
	next.all = append(next.all, entries...)
	return next, nil
}

// scanSendings calls each for every sending that a filter lets through, newest first, and counts what there is beside the
// state that it asks for.
func (tx *Tx) scanSendings(reach Reach, f SendingFilter, each func(*sendingFacts)) (counts SendingCounts, err error) {
	s, err := tx.sendingSnapshot()
	if err != nil {
		return counts, err
	}
	clients, err := tx.searchSnapshot()
	if err != nil {
		return counts, err
	}
	lets := clients.among(reach, f, s.clients)
	from, until := f.From.UnixMilli(), f.Until.UnixMilli()
	var states [len(SendingStates)]int
	came := make([]clientProgress, s.clients)
	for i := len(s.all) - 1; i >= 0; i-- {
		x := &s.all[i]
		if !f.From.IsZero() && x.at < from || !f.Until.IsZero() && x.at >= until || lets != nil && !lets[x.client] {
			continue
		}
		state := x.state(tx.now)
		states[slices.Index(SendingStates[:], state)]++
		counts.All++
		if x.has&goesAstray != 0 {
			counts.Troubled++
		}
		if x.has&sentForms == 0 {
			came[x.client] = max(came[x.client], progressOf[state], invited)
		}
		if (f.State == "" || f.State == state) && (!f.Troubled || x.has&goesAstray != 0) {
			each(x)
		}
	}
	counts.States = make(map[SendingState]int, len(states))
	for i, n := range states {
		counts.States[SendingStates[i]] = n
	}
	for _, progress := range came {
		if progress >= invited {
			counts.Invited++
		}
		if progress >= joined {
			counts.Joined++
		}
		if progress >= finished {
			counts.Finished++
		}
	}
	return counts, nil
}

// clientProgress is how far a client came who was invited.
type clientProgress uint8

const (
	invited clientProgress = iota + 1
	joined
	finished
)

var progressOf = map[SendingState]clientProgress{SendingJoined: joined, SendingFinished: finished}
