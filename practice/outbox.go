package practice

import (
	"context"
	"errors"
	"fmt"
	"time"

	"anteroom/db"
	"anteroom/mail"
)

// Outbox is the worker that sends letters, as far as verbs and screens have to do with it.
type Outbox interface {
	Wake()                // letters are due, or the outbox was paused or resumed
	Status() mail.Status  // what holds letters, if anything does
	Retry()               // asks a mail server that holds letters again at once
	Configure(mail.Relay) // where they go from now on
}

// Wake tells the outbox that letters are due, where there is one.
func (c Config) Wake() {
	if c.Outbox != nil {
		c.Outbox.Wake()
	}
}

// OutboxStatus is what screens say of the outbox.
type OutboxStatus struct {
	mail.Status
	Slow string // why letters wait that may leave, and until when, in a sentence; empty: none does
}

// Next is when a queued letter that is due at a time is tried next; the zero time when that can't be told, or is at once.
func (s OutboxStatus) Next(due, now time.Time) time.Time {
	switch {
	case s.Held != "" && s.Retry.IsZero():
		return time.Time{}
	case s.Held != "" && due.Before(s.Retry):
		return s.Retry
	case due.After(now):
		return due
	}
	return time.Time{}
}

// OutboxStatus returns what holds letters, if anything does.
func (p *Practice) OutboxStatus() (s OutboxStatus) {
	if p.config.Outbox == nil {
		return s
	}
	if s.Status = p.config.Outbox.Status(); s.Limit == "" || s.Held != "" {
		return s
	}
	zone := s.More.Location()
	if o, err := p.Organization(context.Background()); err == nil {
		zone = o.TimeZone
	}
	s.Slow = fmt.Sprintf("The mail server takes %s: the rest leave from %s.", s.Limit, s.More.In(zone).Format("January 2, 3:04 pm"))
	return s
}

// PauseOutbox lets no letter leave from now on, until somebody resumes the outbox. Letters on the wire finish. It changes nothing
// when the outbox is paused already.
func (p *Practice) PauseOutbox(ctx context.Context, by Administrator) error {
	return p.turnOutbox(ctx, by, true)
}

// ResumeOutbox lets letters leave again. After a restore that is to say: this database is the one that sends. ErrConfirm, unless the
// administrator proved lately who they are.
func (p *Practice) ResumeOutbox(ctx context.Context, by Administrator) error {
	return p.turnOutbox(ctx, by, false)
}

func (p *Practice) turnOutbox(ctx context.Context, by Administrator, pause bool) error {
	if !by.administers() {
		return ErrNotAllowed
	}
	err := p.db.Update(ctx, func(tx *db.Tx) error {
		o, err := tx.Outbox()
		if err != nil || o.Paused() == pause {
			return err
		}
		if pause {
			if err := tx.PauseOutbox(by.member.ID, by.Name()+" paused the outbox."); err != nil {
				return err
			}
			return tx.Audit(db.AuditEntry{StaffID: by.member.ID, Act: "paused the outbox"})
		}
		if err := by.confirmed(tx.Now()); err != nil {
			return err
		}
		if err := tx.ResumeOutbox(); err != nil {
			return err
		}
		e := db.AuditEntry{StaffID: by.member.ID, Act: "resumed the outbox"}
		if o.PausedBy == 0 {
			e.Detail = o.PausedWhy
		}
		return tx.Audit(e)
	})
	if err == nil {
		p.config.Wake()
	}
	return err
}

// RetryOutbox asks a mail server that holds the outbox again at once.
func (p *Practice) RetryOutbox(_ context.Context, by Administrator) error {
	if !by.administers() {
		return ErrNotAllowed
	}
	if p.config.Outbox != nil {
		p.config.Outbox.Retry()
	}
	return nil
}

// LetterList is a page of the outbox's letters.
type LetterList struct {
	Letters []db.OutboxLetter
	Count   map[db.LetterState]int // of all that the filter finds, whichever state it asks for
	Total   int                    // in the state that it asks for
}

// Letters lists a page of the letters, newest first.
func (p *Practice) Letters(ctx context.Context, by Administrator, f db.LetterFilter, offset, limit int) (l LetterList, err error) {
	if !by.administers() {
		return l, ErrNotAllowed
	}
	f.Text = f.Text[:min(len(f.Text), maxQuery)]
	err = p.db.View(ctx, func(tx *db.Tx) error {
		if l.Count, err = tx.CountLetters(by.reach(), f); err != nil {
			return err
		}
		for state, n := range l.Count {
			if f.State == "" || f.State == state {
				l.Total += n
			}
		}
		l.Letters, err = tx.OutboxLetters(by.reach(), f, offset, limit)
		return err
	})
	return l, err
}

// WaitingLetters tells what would leave, were the outbox not held.
func (p *Practice) WaitingLetters(ctx context.Context, by Administrator) (w db.WaitingLetters, err error) {
	if !by.administers() {
		return w, ErrNotAllowed
	}
	err = p.db.View(ctx, func(tx *db.Tx) error {
		w, err = tx.WaitingLetters()
		return err
	})
	return w, err
}

// LetterDetails is one letter, as an administrator reads it.
type LetterDetails struct {
	db.OutboxLetter
	SentBy   string // the staff member's name; empty: the program sent it by itself
	Text     string // with a slot where its link's secret stands when it leaves; empty: it is forgotten
	NoRetry  string // why it may not be tried again; empty: it may
	NoCancel string // why it may not be taken back; empty: it may
	Meaning  string // of the mail server's reply, in a plain sentence
	Advice   string // what to do
}

// LetterDetails opens a letter, and notes that in the audit log.
func (p *Practice) LetterDetails(ctx context.Context, by Administrator, publicID string) (d LetterDetails, err error) {
	if !by.administers() {
		return d, ErrNotAllowed
	}
	err = p.db.Update(ctx, func(tx *db.Tx) error {
		if d.OutboxLetter, err = tx.OutboxLetter(by.reach(), publicID); err != nil {
			return err
		}
		data, err := tx.LetterData(d.ID)
		if err == nil {
			d.Text, err = mail.Text(data)
		}
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		if d.OutboxLetter.SentBy != 0 {
			member, err := tx.StaffByID(d.OutboxLetter.SentBy)
			if err != nil {
				return err
			}
			d.SentBy = member.Name
		}
		if d.NoRetry, err = p.mayRetry(tx, d.OutboxLetter); err != nil {
			return err
		}
		if d.NoCancel, err = mayCancel(tx, d.OutboxLetter); err != nil {
			return err
		}
		if d.State != db.LetterAccepted && d.Reply != "" && d.Reply[0] >= '4' && d.Reply[0] <= '5' { // its code, not our own sentence
			d.Meaning, d.Advice = mail.Explain(d.Reply)
		}
		return tx.Audit(db.AuditEntry{StaffID: by.member.ID, Act: "opened a letter", ClientID: d.ClientID, Detail: string(d.Kind)})
	})
	return d, err
}

// LetterRefusal is why a letter stayed as it is.
type LetterRefusal struct {
	Letter db.OutboxLetter
	Why    string // a sentence
}

// RetryLetters puts letters at the front of the queue: those that wait for another try, and those that failed or need
// attention where sending the same letter once more is safe. It tells how many, and why not the others. Any that is not
// there is ErrNotFound, and nothing is done.
func (p *Practice) RetryLetters(ctx context.Context, by Administrator, publicIDs ...string) (n int, refused []LetterRefusal, err error) {
	n, refused, err = p.eachLetter(ctx, by, "sent a letter again", publicIDs, p.mayRetry, func(tx *db.Tx, l db.OutboxLetter) error {
		return tx.QueueAgain(l.ID)
	})
	if err == nil && n > 0 && p.config.Outbox != nil {
		p.config.Outbox.Retry()
	}
	return n, refused, err
}

// RetryLetter does it to one: Invalid, with the field "letter", when it may not be.
func (p *Practice) RetryLetter(ctx context.Context, by Administrator, publicID string) error {
	_, refused, err := p.RetryLetters(ctx, by, publicID)
	return refusal(refused, err)
}

// CancelLetters takes letters back that have not left. The link in an invitation ends with it. It tells how many, and why not
// the others. Any that is not there is ErrNotFound, and nothing is done.
func (p *Practice) CancelLetters(ctx context.Context, by Administrator, publicIDs ...string) (n int, refused []LetterRefusal, err error) {
	return p.eachLetter(ctx, by, "took a letter back", publicIDs, mayCancel, func(tx *db.Tx, l db.OutboxLetter) error {
		if l.Kind == db.LetterInvitation { // a newer one may have a link of its own
			if err := tx.EndLink(l.LinkID); err != nil {
				return err
			}
		}
		return tx.CancelLetter(l.ID, "An administrator took it back.")
	})
}

// CancelLetter does it to one: Invalid, with the field "letter", when it may not be.
func (p *Practice) CancelLetter(ctx context.Context, by Administrator, publicID string) error {
	_, refused, err := p.CancelLetters(ctx, by, publicID)
	return refusal(refused, err)
}

func refusal(refused []LetterRefusal, err error) error {
	if err == nil && len(refused) > 0 {
		return Invalid{"letter": refused[0].Why}
	}
	return err
}

// eachLetter does one thing to each of some letters, unless something speaks against it.
func (p *Practice) eachLetter(ctx context.Context, by Administrator, act db.Act, publicIDs []string,
	against func(*db.Tx, db.OutboxLetter) (string, error), do func(*db.Tx, db.OutboxLetter) error) (n int, refused []LetterRefusal, err error) {
	if !by.administers() {
		return 0, nil, ErrNotAllowed
	}
	err = p.db.Update(ctx, func(tx *db.Tx) error {
		for _, id := range publicIDs {
			l, err := tx.OutboxLetter(by.reach(), id)
			if err != nil {
				return err
			}
			why, err := against(tx, l)
			if err != nil {
				return err
			}
			if why != "" {
				refused = append(refused, LetterRefusal{l, why})
				continue
			}
			if err := do(tx, l); err != nil {
				return err
			}
			if err := tx.Audit(db.AuditEntry{StaffID: by.member.ID, Act: act, ClientID: l.ClientID, Detail: string(l.Kind)}); err != nil {
				return err
			}
			n++
		}
		return nil
	})
	if err != nil {
		return 0, nil, err
	}
	return n, refused, nil
}

// mayRetry says what speaks against sending the same letter once more; empty: nothing.
func (p *Practice) mayRetry(tx *db.Tx, l db.OutboxLetter) (string, error) {
	anew := " Send a new one instead."
	if l.Kind.Notice() {
		anew = "" // there is nothing to send anew
	}
	switch {
	case l.State == db.LetterSending:
		return "It is on its way.", nil
	case l.State == db.LetterAccepted:
		return "The mail server took it already.", nil
	case l.State == db.LetterCancelled:
		return "It was taken back." + anew, nil
	case l.Uncertain >= mail.MaxUncertain:
		return "It may have arrived three times already." + anew, nil
	case l.EnvelopeFrom != p.from().Envelope(): // the mail server may take it from nobody else
		return "It was written before mails came from " + p.from().String() + "." + anew, nil
	}
	var link db.Link
	var err error
	if l.LinkID != 0 {
		if link, _, err = tx.LinkToken(l.LinkID); err != nil {
			return "", err
		}
	}
	if why, _ := mail.TooLate(l.Letter, link, tx.Now()); why != "" {
		return why + anew, nil
	}
	if replaced, err := tx.LetterReplaced(l.Letter); err != nil || replaced && !l.Kind.Notice() {
		return "A newer letter took its place.", err
	}
	why, err := tx.LetterMayNotLeave(l.ID)
	if why != "" {
		why += anew
	}
	return why, err
}

// mayCancel says what speaks against taking a letter back; empty: nothing.
func mayCancel(_ *db.Tx, l db.OutboxLetter) (string, error) {
	switch l.State {
	case db.LetterQueued:
		return "", nil
	case db.LetterSending:
		return "It is on its way and can't be called back.", nil
	case db.LetterAccepted:
		return "The mail server took it already.", nil
	case db.LetterFailed:
		return "It failed and waits no more.", nil
	}
	return "It is in the queue no more.", nil
}
