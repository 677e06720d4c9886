package handlers

import (
	"encoding/json"
	"io/fs"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"anteroom/db"
	"anteroom/practice/cast"
	"anteroom/views"
)

// sessionOf is the session of somebody in the cast.
func (s *testSite) sessionOf(who string) (one db.Session) {
	s.t.Helper()
	if err := s.DB.View(s.t.Context(), func(tx *db.Tx) (err error) {
		one, err = tx.Session(s.Sessions[who])
		return err
	}); err != nil {
		s.t.Fatal(err)
	}
	return one
}

// left is what the site says of the browser's session.
func (b *browser) left(method string) (l sessionLeft) {
	b.t.Helper()
	path := sessionPath
	if method == http.MethodGet {
		path += "?poll=1"
	}
	a := b.ask(method, path, form(method)).want(http.StatusOK)
	if err := json.Unmarshal([]byte(a.body), &l); err != nil {
		b.t.Fatalf("%v: %s", err, a.body)
	}
	return l
}

func TestSessionTellsHowLongIsLeft(t *testing.T) {
	s := newSite(t)
	olga, mia, nobody := s.as("Olga"), s.as("Mia"), s.as("")
	if l := nobody.left("GET"); l != (sessionLeft{}) {
		t.Errorf("nobody has %+v", l)
	}
	first := olga.left("GET")
	if first.Left != 15*60 || !first.Extends || first.Who == "" || strings.Contains(s.Olga.PublicID(), first.Who) {
		t.Errorf("at first %+v", first)
	}
	if l := mia.left("GET"); l.Who == first.Who || l.Who == "" || len(l.Who) != len(first.Who) {
		t.Errorf("Mia is %q, Olga %q", l.Who, first.Who)
	}
	s.Clock.Move(14*time.Minute + 30*time.Second)
	olga.get(sessionPath).want(200) // also without saying that the page asks by itself
	if l := olga.left("GET"); l.Left != 30 || !l.Extends || l.Who != first.Who {
		t.Errorf("after 14:30 %+v", l)
	}
	if l := olga.left("POST"); l.Left != 15*60 {
		t.Errorf("after staying %+v", l)
	}
	s.Clock.Move(15*time.Minute + time.Second)
	if l := olga.left("POST"); l != (sessionLeft{}) {
		t.Errorf("when it is over %+v", l)
	}
}

// After twelve hours nobody stays, whatever they do.
func TestSessionEndsAfterTwelveHours(t *testing.T) {
	s := newSite(t)
	olga := s.as("Olga")
	for range 71 { // every ten minutes
		s.Clock.Move(10 * time.Minute)
		olga.get("/clients").want(200)
	}
	s.Clock.Move(9 * time.Minute)
	for _, method := range []string{"GET", "POST"} {
		if l := olga.left(method); l.Left != 60 || l.Extends {
			t.Errorf("%s, a minute before twelve hours: %+v", method, l)
		}
	}
	s.Clock.Move(61 * time.Second)
	if l := olga.left("POST"); l.Who != "" {
		t.Errorf("after twelve hours: %+v", l)
	}
}

// A clock that is set back makes no session longer.
func TestSessionEndsWhenTheClockIsSetBack(t *testing.T) {
	s := newSite(t)
	olga := s.as("Olga")
	s.Clock.Move(-10 * time.Minute)
	olga.get("/clients").want(200)
	s.Clock.Move(14 * time.Minute) // what counts is the last request, by the clock as it was then
	olga.get("/clients").want(200)
	s.Clock.Move(-365 * 24 * time.Hour)
	olga.get("/clients").wantTo("/sign-in?next=%2Fclients")
}

// A page that asks by itself never keeps a session awake, whichever route it asks; and what asks by itself says so.
func TestPollingNeverExtendsASession(t *testing.T) {
	for _, who := range []string{"Olga", "Mia"} {
		var s *testSite
		var before time.Time
		stage := func() {
			s = newSite(t)
			s.library()
			s.Clock.Move(14 * time.Minute)
		}
		stage()
		asked := 0
		for _, r := range s.routes() {
			if r.method != http.MethodGet {
				continue
			}
			for _, target := range targets(t, r.path) {
				if strings.Contains(r.path, "form") { // each target makes its own
					stage()
				}
				path := target.path(s) // somebody may be busy making it
				before = s.sessionOf(who).SeenAt
				s.as(who).htmx().get(path + "?poll=1")
				asked++
				if at := s.sessionOf(who).SeenAt; !at.Equal(before) {
					t.Errorf("%s kept %s's session awake", target.name, who)
				}
			}
		}
		if asked < 60 {
			t.Errorf("only %d routes were asked", asked)
		}
	}
	timer := regexp.MustCompile(`<[^>]*hx-trigger="(?:every|load)[^>]*>`)
	address := regexp.MustCompile(`hx-(?:get|post)="([^"]*)"`)
	found := 0
	err := fs.WalkDir(views.Files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(views.Files, path)
		for _, element := range timer.FindAllString(string(text), -1) {
			found++
			// Those built in Go are asked for among the routes above.
			if to := address.FindStringSubmatch(element); to == nil || !strings.Contains(to[1], "poll=1") && to[1] != "{{.ProgressURL}}" && to[1] != "{{.URL}}" {
				t.Errorf("%s: what asks by itself doesn't say so: %s", path, element)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if found < 3 {
		t.Errorf("only %d timers were found", found)
	}
}

// Whose session was ended is told so where they sign in, and that what they sent last came too late. Who signs out knows, and who
// comes for the first time was never in.
func TestSignInSaysWhyOneIsThere(t *testing.T) {
	s := newSite(t)
	const why, late = "You were signed out to keep this private.", "What you sent last wasn’t saved."
	said := func(a answer) string { return a.want(http.StatusOK).text("main .banner") }
	if got := said(s.as("").get("/sign-in")); got != "" {
		t.Errorf("at first %q", got)
	}
	for who, page := range map[string]string{"Olga": "/clients/new", "Mia": "/portal/address"} {
		b, left := s.as(who), s.as(who)
		left.follow(left.post("/sign-out").wantTo("/sign-in"))
		if got := said(left.get("/sign-in")); got != "" {
			t.Errorf("%s, who signed out, is told %q", who, got)
		}
		if got := said(b.follow(b.get(page))); got != why+" Sign in to go on." {
			t.Errorf("%s opened a page: %q", who, got)
		}
		if got := said(b.follow(b.post(securityPath+"/password", "password", "a quiet place of mine"))); got != why+" "+late+" Sign in to go on." {
			t.Errorf("%s sent a form: %q", who, got)
		}
		b.htmx().post(securityPath + "/password").want(http.StatusNoContent) // its page keeps it
		if got := said(b.get("/sign-in")); got != why+" Sign in to go on." {
			t.Errorf("%s comes anew: %q", who, got)
		}
		b.post("/sign-in", "email", "nobody@mail.example", "password", "wrong").want(http.StatusUnprocessableEntity)
		email := map[string]string{"Olga": "olga@willow.example", "Mia": "mia@mail.example"}[who]
		b.post("/sign-in", "email", email, "password", cast.Password)
		b.post("/sign-out").wantTo("/sign-in")
		if got := said(b.get("/sign-in")); got != "You are signed out." {
			t.Errorf("%s, signed out anew, is told %q", who, got)
		}
	}
}

// The demo tells where one signs in who its people are. Nowhere else is there such a thing.
func TestDemoTellsHowToSignIn(t *testing.T) {
	if a := newSite(t).as("").get("/sign-in").want(http.StatusOK); a.doc.Find("#invented").Length() != 0 || strings.Contains(a.body, cast.Password) {
		t.Error("a practice tells how to sign in")
	}
	s := newSite(t, func(c *Config) {
		c.Invented = []SignIn{{"Olga Olson", "administrator", "olga@willow.example", cast.Password}}
	})
	s.as("").get("/sign-in").want(http.StatusOK, "This is a demo", "olga@willow.example", cast.Password)
}

// Who is signed in gets the warning and its script; strangers get neither.
func TestLogoffIsForWhoIsSignedIn(t *testing.T) {
	s := newSite(t)
	for who, path := range map[string]string{"Olga": "/clients", "Mia": "/portal", "": "/sign-in"} {
		a := s.as(who).get(path).want(200)
		script, dialogs := a.doc.Find(`script[src*="/logoff."]`).Length(), a.doc.Find("#logoff, #covered").Length()
		left, has := a.doc.Find("body").Attr("data-left")
		if signedIn := who != ""; signedIn != (script == 1) || signedIn != (dialogs == 2) || signedIn != has || signedIn && left != "900" {
			t.Errorf("%q at %s: %d scripts, %d dialogs, %q left", who, path, script, dialogs, left)
		}
	}
}

const phoneAgent = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.7 Mobile/15E148 Safari/604.1"

// signsInAnew signs somebody in at another browser.
func (s *testSite) signsInAnew(email, agent string) *browser {
	s.t.Helper()
	b := s.as("").with("User-Agent", agent)
	b.post("/sign-in", "email", email, "password", cast.Password).want(http.StatusSeeOther)
	return b
}

func TestSessionsAreListedAndEnded(t *testing.T) {
	for _, who := range []struct{ name, email, other string }{{"Mia", "mia@mail.example", "Leo"}, {"Tom", "tom@willow.example", "Olga"}} {
		s := newSite(t)
		here, phone := s.as(who.name), s.signsInAnew(who.email, phoneAgent)
		page := here.get(securityPath).want(200, "Safari on iPhone", "A browser that doesn't say which", "This browser")
		if n := page.doc.Find("#sessions").Closest("section").Find("li").Length(); n != 2 {
			t.Fatalf("%d sessions are listed, want 2", n)
		}
		if text := page.text("li:has(.badge)"); strings.Contains(text, "Safari") {
			t.Errorf("this browser is %q", text)
		}
		end, _ := page.doc.Find(`li:contains("Safari") form`).Attr("action")

		// Another's is not theirs to end, nor one that never was.
		theirs := securityPath + "/sessions/" + s.sessionOf(who.other).PublicID + "/sign-out"
		here.post(theirs).want(404)
		here.post(securityPath + "/sessions/" + s.Ann.PublicID + "/sign-out").want(404)
		s.as(who.other).get(securityPath).want(200)

		here.post(end).wantTo(securityPath)
		here.get(securityPath).want(200, "That browser is signed out.")
		phone.get(securityPath).wantTo("/sign-in?next=%2Fsecurity")
		here.post(end).want(404) // it is over

		// Those that ended by themselves aren't shown.
		s.signsInAnew(who.email, phoneAgent)
		s.Clock.Move(10 * time.Minute)
		here.get(securityPath).want(200, "Safari on iPhone")
		s.Clock.Move(10 * time.Minute)
		if a := here.get(securityPath).want(200); strings.Contains(a.body, "Safari on iPhone") {
			t.Error("a session that ended is listed")
		}

		phone = s.signsInAnew(who.email, phoneAgent)
		here.post(securityPath+"/sign-out", "where", "nowhere").want(404)
		here.post(securityPath+"/sign-out", "where", "elsewhere").wantTo(securityPath)
		phone.get(securityPath).want(http.StatusSeeOther)
		here.get(securityPath).want(200)

		phone = s.signsInAnew(who.email, phoneAgent)
		here.post(securityPath+"/sign-out", "where", "everywhere").wantTo("/sign-in")
		phone.get(securityPath).want(http.StatusSeeOther)
		here.get("/sign-in").want(200, "You are signed out.")
		here.get(securityPath).want(http.StatusSeeOther)
		s.sessionOf(who.other) // goes on

		self := s.signsInAnew(who.email, phoneAgent)
		action, _ := self.get(securityPath).doc.Find("#sessions").Closest("section").Find("li form").Attr("action")
		self.post(action).wantTo("/sign-in")
		self.get(securityPath).want(http.StatusSeeOther)
	}
}

func TestAdministratorsSignOthersOut(t *testing.T) {
	s := newSite(t)
	olga := s.as("Olga")
	if n := olga.get("/organization/staff/" + s.Tom.PublicID()).doc.Find(`form[action$="/sign-out"] button:contains("everywhere")`).Length(); n != 1 {
		t.Errorf("%d buttons on a staff member's page", n)
	}
	olga.post("/organization/staff/" + s.Tom.PublicID() + "/sign-out").wantTo("/organization/staff/" + s.Tom.PublicID())
	s.as("Tom").get("/clients").want(http.StatusSeeOther)
	s.as("Tess").get("/clients").want(200)
	for client, offered := range map[*db.Client]int{&s.Mia: 1, &s.Ann: 0} {
		if n := olga.get("/clients/" + client.PublicID).doc.Find(`form[action$="/sign-out"] button:contains("everywhere")`).Length(); n != offered {
			t.Errorf("%d buttons on the page of %s", n, client.Name())
		}
	}
	if n := s.as("Tess").get("/clients/" + s.Leo.PublicID).doc.Find(`form[action$="/sign-out"] button:contains("everywhere")`).Length(); n != 0 {
		t.Error("a therapist is offered it")
	}
	olga.post("/clients/" + s.Mia.PublicID + "/sign-out").wantTo("/clients/" + s.Mia.PublicID)
	s.as("Mia").get("/portal").want(http.StatusSeeOther)
	s.as("Leo").get("/portal").want(200)
	olga.get("/clients/"+s.Mia.PublicID).want(200, "signed the client out everywhere", "The client is signed out everywhere.")
}

func TestChangeOfPassword(t *testing.T) {
	const anew = "another quiet place of mine"
	for _, who := range []struct{ name, email string }{{"Mia", "mia@mail.example"}, {"Tom", "tom@willow.example"}} {
		s := newSite(t)
		here, elsewhere := s.as(who.name), s.signsInAnew(who.email, phoneAgent)
		before := here.cookies[s.cookie.prefix+sessionCookie]
		path := securityPath + "/password"
		here.get(path).want(200)
		here.post(path, "current", cast.Password, "password", "short").wantError("password", "12 characters")
		here.post(path, "current", cast.Password, "password", cast.Password).wantError("password", "another")
		here.post(path, "current", "not my password", "password", anew).wantError("current", "That isn't your password.")
		elsewhere.get(securityPath).want(200)

		here.post(path, "current", cast.Password, "password", anew).wantTo(securityPath)
		here.get(securityPath).want(200, "Your password is changed.")
		elsewhere.get(securityPath).want(http.StatusSeeOther)
		if now := here.cookies[s.cookie.prefix+sessionCookie]; now == before || now == "" {
			t.Errorf("%s's session goes on under the same cookie", who.name)
		}
		s.as(who.name).get(securityPath).want(http.StatusSeeOther) // the cookie before
		s.as("").post("/sign-in", "email", who.email, "password", cast.Password).want(http.StatusUnprocessableEntity)
		s.as("").post("/sign-in", "email", who.email, "password", anew).want(http.StatusSeeOther)
		var told int
		if err := s.DB.View(t.Context(), func(tx *db.Tx) error {
			return tx.QueryRowContext(t.Context(), "SELECT count(*) FROM letters WHERE kind = 'own account'").Scan(&told)
		}); err != nil || told != 1 {
			t.Errorf("%d letters tell of it (%v)", told, err)
		}
		for range 5 {
			here.post(path, "current", "not my password", "password", "a quiet place of hers").want(http.StatusUnprocessableEntity)
		}
		here.post(path, "current", anew, "password", "a quiet place of hers").wantError("current", "Too many wrong passwords")
	}
}

// A person's password changes ten times an hour and no oftener, and one letter tells of those that come at once.
func TestPasswordChangesAreBounded(t *testing.T) {
	s := newSite(t)
	mia, path := s.as("Mia"), securityPath+"/password"
	now, next := cast.Password, "seven loud ravens walking"
	for range 10 {
		mia.post(path, "current", now, "password", next).wantTo(securityPath)
		now, next = next, now
	}
	mia.post(path, "current", now, "password", next).wantError("password", "Wait an hour")
	if n := s.count("SELECT count(*) FROM letters WHERE kind = 'own account'"); n != 1 {
		t.Errorf("%d letters wait", n)
	}
	if n := s.acts("changed their password"); n != 10 {
		t.Errorf("%d entries", n)
	}
	s.Clock.Move(time.Hour)
	s.as("").post("/sign-in", "email", "mia@mail.example", "password", now).wantTo("/portal")
}
