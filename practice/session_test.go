package practice_test

import (
	"errors"
	"testing"
	"time"

	"anteroom/db"
	"anteroom/practice"
	"anteroom/practice/cast"
)

func TestSignIn(t *testing.T) {
	c := cast.New(t)
	for _, who := range []struct{ address, password, place string }{
		{"olga@willow.example", "a wrong password", "192.0.2.1"},
		{"nobody@willow.example", cast.Password, "192.0.2.2"},
		{"ben@mail.example", cast.Password, "192.0.2.3"}, // a client without an account
		{"not an address", cast.Password, "192.0.2.4"},
	} {
		_, a, err := c.Practice.SignIn(t.Context(), who.address, who.password, practice.Browser{Network: who.place})
		if v, ok := err.(practice.Invalid); !ok || v["password"] == "" || !a.Nobody() {
			t.Errorf("%s: %v", who.address, err)
		}
	}
	token, _, err := c.Practice.SignIn(t.Context(), " OLGA@Willow.example ", cast.Password, practice.Browser{Network: "192.0.2.1"})
	if err != nil {
		t.Fatal(err)
	}
	signedIn := func() bool {
		a, err := c.Practice.Authenticate(t.Context(), token, true)
		if err != nil {
			t.Fatal(err)
		}
		_, ok := a.Administrator()
		return ok
	}
	c.Clock.Move(14 * time.Minute)
	if !signedIn() {
		t.Error("signed out before the idle limit")
	}
	c.Clock.Move(16 * time.Minute)
	if signedIn() {
		t.Error("still signed in after the idle limit")
	}
}

// Who is sent away from a full line made no guess, and is let in once there is room.
func TestSignInWhileTooManyDo(t *testing.T) {
	c := cast.New(t)
	full := c.Practice.FillLine(t)
	for range 10 {
		if _, _, err := c.Practice.SignIn(t.Context(), "olga@willow.example", "a wrong password", practice.Browser{Network: "192.0.2.1"}); !errors.Is(err, practice.ErrCrowded) {
			t.Fatal(err)
		}
	}
	full()
	if _, _, err := c.Practice.SignIn(t.Context(), "olga@willow.example", cast.Password, practice.Browser{Network: "192.0.2.1"}); err != nil {
		t.Error(err)
	}
}

func TestNobodySignsInWithoutEnd(t *testing.T) {
	c := cast.New(t)
	signIn := func() error {
		_, _, err := c.Practice.SignIn(t.Context(), "tom@willow.example", cast.Password, practice.Browser{Network: "192.0.2.1"})
		return err
	}
	for range 100 {
		if err := signIn(); err != nil {
			t.Fatal(err)
		}
	}
	if err := signIn(); err == nil {
		t.Error("a hundred sign-ins are not enough")
	}
	if err := c.DB.View(t.Context(), func(tx *db.Tx) error {
		var n int
		if err := tx.QueryRow("SELECT count(*) FROM sessions WHERE staff_id = (SELECT staff_id FROM email_addresses WHERE canonical = 'tom@willow.example')").Scan(&n); err != nil {
			return err
		}
		if n != 50 {
			t.Errorf("%d sessions", n)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	c.Clock.Move(16 * time.Minute)
	if err := signIn(); err != nil {
		t.Error(err)
	}
}

// Whoever has no more than somebody's password neither ends their sessions, nor keeps them from signing in elsewhere.
func TestPasswordAloneThrowsNobodyOut(t *testing.T) {
	c := cast.New(t)
	tom := staffID(t, c, c.Tom.PublicID())
	comesIn := func(network string) (string, error) {
		t.Helper()
		token, who, err := c.Practice.SignIn(t.Context(), "tom@willow.example", cast.Password, practice.Browser{Network: network})
		if _, halfway := who.Halfway(); err == nil && !halfway {
			t.Fatal("let in with the password alone")
		}
		return token, err
	}
	update(t, c, func(tx *db.Tx) error {
		_, err := tx.ExecContext(t.Context(), "UPDATE sessions SET stepped_at = created_at")
		return errors.Join(err, tx.SetAuthenticator(0, tom, []byte("twenty bytes of Tom.."), 0))
	})
	holds := func(token string) bool {
		t.Helper()
		who, err := c.Practice.Authenticate(t.Context(), token, false)
		if err != nil {
			t.Fatal(err)
		}
		_, halfway := who.Halfway()
		return halfway || !who.Nobody()
	}
	var tokens []string
	for i := range 100 {
		c.Clock.Move(time.Second)
		token, err := comesIn("203.0.113.9")
		if err != nil {
			t.Fatalf("the %dth time: %v", i+1, err)
		}
		tokens = append(tokens, token)
	}
	if !holds(c.Sessions["Tom"]) {
		t.Error("Tom, who was in wholly, was signed out")
	}
	for i, token := range tokens[90:] {
		if want := i >= 5; holds(token) != want {
			t.Errorf("of the last ten halfway in, the %dth still is: %v", i+1, !want)
		}
	}
	for range 10 { // as many as wrong ones would keep the account from everybody
		if _, err := comesIn("203.0.113.9"); err == nil {
			t.Fatal("a hundred from one network are not enough")
		}
	}
	if _, err := comesIn("192.0.2.1"); err != nil {
		t.Errorf("Tom from his own network: %v", err)
	}
}

// Of those who are in wholly, the fifty who were there last stay, however they came in.
func TestWholeSessionsAreBounded(t *testing.T) {
	c := cast.New(t)
	tom := staffID(t, c, c.Tom.PublicID())
	update(t, c, func(tx *db.Tx) error {
		_, err := tx.ExecContext(t.Context(), "UPDATE sessions SET stepped_at = created_at")
		return errors.Join(err, tx.SetAuthenticator(0, tom, []byte("twenty bytes of Tom.."), 0))
	})
	for range 60 {
		c.Clock.Move(time.Second)
		update(t, c, func(tx *db.Tx) error {
			token, err := tx.AddHalfwaySession(db.Session{StaffID: tom})
			if err != nil {
				return err
			}
			_, err = tx.ConfirmSession(token, true)
			return err
		})
	}
	update(t, c, func(tx *db.Tx) error {
		all, err := tx.SessionsOf(0, tom)
		if len(all) != 50 {
			t.Errorf("%d sessions", len(all))
		}
		return err
	})
}
