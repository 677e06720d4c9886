package handlers

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"anteroom/db"
	"anteroom/practice"
	"anteroom/practice/cast"

	"github.com/PuerkitoBio/goquery"
)

// testSite is the whole site with its cast, in memory but for the database.
type testSite struct {
	*cast.Cast
	*Site
	t   *testing.T
	log *bytes.Buffer
}

func newSite(t *testing.T, change ...func(*Config)) *testSite {
	t.Helper()
	return siteOf(t, cast.New(t), change...)
}

func siteOf(t *testing.T, c *cast.Cast, change ...func(*Config)) *testSite {
	t.Helper()
	log := &bytes.Buffer{}
	config := Config{Practice: c.Practice, Public: cast.Public, Log: slog.New(slog.NewTextHandler(log, nil))}
	for _, f := range change {
		f(&config)
	}
	site, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	instrument(site)
	return &testSite{Cast: c, Site: site, t: t, log: log}
}

// emptySite is a site before set-up.
func emptySite(t *testing.T) *testSite {
	t.Helper()
	c := &cast.Cast{Clock: cast.NewClock(), Sessions: map[string]string{}}
	c.DB = db.Temp(t, c.Clock.Now)
	c.Practice = practice.New(c.DB, practice.Config{Public: cast.Public})
	return siteOf(t, c)
}

// browser is one person's browser: it keeps cookies and follows no redirects.
type browser struct {
	*testSite
	cookies map[string]string
	headers map[string]string
}

// as is the browser of somebody in the cast who is signed in; of "" nobody is.
func (s *testSite) as(who string) *browser {
	s.t.Helper()
	b := &browser{testSite: s, cookies: map[string]string{}}
	if who != "" {
		if s.Sessions[who] == "" {
			s.t.Fatalf("%s has no session", who)
		}
		b.cookies[s.cookie.prefix+sessionCookie] = s.Sessions[who]
	}
	return b
}

// htmx is the same browser, asking for a part of a page.
func (b *browser) htmx() *browser {
	return b.with("HX-Request", "true")
}

// with is the same browser, sending one more header.
func (b *browser) with(name, value string) *browser {
	headers := map[string]string{name: value}
	for n, v := range b.headers {
		headers[n] = v
	}
	return &browser{b.testSite, b.cookies, headers}
}

// answer is what the site said.
type answer struct {
	t      *testing.T
	status int
	header http.Header
	body   string
	doc    *goquery.Document
}

func (b *browser) get(path string) answer { b.t.Helper(); return b.ask("GET", path, nil) }

// post submits a form, given as name, value, name, value …
func (b *browser) post(path string, form ...string) answer {
	b.t.Helper()
	values := url.Values{}
	for i := 0; i < len(form); i += 2 {
		values.Add(form[i], form[i+1])
	}
	return b.ask("POST", path, values)
}

func (b *browser) ask(method, path string, form url.Values) answer {
	b.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r := httptest.NewRequest(method, path, body)
	r.Host = cast.Public.Host
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range b.headers {
		r.Header.Set(name, value)
	}
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	response, err := b.app.Test(r, -1)
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range response.Cookies() {
		if c.MaxAge < 0 || !c.Expires.IsZero() && c.Expires.Year() < 2000 {
			delete(b.cookies, c.Name)
		} else {
			b.cookies[c.Name] = c.Value
		}
	}
	doc, err := goquery.NewDocumentFromReader(bytes.NewReader(text))
	if err != nil {
		b.t.Fatal(err)
	}
	return answer{b.t, response.StatusCode, response.Header, string(text), doc}
}

// follow asks for the page that an answer sends on to.
func (b *browser) follow(a answer) answer {
	b.t.Helper()
	a.want(http.StatusSeeOther)
	return b.get(a.header.Get("Location"))
}

// want fails the test unless the answer has this status, and shows each of these texts.
func (a answer) want(status int, texts ...string) answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("status %d, want %d: %s", a.status, status, a.main())
	}
	shown := strings.Join(strings.Fields(a.doc.Text()), " ")
	for _, text := range texts {
		if !strings.Contains(shown, text) {
			a.t.Fatalf("%q is not shown in: %s", text, a.main())
		}
	}
	return a
}

// wantTo fails the test unless the answer sends on to this path.
func (a answer) wantTo(path string) answer {
	a.t.Helper()
	a.want(http.StatusSeeOther)
	if to := a.header.Get("Location"); to != path {
		a.t.Fatalf("sent to %s, want %s", to, path)
	}
	return a
}

// wantError fails the test unless a field carries this sentence, and the form came back with 422.
func (a answer) wantError(field, sentence string) answer {
	a.t.Helper()
	a.want(http.StatusUnprocessableEntity)
	if text := a.text("#" + field + "-error"); !strings.Contains(text, sentence) {
		a.t.Fatalf("the error of %s is %q, want %q in: %s", field, text, sentence, a.main())
	}
	return a
}

// text is what the selected elements say, in single spaces.
func (a answer) text(selector string) string {
	return strings.Join(strings.Fields(a.doc.Find(selector).Text()), " ")
}

func (a answer) main() string {
	if text := a.text("main"); text != "" {
		return text
	}
	return a.body
}
