package handlers

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"anteroom/practice"
	"anteroom/practice/cast"
)

// asked is what the site says to ask the browser for.
func (b *browser) asked(path string) []byte {
	b.t.Helper()
	a := b.post(path + optionsOf)
	a.want(http.StatusOK)
	if kind := a.header.Get("Content-Type"); kind != "application/json" {
		b.t.Fatalf("options are %s", kind)
	}
	return []byte(a.body)
}

// addsPasskey has somebody who is in add a passkey on a device.
func (b *browser) addsPasskey(device *cast.Authenticator) answer {
	b.t.Helper()
	answer := device.Make(b.asked(newPasskeyPath))
	a := b.post(newPasskeyPath, passkeyField, answer, "name", "My phone")
	b.Clock.Move(time.Second)
	return a
}

// signsWithPasskey signs somebody in with a passkey alone.
func (b *browser) signsWithPasskey(device *cast.Authenticator, next string) answer {
	b.t.Helper()
	answer := device.Sign(b.asked(signInPasskeyPath))
	a := b.post(signInPasskeyPath, passkeyField, answer, "next", next)
	b.Clock.Move(time.Second)
	return a
}

func TestSomebodyAddsAPasskeyAndSignsInWithItAlone(t *testing.T) {
	for who, home := range map[string]string{"Tom": "/clients", "Mia": "/portal"} {
		s := newSite(t)
		device := cast.NewAuthenticator()
		b := s.as(who)
		b.get(securityPath).want(http.StatusOK, "Add a passkey")
		page := b.get(newPasskeyPath).want(http.StatusOK, "Add a passkey")
		if at := page.doc.Find("[data-passkey]").AttrOr("data-passkey", ""); at != newPasskeyPath+optionsOf {
			t.Errorf("the button asks at %q", at)
		}
		b.addsPasskey(device).want(http.StatusOK, "Your recovery codes")
		b.get(securityPath).want(http.StatusOK, "My phone", "Not used yet")
		b.get(home).want(http.StatusOK)

		other := s.as("")
		page = other.get("/sign-in").want(http.StatusOK, "Sign in with a passkey")
		if fill := page.doc.Find("#email").AttrOr("autocomplete", ""); fill != "username webauthn" {
			t.Errorf("the address is completed by %q", fill)
		}
		other.signsWithPasskey(device, "").wantTo(home)
		other.get(home).want(http.StatusOK)
		other.get(securityPath).want(http.StatusOK, "Last used Nov 2, 2026")
		if _, kept := other.cookies[signInChallenge]; kept {
			t.Error("the browser keeps the challenge that was answered")
		}
		elsewhere := s.as("")
		elsewhere.signsWithPasskey(device, securityPath).wantTo(securityPath)
		elsewhere.signsWithPasskey(device, "https://evil.example/").wantTo(home)
	}
}

func TestAPasskeyAfterAPassword(t *testing.T) {
	s := newSite(t)
	device := cast.NewAuthenticator()
	s.as("Olga").addsPasskey(device).want(http.StatusOK)
	b := s.as("")
	b.signIn("olga@willow.example", exportPath).wantTo(secondStepOf(exportPath))
	b.get(secondStepOf(exportPath)).want(http.StatusOK, "Use your passkey", "Recovery code")
	b.get("/clients").wantTo(secondStepOf("/clients"))
	asked := b.asked(stepPasskeyPath)
	if !strings.Contains(string(asked), `"allowCredentials":[{"type":"public-key"`) || !strings.Contains(string(asked), `"userVerification":"required"`) {
		t.Errorf("asked for %s", asked)
	}
	b.post(stepPasskeyPath, passkeyField, "{}", "next", exportPath).want(http.StatusUnprocessableEntity, "doesn't work here")
	b.post(stepPasskeyPath, passkeyField, device.Sign(asked)).want(http.StatusUnprocessableEntity, "took longer") // that challenge is gone
	b.get(stepPasskeyPath).want(http.StatusOK, "Use your passkey")
	before := b.cookies[sessionCookie]
	b.post(stepPasskeyPath, passkeyField, device.Sign(b.asked(stepPasskeyPath)), "next", exportPath).wantTo(exportPath)
	if b.cookies[sessionCookie] == before {
		t.Error("the session goes on under the same value")
	}
	b.get(exportPath).want(http.StatusOK)
}

func TestWhoMustTakeASecondStepBeginsWithAPasskey(t *testing.T) {
	s := newSite(t)
	s.requires(true, true)
	for address, home := range map[string]string{"finn@willow.example": "/clients", "leo@mail.example": "/portal"} {
		device := cast.NewAuthenticator()
		b := s.as("")
		b.signIn(address, "")
		b.get(secondStepPath).want(http.StatusOK, "Use a passkey", "authenticator app")
		b.post(firstPasskeyPath, passkeyField, device.Make(b.asked(firstPasskeyPath))[:50]).want(http.StatusUnprocessableEntity, "can't be used here")
		b.get(firstPasskeyPath).want(http.StatusOK)
		b.post(firstPasskeyPath, passkeyField, device.Make(b.asked(firstPasskeyPath)), "next", securityPath).want(http.StatusOK, "Your recovery codes")
		b.get(home).want(http.StatusOK)
		s.Clock.Move(time.Second)

		// Whoever knows the password alone adds none.
		again := s.as("")
		again.signIn(address, "")
		again.post(firstPasskeyPath + optionsOf).want(http.StatusNotFound)
		again.post(firstPasskeyPath, passkeyField, "{}", "next", "").wantTo(secondStepOf(""))

		// It is their only second step, which is required: it stays.
		page := b.get(securityPath).want(http.StatusOK)
		own := page.doc.Find(".items a").AttrOr("href", "")
		b.get(own).want(http.StatusOK, "the last way to take it stays")
		b.post(own+"/remove").want(http.StatusUnprocessableEntity, "the last way to take it stays")
		b.addsPasskey(cast.NewAuthenticator()).wantTo(securityPath)
		b.post(own + "/remove").wantTo(securityPath)
		s.as("").signsWithPasskey(device, "").want(http.StatusUnprocessableEntity, "doesn't work here")
	}
}

func TestConfirmingWithAPasskeyGoesOnWithWhatWasSent(t *testing.T) {
	s := newSite(t)
	device := cast.NewAuthenticator()
	b := s.as("Olga")
	b.addsPasskey(device)
	s.Clock.Move(11 * time.Minute)
	page := b.post(exportPath, "what", "clients").want(http.StatusForbidden, "Confirm it’s you", "Use your passkey")
	form := page.doc.Find("main form")
	if form.AttrOr("action", "") != exportPath || page.hidden("what") != "clients" {
		t.Error("what was sent isn't kept")
	}
	b.post(exportPath, "what", "clients", confirmPasskey, "{}", confirmCode, "").want(http.StatusUnprocessableEntity, "took longer", "Use your passkey")
	answer := device.Sign(b.asked(confirmPasskeyPath))
	a := b.post(exportPath, "what", "clients", confirmCode, "", confirmPasskey, answer)
	a.want(http.StatusOK)
	if !strings.HasPrefix(a.header.Get("Content-Type"), "text/csv") {
		t.Errorf("the export is %s", a.header.Get("Content-Type"))
	}
	b.post(exportPath, "what", "clients").want(http.StatusOK)

	// A page that was only looked at comes again; so does one in a part of a page.
	s.Clock.Move(11 * time.Minute)
	b.get(newPasskeyPath).want(http.StatusForbidden, "Use your passkey")
	b.htmx().post(exportPath, "what", "clients").want(http.StatusForbidden, "Use your passkey")
	b.post(newPasskeyPath+optionsOf).want(http.StatusForbidden, "Reload this page")
	b.post(confirmPath, "next", newPasskeyPath, confirmPasskey, device.Sign(b.asked(confirmPasskeyPath))).wantTo(newPasskeyPath)
	b.get(newPasskeyPath).want(http.StatusOK)
}

func TestAPasskeyIsNamedRenamedAndRemoved(t *testing.T) {
	s := newSite(t)
	device := cast.NewAuthenticator()
	b := s.as("Mia")
	b.post(newPasskeyPath, passkeyField, device.Make(b.asked(newPasskeyPath)), "name", strings.Repeat("x", 61)).wantError("name", "at most 60")
	b.addsPasskey(device)
	own := b.get(securityPath).doc.Find(".items a").AttrOr("href", "")
	b.get(own).want(http.StatusOK, "My phone", "password alone")
	b.post(own, "name", " ").wantError("name", "Enter a name")
	b.post(own, "name", "<b>Desk</b>").wantTo(securityPath)
	b.get(securityPath).want(http.StatusOK, "<b>Desk</b>", "Saved.")
	leo := s.as("Leo")
	leo.get(own).want(http.StatusNotFound)
	leo.post(own, "name", "Leo's").want(http.StatusNotFound)
	leo.post(own + "/remove").want(http.StatusNotFound)
	b.post(own + "/remove").wantTo(securityPath)
	b.get(securityPath).want(http.StatusOK, "The passkey is removed")
	b.get(own).want(http.StatusNotFound)
}

// Whatever is wrong with who signs in, the page says the same; and nobody is in.
func TestAPasskeyThatIsRefusedTellsNothing(t *testing.T) {
	s := newSite(t)
	device, stranger := cast.NewAuthenticator(), cast.NewAuthenticator()
	s.as("Finn").addsPasskey(device)
	stranger.Make([]byte(`{"rp":{"id":"localhost"},"user":{"id":"c3RhZmY"}}`))
	said := map[string]bool{}
	for name, answer := range map[string]func(options []byte) string{
		"unknown":       stranger.Sign,
		"another's key": func(o []byte) string { stranger.Keys[0].ID = device.Keys[0].ID; return stranger.Sign(o) },
		"not verified": func(o []byte) string {
			device.Flags = cast.UserVerified
			defer func() { device.Flags = 0 }()
			return device.Sign(o)
		},
		"of elsewhere": func(o []byte) string {
			device.Origin = "https://evil.example"
			defer func() { device.Origin = cast.Public.String() }()
			return device.Sign(o)
		},
		"not JSON": func([]byte) string { return "<script>" },
		"nothing":  func([]byte) string { return "" },
	} {
		b := s.as("")
		a := b.post(signInPasskeyPath, passkeyField, answer(b.asked(signInPasskeyPath)), "next", "/clients").want(http.StatusUnprocessableEntity)
		said[a.main()] = true
		if b.get("/clients").status != http.StatusSeeOther || b.cookies[sessionCookie] != "" {
			t.Errorf("%s: somebody is in", name)
		}
	}
	if _, err := s.Practice.DisableStaff(t.Context(), s.Olga, s.Finn.PublicID(), practice.KeepAssigned); err != nil {
		t.Fatal(err)
	}
	said[s.as("").signsWithPasskey(device, "/clients").main()] = true
	if len(said) != 1 {
		t.Errorf("said %v", said)
	}
	if log := s.log.String(); strings.Contains(log, "Finn") || strings.Contains(log, "clientDataJSON") {
		t.Error("the log tells")
	}
	s.Clock.Move(6 * time.Minute)
	b := s.as("")
	options := b.asked(signInPasskeyPath)
	s.Clock.Move(6 * time.Minute)
	b.post(signInPasskeyPath, passkeyField, device.Sign(options)).want(http.StatusUnprocessableEntity, "took longer than five minutes")
}

func TestAClosedPortalIsClosedToPasskeys(t *testing.T) {
	s := newSite(t)
	device := cast.NewAuthenticator()
	s.as("Mia").addsPasskey(device)
	if err := s.Practice.TurnPortalOff(t.Context(), s.Olga); err != nil {
		t.Fatal(err)
	}
	b := s.as("")
	b.signsWithPasskey(device, "").want(http.StatusServiceUnavailable, "closed for now")
	if b.cookies[sessionCookie] != "" {
		t.Error("she has a session")
	}
	if n := s.acts("was refused"); n != 1 {
		t.Errorf("%d entries tell of it", n)
	}
}

// What is asked of a browser names nobody to the authenticator but by what it shows its owner.
func TestWhatABrowserIsAskedToMake(t *testing.T) {
	s := newSite(t)
	var o struct {
		RP   struct{ ID, Name string }
		User struct {
			ID                string
			Name, DisplayName string
		}
		Attestation string
		Timeout     int
		Selection   struct {
			ResidentKey        string
			RequireResidentKey bool
			UserVerification   string
		} `json:"authenticatorSelection"`
		Exclude []struct{ ID string } `json:"excludeCredentials"`
	}
	device := cast.NewAuthenticator()
	b := s.as("Mia")
	b.addsPasskey(device)
	if err := json.Unmarshal(b.asked(newPasskeyPath), &o); err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(o.RP, o.User.Name, o.User.DisplayName, o.Attestation, o.Timeout, o.Selection, len(o.Exclude))
	if want := "{localhost Willow Street Counseling}mia@mail.exampleMianone300000{required true required} 1"; strings.ReplaceAll(got, " ", "") != strings.ReplaceAll(want, " ", "") {
		t.Errorf("asked for %s", got)
	}
	if answer := device.Make(b.asked(newPasskeyPath)); answer != "" {
		t.Error("a device makes a second passkey")
	}
}

func TestNoPasskeysWhereTheAddressIsANumber(t *testing.T) {
	c := cast.New(t)
	public := &url.URL{Scheme: "http", Host: "127.0.0.1:8080"}
	c.Practice = practice.New(c.DB, practice.Config{Public: public})
	s := siteOf(t, c, func(config *Config) { config.Public = public })
	page := s.as("").get("/sign-in").want(http.StatusOK)
	if page.doc.Find("[data-passkey]").Length() > 0 || page.doc.Find("#email").AttrOr("autocomplete", "") != "username" {
		t.Error("passkeys are offered")
	}
	s.as("").post(signInPasskeyPath + optionsOf).want(http.StatusNotFound)
	s.as("").post(signInPasskeyPath, passkeyField, "{}").want(http.StatusNotFound)
	s.as("Olga").get(securityPath).want(http.StatusOK, "this one is a number")
	s.as("Olga").get(newPasskeyPath).want(http.StatusNotFound)
}

// A challenge's cookie is as well kept as the session's.
func TestTheChallengesCookie(t *testing.T) {
	for scheme, want := range map[string]string{
		"http":  "passkey-sign-in=; max-age=300; path=/; HttpOnly; SameSite=Lax",
		"https": "__Host-passkey-sign-in=; max-age=300; path=/; HttpOnly; secure; SameSite=Lax",
	} {
		s := newSite(t, func(config *Config) { config.Public = &url.URL{Scheme: scheme, Host: cast.Public.Host} })
		cookie := s.as("").post(signInPasskeyPath + optionsOf).header.Get("Set-Cookie")
		name, rest, _ := strings.Cut(cookie, "=")
		_, rest, _ = strings.Cut(rest, ";")
		if got := name + "=;" + rest; got != want {
			t.Errorf("got %s", got)
		}
	}
}
