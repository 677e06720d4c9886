package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// imports is who may import whom: main → handlers → practice → mail, forms, db, and mail → db. What only embeds files, and
// what the rest is built from, imports nothing of ours.
var imports = map[string][]string{
	"anteroom":          {"practice/demo", "handlers", "practice", "mail", "mail/mailbox", "forms", "db", "views"},
	"anteroom/handlers": {"practice", "mail", "mail/mailbox", "forms", "db", "views", "static"},
	"anteroom/practice": {"mail", "forms", "db"},
	"anteroom/mail":     {"db"},
	"anteroom/forms":    nil,
	"anteroom/db":       nil,
	"anteroom/views":    nil,
	"anteroom/static":   nil,

	"anteroom/handlers/grade": nil,                                                          // the tests' grader of headers
	"anteroom/mail/mailbox":   nil,                                                          // the demo's mailbox, and the tests' relay
	"anteroom/practice/demo":  {"practice", "mail", "mail/mailbox", "forms", "db"},          // the demo's people
	"anteroom/practice/cast":  {"practice", "mail", "mail/mailbox", "forms", "db", "views"}, // the tests' people
}

func TestImportsRunOneWay(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}}{{range .Imports}} {{.}}{{end}}`, "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		name := words[0]
		allowed, ok := imports[name]
		if !ok {
			t.Errorf("%s has no place in the shape of the program", name)
		}
		for _, imported := range words[1:] {
			ours, isOurs := strings.CutPrefix(imported, "anteroom/")
			if isOurs && !slices.Contains(allowed, ours) {
				t.Errorf("%s may not import %s", name, imported)
			}
		}
		seen++
	}
	if seen != len(imports) {
		t.Errorf("%d packages, the table has %d", seen, len(imports))
	}
}

// What ships holds nothing that is for tests alone.
func TestBinaryHoldsNoTestSupport(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	deps := strings.Fields(string(out))
	if !slices.Contains(deps, "anteroom/db") {
		t.Fatal("go list named no dependencies")
	}
	for _, forbidden := range []string{"anteroom/practice/cast", "anteroom/handlers/grade", "github.com/chromedp/chromedp", "github.com/PuerkitoBio/goquery", "github.com/go-webauthn/webauthn/protocol"} {
		if slices.Contains(deps, forbidden) {
			t.Errorf("the program links %s", forbidden)
		}
	}
}
