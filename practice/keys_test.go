package practice_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"anteroom/db"
	"anteroom/practice"
	"anteroom/practice/cast"
)

func TestOnlyAFreshAdministratorRotatesTheKey(t *testing.T) {
	c := cast.New(t)
	inUse := func() string {
		t.Helper()
		k, err := c.Practice.Keys(t.Context(), c.Olga)
		if err != nil {
			t.Fatal(err)
		}
		return k.InUse.ID
	}
	first := inUse()
	if err := c.Practice.RotateKey(t.Context(), practice.Administrator{}, first); !errors.Is(err, practice.ErrNotAllowed) {
		t.Errorf("nobody: %v", err)
	}
	if _, err := c.Practice.Keys(t.Context(), practice.Administrator{}); !errors.Is(err, practice.ErrNotAllowed) {
		t.Errorf("nobody looks: %v", err)
	}
	var token string
	if err := c.DB.Update(t.Context(), func(tx *db.Tx) (err error) {
		token, err = tx.AddSession(db.Session{StaffID: 1})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	c.Clock.Move(11 * time.Minute)
	who, err := c.Practice.Authenticate(t.Context(), token, true)
	if err != nil {
		t.Fatal(err)
	}
	stale, _ := who.Administrator()
	if err := c.Practice.RotateKey(t.Context(), stale, first); !errors.Is(err, practice.ErrConfirm) || inUse() != first {
		t.Errorf("without a fresh proof: %v", err)
	}
	if err := c.Practice.RotateKey(t.Context(), c.Olga, "another"); err != nil || inUse() != first {
		t.Errorf("a key that isn't in use: %v", err)
	}
	if err := c.Practice.RotateKey(t.Context(), c.Olga, first); err != nil || inUse() == first {
		t.Errorf("Olga: %v", err)
	}
	if err := c.DB.View(t.Context(), func(tx *db.Tx) error {
		var by int64
		var detail string
		if err := tx.QueryRow("SELECT staff_id, detail FROM audit_entries WHERE act = 'rotated the key'").Scan(&by, &detail); err != nil || by != 1 || detail != "to "+inUse() {
			t.Errorf("the audit log tells of %d, %q, %v", by, detail, err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// What the program does in the background comes to its end, tells of what it can't do, and goes on when it is asked to.
func TestKeepSealed(t *testing.T) {
	c := cast.New(t)
	note := func(client db.Client) {
		t.Helper()
		if err := c.DB.Update(t.Context(), func(tx *db.Tx) error { return tx.SetClientNotes(client.ID, "noted") }); err != nil {
			t.Fatal(err)
		}
	}
	note(c.Ann)
	note(c.Ben)
	ctx, stop := context.WithCancel(t.Context())
	failed, ended := make(chan error), make(chan struct{})
	go func() {
		defer close(ended)
		c.Practice.KeepSealed(ctx, func(err error) { failed <- err })
	}()
	defer func() { stop(); <-ended }()
	state := func() practice.Keys {
		t.Helper()
		k, err := c.Practice.Keys(t.Context(), c.Olga)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	rotate := func() {
		t.Helper()
		if err := c.Practice.RotateKey(t.Context(), c.Olga, state().InUse.ID); err != nil {
			t.Fatal(err)
		}
		for k := state(); k.Sealing; k = state() {
			select {
			case err := <-failed:
				t.Log(err)
			default:
			}
		}
	}
	rotate()
	if k := state(); k.InUse.Clients != 2 || len(k.Older) != 1 || !k.Older[0].Retired || k.Under() || k.Wrapped() != 2 {
		t.Errorf("after the first: %+v", k)
	}
	if err := c.DB.Update(t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec("UPDATE client_keys SET wrapped = zeroblob(60) WHERE client_id = ?", c.Ben.ID)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	rotate()
	if k := state(); k.InUse.Clients != 1 || len(k.Older) != 2 || k.Older[0].Retired || !k.Under() || k.Failed {
		t.Errorf("with one that doesn't open: %+v", k)
	}
}
