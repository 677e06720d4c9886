package handlers

import (
	"slices"
	"strings"

	"anteroom/db"
	"anteroom/practice"

	"github.com/gofiber/fiber/v2"
)

const (
	messagesPath     = "/organization/client-portal/messages"
	placeholdersPath = "/organization/client-portal/placeholders"
)

// messagesPage is the default messages, each as a letter to an invented person.
type messagesPage struct {
	Shell
	Messages []defaultMessage
}

// defaultMessage is a default as its page shows it.
type defaultMessage struct {
	practice.DefaultMessage
	Warnings []practice.Warning
}

// Warned is what there is to warn of in it.
func (m defaultMessage) Warned() warned {
	return warned{ID: m.ID() + "-warnings", Warnings: m.Warnings}
}

// Heading names it by who receives it, and in which language.
func (m defaultMessage) Heading() string {
	heading := messageHeadings[m.Kind]
	if !m.Own() {
		heading += ", in " + m.Language.Name
	}
	return heading
}

// ID tells it apart on its page.
func (m defaultMessage) ID() string {
	return strings.TrimSuffix(slug(string(m.Kind))+"-"+m.Language.Key, "-")
}

// URL is where it is changed.
func (m defaultMessage) URL() string { return m.at("") }

// FrameURL is where its letter is shown, on its own.
func (m defaultMessage) FrameURL() string { return m.at("/letter") }

// OriginalURL shows the text that it had at first, to be saved.
func (m defaultMessage) OriginalURL() string {
	if m.Own() {
		return m.URL() + "?text=original"
	}
	return m.URL() + "&text=original"
}

func (m defaultMessage) at(what string) string {
	path := messagesPath + "/" + slug(string(m.Kind)) + what
	if !m.Own() {
		path += "?language=" + m.Language.Key
	}
	return path
}

// FormTitles are the forms that go with it.
func (m defaultMessage) FormTitles() (titles []string) {
	for _, f := range m.Forms {
		if f.Chosen {
			titles = append(titles, f.Title)
		}
	}
	return titles
}

func (s *Site) defaultMessages(c *fiber.Ctx, by practice.Administrator) error {
	all, err := s.Practice.DefaultMessages(c.UserContext(), by)
	if err != nil {
		return err
	}
	page := messagesPage{Shell: s.organization(c, "Client Portal", "client-portal")}
	for _, m := range all {
		warnings, err := s.Practice.LookOverDefault(c.UserContext(), by, m.Message)
		if err != nil {
			return err
		}
		page.Messages = append(page.Messages, defaultMessage{m, warnings})
	}
	return s.show(c, "organization/messages", page)
}

// defaultMessagePage is one default message and its forms, to be changed.
type defaultMessagePage struct {
	Shell
	defaultMessage
	Errors   practice.Invalid
	Restored bool // the fields hold the original text, which is not saved yet
}

// ComposeMessage is the message with its fields' names and faults.
func (p defaultMessagePage) ComposeMessage() composeMessage {
	m := newComposeMessage(practice.DraftMessage{Kind: p.Kind, Message: p.Message}, p.Heading(), p.Errors)
	m.PlaceholdersURL, m.Warnings = placeholdersPath, p.Warnings
	return m
}

func (s *Site) defaultMessage(c *fiber.Ctx, by practice.Administrator) error {
	m, err := s.defaultOf(c, by)
	if err != nil {
		return err
	}
	page := defaultMessagePage{defaultMessage: defaultMessage{DefaultMessage: m}, Restored: c.Query("text") == "original"}
	if page.Restored {
		page.DefaultMessage = m.Restored()
	}
	return s.showDefaultMessage(c, by, page)
}

// messageKind is the kind that the address names, or none.
func messageKind(c *fiber.Ctx) db.MessageKind {
	for kind := range messageHeadings {
		if slug(string(kind)) == c.Params("kind") {
			return kind
		}
	}
	return ""
}

// defaultOf is the default that the address names.
func (s *Site) defaultOf(c *fiber.Ctx, by practice.Administrator) (m practice.DefaultMessage, err error) {
	all, err := s.Practice.DefaultMessages(c.UserContext(), by)
	if err != nil {
		return m, err
	}
	i := slices.IndexFunc(all, func(m practice.DefaultMessage) bool {
		return m.Kind == messageKind(c) && m.Language.Key == c.Query("language")
	})
	if i < 0 {
		return m, practice.ErrNotFound
	}
	return all[i], nil
}

func (s *Site) showDefaultMessage(c *fiber.Ctx, by practice.Administrator, page defaultMessagePage) (err error) {
	if page.Warnings, err = s.Practice.LookOverDefault(c.UserContext(), by, page.Message); err != nil {
		return err
	}
	page.Shell = s.organization(c, page.Heading(), "client-portal")
	if len(page.Errors) > 0 {
		page.Problem = page.Errors["version"]
		c.Status(fiber.StatusUnprocessableEntity)
	}
	return s.show(c, "organization/message", page)
}

func (s *Site) saveDefaultMessage(c *fiber.Ctx, by practice.Administrator) error {
	kind, forms := c.Params("kind"), posted(c, "form_key")
	typed := db.Message{Subject: c.FormValue(kind + ".subject"), Body: c.FormValue(kind + ".body")}
	version := c.FormValue("version")
	if err := s.Practice.ChangeDefaultMessage(c.UserContext(), by, messageKind(c), c.Query("language"), typed, forms, version); err != nil {
		wrong, err := invalid(err)
		if err != nil {
			return err
		}
		m, err := s.defaultOf(c, by)
		if err != nil {
			return err
		}
		if wrong["version"] != "" {
			version = m.Version // who saves again has read what changed
		}
		m = m.Typed(typed, forms)
		m.Version = version
		return s.showDefaultMessage(c, by, defaultMessagePage{defaultMessage: defaultMessage{DefaultMessage: m}, Errors: wrong})
	}
	if kind := messageKind(c); kind == db.InvitationReminderMessage || kind == db.FormsReminderMessage {
		s.notify(c, "reminder saved")
	} else {
		s.notify(c, "default saved")
	}
	return s.seeOther(c, messagesPath)
}

// defaultLetter shows the letter that a default makes, alone, for the frame.
func (s *Site) defaultLetter(c *fiber.Ctx, by practice.Administrator) error {
	letter, err := s.Practice.PreviewDefault(c.UserContext(), by, messageKind(c), c.Query("language"))
	if err != nil {
		return err
	}
	return s.frameMail(c, letter.HTML)
}

// placeholdersPage is every placeholder, and what it shows today.
type placeholdersPage struct {
	Shell
	Placeholders []practice.PlaceholderToday
}

func (s *Site) placeholders(c *fiber.Ctx, by practice.Administrator) error {
	all, err := s.Practice.PlaceholdersToday(c.UserContext(), by)
	if err != nil {
		return err
	}
	return s.show(c, "organization/placeholders", placeholdersPage{s.organization(c, "Client Portal", "client-portal"), all})
}
