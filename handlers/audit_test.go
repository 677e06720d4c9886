package handlers

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"anteroom/db"
)

// entries are the sentences that the audit log shows, the newest first.
func (a answer) entries() (sentences []string) {
	for _, li := range a.doc.Find(".story > li").EachIter() {
		li = li.Clone()
		li.Find("time").Remove()
		sentences = append(sentences, strings.Join(strings.Fields(li.Text()), " "))
	}
	return sentences
}

func (a answer) wantEntries(want ...string) answer {
	a.t.Helper()
	a.want(http.StatusOK)
	if got := a.entries(); !slices.Equal(got, want) {
		a.t.Fatalf("got  %q\nwant %q", got, want)
	}
	return a
}

func TestAuditLogReadsAsAStory(t *testing.T) {
	s := newSite(t)
	s.library()
	olga, tom, mia := s.as("Olga"), s.as("Tom"), s.as("Mia")
	audit := olga.get(auditPath).wantEntries("Olga Olson opened the audit log").want(200, "1 entry", "Monday, November 2, 2026", "10:04 AM")
	if audit.text("nav.side [aria-current]") != "Audit log" {
		t.Error("the side menu leads elsewhere")
	}

	form := s.request(s.Mia)
	title := s.titleOf(form)
	tom.get("/clients/" + s.Mia.PublicID).want(200)
	tom.get("/clients/" + s.Ben.PublicID).want(404)
	mia.get("/portal/forms/" + form).want(200)
	s.Clock.Move(14 * time.Hour)
	s.signInAgain("Olga", s.Olga.PublicID())
	s.signInAgain("Tom", s.Tom.PublicID())
	olga, tom = s.as("Olga"), s.as("Tom")
	olga.post("/clients/"+s.Ann.PublicID+"/therapists", "staff", s.Tess.PublicID(), "do", "assign").want(303)
	olga.post("/clients/" + s.Ann.PublicID + "/archive").want(303)
	olga.post(exportPath, "what", "clients").want(200)
	s.as("").post("/sign-in", "email", "nobody@nowhere.example", "password", "no such thing here").want(422)
	page := olga.get(auditPath).wantEntries(
		"Olga Olson opened the audit log", // anew, on another day
		"Somebody unknown failed to sign in",
		"Olga Olson exported the clients",
		"Olga Olson archived Ann Abbott",
		"Olga Olson assigned Ann Abbott to Tess Tully",
		"Mia Moreno opened the form: "+title,
		"Tom Tran was refused: opening /clients/… of Ben Bell",
		"Tom Tran opened the record of Mia Moreno",
		"Olga Olson opened the audit log")
	if days := page.doc.Find("#found h2").Length(); days != 2 {
		t.Errorf("%d days", days)
	}
	if to := page.doc.Find(".story a").First().AttrOr("href", ""); to != "/clients/"+s.Ann.PublicID {
		t.Errorf("the client's name leads to %s", to)
	}

	// Whose data was deleted is a number from then on.
	olga.post("/clients/"+s.Ann.PublicID+"/delete", "name", "Abbott, Ann").want(303)
	page = olga.get(auditPath)
	if got := page.entries()[0]; got != fmt.Sprintf("Olga Olson deleted the data of client no. %d", s.Ann.ID) {
		t.Error(got)
	}
	page.want(200, fmt.Sprintf("archived a client whose data was deleted (no. %d)", s.Ann.ID))
	if strings.Contains(page.body, "Abbott") {
		t.Error("the log names who was deleted")
	}

	// The filters, whole and in part.
	for query, want := range map[string][]string{
		"by=" + s.Tom.PublicID():                   {"Tom Tran was refused: opening /clients/… of Ben Bell", "Tom Tran opened the record of Mia Moreno"},
		"by=clients":                               {"Mia Moreno opened the form: " + title},
		"by=unknown":                               {"Somebody unknown failed to sign in"},
		"by=anteroom":                              nil,
		"by=nobody-such":                           nil,
		"q=moreno":                                 {"Mia Moreno opened the form: " + title, "Tom Tran opened the record of Mia Moreno"},
		"q=moreno&by=" + s.Tom.PublicID():          {"Tom Tran opened the record of Mia Moreno"},
		"client=" + s.Mia.PublicID:                 {"Mia Moreno opened the form: " + title, "Tom Tran opened the record of Mia Moreno"},
		"client=nobody":                            nil,
		"kind=Exports+and+imports":                 {"Olga Olson exported the clients"},
		"kind=Sign-ins+and+refusals&by=clients":    nil,
		"from=2026-11-03&kind=Exports+and+imports": {"Olga Olson exported the clients"},
		"to=2026-11-02&kind=Exports+and+imports":   nil,
	} {
		whole, part := olga.get(auditPath+"?"+query), olga.htmx().get(auditPath+"?"+query)
		whole.wantEntries(want...)
		part.wantEntries(want...)
		if strings.Contains(part.body, "<h1>") || part.doc.Find("#count").Length() != 1 {
			t.Errorf("%s: the part is a page", query)
		}
		if len(want) == 0 {
			whole.want(200, "Nothing found")
		}
	}
	olga.get(auditPath+"?client="+s.Mia.PublicID).want(200, "All of the history of Mia Moreno")
	olga.get(auditPath+"?from=yesterday").wantError("from", "year, month and day")
	olga.get(auditPath+"?from=2026-11-03&to=2026-11-02").wantError("to", "before the first")
	if to := olga.get("/clients/"+s.Mia.PublicID).doc.Find(`a[href^="`+auditPath+`"]`).First().AttrOr("href", ""); to != auditPath+"?client="+s.Mia.PublicID {
		t.Errorf("the client's page leads to %q", to)
	}
	if tom.get("/clients/"+s.Mia.PublicID).doc.Find(`a[href^="`+auditPath+`"]`).Length() != 0 {
		t.Error("Tom is led where he may not go")
	}
}

// signInAgain opens a session after the one that the cast began with is over.
func (s *testSite) signInAgain(name, id string) {
	s.t.Helper()
	if err := s.DB.Update(s.t.Context(), func(tx *db.Tx) error {
		m, err := tx.Staff(id)
		if err == nil {
			s.Sessions[name], err = tx.AddSession(db.Session{StaffID: m.ID})
		}
		return err
	}); err != nil {
		s.t.Fatal(err)
	}
}

// titleOf is the title of a form that was sent.
func (s *testSite) titleOf(form string) (title string) {
	s.t.Helper()
	if err := s.DB.View(s.t.Context(), func(tx *db.Tx) error {
		r, err := tx.FormRequest(db.Everybody(), form)
		title = r.Form.Title
		return err
	}); err != nil {
		s.t.Fatal(err)
	}
	return title
}

func (s *testSite) noted(t *testing.T, entries ...db.AuditEntry) {
	t.Helper()
	if err := s.DB.Update(t.Context(), func(tx *db.Tx) error {
		for _, e := range entries {
			if err := tx.Audit(e); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func TestAuditLogIsPagedByItsEntries(t *testing.T) {
	s := newSite(t)
	for range 119 {
		s.noted(t, db.AuditEntry{StaffID: 1, Act: "opened the record", ClientID: s.Ann.ID})
		s.Clock.Move(time.Second)
	}
	olga := s.as("Olga")
	first := olga.get(auditPath).want(200, "120 entries")
	older := olga.get(first.doc.Find("a[rel=next]").AttrOr("href", ""))
	last := olga.get(older.doc.Find("a[rel=next]").AttrOr("href", ""))
	if a, b, c := len(first.entries()), len(older.entries()), len(last.entries()); a != 50 || b != 50 || c != 20 || first.doc.Find("a[rel=prev]").Length() != 0 || last.doc.Find("a[rel=next]").Length() != 0 {
		t.Errorf("%d, %d and %d entries", a, b, c)
	}
	if back := olga.get(last.doc.Find("a[rel=prev]").AttrOr("href", "")); back.text("#found") != older.text("#found") {
		t.Error("the way back leads elsewhere")
	}
	if back := olga.get(older.doc.Find("a[rel=prev]").AttrOr("href", "")); !slices.Equal(back.entries(), first.entries()) || back.doc.Find("a[rel=prev]").Length() != 0 {
		t.Error("the newest page is another from behind")
	}
	if n := strings.Count(fmt.Sprint(olga.get(auditPath+"?kind=Settings+and+keys").entries()), "opened the audit log"); n != 1 {
		t.Errorf("opening the log is noted %d times", n)
	}
	for _, place := range []string{"?before=999999", "?after=x", "?before=-1"} {
		if !slices.Equal(olga.get(auditPath+place).entries(), first.entries()) {
			t.Errorf("%s isn't the newest page", place)
		}
	}
}

func TestAuditLogAsAFile(t *testing.T) {
	s := newSite(t)
	var many []db.AuditEntry
	for i := range 1234 {
		many = append(many, db.AuditEntry{StaffID: 2, Act: "changed the client", ClientID: s.Ann.ID, Detail: fmt.Sprintf("=%d", i)})
	}
	s.noted(t, many...)
	s.noted(t, db.AuditEntry{ByClient: s.Mia.ID, Act: "signed in"})
	olga := s.as("Olga")
	rows := func(form ...string) [][]string {
		t.Helper()
		a := olga.post(auditPath, form...).want(200)
		if a.header.Get("Content-Disposition") != `attachment; filename="audit-log-2026-11-02.csv"` {
			t.Error(a.header)
		}
		all, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(a.body, "\ufeff"))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		return all[1:]
	}
	all := rows()
	if len(all) != 1236 || all[0][6] != "Olga Olson exported the audit log" || all[1][6] != "Mia Moreno signed in" ||
		!slices.Equal(all[2], []string{"1234", "2026-11-02T10:04:05-05:00", "Tom Tran", "changed the client", "Clients' records", "Ann Abbott", "Tom Tran changed the record of Ann Abbott: =1233"}) {
		t.Errorf("%d rows: %q", len(all), all[:3])
	}
	if some := rows("by", "clients", "to", "2026-11-02"); len(some) != 1 {
		t.Errorf("%q", some)
	}
	rows("client", s.Ann.PublicID)
	rows("q", "abbott", "kind", "Forms and answers")
	olga.get(auditPath+"?kind=Exports+and+imports").wantEntries(
		"Olga Olson exported the audit log: of clients found by a search: 1, forms and answers",
		"Olga Olson exported the audit log of Ann Abbott",
		"Olga Olson exported the audit log: by clients, to 2026-11-02",
		"Olga Olson exported the audit log")
	olga.post(auditPath, "from", "never").wantTo(auditPath + "?from=never")
}

func TestAuditLogIsChecked(t *testing.T) {
	s := newSite(t)
	olga := s.as("Olga")
	olga.get(auditCheckPath).want(200, "wasn’t checked since")
	olga.get("/clients/" + s.Ann.PublicID)
	olga.post(auditCheckPath).wantTo(auditCheckPath)
	<-s.Practice.LastAuditCheck(s.Olga).Done()
	head, err := s.DB.VerifyAudit(t.Context(), db.AuditHead{}, nil)
	if err != nil || head.Entry != 2 {
		t.Fatal(head, err)
	}
	olga.get(auditCheckPath).want(200, "The log is whole", "1 entry, unbroken.", "Head: 1:", "by Olga Olson")
	olga.get(auditPath).want(200, "Olga Olson checked the audit log: unbroken up to entry 1")
	s.tamper("UPDATE audit_entries SET staff_id = 2 WHERE id = 1")
	olga.post(auditCheckPath).wantTo(auditCheckPath)
	<-s.Practice.LastAuditCheck(s.Olga).Done()
	olga.htmx().get(auditCheckPath+"?poll=1").want(200, "The log was tampered with", "Entry 1 was altered", "tell whoever runs the server")
	olga.get(auditPath).want(200, "checked the audit log: audit entry 1 was altered")
}

// tamper changes the log as somebody would who has the file and another SQLite.
func (s *testSite) tamper(statement string) {
	s.t.Helper()
	if err := s.DB.Update(s.t.Context(), func(tx *db.Tx) error {
		for _, statement := range []string{"DROP TRIGGER audit_entries_no_update", "DROP TRIGGER audit_entries_no_delete", statement} {
			if _, err := tx.Exec(statement); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		s.t.Fatal(err)
	}
}
