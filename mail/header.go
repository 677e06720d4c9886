package mail

import (
	"encoding/base64"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/emersion/go-message"
)

// ErrHeader says that a header field would hold a line break or another
// control character.
var ErrHeader = errors.New("mail: control character in a header field")

const (
	foldAt      = 76  // RFC 5322 asks for 78 with the line break
	maxLine     = 998 // and allows no more than this
	encodedWord = 36  // bytes of text that fit one encoded word, beside the longest field name
)

// fields is the one encoder of header fields. They come out in the order in
// which they were added, folded at spaces.
type fields struct {
	raw [][]byte
	err error
}

func (f *fields) add(name, value string) {
	if !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl) {
		f.err = ErrHeader
		return
	}
	var b strings.Builder
	b.WriteString(name + ":")
	width := b.Len()
	for word := range strings.FieldsSeq(value) {
		if width+1+len(word) > foldAt && width > len(name)+1 {
			b.WriteString("\r\n")
			width = 0
		}
		b.WriteString(" " + word)
		width += 1 + len(word)
		if width > maxLine {
			f.err = ErrHeader
			return
		}
	}
	b.WriteString("\r\n")
	f.raw = append(f.raw, []byte(b.String()))
}

func (f *fields) header() message.Header {
	var h message.Header
	for i := len(f.raw) - 1; i >= 0; i-- { // go-message adds at the top
		h.AddRaw(f.raw[i])
	}
	return h
}

// encode makes unstructured text fit for a header field: as it is where it
// reads as itself, in encoded words (RFC 2047) where it doesn't.
func encode(s string) string {
	plain := !strings.Contains(s, "=?")
	for word := range strings.FieldsSeq(s) {
		plain = plain && len(word) <= foldAt-len("Subject: ")
	}
	for _, c := range s {
		plain = plain && ' ' <= c && c <= '~'
	}
	if plain {
		return s
	}
	var words []string
	for s != "" {
		n := 0
		for n < len(s) { // whole characters only
			_, size := utf8.DecodeRuneInString(s[n:])
			if n+size > encodedWord {
				break
			}
			n += size
		}
		words = append(words, "=?utf-8?B?"+base64.StdEncoding.EncodeToString([]byte(s[:n]))+"?=")
		s = s[n:]
	}
	return strings.Join(words, " ")
}

var quoter = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// nameAddr writes an address for From, To or Reply-To.
func nameAddr(a Address) string {
	addr := "<" + a.Email.Envelope() + ">"
	name := oneLine(a.Name)
	if name == "" {
		return addr
	}
	if encoded := encode(name); encoded != name {
		return encoded + " " + addr
	}
	return `"` + quoter.Replace(name) + `" ` + addr
}
