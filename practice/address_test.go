package practice_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"anteroom/db"
	"anteroom/practice"
	"anteroom/practice/cast"
)

// newEmail has a staff member put another address on a client's record.
func newEmail(t *testing.T, c *cast.Cast, by practice.Staff, client db.Client, email string) error {
	t.Helper()
	r, err := c.Practice.ClientToEdit(t.Context(), by, client.PublicID)
	if err != nil {
		t.Fatal(err)
	}
	fields := practice.FieldsOf(r)
	fields.Email = email
	return c.Practice.ChangeClient(t.Context(), by, client.PublicID, fields)
}

func details(t *testing.T, c *cast.Cast, client db.Client) practice.ClientDetails {
	t.Helper()
	d, err := c.Practice.OpenClient(t.Context(), c.Olga.Staff, client.PublicID, false)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// addressToken is the token in the last letter to a client's new address.
func addressToken(t *testing.T, c *cast.Cast, client db.Client) (token string) {
	t.Helper()
	for _, l := range letters(t, c, client) {
		if l.Kind == db.LetterNewAddress {
			if err := c.DB.View(t.Context(), func(tx *db.Tx) (err error) {
				_, token, err = tx.LinkToken(l.LinkID)
				return err
			}); err != nil {
				t.Fatal(err)
			}
			return token
		}
	}
	t.Fatal("no letter went to the new address")
	return ""
}

func signedIn(t *testing.T, c *cast.Cast, session string) bool {
	t.Helper()
	who, err := c.Practice.Authenticate(t.Context(), session, true)
	if err != nil {
		t.Fatal(err)
	}
	return !who.Nobody()
}

const network = "198.51.100.7"

func TestStaffChangeTheAddressOfAnAccount(t *testing.T) {
	c := cast.New(t)
	if err := newEmail(t, c, c.Tom, c.Mia, "mia@oak.example"); err != nil {
		t.Fatal(err)
	}
	d := details(t, c, c.Mia)
	if d.Email.String() != "mia@mail.example" || d.NewAddress.Email.String() != "mia@oak.example" || !d.NewAddress.EndsAt.Equal(c.Clock.Now().Truncate(time.Millisecond).Add(7*24*time.Hour)) {
		t.Errorf("on file %s, waiting %+v", d.Email, d.NewAddress)
	}
	if signedIn(t, c, c.Sessions["Mia"]) {
		t.Error("Mia is still signed in")
	}
	if !signsIn(t, c, "mia@mail.example", cast.Password) || signsIn(t, c, "mia@oak.example", cast.Password) {
		t.Error("the new address signs in before it is confirmed, or the old one doesn't")
	}
	all := letters(t, c, c.Mia)
	if len(all) != 2 || all[0].Kind != db.LetterOldAddress || all[0].To.String() != "mia@mail.example" || all[0].LinkID != 0 ||
		all[1].Kind != db.LetterNewAddress || all[1].To.String() != "mia@oak.example" {
		t.Fatalf("letters: %+v", all)
	}
	if strings.Contains(string(data(t, c, all[0])), "oak.example") || !strings.Contains(string(data(t, c, all[0])), "555-0100") {
		t.Error("the old address is told the new one, or not whom to call")
	}
	if claimed := claim(t, c); len(claimed) != 2 {
		t.Errorf("%d of both letters leave", len(claimed))
	}

	// Looking spends nothing, and neither does a password that can't be; a good one confirms.
	token := addressToken(t, c, c.Mia)
	wantState(t, c, token, practice.LinkLive)
	if _, _, err := c.Practice.ConfirmAddress(t.Context(), token, cast.Password, practice.Browser{Network: network}); err == nil {
		t.Error("confirmed like an address that the client asked for")
	}
	_, _, err := c.Practice.ChoosePassword(t.Context(), token, "", practice.Browser{Network: network})
	wantInvalid(t, err, "password")
	session, _, err := c.Practice.ChoosePassword(t.Context(), token, newPassword, practice.Browser{Network: network})
	if err != nil || !signedIn(t, c, session) {
		t.Fatalf("not signed in: %v", err)
	}
	if signsIn(t, c, "mia@mail.example", newPassword) || !signsIn(t, c, "mia@oak.example", newPassword) {
		t.Error("the login has not moved")
	}
	d = details(t, c, c.Mia)
	if d.Email.String() != "mia@oak.example" || d.NewAddress.ClientID != 0 || d.History[0].Act != "confirmed the new email address" || d.History[1].Act != "gave the client another email address, to be confirmed" {
		t.Errorf("on file %s, history %+v", d.Email, d.History)
	}
	_, _, err = c.Practice.ChoosePassword(t.Context(), token, newPassword, practice.Browser{Network: network})
	var over practice.NotLive
	if !errors.As(err, &over) || over.State != practice.LinkUsed {
		t.Errorf("the link works twice: %v", err)
	}
	add(t, c, c.Olga.Staff, practice.ClientFields{FirstName: "Max", LastName: "Moreno", Email: "mia@mail.example"}) // the old one is free
}

func TestClientsChangeTheirAddress(t *testing.T) {
	c := cast.New(t)
	ask := func(address, password string) error {
		return c.Practice.AskForAddress(t.Context(), c.MiaActor, address, password, network)
	}
	wantInvalid(t, ask("nonsense", cast.Password), "email")
	wantInvalid(t, ask("MIA@mail.example", cast.Password), "email")
	wantInvalid(t, ask("mia@oak.example", "a wrong password"), "password")
	if err := ask("mia@oak.example", cast.Password); err != nil {
		t.Fatal(err)
	}
	if !signedIn(t, c, c.Sessions["Mia"]) {
		t.Error("asking signed Mia out")
	}
	token := addressToken(t, c, c.Mia)
	_, _, err := c.Practice.ChoosePassword(t.Context(), token, newPassword, practice.Browser{Network: network})
	var over practice.NotLive
	if !errors.As(err, &over) {
		t.Errorf("whoever holds the link can choose a password: %v", err)
	}
	_, _, err = c.Practice.ConfirmAddress(t.Context(), token, newPassword, practice.Browser{Network: network})
	wantInvalid(t, err, "password")
	wantState(t, c, token, practice.LinkLive)
	session, _, err := c.Practice.ConfirmAddress(t.Context(), token, cast.Password, practice.Browser{Network: network})
	if err != nil || !signedIn(t, c, session) || signedIn(t, c, c.Sessions["Mia"]) {
		t.Fatalf("signed in here %v, elsewhere too: %v", signedIn(t, c, session), err)
	}
	if !signsIn(t, c, "mia@oak.example", cast.Password) || signsIn(t, c, "mia@mail.example", cast.Password) {
		t.Error("the login has not moved")
	}
}

// Whoever has the link to an address that was mistyped, and guesses at the password, keeps the client from nothing.
func TestGuessesAtALinkStopNoProof(t *testing.T) {
	c := cast.New(t)
	if err := c.Practice.AskForAddress(t.Context(), c.MiaActor, "mia@aok.example", cast.Password, network); err != nil {
		t.Fatal(err)
	}
	token, stranger := addressToken(t, c, c.Mia), practice.Browser{Network: "203.0.113.9"}
	for range 5 {
		_, _, err := c.Practice.ConfirmAddress(t.Context(), token, "a wrong password", stranger)
		wantInvalid(t, err, "password")
	}
	if _, _, err := c.Practice.ConfirmAddress(t.Context(), token, cast.Password, stranger); err == nil {
		t.Error("guesses with a link aren't counted")
	}
	who, err := c.Practice.Authenticate(t.Context(), c.Sessions["Mia"], true)
	if err != nil {
		t.Fatal(err)
	}
	mia, _ := who.Person()
	renewed, _, err := c.Practice.Confirm(t.Context(), mia, c.Sessions["Mia"], practice.Proof{Password: cast.Password}, practice.Browser{Network: network})
	if err != nil {
		t.Error("kept from a proof:", err)
	}
	if _, err := c.Practice.ChangePassword(t.Context(), mia, renewed, cast.Password, newPassword, practice.Browser{Network: network}); err != nil {
		t.Error("kept from changing the password:", err)
	}
}

// Whoever reads the old mailbox gets no new password with what was sent there, whether it came before the change was asked for or after.
func TestALinkToTheOldAddressOpensNothing(t *testing.T) {
	c := cast.New(t)
	if err := c.Practice.AskForAddress(t.Context(), c.MiaActor, "mia@oak.example", cast.Password, network); err != nil {
		t.Fatal(err)
	}
	confirm := addressToken(t, c, c.Mia)
	if err := c.Practice.ForgotPassword(t.Context(), "mia@mail.example", network); err != nil {
		t.Fatal(err)
	}
	forgotten := lastToken(t, c, c.Mia.ID, 0)
	wantState(t, c, forgotten, practice.LinkLive)
	if _, _, err := c.Practice.ConfirmAddress(t.Context(), confirm, cast.Password, practice.Browser{Network: network}); err != nil {
		t.Fatal(err)
	}
	wantState(t, c, forgotten, practice.LinkEnded)
	for _, l := range letters(t, c, c.Mia) {
		if l.Kind == db.LetterNewPassword && l.State == db.LetterQueued {
			t.Error("a letter with a link to the account still waits for the old mailbox")
		}
	}
}

// An open session and the password move no login away from whoever takes a second step: that asks for the step anew.
func TestANewAddressAsksForTheSecondStep(t *testing.T) {
	c := cast.New(t)
	if err := c.DB.Update(t.Context(), func(tx *db.Tx) error {
		_, err := tx.ExecContext(t.Context(), "UPDATE sessions SET stepped_at = created_at, confirmed_at = created_at")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	c.Clock.Move(11 * time.Minute)
	who, err := c.Practice.Authenticate(t.Context(), c.Sessions["Mia"], true)
	if err != nil {
		t.Fatal(err)
	}
	mia, _ := who.Client()
	ask := func() error {
		return c.Practice.AskForAddress(t.Context(), mia, "mia@oak.example", cast.Password, network)
	}
	if err := ask(); err != nil {
		t.Error(err)
	}
	if err := c.DB.Update(t.Context(), func(tx *db.Tx) error {
		return tx.SetAuthenticator(c.Mia.ID, 0, make([]byte, 20), 0)
	}); err != nil {
		t.Fatal(err)
	}
	if err := ask(); !errors.Is(err, practice.ErrConfirm) {
		t.Errorf("%v, want to be asked who it is", err)
	}
}

// Whether an address can be used is not told to a client, by answer or letter, and nothing of theirs is lost by asking.
func TestClientsLearnNothingOfOthersAddresses(t *testing.T) {
	c := cast.New(t)
	if err := c.Practice.AskForAddress(t.Context(), c.MiaActor, "mia@oak.example", cast.Password, network); err != nil {
		t.Fatal(err)
	}
	for _, taken := range []string{"LEO@mail.example", "tom@willow.example"} {
		if err := c.Practice.AskForAddress(t.Context(), c.MiaActor, taken, cast.Password, network); err != nil {
			t.Errorf("%s: %v", taken, err)
		}
	}
	if n := len(letters(t, c, c.Mia)); n != 2 {
		t.Errorf("%d letters, want the two about the address that can be used", n)
	}
	if d := details(t, c, c.Mia); d.NewAddress.Email.String() != "mia@oak.example" {
		t.Errorf("waiting: %+v", d.NewAddress)
	}
	// What Mia asked for, nobody else gets; and she can't ask for ever.
	_, err := c.Practice.AddClient(t.Context(), c.Olga.Staff, practice.ClientFields{FirstName: "A", LastName: "B", Email: "Mia@Oak.example"})
	wantInvalid(t, err, "email")
	wantInvalid(t, c.Practice.AskForAddress(t.Context(), c.MiaActor, "mia@elm.example", cast.Password, network), "email")
	// … but only for as long as it waits.
	c.Clock.Move(24*time.Hour + time.Minute)
	add(t, c, c.Olga.Staff, practice.ClientFields{FirstName: "A", LastName: "B", Email: "Mia@Oak.example"})
	wantState(t, c, addressToken(t, c, c.Mia), practice.LinkExpired)
}

func TestNewAddressIsSentAgainOrWithdrawn(t *testing.T) {
	c := cast.New(t)
	if err := c.Practice.ResendAddressLink(t.Context(), c.Olga.Staff, c.Mia.PublicID); !errors.Is(err, db.ErrClosed) {
		t.Errorf("nothing to send again: %v", err)
	}
	if err := newEmail(t, c, c.Olga.Staff, c.Mia, "mia@oak.example"); err != nil {
		t.Fatal(err)
	}
	first := addressToken(t, c, c.Mia)
	wantInvalid(t, c.Practice.ResendAddressLink(t.Context(), c.Tom, c.Mia.PublicID), "address")
	c.Clock.Move(5 * time.Minute)
	if err := c.Practice.ResendAddressLink(t.Context(), c.Tom, c.Mia.PublicID); err != nil {
		t.Fatal(err)
	}
	second := addressToken(t, c, c.Mia)
	wantState(t, c, first, practice.LinkEnded)
	wantState(t, c, second, practice.LinkLive)
	for who, by := range map[string]practice.Staff{"Tess": c.Tess, "Finn": c.Finn} {
		if err := c.Practice.WithdrawAddress(t.Context(), by, c.Mia.PublicID); !errors.Is(err, practice.ErrNotFound) && !errors.Is(err, practice.ErrNotAllowed) {
			t.Errorf("%s withdraws it: %v", who, err)
		}
	}
	if err := c.Practice.WithdrawAddress(t.Context(), c.Tom, c.Mia.PublicID); err != nil {
		t.Fatal(err)
	}
	wantState(t, c, second, practice.LinkEnded)
	for _, l := range claim(t, c) {
		if l.Kind == db.LetterNewAddress {
			t.Error("a letter to the withdrawn address leaves")
		}
	}
	if d := details(t, c, c.Mia); d.NewAddress.ClientID != 0 || d.History[0].Act != "withdrew the new address" {
		t.Errorf("waiting %+v, history %+v", d.NewAddress, d.History[0])
	}
	// Archiving, turning off and a newer address end one that waits.
	for _, end := range []func() error{
		func() error { return newEmail(t, c, c.Tom, c.Mia, "mia@elm.example") },
		func() error { return c.Practice.TurnPortal(t.Context(), c.Olga, c.Mia.PublicID, false) },
	} {
		if err := newEmail(t, c, c.Tom, c.Mia, "mia@oak.example"); err != nil {
			t.Fatal(err)
		}
		token := addressToken(t, c, c.Mia)
		if err := end(); err != nil {
			t.Fatal(err)
		}
		wantState(t, c, token, practice.LinkEnded)
		add(t, c, c.Olga.Staff, practice.ClientFields{FirstName: "A", LastName: "B", Email: "mia@oak.example"})
		if _, err := c.Practice.ArchiveChosen(t.Context(), c.Olga, practice.Chosen{All: &practice.ClientQuery{Words: "oak.example"}}, true); err != nil {
			t.Fatal(err)
		}
		page, err := c.Practice.Clients(t.Context(), c.Olga.Staff, practice.ClientQuery{Archived: true, Words: "oak.example"}, 1)
		if err != nil || page.Total != 1 {
			t.Fatal(page.Total, err)
		}
		if err := c.Practice.ReleaseAddress(t.Context(), c.Olga.Staff, page.Rows[0].PublicID); err != nil {
			t.Fatal(err)
		}
	}
}

// claim has the outbox take all letters that are due.
func claim(t *testing.T, c *cast.Cast) (claimed []db.Letter) {
	t.Helper()
	if err := c.DB.Update(t.Context(), func(tx *db.Tx) (err error) {
		claimed, err = tx.ClaimLetters(100, time.Minute)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return claimed
}

// data is the whole mail.
func data(t *testing.T, c *cast.Cast, l db.Letter) (mail []byte) {
	t.Helper()
	if err := c.DB.View(t.Context(), func(tx *db.Tx) error {
		return tx.QueryRow("SELECT data FROM letter_mails WHERE letter_id = ?", l.ID).Scan(&mail)
	}); err != nil {
		t.Fatal(err)
	}
	return mail
}

// Who may edit a record, but not read what its client answered, gets into the portal no more than before.
func TestEditingDoesNotOpenAnAccount(t *testing.T) {
	c := cast.New(t)
	grant := func(id string, permissions ...db.Permission) {
		t.Helper()
		if _, err := c.Practice.ChangeStaff(t.Context(), c.Olga, id, practice.StaffEntry{Name: "Finn Frey", Role: db.RoleStaff, Permissions: permissions}); err != nil {
			t.Fatal(err)
		}
	}
	grant(c.Finn.PublicID(), db.MayEditClients)
	who, err := c.Practice.Authenticate(t.Context(), c.Sessions["Finn"], true)
	if err != nil {
		t.Fatal(err)
	}
	finn, _ := who.Staff()
	if err := newEmail(t, c, finn, c.Leo, "finns.own@oak.example"); err != nil {
		t.Fatal(err)
	}
	token := addressToken(t, c, c.Leo)
	var over practice.NotLive
	if _, _, err := c.Practice.ChoosePassword(t.Context(), token, newPassword, practice.Browser{Network: network}); !errors.As(err, &over) {
		t.Fatalf("Finn chooses a password for Leo: %v", err)
	}
	if l, err := c.Practice.OpenLink(t.Context(), token); err != nil || !l.OwnPassword {
		t.Errorf("the link doesn't ask for Leo's own password: %+v %v", l, err)
	}
	grant(c.Finn.PublicID(), db.MayEditClients, db.MayReadForms)
	if l, err := c.Practice.OpenLink(t.Context(), token); err != nil || l.OwnPassword {
		t.Errorf("whoever may read everything can't vouch: %+v %v", l, err)
	}
	if _, err := c.Practice.DisableStaff(t.Context(), c.Olga, c.Finn.PublicID(), practice.KeepAssigned); err != nil {
		t.Fatal(err)
	}
	if l, err := c.Practice.OpenLink(t.Context(), token); err != nil || !l.OwnPassword {
		t.Errorf("somebody who has left vouches: %+v %v", l, err)
	}
	if _, _, err := c.Practice.ConfirmAddress(t.Context(), token, cast.Password, practice.Browser{Network: network}); err != nil {
		t.Errorf("Leo can't confirm: %v", err)
	}
}
