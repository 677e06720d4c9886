package handlers

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"anteroom/db"
	"anteroom/practice"
	"anteroom/practice/cast"
)

// permit grants a staff member these permissions, and no others.
func (s *testSite) permit(who practice.Staff, permissions ...db.Permission) {
	s.t.Helper()
	s.update(func(tx *db.Tx) error {
		m, err := tx.Staff(who.PublicID())
		if err != nil {
			return err
		}
		m.Permissions = permissions
		return tx.ChangeStaff(m)
	})
}

// lettersTo counts the letters of a kind to an address that leave now or left.
func (s *testSite) lettersTo(address string, kind db.LetterKind) (n int) {
	s.t.Helper()
	for _, l := range s.letters(db.LetterFilter{Kind: kind}) {
		if l.To.String() == address && l.State != db.LetterCancelled {
			n++
		}
	}
	return n
}

// Who may change a record, and no more, can't have a client's account begin anew at another address unnoticed, nor open with it
// what the client completed.
func TestAReleasedAddressHandsNothingOver(t *testing.T) {
	s := newSite(t)
	s.library()
	path := s.inviteAnn()
	s.settled(db.LetterAccepted, "250 ok")
	ann := s.as("")
	ann.get(path).wantTo("/choose-password")
	ann.post("/choose-password", "password", "three grey herons fishing").want(http.StatusSeeOther)
	s.Clock.Move(time.Second)
	completed := s.completed(s.Ann)
	ann.get("/portal/forms/" + completed).want(http.StatusOK)
	begun := s.request(s.Ann)
	s.update(func(tx *db.Tx) error {
		r, err := tx.FormRequest(db.Everybody(), begun)
		if err != nil {
			return err
		}
		return tx.StartFormRequest(r.ID)
	})
	s.Clock.Move(time.Second)

	s.permit(s.Finn, db.MayEditClients)
	finn := s.late("Finn")
	record := "/clients/" + s.Ann.PublicID
	finn.get("/form-requests/" + completed).want(http.StatusNotFound)
	finn.post(record + "/archive").want(http.StatusSeeOther)
	finn.post(record+"/release-address").want(http.StatusForbidden, "Confirm it’s you")
	if c := s.client(s.Ann); c.Email.String() != "ann@mail.example" || !c.Portal.HasAccount() {
		t.Fatal("released without a proof")
	}
	finn.post(record+"/release-address", confirmPassword, cast.Password).want(http.StatusSeeOther)
	if n := s.lettersTo("ann@mail.example", db.LetterOldAddress); n != 1 {
		t.Errorf("%d letters tell Ann", n)
	}
	var leaves int
	s.update(func(tx *db.Tx) error {
		claimed, err := tx.ClaimLetters(10, time.Minute)
		for _, l := range claimed {
			if l.Kind == db.LetterOldAddress && l.To.String() == "ann@mail.example" {
				leaves++
			}
		}
		return err
	})
	if leaves != 1 {
		t.Error("the letter that tells Ann doesn't leave: she is archived")
	}
	finn.post(record + "/restore").want(http.StatusSeeOther)
	s.Clock.Move(11 * time.Minute)
	form := []string{"version", finn.get(record + "/edit").hidden("version"), "first_name", "Ann", "last_name", "Abbott", "email", "evil@evil.example"}
	finn.post(record+"/edit", form...).want(http.StatusForbidden, "Confirm it’s you")
	if c := s.client(s.Ann); !c.Email.IsZero() {
		t.Fatal("an address is given to who was in the portal without a proof")
	}
	finn.post(record+"/edit", append(form, confirmPassword, cast.Password)...).want(http.StatusSeeOther)

	if c := s.client(s.Ann); c.Portal.State(s.Clock.Now()) != db.PortalNotInvited {
		t.Errorf("Ann is %s", c.Portal.State(s.Clock.Now()))
	}
	s.as("Olga").get("/clients?q=ann&state=Not+invited").want(http.StatusOK, "1 client found")
	s.as("Olga").get("/form-requests/" + completed).want(http.StatusOK) // the practice keeps it
	evil := s.as("")
	evil.post("/forgotten-password", "email", "evil@evil.example")
	evil.get(path) // the used link asks for another
	evil.post("/new-link")
	s.Clock.Move(8 * 24 * time.Hour)
	evil.post("/forgotten-password", "email", "evil@evil.example")
	for _, kind := range []db.LetterKind{db.LetterInvitation, db.LetterNewPassword} {
		if n := s.lettersTo("evil@evil.example", kind); n != 0 {
			t.Errorf("%d letters of the kind %q went to the new address", n, kind)
		}
	}

	// Even somebody who may read all invites the new address in good faith.
	draft, err := s.Cast.Practice.StartClientDraft(t.Context(), s.Olga.Staff, s.Ann.PublicID)
	if err == nil {
		err = s.Cast.Practice.Send(t.Context(), s.Olga.Staff, draft, "")
	}
	if err != nil {
		t.Fatal(err)
	}
	evil.get(s.mailedLink(s.Ann.ID, 0)).wantTo("/choose-password")
	evil.post("/choose-password", "password", "seven loud ravens walking").wantTo("/portal")
	if page := evil.get("/portal").want(http.StatusOK); strings.Contains(page.body, completed) || strings.Contains(page.body, begun) {
		t.Error("the new account's home shows what the old one completed or began")
	}
	for _, id := range []string{completed, begun} {
		evil.get("/portal/forms/" + id).want(http.StatusNotFound)
		evil.post("/portal/forms/" + id).want(http.StatusNotFound)
	}
	s.Clock.Move(time.Second)
	if n := s.count("SELECT count(*) FROM form_requests WHERE completed_at IS NULL AND revoked_at IS NULL AND started_at IS NOT NULL"); n != 0 {
		t.Errorf("%d forms that were begun stay open", n)
	}
	fresh := s.completed(s.Ann) // what the new account does is its own
	evil.get("/portal/forms/" + fresh).want(http.StatusOK)
	if page := evil.get("/portal"); !strings.Contains(page.body, fresh) {
		t.Error("the new account's home doesn't show its own form")
	}
}

// What signs in, or steps in, goes with the address or the account that it belonged to.
func TestNothingSignsInForAnAccountThatIsGone(t *testing.T) {
	t.Run("a staff member's address", func(t *testing.T) {
		s := newSite(t)
		device := cast.NewAuthenticator()
		s.as("Tess").addsPasskey(device).want(http.StatusOK)
		s.as("").signsWithPasskey(device, "").wantTo("/clients")
		s.as("Olga").post(staffPath+"/"+s.Tess.PublicID()+"/email", "email", "tess.tully@willow.example").want(http.StatusSeeOther)
		s.as("").signsWithPasskey(device, "").want(http.StatusUnprocessableEntity)
		if f := s.steps("tess.tully@willow.example"); f != (db.Factors{}) {
			t.Errorf("left: %+v", f)
		}
		if n := s.count("SELECT count(*) FROM devices WHERE staff_id IS NOT NULL"); n != 0 {
			t.Errorf("%d browsers are known", n)
		}
	})
	t.Run("another spelling of it", func(t *testing.T) {
		s := newSite(t)
		device := cast.NewAuthenticator()
		s.as("Tess").addsPasskey(device).want(http.StatusOK)
		s.as("Olga").post(staffPath+"/"+s.Tess.PublicID()+"/email", "email", "TESS@willow.example").want(http.StatusSeeOther)
		s.as("").signsWithPasskey(device, "").wantTo("/clients")
	})
	t.Run("a staff member without a password", func(t *testing.T) { // as a database may have it that was used before
		s := newSite(t)
		device := cast.NewAuthenticator()
		s.as("Tess").addsPasskey(device).want(http.StatusOK)
		tess := s.member(s.Tess.PublicID())
		s.update(func(tx *db.Tx) error { return tx.SetStaffPassword(tess.ID, "") })
		s.as("").signsWithPasskey(device, "").want(http.StatusUnprocessableEntity)
	})
	t.Run("a client's account", func(t *testing.T) {
		s := newSite(t)
		s.library()
		device := cast.NewAuthenticator()
		s.as("Mia").addsPasskey(device).want(http.StatusOK)
		s.hasStep("mia@mail.example")
		s.as("").signsWithPasskey(device, "").wantTo("/portal")
		form := s.completed(s.Mia)
		olga, record := s.as("Olga"), "/clients/"+s.Mia.PublicID
		olga.post(record + "/archive").want(http.StatusSeeOther)
		olga.post(record + "/release-address").want(http.StatusSeeOther)
		olga.post(record + "/restore").want(http.StatusSeeOther)
		olga.post(record+"/edit", "version", olga.get(record+"/edit").hidden("version"), "first_name", "Mia", "last_name", "Moreno", "email", "new@mail.example").want(http.StatusSeeOther)
		b := s.as("")
		b.signsWithPasskey(device, "").want(http.StatusUnprocessableEntity)
		s.Clock.Move(time.Minute)
		s.update(func(tx *db.Tx) error { return tx.SetPortalPassword(s.Mia.ID, "x") })
		b.signsWithPasskey(device, "").want(http.StatusUnprocessableEntity)
		b.get("/portal/forms/" + form).want(http.StatusSeeOther)
		if f := s.steps("new@mail.example"); f != (db.Factors{}) {
			t.Errorf("left: %+v", f)
		}
		if n := s.count("SELECT count(*) FROM devices WHERE client_id IS NOT NULL"); n != 0 {
			t.Errorf("%d browsers are known", n)
		}
	})
}

// An unused invitation is renewed only for the address that it was sent to.
func TestAnInvitationIsRenewedForItsAddressOnly(t *testing.T) {
	s := newSite(t)
	s.inviteAnn()
	s.settled(db.LetterAccepted, "250 ok")
	olga, record := s.as("Olga"), "/clients/"+s.Ann.PublicID
	olga.post(record+"/edit", "version", olga.get(record+"/edit").hidden("version"), "first_name", "Ann", "last_name", "Abbott", "email", "other@mail.example").want(http.StatusSeeOther)
	s.as("").post("/forgotten-password", "email", "other@mail.example")
	if n := s.lettersTo("other@mail.example", db.LetterInvitation); n != 0 {
		t.Errorf("%d invitations went to an address that nobody invited", n)
	}
}

// Who chooses a new password by mail hears that passkeys open the account all the same.
func TestANewPasswordTellsOfPasskeys(t *testing.T) {
	const told = "Passkeys of this account still sign in without it"
	s := newSite(t)
	reset := func() answer {
		b := s.as("")
		b.post("/forgotten-password", "email", "mia@mail.example")
		b.get(s.mailedLink(s.Mia.ID, 0)).wantTo("/choose-password")
		return b.follow(b.post("/choose-password", "password", "three grey herons fishing"))
	}
	if a := reset().want(http.StatusOK); strings.Contains(a.body, told) {
		t.Error("told of passkeys that there are none of")
	}
	b := s.as("")
	b.post("/sign-in", "email", "mia@mail.example", "password", "three grey herons fishing").wantTo("/portal")
	b.addsPasskey(cast.NewAuthenticator()).want(http.StatusOK)
	reset().want(http.StatusOK, told, "Your second step")
}
