package forms

import "testing"

func TestEnabledByOperator(t *testing.T) {
	for _, c := range []struct {
		kind, more, operator, answer string
		yes, no                      []string // values of the question; "" is no answer
		words                        string
	}{
		{"boolean", "", "=", `"answerBoolean":true`, []string{"true"}, []string{"false", ""}, "If you answered “Yes” to “The a?”"},
		{"boolean", "", "!=", `"answerBoolean":true`, []string{"false", ""}, []string{"true"}, "If you did not answer “Yes” to “The a?”"},
		{"boolean", ticking, "=", `"answerBoolean":true`, []string{"true"}, []string{"", "false"}, "If you checked “The a?”"},
		{"boolean", ticking, "!=", `"answerBoolean":true`, []string{""}, []string{"true"}, "If you did not check “The a?”"},
		{"choice", options, "=", `"answerCoding":{"code":"red"}`, []string{"red"}, []string{"blue", "pink", ""}, "If you answered “Red” to “The a?”"},
		{"choice", options, "!=", `"answerCoding":{"code":"red"}`, []string{"blue", "pink", ""}, []string{"red"}, "If you did not answer “Red” to “The a?”"},
		{"choice", options, "exists", `"answerBoolean":true`, []string{"red"}, []string{"pink", ""}, "If you filled in “The a?”"},
		{"choice", options, "exists", `"answerBoolean":false`, []string{"pink", ""}, []string{"red"}, "If you left out “The a?”"},
		{"open-choice", options, "=", `"answerCoding":{"code":"red"}`, []string{"red"}, []string{"text:red", "text:", ""}, "If you answered “Red” to “The a?”"},
		{"open-choice", options, "exists", `"answerBoolean":true`, []string{"red", "text:pink"}, []string{"text:", "text:  ", ""}, "If you filled in “The a?”"},
		{"string", "", "=", `"answerString":"x"`, []string{"x", " x "}, []string{"X", ""}, "If you answered “x” to “The a?”"},
		{"string", "", "!=", `"answerString":"x"`, []string{"y", ""}, []string{"x"}, "If you did not answer “x” to “The a?”"},
		{"text", "", "exists", `"answerBoolean":true`, []string{"x"}, []string{"  ", ""}, "If you filled in “The a?”"},
		{"integer", "", "=", `"answerInteger":3`, []string{"3", "03"}, []string{"4", "x", ""}, "If you answered “3” to “The a?”"},
		{"integer", "", "!=", `"answerInteger":3`, []string{"4", ""}, []string{"3"}, "If you did not answer “3” to “The a?”"},
		{"integer", "", ">", `"answerInteger":3`, []string{"4", "20"}, []string{"3", "-5", "x", ""}, "If your answer to “The a?” is more than 3"},
		{"integer", "", "<", `"answerInteger":3`, []string{"2", "-5"}, []string{"3", "20", "x", ""}, "If your answer to “The a?” is less than 3"},
		{"integer", "", ">=", `"answerInteger":3`, []string{"3", "20"}, []string{"2", ""}, "If your answer to “The a?” is at least 3"},
		{"integer", "", "<=", `"answerInteger":3`, []string{"3", "2"}, []string{"4", "20", ""}, "If your answer to “The a?” is at most 3"},
		{"date", "", "=", `"answerDate":"2024-02-01"`, []string{"2024-02-01"}, []string{"2024-02-02", ""}, "If you answered “February 1, 2024” to “The a?”"},
		{"date", "", ">", `"answerDate":"2024-02-01"`, []string{"2024-02-02"}, []string{"2024-02-01", "x", ""}, "If your answer to “The a?” is after February 1, 2024"},
		{"date", "", "<", `"answerDate":"2024-02-01"`, []string{"2024-01-31"}, []string{"2024-02-01", "x", ""}, "If your answer to “The a?” is before February 1, 2024"},
		{"date", "", ">=", `"answerDate":"2024-02-01"`, []string{"2024-02-01"}, []string{"2024-01-31", ""}, "If your answer to “The a?” is on or after February 1, 2024"},
		{"date", "", "<=", `"answerDate":"2024-02-01"`, []string{"2024-02-01"}, []string{"2024-02-02", ""}, "If your answer to “The a?” is on or before February 1, 2024"},
	} {
		var more []string
		if c.more != "" {
			more = append(more, c.more)
		}
		f := define(t, question("a", c.kind, more...), question("b", "string", when("a", c.operator, c.answer)))
		for want, values := range map[bool][]string{true: c.yes, false: c.no} {
			for _, value := range values {
				if got := f.Enabled(Answers{"a": one(value)})["b"]; got != want {
					t.Errorf("%s %s %s, answered %q: enabled %v", c.kind, c.operator, c.answer, value, got)
				}
			}
		}
		if got := f.Fields(nil, nil)[1].Condition; got != c.words {
			t.Errorf("%s %s: %q, want %q", c.kind, c.operator, got, c.words)
		}
	}
}

func TestEnabledByOneOfSeveral(t *testing.T) {
	f := define(t, question("a", "choice", options, repeats), question("b", "string", when("a", "=", `"answerCoding":{"code":"red"}`)))
	if !f.Enabled(Answers{"a": {"blue", "red"}})["b"] || f.Enabled(Answers{"a": {"blue", "green"}})["b"] {
		t.Error("one of the chosen answers must do, and only that")
	}
}

func TestEnabledAnyAndAll(t *testing.T) {
	both := `"enableWhen":[{"question":"a","operator":"=","answerBoolean":true},{"question":"b","operator":"=","answerBoolean":true}]`
	f := define(t, question("a", "boolean"), question("b", "boolean"),
		question("any", "string", both, `"enableBehavior":"any"`), question("all", "string", both, `"enableBehavior":"all"`),
		question("c", "choice", options),
		question("few", "string", `"enableBehavior":"any","enableWhen":[{"question":"c","operator":"=","answerCoding":{"code":"red"}},`+
			`{"question":"c","operator":"=","answerCoding":{"code":"blue"}},{"question":"c","operator":"=","answerCoding":{"code":"green"}}]`))
	for _, c := range []struct {
		a, b     string
		any, all bool
	}{{"true", "true", true, true}, {"true", "false", true, false}, {"", "true", true, false}, {"false", "", false, false}} {
		on := f.Enabled(Answers{"a": one(c.a), "b": one(c.b)})
		if on["any"] != c.any || on["all"] != c.all {
			t.Errorf("%q, %q: any %v, all %v", c.a, c.b, on["any"], on["all"])
		}
	}
	words := map[string]string{}
	for _, field := range f.Fields(nil, nil) {
		words[field.LinkID] = field.Condition
	}
	for linkID, want := range map[string]string{
		"any": "If you answered “Yes” to “The a?”, or you answered “Yes” to “The b?”",
		"all": "If you answered “Yes” to “The a?”, and you answered “Yes” to “The b?”",
		"few": "If you answered “Red”, “Blue” or “Green” to “The c?”",
		"a":   "",
	} {
		if words[linkID] != want {
			t.Errorf("%s: %q, want %q", linkID, words[linkID], want)
		}
	}
}

// What follows from an answer that is no longer asked for is not asked either.
func TestEnabledChains(t *testing.T) {
	f := define(t, question("a", "boolean"),
		question("b", "boolean", when("a", "=", `"answerBoolean":true`)),
		question("g", "group", when("b", "=", `"answerBoolean":true`), `"item":[`+
			question("h", "group", `"item":[`+question("c", "boolean")+`]`)+`]`),
		question("d", "string", when("c", "=", `"answerBoolean":true`)),
		question("e", "string", when("c", "exists", `"answerBoolean":false`)))
	a := Answers{"a": {"true"}, "b": {"true"}, "c": {"true"}, "d": {"x"}}
	on := f.Enabled(a)
	for _, linkID := range []string{"a", "b", "g", "h", "c", "d"} {
		if !on[linkID] {
			t.Errorf("%s is not asked", linkID)
		}
	}
	a["a"] = []string{"false"}
	on = f.Enabled(a)
	for _, linkID := range []string{"b", "g", "h", "c", "d"} {
		if on[linkID] {
			t.Errorf("%s is still asked", linkID)
		}
	}
	if !on["e"] {
		t.Error("an answer that isn't asked for counts as one")
	}
}
