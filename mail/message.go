package mail

import (
	"html"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	gtext "github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// Link is the one placeholder whose value is an address to follow. Standing
// alone in a paragraph it becomes a button.
const Link = "portal_link"

// Message is what an author wrote: a subject of plain text and a body of
// Markdown, both with placeholders. It is parsed once and then composed for
// any number of people, from any number of goroutines.
type Message struct {
	subject               string
	source                []byte
	tree                  ast.Node
	names                 []string
	subjectLink, bodyLink bool
}

// Parse reads a subject and a body. Every text parses: what isn't Markdown is
// shown as it was typed, HTML tags included.
func Parse(subject, body string) *Message {
	m := &Message{subject: oneLine(subject), source: []byte(clean(body))}
	m.tree = markdown.Parse(gtext.NewReader(m.source))
	r := resolver{source: m.source, values: func(name string) (string, bool) {
		if !slices.Contains(m.names, name) {
			m.names = append(m.names, name)
		}
		return "", true
	}}
	r.plain(m.subject)
	m.subjectLink, r.linked = r.linked, false
	r.blocks(m.tree)
	m.bodyLink = r.linked
	return m
}

// Placeholders returns the names used in the subject and the body, each once,
// in the order of their first use.
func (m *Message) Placeholders() []string { return slices.Clone(m.names) }

// Placeholders returns the names used in a subject and a body.
func Placeholders(subject, body string) []string { return Parse(subject, body).Placeholders() }

// The Markdown of a mail is smaller than that of a manual. Left out are raw
// HTML and code blocks (what was typed is shown instead), headings underlined
// by a line (a signature's dashes would make one) and link definitions (they
// would vanish).
var markdown = func() parser.Parser {
	p := parser.NewParser(
		parser.WithBlockParsers(
			util.Prioritized(parser.NewThematicBreakParser(), 200),
			util.Prioritized(parser.NewListParser(), 300),
			util.Prioritized(parser.NewListItemParser(), 400),
			util.Prioritized(parser.NewATXHeadingParser(), 600),
			util.Prioritized(parser.NewBlockquoteParser(), 800),
			util.Prioritized(looseParagraph{parser.NewParagraphParser()}, 1000),
		),
		parser.WithInlineParsers(
			util.Prioritized(parser.NewCodeSpanParser(), 100),
			util.Prioritized(parser.NewLinkParser(), 200),
			util.Prioritized(parser.NewAutoLinkParser(), 300),
			util.Prioritized(parser.NewEmphasisParser(), 500),
			util.Prioritized(extension.NewLinkifyParser(), 999),
		),
	)
	p.Parse(gtext.NewReader([]byte("x"))) // it finishes setting itself up at first use
	return p
}()

// looseParagraph begins at any indentation: there are no code blocks.
type looseParagraph struct{ parser.BlockParser }

func (looseParagraph) CanAcceptIndentedLine() bool { return true }

type kind int

const (
	paragraph kind = iota
	line           // the text of a tight list's item
	heading
	list
	item
	quote
	rule
	button
	text
	lineBreak
	strong
	emphasis
	code
	anchor
)

// node is a message resolved for one person: the tree both parts of the mail
// are written from. Its texts are data, with no markup left to interpret.
type node struct {
	kind kind
	text string // of a text or code; of a button or link, its address
	n    int    // of a heading, its level; of a numbered list, its first number; of other lists -1
	kids []node
}

// resolver turns goldmark's tree into nodes, replacing placeholders on the way.
type resolver struct {
	source  []byte
	values  func(name string) (string, bool)
	link    string // the value of {portal_link}
	label   string // the words on its button
	unknown []string
	linked  bool // {portal_link} was met
}

func (r *resolver) blocks(parent ast.Node) []node {
	var out []node
	for n := parent.FirstChild(); n != nil; n = n.NextSibling() {
		switch n := n.(type) {
		case *ast.Heading:
			out = append(out, node{kind: heading, n: n.Level, kids: r.inlines(n, false)})
		case *ast.List:
			first := -1
			if n.IsOrdered() {
				first = n.Start
			}
			out = append(out, node{kind: list, n: first, kids: r.blocks(n)})
		case *ast.ListItem:
			out = append(out, node{kind: item, kids: r.blocks(n)})
		case *ast.Blockquote:
			out = append(out, node{kind: quote, kids: r.blocks(n)})
		case *ast.ThematicBreak:
			out = append(out, node{kind: rule})
		case *ast.TextBlock:
			out = append(out, node{kind: line, kids: r.inlines(n, false)})
		case *ast.Paragraph:
			out = append(out, r.paragraph(n))
		}
	}
	return out
}

// paragraph makes a button of one that is nothing but the link.
func (r *resolver) paragraph(n ast.Node) node {
	kids := r.inlines(n, false)
	if n.Parent().Kind() == ast.KindDocument && len(kids) == 1 && kids[0].kind == anchor && kids[0].text == r.link {
		if label := plainText(kids[0].kids); label != r.link {
			return node{kind: button, text: r.link, kids: kids[0].kids}
		}
		return r.button()
	}
	return node{kind: paragraph, kids: kids}
}

func (r *resolver) button() node {
	return node{kind: button, text: r.link, kids: []node{{kind: text, text: r.label}}}
}

// inlines resolves the children of parent. No link begins inside a link.
func (r *resolver) inlines(parent ast.Node, inLink bool) []node {
	var out []node
	for n := parent.FirstChild(); n != nil; n = n.NextSibling() {
		switch c := n.(type) {
		case *ast.Text:
			// A placeholder may be spread over neighbours: its underscores
			// were candidates for emphasis.
			raw := string(c.Segment.Value(r.source))
			for !c.SoftLineBreak() && !c.HardLineBreak() {
				next, ok := c.NextSibling().(*ast.Text)
				if !ok {
					break
				}
				raw += string(next.Segment.Value(r.source))
				c, n = next, next
			}
			out = append(out, r.text(raw, inLink)...)
			if c.SoftLineBreak() || c.HardLineBreak() { // a line ends where its author ended it
				out = append(out, node{kind: lineBreak})
			}
		case *ast.CodeSpan:
			var raw strings.Builder
			for t := c.FirstChild(); t != nil; t = t.NextSibling() {
				raw.Write(t.(*ast.Text).Segment.Value(r.source))
			}
			out = append(out, node{kind: code, text: r.plain(strings.ReplaceAll(raw.String(), "\n", " "))})
		case *ast.Emphasis:
			k := emphasis
			if c.Level == 2 {
				k = strong
			}
			out = append(out, node{kind: k, kids: r.inlines(c, inLink)})
		case *ast.AutoLink:
			to := string(c.URL(r.source))
			if label := string(c.Label(r.source)); to == "http://"+label { // as typed by hand: www.practice.example
				to = "https://" + label
			}
			if c.AutoLinkType == ast.AutoLinkEmail {
				to = "mailto:" + to
			}
			out = append(out, follow(r.address(to, false), []node{{kind: text, text: r.plain(string(c.Label(r.source)))}})...)
		case *ast.Link:
			out = append(out, follow(r.address(string(c.Destination), true), r.inlines(c, true))...)
		case *ast.Image: // a mail of ours loads nothing, but the picture can be followed
			kids := r.inlines(c, true)
			if !inLink {
				kids = follow(r.address(string(c.Destination), true), kids)
			}
			out = append(out, kids...)
		}
	}
	return out
}

// follow makes a link of its words, or leaves just the words where the address
// is none that a mail should lead to.
func follow(to string, words []node) []node {
	if to == "" {
		return words
	}
	if plainText(words) == "" {
		words = []node{{kind: text, text: to}}
	}
	return []node{{kind: anchor, text: to, kids: words}}
}

// text resolves running text, where the link's placeholder is a link.
func (r *resolver) text(raw string, inLink bool) []node {
	var out []node
	add := func(s string) {
		if k := len(out); k > 0 && out[k-1].kind == text {
			out[k-1].text += s
		} else if s != "" {
			out = append(out, node{kind: text, text: s})
		}
	}
	r.expand(raw, true, add, func(name, value string) {
		if name == Link && !inLink {
			out = append(out, node{kind: anchor, text: value, kids: []node{{kind: text, text: value}}})
			return
		}
		add(value)
	})
	return out
}

// plain resolves text in which a backslash is a backslash.
func (r *resolver) plain(raw string) string {
	var b strings.Builder
	add := func(s string) { b.WriteString(s) }
	r.expand(raw, false, add, func(_, value string) { add(value) })
	return b.String()
}

// address resolves where a link leads: "" where a mail shouldn't lead. A value
// is escaped, so it can only ever be a part of the address it stands in.
func (r *resolver) address(raw string, escapes bool) string {
	var b strings.Builder
	r.expand(raw, escapes, func(s string) {
		b.Write(util.URLEscape([]byte(s), false))
	}, func(name, value string) {
		if name != Link || b.Len() > 0 {
			value = strings.ReplaceAll(url.QueryEscape(value), "+", "%20")
		}
		b.WriteString(value)
	})
	to := b.String()
	if to != "" && !strings.Contains(to, ":") {
		to = "https://" + to // as typed by hand: www.practice.example
	}
	u, err := url.Parse(to)
	if err != nil || !slices.Contains(schemes, u.Scheme) {
		return ""
	}
	return to
}

var (
	schemes     = []string{"https", "http", "mailto", "tel"}
	placeholder = regexp.MustCompile(`^\{ ?[A-Za-z](?:[A-Za-z0-9_]|\\_)* ?\}`)
	reference   = regexp.MustCompile(`^&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]*);`)
)

// expand is the one reader of placeholders. It goes through raw once, handing
// on each stretch of literal text and each value; values are not read again.
// With escapes, it also undoes Markdown's backslashes and HTML's references,
// and an escaped brace begins no placeholder.
func (r *resolver) expand(raw string, escapes bool, literal func(string), value func(name, value string)) {
	special := "{"
	if escapes {
		special = `{\&`
	}
	for raw != "" {
		i := strings.IndexAny(raw, special)
		if i < 0 {
			literal(raw)
			return
		}
		literal(raw[:i])
		raw = raw[i:]
		taken := 1
		switch {
		case raw[0] == '\\' && len(raw) > 1 && util.IsPunct(raw[1]):
			literal(raw[1:2])
			taken = 2
		case raw[0] == '&' && reference.MatchString(raw):
			taken = len(reference.FindString(raw))
			literal(clean(html.UnescapeString(raw[:taken])))
		case raw[0] == '{' && placeholder.MatchString(raw):
			taken = len(placeholder.FindString(raw))
			name := strings.ToLower(strings.ReplaceAll(strings.Trim(raw[:taken], "{ }"), `\`, ""))
			v, ok := r.values(name)
			if !ok {
				r.unknown = append(r.unknown, name)
			}
			if name == Link {
				r.linked = true
			}
			value(name, v)
		default:
			literal(raw[:1])
		}
		raw = raw[taken:]
	}
}

// clean drops what has no place in any text: control characters other than
// line ends and tabs, and bytes that aren't UTF-8.
func clean(s string) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\r\n", "\n")
	return strings.Map(func(c rune) rune {
		switch {
		case c == '\n', c == '\t':
			return c
		case c == '\r', c == '\u2028', c == '\u2029':
			return '\n'
		case unicode.IsControl(c):
			return -1
		}
		return c
	}, s)
}

// oneLine is clean text on one line, with single spaces.
func oneLine(s string) string { return strings.Join(strings.Fields(clean(s)), " ") }
