package practice

import (
	"context"
	"errors"
	"slices"
	"time"

	"anteroom/db"
	"anteroom/mail"
)

// opened is the act of looking at a client's record.
const opened db.Act = "opened the record"

// reviewed is the act of looking at a completed form's safety concern.
const reviewed db.Act = "reviewed the completed form"

// historyLength is how many entries a client's page shows.
const historyLength = 50

// ClientDetails is a client's record as one staff member may see it.
type ClientDetails struct {
	ClientRecord // the notes only for those who may edit it
	State        db.PortalState
	Therapists   []db.StaffMember
	Assignable   []db.StaffMember // whom an administrator may give the client to
	Forms        []SentForm
	NewAddress   db.AddressChange // waits to be confirmed; zero: none does
	Sendings     []SendingHistory // invitations and words of forms, newest first
	Letters      []db.Letter      // the others
	Trouble      Trouble          // why mail doesn't reach them
	Resending    Resending        // only for those who may invite
	Reminders    Reminders
	Hold         OutboxStatus // what holds letters to clients
	History      []HistoryEntry
	Factors      db.Factors // with which they take the second step in the portal

	Delivered bool // a mail server may have a letter to the address on file
	MayEdit   bool
	MayRead   bool   // completed forms and what they come to
	MayInvite bool   // and send, resend and revoke forms
	NoInvite  string // why nothing can be sent to the client now; empty: it can
}

// Invited tells that an invitation is open: its link still works.
func (d ClientDetails) Invited(now time.Time) bool { return d.Portal.Open(now) }

// NeedsLook tells that a completed form raised a safety concern, and nobody has reviewed it.
func (d ClientDetails) NeedsLook() bool {
	for _, f := range d.Forms {
		if f.NeedsLook() {
			return true
		}
	}
	return false
}

// SentForm is a form request with what it came to, for those who may read it.
type SentForm struct {
	db.FormRequest
	Result db.FormResult
}

// NeedsLook tells that the form raised a safety concern, and nobody has reviewed it.
func (f SentForm) NeedsLook() bool { return f.Result.SafetyConcern && f.ReviewedAt.IsZero() }

// HistoryEntry is one line of what happened: who did what.
type HistoryEntry struct {
	At     time.Time
	Who    string
	Act    string
	Detail string
}

// OpenClient returns a client's record, and notes that the staff member opened it: if that can't be noted, nothing is
// shown. Administrators may open any, therapists those assigned to them, other staff any; ErrNotFound otherwise. The
// history leaves out who opened what, unless openings are asked for.
func (p *Practice) OpenClient(ctx context.Context, by Staff, publicID string, openings bool) (d ClientDetails, err error) {
	d.Hold = p.OutboxStatus()
	err = p.db.Update(ctx, func(tx *db.Tx) error {
		c, err := tx.Client(by.reach(), publicID)
		if err != nil {
			return err
		}
		if d.ClientRecord, err = recordOf(tx, by.reach(), c); err != nil {
			return err
		}
		if err := tx.Audit(db.AuditEntry{StaffID: by.member.ID, Act: opened, ClientID: d.ID}); err != nil {
			return err
		}
		d.State = d.Portal.State(tx.Now())
		if err := d.rights(tx, by); err != nil {
			return err
		}
		if !d.MayEdit {
			d.Notes = ""
		}
		if err := d.people(tx, by); err != nil {
			return err
		}
		if d.NewAddress, err = tx.AddressChange(by.reach(), d.ID); err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		if err := d.forms(tx, by); err != nil {
			return err
		}
		if err := d.sendings(tx, by); err != nil {
			return err
		}
		if d.Reminders, err = remindersOf(tx, c, d.MayEdit || d.MayInvite); err != nil {
			return err
		}
		if d.Factors, err = tx.Factors(d.ID, 0); err != nil {
			return err
		}
		return d.history(tx, by, openings)
	})
	return d, err
}

// rights finds out what else the staff member may do with the record.
func (d *ClientDetails) rights(tx *db.Tx, by Staff) error {
	for _, right := range []struct {
		may   *bool
		reach db.Reach
	}{{&d.MayEdit, by.edits()}, {&d.MayRead, by.reads()}, {&d.MayInvite, by.invites()}} {
		_, err := tx.ClientByID(right.reach, d.ID)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		*right.may = err == nil
	}
	off, err := portalIsOff(tx)
	if err != nil {
		return err
	}
	switch {
	case !d.MayInvite && !by.administers() && !by.granted(db.MayInviteClients):
		d.NoInvite = "You don't have the permission “Can invite clients to the client portal and manage intake forms”. An administrator can grant it."
	case !d.MayInvite:
		d.NoInvite = "This client isn't assigned to you. An administrator can assign them."
	case off:
		d.NoInvite = portalOff
	case d.ArchivedAt.IsZero() && !d.Portal.OffAt.IsZero():
		d.NoInvite = "Portal access is turned off for this client. An administrator can turn it on again."
		if by.administers() {
			d.NoInvite = "Portal access is turned off for this client. Turn it on first, under Client portal."
		}
	default:
		d.NoInvite = Unreachable(d.Client)
	}
	return nil
}

func (d *ClientDetails) people(tx *db.Tx, by Staff) (err error) {
	if d.Therapists, err = tx.AssignedStaff(d.ID); err != nil || !by.administers() {
		return err
	}
	assigned := map[int64]bool{}
	for _, m := range d.Therapists {
		assigned[m.ID] = true
	}
	all, err := tx.AllStaff()
	for _, m := range all {
		if !assigned[m.ID] && m.DisabledAt.IsZero() && m.Role != db.RoleAdministrator {
			d.Assignable = append(d.Assignable, m)
		}
	}
	return err
}

func (d *ClientDetails) forms(tx *db.Tx, by Staff) error {
	requests, err := tx.FormRequests(by.reach(), d.ID)
	if err != nil {
		return err
	}
	for _, r := range requests {
		f := SentForm{FormRequest: r}
		if d.MayRead {
			if f.Result, err = tx.FormResult(r); err != nil {
				return err
			}
		}
		d.Forms = append(d.Forms, f)
	}
	return nil
}

func (d *ClientDetails) sendings(tx *db.Tx, by Staff) error {
	o, err := tx.Organization()
	if err != nil {
		return err
	}
	if o.PortalOff() {
		d.Hold = OutboxStatus{Status: mail.Status{Held: portalOff}}
	}
	d.Trouble = PortalTrouble(d.Portal, o.TimeZone)
	if d.MayInvite {
		if d.Resending, err = resendable(tx, o, d.Client); err != nil {
			return err
		}
	}
	letters, err := tx.ClientLetters(by.reach(), d.ID)
	if err != nil {
		return err
	}
	sendings, err := tx.Sendings(by.reach(), d.ID)
	if err != nil {
		return err
	}
	names, err := tx.StaffNames()
	if err != nil {
		return err
	}
	past, rest := sendingPast{hold: d.Hold, zone: o.TimeZone, now: tx.Now()}, letters
	for _, s := range sendings {
		at := slices.IndexFunc(rest, func(l db.Letter) bool { return l.ID == s.ID })
		past.after, rest = rest[:at], rest[at+1:]
		if !s.EndedAt.IsZero() {
			acts, err := tx.ActsAt(by.reach(), d.ID, s.EndedAt)
			if err != nil {
				return err
			}
			past.ended = whyEnded(acts)
		}
		d.Sendings = append(d.Sendings, sendingHistory(newSendingRow(s, d.Client, names[s.SentBy], o.TimeZone, tx.Now()), past))
		past.next = s.SentAt
	}
	for _, l := range letters {
		if l.To.Canonical() == d.Email.Canonical() && (l.State == db.LetterAccepted || l.Uncertain > 0) {
			d.Delivered = true
		}
		if l.Kind != db.LetterInvitation && l.Kind != db.LetterForms && !l.Kind.Reminder() {
			d.Letters = append(d.Letters, l)
		}
	}
	return nil
}

// MayMark tells that the staff member may note whether mail to the address comes back, and that there was any.
func (d ClientDetails) MayMark() bool {
	return (d.MayEdit || d.MayInvite) && !d.Email.IsZero() && (d.Delivered || d.Portal.Troubled())
}

// Over tells that the client was invited, and that the invitation was ended before they joined.
func (d ClientDetails) Over() bool {
	return d.State == db.PortalNotInvited && d.Portal.UsedAt.IsZero() && len(d.Sendings) > 0 && d.Sendings[0].Kind == db.LetterInvitation
}

func (d *ClientDetails) history(tx *db.Tx, by Staff, openings bool) error {
	entries, err := tx.ClientHistory(by.reach(), d.ID, openings, historyLength)
	if err != nil {
		return err
	}
	t, err := newTeller(tx, by.reach(), entries)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Act == reviewed && !d.MayRead {
			continue // only a form with a safety concern is reviewed
		}
		line := HistoryEntry{At: e.At, Who: t.who(e).Name}
		if e.ByClient == d.ID {
			line.Who = d.Name()
		}
		line.Act, line.Detail = t.here(e)
		d.History = append(d.History, line)
	}
	return nil
}
