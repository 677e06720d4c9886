package practice_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"anteroom/db"
	"anteroom/practice"
	"anteroom/practice/cast"
)

// After a client's data is deleted, no file of the data folder holds any of it, and everything else is as it was.
func TestDeleteClient(t *testing.T) {
	on := &folder{T: t}
	c := cast.New(on)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	canaries := []string{"Qxname", "qxaddress@mail.example", "qxother@mail.example", "qxnote", "Qxguardian", "555-6789", "mia@mail.example"}
	must(c.Practice.ChangeClient(t.Context(), c.Olga.Staff, c.Mia.PublicID, practice.ClientFields{FirstName: "Mia", LastName: "Qxname", Email: "mia@mail.example",
		Notes: "qxnote", Guardian: "Qxguardian", Phone: "555-6789", Tags: "Evening"}))
	ids := sendForms(t, c, c.Mia, "phq-9", "privacy-practices")
	if r, err := c.Practice.SubmitForm(t.Context(), c.MiaActor, ids["privacy-practices"], typed(privacyPractices("Qxname signs")...)); err != nil || r.Open() {
		t.Fatal(r.Wrong, err)
	}
	save(t, c, ids["phq-9"], "44250-9", "LA6569-3")
	draft := chosen(t, c, c.Mia, c.Ben)
	must(c.Practice.SaveDraft(t.Context(), c.Olga.Staff, draft, practice.DraftChange{Forms: []string{"gad-7"}}))
	must(c.Practice.Send(t.Context(), c.Olga.Staff, draft, ""))
	must(newEmail(t, c, c.Olga.Staff, c.Mia, "qxaddress@mail.example"))
	if _, _, err := c.Practice.ChoosePassword(t.Context(), addressToken(t, c, c.Mia), newPassword, practice.Browser{Network: network, Device: "qxdevice"}); err != nil {
		t.Fatal(err)
	}
	must(c.DB.Update(t.Context(), func(tx *db.Tx) error {
		_, err := tx.NewRecoveryCodes(c.Mia.ID, 0)
		return errors.Join(err, tx.SetAuthenticator(c.Mia.ID, 0, make([]byte, 20), 0))
	}))
	must(newEmail(t, c, c.Olga.Staff, c.Mia, "qxother@mail.example"))
	must(c.Practice.SaveDraft(t.Context(), c.Olga.Staff, chosen(t, c, c.Mia, c.Ann), practice.DraftChange{Forms: []string{"gad-7"}}))
	if _, err := c.Practice.StartClientDraft(t.Context(), c.Olga.Staff, c.Mia.PublicID); err != nil {
		t.Fatal(err)
	}

	_, _, err := c.Practice.DeletionOf(t.Context(), c.Olga, c.Mia.PublicID)
	wantInvalid(t, err, "client")
	wantInvalid(t, c.Practice.DeleteClient(t.Context(), c.Olga, c.Mia.PublicID, "Qxname, Mia"), "client")
	must(c.Practice.ArchiveClient(t.Context(), c.Olga.Staff, c.Mia.PublicID))
	_, d, err := c.Practice.DeletionOf(t.Context(), c.Olga, c.Mia.PublicID)
	if want := (db.Deletion{Forms: 3, Answers: d.Answers, Signatures: 1, Letters: 5, Account: true}); err != nil || d != want || d.Answers == 0 {
		t.Errorf("would delete %+v, want %+v, %v", d, want, err)
	}
	wantInvalid(t, c.Practice.DeleteClient(t.Context(), c.Olga, c.Mia.PublicID, "Qxname Mia"), "name")
	if err := c.Practice.DeleteClient(t.Context(), practice.Administrator{}, c.Mia.PublicID, "Qxname, Mia"); !errors.Is(err, practice.ErrNotAllowed) {
		t.Errorf("nobody deletes: %v", err)
	}
	must(c.Practice.DeleteClient(t.Context(), c.Olga, c.Mia.PublicID, " Qxname,  Mia "))

	if _, _, err := c.Practice.DeletionOf(t.Context(), c.Olga, c.Mia.PublicID); !errors.Is(err, practice.ErrNotFound) {
		t.Errorf("still there: %v", err)
	}
	if got := names(find(t, c, c.Olga.Staff, "")); got != "Ann Ben Leo Sam" {
		t.Errorf("listed: %s", got)
	}
	if o, err := c.Practice.Outcome(t.Context(), c.Olga.Staff, draft, 0, 25); err != nil || len(o.Letters) != 1 {
		t.Errorf("the sent draft has %d letters, %v", len(o.Letters), err)
	}
	if s, _, err := c.Practice.Selection(t.Context(), c.Olga); err != nil || s.Count != 1 {
		t.Errorf("%d are selected, %v", s.Count, err)
	}
	_, err = c.DB.VerifyAudit(t.Context(), db.AuditHead{}, nil)
	must(err)
	add(t, c, c.Olga.Staff, practice.ClientFields{FirstName: "A", LastName: "B", Email: "another@mail.example"})

	read := 0
	must(filepath.WalkDir(on.path, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		read += len(text)
		for _, canary := range canaries {
			if bytes.Contains(bytes.ToLower(text), bytes.ToLower([]byte(canary))) {
				t.Errorf("%s is left in %s", canary, filepath.Base(path))
			}
		}
		return err
	}))
	if read < 1<<16 {
		t.Errorf("only %d bytes were looked at", read)
	}
}

// What is final stays so for everybody whose data isn't deleted.
func TestFinalAnswersAreNotDeleted(t *testing.T) {
	c := cast.New(t)
	ids := sendForms(t, c, c.Mia, "privacy-practices")
	if r, err := c.Practice.SubmitForm(t.Context(), c.MiaActor, ids["privacy-practices"], typed(privacyPractices("Mia Moreno")...)); err != nil || r.Open() {
		t.Fatal(r.Wrong, err)
	}
	for _, statement := range []string{"DELETE FROM answers", "DELETE FROM signatures"} {
		if err := c.DB.Update(t.Context(), func(tx *db.Tx) error { _, err := tx.Exec(statement); return err }); !errors.Is(err, db.ErrClosed) {
			t.Errorf("%s: %v", statement, err)
		}
	}
}

// A client who comes after one whose data was deleted has a history of their own.
func TestNobodyGetsADeletedClientsNumber(t *testing.T) {
	c := cast.New(t)
	last := add(t, c, c.Olga.Staff, practice.ClientFields{FirstName: "Last", LastName: "Added"})
	if err := c.Practice.ArchiveClient(t.Context(), c.Olga.Staff, last); err != nil {
		t.Fatal(err)
	}
	if err := c.Practice.DeleteClient(t.Context(), c.Olga, last, "Added, Last"); err != nil {
		t.Fatal(err)
	}
	next := add(t, c, c.Olga.Staff, practice.ClientFields{FirstName: "Next", LastName: "Added"})
	d, err := c.Practice.OpenClient(t.Context(), c.Olga.Staff, next, false)
	if err != nil || len(d.History) != 1 || d.History[0].Act != "added the client" {
		t.Errorf("history %+v, %v", d.History, err)
	}
}

// While somebody reads an older state, the log can't be emptied; the next sweep does it.
func TestDeletionEmptiesTheLogLater(t *testing.T) {
	on := &folder{T: t}
	c := cast.New(on)
	id := add(t, c, c.Olga.Staff, practice.ClientFields{FirstName: "Quin", LastName: "Qxlater"})
	if err := c.Practice.ArchiveClient(t.Context(), c.Olga.Staff, id); err != nil {
		t.Fatal(err)
	}
	holds := func() bool {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(on.path, "anteroom.db-wal"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		return bytes.Contains(text, []byte("Qxlater"))
	}
	if err := c.DB.View(t.Context(), func(tx *db.Tx) error {
		if _, err := tx.Organization(); err != nil {
			return err
		}
		return c.Practice.DeleteClient(t.Context(), c.Olga, id, "Qxlater, Quin")
	}); err != nil {
		t.Fatal(err)
	}
	if !holds() {
		t.Fatal("the reader held nothing back")
	}
	if err := c.Practice.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if holds() {
		t.Error("the log still holds what was deleted")
	}
}
