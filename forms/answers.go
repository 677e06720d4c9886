package forms

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Answers is what a person has filled in: linkId → values. An item that isn't there
// is unanswered. The values, by kind:
//
//	String, Text  the words, trimmed
//	Date          2006-01-02
//	Integer       42
//	Boolean       true or false
//	Tick          true; unanswered while the box isn't checked
//	Choice        the code
//	Multiple      the codes, in the order of the options
//	OpenChoice    the code, or "text:" and the person's own words (no code holds a colon)
//	Signature     the typed name, then "true" once the consent line is agreed to
//
// A value that was typed wrong (a date that is none) is kept as it was typed, so that
// it can be shown and mended; Malformed and Check speak of it.
type Answers map[string][]string

// The names of inputs. An item's input is named by its linkId. These others all hold a
// colon, which no linkId does; a page's own inputs are safe if theirs do, too.
const (
	ShownInput = ":shown" // hidden, one for each item on the page, value its linkId: so
	// an item that posts nothing (no box checked) is known to be cleared
	ClearInput    = ":clear"   // a button whose value is a linkId: that answer is withdrawn
	OwnWords      = "text:"    // the value of an open choice's last radio …
	ownWordsInput = ":text"    // … and what follows the linkId in the name of its text input
	consentInput  = ":consent" // follows the linkId in the name of a signature's checkbox, value true
)

// FromInput reads a post: input returns all values of a name, or none. The answers
// hold an entry for each item the post spoke of, an empty one if it is now unanswered,
// and nothing for the others: a post may be part of a page. Codes that the form doesn't
// have are dropped. See Answers.Merge.
func (f *Form) FromInput(input func(name string) []string) Answers {
	shown, withdrawn := input(ShownInput), input(ClearInput)
	part := Answers{}
	for _, it := range f.all {
		if !it.Asks() {
			continue
		}
		values, posted := it.posted(input)
		switch {
		case slices.Contains(withdrawn, it.LinkID):
			part[it.LinkID] = nil
		case posted || slices.Contains(shown, it.LinkID):
			part[it.LinkID] = it.clean(values)
		}
	}
	return part
}

// posted gathers an item's inputs into values as Answers has them.
func (it *Item) posted(input func(string) []string) (values []string, posted bool) {
	values = input(it.LinkID)
	switch it.Kind {
	case OpenChoice:
		words := input(it.LinkID + ownWordsInput)
		posted = len(values)+len(words) > 0
		// The radio decides; words with no radio chosen speak for themselves.
		picked := first(values)
		if strings.HasPrefix(picked, OwnWords) || picked == "" && !blank(first(words)) {
			values = []string{OwnWords + first(words)}
		}
		return values, posted
	case Signature:
		consent := input(it.LinkID + consentInput)
		return []string{first(values), first(consent)}, len(values)+len(consent) > 0
	}
	return values, len(values) > 0
}

// Merge returns a with the entries of part laid over it; an empty entry removes.
func (a Answers) Merge(part Answers) Answers {
	merged := Answers{}
	maps.Copy(merged, a)
	for linkID, values := range part {
		if len(values) == 0 {
			delete(merged, linkID)
		} else {
			merged[linkID] = slices.Clone(values)
		}
	}
	return merged
}

// Normalize returns what is kept of a completed form: answers to the items that are
// asked, cleaned; unknown items and codes are gone. It changes nothing the second time.
func (f *Form) Normalize(a Answers) Answers {
	a = f.clean(a)
	enabled := f.enabled(a)
	maps.DeleteFunc(a, func(linkID string, _ []string) bool { return !enabled[linkID] })
	return a
}

func (f *Form) clean(a Answers) Answers {
	cleaned := Answers{}
	for _, it := range f.all {
		if values := it.clean(a[it.LinkID]); len(values) > 0 {
			cleaned[it.LinkID] = values
		}
	}
	return cleaned
}

// clean brings values into the one spelling Answers has for them; nil is unanswered.
func (it *Item) clean(values []string) []string {
	switch it.Kind {
	case Display, Group:
		return nil
	case Multiple:
		var chosen []string
		for _, o := range it.Options {
			if slices.Contains(values, o.Code) {
				chosen = append(chosen, o.Code)
			}
		}
		return chosen
	case Signature:
		name := oneLine(first(values))
		if len(values) > 1 && values[1] == "true" {
			return []string{name, "true"}
		}
		return one(name)
	case Text:
		return one(tidy(first(values)))
	case String, Date:
		return one(oneLine(first(values)))
	case Integer:
		return one(plainInteger(oneLine(first(values))))
	case OpenChoice:
		if words, own := strings.CutPrefix(first(values), OwnWords); own {
			return []string{OwnWords + oneLine(words)}
		}
	}
	if _, ok := it.option(first(values)); ok {
		return []string{first(values)}
	}
	return nil
}

// answered reports whether clean values are a whole answer.
func (it *Item) answered(values []string) bool {
	switch it.Kind {
	case Signature:
		return len(values) == 2 && values[0] != ""
	case OpenChoice:
		return len(values) > 0 && values[0] != OwnWords
	}
	return len(values) > 0
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

func one(value string) []string {
	if value == "" {
		return nil
	}
	return []string{value}
}

// Letters and symbols that print as nothing; the rest is found by class.
const invisible = "\u115f\u1160\u2800\u3164\uffa0"

func unseen(r rune) bool {
	return unicode.IsSpace(r) || unicode.In(r, unicode.Cc, unicode.Cf) || strings.ContainsRune(invisible, r)
}

func blank(s string) bool { return strings.TrimFunc(s, unseen) == "" }

// tidy makes valid UTF-8 with plain line ends and no control characters, trimmed.
func tidy(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s)
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, s)
	return strings.TrimFunc(s, unseen)
}

func oneLine(s string) string {
	return strings.NewReplacer("\n", " ", "\t", " ").Replace(tidy(s))
}

// plainInteger spells a number one way: "007" is 7. What is no number stays as it is.
func plainInteger(s string) string {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return strconv.FormatInt(n, 10)
	}
	return s
}

func number(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

func isDate(s string) bool {
	_, err := time.Parse(time.DateOnly, s)
	return err == nil
}
