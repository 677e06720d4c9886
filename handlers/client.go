package handlers

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"anteroom/db"
	"anteroom/practice"

	"github.com/gofiber/fiber/v2"
)

// clientRow is a client's row as lists write it. Lists are drawn at every key that somebody presses in a search, and a
// template reads a plain field fastest: so these are ready words.
type clientRow struct {
	ID         string
	Name       string
	Email      string
	HasAccount bool
	Therapist  string
	Slug       string // the stylesheet's name of the state
	Words      string
	Reason     string // why an invitation couldn't be sent
	Forms      string // "2 of 3"; empty: none were sent
	Concern    bool   // a form says that the client may be in danger
}

func (s Shell) clientRow(r practice.ClientRow) clientRow {
	row := clientRow{ID: r.PublicID, Name: r.ListName(), Email: r.Email.String(), HasAccount: r.Portal.HasAccount(),
		Therapist: strings.Join(r.Therapists, ", "), Slug: slug(string(r.State)), Words: s.stateWords(r.Client, r.State), Concern: r.Progress.SafetyConcern}
	if r.Progress.Sent > 0 {
		row.Forms = fmt.Sprintf("%d of %d", r.Progress.Completed, r.Progress.Sent)
	}
	if r.State == db.PortalCouldntSend || r.Portal.Troubled() {
		row.Reason = practice.PortalTrouble(r.Portal, s.zone).Why
	}
	return row
}

// sendingWords is the state of a sending as staff read it.
func (s Shell) sendingWords(x db.Sending, state db.SendingState) string {
	if state == db.SendingInvited || state == db.SendingOpened {
		return string(state) + ", expires " + s.Day(x.ExpiresAt)
	}
	return string(state)
}

// stateWords is a client's portal state as staff read it.
func (s Shell) stateWords(c db.Client, state db.PortalState) string {
	if state == db.PortalInvited {
		return "Invited, expires " + s.Day(c.Portal.ExpiresAt)
	}
	return string(state)
}

type clientForm struct {
	Shell
	Client      practice.ClientRecord // zero: a new one
	Fields      practice.ClientFields
	Errors      practice.Invalid
	Mistakes    []mistake
	Other       *db.Client // who has the address, if one may see them
	EmailEffect string     // what a change of the address does
	Mine        bool       // a new client becomes one's own
	Languages   []option
	Tags        []db.Tag // that other clients have
}

func (f clientForm) with(wrong practice.Invalid) clientForm {
	f.Errors = wrong
	f.Mistakes = mistakes(wrong, [2]string{"first_name", "Legal first name"}, [2]string{"last_name", "Legal last name"},
		[2]string{"preferred_name", "Preferred name"}, [2]string{"pronouns", "Pronouns"}, [2]string{"date_of_birth", "Date of birth"}, [2]string{"guardian", "Guardian"},
		[2]string{"email", "Email"}, [2]string{"shared_mailbox", "Email"}, [2]string{"phone", "Phone"}, [2]string{"language", "Language"},
		[2]string{"tags", "Tags"}, [2]string{"notes", "Notes"})
	return f
}

func (s *Site) newClient(c *fiber.Ctx, by practice.Staff) error {
	if !by.AddsClients() {
		return practice.ErrNotAllowed
	}
	return s.showClientForm(c, by, clientForm{Shell: s.shell(c, "Add a client", "clients"), Mine: by.Role() == db.RoleTherapist})
}

func (s *Site) addClient(c *fiber.Ctx, by practice.Staff) error {
	form := clientForm{Fields: clientFields(c), Mine: by.Role() == db.RoleTherapist}
	id, err := s.Practice.AddClient(c.UserContext(), by, form.Fields)
	if err != nil {
		return s.clientMistakes(c, by, form, "Add a client", err)
	}
	s.notify(c, "client added")
	return s.seeOther(c, "/clients/"+id)
}

func (s *Site) editClient(c *fiber.Ctx, by practice.Staff) error {
	client, err := s.Practice.ClientToEdit(c.UserContext(), by, c.Params("id"))
	if err != nil {
		return err
	}
	return s.showClientForm(c, by, clientForm{Shell: s.shell(c, "Edit "+client.ListName(), "clients"), Client: client,
		Fields: practice.FieldsOf(client), EmailEffect: emailEffect(client.Client, s.Practice.Now())})
}

func (s *Site) changeClient(c *fiber.Ctx, by practice.Staff) error {
	client, err := s.Practice.ClientToEdit(c.UserContext(), by, c.Params("id"))
	if err != nil {
		return err
	}
	form := clientForm{Client: client, Fields: clientFields(c), EmailEffect: emailEffect(client.Client, s.Practice.Now())}
	if err := s.Practice.ChangeClient(c.UserContext(), by, client.PublicID, form.Fields); err != nil {
		return s.clientMistakes(c, by, form, "Edit "+client.ListName(), err)
	}
	s.notify(c, "client changed")
	return s.seeOther(c, "/clients/"+client.PublicID)
}

func (s *Site) showClientForm(c *fiber.Ctx, by practice.Staff, form clientForm) (err error) {
	form.Languages = languageOptions(form.Fields.Language)
	if _, form.Tags, err = s.Practice.ClientFilters(c.UserContext(), by); err != nil {
		return err
	}
	return s.show(c, "clients/form", form)
}

// clientMistakes shows the form again with what was typed, if that is what was wrong.
func (s *Site) clientMistakes(c *fiber.Ctx, by practice.Staff, form clientForm, title string, err error) error {
	wrong, err := invalid(err)
	if err != nil {
		return err
	}
	if wrong["email"] == practice.EmailTaken {
		other, err := s.Practice.ClientWithEmail(c.UserContext(), by, form.Fields.Email)
		switch {
		case err == nil:
			form.Other = &other
		case !errors.Is(err, practice.ErrNotFound):
			return err
		}
	}
	form = form.with(wrong)
	form.Shell = s.shell(c, title, "clients")
	if form.Problem = wrong["version"]; form.Problem != "" {
		form.Fields.Version = practice.FieldsOf(form.Client).Version // who saves again has read what changed
	}
	return s.showClientForm(c.Status(fiber.StatusUnprocessableEntity), by, form)
}

func clientFields(c *fiber.Ctx) practice.ClientFields {
	return practice.ClientFields{FirstName: c.FormValue("first_name"), LastName: c.FormValue("last_name"), PreferredName: c.FormValue("preferred_name"),
		Pronouns: c.FormValue("pronouns"), DateOfBirth: c.FormValue("date_of_birth"), Guardian: c.FormValue("guardian"), Phone: c.FormValue("phone"),
		Email: c.FormValue("email"), NoEmail: c.FormValue("may_email") == "no", Language: c.FormValue("language"), Tags: c.FormValue("tags"),
		Notes: c.FormValue("notes"), SharedMailbox: c.FormValue("shared_mailbox") != "", Version: c.FormValue("version")}
}

// emailEffect says beforehand what a change of a client's address does.
func emailEffect(c db.Client, now time.Time) string {
	switch {
	case c.Portal.HasAccount():
		return c.Name() + " signs in with this address. A new one has to be confirmed by a link that we mail to it; until then this one stays. It is told, they are signed out, and queued letters don't leave."
	case c.Portal.Open(now):
		return "An invitation is open. A new address ends its link, and a letter that is still queued doesn't leave: invite again afterwards."
	}
	return ""
}

// letterWords are what letters are about.
var letterWords = map[db.LetterKind]string{
	db.LetterInvitation:  "Invitation",
	db.LetterForms:       "Message about forms",
	db.LetterJoinStaff:   "Link for a new staff member",
	db.LetterNewPassword: "Link to a new password",
	db.LetterNewAddress:  "Link to confirm a new address",
	db.LetterOldAddress:  "Word of a new address",
	db.LetterNewDevice:   "Word of a new sign-in",
	db.LetterOwnAccount:  "Word of a change in how they sign in",

	db.LetterInvitationReminder: "Reminder of the invitation",
	db.LetterFormsReminder:      "Reminder of open forms",
}

type clientDetails struct {
	Shell
	practice.ClientDetails
	LetterWords map[db.LetterKind]string
	Slug        string
	Words       string
	Invited     bool
	Openings    bool
	Now         time.Time

	Latest         *shownSending
	Older          []shownSending
	AddressTrouble string // what is known of the address on file
}

// shownSending is what happened to one sending, in words.
type shownSending struct {
	Shell
	practice.SendingHistory
	Heading string
	Slug    string
	Words   string
	Forms   string // how many are completed; empty: none were asked for
}

func (s Shell) shownSending(h practice.SendingHistory) shownSending {
	shown := shownSending{Shell: s, SendingHistory: h, Heading: letterWords[h.Kind], Slug: slug(string(h.State)), Words: s.sendingWords(h.Sending, h.State)}
	if h.Sending.Forms > 0 {
		shown.Forms = fmt.Sprintf("Forms: %d of %d completed", h.FormsDone, h.Sending.Forms)
	}
	return shown
}

// Next tells that something can be done about what was sent.
func (d clientDetails) Next() bool {
	return d.Resending.Kind != "" || d.MayEdit && d.Trouble.Why != "" || d.MayInvite && d.NoInvite == ""
}

// Verb is what sending something to the client is called: who has an account is not invited again.
func (d clientDetails) Verb() string {
	if d.Portal.HasAccount() {
		return sendFormsVerb
	}
	return inviteVerb
}

func (s *Site) openClient(c *fiber.Ctx, by practice.Staff) error { return s.showClient(c, by, "") }

// showClient shows a client's page, and why what was asked for there couldn't be done.
func (s *Site) showClient(c *fiber.Ctx, by practice.Staff, problem string) error {
	openings := c.Query("history") == "all"
	details, err := s.Practice.OpenClient(c.UserContext(), by, c.Params("id"), openings)
	if err != nil {
		return err
	}
	shell := s.shell(c, details.ListName(), "clients")
	shell.Problem = problem
	page := clientDetails{Shell: shell, ClientDetails: details, LetterWords: letterWords, Slug: slug(string(details.State)),
		Words: shell.stateWords(details.Client, details.State), Invited: details.Invited(s.Practice.Now()), Openings: openings, Now: s.Practice.Now(),
		AddressTrouble: practice.AddressTrouble(details.Portal, shell.zone).Why}
	for i, h := range details.Sendings {
		shown := shell.shownSending(h)
		if i == 0 {
			page.Latest = &shown
		} else {
			page.Older = append(page.Older, shown)
		}
	}
	return s.show(c, "clients/details", page)
}

// resend sends a client again what was sent to them last.
func (s *Site) resend(c *fiber.Ctx, by practice.Staff) error {
	id := c.Params("id")
	err := s.Practice.Resend(c.UserContext(), by, id)
	if errors.Is(err, db.ErrClosed) {
		return s.overAlready(c, id)
	}
	wrong, err := invalid(err)
	if err != nil {
		return err
	}
	if wrong != nil {
		return s.showClient(c.Status(fiber.StatusUnprocessableEntity), by, wrong["resend"])
	}
	s.notify(c, "sent again")
	return s.seeOther(c, "/clients/"+id+"#sendings")
}

// markAddress notes that mail to a client's address comes back, or that it arrives again.
func (s *Site) markAddress(c *fiber.Ctx, by practice.Staff) error {
	id, mark, notice := c.Params("id"), s.Practice.MarkBounced, "address bounced"
	if c.FormValue("do") == "lift" {
		mark, notice = s.Practice.LiftAddressMarks, "address reached"
	}
	err := mark(c.UserContext(), by, id, c.FormValue("address"))
	if errors.Is(err, db.ErrClosed) {
		return s.overAlready(c, id)
	}
	if err != nil {
		return err
	}
	s.notify(c, notice)
	return s.seeOther(c, "/clients/"+id)
}

// confirmPage asks before something is done that can't be undone.
type confirmPage struct {
	Shell
	Client db.Client
	Text   string
	Action string // where the form goes
	Button string
	Cancel string
	Turn   string // the form's one hidden value
}

func (s *Site) portalAccess(c *fiber.Ctx, by practice.Administrator) error {
	client, err := s.Practice.ClientToEdit(c.UserContext(), by.Staff, c.Params("id"))
	if err != nil {
		return err
	}
	if !client.Portal.OffAt.IsZero() {
		return s.overAlready(c, client.PublicID)
	}
	page := confirmPage{Client: client.Client, Shell: s.shell(c, "Turn off portal access for "+fullName(client.Client)+"?", "clients"),
		Text:   "They are signed out at once and can't sign in until you turn it on again. A link already mailed stops working, and letters that are still queued don't leave. Completed forms stay.",
		Action: "/clients/" + client.PublicID + "/portal-access", Button: "Turn off access", Cancel: "Keep it on", Turn: "off"}
	return s.show(c, "clients/confirm", page)
}

func (s *Site) turnPortal(c *fiber.Ctx, by practice.Administrator) error {
	id, turn := c.Params("id"), c.FormValue("turn")
	if turn != "on" && turn != "off" {
		return fiber.NewError(fiber.StatusBadRequest, "Portal access is turned on or off.")
	}
	if err := s.Practice.TurnPortal(c.UserContext(), by, id, turn == "on"); err != nil {
		return err
	}
	s.notify(c, "portal "+turn)
	return s.seeOther(c, "/clients/"+id)
}

func (s *Site) assignClient(c *fiber.Ctx, by practice.Administrator) error {
	id, assign := c.Params("id"), c.FormValue("do") != "unassign"
	if err := s.Practice.AssignClient(c.UserContext(), by, id, c.FormValue("staff"), assign); err != nil {
		return err
	}
	if assign {
		s.notify(c, "client assigned")
	} else {
		s.notify(c, "client unassigned")
	}
	return s.seeOther(c, "/clients/"+id)
}

func (s *Site) invitationToRevoke(c *fiber.Ctx, by practice.Staff) error {
	client, err := s.Practice.InvitationToRevoke(c.UserContext(), by, c.Params("id"))
	if errors.Is(err, db.ErrClosed) {
		return s.overAlready(c, c.Params("id"))
	}
	if err != nil {
		return err
	}
	page := confirmPage{Client: client, Shell: s.shell(c, "Revoke the invitation of "+fullName(client)+"?", "clients"),
		Text:   "Its link stops working. The forms that were sent stay open, for when you invite again.",
		Action: "/clients/" + client.PublicID + "/invitation", Button: "Revoke the invitation", Cancel: "Keep it"}
	switch client.Portal.Letter {
	case db.LetterQueued:
		page.Text = "Its letter is still queued and won't leave. " + page.Text
	case db.LetterSending:
		page.Text = "Its letter is on its way and can't be called back, but its link stops working. The forms that were sent stay open, for when you invite again."
	}
	return s.show(c, "clients/confirm", page)
}

func (s *Site) revokeInvitation(c *fiber.Ctx, by practice.Staff) error {
	id := c.Params("id")
	err := s.Practice.RevokeInvitation(c.UserContext(), by, id)
	if errors.Is(err, db.ErrClosed) {
		return s.overAlready(c, id)
	}
	if err != nil {
		return err
	}
	s.notify(c, "invitation revoked")
	return s.seeOther(c, "/clients/"+id)
}

func (s *Site) formToRevoke(c *fiber.Ctx, by practice.Staff) error {
	r, client, err := s.Practice.FormToRevoke(c.UserContext(), by, c.Params("id"))
	if err != nil {
		return err
	}
	if !r.Open() {
		return s.overAlready(c, client.PublicID)
	}
	page := confirmPage{Client: client, Shell: s.shell(c, "Revoke "+r.Form.Title+"?", "clients"),
		Text:   fullName(client) + " won't be asked for it any more. You can send it again at any time.",
		Action: "/form-requests/" + r.PublicID + "/revoke", Button: "Revoke the form", Cancel: "Keep it"}
	if r.State() == db.FormInProgress {
		page.Text = client.Name() + " has begun to fill it in; these answers will be out of reach. " + page.Text
	}
	return s.show(c, "clients/confirm", page)
}

func (s *Site) revokeForm(c *fiber.Ctx, by practice.Staff) error {
	clientID, err := s.Practice.RevokeForm(c.UserContext(), by, c.Params("id"))
	if errors.Is(err, db.ErrClosed) {
		return s.overAlready(c, clientID)
	}
	if err != nil {
		return err
	}
	s.notify(c, "form revoked")
	return s.seeOther(c, "/clients/"+clientID)
}

// overAlready tells that there was nothing left to take back.
func (s *Site) overAlready(c *fiber.Ctx, clientID string) error {
	s.notify(c, "over already")
	return s.seeOther(c, "/clients/"+clientID)
}

func fullName(c db.Client) string { return c.FirstName + " " + c.LastName }
