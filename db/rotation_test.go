package db

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
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
		return errors.Join(tx.SetAuthenticator(0, olga.ID, []byte("hers"), 1), tx.SetAuthenticator(1, 0, []byte("a client's"), 1), tx.SaveRelaySettings(relay), tx.KeepImport(&Import{AuthorID: olga.ID, FileName: "list.csv", Data: []byte("a,b\n")}))
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
	if a, err := tx.Authenticator(0, 1); err != nil || string(a.Secret) != "hers" {
		return fmt.Errorf("Olga's second step is %q, %w", a.Secret, err)
	}
	if a, err := tx.Authenticator(1, 0); err != nil || string(a.Secret) != "a client's" {
		return fmt.Errorf("a client's second step is %q, %w", a.Secret, err)
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
	var codes []string
	if err := d.Update(t.Context(), func(tx *Tx) (err error) {
		link = Link{Purpose: LinkJoin, ClientID: 1, ExpiresAt: tx.Now().Add(time.Hour)}
		if err = errors.Join(tx.AddLink(&link), tx.Audit(AuditEntry{Act: "a"})); err != nil {
			return err
		}
		if codes, err = tx.NewRecoveryCodes(0, 1); err != nil {
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
	if sealed, left, err := d.SealAnew(t.Context()); sealed != 454 || left != 0 || err != nil {
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
			if err != nil || len(uses) != 2 || uses[0].ID != id || uses[0].Clients != 450 || uses[0].Others != 4 || !uses[0].InUse ||
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
	if err := d.Update(t.Context(), func(tx *Tx) error { return tx.UseRecoveryCode(0, 1, codes[3]) }); err != nil {
		t.Errorf("a recovery code from before the rotation: %v", err)
	}
	d.Close()
	check(openAt(t, folder))
}

// oldOpensNothing tells that nothing sealed opens with a key of which only the line is known.
func oldOpensNothing(t *testing.T, d *DB, line string) {
	t.Helper()
	old, err := parseKey(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.View(t.Context(), func(tx *Tx) error {
		for _, s := range sealedColumns {
			bound := "''"
			for _, b := range s.bound {
				bound += ` || char(31) || ifnull(CAST(` + b + ` AS TEXT), '')`
			}
			type row struct {
				sealed       []byte
				keyID, bound string
			}
			rows, err := list(tx, func(sc scanner) (r row, err error) { err = sc.Scan(&r.sealed, &r.keyID, &r.bound); return },
				"SELECT "+s.column+", key_id, "+bound+" FROM "+s.table)
			if err != nil {
				return err
			}
			for _, r := range rows {
				for _, id := range []string{old.id, r.keyID} {
					if _, err := open(newAEAD(s.key(old)), r.sealed, s.place(id, strings.Split(r.bound, "\x1f")[1:])...); err == nil {
						t.Errorf("something in %s opens with the old key", s.table)
					}
				}
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// Wherever the program is killed while it rotates, nothing is lost and the next start goes on.
func TestKilledRotationGoesOn(t *testing.T) {
	appendLine := func(t *testing.T, folder string) {
		if err := os.WriteFile(KeyFile(folder), []byte(keyFile(t, folder)+NewKey()+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		name string
		kill func(*testing.T, *DB, string) // leaves the folder as the kill does
	}{
		{"before the key file was replaced", func(t *testing.T, d *DB, folder string) {
			d.Close()
			if err := os.WriteFile(unfinished(KeyFile(folder)), []byte("half"), 0o600); err != nil {
				t.Fatal(err)
			}
			appendLine(t, folder) // and somebody rotates it by hand
		}},
		{"before the database knew", func(t *testing.T, d *DB, folder string) {
			gone := errors.New("killed")
			if err := d.Update(t.Context(), func(tx *Tx) error { _, err := tx.RotateKey(); return errors.Join(err, gone) }); !errors.Is(err, gone) {
				t.Fatal(err)
			}
			if err := d.View(t.Context(), (*Tx).opens); err != nil {
				t.Error("while the new key waits:", err)
			}
		}},
		{"before the database knew, and asked again", func(t *testing.T, d *DB, folder string) {
			gone := errors.New("no room")
			if err := d.Update(t.Context(), func(tx *Tx) error { _, err := tx.RotateKey(); return errors.Join(err, gone) }); !errors.Is(err, gone) {
				t.Fatal(err)
			}
			rotate(t, d)
		}},
		{"with nothing sealed anew", func(t *testing.T, d *DB, folder string) { rotate(t, d) }},
		{"in the middle", func(t *testing.T, d *DB, folder string) {
			old := strings.Fields(keyFile(t, folder))[0]
			rotate(t, d)
			if err := d.Update(t.Context(), func(tx *Tx) error { _, _, _, err := clientKeySeal.sealAnew(tx, old, 0); return err }); err != nil {
				t.Fatal(err)
			}
		}},
		{"before the old key was retired", func(t *testing.T, d *DB, folder string) {
			rotate(t, d)
			if _, _, err := d.SealAnew(t.Context()); err != nil {
				t.Fatal(err)
			}
		}},
		{"before the database knew that it was retired", func(t *testing.T, d *DB, folder string) {
			rotate(t, d)
			if _, _, err := d.SealAnew(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := d.keySource.retire(d.keys.Load(), 0); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			folder := filepath.Join(t.TempDir(), "data")
			d := openAt(t, folder)
			answered(t, d, 230)
			old := keyFile(t, folder)
			test.kill(t, d, folder)
			d.Close()
			d = openAt(t, folder)
			if _, err := os.Stat(unfinished(KeyFile(folder))); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("a half-written key file: %v", err)
			}
			if err := d.View(t.Context(), (*Tx).opens); err != nil {
				t.Error("after the next start:", err)
			}
			if _, left, err := d.SealAnew(t.Context()); left != 0 || err != nil {
				t.Error(left, err)
			}
			if err := d.RetireKeys(t.Context()); err != nil {
				t.Error(err)
			}
			if err := d.View(t.Context(), (*Tx).opens); err != nil {
				t.Error("at the end:", err)
			}
			oldOpensNothing(t, d, old)
			if text := keyFile(t, folder); strings.Contains(text, strings.Fields(old)[1]) || len(keyLines(text)) != 2 {
				t.Errorf("the old secret is still in the key file, or it has not two but %d lines", len(keyLines(text)))
			}
			if _, err := d.VerifyAudit(t.Context(), AuditHead{}, nil); err != nil {
				t.Error(err)
			}
			if err := d.View(t.Context(), func(tx *Tx) error {
				uses, err := tx.KeyUses()
				if err != nil || len(uses) != 2 || !uses[1].Retired || uses[1].Until.IsZero() {
					t.Errorf("%+v, %v", uses, err)
				}
				rotated, err := column[string](tx, "SELECT act FROM audit_entries WHERE act LIKE '% key' ORDER BY id")
				if err != nil || fmt.Sprint(rotated) != "[rotated the key retired a key]" {
					t.Errorf("the audit log tells of %q, %v", rotated, err)
				}
				return nil
			}); err != nil {
				t.Error(err)
			}
		})
	}
}

// A database only starts with a key file that can open all of it, and what is said names the key that is missing.
func TestKeyFileOfAnotherTimeRefusesToStart(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "data")
	d := openAt(t, folder)
	before := filepath.Join(t.TempDir(), "before") // while nothing was sealed
	copyTo := func(folder string) {
		t.Helper()
		if err := errors.Join(os.MkdirAll(folder, 0o700), d.Update(t.Context(), func(*Tx) error { return nil })); err != nil {
			t.Fatal(err)
		}
		if _, err := d.write.Exec("VACUUM INTO ?", databaseFile(folder)); err != nil {
			t.Fatal(err)
		}
	}
	copyTo(before)
	answered(t, d, 3)
	sealed := filepath.Join(t.TempDir(), "sealed")
	copyTo(sealed)
	first := strings.TrimSpace(keyFile(t, folder))
	rotate(t, d)
	middle := filepath.Join(t.TempDir(), "middle") // which knows both keys
	copyTo(middle)
	if _, _, err := d.SealAnew(t.Context()); err != nil {
		t.Fatal(err)
	}
	after := filepath.Join(t.TempDir(), "after")
	copyTo(after)
	both := strings.TrimSpace(keyFile(t, folder))
	if err := d.RetireKeys(t.Context()); err != nil {
		t.Fatal(err)
	}
	retired := strings.TrimSpace(keyFile(t, folder))
	second := keyLines(both)[1]
	firstID, secondID := strings.Fields(first)[0], strings.Fields(second)[0]
	for _, test := range []struct {
		name, folder, keys string
		want               string // named in what is said; empty: it starts
	}{
		{"before the rotation, with the key file from after", sealed, retired, firstID},
		{"the same, while nothing was sealed", before, retired, firstID},
		{"from its middle", middle, retired, firstID},
		{"the new key alone", after, second, firstID},
		{"the old key alone", after, first, secondID},
		{"in the wrong order", after, second + "\n" + first, firstID},
		{"twice the same", after, first + "\n" + first, firstID},
		{"only a retired one", sealed, keyLines(retired)[0], "retired"},
		{"before the rotation, with the key file of then", sealed, first, ""},
		{"from its middle, with the key file of then", middle, both, ""},
		{"from after, with the key file of its middle", after, both, ""},
		{"from after, with its own", after, retired, ""},
	} {
		d, err := OpenWithKey(t.Context(), test.folder, test.keys, time.Now)
		if err == nil {
			d.Close()
		}
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", test.name, err)
		}
		if err != nil && strings.Contains(err.Error(), strings.Fields(second)[1]) {
			t.Error("what is said holds a secret")
		}
	}
}

func TestKeyFileThatCannotBeChanged(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "data")
	d := openAt(t, folder)
	text := keyFile(t, folder)
	changed := text + NewKey() + "\n"
	if err := os.WriteFile(KeyFile(folder), []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	try := func() error {
		return d.Update(t.Context(), func(tx *Tx) error { _, err := tx.RotateKey(); return err })
	}
	if err := try(); !errors.Is(err, ErrKeyFile) || keyFile(t, folder) != changed {
		t.Errorf("somebody's change is lost, or %v", err)
	}
	if err := errors.Join(os.Remove(KeyFile(folder)), os.Mkdir(KeyFile(folder), 0o700)); err != nil {
		t.Fatal(err)
	}
	if err := try(); !errors.Is(err, ErrKeyFile) {
		t.Error(err)
	}
	if err := errors.Join(os.Remove(KeyFile(folder)), os.WriteFile(KeyFile(folder), []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(unfinished(KeyFile(folder)), "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := try(); !errors.Is(err, ErrKeyFile) || keyFile(t, folder) != text {
		t.Errorf("with no room beside it: %v", err)
	}
	answered(t, d, 2)
	if err := d.View(t.Context(), (*Tx).opens); err != nil {
		t.Error(err)
	}
}

// A file that somebody left in the new key file's place, and holds open, never has a key in it; one that is only a way to another
// isn't followed.
func TestKeyFileIsMadeAnew(t *testing.T) {
	folder := t.TempDir()
	file, theirs := filepath.Join(folder, "k"), filepath.Join(folder, "theirs")
	if err := errors.Join(os.WriteFile(unfinished(file), nil, 0o644), os.Chmod(unfinished(file), 0o644)); err != nil {
		t.Fatal(err)
	}
	held, err := os.Open(unfinished(file))
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if err := replaceKeyFile(file, []byte("secret")); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(held); len(got) > 0 || err != nil {
		t.Errorf("who held the file open reads %q, %v", got, err)
	}
	if made, err := os.Stat(file); err != nil || made.Mode() != 0o600 {
		t.Error(made.Mode(), err)
	}
	if err := os.Symlink(theirs, unfinished(file)); err != nil {
		t.Fatal(err)
	}
	before, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer before.Close()
	if err := replaceKeyFile(file, []byte("another")); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(before); string(got) != "secret" || err != nil {
		t.Errorf("the file is written over, and was for a moment neither the one nor the other: %q, %v", got, err)
	}
	if _, err := os.Stat(theirs); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the key was written where a link led")
	}
	if got, err := os.ReadFile(file); string(got) != "another" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// Answers are written and read while the key is rotated again and again, and each opens at every moment.
func TestRotatingWhileOthersWork(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "data")
	d := openAt(t, folder)
	answered(t, d, 40)
	done := make(chan struct{})
	var working sync.WaitGroup
	work := func(do func(n int) error) {
		working.Go(func() {
			for n := 0; ; n++ {
				if err := do(n); err != nil {
					t.Error(err)
					return
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for range 3 {
		work(func(int) error { return d.View(t.Context(), (*Tx).opens) })
	}
	work(func(n int) error {
		return d.Update(t.Context(), func(tx *Tx) error {
			id := int64(n%40 + 1)
			if n%7 == 0 { // a new key
				c := Client{FirstName: "New", LastName: fmt.Sprint("Number", n)}
				if err := errors.Join(tx.AddClient(&c), tx.SetClientNotes(c.ID, "noted")); err != nil {
					return err
				}
			}
			return errors.Join(tx.SaveAnswers(FormRequest{ID: id, ClientID: id}, map[string][]string{"a": {answerOf(id)}}), tx.Audit(AuditEntry{Act: "b"}))
		})
	})
	var old []string
	for range 4 {
		lines := keyLines(keyFile(t, folder))
		old = append(old, lines[len(lines)-1])
		rotate(t, d)
		if _, left, err := d.SealAnew(t.Context()); left != 0 || err != nil {
			t.Error(left, err)
		}
		if err := d.RetireKeys(t.Context()); err != nil {
			t.Error(err)
		}
	}
	close(done)
	working.Wait()
	for _, line := range old {
		oldOpensNothing(t, d, line)
		if strings.Contains(keyFile(t, folder), strings.Fields(line)[1]) {
			t.Error("an old secret is still in the key file")
		}
	}
	if _, err := d.VerifyAudit(t.Context(), AuditHead{}, nil); err != nil {
		t.Error(err)
	}
	d.Close()
	if err := openAt(t, folder).View(t.Context(), (*Tx).opens); err != nil {
		t.Error(err)
	}
}

// Whoever began to read before a rotation, or asked to, reads on whatever is done meanwhile.
func TestReadingThroughARotation(t *testing.T) {
	for name, before := range map[string]func(*Tx) error{
		"which has read already": (*Tx).opens,
		"which hasn't read yet":  func(*Tx) error { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			d := openAt(t, filepath.Join(t.TempDir(), "data"))
			answered(t, d, 3)
			if err := d.View(t.Context(), func(tx *Tx) error {
				if err := before(tx); err != nil {
					return err
				}
				rotate(t, d)
				if _, _, err := d.SealAnew(t.Context()); err != nil {
					return err
				}
				if err := d.RetireKeys(t.Context()); err != nil {
					return err
				}
				if _, err := tx.keyInUse(); err != nil {
					t.Error(err)
				}
				return tx.opens()
			}); err != nil {
				t.Error(err)
			}
		})
	}
}

// What doesn't open is left, and keeps its key from being retired.
func TestDamagedSealKeepsItsKey(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "data")
	d := openAt(t, folder)
	answered(t, d, 5)
	old := keyFile(t, folder)
	if err := d.Update(t.Context(), func(tx *Tx) error {
		_, err := tx.exec("UPDATE client_keys SET wrapped = zeroblob(length(wrapped)) WHERE client_id = 3")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	rotate(t, d)
	if sealed, left, err := d.SealAnew(t.Context()); sealed != 8 || left != 1 || err != nil {
		t.Error(sealed, left, err)
	}
	if err := d.RetireKeys(t.Context()); err != nil || !strings.HasPrefix(keyFile(t, folder), old) {
		t.Errorf("the key is gone, or %v", err)
	}
}

// A client's key destroyed leaves nothing that opens: not in the database, and no other copy of the key.
func TestDestroyedClientKey(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "data")
	d := openAt(t, folder)
	answered(t, d, 2)
	if err := d.Update(t.Context(), func(tx *Tx) error { return tx.SetClientNotes(1, "noted") }); err != nil {
		t.Fatal(err)
	}
	rotate(t, d) // so that there was another copy
	var wrapped [][]byte
	keep := func() {
		t.Helper()
		if err := d.View(t.Context(), func(tx *Tx) error {
			var w []byte
			var id string
			if err := tx.row("SELECT wrapped, key_id FROM client_keys WHERE client_id = 1").Scan(&w, &id); err != nil {
				return err
			}
			key, err := clientKeySeal.open(tx, w, id, "1")
			wrapped = append(wrapped, w, key)
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	keep()
	if _, _, err := d.SealAnew(t.Context()); err != nil {
		t.Fatal(err)
	}
	keep()
	if n := copies(t, folder, wrapped[2]); n == 0 {
		t.Fatal("the key is nowhere to begin with")
	}
	if err := d.Update(t.Context(), func(tx *Tx) error { _, err := tx.exec("DELETE FROM client_keys WHERE client_id = 1"); return err }); err != nil {
		t.Fatal(err)
	}
	if emptied, err := d.EmptyLog(t.Context()); !emptied || err != nil {
		t.Fatal(emptied, err)
	}
	for i, w := range wrapped {
		if n := copies(t, folder, w); n > 0 {
			t.Errorf("copy %d of the key is still in %d places", i, n)
		}
	}
	if err := d.View(t.Context(), func(tx *Tx) error {
		if answers, _, err := tx.Answers(FormRequest{ID: 1, ClientID: 1}); err == nil {
			t.Errorf("answers open: %q", answers)
		}
		if notes, err := tx.ClientNotes(Everybody(), 1); err == nil {
			t.Errorf("notes open: %q", notes)
		}
		var sealed int
		if err := tx.row("SELECT count(*) FROM answers WHERE form_request_id = 1").Scan(&sealed); err != nil || sealed != 1 {
			t.Errorf("%d answers are there, %v", sealed, err)
		}
		answers, _, err := tx.Answers(FormRequest{ID: 2, ClientID: 2})
		if err != nil || answers["a"][0] != answerOf(2) {
			t.Errorf("the other's: %q, %v", answers, err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// copies counts the files of a data folder that hold some bytes.
func copies(t *testing.T, folder string, what []byte) (n int) {
	t.Helper()
	files, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		data, err := os.ReadFile(filepath.Join(folder, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(data, what) {
			n++
		}
	}
	return n
}
