package handlers

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"anteroom/db"
	"anteroom/practice"
	"anteroom/practice/cast"

	"github.com/PuerkitoBio/goquery"
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
	olga.follow(olga.post(page+"/disable", "heir", "keep")).want(200, "Disabled")
	olga.follow(olga.post(page+"/enable")).want(200, "Invited")
	tom := "/organization/staff/" + s.Tom.PublicID()
	olga.get(tom).want(200, "Abbott, Ann", "Moreno, Mia")
	if strings.Contains(olga.get(tom).body, "Bell, Ben") {
		t.Error("another therapist's client is listed")
	}
	self := "/organization/staff/" + s.Olga.PublicID()
	olga.post(self+"/disable", "heir", "keep").want(422, "Nobody else can sign in as an administrator")
	olga.post(self, "name", "Olga Olson", "role", "staff").wantError("role", "Nobody else")
	olga.get("/organization/staff/none").want(404)

	for who, status := range map[string]int{"Tom": 403, "Tess": 403, "Finn": 403, "Mia": 404, "": 303} {
		b := s.as(who)
		for _, path := range []string{"/organization/staff", "/organization/staff/new", "/organization/permissions", tom, tom + "/disable", tom + "/email", tom + "/clients"} {
			b.get(path).want(status)
		}
		for _, path := range []string{"/organization/staff", tom, tom + "/resend", tom + "/disable", tom + "/enable", tom + "/email", tom + "/clients"} {
			b.post(path, "name", "Eve", "email", "eve@willow.example", "role", "administrator", "heir", "keep", "on", s.Ben.PublicID).want(status)
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

func TestTwoHundredStaff(t *testing.T) {
	s := newSite(t)
	for i := range 200 {
		role := []db.Role{db.RoleTherapist, db.RoleStaff}[i%2]
		if _, err := s.Cast.Practice.AddStaff(t.Context(), s.Olga, practice.StaffEntry{Name: fmt.Sprintf("Nina Number%03d", i), Email: fmt.Sprintf("n%d@oak.example", i), Role: role}); err != nil {
			t.Fatal(err)
		}
	}
	olga := s.as("Olga")
	first := olga.get(staffPath).want(200, "204 staff members", "1–25 of 204", "Finn Frey")
	if n := first.doc.Find("#found tbody tr").Length(); n != 25 {
		t.Errorf("%d rows", n)
	}
	seen := map[string]bool{}
	for path := staffPath; path != ""; {
		page := olga.get(path).want(200)
		page.doc.Find("#found tbody th a").Each(func(_ int, a *goquery.Selection) { seen[a.AttrOr("href", "")] = true })
		path = page.doc.Find("a[rel=next]").AttrOr("href", "")
	}
	if len(seen) != 204 {
		t.Errorf("%d on all pages together", len(seen))
	}
	if a := olga.get(staffPath+"?q=number17&role=therapist&order=name-down").want(200, "5 staff members found", "Nina Number178"); a.doc.Find("#found tbody tr").Length() != 5 ||
		a.text("#found tbody tr:first-child th a") != "Nina Number178" || a.doc.Find("select[name=role] option[selected]").AttrOr("value", "") != "therapist" {
		t.Error(a.main())
	}
	part := olga.htmx().get(staffPath + "?q=tom@willow")
	if part.want(200, "1 staff member found", "Tom Tran"); strings.Contains(part.body, "<html") || part.doc.Find("#count[hx-swap-oob]").Length() != 1 {
		t.Error(part.body)
	}
	olga.get(staffPath+"?q=zz").want(200, "0 staff members found", "Nobody found")
	olga.get(staffPath+"?state=Active&role=owner&order=wild").want(200, "4 staff members found")
	s.Clock.Move(8 * 24 * time.Hour)
	olga = s.as("")
	olga.post("/sign-in", "email", "olga@willow.example", "password", cast.Password).want(303)
	olga.get(staffPath+"?state=Invited").want(200, "200 staff members found", "The link expired Nov 9, 2026")
	nina := olga.get(staffPath+"?q=number007").doc.Find("#found tbody a").AttrOr("href", "")
	olga.get(nina).want(200, "Link expired", "Expired Nov 9, 2026", "Disable them: the link stops working")
	olga.follow(olga.post(nina+"/resend")).want(200, "The link works until", "You can send another from 10:09 AM on")
}

func TestChangeStaffEmail(t *testing.T) {
	s := newSite(t)
	olga, tom := s.as("Olga"), staffPath+"/"+s.Tom.PublicID()
	olga.get(tom).want(200, "Tom@willow.example")
	olga.get(tom+"/email").want(200, "Change the email address of Tom Tran", "They are signed out at once", "A letter to Tom@willow.example")
	again := olga.post(tom+"/email", "email", "Ann@mail.example").wantError("email", "One address never serves two people")
	if typed := again.doc.Find("#email").AttrOr("value", ""); typed != "Ann@mail.example" {
		t.Errorf("%q is typed", typed)
	}
	olga.get(staffPath+"/"+s.Olga.PublicID()+"/email").want(200, "You are signed out at once")
	olga.follow(olga.post(tom+"/email", "email", "TOM@willow.example")).want(200, "The address was changed.", "TOM@willow.example")
	olga.follow(olga.post(tom+"/email", "email", "tom@oak.example")).want(200, "A link to choose a password is on its way", "tom@oak.example", "Hasn't chosen a password")
	s.as("Tom").get("/clients").want(303)
	olga.get(tom+"/email").want(200, "The link that went to tom@oak.example stops working")
	olga.follow(olga.post(tom+"/disable", "heir", practice.KeepAssigned)).want(200, "Disabled")
	olga.get(tom+"/email").want(200, "If you enable them again")
	olga.get(tom + "/clients").want(404)
}

func TestDisableStaffPage(t *testing.T) {
	s := newSite(t)
	s.library()
	olga, tom := s.as("Olga"), staffPath+"/"+s.Tom.PublicID()
	id, err := s.Cast.Practice.StartClientDraft(t.Context(), s.Tom, s.Ann.PublicID)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Cast.Practice.Send(t.Context(), s.Tom, id, ""); err != nil {
		t.Fatal(err)
	}
	olga.get(tom).want(200, "1 letter that they sent is still queued")
	page := olga.get(tom+"/disable").want(200, "3 clients are assigned to them", "1 letter that they sent is still queued and won't leave", "Who takes over their 3 clients?", "Tess Tully", "Olga Olson")
	if page.doc.Find(`#heir option[value="`+s.Tom.PublicID()+`"]`).Length() != 0 {
		t.Error("they can take over from themselves")
	}
	olga.post(tom+"/disable").wantError("heir", "Choose who takes over their clients")
	olga.follow(olga.post(tom+"/disable", "heir", s.Tess.PublicID())).want(200, "Clients taken from them: 3. Letters taken back: 1.", "No client is assigned to them")
	olga.get(staffPath+"/"+s.Tess.PublicID()).want(200, "Abbott, Ann", "Stone, Sam", "Moreno, Mia")
	olga.get("/clients/"+s.Ann.PublicID).want(200, "Not invited", "Its sender may not invite this client any more", "Olga Olson assigned the client to Tess Tully, taken over from Tom Tran")
	olga.get(tom + "/disable").wantTo(tom)
	olga.get(staffPath+"/"+s.Finn.PublicID()+"/disable").want(200, "No client is assigned to them", "No letter of theirs is queued")
	olga.follow(olga.post(staffPath+"/"+s.Finn.PublicID()+"/disable", "heir", practice.KeepAssigned)).want(200, "They are signed out and can't sign in.")
}

func TestTakeTheRightToInvite(t *testing.T) {
	s := newSite(t)
	s.library()
	olga, tom := s.as("Olga"), staffPath+"/"+s.Tom.PublicID()
	id, err := s.Cast.Practice.StartClientDraft(t.Context(), s.Tom, s.Ann.PublicID)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Cast.Practice.Send(t.Context(), s.Tom, id, ""); err != nil {
		t.Fatal(err)
	}
	olga.follow(olga.post(tom, "name", "Tom Tran", "role", "therapist")).want(200, "Letters taken back that they may not send any more: 1.")
}

func TestAssignClientsOnTheStaffPage(t *testing.T) {
	s := newSite(t)
	olga, tess := s.as("Olga"), staffPath+"/"+s.Tess.PublicID()
	page := olga.get(tess+"/clients").want(200, "Assign clients to Tess Tully", "5 clients", "Assigned to them already")
	if n := page.doc.Find("input[name=on]:not([disabled])").Length(); n != 3 {
		t.Errorf("%d can be ticked", n)
	}
	olga.get(tess+"/clients?q=abbott").want(200, "1 client found", "Tom Tran")
	olga.get(tess+"/clients?staff=nobody").want(200, "0 clients found", "No client who is assigned to nobody")
	olga.get(tess+"/clients?q=zz").want(200, "has “zz” in it")
	if part := olga.htmx().get(tess+"/clients?q=sam").want(200, "1 client found"); strings.Contains(part.body, "<html") {
		t.Error(part.body)
	}
	olga.follow(olga.post(tess+"/clients", "do", "assign", "q", "a")).want(200, "Nobody is ticked yet")
	done := olga.post(tess+"/clients", "do", "assign", "q", "a", "page", "1", "on", s.Ann.PublicID, "on", s.Sam.PublicID, "on", s.Ben.PublicID)
	done.wantTo(tess + "/clients?q=a")
	olga.follow(done).want(200, "Assigned 2 clients.")
	olga.get(tess).want(200, "Abbott, Ann", "Stone, Sam", "Bell, Ben")
	olga.follow(olga.post(tess+"/clients", "do", "unassign", "on", s.Ann.PublicID)).want(200, "The client is no longer assigned to them.")
	if a := olga.get(tess); strings.Contains(a.body, "Abbott, Ann") {
		t.Error("still there")
	}
	olga.get(tess + "?page=9").wantTo(tess)
}
