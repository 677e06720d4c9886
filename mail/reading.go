package mail

import (
	"cmp"
	"strings"
)

// Reading is what a message says, for looking it over before it is sent: placeholders are left out.
type Reading struct {
	Subject, Text string
	Links         []Follow // those that its author wrote, not the placeholder's
}

// Reading reads the message as no person's in particular.
func (m *Message) Reading() Reading {
	r := resolver{source: m.source, values: func(string) (string, bool) { return "", true }}
	body := r.blocks(m.tree)
	return Reading{Subject: oneLine(r.plain(m.subject)), Text: textBlocks(body), Links: links(body)}
}

func links(nodes []node) (all []Follow) {
	for _, n := range nodes {
		if n.kind == anchor && n.text != "" {
			words := plainText(n.kids)
			all = append(all, Follow{cmp.Or(strings.TrimSpace(words), n.text), n.text})
		}
		all = append(all, links(n.kids)...)
	}
	return all
}
