// Package mail is the wire: it composes letters, speaks to the relay and works
// through the outbox.
package mail

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"strings"
	"time"

	"github.com/emersion/go-message"

	"anteroom/db"
)

// Errors of Compose.
var (
	ErrNoAddress   = errors.New("mail: a letter needs one sender and one recipient")
	ErrSubjectLink = errors.New("mail: the link can't stand in the subject")
	ErrTooLong     = errors.New("mail: the letter is too long")
)

// UnknownPlaceholder is a name in braces for which there is no value.
type UnknownPlaceholder string

func (e UnknownPlaceholder) Error() string {
	return fmt.Sprintf("mail: unknown placeholder {%s}", string(e))
}

// maxHTML keeps a letter whole: mail programs cut what is much longer.
const maxHTML = 50_000

// Address is a person or practice with its one address.
type Address struct {
	Name  string
	Email db.Email
}

// Particulars are what one letter adds to its message.
type Particulars struct {
	From, To  Address
	ReplyTo   Address // may be nobody
	Values    map[string]string
	Button    string // the words on the link's button
	Logo      *Logo  // above the message; nil: none
	Footer    string // who sent this and how to reach them, below the message; a line each
	NotMeant  Follow // the footer's last line: where whoever got it by mistake says so; zero: there is none
	Lang      string // a language tag; empty for English
	Date      time.Time
	MessageID string // empty for a new one
}

// Follow is a few words that lead somewhere.
type Follow struct{ Words, URL string }

// Logo is a picture that stands above a message, and travels with it.
type Logo struct {
	PNG           []byte
	Width, Height int
}

// LogoSource is how a letter's HTML refers to the logo that travels with it (RFC 2392).
const LogoSource = "cid:logo"

// Letter is one composed mail. Bytes is all of it; the rest are its parts as
// they read, for the preview.
type Letter struct {
	From, To, ReplyTo   Address
	Subject, Text, HTML string
	MessageID           string
	Date                time.Time
	Bytes               []byte
}

// Composer makes letters, for the preview and for sending alike.
type Composer struct{ frame *template.Template }

// NewComposer takes the letter's frame from mail/letter.html among the views.
func NewComposer(views fs.FS) (*Composer, error) {
	frame, err := template.ParseFS(views, "mail/letter.html")
	if err != nil {
		return nil, err
	}
	return &Composer{frame}, nil
}

// Compose resolves a message for one person. The same message and particulars,
// Message-ID included, always give the same bytes. Where there is a value for
// the link but no place for it in the message, a button follows it. The errors
// are UnknownPlaceholder, ErrNoAddress, ErrSubjectLink, ErrTooLong, ErrHeader.
func (c *Composer) Compose(m *Message, p Particulars) (Letter, error) {
	if p.From.Email.IsZero() || p.To.Email.IsZero() {
		return Letter{}, ErrNoAddress
	}
	if m.subjectLink {
		return Letter{}, ErrSubjectLink
	}
	if p.MessageID == "" {
		p.MessageID = NewMessageID(p.From.Email)
	}
	if p.Lang == "" {
		p.Lang = "en"
	}
	r := resolver{source: m.source, link: oneLine(p.Values[Link]), label: oneLine(p.Button)}
	r.values = func(name string) (string, bool) {
		v, ok := p.Values[name]
		return oneLine(v), ok
	}
	l := Letter{From: p.From, To: p.To, ReplyTo: p.ReplyTo, MessageID: p.MessageID, Date: p.Date}
	l.Subject = oneLine(r.plain(m.subject))
	body := r.blocks(m.tree)
	if len(r.unknown) > 0 {
		return Letter{}, UnknownPlaceholder(r.unknown[0])
	}
	if r.link != "" && !m.bodyLink {
		body = append(body, r.button())
	}
	if err := c.write(&l, body, p); err != nil {
		return Letter{}, err
	}
	return l, nil
}

func (c *Composer) write(l *Letter, body []node, p Particulars) error {
	footer := strings.Split(strings.TrimSpace(clean(p.Footer)), "\n")
	l.Text = textBlocks(body) + "\n\n-- \n" + strings.Join(footer, "\n") + "\n"
	if p.NotMeant.URL != "" {
		l.Text += p.NotMeant.Words + ": " + p.NotMeant.URL + "\n"
	}
	if from := oneLine(p.From.Name); from != "" {
		l.Text = from + "\n\n" + l.Text
	}
	var page strings.Builder
	err := c.frame.Execute(&page, struct {
		Lang, Subject, From string
		Logo                *Logo
		Blocks              []block
		Footer              []string
		NotMeant            Follow
	}{p.Lang, l.Subject, oneLine(p.From.Name), p.Logo, htmlBlocks(body), footer, p.NotMeant})
	if err != nil {
		return err
	}
	if l.HTML = page.String(); len(l.HTML) > maxHTML {
		return ErrTooLong
	}
	l.Bytes, err = encodeLetter(l, p.Lang, p.Logo)
	return err
}

// NewMessageID makes a Message-ID, without its brackets, under the sender's domain.
func NewMessageID(from db.Email) string {
	_, domain, _ := strings.Cut(from.Envelope(), "@")
	return strings.ToLower(rand.Text()) + "@" + domain
}

func encodeLetter(l *Letter, lang string, logo *Logo) ([]byte, error) {
	// "=_" can't occur in quoted-printable, so no text can look like the boundary.
	sum := sha256.Sum256([]byte(l.MessageID))
	boundary := fmt.Sprintf("=_%x", sum[:16])
	var top, text, page fields
	top.add("Date", l.Date.Format("Mon, 02 Jan 2006 15:04:05 -0700"))
	top.add("From", nameAddr(l.From))
	if !l.ReplyTo.Email.IsZero() {
		top.add("Reply-To", nameAddr(l.ReplyTo))
	}
	top.add("To", nameAddr(l.To))
	top.add("Subject", encode(l.Subject))
	top.add("Message-ID", "<"+l.MessageID+">")
	top.add("Auto-Submitted", "auto-generated")
	top.add("Content-Language", lang)
	top.add("MIME-Version", "1.0")
	top.add("Content-Type", `multipart/alternative; boundary="`+boundary+`"`)
	text.add("Content-Type", "text/plain; charset=utf-8")
	text.add("Content-Transfer-Encoding", "quoted-printable")
	page.add("Content-Type", "text/html; charset=utf-8")
	page.add("Content-Transfer-Encoding", "quoted-printable")
	if err := errors.Join(top.err, text.err, page.err); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	w, err := message.CreateWriter(&b, top.header())
	if err != nil {
		return nil, err
	}
	if err := writePart(w, text.header(), []byte(l.Text)); err != nil {
		return nil, err
	}
	if logo == nil {
		err = writePart(w, page.header(), []byte(l.HTML))
	} else {
		err = writeRelated(w, boundary+"r", page.header(), []byte(l.HTML), *logo)
	}
	if err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func writePart(w *message.Writer, header message.Header, content []byte) error {
	part, err := w.CreatePart(header)
	if err != nil {
		return err
	}
	if _, err := part.Write(content); err != nil {
		return err
	}
	return part.Close()
}

// writeRelated writes a page together with its logo (RFC 2387).
func writeRelated(w *message.Writer, boundary string, page message.Header, content []byte, logo Logo) error {
	var both, picture fields
	both.add("Content-Type", `multipart/related; type="text/html"; boundary="`+boundary+`"`)
	picture.add("Content-Type", "image/png")
	picture.add("Content-Transfer-Encoding", "base64")
	picture.add("Content-ID", "<"+strings.TrimPrefix(LogoSource, "cid:")+">")
	picture.add("Content-Disposition", "inline")
	if err := errors.Join(both.err, picture.err); err != nil {
		return err
	}
	related, err := w.CreatePart(both.header())
	if err != nil {
		return err
	}
	if err := errors.Join(writePart(related, page, content), writePart(related, picture.header(), logo.PNG)); err != nil {
		return err
	}
	return related.Close()
}
