package handlers

import (
	"strings"
	"testing"
	"time"

	"anteroom/practice"
)

func TestStaffPages(t *testing.T) {
	s := newSite(t)
	olga := s.as("Olga")
	list := olga.get("/organization/staff").want(200, "Olga Olson", "Tom@willow.example", "Can invite clients to the client portal and manage intake forms")
	if n := list.doc.Find("tbody").First().Find("tr").Length(); n != 4 {
		t.Errorf("%d rows", n)
	}
	olga.get("/organization/staff/new").want(200)
	again := olga.post("/organization/staff", "name", "Nina Novak", "email", "ann@mail.example", "role", "therapist", "permission", "invite clients").
		wantError("email", "One address never serves two people")
	if again.doc.Find(`input[value="invite clients"][checked], input[value=therapist][checked]`).Length() != 2 {
		t.Error("the ticks are lost")
	}
	added := olga.post("/organization/staff", "name", "Nina Novak", "email", "nina@willow.example", "role", "therapist", "permission", "invite clients")
	page := added.header.Get("Location")
	olga.follow(added).want(200, "The staff member was added", "Nina Novak", "Hasn't chosen a password", "Queued")
	olga.post(page+"/resend").want(422, "less than five minutes")
	s.Clock.Move(6 * time.Minute)
	olga.follow(olga.post(page+"/resend")).want(200, "A new link is on its way")
	olga.post(page, "name", "", "role", "staff").wantError("name", "Enter their name")
	olga.follow(olga.post(page, "name", "Nina Nash", "role", "staff")).want(200, "Nina Nash")
	olga.get(page+"/disable").want(200, "Disable Nina Nash?")
	olga.follow(olga.post(page+"/disable")).want(200, "Disabled")
	olga.follow(olga.post(page+"/enable")).want(200, "Invited")
	tom := "/organization/staff/" + s.Tom.PublicID()
	olga.get(tom).want(200, "Abbott, Ann", "Moreno, Mia")
	if strings.Contains(olga.get(tom).body, "Bell, Ben") {
		t.Error("another therapist's client is listed")
	}
	self := "/organization/staff/" + s.Olga.PublicID()
	olga.post(self+"/disable").want(422, "Nobody else can sign in as an administrator")
	olga.post(self, "name", "Olga Olson", "role", "staff").wantError("role", "Nobody else")
	olga.get("/organization/staff/none").want(404)

	for who, status := range map[string]int{"Tom": 403, "Tess": 403, "Finn": 403, "Mia": 404, "": 303} {
		b := s.as(who)
		for _, path := range []string{"/organization/staff", "/organization/staff/new", tom, tom + "/disable"} {
			b.get(path).want(status)
		}
		for _, path := range []string{"/organization/staff", tom, tom + "/resend", tom + "/disable", tom + "/enable"} {
			b.post(path, "name", "Eve", "email", "eve@willow.example", "role", "administrator").want(status)
		}
	}
	all, err := s.Cast.Practice.AllStaff(t.Context(), s.Olga)
	if err != nil || len(all) != 5 {
		t.Error(len(all), err)
	}
	for _, m := range all {
		if m.Name == "Eve" || m.State() == practice.StaffDisabled {
			t.Errorf("%+v", m)
		}
	}
}
