package handlers

import (
	"strconv"
	"strings"

	"anteroom/mail/mailbox"
	"anteroom/practice"

	"github.com/gofiber/fiber/v2"
)

// mailboxPage is the demo's mailbox: what was sent, newest first, and one letter opened.
type mailboxPage struct {
	Shell
	Query   string
	Letters []mailbox.Letter
	Letter  *mailbox.Letter
	Opened  bool // the letter was asked for: on a phone it stands above the list
}

// maxMails is how many letters the list shows; a search finds the others.
const maxMails = 100

// Source is the opened letter as it came over the wire.
func (p mailboxPage) Source() string { return string(p.Letter.Source) }

// Hidden is how many letters the list does not show.
func (p mailboxPage) Hidden() int { return max(len(p.Letters)-maxMails, 0) }

// Listed are the letters in the list.
func (p mailboxPage) Listed() []mailbox.Letter { return p.Letters[:min(len(p.Letters), maxMails)] }

func (s *Site) mailbox(c *fiber.Ctx) error {
	if s.Mailbox == nil {
		return practice.ErrNotFound
	}
	page := mailboxPage{Shell: s.shell(c, "Mailbox", ""), Query: c.Query("q")}
	page.Letters = s.Mailbox.Search(page.Query)
	if id := c.Params("id"); id != "" {
		letter, err := s.demoLetter(c)
		if err != nil {
			return err
		}
		page.Letter, page.Opened = &letter, true
	} else if len(page.Letters) > 0 {
		page.Letter = &page.Letters[0]
	}
	return s.render(c, "mailbox/list", "mailbox/_letters", page)
}

func (s *Site) demoLetter(c *fiber.Ctx) (mailbox.Letter, error) {
	id, err := strconv.Atoi(c.Params("id"))
	if s.Mailbox == nil || err != nil {
		return mailbox.Letter{}, practice.ErrNotFound
	}
	letter, ok := s.Mailbox.Get(id)
	if !ok {
		return letter, practice.ErrNotFound
	}
	return letter, nil
}

// mailboxLetter shows a letter's HTML alone. Unlike a preview's, its links can be followed: they replace the whole page.
func (s *Site) mailboxLetter(c *fiber.Ctx) error {
	letter, err := s.demoLetter(c)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentSecurityPolicy, "default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'self'; sandbox allow-top-navigation-by-user-activation")
	c.Set(fiber.HeaderContentType, fiber.MIMETextHTMLCharsetUTF8)
	page, err := s.withLogo(c, letter.HTML)
	if err != nil {
		return err
	}
	return c.SendString(strings.Replace(page, "<head>", `<head><base target="_top">`, 1))
}
