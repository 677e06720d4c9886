// Package forms is the paper: what a form asks, what an answer may be, what it
// scores, and how it reads in FHIR R4. It stores nothing and talks to nobody.
//
// A definition is a FHIR R4 Questionnaire (see Parse for the part of it that is
// understood). What a person has filled in is an Answers. A page renders the
// Fields of a form, posts them back, and FromInput turns the post into Answers:
//
//	posted  := form.FromInput(values)        // only what this post spoke of
//	saved    = saved.Merge(posted)           // autosave: nothing else is touched
//	wrong   := form.Malformed(saved)         // at every save: gentle, only what can't stand
//	wrong    = form.Check(saved)             // at submit: what is missing, too
//	answers := form.Normalize(saved)         // what is kept of a completed form
package forms

import (
	"embed"
	"slices"
	"sync"
)

// Kind says what an item is and so how it is asked. It is the FHIR item type, but
// for three that FHIR spells with an extension or a flag: Multiple, Tick, Signature.
type Kind string

// The kinds of item.
const (
	Display    Kind = "display"     // words to read
	Group      Kind = "group"       // a heading with items under it
	String     Kind = "string"      // one line
	Text       Kind = "text"        // several lines
	Date       Kind = "date"        // a day
	Integer    Kind = "integer"     // a whole number
	Boolean    Kind = "boolean"     // yes or no
	Tick       Kind = "tick"        // a box to check; required means it must be checked
	Choice     Kind = "choice"      // one of the options
	Multiple   Kind = "multiple"    // any number of the options
	OpenChoice Kind = "open-choice" // one of the options, or one's own words
	Signature  Kind = "signature"   // a typed name and a consent line
)

// A Form is one version of one form. Treat it as read-only: it is shared.
type Form struct {
	Key         string // stable through all versions, e.g. "phq-9"
	Version     string
	URL         string // the canonical FHIR address, may be empty
	Title       string
	Description string // the introduction, for the person who fills it in
	Credit      string // the authors' credit line, to be shown with the form
	Minutes     int    // about how long it takes
	Bands       []Band // how a total reads, lowest first
	Items       []*Item
	JSON        []byte // the definition as it was given to Parse

	all   []*Item // every item in the order of the page
	index map[string]*Item
}

// An Item is one thing on a form: a question, a heading, or words to read.
type Item struct {
	LinkID       string
	Kind         Kind
	Prefix       string // a printed number, e.g. "1."
	Text         string
	Help         string
	Required     bool
	Options      []Option // Boolean and Tick have theirs too: "true", "false"
	When         []Condition
	WhenAny      bool   // one condition is enough; otherwise all must hold
	MaxLength    int    // characters; 0 where nothing is typed
	Min, Max     string // Date and Integer: the range, as an answer is written
	Autocomplete string // an HTML autocomplete token, e.g. "tel"
	Consent      string // Signature: the line that is agreed to
	Items        []*Item

	parent *Item
}

// An Option is an answer that can be chosen.
type Option struct {
	System  string // may be empty
	Code    string
	Label   string
	Scored  bool
	Ordinal int  // what it counts, where Scored
	Concern bool // choosing it is a safety concern
}

// A Condition makes an item depend on the answer to an earlier one.
type Condition struct {
	Question string // linkId
	Operator string // exists = != > < >= <=
	Answer   string // as in Answers; "true" or "false" for exists
}

// A Band names the scores from From up to the next band.
type Band struct {
	From  int
	Label string
}

// Item returns the item with that linkId, or nil.
func (f *Form) Item(linkID string) *Item { return f.index[linkID] }

// Asks reports whether the item can hold an answer.
func (it *Item) Asks() bool { return it.Kind != Display && it.Kind != Group }

func (it *Item) option(code string) (Option, bool) {
	i := slices.IndexFunc(it.Options, func(o Option) bool { return o.Code == code })
	if i < 0 {
		return Option{}, false
	}
	return it.Options[i], true
}

//go:embed library/*.json
var files embed.FS

// In the order in which a practice sends them.
var shipped = []string{"privacy-practices", "informed-consent", "intake", "phq-9", "gad-7"}

var library = sync.OnceValue(func() []*Form {
	var all []*Form
	for _, key := range shipped {
		data, err := files.ReadFile("library/" + key + ".json")
		if err != nil {
			panic(err)
		}
		form, err := Parse(data)
		if err != nil {
			panic("forms/library/" + key + ".json: " + err.Error())
		}
		all = append(all, form)
	}
	return all
})

// Library returns the forms that ship, in the order in which a practice sends them.
func Library() []*Form { return slices.Clone(library()) }
