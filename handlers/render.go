package handlers

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"anteroom/practice"
	"anteroom/static"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/bytebufferpool"
)

// Shell is what the frame round every page needs; each page's data embeds it.
type Shell struct {
	Title     string
	Practice  string
	Logo      string // its address; empty: there is none
	Nav       string // the part of the primary navigation that this page belongs to
	Side      string // the same of Organization's side menu; empty: no side menu
	Actor     *ShellActor
	Notice    string // what the last write did
	Problem   string
	Demo      bool
	MailHeld  string // why letters wait, for the screens that send; empty: they leave
	MailPath  string // where an administrator can do something about it
	MailWords string // what that link says
	Attention int    // sendings that couldn't be sent, for Organization's side menu

	zone *time.Location
}

// ShellActor is who looks at the page.
type ShellActor struct {
	Name          string
	Role          string
	Administrator bool
	Client        bool
	Session       sessionLeft
}

func (s *Site) shell(c *fiber.Ctx, title, nav string) Shell {
	shell := Shell{Title: title, Nav: nav, Notice: s.takeNotice(c), zone: time.UTC, Demo: s.Mailbox != nil}
	o, err := s.Practice.Organization(c.UserContext())
	if err == nil {
		shell.Practice, shell.zone = o.Name, o.TimeZone
		if o.Logo.Hash != "" {
			shell.Logo = "/logo/" + o.Logo.Hash
		}
	}
	if by, ok := actor(c).Staff(); ok {
		shell.Actor = &ShellActor{Name: by.Name(), Role: roleWords[by.Role()], Administrator: by.Administers(), Session: s.sessionLeft(actor(c))}
		status := s.Practice.OutboxStatus()
		shell.MailPath, shell.MailWords = whereHeld(status)
		if shell.MailHeld = fullStop(status.Held); o.PortalOff() {
			shell.MailHeld = strings.TrimSpace("The client portal is turned off: clients can't sign in, and letters to them wait. " + shell.MailHeld)
		}
	} else if by, ok := actor(c).Client(); ok {
		shell.Actor = &ShellActor{Name: by.Name(), Client: true, Session: s.sessionLeft(actor(c))}
	}
	return shell
}

// whereHeld is where an administrator can do something about letters that wait, and the words of a link to it.
func whereHeld(status practice.OutboxStatus) (path, words string) {
	switch {
	case status.Unset:
		return mailSettingsPath, "Set up mail"
	case status.Trouble:
		return mailSettingsPath, "Look at the mail settings"
	}
	return mailQueuePath, "Look into the queue"
}

// fullStop ends a sentence of which a mail server may have said the last words.
func fullStop(sentence string) string {
	if sentence == "" || strings.ContainsRune(".!?…", []rune(sentence)[len([]rune(sentence))-1]) {
		return sentence
	}
	return sentence + "."
}

// organization is the shell of a page under Organization.
func (s *Site) organization(c *fiber.Ctx, title, side string) Shell {
	shell := s.shell(c, title, "organization")
	shell.Side = side
	if by, ok := actor(c).Administrator(); ok && !partly(c) {
		var err error
		if shell.Attention, err = s.Practice.SendingsInTrouble(c.UserContext(), by); err != nil {
			s.Log.Error("sendings not counted", "reference", c.Locals(referenceKey), "error", err.Error())
		}
	}
	return shell
}

// When is a time as staff and clients read it: in the practice's time zone.
func (s Shell) When(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(s.zone).Format("Jan 2, 2006, 3:04 PM")
}

// Day is a date as they read it, in the practice's time zone.
func (s Shell) Day(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(s.zone).Format("Jan 2, 2006")
}

// Clock is a time of the day as they read it.
func (s Shell) Clock(t time.Time) string { return t.In(s.zone).Format("3:04 PM") }

// Machine is a time for <time datetime>.
func (s Shell) Machine(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func (s *Site) templateFuncs() map[string]any {
	return map[string]any{
		"asset": static.URL,
		"plural": func(n int, one, many string) string {
			if n == 1 {
				return "1 " + one
			}
			return thousands(n) + " " + many
		},
		"thousands": thousands,
		"bytes":     sizeInWords,
		"sentence":  fullStop,
		"slug":      func(s any) string { return slug(fmt.Sprint(s)) },
		"date":      writtenDate,
		"language":  languageName,
		"lower":     strings.ToLower,
		"capital":   func(s any) string { return capital(fmt.Sprint(s)) },
	}
}

// capital begins a text with a capital letter.
func capital(s string) string { return strings.ToUpper(s[:min(1, len(s))]) + s[min(1, len(s)):] }

// thousands writes 12345 as 12,345.
func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// sizeInWords writes a number of bytes as people read it.
func sizeInWords(n int) string {
	switch {
	case n < 1<<10:
		return thousands(n) + " bytes"
	case n < 1<<20:
		return fmt.Sprintf("%d KB", (n+1<<9)>>10)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/(1<<20))
}

// slug is the name by which the stylesheet knows a state.
func slug(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(strings.ToLower(s), "couldn't", "could-not"), " ", "-")
}

// writtenDate writes YYYY-MM-DD as Jan 2, 2006.
func writtenDate(s string) string {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return s
	}
	return t.Format("Jan 2, 2006")
}

// partly tells that the request came from a part of a page, which htmx will put the answer into.
func partly(c *fiber.Ctx) bool { return c.Get("HX-Request") != "" }

// polls tells that a page asked by itself, not a person.
func polls(c *fiber.Ctx) bool {
	return c.Query("poll") != "" || c.Path() == sessionPath && c.Method() != fiber.MethodPost
}

// show answers with a template, whole or not at all. The template is executed as it was loaded: the engine's Render copies it
// first, which is a race with the first request that has it escaped, and Fiber's own makes a list of its mounted apps at the
// first call, which is another.
func (s *Site) show(c *fiber.Ctx, name string, data any) error {
	template := s.engine.Templates.Lookup(name)
	if template == nil {
		return fmt.Errorf("show %s: there is no such template", name)
	}
	page := bytebufferpool.Get()
	defer bytebufferpool.Put(page)
	if err := template.Execute(page, data); err != nil {
		return fmt.Errorf("show %s: %w", name, err)
	}
	c.Set(fiber.HeaderContentType, fiber.MIMETextHTMLCharsetUTF8)
	c.Response().SetBody(page.B)
	return nil
}

// render answers with a page, or with the fragment of it that was asked for.
func (s *Site) render(c *fiber.Ctx, page, fragment string, data any) error {
	if partly(c) && fragment != "" {
		return s.show(c, fragment, data)
	}
	return s.show(c, page, data)
}

// seeOther sends the browser on to another page after a write.
func (s *Site) seeOther(c *fiber.Ctx, path string) error {
	if partly(c) {
		c.Set("HX-Redirect", path)
		return c.SendStatus(fiber.StatusNoContent)
	}
	return c.Redirect(path, fiber.StatusSeeOther)
}

// invalid returns what is wrong with what was typed; any other error is not the form's to tell.
func invalid(err error) (practice.Invalid, error) {
	if v, ok := err.(practice.Invalid); ok {
		return v, nil
	}
	return nil, err
}

// notices are what pages say after a write; each %s is a count.
var notices = map[string]string{
	"answers saved":   "Your answers are saved. Go on whenever you like.",
	"form reviewed":   "Marked as reviewed.",
	"nobody selected": "Nobody is selected yet. Tick at least one client first.",
	"logo removed":    "The logo was removed.",
	"saved":           "Saved.",
	"default saved":   "Saved. New invitations and messages start with it.",
	"reminder saved":  "Saved. Reminders say this from now on.",
	"signed out":      "You are signed out.",
	"not saved":       "What you sent last wasn’t saved.",

	"signed out there":     "That browser is signed out.",
	"signed out elsewhere": "Everywhere else you are signed out.",
	"staff signed out":     "They are signed out everywhere.",
	"client signed out":    "The client is signed out everywhere.",
	"password changed":     "Your password is changed. Everywhere else you are signed out, and a mail tells you of it.",

	"letters tried":     "Letters that are tried again at once: %s.",
	"letters cancelled": "Letters that were taken back: %s.",
	"no letter ticked":  "No letter is ticked yet. Tick at least one first.",
	"outbox paused":     "Paused: no letter leaves until somebody resumes it. A letter that is on its way finishes.",
	"outbox resumed":    "Letters leave again.",
	"outbox tried":      "The mail server is being asked again.",

	"key rotated": "Rotated. Everything new is sealed under the new key from now on. Copy the key file to where you keep it.",

	"mail forgotten":        "The mail settings are forgotten, with their secrets. Letters wait until there are new ones.",
	"mail saved":            "Saved. Letters go there from now on.",
	"mail saved, set aside": "Saved. Letters go there from now on. Letters that were written for another From address, and now need attention: %s.",

	"set up":             "Your practice is set up, and you are signed in. Next: add your staff and your clients.",
	"password chosen":    "Your password is saved, and you are signed in.",
	"new link":           "If this link was yours, a new one is on its way to the address the practice has on file.",
	"address confirmed":  "Your address is confirmed: you sign in with it from now on.",
	"address asked":      "If this address can be used, a mail with a link is on its way to it. Until you have opened the link, you sign in as before.",
	"address link sent":  "The link is on its way again. The one before no longer works.",
	"address withdrawn":  "The new address was withdrawn: the old one stays.",
	"just sent":          "A link was sent less than five minutes ago. Give it time to arrive.",
	"forgotten password": "If we know that address, a mail with a link is on its way to it.",
	"staff added":        "The staff member was added. A mail with a link to choose a password is on its way.",
	"staff changed":      "Saved. It counts from their next click on.",
	"staff disabled":     "They are signed out and can't sign in.",
	"work taken":         "They are signed out and can't sign in. Clients taken from them: %s. Letters taken back: %s.",
	"letters taken back": "Saved. It counts from their next click on. Letters taken back that they may not send any more: %s.",
	"staff address":      "The address was changed.",
	"staff link sent":    "The address was changed. A link to choose a password is on its way to it.",
	"staff enabled":      "They are enabled again. Whoever has no password yet was sent a new link.",
	"join mail sent":     "A new link is on its way. The one before no longer works.",

	"set up, halfway":           "Your practice is set up. One more step, and you are in.",
	"password chosen, halfway":  "Your password is saved. One more step, and you are in.",
	"password chosen, passkeys": "Your password is saved. Passkeys of this account still sign in without it: once you are in, see under Sign-in and security that each is yours. If you can’t take this step, call the practice.",
	"step set up":               "The authenticator app is set up. Wherever else you were signed in, you are signed out.",
	"passkey added":             "The passkey is added. Wherever else you were signed in, you are signed out.",
	"passkey removed":           "The passkey is removed. Wherever else you were signed in, you are signed out.",
	"app removed":               "The authenticator app is removed. Wherever else you were signed in, you are signed out.",
	"few codes":                 "Recovery codes that are left: %s. Make new ones under Sign-in and security before you need them.",
	"codes given":               "You were given new codes a moment ago. If you don’t have them, make new ones under Sign-in and security.",
	"step required":             "Saved. It counts from everybody's next click on.",
	"step removed":              "Their second step is removed, they are signed out, and a mail tells them. They sign in with their password, and set it up anew where it is required.",
	"step taken anew":           "You have a second step already. Enter its code.",

	"client added":                 "The client was added.",
	"client changed":               "The changes were saved.",
	"client assigned":              "The client was assigned.",
	"client archived":              "The client is archived.",
	"client restored":              "The client is restored.",
	"clients archived":             "%s clients are archived.",
	"clients restored":             "%s clients are restored.",
	"archive first":                "Archive the client first: only an archived client's data can be deleted.",
	"client deleted":               "The client's data is deleted.",
	"address released":             "The address is released: somebody else can use it now.",
	"clients assigned":             "Assigned %s clients.",
	"clients unassigned":           "Took %s clients from them.",
	"nobody ticked":                "Nobody is ticked yet. Tick at least one client first.",
	"nobody to assign to":          "Choose a staff member first.",
	"client unassigned":            "The client is no longer assigned to them.",
	"whole portal off":             "The client portal is turned off for all clients.",
	"whole portal on":              "The client portal is turned on. Letters that waited are leaving now.",
	"portal off":                   "Portal access is turned off.",
	"portal on":                    "Portal access is turned on.",
	"sent again to many":           "Sent again to %s.",
	"reminders off":                "Reminders are turned off for this client.",
	"reminders on":                 "Reminders are turned on for this client.",
	"sent again":                   "It is on its way again. A link that was mailed before no longer works.",
	"address bounced":              "Noted: mail to this address bounced. Whoever sends to it next is told.",
	"address reached":              "Noted: mail reaches this address again.",
	"invitation revoked":           "The invitation was revoked: its link no longer works.",
	"form revoked":                 "The form was revoked.",
	"client imported":              "1 client was imported.",
	"clients imported":             "%s clients were imported.",
	"clients imported and updated": "Added: %s. Updated: %s.",
	"import busy":                  "Another list is being imported at the moment. Wait until it is done.",
	"import discarded":             "The file was discarded: nothing was imported.",
	"over already":                 "That was over already, so nothing changed.",
}

// maxCounts is how many counts a notice has at most.
const maxCounts = 5

// notify has the next page say a notice, with counts where it has room for them.
func (s *Site) notify(c *fiber.Ctx, notice string, counts ...int) {
	if _, ok := notices[notice]; !ok {
		panic("no notice " + notice)
	}
	value := notice
	for _, n := range counts {
		value += fmt.Sprintf("|%d", n)
	}
	s.cookie.set(c, noticeCookie, url.QueryEscape(value), time.Minute)
}

// takeNotice returns the notice that the last write left, once.
func (s *Site) takeNotice(c *fiber.Ctx) string {
	value, err := url.QueryUnescape(s.cookie.get(c, noticeCookie))
	if err != nil || value == "" || partly(c) {
		return ""
	}
	s.cookie.clear(c, noticeCookie)
	parts := strings.Split(value, "|")
	counts := make([]int, maxCounts)
	for i := range min(len(parts)-1, maxCounts) {
		fmt.Sscan(parts[i+1], &counts[i])
	}
	sentence := notices[parts[0]]
	for i := range strings.Count(sentence, "%s") {
		sentence = strings.Replace(sentence, "%s", thousands(counts[i]), 1)
	}
	switch parts[0] {
	case "sent again to many":
		sentence += " " + leftOut(practice.Resent{Soon: counts[1], Bounced: counts[2], Unreachable: counts[3], Over: counts[4]})
	case "sent again":
		if held := s.Practice.OutboxStatus().Held; held != "" {
			sentence = "It waits in the queue: " + held + " A link that was mailed before no longer works."
		}
	}
	return strings.TrimSpace(sentence)
}
