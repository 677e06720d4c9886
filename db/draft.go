package db

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"
)

// ErrSent says that a draft was sent already: nothing is sent twice.
var ErrSent = errors.New("this was sent already")

// MessageKind is to whom a message goes: who has no portal account is invited, who has one is told that forms are ready.
type MessageKind string

const (
	InvitationMessage MessageKind = "invitation"
	FormsMessage      MessageKind = "forms"

	InvitationReminderMessage MessageKind = "invitation reminder" // the program sends these two by itself
	FormsReminderMessage      MessageKind = "forms reminder"
)

// About is the kind of message that a reminder repeats; any other kind is about itself.
func (k MessageKind) About() MessageKind {
	switch k {
	case InvitationReminderMessage:
		return InvitationMessage
	case FormsReminderMessage:
		return FormsMessage
	}
	return k
}

// Message is what a letter is made from: a subject and a Markdown text, with placeholders.
type Message struct {
	Subject string
	Body    string
}

// DefaultMessages returns the messages of a kind that somebody saved, by language: "" is the practice's own.
func (tx *Tx) DefaultMessages(kind MessageKind) (map[string]Message, error) {
	type saved struct {
		language string
		Message
	}
	all, err := list(tx, func(s scanner) (m saved, err error) { err = s.Scan(&m.language, &m.Subject, &m.Body); return },
		"SELECT language, subject, body FROM default_messages WHERE kind = ?", kind)
	byLanguage := make(map[string]Message, len(all))
	for _, m := range all {
		byLanguage[m.language] = m.Message
	}
	return byLanguage, err
}

// DefaultForms returns the keys of the forms ticked in new drafts of a kind, as they were saved with the practice's own message.
func (tx *Tx) DefaultForms(kind MessageKind) ([]string, error) {
	return column[string](tx, "SELECT form_key FROM default_forms WHERE kind = ?", kind)
}

// SaveDefaultMessage makes a message the one that new drafts start with for who reads a language.
func (tx *Tx) SaveDefaultMessage(kind MessageKind, language string, m Message) error {
	_, err := tx.exec("INSERT INTO default_messages (kind, language, subject, body) VALUES (?, ?, ?, ?) ON CONFLICT (kind, language) DO UPDATE SET subject = excluded.subject, body = excluded.body",
		kind, language, m.Subject, m.Body)
	return err
}

// SaveDefaultForms makes forms those that are ticked in new drafts.
func (tx *Tx) SaveDefaultForms(kind MessageKind, formKeys []string) error {
	if _, err := tx.exec("DELETE FROM default_forms WHERE kind = ?", kind); err != nil {
		return err
	}
	for _, key := range formKeys {
		if _, err := tx.exec("INSERT INTO default_forms (kind, form_key) VALUES (?, ?)", kind, key); err != nil {
			return err
		}
	}
	return nil
}

// Draft is an invitation being composed. What its author has not changed is the default's.
type Draft struct {
	ID          int64
	PublicID    string
	AuthorID    int64
	ClientID    int64 // composed on this client's page; 0: on the Organization page, for any number
	Messages    map[MessageKind]Message
	FormsChosen bool
	Forms       []string // keys, once chosen
	SaveDefault bool     // make this the default when it is sent
	CreatedAt   time.Time
	SentAt      time.Time
}

// OpenDraft finds the draft that an author has not sent yet: for one client, or (0) the Organization page's.
func (tx *Tx) OpenDraft(authorID, clientID int64) (Draft, error) {
	return tx.draftWhere("author_id = ? AND ifnull(client_id, 0) = ? AND sent_at IS NULL", authorID, clientID)
}

// Draft finds an author's draft, sent or not, by public id.
func (tx *Tx) Draft(authorID int64, publicID string) (Draft, error) {
	return tx.draftWhere("author_id = ? AND public_id = ?", authorID, publicID)
}

func (tx *Tx) draftWhere(where string, args ...any) (d Draft, err error) {
	var subject, body [2]*string
	err = tx.row(`SELECT id, public_id, author_id, client_id, invitation_subject, invitation_body, forms_subject, forms_body,
		forms_chosen, save_default, created_at, sent_at FROM drafts WHERE `+where, args...).
		Scan(&d.ID, &d.PublicID, &d.AuthorID, idScan{&d.ClientID}, &subject[0], &body[0], &subject[1], &body[1],
			&d.FormsChosen, &d.SaveDefault, timeScan{&d.CreatedAt}, timeScan{&d.SentAt})
	if err != nil {
		return d, named(err)
	}
	d.Messages = map[MessageKind]Message{}
	for i, kind := range []MessageKind{InvitationMessage, FormsMessage} {
		if subject[i] != nil && body[i] != nil {
			d.Messages[kind] = Message{*subject[i], *body[i]}
		}
	}
	d.Forms, err = column[string](tx, "SELECT form_key FROM draft_forms WHERE draft_id = ?", d.ID)
	return d, err
}

// AddDraft begins a draft, and fills in its ids. ErrExists when the author has one open for the same page.
func (tx *Tx) AddDraft(d *Draft) (err error) {
	d.PublicID, d.CreatedAt = uuid.NewString(), tx.now
	d.ID, err = tx.insert("INSERT INTO drafts (public_id, author_id, client_id, created_at, touched_at) VALUES (?, ?, ?, ?, ?)", d.PublicID, d.AuthorID, orNull(d.ClientID), ms(tx.now), ms(tx.now))
	return named(err)
}

// SaveDraft keeps a draft's messages, forms and whether it becomes the default.
func (tx *Tx) SaveDraft(d Draft) error {
	text := func(kind MessageKind) (subject, body any) {
		if m, ok := d.Messages[kind]; ok {
			return m.Subject, m.Body
		}
		return nil, nil
	}
	invitationSubject, invitationBody := text(InvitationMessage)
	formsSubject, formsBody := text(FormsMessage)
	_, err := tx.exec("UPDATE drafts SET invitation_subject = ?, invitation_body = ?, forms_subject = ?, forms_body = ?, forms_chosen = ?, save_default = ?, touched_at = ? WHERE id = ?",
		invitationSubject, invitationBody, formsSubject, formsBody, d.FormsChosen, d.SaveDefault, ms(tx.now), d.ID)
	if err != nil {
		return err
	}
	if _, err := tx.exec("DELETE FROM draft_forms WHERE draft_id = ?", d.ID); err != nil {
		return err
	}
	for _, key := range d.Forms {
		if _, err := tx.exec("INSERT INTO draft_forms (draft_id, form_key) VALUES (?, ?) ON CONFLICT DO NOTHING", d.ID, key); err != nil {
			return err
		}
	}
	return nil
}

// touchDraft notes that somebody goes on with a draft.
func (tx *Tx) touchDraft(id int64) error {
	_, err := tx.exec("UPDATE drafts SET touched_at = ? WHERE id = ?", ms(tx.now), id)
	return err
}

// MarkDraftSent closes an open draft; ErrSent when somebody did before.
func (tx *Tx) MarkDraftSent(id int64) error {
	n, err := tx.exec("UPDATE drafts SET sent_at = ? WHERE id = ? AND sent_at IS NULL", ms(tx.now), id)
	if err == nil && n == 0 {
		return ErrSent
	}
	return err
}

// selectable is the SQL condition under which a client can be chosen for a draft: mail can and may reach them, and the
// portal is not closed to them.
const selectable = "c.portal_off_at IS NULL AND c.archived_at IS NULL AND c.no_email_at IS NULL AND EXISTS (SELECT 1 FROM email_addresses e WHERE e.client_id = c.id AND e.pending = 0 AND e.unwanted_at IS NULL)"

// Choose adds clients within reach to a draft, by public id; who can't be chosen is left out.
func (tx *Tx) Choose(draftID int64, reach Reach, publicIDs []string) error {
	ids, err := json.Marshal(publicIDs)
	if err != nil {
		return err
	}
	_, err = tx.exec("INSERT INTO draft_clients (draft_id, client_id) SELECT ?, c.id FROM clients c WHERE c.public_id IN (SELECT value FROM json_each(?)) AND "+
		selectable+" AND "+reach.holds("c.id")+" ON CONFLICT DO NOTHING", draftID, string(ids))
	if err != nil {
		return err
	}
	return tx.touchDraft(draftID)
}

// ChooseFound adds all whom a list shows.
func (tx *Tx) ChooseFound(draftID int64, reach Reach, f ClientFilter) error {
	found, err := tx.ClientIDs(reach, f)
	if err != nil {
		return err
	}
	ids, err := json.Marshal(found)
	if err != nil {
		return err
	}
	_, err = tx.exec("INSERT INTO draft_clients (draft_id, client_id) SELECT ?, c.id FROM json_each(?) f JOIN clients c ON c.id = f.value WHERE "+
		selectable+" AND "+reach.holds("c.id")+" ON CONFLICT DO NOTHING", draftID, string(ids))
	if err != nil {
		return err
	}
	return tx.touchDraft(draftID)
}

// Unchoose takes clients out of a draft, by public id.
func (tx *Tx) Unchoose(draftID int64, publicIDs []string) error {
	ids, err := json.Marshal(publicIDs)
	if err != nil {
		return err
	}
	_, err = tx.exec("DELETE FROM draft_clients WHERE draft_id = ? AND client_id IN (SELECT id FROM clients WHERE public_id IN (SELECT value FROM json_each(?)))", draftID, string(ids))
	if err != nil {
		return err
	}
	return tx.touchDraft(draftID)
}

// UnchooseAll takes everybody out of a draft.
func (tx *Tx) UnchooseAll(draftID int64) error {
	_, err := tx.exec("DELETE FROM draft_clients WHERE draft_id = ?", draftID)
	if err != nil {
		return err
	}
	return tx.touchDraft(draftID)
}

// Chosen counts the clients of a draft.
func (tx *Tx) Chosen(draftID int64) (n int, err error) {
	err = tx.row("SELECT count(*) FROM draft_clients WHERE draft_id = ?", draftID).Scan(&n)
	return n, err
}

// ChosenAmong tells which of these clients are in a draft.
func (tx *Tx) ChosenAmong(draftID int64, clientIDs []int64) (map[int64]bool, error) {
	ids, err := json.Marshal(clientIDs)
	if err != nil {
		return nil, err
	}
	found, err := column[int64](tx, "SELECT client_id FROM draft_clients WHERE draft_id = ? AND client_id IN (SELECT value FROM json_each(?))", draftID, string(ids))
	chosen := make(map[int64]bool, len(found))
	for _, id := range found {
		chosen[id] = true
	}
	return chosen, err
}

// DraftClient is a client chosen for a draft, with a message of their own if one was written.
type DraftClient struct {
	Client
	Own *Message
}

// DraftClients lists a draft's clients within reach, by last name, first name; at most limit of them, unless that is 0.
func (tx *Tx) DraftClients(draftID int64, reach Reach, limit int) ([]DraftClient, error) {
	query := "SELECT d.subject, d.body, " + clientColumns + " JOIN draft_clients d ON d.client_id = c.id AND d.draft_id = ? WHERE " +
		reach.holds("c.id") + " ORDER BY c.sort_key, c.id"
	args := []any{draftID}
	if limit > 0 {
		query += " LIMIT ?"
		args = append(args, limit)
	}
	return list(tx, func(s scanner) (DraftClient, error) {
		var subject, body *string
		c, err := readClient(ahead{s, []any{&subject, &body}})
		d := DraftClient{Client: c}
		if subject != nil && body != nil {
			d.Own = &Message{*subject, *body}
		}
		return d, err
	}, query, args...)
}

// LastMessage finds the message of the draft with which a client within reach was last sent a letter of a kind: their own, or
// all recipients'. ErrNotFound when that was the default.
func (tx *Tx) LastMessage(reach Reach, clientID int64, kind MessageKind) (m Message, err error) {
	subject, body := "d.invitation_subject", "d.invitation_body"
	if kind == FormsMessage {
		subject, body = "d.forms_subject", "d.forms_body"
	}
	err = tx.row("SELECT ifnull(c.subject, "+subject+"), ifnull(c.body, "+body+`) FROM drafts d LEFT JOIN draft_clients c ON c.draft_id = d.id AND c.client_id = ?1
		WHERE ifnull(c.subject, `+subject+`) IS NOT NULL AND d.id = (SELECT draft_id FROM letters WHERE client_id = ?1 AND kind = ?2 AND draft_id IS NOT NULL ORDER BY id DESC LIMIT 1) AND `+
		reach.holds("?1"), clientID, kind).Scan(&m.Subject, &m.Body)
	return m, named(err)
}

// ahead scans some columns before those that a reader asks for.
type ahead struct {
	scanner
	first []any
}

func (a ahead) Scan(dest ...any) error { return a.scanner.Scan(append(a.first, dest...)...) }

// SetOwnMessage gives a client of a draft a message of their own; nil takes it away.
func (tx *Tx) SetOwnMessage(draftID, clientID int64, m *Message) error {
	var subject, body any
	if m != nil {
		subject, body = m.Subject, m.Body
	}
	_, err := tx.exec("UPDATE draft_clients SET subject = ?, body = ? WHERE draft_id = ? AND client_id = ?", subject, body, draftID, clientID)
	if err != nil {
		return err
	}
	return tx.touchDraft(draftID)
}
