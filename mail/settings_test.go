package mail

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNewRelayNamesEveryFault(t *testing.T) {
	oauth := func(o OAuth) *OAuth { return &o }
	good := Settings{Host: "smtp.example.com", Port: 587, Security: StartTLS, Username: "harbor", Password: "hunter2hunter2"}
	token := OAuth{TokenURL: "https://login.example.com/token", ClientID: "anteroom", ClientSecret: "hunter2hunter2"}
	for _, c := range []struct {
		name   string
		change func(*Settings)
		fields string
	}{
		{"nothing", func(*Settings) {}, ""},
		{"TLS from the start", func(s *Settings) { s.Port, s.Security = 465, ImplicitTLS }, ""},
		{"a relay on this machine", func(s *Settings) { *s = Settings{Host: "::1", Port: 25, Security: ClearText} }, ""},
		{"OAuth", func(s *Settings) { s.Password, s.OAuth = "", oauth(token) }, ""},
		{"OAuth by a refresh token", func(s *Settings) {
			s.Password, s.OAuth = "", &OAuth{TokenURL: "http://127.0.0.1:9/token", ClientID: "x", RefreshToken: "y"}
		}, ""},
		{"all of it", func(s *Settings) { *s = Settings{} }, "host port security"},
		{"a host that is none", func(s *Settings) { s.Host = "smtp.example.com/mail" }, "host"},
		{"a host with a line break", func(s *Settings) { s.Host = "smtp\r\nexample.com" }, "host"},
		{"a port that is none", func(s *Settings) { s.Port = 65536 }, "port"},
		{"clear text to another machine", func(s *Settings) { s.Security = ClearText }, "security"},
		{"an unknown security", func(s *Settings) { s.Security = "ssl" }, "security"},
		{"no password", func(s *Settings) { s.Password = "" }, "password"},
		{"no user name", func(s *Settings) { s.Username = " " }, "username"},
		{"a line break in the password", func(s *Settings) { s.Password = "hunter2\r\nRSET" }, "password"},
		{"a control character in the user name", func(s *Settings) { s.Username = "a\x01b" }, "username"},
		{"negative limits", func(s *Settings) { s.PerMinute, s.PerDay = -1, -1 }, "per_day per_minute"},
		{"a password and OAuth", func(s *Settings) { s.OAuth = oauth(token) }, "password"},
		{"OAuth without anything", func(s *Settings) { s.Username, s.Password, s.OAuth = "", "", &OAuth{} }, "client_id client_secret token_url username"},
		{"secrets to a stranger", func(s *Settings) {
			s.Password, s.OAuth = "", oauth(token)
			s.OAuth.TokenURL = "http://login.example.com/token"
		}, "token_url"},
		{"a token address that isn't finished", func(s *Settings) {
			s.Password, s.OAuth = "", oauth(token)
			s.OAuth.TokenURL = "https://login.microsoftonline.com/TENANT/oauth2/v2.0/token"
		}, "token_url"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := good
			c.change(&s)
			r, err := NewRelay(s)
			var faults Faults
			errors.As(err, &faults)
			if got := strings.Join(slices.Sorted(maps.Keys(faults)), " "); got != c.fields || (err == nil) != (c.fields == "") {
				t.Fatalf("%q: %v", got, err)
			}
			if err == nil {
				if d := cmp.Diff(s, r.Settings()); d != "" {
					t.Error(d)
				}
				return
			}
			if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "\n") {
				t.Error(err)
			}
			for field, sentence := range faults {
				if !strings.HasSuffix(sentence, ".") {
					t.Errorf("%s: %q is no sentence", field, sentence)
				}
			}
		})
	}
}

func TestParseRelayReadsItsOptions(t *testing.T) {
	r, err := ParseRelay("smtp://hello%40harbor.example@smtp.office365.com?per_minute=30&per_day=10000&client_id=anteroom&client_secret=s%26c" +
		"&scope=https%3A%2F%2Foutlook.office365.com%2F.default&token_url=https://login.microsoftonline.com/harbor.example/oauth2/v2.0/token")
	if err != nil {
		t.Fatal(err)
	}
	want := Settings{Host: "smtp.office365.com", Port: 587, Security: StartTLS, Username: "hello@harbor.example", PerMinute: 30, PerDay: 10000, OAuth: &OAuth{
		TokenURL: "https://login.microsoftonline.com/harbor.example/oauth2/v2.0/token", ClientID: "anteroom", ClientSecret: "s&c", Scope: "https://outlook.office365.com/.default",
	}}
	if d := cmp.Diff(want, r.Settings()); d != "" {
		t.Error(d)
	}
	r.Settings().OAuth.ClientSecret = "another" // of a copy
	if r.Settings().OAuth.ClientSecret != "s&c" {
		t.Error("a relay's settings can be changed behind its back")
	}
	for s, want := range map[string]string{
		"smtp://host?per_minute=x":                "number",
		"smtp://host?per_day=-1":                  "number",
		"smtp://host?per_day=1&per_day=2":         "twice",
		"smtp://host?per_day=%zz":                 "can't be read",
		"smtp://u:hunter2@host?client_id=x":       "not both",
		"smtp://u@host?client_secret=hunter2":     "client ID",
		"smtp://u@host?refresh_token=hunter2&x=1": "these options only",
	} {
		if _, err := ParseRelay(s); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", s, err)
		}
	}
}
