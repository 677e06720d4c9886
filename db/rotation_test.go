package db

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// answered is a database of clients with one sealed answer each.
func answered(t *testing.T, d *DB, clients int) {
	t.Helper()
	if err := d.Update(t.Context(), func(tx *Tx) error {
		email, _ := ParseEmail("olga@willow.example")
		olga := StaffMember{Name: "Olga Olson", Role: RoleAdministrator, Email: email}
		if err := errors.Join(tx.AddStaff(&olga), tx.AddForm(Form{Key: "a", Version: "1", Title: "A", Definition: "{}"})); err != nil {
			return err
		}
		all, err := tx.Forms()
		if err != nil {
			return err
		}
		for i := range clients {
			c := Client{FirstName: "Client", LastName: fmt.Sprint("Number", i)}
			if err := tx.AddClient(&c); err != nil {
				return err
			}
			if _, err := tx.AddFormRequest(c.ID, olga.ID, all[0]); err != nil {
				return err
			}
			if err := tx.SaveAnswers(FormRequest{ID: int64(i + 1), ClientID: c.ID}, map[string][]string{"a": {answerOf(c.ID)}}); err != nil {
				return err
			}
		}
		relay := RelaySettings{Host: "relay.example", Port: 587, Security: "starttls", From: email, ChangedBy: olga.ID, Secrets: RelaySecrets{Password: "canary"}}
		return errors.Join(tx.SaveRelaySettings(relay), tx.KeepImport(&Import{AuthorID: olga.ID, FileName: "list.csv", Data: []byte("a,b\n")}))
	}); err != nil {
		t.Fatal(err)
	}
}

func answerOf(clientID int64) string { return fmt.Sprint("answer of ", clientID) }

// opens tells whether everything that answered made opens.
func (tx *Tx) opens() error {
	requests, err := list(tx, readFormRequest, "SELECT "+formRequestColumns)
	if err != nil {
		return err
	}
	for _, r := range requests {
		answers, _, err := tx.Answers(r)
		if err != nil {
			return err
		}
		if got := answers["a"]; len(got) != 1 || got[0] != answerOf(r.ClientID) {
			return fmt.Errorf("client %d answered %q", r.ClientID, got)
		}
	}
	if s, err := tx.RelaySettings(); err != nil || s.Secrets.Password != "canary" {
		return fmt.Errorf("the relay's password is %q, %w", s.Secrets.Password, err)
	}
	var author int64
	var id string
	if err := tx.row("SELECT author_id, public_id FROM imports").Scan(&author, &id); err != nil {
		return err
	}
	if i, err := tx.Import(author, id); err != nil || string(i.Data) != "a,b\n" {
		return fmt.Errorf("the list is %q, %w", i.Data, err)
	}
	return nil
}

func rotate(t *testing.T, d *DB) (id string) {
	t.Helper()
	if err := d.Update(t.Context(), func(tx *Tx) (err error) {
		if id, err = tx.RotateKey(); err != nil {
			return err
		}
		return tx.Audit(AuditEntry{Act: "rotated the key"})
	}); err != nil {
		t.Fatal(err)
	}
	return id
}

func keyFile(t *testing.T, folder string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, "anteroom.key"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestRotatedKeySealsAllAndTheOldOneOpensNothing(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "data")
	d := openAt(t, folder)
	answered(t, d, 450) // some batches
	old := keyFile(t, folder)
	oldID := strings.Fields(old)[0]
	var link Link
	var token string
	if err := d.Update(t.Context(), func(tx *Tx) (err error) {
		link = Link{Purpose: LinkJoin, ClientID: 1, ExpiresAt: tx.Now().Add(time.Hour)}
		if err = errors.Join(tx.AddLink(&link), tx.Audit(AuditEntry{Act: "a"})); err != nil {
			return err
		}
		_, token, err = tx.LinkToken(link.ID)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	id := rotate(t, d)
	if lines := keyLines(keyFile(t, folder)); len(lines) != 2 || lines[0]+"\n" != old || !strings.HasPrefix(lines[1], id+" ") {
		t.Error("the key file holds other lines")
	}
	if err := d.RetireKeys(t.Context()); err != nil { // too soon
		t.Fatal(err)
	}
	if err := d.View(t.Context(), (*Tx).opens); err != nil {
		t.Error("before it was sealed anew:", err)
	}
	if sealed, left, err := d.SealAnew(t.Context()); sealed != 452 || left != 0 || err != nil {
		t.Fatal(sealed, left, err)
	}
	for range 2 { // the second time there is nothing to do
		if err := d.RetireKeys(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	secret := strings.Fields(old)[1]
	if text := keyFile(t, folder); strings.Contains(text, secret) || !strings.HasPrefix(text, oldID+" retired ") || len(keyLines(text)) != 2 {
		t.Errorf("the key file still holds the old secret, or is another: %d lines", len(keyLines(text)))
	}
	if info, err := os.Stat(filepath.Join(folder, "anteroom.key")); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info.Mode(), err)
	}
	check := func(d *DB) {
		t.Helper()
		if err := d.View(t.Context(), func(tx *Tx) error {
			if err := tx.opens(); err != nil {
				return err
			}
			uses, err := tx.KeyUses()
			if err != nil || len(uses) != 2 || uses[0].ID != id || uses[0].Clients != 450 || uses[0].Others != 2 || !uses[0].InUse ||
				uses[1].ID != oldID || uses[1].Clients+uses[1].Others != 0 || !uses[1].Retired || uses[1].Until.IsZero() {
				t.Errorf("%+v, %v", uses, err)
			}
			if _, again, err := tx.LinkToken(link.ID); err != nil || again != token {
				t.Errorf("the old key's link is another: %v", err)
			}
			first, place, err := tx.auditKey("")
			if named, _, _ := tx.auditKey(oldID); err != nil || place != 0 || string(first) != string(named) {
				t.Errorf("the first key is at %d, %v", place, err)
			}
			inUse, err := tx.keyInUse()
			if _, place, wrong := tx.auditKey(inUse); inUse != id || place != 1 || err != nil || wrong != nil {
				t.Errorf("%s is in use, at %d, %v, %v", inUse, place, err, wrong)
			}
			if _, _, err := tx.auditKey("none"); !errors.Is(err, ErrWrongKey) {
				t.Errorf("a key that nobody has: %v", err)
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	}
	check(d)
	d.Close()
	check(openAt(t, folder))
}
