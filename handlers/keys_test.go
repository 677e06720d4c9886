package handlers

import (
	"net/http"
	"strings"
	"testing"

	"anteroom/db"
	"anteroom/practice"
	"anteroom/practice/cast"
)

func TestRotateTheKeyOnAScreen(t *testing.T) {
	s := newSite(t)
	s.library()
	s.completed(s.Mia)
	olga := s.as("Olga")
	page := olga.get(keysPath).want(http.StatusOK, "In the key file beside the database", "The answers of 1 client", "All is sealed under it")
	first := page.doc.Find("dl.facts code").Text()
	if page.doc.Find("[hx-get]").Length() != 0 || strings.Contains(page.body, "Older keys") {
		t.Error("with one key nothing is under way")
	}
	if aria := page.doc.Find(`nav.side [aria-current="true"]`).Text(); aria != "Security" {
		t.Errorf("the menu is at %q", aria)
	}
	ask := olga.get(keysPath+"/rotate").want(http.StatusOK, "A backup that was made before can only be opened with a copy of the key file from then", "Copy the new key file")
	known := ask.doc.Find(`input[name="key"]`).AttrOr("value", "")
	if known == "" || known != first {
		t.Errorf("asked to rotate %q while %q is in use", known, first)
	}
	olga.post(keysPath+"/rotate", "key", known).wantTo(keysPath)
	page = olga.get(keysPath).want(http.StatusOK, "Rotated.", "0 of 1 client’s answers are", "Older keys", "Still needed")
	second := page.doc.Find("dl.facts code").Text()
	if second == first {
		t.Error("the key in use is the one before")
	}
	olga.post(keysPath+"/rotate", "key", known).wantTo(keysPath) // the second of a double click
	if again := olga.get(keysPath).doc.Find("dl.facts code").Text(); again != second {
		t.Errorf("a double click rotated twice, to %s and %s", second, again)
	}
	next := page.doc.Find("#keys").AttrOr("hx-get", "")
	if !strings.Contains(next, "poll=1") {
		t.Errorf("it looks on at %q", next)
	}
	if part := olga.htmx().get(next).want(http.StatusOK); part.doc.Find("h1").Length() != 0 {
		t.Error("a part of the page is all of it")
	}
	if err := s.Practice.SealAnew(t.Context()); err != nil {
		t.Fatal(err)
	}
	part := olga.htmx().get(next).want(http.StatusOK, "All is sealed under it", "Retired", first, second)
	if part.doc.Find("[hx-get]").Length() != 0 {
		t.Error("the end asks on")
	}
	olga.get("/organization/mail").wantTo(mailSettingsPath)
	if strings.Contains(s.log.String(), first) || strings.Contains(s.log.String(), second) {
		t.Error("the log names a key")
	}
}

// hostKept is a practice with one client's answers, whose host gives the key itself.
func hostKept(t *testing.T, folder, key string) *testSite {
	t.Helper()
	c := &cast.Cast{Clock: cast.NewClock(), Sessions: map[string]string{}}
	var err error
	if c.DB, err = db.OpenWithKey(t.Context(), folder, key, c.Clock.Now); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.DB.Close() })
	c.Practice = practice.New(c.DB, practice.Config{Public: cast.Public})
	var set practice.SetUp
	set.Name, set.Phone, set.TimeZone = "Willow Street Counseling", "555-0100", "America/New_York"
	set.Administrator.Name, set.Administrator.Email, set.Administrator.Password = "Olga Olson", "olga@willow.example", "velvet anchor over tin roofs"
	if err := c.Practice.CreateAdministrator(t.Context(), set); err != nil && !strings.Contains(err.Error(), "email") {
		t.Fatal(err)
	}
	if err := c.DB.Update(t.Context(), func(tx *db.Tx) error {
		if err := tx.RequireSecondStep(false, false); err != nil {
			return err
		}
		c.Sessions["Olga"], err = tx.AddSession(db.Session{StaffID: 1})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return siteOf(t, c)
}

// A key that the host gives is not rotated here: the page says how, and does the rest once it is.
func TestKeyThatTheHostKeeps(t *testing.T) {
	folder, first, second := t.TempDir(), db.NewKey(), db.NewKey()
	firstID, _, _ := strings.Cut(first, " ")
	s := hostKept(t, folder, first)
	olga := s.as("Olga")
	page := olga.get(keysPath).want(http.StatusOK, "In the environment", "anteroom key new", firstID)
	if page.doc.Find(`a[href$="/rotate"]`).Length() != 0 || strings.Contains(page.body, strings.Fields(first)[1]) {
		t.Error("it offers what can't be done, or shows the key")
	}
	olga.get(keysPath + "/rotate").wantTo(keysPath + "#rotate")
	olga.post(keysPath+"/rotate", "key", firstID).want(http.StatusUnprocessableEntity, "was not rotated")
	if err := s.DB.Update(t.Context(), func(tx *db.Tx) error {
		ann := db.Client{FirstName: "Ann", LastName: "Abbott"}
		if err := tx.AddClient(&ann); err != nil {
			return err
		}
		return tx.SetClientNotes(ann.ID, "a note")
	}); err != nil {
		t.Fatal(err)
	}
	s.DB.Close()

	s = hostKept(t, folder, first+","+second)
	olga = s.as("Olga")
	olga.get(keysPath).want(http.StatusOK, "Still needed")
	if err := s.Practice.SealAnew(t.Context()); err != nil {
		t.Fatal(err)
	}
	olga.get(keysPath).want(http.StatusOK, "No longer used since", "anteroom key retire "+firstID)
	s.DB.Close()

	line, err := db.RetiredLine(first+","+second, firstID)
	if err != nil {
		t.Fatal(err)
	}
	s = hostKept(t, folder, line+"\n"+second)
	if page := s.as("Olga").get(keysPath).want(http.StatusOK, "Retired"); strings.Contains(page.body, "anteroom key retire") {
		t.Error("it asks for what was done")
	}
}
