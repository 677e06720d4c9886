package demo

import (
	"context"
	"net"
	"strings"

	"anteroom/mail"
)

// Provider is the invented provider whose mail server the demo's mailbox plays.
var Provider = mail.Provider{Name: "demo", Title: "Willow Mail (invented)", SPF: "_spf.willowmail.example", DKIMSelectors: []string{"willow"}}

// Resolver plays the DNS: what a practice finds that has set up half of it.
type Resolver struct{}

var records = map[string]string{
	"willow.example.":                   "v=spf1 include:_spf.website.example ~all",
	"_spf.website.example.":             "v=spf1 ip4:192.0.2.0/24 -all",
	"_spf.willowmail.example.":          "v=spf1 ip4:198.51.100.0/24 -all",
	"willow._domainkey.willow.example.": "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
}

// LookupTXT returns the one text that stands at a name.
func (Resolver) LookupTXT(_ context.Context, name string) ([]string, error) {
	text, ok := records[strings.ToLower(name)]
	if !ok {
		return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	}
	return []string{text}, nil
}
