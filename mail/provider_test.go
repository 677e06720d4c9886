package mail

import (
	"net/url"
	"regexp"
	"strings"
	"testing"
)

func TestEveryProviderCanBeSetUp(t *testing.T) {
	names := map[string]bool{}
	for _, p := range Providers {
		if found, ok := ProviderNamed(p.Name); !ok || found.Title != p.Title || names[p.Name] || !regexp.MustCompile(`^[a-z-]+$`).MatchString(p.Name) {
			t.Errorf("%q is not found by its name, or isn't the only one", p.Name)
		}
		names[p.Name] = true
		s := Settings{Host: p.Host, Port: p.Port, Security: p.Security, PerMinute: p.PerMinute, PerDay: p.PerDay, Username: "hello@harbor.example", Password: "x"}
		if p.OAuth {
			s.Password, s.OAuth = "", &OAuth{TokenURL: strings.Replace(p.TokenURL, tenant, "harbor.example", 1), ClientID: "x", ClientSecret: "x", Scope: p.Scope}
		}
		if _, err := NewRelay(s); err != nil {
			t.Errorf("%s: %v", p.Name, err)
		}
		if p.OAuth && p.TokenURL == "" || (p.TokenURL == "") != (p.Scope == "") || p.Security == ClearText {
			t.Errorf("%s can't sign in as it says", p.Name)
		}
		sentences := regexp.MustCompile(`[.:] [A-Z]|\.$`).FindAllString(p.Note, -1)
		if n := len(sentences); n < 2 || n > 5 || len(p.Note) > 700 {
			t.Errorf("%s: a note of %d sentences, %d characters", p.Name, n, len(p.Note))
		}
		for _, host := range append([]string{p.SPF}, p.DKIMSelectors...) {
			if u, err := url.Parse("dns://" + host); err != nil || u.Host != host {
				t.Errorf("%s: %q is no name", p.Name, host)
			}
		}
		if p.SPF != "" && !strings.Contains(p.Note, "SPF") {
			t.Errorf("%s: its note doesn't say what to do about SPF", p.Name)
		}
	}
	if _, ok := ProviderNamed("nobody"); ok {
		t.Error("there is a provider of any name")
	}
}
