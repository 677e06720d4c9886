package db

import (
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
)

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
	Data         []byte // the whole mail, with a slot for the link's token
	State        LetterState
	Due          time.Time
	Attempts     int
	Uncertain    int // endings after which nobody knows whether the relay has it
	Reply        string
	CreatedAt    time.Time
	SettledAt    time.Time
}

// AddLetter puts a letter into the outbox, due now, and fills in its ids.
func (tx *Tx) AddLetter(l *Letter) (err error) {
	l.PublicID, l.State, l.CreatedAt, l.Due = uuid.NewString(), LetterQueued, tx.now, tx.now
	l.ID, err = tx.insert(`INSERT INTO letters (public_id, kind, client_id, staff_id, sent_by, draft_id, invitation_id, link_id,
			message_id, canonical, envelope_from, envelope_to, subject, data, due, created_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		l.PublicID, l.Kind, orNull(l.ClientID), orNull(l.StaffID), orNull(l.SentBy), orNull(l.DraftID), orNull(l.InvitationID), orNull(l.LinkID),
		l.MessageID, l.To.canonical, l.EnvelopeFrom, l.To.Envelope(), l.Subject, l.Data, ms(l.Due), ms(tx.now))
	return err
}

const letterColumns = `id, public_id, kind, client_id, staff_id, sent_by, draft_id, invitation_id, link_id, message_id,
	envelope_from, envelope_to, canonical, subject, state, due, attempts, uncertain, reply, created_at, settled_at`

func readLetter(s scanner) (l Letter, err error) {
	err = s.Scan(&l.ID, &l.PublicID, &l.Kind, idScan{&l.ClientID}, idScan{&l.StaffID}, idScan{&l.SentBy}, idScan{&l.DraftID},
		idScan{&l.InvitationID}, idScan{&l.LinkID}, &l.MessageID, &l.EnvelopeFrom, &l.To.typed, &l.To.canonical, &l.Subject,
		&l.State, timeScan{&l.Due}, &l.Attempts, &l.Uncertain, &l.Reply, timeScan{&l.CreatedAt}, timeScan{&l.SettledAt})
	return l, err
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
	type count struct {
		state LetterState
		n     int
	}
	counts, err := list(tx, func(s scanner) (c count, err error) { err = s.Scan(&c.state, &c.n); return },
		"SELECT state, count(*) FROM letters WHERE draft_id = ? GROUP BY state", draftID)
	byState := map[LetterState]int{}
	for _, c := range counts {
		byState[c.state] = c.n
	}
	return byState, err
}

// CancelLetters takes a client's queued letters of one kind back, saying why. One on the wire can't be called back.
func (tx *Tx) CancelLetters(clientID int64, kind LetterKind, why string) error {
	_, err := tx.exec("UPDATE letters SET state = 'cancelled', reply = ?, settled_at = ? WHERE client_id = ? AND kind = ? AND state = 'queued'",
		why, ms(tx.now), clientID, kind)
	return err
}

// DraftLetter is a letter of a draft, and the client whom it is for.
type DraftLetter struct {
	Letter
	Client Client
}

// LettersOfDraft lists a page of a draft's letters to clients within reach: what needs a look first, then by name.
func (tx *Tx) LettersOfDraft(reach Reach, draftID int64, offset, limit int) ([]DraftLetter, error) {
	return list(tx, func(s scanner) (l DraftLetter, err error) {
		err = s.Scan(&l.PublicID, &l.Kind, &l.State, &l.Reply, timeScan{&l.SettledAt}, &l.Client.PublicID, &l.Client.FirstName, &l.Client.LastName)
		return l, err
	}, `SELECT l.public_id, l.kind, l.state, l.reply, l.settled_at, c.public_id, c.first_name, c.last_name
		FROM letters l JOIN clients c ON c.id = l.client_id WHERE l.draft_id = ? AND `+reach.holds("c.id")+`
		ORDER BY l.state NOT IN ('failed', 'needs attention'), c.sort_key, c.id LIMIT ? OFFSET ?`, draftID, limit, offset)
}
