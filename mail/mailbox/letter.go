package mailbox

import (
	"strings"
	"time"
)

// maxSnippet is how much of a letter's text a list shows, in bytes.
const maxSnippet = 160

// Letter is a mail that arrived: its envelope, and its parts as they read.
type Letter struct {
	ID                       int // 1 for the first
	At                       time.Time
	Unread                   bool
	EnvelopeFrom, EnvelopeTo string
	From, To, Cc, Subject    string
	Date                     time.Time // as the letter says; zero when it doesn't
	MessageID                string
	Fields                   []Field // its header
	Text, HTML               string
	Snippet                  string // how its text begins
	Parts                    []Part // what it holds besides
	Source                   []byte // not to be changed
	words                    string // what it says, be it in its text or only in its HTML
}

// Field is one field of a letter's header, as it reads.
type Field struct{ Name, Value string }

// Part is something that a letter holds besides its text: an attachment, or a picture that its HTML shows.
type Part struct {
	Name   string // empty when it has none
	Type   string // such as image/png
	Size   int    // in bytes
	Inline bool   // it belongs among the text
}

// Words are what the letter says: its text, or that of its HTML when it has no other.
func (l Letter) Words() string { return l.words }

// size is what keeping the letter costs, in bytes.
func (l Letter) size() int { return len(l.Source) + len(l.Text) + len(l.HTML) + len(l.words) }

func (l Letter) matches(query string) bool {
	text := strings.ToLower(strings.Join([]string{l.EnvelopeTo, l.EnvelopeFrom, l.To, l.Cc, l.From, l.Subject, l.words}, "\n"))
	for word := range strings.FieldsSeq(strings.ToLower(query)) {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}
