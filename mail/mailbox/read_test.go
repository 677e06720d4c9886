package mailbox

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// crlf writes a mail as it travels.
func crlf(s string) []byte { return []byte(strings.ReplaceAll(s, "\n", "\r\n")) }

// Whatever comes is read as far as it can be.
func TestEveryMailIsRead(t *testing.T) {
	deep := "Content-Type: multipart/mixed; boundary=b0\n\n"
	for i := range 40 {
		deep += fmt.Sprintf("--b%d\nContent-Type: multipart/mixed; boundary=b%d\n\n", i, i+1)
	}
	for _, c := range []struct {
		name, source        string
		subject, text, html string
		parts               string
	}{
		{"nothing", "", "", "", "", ""},
		{"a header alone", "Subject: Hi\n", "Hi", "", "", ""},
		{"no header", "Just a line\nand another\n", "", "Just a line\nand another\n", "", ""},
		{"no blank line", "Subject: Hi\nThis is the text\n", "Hi", "This is the text\n", "", ""},
		{"no MIME, no date", "From: a@x.example\nSubject: Hi\n\nText\n", "Hi", "Text\n", "", ""},
		{"a file of mails", "From a@x.example Mon Nov 23 09:00:00 2026\nSubject: Hi\n\nText\n", "Hi", "Text\n", "", ""},
		{"folded", "Subject: one\n two\n\t=?utf-8?q?=C3=BC?=\n\nText", "one two ü", "Text", "", ""},
		{"a field's name in odd spelling", "SUBJECT : Hi\n\nText", "Hi", "Text", "", ""},
		{"8 bits in a header", "Subject: Gr\xfc\xdfe\n\nText", "Grüße", "Text", "", ""},
		{"UTF-8 in a header", "Subject: Grüße, 你好\n\nText", "Grüße, 你好", "Text", "", ""},
		{"encoded words in many charsets", "Subject: =?iso-8859-1?q?Gr=FC=DFe?= =?iso-2022-jp?b?GyRCRnxLXBsoQg==?= =?windows-1252?q?=80?= =?nonesuch?q?=FC?=\n\nx", "Grüße日本€ü", "x", "", ""},
		{"encoded words gone wrong", "Subject: =?utf-8?q?=ZZ?= =?utf-8?b?###?= =?\n\nx", "=?utf-8?q?=ZZ?= =?utf-8?b?###?= =?", "x", "", ""},
		{"control characters", "Subject: a\x00b\x1b[31mc\x7f\n\nx\x00y\x08z", "ab[31mc", "xyz", "", ""},
		{"Latin-1", "Content-Type: text/plain; charset=ISO-8859-1\n\nna\xefve", "", "naïve", "", ""},
		{"Windows", "Content-Type: text/plain; charset=windows-1252\n\n\x93quoted\x94 \x80 5", "", "“quoted” € 5", "", ""},
		{"Shift JIS", "Content-Type: text/plain; charset=Shift_JIS\n\n\x93\xfa\x96\x7b", "", "日本", "", ""},
		{"UTF-16 in base64", "Content-Type: text/plain; charset=utf-16le\nContent-Transfer-Encoding: base64\n\naABpAA==", "", "hi", "", ""},
		{"a charset nobody knows", "Content-Type: text/plain; charset=klingon\n\nna\xefve", "", "naïve", "", ""},
		{"ASCII that isn't", "Content-Type: text/plain; charset=us-ascii\n\nnaïve", "", "naïve", "", ""},
		{"UTF-8 that isn't", "Content-Type: text/plain; charset=utf-8\n\nna\xefve", "", "na\ufffdve", "", ""},
		{"quoted-printable", "Content-Transfer-Encoding: Quoted-Printable\n\nni=C3=B1o a=\nb", "", "niño ab", "", ""},
		{"quoted-printable gone wrong", "Content-Transfer-Encoding: quoted-printable\n\n100 =% sure", "", "100 =% sure", "", ""},
		{"base64 gone wrong", "Content-Transfer-Encoding: base64\n\naGVs\n bG8g!!d29ybGQ\x00", "", "hello world", "", ""},
		{"an encoding nobody knows", "Content-Transfer-Encoding: x-uuencode\n\nas it came", "", "as it came", "", ""},
		{"a type nobody can read", "Content-Type: ;;;\n\nText", "", "Text", "", ""},
		{"HTML alone", "Content-Type: text/html\n\n<title>T</title><style>p{}</style><p>Hello&nbsp;<b>you</b></p><p>there</p>", "", "", "<title>T</title><style>p{}</style><p>Hello&nbsp;<b>you</b></p><p>there</p>", ""},
		{"attachments", "Content-Type: multipart/mixed; boundary=\"a b\"\n\npreamble\n--a b\n\nText\n--a b\nContent-Type: application/pdf; name=\"=?utf-8?q?R=C3=A9sum=C3=A9.pdf?=\"\nContent-Transfer-Encoding: base64\n\naGVsbG8=\n" +
			"--a b\nContent-Type: text/plain\nContent-Disposition: attachment; filename*=utf-8''notes%20%C3%BC.txt\n\nnotes\n--a b--\nepilogue", "", "Text", "", "Résumé.pdf application/pdf 5, notes ü.txt text/plain 5"},
		{"nested", "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/related; boundary=b\n\n--b\nContent-Type: multipart/alternative; boundary=c\n\n--c\n\nText\n--c\nContent-Type: text/html\n\n<p>HTML\n--c--\n" +
			"--b\nContent-Type: image/png\nContent-Disposition: inline\nContent-ID: <pic@x>\n\nPNG\n--b--\n--a\nContent-Type: text/plain\n\nFooter\n--a--\n", "", "Text\nFooter", "<p>HTML", " image/png 3 inline"},
		{"a mail within", "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: message/rfc822\n\nSubject: Inner\n\nx\n--a--\n", "", "", "", " message/rfc822 19"},
		{"a boundary never closed", "Content-Type: multipart/mixed; boundary=a\n\n--a\n\nText", "", "Text", "", ""},
		{"no boundary to be found", "Content-Type: multipart/mixed; boundary=a\n\nText\n", "", "Text\n", "", ""},
		{"no boundary at all", "Content-Type: multipart/mixed\n\n--\nText\n", "", "--\nText\n", "", ""},
		{"a boundary badly written", "Content-Type: multipart/mixed; charset=\"utf-8\" boundary=a; ==\n\n--a\n\nText\n--a--\n", "", "Text", "", ""},
		{"a boundary that begins like another", "Content-Type: multipart/mixed; boundary=a\n\n--ab\n--a\n\nText\n--ab\n--a--\n", "", "Text\n--ab", "", ""},
		{"deeper than anybody looks", deep, "", "", "", " multipart/mixed " + fmt.Sprint(len(crlf(deep))-strings.Index(string(crlf(deep)), "--b8"))},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := read(crlf(c.source))
			var parts []string
			for _, p := range l.Parts {
				s := fmt.Sprint(p.Name, " ", p.Type, " ", p.Size)
				if p.Inline {
					s += " inline"
				}
				parts = append(parts, s)
			}
			got := fmt.Sprintf("%q %q %q %q", l.Subject, l.Text, l.HTML, strings.Join(parts, ", "))
			if want := fmt.Sprintf("%q %q %q %q", c.subject, c.text, c.html, c.parts); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if !bytes.Equal(l.Source, crlf(c.source)) {
				t.Error("the source was changed")
			}
		})
	}
}

func TestPeople(t *testing.T) {
	for field, want := range map[string]string{
		`"Leo Lind" <leo@x.example>`:                             "Leo Lind <leo@x.example>",
		`ann@x.example, "Å, B" <b@x.example>`:                    "ann@x.example, Å, B <b@x.example>",
		`=?utf-8?q?Mar=C3=ADa?= <m@x.example>`:                   "María <m@x.example>",
		`undisclosed-recipients:;`:                               "undisclosed-recipients:;",
		`Dr. No <at> "x`:                                         `Dr. No <at> "x`,
		`=?utf-8?q?ann=40bank=2Eexample?= <mallory@x.example>`:   "ann@bank.example <mallory@x.example>",
		"\"a\" <a@x.example>\r\n\t, <b@x.example> (comment)\r\n": "a <a@x.example>, b@x.example",
	} {
		if got := read([]byte("To: " + field + "\r\n\r\n")).To; got != want {
			t.Errorf("%s: got %q, want %q", field, got, want)
		}
	}
}

func TestLineEndsOfAnySystem(t *testing.T) {
	source := "Subject: Hi\nContent-Type: multipart/mixed; boundary=a\n\n--a\n\nText\n\n--a--\n"
	for _, s := range []string{source, string(crlf(source))} {
		if l := read([]byte(s)); l.Subject != "Hi" || l.Text != "Text\n" {
			t.Errorf("%q: %q %q", s, l.Subject, l.Text)
		}
	}
}

// What is large is cut where it is only shown, so that a list stays a list.
func TestLargeMailsStayReadable(t *testing.T) {
	var source strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&source, "X-%d: y\r\n", i)
	}
	source.WriteString("Subject: late\r\n\r\n")
	if l := read([]byte(source.String())); len(l.Fields) != maxFields {
		t.Errorf("%d fields", len(l.Fields))
	}
	long := strings.Repeat("é", 1<<20)
	l := read([]byte("Subject: " + long + "\r\n folded\r\nX: y\r\n\r\n" + long))
	if len(l.Subject) > maxValue+4 || !utf8.ValidString(l.Subject) || len(l.Snippet) > maxSnippet+4 || !utf8.ValidString(l.Snippet) || l.Text != long || len(l.Fields) != 2 {
		t.Errorf("subject of %d bytes, snippet of %d, text of %d, %d fields", len(l.Subject), len(l.Snippet), len(l.Text), len(l.Fields))
	}
	many := "Content-Type: multipart/mixed; boundary=a\r\n\r\n" + strings.Repeat("--a\r\nContent-Type: a/b\r\n\r\n", 5000)
	if l := read([]byte(many)); len(l.Parts) != maxParts {
		t.Errorf("%d parts", len(l.Parts))
	}
}

func TestSnippetAndWords(t *testing.T) {
	for source, want := range map[string]string{
		"\n\n  Hello\n\n  you  \n": "Hello you",
		"Content-Type: text/html\n\n<head><title>T</title><style>p { }</style></head><p>Hello <b>y</b>ou&amp;I</p><script>x</script><div>there</div>": "Hello you&I there",
		"Content-Type: multipart/alternative; boundary=a\n\n--a\n\n \n--a\nContent-Type: text/html\n\n<p>Only here\n--a--":                            "Only here",
	} {
		if got := read([]byte(source)).Snippet; got != want {
			t.Errorf("%q: got %q, want %q", source, got, want)
		}
	}
	if l := read([]byte("Content-Type: text/html\n\n<p>Find me")); !l.matches("find ME") || l.Words() != "Find me" {
		t.Errorf("what only HTML says isn't found: %q", l.Words())
	}
}

// A letter's page shows the letter's own pictures, leads out of the frame, and has the browser fetch nothing by itself.
func TestPage(t *testing.T) {
	const begins = `<!doctype html><base target="_top">`
	for html, want := range map[string]string{
		`<!DOCTYPE html PUBLIC "x"><html lang="es"><head><meta charset="x"></head><body>Hi`: `<html lang="es"><head><meta charset="x"></head><body>Hi`,
		`<BASE href="http://x.example/" target=_self>Hi`:                                    `Hi`,
		`<link rel=preconnect href=//x.example><LINK rel="dns-prefetch" href="//x">Hi`:      `Hi`,
		`<meta name=a content=b><meta content="0;url=//x" HTTP-Equiv=refresh>Hi`:            `<meta name=a content=b>Hi`,
		`<noscript><link rel=preconnect href=//x></noscript>Hi`:                             `<noscript></noscript>Hi`,
		`<p title="<link>">a < b <!-- <link> --></p><a href="http://x/">x</a>`:              `<p title="<link>">a < b <!-- <link> --></p><a href="http://x/">x</a>`,
		`<img src="cid:pic@x"><img src=cid:pic%40x><td background='cid:other'>`:             `<img src="data:image/png;base64,UE5H"><img src=data:image/png;base64,UE5H><td background='cid:other'>`,
		`<img src="cid:page@x">`: `<img src="cid:page@x">`,
		`<unfinished href="`:     ``,
	} {
		l := read([]byte("Content-Type: multipart/related; boundary=a\n\n--a\nContent-Type: text/html\n\n" + html +
			"\n--a\nContent-Type: image/png\nContent-ID: <pic@x>\n\nPNG\n--a\nContent-Type: image/svg+xml\nContent-ID: <page@x>\n\n<svg/>\n--a--"))
		if got := l.Page(); got != begins+want {
			t.Errorf("%s:\ngot  %s\nwant %s", html, got, begins+want)
		}
	}
}

// A letter that shows one picture thousands of times doesn't grow into gigabytes.
func TestPageIsBounded(t *testing.T) {
	l := read([]byte("Content-Type: multipart/related; boundary=a\n\n--a\nContent-Type: text/html\n\n" + strings.Repeat("<img src=cid:p>", 10_000) +
		"\n--a\nContent-Type: image/png\nContent-ID: <p>\n\n" + strings.Repeat("x", 1<<20) + "\n--a--"))
	if n := len(l.Page()); n < maxPictures/2 || n > maxPictures+1<<20 {
		t.Errorf("%d bytes", n)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(twoParts))
	f.Add([]byte("Content-Type: multipart/related; boundary=a\n\n--a\nContent-Type: text/html; charset=utf-16\n\n<img src=cid:p>\n--a\nContent-Type: image/png; name==?\nContent-ID: <p>\nContent-Transfer-Encoding: base64\n\nUE5H\n--a--"))
	f.Add([]byte("From x\nSubject: =?iso-2022-jp?b?GyRC?=\n =?utf-8?q?=00?=\nDate: 0\n\n\xff"))
	f.Fuzz(func(t *testing.T, source []byte) {
		l := read(bytes.Clone(source))
		if !bytes.Equal(l.Source, source) {
			t.Error("the source was changed")
		}
		texts := []string{l.From, l.To, l.Cc, l.Subject, l.MessageID, l.Text, l.HTML, l.Words(), l.Snippet, l.Page()}
		for _, f := range l.Fields {
			texts = append(texts, f.Name, f.Value)
		}
		for _, p := range l.Parts {
			texts = append(texts, p.Name, p.Type)
		}
		for _, s := range texts {
			if !utf8.ValidString(s) || strings.ContainsAny(s, "\x00\x1b\r") {
				t.Errorf("can't be shown: %q", s)
			}
		}
		l.At = time.Unix(0, 0)
		l.matches("a b")
	})
}
