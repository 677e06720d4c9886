package practice

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"anteroom/db"
)

func TestCheckContent(t *testing.T) {
	facts := contentFacts{
		now: time.Date(2026, 11, 2, 15, 0, 0, 0, time.UTC), name: "Willow Anxiety Center",
		titles: []string{"Patient Health Questionnaire (PHQ-9)", "Notice of Privacy Practices: Acknowledgement", "Cuestionario de salud", "Intake"},
		births: []string{"1990-05-17", "2026-03-04"},
		hosts:  []string{"portal.willow.example", "mail.willow.example", "willow-desk.example"},
	}
	for _, c := range []struct {
		subject, body string
		want          string // what is found, a line each: where, what, and the beginning of why
	}{
		// Names of forms
		{"Your PHQ-9", "Please fill in the patient health questionnaire.", "subject: PHQ-9: The name\ntext: patient health questionnaire: The name"},
		{"s", "Read our NOTICE of privacy practices, and the *cuestionario* de Salud.", "text: NOTICE of privacy practices: The name\ntext: cuestionario de Salud: The name"},
		{"s", "the intake form", "text: intake: The name"},
		{"s", "Your health. Questionnaire enclosed; an acknowledgement follows.", ""},

		// Clinical words
		{"Your depression screening", "It helps with **anx**iety, ADHD, and Self-Harm.", "subject: depression: A clinical\ntext: anxiety: A clinical\ntext: ADHD: A clinical\ntext: Self-Harm: A clinical"},
		{"s", "Bring your Zoloft and a list of medications. Your treatment plan is ready.", "text: Zoloft: A clinical\ntext: medications: A clinical\ntext: treatment plan: A clinical"},
		{"s", "La depresión, un DIAGNÓSTICO y las notas de la sesión. ¿Suicidio?", "text: depresión: A clinical\ntext: DIAGNÓSTICO: A clinical\ntext: notas de la sesión: A clinical\ntext: Suicidio: A clinical"},
		{"s", "Depression, depression and DEPRESSION.", "text: Depression: A clinical"},
		{"s", "Mind the depressions in the road, the manicured lawn and the anxieties of parking.", ""},
		{"s", "Willow Anxiety Center offers therapy: your therapist and counselor look forward to your first session.", ""},
		{"s", "{therapist_name} writes {client_first_name} about treatment. Plan half an hour.", ""},
		{"s", "We take no substances into the building; use the bell.", ""},

		// Dates of birth
		{"s", "Born 5/17/1990, or 17.05.1990, or 1990-05-17, or 17/5/90.", "text: 5/17/1990: It is the date\ntext: 17.05.1990: It is the date\ntext: 1990-05-17: It is the date\ntext: 17/5/90: It is the date"},
		{"s", "May 17, 1990 – 17 May 1990 – 17th of may 1990 – 17 de mayo de 1990 – 4 de marzo del 2026", "text: May 17, 1990: It is the date\ntext: 17 May 1990: It is the date\ntext: 17th of may 1990: It is the date\ntext: 17 de mayo de 1990: It is the date\ntext: 4 de marzo del 2026: It is the date"},
		{"5/18/1990", "On June 3, 1985 and 3 de enero de 2001.", "subject: 5/18/1990: It may\ntext: June 3, 1985: It may\ntext: 3 de enero de 2001: It may"},
		{"s", "Come on 11/9/2026 or 12/25/26, by November 9, 2026; we met on 9/1/2026.", ""},
		{"s", "Call (555) 010-0100, 555-01-0022 or 1-800-555-0199, 24/7, 10/12, suite 12-34-5678, since 1998, version 3.2.1, 192.168.10.20.", ""},
		{"s", "See https://portal.willow.example/2001/02/03/news for more.", ""},

		// Links
		{"s", "[Our site](https://www.willow.example), https://portal.willow.example/sign-in, www.willow-desk.example, {portal_link}, [join]({portal_link}), [call](tel:5550100), desk@other.example.", ""},
		{"s", "https://forms.other.example/x and [here](https://willow.example.evil.example)", "text: https://forms.other.example/x: This link leads\ntext: https://willow.example.evil.example: This link leads"},
		{"s", "http://willow.example/way", "text: http://willow.example/way: Others can read"},
		{"s", "[www.willow.example](https://portal.willow.example) and [Visit willow.example now](https://evil.example)", "text: www.willow.example (https://portal.willow.example): Its words\ntext: Visit willow.example now (https://evil.example): Its words\ntext: https://evil.example: This link leads"},
		{"s", "[willow.example/way](https://www.willow.example/way) [desk@willow.example](mailto:thief@evil.example) [write](mailto:desk@willow.example)", "text: desk@willow.example: Its words"},

		// The subject
		{"{practice_name}: {client_first_name} {client_last_name}", "Dear {client_last_name}", "subject: {client_first_name}: The subject\nsubject: {client_last_name}: The subject"},
		{"{practice_name}: your client portal, {sender_name}", "b", ""},
	} {
		var got []string
		for _, w := range checkContent(db.Message{Subject: c.subject, Body: c.body}, facts) {
			got = append(got, w.Where()+": "+w.Found+": "+strings.Join(strings.Fields(w.Why)[:2], " "))
		}
		var want []string
		for line := range strings.Lines(c.want) {
			line = strings.TrimSpace(line)
			at := strings.LastIndex(line, ": ")
			want = append(want, line[:at+2]+strings.Join(strings.Fields(line[at+2:])[:2], " "))
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%q, %q (-want +got):\n%s", c.subject, c.body, d)
		}
	}
}

// What is built in warns of nothing.
func TestBuiltInMessagesWarnOfNothing(t *testing.T) {
	facts := contentFacts{now: time.Now(), titles: []string{"Standard Intake Questionnaire", "Informed Consent for Psychotherapy"}}
	for _, l := range languages {
		for kind, m := range l.messages {
			if all := checkContent(m, facts); len(all) > 0 {
				t.Errorf("%s, %s: %v", l.Name, kind, all)
			}
		}
	}
}
