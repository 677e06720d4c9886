package practice

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"anteroom/db"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
	"golang.org/x/text/unicode/norm"
)

// Limits of what is typed: a search in bytes, the rest in characters.
const (
	maxQuery = 200
	maxName  = 100
	maxPhone = 40
	maxTag   = 40
	maxTags  = 20 // of one client
	maxNotes = 4000
)

// ClientRow is a client as lists show them.
type ClientRow struct {
	db.Client
	State      db.PortalState
	Therapists []string
	Progress   db.FormProgress // with the safety concern only for staff who may read this client's completed forms
}

// ClientPage is one page of what a search found.
type ClientPage struct {
	Rows   []ClientRow
	Total  int
	Number int // from 1
}

// ClientQuery says which clients a list shows, in which order, as an address writes it. The zero value is everybody who isn't
// archived, by last name, first name.
type ClientQuery struct {
	Words       string
	Staff       string // public id of whom they are assigned to; NobodyAssigned: of nobody
	State       db.PortalState
	Outstanding bool // forms wait for the client
	Tag         string
	Archived    bool
	Order       db.ClientOrder
}

// NobodyAssigned asks for the clients who are assigned to nobody.
const NobodyAssigned = "nobody"

// Filtered tells that the list leaves somebody out for another reason than the words.
func (q ClientQuery) Filtered() bool {
	return q.Staff != "" || q.State != "" || q.Outstanding || q.Tag != "" || q.Archived
}

// filter is the query in the records' terms. What it names and isn't there, nobody has.
func (q ClientQuery) filter(tx *db.Tx) (f db.ClientFilter, err error) {
	f = db.ClientFilter{Query: q.Words[:min(len(q.Words), maxQuery)], State: q.State, Outstanding: q.Outstanding, Archived: q.Archived}
	const nobody = -1
	switch q.Staff {
	case "":
	case NobodyAssigned:
		f.Unassigned = true
	default:
		member, err := tx.Staff(q.Staff)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return f, err
		}
		f.StaffID = cmp.Or(member.ID, nobody)
	}
	if q.Tag != "" {
		tag, err := tx.Tag(q.Tag)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return f, err
		}
		f.TagID = cmp.Or(tag.ID, nobody)
	}
	return f, nil
}

// Clients finds a page of the clients whom a staff member sees: everybody for administrators and other staff, a therapist's
// own. A page after the last is the last.
func (p *Practice) Clients(ctx context.Context, by Staff, query ClientQuery, page int) (found ClientPage, err error) {
	found.Number = max(page, 1)
	err = p.db.View(ctx, func(tx *db.Tx) error {
		f, err := query.filter(tx)
		if err != nil {
			return err
		}
		clients, total, err := tx.FindClients(by.reach(), f, query.Order, (found.Number-1)*PageSize, PageSize)
		if err != nil {
			return err
		}
		if last := max((total+PageSize-1)/PageSize, 1); found.Number > last {
			found.Number = last
			if clients, total, err = tx.FindClients(by.reach(), f, query.Order, (last-1)*PageSize, PageSize); err != nil {
				return err
			}
		}
		found.Total = total
		found.Rows, err = clientRows(tx, by, clients)
		return err
	})
	return found, err
}

// ClientFilters are what a staff member can narrow a list of clients down to: to whom clients are assigned (nobody to choose
// among for a therapist, who sees their own), and the tags that clients have.
func (p *Practice) ClientFilters(ctx context.Context, by Staff) (staff []db.StaffMember, tags []db.Tag, err error) {
	err = p.db.View(ctx, func(tx *db.Tx) error {
		if !by.therapist() {
			all, err := tx.AllStaff()
			if err != nil {
				return err
			}
			clients, err := tx.AssignedClients()
			if err != nil {
				return err
			}
			for _, m := range all {
				if clients[m.ID] > 0 {
					staff = append(staff, m)
				}
			}
		}
		tags, err = tx.Tags(by.reach())
		return err
	})
	return staff, tags, err
}

func clientRows(tx *db.Tx, by Staff, clients []db.Client) ([]ClientRow, error) {
	ids := make([]int64, len(clients))
	for i, c := range clients {
		ids[i] = c.ID
	}
	therapists, err := tx.TherapistsOf(by.reach(), ids)
	if err != nil {
		return nil, err
	}
	progress, err := tx.FormProgressOf(by.reach(), by.reads(), ids)
	if err != nil {
		return nil, err
	}
	rows := make([]ClientRow, len(clients))
	for i, c := range clients {
		rows[i] = ClientRow{c, c.Portal.State(tx.Now()), therapists[c.ID], progress[c.ID]}
	}
	return rows, nil
}

// ClientRecord is all that is on file about a client.
type ClientRecord struct {
	db.Client
	Notes string
	Tags  []string
}

// recordOf reads what is on file about a client within reach beside the columns.
func recordOf(tx *db.Tx, reach db.Reach, c db.Client) (r ClientRecord, err error) {
	r.Client = c
	if r.Notes, err = tx.ClientNotes(reach, c.ID); err != nil {
		return r, err
	}
	tags, err := tx.TagsOf(reach, []int64{c.ID})
	r.Tags = tags[c.ID]
	return r, err
}

// save keeps the notes and tags of a client who was added or changed.
func (r ClientRecord) save(tx *db.Tx) error {
	return errors.Join(tx.SetClientNotes(r.ID, r.Notes), tx.SetTags(r.ID, r.Tags))
}

// ClientFields is what is typed about a client.
type ClientFields struct {
	FirstName     string
	LastName      string
	PreferredName string
	Pronouns      string
	DateOfBirth   string // YYYY-MM-DD, or empty
	Guardian      string
	Phone         string
	Email         string
	NoEmail       bool   // somebody said that we may not email them
	Language      string // a BCP 47 tag, or empty
	Tags          string // with commas between them
	Notes         string
	SharedMailbox bool   // they know that the address reaches a mailbox that another client's address reaches too
	Version       string // of the record that was changed; empty: whichever is on file
}

// FieldsOf is what is on file about a client.
func FieldsOf(r ClientRecord) ClientFields {
	return ClientFields{FirstName: r.FirstName, LastName: r.LastName, PreferredName: r.PreferredName, Pronouns: r.Pronouns,
		DateOfBirth: r.DateOfBirth, Guardian: r.Guardian, Phone: r.Phone, Email: r.Email.String(), NoEmail: !r.NoEmailAt.IsZero(),
		Language: r.Language, Tags: strings.Join(r.Tags, ", "), Notes: r.Notes, Version: version(r)}
}

// version tells apart what was on file about a client at two times.
func version(r ClientRecord) string {
	sum := sha256.New()
	for _, f := range recordFields(r) {
		io.WriteString(sum, f.value+"\n")
	}
	return hex.EncodeToString(sum.Sum(nil)[:8])
}

// into checks what was typed and puts it into r. What is wrong comes back.
func (f ClientFields) into(r *ClientRecord, now time.Time) Invalid {
	wrong := Invalid{}
	for _, line := range []struct {
		field, typed string
		to           *string
		missing      string
	}{
		{"first_name", f.FirstName, &r.FirstName, "Enter the legal first name."},
		{"last_name", f.LastName, &r.LastName, "Enter the legal last name."},
		{"preferred_name", f.PreferredName, &r.PreferredName, ""},
		{"pronouns", f.Pronouns, &r.Pronouns, ""},
		{"guardian", f.Guardian, &r.Guardian, ""},
	} {
		*line.to = oneLine(line.typed)
		if *line.to == "" && line.missing != "" {
			wrong[line.field] = line.missing
		} else if utf8.RuneCountInString(*line.to) > maxName {
			wrong[line.field] = "Shorten this to 100 characters."
		}
	}
	if r.Phone = oneLine(f.Phone); r.Phone != "" && !plausiblePhone(r.Phone) {
		wrong["phone"] = "Enter a phone number, such as 555-0100."
	}
	r.DateOfBirth = strings.TrimSpace(f.DateOfBirth)
	if r.DateOfBirth != "" && !plausibleBirth(r.DateOfBirth, now) {
		wrong["date_of_birth"] = "Enter a date of birth that can be: a day in the past, with all four digits of the year."
	}
	r.Email = db.Email{}
	if strings.TrimSpace(f.Email) != "" {
		var err error
		if r.Email, err = db.ParseEmail(f.Email); err != nil {
			wrong["email"] = "Enter an email address like name@example.com."
		}
	}
	switch {
	case !f.NoEmail:
		r.NoEmailAt = time.Time{}
	case r.NoEmailAt.IsZero():
		r.NoEmailAt = now
	}
	r.Language = ""
	if typed := oneLine(f.Language); typed != "" {
		var ok bool
		if r.Language, ok = parseLanguage(typed); !ok {
			wrong["language"] = "Choose a language from the list."
		}
	}
	var fault string
	if r.Tags, fault = splitTags(f.Tags); fault != "" {
		wrong["tags"] = fault
	}
	if r.Notes = trimNotes(f.Notes); utf8.RuneCountInString(r.Notes) > maxNotes {
		wrong["notes"] = "Shorten the notes to 4,000 characters."
	}
	return wrong
}

// trimNotes is a typed text of several lines.
func trimNotes(text string) string { return strings.TrimSpace(strings.ReplaceAll(text, "\r\n", "\n")) }

// languageNames finds a language by its English name, and by its own.
var languageNames = sync.OnceValue(func() map[string]string {
	names := map[string]string{}
	for _, tag := range display.Supported.Tags() {
		if base, _, region := tag.Raw(); region.String() == "ZZ" && tag == language.Make(base.String()) {
			names[db.SearchFold(display.English.Languages().Name(tag))] = tag.String()
			names[db.SearchFold(display.Self.Name(tag))] = tag.String()
		}
	}
	return names
})

// parseLanguage reads a language's tag (BCP 47), or its name in English or its own.
func parseLanguage(text string) (tag string, ok bool) {
	if tag, ok = languageNames()[db.SearchFold(text)]; ok {
		return tag, true
	}
	parsed, err := language.Parse(text)
	return parsed.String(), err == nil
}

// splitTags parts a text at its commas and semicolons. Tags that would be searched alike are one; they come in order.
func splitTags(text string) (tags []string, fault string) {
	for _, part := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ';' || r == '\n' }) {
		tag := oneLine(part)
		if tag == "" || slices.ContainsFunc(tags, func(other string) bool { return db.SearchFold(other) == db.SearchFold(tag) }) {
			continue
		}
		if utf8.RuneCountInString(tag) > maxTag {
			return tags, "Shorten each tag to 40 characters, with commas between them."
		}
		tags = append(tags, tag)
	}
	if len(tags) > maxTags {
		return tags, "Give a client at most 20 tags."
	}
	slices.SortFunc(tags, func(a, b string) int { return strings.Compare(db.SearchFold(a), db.SearchFold(b)) })
	return tags, ""
}

func plausiblePhone(phone string) bool {
	return utf8.RuneCountInString(phone) <= maxPhone && strings.ContainsFunc(phone, unicode.IsDigit)
}

// oneLine is a typed text without what doesn't show: one line, single spaces, composed letters.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r) || r == utf8.RuneError || unicode.In(r, unicode.Bidi_Control) || r == '\u200b' || r == '\ufeff':
			return -1
		}
		return r
	}, s)
	return norm.NFC.String(strings.Join(strings.Fields(s), " "))
}

// oldest is how long ago somebody alive can have been born, in years.
const oldest = 130

func plausibleBirth(date string, now time.Time) bool {
	born, err := time.Parse(time.DateOnly, date)
	return err == nil && !born.After(now.AddDate(0, 0, 1)) && born.After(now.AddDate(-oldest, 0, 0))
}

// EmailTaken is what is wrong with an address that somebody else has.
const EmailTaken = "Somebody else at this practice has this address already. One address never serves two people, so that nobody reads what is another's. Ask for an address of this client's own, or a plus-address that only this client uses, such as name+ann@example.com."

const mailboxShared = "This address may reach the same mailbox as another client's address. If only this client reads it, confirm that below."

// AddClient adds a client and returns its id. Administrators may, therapists, for whom the client becomes their own, and
// other staff with the permission; ErrNotAllowed for anybody else. Invalid says what is wrong with what was typed.
func (p *Practice) AddClient(ctx context.Context, by Staff, fields ClientFields) (publicID string, err error) {
	if !by.AddsClients() {
		return "", ErrNotAllowed
	}
	err = p.db.Update(ctx, func(tx *db.Tx) error {
		c := ClientRecord{}
		if err := checkClient(tx, &c, fields); err != nil {
			return err
		}
		if err := tx.AddClient(&c.Client); err != nil {
			return emailTaken(err)
		}
		if err := c.save(tx); err != nil {
			return err
		}
		publicID = c.PublicID
		if by.therapist() {
			if err := tx.Assign(by.member.ID, c.ID); err != nil {
				return err
			}
		}
		return tx.Audit(db.AuditEntry{StaffID: by.member.ID, Act: "added the client", ClientID: c.ID})
	})
	return publicID, err
}

// checkClient puts what was typed into c, or returns Invalid.
func checkClient(tx *db.Tx, c *ClientRecord, fields ClientFields) error {
	before := c.Email
	wrong := fields.into(c, tx.Now())
	if len(wrong) == 0 && !fields.SharedMailbox && c.Email.Canonical() != before.Canonical() {
		shared, err := tx.SharesMailbox(c.Email, c.ID)
		if err != nil {
			return err
		}
		if shared {
			wrong["shared_mailbox"] = mailboxShared
		}
	}
	return wrong.orNil()
}

func emailTaken(err error) error {
	if errors.Is(err, db.ErrEmailTaken) {
		return Invalid{"email": EmailTaken}
	}
	return err
}

// ClientToEdit opens the record of a client whom a staff member may change, and notes so in the audit log. ErrNotFound for
// one out of their sight, ErrNotAllowed for one that they may only see.
func (p *Practice) ClientToEdit(ctx context.Context, by Staff, publicID string) (r ClientRecord, err error) {
	err = p.db.Update(ctx, func(tx *db.Tx) error {
		c, err := within(tx, by, by.edits(), publicID)
		if err != nil {
			return err
		}
		if r, err = recordOf(tx, by.edits(), c); err != nil {
			return err
		}
		return tx.Audit(db.AuditEntry{StaffID: by.member.ID, Act: opened, ClientID: c.ID})
	})
	return r, err
}

// within finds a client within one of a staff member's reaches: ErrNotFound when they don't see the client, ErrNotAllowed
// when that is all they may.
func within(tx *db.Tx, by Staff, reach db.Reach, publicID string) (db.Client, error) {
	c, err := tx.Client(by.reach(), publicID)
	if err != nil {
		return c, err
	}
	if _, err := tx.ClientByID(reach, c.ID); errors.Is(err, ErrNotFound) {
		return db.Client{}, ErrNotAllowed
	} else if err != nil {
		return db.Client{}, err
	}
	return c, nil
}

// ChangeClient changes what is on file about a client. Who may is as for ClientToEdit. A new address ends the link of an
// open invitation, takes queued letters back and signs the client out; where it is a portal account's, it waits until it is
// confirmed by a link of its own, and the old address is told. The address of a portal account can't be removed. ErrConfirm when
// another address takes the place of one, or is given to somebody who was in the portal before.
// Invalid says what is wrong with what was typed, or with "version" that somebody else changed the record meanwhile.
func (p *Practice) ChangeClient(ctx context.Context, by Staff, publicID string, fields ClientFields) error {
	err := p.db.Update(ctx, func(tx *db.Tx) error {
		client, err := within(tx, by, by.edits(), publicID)
		if err != nil {
			return err
		}
		before, err := recordOf(tx, by.edits(), client)
		if err != nil {
			return err
		}
		c := before
		if err := checkClient(tx, &c, fields); err != nil {
			return err
		}
		if fields.Version != "" && fields.Version != version(before) {
			if now := meanwhile(c, before); now != "" {
				return Invalid{"version": "Somebody else changed this client meanwhile. On file now: " + now + ". Save again to put what you typed in its place."}
			}
		}
		if c.Email.IsZero() && c.Portal.HasAccount() {
			return Invalid{"email": before.Name() + " signs in to the client portal with this address: put another one here, or leave it."}
		}
		moves := c.Email.Canonical() != before.Email.Canonical()
		if moves {
			joined, err := tx.EverJoined(c.ID)
			if err != nil {
				return err
			}
			if joined || !before.Email.IsZero() {
				if err := by.confirmed(tx.Now()); err != nil {
					return err
				}
			}
		}
		asked := c.Email
		if moves && c.Portal.HasAccount() {
			c.Email = before.Email // until the new one is confirmed
		}
		if err := tx.ChangeClient(c.Client); err != nil {
			return emailTaken(err)
		}
		if err := c.save(tx); err != nil {
			return err
		}
		if err := heedNoEmail(tx, before, c); err != nil {
			return err
		}
		if moves {
			if err := p.moveAddress(tx, by, before.Client, asked); err != nil {
				return err
			}
		}
		if c.Email != asked && len(changed(before, c)) == 0 {
			return nil
		}
		return tx.Audit(db.AuditEntry{StaffID: by.member.ID, Act: "changed the client", ClientID: c.ID, Detail: strings.Join(changed(before, c), ", ")})
	})
	if err == nil {
		p.config.Wake()
	}
	return err
}

// heedNoEmail takes the queued letters of a client back once somebody says that we may not email them.
func heedNoEmail(tx *db.Tx, before, after ClientRecord) error {
	if after.NoEmailAt.IsZero() || !before.NoEmailAt.IsZero() {
		return nil
	}
	const why = "the client may not be emailed"
	var errs []error
	for _, kind := range []db.LetterKind{db.LetterInvitation, db.LetterForms, db.LetterInvitationReminder, db.LetterFormsReminder} {
		errs = append(errs, tx.CancelLetters(after.ID, kind, why))
	}
	return errors.Join(errs...)
}

// moveAddress is what follows when a staff member gives a client another address: with a portal account it has to be confirmed
// first.
func (p *Practice) moveAddress(tx *db.Tx, by Staff, before db.Client, to db.Email) error {
	if err := cutOff(tx, before.ID, "the client's address changed"); err != nil || !before.Portal.HasAccount() {
		return err
	}
	o, err := tx.Organization()
	if err != nil {
		return err
	}
	if err := p.askAddress(tx, before, to, by.member.ID, time.Duration(o.InvitationDays)*24*time.Hour); err != nil {
		return emailTaken(err)
	}
	return tx.Audit(db.AuditEntry{StaffID: by.member.ID, Act: "gave the client another email address, to be confirmed", ClientID: before.ID})
}

// recordField is one field of a record, in words.
type recordField struct {
	name, value string
	hidden      bool // the value is not repeated where others may read it
}

func recordFields(r ClientRecord) []recordField {
	mayEmail := "yes"
	if !r.NoEmailAt.IsZero() {
		mayEmail = "no"
	}
	return []recordField{
		{name: "legal name", value: r.FirstName + " " + r.LastName},
		{name: "preferred name", value: r.PreferredName},
		{name: "pronouns", value: r.Pronouns},
		{name: "date of birth", value: r.DateOfBirth},
		{name: "guardian", value: r.Guardian},
		{name: "phone", value: r.Phone},
		{name: "email", value: r.Email.String()},
		{name: "may be emailed", value: mayEmail},
		{name: "language", value: r.Language},
		{name: "tags", value: strings.Join(r.Tags, ", ")},
		{name: "notes", value: r.Notes, hidden: true},
	}
}

// differences are the fields in which a differs from b, as they are in b.
func differences(a, b ClientRecord) (all []recordField) {
	before := recordFields(a)
	for i, f := range recordFields(b) {
		if f.value != before[i].value {
			all = append(all, f)
		}
	}
	return all
}

// changed names the fields in which two versions of a client differ.
func changed(a, b ClientRecord) (fields []string) {
	for _, d := range differences(a, b) {
		fields = append(fields, d.name)
	}
	return fields
}

// meanwhile says what is on file where it differs from what was typed; empty: nowhere.
func meanwhile(typed, onFile ClientRecord) string {
	var all []string
	for _, d := range differences(typed, onFile) {
		if d.hidden {
			all = append(all, "other "+d.name)
		} else {
			all = append(all, d.name+" "+cmp.Or(d.value, "(none)"))
		}
	}
	return strings.Join(all, ", ")
}

// cutOff signs a client out, ends the links that they hold and takes their queued letters back, saying why.
func cutOff(tx *db.Tx, clientID int64, why string) error {
	errs := []error{tx.EndSessions(clientID, 0), endAddressChange(tx, clientID, why)}
	for _, purpose := range []db.Purpose{db.LinkJoin, db.LinkNewPassword} {
		errs = append(errs, tx.EndLinks(purpose, clientID, 0))
	}
	for _, kind := range []db.LetterKind{db.LetterInvitation, db.LetterForms, db.LetterNewPassword, db.LetterInvitationReminder, db.LetterFormsReminder} {
		errs = append(errs, tx.CancelLetters(clientID, kind, why))
	}
	return errors.Join(errs...)
}

// ClientWithEmail finds the client whom a staff member sees and who has this address.
func (p *Practice) ClientWithEmail(ctx context.Context, by Staff, address string) (c db.Client, err error) {
	email, err := db.ParseEmail(address)
	if err != nil {
		return c, ErrNotFound
	}
	err = p.db.View(ctx, func(tx *db.Tx) error {
		c, err = tx.ClientByEmail(by.reach(), email)
		return err
	})
	return c, err
}

// TurnPortal turns a client's portal access off or on; administrators may. Off signs the client out, ends their links and
// takes their queued letters back. What is so already stays so.
func (p *Practice) TurnPortal(ctx context.Context, by Administrator, publicID string, on bool) error {
	return p.db.Update(ctx, func(tx *db.Tx) error {
		c, err := tx.Client(by.reach(), publicID)
		if err != nil || on == c.Portal.OffAt.IsZero() {
			return err
		}
		if err := tx.TurnPortal(c.ID, on); err != nil {
			return err
		}
		act := db.Act("turned portal access on")
		if !on {
			act = "turned portal access off"
			if err := cutOff(tx, c.ID, "portal access was turned off"); err != nil {
				return err
			}
		}
		return tx.Audit(db.AuditEntry{StaffID: by.member.ID, Act: act, ClientID: c.ID})
	})
}

// AssignClient gives a client to a staff member, or takes it away; administrators may. ErrNotFound when either isn't there,
// or the staff member is disabled. Letters to the client that somebody sent who may not any more are taken back. ErrConfirm, unless
// the administrator proved lately who they are: it changes who may read whose forms.
func (p *Practice) AssignClient(ctx context.Context, by Administrator, clientID, staffID string, assign bool) error {
	return p.db.Update(ctx, func(tx *db.Tx) error {
		c, err := tx.Client(by.reach(), clientID)
		if err != nil {
			return err
		}
		member, err := tx.Staff(staffID)
		if err != nil {
			return err
		}
		if assign && !member.DisabledAt.IsZero() {
			return ErrNotFound
		}
		if err := by.confirmed(tx.Now()); err != nil {
			return err
		}
		assigned, err := tx.AssignedStaff(c.ID)
		if err != nil {
			return err
		}
		if assign == slices.ContainsFunc(assigned, func(m db.StaffMember) bool { return m.ID == member.ID }) {
			return nil
		}
		act := assignedClient
		if assign {
			err = tx.Assign(member.ID, c.ID)
		} else {
			act = tookClient
			if err = tx.Unassign(member.ID, c.ID); err == nil {
				_, err = tx.RecheckLetters(member.ID)
			}
		}
		if err != nil {
			return err
		}
		return tx.Audit(db.AuditEntry{StaffID: by.member.ID, Act: act, ClientID: c.ID, Detail: staffNoted(member)})
	})
}

// The acts of giving a client to a staff member and of taking one away; the entry's detail says whom.
const (
	assignedClient db.Act = "assigned the client"
	tookClient     db.Act = "took the client away"
)

// staffNoted is how the audit log names a staff member: by public id, for which a name is shown.
func staffNoted(m db.StaffMember) string { return "staff member " + m.PublicID }

// RevokeInvitation takes a client's open invitation back: its link ends, and its letter, if it is still queued, doesn't
// leave. Who may invite the client may; ErrNotFound and ErrNotAllowed as for ClientToEdit. db.ErrClosed when the invitation
// was used, replaced, revoked or expired before.
func (p *Practice) RevokeInvitation(ctx context.Context, by Staff, clientID string) error {
	return p.db.Update(ctx, func(tx *db.Tx) error {
		c, err := invited(tx, by, clientID)
		if err != nil {
			return err
		}
		if err := errors.Join(tx.EndLinks(db.LinkJoin, c.ID, 0), tx.CancelLetters(c.ID, db.LetterInvitation, "the invitation was revoked"),
			tx.CancelLetters(c.ID, db.LetterInvitationReminder, "the invitation was revoked")); err != nil {
			return err
		}
		return tx.Audit(db.AuditEntry{StaffID: by.member.ID, Act: "revoked the invitation", ClientID: c.ID})
	})
}

// InvitationToRevoke returns a client whose open invitation a staff member may take back. Errors as for RevokeInvitation.
func (p *Practice) InvitationToRevoke(ctx context.Context, by Staff, clientID string) (c db.Client, err error) {
	err = p.db.View(ctx, func(tx *db.Tx) error {
		c, err = invited(tx, by, clientID)
		return err
	})
	return c, err
}

func invited(tx *db.Tx, by Staff, clientID string) (db.Client, error) {
	c, err := within(tx, by, by.invites(), clientID)
	if err == nil && !c.Portal.Open(tx.Now()) {
		err = db.ErrClosed
	}
	return c, err
}

// RevokeForm takes an open form request back and returns the client's id. Who may invite the client may; ErrNotFound and
// ErrNotAllowed as for ClientToEdit. db.ErrClosed when it was completed or revoked before.
func (p *Practice) RevokeForm(ctx context.Context, by Staff, requestID string) (clientID string, err error) {
	err = p.db.Update(ctx, func(tx *db.Tx) error {
		r, c, err := formToRevoke(tx, by, requestID)
		if err != nil {
			return err
		}
		clientID = c.PublicID
		return revokeForm(tx, by, r)
	})
	return clientID, err
}

func revokeForm(tx *db.Tx, by Staff, r db.FormRequest) error {
	if err := tx.RevokeFormRequest(r.ID); err != nil {
		return err
	}
	return tx.Audit(db.AuditEntry{StaffID: by.member.ID, Act: "revoked a form", ClientID: r.ClientID, Detail: r.Form.Title})
}

// FormToRevoke returns a form request that a staff member may take back, and its client. Errors as for RevokeForm, but for
// db.ErrClosed.
func (p *Practice) FormToRevoke(ctx context.Context, by Staff, requestID string) (r db.FormRequest, c db.Client, err error) {
	err = p.db.View(ctx, func(tx *db.Tx) error {
		r, c, err = formToRevoke(tx, by, requestID)
		return err
	})
	return r, c, err
}

func formToRevoke(tx *db.Tx, by Staff, requestID string) (db.FormRequest, db.Client, error) {
	r, err := tx.FormRequest(by.reach(), requestID)
	if err != nil {
		return r, db.Client{}, err
	}
	c, err := tx.ClientByID(by.reach(), r.ClientID)
	if err != nil {
		return r, c, err
	}
	c, err = within(tx, by, by.invites(), c.PublicID)
	return r, c, err
}
