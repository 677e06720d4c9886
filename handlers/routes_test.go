package handlers

import (
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"anteroom/db"
	"anteroom/mail/mailbox"
)

// people ask every route the same question. Nobody is "".
var people = []string{"", "Olga", "Tom", "Tess", "Finn", "Mia", "Leo"}

// TestRoutesAndPeople compares, for every route and everybody in the cast, how the site answers with a table that somebody
// has read. A new route fails until its row is there; run with UPDATE=1 to write the table, and read what changed.
func TestRoutesAndPeople(t *testing.T) {
	var table strings.Builder
	fmt.Fprintf(&table, "%-6s %-62s %-14s nobody %s\n", "", "", "audience", strings.Join(people[1:], "  "))
	for _, r := range newSite(t).routes() {
		for _, target := range targets(t, r.path) {
			fmt.Fprintf(&table, "%-6s %-62s %-14s", r.method, target.name, r.audience.name)
			var s *testSite
			var path string
			for _, who := range people {
				if s == nil { // a write that was taken may change what the next is told
					s = furnished(t, r)
					path = target.path(s)
				}
				a := s.as(who).ask(r.method, path, s.formFor(r))
				fmt.Fprintf(&table, " %4d ", a.status)
				if r.method != "GET" && !a.refused() {
					s = nil
				}
			}
			table.WriteString("\n")
		}
	}
	const golden = "testdata/routes.txt"
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(golden, []byte(table.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Split(table.String(), "\n")
	for i, line := range strings.Split(string(want), "\n") {
		if i >= len(got) || got[i] != line {
			t.Fatalf("line %d of %s:\nwant %s\ngot  %s", i+1, golden, line, slices.Concat(got, []string{"nothing"})[min(i, len(got))])
		}
	}
}

// TestEveryRouteIsInTheTable asks the running app itself, so that nothing is mounted beside the table.
func TestEveryRouteIsInTheTable(t *testing.T) {
	s := newSite(t)
	listed := map[string]bool{}
	for _, r := range s.routes() {
		if listed[r.method+" "+r.path] {
			t.Errorf("%s %s is listed twice", r.method, r.path)
		}
		listed[r.method+" "+r.path] = true
	}
	for _, r := range s.app.GetRoutes(true) {
		if r.Method != "HEAD" && !listed[r.Method+" "+r.Path] {
			t.Errorf("%s %s is mounted, but not in the table", r.Method, r.Path)
		}
	}
}

// refused tells that nothing was done, for whoever asked may not do it.
func (a answer) refused() bool {
	return a.status == 403 || a.status == 404 || a.status == 303 && strings.HasPrefix(a.header.Get("Location"), "/sign-in?next=")
}

func form(method string) url.Values {
	if method == "POST" {
		return url.Values{}
	}
	return nil
}

// formFor is what is sent to a route: nothing, but for the choice without which it has nothing to do.
func (s *testSite) formFor(r route) url.Values {
	if r.method == "POST" {
		switch r.path {
		case securityPath + "/sign-out":
			return url.Values{"where": {"elsewhere"}}
		case "/clients/:id/portal-access", "/organization/client-portal/access":
			return url.Values{"turn": {"off"}}
		case "/clients/:id/therapists":
			return url.Values{"staff": {s.Tess.PublicID()}}
		case "/drafts/:id/message":
			return url.Values{"client": {s.Ann.PublicID}}
		case mailPath + "/outbox":
			return url.Values{"turn": {"pause"}}
		case mailQueuePath:
			return url.Values{"do": {"cancel"}}
		}
	}
	return form(r.method)
}

// furnished is a site where there is something at a route: forms, the demo's mailbox with a letter, and every way to take the
// second step for Tess and Leo, who came in with one.
func furnished(t *testing.T, r route) (s *testSite) {
	t.Helper()
	if strings.HasPrefix(r.path, mailboxPath) {
		var box *mailbox.Box
		s, box = mailSite(t)
		sendMail(t, box, "ann@mail.example", "Subject: Hello\nContent-Type: text/html\n\n<p>Hello</p>\n")
	} else {
		s = newSite(t)
	}
	s.library()
	s.hasEveryStep("tess@willow.example", "leo@mail.example")
	s.update(func(tx *db.Tx) error {
		_, err := tx.ExecContext(t.Context(), "UPDATE sessions SET stepped_at = created_at WHERE staff_id IN (SELECT staff_id FROM passkeys) OR client_id IN (SELECT client_id FROM passkeys)")
		return err
	})
	if strings.HasPrefix(r.path, firstPasskeyPath) {
		s.requires(true, true) // only who must and has none begins with a passkey
	}
	return s
}

// hasEveryStep gives people an authenticator app, recovery codes and a passkey.
func (s *testSite) hasEveryStep(addresses ...string) {
	s.t.Helper()
	for _, address := range addresses {
		s.hasStep(address)
	}
	s.update(func(tx *db.Tx) error {
		for _, address := range addresses {
			staffID, clientID, err := whoIs(tx, address)
			if err != nil {
				return err
			}
			key := db.Passkey{StaffID: staffID, ClientID: clientID, Credential: db.Credential{ID: []byte("of " + address)}, Name: "Phone"}
			if err := tx.AddPasskey(&key); err != nil {
				return err
			}
		}
		return nil
	})
}

// passkeyOf is the public id of a client's passkey; where they have none, one that nobody has.
func (s *testSite) passkeyOf(client db.Client) (id string) {
	s.t.Helper()
	s.update(func(tx *db.Tx) error {
		keys, err := tx.Passkeys(client.ID, 0)
		if id = nobodys; len(keys) > 0 {
			id = keys[0].PublicID
		}
		return err
	})
	return id
}

// nobodys is the id of nothing.
const nobodys = "00000000-0000-4000-8000-000000000000"

// target is one thing that a route can be asked about.
type target struct {
	name string
	path func(*testSite) string
}

// targets fills in a route's parameters, once for each thing that tells people apart.
func targets(t *testing.T, path string) []target {
	t.Helper()
	fill := func(whose string, id func(*testSite) string) target {
		return target{strings.Replace(path, ":id", whose, 1), func(s *testSite) string { return strings.Replace(path, ":id", id(s), 1) }}
	}
	switch {
	case !strings.ContainsAny(path, ":*"):
		return []target{{path, func(*testSite) string { return path }}}
	case strings.HasPrefix(path, "/clients/"):
		return []target{
			fill("Toms-Ann", func(s *testSite) string { return s.Ann.PublicID }),
			fill("Tesss-Leo", func(s *testSite) string { return s.Leo.PublicID }),
			fill("nobodys", func(*testSite) string { return nobodys }),
		}
	case strings.HasPrefix(path, "/drafts/"):
		return []target{fill("Olgas", func(s *testSite) string {
			draft := s.olgasDraft(s.Ann)
			if strings.HasSuffix(path, "/sent") {
				s.as("Olga").post(draft + "/send").wantTo(draft + "/sent")
			}
			return strings.TrimPrefix(draft, "/drafts/")
		})}
	case strings.HasPrefix(path, "/form-requests/"):
		return []target{
			fill("Mias-completed", func(s *testSite) string { return s.completed(s.Mia) }),
			fill("Leos-open", func(s *testSite) string { return s.request(s.Leo) }),
		}
	case strings.HasPrefix(path, "/portal/forms/"):
		return []target{
			fill("Mias-completed", func(s *testSite) string { return s.completed(s.Mia) }),
			fill("Leos-open", func(s *testSite) string { return s.request(s.Leo) }),
		}
	case strings.HasPrefix(path, "/organization/staff/"):
		return []target{fill("Tess", func(s *testSite) string { return s.Tess.PublicID() })}
	case strings.HasPrefix(path, "/security/sessions/"):
		return []target{fill("Leos", func(s *testSite) string { return s.sessionOf("Leo").PublicID })}
	case strings.HasPrefix(path, "/organization/import/"):
		return []target{fill("Olgas", func(s *testSite) string { return s.broughtList() })}
	case strings.HasPrefix(path, mailQueuePath+"/"):
		return []target{fill("Anns", func(s *testSite) string { return s.invited(s.Ann)["Ann"] })}
	case strings.HasPrefix(path, messagesPath+"/"):
		path := strings.Replace(path, ":kind", "invitation", 1)
		return []target{{path, func(*testSite) string { return path }}}
	case strings.HasPrefix(path, passkeysPath+"/"):
		return []target{
			fill("Leos", func(s *testSite) string { return s.passkeyOf(s.Leo) }),
			fill("nobodys", func(*testSite) string { return nobodys }),
		}
	case path == "/logo/:hash":
		return []target{{"/logo/none", func(*testSite) string { return "/logo/none" }}}
	case path == "/link/:token":
		return []target{{"/link/none", func(*testSite) string { return "/link/none" }}}
	case path == "/not-for-me/:token":
		return []target{{"/not-for-me/none", func(*testSite) string { return "/not-for-me/none" }}}
	case path == "/static/*":
		return []target{{"/static/none.css", func(*testSite) string { return "/static/none.css" }}}
	case strings.HasPrefix(path, "/demo/"):
		return []target{fill("1", func(*testSite) string { return "1" })}
	}
	t.Fatalf("say in targets what %s can be asked about", path)
	return nil
}

// completed asks a client for the intake form, completes it with something that somebody must look at, and returns the request's public id.
func (s *testSite) completed(client db.Client) string {
	s.t.Helper()
	id := s.request(client)
	if err := s.DB.Update(s.t.Context(), func(tx *db.Tx) error {
		r, err := tx.FormRequest(db.Everybody(), id)
		if err != nil {
			return err
		}
		return tx.CompleteFormRequest(r, db.FormResult{SafetyConcern: true})
	}); err != nil {
		s.t.Fatal(err)
	}
	return id
}

// request asks a client for the intake form and returns the request's public id.
func (s *testSite) request(client db.Client) string {
	s.t.Helper()
	var id string
	if err := s.DB.Update(s.t.Context(), func(tx *db.Tx) error {
		forms, err := tx.Forms()
		if err != nil {
			return err
		}
		olga, err := tx.Staff(s.Olga.PublicID())
		if err != nil {
			return err
		}
		if _, err := tx.AddFormRequest(client.ID, olga.ID, forms[0]); err != nil {
			return err
		}
		requests, err := tx.FormRequests(db.Everybody(), client.ID)
		if err == nil {
			id = requests[0].PublicID
		}
		return err
	}); err != nil {
		s.t.Fatal(err)
	}
	return id
}
