package views

import (
	"html/template"
	"io/fs"
	"regexp"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
)

// page is what top and bottom ask of a page's struct.
type page struct {
	Title, Practice, Logo, Nav, Side, Notice, Problem, MailHeld, MailPath, MailWords string
	Demo                                                                             bool
	Attention                                                                        int
	Actor                                                                            *actor
}

type actor struct {
	Name, Role            string
	Administrator, Client bool
	Session               struct{ Left, Who string }
}

func render(t *testing.T, p page) *goquery.Document {
	t.Helper()
	tmpl := template.New("").Funcs(template.FuncMap{"asset": func(name string) string { return "/static/" + name }})
	for _, name := range []string{"shell/top", "shell/_logo", "shell/side", "shell/bottom", "session/_logoff"} {
		text, err := Files.ReadFile(name + ".html")
		if err != nil {
			t.Fatal(err)
		}
		template.Must(tmpl.New(name).Parse(string(text)))
	}
	template.Must(tmpl.New("page").Parse(`{{template "shell/top" .}}<h1>{{.Title}}</h1>{{template "shell/bottom" .}}`))
	var b strings.Builder
	if err := tmpl.ExecuteTemplate(&b, "page", p); err != nil {
		t.Fatal(err)
	}
	doc, err := goquery.NewDocumentFromReader(strings.NewReader(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestShellShowsEachPersonTheirOwnNavigation(t *testing.T) {
	olga := &actor{Name: "Olga Ortiz", Role: "Administrator", Administrator: true}
	tom := &actor{Name: "Tom Tran", Role: "Therapist"}
	ann := &actor{Name: "Ann Abbott", Client: true}
	for _, c := range []struct {
		who        string
		page       page
		body       string
		links      string
		signOut    int
		heldBanner int
	}{
		{"nobody", page{MailHeld: "Held."}, "public", "", 0, 0},
		{"administrator", page{Actor: olga, Nav: "organization", Side: "staff", MailHeld: "Held.", MailPath: "/organization/mail/queue"}, "staff",
			"/clients /clients /organization/client-portal /what-you-may-do /security /organization/mail/queue /organization/client-portal /organization/staff /organization/mail /organization/security /organization/import /organization/export /organization/settings /organization/audit", 1, 1},
		{"therapist", page{Actor: tom, Nav: "clients"}, "staff", "/clients /clients /what-you-may-do /security", 1, 0},
		{"client", page{Actor: ann, Nav: "portal", MailHeld: "Held."}, "portal", "/portal", 1, 0},
	} {
		t.Run(c.who, func(t *testing.T) {
			doc := render(t, c.page)
			if got, _ := doc.Find("body").Attr("class"); got != c.body {
				t.Errorf("body class %q, want %q", got, c.body)
			}
			links := doc.Find("body a:not(.skip, dialog a)").Map(func(_ int, a *goquery.Selection) string { return a.AttrOr("href", "") })
			if got := strings.Join(links, " "); got != c.links {
				t.Errorf("links %q, want %q", got, c.links)
			}
			if n := doc.Find(`header form[method=post][action="/sign-out"] button`).Length(); n != c.signOut {
				t.Errorf("%d sign-out buttons, want %d", n, c.signOut)
			}
			if n := doc.Find("main .banner.warn").Length(); n != c.heldBanner {
				t.Errorf("%d banners about held mail, want %d", n, c.heldBanner)
			}
		})
	}
}

func TestShellMarksWhereOneIs(t *testing.T) {
	olga := &actor{Name: "Olga Ortiz", Administrator: true}
	doc := render(t, page{Title: "Staff", Practice: "Harbor <Practice>", Actor: olga, Nav: "organization", Side: "staff", Notice: "Saved.", Problem: "Not saved.", Demo: true})
	if got := doc.Find("title").Text(); got != "Problem: Staff – Harbor <Practice>" {
		t.Errorf("title %q", got)
	}
	here := doc.Find("[aria-current]").Map(func(_ int, s *goquery.Selection) string { return s.Text() })
	if got := strings.Join(here, " "); got != "Organization Staff" {
		t.Errorf("current: %q", got)
	}
	if got := doc.Find("main [role=status]").Text() + doc.Find("main [role=alert]").Text(); got != "Saved.Not saved." {
		t.Errorf("notice and problem: %q", got)
	}
	if doc.Find(`.demo a[href="/demo/mailbox"]`).Length() != 1 {
		t.Error("the demo does not say so")
	}
	if doc.Find("main h1").Length() != 1 {
		t.Error("the page's content is not inside main")
	}
}

// The policy forbids inline style and script; html/template knows nothing of hx-* values; layouts break under load;
// and of two definitions with one name the last wins in silence.
func TestTemplatesKeepTheRules(t *testing.T) {
	forbidden := map[string]*regexp.Regexp{
		"a style attribute or element":       regexp.MustCompile(`(?i)\sstyle\s*=|<style`),
		"an inline script or handler":        regexp.MustCompile(`(?i)<script[^>]*>[^<]|<script>|\son[a-z]+\s*=|javascript:`),
		"hx-on, or script in an hx value":    regexp.MustCompile(`hx-on|["']js:`),
		"a value inside hx-vals or -headers": regexp.MustCompile(`hx-(?:vals|headers)[^=\s]*=(?:"[^"]*\{\{|'[^']*\{\{)`),
		"a field that hides its form's own":  regexp.MustCompile(`\sname="(?:form|closest|matches|reportValidity|elements|method|action|submit)"`),
		"a layout":                           regexp.MustCompile(`\{\{-?\s*embed\b`),
	}
	// Of a value in an hx attribute only a whole URL, made in Go, is safe: nothing would escape its parts.
	hx := regexp.MustCompile(`\s(hx-[^\s=]*)=(?:"([^"]*)"|'([^']*)')`)
	wholeURL := regexp.MustCompile(`^hx-(get|post|put|patch|delete) \{\{\s*\$?[\w.]+\s*\}\}$`)
	define := regexp.MustCompile(`\{\{-?\s*(?:define|block)\s+"([^"]+)"`)
	definedIn := map[string]string{}
	err := fs.WalkDir(Files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".html") || strings.HasPrefix(path, "mail/") {
			return err // a letter has no stylesheet but its own
		}
		text, err := fs.ReadFile(Files, path)
		if err != nil {
			return err
		}
		for what, re := range forbidden {
			if found := re.FindString(string(text)); found != "" {
				t.Errorf("%s contains %s: %q", path, what, found)
			}
		}
		for _, m := range hx.FindAllStringSubmatch(string(text), -1) {
			if value := m[2] + m[3]; strings.Contains(value, "{{") && !wholeURL.MatchString(m[1]+" "+value) {
				t.Errorf(`%s: %s=%q: make the whole URL in Go, as in hx-get="{{.RowsURL}}"`, path, m[1], value)
			}
		}
		names := []string{strings.TrimSuffix(path, ".html")}
		for _, m := range define.FindAllStringSubmatch(string(text), -1) {
			names = append(names, m[1])
		}
		for _, name := range names {
			if other, twice := definedIn[name]; twice {
				t.Errorf("template %q is defined in %s and in %s", name, other, path)
			}
			definedIn[name] = path
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if definedIn["shell/top"] == "" {
		t.Error("the walk found no templates")
	}
}
