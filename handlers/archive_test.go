package handlers

import "testing"

func TestArchive(t *testing.T) {
	s := newSite(t)
	olga := s.as("Olga")
	mia := "/clients/" + s.Mia.PublicID
	s.library()
	s.request(s.Mia)
	olga.get(mia+"/archive").want(200, "Archive Mia Moreno?", "1 portal account closes, 1 unfinished form waits.", "You can restore them at any time.")
	olga.follow(olga.post(mia+"/archive")).want(200, "The client is archived.", "Archived Nov 2, 2026", "This client is archived.", "Olga Olson archived the client")
	s.as("Mia").get("/portal").wantTo("/sign-in?next=%2Fportal")
	olga.get("/clients?q=mia").want(200, "0 clients found")
	olga.get("/clients?show=archived").want(200, "1 client found", "Moreno, Mia")
	olga.get(manageClientsPath+"?q=mia").want(200, "0 clients")
	olga.follow(olga.get(mia+"/archive")).want(200, "That was over already")

	olga.get(mia+"/release-address").want(200, "mia@mail.example is taken off this record", "The portal account that signs in with it goes too")
	olga.follow(olga.post(mia+"/release-address")).want(200, "The address is released", "Not on file")
	olga.follow(olga.get(mia+"/release-address")).want(200, "That was over already")
	olga.follow(olga.post(mia+"/restore")).want(200, "The client is restored.", "No email", "Olga Olson restored the client")
	olga.follow(olga.post(mia+"/release-address")).want(200, "That was over already")

	// Many at once are asked about in numbers, and can be restored.
	asked := olga.post("/clients/chosen", "do", "archive", "on", s.Ann.PublicID, "on", s.Leo.PublicID).want(200, "Archive 2 clients?", "1 portal account closes.")
	olga.follow(olga.post("/clients/chosen", fields(asked, "archive")...)).want(200, "2 clients are archived.", "3 clients")
	asked = olga.post("/clients/chosen", "do", "restore", "all", "yes", "show", "archived").want(200, "Restore 2 clients?")
	olga.follow(olga.post("/clients/chosen", fields(asked, "restore")...)).want(200, "2 clients are restored.")
	olga.get("/clients").want(200, "5 clients")
}

func TestNoEmailIsShown(t *testing.T) {
	s := newSite(t)
	olga := s.as("Olga")
	olga.post("/clients/"+s.Ann.PublicID+"/edit", "first_name", "Ann", "last_name", "Abbott", "email", "ann@mail.example", "may_email", "no").want(303)
	page := olga.get(manageClientsPath).want(200, "May not be emailed, since Nov 2, 2026. Ask the client, and change it.")
	if box := page.doc.Find("#c-" + s.Ann.PublicID); box.Length() != 1 || box.AttrOr("disabled", "no") == "no" {
		t.Error("Ann can be ticked")
	}
	if button := olga.get("/clients/"+s.Ann.PublicID).want(200, "May not be emailed.").doc.Find("button.primary[disabled]"); button.Length() != 1 {
		t.Error("Ann can be invited")
	}
}
