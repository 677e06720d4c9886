package db

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// openAt opens a database in a folder, for a test that opens it more than once.
func openAt(t *testing.T, folder string) *DB {
	t.Helper()
	d, err := Open(t.Context(), folder, "", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func TestOnlyOneProcessHasTheFolder(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "data")
	first := openAt(t, folder)
	if _, err := Open(t.Context(), folder, "", time.Now); !errors.Is(err, ErrLocked) {
		t.Error(err)
	}
	first.Close()
	openAt(t, folder)
}

func TestWrongOrMissingKeyRefusesToStart(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "data")
	openAt(t, folder).Close()
	key := filepath.Join(folder, "anteroom.key")
	if info, err := os.Stat(key); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info.Mode(), err)
	}
	if info, err := os.Stat(folder); err != nil || info.Mode().Perm() != 0o700 {
		t.Error(info.Mode(), err)
	}
	text, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "data")
	openAt(t, other).Close()
	for name, file := range map[string]string{
		"missing":         filepath.Join(folder, "none.key"),
		"another's":       filepath.Join(other, "anteroom.key"),
		"cut":             written(t, string(text[:20])),
		"empty":           written(t, ""),
		"id and no key":   written(t, strings.Fields(string(text))[0]),
		"same id, others": written(t, strings.Fields(string(text))[0]+" "+strings.Repeat("A", 43)+"=\n"),
	} {
		if d, err := Open(t.Context(), folder, file, time.Now); err == nil {
			d.Close()
			t.Errorf("started with a key that is %s", name)
		}
	}
	openAt(t, folder) // and with its own it does
}

func written(t *testing.T, text string) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestFolderOfAnyName(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "a b?c=d#e%41")
	openAt(t, folder)
	if _, err := os.Stat(filepath.Join(folder, "anteroom.db")); err != nil {
		t.Error(err)
	}
}

// withoutTriggers runs statements as a thief of the file would, who has another SQLite.
func withoutTriggers(t *testing.T, d *DB, statements ...string) {
	t.Helper()
	if err := d.Update(t.Context(), func(tx *Tx) error {
		names, err := column[string](tx, "SELECT name FROM sqlite_schema WHERE type = 'trigger'")
		for _, name := range names {
			if err == nil {
				_, err = tx.exec("DROP TRIGGER " + name)
			}
		}
		for _, s := range statements {
			if err == nil {
				_, err = tx.exec(s)
			}
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// TestSealedAnswersOpenInTheirPlaceOnly moves sealed answers as a thief with a pen would: to another question, another
// request, another client.
func TestSealedAnswersOpenInTheirPlaceOnly(t *testing.T) {
	for name, statement := range map[string]string{
		"another question": "UPDATE answers SET sealed = (SELECT sealed FROM answers WHERE form_request_id = 1 AND link_id = 'a') WHERE form_request_id = 1 AND link_id = 'b'",
		"another request":  "UPDATE answers SET sealed = (SELECT sealed FROM answers WHERE form_request_id = 2 AND link_id = 'b') WHERE form_request_id = 1 AND link_id = 'b'",
		"another client":   "UPDATE answers SET sealed = (SELECT sealed FROM answers WHERE form_request_id = 3 AND link_id = 'b') WHERE form_request_id = 1 AND link_id = 'b'",
		"another's key":    "UPDATE client_keys SET wrapped = (SELECT wrapped FROM client_keys WHERE client_id = 2) WHERE client_id = 1",
		"a byte less":      "UPDATE answers SET sealed = substr(sealed, 2) WHERE form_request_id = 1 AND link_id = 'b'",
		"a request given":  "UPDATE form_requests SET client_id = 2, form_key = 'c' WHERE id = 1",
	} {
		t.Run(name, func(t *testing.T) {
			d := Temp(t, time.Now)
			if err := d.Update(t.Context(), func(tx *Tx) error {
				email, _ := ParseEmail("olga@willow.example")
				olga := StaffMember{Name: "Olga Olson", Role: RoleAdministrator, Email: email}
				ann, ben := Client{FirstName: "Ann", LastName: "Abbott"}, Client{FirstName: "Ben", LastName: "Bell"}
				if err := errors.Join(tx.AddStaff(&olga), tx.AddClient(&ann), tx.AddClient(&ben),
					tx.AddForm(Form{Key: "a", Version: "1", Title: "A", Definition: "{}"}), tx.AddForm(Form{Key: "b", Version: "1", Title: "B", Definition: "{}"})); err != nil {
					return err
				}
				all, err := tx.Forms()
				if err != nil {
					return err
				}
				for _, ask := range []struct {
					client Client
					form   Form
				}{{ann, all[0]}, {ann, all[1]}, {ben, all[0]}} {
					if _, err := tx.AddFormRequest(ask.client.ID, olga.ID, ask.form); err != nil {
						return err
					}
				}
				for id, client := range map[int64]Client{1: ann, 2: ann, 3: ben} {
					if err := tx.SaveAnswers(FormRequest{ID: id, ClientID: client.ID}, map[string][]string{"a": {"one"}, "b": {"two"}}); err != nil {
						return err
					}
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			open := func() error {
				return d.View(t.Context(), func(tx *Tx) error {
					requests, err := list(tx, readFormRequest, "SELECT "+formRequestColumns+" WHERE r.id = 1")
					if err != nil {
						return err
					}
					answers, _, err := tx.Answers(requests[0])
					if err == nil && (answers["a"][0] != "one" || answers["b"][0] != "two") {
						t.Error(answers)
					}
					return err
				})
			}
			if err := open(); err != nil {
				t.Fatal(err)
			}
			withoutTriggers(t, d, statement)
			if err := open(); err == nil {
				t.Error("it opened elsewhere")
			}
		})
	}
}

// Whichever page is damaged, what is said names what to do.
func TestDamagedDatabaseRefusesToStart(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "data")
	openAt(t, folder).Close()
	path := filepath.Join(folder, "anteroom.db")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const page = 4096
	for at := 0; at < len(whole); at += page {
		damaged := append([]byte(nil), whole...)
		for i := range 512 {
			damaged[at+i] = 0xFF
		}
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		d, err := Open(t.Context(), folder, "", time.Now)
		if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "Back up and restore") {
			t.Errorf("page %d: %v", at/page+1, err)
		}
		if err == nil {
			d.Close()
		}
	}
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	openAt(t, folder)
}
