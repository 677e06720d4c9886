package forms

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Enabled reports, for every item, whether it is asked: its conditions hold, and those
// of the groups it stands in. An answer to an item that isn't asked counts as none.
func (f *Form) Enabled(a Answers) map[string]bool { return f.enabled(f.clean(a)) }

// enabled takes clean answers. One pass does: a condition only ever looks back.
func (f *Form) enabled(a Answers) map[string]bool {
	enabled := make(map[string]bool, len(f.all))
	for _, it := range f.all {
		holds := func(c Condition) bool {
			if !enabled[c.Question] {
				return c.holds(f.index[c.Question], nil)
			}
			return c.holds(f.index[c.Question], a[c.Question])
		}
		fails := func(c Condition) bool { return !holds(c) }
		met := len(it.When) == 0 || !it.WhenAny && !slices.ContainsFunc(it.When, fails) ||
			it.WhenAny && slices.ContainsFunc(it.When, holds)
		enabled[it.LinkID] = met && (it.parent == nil || enabled[it.parent.LinkID])
	}
	return enabled
}

// holds follows FHIR R4: "!=" is true when no answer equals, so also when there is none;
// the others need an answer.
func (c Condition) holds(question *Item, values []string) bool {
	switch c.Operator {
	case "exists":
		return strconv.FormatBool(question.answered(values)) == c.Answer
	case "=":
		return slices.Contains(values, c.Answer)
	case "!=":
		return !slices.Contains(values, c.Answer)
	}
	if len(values) == 0 || question.malformed(values) != "" {
		return false
	}
	order := strings.Compare(values[0], c.Answer) // dates sort as they are written
	if question.Kind == Integer {
		order = number(values[0]) - number(c.Answer)
	}
	switch c.Operator {
	case ">":
		return order > 0
	case "<":
		return order < 0
	case ">=":
		return order >= 0
	default:
		return order <= 0
	}
}

// condition says in words when an item is asked, for a page without script, e.g.
// If you answered “Yes” to “Do you take any medicines?”
func (f *Form) condition(it *Item) string {
	var parts []string
	for i := 0; i < len(it.When); i++ {
		c := it.When[i]
		question := f.index[c.Question]
		answers := []string{"“" + question.inWords(c.Answer) + "”"}
		// One question, several answers that will do.
		for it.WhenAny && c.Operator == "=" && i+1 < len(it.When) &&
			it.When[i+1].Operator == "=" && it.When[i+1].Question == c.Question {
			i++
			answers = append(answers, "“"+question.inWords(it.When[i].Answer)+"”")
		}
		parts = append(parts, c.words(question, either(answers)))
	}
	if len(parts) == 0 {
		return ""
	}
	between := ", and "
	if it.WhenAny {
		between = ", or "
	}
	return "If " + strings.Join(parts, between)
}

func (c Condition) words(question *Item, answers string) string {
	asked := "“" + strings.TrimRight(question.Text, ": ") + "”"
	if question.Kind == Tick && (c.Operator == "=" || c.Operator == "!=") {
		if (c.Operator == "=") == (c.Answer == "true") {
			return "you checked " + asked
		}
		return "you did not check " + asked
	}
	switch c.Operator {
	case "exists":
		if c.Answer == "true" {
			return "you filled in " + asked
		}
		return "you left out " + asked
	case "=":
		return fmt.Sprintf("you answered %s to %s", answers, asked)
	case "!=":
		return fmt.Sprintf("you did not answer %s to %s", answers, asked)
	}
	than := map[string]string{">": "more than", "<": "less than", ">=": "at least", "<=": "at most"}
	if question.Kind == Date {
		than = map[string]string{">": "after", "<": "before", ">=": "on or after", "<=": "on or before"}
	}
	return fmt.Sprintf("your answer to %s is %s %s", asked, than[c.Operator], question.inWords(c.Answer))
}

// either joins words: a, b or c.
func either(words []string) string {
	last := len(words) - 1
	if last == 0 {
		return words[0]
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
