package handlers

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"anteroom/db"

	"github.com/PuerkitoBio/goquery"
)

type selection = goquery.Selection

// update writes to the site's records, as other verbs would have.
func (s *testSite) update(fn func(*db.Tx) error) {
	s.t.Helper()
	if err := s.DB.Update(s.t.Context(), fn); err != nil {
		s.t.Fatal(err)
	}
}

func TestClientsFiltered(t *testing.T) {
	s := newSite(t)
	s.library()
	s.request(s.Mia)
	s.completed(s.Leo)
	s.update(func(tx *db.Tx) error { return tx.SetTags(s.Ann.ID, []string{"Adults", "Evening"}) })
	names := func(who, query string) string {
		t.Helper()
		return each(s.as(who).htmx().get("/clients?"+query).want(200), "tbody th")
	}
	for _, c := range []struct{ who, query, want string }{
		{"Olga", "staff=" + s.Tom.PublicID(), "Abbott, Ann | Moreno, Mia | Stone, Sam"},
		{"Olga", "staff=nobody", ""},
		{"Olga", "staff=00000000-0000-4000-8000-000000000000", ""},
		{"Olga", "state=Active", "Lind, Leo | Moreno, Mia"},
		{"Olga", "state=No+email", "Stone, Sam"},
		{"Olga", "state=nonsense", "Abbott, Ann | Bell, Ben | Lind, Leo | Moreno, Mia | Stone, Sam"},
		{"Olga", "forms=outstanding", "Moreno, Mia"},
		{"Olga", "tag=evening", "Abbott, Ann"},
		{"Olga", "tag=unknown", ""},
		{"Olga", "show=archived", ""},
		{"Olga", "state=Active&q=leo", "Lind, Leo"},
		{"Olga", "order=name-down", "Stone, Sam | Moreno, Mia | Lind, Leo | Bell, Ben | Abbott, Ann"},
		{"Olga", "order=state", "Stone, Sam | Abbott, Ann | Bell, Ben | Lind, Leo | Moreno, Mia"},
		{"Olga", "order=state-down", "Lind, Leo | Moreno, Mia | Abbott, Ann | Bell, Ben | Stone, Sam"},
		{"Olga", "order=forms&q=e", "Moreno, Mia | Abbott, Ann | Bell, Ben | Lind, Leo | Stone, Sam"},
		{"Tom", "state=Active", "Moreno, Mia"},
		{"Tess", "staff=" + s.Tom.PublicID(), ""},
		{"Finn", "forms=outstanding", "Moreno, Mia"},
	} {
		if got := names(c.who, c.query); got != c.want {
			t.Errorf("%s, %s: %q, want %q", c.who, c.query, got, c.want)
		}
	}

	page := s.as("Olga").get("/clients?state=Active&order=state&q=o").want(200, "2 clients found")
	if got := page.doc.Find("details.filters[open] option[selected]").Map(func(_ int, o *selection) string { return o.AttrOr("value", "") }); fmt.Sprint(got) != "[Active state]" {
		t.Errorf("chosen: %v", got)
	}
	heading := page.doc.Find("th[aria-sort] a")
	if heading.Text() != "Client portal" || heading.AttrOr("href", "") != "/clients?order=state-down&q=o&state=Active" {
		t.Errorf("ordered by %q %q", heading.Text(), heading.AttrOr("href", ""))
	}
	if got := each(s.as("Tom").get("/clients").want(200), "select[name=staff], select[name=tag] option"); got != "Any | Adults | Evening" {
		t.Errorf("Tom can choose %q", got)
	}

	// Manage Clients is filtered alike, and selects all whom its filter shows.
	olga := s.as("Olga")
	if got := each(olga.htmx().get(manageClientsPath+"?state=Active").want(200, "2 clients"), "tbody label"); got != "Lind, Leo | Moreno, Mia" {
		t.Errorf("Manage Clients: %q", got)
	}
	olga.post(manageClientsPath, "do", "search", "state", "Active", "q", "").wantTo(manageClientsPath + "?state=Active")
	olga.post(manageClientsPath, "do", "all", "state", "Active").want(303)
	olga.get(manageClientsPath).want(200, "2 clients selected")
}

func TestChosenClients(t *testing.T) {
	s := newSite(t)
	olga := s.as("Olga")
	if s.as("Tom").get("/clients").want(200).doc.Find("form[action='/clients/chosen']").Length() != 0 {
		t.Error("Tom is offered what only administrators may do")
	}
	tess, tom := s.Tess.PublicID(), s.Tom.PublicID()
	theirs := func(staff string) string {
		t.Helper()
		return each(olga.htmx().get("/clients?staff="+staff).want(200), "tbody th")
	}

	// Who is ticked on the page is assigned at once, and whoever had them keeps them.
	olga.follow(olga.post("/clients/chosen", "do", "assign", "to", tess, "on", s.Ann.PublicID, "on", s.Ben.PublicID, "q", "", "state", "Not invited")).
		want(200, "The client was assigned.", "2 clients found")
	if got := theirs(tess); got != "Abbott, Ann | Bell, Ben | Lind, Leo" {
		t.Errorf("Tess has %q", got)
	}
	if got := theirs(tom); got != "Abbott, Ann | Moreno, Mia | Stone, Sam" {
		t.Errorf("Tom has %q", got)
	}
	olga.get("/clients/"+s.Ann.PublicID).want(200, "Olga Olson assigned the client to Tess Tully")

	// Taking away asks, in numbers; and again if the number changed meanwhile.
	asked := olga.post("/clients/chosen", "do", "unassign", "to", tess, "on", s.Ann.PublicID, "on", s.Ben.PublicID).want(200, "Take 2 clients from Tess Tully?")
	if got := theirs(tess); got != "Abbott, Ann | Bell, Ben | Lind, Leo" {
		t.Errorf("taken before it was confirmed: %q", got)
	}
	olga.follow(olga.post("/clients/chosen", fields(asked, "unassign")...)).want(200, "Took 2 clients from them.")
	if got := theirs(tess); got != "Lind, Leo" {
		t.Errorf("Tess has %q", got)
	}

	// All whom the list shows.
	asked = olga.post("/clients/chosen", "do", "assign", "to", tess, "all", "yes", "staff", tom).want(200, "Assign 3 clients to Tess Tully?")
	confirm := fields(asked, "assign")
	s.update(func(tx *db.Tx) error {
		member, err := tx.Staff(tom)
		if err != nil {
			return err
		}
		return tx.Unassign(member.ID, s.Sam.ID)
	})
	again := olga.post("/clients/chosen", confirm...).want(200, "Assign 2 clients to Tess Tully?")
	olga.follow(olga.post("/clients/chosen", fields(again, "assign")...)).want(200, "Assigned 2 clients.")
	if got := theirs(tess); got != "Abbott, Ann | Lind, Leo | Moreno, Mia" {
		t.Errorf("Tess has %q", got)
	}

	olga.follow(olga.post("/clients/chosen", "do", "assign", "to", tess)).want(200, "Nobody is ticked yet")
	olga.follow(olga.post("/clients/chosen", "do", "assign", "on", s.Ann.PublicID)).want(200, "Choose a staff member first")
	olga.post("/clients/chosen", "do", "assign", "to", s.Ann.PublicID, "on", s.Ann.PublicID).want(404)
	olga.post("/clients/chosen", "do", "something", "on", s.Ann.PublicID).want(400)
	s.as("Tom").post("/clients/chosen", "do", "assign", "to", tom, "on", s.Ben.PublicID).want(403)
}

// fields are what a page's form posts when a button of it is pressed.
func fields(a answer, do string) []string {
	all := []string{"do", do}
	a.doc.Find("form input[type=hidden]").Each(func(_ int, in *selection) {
		all = append(all, in.AttrOr("name", ""), in.AttrOr("value", ""))
	})
	return all
}

func TestListAddressesAreKept(t *testing.T) {
	for _, query := range []string{"", "q=an+ann", "show=archived&tag=a%26b", "forms=outstanding&order=added&staff=nobody&state=Couldn%27t+be+sent"} {
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		if got := queryValues(clientQuery(values.Get)).Encode(); got != query {
			t.Errorf("%q became %q", query, got)
		}
	}
	if got := queryValues(clientQuery(func(name string) string { return strings.Repeat("x", 3) })).Encode(); got != "q=xxx&staff=xxx&tag=xxx" {
		t.Errorf("nonsense became %q", got)
	}
}
