package forms

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// every has one question of each kind, named by it.
func every(t testing.TB, more ...string) *Form {
	return define(t, question("string", "string", more...), question("text", "text", more...),
		question("date", "date", more...), question("integer", "integer", more...),
		question("boolean", "boolean", more...), question("tick", "boolean", append(more, ticking)...),
		question("choice", "choice", append(more, options)...), question("multiple", "choice", append(more, options, repeats)...),
		question("open", "open-choice", append(more, options)...), question("sign", "string", append(more, signing)...))
}

func post(t testing.TB, query string) func(string) []string {
	t.Helper()
	values, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	return func(name string) []string { return values[name] }
}

func TestFromInput(t *testing.T) {
	f := every(t)
	for name, c := range map[string]struct {
		query string
		want  Answers
	}{
		"nothing":                   {"", Answers{}},
		"only what was posted":      {"string=x", Answers{"string": {"x"}}},
		"unknown names":             {"other=x&:shown=other&string:text=y", Answers{}},
		"spaces clear":              {"string=%20%09%C2%A0&text=%0A", Answers{"string": nil, "text": nil}},
		"string is one line":        {"string=+a%0D%0Ab%00+", Answers{"string": {"a b"}}},
		"text keeps lines":          {"text=+a%0D%0A%0D%0Ab%00+", Answers{"text": {"a\n\nb"}}},
		"invalid UTF-8":             {"string=a%FFb", Answers{"string": {"a\uFFFDb"}}},
		"a date":                    {"date=2024-02-29", Answers{"date": {"2024-02-29"}}},
		"a wrong date is kept":      {"date=31.12.", Answers{"date": {"31.12."}}},
		"an integer":                {"integer=+007+", Answers{"integer": {"7"}}},
		"a wrong integer is kept":   {"integer=a+few", Answers{"integer": {"a few"}}},
		"yes":                       {"boolean=true", Answers{"boolean": {"true"}}},
		"no":                        {"boolean=false", Answers{"boolean": {"false"}}},
		"neither":                   {"boolean=maybe", Answers{"boolean": nil}},
		"checked":                   {":shown=tick&tick=true", Answers{"tick": {"true"}}},
		"unchecked":                 {":shown=tick", Answers{"tick": nil}},
		"a code":                    {"choice=blue", Answers{"choice": {"blue"}}},
		"one code only":             {"choice=blue&choice=red", Answers{"choice": {"blue"}}},
		"an unknown code":           {"choice=pink", Answers{"choice": nil}},
		"several, in order":         {"multiple=green&multiple=red&multiple=green&multiple=pink", Answers{"multiple": {"red", "green"}}},
		"several, none left":        {":shown=multiple&:shown=choice", Answers{"multiple": nil, "choice": nil}},
		"open: a code":              {"open=red&open:text=", Answers{"open": {"red"}}},
		"open: radio beats words":   {"open=red&open:text=pink", Answers{"open": {"red"}}},
		"open: own words":           {"open=text:&open:text=+pink+", Answers{"open": {"text:pink"}}},
		"open: words, no radio":     {"open:text=pink", Answers{"open": {"text:pink"}}},
		"open: words like a code":   {"open=text:&open:text=red", Answers{"open": {"text:red"}}},
		"open: words like a prefix": {"open=text:&open:text=text:red", Answers{"open": {"text:text:red"}}},
		"open: radio, no words yet": {"open=text:&open:text=", Answers{"open": {"text:"}}},
		"open: forged":              {"open=pink", Answers{"open": nil}},
		"open: emptied":             {"open:text=", Answers{"open": nil}},
		"signed":                    {"sign=Ann+Example&sign:consent=true", Answers{"sign": {"Ann Example", "true"}}},
		"signed, not agreed":        {"sign=Ann+Example", Answers{"sign": {"Ann Example"}}},
		"agreed, not signed":        {"sign=&sign:consent=true", Answers{"sign": {"", "true"}}},
		"withdrawn":                 {":clear=choice&choice=blue&string=x", Answers{"choice": nil, "string": {"x"}}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, f.FromInput(post(t, c.query))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestMergeTouchesOnlyWhatWasPosted(t *testing.T) {
	saved := Answers{"a": {"1"}, "b": {"2"}, "c": {"3"}}
	merged := saved.Merge(Answers{"a": nil, "b": {"4"}, "d": {"5"}})
	if diff := cmp.Diff(Answers{"b": {"4"}, "c": {"3"}, "d": {"5"}}, merged); diff != "" {
		t.Error(diff)
	}
	if len(saved) != 3 || saved["b"][0] != "2" {
		t.Errorf("the saved answers changed: %v", saved)
	}
	if got := Answers(nil).Merge(Answers{"a": {"1"}}); got["a"][0] != "1" {
		t.Errorf("merged into none: %v", got)
	}
}

func TestNormalizeKeepsWhatWasAsked(t *testing.T) {
	f := define(t, question("first", "boolean"), question("then", "string", when("first", "=", `"answerBoolean":true`)),
		question("pick", "choice", options))
	a := Answers{"first": {"false"}, "then": {"not asked"}, "pick": {"pink"}, "gone": {"x"}}
	if diff := cmp.Diff(Answers{"first": {"false"}}, f.Normalize(a)); diff != "" {
		t.Error(diff)
	}
	a["first"], a["pick"] = []string{"true"}, []string{"red"}
	want := Answers{"first": {"true"}, "then": {"not asked"}, "pick": {"red"}}
	if diff := cmp.Diff(want, f.Normalize(a)); diff != "" {
		t.Error(diff)
	}
}

// Whatever is posted, nothing panics, Normalize settles at once, what was saved reads
// back the same, and what Check lets pass becomes a response.
func FuzzFromInput(f *testing.F) {
	form := define(f, question("boolean", "boolean"), question("string", "string", when("boolean", "=", `"answerBoolean":true`)),
		question("text", "text"), question("date", "date"), question("integer", "integer"),
		question("later", "string", when("integer", ">", `"answerInteger":3`)),
		question("tick", "boolean", ticking), question("choice", "choice", options),
		question("multiple", "choice", options, repeats), question("open", "open-choice", options, required),
		question("sign", "string", signing, required))
	f.Add("boolean=true&string=x&date=2024-02-29&integer=4&later=y&open=text:&open:text=z&sign=Ann&sign:consent=true")
	f.Add("text=%E2%80%8B%0D%0A&integer=99999999999999999999&:clear=open&:shown=tick&multiple=red&multiple=blue")
	f.Add("string=%00%FF&date=0000-00-00&open=red&open:text=text:")
	f.Fuzz(func(t *testing.T, query string) {
		values, _ := url.ParseQuery(query)
		a := Answers{}.Merge(form.FromInput(func(name string) []string { return values[name] }))
		if diff := cmp.Diff(a, form.clean(a)); diff != "" {
			t.Errorf("a saved answer changes when it is read: %s", diff)
		}
		once := form.Normalize(a)
		if diff := cmp.Diff(once, form.Normalize(once)); diff != "" {
			t.Errorf("Normalize is not idempotent: %s", diff)
		}
		if diff := cmp.Diff(form.Check(a), form.Check(once)); diff != "" {
			t.Errorf("Normalize changes what Check says: %s", diff)
		}
		form.Malformed(a)
		form.Reading(a)
		if text := string(form.Response(a, noon, Reference{})); !strings.Contains(text, `"completed"`) {
			t.Errorf("response %s", text)
		}
	})
}
