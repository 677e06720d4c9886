package handlers

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"anteroom/db"
	"anteroom/practice/cast"

	"github.com/pquerna/otp/totp"
)

// requires has the practice require a second step.
func (s *testSite) requires(staff, clients bool) {
	s.t.Helper()
	if err := s.DB.Update(s.t.Context(), func(tx *db.Tx) error { return tx.RequireSecondStep(staff, clients) }); err != nil {
		s.t.Fatal(err)
	}
}

// signIn gives somebody's password, on the way to a page.
func (b *browser) signIn(email, next string) answer {
	b.t.Helper()
	return b.post("/sign-in", "email", email, "password", cast.Password, "next", next)
}

// app is somebody's authenticator app.
type app struct {
	s      *testSite
	secret string
}

// adds reads the key that a page of set-up shows, as the app would.
func (b *browser) adds(a answer) app {
	b.t.Helper()
	a.want(http.StatusOK)
	secret := strings.ReplaceAll(a.text("#secret"), "-", "")
	link, _ := a.doc.Find("a[href^='otpauth:']").Attr("href")
	if u, err := url.Parse(link); err != nil || secret == "" || u.Query().Get("secret") != secret {
		b.t.Fatalf("the key is %q, the link %q", secret, link)
	}
	if path, _ := a.doc.Find("svg.qr path").Attr("d"); len(path) < 1000 {
		b.t.Fatalf("no QR code: %q", path)
	}
	return app{b.testSite, secret}
}

// code is what the app shows so much later.
func (a app) code(later time.Duration) string {
	a.s.t.Helper()
	code, err := totp.GenerateCode(a.secret, a.s.Clock.Now().Add(later))
	if err != nil {
		a.s.t.Fatal(err)
	}
	return code
}

func (a answer) hidden(name string) string {
	return a.doc.Find("input[name='"+name+"']").AttrOr("value", "")
}

// setsUpStep sets up an authenticator app where a second step is owed, and returns it with the recovery codes.
func (b *browser) setsUpStep(page answer) (app, []string) {
	b.t.Helper()
	phone := b.adds(page)
	a := b.post(secondStepPath, "next", page.hidden("next"), "enrolment", page.hidden("enrolment"), "code", phone.code(0))
	a.want(http.StatusOK, "Your recovery codes")
	codes := strings.Fields(a.text("#codes"))
	if len(codes) != 10 {
		b.t.Fatalf("codes: %q", codes)
	}
	return phone, codes
}

func TestStaffSetUpTheirSecondStepAndTakeIt(t *testing.T) {
	s := newSite(t)
	s.requires(true, false)
	tom := s.as("")
	to := secondStepPath + "?next=" + url.QueryEscape("/clients?q=ann")
	tom.signIn("tom@willow.example", "/clients?q=ann").wantTo(to)
	tom.get("/clients").wantTo(secondStepOf("/clients"))

	page := tom.get(to).want(http.StatusOK, "Set up your second step")
	phone := tom.adds(page)
	again := tom.post(secondStepPath, "next", "/clients?q=ann", "enrolment", page.hidden("enrolment"), "code", "000000")
	again.wantError("code", "That isn't the code")
	if again.hidden("enrolment") != page.hidden("enrolment") || again.text("#secret") != page.text("#secret") || again.hidden("next") != "/clients?q=ann" {
		t.Error("a wrong code changes what the app was told, or where to go on")
	}
	before := tom.cookies[sessionCookie]
	a := tom.post(secondStepPath, "next", "/clients?q=ann", "enrolment", page.hidden("enrolment"), "code", phone.code(0)[:3]+" "+phone.code(0)[3:])
	a.want(http.StatusOK, "Your recovery codes")
	codes := strings.Fields(a.text("#codes"))
	if next := a.doc.Find("main a.primary").AttrOr("href", ""); next != "/clients?q=ann" || len(codes) != 10 {
		t.Errorf("on to %q with %d codes", next, len(codes))
	}
	if tom.cookies[sessionCookie] == before {
		t.Error("the session keeps its cookie")
	}
	tom.get("/clients").want(http.StatusOK)
	tom.get(secondStepOf("/clients?q=ann")).wantTo("/clients?q=ann")

	other := s.as("")
	other.signIn("tom@willow.example", "").wantTo(secondStepOf(""))
	step := other.get(secondStepPath).want(http.StatusOK, "Enter your code")
	if other.get("/second-step").text("main") != step.text("main") || strings.Contains(step.body, "Tom") {
		t.Errorf("half signed in, the page tells whose it is: %s", step.main())
	}
	other.post(secondStepPath, "code", phone.code(0)).wantError("code", "doesn't work now") // it was taken at set-up
	other.post(secondStepPath, "code", "").wantError("code", "Enter the code")
	other.post(secondStepPath, "code", phone.code(30*time.Second), "next", "https://evil.example/").wantTo("/clients")
	other.get("/clients").want(http.StatusOK)

	lost := s.as("")
	lost.signIn("tom@willow.example", "")
	lost.post(secondStepPath, "code", strings.ToUpper(strings.ReplaceAll(codes[3], "-", " "))).wantTo("/clients")
	lost.get("/security").want(http.StatusOK, "9 left")
	lost = s.as("")
	lost.signIn("tom@willow.example", "")
	lost.post(secondStepPath, "code", codes[3]).wantError("code", "doesn't work now")
	lost.post("/sign-out").wantTo("/sign-in")
	lost.get(secondStepPath).wantTo("/sign-in?next=" + url.QueryEscape("/second-step"))
}
