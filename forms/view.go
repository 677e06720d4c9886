package forms

import (
	"slices"
	"strings"
	"time"
)

// A Field is an item with its answer, ready for a template: for filling in and for
// reading alike.
type Field struct {
	LinkID string // also the name of its input
	ID     string // an HTML id to build on: "q-" and the linkId
	Kind   Kind
	Prefix string
	Text   string
	Help   string

	Required  bool
	Enabled   bool   // false: not asked as the answers stand; hide it, don't drop it
	Condition string // in words, when it is asked; empty: always
	Error     string
	Concern   bool // the answer is a safety concern

	Value        string        // what is in the input: String, Text, Date, Integer, and a Signature's name
	Options      []FieldOption // Boolean, Tick, Choice, Multiple, OpenChoice: all that can be chosen
	OtherName    string        // OpenChoice: the name of the text input for one's own words
	OtherValue   string
	ConsentName  string // Signature: the name of the checkbox, value true
	ConsentText  string
	ConsentGiven bool
	Clearable    bool // a radio group that may be left empty, and isn't: offer a ClearInput button

	InputType    string // text, tel, email, date; String, Date and Integer
	Autocomplete string
	MaxLength    int
	Min, Max     string // Date, Integer: for min and max; empty: no bound worth telling

	Answer   []string // in words, for reading; empty: not answered
	Children []Field
}

// A FieldOption is one radio or checkbox.
type FieldOption struct {
	Code   string // its value
	Label  string
	Chosen bool
	Other  bool // stands for one's own words, typed in the input OtherName
}

// A Block is a paragraph, or a list if List isn't empty.
type Block struct {
	Text string
	List []string
}

// Fields returns the whole form with the answers and the sentences of Check or Malformed
// (nil: none), for a page that is to be filled in.
func (f *Form) Fields(a Answers, wrong map[string]string) []Field {
	a = f.clean(a)
	return f.fields(f.Items, a, f.enabled(a), wrong)
}

// Reading returns what was asked and answered, in words, for a page that is to be read:
// as Fields, but without the items that were not asked.
func (f *Form) Reading(a Answers) []Field { return asked(f.Fields(a, nil)) }

func asked(fields []Field) []Field {
	var kept []Field
	for _, field := range fields {
		field.Children = asked(field.Children)
		if field.Enabled && (field.Kind != Group || len(field.Children) > 0) {
			kept = append(kept, field)
		}
	}
	return kept
}

func (f *Form) fields(items []*Item, a Answers, enabled map[string]bool, wrong map[string]string) []Field {
	var fields []Field
	for _, it := range items {
		field := it.field(a[it.LinkID])
		field.Enabled = enabled[it.LinkID]
		field.Condition = f.condition(it)
		field.Error = wrong[it.LinkID]
		field.Concern = field.Enabled && it.concern(a[it.LinkID])
		field.Children = f.fields(it.Items, a, enabled, wrong)
		fields = append(fields, field)
	}
	return fields
}

func (it *Item) field(values []string) Field {
	field := Field{
		LinkID: it.LinkID, ID: "q-" + it.LinkID, Kind: it.Kind, Prefix: it.Prefix, Text: it.Text, Help: it.Help,
		Required: it.Required, MaxLength: it.MaxLength, Autocomplete: it.Autocomplete,
	}
	for _, o := range it.Options {
		field.Options = append(field.Options, FieldOption{Code: o.Code, Label: o.Label, Chosen: slices.Contains(values, o.Code)})
	}
	switch it.Kind {
	case Boolean, Choice:
		field.Clearable = !it.Required && len(values) > 0
	case OpenChoice:
		field.Clearable = !it.Required && len(values) > 0
		field.OtherName = it.LinkID + ownWordsInput
		field.OtherValue = ownWords(first(values))
		field.Options = append(field.Options, FieldOption{Code: OwnWords, Label: "Something else", Other: true,
			Chosen: strings.HasPrefix(first(values), OwnWords)})
	case Signature:
		field.ConsentName = it.LinkID + consentInput
		field.ConsentText = it.Consent
		field.ConsentGiven = len(values) == 2
		field.Value = first(values)
		field.InputType, field.Autocomplete = "text", "name"
	case String, Text, Date, Integer:
		field.Value = first(values)
		field.InputType = it.inputType()
		field.Min, field.Max = it.bounds()
	}
	if it.answered(values) {
		for _, value := range values {
			field.Answer = append(field.Answer, it.inWords(value))
		}
		if it.Kind == Signature {
			field.Answer = values[:1]
		}
	}
	return field
}

// Integers are typed as text with a numeric keypad: a number input drops what it can't
// read, so the person would not be told.
func (it *Item) inputType() string {
	switch {
	case it.Kind == Date:
		return "date"
	case strings.HasPrefix(it.Autocomplete, "tel"):
		return "tel"
	case it.Autocomplete == "email":
		return "email"
	}
	return "text"
}

func (it *Item) bounds() (least, most string) {
	if it.Kind == Integer {
		if number(it.Min) > -maxInteger {
			least = it.Min
		}
		if number(it.Max) < maxInteger {
			most = it.Max
		}
		return least, most
	}
	return it.Min, it.Max
}

// inWords is one clean value as a person would say it.
func (it *Item) inWords(value string) string {
	if o, ok := it.option(value); ok {
		return o.Label
	}
	switch it.Kind {
	case Date:
		return dateWords(value)
	case OpenChoice:
		return ownWords(value)
	}
	return value
}

// Blocks are the field's text as paragraphs and lists.
func (field Field) Blocks() []Block { return Blocks(field.Text) }

// Blocks splits plain text at blank lines; lines that begin "- " are a list.
func Blocks(text string) []Block {
	var blocks []Block
	for _, part := range strings.Split(text, "\n\n") {
		var words []string
		var list []string
		for _, line := range strings.Split(strings.TrimSpace(part), "\n") {
			if entry, ok := strings.CutPrefix(line, "- "); ok {
				list = append(list, entry)
			} else if line != "" {
				words = append(words, line)
			}
		}
		if len(words) > 0 {
			blocks = append(blocks, Block{Text: strings.Join(words, " ")})
		}
		if len(list) > 0 {
			blocks = append(blocks, Block{List: list})
		}
	}
	return blocks
}

// ownWords is what was typed into an open choice; empty where a code was chosen.
func ownWords(value string) string {
	words, own := strings.CutPrefix(value, OwnWords)
	if !own {
		return ""
	}
	return words
}

func dateWords(value string) string {
	day, err := time.Parse(time.DateOnly, value)
	if err != nil {
		return value
	}
	return day.Format("January 2, 2006")
}
