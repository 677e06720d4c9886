package practice

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/constant"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"anteroom/db"
)

// typed is this package and db, as the compiler understands them: every expression of the type db.Act, wherever it is.
func typed(t *testing.T) (found map[db.Act]string, made []string) {
	t.Helper()
	out, err := exec.Command("go", "list", "-deps", "-export", "-json=ImportPath,Dir,Export,GoFiles,CgoFiles", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	type pack struct {
		ImportPath, Dir, Export string
		GoFiles                 []string
	}
	packs := map[string]pack{}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pack
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		packs[p.ImportPath] = p
	}
	files := token.NewFileSet()
	compiled := importer.ForCompiler(files, "gc", func(path string) (io.ReadCloser, error) { return os.Open(packs[path].Export) })
	found = map[db.Act]string{}
	for _, path := range []string{"anteroom/db", "anteroom/practice"} {
		var parsed []*ast.File
		for _, name := range packs[path].GoFiles {
			f, err := parser.ParseFile(files, packs[path].Dir+"/"+name, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			if name != "audit_acts.go" { // which is to be compared with
				parsed = append(parsed, f)
			}
		}
		info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
		// Without the table itself the package isn't whole: what it lacks is no matter here.
		check := types.Config{Importer: compiled, Error: func(error) {}}
		check.Check(path, files, parsed, info)
		for e, of := range info.Types {
			named, ok := types.Unalias(of.Type).(*types.Named)
			if !ok || named.Obj().Name() != "Act" || named.Obj().Pkg().Path() != "anteroom/db" || of.IsType() {
				continue
			}
			at := files.Position(e.Pos()).String()
			if of.Value != nil {
				found[db.Act(constant.StringVal(of.Value))] = at
				continue
			}
			switch e.(type) {
			case *ast.BinaryExpr, *ast.CallExpr:
				if call, ok := e.(*ast.CallExpr); ok && !info.Types[call.Fun].IsType() {
					continue // what a function returns was written somewhere else
				}
				made = append(made, at)
			}
		}
	}
	delete(found, "")
	return found, made
}

// TestEveryActIsTold reads the source: each act that is written into the audit log anywhere has its words, and is a constant, so
// that this test finds it and so that the log names nobody.
func TestEveryActIsTold(t *testing.T) {
	found, made := typed(t)
	for _, at := range made {
		t.Errorf("%s: an act is put together; write it as it is, and the rest as the entry's detail", at)
	}
	for act, at := range found {
		if _, ok := acts[act]; !ok {
			t.Errorf("%s: say in audit_acts.go how %q is told", at, act)
		}
	}
	for act, words := range acts {
		if found[act] == "" {
			t.Errorf("nobody does %q", act)
		}
		if !slices.Contains(AuditKinds, words.kind) {
			t.Errorf("%q is of no kind", act)
		}
		if words.story != "" && strings.Count(words.story, "{client}") != 1 || strings.Contains(words.own+words.here, "{client}") {
			t.Errorf("%q names the client where there is none, or not where there is one", act)
		}
	}
	if len(found) < 80 {
		t.Errorf("%d acts are too few to be all", len(found))
	}
}
