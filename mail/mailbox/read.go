package mailbox

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime"
	"mime/quotedprintable"
	"net/mail"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
)

// How far the reader goes into a mail: what lies deeper, or comes later, stays closed.
const (
	maxDepth  = 8 // multiparts within one another
	maxParts  = 100
	maxFields = 200
	maxValue  = 4 << 10 // bytes of a header's field
)

// read takes a mail apart as far as it can be read. It refuses nothing: what it makes no sense of stays as it came.
func read(source []byte) Letter {
	l := Letter{Source: source}
	h, _ := cut(source)
	for _, f := range h {
		l.Fields = append(l.Fields, Field{f.name, decode(f.value)})
	}
	l.From, l.To, l.Cc, l.Subject = people(h.decoded("From")), people(h.decoded("To")), people(h.decoded("Cc")), h.decoded("Subject")
	l.Date, _ = mail.ParseDate(string(h.get("Date")))
	l.MessageID = strings.Trim(h.decoded("Message-ID"), "<> ")
	for _, p := range leaves(source) {
		switch {
		case p.kind == "text/plain" && !p.attached():
			l.Text = below(l.Text, p.text())
		case p.kind == "text/html" && !p.attached():
			l.HTML = below(l.HTML, p.text())
		default:
			l.Parts = append(l.Parts, Part{Name: p.name(), Type: p.kind, Size: len(p.content()), Inline: p.disposition() == "inline"})
		}
	}
	l.words = l.Text
	if strings.TrimSpace(l.words) == "" {
		l.words = textOf(l.HTML)
	}
	l.Snippet = strings.Join(strings.Fields(clip(l.words, maxSnippet)), " ")
	return l
}

// below puts one text below another.
func below(above, text string) string {
	if above != "" && !strings.HasSuffix(above, "\n") {
		above += "\n"
	}
	return above + text
}

// field is a header's field as it came, with the lines that continue it.
type field struct {
	name  string
	value []byte
}

type header []field

// get is the first field of that name, on one line.
func (h header) get(name string) []byte {
	for _, f := range h {
		if strings.EqualFold(f.name, name) {
			return unfold(f.value)
		}
	}
	return nil
}

// decoded is the same as it reads.
func (h header) decoded(name string) string { return decode(h.get(name)) }

var folds = regexp.MustCompile(`\r?\n[ \t]*`)

func unfold(value []byte) []byte {
	most := min(len(value), maxValue)
	for range utf8.UTFMax {
		if most < len(value) && !utf8.RuneStart(value[most]) {
			most--
		}
	}
	return bytes.TrimSpace(folds.ReplaceAll(value[:most], []byte(" ")))
}

// cut tells a mail's or a part's header from its body. From the first line that no header has, all is body.
func cut(source []byte) (h header, body []byte) {
	start, kept := 0, false // of the field that may go on
	for at := 0; at < len(source); {
		line, next := lineAt(source, at)
		name, _, ok := bytes.Cut(line, []byte(":"))
		switch {
		case len(line) == 0:
			return h, source[next:]
		case at == 0 && bytes.HasPrefix(line, []byte("From ")): // as files of mails have it
		case at > 0 && (line[0] == ' ' || line[0] == '\t'):
			if kept {
				h[len(h)-1].value = source[start:next]
			}
		case !ok || !isName(bytes.TrimRight(name, " \t")):
			return h, source[at:]
		default:
			start, kept = at+len(name)+1, len(h) < maxFields
			if kept {
				h = append(h, field{string(bytes.TrimRight(name, " \t")), source[start:next]})
			}
		}
		at = next
	}
	return h, nil
}

// lineAt is the line that begins there, without its end, and where the next begins.
func lineAt(b []byte, at int) (line []byte, next int) {
	line, next = b[at:], len(b)
	if i := bytes.IndexByte(line, '\n'); i >= 0 {
		line, next = line[:i], at+i+1
	}
	return bytes.TrimSuffix(line, []byte("\r")), next
}

func isName(b []byte) bool {
	return len(b) > 0 && len(b) <= 100 && bytes.IndexFunc(b, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}

// leaf is a part that holds something else than parts.
type leaf struct {
	header header
	kind   string // its media type
	params map[string]string
	body   []byte
}

// leaves are a mail's parts in their order.
func leaves(source []byte) (found []leaf) {
	var open func(source []byte, depth int)
	open = func(source []byte, depth int) {
		if len(found) == maxParts {
			return
		}
		h, body := cut(source)
		kind, params := parameters(h.get("Content-Type"))
		if !strings.Contains(kind, "/") {
			kind = "text/plain"
		}
		if strings.HasPrefix(kind, "multipart/") && depth < maxDepth {
			if parts := split(body, params["boundary"]); len(parts) > 0 {
				for _, part := range parts {
					open(part, depth+1)
				}
				return
			}
			kind = "text/plain" // a multipart without parts is read as what it is
		}
		found = append(found, leaf{h, kind, params, body})
	}
	open(source, 0)
	return found
}

// split is what stands between a multipart's boundaries. The last one may be missing.
func split(body []byte, boundary string) (parts [][]byte) {
	if boundary == "" {
		return nil
	}
	start, last := -1, false
	for at := 0; at < len(body) && !last && len(parts) < maxParts; {
		line, next := lineAt(body, at)
		if after, ok := bytes.CutPrefix(line, []byte("--"+boundary)); ok {
			after = bytes.TrimRight(after, " \t")
			if last = string(after) == "--"; last || len(after) == 0 {
				if start >= 0 {
					parts = append(parts, withoutEOL(body[start:at]))
				}
				start = next
			}
		}
		at = next
	}
	if start >= 0 && !last && start < len(body) && len(parts) < maxParts {
		parts = append(parts, body[start:])
	}
	return parts
}

// withoutEOL takes off a part's last line break: it belongs to the boundary below.
func withoutEOL(b []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("\n")), []byte("\r"))
}

var parameter = regexp.MustCompile(`(?i)\b(boundary|charset|filename|name)\s*=\s*("[^"]*"?|[^;\s]+)`)

// parameters reads a field like Content-Type: what it names, in lower case, and its parameters, however badly they are written.
func parameters(value []byte) (string, map[string]string) {
	s := inUTF8(value, "")
	kind, params, err := mime.ParseMediaType(s)
	if err == nil {
		return kind, params
	}
	kind, _, _ = strings.Cut(s, ";")
	params = map[string]string{}
	for _, m := range parameter.FindAllStringSubmatch(s, -1) {
		params[strings.ToLower(m[1])] = strings.Trim(m[2], `"`)
	}
	return clean(strings.ToLower(strings.TrimSpace(kind))), params
}

func (p leaf) disposition() string {
	d, _ := parameters(p.header.get("Content-Disposition"))
	return d
}

// name is the file that the part is called; empty: none.
func (p leaf) name() string {
	_, d := parameters(p.header.get("Content-Disposition"))
	for _, name := range []string{d["filename"], p.params["name"]} {
		if name != "" {
			return decode([]byte(name))
		}
	}
	return ""
}

// attached tells that the part is a file, though it may be text.
func (p leaf) attached() bool { return p.disposition() == "attachment" || p.name() != "" }

// id is by what the letter's HTML refers to the part; empty: by nothing.
func (p leaf) id() string { return strings.Trim(string(p.header.get("Content-ID")), "<> ") }

// content is the part's body as it was before it was made fit to travel. What was not done well stays as it is.
func (p leaf) content() []byte {
	switch strings.ToLower(string(p.header.get("Content-Transfer-Encoding"))) {
	case "base64":
		return fromBase64(p.body)
	case "quoted-printable":
		if b, err := io.ReadAll(quotedprintable.NewReader(bytes.NewReader(p.body))); err == nil {
			return b
		}
	}
	return p.body
}

// fromBase64 decodes as much as can be decoded, whatever stands between.
func fromBase64(b []byte) []byte {
	b, _, _ = bytes.Cut(b, []byte("="))
	digits := bytes.Map(func(r rune) rune {
		if r == '+' || r == '/' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' {
			return r
		}
		return -1
	}, b)
	if len(digits)%4 == 1 {
		digits = digits[:len(digits)-1]
	}
	out := make([]byte, base64.RawStdEncoding.DecodedLen(len(digits)))
	n, _ := base64.RawStdEncoding.Decode(out, digits)
	return out[:n]
}

// text is the part's content as it reads.
func (p leaf) text() string {
	return clean(strings.ReplaceAll(inUTF8(p.content(), p.params["charset"]), "\r\n", "\n"))
}

// inUTF8 reads bytes in the charset that they are said to be in. Where that can't be, or isn't said, they are UTF-8, or else
// what programs that don't say it mostly write.
func inUTF8(b []byte, charset string) string {
	named, err := htmlindex.Get(charset)
	name := ""
	if err == nil {
		name, _ = htmlindex.Name(named)
	}
	switch {
	case name == "utf-8", utf8.Valid(b) && (err != nil || name == "windows-1252" && strings.Contains(strings.ToLower(charset), "ascii")):
		return strings.ToValidUTF8(string(b), string(utf8.RuneError))
	case err != nil:
		named = charmap.Windows1252
	}
	text, err := named.NewDecoder().Bytes(b)
	if err != nil {
		text = b
	}
	return strings.ToValidUTF8(string(text), string(utf8.RuneError))
}

var words = mime.WordDecoder{CharsetReader: func(charset string, input io.Reader) (io.Reader, error) {
	b, err := io.ReadAll(input)
	return strings.NewReader(inUTF8(b, charset)), err
}}

// decode is a header's value as it reads, on one line.
func decode(value []byte) string {
	s := inUTF8(unfold(value), "")
	if decoded, err := words.DecodeHeader(s); err == nil {
		s = decoded
	}
	return strings.Join(strings.Fields(clean(s)), " ")
}

// people writes addresses without the quotes that their names travel in.
func people(field string) string {
	list, err := mail.ParseAddressList(field)
	if err != nil || len(list) == 0 {
		return field
	}
	var people []string
	for _, a := range list {
		if a.Name == "" {
			people = append(people, a.Address)
		} else {
			people = append(people, a.Name+" <"+a.Address+">")
		}
	}
	return strings.Join(people, ", ")
}

// clean leaves out what a page can't show: control characters, but for tabs and line breaks.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, string(utf8.RuneError)))
}

// clip is the beginning of a text, of at most so many bytes.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most] + "…"
}
