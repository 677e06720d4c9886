package handlers

import (
	"strings"
	"testing"

	"anteroom/db"
)

// link is the path of the link in the last letter of a kind to a client.
func (s *testSite) link(client db.Client, kind db.LetterKind) (path string) {
	s.t.Helper()
	s.update(func(tx *db.Tx) error {
		all, err := tx.ClientLetters(db.Everybody(), client.ID)
		for _, l := range all {
			if l.Kind == kind {
				_, token, err := tx.LinkToken(l.LinkID)
				path = "/link/" + token
				return err
			}
		}
		return err
	})
	return path
}

func TestChangeAddress(t *testing.T) {
	s := newSite(t)
	mia := s.as("Mia")
	mia.get("/portal").want(200, "Change my email address")
	mia.get("/portal/address").want(200, "You sign in with mia@mail.example")
	mia.post("/portal/address", "email", "nonsense", "password", "x").wantError("email", "name@example.com")
	again := mia.post("/portal/address", "email", "mia@oak.example", "password", "wrong").wantError("password", "isn't your password")
	if got := again.doc.Find("#email").AttrOr("value", ""); got != "mia@oak.example" {
		t.Errorf("the address came back as %q", got)
	}
	const answer = "If this address can be used, a mail with a link is on its way to it."
	mia.follow(mia.post("/portal/address", "email", "leo@mail.example", "password", "a quiet place to wait")).want(200, answer)
	mia.follow(mia.post("/portal/address", "email", "mia@oak.example", "password", "a quiet place to wait")).want(200, answer)

	tom := s.as("Tom")
	page := tom.get("/clients/"+s.Mia.PublicID).want(200, "mia@oak.example waits to be confirmed by the link that was mailed to it, until Nov 3, 2026",
		"Link to confirm a new address to mia@oak.example", "Word of a new address to mia@mail.example", "Mia asked for another email address")
	if strings.Contains(page.body, "leo@mail.example") {
		t.Error("the page tells which other address was asked for")
	}
	tom.follow(tom.post("/clients/"+s.Mia.PublicID+"/new-address", "do", "resend")).want(200, "less than five minutes ago")

	// The link asks for her own password, in another browser too.
	phone := s.as("")
	phone.follow(phone.get(s.link(s.Mia, db.LetterNewAddress))).want(200, "Confirm your email address", "Give the password that you sign in with")
	phone.post("/choose-password", "password", "").wantError("password", "isn't your password")
	phone.follow(phone.post("/choose-password", "password", "a quiet place to wait")).want(200, "Your address is confirmed", "Change my email address")
	mia.get("/portal").wantTo("/sign-in?next=%2Fportal")

	// What staff put on file is confirmed by choosing a password.
	olga := s.as("Olga")
	olga.get("/clients/"+s.Mia.PublicID+"/edit").want(200, "A new one has to be confirmed by a link that we mail to it")
	edit := []string{"first_name", "Mia", "last_name", "Moreno", "email", "mia@elm.example"}
	olga.follow(olga.post("/clients/"+s.Mia.PublicID+"/edit", edit...)).want(200, "mia@elm.example waits to be confirmed")
	other := s.as("")
	other.follow(other.get(s.link(s.Mia, db.LetterNewAddress))).want(200, "Confirm your email address", "Choose a password for it")
	olga.follow(olga.post("/clients/"+s.Mia.PublicID+"/new-address", "do", "withdraw")).want(200, "The new address was withdrawn")
	other.get("/choose-password").want(410, "This link doesn't work any more", "Nothing was changed by it")
	olga.follow(olga.post("/clients/"+s.Mia.PublicID+"/new-address", "do", "withdraw")).want(200, "That was over already")
	if taken := olga.post("/clients/"+s.Ann.PublicID+"/edit", "first_name", "Ann", "last_name", "Abbott", "email", "mia@oak.example"); taken.status != 422 {
		t.Errorf("Ann gets Mia's address: %d", taken.status)
	}
}
