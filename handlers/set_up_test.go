package handlers

import (
	"strings"
	"testing"
)

func TestSetUpPages(t *testing.T) {
	s := emptySite(t)
	b := s.as("")
	for _, path := range []string{"/", "/sign-in", "/clients", "/forgotten-password", "/organization/staff", "/none"} {
		b.get(path).wantTo("/set-up")
	}
	b.post("/sign-in", "email", "olga@willow.example").wantTo("/set-up")
	b.get("/healthz").want(200)
	b.get("/set-up").want(200, "Set up your practice", "code")
	form := []string{"name", "Willow Street Counseling", "phone", "555-0100", "time_zone", "America/New_York",
		"administrator_name", "Olga Olson", "email", "olga@willow.example", "password", "velvet anchor over tin roofs"}
	wrong := b.post("/set-up", append(form, "code", "AAAA-AAAA-AAAA-AAAA")...).wantError("code", "isn't the code")
	b.post("/set-up", append(form, "code", " - ")...).wantError("code", "Enter the code.")
	if v, _ := wrong.doc.Find("#administrator_name").Attr("value"); v != "Olga Olson" {
		t.Error("what was typed is lost")
	}
	if strings.Contains(wrong.body, "velvet anchor") {
		t.Error("the password came back")
	}
	code := s.Site.Practice.SetUpCode()
	b.post("/set-up", "code", code).wantError("name", "practice's name")
	b.post("/set-up", append(form, "code", code)...).wantTo("/second-step")
	b.get("/clients").wantTo("/second-step?next=%2Fclients")
	b.get("/set-up").want(404)
	b.post("/set-up", append(form, "code", code)...).want(404)
	s.as("").get("/clients").wantTo("/sign-in?next=%2Fclients")
	if strings.Contains(s.log.String(), code) || strings.Contains(s.log.String(), strings.ReplaceAll(code, "-", "")) {
		t.Error("the code is in the log")
	}
}
