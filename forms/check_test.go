package forms

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCheckAsksForEveryKind(t *testing.T) {
	f := every(t, required)
	want := map[string]string{
		"string": "Please write an answer.", "text": "Please write an answer.",
		"date": "Please enter a date.", "integer": "Please enter a number.",
		"boolean": "Please choose yes or no.", "tick": "Please check this box to continue.",
		"choice": "Please choose one answer.", "multiple": "Please choose at least one answer.",
		"open": "Please choose one answer.", "sign": "Please type your full name to sign.",
	}
	if diff := cmp.Diff(want, f.Check(nil)); diff != "" {
		t.Error(diff)
	}
	if wrong := f.Malformed(nil); len(wrong) != 0 {
		t.Errorf("a blank form can't be saved: %v", wrong)
	}
	if wrong := every(t).Check(nil); len(wrong) != 0 {
		t.Errorf("optional questions are asked for: %v", wrong)
	}
	if wrong := f.Check(fill(t, f)); len(wrong) != 0 {
		t.Errorf("a full form is refused: %v", wrong)
	}
}

func TestCheckValues(t *testing.T) {
	f := define(t, question("string", "string", `"maxLength":3`), question("text", "text"), question("date", "date"),
		question("near", "date", `"extension":[{"url":"`+extMinValue+`","valueDate":"2020-01-01"},{"url":"`+extMaxValue+`","valueDate":"2020-12-31"}]`),
		question("integer", "integer"),
		question("hours", "integer", `"extension":[{"url":"`+extMinValue+`","valueInteger":0},{"url":"`+extMaxValue+`","valueInteger":24}]`),
		question("least", "integer", `"extension":[{"url":"`+extMinValue+`","valueInteger":2}]`),
		question("most", "integer", `"extension":[{"url":"`+extMaxValue+`","valueInteger":2}]`),
		question("open", "open-choice", options), question("choice", "choice", options), question("sign", "string", signing))
	for _, c := range []struct {
		linkID string
		values []string
		says   string
		saves  bool // silent while saving
	}{
		{"string", []string{"äöü"}, "", true},
		{"string", []string{"four"}, "Please shorten this to 3 characters. It has 4.", false},
		{"text", []string{strings.Repeat("x", maxText)}, "", true},
		{"text", []string{strings.Repeat("x", maxText+1)}, "shorten", false},
		{"date", []string{"2024-02-29"}, "", true},
		{"date", []string{"2023-02-29"}, "real date", false},
		{"date", []string{"02/03/2024"}, "real date", false},
		{"date", []string{"0001-01-01"}, "on or after January 1, 1900", false},
		{"date", []string{"9999-01-01"}, "on or before December 31, 2100", false},
		{"near", []string{"2020-12-31"}, "", true},
		{"near", []string{"2021-01-01"}, "on or before December 31, 2020", false},
		{"integer", []string{"-12"}, "", true},
		{"integer", []string{"1.5"}, "whole number", false},
		{"integer", []string{"99999999999"}, "at most", false},
		{"integer", []string{"99999999999999999999999"}, "whole number", false},
		{"hours", []string{"24"}, "", true},
		{"hours", []string{"25"}, "from 0 to 24", false},
		{"hours", []string{"-1"}, "from 0 to 24", false},
		{"least", []string{"1"}, "at least 2", false},
		{"most", []string{"3"}, "at most 2", false},
		{"open", []string{"text:pink"}, "", true},
		{"open", []string{"text:" + strings.Repeat("x", maxLine+1)}, "shorten", false},
		{"open", []string{"text: "}, "write your answer in the box", true},
		{"choice", []string{"pink"}, "", true}, // as if unanswered, and it is optional
		{"sign", []string{"Ann"}, "check the box to agree", true},
		{"sign", []string{"", "true"}, "type your full name", true},
		{"sign", []string{"Ann", "true"}, "", true},
		{"sign", []string{strings.Repeat("x", maxName+1), "true"}, "shorten", false},
	} {
		a := Answers{c.linkID: c.values}
		checked, saved := f.Check(a)[c.linkID], f.Malformed(a)[c.linkID]
		if (c.says == "") != (checked == "") || !strings.Contains(checked, c.says) {
			t.Errorf("%s %.40q: Check says %q, want %q", c.linkID, c.values, checked, c.says)
		}
		if (saved == "") != c.saves {
			t.Errorf("%s %.40q: Malformed says %q", c.linkID, c.values, saved)
		}
	}
}

func TestCheckIgnoresWhatIsNotAsked(t *testing.T) {
	f := define(t, question("first", "boolean"),
		question("group", "group", when("first", "=", `"answerBoolean":true`), `"item":[`+question("inside", "date", required)+`]`))
	for _, c := range []struct {
		a    Answers
		want string
	}{
		{Answers{}, ""},
		{Answers{"inside": {"nonsense"}}, ""},
		{Answers{"first": {"true"}}, "Please enter a date."},
		{Answers{"first": {"true"}, "inside": {"2024-01-01"}}, ""},
	} {
		if got := f.Check(c.a)["inside"]; got != c.want {
			t.Errorf("%v: %q, want %q", c.a, got, c.want)
		}
	}
}
