package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"anteroom/db"
	"anteroom/mail/mailbox"
	"anteroom/practice"

	"github.com/PuerkitoBio/goquery"
)

// house is a practice's data folder, furnished before the program is started on it, and the mailbox that its relay is.
type house struct {
	t       *testing.T
	folder  string
	relay   *mailbox.Box
	hash    string            // of password, at its full cost
	clients map[string]string // public ids by first name, of those who settled
}

// proxyHeader is where the houses' proxy would say who asks: so a test comes from as many networks as it likes.
const proxyHeader = "X-Network"

// furnish makes a practice with an administrator, and whatever else is given to it while nothing serves yet.
func furnish(t *testing.T, with func(*db.Tx, *house) error) *house {
	t.Helper()
	relay, err := mailbox.Open(mailbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { relay.Close() })
	h := &house{t: t, folder: t.TempDir(), relay: relay}
	d, err := db.Open(t.Context(), h.folder, "", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	var s practice.SetUp
	s.PasswordAlone = true
	s.Name, s.Phone, s.TimeZone = "Willow Street Counseling", "555-0100", "America/New_York"
	s.Administrator.Name, s.Administrator.Email, s.Administrator.Password = "Olga Olson", olgasEmail, password
	if err := practice.New(d, practice.Config{}).CreateAdministrator(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if err := d.Update(t.Context(), func(tx *db.Tx) error {
		olga, err := tx.StaffByEmail(address(t, olgasEmail))
		if err != nil {
			return err
		}
		h.hash = olga.PasswordHash
		if err := tx.RequireSecondStep(false, false); err != nil { // the tests that need one say so
			return err
		}
		if with == nil {
			return nil
		}
		return with(tx, h)
	}); err != nil {
		t.Fatal(err)
	}
	return h
}

func address(t testing.TB, s string) db.Email {
	t.Helper()
	e, err := db.ParseEmail(s)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// serve starts the program on the house.
func (h *house) serve(env ...string) *server {
	h.t.Helper()
	return start(h.t, append([]string{"ANTEROOM_DATA=" + h.folder, "ANTEROOM_SMTP_URL=smtp://" + h.relay.Addr() + "?tls=none",
		"ANTEROOM_SMTP_FROM=portal@willow.example", "ANTEROOM_PROXY_HEADER=" + proxyHeader}, env...), "serve")
}

// visitor asks the running program over HTTP, as a browser that runs no script does, with cookies of their own.
type visitor struct {
	t       testing.TB
	site    string
	network string
	cookies map[string]string
	client  *http.Client
}

// visit is somebody who comes to the site from a network.
func (s *server) visit(network string) *visitor {
	v := &visitor{t: s.t, site: s.url, network: network, cookies: map[string]string{}, client: &http.Client{
		Timeout:       time.Minute,
		Transport:     &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 1},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	s.t.Cleanup(v.client.CloseIdleConnections)
	return v
}

// reply is what the program answered.
type reply struct {
	asked  string
	status int
	header http.Header
	body   string
	doc    func() *goquery.Document // the answer, read as a browser reads it
}

// get and post ask for a page, and send a form of names and values.
func (v *visitor) get(path string) reply { v.t.Helper(); return v.ask(http.MethodGet, path, nil) }

func (v *visitor) post(path string, form ...string) reply {
	v.t.Helper()
	typed := url.Values{}
	for i := 0; i < len(form); i += 2 {
		typed.Add(form[i], form[i+1])
	}
	return v.ask(http.MethodPost, path, typed)
}

func (v *visitor) ask(method, path string, form url.Values, header ...string) reply {
	v.t.Helper()
	r, err := v.try(method, path, form, header...)
	if err != nil {
		v.t.Fatal(err)
	}
	return r
}

// try asks, and keeps the cookies that come back.
func (v *visitor) try(method, path string, form url.Values, header ...string) (reply, error) {
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	if strings.HasPrefix(path, "/") {
		path = v.site + path
	}
	request, err := http.NewRequest(method, path, body)
	if err != nil {
		return reply{}, err
	}
	if form != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	request.Header.Set(proxyHeader, v.network)
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	return v.send(request)
}

func (v *visitor) send(request *http.Request) (reply, error) {
	for name, value := range v.cookies {
		request.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	response, err := v.client.Do(request)
	if err != nil {
		return reply{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return reply{}, err
	}
	for _, c := range response.Cookies() {
		if c.MaxAge < 0 || c.Value == "" || !c.Expires.IsZero() && c.Expires.Before(time.Now()) {
			delete(v.cookies, c.Name)
		} else {
			v.cookies[c.Name] = c.Value
		}
	}
	return reply{request.Method + " " + request.URL.RequestURI(), response.StatusCode, response.Header, string(text), sync.OnceValue(func() *goquery.Document {
		doc, err := goquery.NewDocumentFromReader(bytes.NewReader(text))
		if err != nil {
			panic(err) // HTML has no errors, and bytes can be read
		}
		return doc
	})}, nil
}

// want fails the test unless the answer has that status and says those texts.
func (v *visitor) want(r reply, status int, texts ...string) reply {
	v.t.Helper()
	if r.status != status {
		v.t.Fatalf("%s: status %d, want %d:\n%s", r.asked, r.status, status, r.text())
	}
	for _, text := range texts {
		if !strings.Contains(r.text(), text) {
			v.t.Fatalf("%s doesn't say %q:\n%s", r.asked, text, r.text())
		}
	}
	return r
}

// wantTo fails the test unless the answer leads to that path.
func (v *visitor) wantTo(r reply, path string) reply {
	v.t.Helper()
	v.want(r, http.StatusSeeOther)
	if to := r.header.Get("Location"); to != path {
		v.t.Fatalf("%s leads to %s, want %s", r.asked, to, path)
	}
	return r
}

// text is what the answer says, spaces run together.
func (r reply) text() string { return strings.Join(strings.Fields(r.doc().Find("body").Text()), " ") }

// signsIn signs in with everybody's password.
func (v *visitor) signsIn(email string) {
	v.t.Helper()
	v.want(v.post("/sign-in", "email", email, "password", password), http.StatusSeeOther)
}

// networks are as many as are asked for, none of them twice.
func networks() func() string {
	n := 0
	return func() string {
		n++
		return fmt.Sprintf("2001:db8:%x:%x::1", n>>16, n&0xffff)
	}
}

// cheapHash is a hash of password that takes no time to compare.
const cheapHash = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$2QPW09rrF+zoNySMt3a+mI6+UkbOTyuBQ5069V4vyLg"

// settle has the usual people move in: Tom, a therapist who may invite, with Ann, Ben and Mia; Tess, one who may not, with Leo; and
// Finn at the front desk. Mia and Leo have portal accounts. Everybody's password is password.
func settle(tx *db.Tx, h *house) error {
	h.clients = map[string]string{}
	for _, m := range []struct {
		db.StaffMember
		clients []string
	}{
		{db.StaffMember{Name: "Tom Tran", Role: db.RoleTherapist, Permissions: []db.Permission{db.MayInviteClients}}, []string{"Ann Abbott", "Ben Bell", "Mia Moreno"}},
		{db.StaffMember{Name: "Tess Tully", Role: db.RoleTherapist}, []string{"Leo Lind"}},
		{db.StaffMember{Name: "Finn Frey", Role: db.RoleStaff}, nil},
	} {
		first, _, _ := strings.Cut(m.Name, " ")
		m.Email = address(h.t, strings.ToLower(first)+"@willow.example")
		if err := errors.Join(tx.AddStaff(&m.StaffMember), tx.SetStaffPassword(m.ID, cheapHash)); err != nil {
			return err
		}
		for _, name := range m.clients {
			first, last, _ := strings.Cut(name, " ")
			c := db.Client{FirstName: first, LastName: last, Email: address(h.t, strings.ToLower(first)+"@mail.example")}
			if err := tx.AddClient(&c); err != nil {
				return err
			}
			if err := tx.Assign(m.ID, c.ID); err != nil {
				return err
			}
			if first == "Mia" || first == "Leo" {
				if err := tx.SetPortalPassword(c.ID, cheapHash); err != nil {
					return err
				}
			}
			h.clients[first] = c.PublicID
		}
	}
	return nil
}

// invites has somebody who is signed in invite a client from their page, and returns where the sending shows.
func (v *visitor) invites(client string) string {
	v.t.Helper()
	draft := v.want(v.post("/clients/"+client+"/drafts"), http.StatusSeeOther).header.Get("Location")
	v.wantTo(v.post(draft+"/send"), draft+"/sent")
	return draft
}

// letter waits for a letter to an address whose text matches, and returns the first group: of the latest, unless it is one of those
// that are known.
func (h *house) letter(to, pattern string, known ...string) string {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	for n := 1; ; n++ {
		letters, err := h.relay.Wait(ctx, n)
		for _, l := range slices.Backward(letters) {
			if found := regexp.MustCompile(pattern).FindStringSubmatch(l.Text); found != nil && l.EnvelopeTo == to && !slices.Contains(known, found[1]) {
				return found[1]
			}
		}
		if err != nil {
			h.t.Fatalf("no letter to %s with %s: %v", to, pattern, err)
		}
		n = max(n, len(letters))
	}
}

// What letters hold: a link with which a password is chosen, and one that says that the letter went astray.
const (
	linkInLetter     = `https?://[^/]+(/link/[\w-]+)`
	notMeantInLetter = `https?://[^/]+(/not-for-me/[\w-]+)`
)
