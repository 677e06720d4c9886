package practice

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"anteroom/db"
	"anteroom/mail"
)

// writer composes the letters of one preview or one sending. Each message is parsed once, for any number of clients.
type writer struct {
	p        *Practice
	practice db.Organization
	sender   string
	now      time.Time
	parsed   map[db.Message]*mail.Message
	repeats  time.Time // when the link expires that a reminder repeats
}

func (p *Practice) newWriter(practice db.Organization, sender string, now time.Time) *writer {
	return &writer{p: p, practice: practice, sender: sender, now: now, parsed: map[db.Message]*mail.Message{}}
}

// expires is when the link stops working: of an invitation sent now, or the one that a reminder repeats.
func (w *writer) expires() time.Time {
	if !w.repeats.IsZero() {
		return w.repeats
	}
	return w.now.AddDate(0, 0, w.practice.InvitationDays)
}

// write composes the letter that a client gets, in their language as far as the words are ours. Its link is a slot, or the
// way to sign in for who has an account.
func (w *writer) write(kind db.MessageKind, m db.Message, client db.Client, therapists []string) (mail.Letter, error) {
	l := languageOf(client)
	frame := w.p.frame(w.practice, l, w.now)
	frame.To = mail.Address{Name: client.FirstName + " " + client.LastName, Email: client.Email}
	frame.Values = w.particulars(kind, client, therapists).values(kind)
	frame.Button = l.buttons[kind.About()]
	frame.Footer += l.line(l.sentBy+"\n"+l.why, w.practice.Name, w.sender)
	frame.NotMeant = w.p.notMeantLink(l)
	return w.p.config.Composer.Compose(w.parse(m), frame)
}

// particulars are what a client's letter is filled from.
func (w *writer) particulars(kind db.MessageKind, client db.Client, therapists []string) particulars {
	link := w.p.link("link/" + mail.Slot)
	if kind.About() == db.FormsMessage {
		link = w.p.link("sign-in")
	}
	return particulars{client: client, language: languageOf(client), therapists: therapists, practice: w.practice, sender: w.sender, link: link, expires: w.expires()}
}

// frame is what all letters of the practice have in common: from whom they come, where answers go, and how the practice is
// reached, to which each letter's footer adds its lines.
func (p *Practice) frame(o db.Organization, l Language, now time.Time) mail.Particulars {
	from := mail.Address{Name: o.Name, Email: p.from()}
	frame := mail.Particulars{From: from, ReplyTo: from, Footer: o.Name + ", " + o.Phone + "\n", Logo: mailLogo(o), Lang: l.Tag, Date: now.In(o.TimeZone)}
	if !o.Email.IsZero() {
		frame.ReplyTo.Email = o.Email
		frame.Footer += o.Email.String() + "\n"
	}
	if o.Address != "" {
		frame.Footer += o.Address + "\n"
	}
	return frame
}

// notMeantLink is where whoever gets a client's letter by mistake says so.
func (p *Practice) notMeantLink(l Language) mail.Follow {
	return mail.Follow{Words: l.notMeant, URL: p.link("not-for-me/" + mail.NotMeantSlot)}
}

func (w *writer) parse(m db.Message) *mail.Message {
	parsed, ok := w.parsed[m]
	if !ok {
		parsed = mail.Parse(m.Subject, m.Body)
		w.parsed[m] = parsed
	}
	return parsed
}

// written is a letter that was composed, or why it couldn't be.
type written struct {
	mail.Letter
	err error
}

// writeAll composes the letters of a draft's recipients in order: some, while the ones before are taken.
func (w *writer) writeAll(d Draft) iter.Seq2[recipient, written] {
	return func(yield func(recipient, written) bool) {
		chunks := slices.Collect(slices.Chunk(d.recipients, sendAtOnce))
		soon := make(chan []written, 1)
		begin := func(n int) {
			if n < len(chunks) {
				go func() { soon <- w.writeSome(d, chunks[n]) }()
			}
		}
		begin(0)
		for n, some := range chunks {
			letters := <-soon
			begin(n + 1)
			for i, r := range some {
				if !yield(r, letters[i]) {
					return
				}
			}
		}
	}
}

// writeSome composes letters on every processor: the sending waits for nothing longer.
func (w *writer) writeSome(d Draft, some []recipient) []written {
	for _, r := range some {
		w.parse(d.message(r)) // so that below it is only looked up
	}
	letters := make([]written, len(some))
	var next atomic.Int64
	var wait sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(some); i = int(next.Add(1)) - 1 {
				letters[i].Letter, letters[i].err = w.write(some[i].kind, d.message(some[i]), some[i].Client, some[i].therapists)
			}
		})
	}
	wait.Wait()
	return letters
}

// checkMessage says what is wrong with a message, and with the longest letter that it makes; its fields are "subject" and
// "body", after the prefix.
func (p *Practice) checkMessage(kind db.MessageKind, m db.Message, prefix string) Invalid {
	wrong := messageFaults(kind, m, prefix)
	if len(wrong) > 0 {
		return wrong
	}
	name, long := strings.Repeat("w", maxName), strings.Repeat("w", longestName)
	w := p.newWriter(db.Organization{Name: name, Phone: name, Email: p.from(), Address: strings.Repeat("w", maxAddress), TimeZone: time.UTC}, long, time.Time{})
	for _, l := range languages {
		client := db.Client{FirstName: name, LastName: name, PreferredName: name, Email: p.from(), Language: l.Tag}
		if _, err := w.write(kind, m, client, []string{long}); errors.Is(err, mail.ErrTooLong) {
			wrong[prefix+"body"] = "This makes too long a mail. Shorten it."
		}
	}
	return wrong
}

// message is what a recipient's letter is made from: their own message, or the one that the draft's author changed for all, or
// the default in the recipient's language.
func (d Draft) message(r recipient) db.Message {
	if r.Own != nil {
		return *r.Own
	}
	if m, changed := d.record.Messages[r.kind]; changed {
		return m
	}
	return d.defaults[r.kind][languageOf(r.Client).Key]
}

// Preview is one client's letter as it will be sent.
type Preview struct {
	Draft    Draft
	Client   db.Client
	Kind     db.MessageKind
	Letter   mail.Letter
	Language Language   // of our own words in it
	Message  db.Message // what it is made from, to be changed
	Own      bool       // written for this client alone
	Owners   int        // how many of the kind have a message of their own
	Position int        // from 1
	Previous string     // public ids of the clients beside this one; empty at the ends
	Next     string
}

// Warning is what is known to be wrong with the address that the letter goes to; empty: nothing.
func (p Preview) Warning() string { return p.Draft.warning(p.Client) }

// Preview composes a chosen client's letter, the first one's when clientID is empty. It returns ErrNotFound as Draft does,
// and for a client who will get no letter.
func (p *Practice) Preview(ctx context.Context, by Staff, draftID, clientID string) (preview Preview, err error) {
	err = p.db.View(ctx, func(tx *db.Tx) error {
		d, err := loadDraft(tx, by, draftID)
		if err != nil {
			return err
		}
		at := 0
		if clientID != "" {
			at = slices.IndexFunc(d.recipients, func(r recipient) bool { return r.PublicID == clientID })
		}
		if at < 0 || at >= len(d.recipients) {
			return ErrNotFound
		}
		r := d.recipients[at]
		preview = Preview{Draft: d, Client: r.Client, Kind: r.kind, Language: languageOf(r.Client), Message: d.message(r), Own: r.Own != nil, Position: at + 1}
		for _, other := range d.recipients {
			if other.kind == r.kind && other.Own != nil {
				preview.Owners++
			}
		}
		if at > 0 {
			preview.Previous = d.recipients[at-1].PublicID
		}
		if at+1 < len(d.recipients) {
			preview.Next = d.recipients[at+1].PublicID
		}
		preview.Letter, err = p.newWriter(d.practice, by.Name(), tx.Now()).write(r.kind, preview.Message, r.Client, r.therapists)
		return err
	})
	return preview, err
}

// ChangeMessage changes a message where it is previewed: for one client alone, or for all who get the same kind and have
// none of their own. It returns what SaveDraft does; the fields are "subject" and "body".
func (p *Practice) ChangeMessage(ctx context.Context, by Staff, draftID, clientID string, m db.Message, forAll bool) error {
	return p.db.Update(ctx, func(tx *db.Tx) error {
		d, err := loadUnsent(tx, by, draftID)
		if err != nil {
			return err
		}
		at := slices.IndexFunc(d.recipients, func(r recipient) bool { return r.PublicID == clientID })
		if at < 0 {
			return ErrNotFound
		}
		r := d.recipients[at]
		if wrong := p.checkMessage(r.kind, m, ""); len(wrong) > 0 {
			return wrong
		}
		if !forAll {
			return tx.SetOwnMessage(d.record.ID, r.ID, &m)
		}
		d.change(r.kind, m)
		if err := tx.SetOwnMessage(d.record.ID, r.ID, nil); err != nil {
			return err
		}
		return tx.SaveDraft(d.record)
	})
}

// DropOwnMessage gives a client the message that all the others get.
func (p *Practice) DropOwnMessage(ctx context.Context, by Staff, draftID, clientID string) error {
	return p.db.Update(ctx, func(tx *db.Tx) error {
		d, err := loadUnsent(tx, by, draftID)
		if err != nil {
			return err
		}
		client, err := tx.Client(by.invites(), clientID)
		if err != nil {
			return err
		}
		return tx.SetOwnMessage(d.record.ID, client.ID, nil)
	})
}

// Send sends a draft, once: invitations, form requests, letters and audit entries are one transaction, and who may be
// written to is asked again inside it. previewed is the version that the author saw; empty sends the draft as it stands. It
// returns ErrNotFound as Draft does, db.ErrSent when it was sent before, Invalid when nobody would get a letter, and
// ErrNotAsPreviewed when something else would be sent than was seen.
func (p *Practice) Send(ctx context.Context, by Staff, draftID, previewed string) error {
	err := p.db.Update(ctx, func(tx *db.Tx) error {
		d, err := loadUnsent(tx, by, draftID)
		if err != nil {
			return err
		}
		if d.Closed() != "" {
			return Invalid{"send": d.Closed()}
		}
		if d.Receivers() == 0 {
			return d.Nobody()
		}
		if previewed != "" && previewed != d.Version() {
			return ErrNotAsPreviewed
		}
		if err := tx.MarkDraftSent(d.record.ID); err != nil {
			return err
		}
		w := p.newWriter(d.practice, by.Name(), tx.Now())
		for r, letter := range w.writeAll(d) {
			if letter.err != nil {
				return letter.err
			}
			if err := p.sendTo(tx, w, d, by, r, letter.Letter); err != nil {
				return fmt.Errorf("client %s: %w", r.PublicID, err)
			}
		}
		if d.SaveDefault {
			return saveDefaults(tx, by, d)
		}
		return nil
	})
	if err == nil {
		p.config.Wake()
	}
	return err
}

// sendAtOnce is how many letters are composed while as many are queued: bounds what a large sending holds in memory.
const sendAtOnce = 64

// sendTo queues one recipient's letter and asks them for the chosen forms.
func (p *Practice) sendTo(tx *db.Tx, w *writer, d Draft, by Staff, r recipient, letter mail.Letter) error {
	asked := 0
	for i, f := range d.Forms {
		if !f.Chosen {
			continue
		}
		added, err := tx.AddFormRequest(r.ID, by.member.ID, d.forms[i])
		if err != nil {
			return err
		}
		if added {
			asked++
		}
	}
	act := db.Act("sent a message about forms")
	if r.kind == db.InvitationMessage {
		act = "invited to the client portal"
		if err := p.sendInvitation(tx, letter, r.Client, w.expires(), by.member.ID, db.Letter{SentBy: by.member.ID, DraftID: d.record.ID}); err != nil {
			return err
		}
	} else if err := p.sendFormsLetter(tx, letter, r.Client, db.Letter{SentBy: by.member.ID, DraftID: d.record.ID}); err != nil {
		return err
	}
	return tx.Audit(db.AuditEntry{StaffID: by.member.ID, Act: act, ClientID: r.ID, Detail: formsSent(asked)})
}

// formsSent is how many forms a letter asked for that weren't open already, in words.
func formsSent(n int) string {
	switch n {
	case 0:
		return "no new form"
	case 1:
		return "1 form"
	}
	return fmt.Sprintf("%d forms", n)
}

// sendInvitation queues an invitation to a client. It ends the link that they hold, and takes back a letter that has not
// left yet. client is as this transaction read it. l says on whose right the letter goes: on nobody's, when the client asked for it.
func (p *Practice) sendInvitation(tx *db.Tx, letter mail.Letter, client db.Client, expires time.Time, sentBy int64, l db.Letter) error {
	const why = "A newer invitation took its place."
	add := tx.AddFirstLink
	if client.Portal.Invitation != "" {
		add = tx.AddLink
		if err := errors.Join(tx.CancelLetters(client.ID, db.LetterInvitation, why), tx.CancelLetters(client.ID, db.LetterInvitationReminder, why)); err != nil {
			return err
		}
	}
	link := db.Link{Purpose: db.LinkJoin, ClientID: client.ID, ExpiresAt: expires}
	if err := add(&link); err != nil {
		return err
	}
	invitation := db.Invitation{ClientID: client.ID, LinkID: link.ID, SentBy: sentBy}
	if err := tx.AddInvitation(&invitation); err != nil {
		return err
	}
	l.Kind, l.ClientID, l.InvitationID, l.LinkID = db.LetterInvitation, client.ID, invitation.ID, link.ID
	return p.queue(tx, letter, l)
}

// sendFormsLetter queues word of forms to a client, and takes back a letter that has not left yet. l is as for sendInvitation.
func (p *Practice) sendFormsLetter(tx *db.Tx, letter mail.Letter, client db.Client, l db.Letter) error {
	const why = "A newer letter took its place."
	if err := errors.Join(tx.CancelLetters(client.ID, db.LetterForms, why), tx.CancelLetters(client.ID, db.LetterFormsReminder, why)); err != nil {
		return err
	}
	l.Kind, l.ClientID = db.LetterForms, client.ID
	return p.queue(tx, letter, l)
}

// queue freezes a composed letter into the outbox.
func (p *Practice) queue(tx *db.Tx, letter mail.Letter, l db.Letter) error {
	l.OwnLink = l.ClientID != 0
	l.MessageID, l.To, l.EnvelopeFrom, l.Subject, l.Data = letter.MessageID, letter.To.Email, p.from().Envelope(), letter.Subject, letter.Bytes
	return tx.AddLetter(&l)
}

// saveDefaults makes a draft's messages and forms those that new drafts start with. What was changed for one client alone
// is not part of it.
func saveDefaults(tx *db.Tx, by Staff, d Draft) error {
	var keys []string
	for _, f := range d.Forms {
		if f.Chosen {
			keys = append(keys, f.Key)
		}
	}
	for _, m := range d.Messages {
		if m.Receivers == 0 {
			continue
		}
		if err := errors.Join(tx.SaveDefaultMessage(m.Kind, m.Language.Key, m.Message), tx.SaveDefaultForms(m.Kind, keys)); err != nil {
			return err
		}
	}
	return tx.Audit(db.AuditEntry{StaffID: by.member.ID, Act: "saved the default message and intake forms"})
}

// Progress is how far the letters of a sent draft are.
type Progress struct {
	Total, Accepted, Waiting, Failed, NeedsAttention, Cancelled int

	Later int // of those that wait: were tried, and are tried again another time
}

// Moving tells that more will happen soon.
func (p Progress) Moving() bool { return p.Waiting > p.Later }

// Done tells that every letter reached its end.
func (p Progress) Done() bool { return p.Waiting == 0 }

// Settled is how many letters reached an end.
func (p Progress) Settled() int { return p.Total - p.Waiting }

// Outcome is a sent draft: how far its letters are, and what became of each.
type Outcome struct {
	Draft    Draft
	Progress Progress
	Letters  []db.DraftLetter // a page of them: what needs a look first, then by name
}

// Outcome returns what became of a draft that its author sent. It returns ErrNotFound as Draft does, and before it is sent.
func (p *Practice) Outcome(ctx context.Context, by Staff, draftID string, offset, limit int) (o Outcome, err error) {
	err = p.db.View(ctx, func(tx *db.Tx) error {
		if o.Draft.record, err = tx.Draft(by.member.ID, draftID); err != nil {
			return err
		}
		o.Draft.PublicID, o.Draft.Sent = o.Draft.record.PublicID, !o.Draft.record.SentAt.IsZero()
		if !o.Draft.Sent || o.Draft.record.ClientID == 0 && !by.administers() {
			return ErrNotFound
		}
		if o.Draft.record.ClientID != 0 {
			if o.Draft.Client, err = tx.ClientByID(by.invites(), o.Draft.record.ClientID); err != nil {
				return err
			}
		}
		counts, err := tx.DraftLetters(o.Draft.record.ID)
		if err != nil {
			return err
		}
		o.Progress = Progress{
			Accepted: counts[db.LetterAccepted], Waiting: counts[db.LetterQueued] + counts[db.LetterSending],
			Failed: counts[db.LetterFailed], NeedsAttention: counts[db.LetterNeedsAttention], Cancelled: counts[db.LetterCancelled],
		}
		for _, n := range counts {
			o.Progress.Total += n
		}
		if o.Progress.Later, err = tx.DraftLettersLater(o.Draft.record.ID); err != nil {
			return err
		}
		o.Letters, err = tx.LettersOfDraft(by.invites(), o.Draft.record.ID, offset, limit)
		return err
	})
	return o, err
}

// SentAt is when the draft was sent.
func (o Outcome) SentAt() time.Time { return o.Draft.record.SentAt }

// Total is how many letters there are to look at.
func (p Preview) Total() int { return p.Draft.Receivers() }
