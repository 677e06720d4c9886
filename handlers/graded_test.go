package handlers

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"anteroom/handlers/grade"
	"anteroom/mail/mailbox"
	"anteroom/static"
)

// gradedSite is a site under a public address, with all that its routes can show.
func gradedSite(t *testing.T, public string) *testSite {
	t.Helper()
	address, err := url.Parse(public)
	if err != nil {
		t.Fatal(err)
	}
	box, err := mailbox.Open(mailbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { box.Close() })
	sendMail(t, box, "ann@mail.example", "Subject: Hello\nContent-Type: text/html\n\n<p style=\"color: red\">Hello</p>\n")
	s := newSite(t, func(c *Config) { c.Public, c.Mailbox = address, box })
	s.library()
	return s
}

// graded marks an answer.
func (a answer) graded(what string, public string, kept, framed bool) (cookies int) {
	a.t.Helper()
	for _, fault := range grade.Faults(grade.Response{Status: a.status, Header: a.header, Body: a.body, HTTPS: strings.HasPrefix(public, "https:"), Framed: framed, Kept: kept}) {
		a.t.Errorf("%s, %s, %d: not %s", public, what, a.status, fault)
	}
	return len(a.header.Values("Set-Cookie"))
}

// TestEveryAnswerPassesTheGraders has everybody ask every route, whole and in parts, well and badly, under both kinds of address.
func TestEveryAnswerPassesTheGraders(t *testing.T) {
	for _, public := range []string{"https://portal.willow.example", "http://localhost:8080"} {
		s := gradedSite(t, public)
		statuses, cookies, framed := map[int]int{}, 0, 0
		note := func(a answer, what string, kept bool) {
			isFramed := strings.Contains(a.header.Get("Content-Security-Policy"), "sandbox")
			if isFramed {
				framed++
				if !strings.Contains(what, "/letter") || a.status != http.StatusOK {
					t.Errorf("%s, %d: framed", what, a.status)
				}
			}
			statuses[a.status]++
			cookies += a.graded(what, public, kept, isFramed)
		}
		for _, r := range s.routes() {
			if r.path == "/sign-out" || r.path == "/demo/mailbox/empty" {
				continue // below: after them there is less to see
			}
			for _, target := range targets(t, r.path) {
				s.Clock.Move(time.Second)
				path := target.path(s)
				if strings.HasSuffix(r.path, "/drafts/:id/letter") {
					path += "?client=" + s.Ann.PublicID
				}
				for _, who := range []string{"", "Olga", "Tom", "Finn", "Mia"} {
					note(s.as(who).ask(r.method, path, form(r.method)), who+" "+r.method+" "+target.name, false)
				}
				olga := s.as("Olga")
				note(olga.htmx().ask(r.method, path, form(r.method)), "a part of "+target.name, false)
				note(olga.with("Content-Encoding", "gzip").ask(r.method, path, form(r.method)), target.name+", compressed", false)
				if r.method == "GET" {
					note(olga.ask("HEAD", path, nil), "HEAD "+target.name, false)
				} else {
					note(olga.with("Sec-Fetch-Site", "cross-site").ask(r.method, path, form(r.method)), target.name+" from elsewhere", false)
				}
			}
		}
		for _, name := range []string{"app.css", "app.js", "favicon.svg"} {
			note(s.as("").get(static.URL(name)), name, true)
			note(s.as("").with("Accept-Encoding", "gzip").get(static.URL(name)), name, true)
			note(s.as("").with("Range", "bytes=0-9").get(static.URL(name)).want(200), name+" in part", true)
		}
		note(s.as("").post("/sign-in", "email", "tom@willow.example", "password", "a quiet place to wait").want(303), "signing in", false)
		note(s.as("").post("/sign-in", "email", "tom@willow.example", "password", "not this").want(422), "failing to", false)
		out := s.as("Tom").post("/sign-out").want(303)
		note(out, "signing out", false)
		if to := out.header.Get("Clear-Site-Data"); to != `"storage"` {
			t.Error(to)
		}
		note(s.as("").get(s.inviteAnn()).want(303), "a link", false)
		note(s.as("").get("/nowhere").want(404), "nowhere", false)
		for _, status := range []int{200, 204, 303, 403, 404, 415, 422} {
			if statuses[status] == 0 {
				t.Errorf("%s: nobody was answered %d, only %v", public, status, statuses)
			}
		}
		if cookies < 10 || framed < 10 {
			t.Errorf("%s: only %d cookies and %d framed mails", public, cookies, framed)
		}
		page := s.as("").get("/sign-in").want(200)
		if score := grade.Score(grade.Response{Status: page.status, Header: page.header, Body: page.body, HTTPS: true}); strings.HasPrefix(public, "https") && score < 130 {
			t.Errorf("the Observatory would give %d", score)
		}
	}
}

// What the graders let pass is worth what they would stop.
func TestTheGradersFindFaults(t *testing.T) {
	s := gradedSite(t, "https://portal.willow.example")
	page := s.as("Olga").post("/sign-in", "email", "tom@willow.example", "password", "a quiet place to wait")
	fine := func() grade.Response {
		return grade.Response{Status: page.status, Header: page.header.Clone(), Body: page.body, HTTPS: true}
	}
	if faults := grade.Faults(fine()); len(faults) > 0 {
		t.Fatal(faults)
	}
	for name := range page.header {
		if slices.Contains([]string{"Date", "Content-Type", "Content-Length", "Vary", "Location", "Set-Cookie"}, name) {
			continue
		}
		r := fine()
		r.Header.Del(name)
		if len(grade.Faults(r)) == 0 {
			t.Errorf("nobody misses %s", name)
		}
		if r = fine(); len(grade.Faults(r)) == 0 {
			r.Header.Add(name, r.Header.Get(name))
			if len(grade.Faults(r)) == 0 {
				t.Errorf("nobody minds %s twice", name)
			}
		}
	}
	for what, spoil := range map[string]func(*grade.Response){
		"inline script":    func(r *grade.Response) { replace(r, "script-src 'self'", "script-src 'self' 'unsafe-inline'") },
		"eval":             func(r *grade.Response) { replace(r, "script-src 'self'", "script-src 'self' 'unsafe-eval'") },
		"scripts of a CDN": func(r *grade.Response) { replace(r, "script-src 'self'", "script-src 'self' https://cdn.example") },
		"any picture":      func(r *grade.Response) { replace(r, "img-src 'self'", "img-src *") },
		"plug-ins":         func(r *grade.Response) { replace(r, "default-src 'none'", "default-src 'self'") },
		"being framed":     func(r *grade.Response) { replace(r, "frame-ancestors 'none'", "frame-ancestors 'self'") },
		"an open cookie":   func(r *grade.Response) { r.Header.Add("Set-Cookie", "__Host-x=1; path=/; HttpOnly; SameSite=Lax") },
		"a cookie's name":  func(r *grade.Response) { r.Header.Add("Set-Cookie", "x=1; path=/; HttpOnly; Secure; SameSite=Lax") },
		"a script's eye":   func(r *grade.Response) { r.Header.Add("Set-Cookie", "__Host-x=1; path=/; Secure; SameSite=Lax") },
		"software":         func(r *grade.Response) { r.Header.Set("Server", "fasthttp") },
		"elsewhere":        func(r *grade.Response) { r.Header.Set("Location", "//evil.example") },
		"a style": func(r *grade.Response) {
			r.Header.Set("Content-Type", "text/html; charset=utf-8")
			r.Body = `<p style="color: red">`
		},
		"a handler": func(r *grade.Response) {
			r.Header.Set("Content-Type", "text/html; charset=utf-8")
			r.Body = `<p onclick="x()">`
		},
	} {
		r := fine()
		if spoil(&r); len(grade.Faults(r)) == 0 {
			t.Errorf("nobody minds %s", what)
		}
	}
}

func replace(r *grade.Response, old, new string) {
	r.Header.Set("Content-Security-Policy", strings.Replace(r.Header.Get("Content-Security-Policy"), old, new, 1))
}
