package handlers

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"anteroom/db"
	"anteroom/practice"
	"anteroom/practice/cast"

	"github.com/pquerna/otp/totp"
	"github.com/valyala/fasthttp"
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
	if back := tom.get(to); back.text("#secret") != page.text("#secret") {
		t.Error("whoever comes back from the app finds another key")
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
	again = tom.post(secondStepPath, "next", "/clients?q=ann", "enrolment", page.hidden("enrolment"), "code", phone.code(0)) // the page is loaded anew
	tom.follow(again.wantTo("/clients?q=ann")).want(http.StatusOK, "You were given new codes a moment ago")
	if notice := tom.follow(tom.get(secondStepOf("/clients?q=ann")).wantTo("/clients?q=ann")).want(http.StatusOK).text("#notice"); notice != "" {
		t.Errorf("who comes back to where the step is taken is told %q", notice)
	}

	other := s.as("")
	other.signIn("tom@willow.example", "").wantTo(secondStepOf(""))
	step := other.get(secondStepPath).want(http.StatusOK, "Enter your code")
	if other.get("/second-step").text("main") != step.text("main") || strings.Contains(step.body, "Tom") {
		t.Errorf("half signed in, the page tells whose it is: %s", step.main())
	}
	other.post(secondStepPath, "code", phone.code(0)).wantError("code", "doesn't work now") // it was taken at set-up
	step.want(http.StatusOK, "Ask an administrator")
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
	again = lost.post(secondStepPath, "code", "", "recovery", codes[3]).wantError("recovery", "doesn't work now")
	if _, open := again.doc.Find("details:has(#recovery)").Attr("open"); !open || again.doc.Find("#code-error").Length() != 0 {
		t.Error("what is wrong with a recovery code isn't beside it")
	}
	lost.post(secondStepPath, "code", "", "recovery", codes[4]).wantTo("/clients")
	lost = s.as("")
	lost.signIn("tom@willow.example", "")
	lost.post("/sign-out").wantTo("/sign-in")
	lost.get(secondStepPath).wantTo("/sign-in?next=" + url.QueryEscape("/second-step"))
}

// Five wrong codes are enough, whichever browser they come from; a right one forgives those before it.
func TestWrongCodesAreFew(t *testing.T) {
	s := newSite(t)
	phone, codes := s.hasStep("mia@mail.example")
	wrong := func(times int) *browser {
		t.Helper()
		b := s.as("")
		b.signIn("mia@mail.example", "/portal").wantTo(secondStepOf("/portal"))
		for range times {
			b.post(secondStepPath, "code", "123456").wantError("code", "doesn't work now")
		}
		return b
	}
	wrong(2)
	wrong(2).post(secondStepPath, "code", phone.code(0), "next", "/portal").wantTo("/portal")
	wrong(3)
	b := wrong(2)
	b.post(secondStepPath, "code", phone.code(30*time.Second)).wantError("code", "Too many wrong codes")
	// Recovery codes are counted apart: one is taken, which gives the app's another chance; wrong ones are few too.
	b.post(secondStepPath, "code", codes[0]).wantTo("/portal")
	s.Clock.Move(30 * time.Second)
	b = wrong(0)
	for range 5 {
		b.post(secondStepPath, "code", "abcd-efgh-jkmn").wantError("code", "doesn't work now")
	}
	b.post(secondStepPath, "code", codes[1]).wantError("code", "Too many wrong codes")
	b.post(secondStepPath, "code", phone.code(0)).wantTo("/portal")
	wrong(5)
	s.Clock.Move(15*time.Minute + time.Second)
	wrong(0).post(secondStepPath, "code", phone.code(0)).wantTo("/portal")
	// A new password, for which a mailbox is enough, gives no more tries.
	wrong(5)
	if err := s.Practice.ForgotPassword(t.Context(), "mia@mail.example", "192.0.2.1"); err != nil {
		t.Fatal(err)
	}
	s.Clock.Move(time.Minute)
	b = s.as("")
	b.get(s.mailedLink(s.Mia.ID, 0))
	b.post("/choose-password", "password", "another quiet place").wantTo(secondStepPath)
	b.post(secondStepPath, "code", phone.code(0)).wantError("code", "Too many wrong codes")
	b.post(secondStepPath, "code", codes[2]).wantTo("/portal")
}

// The focus is where a code is asked for: after a wrong one, where that was typed.
func TestTheFocusIsWhereTheCodeGoes(t *testing.T) {
	s := newSite(t)
	_, codes := s.hasStep("mia@mail.example")
	mia := s.as("")
	mia.signIn("mia@mail.example", "")
	focus := func(a answer, want string) {
		t.Helper()
		if found := a.doc.Find("[autofocus]"); found.Length() != 1 || found.AttrOr("id", "") != want {
			t.Errorf("the focus is on %q, want %s, in: %s", found.AttrOr("id", ""), want, a.main())
		}
	}
	focus(mia.get(secondStepPath), "code")
	focus(mia.post(secondStepPath, "code", "123456", "recovery", ""), "code")
	focus(mia.post(secondStepPath, "code", "", "recovery", "abcd-efgh-jkmn"), "recovery")
	focus(mia.post(secondStepPath, "code", "", "recovery", ""), "code")
	mia.post(secondStepPath, "code", "", "recovery", codes[0]).want(http.StatusSeeOther)

	s.hasStep("olga@willow.example")
	s.update(func(tx *db.Tx) error {
		_, err := tx.ExecContext(t.Context(), "UPDATE sessions SET stepped_at = created_at")
		return err
	})
	olga := s.late("Olga")
	focus(olga.post(exportPath, "what", "clients"), "confirm-code")
	focus(olga.post(exportPath, "what", "clients", confirmCode, "", confirmRecovery, "abcd-efgh-jkmn"), "confirm-recovery")
	// With a passkey the focus is on nothing, until something is wrong.
	for _, c := range []struct {
		app   bool
		wrong practice.Invalid
		want  string
	}{{true, nil, ""}, {false, nil, ""}, {true, practice.Invalid{"code": "No."}, "code"}, {false, practice.Invalid{"code": "No."}, "recovery"}, {true, practice.Invalid{"passkey": "No."}, ""}} {
		request := s.app.AcquireCtx(&fasthttp.RequestCtx{})
		if got := newCodeField(request, "", db.Factors{Authenticator: c.app, Passkeys: 1}, c.wrong).Focus; got != c.want {
			t.Errorf("%+v: the focus is on %q", c, got)
		}
		s.app.ReleaseCtx(request)
	}
}

// Five wrong codes after the right password tell the owner by mail, once a day, that somebody may know it.
func TestWrongCodesAfterTheRightPasswordAreTold(t *testing.T) {
	for address, column := range map[string]string{"mia@mail.example": "client_id", "tom@willow.example": "staff_id"} {
		s := newSite(t)
		phone, _ := s.hasStep(address)
		s.hasStep("leo@mail.example")
		told := func() int {
			return s.count("SELECT count(*) FROM letters WHERE kind = 'own account' AND subject LIKE '%stopped at the second step%' AND " + column + " IS NOT NULL")
		}
		try := func(address string, times int) *browser {
			b := s.as("")
			b.signIn(address, "")
			for range times {
				b.post(secondStepPath, "code", "123456").wantError("code", "")
			}
			return b
		}
		step := func(what string, want int) {
			t.Helper()
			if got := told(); got != want {
				t.Errorf("%s, %s: %d letters, want %d", address, what, got, want)
			}
		}
		try(address, 4).post(secondStepPath, "code", phone.code(0)).want(http.StatusSeeOther)
		step("four, and a right one", 0)
		try(address, 5)
		step("five", 1)
		try(address, 3)
		s.Clock.Move(time.Hour)
		try(address, 5)
		step("five more an hour later", 1)
		s.Clock.Move(23 * time.Hour)
		try(address, 5)
		step("five more a day later", 2)
		if n := s.count("SELECT count(*) FROM letters WHERE subject LIKE '%stopped at the second step%'"); n != 2 {
			t.Errorf("%d letters in all", n)
		}
	}
}

// Codes of the half minute before and after count; older ones, and those of other people, don't.
func TestWhichCodesCount(t *testing.T) {
	for _, c := range []struct {
		later time.Duration
		taken bool
	}{{-60 * time.Second, false}, {-30 * time.Second, true}, {0, true}, {30 * time.Second, true}, {60 * time.Second, false}} {
		s := newSite(t)
		phone, _ := s.hasStep("mia@mail.example")
		leos, leosCodes := s.hasStep("leo@mail.example")
		mia := s.as("")
		mia.signIn("mia@mail.example", "")
		mia.post(secondStepPath, "code", leos.code(0)).want(http.StatusUnprocessableEntity)
		mia.post(secondStepPath, "code", leosCodes[0]).want(http.StatusUnprocessableEntity)
		if got := mia.post(secondStepPath, "code", phone.code(c.later)).status == http.StatusSeeOther; got != c.taken {
			t.Errorf("a code of %s: taken %t", c.later, got)
		}
	}
}

// Of many posts of one code at once, one is taken.
func TestRacingCodes(t *testing.T) {
	s := newSite(t)
	phone, codes := s.hasStep("mia@mail.example")
	for _, code := range []string{phone.code(0), codes[4]} {
		var browsers []*browser
		for range 5 { // as many as one person may have halfway in
			b := s.as("")
			b.signIn("mia@mail.example", "").wantTo(secondStepOf(""))
			browsers = append(browsers, b)
		}
		var taken atomic.Int32
		var wait sync.WaitGroup
		for _, b := range browsers {
			wait.Go(func() {
				if a := b.post(secondStepPath, "code", code); a.header.Get("Location") == "/portal" {
					taken.Add(1)
				}
			})
		}
		wait.Wait()
		if n := taken.Load(); n != 1 {
			t.Errorf("%s was taken %d times", code, n)
		}
		s.Clock.Move(16 * time.Minute) // the wrong ones are forgotten
	}
}

// A new password, chosen with a mailed link, gets nobody past the second step; nor does joining, where one is required.
func TestLinksLeadToTheSecondStep(t *testing.T) {
	s := newSite(t)
	phone, _ := s.hasStep("mia@mail.example")
	if err := s.Practice.ForgotPassword(t.Context(), "mia@mail.example", "192.0.2.1"); err != nil {
		t.Fatal(err)
	}
	mia := s.as("")
	mia.get(s.mailedLink(s.Mia.ID, 0))
	mia.post("/choose-password", "password", "another quiet place").wantTo(secondStepPath)
	mia.get("/portal").wantTo(secondStepOf("/portal"))
	mia.get(secondStepPath).want(http.StatusOK, "Your password is saved. One more step", "Enter your code", "Call us at 555-0100")
	mia.post(secondStepPath, "code", phone.code(0)).wantTo("/portal")

	s.requires(false, true)
	ann := s.as("")
	ann.get(s.inviteAnn())
	ann.post("/choose-password", "password", "another quiet place").wantTo(secondStepPath)
	ann.get("/portal").wantTo(secondStepOf("/portal"))
	page := ann.get(secondStepPath).want(http.StatusOK, "Set up your second step", "a code from your phone when you sign in")
	ann.setsUpStep(page)
	ann.get("/portal").want(http.StatusOK, "Welcome, Ann")
}

// The first administrator may be the only one: they are told of whom else to ask.
func TestHelpWithTheSecondStepIsOfSomebodyElse(t *testing.T) {
	s := newSite(t)
	s.requires(true, true)
	for email, want := range map[string][2]string{
		"olga@willow.example": {"or whoever hosts this program", "anteroom admin create"},
		"tom@willow.example":  {"Ask an administrator of the practice.", "Ask an administrator of the practice"},
		"mia@mail.example":    {"Call us at 555-0100", "Call us at 555-0100"},
	} {
		b := s.as("")
		b.signIn(email, "")
		b.get(secondStepPath).want(http.StatusOK, "Set up your second step", want[0])
		s.hasStep(email)
		if a := b.get(secondStepPath).want(http.StatusOK, "Enter your code", want[1]); email != "olga@willow.example" && strings.Contains(a.body, "hosts this program") {
			t.Errorf("%s is told of whoever hosts this", email)
		}
	}
}

// Whom it is required of is led to it at the next click, and comes back to where they were going.
func TestStepIsRequiredAtTheNextClick(t *testing.T) {
	s := newSite(t)
	mia, tom := s.as("Mia"), s.as("Tom")
	mia.get("/portal").want(http.StatusOK)
	olga := s.as("Olga")
	olga.get(requiredStepPath).want(http.StatusOK, "0 of 4 staff members have one", "0 of 2 clients have one", "a passkey, or a code from a phone")
	olga.follow(olga.post(requiredStepPath, "of_clients", "yes").wantTo(requiredStepPath)).want(http.StatusOK, "Saved.")
	tom.get("/clients").want(http.StatusOK)
	mia.get("/portal").wantTo(secondStepOf("/portal"))
	mia.setsUpStep(mia.get(secondStepOf("/portal")))
	mia.get("/portal").want(http.StatusOK)
	olga.get(requiredStepPath).want(http.StatusOK, "1 of 2 clients have one")
	olga.post(requiredStepPath, "of_clients", "yes", "of_staff", "yes").wantTo(requiredStepPath)
	tom.get("/clients").wantTo(secondStepOf("/clients"))
	olga.get("/clients").wantTo(secondStepOf("/clients"))
}

func TestALongNameFitsIntoTheCode(t *testing.T) {
	s := newSite(t)
	s.update(func(tx *db.Tx) error {
		_, err := tx.ExecContext(t.Context(), "UPDATE organization SET name = ?", strings.Repeat("🌿", 100))
		return err
	})
	s.as("Mia").get(authenticatorPath).want(http.StatusOK, "scan this with the app")
}

// A person sets up, moves and removes their authenticator app and makes new recovery codes. Each time they are signed out
// wherever else they are signed in.
func TestOwnSecurity(t *testing.T) {
	s := newSite(t)
	other := func() *browser {
		t.Helper()
		b := s.as("")
		a := b.signIn("mia@mail.example", "/portal")
		if a.header.Get("Location") != "/portal" {
			t.Fatal("a second step is asked for")
		}
		return b
	}
	elsewhere := other()
	mia := s.as("Mia")
	mia.get("/portal").want(http.StatusOK, "Sign-in and security")
	mia.get(securityPath).want(http.StatusOK, "You sign in with your password alone")
	page := mia.get(authenticatorPath)
	if mia.get(authenticatorPath).text("#secret") != page.text("#secret") {
		t.Error("whoever comes back from the app finds another key")
	}
	planted := elsewhere.get(authenticatorPath)
	if mia.get(authenticatorPath+"?enrolment="+url.QueryEscape(planted.hidden("enrolment"))).text("#secret") != page.text("#secret") {
		t.Error("a link says which key is set up")
	}
	mia.post(authenticatorPath, "enrolment", planted.hidden("enrolment"), "code", mia.adds(planted).code(0)).wantError("code", "took too long")
	page = mia.get(authenticatorPath)
	phone := mia.adds(page)
	mia.post(authenticatorPath, "enrolment", page.hidden("enrolment"), "code", "12").wantError("code", "That isn't the code")
	mia.post(authenticatorPath, "enrolment", "x."+page.hidden("enrolment"), "code", phone.code(0)).wantError("code", "took too long")
	a := mia.post(authenticatorPath, "enrolment", page.hidden("enrolment"), "code", phone.code(0)).want(http.StatusOK, "Your recovery codes")
	if next := a.doc.Find("main a.primary").AttrOr("href", ""); next != securityPath {
		t.Errorf("on to %s", next)
	}
	first := strings.Fields(a.text("#codes"))
	mia.get("/portal").want(http.StatusOK)
	elsewhere.get("/portal").wantTo("/sign-in?next=%2Fportal")

	page = mia.get(authenticatorPath).want(http.StatusOK, "goes on working until")
	moved := mia.adds(page)
	if moved.secret == phone.secret {
		t.Error("the app is moved with the same key")
	}
	mia.follow(mia.post(authenticatorPath, "enrolment", page.hidden("enrolment"), "code", moved.code(0)).wantTo(securityPath)).want(http.StatusOK, "10 left")
	b := s.as("")
	b.signIn("mia@mail.example", "")
	b.post(secondStepPath, "code", phone.code(30*time.Second)).want(http.StatusUnprocessableEntity)
	b.post(secondStepPath, "code", moved.code(30*time.Second)).wantTo("/portal")

	question := mia.get(recoveryCodesPath).want(http.StatusOK, "The 10 codes that are left stop working")
	second := strings.Fields(mia.post(recoveryCodesPath, "replaced", question.hidden("replaced")).want(http.StatusOK).text("#codes"))
	// Loading their page anew sends the form again, which leaves them as they are. They all work, below.
	for _, before := range []string{question.hidden("replaced"), ""} {
		mia.follow(mia.post(recoveryCodesPath, "replaced", before).wantTo(securityPath)).want(http.StatusOK, "You were given new codes a moment ago")
	}
	b.get("/portal").wantTo("/sign-in?next=%2Fportal")
	b.signIn("mia@mail.example", "")
	b.post(secondStepPath, "code", first[0]).want(http.StatusUnprocessableEntity)
	for i, code := range second {
		b.post(secondStepPath, "code", code).wantTo("/portal")
		a := b.get("/portal")
		if few := strings.Contains(a.text("#notice"), "Recovery codes that are left: "); few != (9-i <= fewCodes) {
			t.Errorf("with %d left, told: %t", 9-i, few)
		}
		b.post("/sign-out")
		b.signIn("mia@mail.example", "")
	}
	mia.get(securityPath).want(http.StatusOK, "None left", "Make new ones before you run out")

	s.requires(false, true)
	mia.get(securityPath).want(http.StatusOK, "the last way to take it stays")
	mia.get(authenticatorPath + "/remove").wantTo(securityPath)
	mia.post(authenticatorPath+"/remove").want(http.StatusUnprocessableEntity, "the last way to take it stays")
	s.requires(false, false)
	mia.get(authenticatorPath+"/remove").want(http.StatusOK, "with your password alone")
	mia.follow(mia.post(authenticatorPath+"/remove").wantTo(securityPath)).want(http.StatusOK, "is removed")
	if f := s.steps("mia@mail.example"); f != (db.Factors{}) {
		t.Errorf("left: %+v", f)
	}
	other()
}

// Who lost their phone is let in without it by an administrator: signed out, told by mail, and noted in the log. Nobody does
// that for themselves.
func TestRemovingAnothersStep(t *testing.T) {
	s := newSite(t)
	s.hasStep("mia@mail.example")
	s.hasStep("tom@willow.example")
	s.update(func(tx *db.Tx) error {
		_, err := tx.ExecContext(t.Context(), "UPDATE sessions SET stepped_at = created_at")
		return err
	})
	olga, mia, tom := s.as("Olga"), s.as("Mia"), s.as("Tom")
	client, staff := "/clients/"+s.Mia.PublicID, staffPath+"/"+s.Tom.PublicID()
	tom.get(client).want(http.StatusOK)
	if tom.get(client).doc.Find(`a[href$="/second-step"]`).Length() != 0 {
		t.Error("a therapist is offered to remove it")
	}
	for _, c := range []struct{ page, words string }{{client, "Remove the second step of Mia Moreno?"}, {staff, "Remove the second step of Tom Tran?"}} {
		if olga.get(c.page).doc.Find(`a[href="`+c.page+`/second-step"]`).Length() != 1 {
			t.Errorf("%s doesn't lead to it", c.page)
		}
		olga.get(c.page+"/second-step").want(http.StatusOK, c.words, "speak with them")
	}
	mia.get("/portal").want(http.StatusOK)
	olga.follow(olga.post(client+"/second-step").wantTo(client)).want(http.StatusOK, "is removed", "Olga Olson removed the client's second step", "Not set up")
	olga.follow(olga.post(staff+"/second-step").wantTo(staff)).want(http.StatusOK, "is removed")
	olga.follow(olga.post(staff+"/second-step").wantTo(staff)).want(http.StatusOK, "over already")
	olga.get(staff + "/second-step").wantTo(staff)
	olga.get(client + "/second-step").wantTo(client)
	mia.get("/portal").wantTo("/sign-in?next=%2Fportal")
	tom.get("/clients").wantTo("/sign-in?next=%2Fclients")
	if f := s.steps("mia@mail.example"); f != (db.Factors{}) {
		t.Errorf("left: %+v", f)
	}
	if n := s.count("SELECT count(*) FROM letters WHERE kind = 'own account'"); n != 2 {
		t.Errorf("%d letters tell of it, want 2", n)
	}

	s.hasStep("olga@willow.example")
	s.update(func(tx *db.Tx) error {
		_, err := tx.ExecContext(t.Context(), "UPDATE sessions SET stepped_at = created_at")
		return err
	})
	own := staffPath + "/" + s.Olga.PublicID()
	olga.get(own + "/second-step").wantTo(securityPath)
	olga.post(own + "/second-step").want(http.StatusForbidden)
	olga.get(own).want(http.StatusOK, "Set up Sign-in and security")
}

// Where a second step is required no longer, whoever was halfway in isn't in: they sign in anew, which is noted. Whoever is in
// stays, and so do those of whom nothing changes.
func TestRequirementWithdrawnLetsNobodyInSilently(t *testing.T) {
	for _, of := range []struct {
		name, email, page     string
		staff, clients, other bool
	}{
		{"staff", "tom@willow.example", "/clients", true, false, false},
		{"clients", "mia@mail.example", "/portal", false, true, false},
		{"the others", "mia@mail.example", "/portal", true, true, true},
	} {
		t.Run(of.name, func(t *testing.T) {
			s := newSite(t)
			s.update(func(tx *db.Tx) error {
				_, err := tx.ExecContext(t.Context(), "UPDATE sessions SET stepped_at = created_at")
				return err
			})
			s.requires(of.staff, of.clients)
			b := s.as("")
			b.signIn(of.email, "").want(http.StatusSeeOther)
			b.get(of.page).want(http.StatusSeeOther)
			form := []string{}
			if of.other {
				form = append(form, "of_clients", "yes")
			}
			s.as("Olga").post(requiredStepPath, form...).want(http.StatusSeeOther)
			b.get(of.page).want(http.StatusSeeOther)
			if n := s.acts("signed in"); n != 0 {
				t.Errorf("%d sign-ins are noted", n)
			}
			s.as("Tom").get("/clients").want(http.StatusOK)
			s.as("Mia").get("/portal").want(http.StatusOK)
			if of.other {
				b.get(secondStepPath).want(http.StatusOK)
				return
			}
			b.signIn(of.email, "").want(http.StatusSeeOther)
			b.get(of.page).want(http.StatusOK)
			if n := s.acts("signed in"); n != 1 {
				t.Errorf("%d sign-ins are noted", n)
			}
		})
	}
}
