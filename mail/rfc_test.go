package mail

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"mime"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// checkRFC reads a letter line by line, without a parser's forgiveness, and returns what it breaks of RFC 5322 (the letter),
// 2045 and 2046 (its parts) and 2047 (its encoded words).
func checkRFC(letter []byte) (faults []string) {
	wrong := func(format string, a ...any) { faults = append(faults, fmt.Sprintf(format, a...)) }
	if rest := bytes.ReplaceAll(letter, []byte("\r\n"), nil); bytes.ContainsAny(rest, "\r\n\x00") {
		wrong("a CR or LF by itself, or a NUL")
	}
	if !bytes.HasSuffix(letter, []byte("\r\n")) {
		wrong("the last line has no end")
	}
	lines := strings.Split(strings.TrimSuffix(string(letter), "\r\n"), "\r\n")
	for i, line := range lines {
		if len(line) > 998 {
			wrong("line %d has %d characters", i+1, len(line))
		}
	}
	header, body := checkHeader(lines, wrong)
	for name, times := range map[string][2]int{"date": {1, 1}, "from": {1, 1}, "to": {1, 1}, "message-id": {1, 1}, "mime-version": {1, 1}, "content-type": {1, 1},
		"subject": {0, 1}, "reply-to": {0, 1}, "sender": {0, 0}, "cc": {0, 0}, "bcc": {0, 0}, "content-transfer-encoding": {0, 0}} {
		if n := len(header[name]); n < times[0] || n > times[1] {
			wrong("%s is there %d times", name, n)
		}
	}
	if len(faults) > 0 {
		return faults
	}
	date := header["date"][0]
	if at, err := time.Parse("Mon, 02 Jan 2006 15:04:05 -0700", date); err != nil || at.Format("Mon, 02 Jan 2006 15:04:05 -0700") != date {
		wrong("date %q: %v", date, err)
	}
	if id := header["message-id"][0]; !regexp.MustCompile("^<"+dotAtom+"@"+dotAtom+">$").MatchString(id) || len(id) > 250 {
		wrong("message-id %q", id)
	}
	if header["mime-version"][0] != "1.0" {
		wrong("mime-version %q", header["mime-version"][0])
	}
	for _, name := range []string{"from", "to", "reply-to"} {
		for _, mailbox := range header[name] {
			if !regexp.MustCompile(`^(?:(?:"(?:[^"\\]|\\["\\])*"|=\?.*\?=) )?<[^\s<>@",;:()\\]+@` + dotAtom + `>$`).MatchString(mailbox) {
				wrong("%s %q", name, mailbox)
			}
		}
	}
	checkMultipart(header["content-type"][0], body, wrong)
	return faults
}

const dotAtom = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"

// checkHeader returns the fields, unfolded, by their names in small letters, and the lines after them.
func checkHeader(lines []string, wrong func(string, ...any)) (fields map[string][]string, body []string) {
	fields = map[string][]string{}
	name := ""
	for i, line := range lines {
		switch {
		case line == "":
			for name, values := range fields {
				for _, v := range values {
					checkEncodedWords(name, v, wrong)
				}
			}
			return fields, lines[i+1:]
		case len(line) > 78:
			wrong("a header line of %d: %s", len(line), line)
		case strings.TrimRight(line, " \t") != line:
			wrong("spaces at the end of %q", line)
		}
		if strings.Contains(line, "=?") && len(line) > 76 {
			wrong("a line with an encoded word of %d: %s", len(line), line)
		}
		if line[0] == ' ' {
			if name == "" {
				wrong("it begins with a folded line")
				continue
			}
			values := fields[name]
			values[len(values)-1] += line
			continue
		}
		field, value, found := strings.Cut(line, ":")
		if !found || !regexp.MustCompile(`^[!-9;-~]+$`).MatchString(field) || !strings.HasPrefix(value, " ") && value != "" {
			wrong("no field: %q", line)
			continue
		}
		name = strings.ToLower(field)
		fields[name] = append(fields[name], strings.TrimPrefix(value, " "))
	}
	wrong("the header has no end")
	return fields, nil
}

func checkEncodedWords(name, value string, wrong func(string, ...any)) {
	for _, c := range value {
		if c < ' ' || c == 0x7f || c > '~' && name != "to" { // an address beyond ASCII stands as it is (RFC 6532)
			wrong("%s holds %q", name, c)
		}
	}
	for word := range strings.FieldsSeq(value) {
		switch {
		case !strings.HasPrefix(word, "=?"):
		case len(word) > 75 || !regexp.MustCompile(`^=\?utf-8\?B\?[A-Za-z0-9+/]+=*\?=$`).MatchString(word):
			wrong("%s: encoded word %q", name, word)
		default:
			decoded, err := base64.StdEncoding.DecodeString(word[len("=?utf-8?B?") : len(word)-len("?=")])
			if err != nil || !utf8.Valid(decoded) {
				wrong("%s: %q holds a broken character, %v", name, word, err)
			}
		}
	}
}

func checkMultipart(contentType string, lines []string, wrong func(string, ...any)) {
	kind, p, err := mime.ParseMediaType(contentType)
	boundary := p["boundary"]
	if err != nil || !strings.HasPrefix(kind, "multipart/") || len(boundary) > 70 || !regexp.MustCompile(`^[0-9A-Za-z'()+_,./:=? -]*[0-9A-Za-z'()+_,./:=?-]$`).MatchString(boundary) {
		wrong("%q: %v", contentType, err)
		return
	}
	if !strings.Contains(contentType, `boundary="`+boundary+`"`) {
		wrong("a boundary with = stands in quotes: %s", contentType)
	}
	if kind == "multipart/related" && p["type"] == "" { // RFC 2387
		wrong("%q names no type", contentType)
	}
	var parts [][]string
	closed := false
	for _, line := range lines {
		switch {
		case line == "--"+boundary && !closed:
			parts = append(parts, nil)
		case line == "--"+boundary+"--" && !closed:
			closed = true
		case strings.HasPrefix(line, "--"+boundary) && !strings.HasPrefix(line, "--"+boundary+"r"): // which is an inner one's
			wrong("a boundary where none belongs: %q", line)
		case closed || len(parts) == 0:
			if line != "" {
				wrong("outside of every part: %q", line)
			}
		default:
			parts[len(parts)-1] = append(parts[len(parts)-1], line)
		}
	}
	if !closed || len(parts) != 2 {
		wrong("%s has %d parts, closed: %v", kind, len(parts), closed)
	}
	for _, part := range parts {
		checkPart(part, wrong)
	}
}

func checkPart(lines []string, wrong func(string, ...any)) {
	header, body := checkHeader(append(lines, ""), wrong)
	body = body[:max(0, len(body)-1)]
	if len(header["content-type"]) != 1 {
		wrong("a part of %d types", len(header["content-type"]))
		return
	}
	contentType, encoding := header["content-type"][0], strings.Join(header["content-transfer-encoding"], ",")
	switch {
	case strings.HasPrefix(contentType, "multipart/"):
		if encoding != "" {
			wrong("a multipart in %s", encoding)
		}
		checkMultipart(contentType, body, wrong)
	case (contentType == "text/plain; charset=utf-8" || contentType == "text/html; charset=utf-8") && encoding == "quoted-printable":
		var text strings.Builder
		for _, line := range body {
			if len(line) > 76 || strings.TrimRight(line, " \t") != line || !regexp.MustCompile(`^(?:[\t -<>-~]|=[0-9A-F]{2})*=?$`).MatchString(line) {
				wrong("not quoted-printable: %q", line)
			}
			line, soft := strings.CutSuffix(line, "=")
			for {
				before, after, found := strings.Cut(line, "=")
				text.WriteString(before)
				if !found || len(after) < 2 {
					break
				}
				var c byte
				fmt.Sscanf(after[:2], "%X", &c)
				text.WriteByte(c)
				line = after[2:]
			}
			if !soft {
				text.WriteByte('\n')
			}
		}
		if !utf8.ValidString(text.String()) {
			wrong("%s holds a broken character", contentType)
		}
		if strings.ContainsFunc(text.String(), func(c rune) bool { return c < ' ' && c != '\n' && c != '\t' || c == 0x7f }) {
			wrong("%s holds a control character", contentType)
		}
	case contentType == "image/png" && encoding == "base64":
		if ids := header["content-id"]; len(ids) != 1 || !regexp.MustCompile("^<.+>$").MatchString(ids[0]) {
			wrong("a picture of the ids %q", ids)
		}
		for _, line := range body {
			if len(line) > 76 {
				wrong("a base64 line of %d", len(line))
			}
		}
		if _, err := base64.StdEncoding.DecodeString(strings.Join(body, "")); err != nil {
			wrong("not base64: %v", err)
		}
	default:
		wrong("a part of %q in %q", contentType, encoding)
	}
}

func TestLettersObeyTheRFCsLineByLine(t *testing.T) {
	body := "Hola {client_first_name}: " + strings.Repeat("niños y más ", 200) + "\n\n.\n\nFrom here \n\n--=_x\n\n{portal_link}\n\n" + strings.Repeat("x", 300) + "\n\n👩‍⚕️"
	logo := &Logo{PNG: []byte("\x89PNG\r\n\x1a\n" + strings.Repeat("picture", 500)), Width: 120, Height: 40}
	for _, subject := range []string{"Welcome", "", "Große Brücke \u200dfür Zoë 👩‍⚕️", strings.Repeat("plain words ", 80), strings.Repeat("ñandú ", 150), strings.Repeat("x", 1500), "=?utf-8?q?=0D=0ABcc:?="} {
		for _, name := range []string{"", "Ann", `Ann "Annie" O'Neil, PhD \ <x>`, strings.Repeat("Nuñez ", 60), strings.Repeat("w", 200), "李"} {
			for _, l := range []*Logo{nil, logo} {
				p := toAnn(t)
				p.To.Name, p.From.Name, p.Logo, p.MessageID = name, name+" Therapy", l, ""
				p.Date = p.Date.In(time.FixedZone("", -(3*60+30)*60))
				letter := compose(t, subject, body, p)
				for _, fault := range checkRFC(letter.Bytes) {
					t.Errorf("subject %.20q, name %.20q, a logo: %v: %s", subject, name, l != nil, fault)
				}
				if t.Failed() {
					t.Fatalf("%s", letter.Bytes)
				}
			}
		}
	}
	for _, letter := range []Letter{compose(t, "s", "b", toAnn(t)), composed(t, logo)} {
		for what, broken := range map[string][]byte{
			"a line feed alone":       bytes.Replace(letter.Bytes, []byte("\r\n"), []byte("\n"), 1),
			"no date":                 bytes.Replace(letter.Bytes, []byte("Date:"), []byte("X-Date:"), 1),
			"two subjects":            bytes.Replace(letter.Bytes, []byte("Subject:"), []byte("Subject: x\r\nSubject:"), 1),
			"the wrong day":           bytes.Replace(letter.Bytes, []byte("Mon, 23"), []byte("Tue, 23"), 1),
			"a message-id without @":  bytes.Replace(letter.Bytes, []byte("<abc@"), []byte("<abc"), 1),
			"no charset":              bytes.Replace(letter.Bytes, []byte("; charset=utf-8"), nil, 1),
			"another boundary":        bytes.Replace(letter.Bytes, []byte(`boundary="=_`), []byte(`boundary="=-`), 1),
			"a space at a line's end": bytes.Replace(letter.Bytes, []byte("<!doctype html>"), []byte("<!doctype html> "), 1),
			"a byte beyond ASCII":     bytes.Replace(letter.Bytes, []byte("<!doctype"), []byte("<!d\xf6ctype"), 1),
			"a small hexadecimal":     bytes.Replace(letter.Bytes, []byte("=3D"), []byte("=3d"), 1),
			"not closed":              letter.Bytes[:bytes.LastIndex(letter.Bytes, []byte("--\r\n"))],
		} {
			if len(checkRFC(broken)) == 0 {
				t.Errorf("%s goes unnoticed", what)
			}
		}
	}
}
