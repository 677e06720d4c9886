package demo

import (
	"strconv"

	"anteroom/forms"
)

// answers invents what the i-th person answers to a form: every question that must be answered, and some of the others.
func answers(f *forms.Form, i int) func(name string) []string {
	values := map[string][]string{}
	n := i
	var walk func([]forms.Field)
	walk = func(fields []forms.Field) {
		for _, field := range fields {
			walk(field.Children)
			item := f.Item(field.LinkID)
			if !item.Asks() {
				continue
			}
			n++
			values[forms.ShownInput] = append(values[forms.ShownInput], field.LinkID)
			if !field.Required && n%3 != 0 {
				continue
			}
			answer(values, f, field, i, n)
		}
	}
	walk(f.Fields(nil, nil))
	return func(name string) []string { return values[name] }
}

func answer(values map[string][]string, f *forms.Form, field forms.Field, i, n int) {
	choose := func(at int) { values[field.LinkID] = []string{field.Options[at].Code} }
	switch field.Kind {
	case forms.Signature:
		values[field.LinkID], values[field.ConsentName] = []string{"Signed in the demo"}, []string{"true"}
	case forms.Text:
		values[field.LinkID] = []string{sentences[n%len(sentences)]}
	case forms.String:
		values[field.LinkID] = []string{map[string]string{"tel": "555-0142", "email": "contact@mail.example"}[field.InputType]}
		if values[field.LinkID][0] == "" {
			values[field.LinkID] = []string{"Jo Bright"}
		}
	case forms.Date:
		values[field.LinkID] = []string{"2019-04-12"}
	case forms.Integer:
		low, _ := strconv.Atoi(field.Min)
		values[field.LinkID] = []string{strconv.Itoa(low + n%4)}
	case forms.Tick, forms.Multiple:
		choose(0)
	case forms.Boolean, forms.Choice, forms.OpenChoice:
		choose(choice(f, field, i, n))
	}
}

// choice keeps everybody out of danger but one person, so that the demo shows how the practice is told.
func choice(f *forms.Form, field forms.Field, i, n int) int {
	item := f.Item(field.LinkID)
	safe := 0
	for at, o := range item.Options {
		if o.Concern {
			if f.Scored() && i == 10 {
				return at
			}
			continue
		}
		if (n+at)%3 == 0 && !field.Options[at].Other {
			safe = at
		}
	}
	return safe
}

var sentences = []string{
	"I sleep badly since I changed jobs, and I would like to talk it through.",
	"Nothing at the moment.",
	"Walking the dog, my sister, cooking.",
	"I would like to worry less about small things.",
}
