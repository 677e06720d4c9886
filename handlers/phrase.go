package handlers

import (
	"regexp"
	"strings"
)

// phrase is a piece of text; with a number that a phone can call, it is a link.
type phrase struct {
	Text string
	Call string // digits
}

var phoneNumber = regexp.MustCompile(`\b(?:988|911|112|999)\b|\+?\(?\b\d[\d().\- ]{6,}\d\b`)

// paragraphs makes the phone numbers in a text callable.
func paragraphs(text string) (all [][]phrase) {
	for paragraph := range strings.SplitSeq(strings.ReplaceAll(text, "\r\n", "\n"), "\n") {
		if paragraph = strings.TrimSpace(paragraph); paragraph == "" {
			continue
		}
		var line []phrase
		at := 0
		for _, found := range phoneNumber.FindAllStringIndex(paragraph, -1) {
			if found[0] > at {
				line = append(line, phrase{Text: paragraph[at:found[0]]})
			}
			number := paragraph[found[0]:found[1]]
			line = append(line, phrase{number, callable(number)})
			at = found[1]
		}
		if at < len(paragraph) {
			line = append(line, phrase{Text: paragraph[at:]})
		}
		all = append(all, line)
	}
	return all
}

// callable is a phone number as a phone wants it.
func callable(number string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r == '+' {
			return r
		}
		return -1
	}, number)
}
