package forms

import (
	"strings"
	"testing"
)

func TestParseReadsEveryKind(t *testing.T) {
	f := define(t,
		question("a", "display"), question("b", "string"), question("c", "text"), question("d", "date"),
		question("e", "integer"), question("f", "boolean"), question("g", "boolean", ticking),
		question("h", "choice", options), question("i", "choice", options, repeats),
		question("j", "open-choice", options), question("k", "string", signing),
		question("l", "group", `"item":[`+question("m", "group", `"item":[`+question("n", "string")+`]`)+`]`))
	want := map[string]Kind{"a": Display, "b": String, "c": Text, "d": Date, "e": Integer, "f": Boolean, "g": Tick,
		"h": Choice, "i": Multiple, "j": OpenChoice, "k": Signature, "l": Group, "m": Group, "n": String}
	if len(f.all) != len(want) {
		t.Errorf("%d items, want %d", len(f.all), len(want))
	}
	for linkID, kind := range want {
		if got := f.Item(linkID).Kind; got != kind {
			t.Errorf("%s is %q, want %q", linkID, got, kind)
		}
	}
	if f.Key != "test" || f.Version != "2" || f.Title != "A test" {
		t.Errorf("header: %q %q %q", f.Key, f.Version, f.Title)
	}
}

func TestParseRefuses(t *testing.T) {
	help := `{"linkId":"h","type":"display","text":"Help","extension":[{"url":"` + extItemControl +
		`","valueCodeableConcept":{"coding":[{"code":"help"}]}}]}`
	ext := func(x string) string { return `"extension":[` + x + `]` }
	scored := func(values ...string) string {
		var all []string
		for i, v := range values {
			o := `{"valueCoding":{"code":"c` + string(rune('0'+i)) + `","display":"x"}`
			if v != "" {
				o += `,"extension":[{"url":"` + extOrdinal + `","valueDecimal":` + v + `}]`
			}
			all = append(all, o+"}")
		}
		return `"answerOption":[` + strings.Join(all, ",") + `]`
	}
	whole := func(more string) string {
		return strings.Replace(definition(question("q", "string")), `"status"`, more+`,"status"`, 1)
	}
	deep := question("x", "string")
	for range maxDepth {
		deep = question("g"+string(rune('a'+len(deep)%26))+"z"+strings.Repeat("i", len(deep)/40), "group", `"item":[`+deep+`]`)
	}
	for name, c := range map[string]struct{ json, says string }{
		"no json":               {`nonsense`, "questionnaire: "},
		"null":                  {`null`, "resourceType"},
		"after the end":         {definition(question("q", "string")) + "{}", "after the end"},
		"another resource":      {`{"resourceType":"Patient","id":"x"}`, "resourceType"},
		"no items":              {definition(), "asks nothing"},
		"only words":            {definition(question("q", "display")), "asks nothing"},
		"modifierExtension":     {whole(`"modifierExtension":[]`), `unknown field "modifierExtension"`},
		"contained":             {whole(`"contained":[]`), `unknown field "contained"`},
		"form extension":        {whole(ext(`{"url":"urn:x"}`)), "urn:x is not understood"},
		"minutes":               {whole(ext(`{"url":"` + extMinutes + `","valueInteger":0}`)), "minutes"},
		"bands and no score":    {whole(ext(`{"url":"` + extScoreBand + `","extension":[{"url":"from","valueInteger":0},{"url":"label","valueString":"Low"}]}`)), "score bands"},
		"bands not from zero":   {whole(ext(`{"url":"` + extScoreBand + `","extension":[{"url":"from","valueInteger":3},{"url":"label","valueString":"Low"}]}`)), "start at 0"},
		"no linkId":             {definition(`{"type":"string","text":"x"}`), `item "": a linkId`},
		"linkId with a colon":   {definition(question("a:b", "string")), `item "a:b": a linkId`},
		"linkId with a space":   {definition(question("a b", "string")), `item "a b": a linkId`},
		"linkId twice":          {definition(question("q", "string"), question("q", "text")), `item "q": the linkId is used twice`},
		"linkId of a help":      {definition(question("q", "string", `"item":[`+help+`]`), question("h", "text")), `item "h": the linkId is used twice`},
		"no text":               {definition(`{"linkId":"q","type":"string","text":" "}`), `item "q": it has no text`},
		"unknown type":          {definition(question("q", "quantity")), `item "q": type "quantity"`},
		"no type":               {definition(`{"linkId":"q","text":"x"}`), `item "q": type ""`},
		"multiple by type":      {definition(question("q", "multiple", options)), `type "multiple"`},
		"unknown field":         {definition(question("q", "string", `"readOnly":true`)), `item "q": unknown field "readOnly"`},
		"an initial value":      {definition(question("q", "string", `"initial":[{"valueString":"x"}]`)), `item "q": unknown field "initial"`},
		"a value set":           {definition(question("q", "choice", `"answerValueSet":"x"`)), `item "q": unknown field "answerValueSet"`},
		"wrong JSON type":       {definition(question("q", "string", `"required":"yes"`)), `item "q": `},
		"unknown extension":     {definition(question("q", "string", ext(`{"url":"urn:x","valueString":"y"}`))), `item "q": extension urn:x is not understood`},
		"extension twice":       {definition(question("q", "integer", ext(`{"url":"`+extMinValue+`","valueInteger":1},{"url":"`+extMinValue+`","valueInteger":2}`))), "is there twice"},
		"required words":        {definition(question("q", "display", required)), `item "q": a display can't be required`},
		"required group":        {definition(question("q", "group", required)), `item "q": a group can't be required`},
		"empty group":           {definition(question("q", "group")), `item "q": the group is empty`},
		"too deep":              {definition(deep), "nested"},
		"items under question":  {definition(question("q", "string", `"item":[`+question("r", "string")+`]`)), `item "q": only a group`},
		"help at the top":       {definition(question("q", "string"), help), `item "h": extension`},
		"two helps":             {definition(question("q", "string", `"item":[`+help+`,`+strings.Replace(help, `"h"`, `"i"`, 1)+`]`)), `item "q": help "i": there is one already`},
		"repeating string":      {definition(question("q", "string", repeats)), `item "q": a string can't repeat`},
		"repeating open choice": {definition(question("q", "open-choice", repeats, options)), `a open-choice can't repeat`},
		"choice, no options":    {definition(question("q", "choice")), `item "q": a choice has 1 to`},
		"options on a string":   {definition(question("q", "string", options)), `item "q": a string has no options`},
		"option twice":          {definition(question("q", "choice", `"answerOption":[{"valueCoding":{"code":"a","display":"A"}},{"valueCoding":{"code":"a","display":"B"}}]`)), `option "a" is there twice`},
		"option with a colon":   {definition(question("q", "choice", `"answerOption":[{"valueCoding":{"code":"text:","display":"A"}}]`)), `option "text:"`},
		"option with no words":  {definition(question("q", "choice", `"answerOption":[{"valueCoding":{"code":"a"}}]`)), `option "a" needs a display`},
		"option not coded":      {definition(question("q", "choice", `"answerOption":[{}]`)), `needs a valueCoding`},
		"option extension":      {definition(question("q", "choice", `"answerOption":[{"valueCoding":{"code":"a","display":"A"},"extension":[{"url":"urn:x"}]}]`)), `item "q": option "a": extension urn:x`},
		"half a score":          {definition(question("q", "choice", scored("1.5"))), "whole number"},
		"some scored":           {definition(question("q", "choice", scored("1", ""))), "either all options"},
		"signature, no consent": {definition(question("q", "string", ext(`{"url":"`+extSignature+`"}`))), `item "q": a signature needs`},
		"consent, no signature": {definition(question("q", "string", ext(`{"url":"`+extConsentLine+`","valueString":"x"}`))), `item "q": a signature needs`},
		"signature on a date":   {definition(question("q", "date", signing)), `item "q": extension`},
		"check-box on a choice": {definition(question("q", "choice", options, ticking)), `item "q": extension`},
		"minValue of a string":  {definition(question("q", "string", ext(`{"url":"`+extMinValue+`","valueInteger":1}`))), `item "q": extension`},
		"minValue, wrong type":  {definition(question("q", "date", ext(`{"url":"`+extMinValue+`","valueInteger":1}`))), `item "q": minValue`},
		"min above max":         {definition(question("q", "integer", ext(`{"url":"`+extMinValue+`","valueInteger":3},{"url":"`+extMaxValue+`","valueInteger":2}`))), `item "q": minValue is above`},
		"maxLength of a date":   {definition(question("q", "date", `"maxLength":3`)), `item "q": a date has no maxLength`},
		"maxLength zero":        {definition(question("q", "string", `"maxLength":0`)), `item "q": maxLength`},
		"condition on nothing":  {definition(question("q", "string", when("x", "=", `"answerString":"x"`))), `item "q": enableWhen asks about "x"`},
		"condition on itself":   {definition(question("q", "string", when("q", "=", `"answerString":"x"`))), `item "q": enableWhen asks about "q"`},
		"condition on a later":  {definition(question("q", "string", when("r", "=", `"answerString":"x"`)), question("r", "string")), `item "q": enableWhen asks about "r"`},
		"condition on words":    {definition(question("d", "display"), question("q", "string", when("d", "exists", `"answerBoolean":true`))), "can't be asked about"},
		"condition, no answer":  {definition(question("a", "string"), question("q", "string", `"enableWhen":[{"question":"a","operator":"="}]`)), "exactly one answer"},
		"condition, two":        {definition(question("a", "string"), question("q", "string", when("a", "=", `"answerString":"x","answerInteger":1`))), "exactly one answer"},
		"condition, wrong type": {definition(question("a", "integer"), question("q", "string", when("a", "=", `"answerString":"x"`))), "doesn't suit a integer"},
		"condition, bad date":   {definition(question("a", "date"), question("q", "string", when("a", "=", `"answerDate":"2026-02-30"`))), "doesn't suit"},
		"condition, no option":  {definition(question("a", "choice", options), question("q", "string", when("a", "=", `"answerCoding":{"code":"pink"}`))), `"pink" is none`},
		"condition, operator":   {definition(question("a", "string"), question("q", "string", when("a", "~", `"answerString":"x"`))), `operator "~"`},
		"condition, no order":   {definition(question("a", "choice", options), question("q", "string", when("a", ">", `"answerCoding":{"code":"red"}`))), "has no order"},
		"exists, not a boolean": {definition(question("a", "string"), question("q", "string", when("a", "exists", `"answerString":"x"`))), "exists needs"},
		"no enableBehavior":     {definition(question("a", "string"), question("q", "string", `"enableWhen":[{"question":"a","operator":"=","answerString":"x"},{"question":"a","operator":"=","answerString":"y"}]`)), "enableBehavior"},
		"bad enableBehavior":    {definition(question("q", "string", `"enableBehavior":"most"`)), `enableBehavior "most"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(c.json))
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v, want one with %s", err, c.says)
			}
		})
	}
}

func TestParseReadsHelpAndBounds(t *testing.T) {
	f := define(t, question("q", "date", `"prefix":"1.","extension":[{"url":"`+extMinValue+`","valueDate":"2020-01-01"}]`,
		`"item":[{"linkId":"h","type":"display","text":"A guess is fine.","extension":[{"url":"`+extItemControl+
			`","valueCodeableConcept":{"coding":[{"code":"help"}]}}]}]`),
		question("s", "string", `"maxLength":5`), question("t", "text"), question("n", "integer"))
	q := f.Item("q")
	if q.Help != "A guess is fine." || q.Prefix != "1." || q.Min != "2020-01-01" || q.Max != maxDate || len(q.Items) != 0 {
		t.Errorf("q = %+v", q)
	}
	if f.Item("h") != nil {
		t.Error("the help is an item of its own")
	}
	if f.Item("s").MaxLength != 5 || f.Item("t").MaxLength != maxText {
		t.Errorf("limits %d and %d", f.Item("s").MaxLength, f.Item("t").MaxLength)
	}
	if n := f.Item("n"); n.Min == "" || n.Max == "" {
		t.Errorf("an integer without bounds: %+v", n)
	}
}

func FuzzParse(f *testing.F) {
	// Small seeds: the fuzzer spends its time shrinking large ones.
	f.Add([]byte(definition(question("q", "choice", options), question("r", "string", when("q", "=", `"answerCoding":{"code":"red"}`)))))
	f.Add([]byte(definition(question("g", "group", `"item":[`+question("d", "date")+`]`), question("s", "string", signing))))
	f.Add([]byte(definition(question("n", "integer", `"extension":[{"url":"`+extMinValue+`","valueInteger":0}]`),
		question("t", "text", when("n", ">", `"answerInteger":3`), required))))
	f.Fuzz(func(t *testing.T, data []byte) {
		form, err := Parse(data)
		if err != nil {
			return
		}
		a := Answers{}
		for _, it := range form.all {
			a[it.LinkID] = []string{"1"}
		}
		form.Check(a)
		form.Score(a)
		form.Reading(a)
		form.Fields(nil, nil)
		form.Response(a, noon, Reference{})
	})
}
