package handlers

import (
	"testing"

	"anteroom/practice/cast"
)

func TestDeleteClient(t *testing.T) {
	s := newSite(t)
	olga, mia := s.as("Olga"), "/clients/"+s.Mia.PublicID
	olga.follow(olga.get(mia+"/delete")).want(200, "Archive the client first")
	olga.post(mia + "/archive").want(303)
	olga.get(mia).want(200, "Delete this client's data")
	if s.as("Tom").get(mia).want(200).doc.Find(`a[href$="/delete"]`).Length() != 0 {
		t.Error("Tom is offered what only administrators may do")
	}
	s.as("Tom").get(mia + "/delete").want(403)
	olga.get(mia+"/delete").want(200, "Delete the data of Mia Moreno?", "and the portal account", "0 forms", "This can't be undone")
	again := olga.post(mia+"/delete", "name", "mia").wantError("name", "Moreno, Mia")
	if got := again.doc.Find("#name").AttrOr("value", ""); got != "mia" {
		t.Errorf("the name came back as %q", got)
	}
	s.late("Olga").post(mia+"/delete", "name", "mia").wantError("name", "Moreno, Mia") // before it asks for a phone
	olga.post(mia+"/delete", "name", "Moreno, Mia").want(403, "You asked to delete a client’s data.")
	olga.follow(olga.post(mia+"/delete", "name", "Moreno, Mia", confirmPassword, cast.Password)).want(200, "The client's data is deleted.", "4 clients")
	olga.get(mia).want(404)
	s.as("Mia").get("/portal").wantTo("/sign-in?next=%2Fportal")
}
