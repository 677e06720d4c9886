package handlers

import (
	"cmp"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"anteroom/mail/mailbox"
	"anteroom/practice"

	"github.com/gofiber/fiber/v2"
)

const (
	mailboxPath = "/demo/mailbox"
	maxMails    = 100       // letters that the list shows; a search finds the others
	maxShown    = 256 << 10 // bytes of a letter's text or source that its page shows
)

// mailboxPage is the demo's mailbox: its letters, newest first, and beside them the one that is open.
type mailboxPage struct {
	Shell
	Query   string
	State   mailbox.State
	Addr    string // where it takes mail
	Found   []mailbox.Letter
	Letter  *mailbox.Letter // that is open; nil: none
	View    string          // how it is looked at
	Part    bool            // only a part of the page is asked for
	Beside  bool            // the list comes along with the letter that was opened
	Moved   bool            // the letter was picked from the list, so that is where one goes on reading
	Arrived int             // letters that came since the list was last shown

	now time.Time
}

// mailboxView is one way to look at a letter.
type mailboxView struct {
	Name, Title, URL string
	Current          bool
}

// mailboxRow is a letter in the list.
type mailboxRow struct {
	mailbox.Letter
	URL     string
	Day     string
	Current bool
}

func letterURL(id int, query, view string) string {
	values := url.Values{}
	if query != "" {
		values.Set("q", query)
	}
	if view != "" {
		values.Set("view", view)
	}
	path := mailboxPath
	if id > 0 {
		path += "/" + strconv.Itoa(id)
	}
	if len(values) > 0 {
		path += "?" + values.Encode()
	}
	return path
}

// URL is the page as it stands.
func (p mailboxPage) URL() string {
	if p.Letter == nil {
		return letterURL(0, p.Query, "")
	}
	return letterURL(p.Letter.ID, p.Query, "")
}

// ListURL is the list, at the open letter.
func (p mailboxPage) ListURL() string {
	return letterURL(0, p.Query, "") + "#letter-" + strconv.Itoa(p.Letter.ID)
}

// Known is what the page tells when it asks for news.
func (p mailboxPage) Known() string { return fmt.Sprintf("%d.%d", p.State.Changes, p.State.Received) }

// Hidden is how many letters the list does not show.
func (p mailboxPage) Hidden() int { return max(len(p.Found)-maxMails, 0) }

// Rows are the letters in the list.
func (p mailboxPage) Rows() (rows []mailboxRow) {
	for _, l := range p.Found[:min(len(p.Found), maxMails)] {
		rows = append(rows, mailboxRow{l, letterURL(l.ID, p.Query, ""), p.shortly(l.At), p.Letter != nil && l.ID == p.Letter.ID})
	}
	return rows
}

// shortly is a time as a list has room for it: today's by the clock, others by the day.
func (p mailboxPage) shortly(t time.Time) string {
	t, now := t.In(p.zone), p.now.In(p.zone)
	switch {
	case t.Format(time.DateOnly) == now.Format(time.DateOnly):
		return t.Format("3:04 PM")
	case t.Year() == now.Year():
		return t.Format("Jan 2")
	}
	return t.Format("Jan 2, 2006")
}

// Views are the ways to look at the open letter.
func (p mailboxPage) Views() (views []mailboxView) {
	for _, v := range []mailboxView{{Name: "html", Title: "HTML"}, {Name: "text", Title: "Plain text"}, {Name: "source", Title: "Source"}} {
		v.URL, v.Current = letterURL(p.Letter.ID, p.Query, v.Name), v.Name == p.View
		views = append(views, v)
	}
	return views
}

// Position is where the open letter stands among those found; 0: it isn't one of them.
func (p mailboxPage) Position() int {
	return 1 + slices.IndexFunc(p.Found, func(l mailbox.Letter) bool { return l.ID == p.Letter.ID })
}

// Previous is the letter above the open one; empty: there is none.
func (p mailboxPage) Previous() string {
	for _, l := range slices.Backward(p.Found) {
		if l.ID > p.Letter.ID {
			return letterURL(l.ID, p.Query, p.View)
		}
	}
	return ""
}

// Next is the letter below it.
func (p mailboxPage) Next() string {
	for _, l := range p.Found {
		if l.ID < p.Letter.ID {
			return letterURL(l.ID, p.Query, p.View)
		}
	}
	return ""
}

// Delivered is to whom the letter was really sent, where its header doesn't tell.
func (p mailboxPage) Delivered() string {
	for to := range strings.SplitSeq(p.Letter.EnvelopeTo, ", ") {
		if !strings.Contains(strings.ToLower(p.Letter.To), strings.ToLower(to)) {
			return p.Letter.EnvelopeTo
		}
	}
	return ""
}

// textPiece is a piece of plain text; one with a URL is a link.
type textPiece struct{ Text, URL string }

var linkInText = regexp.MustCompile(`https?://[^\s<>"]+[^\s<>".,;:!?')\]]`)

// Text is the letter's plain text in pieces.
func (p mailboxPage) Text() (pieces []textPiece) {
	text, at := shown(p.Letter.Words()), 0
	for _, found := range linkInText.FindAllStringIndex(text, -1) {
		link := text[found[0]:found[1]]
		pieces = append(pieces, textPiece{Text: text[at:found[0]]}, textPiece{link, link})
		at = found[1]
	}
	return append(pieces, textPiece{Text: text[at:]})
}

// Source is the letter as it came over the wire, byte by byte: one that is no character is written as its number.
func (p mailboxPage) Source() string {
	var b strings.Builder
	source := strings.ReplaceAll(shown(string(p.Letter.Source)), "\r\n", "\n")
	for i, r := range source {
		if _, size := utf8.DecodeRuneInString(source[i:]); r == utf8.RuneError && size == 1 || r < ' ' && r != '\n' && r != '\t' || r == 0x7f {
			fmt.Fprintf(&b, `\x%02X`, source[i])
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// Cut tells that the view shows only the beginning of what there is.
func (p mailboxPage) Cut() bool {
	return p.View == "text" && len(p.Letter.Words()) > maxShown || p.View == "source" && len(p.Letter.Source) > maxShown
}

// shown is as much of a text as a page shows.
func shown(s string) string { return s[:min(len(s), maxShown)] }

// mailboxPage is the page before a letter is open on it. What the page itself keeps comes as fields: q, open and known.
func (s *Site) mailboxPage(c *fiber.Ctx) mailboxPage {
	page := mailboxPage{Shell: s.shell(c, "Mailbox", ""), Query: c.FormValue("q"), Addr: s.Mailbox.Addr(), State: s.Mailbox.State(), Part: partly(c), now: s.Practice.Now()}
	page.Found = s.Mailbox.Search(page.Query)
	if id, err := strconv.Atoi(c.FormValue("open")); err == nil && page.Part {
		page.open(s.Mailbox.Get(id))
	}
	return page
}

func (p *mailboxPage) open(l mailbox.Letter, ok bool) {
	if ok {
		p.Letter, p.Title = &l, cmp.Or(l.Subject, "A letter without a subject")
	}
}

func (s *Site) mailbox(c *fiber.Ctx) error {
	if s.Mailbox == nil {
		return practice.ErrNotFound
	}
	page := s.mailboxPage(c)
	var changes, received int
	if polls(c) {
		fmt.Sscanf(c.Query("known"), "%d.%d", &changes, &received)
		if changes == page.State.Changes {
			return c.SendStatus(fiber.StatusNoContent)
		}
		for _, l := range page.Found {
			if l.ID > received {
				page.Arrived++
			}
		}
	} else if page.Part {
		c.Set("HX-Replace-Url", page.URL())
	}
	return s.render(c, "mailbox/list", "mailbox/_letters", page)
}

// openMail opens a letter, which is read then.
func (s *Site) openMail(c *fiber.Ctx) error {
	letter, err := s.demoLetter(c, (*mailbox.Box).Read)
	if err != nil {
		return err
	}
	page := s.mailboxPage(c)
	page.open(letter, true)
	page.View, page.Beside, page.Moved = c.Query("view"), true, page.Part && c.Query("view") == ""
	if !slices.ContainsFunc(page.Views(), func(v mailboxView) bool { return v.Current }) {
		page.View = "text"
		if letter.HTML != "" {
			page.View = "html"
		}
	}
	return s.render(c, "mailbox/list", "mailbox/_letter", page)
}

// readMail marks all letters as read.
func (s *Site) readMail(c *fiber.Ctx) error {
	if s.Mailbox == nil {
		return practice.ErrNotFound
	}
	s.Mailbox.ReadAll()
	if partly(c) {
		return s.show(c, "mailbox/_letters", s.mailboxPage(c))
	}
	return s.seeOther(c, mailboxPath)
}

// emptyMailbox forgets all letters, and the links that are in them.
func (s *Site) emptyMailbox(c *fiber.Ctx) error {
	if s.Mailbox == nil {
		return practice.ErrNotFound
	}
	s.Mailbox.Clear()
	return s.seeOther(c, mailboxPath)
}

// demoLetter gets the letter that the request names.
func (s *Site) demoLetter(c *fiber.Ctx, get func(*mailbox.Box, int) (mailbox.Letter, bool)) (mailbox.Letter, error) {
	id, err := strconv.Atoi(c.Params("id"))
	if s.Mailbox == nil || err != nil {
		return mailbox.Letter{}, practice.ErrNotFound
	}
	letter, ok := get(s.Mailbox, id)
	if !ok {
		return letter, practice.ErrNotFound
	}
	return letter, nil
}

// mailboxLetter shows a letter's HTML alone. Unlike a preview's, its links can be followed: they replace the whole page. Nothing
// in it runs, and nothing is loaded from anywhere.
func (s *Site) mailboxLetter(c *fiber.Ctx) error {
	letter, err := s.demoLetter(c, (*mailbox.Box).Get)
	if err != nil {
		return err
	}
	s.framed(c, "sandbox allow-top-navigation-by-user-activation")
	c.Set(fiber.HeaderContentType, fiber.MIMETextHTMLCharsetUTF8)
	return c.SendString(letter.Page())
}

// mailSource hands a letter out as a file.
func (s *Site) mailSource(c *fiber.Ctx) error {
	letter, err := s.demoLetter(c, (*mailbox.Box).Get)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, fiber.MIMEOctetStream)
	c.Set(fiber.HeaderContentDisposition, fmt.Sprintf(`attachment; filename="letter-%d.eml"`, letter.ID))
	return c.Send(letter.Source)
}
