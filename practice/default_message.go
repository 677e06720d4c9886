package practice

import (
	"context"
	"slices"
	"strings"

	"anteroom/db"
	"anteroom/mail"
)

// DefaultMessage is what new drafts start with for one kind of recipient: the message, and the forms ticked.
type DefaultMessage struct {
	Kind db.MessageKind
	db.Message
	Forms    []DraftForm
	Original bool   // nobody changed the text
	Version  string // of the message that was changed; empty: whichever is on file
}

// DefaultMessages returns the default of each kind, the invitation's first.
func (p *Practice) DefaultMessages(ctx context.Context, by Administrator) (all []DefaultMessage, err error) {
	if !by.administers() {
		return nil, ErrNotAllowed
	}
	err = p.db.View(ctx, func(tx *db.Tx) error {
		for _, kind := range bothKinds {
			m, err := loadDefault(tx, kind)
			if err != nil {
				return err
			}
			all = append(all, m)
		}
		return nil
	})
	return all, err
}

func loadDefault(tx *db.Tx, kind db.MessageKind) (m DefaultMessage, err error) {
	forms, err := tx.Forms()
	if err != nil {
		return m, err
	}
	m.Kind = kind
	var keys []string
	if m.Message, keys, err = defaultMessage(tx, kind); err != nil {
		return m, err
	}
	for _, f := range forms {
		m.Forms = append(m.Forms, DraftForm{Key: f.Key, Title: f.Title, Chosen: slices.Contains(keys, f.Key)})
	}
	m.Original = m.Message == languages[0].builtIn(kind)
	m.Version = settingsVersion(m.settings())
	return m, nil
}

// Restored is the default with the text that it had at first, to be saved.
func (m DefaultMessage) Restored() DefaultMessage {
	m.Message = languages[0].builtIn(m.Kind)
	return m
}

// Typed is the default with what was typed and ticked laid over it.
func (m DefaultMessage) Typed(typed db.Message, formKeys []string) DefaultMessage {
	m.Message, m.Forms = typed, slices.Clone(m.Forms)
	for i, f := range m.Forms {
		m.Forms[i].Chosen = slices.Contains(formKeys, f.Key)
	}
	return m
}

// formKeys are the keys of the forms ticked.
func (m DefaultMessage) formKeys() (keys []string) {
	for _, f := range m.Forms {
		if f.Chosen {
			keys = append(keys, f.Key)
		}
	}
	return keys
}

func (m DefaultMessage) settings() []setting {
	return []setting{{"subject", m.Subject}, {"message", strings.ReplaceAll(m.Body, "\r\n", "\n")}, {"intake forms", strings.Join(m.formKeys(), ", ")}}
}

// ChangeDefaultMessage makes a message and forms those that new drafts start with; drafts that were begun keep theirs. It
// returns ErrNotFound for no kind, and Invalid with a sentence for each wrong field: "invitation.subject", "forms.body" and
// so on; or for "version", as ChangeOrganization does.
func (p *Practice) ChangeDefaultMessage(ctx context.Context, by Administrator, kind db.MessageKind, typed db.Message, formKeys []string, version string) error {
	if !by.administers() {
		return ErrNotAllowed
	}
	if !slices.Contains(bothKinds, kind) {
		return ErrNotFound
	}
	typed.Body = strings.ReplaceAll(typed.Body, "\r\n", "\n")
	return p.db.Update(ctx, func(tx *db.Tx) error {
		if err := p.checkMessage(kind, typed, string(kind)+".").orNil(); err != nil {
			return err
		}
		before, err := loadDefault(tx, kind)
		if err != nil {
			return err
		}
		m := before.Typed(typed, formKeys)
		if wrong := unseen(version, before.settings(), m.settings()); wrong != nil {
			return wrong
		}
		changed := settingsIn(m.settings(), before.settings())
		if len(changed) == 0 {
			return nil
		}
		if err := tx.SaveDefaultMessage(kind, m.Message, m.formKeys()); err != nil {
			return err
		}
		return tx.Audit(db.AuditEntry{StaffID: by.member.ID, Act: "saved the default message and intake forms", Detail: string(kind) + ": " + settingNames(changed)})
	})
}

// examplePerson is an invented client, for showing what a letter would be like.
func (p *Practice) examplePerson() (client db.Client, therapists []string) {
	return db.Client{FirstName: "Alexandra", LastName: "Example", PreferredName: "Alex", Email: p.from()}, []string{"Jordan Example"}
}

// PreviewDefault composes the letter that a default makes for an invented person. It returns ErrNotFound for no kind.
func (p *Practice) PreviewDefault(ctx context.Context, by Administrator, kind db.MessageKind) (letter mail.Letter, err error) {
	if !by.administers() {
		return letter, ErrNotAllowed
	}
	if !slices.Contains(bothKinds, kind) {
		return letter, ErrNotFound
	}
	err = p.db.View(ctx, func(tx *db.Tx) error {
		o, err := tx.Organization()
		if err != nil {
			return err
		}
		m, _, err := defaultMessage(tx, kind)
		if err != nil {
			return err
		}
		client, therapists := p.examplePerson()
		letter, err = p.newWriter(o, by.Name(), tx.Now()).write(kind, m, client, therapists)
		return err
	})
	return letter, err
}

// PlaceholderToday is a placeholder, and what it would show if a letter were sent now.
type PlaceholderToday struct {
	Placeholder
	Shows          string
	InvitationOnly bool
}

// PlaceholdersToday lists every placeholder with what it would show an invented client now.
func (p *Practice) PlaceholdersToday(ctx context.Context, by Administrator) (all []PlaceholderToday, err error) {
	if !by.administers() {
		return nil, ErrNotAllowed
	}
	err = p.db.View(ctx, func(tx *db.Tx) error {
		o, err := tx.Organization()
		if err != nil {
			return err
		}
		client, therapists := p.examplePerson()
		example := p.newWriter(o, by.Name(), tx.Now()).particulars(db.InvitationMessage, client, therapists)
		for _, placeholder := range placeholders {
			all = append(all, PlaceholderToday{placeholder, placeholder.value(example), !slices.Contains(placeholder.kinds, db.FormsMessage)})
		}
		return nil
	})
	return all, err
}
