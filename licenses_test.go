package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// What is printed names each module that the release links, in the version that it links, and nothing else: make licenses
// writes it anew, and refuses a licence that may not be shipped.
func TestLicensesAreThoseOfWhatIsLinked(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-tags", "sqlite_omit_load_extension,netgo,osusergo",
		"-f", `{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}{{end}}{{end}}`, ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	linked := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		if line = strings.TrimSpace(line); line != "" {
			linked[line] = true
		}
	}
	if len(linked) < 10 {
		t.Fatalf("go list names %d modules", len(linked))
	}
	list, texts, _ := strings.Cut(licenses, strings.Repeat("=", 80))
	module := regexp.MustCompile(`(?m)^(\S+/\S+) +(v\S+) +\S`)
	for _, found := range module.FindAllStringSubmatch(list, -1) {
		name := found[1] + " " + found[2]
		if !linked[name] {
			t.Errorf("licenses.txt has %s, which isn't linked: run make licenses", name)
		}
		delete(linked, name)
		if !strings.Contains(texts, found[1]) {
			t.Errorf("licenses.txt has no text for %s", found[1])
		}
	}
	for name := range linked {
		t.Errorf("licenses.txt lacks %s: run make licenses", name)
	}
	vendored, err := os.ReadDir("static/vendor")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range vendored {
		name, _, _ := strings.Cut(entry.Name(), "-")
		if strings.HasSuffix(entry.Name(), ".js") && !regexp.MustCompile(`(?m)^`+name+` +\d`).MatchString(list) {
			t.Errorf("licenses.txt lacks %s: run make licenses", entry.Name())
		}
	}
	for _, part := range []string{"Go, its library and runtime ", "SQLite ", "GNU C library", "SecLists"} {
		if !strings.Contains(list, "\n"+part) {
			t.Errorf("licenses.txt lacks %q", part)
		}
	}
}

func TestVersionPrintsLicenses(t *testing.T) {
	printed := func(args ...string) string {
		read, write, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		before := os.Stdout
		os.Stdout = write
		defer func() { os.Stdout = before }()
		said := make(chan []byte)
		go func() { text, _ := io.ReadAll(read); said <- text }()
		if err := run(t.Context(), append([]string{"version"}, args...)); err != nil {
			t.Error(err)
		}
		write.Close()
		return string(bytes.TrimSpace(<-said))
	}
	short, long := printed(), printed("-licenses")
	if !strings.HasPrefix(short, "anteroom "+release+" "+runtime.Version()) || strings.Contains(short, "\n") {
		t.Errorf("version says %q", short)
	}
	if !strings.HasPrefix(long, short+"\n\n") || !strings.Contains(long, "Permission is hereby granted, free of charge") {
		t.Error("version -licenses lacks the version, or licences")
	}
	for _, args := range [][]string{{"-license"}, {"more"}} {
		if err := run(t.Context(), append([]string{"version"}, slices.Clone(args)...)); err == nil {
			t.Errorf("version %v is taken", args)
		}
	}
}
