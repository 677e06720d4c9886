package handlers

import (
	"strings"
	"testing"
)

func TestClientRecord(t *testing.T) {
	s := newSite(t)
	olga, ann := s.as("Olga"), "/clients/"+s.Ann.PublicID
	typed := []string{"first_name", "Ann", "last_name", "Abbott", "email", "ann@mail.example", "pronouns", "she/her", "guardian", "Gail Abbott",
		"language", "es", "tags", "Evening, Couples", "notes", "Rings <b>at noon</b>.\nTwice.", "may_email", "yes"}

	// What is typed is kept when something else is wrong.
	again := olga.post(ann+"/edit", append(typed, "date_of_birth", "2999-01-01")...)
	again.wantError("date_of_birth", "in the past")
	for field, want := range map[string]string{"pronouns": "she/her", "guardian": "Gail Abbott", "tags": "Evening, Couples"} {
		if got := again.doc.Find("#"+field).AttrOr("value", ""); got != want {
			t.Errorf("%s came back as %q", field, got)
		}
	}
	if got := again.doc.Find("#notes").Text(); strings.TrimPrefix(got, "\n") != "Rings <b>at noon</b>.\nTwice." {
		t.Errorf("the notes came back as %q", got)
	}
	if got := again.doc.Find("#language option[selected]").Text(); got != "Spanish (español)" {
		t.Errorf("the language came back as %q", got)
	}
	for field, wrong := range map[string]string{"language": "xx-no-such-language-at-all", "tags": strings.Repeat("x", 41), "notes": strings.Repeat("x", 4001), "pronouns": strings.Repeat("x", 101), "guardian": strings.Repeat("x", 101)} {
		olga.post("/clients", "first_name", "A", "last_name", "B", field, wrong).want(422).wantError(field, "")
	}

	page := olga.follow(olga.post(ann+"/edit", typed...)).want(200, "she/her", "Gail Abbott", "Spanish (español)", "Rings <b>at noon</b>.", "changed the client: pronouns, date of birth, guardian, language, tags, notes")
	if tags := each(page, ".chips a"); tags != "Couples | Evening" {
		t.Errorf("tags %q", tags)
	}
	olga.get(page.doc.Find(".chips a").First().AttrOr("href", "")).want(200, "1 client found", "Abbott, Ann")
	if offered := olga.get("/clients/new").want(200).doc.Find("#tags-list option").Length(); offered != 2 {
		t.Errorf("%d tags are offered", offered)
	}
	if offered := s.as("Tess").get("/clients/new").want(200).doc.Find("#tags-list option").Length(); offered != 0 {
		t.Errorf("Tess is offered %d tags of clients whom she doesn't see", offered)
	}

	// Notes are for those who may edit the client; the rest is for those who see them.
	s.as("Tom").get(ann).want(200, "Rings <b>at noon</b>.")
	front := s.as("Finn").get(ann).want(200, "she/her", "Couples")
	if strings.Contains(front.body, "at noon") {
		t.Error("Finn reads the notes")
	}
}
