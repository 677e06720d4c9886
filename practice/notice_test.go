package practice_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"anteroom/db"
	"anteroom/practice"
	"anteroom/practice/cast"

	"github.com/pquerna/otp/totp"
)

// comesIn signs somebody in at a browser.
func comesIn(t *testing.T, c *cast.Cast, address, device, words string) {
	t.Helper()
	if _, _, err := c.Practice.SignIn(t.Context(), address, cast.Password, practice.Browser{Network: "192.0.2.1", Device: device, Words: words}); err != nil {
		t.Fatal(err)
	}
}

// lettersLeave has the relay take what waits.
func lettersLeave(t *testing.T, c *cast.Cast) {
	t.Helper()
	update(t, c, func(tx *db.Tx) error {
		_, err := tx.ExecContext(t.Context(), "UPDATE letters SET state = 'accepted', settled_at = created_at WHERE state = 'queued'")
		return err
	})
}

// noticesTo counts the letters of a kind to somebody.
func noticesTo(t *testing.T, c *cast.Cast, clientID, staffID int64, kind db.LetterKind) (n int) {
	t.Helper()
	for _, l := range lettersTo(t, c, clientID, staffID) {
		if l.Kind == kind {
			n++
		}
	}
	return n
}

// A letter tells of a browser that somebody was never in at before, but for the first one; not again for a year.
func TestNewDeviceIsTold(t *testing.T) {
	for _, who := range []struct {
		name, address string
		id            func(*cast.Cast) (clientID, staffID int64)
	}{
		{"a client", "mia@mail.example", func(c *cast.Cast) (int64, int64) { return c.Mia.ID, 0 }},
		{"a therapist", "tom@willow.example", func(c *cast.Cast) (int64, int64) { return 0, staffID(t, c, c.Tom.PublicID()) }},
	} {
		t.Run(who.name, func(t *testing.T) {
			c := cast.New(t)
			clientID, staffID := who.id(c)
			step := func(what, device string, want int) {
				t.Helper()
				comesIn(t, c, who.address, device, "Firefox on Windows")
				if n := noticesTo(t, c, clientID, staffID, db.LetterNewDevice); n != want {
					t.Errorf("%s: %d letters, want %d", what, n, want)
				}
				lettersLeave(t, c)
			}
			step("the first browser", "one", 0)
			step("the same again", "one", 0)
			step("no browser's cookie", "", 0)
			step("another", "two", 1)
			step("that one again", "two", 1)
			step("the first again", "one", 1)
			comesIn(t, c, "leo@mail.example", "three", "") // is known of Leo, and of nobody else
			step("somebody else's", "three", 2)
			c.Clock.Move(300 * 24 * time.Hour)
			step("before a year is over", "one", 2)
			c.Clock.Move(100 * 24 * time.Hour)
			if err := c.Practice.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
			step("used within the year", "one", 0) // the letters from before are forgotten by now
			step("unused for a year", "two", 1)
		})
	}
}

// Fifty browsers of a person are remembered, and for each more the one that was longest out of use is forgotten.
func TestKnownDevicesAreBounded(t *testing.T) {
	c := cast.New(t)
	for i := range 60 {
		c.Clock.Move(20 * time.Minute)
		comesIn(t, c, "mia@mail.example", strings.Repeat("x", i+1), "")
	}
	var kept int
	if err := c.DB.View(t.Context(), func(tx *db.Tx) error {
		return tx.QueryRowContext(t.Context(), "SELECT count(*) FROM devices WHERE client_id = ?", c.Mia.ID).Scan(&kept)
	}); err != nil {
		t.Fatal(err)
	}
	if kept != 50 {
		t.Errorf("%d browsers are remembered, want 50", kept)
	}
	c.Clock.Move(25 * time.Hour)
	lettersLeave(t, c)
	told := noticesTo(t, c, c.Mia.ID, 0, db.LetterNewDevice)
	comesIn(t, c, "mia@mail.example", strings.Repeat("x", 11), "")
	if n := noticesTo(t, c, c.Mia.ID, 0, db.LetterNewDevice); n != told {
		t.Error("the fiftieth last browser was forgotten")
	}
	comesIn(t, c, "mia@mail.example", strings.Repeat("x", 10), "")
	if n := noticesTo(t, c, c.Mia.ID, 0, db.LetterNewDevice); n != told+1 {
		t.Error("the one before it was not")
	}
}

// The letter says when and at what, in the reader's language, leads to where a password is asked for anew, and says no word
// of forms. Nothing that it holds opens anything.
func TestNewDeviceLetter(t *testing.T) {
	for tag, words := range map[string][]string{
		"en": {"Monday, November 2, 2026, 10:04 AM", "Firefox on Windows", "Choose a new password", "/forgotten-password", "tell us"},
		"es": {"lunes, 2 de noviembre de 2026, 10:04 a. m.", "Firefox en Windows", "Elegir una contrase=C3=B1a nueva", "/forgotten-password"},
	} {
		c := cast.New(t)
		reads(t, c, tag, &c.Mia)
		comesIn(t, c, "mia@mail.example", "one", "")
		comesIn(t, c, "mia@mail.example", "two", "Firefox on Windows")
		mail := strings.ReplaceAll(lastMail(t, c), "=\r\n", "")
		for _, word := range words {
			if !strings.Contains(mail, word) {
				t.Errorf("%s: no %q in\n%s", tag, word, mail)
			}
		}
		for _, word := range []string{"/link/", "form", "PHQ"} {
			if strings.Contains(strings.NewReplacer("Content-Transfer", "", "platform", "", "format", "").Replace(mail), word) {
				t.Errorf("%s: %q in\n%s", tag, word, mail)
			}
		}
	}
}

// Whoever chooses a new password by a mailed link is told of it, once, wherever they are; whoever chooses their first isn't.
func TestPasswordChangeIsTold(t *testing.T) {
	c := cast.New(t)
	comesIn(t, c, "mia@mail.example", "one", "")
	if err := c.Practice.ForgotPassword(t.Context(), "mia@mail.example", "192.0.2.1"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Practice.ChoosePassword(t.Context(), lastToken(t, c, c.Mia.ID, 0), "another quiet place", practice.Browser{Network: "192.0.2.1", Device: "two"}); err != nil {
		t.Fatal(err)
	}
	if own, device := noticesTo(t, c, c.Mia.ID, 0, db.LetterOwnAccount), noticesTo(t, c, c.Mia.ID, 0, db.LetterNewDevice); own != 1 || device != 0 {
		t.Errorf("%d letters about the password, %d about the browser; want 1 and 0", own, device)
	}
	if _, _, err := c.Practice.ChoosePassword(t.Context(), invite(t, c), "another quiet place", practice.Browser{Network: "192.0.2.1", Device: "two"}); err != nil {
		t.Fatal(err)
	}
	if own, device := noticesTo(t, c, c.Ann.ID, 0, db.LetterOwnAccount), noticesTo(t, c, c.Ann.ID, 0, db.LetterNewDevice); own != 0 || device != 0 {
		t.Errorf("Ann, who joined: %d and %d letters, want none", own, device)
	}
}

// A notice that waited for more than a day is dropped, also where somebody would have it tried again; and it is no sending.
func TestLateNoticesAreDropped(t *testing.T) {
	c := cast.New(t)
	comesIn(t, c, "mia@mail.example", "one", "")
	comesIn(t, c, "mia@mail.example", "two", "")
	notice := lettersTo(t, c, c.Mia.ID, 0)[0]
	if d := details(t, c, c.Mia); len(d.Sendings) != 0 || len(d.Letters) != 1 || d.Letters[0].Kind != db.LetterNewDevice {
		t.Errorf("Client Details shows sendings %v and letters %v", d.Sendings, d.Letters)
	}
	comesIn(t, c, "mia@mail.example", "three", "")
	update(t, c, func(tx *db.Tx) error {
		_, err := tx.ExecContext(t.Context(), "UPDATE letters SET state = 'failed', settled_at = created_at WHERE id = ?", notice.ID)
		return err
	})
	if err := c.Practice.RetryLetter(t.Context(), c.Olga, notice.PublicID); err != nil {
		t.Errorf("a newer notice took its place: %v", err)
	}
	c.Clock.Move(25 * time.Hour)
	if err := c.Practice.RetryLetter(t.Context(), c.Olga, notice.PublicID); !strings.Contains(errors.Join(err).Error(), "more than a day") {
		t.Errorf("tried again after more than a day: %v", err)
	}
}

// Whoever is in doesn't fill the outbox: nobody is told the same while a letter that says it waits, nor more than five times a
// day. What else happened is told all the same, and the audit log has each.
func TestNoticesAreBounded(t *testing.T) {
	c := cast.New(t)
	signedIn := func() (n int) {
		update(t, c, func(tx *db.Tx) error {
			return tx.QueryRowContext(t.Context(), "SELECT count(*) FROM audit_entries WHERE act = 'signed in'").Scan(&n)
		})
		return n
	}
	mia, err := c.Practice.Authenticate(t.Context(), c.Sessions["Mia"], false)
	if err != nil {
		t.Fatal(err)
	}
	devices := 0
	comesInAnew := func(want int) {
		t.Helper()
		devices++
		comesIn(t, c, "mia@mail.example", fmt.Sprint("device ", devices), "")
		if n := noticesTo(t, c, c.Mia.ID, 0, db.LetterNewDevice); n != want {
			t.Errorf("after %d browsers: %d letters, want %d", devices, n, want)
		}
	}
	for _, want := range []int{0, 1, 1, 1} { // while the first waits
		comesInAnew(want)
	}
	for _, want := range []int{2, 3, 4, 5, 5, 5} {
		lettersLeave(t, c)
		comesInAnew(want)
	}
	if n := signedIn(); n != devices {
		t.Errorf("%d entries of %d sign-ins", n, devices)
	}
	comesIn(t, c, "leo@mail.example", "one", "")
	comesIn(t, c, "leo@mail.example", "two", "")
	if n := noticesTo(t, c, c.Leo.ID, 0, db.LetterNewDevice); n != 1 {
		t.Errorf("somebody else is told %d times", n)
	}
	c.Clock.Move(25 * time.Hour)
	comesInAnew(6)

	// Notices of one kind that say something else wait beside each other.
	for range 2 {
		for _, what := range practice.Notices() {
			update(t, c, func(tx *db.Tx) error { return c.Practice.Tell(tx, mia, what, practice.Browser{}) })
		}
	}
	if n, want := noticesTo(t, c, c.Mia.ID, 0, db.LetterOwnAccount), len(practice.Notices())-1; n != want {
		t.Errorf("%d letters tell of %d things", n, want)
	}
}

// Nobody is told of the browser where they chose their first password; of every other they are, also before they ever took the second
// step, and when they weren't in for a year.
func TestWhoComesWithANewPasswordIsTold(t *testing.T) {
	c := cast.New(t)
	update(t, c, func(tx *db.Tx) error { return tx.RequireSecondStep(true, true) })
	letters := func(id int64) [2]int {
		return [2]int{noticesTo(t, c, id, 0, db.LetterOwnAccount), noticesTo(t, c, id, 0, db.LetterNewDevice)}
	}
	enrols := func(who practice.Actor, token, device string) {
		t.Helper()
		by, ok := who.Halfway()
		if !ok {
			t.Fatal("not halfway in")
		}
		e, err := c.Practice.FirstEnrolment(t.Context(), by, "")
		if err != nil {
			t.Fatal(err)
		}
		code, err := totp.GenerateCode(strings.ReplaceAll(e.Secret, "-", ""), c.Clock.Now())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Practice.EnrolFirst(t.Context(), by, token, e.Sealed, code, practice.Browser{Device: device}); err != nil {
			t.Fatal(err)
		}
	}
	joins := func() (practice.Actor, string) {
		t.Helper()
		token, who, err := c.Practice.ChoosePassword(t.Context(), invite(t, c), cast.Password, practice.Browser{Device: "Ann's"})
		if err != nil {
			t.Fatal(err)
		}
		return who, token
	}
	who, token := joins()
	enrols(who, token, "Ann's")
	if n := letters(c.Ann.ID); n != [2]int{} {
		t.Errorf("Ann, who joined, has letters: %v", n)
	}
	c.Clock.Move(time.Hour)
	update(t, c, func(tx *db.Tx) error { return tx.DropFactors(c.Ann.ID, 0) })
	token, who, err := c.Practice.SignIn(t.Context(), "ann@mail.example", cast.Password, practice.Browser{Device: "Ann's"})
	if err != nil {
		t.Fatal(err)
	}
	enrols(who, token, "Ann's")
	if n := letters(c.Ann.ID); n != [2]int{1, 0} {
		t.Errorf("set up anew, at a browser where she was in: %v", n)
	}

	// Somebody else has the password, and is faster with the second step.
	c = cast.New(t)
	update(t, c, func(tx *db.Tx) error { return tx.RequireSecondStep(true, true) })
	joins()
	token, who, err = c.Practice.SignIn(t.Context(), "ann@mail.example", cast.Password, practice.Browser{Device: "another"})
	if err != nil {
		t.Fatal(err)
	}
	enrols(who, token, "another")
	if n := letters(c.Ann.ID); n != [2]int{1, 0} {
		t.Errorf("somebody else set up the second step: %v", n)
	}

	// All her browsers are forgotten.
	c = cast.New(t)
	comesIn(t, c, "mia@mail.example", "one", "")
	c.Clock.Move(366 * 24 * time.Hour)
	if err := c.Practice.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	comesIn(t, c, "mia@mail.example", "two", "")
	if n := letters(c.Mia.ID); n != [2]int{0, 1} {
		t.Errorf("at another browser after a year: %v", n)
	}
	lettersLeave(t, c)
	comesIn(t, c, "mia@mail.example", "one", "")
	if n := letters(c.Mia.ID); n != [2]int{0, 2} {
		t.Errorf("at the last one, after a year: %v", n)
	}
}
