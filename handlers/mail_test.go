package handlers

import (
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"anteroom/db"
	"anteroom/mail"
	"anteroom/mail/mailbox"
	"anteroom/practice"
	"anteroom/practice/cast"
	"anteroom/practice/demo"
	"anteroom/views"
)

const relayPassword = "canary-Pa55word"

// relayForm is a mail server on this machine that asks for a password, and the form that sets it.
func relayForm(t *testing.T) (*mailbox.Box, []string) {
	t.Helper()
	box, err := mailbox.Open(mailbox.Options{Username: "portal", Password: relayPassword})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { box.Close() })
	host, port, _ := net.SplitHostPort(box.Addr())
	return box, []string{"host", host, "port", port, "security", "none", "from", "clinic@willow.example", "sign_in", "password", "username", "portal", "password", relayPassword}
}

func TestMailIsSetOnAScreen(t *testing.T) {
	s := newSite(t)
	olga := s.as("Olga")
	olga.get(mailPath).wantTo(mailSettingsPath)
	olga.get(mailDomainPath).want(http.StatusOK, "No From address yet")
	olga.get(mailSettingsPath).want(http.StatusOK, "Who sends your practice’s mail?", "Another provider")
	for _, provider := range mail.Providers {
		a := olga.get(mailSettingsPath+"?provider="+provider.Name).want(http.StatusOK, provider.Title)
		if host, _ := a.doc.Find("#host").Attr("value"); host != provider.Host {
			t.Errorf("%s is filled in with %q", provider.Name, host)
		}
	}
	olga.get(mailSettingsPath + "?provider=nobody").want(http.StatusNotFound)
	if a := olga.get(mailSettingsPath+"?provider=other").want(http.StatusOK, "Another provider"); a.doc.Find("#host").Length() != 1 {
		t.Error("no form for another provider")
	}

	box, form := relayForm(t)
	a := olga.post(mailSettingsPath, append(form, "port", "x")[2:]...).wantError("host", "The mail server's name is missing")
	if strings.Contains(a.body, relayPassword) {
		t.Error("the password typed is shown again")
	}
	if from, _ := a.doc.Find("#from").Attr("value"); from != "clinic@willow.example" {
		t.Errorf("the From address typed is now %q", from)
	}
	a = olga.follow(olga.post(mailSettingsPath, form...)).want(http.StatusOK, "Saved. Letters go there from now on.", "It stays unchanged unless you type a new one.")
	if strings.Contains(a.body, relayPassword) {
		t.Error("the password is shown")
	}
	olga.post(mailSettingsPath, append(form, "version", "older", "from", "x@willow.example")[8:]...).want(http.StatusUnprocessableEntity)

	olga.post(mailPath + "/test").wantTo(mailSettingsPath + "#test")
	a = olga.get(mailSettingsPath).want(http.StatusOK, "The mail server took the letter.", "All that was said", "(hidden)", "Look whether it arrives at Olga@willow.example")
	if len(box.List()) != 1 || strings.Contains(a.body, relayPassword) {
		t.Errorf("%d letters", len(box.List()))
	}
	unchanged := append([]string{"do", "test"}, form[:12]...) // no password typed: the one on file
	olga.post(mailSettingsPath, unchanged...).wantTo(mailSettingsPath + "?tested=1#test")
	a = olga.get(mailSettingsPath+"?tested=1").want(http.StatusOK, "The mail server took the letter.")
	if a.text("section[aria-labelledby=test] .banner") != "Saved. Letters go there from now on." || a.text("#notice") != "" {
		t.Error("what was saved isn't said beside the test")
	}
	const unsaved = "Send me a test with the saved settings"
	if a.text("#test-mail") == unsaved || olga.get(mailSettingsPath+"?provider=fastmail").text("#test-mail") != unsaved {
		t.Error("nothing tells which settings are tested")
	}
	olga.post(mailPath + "/test").wantTo(mailSettingsPath + "#test")
	olga.post(mailPath+"/test").wantError("test", "Wait a minute")
	olga.post(mailSettingsPath, append(unchanged, "per_day", "9")...).wantError("test", "Wait a minute").want(http.StatusUnprocessableEntity, "Saved. Letters go there from now on.")
	if a := olga.get(mailSettingsPath).want(http.StatusOK); strings.Contains(a.body, "The mail server took the letter.") {
		t.Error("the test of other settings is shown as if it were of these")
	}
	s.Clock.Move(2 * time.Minute)
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(nobody.Addr().String())
	nobody.Close()
	olga.post(mailSettingsPath, "do", "test", "host", "127.0.0.1", "port", port, "security", "none", "from", "clinic@willow.example", "sign_in", "none")
	a = olga.get(mailSettingsPath).want(http.StatusOK, "We couldn't reach 127.0.0.1 at port "+port+". Check the server's name and the port.")
	a.want(http.StatusOK, "nobody listens at that port.")
	if strings.Contains(a.text("section[aria-labelledby=test]"), "In the mail server’s words") {
		t.Error("our own words are said to be the mail server's")
	}
	if len(box.List()) != 3 {
		t.Errorf("%d letters", len(box.List()))
	}
	olga.follow(olga.post(mailPath+"/forget")).want(http.StatusOK, "The mail settings are forgotten", "Who sends your practice’s mail?")
	if strings.Contains(s.log.String(), relayPassword) {
		t.Error("the log holds the password")
	}
}

// hosted is a site whose host gave a relay, with the demo's invented DNS.
func hosted(t *testing.T, relay string) *testSite {
	t.Helper()
	c := cast.New(t)
	composer, err := mail.NewComposer(views.Files)
	if err != nil {
		t.Fatal(err)
	}
	r, err := mail.ParseRelay(relay)
	if err != nil {
		t.Fatal(err)
	}
	from, err := db.ParseEmail("portal@willow.example")
	if err != nil {
		t.Fatal(err)
	}
	c.Practice = practice.New(c.DB, practice.Config{Public: cast.Public, Composer: composer, From: from, Resolver: demo.Resolver{},
		Hosted: &practice.HostedMail{Relay: r, From: from, Source: "ANTEROOM_SMTP_URL", Provider: demo.Provider}})
	if err := c.Practice.StartMail(t.Context()); err != nil {
		t.Fatal(err)
	}
	return siteOf(t, c)
}

func TestHostsMailIsShownOnly(t *testing.T) {
	s := hosted(t, "smtp://portal:"+relayPassword+"@127.0.0.1:1?tls=none")
	olga := s.as("Olga")
	a := olga.get(mailSettingsPath).want(http.StatusOK, "Set by whoever hosts this, in ANTEROOM_SMTP_URL.", "with a password (hidden)", "127.0.0.1, port 1")
	if strings.Contains(a.body, relayPassword) || a.doc.Find("input[name=host]").Length() != 0 {
		t.Error(a.main())
	}
	_, form := relayForm(t)
	olga.post(mailSettingsPath, form...).want(http.StatusForbidden)
	olga.post(mailPath + "/test").wantTo(mailSettingsPath + "#test")
	olga.get(mailSettingsPath).want(http.StatusOK, "Not accepted")
}

func TestDomainIsChecked(t *testing.T) {
	s := hosted(t, "smtp://127.0.0.1:1?tls=none")
	olga := s.as("Olga")
	if a := olga.get(mailDomainPath).want(http.StatusOK, "Mails come from portal@willow.example.", "Look up the records"); a.doc.Find("details[open] #selector").Length() != 0 {
		t.Error("what is rarely needed stands open")
	}
	a := olga.get(mailDomainPath+"?look=1").want(http.StatusOK, "Found, but doesn't cover the mail server", "Found and fine", "Missing", "v=spf1 include:_spf.website.example include:_spf.willowmail.example ~all",
		"v=DMARC1; p=none; rua=mailto:portal@willow.example")
	if a.doc.Find("[data-copy]").Length() != 2 {
		t.Error("the records to add can't be copied")
	}
	olga.get(mailDomainPath+"?look=1&selector=a+b&spf=~all").wantError("selector", "before ._domainkey").wantError("spf", "include:spf.example.com")
}

// Where the records can't be told without what the provider said, its fields stand open.
func TestDomainAsksForWhatTheProviderSaid(t *testing.T) {
	c := cast.New(t)
	c.Practice = practice.New(c.DB, practice.Config{Public: cast.Public, Resolver: demo.Resolver{}})
	s := siteOf(t, c)
	_, form := relayForm(t)
	s.as("Olga").post(mailSettingsPath, form...).wantTo(mailSettingsPath)
	a := s.as("Olga").get(mailDomainPath+"?look=1").want(http.StatusOK, "Type the selector above")
	if a.doc.Find("details[open] #selector").Length() != 1 {
		t.Error("the field above is hidden")
	}
}
