package mailbox

import (
	"bytes"
	"io"
	"strings"
	"time"

	"github.com/emersion/go-message"
	"github.com/emersion/go-message/mail"
)

// Letter is a mail that arrived: its envelope, and its parts as they read.
type Letter struct {
	ID                       int // 1 for the first
	At                       time.Time
	EnvelopeFrom, EnvelopeTo string
	From, To, Subject        string
	Date                     time.Time // as the letter says
	MessageID                string
	Text, HTML               string
	Source                   []byte // not to be changed
}

func (l Letter) matches(query string) bool {
	text := strings.ToLower(strings.Join([]string{l.EnvelopeTo, l.To, l.From, l.Subject, l.Text}, "\n"))
	for word := range strings.FieldsSeq(strings.ToLower(query)) {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}

// read takes a mail apart as far as it can be read; the source is always there.
func read(source []byte) Letter {
	l := Letter{Source: source}
	e, err := message.Read(bytes.NewReader(source))
	if e == nil || err != nil && !message.IsUnknownCharset(err) {
		return l
	}
	h := mail.Header{Header: e.Header}
	l.From, _ = h.Text("From")
	l.To, _ = h.Text("To")
	l.Subject, _ = h.Subject()
	l.Date, _ = h.Date()
	l.MessageID, _ = h.MessageID()
	e.Walk(func(_ []int, part *message.Entity, err error) error {
		if err != nil {
			return err
		}
		kind, _, _ := part.Header.ContentType()
		if kind != "text/plain" && kind != "text/html" {
			return nil
		}
		content, err := io.ReadAll(part.Body)
		text := strings.ReplaceAll(string(content), "\r\n", "\n")
		if kind == "text/html" {
			l.HTML += text
		} else {
			l.Text += text
		}
		return err
	})
	return l
}
