package demo

import (
	"anteroom/forms"
)

// answers invents what a respondent answers to a form: every question that must be answered, and some of the others.
func answers(f *forms.Form, by respondent) func(name string) []string {
	values := map[string][]string{}
	n := by.n
	var walk func([]forms.Field)
	walk = func(fields []forms.Field) {
		for _, field := range fields {
			walk(field.Children)
			if !f.Item(field.LinkID).Asks() {
				continue
			}
			n++
			values[forms.ShownInput] = append(values[forms.ShownInput], field.LinkID)
			if field.Required || n%3 != 0 {
				answer(values, f, field, by, n)
			}
		}
	}
	walk(f.Fields(nil, nil))
	return func(name string) []string { return values[name] }
}

func answer(values map[string][]string, f *forms.Form, field forms.Field, by respondent, n int) {
	switch field.Kind {
	case forms.Signature:
		values[field.LinkID], values[field.ConsentName] = []string{by.name}, []string{"true"}
	case forms.Text, forms.String, forms.Date, forms.Integer:
		if some := said[field.LinkID]; len(some) > 0 {
			values[field.LinkID] = []string{some[by.n%len(some)]}
		}
	case forms.Tick:
		values[field.LinkID] = []string{field.Options[0].Code}
	case forms.Multiple:
		at := n % (len(field.Options) - 1)
		values[field.LinkID] = []string{field.Options[at].Code, field.Options[at+1].Code}
	case forms.Boolean, forms.Choice, forms.OpenChoice:
		values[field.LinkID] = []string{field.Options[choice(f, field, by.n, n)].Code}
	}
}

// choice keeps everybody out of danger but one person, so that the demo shows how the practice is told. All sign for themselves.
func choice(f *forms.Form, field forms.Field, who, n int) int {
	if field.LinkID == "signer" {
		return 0
	}
	safe := 0
	for at, o := range f.Item(field.LinkID).Options {
		if o.Concern {
			if f.Scored() && who == 10 {
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

// said are the answers in one's own words, by the question's linkId. A question that isn't here is left empty.
var said = map[string][]string{
	"address":           {"14 Alder Court, Springfield", "208 Mill Road, Apartment 3, Springfield"},
	"emergency-name":    {"Jo Bright", "Sasha Lund", "Alex Moreau"},
	"emergency-phone":   {"555-0142", "555-0163", "555-0187"},
	"reasons-other":     {"Too much on my plate, and no one to hand it to."},
	"story":             {"I sleep badly since I changed jobs, and I would like to talk it through.", "My mother died in spring. I function, but not much more than that."},
	"impact":            {"4", "6", "3", "7"},
	"counseling-last":   {"2019-04-12", "2022-10-03"},
	"conditions":        {"Asthma, well under control.", "None that I know of."},
	"medicine-list":     {"An inhaler, when I need it.", "Vitamin D, one a day."},
	"allergies":         {"No", "Penicillin"},
	"doctor":            {"Dr. Lindqvist, Mill Road Clinic", "Springfield Family Practice"},
	"sleep":             {"6", "7", "5", "8"},
	"alcohol-amount":    {"1", "2"},
	"household":         {"2", "1", "4", "3"},
	"household-who":     {"My partner and our daughter", "My brother"},
	"work-about":        {"I teach at a primary school.", "Bookkeeping, mostly from home."},
	"good-at":           {"People say that I listen well.", "I don't give up easily."},
	"goals":             {"I would worry less about small things.", "I would sleep through the night again."},
	"telehealth-number": {"555-0142", "555-0163", "555-0187"},
	"to-discuss":        {"How long it usually takes."},
}
