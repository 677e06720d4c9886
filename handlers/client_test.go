package handlers

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"anteroom/db"

	"github.com/PuerkitoBio/goquery"
)

// each is the text of each selected element.
func each(a answer, selector string) string {
	return strings.Join(a.doc.Find(selector).Map(func(_ int, s *goquery.Selection) string { return s.Text() }), " | ")
}

func TestClientsList(t *testing.T) {
	s := newSite(t)
	page := s.as("Olga").get("/clients").want(200, "5 clients", "1–5 of 5")
	if names := each(page, "tbody th"); names != "Abbott, Ann | Bell, Ben | Lind, Leo | Moreno, Mia | Stone, Sam" {
		t.Errorf("names %q", names)
	}
	if states := each(page, "tbody .badge"); states != "Not invited | Not invited | Active | Active | No email" {
		t.Errorf("states %q", states)
	}
	if green := each(page, "tr.has-account th"); green != "Lind, Leo | Moreno, Mia" {
		t.Errorf("green rows %q", green)
	}
	if names := each(s.as("Tom").get("/clients").want(200, "assigned to you"), "tbody th"); names != "Abbott, Ann | Moreno, Mia | Stone, Sam" {
		t.Errorf("Tom sees %q", names)
	}
	s.as("Finn").get("/clients").want(200, "5 clients")
	if s.as("Finn").get("/clients").doc.Find(`a[href="/clients/new"]`).Length() != 0 {
		t.Error("Finn is offered what he may not do")
	}
	s.as("Olga").get("/clients?q=zzz").want(200, "0 clients found", "Nobody found", "Show all clients")
	part := s.as("Olga").htmx().get("/clients?q=ABB").want(200, "1 client found", "Abbott, Ann")
	if part.doc.Find("h1").Length() != 0 || part.doc.Find(`output#count[hx-swap-oob=true]`).Length() != 1 {
		t.Errorf("not the list alone: %s", part.body)
	}
	s.as("Mia").get("/clients").want(404)
	s.as("").get("/clients").wantTo("/sign-in?next=%2Fclients")
}

func TestClientsListInPages(t *testing.T) {
	s := newSite(t)
	if err := s.DB.Update(t.Context(), func(tx *db.Tx) error {
		for i := range 60 {
			if err := tx.AddClient(&db.Client{FirstName: "Zoe", LastName: fmt.Sprintf("Zz%02d", i)}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	b := s.as("Olga")
	page := b.get("/clients?q=zoe").want(200, "60 clients found", "1–25 of 60")
	next, _ := page.doc.Find("a[rel=next]").Attr("href")
	page = b.get(next).want(200, "26–50 of 60")
	next, _ = page.doc.Find("a[rel=next]").Attr("href")
	page = b.get(next).want(200, "51–60 of 60")
	if page.doc.Find("a[rel=next]").Length() != 0 || page.doc.Find("a[rel=prev]").AttrOr("href", "") != "/clients?page=2&q=zoe" {
		t.Error(page.text("nav.pages"))
	}
	b.get("/clients?q=zoe&page=999").want(200, "51–60 of 60")
	b.get("/clients?q=zoe&page=-1").want(200, "1–25 of 60")
}

func TestAddAndEditClient(t *testing.T) {
	s := newSite(t)
	olga := s.as("Olga")
	olga.get("/clients/new").want(200, "Legal first name")
	s.as("Finn").get("/clients/new").want(403)
	s.as("Finn").post("/clients", "first_name", "Zed", "last_name", "Zee").want(403)

	a := olga.post("/clients", "first_name", " ", "last_name", "O’Neil <b>", "date_of_birth", "2999-01-01", "phone", "none", "email", "zed@")
	a.wantError("first_name", "Enter the legal first name")
	a.wantError("date_of_birth", "in the past")
	a.wantError("phone", "phone number")
	a.wantError("email", "name@example.com")
	if n := a.doc.Find(".error-summary li a").Length(); n != 4 {
		t.Errorf("%d lines in the summary", n)
	}
	for id, want := range map[string]string{"last_name": "O’Neil <b>", "phone": "none", "email": "zed@", "date_of_birth": "2999-01-01"} {
		if got := a.doc.Find("#"+id).AttrOr("value", ""); got != want {
			t.Errorf("%s was not kept: %q", id, got)
		}
	}
	page := olga.follow(olga.post("/clients", "first_name", "Zed", "last_name", "Zee", "email", "zed@mail.example", "date_of_birth", "2001-02-03")).
		want(200, "The client was added.", "Zee, Zed", "zed@mail.example", "Feb 3, 2001", "Not invited", "Olga Olson added the client")
	id := strings.TrimSuffix(strings.TrimPrefix(page.doc.Find(`a:contains("Edit")`).AttrOr("href", ""), "/clients/"), "/edit")
	s.as("Tom").get("/clients/" + id).want(404) // a client of nobody's

	// A therapist's new client is theirs.
	tess := s.as("Tess")
	tess.follow(tess.post("/clients", "first_name", "Yan", "last_name", "Yoo")).want(200, "Yoo, Yan", "Tess Tully")

	// The rule of one email, told without telling on others.
	taken := olga.post("/clients", "first_name", "Al", "last_name", "Abb", "email", "ＡＮＮ@Mail.example ")
	taken.wantError("email", "plus-address that only this client uses")
	if href := taken.doc.Find("form a:contains('Abbott')").AttrOr("href", ""); href != "/clients/"+s.Ann.PublicID {
		t.Errorf("Olga is not led to Ann: %q", href)
	}
	blind := tess.post("/clients", "first_name", "Al", "last_name", "Abb", "email", "ann@mail.example")
	blind.wantError("email", "One address never serves two people")
	if strings.Contains(blind.body, "Abbott") || strings.Contains(blind.body, s.Ann.PublicID) {
		t.Error("Tess is told who has the address")
	}
	staff := olga.post("/clients", "first_name", "Al", "last_name", "Abb", "email", "tom@willow.example")
	staff.wantError("email", "Somebody else")

	// The same mailbox by a plus sign: only when confirmed.
	olga.post("/clients", "first_name", "Al", "last_name", "Abb", "email", "ann+al@mail.example").wantError("shared_mailbox", "same mailbox")
	olga.post("/clients", "first_name", "Al", "last_name", "Abb", "email", "ann+al@mail.example", "shared_mailbox", "yes").want(303)

	// Editing
	edit := "/clients/" + s.Ann.PublicID + "/edit"
	olga.get(edit).want(200, "Only this client may use it")
	s.as("Tom").get(edit).want(200)
	s.as("Tess").get(edit).want(404)
	s.as("Finn").get(edit).want(403)
	s.as("Finn").post(edit, "first_name", "X", "last_name", "Y").want(403)
	tom := s.as("Tom")
	tom.follow(tom.post(edit, "first_name", "Ann", "last_name", "Abbott", "preferred_name", "Annie", "email", "annie@mail.example")).
		want(200, "The changes were saved.", "Annie", "annie@mail.example", "Tom Tran changed the client: preferred name, date of birth, email")

	// Two edit at once: the second one is told what the first one put on file, and may then replace it.
	fields := func(version, phone string) []string {
		return []string{"version", version, "first_name", "Ann", "last_name", "Abbott", "preferred_name", "Annie", "phone", phone, "email", "annie@mail.example"}
	}
	version := olga.get(edit).doc.Find("[name=version]").AttrOr("value", "")
	tom.post(edit, fields(version, "555-0001")...).want(303)
	again := olga.post(edit, fields(version, "555-0002")...).want(422, "Somebody else changed this client meanwhile. On file now: phone 555-0001.")
	if typed := again.doc.Find("#phone").AttrOr("value", ""); typed != "555-0002" {
		t.Errorf("the phone number came back as %q", typed)
	}
	olga.post(edit, fields(again.doc.Find("[name=version]").AttrOr("value", ""), "555-0002")...).want(303)

	mia := "/clients/" + s.Mia.PublicID + "/edit"
	olga.get(mia).want(200, "they are signed out")
	olga.post(mia, "first_name", "Mia", "last_name", "Moreno").wantError("email", "signs in to the client portal with this address")
}

func TestClientDetails(t *testing.T) {
	s := newSite(t)
	details := func(who string, c db.Client) answer { return s.as(who).get("/clients/" + c.PublicID) }
	for _, c := range []struct {
		who    string
		client db.Client
		button string
		why    string
	}{
		{"Olga", s.Ann, "Invite to Client Portal", ""},
		{"Olga", s.Mia, "Send Intake Forms", ""},
		{"Olga", s.Sam, "Invite to Client Portal", "No email address on file. Add one to invite this client."},
		{"Tom", s.Ann, "Invite to Client Portal", ""},
		{"Tom", s.Mia, "Send Intake Forms", ""},
		{"Tess", s.Ben, "Invite to Client Portal", "You don't have the permission “Can invite clients to the client portal and manage intake forms”."},
		{"Finn", s.Ann, "Invite to Client Portal", "You don't have the permission"},
	} {
		page := details(c.who, c.client).want(200, c.client.ListName())
		if got := page.text("header.page button"); got != c.button {
			t.Errorf("%s, %s: button %q", c.who, c.client.FirstName, got)
		}
		_, disabled := page.doc.Find("header.page button").Attr("disabled")
		if disabled != (c.why != "") || !strings.HasPrefix(page.text("#why"), c.why) {
			t.Errorf("%s, %s: disabled %t, %q", c.who, c.client.FirstName, disabled, page.text("#why"))
		}
	}
	details("Tom", s.Ben).want(404)
	s.as("Olga").get("/clients/nobody").want(404)
	details("Olga", s.Ben).want(200)
	if text := details("Olga", s.Ben).text(".timeline"); strings.Contains(text, "opened") {
		t.Error(text)
	}
	s.as("Olga").get("/clients/"+s.Ben.PublicID+"?history=all").want(200, "Tess Tully opened the record")
}

func TestPortalAccess(t *testing.T) {
	s := newSite(t)
	olga, path := s.as("Olga"), "/clients/"+s.Mia.PublicID
	s.as("Mia").get("/").wantTo("/portal")
	s.as("Tom").get(path + "/portal-access").want(403)
	s.as("Tom").post(path+"/portal-access", "turn", "off").want(403)
	olga.get(path+"/portal-access").want(200, "Turn off portal access for Mia Moreno?")
	olga.post(path+"/portal-access", "turn", "sideways").want(400)
	olga.follow(olga.post(path+"/portal-access", "turn", "off")).want(200, "Portal access is turned off", "Turned off", "Olga Olson turned portal access off")
	s.as("Mia").get("/").wantTo("/sign-in")
	olga.follow(olga.get(path+"/portal-access")).want(200, "over already")
	s.as("Tom").get(path).want(200, "Portal access is turned off for this client.")
	olga.follow(olga.post(path+"/portal-access", "turn", "on")).want(200, "Portal access is turned on", "Active")
}

func TestAssignClient(t *testing.T) {
	s := newSite(t)
	olga, path := s.as("Olga"), "/clients/"+s.Ann.PublicID
	s.as("Tess").get(path).want(404)
	tess := olga.get(path).doc.Find(`option:contains("Tess")`).AttrOr("value", "")
	s.as("Tom").post(path+"/therapists", "staff", tess, "do", "assign").want(403)
	olga.follow(olga.post(path+"/therapists", "staff", tess, "do", "assign")).want(200, "Olga Olson assigned the client to Tess Tully")
	s.as("Tess").get(path).want(200)
	olga.follow(olga.post(path+"/therapists", "staff", tess, "do", "unassign")).want(200, "Olga Olson took the client from Tess Tully")
	s.as("Tess").get(path).want(404)
	olga.post(path+"/therapists", "staff", "nobody", "do", "assign").want(404)
}

// invite gives a client an open invitation with a queued letter, and sends the form.
func invite(t *testing.T, s *testSite, c db.Client, form string) (link db.Link, letter db.Letter) {
	t.Helper()
	if err := s.DB.Update(t.Context(), func(tx *db.Tx) error {
		olga, err := tx.Staff(s.Olga.PublicID())
		if err != nil {
			return err
		}
		link = db.Link{Purpose: db.LinkJoin, ClientID: c.ID, ExpiresAt: tx.Now().Add(7 * 24 * time.Hour)}
		if err := tx.AddLink(&link); err != nil {
			return err
		}
		i := db.Invitation{ClientID: c.ID, LinkID: link.ID, SentBy: olga.ID}
		if err := tx.AddInvitation(&i); err != nil {
			return err
		}
		letter = db.Letter{Kind: db.LetterInvitation, ClientID: c.ID, SentBy: olga.ID, InvitationID: i.ID, LinkID: link.ID, MessageID: c.PublicID + "@x.example", To: c.Email, Data: []byte("x")}
		if err := tx.AddLetter(&letter); err != nil {
			return err
		}
		if err := tx.AddForm(db.Form{Key: form, Version: "1", Title: "Form " + form, Definition: "{}"}); err != nil {
			return err
		}
		forms, err := tx.Forms()
		if err != nil {
			return err
		}
		for _, f := range forms {
			if f.Key == form {
				_, err = tx.AddFormRequest(c.ID, olga.ID, f)
			}
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return link, letter
}

// settle has the relay take a letter.
func settle(t *testing.T, s *testSite, l db.Letter) {
	t.Helper()
	if err := s.DB.Update(t.Context(), func(tx *db.Tx) error {
		_, err := tx.ExecContext(t.Context(), "UPDATE letters SET state = 'accepted', reply = '250 OK', settled_at = ? WHERE id = ?", tx.Now().UnixMilli(), l.ID)
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

func TestRevokeInvitation(t *testing.T) {
	s := newSite(t)
	invite(t, s, s.Ann, "a")
	olga, tom, path := s.as("Olga"), s.as("Tom"), "/clients/"+s.Ann.PublicID
	olga.get(path).want(200, "Invitation queued", "Revoke the invitation", "Sent by Olga Olson to ann@mail.example", "Waits in the queue")
	s.as("Tess").post(path + "/invitation").want(404)
	s.as("Finn").get(path + "/invitation").want(403)
	s.as("Finn").post(path + "/invitation").want(403)
	tom.get(path+"/invitation").want(200, "Revoke the invitation of Ann Abbott?", "won't leave")
	tom.follow(tom.post(path+"/invitation")).want(200, "Not invited", "Cancelled before it left: the invitation was revoked", "Tom Tran revoked the invitation")
	tom.follow(tom.post(path+"/invitation")).want(200, "over already")
}

func TestNewAddressEndsTheInvitation(t *testing.T) {
	s := newSite(t)
	_, letter := invite(t, s, s.Ann, "a")
	settle(t, s, letter)
	olga, path := s.as("Olga"), "/clients/"+s.Ann.PublicID
	olga.get("/clients?q=abbott").want(200, "Invited, expires Nov 9, 2026")
	olga.get(path).want(200, "Invited, expires Nov 9, 2026", "Accepted by the mail server", "250 OK")
	olga.get(path+"/edit").want(200, "A new address ends its link")
	olga.follow(olga.post(path+"/edit", "first_name", "Ann", "last_name", "Abbott", "email", "ANN@mail.example")).want(200, "Invited, expires")
	olga.follow(olga.post(path+"/edit", "first_name", "Ann", "last_name", "Abbott", "email", "other@mail.example")).want(200, "Not invited")
}

func TestRevokeForm(t *testing.T) {
	s := newSite(t)
	invite(t, s, s.Ann, "a")
	tom, path := s.as("Tom"), "/clients/"+s.Ann.PublicID
	revoke := tom.get(path).want(200, "Form a", "Sent").doc.Find("a[href$=revoke]").AttrOr("href", "")
	s.as("Tess").get(revoke).want(404)
	s.as("Tess").post(revoke).want(404)
	s.as("Finn").post(revoke).want(403)
	tom.get(revoke).want(200, "Revoke Form a?")
	tom.follow(tom.post(revoke)).want(200, "The form was revoked.", "Revoked", "Tom Tran revoked a form: Form a")
	tom.follow(tom.post(revoke)).want(200, "over already")
	tom.follow(tom.get(revoke)).want(200, "over already")
}

func TestScoresAreForReaders(t *testing.T) {
	s := newSite(t)
	invite(t, s, s.Ann, "a")
	score := 14
	if err := s.DB.Update(t.Context(), func(tx *db.Tx) error {
		all, err := tx.FormRequests(db.Everybody(), s.Ann.ID)
		if err != nil {
			return err
		}
		return tx.CompleteFormRequest(all[0], db.FormResult{Score: &score, Band: "Moderate", SafetyConcern: true})
	}); err != nil {
		t.Fatal(err)
	}
	for who, may := range map[string]bool{"Olga": true, "Tom": true, "Finn": false} {
		list := s.as(who).get("/clients").want(200, "1 of 1")
		if n := list.doc.Find("tbody .flag").Length(); (n == 1) != may {
			t.Errorf("%s: %d flags in the list", who, n)
		}
		page := s.as(who).get("/clients/"+s.Ann.PublicID).want(200, "Completed")
		shown := strings.Contains(page.text("main"), "score 14 (moderate)") && strings.Contains(page.text("main"), "Needs a look") && page.doc.Find(`a:contains("Read")`).Length() == 1
		hidden := !strings.Contains(page.body, "14 (") && !strings.Contains(page.body, "Needs a look") && page.doc.Find(`a:contains("Read")`).Length() == 0
		if may && !shown || !may && !hidden {
			t.Errorf("%s: %s", who, page.text("#forms ~ *"))
		}
	}
}
