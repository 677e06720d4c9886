package mail

import (
	"html"
	"html/template"
	"net/url"
	"strconv"
	"strings"

	"github.com/microcosm-cc/bluemonday"
)

// sanitizer is the second lock on the HTML part: the first is that only tags
// of our own are written below.
var sanitizer = func() *bluemonday.Policy {
	p := bluemonday.NewPolicy()
	p.AllowElements("p", "br", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "hr", "strong", "em", "code")
	p.AllowAttrs("href").OnElements("a")
	p.AllowAttrs("start").Matching(bluemonday.Integer).OnElements("ol")
	p.AllowURLSchemes(schemes...)
	p.RequireParseableURLs(true)
	return p
}()

// block is a stretch of the HTML part: running text, or a button.
type block struct {
	HTML       template.HTML
	Label, URL string
}

func htmlBlocks(nodes []node) []block {
	var out []block
	var b strings.Builder
	flush := func() {
		if b.Len() > 0 {
			out = append(out, block{HTML: template.HTML(sanitizer.Sanitize(b.String()))})
			b.Reset()
		}
	}
	for _, n := range nodes {
		if n.kind == button {
			flush()
			out = append(out, block{Label: plainText(n.kids), URL: n.text})
			continue
		}
		writeHTML(&b, []node{n})
	}
	flush()
	return out
}

func writeHTML(b *strings.Builder, nodes []node) {
	for _, n := range nodes {
		before, after := tags(n)
		b.WriteString(before)
		switch n.kind {
		case text, code:
			b.WriteString(html.EscapeString(n.text))
		default:
			writeHTML(b, n.kids)
		}
		b.WriteString(after)
	}
}

func tags(n node) (before, after string) {
	switch n.kind {
	case paragraph:
		return "<p>", "</p>\n"
	case heading:
		h := "h" + strconv.Itoa(n.n)
		return "<" + h + ">", "</" + h + ">\n"
	case list:
		switch n.n {
		case -1:
			return "<ul>\n", "</ul>\n"
		case 1:
			return "<ol>\n", "</ol>\n"
		}
		return `<ol start="` + strconv.Itoa(n.n) + "\">\n", "</ol>\n"
	case item:
		return "<li>", "</li>\n"
	case quote:
		return "<blockquote>\n", "</blockquote>\n"
	case rule:
		return "<hr>\n", ""
	case lineBreak:
		return "<br>\n", ""
	case strong:
		return "<strong>", "</strong>"
	case emphasis:
		return "<em>", "</em>"
	case code:
		return "<code>", "</code>"
	case anchor:
		return `<a href="` + html.EscapeString(n.text) + `">`, "</a>"
	}
	return "", ""
}

// textBlocks writes the plain part: what a person would type.
func textBlocks(nodes []node) string {
	var b strings.Builder
	for i, n := range nodes {
		if i > 0 {
			b.WriteString("\n")
			if nodes[i-1].kind != line {
				b.WriteString("\n")
			}
		}
		switch n.kind {
		case list:
			b.WriteString(textList(n))
		case quote:
			b.WriteString(indent(textBlocks(n.kids), "> ", "> "))
		case rule:
			b.WriteString("* * *")
		case button:
			b.WriteString(plainText(n.kids) + ":\n" + n.text)
		default:
			b.WriteString(plainText(n.kids))
		}
	}
	return b.String()
}

func textList(l node) string {
	var items []string
	between := "\n"
	for i, it := range l.kids {
		marker := "- "
		if l.n >= 0 {
			marker = strconv.Itoa(l.n+i) + ". "
		}
		if len(it.kids) > 0 && it.kids[0].kind != line {
			between = "\n\n"
		}
		items = append(items, indent(textBlocks(it.kids), marker, strings.Repeat(" ", len(marker))))
	}
	return strings.Join(items, between)
}

// indent puts first before the first line of s and rest before the others.
func indent(s, first, rest string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		prefix := rest
		if i == 0 {
			prefix = first
		}
		lines[i] = strings.TrimRight(prefix+lines[i], " ")
	}
	return strings.Join(lines, "\n")
}

// plainText is running text without its markup; a link is followed by where it
// leads, unless its words already say so.
func plainText(nodes []node) string {
	var b strings.Builder
	for _, n := range nodes {
		switch n.kind {
		case text, code:
			b.WriteString(n.text)
		case lineBreak:
			b.WriteString("\n")
		case anchor:
			words, to := plainText(n.kids), readable(n.text)
			b.WriteString(words)
			if words != n.text && words != to {
				b.WriteString(": " + to)
			}
		default:
			b.WriteString(plainText(n.kids))
		}
	}
	return b.String()
}

// readable is an address as a person would write it down.
func readable(to string) string {
	for _, scheme := range []string{"mailto:", "tel:"} {
		if rest, ok := strings.CutPrefix(to, scheme); ok {
			if plain, err := url.PathUnescape(rest); err == nil {
				return clean(plain)
			}
			return rest
		}
	}
	return to
}
