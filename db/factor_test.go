package db

import (
	"errors"
	"path/filepath"
	"testing"
	"time"
)

// A second step goes on working while the key is rotated and the old one retired; what was sealed for a form under that one
// doesn't open any more.
func TestSecondStepThroughARotation(t *testing.T) {
	d := openAt(t, filepath.Join(t.TempDir(), "data"))
	answered(t, d, 1)
	const client, staff = 1, 1
	var codes []string
	var sealed string
	step := func(what string, do func(*Tx) error) {
		t.Helper()
		if err := d.Update(t.Context(), do); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	secrets := func(tx *Tx) error {
		ofClient, err := tx.Authenticator(client, 0)
		if err != nil || string(ofClient.Secret) != "the client's" {
			return errors.Join(err, errors.New("the client's secret doesn't open"))
		}
		ofStaff, err := tx.Authenticator(0, staff)
		if err != nil || string(ofStaff.Secret) != "the staff member's" {
			return errors.Join(err, errors.New("the staff member's secret doesn't open"))
		}
		return nil
	}
	step("set up", func(tx *Tx) (err error) {
		if err := errors.Join(tx.SetAuthenticator(client, 0, []byte("the client's"), 7), tx.SetAuthenticator(0, staff, []byte("the staff member's"), 7)); err != nil {
			return err
		}
		sealed = tx.SealFor(client, 0, "a test", []byte("one that waits"), tx.Now().Add(time.Minute))
		if _, err := tx.NewRecoveryCodes(0, staff); err != nil {
			return err
		}
		codes, err = tx.NewRecoveryCodes(client, 0)
		return err
	})
	step("read", secrets)
	rotate(t, d)
	step("read while it is rotated", secrets)
	if _, left, err := d.SealAnew(t.Context()); left != 0 || err != nil {
		t.Fatal(left, err)
	}
	step("open what waits", func(tx *Tx) error {
		secret, err := tx.OpenFor(client, 0, "a test", sealed)
		if string(secret) != "one that waits" {
			return errors.Join(err, errors.New("another secret"))
		}
		return err
	})
	if err := d.RetireKeys(t.Context()); err != nil {
		t.Fatal(err)
	}
	step("read after", secrets)
	step("take a step", func(tx *Tx) error {
		if err := tx.TakeStep(client, 0, 7); !errors.Is(err, ErrNotFound) {
			t.Errorf("the same once more: %v", err)
		}
		return tx.TakeStep(client, 0, 8)
	})
	step("use a recovery code", func(tx *Tx) error { return tx.UseRecoveryCode(client, 0, codes[0]) })
	for _, c := range []struct {
		what          string
		client, staff int64
		code          string
	}{{"the same once more", client, 0, codes[0]}, {"somebody else's", 0, staff, codes[1]}, {"none", client, 0, "AAAABBBBCCCC"}} {
		step(c.what, func(tx *Tx) error {
			if err := tx.UseRecoveryCode(c.client, c.staff, c.code); !errors.Is(err, ErrNotFound) {
				t.Errorf("%s: %v", c.what, err)
			}
			return nil
		})
	}
	step("open what waited under a retired key", func(tx *Tx) error {
		if _, err := tx.OpenFor(client, 0, "a test", sealed); !errors.Is(err, ErrNotFound) {
			t.Errorf("a retired key opens what waited: %v", err)
		}
		return nil
	})
}

// What is sealed for one person opens for nobody else, nor later, nor once it was touched.
func TestSealedForOnePerson(t *testing.T) {
	now := time.Date(2026, 11, 2, 15, 4, 5, 0, time.UTC)
	d := Temp(t, func() time.Time { return now })
	var sealed string
	if err := d.Update(t.Context(), func(tx *Tx) error {
		sealed = tx.SealFor(1, 0, "a test", []byte("secret"), now.Add(time.Minute))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	opens := func(client, staff int64, sealed string) bool {
		var err error
		if fault := d.View(t.Context(), func(tx *Tx) error { _, err = tx.OpenFor(client, staff, "a test", sealed); return nil }); fault != nil {
			t.Fatal(fault)
		}
		return err == nil
	}
	if !opens(1, 0, sealed) {
		t.Fatal("it doesn't open at all")
	}
	touched := []byte(sealed)
	touched[len(touched)-4] ^= 1
	if opens(2, 0, sealed) || opens(0, 1, sealed) || opens(1, 0, string(touched)) || opens(1, 0, "") || opens(1, 0, "x.y") {
		t.Error("it opens for somebody else, or changed")
	}
	now = now.Add(time.Minute + time.Millisecond)
	if opens(1, 0, sealed) {
		t.Error("it opens too late")
	}

	for _, statement := range []string{
		"UPDATE authenticators SET client_id = 2 WHERE client_id = 1",
		"UPDATE authenticators SET client_id = NULL, staff_id = 1 WHERE client_id = 1",
	} {
		err := d.Update(t.Context(), func(tx *Tx) error {
			for _, c := range []string{"Ann", "Ben"} {
				if err := tx.AddClient(&Client{FirstName: c, LastName: "Abbott"}); err != nil {
					return err
				}
			}
			email, _ := ParseEmail("olga@willow.example")
			if err := errors.Join(tx.AddStaff(&StaffMember{Name: "Olga Olson", Role: RoleAdministrator, Email: email}), tx.SetAuthenticator(1, 0, []byte("secret"), 0)); err != nil {
				return err
			}
			if _, err := tx.exec(statement); err != nil {
				return err
			}
			for _, whose := range [][2]int64{{2, 0}, {0, 1}} {
				if a, err := tx.Authenticator(whose[0], whose[1]); err == nil {
					t.Errorf("%s: the secret opens: %s", statement, a.Secret)
				}
			}
			return errRollback
		})
		if !errors.Is(err, errRollback) {
			t.Fatal(err)
		}
	}
}

var errRollback = errors.New("as if nothing had been")
