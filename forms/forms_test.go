package forms

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// define parses a form of these items, written as JSON.
func define(t testing.TB, items ...string) *Form {
	t.Helper()
	f, err := Parse([]byte(definition(items...)))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func definition(items ...string) string {
	return `{"resourceType":"Questionnaire","id":"test","url":"https://forms.example/test","version":"2",` +
		`"title":"A test","status":"active","item":[` + strings.Join(items, ",") + `]}`
}

// question is an item of that type, with more fields if any.
func question(linkID, typ string, more ...string) string {
	fields := append([]string{fmt.Sprintf(`"linkId":%q,"type":%q,"text":"The %s?"`, linkID, typ, linkID)}, more...)
	return "{" + strings.Join(fields, ",") + "}"
}

const (
	required = `"required":true`
	repeats  = `"repeats":true`
	options  = `"answerOption":[{"valueCoding":{"code":"red","display":"Red"}},` +
		`{"valueCoding":{"code":"blue","display":"Blue"}},{"valueCoding":{"code":"green","display":"Green"}}]`
	signing = `"extension":[{"url":"` + extSignature + `","valueCodeableConcept":{"text":"consent"}},` +
		`{"url":"` + extConsentLine + `","valueString":"I agree."}]`
	ticking = `"extension":[{"url":"` + extItemControl + `","valueCodeableConcept":{"coding":[{"code":"check-box"}]}}]`
)

func when(question, operator, answer string) string {
	return fmt.Sprintf(`"enableWhen":[{"question":%q,"operator":%q,%s}]`, question, operator, answer)
}

func shippedForm(t testing.TB, key string) *Form {
	t.Helper()
	i := slices.IndexFunc(Library(), func(f *Form) bool { return f.Key == key })
	if i < 0 {
		t.Fatalf("no form %q ships", key)
	}
	return Library()[i]
}

func TestLibraryHoldsEveryFileInOrder(t *testing.T) {
	entries, err := files.ReadDir("library")
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != len(shipped) {
		t.Errorf("%d files, %d forms ship", len(entries), len(shipped))
	}
	for i, f := range Library() {
		if f.Key != shipped[i] {
			t.Errorf("form %d is %q, its file says %q", i, f.Key, shipped[i])
		}
		if f.Version == "" || f.Minutes == 0 || f.Description == "" || f.URL == "" {
			t.Errorf("%s: version, minutes, description or url is missing", f.Key)
		}
	}
}

// Everything the definition says about items is in the form: nothing was skipped.
func TestLibraryRoundTrips(t *testing.T) {
	for _, f := range Library() {
		again, err := Parse(f.JSON)
		if err != nil {
			t.Fatalf("%s: %v", f.Key, err)
		}
		if len(again.all) != len(f.all) {
			t.Errorf("%s: %d items, then %d", f.Key, len(f.all), len(again.all))
		}
		var raw struct{ Item []any }
		if err := json.Unmarshal(f.JSON, &raw); err != nil {
			t.Fatal(err)
		}
		if want := strings.Count(string(f.JSON), `"linkId"`); want != len(f.index) {
			t.Errorf("%s: %d linkIds in the file, %d read", f.Key, want, len(f.index))
		}
	}
}

func TestLibraryCanNotBeCompletedBlank(t *testing.T) {
	for _, f := range Library() {
		spaces := Answers{}
		for _, it := range f.all {
			spaces[it.LinkID] = []string{" \u00a0\u200b\t\n\u3164", "true"}
		}
		for name, a := range map[string]Answers{"nothing": nil, "spaces": spaces} {
			wrong := f.Check(a)
			for _, it := range f.all {
				if it.Required && f.Enabled(a)[it.LinkID] && wrong[it.LinkID] == "" {
					t.Errorf("%s: %s is an answer to %s", f.Key, name, it.LinkID)
				}
			}
			if len(wrong) == 0 {
				t.Errorf("%s: %s completes it", f.Key, name)
			}
		}
	}
}

// fill answers whatever Check asks for, until it is content.
func fill(t testing.TB, f *Form) Answers {
	t.Helper()
	a := Answers{}
	for range 10 {
		wrong := f.Check(a)
		if len(wrong) == 0 {
			return a
		}
		for linkID := range wrong {
			a[linkID] = example(f.Item(linkID))
		}
	}
	t.Fatalf("%s can't be completed: %v", f.Key, f.Check(a))
	return nil
}

func example(it *Item) []string {
	switch it.Kind {
	case Signature:
		return []string{"Ann Example", "true"}
	case Date:
		return []string{"2024-02-29"}
	case Integer:
		return []string{it.Min}
	case String, Text:
		return []string{"words"}
	}
	return []string{it.Options[0].Code}
}

func TestLibraryCanBeCompleted(t *testing.T) {
	for _, f := range Library() {
		a := fill(t, f)
		if len(f.Response(a, noon, Reference{})) == 0 {
			t.Errorf("%s has no response", f.Key)
		}
	}
}

// The other branches: every conditional item can be reached.
func TestLibraryReachesEveryItem(t *testing.T) {
	for _, f := range Library() {
		reached := map[string]bool{}
		for _, it := range f.all {
			for _, o := range it.Options {
				for linkID, on := range f.Enabled(Answers{it.LinkID: {o.Code}, "household": {"2"}, "emergency-name": {"Ben"}}) {
					reached[linkID] = reached[linkID] || on
				}
			}
		}
		for _, it := range f.all {
			if !reached[it.LinkID] {
				t.Errorf("%s: %s can't be reached", f.Key, it.LinkID)
			}
		}
	}
}

func TestLibraryReadsInOwnWords(t *testing.T) {
	for _, f := range Library() {
		text := strings.ToLower(string(f.JSON))
		for _, unfinished := range []string{"lorem", "todo", "xxx", "[practice", "____", "{{"} {
			if strings.Contains(text, unfinished) {
				t.Errorf("%s holds the placeholder %q", f.Key, unfinished)
			}
		}
	}
	for _, key := range []string{"phq-9", "gad-7"} {
		if !strings.HasSuffix(shippedForm(t, key).Credit, "No permission required to reproduce, translate, display or distribute.") {
			t.Errorf("%s lacks its credit line", key)
		}
	}
}
