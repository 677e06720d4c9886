package handlers

import (
	"encoding/base32"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"anteroom/db"
	"anteroom/practice/cast"

	"github.com/PuerkitoBio/goquery"
)

// late has somebody's last proof of who they are be older than what counts as fresh.
func (s *testSite) late(who string) *browser {
	s.t.Helper()
	b := s.as(who)
	s.update(func(tx *db.Tx) error {
		stored, err := tx.Session(s.Sessions[who])
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(s.t.Context(), "UPDATE sessions SET confirmed_at = ? WHERE public_id = ?", s.Clock.Now().Add(-10*time.Minute-time.Second).UnixMilli(), stored.PublicID)
		return err
	})
	return b
}

// kept is what a page of confirmation keeps of what was typed.
func (a answer) kept() url.Values {
	kept := url.Values{}
	for _, n := range a.doc.Find("input[type=hidden]").Nodes {
		field := map[string]string{}
		for _, at := range n.Attr {
			field[at.Key] = at.Val
		}
		if field["name"] == confirmBack {
			continue
		}
		kept.Add(field["name"], strings.ReplaceAll(field["value"], "\n", "\r\n")) // as browsers send it
	}
	return kept
}

// opened is what Olga sent, with the secrets in it that wait sealed.
func (s *testSite) opened(kept url.Values) url.Values {
	s.t.Helper()
	who, err := s.Practice.Authenticate(s.t.Context(), s.Sessions["Olga"], false)
	if err != nil {
		s.t.Fatal(err)
	}
	by, _ := who.Person()
	plain := url.Values{}
	for name, values := range kept {
		for _, value := range values {
			if field, ok := strings.CutPrefix(name, confirmKept); ok {
				if value, err = s.Practice.KeptSecret(s.t.Context(), by, field, value); err != nil {
					s.t.Fatal(err)
				}
				name = field
			}
			plain.Add(name, value)
		}
	}
	return plain
}

// What matters most asks for a fresh proof, keeps what was typed, and goes through with the right one.
func TestWhatMattersMostAsksForAProof(t *testing.T) {
	for _, act := range []struct {
		name string
		path func(*testSite) string
		form func(*testSite) []string
		done func(*testSite, answer) bool
	}{
		{"export", at(exportPath), sends("what", "clients", "notes", "yes"),
			func(s *testSite, a answer) bool {
				return a.status == http.StatusOK && strings.Contains(a.body, "ann@mail.example")
			}},
		{"an export of completed forms", at(exportPath),
			func(s *testSite) []string {
				s.library()
				return []string{"what", "forms", "form_key", s.keyOf(s.completed(s.Mia))}
			},
			func(s *testSite, a answer) bool {
				return a.status == http.StatusOK && strings.Contains(a.body, "Moreno") && s.acts("exported the completed forms") == 1
			}},
		{"the list of invitations", at(invitationsPath), sends("do", "csv"),
			func(s *testSite, a answer) bool {
				return a.status == http.StatusOK && s.acts("exported the list of invitations") == 1
			}},
		{"the audit log", at(auditPath), sends(),
			func(s *testSite, a answer) bool {
				return a.status == http.StatusOK && s.acts("exported the audit log") == 1
			}},
		{"assigning a client", func(s *testSite) string { return "/clients/" + s.Ann.PublicID + "/therapists" },
			func(s *testSite) []string { return []string{"staff", s.Tess.PublicID(), "do", "assign"} },
			func(s *testSite, _ answer) bool { return s.acts("assigned the client") == 1 }},
		{"assigning clients", func(s *testSite) string { return staffPath + "/" + s.Tess.PublicID() + "/clients" },
			func(s *testSite) []string { return []string{"on", s.Sam.PublicID, "on", s.Ann.PublicID} },
			func(s *testSite, _ answer) bool { return s.acts("assigned the client") == 2 }},
		{"letting letters leave again", at(mailPath + "/outbox"),
			func(s *testSite) []string {
				s.as("Olga").post(mailPath+"/outbox", "turn", "pause").want(http.StatusSeeOther)
				return []string{"turn", "resume"}
			},
			func(s *testSite, _ answer) bool { return s.acts("resumed the outbox") == 1 }},
		{"staff rights", func(s *testSite) string { return staffPath + "/" + s.Tess.PublicID() },
			sends("name", "Tess Tully", "role", "therapist", "permission", string(db.MayInviteClients), "permission", string(db.MayEditClients)),
			func(s *testSite, _ answer) bool { return s.member(s.Tess.PublicID()).Permissions != nil }},
		{"a new staff member", at(staffPath), sends("name", "Nia New", "email", "nia@willow.example", "role", "staff"),
			seesOther},
		{"staff email", func(s *testSite) string { return staffPath + "/" + s.Tess.PublicID() + "/email" }, sends("email", "tully@willow.example"),
			func(s *testSite, _ answer) bool {
				return s.member(s.Tess.PublicID()).Email.String() == "tully@willow.example"
			}},
		{"disabling", func(s *testSite) string { return staffPath + "/" + s.Tess.PublicID() + "/disable" }, sends("heir", "keep"),
			func(s *testSite, _ answer) bool { return !s.member(s.Tess.PublicID()).DisabledAt.IsZero() }},
		{"a client's address", func(s *testSite) string { return "/clients/" + s.Ann.PublicID + "/edit" },
			func(s *testSite) []string {
				version := s.as("Olga").get("/clients/" + s.Ann.PublicID + "/edit").hidden("version")
				return []string{"version", version, "first_name", "Ann", "last_name", "Abbott", "email", "abbott@mail.example", "notes", "two\r\nlines"}
			},
			func(s *testSite, _ answer) bool { return s.client(s.Ann).Email.String() == "abbott@mail.example" }},
		{"mail settings", at(mailSettingsPath), func(s *testSite) []string { _, form := relayForm(s.t); return form }, func(s *testSite, a answer) bool {
			var password string
			if err := s.DB.View(s.t.Context(), func(tx *db.Tx) error {
				set, err := tx.RelaySettings()
				password = set.Secrets.Password
				return err
			}); err != nil && !errors.Is(err, db.ErrNotFound) {
				s.t.Fatal(err)
			}
			return a.status == http.StatusSeeOther && password == relayPassword
		}},
		{"deletion", func(s *testSite) string {
			s.as("Olga").post("/clients/" + s.Ben.PublicID + "/archive").want(http.StatusSeeOther)
			return "/clients/" + s.Ben.PublicID + "/delete"
		}, sends("name", "Bell, Ben"), func(s *testSite, _ answer) bool {
			return s.count("SELECT count(*) FROM clients WHERE first_name = 'Ben'") == 0
		}},
		{"an import that updates", func(s *testSite) string { return importPath + "/" + s.broughtList() }, sends("known", "update", "do", "all"),
			seesOther},
		{"who must take a second step", at(requiredStepPath), sends("of_clients", "yes"),
			seesOther},
		{"removing a second step", func(s *testSite) string {
			s.hasStep("tess@willow.example")
			return staffPath + "/" + s.Tess.PublicID() + "/second-step"
		}, sends(), func(s *testSite, _ answer) bool { return !s.steps("tess@willow.example").Any() }},
	} {
		t.Run(act.name, func(t *testing.T) {
			s := newSite(t)
			path := act.path(s)
			form := act.form(s)
			olga := s.late("Olga")
			a := olga.with("Referer", cast.Public.String()+"/clients?q=x").post(path, form...)
			a.want(http.StatusForbidden, "Confirm it’s you", "You asked to ")
			if back := a.doc.Find("main p a").AttrOr("href", ""); back != "/clients?q=x" {
				t.Errorf("back leads to %q", back)
			}
			if act.done(s, answer{status: a.status, body: a.body}) {
				t.Fatal("done without a proof")
			}
			sent := url.Values{}
			for i := 0; i < len(form); i += 2 {
				sent.Add(form[i], form[i+1])
			}
			if got := s.opened(a.kept()); got.Encode() != sent.Encode() || a.doc.Find("main form").AttrOr("action", "") != path {
				t.Fatalf("kept %v of %v", got, sent)
			}
			before := olga.cookies[sessionCookie]
			wrong := olga.with("Referer", cast.Public.String()+path).post(path, append(form, confirmPassword, "not the password", confirmBack, a.hidden(confirmBack))...)
			wrong.wantError("confirm-password", "isn't your password")
			if asks := "main p.muted"; wrong.text(asks) != a.text(asks) {
				t.Errorf("after a wrong password, it is for %q", wrong.text(asks))
			}
			wrong = olga.post(path, append(form, confirmPassword, "not the password", confirmBack, wrong.hidden(confirmBack))...)
			if back := wrong.doc.Find("main p a").AttrOr("href", ""); back != "/clients?q=x" {
				t.Errorf("after wrong passwords, back leads to %q", back)
			}
			if got := s.opened(wrong.kept()); got.Encode() != sent.Encode() {
				t.Errorf("after a wrong password, kept %v of %v", got, sent)
			}
			if olga.cookies[sessionCookie] != before {
				t.Error("a wrong password changes the session")
			}
			if strings.Contains(a.body+wrong.body, relayPassword) {
				t.Error("a secret is told again")
			}
			again := wrong.kept()
			again.Set(confirmPassword, cast.Password)
			if after := olga.ask(http.MethodPost, path, again); !act.done(s, after) {
				t.Fatalf("not done with the right password: %d %s", after.status, after.main())
			}
			if now := olga.cookies[sessionCookie]; now == before || !s.mayOpen(now) || s.mayOpen(before) {
				t.Error("the session keeps its cookie")
			}
			olga.get("/organization/staff").want(http.StatusOK)
		})
	}
}

// A password that waits sealed while its author proves who they are comes back as that password alone, and is shown by no other field.
func TestAKeptSecretIsOfItsField(t *testing.T) {
	s := newSite(t)
	_, form := relayForm(t)
	olga := s.late("Olga")
	kept := olga.post(mailSettingsPath, form...).want(http.StatusForbidden).kept()
	a := olga.post(staffPath, "email", "x", "role", "staff", confirmKept+"name", kept.Get(confirmKept+"password"), confirmPassword, cast.Password)
	if a.want(http.StatusConflict); strings.Contains(a.body, relayPassword) {
		t.Error("the page shows what was typed elsewhere")
	}
}

// The question is in the words of what was pressed, says that what was typed is kept only where something was, and that a page stays
// beside a file.
func TestAProofIsAskedForInTheWordsOfWhatWasPressed(t *testing.T) {
	s := newSite(t)
	const kept, again, nothing, file = "What you typed is kept, and nothing is done yet.", "Going back means typing it again.", "Nothing is done yet.", "comes as a download"
	tess := staffPath + "/" + s.Tess.PublicID()
	for _, asked := range []struct {
		path  string
		form  []string
		words string
		says  []string
	}{
		{staffPath, []string{"name", "Nia New", "email", "nia@willow.example", "role", "staff"}, "add a staff member", []string{kept, again}},
		{keysPath + "/rotate", []string{"key", "1"}, "rotate the key", []string{nothing}},
		{tess + "/disable", []string{"heir", "keep"}, "disable a staff member", []string{nothing}},
		{tess + "/second-step", nil, "remove a staff member’s second step", []string{nothing}},
		{exportPath, []string{"what", "clients"}, "export the clients", []string{file}},
		{exportPath, []string{"what", "portal"}, "export the states", []string{file}},
		{exportPath, []string{"what", "forms", "form_key", "phq-9"}, "export completed forms", []string{file}},
		{invitationsPath, []string{"do", "csv", "q", "ann"}, "download the list of invitations", []string{file}},
		{auditPath, nil, "download the audit log", []string{file}},
	} {
		s.hasStep("tess@willow.example")
		for _, proof := range [][]string{nil, {confirmPassword, "not the password"}} {
			a := s.late("Olga").post(asked.path, append(slices.Clone(asked.form), proof...)...)
			says := a.text("main section > p") + " " + a.text("main > p")
			if want := "You asked to " + asked.words + ". "; !strings.HasPrefix(says, want) {
				t.Errorf("%s says %q, want %q", asked.path, says, want)
			}
			for _, sentence := range []string{kept, again, nothing, file} {
				if strings.Contains(says, sentence) != slices.Contains(asked.says, sentence) {
					t.Errorf("%s %v says %q", asked.path, asked.form, says)
				}
			}
		}
	}
}

// Whichever file the page of exports offers, it asks for a fresh proof; one completed form doesn't, for its page shows it anyway.
func TestEveryExportAsksForAProof(t *testing.T) {
	s := newSite(t)
	s.library()
	form := s.completed(s.Mia)
	olga := s.late("Olga")
	var offered []string
	olga.get(exportPath).want(http.StatusOK).doc.Find("#main [name=what]").Each(func(_ int, n *goquery.Selection) {
		offered = append(offered, n.AttrOr("value", ""))
	})
	if len(offered) < 3 {
		t.Fatalf("the page offers %q", offered)
	}
	before := s.count("SELECT count(*) FROM audit_entries")
	for _, what := range offered {
		olga.post(exportPath, "what", what, "form_key", s.keyOf(form), "archived", "yes").want(http.StatusForbidden, "Confirm it’s you")
	}
	if n := s.count("SELECT count(*) FROM audit_entries"); n != before {
		t.Errorf("%d entries tell of exports that weren't made", n-before)
	}
	olga.get("/form-requests/" + form + "/response.json").want(http.StatusOK)
	for _, what := range offered {
		olga.post(exportPath, "what", what, "form_key", s.keyOf(form), confirmPassword, cast.Password).want(http.StatusOK)
	}
}

func TestWhatNeedsAProofIsARoute(t *testing.T) {
	s := newSite(t)
	for path := range needsProof {
		if !slices.ContainsFunc(s.routes(), func(r route) bool { return r.path == path }) {
			t.Errorf("%s is nowhere", path)
		}
	}
}

// keyOf is which form a request is for.
func (s *testSite) keyOf(request string) string {
	s.t.Helper()
	var r db.FormRequest
	s.update(func(tx *db.Tx) (err error) {
		r, err = tx.FormRequest(db.Everybody(), request)
		return err
	})
	return r.Form.Key
}

// acts counts how often somebody did something.
func (s *testSite) acts(act string) int {
	return s.count("SELECT count(*) FROM audit_entries WHERE act = '" + act + "'")
}

func seesOther(_ *testSite, a answer) bool { return a.status == http.StatusSeeOther }

func at(path string) func(*testSite) string { return func(*testSite) string { return path } }
func sends(form ...string) func(*testSite) []string {
	return func(*testSite) []string { return form }
}

// mayOpen tells whether a session's cookie opens anything.
func (s *testSite) mayOpen(cookie string) bool {
	b := s.as("")
	b.cookies[sessionCookie] = cookie
	return b.get("/clients").status == http.StatusOK
}

func (s *testSite) member(publicID string) (m db.StaffMember) {
	s.t.Helper()
	s.update(func(tx *db.Tx) (err error) {
		m, err = tx.Staff(publicID)
		return err
	})
	return m
}

// hasStep gives a staff member an authenticator app with this secret, and its recovery codes.
func (s *testSite) hasStep(email string) (phone app, codes []string) {
	s.t.Helper()
	s.update(func(tx *db.Tx) error {
		m, c, err := whoIs(tx, email)
		if err != nil {
			return err
		}
		secret := []byte("twenty bytes of " + email)
		phone = app{s, base32.StdEncoding.EncodeToString(secret)}
		if err := tx.SetAuthenticator(c, m, secret, 0); err != nil {
			return err
		}
		codes, err = tx.NewRecoveryCodes(c, m)
		return err
	})
	return phone, codes
}

// steps are somebody's ways to take the second step.
func (s *testSite) steps(email string) (f db.Factors) {
	s.t.Helper()
	s.update(func(tx *db.Tx) error {
		m, c, err := whoIs(tx, email)
		if err == nil {
			f, err = tx.Factors(c, m)
		}
		return err
	})
	return f
}

func whoIs(tx *db.Tx, address string) (staffID, clientID int64, err error) {
	email, err := db.ParseEmail(address)
	if err != nil {
		return 0, 0, err
	}
	m, err := tx.StaffByEmail(email)
	if errors.Is(err, db.ErrNotFound) {
		c, err := tx.ClientByEmail(db.Everybody(), email)
		return 0, c.ID, err
	}
	return m.ID, 0, err
}

// A second step, where there is one, is the proof: the password isn't. Recovery codes do, once.
func TestProofBySecondStep(t *testing.T) {
	s := newSite(t)
	phone, codes := s.hasStep("olga@willow.example")
	s.update(func(tx *db.Tx) error {
		_, err := tx.ExecContext(t.Context(), "UPDATE sessions SET stepped_at = created_at")
		return err
	})
	olga := s.late("Olga")
	export := []string{"what", "clients"}
	olga.post(exportPath, export...).want(http.StatusForbidden, "Code from your app")
	olga.post(exportPath, append(export, confirmPassword, cast.Password)...).wantError("confirm-code", "Enter the code")
	olga.post(exportPath, append(export, confirmCode, "000000")...).wantError("confirm-code", "doesn't work now")
	code := phone.code(0)
	if a := olga.post(exportPath, append(export, confirmCode, code)...).want(http.StatusOK); !strings.Contains(a.body, "ann@mail.example") {
		t.Fatal("no file")
	}
	s.Clock.Move(9 * time.Minute)
	olga.post(exportPath, export...).want(http.StatusOK)
	s.Clock.Move(time.Minute + time.Second)
	olga.post(exportPath, export...).want(http.StatusForbidden)
	olga.post(exportPath, append(export, confirmRecovery, codes[0])...).want(http.StatusOK)
	s.Clock.Move(10*time.Minute + time.Second)
	olga.post(exportPath, append(export, confirmRecovery, codes[0])...).wantError("confirm-recovery", "doesn't work now")
	for range 5 {
		olga.post(exportPath, append(export, confirmCode, "000000")...).want(http.StatusUnprocessableEntity)
	}
	olga.post(exportPath, append(export, confirmCode, phone.code(0))...).wantError("confirm-code", "Too many wrong codes")
	olga.post(exportPath, append(export, confirmCode, codes[1])...).want(http.StatusOK)
}

// A second click on Confirm, and a second Confirm beside a file that came, send what was spent: with a proof that is fresh yet they go on,
// as what brings no proof does, and neither count as a wrong one nor make the proof last longer.
func TestAFreshProofIsNotAskedForAgain(t *testing.T) {
	s := newSite(t)
	phone, codes := s.hasStep("olga@willow.example")
	s.update(func(tx *db.Tx) error {
		_, err := tx.ExecContext(t.Context(), "UPDATE sessions SET stepped_at = created_at")
		return err
	})
	olga := s.late("Olga")
	code := phone.code(0)
	_, settings := relayForm(t)
	a := olga.post(mailSettingsPath, settings...).want(http.StatusForbidden, "Confirm it’s you")
	again := a.kept()
	again.Set(confirmCode, code)
	for range 2 {
		olga.ask(http.MethodPost, mailSettingsPath, again).wantTo(mailSettingsPath)
	}
	cookie := olga.cookies[sessionCookie]
	s.Clock.Move(9 * time.Minute)
	for _, proof := range [][]string{{confirmCode, code}, {confirmRecovery, codes[0]}, {confirmCode, "000000"}} {
		for range 3 {
			olga.post(exportPath, append([]string{"what", "clients"}, proof...)...).want(http.StatusOK)
		}
	}
	if n := s.acts("gave a wrong code"); n != 0 || s.steps("olga@willow.example").RecoveryCodes != len(codes) || olga.cookies[sessionCookie] != cookie {
		t.Errorf("%d wrong codes are noted, %d recovery codes are left", n, s.steps("olga@willow.example").RecoveryCodes)
	}
	s.Clock.Move(time.Minute + time.Second)
	olga.post(exportPath, "what", "clients", confirmCode, code).wantError("confirm-code", "doesn't work now")
}

// Wrong passwords of a stranger at the sign-in keep nobody who is in from proving who they are; their own do, and count for their network.
func TestAStrangersGuessesStopNoProof(t *testing.T) {
	s := newSite(t)
	export := []string{"what", "clients"}
	stranger := s.as("")
	for range 5 {
		stranger.post("/sign-in", "email", "olga@willow.example", "password", "not hers").want(http.StatusUnprocessableEntity)
	}
	stranger.post("/sign-in", "email", "olga@willow.example", "password", cast.Password).wantError("password", "Too many")
	olga := s.late("Olga")
	for range 4 {
		olga.post(exportPath, append(export, confirmPassword, "not hers")...).wantError("confirm-password", "isn't your password")
	}
	olga.post(exportPath, append(export, confirmPassword, cast.Password)...).want(http.StatusOK)
	s.Clock.Move(10*time.Minute + time.Second)
	before := s.count("SELECT count(*) FROM attempts")
	for range 5 {
		olga.post(exportPath, append(export, confirmPassword, "not hers")...).wantError("confirm-password", "isn't your password")
	}
	olga.post(exportPath, append(export, confirmPassword, cast.Password)...).wantError("confirm-password", "Too many")
	if n := s.count("SELECT count(*) FROM attempts") - before; n != 10 {
		t.Errorf("%d guesses counted, want each for her and for her network", n)
	}
}

// A page that is asked for, and a part of a page that sends, ask for a proof too, and go on with it.
func TestProofForAPageAndForAPart(t *testing.T) {
	s := newSite(t)
	mia := s.late("Mia")
	a := mia.get(authenticatorPath).want(http.StatusForbidden, "Your password")
	if got := a.kept().Encode(); got != "next="+url.QueryEscape(authenticatorPath) {
		t.Errorf("kept %s", got)
	}
	wrong := mia.post(confirmPath, "next", authenticatorPath, confirmPassword, "not hers")
	wrong.wantError("confirm-password", "isn't your password")
	for _, a := range []answer{a, wrong} {
		if says := a.text("main section > p"); !strings.HasPrefix(says, "You asked to set up an authenticator app. ") || strings.Contains(says, "typed") || a.doc.Find("[data-unsaved]").Length() != 0 {
			t.Errorf("says %q", says)
		}
	}
	mia.post(confirmPath, "next", authenticatorPath, confirmPassword, cast.Password).wantTo(authenticatorPath)
	mia.get(authenticatorPath).want(http.StatusOK, "Set up an authenticator app", "Enter the code")
	s.hasStep("mia@mail.example")
	s.update(func(tx *db.Tx) error {
		_, err := tx.ExecContext(t.Context(), "UPDATE sessions SET stepped_at = created_at")
		return err
	})
	mia.get(authenticatorPath).want(http.StatusOK, "Move your authenticator app to another phone")
	s.Clock.Move(10*time.Minute + time.Second)
	mia.get(authenticatorPath).want(http.StatusForbidden, "You asked to move your authenticator app to another phone.")

	olga := s.late("Olga")
	a = olga.htmx().with("HX-Current-URL", cast.Public.String()+exportPath).post(exportPath, "what", "clients")
	a.want(http.StatusForbidden, "Confirm it’s you")
	if a.header.Get("HX-Retarget") != "#main" || a.header.Get("HX-Reswap") != "innerHTML" || strings.Contains(a.body, "<html") {
		t.Errorf("a part of a page gets %v", a.header)
	}
}

// Somebody who owes the second step proves nothing with their password, and confirms nothing.
func TestHalfwayConfirmsNothing(t *testing.T) {
	s := newSite(t)
	phone, _ := s.hasStep("olga@willow.example")
	olga := s.as("")
	olga.signIn("olga@willow.example", "").wantTo(secondStepOf(""))
	before := olga.cookies[sessionCookie]
	for field, proof := range map[string]string{confirmPassword: cast.Password, confirmCode: phone.code(0)} {
		olga.post(exportPath, "what", "clients", field, proof).wantTo(secondStepOf("/"))
		olga.post(confirmPath, "next", "/clients", field, proof).wantTo(secondStepOf("/"))
	}
	if olga.cookies[sessionCookie] != before || s.mayOpen(before) {
		t.Error("a proof got somebody in who owed the second step")
	}
	olga.post(secondStepPath, "code", phone.code(0)).wantTo("/clients")
}

// A page that asks by itself with the cookie from before a proof is led back to where it was.
func TestPollAfterProof(t *testing.T) {
	s := newSite(t)
	olga := s.late("Olga")
	before := olga.cookies[sessionCookie]
	olga.post(confirmPath, "next", "/clients", confirmPassword, cast.Password).wantTo("/clients")
	polling := s.as("")
	polling.cookies[sessionCookie] = before
	a := polling.htmx().with("HX-Current-URL", cast.Public.String()+mailQueuePath+"?state=queued").get(mailQueuePath + "?state=queued&poll=1")
	to := a.header.Get("HX-Redirect")
	if _, cleared := polling.cookies[sessionCookie]; a.status != http.StatusNoContent || !cleared {
		t.Fatalf("the poll was answered %d, to %s", a.status, to)
	}
	olga.get(to).wantTo(mailQueuePath + "?state=queued")
}

func (s *testSite) count(query string) (n int) {
	s.t.Helper()
	s.update(func(tx *db.Tx) error { return tx.QueryRowContext(s.t.Context(), query).Scan(&n) })
	return n
}

// The form that asks for a proof leads to this site, whatever path was asked for.
func TestConfirmLeadsNowhereElse(t *testing.T) {
	s := newSite(t)
	for _, path := range []string{"//evil.example/x", `/\\evil.example/x`} {
		a := s.late("Olga").post(path, confirmPassword, "not the password").want(http.StatusNotFound)
		if strings.Contains(a.body, "evil.example") {
			t.Error(a.body)
		}
	}
}

// Nor does the way back.
func TestGoingBackLeadsNowhereElse(t *testing.T) {
	s := newSite(t)
	for _, back := range []string{"//evil.example/x", "https://evil.example/x", "javascript:alert(1)", `/\\evil.example`} {
		a := s.late("Olga").with("Referer", cast.Public.String()+exportPath).post(exportPath, "what", "clients", confirmBack, back).want(http.StatusForbidden)
		if to := a.doc.Find("main p a").AttrOr("href", ""); to != exportPath || strings.Contains(a.body, "evil") || strings.Contains(a.body, "javascript:") {
			t.Errorf("%s leads to %q", back, to)
		}
	}
}
