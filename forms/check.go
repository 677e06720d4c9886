package forms

import (
	"fmt"
	"strconv"
	"unicode/utf8"
)

// Check is for submitting: linkId → one sentence for each item that is asked and whose
// answer is missing or can't stand. Empty, the form may be completed.
func (f *Form) Check(a Answers) map[string]string {
	return f.check(a, func(it *Item, values []string) string {
		if wrong := it.malformed(values); wrong != "" {
			return wrong
		}
		return it.unfinished(values)
	})
}

// Malformed is for saving: like Check, but silent about what isn't filled in yet.
func (f *Form) Malformed(a Answers) map[string]string { return f.check(a, (*Item).malformed) }

func (f *Form) check(a Answers, judge func(*Item, []string) string) map[string]string {
	a = f.clean(a)
	enabled := f.enabled(a)
	wrong := map[string]string{}
	for _, it := range f.all {
		if !it.Asks() || !enabled[it.LinkID] {
			continue
		}
		if sentence := judge(it, a[it.LinkID]); sentence != "" {
			wrong[it.LinkID] = sentence
		}
	}
	return wrong
}

// malformed takes clean values and says what is wrong with them, if anything.
func (it *Item) malformed(values []string) string {
	if len(values) == 0 {
		return ""
	}
	value := values[0]
	switch it.Kind {
	case String, Text, Signature:
		return it.tooLong(value)
	case OpenChoice:
		return it.tooLong(ownWords(value))
	case Date:
		return it.dateFault(value)
	case Integer:
		return it.integerFault(value)
	}
	return ""
}

func (it *Item) tooLong(value string) string {
	if n := utf8.RuneCountInString(value); n > it.MaxLength {
		return fmt.Sprintf("Please shorten this to %d characters. It has %d.", it.MaxLength, n)
	}
	return ""
}

func (it *Item) dateFault(value string) string {
	switch {
	case !isDate(value):
		return "Please enter a real date, like 1990-04-23."
	case value < it.Min:
		return "Please enter a date on or after " + dateWords(it.Min) + "."
	case value > it.Max:
		return "Please enter a date on or before " + dateWords(it.Max) + "."
	}
	return ""
}

func (it *Item) integerFault(value string) string {
	n, err := strconv.Atoi(value)
	least, most := number(it.Min), number(it.Max)
	switch {
	case err != nil:
		return "Please enter a whole number, like 3."
	case n >= least && n <= most:
		return ""
	case least > -maxInteger && most < maxInteger:
		return fmt.Sprintf("Please enter a number from %d to %d.", least, most)
	case n < least:
		return fmt.Sprintf("Please enter a number that is at least %d.", least)
	}
	return fmt.Sprintf("Please enter a number that is at most %d.", most)
}

// unfinished says what a submitted form still needs here. An answer that was begun has
// to be finished even where none is required.
func (it *Item) unfinished(values []string) string {
	if it.answered(values) || len(values) == 0 && !it.Required {
		return ""
	}
	switch it.Kind {
	case Signature:
		if first(values) != "" {
			return "Please check the box to agree that this is your signature."
		}
		return "Please type your full name to sign."
	case OpenChoice:
		if len(values) > 0 {
			return "Please write your answer in the box, or choose another."
		}
		return "Please choose one answer."
	case Choice:
		return "Please choose one answer."
	case Multiple:
		return "Please choose at least one answer."
	case Boolean:
		return "Please choose yes or no."
	case Tick:
		return "Please check this box to continue."
	case Date:
		return "Please enter a date."
	case Integer:
		return "Please enter a number."
	}
	return "Please write an answer."
}
