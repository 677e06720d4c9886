package forms

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFields(t *testing.T) {
	bounds := `"extension":[{"url":"` + extMinValue + `","valueInteger":0}]`
	f := define(t, question("string", "string", required, `"prefix":"1."`, `"extension":[{"url":"`+extAutocomplete+`","valueString":"tel"}]`),
		question("integer", "integer", bounds), question("choice", "choice", options),
		question("open", "open-choice", options), question("sign", "string", signing),
		question("group", "group", when("choice", "=", `"answerCoding":{"code":"red"}`), `"item":[`+question("date", "date")+`]`))
	a := Answers{"string": {" 555 "}, "integer": {"many"}, "choice": {"red"}, "open": {"text:pink"}, "sign": {"Ann Example"}, "date": {"2024-02-29"}}
	red := func(chosen bool) []FieldOption {
		return []FieldOption{{Code: "red", Label: "Red", Chosen: chosen}, {Code: "blue", Label: "Blue"}, {Code: "green", Label: "Green"}}
	}
	want := []Field{
		{LinkID: "string", ID: "q-string", Kind: String, Prefix: "1.", Text: "The string?", Required: true, Enabled: true,
			Value: "555", InputType: "tel", Autocomplete: "tel", MaxLength: maxLine, Answer: []string{"555"}},
		{LinkID: "integer", ID: "q-integer", Kind: Integer, Text: "The integer?", Enabled: true, Value: "many", InputType: "text",
			Min: "0", Error: "Please enter a whole number, like 3.", Answer: []string{"many"}},
		{LinkID: "choice", ID: "q-choice", Kind: Choice, Text: "The choice?", Enabled: true, Options: red(true), Clearable: true,
			Answer: []string{"Red"}},
		{LinkID: "open", ID: "q-open", Kind: OpenChoice, Text: "The open?", Enabled: true, Clearable: true, MaxLength: maxLine,
			Options:   append(red(false), FieldOption{Code: "text:", Label: "Something else", Chosen: true, Other: true}),
			OtherName: "open:text", OtherValue: "pink", Answer: []string{"pink"}},
		{LinkID: "sign", ID: "q-sign", Kind: Signature, Text: "The sign?", Enabled: true, Value: "Ann Example", InputType: "text",
			Autocomplete: "name", MaxLength: maxName, ConsentName: "sign:consent", ConsentText: "I agree.",
			Error: "Please check the box to agree that this is your signature."},
		{LinkID: "group", ID: "q-group", Kind: Group, Text: "The group?", Enabled: true, Condition: "If you answered “Red” to “The choice?”",
			Children: []Field{{LinkID: "date", ID: "q-date", Kind: Date, Text: "The date?", Enabled: true, Value: "2024-02-29",
				InputType: "date", Min: minDate, Max: maxDate, Answer: []string{"February 29, 2024"}}}},
	}
	if diff := cmp.Diff(want, f.Fields(a, f.Check(a))); diff != "" {
		t.Error(diff)
	}
}

// What a template names its inputs is what FromInput reads back.
func TestFieldsRoundTripThroughInput(t *testing.T) {
	for _, f := range Library() {
		a := fill(t, f)
		posted := map[string][]string{}
		var press func([]Field)
		press = func(fields []Field) {
			for _, field := range fields {
				posted[ShownInput] = append(posted[ShownInput], field.LinkID)
				if field.Value != "" {
					posted[field.LinkID] = []string{field.Value}
				}
				for _, o := range field.Options {
					if o.Chosen {
						posted[field.LinkID] = append(posted[field.LinkID], o.Code)
					}
				}
				if field.ConsentGiven {
					posted[field.ConsentName] = []string{"true"}
				}
				press(field.Children)
			}
		}
		press(f.Fields(a, nil))
		got := Answers{}.Merge(f.FromInput(func(name string) []string { return posted[name] }))
		if diff := cmp.Diff(f.Normalize(a), got); diff != "" {
			t.Errorf("%s: %s", f.Key, diff)
		}
	}
}

func TestReadingTellsWhatWasAsked(t *testing.T) {
	marked := `"answerOption":[{"valueCoding":{"code":"yes","display":"Yes, often"},"extension":[{"url":"` + extConcern + `","valueBoolean":true}]}]`
	f := define(t, question("words", "display"), question("tick", "boolean", ticking), question("worry", "choice", marked),
		question("more", "choice", options, repeats), question("skipped", "string"),
		question("hidden", "string", when("tick", "!=", `"answerBoolean":true`)),
		question("empty", "group", `"item":[`+question("inside", "string", when("tick", "!=", `"answerBoolean":true`))+`]`),
		question("sign", "string", signing))
	got := map[string][]string{}
	for _, field := range f.Reading(Answers{"tick": {"true"}, "worry": {"yes"}, "more": {"green", "red"}, "hidden": {"x"},
		"inside": {"y"}, "sign": {"Ann Example", "true"}}) {
		got[field.LinkID] = field.Answer
		if field.Concern != (field.LinkID == "worry") {
			t.Errorf("%s: concern %v", field.LinkID, field.Concern)
		}
	}
	want := map[string][]string{"words": nil, "tick": {"Yes"}, "worry": {"Yes, often"}, "more": {"Red", "Green"},
		"skipped": nil, "sign": {"Ann Example"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestBlocks(t *testing.T) {
	got := Blocks("One\nline.\n\n\n\nA list:\n- a\n- b\n\n- c\n\n<b>")
	want := []Block{{Text: "One line."}, {Text: "A list:"}, {List: []string{"a", "b"}}, {List: []string{"c"}}, {Text: "<b>"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if Blocks("") != nil {
		t.Error("no text has blocks")
	}
}
