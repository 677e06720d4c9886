package main

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"anteroom/db"
	"anteroom/practice"
)

// auditedFolder is a practice's data folder with some entries in its audit log, which nobody holds, and the log's head.
func auditedFolder(t *testing.T) (folder, head string) {
	t.Helper()
	folder = filepath.Join(t.TempDir(), "data")
	database, err := db.Open(t.Context(), folder, "", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer database.Close()
	err = practice.New(database, practice.Config{}).CreateAdministrator(t.Context(), practice.SetUp{
		OrganizationFields: practice.OrganizationFields{Name: "Willow Street Counseling", Phone: "555-0100", TimeZone: "America/New_York"},
		Administrator:      practice.NewAdministrator{Name: "Olga Olson", Email: "olga@willow.example", Password: "velvet anchor over tin roofs"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 8 {
		if err := database.Update(t.Context(), func(tx *db.Tx) error {
			return tx.Audit(db.AuditEntry{StaffID: 1, Act: "opened the record", ClientID: int64(i + 1)})
		}); err != nil {
			t.Fatal(err)
		}
	}
	h, err := database.VerifyAudit(t.Context(), db.AuditHead{}, nil)
	if err != nil || h.Entry != 10 {
		t.Fatal(h, err)
	}
	return folder, h.String()
}

// auditVerify runs the command as a process of its own.
func auditVerify(t *testing.T, folder string, args ...string) (said string, ok bool) {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(path, append([]string{"audit", "verify", "-data", folder}, args...)...).CombinedOutput()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		t.Fatal(err)
	}
	return string(out), err == nil
}

// alter changes the file as somebody does who has another SQLite, and no key.
func alter(t *testing.T, folder, statements string) {
	t.Helper()
	file, err := sql.Open("sqlite3", "file:"+filepath.Join(folder, "anteroom.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, trigger := range []string{"no_update", "no_delete", "append"} {
		if _, err := file.Exec("DROP TRIGGER audit_entries_" + trigger); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := file.Exec(statements); err != nil {
		t.Fatal(err)
	}
}

func TestAuditVerify(t *testing.T) {
	whole, head := auditedFolder(t)
	if said, ok := auditVerify(t, whole); !ok || said != "10 entries, unbroken.\nhead "+head+"\n" {
		t.Errorf("%v: %s", ok, said)
	}
	if said, ok := auditVerify(t, whole, "-head", head); !ok || !strings.Contains(said, "is in the log") {
		t.Errorf("%v: %s", ok, said)
	}
	for name, c := range map[string]struct {
		statements string
		args       []string
		want       string
	}{
		"text":           {"UPDATE audit_entries SET act = 'signed in' WHERE id = 4", nil, "audit entry 4 was altered"},
		"detail":         {"UPDATE audit_entries SET detail = 'x' WHERE id = 4", nil, "audit entry 4 was altered"},
		"time":           {"UPDATE audit_entries SET at = at - 1 WHERE id = 4", nil, "audit entry 4 was altered"},
		"actor":          {"UPDATE audit_entries SET staff_id = 2 WHERE id = 4", nil, "audit entry 4 was altered"},
		"mac":            {"UPDATE audit_entries SET mac = (SELECT mac FROM audit_entries WHERE id = 5) WHERE id = 4", nil, "audit entry 4 was altered"},
		"two":            {"UPDATE audit_entries SET act = 'x' WHERE id IN (7, 5)", nil, "audit entry 5 was altered"},
		"order":          {"UPDATE audit_entries SET id = CASE id WHEN 4 THEN -5 ELSE -4 END WHERE id IN (4, 5); UPDATE audit_entries SET id = -id WHERE id < 0", nil, "audit entry 4 was altered"},
		"middle":         {"DELETE FROM audit_entries WHERE id = 4", nil, "audit entry 4 is missing"},
		"tail":           {"DELETE FROM audit_entries WHERE id > 6", []string{"-head", head}, "audit entry 7 is missing: the head that was given was printed for it, so the end of the log was cut off"},
		"all":            {"DELETE FROM audit_entries", nil, "audit entry 1 is missing: the whole log was removed"},
		"appended":       {"INSERT INTO audit_entries (at, staff_id, act, client_id, key_id, mac) SELECT at, staff_id, act, client_id, key_id, mac FROM audit_entries WHERE id = 10", nil, "audit entry 11 was altered, or wasn't written by Anteroom"},
		"another's head": {"SELECT 1", []string{"-head", "10:00ff"}, "audit entry 10 isn't the one that the head was printed for"},
		"no such head":   {"SELECT 1", []string{"-head", "ten"}, "-head: a head is a number"},
		"what":           {"SELECT 1", []string{"what"}, `what is "what"?`},
	} {
		t.Run(name, func(t *testing.T) {
			folder := filepath.Join(t.TempDir(), "data")
			if err := os.CopyFS(folder, os.DirFS(whole)); err != nil {
				t.Fatal(err)
			}
			alter(t, folder, c.statements)
			if said, ok := auditVerify(t, folder, c.args...); ok || !strings.Contains(said, c.want) {
				t.Errorf("%v: %s", ok, said)
			}
		})
	}
	if said, ok := auditVerify(t, t.TempDir()); ok || !strings.Contains(said, "there is no database to verify") {
		t.Errorf("%v: %s", ok, said)
	}
	other, _ := auditedFolder(t)
	if said, ok := auditVerify(t, whole, "-key-file", filepath.Join(other, "anteroom.key")); ok || !strings.Contains(said, "another key") {
		t.Errorf("with another's key, %v: %s", ok, said)
	}
}

// Whoever has an older key, and no newer one, can't go on where it was in use.
func TestAuditVerifyAfterARotation(t *testing.T) {
	folder, _ := auditedFolder(t)
	file := filepath.Join(folder, "anteroom.key")
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append(bytes.Clone(before), db.NewKey()+"\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	database, err := db.Open(t.Context(), folder, "", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	database.Close()
	if said, ok := auditVerify(t, folder); !ok || !strings.HasPrefix(said, "11 entries, unbroken.") {
		t.Fatalf("%v: %s", ok, said)
	}
	// A database that forgot the new key writes under the old one; then the new key is known again.
	after, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	alter(t, folder, "CREATE TABLE kept AS SELECT * FROM keys; DELETE FROM keys WHERE rowid = (SELECT max(rowid) FROM keys)")
	if err := os.WriteFile(file, before, 0o600); err != nil {
		t.Fatal(err)
	}
	if database, err = db.Open(t.Context(), folder, "", time.Now); err != nil {
		t.Fatal(err)
	}
	if err := database.Update(t.Context(), func(tx *db.Tx) error { return tx.Audit(db.AuditEntry{StaffID: 1, Act: "signed in"}) }); err != nil {
		t.Fatal(err)
	}
	database.Close()
	if err := os.WriteFile(file, after, 0o600); err != nil {
		t.Fatal(err)
	}
	file2, err := sql.Open("sqlite3", "file:"+filepath.Join(folder, "anteroom.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer file2.Close()
	if _, err := file2.Exec("DELETE FROM keys; INSERT INTO keys SELECT * FROM kept"); err != nil {
		t.Fatal(err)
	}
	if said, ok := auditVerify(t, folder); ok || !strings.Contains(said, "audit entry 12 is written under an older key") {
		t.Errorf("%v: %s", ok, said)
	}
	if _, err := file2.Exec("DELETE FROM audit_entries WHERE id > 10"); err != nil {
		t.Fatal(err)
	}
	if said, ok := auditVerify(t, folder); ok || !strings.Contains(said, "audit entry 11 is missing: the log ends under a key that was replaced") {
		t.Errorf("%v: %s", ok, said)
	}
}

// Whoever has a key that leaked, and was retired since, and a copy of the database from when it was in use, writes a log that is whole
// in itself: beside today's key file it isn't taken.
func TestAuditVerifyRefusesALogOfAnOldKey(t *testing.T) {
	folder, _ := auditedFolder(t)
	theirs := filepath.Join(t.TempDir(), "data")
	if err := os.CopyFS(theirs, os.DirFS(folder)); err != nil {
		t.Fatal(err)
	}
	database, err := db.Open(t.Context(), folder, "", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	var rotated string
	if err := database.Update(t.Context(), func(tx *db.Tx) error {
		if rotated, err = tx.RotateKey(); err != nil {
			return err
		}
		return tx.Audit(db.AuditEntry{Act: "rotated the key"})
	}); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, "anteroom.key")
	both, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := database.SealAnew(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(database.RetireKeys(t.Context()), database.Close()); err != nil {
		t.Fatal(err)
	}
	if said, ok := auditVerify(t, folder); !ok {
		t.Errorf("the practice's own: %s", said)
	}

	if database, err = db.Open(t.Context(), theirs, "", time.Now); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(database.Update(t.Context(), func(tx *db.Tx) error { return tx.Audit(db.AuditEntry{StaffID: 1, Act: "signed in"}) }), database.Close()); err != nil {
		t.Fatal(err)
	}
	then, err := os.ReadFile(filepath.Join(theirs, "anteroom.key"))
	if err != nil {
		t.Fatal(err)
	}
	beside := filepath.Join(t.TempDir(), "both.key")
	if err := os.WriteFile(beside, both, 0o600); err != nil {
		t.Fatal(err)
	}
	old := strings.Fields(string(then))[0]
	for name, c := range map[string]struct{ keys, want string }{
		"the key file of now":             {file, "this database is from before the key was rotated: it uses key " + old + ", which is retired"},
		"one that retired nothing yet":    {beside, "this database is from before the key was rotated: the key file holds a newer key, " + rotated},
		"the key file kept with the copy": {filepath.Join(theirs, "anteroom.key"), ""},
	} {
		said, ok := auditVerify(t, theirs, "-key-file", c.keys)
		if ok != (c.want == "") || !strings.Contains(said, c.want) || !ok && strings.Contains(said, "unbroken") {
			t.Errorf("%s, %v: %s", name, ok, said)
		}
	}
}

var printedHead = regexp.MustCompile(`msg="audit head" entry=(\d+) mac=([0-9a-f]+)`)

// TestAuditVerifyBesideTheServer verifies while the server writes, and compares with the head that it printed as it started.
func TestAuditVerifyBesideTheServer(t *testing.T) {
	folder, head := auditedFolder(t)
	s := start(t, []string{"ANTEROOM_DATA=" + folder}, "serve")
	s.waitFor(t, "audit head")
	printed := printedHead.FindStringSubmatch(s.log.String())
	if printed == nil || printed[1]+":"+printed[2] != head {
		t.Fatalf("it printed %q, want %s", printed, head)
	}
	if said, ok := auditVerify(t, folder, "-head", head); !ok || !strings.Contains(said, "10 entries, unbroken.") {
		t.Errorf("beside the server, %v: %s", ok, said)
	}
	s.stop(syscall.SIGTERM)
	if said, ok := auditVerify(t, folder, "-head", head); !ok {
		t.Errorf("after the server, %v: %s", ok, said)
	}
}

// waitFor waits until the server logs some words.
func (s *server) waitFor(t *testing.T, words string) {
	t.Helper()
	for deadline := time.After(patience); !strings.Contains(s.log.String(), words); {
		select {
		case <-deadline:
			t.Fatalf("it never said %q", words)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// TestAuditVerifyWritesNothing verifies in a folder where nobody may write, as somebody who isn't root.
func TestAuditVerifyWritesNothing(t *testing.T) {
	folder, _ := auditedFolder(t)
	before := listed(t, folder)
	if said, ok := auditVerify(t, folder); !ok {
		t.Fatal(said)
	}
	if after := listed(t, folder); after != before {
		t.Errorf("files before:\n%sand after:\n%s", before, after)
	}
	folder, head := auditedFolder(t)
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	// All may read it, and nobody may write.
	for path := folder; path != os.TempDir() && path != "/"; path = filepath.Dir(path) {
		if err := os.Chmod(path, 0o555); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		for path := folder; path != os.TempDir() && path != "/"; path = filepath.Dir(path) {
			os.Chmod(path, 0o700)
		}
	})
	for _, name := range []string{"anteroom.db", "anteroom.key"} {
		if err := os.Chmod(filepath.Join(folder, name), 0o444); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{path, filepath.Dir(path)} {
		if err := os.Chmod(file, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(path, "audit", "verify", "-data", folder, "-head", head)
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("where nobody may write: %v: %s", err, said)
	}
}

// listed is what a folder's files are and hold, but for what SQLite keeps beside a database that somebody reads.
func listed(t *testing.T, folder string) (all string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.HasSuffix(path, "-wal") || strings.HasSuffix(path, "-shm") {
			return err
		}
		text, err := os.ReadFile(path)
		all += fmt.Sprintf("%s %d %x\n", e.Name(), len(text), text[:min(len(text), 64)])
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
