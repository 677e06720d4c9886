package handlers

import (
	"flag"
	"fmt"
	"html/template"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/template/parse"
)

// executed notes which templates the tests of this package executed, nested ones too.
var executed sync.Map

// TestMain fails a run of all tests after which some template was never executed: escaping errors show only then.
func TestMain(m *testing.M) {
	code := m.Run()
	if all := flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.list").Value.String() == ""; code == 0 && all && !testing.Short() {
		if missed := neverExecuted(); len(missed) > 0 {
			fmt.Fprintf(os.Stderr, "no test executed these templates: %s\n", strings.Join(missed, ", "))
			code = 1
		}
	}
	os.Exit(code)
}

var templateNames sync.Map

func neverExecuted() (missed []string) {
	templateNames.Range(func(name, _ any) bool {
		if _, ok := executed.Load(name); !ok && !strings.HasPrefix(name.(string), "mail/") {
			missed = append(missed, name.(string)) // a letter's frame is the composer's, and its tests' to execute
		}
		return true
	})
	slices.Sort(missed)
	return missed
}

// instrument has every template of a site note that it was executed.
func instrument(s *Site) {
	seen := func(name string) string { executed.Store(name, true); return "" }
	for _, t := range s.engine.Templates.Templates() {
		if t.Tree == nil || t.Name() == "" {
			continue
		}
		templateNames.Store(t.Name(), true)
		t.Funcs(template.FuncMap{"seen": seen})
		note := template.Must(template.New("note").Funcs(template.FuncMap{"seen": seen}).Parse(fmt.Sprintf("{{seen %q}}", t.Name())))
		t.Tree.Root.Nodes = append([]parse.Node{note.Tree.Root.Nodes[0]}, t.Tree.Root.Nodes...)
	}
}

// TestPagesBesideFragments renders whole pages and parts of them at the same time: neither may get into the other.
func TestPagesBesideFragments(t *testing.T) {
	s := newSite(t)
	s.library()
	draft := s.olgasDraft(s.Ann, s.Mia)
	paths := []string{"/clients", manageClientsPath, draft, draft + "/preview"}
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			for n := range 12 {
				path, whole := paths[(i+n)%len(paths)], n%2 == 0
				b := s.as("Olga")
				if !whole {
					b = b.htmx()
				}
				a := b.get(path)
				begins, ends := strings.HasPrefix(a.body, "<!doctype html>"), strings.HasSuffix(strings.TrimSpace(a.body), "</html>")
				if a.status != http.StatusOK || begins != whole || ends != whole {
					t.Errorf("%s, whole %v: status %d, begins %v, ends %v", path, whole, a.status, begins, ends)
				}
			}
		})
	}
	wait.Wait()
}
