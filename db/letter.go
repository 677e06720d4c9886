package db

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// LetterState is where a letter stands on its way out.
type LetterState string

const (
	LetterQueued         LetterState = "queued"
	LetterSending        LetterState = "sending"
	LetterAccepted       LetterState = "accepted" // by the relay: nobody can know more
	LetterFailed         LetterState = "failed"
	LetterNeedsAttention LetterState = "needs attention"
	LetterCancelled      LetterState = "cancelled"
)

// LetterKind is why a letter is sent.
type LetterKind string

const (
	LetterInvitation  LetterKind = "invitation"
	LetterForms       LetterKind = "forms"
	LetterJoinStaff   LetterKind = "join staff"
	LetterNewPassword LetterKind = "new password"
	LetterNewAddress  LetterKind = "new address" // asks a client to confirm it
	LetterOldAddress  LetterKind = "old address" // tells the address that somebody signed in with that it was changed

	LetterNewDevice  LetterKind = "new device"  // tells somebody that they signed in at a browser that wasn't known
	LetterOwnAccount LetterKind = "own account" // tells somebody what changed in how they sign in

	LetterInvitationReminder LetterKind = "invitation reminder" // repeats the invitation's link
	LetterFormsReminder      LetterKind = "forms reminder"
)

// Reminder tells that a letter only repeats what an earlier one said.
func (k LetterKind) Reminder() bool {
	return k == LetterInvitationReminder || k == LetterFormsReminder
}

// Notice tells that a letter only says what happened to somebody's own account, and by now may have come too late to be of use.
func (k LetterKind) Notice() bool { return k == LetterNewDevice || k == LetterOwnAccount }

// Letter is one mail in the outbox, frozen when it was sent.
type Letter struct {
	ID           int64
	PublicID     string
	Kind         LetterKind
	ClientID     int64 // to whom: one of the two
	StaffID      int64
	SentBy       int64 // the staff member on whose right it goes; 0: the program's own
	DraftID      int64
	InvitationID int64
	LinkID       int64 // whose token fills the slot; 0: there is none
	MessageID    string
	To           Email
	EnvelopeFrom string
	Subject      string
	Data         []byte // the whole mail, with slots for the tokens of its links
	OwnLink      bool   // one of them is for a link of its own, with which whoever got it by mistake says so
	State        LetterState
	Due          time.Time
	Attempts     int // claims by the worker, whatever came of them: only the newest may settle
	Deferred     int // endings at which the relay asked for patience
	Uncertain    int // endings after which nobody knows whether the relay has it
	Reply        string
	CreatedAt    time.Time
	SettledAt    time.Time

	keyID string // under which the token of its own link is derived
}

// Tries is how often a mail server answered for the letter, or may have got it. A claim that reached none is no try.
func (l Letter) Tries() int {
	n := l.Deferred + l.Uncertain
	if l.State == LetterAccepted || l.State == LetterFailed {
		n++
	}
	return n
}

// AddLetter puts a letter into the outbox, due now, and fills in its ids.
func (tx *Tx) AddLetter(l *Letter) (err error) {
	l.PublicID, l.State, l.CreatedAt, l.Due = uuid.NewString(), LetterQueued, tx.now, tx.now
	var hash, keyID any
	if l.OwnLink {
		l.keyID = tx.key().id
		token, err := tx.LetterToken(*l)
		if err != nil {
			return err
		}
		hash, keyID = tokenHash(token), l.keyID
	}
	l.ID, err = tx.insert(`INSERT INTO letters (public_id, kind, client_id, staff_id, sent_by, draft_id, invitation_id, link_id,
			message_id, canonical, envelope_from, envelope_to, subject, due, created_at, token_hash, key_id)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		l.PublicID, l.Kind, orNull(l.ClientID), orNull(l.StaffID), orNull(l.SentBy), orNull(l.DraftID), orNull(l.InvitationID), orNull(l.LinkID),
		l.MessageID, l.To.canonical, l.EnvelopeFrom, l.To.Envelope(), l.Subject, ms(l.Due), ms(tx.now), hash, keyID)
	if err != nil {
		return err
	}
	_, err = tx.exec("INSERT INTO letter_mails (letter_id, data) VALUES (?, ?)", l.ID, l.Data)
	return err
}

const letterColumns = `id, public_id, kind, client_id, staff_id, sent_by, draft_id, invitation_id, link_id, message_id,
	envelope_from, envelope_to, canonical, subject, state, due, attempts, deferred, uncertain, reply, created_at, settled_at, key_id`

func readLetter(s scanner) (l Letter, err error) {
	err = s.Scan(&l.ID, &l.PublicID, &l.Kind, idScan{&l.ClientID}, idScan{&l.StaffID}, idScan{&l.SentBy}, idScan{&l.DraftID},
		idScan{&l.InvitationID}, idScan{&l.LinkID}, &l.MessageID, &l.EnvelopeFrom, &l.To.typed, &l.To.canonical, &l.Subject,
		&l.State, timeScan{&l.Due}, &l.Attempts, &l.Deferred, &l.Uncertain, &l.Reply, timeScan{&l.CreatedAt}, timeScan{&l.SettledAt},
		textScan{&l.keyID})
	l.OwnLink = l.keyID != ""
	return l, named(err)
}

// LetterToken derives the token of a letter's own link; empty when it has none. Only the worker asks, for a letter that it
// claimed: what the outbox keeps is a hash, so nobody who reads the database can say anything in a recipient's name.
func (tx *Tx) LetterToken(l Letter) (string, error) {
	if l.keyID == "" {
		return "", nil
	}
	return tx.token(l.keyID, "not meant", []byte(l.MessageID))
}

// LetterByToken finds the letter whose own link somebody brought.
func (tx *Tx) LetterByToken(token string) (Letter, error) {
	return readLetter(tx.row("SELECT "+letterColumns+" FROM letters WHERE token_hash = ?", tokenHash(token)))
}

// ClientLetters lists what was sent to a client within reach, newest first, without the mails themselves.
func (tx *Tx) ClientLetters(reach Reach, clientID int64) ([]Letter, error) {
	return list(tx, readLetter, "SELECT "+letterColumns+" FROM letters WHERE client_id = ? AND "+reach.holds("client_id")+" ORDER BY id DESC", clientID)
}

// StaffLetters lists what was sent to a staff member, newest first.
func (tx *Tx) StaffLetters(staffID int64) ([]Letter, error) {
	return list(tx, readLetter, "SELECT "+letterColumns+" FROM letters WHERE staff_id = ? ORDER BY id DESC", staffID)
}

// DraftLetters counts the letters of a draft by state.
func (tx *Tx) DraftLetters(draftID int64) (map[LetterState]int, error) {
	return tx.lettersByState(" FROM letters WHERE draft_id = ?", draftID)
}

// DraftLettersLater counts the queued letters of a draft that were tried and wait for another time.
func (tx *Tx) DraftLettersLater(draftID int64) (n int, err error) {
	err = tx.row("SELECT count(*) FROM letters WHERE draft_id = ? AND state = 'queued' AND due > ?", draftID, ms(tx.now)).Scan(&n)
	return n, err
}

// CancelLetters takes a client's queued letters of one kind back, saying why. One on the wire can't be called back.
func (tx *Tx) CancelLetters(clientID int64, kind LetterKind, why string) error {
	_, err := tx.exec("UPDATE letters SET state = 'cancelled', reply = ?, settled_at = ? WHERE client_id = ? AND kind = ? AND state = 'queued'",
		why, ms(tx.now), clientID, kind)
	return err
}

// LastLetter is when a letter of one kind was last sent to a client; the zero time when none was.
func (tx *Tx) LastLetter(clientID int64, kind LetterKind) (at time.Time, err error) {
	err = tx.row("SELECT max(created_at) FROM letters WHERE client_id = ? AND kind = ?", clientID, kind).Scan(timeScan{&at})
	return at, err
}

// SameNotices tells whether a letter of this kind and subject to a client or a staff member waits for this address, and how many
// there were since a time.
func (tx *Tx) SameNotices(clientID, staffID int64, kind LetterKind, subject string, to Email, since time.Time) (waits bool, n int, err error) {
	err = tx.row(`SELECT count(*), coalesce(sum(state = 'queued' AND canonical = ?), 0) > 0 FROM letters
		WHERE (client_id = ? OR staff_id = ?) AND kind = ? AND subject = ? AND created_at > ?`,
		to.canonical, orNull(clientID), orNull(staffID), kind, subject, ms(since)).Scan(&n, &waits)
	return waits, n, err
}

// LastSending is when a client was last invited, or told of forms, and where that letter stands; the zero time when they never were.
func (tx *Tx) LastSending(clientID int64) (at time.Time, state LetterState, err error) {
	err = named(tx.row("SELECT created_at, state FROM letters WHERE client_id = ? AND kind IN ('invitation', 'forms') ORDER BY id DESC LIMIT 1", clientID).
		Scan(timeScan{&at}, &state))
	if errors.Is(err, ErrNotFound) {
		err = nil
	}
	return at, state, err
}

// SetAsideLetters has letters come from this sender from now on. It marks the queued ones that come from another, whom the relay
// might take from nobody: somebody has to send them again. It tells how many; one on its way is marked once it is queued again.
func (tx *Tx) SetAsideLetters(sender Email) (n int, err error) {
	if _, err := tx.exec("UPDATE outbox SET sender = ?", sender.Envelope()); err != nil {
		return 0, err
	}
	ids, err := column[int64](tx, "UPDATE letters SET state = 'needs attention', reply = ?, settled_at = ? WHERE state = 'queued' AND "+fromAnother+" RETURNING id",
		wroteForAnother, ms(tx.now))
	return len(ids), err
}

// fromAnother is whether a letter comes from another sender than letters do now.
const fromAnother = "EXISTS (SELECT 1 FROM outbox o WHERE o.sender NOT IN ('', letters.envelope_from))"

const wroteForAnother = "It was written when mails came from another address. Send it again."

// DraftLetter is a letter of a draft, and the client whom it is for.
type DraftLetter struct {
	Letter
	Client Client
}

// LettersOfDraft lists a page of a draft's letters to clients within reach: what needs a look first, then by name.
func (tx *Tx) LettersOfDraft(reach Reach, draftID int64, offset, limit int) ([]DraftLetter, error) {
	return list(tx, func(s scanner) (l DraftLetter, err error) {
		err = s.Scan(&l.PublicID, &l.Kind, &l.State, &l.Reply, timeScan{&l.Due}, timeScan{&l.SettledAt}, &l.Client.PublicID, &l.Client.FirstName, &l.Client.LastName)
		return l, err
	}, `SELECT l.public_id, l.kind, l.state, l.reply, l.due, l.settled_at, c.public_id, c.first_name, c.last_name
		FROM letters l JOIN clients c ON c.id = l.client_id WHERE l.draft_id = ? AND `+reach.holds("c.id")+`
		ORDER BY l.state NOT IN ('failed', 'needs attention'), c.sort_key, c.id LIMIT ? OFFSET ?`, draftID, limit, offset)
}

// OutboxLetter is a letter in the outbox, and the one it is for.
type OutboxLetter struct {
	Letter
	Client Client // one of the two: public id and name only
	Staff  StaffMember
}

// Name is of whom the letter is for.
func (l OutboxLetter) Name() string {
	if l.ClientID != 0 {
		return l.Client.ListName()
	}
	return l.Staff.Name
}

// LetterFilter says which letters are asked for: the zero value, all.
type LetterFilter struct {
	State LetterState
	Kind  LetterKind
	Text  string // parts of the name, the address or the subject
}

const outboxLetters = ` FROM (SELECT l.*, c.public_id AS client_public, c.first_name, c.last_name, s.public_id AS staff_public, s.name AS staff_name,
	ifnull(c.search, '') || ' ' || lower(ifnull(s.name, '') || ' ' || l.canonical || ' ' || l.subject) AS text
	FROM letters l LEFT JOIN clients c ON c.id = l.client_id LEFT JOIN staff_members s ON s.id = l.staff_id)`

// where is the filter as an SQL condition, for letters within reach.
func (f LetterFilter) where(reach Reach) (string, []any) {
	condition, args := " WHERE "+reach.holds("client_id"), []any{}
	if f.State != "" {
		condition, args = condition+" AND state = ?", append(args, f.State)
	}
	if f.Kind != "" {
		condition, args = condition+" AND kind = ?", append(args, f.Kind)
	}
	for _, word := range strings.Fields(f.Text) {
		condition, args = condition+" AND (instr(text, ?) > 0 OR instr(text, ?) > 0)", append(args, SearchFold(word), strings.ToLower(word))
	}
	return condition, args
}

func readOutboxLetter(s scanner) (l OutboxLetter, err error) {
	l.Letter, err = readLetter(also{s, []any{textScan{&l.Client.PublicID}, textScan{&l.Client.FirstName}, textScan{&l.Client.LastName},
		textScan{&l.Staff.PublicID}, textScan{&l.Staff.Name}}})
	return l, named(err)
}

const outboxLetterColumns = "SELECT " + letterColumns + ", client_public, first_name, last_name, staff_public, staff_name" + outboxLetters

// OutboxLetters lists a page of the letters within reach, newest first, without the mails themselves.
func (tx *Tx) OutboxLetters(reach Reach, f LetterFilter, offset, limit int) ([]OutboxLetter, error) {
	where, args := f.where(reach)
	return list(tx, readOutboxLetter, outboxLetterColumns+where+" ORDER BY id DESC LIMIT ? OFFSET ?", append(args, limit, offset)...)
}

// OutboxLetter finds a letter within reach by public id.
func (tx *Tx) OutboxLetter(reach Reach, publicID string) (OutboxLetter, error) {
	return readOutboxLetter(tx.row(outboxLetterColumns+" WHERE public_id = ? AND "+reach.holds("client_id"), publicID))
}

// LetterData returns a letter's whole mail, with a slot for its link's token.
func (tx *Tx) LetterData(id int64) (data []byte, err error) {
	err = tx.row("SELECT data FROM letter_mails WHERE letter_id = ?", id).Scan(&data)
	return data, named(err)
}

// WaitingLetters is how many queued letters there are, by how long ago they were written.
type WaitingLetters struct {
	Day   int // at most a day ago
	Week  int // longer ago, and at most a week
	Older int
	Never int // of all, those that may not leave any more: they are taken back instead
}

// All is how many there are.
func (w WaitingLetters) All() int { return w.Day + w.Week + w.Older }

// WaitingLetters counts what would leave now.
func (tx *Tx) WaitingLetters() (w WaitingLetters, err error) {
	err = tx.row(`SELECT count(*) FILTER (WHERE created_at > ?1), count(*) FILTER (WHERE created_at <= ?1 AND created_at > ?2), count(*) FILTER (WHERE created_at <= ?2),
		count(*) FILTER (WHERE `+mayNotLeave+` <> '') FROM letters WHERE state = 'queued'`, ms(tx.now.Add(-24*time.Hour)), ms(tx.now.Add(-7*24*time.Hour))).
		Scan(&w.Day, &w.Week, &w.Older, &w.Never)
	return w, err
}

// CountLetters counts the letters within reach by state, whichever state the filter asks for.
func (tx *Tx) CountLetters(reach Reach, f LetterFilter) (map[LetterState]int, error) {
	f.State = ""
	where, args := f.where(reach)
	return tx.lettersByState(outboxLetters+where, args...)
}

func (tx *Tx) lettersByState(from string, args ...any) (map[LetterState]int, error) {
	byState := map[LetterState]int{}
	_, err := list(tx, func(s scanner) (none struct{}, err error) {
		var state LetterState
		var n int
		err = s.Scan(&state, &n)
		byState[state] = n
		return none, err
	}, "SELECT state, count(*)"+from+" GROUP BY state", args...)
	return byState, err
}

// LetterMayNotLeave is why a letter may not be sent any more; empty: it may.
func (tx *Tx) LetterMayNotLeave(id int64) (why string, err error) {
	err = tx.row("SELECT "+mayNotLeave+" FROM letters WHERE id = ?", id).Scan(&why)
	return why, named(err)
}

// LetterReplaced tells that a newer letter of the same kind was sent to the same person.
func (tx *Tx) LetterReplaced(l Letter) (replaced bool, err error) {
	err = tx.row("SELECT EXISTS (SELECT 1 FROM letters WHERE kind = ? AND (client_id = ? OR staff_id = ?) AND id > ?)", l.Kind, l.ClientID, l.StaffID, l.ID).Scan(&replaced)
	return replaced, err
}

// QueueAgain puts a letter that waits, failed or needs attention at the front of the queue. What is known of the tries before
// stays: no more copies of it leave than of any other.
func (tx *Tx) QueueAgain(id int64) error {
	_, err := tx.exec("UPDATE letters SET state = 'queued', due = ?, settled_at = NULL WHERE id = ? AND state IN ('queued', 'failed', 'needs attention')", ms(tx.now), id)
	return err
}

// CancelLetter takes one queued letter back, saying why.
func (tx *Tx) CancelLetter(id int64, why string) error {
	_, err := tx.exec("UPDATE letters SET state = 'cancelled', reply = ?, settled_at = ? WHERE id = ? AND state = 'queued'", why, ms(tx.now), id)
	return err
}

// mayNotLeave is why a letter that was queued may not be sent any more, asked anew when it is claimed; empty: it may.
const mayNotLeave = `CASE
	WHEN letters.kind <> 'old address' AND NOT EXISTS (SELECT 1 FROM email_addresses e WHERE e.canonical = letters.canonical AND e.pending = (letters.kind = 'new address')
			AND (e.client_id = letters.client_id OR e.staff_id = letters.staff_id))
		THEN 'The email address was changed.'
	WHEN letters.kind = 'old address' AND EXISTS (SELECT 1 FROM email_addresses e WHERE e.canonical = letters.canonical
			AND (e.client_id IS NOT letters.client_id OR e.staff_id IS NOT letters.staff_id))
		THEN 'The email address is used by somebody else now.'
	WHEN letters.kind <> 'old address' AND EXISTS (SELECT 1 FROM email_addresses e WHERE e.canonical = letters.canonical AND e.unwanted_at IS NOT NULL)
		THEN 'Whoever reads the address said that our mail isn''t meant for them.'
	WHEN letters.kind <> 'old address' AND EXISTS (SELECT 1 FROM clients c WHERE c.id = letters.client_id AND c.portal_off_at IS NOT NULL)
		THEN 'Portal access was turned off.'
	WHEN letters.kind <> 'old address' AND EXISTS (SELECT 1 FROM clients c WHERE c.id = letters.client_id AND c.archived_at IS NOT NULL)
		THEN 'The client was archived.'
	WHEN letters.kind IN ('invitation', 'forms', 'invitation reminder', 'forms reminder')
			AND EXISTS (SELECT 1 FROM clients c WHERE c.id = letters.client_id AND c.no_email_at IS NOT NULL)
		THEN 'The client may not be emailed.'
	WHEN letters.kind = 'invitation reminder' AND EXISTS (SELECT 1 FROM portal_accounts p WHERE p.client_id = letters.client_id)
		THEN 'The client has joined.'
	WHEN letters.kind = 'forms reminder' AND NOT EXISTS (SELECT 1 FROM form_requests r WHERE r.client_id = letters.client_id AND r.completed_at IS NULL AND r.revoked_at IS NULL)
		THEN 'No form is open for the client any more.'
	WHEN letters.kind IN ('invitation reminder', 'forms reminder') AND (EXISTS (SELECT 1 FROM organization WHERE reminders_off_at IS NOT NULL)
			OR EXISTS (SELECT 1 FROM clients c WHERE c.id = letters.client_id AND c.reminders_off_at IS NOT NULL))
		THEN 'Reminders were turned off.'
	WHEN letters.kind IN ('invitation reminder', 'forms reminder') AND EXISTS (SELECT 1 FROM email_addresses e WHERE e.canonical = letters.canonical AND e.bounced_at IS NOT NULL)
		THEN 'Mail to this address came back.'
	WHEN EXISTS (SELECT 1 FROM staff_members s WHERE s.id = letters.staff_id AND s.disabled_at IS NOT NULL)
		THEN 'This staff member was turned off.'
	WHEN EXISTS (SELECT 1 FROM links k WHERE k.id = letters.link_id AND k.used_at IS NOT NULL)
		THEN 'Its link was used already.'
	WHEN EXISTS (SELECT 1 FROM links k WHERE k.id = letters.link_id AND k.ended_at IS NOT NULL)
		THEN 'Its link was revoked, or replaced by a newer one.'
	WHEN letters.sent_by IS NOT NULL AND NOT EXISTS (SELECT 1 FROM staff_members b WHERE b.id = letters.sent_by AND b.disabled_at IS NULL
			AND (b.role = 'administrator'
				OR EXISTS (SELECT 1 FROM permissions p WHERE p.staff_id = b.id AND p.permission = 'invite clients')
				AND EXISTS (SELECT 1 FROM assignments a WHERE a.staff_id = b.id AND a.client_id = letters.client_id)))
		THEN iif(letters.client_id IS NULL, 'Its sender is no administrator any more.', 'Its sender may not invite this client any more.')
	ELSE '' END`

// RecheckLetters takes back the queued letters that a staff member sent, or is to get, and that may not leave any more, each
// with its reason. It tells how many of those that they sent to clients it took back.
func (tx *Tx) RecheckLetters(staffID int64) (cancelled int, err error) {
	toClients, err := column[bool](tx, `UPDATE letters SET state = 'cancelled', reply = `+mayNotLeave+`, settled_at = ?
		WHERE state = 'queued' AND (sent_by = ? OR staff_id = ?) AND `+mayNotLeave+` <> '' RETURNING client_id IS NOT NULL`, ms(tx.now), staffID, staffID)
	for _, toClient := range toClients {
		if toClient {
			cancelled++
		}
	}
	return cancelled, err
}

// RecheckLettersTo takes back a client's queued letters that may not leave any more, each with its reason.
func (tx *Tx) RecheckLettersTo(clientID int64) error {
	_, err := tx.exec("UPDATE letters SET state = 'cancelled', reply = "+mayNotLeave+", settled_at = ? WHERE state = 'queued' AND client_id = ? AND "+mayNotLeave+" <> ''",
		ms(tx.now), clientID)
	return err
}

// RecheckReminders takes back the queued reminders that may not leave any more, each with its reason.
func (tx *Tx) RecheckReminders() error {
	_, err := tx.exec("UPDATE letters SET state = 'cancelled', reply = "+mayNotLeave+", settled_at = ? WHERE state = 'queued' AND "+isReminder+" AND "+mayNotLeave+" <> ''", ms(tx.now))
	return err
}

// QueuedLettersBy counts the letters to clients that a staff member sent and that haven't left.
func (tx *Tx) QueuedLettersBy(staffID int64) (n int, err error) {
	err = tx.row("SELECT count(client_id) FROM letters WHERE state = 'queued' AND sent_by = ?", staffID).Scan(&n)
	return n, err
}

// mayLeaveNow is whether a queued letter's time has come: none leaves while the outbox is paused, those to clients wait while
// the portal is closed, and reminders in quiet hours.
const (
	mayLeaveNow = `NOT EXISTS (SELECT 1 FROM outbox WHERE paused_at IS NOT NULL)
		AND (client_id IS NULL OR NOT EXISTS (SELECT 1 FROM organization WHERE portal_off_at IS NOT NULL)) AND NOT (?1 AND ` + isReminder + `)`
	isReminder = "kind IN ('invitation reminder', 'forms reminder')"
)

// ClaimLetters takes up to n letters that are due, oldest first, for as long as the lease lasts; nobody else gets them.
// Who claims a letter sends it and settles it. A letter that may not leave any more is cancelled instead, saying why.
func (tx *Tx) ClaimLetters(n int, lease time.Duration) (claimed []Letter, err error) {
	quiet, err := tx.quietEnds()
	if err != nil {
		return nil, err
	}
	for len(claimed) < n {
		cancelled := 0
		batch, err := list(tx, func(s scanner) (c claimedLetter, err error) {
			var data []byte
			c.Letter, err = readLetter(also{s, []any{&data, &c.why}})
			c.Data = data
			return c, err
		}, `UPDATE letters SET state = 'sending', attempts = attempts + 1, lease_until = ?2
			WHERE id IN (SELECT id FROM letters WHERE state = 'queued' AND due <= ?3 AND `+mayLeaveNow+` ORDER BY due, id LIMIT ?4)
			RETURNING `+letterColumns+`, (SELECT data FROM letter_mails WHERE letter_id = letters.id), `+mayNotLeave, !quiet.IsZero(), ms(tx.now.Add(lease)), ms(tx.now), n-len(claimed))
		if err != nil || len(batch) == 0 {
			return claimed, err
		}
		slices.SortFunc(batch, func(a, b claimedLetter) int { // RETURNING keeps no order
			return cmp.Or(a.Due.Compare(b.Due), cmp.Compare(a.ID, b.ID))
		})
		for _, c := range batch {
			if c.why == "" {
				claimed = append(claimed, c.Letter)
				continue
			}
			cancelled++
			if err := tx.SettleLetter(Settlement{Letter: c.Letter, State: LetterCancelled, Reply: c.why}); err != nil {
				return claimed, err
			}
		}
		if cancelled == 0 {
			break
		}
	}
	return claimed, nil
}

type claimedLetter struct {
	Letter
	why string
}

// also reads more columns than the reader of a record knows of.
type also struct {
	scanner
	more []any
}

func (a also) Scan(to ...any) error { return a.scanner.Scan(append(to, a.more...)...) }

// Settlement is how one claim of a letter ended.
type Settlement struct {
	Letter    Letter // as it was claimed
	State     LetterState
	Due       time.Time // when it is queued again
	Deferred  bool      // the relay asked for patience
	Uncertain bool      // nobody knows whether the relay has it
	Reply     string
}

// SettleLetter ends a claim. It changes nothing when the letter was claimed again since: the newer claim counts.
func (tx *Tx) SettleLetter(s Settlement) error {
	var settled time.Time
	if s.State != LetterQueued {
		settled, s.Due = tx.now, s.Letter.Due
	}
	n, err := tx.exec(`UPDATE letters SET state = ?, due = ?, deferred = deferred + ?, uncertain = uncertain + ?, reply = ?, lease_until = NULL, settled_at = ?
		WHERE id = ? AND attempts = ? AND state = 'sending'`,
		s.State, ms(s.Due), s.Deferred, s.Uncertain, s.Reply, ms(settled), s.Letter.ID, s.Letter.Attempts)
	if err == nil && n > 0 && s.State == LetterQueued {
		_, err = tx.exec("UPDATE letters SET state = 'needs attention', reply = ?, settled_at = ? WHERE id = ? AND "+fromAnother, wroteForAnother, ms(tx.now), s.Letter.ID)
	}
	return err
}

// LostLetters lists the letters whose claim nobody settled: those whose lease is over, or all that are being sent, which
// only a worker that has claimed none yet may ask for.
func (tx *Tx) LostLetters(all bool) ([]Letter, error) {
	const sending = "SELECT " + letterColumns + " FROM letters WHERE state = 'sending'"
	if all {
		return list(tx, readLetter, sending)
	}
	return list(tx, readLetter, sending+" AND lease_until <= ?", ms(tx.now))
}

// NextLetter is when the next queued letter is due; the zero time when none may leave.
func (tx *Tx) NextLetter() (due time.Time, err error) {
	quiet, err := tx.quietEnds()
	if err != nil {
		return due, err
	}
	var reminder time.Time // that quiet hours hold back
	err = tx.row("SELECT (SELECT due FROM letters WHERE state = 'queued' AND "+mayLeaveNow+` ORDER BY due LIMIT 1),
		(SELECT due FROM letters WHERE state = 'queued' AND ?1 AND `+isReminder+" AND "+strings.ReplaceAll(mayLeaveNow, "?1", "0")+" ORDER BY due LIMIT 1)", !quiet.IsZero()).
		Scan(timeScan{&due}, timeScan{&reminder})
	if reminder.IsZero() {
		return due, err
	}
	if reminder.Before(quiet) {
		reminder = quiet
	}
	if due.IsZero() || reminder.Before(due) {
		due = reminder
	}
	return due, err
}

// LettersReached is when letters reached the relay since a time, oldest first, as far as can be told: one whose ending nobody
// knows may have.
func (tx *Tx) LettersReached(since time.Time) ([]time.Time, error) {
	return list(tx, func(s scanner) (at time.Time, err error) { err = s.Scan(timeScan{&at}); return },
		`SELECT at FROM (
			SELECT settled_at AS at FROM letters WHERE settled_at BETWEEN ?1 AND ?2 AND (state IN ('accepted', 'failed') OR state = 'needs attention' AND uncertain > 0)
			UNION ALL SELECT min(due, ?2) FROM letters WHERE state IN ('queued', 'sending') AND uncertain > 0 AND due > ?1)
		ORDER BY at`, ms(since), ms(tx.now))
}
