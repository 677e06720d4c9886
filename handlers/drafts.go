package handlers

import (
	"errors"
	"fmt"
	"strings"

	"anteroom/db"
	"anteroom/practice"

	"github.com/gofiber/fiber/v2"
)

// composePage is the message and the forms, to be changed.
type composePage struct {
	Shell
	practice.Draft
	Errors practice.Invalid
	Back   string
	Kept   bool // it was kept while it is typed: only warnings are shown anew

	lookOver func(practice.Draft, db.MessageKind, db.Message) []practice.Warning
}

// Messages to one kind, with what the template needs to name its fields.
type composeMessage struct {
	practice.DraftMessage
	Heading         string
	Receives        string // how many do; empty where that is known
	Reading         string // who of them reads another language, and what that means
	Placeholders    []practice.Placeholder
	PlaceholdersURL string // where administrators see what they show
	SubjectError    string
	BodyError       string
	Warnings        []practice.Warning
	Part            bool // only what is warned of was asked for
}

// warned is what there is to warn of at one place.
type warned struct {
	ID       string
	Warnings []practice.Warning
	Part     bool
}

// SubjectWarnings and BodyWarnings stand at their fields.
func (m composeMessage) SubjectWarnings() warned { return m.warned("-subject-warnings", true) }
func (m composeMessage) BodyWarnings() warned    { return m.warned("-body-warnings", false) }

func (m composeMessage) warned(at string, inSubject bool) warned {
	w := warned{ID: m.ID() + at, Part: m.Part}
	for _, one := range m.Warnings {
		if one.InSubject == inSubject {
			w.Warnings = append(w.Warnings, one)
		}
	}
	return w
}

// ID begins the names and ids of the message's fields.
func (m composeMessage) ID() string { return slug(string(m.Kind)) }

var messageHeadings = map[db.MessageKind]string{
	db.InvitationMessage: "Invitation",
	db.FormsMessage:      "Message to clients who have an account",

	db.InvitationReminderMessage: "Reminder of an invitation",
	db.FormsReminderMessage:      "Reminder of unfinished forms",
}

// ComposeMessages are the draft's messages with their fields' names and faults.
func (p composePage) ComposeMessages() []composeMessage {
	var all []composeMessage
	for _, m := range p.Messages {
		message := newComposeMessage(m, p.heading(m.Kind), p.Errors)
		if p.Actor.Administrator {
			message.PlaceholdersURL = placeholdersPath
		}
		message.Warnings, message.Part = p.lookOver(p.Draft, m.Kind, m.Message), p.Kept
		message.Reading = reading(m, p.Client.PublicID != "")
		if p.Client.PublicID == "" {
			message.Receives = fmt.Sprintf("%s clients receive it", thousands(m.Receivers))
			if m.Receivers == 1 {
				message.Receives = "1 client receives it"
			}
		}
		all = append(all, message)
	}
	return all
}

// reading says who gets a message in which language, where that is not the practice's own.
func reading(m practice.DraftMessage, alone bool) string {
	var some []string
	for _, o := range m.Others {
		one, many, what := "gets", "get", "the "+o.Name+" default"
		if m.Changed {
			one, many, what = "reads", "read", o.Name
		}
		if o.Receivers == 1 {
			many = one
		}
		some = append(some, fmt.Sprintf("%s of them %s %s", thousands(o.Receivers), many, what))
	}
	all := "All of them read "
	if alone {
		all = "The client reads "
	}
	switch {
	case len(some) > 0:
		return strings.Join(some, ", ") + ". A changed message goes to all as written."
	case m.Language.Key == "":
		return ""
	case m.Changed:
		return all + m.Language.Name + ". The changed message goes out as written."
	}
	return all + m.Language.Name + ": this is the " + m.Language.Name + " default."
}

func newComposeMessage(m practice.DraftMessage, heading string, wrong practice.Invalid) composeMessage {
	return composeMessage{DraftMessage: m, Heading: heading, Placeholders: practice.Placeholders(m.Kind),
		SubjectError: wrong[string(m.Kind)+".subject"], BodyError: wrong[string(m.Kind)+".body"]}
}

// heading names a message by who receives it; for one client alone that is known.
func (p composePage) heading(kind db.MessageKind) string {
	if kind == db.FormsMessage && p.Client.PublicID != "" {
		return "Message"
	}
	return messageHeadings[kind]
}

// URL is where the draft is kept.
func (p composePage) URL() string { return "/drafts/" + p.PublicID }

// Verb is what sending this draft is called: who has an account already is not invited again.
func (p composePage) Verb() string { return verb(p.Draft) }

func verb(d practice.Draft) string {
	if d.Invitations == 0 && d.FormsLetters+d.WithoutForm > 0 {
		return sendFormsVerb
	}
	return inviteVerb
}

// What sending is called, on every page.
const (
	inviteVerb    = "Invite to Client Portal"
	sendFormsVerb = "Send Intake Forms"
)

// back is where a draft was begun.
func back(d practice.Draft) string {
	if d.Client.PublicID != "" {
		return "/clients/" + d.Client.PublicID
	}
	return manageClientsPath
}

func draftPath(id string) string { return "/drafts/" + id }

// draftShell is the frame round a draft's pages: those begun on the Organization page stand under Organization.
func (s *Site) draftShell(c *fiber.Ctx, title string, d practice.Draft) Shell {
	if d.Client.PublicID == "" {
		return s.organization(c, title, "client-portal")
	}
	return s.shell(c, title, "clients")
}

// startClientDraft begins an invitation on a client's page.
func (s *Site) startClientDraft(c *fiber.Ctx, by practice.Staff) error {
	id, err := s.Practice.StartClientDraft(c.UserContext(), by, c.Params("id"))
	if err != nil {
		return err
	}
	return s.seeOther(c, draftPath(id))
}

func (s *Site) composeDraft(c *fiber.Ctx, by practice.Staff) error {
	d, err := s.Practice.Draft(c.UserContext(), by, c.Params("id"))
	if err != nil {
		return err
	}
	if d.Sent {
		return s.seeOther(c, draftPath(d.PublicID)+"/sent")
	}
	return s.compose(c, d, nil)
}

func (s *Site) compose(c *fiber.Ctx, d practice.Draft, wrong practice.Invalid) error {
	page := composePage{Shell: s.draftShell(c, verb(d), d), Draft: d, Errors: wrong, Back: back(d), lookOver: s.Practice.LookOver}
	if len(wrong) > 0 {
		c.Status(fiber.StatusUnprocessableEntity)
		c.Set("HX-Retarget", "#compose")
		c.Set("HX-Reswap", "outerHTML")
	}
	return s.render(c, "drafts/compose", "drafts/_compose", page)
}

// saveDraft keeps what was typed and ticked, and goes on to the preview or back to where the draft was begun. The page also
// keeps it by itself while it is typed.
func (s *Site) saveDraft(c *fiber.Ctx, by practice.Staff) error {
	id := c.Params("id")
	d, err := s.Practice.Draft(c.UserContext(), by, id)
	if err != nil {
		return err
	}
	change := practice.DraftChange{Messages: map[db.MessageKind]db.Message{}, Forms: posted(c, "form_key"), SaveDefault: c.FormValue("save_default") != ""}
	for _, m := range d.Messages {
		change.Messages[m.Kind] = db.Message{Subject: c.FormValue(string(m.Kind) + ".subject"), Body: c.FormValue(string(m.Kind) + ".body")}
	}
	if err := s.Practice.SaveDraft(c.UserContext(), by, id, change); err != nil {
		if errors.Is(err, db.ErrSent) {
			return s.seeOther(c, draftPath(id)+"/sent")
		}
		wrong, err := invalid(err)
		if err != nil {
			return err
		}
		if c.FormValue("do") == "keep" {
			return c.SendStatus(fiber.StatusUnprocessableEntity) // it is told when the author goes on
		}
		return s.compose(c, d.Typed(change), wrong)
	}
	if c.FormValue("do") == "keep" {
		if !partly(c) {
			return c.SendStatus(fiber.StatusNoContent)
		}
		return s.show(c, "drafts/_looked_over", composePage{Shell: s.draftShell(c, verb(d), d), Draft: d.Typed(change), Kept: true, lookOver: s.Practice.LookOver})
	}
	if c.FormValue("do") == "close" {
		return s.seeOther(c, back(d))
	}
	return s.afterSave(c, by, id)
}

// afterSave shows the preview: in the page that asked, or on a page of its own. With nobody to preview it says so.
func (s *Site) afterSave(c *fiber.Ctx, by practice.Staff, id string) error {
	preview, err := s.Practice.Preview(c.UserContext(), by, id, "")
	if errors.Is(err, practice.ErrNotFound) {
		d, err := s.Practice.Draft(c.UserContext(), by, id)
		if err != nil {
			return err
		}
		return s.compose(c, d, d.Nobody())
	}
	if err != nil {
		return err
	}
	if !partly(c) {
		return s.seeOther(c, draftPath(id)+"/preview")
	}
	return s.showPreview(c, preview, nil)
}

// previewPage is one client's letter as it will be sent.
type previewPage struct {
	Shell
	practice.Preview
	Errors   practice.Invalid
	Typed    db.Message // what stands in the fields
	Warnings []practice.Warning
}

// Warned is what there is to warn of above the letter.
func (p previewPage) Warned() warned { return warned{ID: "warnings", Warnings: p.Warnings} }

// Verb is what the button that sends is called.
func (p previewPage) Verb() string { return verb(p.Draft) }

// FrameURL is where the letter's HTML is shown, on its own.
func (p previewPage) FrameURL() string {
	return draftPath(p.Draft.PublicID) + "/letter?client=" + p.Client.PublicID
}

// PreviousURL and NextURL lead to the clients beside this one.
func (p previewPage) PreviousURL() string { return p.beside(p.Previous) }
func (p previewPage) NextURL() string     { return p.beside(p.Next) }

func (p previewPage) beside(client string) string {
	if client == "" {
		return ""
	}
	return draftPath(p.Draft.PublicID) + "/preview?client=" + client
}

// MessageURL is where a change of the message goes.
func (p previewPage) MessageURL() string { return draftPath(p.Draft.PublicID) + "/message" }

// OfKind is how many get a letter of this client's kind.
func (p previewPage) OfKind() int {
	if p.Kind == db.FormsMessage {
		return p.Draft.FormsLetters
	}
	return p.Draft.Invitations
}

// Reading says which language the others of this kind get it in.
func (p previewPage) Reading() string {
	for _, m := range p.Draft.Messages {
		if m.Kind == p.Kind {
			return reading(m, p.Draft.Client.PublicID != "")
		}
	}
	return ""
}

// Placeholders are what the message may hold.
func (p previewPage) Placeholders() []practice.Placeholder { return practice.Placeholders(p.Kind) }

// FormTitles are the forms that go with the letter.
func (p previewPage) FormTitles() (titles []string) {
	for _, f := range p.Draft.Forms {
		if f.Chosen {
			titles = append(titles, f.Title)
		}
	}
	return titles
}

func (s *Site) previewDraft(c *fiber.Ctx, by practice.Staff) error {
	preview, err := s.Practice.Preview(c.UserContext(), by, c.Params("id"), c.Query("client"))
	if err != nil {
		return err
	}
	if preview.Draft.Sent {
		return s.seeOther(c, draftPath(preview.Draft.PublicID)+"/sent")
	}
	return s.showPreview(c, preview, nil)
}

func (s *Site) showPreview(c *fiber.Ctx, preview practice.Preview, wrong practice.Invalid, typed ...db.Message) error {
	page := previewPage{Shell: s.draftShell(c, "Preview", preview.Draft), Preview: preview, Errors: wrong, Typed: preview.Message,
		Warnings: s.Practice.LookOver(preview.Draft, preview.Kind, preview.Message)}
	if len(wrong) > 0 {
		page.Typed = typed[0]
		c.Status(fiber.StatusUnprocessableEntity)
	}
	return s.render(c, "drafts/preview", "drafts/_preview", page)
}

// previewLetter shows a letter's HTML alone, for the frame in the preview.
func (s *Site) previewLetter(c *fiber.Ctx, by practice.Staff) error {
	preview, err := s.Practice.Preview(c.UserContext(), by, c.Params("id"), c.Query("client"))
	if err != nil {
		return err
	}
	return s.frameMail(c, preview.Letter.HTML)
}

// frameMail sends a mail's HTML for a sandboxed frame on our own pages: with its inline styles and pictures, and nothing else.
func (s *Site) frameMail(c *fiber.Ctx, html string) error {
	s.framed(c, "sandbox")
	c.Set(fiber.HeaderContentType, fiber.MIMETextHTMLCharsetUTF8)
	page, err := s.withLogo(c, html)
	if err != nil {
		return err
	}
	return c.SendString(page)
}

// changeMessage changes the message where it is previewed: for this client alone, for all, or back to what all get.
func (s *Site) changeMessage(c *fiber.Ctx, by practice.Staff) error {
	id, client := c.Params("id"), c.FormValue("client")
	typed := db.Message{Subject: c.FormValue("subject"), Body: c.FormValue("body")}
	var err error
	if c.FormValue("for") == "drop" {
		err = s.Practice.DropOwnMessage(c.UserContext(), by, id, client)
	} else {
		err = s.Practice.ChangeMessage(c.UserContext(), by, id, client, typed, c.FormValue("for") == "all")
	}
	if errors.Is(err, db.ErrSent) {
		return s.seeOther(c, draftPath(id)+"/sent")
	}
	wrong, err := invalid(err)
	if err != nil {
		return err
	}
	if len(wrong) == 0 && !partly(c) {
		return s.seeOther(c, draftPath(id)+"/preview?client="+client)
	}
	preview, err := s.Practice.Preview(c.UserContext(), by, id, client)
	if err != nil {
		return err
	}
	return s.showPreview(c, preview, wrong, typed)
}

// sendDraft sends, once: a second press finds it sent.
func (s *Site) sendDraft(c *fiber.Ctx, by practice.Staff) error {
	id := c.Params("id")
	err := s.Practice.Send(c.UserContext(), by, id, c.FormValue("version"))
	var wrong practice.Invalid
	if errors.As(err, &wrong) {
		d, err := s.Practice.Draft(c.UserContext(), by, id)
		if err != nil {
			return err
		}
		return s.compose(c, d, wrong)
	}
	if errors.Is(err, practice.ErrNotAsPreviewed) {
		return s.previewAgain(c, by, id)
	}
	if err != nil && !errors.Is(err, db.ErrSent) {
		return err
	}
	return s.seeOther(c, draftPath(id)+"/sent")
}

// previewAgain shows what would be sent now, to an author who saw something else.
func (s *Site) previewAgain(c *fiber.Ctx, by practice.Staff, id string) error {
	preview, err := s.Practice.Preview(c.UserContext(), by, id, "")
	if err != nil {
		return err
	}
	page := previewPage{Shell: s.draftShell(c, "Preview", preview.Draft), Preview: preview, Typed: preview.Message,
		Warnings: s.Practice.LookOver(preview.Draft, preview.Kind, preview.Message)}
	page.Problem = "Nothing was sent yet: the message, the forms or the selection changed after you looked at them. This is how they are now."
	c.Status(fiber.StatusConflict)
	return s.show(c, "drafts/preview", page)
}

// sentPage is what became of a sent draft.
type sentPage struct {
	Shell
	practice.Outcome
	Pages
	Back string
	Part bool // asked for by the page itself, while it watches
}

// ProgressURL is what the page asks while letters are on their way.
func (p sentPage) ProgressURL() string { return draftPath(p.Draft.PublicID) + "/sent?poll=1" }

// Why says in plain words why a letter didn't leave.
func (p sentPage) Why(reply string) string { return practice.ReplyTrouble(reply).Why }

// Watch tells that more will happen by itself.
func (p sentPage) Watch() bool { return p.Progress.Moving() && p.MailHeld == "" }

func (s *Site) sentDraft(c *fiber.Ctx, by practice.Staff) error {
	number := pageNumber(c)
	outcome, err := s.Practice.Outcome(c.UserContext(), by, c.Params("id"), (number-1)*practice.PageSize, practice.PageSize)
	if err != nil {
		return err
	}
	page := sentPage{Shell: s.draftShell(c, "Sent", outcome.Draft), Outcome: outcome, Back: back(outcome.Draft), Part: partly(c),
		Pages: newPages(number, outcome.Progress.Total, func(n int) string {
			return fmt.Sprintf("%s/sent?page=%d", draftPath(outcome.Draft.PublicID), n)
		})}
	return s.render(c, "drafts/sent", "drafts/_progress", page)
}
