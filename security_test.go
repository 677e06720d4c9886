package main

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// What docs/security.md names is there: each test, file, setting, target of make and command.
func TestSecurityPageNamesWhatExists(t *testing.T) {
	page := securityPage(t)
	tests := map[string]bool{}
	function := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	for _, file := range goFiles(t) {
		if !strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range function.FindAllSubmatch(text, -1) {
			tests[string(found[1])] = true
		}
	}
	makefile, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	command := func(name string) bool {
		return slices.ContainsFunc(commands(), func(c command) bool { return c.name == name })
	}
	isTest, isFile := regexp.MustCompile(`^(Test|Fuzz)[A-Z]\w*$`), regexp.MustCompile(`^[\w./-]+\.(go|sql|txt|md|html|js|css|json|mod|sum)$|^[\w./-]+/$`)
	named := 0
	for _, found := range regexp.MustCompile("`([^`\n]+)`").FindAllStringSubmatch(page, -1) {
		name := found[1]
		words := strings.Fields(name)
		switch {
		case isTest.MatchString(name):
			if !tests[name] {
				t.Errorf("there is no test %s", name)
			}
		case isFile.MatchString(name):
			if _, err := os.Stat(name); err != nil {
				t.Errorf("there is no file %s", name)
			}
		case strings.HasPrefix(name, "ANTEROOM_"):
			if !slices.ContainsFunc(settings, func(s setting) bool { return s.env == name }) {
				t.Errorf("there is no setting %s", name)
			}
		case len(words) == 2 && words[0] == "make":
			if !bytes.Contains(makefile, []byte("\n"+words[1]+":")) {
				t.Errorf("there is no target %s", words[1])
			}
		case len(words) > 1 && words[0] == "anteroom":
			if !command(words[1]) {
				t.Errorf("there is no command %s", words[1])
			}
		default:
			continue
		}
		named++
	}
	if named < 100 {
		t.Errorf("only %d tests and files were found in the page", named)
	}
}

// levels are those of ASVS 5.0.0: for each section, a digit for each of its requirements.
const levels = `1.1:22 1.2:1111122223 1.3:112222222223 1.4:222 1.5:123 2.1:122 2.2:112 2.3:12223 2.4:23 3.1:3 3.2:113 3.3:12223
3.4:11222233 3.5:11122333 3.6:3 3.7:22333 4.1:12233 4.2:23333 4.3:22 4.4:1222 5.1:2 5.2:112333 5.3:113 5.4:222 6.1:122
6.2:111111112222 6.3:11223333 6.4:112233 6.5:22222333 6.6:2223 6.7:33 6.8:2222 7.1:222 7.2:1111 7.3:22 7.4:11222 7.5:223 7.6:22
8.1:1233 8.2:1123 8.3:133 8.4:23 9.1:111 9.2:1222 10.1:22 10.2:223 10.3:22223 10.4:1111122222233333 10.5:22222 10.6:22 10.7:222
11.1:2233 11.2:22233 11.3:11233 11.4:1222 11.5:23 11.6:23 11.7:33 12.1:12233 12.2:11 12.3:22223 13.1:2333 13.2:222223 13.3:2233
13.4:1222233 14.1:22 14.2:12223333 14.3:122 15.1:12233 15.2:12233 15.3:1222222 15.4:3333 16.1:2 16.2:22222 16.3:2222 16.4:222
16.5:2223 17.1:23 17.2:22223333 17.3:22`

// Each requirement of the first two levels is in the page once: met, not met, or not applicable.
func TestEveryRequirementIsAnswered(t *testing.T) {
	_, part, _ := strings.Cut(securityPage(t), "\n## OWASP ASVS 5.0.0\n")
	part, _, _ = strings.Cut(part, "\n## ")
	level, count := map[string]int{}, map[byte]int{}
	for _, section := range strings.Fields(levels) {
		name, digits, _ := strings.Cut(section, ":")
		for i := range digits {
			level[name+"."+strconv.Itoa(i+1)] = int(digits[i] - '0')
			count[digits[i]]++
		}
	}
	if count['1'] != 70 || count['2'] != 183 || count['3'] != 92 {
		t.Fatalf("ASVS 5.0.0 has 70, 183 and 92 requirements, the list %d, %d and %d", count['1'], count['2'], count['3'])
	}
	answered := map[string]int{}
	row := regexp.MustCompile(`(?m)^\| ((?:V?\d+(?:\.\d+)*(?:, )?)+) \|`)
	for _, found := range row.FindAllStringSubmatch(part, -1) {
		for _, number := range strings.Split(found[1], ", ") {
			whole, isWhole := strings.CutPrefix(number, "V") // a chapter or a section that isn't applicable
			known := false
			for each := range level {
				if each == number || isWhole && strings.HasPrefix(each, whole+".") {
					answered[each]++
					known = true
				}
			}
			if !known {
				t.Errorf("ASVS 5.0.0 has no %s", number)
			}
		}
	}
	for _, each := range slices.Sorted(maps.Keys(level)) {
		if n := answered[each]; n > 1 || n == 0 && level[each] < 3 {
			t.Errorf("%s, of level %d, is answered %d times", each, level[each], n)
		}
	}
}

// Each technical safeguard of 45 CFR 164.312 is in the page, as required, addressable or a standard with such parts.
func TestEverySafeguardIsAnswered(t *testing.T) {
	_, part, _ := strings.Cut(securityPage(t), "\n## HIPAA")
	for safeguard, kind := range map[string]string{
		"(a)(1)": "standard", "(a)(2)(i)": "required", "(a)(2)(ii)": "required", "(a)(2)(iii)": "addressable", "(a)(2)(iv)": "addressable",
		"(b)": "required", "(c)(1)": "standard", "(c)(2)": "addressable", "(d)": "required",
		"(e)(1)": "standard", "(e)(2)(i)": "addressable", "(e)(2)(ii)": "addressable",
	} {
		row := regexp.MustCompile(`(?m)^\| ` + regexp.QuoteMeta(safeguard) + ` [a-zA-Z ]+ \| ` + kind + ` \|.+Test\w+`)
		if n := len(row.FindAllString(part, -1)); n != 1 {
			t.Errorf("%s, %s, is answered %d times", safeguard, kind, n)
		}
	}
}

// Whatever uses cryptography, randomness, other programs or unsafe memory is in the page's inventory, and nothing else is.
func TestCryptographyIsInTheInventory(t *testing.T) {
	_, part, _ := strings.Cut(securityPage(t), "\n## Cryptography\n")
	part, _, _ = strings.Cut(part, "\n## ")
	listed := map[string]bool{}
	for _, found := range regexp.MustCompile("`([\\w/]+\\.go)`").FindAllStringSubmatch(part, -1) {
		listed[found[1]] = true
	}
	uses := regexp.MustCompile(`^(crypto|crypto/.*|golang\.org/x/crypto/.*|hash/.*|math/rand.*|os/exec|unsafe|plugin|C|github\.com/pquerna/otp/.*)$`)
	for _, file := range goFiles(t) {
		if strings.HasSuffix(file, "_test.go") || strings.HasPrefix(file, "tools/") || strings.HasPrefix(file, "practice/cast/") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, imported := range parsed.Imports {
			name, err := strconv.Unquote(imported.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if uses.MatchString(name) && !listed[file] {
				t.Errorf("%s imports %s and is not in the inventory", file, name)
			}
		}
		if listed[file] && !slices.ContainsFunc(parsed.Imports, func(i *ast.ImportSpec) bool { return uses.MatchString(strings.Trim(i.Path.Value, `"`)) }) {
			t.Errorf("%s is in the inventory and uses no cryptography", file)
		}
		delete(listed, file)
	}
	for file := range listed {
		t.Errorf("the inventory has %s, which is no file of the program", file)
	}
}

// What html/template takes as it stands is made in two places: of a message that was sanitised, and of an address of our own.
func TestTwoPlacesMakeMarkup(t *testing.T) {
	trusted := regexp.MustCompile(`template\.(HTML|HTMLAttr|CSS|JS|JSStr|Srcset|URL)\b`)
	places := map[string]string{"mail/render.go": "template.HTML", "handlers/second_step.go": "template.URL"}
	for _, file := range goFiles(t) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found := trusted.FindAllString(string(text), -1)
		for _, each := range found {
			if each != places[file] {
				t.Errorf("%s makes %s of something", file, each)
			}
		}
		if places[file] != "" && found == nil {
			t.Errorf("%s makes no %s any more", file, places[file])
		}
	}
}

func securityPage(t *testing.T) string {
	page, err := os.ReadFile(filepath.FromSlash("docs/security.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

// goFiles are the program's, tests included.
func goFiles(t *testing.T) (files []string) {
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != "." && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case strings.HasSuffix(path, ".go"):
			files = append(files, filepath.ToSlash(path))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
