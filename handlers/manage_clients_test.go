package handlers

import (
	"net/http"
	"strings"
	"testing"
)

func TestManageClients(t *testing.T) {
	s := newSite(t)
	olga := s.as("Olga")
	page := olga.get(manageClientsPath).want(http.StatusOK, "5 clients", "0 clients selected", "No email address on file. Add one to invite.")
	if n := page.doc.Find("tr.has-account").Length(); n != 2 {
		t.Errorf("%d green rows, want Mia's and Leo's", n)
	}
	if row := page.doc.Find("tr.unavailable"); row.Length() != 1 || row.Find("input[disabled]").Length() != 1 || row.Find("input[name=shown]").Length() != 0 {
		t.Error("Sam, who has no address, can be ticked")
	}

	// Ticks are kept as they happen. Each answer finds its place by itself: the next tick may have been sent before it came …
	ticked := olga.htmx().post(manageClientsPath, "shown", s.Ann.PublicID, "shown", s.Ben.PublicID, "on", s.Ann.PublicID).want(http.StatusOK, "1 client selected", "Abbott, Ann")
	if ticked.doc.Find("#selection[hx-swap-oob=true]").Length() != 1 || page.doc.Find("#found[hx-swap=none]").Length() != 1 {
		t.Error("a tick's answer goes where the page stood when it was asked for")
	}
	// … across searches, which tell how many they found outside the part that they answer …
	part := olga.htmx().get(manageClientsPath+"?q=MORENO").want(http.StatusOK, "1 client", "Moreno, Mia")
	if part.doc.Find("#count").AttrOr("hx-swap-oob", "") != "true" || part.doc.Find("header").Length() != 0 {
		t.Error("the search does not answer with a part of the page")
	}
	// … and every button saves them, also without script.
	olga.post(manageClientsPath, "q", "moreno", "shown", s.Mia.PublicID, "on", s.Mia.PublicID, "do", "search").wantTo(manageClientsPath + "?q=moreno")
	page = olga.get(manageClientsPath).want(http.StatusOK, "2 clients selected", "Abbott, Ann", "Moreno, Mia")
	if n := page.doc.Find("input[name=on][checked]").Length(); n != 2 {
		t.Errorf("%d boxes are ticked, want 2", n)
	}
	olga.post(manageClientsPath, "drop", s.Mia.PublicID).want(http.StatusSeeOther)
	olga.get(manageClientsPath).want(http.StatusOK, "1 client selected")
	olga.post(manageClientsPath, "do", "all", "q", "", "shown", s.Ann.PublicID, "shown", s.Ben.PublicID, "on", s.Ann.PublicID).want(http.StatusSeeOther)
	olga.get(manageClientsPath).want(http.StatusOK, "4 clients selected")

	// With script, who is taken out is unticked in the list too, and those who remain stay in sight.
	part = olga.htmx().post(manageClientsPath, "drop", s.Ann.PublicID, "page", "1").want(http.StatusOK, "3 clients selected", "Abbott, Ann")
	if n := part.doc.Find("input[name=on][checked]").Length(); n != 3 || part.doc.Find("#selection[hx-swap-oob] details[open]").Length() != 1 {
		t.Errorf("%d boxes are ticked, want 3: %s", n, part.main())
	}
	olga.htmx().post(manageClientsPath, "do", "clear").want(http.StatusOK, "0 clients selected")
	olga.htmx().post(manageClientsPath, "do", "all", "q", "").want(http.StatusOK, "4 clients selected")
	olga.post(manageClientsPath, "do", "clear", "q", "a", "page", "3").wantTo(manageClientsPath + "?page=3&q=a")
	olga.post(manageClientsPath, "do", "search", "q", "a", "page", "3").wantTo(manageClientsPath + "?q=a")
	olga.post(manageClientsPath, "do", "all", "q", "").want(http.StatusSeeOther)

	to := olga.post(manageClientsPath, "do", "invite").want(http.StatusSeeOther).header.Get("Location")
	if !strings.HasPrefix(to, "/drafts/") {
		t.Errorf("inviting leads to %s", to)
	}
	olga.post(manageClientsPath, "do", "clear").want(http.StatusSeeOther)
	olga.follow(olga.post(manageClientsPath, "do", "invite")).want(http.StatusOK, "Nobody is selected yet.")
	olga.htmx().get(manageClientsPath+"?q=zzz").want(http.StatusOK, "Nobody found", "0 clients")
	olga.post(manageClientsPath, "to", "//evil.example/x").wantTo(manageClientsPath)
}
