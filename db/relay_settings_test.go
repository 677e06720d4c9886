package db

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRelaySettingsAreSealed(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "data")
	d := openAt(t, folder)
	from, err := ParseEmail("portal@willow.example")
	if err != nil {
		t.Fatal(err)
	}
	olga := StaffMember{Name: "Olga", Role: RoleAdministrator, Email: from}
	want := RelaySettings{Provider: "google", Host: "smtp.example.com", Port: 587, Security: "starttls", From: from, Username: "portal",
		TokenURL: "https://login.example.com/token", ClientID: "id", Scope: "mail", PerMinute: 30, PerDay: 2000,
		Secrets: RelaySecrets{Password: "canary-password", ClientSecret: "canary-client", RefreshToken: "canary-token"}}
	update := func(f func(tx *Tx) error) error { return d.Update(t.Context(), f) }
	if err := update(func(tx *Tx) error {
		if _, err := tx.RelaySettings(); !errors.Is(err, ErrNotFound) {
			t.Errorf("before anything is set: %v", err)
		}
		if err := tx.AddStaff(&olga); err != nil {
			return err
		}
		want.ChangedBy = olga.ID
		return tx.SaveRelaySettings(want)
	}); err != nil {
		t.Fatal(err)
	}
	if err := update(func(tx *Tx) error {
		got, err := tx.RelaySettings()
		got.ChangedAt = time.Time{}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(Email{})); diff != "" {
			t.Error(diff)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"anteroom.db", "anteroom.db-wal"} {
		if data, err := os.ReadFile(filepath.Join(folder, name)); err != nil || bytes.Contains(data, []byte("canary")) {
			t.Errorf("%s holds a secret, or can't be read: %v", name, err)
		}
	}
	// What is sealed as another row, or was changed, doesn't open.
	if err := update(func(tx *Tx) error {
		_, err := tx.exec("UPDATE relay_settings SET sealed = ?", seal(newAEAD(tx.key().relay), []byte("{}"), "relay_settings", "sealed", "2", tx.key().id))
		if err != nil {
			return err
		}
		if _, err := tx.RelaySettings(); err == nil {
			t.Error("secrets of another place were opened")
		}
		if err := tx.DropRelaySettings(); err != nil {
			return err
		}
		if _, err := tx.RelaySettings(); !errors.Is(err, ErrNotFound) {
			t.Errorf("after it was dropped: %v", err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}
