package practice

import (
	"context"
	"errors"
	"slices"
	"strings"

	"anteroom/db"
	"anteroom/mail"
)

// DefaultMessage is what new drafts start with for one kind of recipient: the message in one language, and the forms ticked,
// which are the same in all.
type DefaultMessage struct {
	Kind     db.MessageKind
	Language Language
	db.Message
	Forms    []DraftForm
	Original bool   // nobody changed the text
	Version  string // of the message that was changed; empty: whichever is on file
}

// Own tells that it is the practice's own: for everybody who has none in their language.
func (m DefaultMessage) Own() bool { return m.Language.Key == "" }

// WithForms tells that forms are ticked beside it.
func (m DefaultMessage) WithForms() bool { return m.Own() && !m.Reminder() }

// Reminder tells that the program sends it by itself.
func (m DefaultMessage) Reminder() bool { return m.Kind.About() != m.Kind }

// DefaultMessages returns the default of each kind in each language, the invitation's and the practice's own first.
func (p *Practice) DefaultMessages(ctx context.Context, by Administrator) (all []DefaultMessage, err error) {
	if !by.administers() {
		return nil, ErrNotAllowed
	}
	err = p.db.View(ctx, func(tx *db.Tx) error {
		for _, kind := range allKinds {
			for _, l := range languages {
				m, err := loadDefault(tx, kind, l)
				if err != nil {
					return err
				}
				all = append(all, m)
			}
		}
		return nil
	})
	return all, err
}

// defaultsOf are the messages that new drafts of a kind start with, by language: as an administrator saved them, or as they
// are built in, or else the practice's own.
func defaultsOf(tx *db.Tx, kind db.MessageKind) (map[string]db.Message, error) {
	all, err := tx.DefaultMessages(kind)
	for _, l := range languages {
		if saved, ok := all[l.Key]; ok {
			saved.Body = strings.ReplaceAll(saved.Body, "\r\n", "\n")
			all[l.Key] = saved
			continue
		}
		m, builtIn := l.messages[kind]
		if !builtIn {
			m = all[""]
		}
		all[l.Key] = m
	}
	return all, err
}

// defaultFor is the default message of a kind for a client.
func defaultFor(tx *db.Tx, kind db.MessageKind, c db.Client) (db.Message, error) {
	all, err := defaultsOf(tx, kind)
	return all[languageOf(c).Key], err
}

// defaultForms are the keys of the forms ticked in new drafts of a kind.
func defaultForms(tx *db.Tx, kind db.MessageKind) ([]string, error) {
	saved, err := tx.DefaultMessages(kind)
	if err != nil {
		return nil, err
	}
	if _, own := saved[""]; !own {
		return builtInForms[kind], nil
	}
	return tx.DefaultForms(kind)
}

func loadDefault(tx *db.Tx, kind db.MessageKind, l Language) (m DefaultMessage, err error) {
	forms, err := tx.Forms()
	if err != nil {
		return m, err
	}
	m.Kind, m.Language = kind, l
	all, err := defaultsOf(tx, kind)
	if err != nil {
		return m, err
	}
	m.Message = all[l.Key]
	keys, err := defaultForms(tx, kind)
	if err != nil {
		return m, err
	}
	for _, f := range forms {
		m.Forms = append(m.Forms, DraftForm{Key: f.Key, Title: f.Title, Chosen: slices.Contains(keys, f.Key)})
	}
	m.Original = m.Message == l.messages[kind]
	m.Version = settingsVersion(m.settings())
	return m, nil
}

// Restored is the default with the text that it had at first, to be saved.
func (m DefaultMessage) Restored() DefaultMessage {
	m.Message = m.Language.messages[m.Kind]
	return m
}

// Typed is the default with what was typed and ticked laid over it. Forms are ticked beside the practice's own message.
func (m DefaultMessage) Typed(typed db.Message, formKeys []string) DefaultMessage {
	m.Message, m.Forms = typed, slices.Clone(m.Forms)
	if !m.WithForms() {
		return m
	}
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
	settings := []setting{{"subject", m.Subject}, {"message", strings.ReplaceAll(m.Body, "\r\n", "\n")}}
	if m.WithForms() {
		settings = append(settings, setting{"intake forms", strings.Join(m.formKeys(), ", ")})
	}
	return settings
}

// ChangeDefaultMessage makes a message, in the language of that key, and forms those that new drafts start with. A draft that
// was begun keeps a message that was changed in it. It returns ErrNotFound for no kind or language, and Invalid with a sentence
// for each wrong field: "invitation.subject", "forms.body" and so on; or for "version", as ChangeOrganization does.
func (p *Practice) ChangeDefaultMessage(ctx context.Context, by Administrator, kind db.MessageKind, language string, typed db.Message, formKeys []string, version string) error {
	if !by.administers() {
		return ErrNotAllowed
	}
	l, ok := languageByKey(language)
	if !ok || !slices.Contains(allKinds, kind) {
		return ErrNotFound
	}
	typed.Body = strings.ReplaceAll(typed.Body, "\r\n", "\n")
	return p.db.Update(ctx, func(tx *db.Tx) error {
		if err := p.checkMessage(kind, typed, string(kind)+".").orNil(); err != nil {
			return err
		}
		before, err := loadDefault(tx, kind, l)
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
		if err := tx.SaveDefaultMessage(kind, l.Key, m.Message); err != nil {
			return err
		}
		detail := string(kind) + ": " + settingNames(changed)
		if !m.Own() {
			detail += ", in " + l.Name
		}
		if !m.WithForms() {
			return tx.Audit(db.AuditEntry{StaffID: by.member.ID, Act: "saved the default message", Detail: detail})
		}
		return errors.Join(tx.SaveDefaultForms(kind, m.formKeys()),
			tx.Audit(db.AuditEntry{StaffID: by.member.ID, Act: "saved the default message and intake forms", Detail: detail}))
	})
}

// examplePerson is an invented client, for showing what a letter would be like.
func (p *Practice) examplePerson() (client db.Client, therapists []string) {
	return db.Client{FirstName: "Alexandra", LastName: "Example", PreferredName: "Alex", Email: p.from()}, []string{"Jordan Example"}
}

// PreviewDefault composes the letter that a default makes for an invented person. It returns ErrNotFound for no kind or language.
func (p *Practice) PreviewDefault(ctx context.Context, by Administrator, kind db.MessageKind, language string) (letter mail.Letter, err error) {
	if !by.administers() {
		return letter, ErrNotAllowed
	}
	l, ok := languageByKey(language)
	if !ok || !slices.Contains(allKinds, kind) {
		return letter, ErrNotFound
	}
	err = p.db.View(ctx, func(tx *db.Tx) error {
		o, err := tx.Organization()
		if err != nil {
			return err
		}
		client, therapists := p.examplePerson()
		client.Language = l.Tag
		m, err := defaultFor(tx, kind, client)
		if err != nil {
			return err
		}
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
