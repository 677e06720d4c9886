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
