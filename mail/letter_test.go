package mail

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	netmail "net/mail"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-message"
	gomail "github.com/emersion/go-message/mail"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"anteroom/db"
)

func email(t testing.TB, s string) db.Email {
	t.Helper()
	e, err := db.ParseEmail(s)
	if err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	return e
}

func composer(t testing.TB) *Composer {
	t.Helper()
	c, err := NewComposer(os.DirFS("../views"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const portal = "https://portal.harbor.example/join/"

func toAnn(t testing.TB) Particulars {
	return Particulars{
		From:    Address{"Harbor Therapy", email(t, "hello@harbor.example")},
		To:      Address{"Ann Álvarez", email(t, "ann@mail.example")},
		ReplyTo: Address{"", email(t, "desk@harbor.example")},
		Values: map[string]string{
			Link: portal + Slot, "client_first_name": "Ann", "practice_name": "Harbor Therapy", "practice_phone": "(555) 010-0100",
		},
		Button: "Join Client Portal", Footer: "Harbor Therapy\n(555) 010-0100",
		Date: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC), MessageID: "abc@harbor.example",
	}
}

func compose(t testing.TB, subject, body string, p Particulars) Letter {
	t.Helper()
	l, err := composer(t).Compose(Parse(subject, body), p)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// The parts that differ from letter to letter.
func middle(l Letter) (html, text string) {
	_, html, _ = strings.Cut(l.HTML, "Harbor Therapy</p>\n")
	html, _, _ = strings.Cut(html, "\n<p class=\"quiet\" style=\"margin: 32px")
	_, text, _ = strings.Cut(l.Text, "Harbor Therapy\n\n")
	text, _, _ = strings.Cut(text, "\n\n-- \n")
	return html, text
}

func TestBodyReadsWellInBothParts(t *testing.T) {
	url := portal + Slot
	for _, c := range []struct{ name, body, text, html string }{
		{"lines end where typed", "Dear {client_first_name},\nwelcome.\n\nOlga\n---", "Dear Ann,\nwelcome.\n\nOlga\n\n* * *",
			"<p>Dear Ann,<br>\nwelcome.</p>\n<p>Olga</p>\n<hr>\n"},
		{"a value is no markup", "Hi {n1} *{n2}* {n3} {n4}", "Hi <b>*x*</b> _y_ {client_first_name} & \\*",
			"<p>Hi &lt;b&gt;*x*&lt;/b&gt; <em>_y_</em> {client_first_name} &amp; \\*</p>\n"},
		{"typed HTML is text", "<b>Bold</b> <script>x</script>\n\n<div>y</div> &copy; &#123;client_first_name&#125;", "<b>Bold</b> <script>x</script>\n\n<div>y</div> © {client_first_name}",
			"<p>&lt;b&gt;Bold&lt;/b&gt; &lt;script&gt;x&lt;/script&gt;</p>\n<p>&lt;div&gt;y&lt;/div&gt; © {client_first_name}</p>\n"},
		{"an escaped brace is a brace", `\{client_first_name} {client\_first\_name} \*`, "{client_first_name} Ann *", "<p>{client_first_name} Ann *</p>\n"},
		{"case and spaces are forgiven", "{ Client_First_Name }", "Ann", "<p>Ann</p>\n"},
		{"emphasis round placeholders", "**{client_first_name}** _{client_first_name}_ {client_first_name}_x", "Ann Ann Ann_x",
			"<p><strong>Ann</strong> <em>Ann</em> Ann_x</p>\n"},
		{"code", "`{client_first_name} \\{` *a*", "Ann \\{ a", "<p><code>Ann \\{</code> <em>a</em></p>\n"},
		{"lists", "# Bring\n- {client_first_name}'s card\n- a pen\n  1. black\n  2. blue\n\n3. three\n4. four",
			"Bring\n\n- Ann's card\n- a pen\n  1. black\n  2. blue\n\n3. three\n4. four",
			"<h1>Bring</h1>\n<ul>\n<li>Ann&#39;s card</li>\n<li>a pen<ol>\n<li>black</li>\n<li>blue</li>\n</ol>\n</li>\n</ul>\n<ol start=\"3\">\n<li>three</li>\n<li>four</li>\n</ol>\n"},
		{"quotes", "> one\n> two\n>\n> three", "> one\n> two\n>\n> three", "<blockquote>\n<p>one<br>\ntwo</p>\n<p>three</p>\n</blockquote>\n"},
		{"links", "[our site](www.harbor.example), [write](mailto:desk@harbor.example), [call](tel:{practice_phone}), https://harbor.example/a_b, x@harbor.example.",
			"our site: https://www.harbor.example, write: desk@harbor.example, call: (555) 010-0100, https://harbor.example/a_b, x@harbor.example.",
			`<p><a href="https://www.harbor.example">our site</a>, <a href="mailto:desk@harbor.example">write</a>, <a href="tel:%28555%29%20010-0100">call</a>, ` +
				`<a href="https://harbor.example/a_b">https://harbor.example/a_b</a>, <a href="mailto:x@harbor.example">x@harbor.example</a>.</p>` + "\n"},
		{"a value is a part of an address at most", "[a](https://harbor.example/?q={n5}) [b]({n5}) [c](javascript:alert)", "a: https://harbor.example/?q=javascript%3Aalert%281%29%26%22 b c",
			`<p><a href="https://harbor.example/?q=javascript%3Aalert%281%29%26%22">a</a> b c</p>` + "\n"},
		{"a picture is not loaded", "![our house](https://harbor.example/h.png)", "our house: https://harbor.example/h.png", `<p><a href="https://harbor.example/h.png">our house</a></p>` + "\n"},
		{"indented lines are text", "    Harbor Lane 1\n    Example", "Harbor Lane 1\nExample", "<p>Harbor Lane 1<br>\nExample</p>\n"},
		{"indented lines in a list", "- a\n\n      b\n\n\n          c", "- a\n\n  b\n\n  c", "<ul>\n<li><p>a</p>\n<p>b</p>\n<p>c</p>\n</li>\n</ul>\n"},
		{"a tab", "\ta\n\tb\n \t c", "a\nb\nc", "<p>a<br>\nb<br>\nc</p>\n"},
		{"the link within a sentence", "Go to {portal_link} or [join]({portal_link}).", "Go to " + url + " or join: " + url + ".",
			`<p>Go to <a href="` + url + `">` + url + `</a> or <a href="` + url + `">join</a>.</p>` + "\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := toAnn(t)
			for k, v := range map[string]string{"n1": "<b>*x*</b>", "n2": "_y_", "n3": "{client_first_name}", "n4": "& \\*", "n5": `javascript:alert(1)&"`} {
				p.Values[k] = v
			}
			if !strings.Contains(c.body, Link) {
				delete(p.Values, Link)
			}
			html, text := middle(compose(t, "s", c.body, p))
			if d := cmp.Diff(c.text, text); d != "" {
				t.Errorf("text (-want +got):\n%s", d)
			}
			if d := cmp.Diff(c.html, html); d != "" {
				t.Errorf("html (-want +got):\n%s", d)
			}
		})
	}
}

func TestLinkAloneIsAButton(t *testing.T) {
	url := portal + Slot
	for body, label := range map[string]string{
		"Hi\n\n{portal_link}\n\nBye":             "Join Client Portal",
		"Hi\n\n[Come in]({portal_link})":         "Come in",
		"Hi\n\n[{portal_link}](<{portal_link}>)": "Join Client Portal",
		"Hi":                                     "Join Client Portal", // added by itself
		"Hi \\{portal_link}":                     "Join Client Portal",
	} {
		html, text := middle(compose(t, "s", body, toAnn(t)))
		if !strings.Contains(text, "\n\n"+label+":\n"+url) {
			t.Errorf("%q: text %q", body, text)
		}
		if n := strings.Count(text, url); n != 1 {
			t.Errorf("%q: the link stands %d times in the text", body, n)
		}
		button := regexp.MustCompile(`<a class="button" href="` + regexp.QuoteMeta(url) + `"[^>]*>` + label + `</a>`)
		if !button.MatchString(html) || !strings.Contains(html, `<a href="`+url+`">`+url+`</a>`) {
			t.Errorf("%q: html %s", body, html)
		}
	}
	if !Parse("", "[x]({portal_link})").bodyLink || Parse("{portal_link}", `\{portal_link}`).bodyLink {
		t.Error("it is not known whether the body says where the link stands")
	}
}

func TestPlaceholders(t *testing.T) {
	got := Placeholders("{b_one} {a}", "Dear {a}, *{b_two}* [x]({c_three}) `{d}` {Not this} {e1}\\{f} https://x.example/{g}")
	if d := cmp.Diff([]string{"b_one", "a", "b_two", "c_three", "d", "e1", "g"}, got); d != "" {
		t.Error(d)
	}
}

func TestComposeRefuses(t *testing.T) {
	for _, c := range []struct {
		subject, body string
		change        func(*Particulars)
		want          error
	}{
		{"s", "{clinet_name}", nil, UnknownPlaceholder("clinet_name")},
		{"{other}", "b", nil, UnknownPlaceholder("other")},
		{"{portal_link}", "b", nil, ErrSubjectLink},
		{"s", "b", func(p *Particulars) { p.To = Address{} }, ErrNoAddress},
		{"s", strings.Repeat("word ", 20_000), nil, ErrTooLong},
		{"s", "b", func(p *Particulars) { p.MessageID = "a\r\nBcc: x@y.example" }, ErrHeader},
		{"s", "b", func(p *Particulars) { p.Lang = "en\x00" }, ErrHeader},
	} {
		p := toAnn(t)
		if c.change != nil {
			c.change(&p)
		}
		if _, err := composer(t).Compose(Parse(c.subject, c.body), p); !errors.Is(err, c.want) {
			t.Errorf("%.20q %.20q: got %v, want %v", c.subject, c.body, err, c.want)
		}
	}
}

func TestSubjectIsReplacedOnceOnOneLine(t *testing.T) {
	p := toAnn(t)
	p.Values["client_first_name"] = "A\r\nBcc: evil@x.example {practice_name}"
	l := compose(t, "  Hi  {client_first_name}\n\\{x ", "b", p)
	if want := `Hi A Bcc: evil@x.example {practice_name} \{x`; l.Subject != want {
		t.Errorf("got %q, want %q", l.Subject, want)
	}
	parsed, err := netmail.ReadMessage(bytes.NewReader(l.Bytes))
	if err != nil {
		t.Fatal(err)
	}
	if parsed.Header.Get("Bcc") != "" {
		t.Error("a name became a header field")
	}
}

// readBack parses a letter as a mail program does.
func readBack(t testing.TB, b []byte) (h gomail.Header, text, page string) {
	t.Helper()
	e, err := message.Read(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	h = gomail.Header{Header: e.Header}
	mr := e.MultipartReader()
	if mr == nil {
		t.Fatal("not multipart")
	}
	for _, dst := range []*string{&text, &page} {
		part, err := mr.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(part.Body)
		if err != nil {
			t.Fatal(err)
		}
		*dst = strings.ReplaceAll(string(content), "\r\n", "\n")
	}
	if _, err := mr.NextPart(); err != io.EOF {
		t.Errorf("after two parts: %v", err)
	}
	return h, text, page
}

func checkWire(t testing.TB, b []byte) {
	t.Helper()
	if rest := bytes.ReplaceAll(b, []byte("\r\n"), nil); bytes.ContainsAny(rest, "\r\n\x00") {
		t.Error("a bare CR, LF or NUL")
	}
	for line := range bytes.SplitSeq(b, []byte("\r\n")) {
		if len(line) > 78 {
			t.Errorf("a line of %d: %s", len(line), line)
		}
	}
}

func TestHeadersReadBack(t *testing.T) {
	long := strings.Repeat("Bienvenida a Harbor, Ñandú ", 30)
	for _, subject := range []string{
		"Welcome", "Große Brücke \u200dfür Zoë 👩‍⚕️", strings.TrimSpace(long), strings.TrimSpace(strings.Repeat("plain words ", 80)),
		strings.Repeat("x", 1500), "=?utf-8?q?=0D=0ABcc:?=", "a \"quoted\" (comment) <tag>, x;",
	} {
		p := toAnn(t)
		p.From.Name = `Dr. "Olga" \ Müller, Harbor`
		p.To = Address{`Ann "Annie" O'Neil`, email(t, "ann@bücher.example")}
		l := compose(t, subject, "b", p)
		checkWire(t, l.Bytes)
		h, _, _ := readBack(t, l.Bytes)
		if got, err := h.Subject(); err != nil || got != subject {
			t.Errorf("subject %q read back as %q, %v", subject, got, err)
		}
		std, err := netmail.ReadMessage(bytes.NewReader(l.Bytes))
		if err != nil {
			t.Fatal(err)
		}
		for field, want := range map[string][2]string{
			"From": {p.From.Name, "hello@harbor.example"}, "To": {p.To.Name, "ann@xn--bcher-kva.example"}, "Reply-To": {"", "desk@harbor.example"},
		} {
			a, err := std.Header.AddressList(field)
			if err != nil || len(a) != 1 || a[0].Name != want[0] || a[0].Address != want[1] {
				t.Errorf("%s: %v, %v", field, a, err)
			}
		}
		for field, want := range map[string]string{
			"Date": "Mon, 23 Nov 2026 09:00:00 +0000", "Message-Id": "<abc@harbor.example>", "Mime-Version": "1.0",
			"Auto-Submitted": "auto-generated", "Content-Language": "en", "Cc": "", "Bcc": "",
		} {
			if got := std.Header.Get(field); got != want {
				t.Errorf("%s: %q, want %q", field, got, want)
			}
		}
	}
}

func TestUnicodeLocalPartStaysAsTyped(t *testing.T) {
	p := toAnn(t)
	p.To = Address{"José", email(t, "josé@harbor.example")}
	l := compose(t, "s", "b", p)
	if !bytes.Contains(l.Bytes, []byte("\r\nTo: =?utf-8?B?Sm9zw6k=?= <josé@harbor.example>\r\n")) {
		t.Errorf("%s", l.Bytes)
	}
}

func TestBothPartsReadBack(t *testing.T) {
	body := "Hola {client_first_name}: " + strings.Repeat("niños ", 300) + "\n\n.\n\nFrom here\n\n{portal_link}\n\nlast"
	l := compose(t, "s", body, toAnn(t))
	checkWire(t, l.Bytes)
	_, text, page := readBack(t, l.Bytes)
	if d := cmp.Diff(l.Text, text); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(l.HTML, page); d != "" {
		t.Error(d)
	}
	if !strings.Contains(l.HTML, `<html lang="en">`) || strings.Contains(l.HTML, "<img") || strings.Contains(l.HTML, "<table") {
		t.Error("the frame isn't what a mail of ours looks like")
	}
}

// Who reads the plain text is told what who sees the page is: the same words, in the same order.
func TestBothPartsSayTheSame(t *testing.T) {
	p := toAnn(t)
	p.Footer, p.NotMeant = "Harbor Therapy, (555) 010-0100\nHarbor Lane 1\nOlga sent you this.", Follow{"This wasn't meant for me", portal + NotMeantSlot}
	for _, body := range []string{
		"Dear {client_first_name},\nwelcome to **{practice_name}**.\n\n# Bring\n\n- your *card*\n- a pen\n  1. black\n  2. blue\n\n> quoted\n> twice\n\n---\n\n`code` <b>x</b> &amp; &copy;",
		"{portal_link}",
		"[Come in]({portal_link})\n\nSee [our site](https://harbor.example/way?x=1), write to [us](mailto:desk@harbor.example), [call](tel:555-0100), ![h](https://harbor.example/h.png).",
		"No link here. 3. 4) - > * # | ~ 😀 ñandú",
	} {
		l := compose(t, "s", body, p)
		if text, page := textWords(l.Text), pageWords(t, l.HTML); !slices.Equal(text, page) {
			t.Errorf("%q: (-text +page)\n%s", body, cmp.Diff(text, page))
		}
	}
}

// wordsOf lists those of a text, without the marks that stand round or between them.
func wordsOf(s string) (all []string) {
	for _, word := range strings.Fields(s) {
		if word = strings.Trim(word, ".,:;<>()*-#|~"); word != "" {
			all = append(all, word)
		}
	}
	return all
}

func textWords(text string) []string {
	return wordsOf(regexp.MustCompile(`(?m)^[> ]*\d+\. `).ReplaceAllString(text, "")) // a list's numbers are the page's to make
}

func pageWords(t *testing.T, page string) []string {
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	var walk func(*html.Node)
	walk = func(n *html.Node) {
		if n.DataAtom == atom.Head {
			return
		}
		if n.Type == html.TextNode {
			b.WriteString(n.Data)
		}
		start := b.Len()
		for kid := range n.ChildNodes() {
			walk(kid)
		}
		switch n.DataAtom {
		case atom.P, atom.Li, atom.Br, atom.H1, atom.Hr:
			b.WriteString("\n")
		case atom.A: // a button's address stands below it
			if to := readable(n.Attr[slices.IndexFunc(n.Attr, func(a html.Attribute) bool { return a.Key == "href" })].Val); b.String()[start:] != to && !strings.Contains(page, `class="button" href="`+to) {
				b.WriteString(": " + to)
			}
		}
	}
	walk(doc)
	return wordsOf(b.String())
}

func TestSameInputSameBytes(t *testing.T) {
	a, b := compose(t, "s", "x {portal_link}", toAnn(t)), compose(t, "s", "x {portal_link}", toAnn(t))
	if !bytes.Equal(a.Bytes, b.Bytes) {
		t.Error("composing twice gave different letters")
	}
	p := toAnn(t)
	p.MessageID = ""
	if c, d := compose(t, "s", "x", p), compose(t, "s", "x", p); c.MessageID == d.MessageID || !strings.HasSuffix(c.MessageID, "@harbor.example") {
		t.Errorf("new Message-IDs: %s, %s", c.MessageID, d.MessageID)
	}
}

func secret(r *rand.Rand) string {
	b := make([]byte, 32)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

func TestSlotsHaveTheShapeOfASecret(t *testing.T) {
	for _, slot := range []string{Slot, NotMeantSlot} {
		if len(slot) != 43 || !isSecret(slot) {
			t.Errorf("%s: %d characters", slot, len(slot))
		}
	}
}

func TestFillGivesWhatComposingGives(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 300 {
		body := strings.Repeat("é", r.IntN(30)) + strings.Repeat("x", r.IntN(80)) + "{portal_link}" + strings.Repeat(" ü", r.IntN(3)) +
			"[a]({portal_link})\n\n{portal_link}\n\n" + strings.Repeat("y", r.IntN(80)) + "`{portal_link}`"
		frozen, filled := toAnn(t), toAnn(t)
		s := Secrets{secret(r), secret(r)}
		words := strings.Repeat("ñ", r.IntN(20)) + strings.Repeat("z", r.IntN(60))
		frozen.NotMeant, filled.NotMeant = Follow{words, portal + NotMeantSlot}, Follow{words, portal + s.NotMeant}
		filled.Values[Link] = portal + s.Link
		got, err := Fill(compose(t, "s", body, frozen).Bytes, s)
		if err != nil {
			t.Fatal(err)
		}
		if want := compose(t, "s", body, filled).Bytes; !bytes.Equal(got, want) {
			t.Fatalf("%d: %s\n%s", i, body, cmp.Diff(string(want), string(got)))
		}
	}
}

func TestFillRefuses(t *testing.T) {
	p := toAnn(t)
	delete(p.Values, Link)
	without := compose(t, "s", "b", p).Bytes
	for _, s := range []Secrets{{Link: strings.Repeat("a", 43)}, {NotMeant: strings.Repeat("a", 43)}} {
		if _, err := Fill(without, s); !errors.Is(err, ErrNoSlot) {
			t.Errorf("a letter without a link: %v", err)
		}
	}
	if same, err := Fill(without, Secrets{}); err != nil || !bytes.Equal(same, without) {
		t.Errorf("without secrets it changed: %v", err)
	}
	for _, s := range []string{Slot[1:], Slot + "a", strings.Repeat("a", 42) + "=", strings.Repeat("a", 42) + "\n"} {
		if _, err := Fill(compose(t, "s", "b", toAnn(t)).Bytes, Secrets{Link: s}); !errors.Is(err, ErrSecret) {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func TestFillLeavesTheHeaderAlone(t *testing.T) {
	l := compose(t, Slot, "{portal_link}", toAnn(t))
	filled, err := Fill(l.Bytes, Secrets{Link: strings.Repeat("a", 43)})
	if err != nil {
		t.Fatal(err)
	}
	if h, _, _ := readBack(t, filled); h.Get("Subject") != Slot {
		t.Errorf("the subject became %q", h.Get("Subject"))
	}
}

func FuzzCompose(f *testing.F) {
	for _, s := range []string{"{portal_link}", "[a]({portal_link})", "*{client_first_name}*", "> - 1. # `{x}`", "<{portal_link}>", "a\\\n{", "![x](<{n}>)", "&#x7b;"} {
		f.Add(s, s, s)
	}
	c := composer(f)
	f.Fuzz(func(t *testing.T, subject, body, name string) {
		p := toAnn(t)
		p.To.Name = name
		m := Parse(subject, body)
		for _, n := range m.Placeholders() {
			if n != Link {
				p.Values[n] = name
			}
		}
		l, err := c.Compose(m, p)
		if errors.Is(err, ErrSubjectLink) || errors.Is(err, ErrTooLong) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		checkWire(t, l.Bytes)
		for _, fault := range checkRFC(l.Bytes) {
			t.Error(fault)
		}
		h, text, page := readBack(t, l.Bytes)
		if got, _ := h.Subject(); got != l.Subject || text != l.Text || page != l.HTML {
			t.Errorf("read back: %q %q %q, sent %q %q %q", got, text, page, l.Subject, l.Text, l.HTML)
		}
		if !strings.Contains(l.Text, portal+Slot) || !strings.Contains(l.HTML, portal+Slot) {
			t.Error("a part without the link")
		}
		if strings.Contains(strings.ToLower(l.HTML), "<script") || regexp.MustCompile(`(?i)<[^>]+\son\w+=`).MatchString(l.HTML) {
			t.Errorf("live markup: %s", l.HTML)
		}
		s := strings.Repeat("Z", 43)
		p.Values[Link] = portal + s
		if strings.Contains(fmt.Sprint(subject, body, name), Slot) {
			return
		}
		again, err := c.Compose(m, p)
		if err != nil {
			t.Fatal(err)
		}
		if filled, err := Fill(l.Bytes, Secrets{Link: s}); err != nil || !bytes.Equal(filled, again.Bytes) {
			t.Errorf("filled: %v\n%s", err, cmp.Diff(string(again.Bytes), string(filled)))
		}
	})
}

// The logo travels inside the letter, beside the page that shows it; the text stays as it is.
func TestLetterWithALogo(t *testing.T) {
	plain := composed(t, nil)
	logo := &Logo{PNG: []byte("\x89PNG\r\n\x1a\n" + strings.Repeat("picture", 500)), Width: 120, Height: 40}
	with := composed(t, logo)
	if with.Text != plain.Text || !strings.Contains(with.HTML, `src="cid:logo" alt="" width="120" height="40"`) || strings.Contains(plain.HTML, "cid:") {
		t.Error("the text changed, or the picture isn't where it belongs")
	}
	entity, err := message.Read(bytes.NewReader(with.Bytes))
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	err = entity.Walk(func(_ []int, part *message.Entity, err error) error {
		if err != nil {
			return err
		}
		kind, _, err := part.Header.ContentType()
		kinds = append(kinds, kind)
		if kind != "image/png" || err != nil {
			return err
		}
		body, err := io.ReadAll(part.Body)
		if !bytes.Equal(body, logo.PNG) || part.Header.Get("Content-ID") != "<logo>" {
			t.Errorf("%q came as %.40q", part.Header.Get("Content-ID"), body)
		}
		return err
	})
	if want := "[multipart/alternative text/plain multipart/related text/html image/png]"; err != nil || fmt.Sprint(kinds) != want {
		t.Errorf("parts %v, %v", kinds, err)
	}
	for line := range bytes.SplitSeq(with.Bytes, []byte("\r\n")) {
		if len(line) > 78 || bytes.ContainsAny(line, "\r\n") {
			t.Errorf("a line of %d bytes: %.80q", len(line), line)
		}
	}
}

func composed(t *testing.T, logo *Logo) Letter {
	t.Helper()
	p := toAnn(t)
	p.Logo = logo
	return compose(t, "Welcome", "Hello.\n\n{portal_link}", p)
}
