package handlers

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"anteroom/db"
	"anteroom/practice/cast"
)

// Row "disk full" of the fault table, with a database that can't grow: writes say so, the rest is read, nothing is sent without
// its record, and it goes on by itself.
func TestFullDisk(t *testing.T) {
	s := newSite(t)
	s.library()
	olga := s.as("Olga")
	draft := s.olgasDraft(s.Ann)
	pages := func(most string) {
		t.Helper()
		if err := s.DB.Update(t.Context(), func(tx *db.Tx) error {
			return tx.QueryRow("PRAGMA max_page_count = " + most).Scan(new(int))
		}); err != nil {
			t.Fatal(err)
		}
	}
	var now int
	if err := s.DB.View(t.Context(), func(tx *db.Tx) error { return tx.QueryRow("PRAGMA page_count").Scan(&now) }); err != nil {
		t.Fatal(err)
	}
	pages(fmt.Sprint(now))
	for range 2 {
		olga.post(draft+"/send").want(http.StatusServiceUnavailable, "can't save right now", "nothing was changed")
	}
	olga.get("/clients").want(http.StatusOK, "Abbott, Ann")
	olga.get(draft).want(http.StatusOK, "1 client is invited.")
	counts := func() map[db.LetterState]int {
		l, err := s.Practice.Letters(t.Context(), s.Olga, db.LetterFilter{}, 0, 9)
		if err != nil {
			t.Fatal(err)
		}
		return l.Count
	}
	if n := counts(); len(n) != 0 {
		t.Errorf("letters: %v", n)
	}
	pages("1000000")
	olga.post(draft + "/send").wantTo(draft + "/sent")
	if n := counts(); n[db.LetterQueued] != 1 {
		t.Errorf("letters: %v", n)
	}
}

// TestWhatCantBeNotedIsntDone fills the disk to the last byte that the audit log could use: whatever must be noted there isn't
// done, and nothing of it shown; lists and pages without health information are.
func TestWhatCantBeNotedIsntDone(t *testing.T) {
	s := newSite(t)
	s.library()
	olga, tom := s.as("Olga"), s.as("Tom")
	form := s.completed(s.Mia)
	open := s.request(s.Leo)
	var key string
	if err := s.DB.Update(t.Context(), func(tx *db.Tx) error {
		r, err := tx.FormRequest(db.Everybody(), form)
		key = r.Form.Key
		return err
	}); err != nil {
		t.Fatal(err)
	}
	other := s.secondAdministrator()
	olga.get(auditPath).want(http.StatusOK) // noted while there was room
	entries := func() int64 {
		head, err := s.DB.VerifyAudit(t.Context(), db.AuditHead{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return head.Entry
	}
	if err := s.DB.Update(t.Context(), func(tx *db.Tx) error {
		var pages int
		if err := tx.QueryRow("PRAGMA page_count").Scan(&pages); err != nil {
			return err
		}
		return tx.QueryRow(fmt.Sprintf("PRAGMA max_page_count = %d", pages)).Scan(&pages)
	}); err != nil {
		t.Fatal(err)
	}
	var err error
	for err == nil {
		err = s.DB.Update(t.Context(), func(tx *db.Tx) error { return tx.Audit(db.AuditEntry{Act: "x"}) })
	}
	if !errors.Is(err, db.ErrFull) {
		t.Fatal(err)
	}
	before := entries()

	const sorry = "can't save right now"
	mia, ben := "/clients/"+s.Mia.PublicID, "/clients/"+s.Ben.PublicID
	for path, by := range map[string]*browser{
		mia:                      tom, // a record
		mia + "/edit":            tom,
		"/form-requests/" + form: tom, // answers
		"/form-requests/" + form + "/response.json": tom,
		"/portal/forms/" + open:                     s.as("Leo"),
		ben:                                         tom, // refused, as what isn't there is
		ben + "/edit":                               s.as("Finn"),
		auditPath + "?by=clients":                   other,
		"/organization/staff":                       tom, // refused, and there
		"/clients":                                  s.as("Mia"),
	} {
		a := by.get(path).want(http.StatusServiceUnavailable, sorry)
		for _, name := range []string{"Moreno", "Bell", "Lind"} {
			if strings.Contains(a.main(), name) {
				t.Errorf("%s shows %s", path, name)
			}
		}
	}
	for _, form := range []url.Values{{"what": {"clients"}}, {"what": {"portal"}}, {"what": {"forms"}, "form_key": {key}}} {
		if a := olga.ask("POST", exportPath, form).want(http.StatusServiceUnavailable, sorry); strings.Contains(a.body, "Moreno") {
			t.Errorf("exported %v", form)
		}
	}
	olga.post(auditPath).want(http.StatusServiceUnavailable, sorry)
	olga.post(invitationsPath, "do", "csv").want(http.StatusServiceUnavailable, sorry)
	olga.post("/clients/"+s.Ann.PublicID+"/archive").want(http.StatusServiceUnavailable, sorry)
	for _, password := range []string{cast.Password, "not the password at all"} {
		s.as("").post("/sign-in", "email", "tom@willow.example", "password", password).want(http.StatusServiceUnavailable, sorry)
	}
	olga.get("/clients").want(http.StatusOK, "Abbott, Ann")
	tom.get("/clients").want(http.StatusOK, "Moreno, Mia")
	olga.get(auditPath+"?kind=Exports+and+imports").want(http.StatusOK, "Nothing found") // she has it open
	s.as("Leo").get("/portal").want(http.StatusOK)
	s.as("").get("/sign-in").want(http.StatusOK)
	if after := entries(); after != before {
		t.Errorf("%d entries more", after-before)
	}
}

// secondAdministrator is the browser of an administrator who isn't in the cast.
func (s *testSite) secondAdministrator() *browser {
	s.t.Helper()
	address, err := db.ParseEmail("otto@willow.example")
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.DB.Update(s.t.Context(), func(tx *db.Tx) error {
		m := db.StaffMember{Name: "Otto Olson", Email: address, Role: db.RoleAdministrator}
		if err := tx.AddStaff(&m); err != nil {
			return err
		}
		s.Sessions["Otto"], err = tx.AddSession(db.Session{StaffID: m.ID})
		return err
	}); err != nil {
		s.t.Fatal(err)
	}
	return s.as("Otto")
}
