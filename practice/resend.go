package practice

import (
	"context"
	"errors"
	"slices"
	"time"

	"anteroom/db"
	"anteroom/mail"
)

// Resending says whether what was sent to a client last can be sent to them again.
type Resending struct {
	Kind db.MessageKind // empty: there is nothing to send again
	Why  string         // why it can't be sent now; empty: it can
	Soon bool           // that is because it was sent less than five minutes ago
}

// resendable finds out what can be sent again, and what speaks against it. Where the last letter didn't leave, another may at once.
func resendable(tx *db.Tx, o db.Organization, c db.Client) (r Resending, err error) {
	if r.Kind, err = lastKind(tx, c); err != nil {
		return r, err
	}
	if r.Why = Unreachable(c); r.Why != "" || r.Kind == "" {
		return r, nil
	}
	if o.PortalOff() {
		r.Why = portalOff
		return r, nil
	}
	last, state, err := tx.LastSending(c.ID)
	if err != nil || state == db.LetterFailed || state == db.LetterNeedsAttention {
		return r, err
	}
	if again := last.Truncate(time.Minute).Add(resendAfter); tx.Now().Before(again) { // by the minute that is shown
		r.Soon, r.Why = true, "The last letter is from "+last.In(o.TimeZone).Format("3:04 PM")+". Give it time to arrive: it can be sent again from "+
			again.In(o.TimeZone).Format("3:04 PM")+"."
	}
	return r, nil
}

// lastKind is what a client can be sent again: an invitation, who hasn't joined, or else word of the forms that are open.
func lastKind(tx *db.Tx, c db.Client) (db.MessageKind, error) {
	switch c.Portal.State(tx.Now()) {
	case db.PortalQueued, db.PortalInvited, db.PortalCouldntSend, db.PortalExpired:
		if !c.Portal.EndedAt.IsZero() {
			return "", nil // it was taken back: whoever wants to invite again does so anew
		}
		return db.InvitationMessage, nil
	case db.PortalActive:
		progress, err := tx.FormProgressOf(db.Oneself(c.ID), db.Reach{}, []int64{c.ID})
		if err != nil || progress[c.ID].Completed == progress[c.ID].Sent {
			return "", err
		}
		return db.FormsMessage, nil
	}
	return "", nil
}

// Resend sends a client again what was sent to them last, with the same message: the invitation, which gets a new link and
// ends the old one, or, where they have an account, word of the forms that are open. Who may invite the client may;
// ErrNotFound and ErrNotAllowed as for ClientToEdit. db.ErrClosed when there is nothing to send again; Invalid for "resend"
// when it can't be sent now, or was within the last five minutes.
func (p *Practice) Resend(ctx context.Context, by Staff, clientID string) error {
	err := p.db.Update(ctx, func(tx *db.Tx) error {
		c, err := within(tx, by, by.invites(), clientID)
		if err != nil {
			return err
		}
		o, err := tx.Organization()
		if err != nil {
			return err
		}
		r, err := resendable(tx, o, c)
		if err != nil {
			return err
		}
		return p.resend(tx, p.newWriter(o, by.Name(), tx.Now()), by, c, r)
	})
	if err == nil {
		p.config.Wake()
	}
	return err
}

func (p *Practice) resend(tx *db.Tx, w *writer, by Staff, c db.Client, r Resending) error {
	switch {
	case r.Why != "":
		return Invalid{"resend": r.Why}
	case r.Kind == "":
		return db.ErrClosed
	}
	letter, err := w.writeAgain(tx, r.Kind, c)
	if errors.Is(err, mail.ErrTooLong) {
		return Invalid{"resend": "The message makes too long a mail now. Invite the client anew, and shorten it."}
	}
	if err != nil {
		return err
	}
	act := db.Act("sent the invitation again")
	if r.Kind == db.InvitationMessage {
		err = p.sendInvitation(tx, letter, c, w.expires(), by.member.ID, db.Letter{SentBy: by.member.ID})
	} else {
		act = "sent the message about forms again"
		err = p.sendFormsLetter(tx, letter, c, db.Letter{SentBy: by.member.ID})
	}
	return errors.Join(err, tx.Audit(db.AuditEntry{StaffID: by.member.ID, Act: act, ClientID: c.ID}))
}

// writeAgain composes a letter with the message of the last of its kind to a client: their own, the draft's, or the default.
func (w *writer) writeAgain(tx *db.Tx, kind db.MessageKind, c db.Client) (mail.Letter, error) {
	self := db.Oneself(c.ID)
	message, err := tx.LastMessage(self, c.ID, kind)
	if errors.Is(err, ErrNotFound) {
		message, err = defaultFor(tx, kind, c)
	}
	if err != nil {
		return mail.Letter{}, err
	}
	therapists, err := tx.TherapistsOf(self, []int64{c.ID})
	if err != nil {
		return mail.Letter{}, err
	}
	return w.write(kind, message, c, therapists[c.ID])
}

// ResendChosen says for which clients a button of the list of sendings was pressed: those who were ticked, or all whose
// invitation expired and whom the list lets through.
type ResendChosen struct {
	IDs     []string // clients' public ids
	Expired *SendingQuery
}

func (chosen ResendChosen) clients(tx *db.Tx, reach db.Reach) ([]int64, error) {
	if chosen.Expired == nil {
		return tx.ClientIDsOf(reach, chosen.IDs)
	}
	f, err := chosen.Expired.filter(tx)
	if err != nil {
		return nil, err
	}
	f.State, f.Troubled = db.SendingExpired, false
	return tx.SendingClients(reach, f)
}

// Resent is what becomes of sending again to many, in clients.
type Resent struct {
	Sent        int
	Soon        int // left out: sent to within the last five minutes
	Bounced     int // left out: the office noted that their mail comes back, so whoever sends to them does so on their page
	Unreachable int // left out: can't be sent to
	Over        int // left out: nothing to send again
}

func (done *Resent) add(more Resent) {
	done.Sent += more.Sent
	done.Soon += more.Soon
	done.Bounced += more.Bounced
	done.Unreachable += more.Unreachable
	done.Over += more.Over
}

// count says where a client belongs of whom this is known.
func (done *Resent) count(c db.Client, r Resending) *int {
	switch {
	case r.Why != "" && !r.Soon:
		return &done.Unreachable
	case r.Kind == "":
		return &done.Over
	case !c.Portal.BouncedAt.IsZero():
		return &done.Bounced
	case r.Soon:
		return &done.Soon
	}
	return &done.Sent
}

// ToResend tells what would become of a button's press now, and sends nothing; administrators may ask.
func (p *Practice) ToResend(ctx context.Context, by Administrator, chosen ResendChosen) (would Resent, err error) {
	if !by.administers() {
		return would, ErrNotAllowed
	}
	err = p.db.View(ctx, func(tx *db.Tx) error {
		ids, err := chosen.clients(tx, by.invites())
		if err != nil {
			return err
		}
		for some := range slices.Chunk(ids, resendAtOnce) {
			if err := eachResending(tx, by, some, chosen.Expired != nil, func(c db.Client, r Resending) error {
				*would.count(c, r)++
				return nil
			}); err != nil {
				return err
			}
		}
		return nil
	})
	return would, err
}

// resendAtOnce is how many are sent to again in one transaction: others get their turn in between.
const resendAtOnce = 100

// ResendChosen sends again to many, each once; administrators may. Each client is checked as for Resend, and left out if
// nothing can be sent to them now, or their mail bounced.
func (p *Practice) ResendChosen(ctx context.Context, by Administrator, chosen ResendChosen) (done Resent, err error) {
	if !by.administers() {
		return done, ErrNotAllowed
	}
	var ids []int64
	if err := p.db.View(ctx, func(tx *db.Tx) error {
		ids, err = chosen.clients(tx, by.invites())
		return err
	}); err != nil {
		return done, err
	}
	for some := range slices.Chunk(ids, resendAtOnce) {
		var now Resent
		if err := p.db.Update(ctx, func(tx *db.Tx) error {
			now, err = p.resendSome(tx, by, some, chosen.Expired != nil)
			return err
		}); err != nil {
			return done, err
		}
		done.add(now)
		p.config.Wake()
	}
	return done, nil
}

func (p *Practice) resendSome(tx *db.Tx, by Administrator, clientIDs []int64, expired bool) (done Resent, err error) {
	o, err := tx.Organization()
	if err != nil {
		return done, err
	}
	w := p.newWriter(o, by.Name(), tx.Now())
	err = eachResending(tx, by, clientIDs, expired, func(c db.Client, r Resending) error {
		n := done.count(c, r)
		if n == &done.Sent {
			var wrong Invalid
			switch err := p.resend(tx, w, by.Staff, c, r); {
			case errors.As(err, &wrong):
				n = &done.Unreachable
			case err != nil:
				return err
			}
		}
		*n++
		return nil
	})
	return done, err
}

// eachResending says of each of some clients what can be sent to them again.
func eachResending(tx *db.Tx, by Administrator, clientIDs []int64, expired bool, each func(db.Client, Resending) error) error {
	o, err := tx.Organization()
	if err != nil {
		return err
	}
	clients, err := tx.ClientsByID(by.invites(), clientIDs)
	if err != nil {
		return err
	}
	for _, c := range clients {
		r, err := resendable(tx, o, c)
		if err != nil {
			return err
		}
		if expired && c.Portal.State(tx.Now()) != db.PortalExpired { // joined, or was invited anew, meanwhile
			r = Resending{}
		}
		if err := each(c, r); err != nil {
			return err
		}
	}
	return nil
}
