package handlers

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"anteroom/db"
)

// mailedLink is the path in the last letter to a client or a staff member.
func (s *testSite) mailedLink(clientID, staffID int64) (path string) {
	s.t.Helper()
	err := s.DB.View(s.t.Context(), func(tx *db.Tx) error {
		letters, err := tx.ClientLetters(db.Everybody(), clientID)
		if staffID != 0 {
			letters, err = tx.StaffLetters(staffID)
		}
		if err != nil {
			return err
		}
		_, token, err := tx.LinkToken(letters[0].LinkID)
		path = "/link/" + token
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return path
}

func (s *testSite) inviteAnn() (path string) {
	s.t.Helper()
	draft, err := s.Cast.Practice.StartClientDraft(s.t.Context(), s.Tom, s.Ann.PublicID)
	if err == nil {
		err = s.Cast.Practice.Send(s.t.Context(), s.Tom, draft, "")
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return s.mailedLink(s.Ann.ID, 0)
}

func TestJoinByLink(t *testing.T) {
	s := newSite(t)
	path := s.inviteAnn()

	// A scanner that opens everything, and posts nothing into what it finds, spends nothing.
	scanner := s.as("")
	for range 3 {
		scanner.ask("HEAD", path, nil).want(303)
		scanner.follow(scanner.get(path)).want(200)
		scanner.ask("HEAD", "/choose-password", nil).want(200)
		scanner.post("/choose-password").wantError("password", "at least 12")
	}

	ann := s.as("")
	opened := ann.get(path).wantTo("/choose-password")
	if opened.header.Get("Referrer-Policy") != "no-referrer" || opened.header.Get("Cache-Control") != "no-store" {
		t.Error(opened.header)
	}
	cookie := opened.header.Get("Set-Cookie")
	for _, want := range []string{"link=" + strings.TrimPrefix(path, "/link/"), "HttpOnly", "SameSite=Lax", "max-age=1800"} {
		if !strings.Contains(cookie, want) {
			t.Errorf("%s is not in %s", want, cookie)
		}
	}
	page := ann.get("/choose-password").want(200, "Join Client Portal", "Willow Street Counseling")
	for _, secret := range []string{"Ann", "Abbott", "ann@mail.example", strings.TrimPrefix(path, "/link/")} {
		if strings.Contains(page.body, secret) {
			t.Errorf("the page shows %s", secret)
		}
	}
	again := ann.post("/choose-password", "password", "Password1234").wantError("password", "easy to guess")
	if strings.Contains(again.body, "Password1234") {
		t.Error("the password came back")
	}
	ann.post("/choose-password", "password", "velvet anchor over tin roofs").wantTo("/portal")
	if ann.cookies[linkCookie] != "" || ann.cookies[sessionCookie] == "" {
		t.Error(ann.cookies)
	}
	if who, err := s.Cast.Practice.Authenticate(t.Context(), ann.cookies[sessionCookie], true); err != nil || who.ID() != "client "+s.Ann.PublicID {
		t.Error(who.ID(), err)
	}

	late := s.as("")
	late.follow(late.get(path)).want(410, "You have a password already", "Sign in")
	late.post("/choose-password", "password", "velvet anchor over tin roofs").want(410)
	for who, on := range map[*browser]string{late: "/sign-in", ann: "/portal", s.as("Tom"): "/clients"} {
		a := who.follow(who.get(path)).want(410, "You have a password already")
		if to := a.doc.Find("main a.primary").AttrOr("href", ""); to != on {
			t.Errorf("the link leads on to %s, want %s", to, on)
		}
	}
	s.as("").get("/choose-password").want(410, "Open the link in your mail")
	s.as("").get("/link/nonsense;Domain=evil.example").wantTo("/choose-password")
	if log := s.log.String(); strings.Contains(log, strings.TrimPrefix(path, "/link/")) || !strings.Contains(log, "route=/link/:token") {
		t.Error("the log: ", log)
	}
}

func TestJoiningSignsNobodyElseOut(t *testing.T) {
	s := newSite(t)
	mia := s.as("Mia")
	session := mia.cookies[sessionCookie]
	mia.get(s.inviteAnn())
	mia.post("/choose-password", "password", "velvet anchor over tin roofs").wantTo("/portal")
	if mia.cookies[sessionCookie] == session {
		t.Error("the session was not replaced")
	}
	if who, err := s.Cast.Practice.Authenticate(t.Context(), session, true); err != nil || who.ID() != "client "+s.Mia.PublicID {
		t.Error("the other session ended", err)
	}
}

func TestNewLinkForAnExpiredOne(t *testing.T) {
	s := newSite(t)
	path := s.inviteAnn()
	s.Clock.Move(8 * 24 * time.Hour)
	ann := s.as("")
	ann.follow(ann.get(path)).want(410, "This link has expired", "Send me a new link")
	said := ann.follow(ann.post("/new-link").wantTo("/sign-in")).want(200, "If this link was yours, a new one is on its way").text("#notice")
	if next := s.mailedLink(s.Ann.ID, 0); next == path {
		t.Error("no new link was sent")
	} else {
		ann.follow(ann.get(next)).want(200, "Join Client Portal")
	}
	ann.follow(ann.get(path)).want(410, "doesn't work any more")

	stranger := s.as("")
	if other := stranger.follow(stranger.post("/new-link").wantTo("/sign-in")).text("#notice"); other != said {
		t.Errorf("a stranger is told %q", other)
	}
}

func TestForgottenPasswordTellsNothing(t *testing.T) {
	s := withOutbox(t) // without a mail server
	b := s.as("")
	b.get("/forgotten-password").want(200, "can't send mail right now")
	b.post("/forgotten-password", "email", "nonsense").wantError("email", "name@example.com")
	var said []string
	for _, address := range []string{"mia@mail.example", "olga@willow.example", "ben@mail.example", "nobody@mail.example"} {
		for range 4 { // more often than letters are sent
			b := s.as("")
			answer := b.post("/forgotten-password", "email", address).wantTo("/sign-in")
			said = append(said, answer.body+b.follow(answer).text("main"))
		}
	}
	for _, one := range said {
		if one != said[0] {
			t.Errorf("%q and %q", one, said[0])
		}
	}
	if err := s.DB.View(t.Context(), func(tx *db.Tx) error {
		letters, err := tx.ClientLetters(db.Everybody(), s.Mia.ID)
		if len(letters) != 3 || letters[0].Kind != db.LetterNewPassword {
			t.Errorf("%d letters", len(letters))
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	mia := s.as("")
	mia.follow(mia.get(s.mailedLink(s.Mia.ID, 0))).want(200, "Choose a new password")
	mia.post("/choose-password", "password", "velvet anchor over tin roofs").wantTo("/portal")
	mia.get("/sign-in").wantTo("/portal")
	if s.as("Mia").get("/sign-in").status != http.StatusOK {
		t.Error("the other session goes on")
	}
}

// The first GET notes that the link was opened; HEAD doesn't, and where it can't be noted the page opens all the same.
func TestLinkOpenedIsNoted(t *testing.T) {
	s := newSite(t)
	path := s.inviteAnn()
	opened := func() (at time.Time) {
		t.Helper()
		s.update(func(tx *db.Tx) error {
			l, err := tx.LinkByToken(strings.TrimPrefix(path, "/link/"))
			at = l.OpenedAt
			return err
		})
		return at
	}
	s.as("").ask("HEAD", path, nil).want(303)
	if at := opened(); !at.IsZero() {
		t.Errorf("HEAD opened it at %s", at)
	}
	s.update(func(tx *db.Tx) error {
		_, err := tx.ExecContext(t.Context(), "CREATE TRIGGER no_room BEFORE UPDATE OF opened_at ON links BEGIN SELECT RAISE(ABORT, 'no room'); END")
		return err
	})
	ann := s.as("")
	ann.follow(ann.get(path)).want(200, "Join Client Portal")
	if !strings.Contains(s.log.String(), "opening not noted") || !opened().IsZero() {
		t.Error("a failure to note isn't in the log")
	}
	s.update(func(tx *db.Tx) error { _, err := tx.ExecContext(t.Context(), "DROP TRIGGER no_room"); return err })
	ann.get(path).want(303)
	first := opened()
	s.Clock.Move(time.Hour)
	ann.get(path).want(303)
	if first.IsZero() || !opened().Equal(first) {
		t.Errorf("opened first at %s, then %s", first, opened())
	}
}
