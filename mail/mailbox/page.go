package mailbox

import (
	"encoding/base64"
	"net/url"
	"regexp"
	"strings"

	"golang.org/x/net/html"
)

// maxPictures is how many bytes the pictures of one letter may add to its page.
const maxPictures = 8 << 20

// Page is the letter's HTML as a page can show it in a frame. Its links replace the whole page, and the pictures that came with
// it stand where it shows them. What would have the browser turn elsewhere by itself is left out; that nothing runs and nothing
// is loaded is for the frame's policy to see to.
func (l Letter) Page() string {
	var b strings.Builder
	b.WriteString(`<!doctype html><base target="_top">`)
	for z := html.NewTokenizer(strings.NewReader(l.HTML)); ; {
		kind := z.Next()
		if kind == html.ErrorToken {
			break
		}
		raw := string(z.Raw()) // before the tag is looked at, which changes it
		if kind == html.DoctypeToken || (kind == html.StartTagToken || kind == html.SelfClosingTagToken) && leads(z) {
			continue
		}
		b.WriteString(raw)
	}
	return l.withPictures(b.String())
}

// leads tells whether the tag that was just read has the browser turn to another place without being asked.
func leads(z *html.Tokenizer) bool {
	name, more := z.TagName()
	switch string(name) {
	case "base", "link":
		return true
	case "noscript": // no script runs, so what is in it counts
		z.NextIsNotRawText()
	case "meta":
		for more {
			var key []byte
			if key, _, more = z.TagAttr(); string(key) == "http-equiv" {
				return true
			}
		}
	}
	return false
}

var picture = regexp.MustCompile(`cid:[^"'\s)<>]+`)

// withPictures puts the pictures of a letter into its page.
func (l Letter) withPictures(page string) string {
	if !strings.Contains(page, "cid:") {
		return page
	}
	pictures := map[string]string{}
	for _, p := range leaves(l.Source) {
		switch p.kind {
		case "image/png", "image/jpeg", "image/gif", "image/webp":
			if p.id() != "" {
				pictures[p.id()] = "data:" + p.kind + ";base64," + base64.StdEncoding.EncodeToString(p.content())
			}
		}
	}
	room := maxPictures
	return picture.ReplaceAllStringFunc(page, func(source string) string {
		id, err := url.PathUnescape(strings.TrimPrefix(source, "cid:"))
		data := pictures[id]
		if err != nil || data == "" || len(data) > room {
			return source
		}
		room -= len(data)
		return data
	})
}

// textOf is what HTML says, without its markup.
func textOf(page string) string {
	var b strings.Builder
	hidden := ""
	for z := html.NewTokenizer(strings.NewReader(page)); ; {
		kind := z.Next()
		if kind == html.ErrorToken {
			break
		}
		token := z.Token()
		switch {
		case kind == html.TextToken && hidden == "":
			b.WriteString(strings.ReplaceAll(token.Data, "\n", " "))
		case kind == html.StartTagToken && unseen[token.Data]:
			hidden = token.Data
		case kind == html.EndTagToken && token.Data == hidden:
			hidden = ""
		case kind != html.TextToken && !flows[token.Data]:
			b.WriteString("\n")
		}
	}
	var lines []string
	for line := range strings.Lines(b.String()) {
		if line = strings.Join(strings.Fields(line), " "); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

// unseen elements hold no words to read, and those that flow begin no line.
var (
	unseen = map[string]bool{"style": true, "script": true, "title": true}
	flows  = map[string]bool{"a": true, "abbr": true, "b": true, "bdi": true, "code": true, "em": true, "font": true, "i": true, "img": true, "s": true,
		"small": true, "span": true, "strong": true, "sub": true, "sup": true, "u": true}
)
