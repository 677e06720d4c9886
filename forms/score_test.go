package forms

import (
	"strings"
	"testing"
)

var (
	phq9 = strings.Fields("44250-9 44255-8 44259-0 44254-1 44251-7 44258-2 44252-5 44253-3 44260-8")
	gad7 = strings.Fields("69725-0 68509-9 69733-4 69734-2 69735-9 69689-8 69736-7")
	// LOINC's answers, by what they count.
	often = []string{"LA6568-5", "LA6569-3", "LA6570-1", "LA6571-9"}
)

// total spreads a sum over the items.
func total(items []string, sum int) Answers {
	a := Answers{}
	for _, linkID := range items {
		n := min(sum, 3)
		a[linkID] = []string{often[n]}
		sum -= n
	}
	return a
}

func TestScoresArePinned(t *testing.T) {
	for _, c := range []struct {
		key   string
		items []string
		panel string
		bands map[string][2]int
	}{
		{"phq-9", phq9, "44249-1", map[string][2]int{"Minimal": {0, 4}, "Mild": {5, 9}, "Moderate": {10, 14},
			"Moderately severe": {15, 19}, "Severe": {20, 27}}},
		{"gad-7", gad7, "69737-5", map[string][2]int{"Minimal": {0, 4}, "Mild": {5, 9}, "Moderate": {10, 14}, "Severe": {15, 21}}},
	} {
		f := shippedForm(t, c.key)
		if !strings.Contains(string(f.JSON), `"code": "`+c.panel+`"`) {
			t.Errorf("%s is not panel %s", c.key, c.panel)
		}
		var scored []string
		for _, it := range f.all {
			if !it.scored() {
				continue
			}
			scored = append(scored, it.LinkID)
			if !it.Required {
				t.Errorf("%s %s is optional", c.key, it.LinkID)
			}
			for n, o := range it.Options {
				if o.Code != often[n] || o.Ordinal != n || o.System != "http://loinc.org" {
					t.Errorf("%s %s: option %d is %+v", c.key, it.LinkID, n, o)
				}
			}
		}
		if got, want := strings.Join(scored, " "), strings.Join(c.items, " "); got != want {
			t.Errorf("%s scores %s, want %s", c.key, got, want)
		}
		for band, between := range c.bands {
			for sum := between[0]; sum <= between[1]; sum++ {
				got, ok := f.Score(total(c.items, sum))
				if want := (Score{sum, 3 * len(c.items), band}); !ok || got != want {
					t.Errorf("%s: %+v %v, want %+v", c.key, got, ok, want)
				}
			}
		}
	}
}

func TestScoreLeavesTheDifficultyOut(t *testing.T) {
	f := shippedForm(t, "phq-9")
	a := total(phq9, 7)
	a["69722-7"] = []string{"LA6575-0"}
	if got, ok := f.Score(a); !ok || got.Total != 7 {
		t.Errorf("%+v %v", got, ok)
	}
	delete(a, "69722-7")
	if wrong := f.Check(a); len(wrong) != 0 {
		t.Errorf("the difficulty is required: %v", wrong)
	}
}

func TestScoreNeedsEveryScoredAnswer(t *testing.T) {
	f := shippedForm(t, "phq-9")
	a := total(phq9, 12)
	delete(a, phq9[3])
	if got, ok := f.Score(a); ok || got != (Score{}) {
		t.Errorf("a part of a sum: %+v", got)
	}
	if _, ok := shippedForm(t, "intake").Score(nil); ok {
		t.Error("the intake has a score")
	}
	if shippedForm(t, "intake").Scored() || !f.Scored() {
		t.Error("Scored is wrong")
	}
}

// Copies of a questionnaire use other codes, in other orders: the ordinal value counts.
func TestScoreGoesByOrdinalValue(t *testing.T) {
	option := func(code, value string) string {
		return `{"valueCoding":{"code":"` + code + `","display":"x"},"extension":[{"url":"` + extOrdinal + `","valueDecimal":` + value + `}]}`
	}
	two := `"answerOption":[` + option("3", "0") + "," + option("0", "5") + `]`
	f := define(t, question("a", "choice", two), question("b", "choice", two, repeats),
		question("c", "choice", two, when("a", "=", `"answerCoding":{"code":"3"}`)))
	got, ok := f.Score(Answers{"a": {"0"}, "b": {"0", "3"}, "c": {"0"}})
	if want := (Score{Total: 10, Max: 10}); !ok || got != want {
		t.Errorf("%+v %v, want %+v", got, ok, want)
	}
}

func TestSafetyConcern(t *testing.T) {
	f := shippedForm(t, "phq-9")
	for n, code := range often {
		if got := f.SafetyConcern(Answers{"44260-8": {code}}); got != (n > 0) {
			t.Errorf("item 9 at %d: %v", n, got)
		}
	}
	if a := total(phq9[:8], 24); f.SafetyConcern(a) {
		t.Error("another item raises a concern")
	}
	intake := shippedForm(t, "intake")
	for answer, want := range map[string]bool{"no": false, "past": false, "recent": true, "now": true, "in-person": false} {
		if got := intake.SafetyConcern(Answers{"self-harm": {answer}}); got != want {
			t.Errorf("intake, %s: %v", answer, got)
		}
	}
	if intake.SafetyConcern(nil) {
		t.Error("a blank form raises a concern")
	}
}

func TestSafetyConcernNeedsTheQuestionAsked(t *testing.T) {
	marked := `"answerOption":[{"valueCoding":{"code":"yes","display":"Yes"},"extension":[{"url":"` + extConcern + `","valueBoolean":true}]}]`
	f := define(t, question("a", "boolean"), question("b", "choice", marked, when("a", "=", `"answerBoolean":true`)))
	if !f.SafetyConcern(Answers{"a": {"true"}, "b": {"yes"}}) || f.SafetyConcern(Answers{"a": {"false"}, "b": {"yes"}}) {
		t.Error("a concern goes with the question")
	}
}
