package practice

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"anteroom/db"
)

// Draft is an invitation being composed, as its author sees it.
type Draft struct {
	PublicID     string
	Client       db.Client // composed on this client's page; zero: on the Organization page
	Sent         bool
	Messages     []DraftMessage // one for each kind that somebody will receive
	Forms        []DraftForm
	SaveDefault  bool
	MaySave      bool // whether this author may save a default
	Invitations  int  // how many will be invited
	FormsLetters int  // how many have an account, and are told of their forms
	WithoutForm  int  // how many have an account, and get nothing until a form is ticked
	LeftOut      []LeftOut

	record     db.Draft
	recipients []recipient
	forms      []db.Form // the newest version of each
	practice   db.Organization
	defaults   map[db.MessageKind]map[string]db.Message // by language
}

// DraftMessage is the message to one kind of recipient.
type DraftMessage struct {
	Kind db.MessageKind
	db.Message
	Receivers int
	Language  Language            // of the default that it is, or was before it was changed
	Changed   bool                // it goes to all as it is written, whatever they read
	Others    []LanguageReceivers // who read another language, and have no message of their own
}

// LanguageReceivers is how many get a default in their own language.
type LanguageReceivers struct {
	Language
	Receivers int
}

// DraftForm is a form that can be sent, and whether it will be.
type DraftForm struct {
	Key    string
	Title  string
	Chosen bool
}

// LeftOut is a chosen client who will get nothing, and why.
type LeftOut struct {
	Client db.Client
	Why    string
}

// Warned is a client who gets a letter all the same, and what its author should know before.
type Warned struct {
	Client db.Client
	Why    string
}

// Warned are the recipients to whose address mail bounced.
func (d Draft) Warned() (all []Warned) {
	for _, r := range d.recipients {
		if why := d.warning(r.Client); why != "" {
			all = append(all, Warned{r.Client, why})
		}
	}
	return all
}

func (d Draft) warning(c db.Client) string {
	if c.Portal.BouncedAt.IsZero() {
		return ""
	}
	return strings.TrimSuffix(AddressTrouble(c.Portal, d.practice.TimeZone).Why, ".") + ": check it first."
}

// Receivers is how many will get a letter.
func (d Draft) Receivers() int { return len(d.recipients) }

// Closed says why nothing can be sent now; empty: it can.
func (d Draft) Closed() string {
	if d.practice.PortalOff() {
		return portalOff
	}
	return ""
}

// Empty tells that nobody is chosen.
func (d Draft) Empty() bool { return len(d.recipients)+len(d.LeftOut) == 0 }

// OnlyWithoutForm tells that everybody chosen has an account, and no form is ticked yet.
func (d Draft) OnlyWithoutForm() bool {
	return d.WithoutForm > 0 && d.Receivers() == 0 && len(d.LeftOut) == d.WithoutForm
}

// Nobody says why nobody would get a letter, and how to mend it.
func (d Draft) Nobody() Invalid {
	switch {
	case d.WithoutForm > 0:
		return Invalid{"form_key": "Tick at least one form: a client who has an account already is only told of forms."}
	case len(d.LeftOut) > 0:
		return Invalid{"send": "Nobody would get a letter. See below who is left out, and why."}
	}
	return Invalid{"send": "Nobody is selected yet. Select somebody on Manage Clients first."}
}

// ErrNotAsPreviewed says that a draft was changed after its author looked at it.
var ErrNotAsPreviewed = errors.New("the draft was changed since it was previewed")

// Version tells apart what a draft would send, and to whom, at two times.
func (d Draft) Version() string {
	sum := sha256.New()
	for _, m := range d.Messages {
		fmt.Fprintf(sum, "%q\n", []string{string(m.Kind), m.Subject, m.Body})
	}
	fmt.Fprintf(sum, "%v %v\n", d.Forms, d.SaveDefault)
	for _, r := range d.recipients {
		m := d.message(r)
		fmt.Fprintf(sum, "%q\n", []string{r.PublicID, string(r.kind), r.Email.String(), languageOf(r.Client).Tag, m.Subject, m.Body})
	}
	return hex.EncodeToString(sum.Sum(nil)[:8])
}

// recipient is a chosen client who will get a letter.
type recipient struct {
	db.DraftClient
	kind       db.MessageKind
	therapists []string
}

// StartClientDraft begins an invitation on a client's page, or goes on with the one begun there, and returns its id.
// Administrators may for every client; others with the permission, for those assigned to them. It returns ErrNotFound for
// any other client, and ErrNotAllowed for one who can't be invited or sent forms now.
func (p *Practice) StartClientDraft(ctx context.Context, by Staff, clientID string) (draftID string, err error) {
	err = p.db.Update(ctx, func(tx *db.Tx) error {
		client, err := tx.Client(by.invites(), clientID)
		if err != nil {
			return err
		}
		off, err := portalIsOff(tx)
		if err != nil {
			return err
		}
		if off || Unreachable(client) != "" {
			return ErrNotAllowed
		}
		draft, err := openDraft(tx, by, client.ID)
		if err != nil {
			return err
		}
		draftID = draft.PublicID
		return tx.Choose(draft.ID, by.invites(), []string{clientID})
	})
	return draftID, err
}

// openDraft goes on with the author's draft for a page, or begins one.
func openDraft(tx *db.Tx, by Staff, clientID int64) (db.Draft, error) {
	draft, err := tx.OpenDraft(by.member.ID, clientID)
	if !errors.Is(err, ErrNotFound) {
		return draft, err
	}
	draft = db.Draft{AuthorID: by.member.ID, ClientID: clientID}
	return draft, tx.AddDraft(&draft)
}

// Unreachable says why a client can't be invited or sent forms; empty: they can.
func Unreachable(c db.Client) string {
	switch {
	case !c.ArchivedAt.IsZero():
		return "This client is archived."
	case !c.Portal.OffAt.IsZero():
		return "Portal access is turned off."
	case c.Email.IsZero():
		return "No email address on file."
	case !c.NoEmailAt.IsZero():
		return "May not be emailed."
	case !c.Portal.UnwantedAt.IsZero():
		return "Whoever reads this address said that our mail isn't meant for them. Ask the client for the right one; if it is theirs after all, say so on their page."
	}
	return ""
}

// Draft returns a draft to its author. ErrNotFound for anybody else's, and once the author may not send it any more.
func (p *Practice) Draft(ctx context.Context, by Staff, draftID string) (d Draft, err error) {
	err = p.db.View(ctx, func(tx *db.Tx) error {
		d, err = loadDraft(tx, by, draftID)
		return err
	})
	return d, err
}

func loadDraft(tx *db.Tx, by Staff, draftID string) (d Draft, err error) {
	if d.record, err = tx.Draft(by.member.ID, draftID); err != nil {
		return d, err
	}
	if d.record.ClientID == 0 && !by.administers() {
		return d, ErrNotFound
	}
	if d.record.ClientID != 0 {
		if d.Client, err = tx.ClientByID(by.invites(), d.record.ClientID); err != nil {
			return d, err
		}
	}
	d.PublicID, d.Sent, d.MaySave, d.SaveDefault = d.record.PublicID, !d.record.SentAt.IsZero(), by.administers() && d.record.ClientID == 0, d.record.SaveDefault
	if d.practice, err = tx.Organization(); err != nil {
		return d, err
	}
	if d.forms, err = tx.Forms(); err != nil {
		return d, err
	}
	chosen, err := tx.DraftClients(d.record.ID, by.invites(), 0)
	if err != nil {
		return d, err
	}
	keys, err := formKeys(tx, d.record, chosen)
	if err != nil {
		return d, err
	}
	for _, f := range d.forms {
		d.Forms = append(d.Forms, DraftForm{Key: f.Key, Title: f.Title, Chosen: slices.Contains(keys, f.Key)})
	}
	if err := d.sortOut(tx, by, chosen); err != nil {
		return d, err
	}
	d.defaults = map[db.MessageKind]map[string]db.Message{}
	for _, kind := range bothKinds {
		if d.defaults[kind], err = defaultsOf(tx, kind); err != nil {
			return d, err
		}
	}
	for kind, receivers := range map[db.MessageKind]int{db.InvitationMessage: d.Invitations, db.FormsMessage: d.FormsLetters} {
		if receivers == 0 && kind != d.toWrite() {
			continue
		}
		d.Messages = append(d.Messages, d.messageOf(kind, receivers))
	}
	slices.SortFunc(d.Messages, func(a, b DraftMessage) int { return slices.Index(bothKinds, a.Kind) - slices.Index(bothKinds, b.Kind) })
	return d, nil
}

// messageOf is the message of a kind: as its author changed it, or the default, in the language that all its receivers share.
func (d Draft) messageOf(kind db.MessageKind, receivers int) DraftMessage {
	m := DraftMessage{Kind: kind, Receivers: receivers, Language: languages[0]}
	reading := map[string]int{}
	for _, r := range d.recipients {
		if r.kind == kind && r.Own == nil {
			reading[languageOf(r.Client).Tag]++
		}
	}
	if len(reading) == 0 && d.Client.ID != 0 {
		m.Language = languageOf(d.Client)
	}
	for _, l := range languages {
		switch n := reading[l.Tag]; {
		case n > 0 && len(reading) == 1:
			m.Language = l
		case n > 0 && l.Tag != m.Language.Tag:
			m.Others = append(m.Others, LanguageReceivers{l, n})
		}
	}
	if m.Message, m.Changed = d.record.Messages[kind]; !m.Changed {
		m.Message = d.defaults[kind][m.Language.Key]
	}
	return m
}

// change keeps the message of a kind as its author typed it. One that is a default, in any language, is not kept: who
// receives it gets the default in their own.
func (d *Draft) change(kind db.MessageKind, m db.Message) {
	m.Body = strings.ReplaceAll(m.Body, "\r\n", "\n")
	delete(d.record.Messages, kind)
	for _, l := range languages {
		if m == d.defaults[kind][l.Key] {
			return
		}
	}
	d.record.Messages[kind] = m
}

// toWrite is the kind of message to be written while nobody receives it yet: to those who have an account, until a form is
// ticked for them; an invitation, until somebody is chosen who can be invited.
func (d Draft) toWrite() db.MessageKind {
	switch {
	case d.WithoutForm > 0:
		return db.FormsMessage
	case d.Receivers() == 0:
		return db.InvitationMessage
	}
	return ""
}

// loadUnsent loads a draft that can still be changed and sent; db.ErrSent for one that was.
func loadUnsent(tx *db.Tx, by Staff, draftID string) (Draft, error) {
	d, err := loadDraft(tx, by, draftID)
	if err == nil && d.Sent {
		err = db.ErrSent
	}
	return d, err
}

// sortOut tells who of the chosen clients gets which letter, and who gets none and why.
func (d *Draft) sortOut(tx *db.Tx, by Staff, chosen []db.DraftClient) error {
	ids := make([]int64, len(chosen))
	for i, c := range chosen {
		ids[i] = c.ID
	}
	therapists, err := tx.TherapistsOf(by.invites(), ids)
	if err != nil {
		return err
	}
	anyForm := slices.ContainsFunc(d.Forms, func(f DraftForm) bool { return f.Chosen })
	for _, c := range chosen {
		state := c.Portal.State(tx.Now())
		why := Unreachable(c.Client)
		kind := db.InvitationMessage
		if state == db.PortalActive {
			kind = db.FormsMessage
			if !anyForm {
				why = "Has an account already, and no form is ticked."
				d.WithoutForm++
			}
		}
		switch {
		case why != "":
			d.LeftOut = append(d.LeftOut, LeftOut{c.Client, why})
			continue
		case kind == db.InvitationMessage:
			d.Invitations++
		default:
			d.FormsLetters++
		}
		d.recipients = append(d.recipients, recipient{c, kind, therapists[c.ID]})
	}
	return nil
}

// formKeys are the forms that a draft sends. Until its author chooses, they are the default of the invitation, if somebody
// will be invited, or else that of the message to those who have an account.
func formKeys(tx *db.Tx, d db.Draft, chosen []db.DraftClient) ([]string, error) {
	if d.FormsChosen {
		return d.Forms, nil
	}
	kind := db.FormsMessage
	if len(chosen) == 0 || slices.ContainsFunc(chosen, func(c db.DraftClient) bool { return !c.Portal.HasAccount() }) {
		kind = db.InvitationMessage
	}
	return defaultForms(tx, kind)
}

// DraftChange is what its author typed and ticked.
type DraftChange struct {
	Messages    map[db.MessageKind]db.Message
	Forms       []string
	SaveDefault bool
}

// SaveDraft keeps what the author of a draft typed and ticked. It returns ErrNotFound as Draft does, db.ErrSent once it was
// sent, and Invalid with a sentence for each wrong field: "invitation.subject", "forms.body" and so on.
func (p *Practice) SaveDraft(ctx context.Context, by Staff, draftID string, change DraftChange) error {
	return p.db.Update(ctx, func(tx *db.Tx) error {
		d, err := loadUnsent(tx, by, draftID)
		if err != nil {
			return err
		}
		wrong := Invalid{}
		for kind, m := range change.Messages {
			for field, sentence := range p.checkMessage(kind, m, string(kind)+".") {
				wrong[field] = sentence
			}
			d.change(kind, m)
		}
		if len(wrong) > 0 {
			return wrong
		}
		d.record.FormsChosen, d.record.Forms = true, nil
		for _, f := range d.forms {
			if slices.Contains(change.Forms, f.Key) {
				d.record.Forms = append(d.record.Forms, f.Key)
			}
		}
		d.record.SaveDefault = change.SaveDefault && d.MaySave
		return tx.SaveDraft(d.record)
	})
}

// Typed is the draft with what its author typed and ticked laid over it, to be shown again beside what is wrong with it.
func (d Draft) Typed(change DraftChange) Draft {
	d.Messages, d.Forms = slices.Clone(d.Messages), slices.Clone(d.Forms)
	for i, m := range d.Messages {
		if typed, ok := change.Messages[m.Kind]; ok {
			d.Messages[i].Message = typed
		}
	}
	for i, f := range d.Forms {
		d.Forms[i].Chosen = slices.Contains(change.Forms, f.Key)
	}
	d.SaveDefault = change.SaveDefault
	return d
}
