package main

import (
	"testing"
)

// maxFirstVisit is what a first visit may cost over the wire, in bytes.
const maxFirstVisit = 60_000

func TestStoryFirstVisit(t *testing.T) {
	browser := chromium(t)
	site := start(t, nil, "demo")
	visitor := comes(t, browser, site.url, "visitor", phone)
	visitor.opens("/")
	visitor.at("/sign-in")
	if n := visitor.received(); n == 0 || n > maxFirstVisit {
		t.Errorf("a first visit costs %d bytes", n)
	} else {
		t.Logf("a first visit costs %d bytes", n)
	}
	visitor.inspects("sign-in")
	visitor.expect("422")
	visitor.fills("Email", "nobody@example.example")
	visitor.fills("Password", "not the password")
	visitor.clicks("button", "Sign in")
	visitor.sees("don't match")
	visitor.inspects("sign-in-refused")
	visitor.expect("404")
	visitor.opens("/nowhere")
	visitor.sees("Page not found")
	visitor.inspects("not-found")
}
