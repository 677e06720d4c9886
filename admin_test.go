package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"anteroom/db"
	"anteroom/practice"
)

// typed has a line wait on standard input until the test ends.
func typed(t *testing.T, line string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "stdin")
	if err := os.WriteFile(file, []byte(line+"\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	in, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	before := os.Stdin
	os.Stdin = in
	t.Cleanup(func() { os.Stdin = before; in.Close() })
}

func TestAdminCreate(t *testing.T) {
	folder := t.TempDir()
	const password = "velvet anchor over tin roofs"
	create := func(line string, args ...string) error {
		typed(t, line)
		return run(t.Context(), append([]string{"admin", "create", "-data", folder}, args...))
	}
	wants := func(err error, texts ...string) {
		t.Helper()
		for _, text := range texts {
			if err == nil || !strings.Contains(err.Error(), text) {
				t.Errorf("%v does not say %q", err, text)
			}
		}
	}
	wants(create("short", "-name", "Olga Olson", "-email", "olga"), "-email: ", "the password: ", "-practice: ", "-phone: ", "-time-zone: ")
	wants(create(password, "-name", "Olga Olson", "extra"), `what is "extra"?`)
	if err := create(password, "-name", "Olga Olson", "-email", "olga@willow.example",
		"-practice", "Willow Street Counseling", "-phone", "555-0100", "-time-zone", "America/New_York"); err != nil {
		t.Fatal(err)
	}
	wants(create(password, "-name", "Olga Olson", "-email", "OLGA@willow.example"), "-email: ")
	if err := create(password, "-name", "Otto Olson", "-email", "otto@willow.example"); err != nil {
		t.Fatal(err)
	}

	database, err := db.Open(t.Context(), folder, "", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer database.Close()
	p := practice.New(database, practice.Config{})
	for _, address := range []string{"olga@willow.example", "otto@willow.example"} {
		if _, who, err := p.SignIn(t.Context(), address, password, practice.Browser{Network: "192.0.2.1"}); err != nil {
			t.Error(address, err)
		} else if _, ok := who.Halfway(); !ok {
			t.Error(address, "is not halfway in")
		}
	}
	if err := create(password, "-name", "Eve", "-email", "eve@willow.example"); !errors.Is(err, db.ErrLocked) {
		t.Errorf("while the folder is held: %v", err)
	}
}

func TestClientDelete(t *testing.T) {
	folder := t.TempDir()
	database, err := db.Open(t.Context(), folder, "", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	ann := db.Client{FirstName: "Ann", LastName: "Abbott"}
	if err := database.Update(t.Context(), func(tx *db.Tx) error { return tx.AddClient(&ann) }); err != nil {
		t.Fatal(err)
	}
	remove := func(args ...string) error {
		return run(t.Context(), append([]string{"client", "delete", "-data", folder}, args...))
	}
	wants := func(err error, text string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%v does not say %q", err, text)
		}
	}
	if err := remove("-id", ann.PublicID); !errors.Is(err, db.ErrLocked) {
		t.Errorf("while the folder is held: %v", err)
	}
	if err := database.Close(); err != nil {
		t.Fatal(err)
	}
	wants(remove(), "-id")
	wants(remove("-id", "nobody"), "no client with this id")
	wants(remove("-id", ann.PublicID, "-confirm", "Abbott, Ann"), "Archive the client first")
	there := func() bool {
		database, err := db.Open(t.Context(), folder, "", time.Now)
		if err != nil {
			t.Fatal(err)
		}
		defer database.Close()
		return database.Update(t.Context(), func(tx *db.Tx) error {
			c, err := tx.Client(db.Everybody(), ann.PublicID)
			if err != nil {
				return err
			}
			return tx.ArchiveClient(c.ID, true)
		}) == nil
	}
	if !there() {
		t.Fatal("Ann is gone")
	}
	wants(remove("-id", ann.PublicID, "-confirm", "Ann Abbott"), "Abbott, Ann")
	if err := remove("-id", ann.PublicID); err != nil || !there() { // only tells
		t.Errorf("deleted without being confirmed, or %v", err)
	}
	if err := remove("-id", ann.PublicID, "-confirm", "Abbott, Ann"); err != nil || there() {
		t.Errorf("Ann is still there, or %v", err)
	}
}
