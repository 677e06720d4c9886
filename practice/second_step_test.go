package practice_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"anteroom/db"
	"anteroom/practice"
	"anteroom/practice/cast"

	"github.com/pquerna/otp/hotp"
)

// Whoever has only the password uses up the codes of their own network; those of the owner elsewhere, and of who is in already, are
// taken. From all networks together only so many are looked at.
func TestWrongCodesKeepTheOwnerOutOfNothing(t *testing.T) {
	c := cast.New(t)
	secret := []byte("twenty bytes of Mia.")
	var recovery []string
	update(t, c, func(tx *db.Tx) (err error) {
		if err := tx.SetAuthenticator(c.Mia.ID, 0, secret, 0); err != nil {
			return err
		}
		recovery, err = tx.NewRecoveryCodes(c.Mia.ID, 0)
		return err
	})
	code := func() string {
		t.Helper()
		c.Clock.Move(30 * time.Second) // each counts once
		code, err := hotp.GenerateCode("OR3WK3TUPEQGE6LUMVZSA33GEBGWSYJO", uint64(c.Clock.Now().Unix()/30))
		if err != nil {
			t.Fatal(err)
		}
		return code
	}
	halfway := func(network string) (practice.Halfway, string) {
		t.Helper()
		token, who, err := c.Practice.SignIn(t.Context(), "mia@mail.example", cast.Password, practice.Browser{Network: network})
		by, ok := who.Halfway()
		if err != nil || !ok {
			t.Fatal("not halfway in", err)
		}
		return by, token
	}
	try := func(network, code string) (who practice.Actor, token string, err error) {
		t.Helper()
		by, token := halfway(network)
		taken, err := c.Practice.TakeStep(t.Context(), by, token, code, practice.Browser{Network: network})
		return taken.Who, taken.Session, err
	}
	wrong := func(network string, kinds ...string) {
		t.Helper()
		for _, code := range kinds {
			for range 5 {
				if _, _, err := try(network, code); err == nil || strings.Contains(err.Error(), "Too many") {
					t.Fatalf("%s from %s: %v", code, network, err)
				}
			}
		}
	}
	who, session, err := try("home", code())
	if err != nil {
		t.Fatal(err)
	}
	confirm := func(code string) error {
		t.Helper()
		mia, _ := who.Person()
		renewed, now, err := c.Practice.Confirm(t.Context(), mia, session, practice.Proof{Code: code}, practice.Browser{Network: "home"})
		if err == nil {
			session, who = renewed, now
		}
		return err
	}

	wrong("a thief's", "000000", "AAAAAAAAAAAA")
	if _, _, err := try("a thief's", code()); err == nil {
		t.Error("a sixth code from one network is looked at")
	}
	if err := confirm(code()); err != nil {
		t.Error("who is in is kept from a proof:", err)
	}
	if _, _, err := try("office", code()); err != nil {
		t.Error("the owner's code isn't taken elsewhere:", err)
	}
	if _, _, err := try("a thief's", recovery[0]); err == nil {
		t.Error("the owner's right code gave the other network more tries")
	}

	// Twenty from many networks are all; who is in still proves who they are, and wrong codes of theirs count for themselves.
	for i := range 4 {
		wrong(fmt.Sprint("of many ", i), "000000", "AAAAAAAAAAAA")
	}
	for _, code := range []string{code(), recovery[0]} {
		if _, _, err := try("home", code); err == nil || !strings.Contains(err.Error(), "Too many") {
			t.Errorf("after twenty wrong ones: %v", err)
		}
	}
	if err := confirm(code()); err != nil {
		t.Error("who is in is kept from a proof:", err)
	}
	c.Clock.Move(16 * time.Minute)
	if who, session, err = try("home", code()); err != nil {
		t.Fatal("kept out for longer than a quarter of an hour:", err)
	}
	for range 5 {
		if err := confirm("000000"); err == nil {
			t.Fatal("a wrong code is taken")
		}
	}
	if err := confirm(code()); err == nil || !strings.Contains(err.Error(), "Too many") {
		t.Errorf("a sixth proof: %v", err)
	}
	if _, _, err := try("home", code()); err != nil {
		t.Error("wrong proofs keep the owner from signing in:", err)
	}
}
