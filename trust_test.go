package main

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	_ "embed"
	"encoding/csv"
	"fmt"
	"io/fs"
	"math/big"
	"mime/multipart"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"anteroom/mail/mailbox"

	"github.com/PuerkitoBio/goquery"
)

// Every rule of trust, asked of the started program from outside: by requests, by files and by other processes.
func TestTrust(t *testing.T) {
	for _, rule := range []struct {
		name  string
		shown func(*testing.T)
	}{
		{"1 a link is spent by a new password alone, and stands in no address", linksAreSecrets},
		{"2 a page is nobody's until an audience is named", routesDenyByDefault},
		{"3 what isn't yours isn't there", notYoursIsNotThere},
		{"4 one address is one person", oneAddressOnePerson},
		{"5 what is typed is never markup", typedIsNeverMarkup},
		{"6 a letter goes to one person, over verified TLS or not at all", lettersAreSealedOrStay},
		{"7 a session is the server's, and ends when it says", sessionsAreTheServers},
		{"8 guessing is slowed, and tells nothing", guessingIsSlowed},
		{"9 a write that another site started is refused", foreignWritesAreRefused},
		{"10 every answer is guarded", answersAreGuarded},
		{"11 what was done is written down, and altering it shows", doingsAreWrittenDown},
		{"12 what clients said is sealed under a key outside the database", answersAreSealed},
		{"13 a cell is never a formula, and comes back as it was", cellsAreNoFormulas},
		{"14 the database keeps what it acknowledged, for its owner alone", databaseIsSound},
		{"15 a restored database sends nothing until somebody says so", restoredSendsNothing},
		{"16 codes are for the terminal, and one process has the folder", codesAreForTheTerminal},
	} {
		t.Run(rule.name, func(t *testing.T) {
			t.Parallel()
			rule.shown(t)
		})
	}
}

// tell runs the program with a command until it ends, and returns all that it said.
func tell(t *testing.T, env []string, args ...string) (said string, ok bool) {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "ANTEROOM_") }), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err == nil
}

// secure starts the program on a house as behind a proxy that ends TLS.
func (h *house) secure() *server {
	h.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		h.t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	s := h.serve("ANTEROOM_ADDR="+addr, "ANTEROOM_URL=https://localhost:443")
	s.url = "http://" + addr
	return s
}

// come is somebody who has signed in.
func (s *server) come(first string) *visitor {
	s.t.Helper()
	v := s.visit(fmt.Sprintf("2001:db8:%x::1", []byte(first)[:2]))
	email := strings.ToLower(first) + "@willow.example"
	if first == "Mia" || first == "Leo" {
		email = strings.ToLower(first) + "@mail.example"
	}
	v.signsIn(email)
	return v
}

// setCookie is the line with which an answer sets a cookie; empty: it doesn't.
func (r reply) setCookie(name string) string {
	for _, line := range r.header.Values("Set-Cookie") {
		if strings.HasPrefix(line, name+"=") {
			return line
		}
	}
	return ""
}

func linksAreSecrets(t *testing.T) {
	h := furnish(t, settle)
	site := h.secure()
	olga, mia := site.come("Olga"), site.come("Mia")
	olga.invites(h.clients["Ann"])
	link := h.letter("ann@mail.example", linkInLetter)
	ann := site.visit("2001:db8:a::1")
	opened := ann.get(link)
	ann.wantTo(opened, "/choose-password")
	for _, part := range []string{"HttpOnly", "Secure", "SameSite=Lax", "max-age=1800"} {
		if line := opened.setCookie("__Host-link"); !strings.Contains(strings.ToLower(line), strings.ToLower(part)) {
			t.Errorf("the link's cookie lacks %s: %s", part, line)
		}
	}
	if opened.setCookie("__Host-session") != "" || opened.header.Get("Referrer-Policy") != "no-referrer" || opened.header.Get("Cache-Control") != "no-store" {
		t.Errorf("the link is opened with %v", opened.header)
	}
	page := ann.want(ann.get("/choose-password"), http.StatusOK, "Willow Street Counseling")
	if page.header.Get("Referrer-Policy") != "same-origin" {
		t.Errorf("the page after it says %q", page.header.Get("Referrer-Policy"))
	}
	for _, word := range []string{"Ann", "Abbott", "ann@mail.example", strings.TrimPrefix(link, "/link/")} {
		if strings.Contains(page.body, word) {
			t.Errorf("whoever holds the link reads %q", word)
		}
	}
	ann.want(ann.post("/choose-password"), http.StatusUnprocessableEntity)
	ann.wantTo(ann.post("/choose-password", "password", newWords), "/portal")
	ann.want(ann.get("/portal"), http.StatusOK)
	mia.want(mia.get("/portal"), http.StatusOK) // joining signs nobody else out
	if log := site.log.String(); strings.Contains(log, strings.TrimPrefix(link, "/link/")) {
		t.Error("the log holds the link")
	}
}

//go:embed handlers/testdata/routes.txt
var routeTable string

// routesOf are the method, path and audience of every route.
func routesOf(t *testing.T) (routes [][3]string) {
	t.Helper()
	for _, line := range strings.Split(routeTable, "\n") {
		if found := regexp.MustCompile(`^(GET|POST)\s+(/\S*)\s+([a-z]+)\s`).FindStringSubmatch(line); found != nil {
			path := regexp.MustCompile(`/(Toms?-|Tesss?-|nobodys|Olgas|Mias-|Leos-|Tess\b|Anns)[^/]*`).ReplaceAllString(found[2], "/00000000-0000-4000-8000-000000000000")
			routes = append(routes, [3]string{found[1], path, found[3]})
		}
	}
	if len(routes) < 150 {
		t.Fatalf("there are %d routes only", len(routes))
	}
	return routes
}

func routesDenyByDefault(t *testing.T) {
	h := furnish(t, settle)
	site := h.serve()
	mia, finn := site.come("Mia"), site.come("Finn")
	asked := 0
	for _, route := range routesOf(t) {
		method, path, audience := route[0], route[1], route[2]
		if audience == "anyone" {
			continue
		}
		asked++
		stranger := site.visit("2001:db8:a::1")
		var form url.Values
		if method == http.MethodPost {
			form = url.Values{}
		}
		if r := stranger.ask(method, path, form); r.status != http.StatusSeeOther || !strings.HasPrefix(r.header.Get("Location"), "/sign-in") {
			t.Errorf("%s: a stranger is told %d, %s", r.asked, r.status, r.header.Get("Location"))
		}
		if r := mia.ask(method, path, form); (audience == "staff" || audience == "administrator") && r.status != http.StatusNotFound {
			t.Errorf("%s: a client is told %d", r.asked, r.status)
		}
		if r := finn.ask(method, path, form); audience == "administrator" && r.status != http.StatusForbidden || audience == "client" && r.status != http.StatusNotFound {
			t.Errorf("%s: the front desk is told %d", r.asked, r.status)
		}
	}
	if asked < 100 {
		t.Errorf("%d routes were asked only", asked)
	}
	stranger := site.visit("2001:db8:a::1")
	for _, path := range []string{"/nowhere", "/clients/", "/CLIENTS", "/.git/config", "/anteroom.db", "/static/../anteroom.db", "/static/%2e%2e/main.go", "/debug/pprof/", "/metrics"} {
		if r := stranger.get(path); r.status == http.StatusOK {
			t.Errorf("%s is there for anybody", path)
		}
	}
}

func notYoursIsNotThere(t *testing.T) {
	h := furnish(t, settle)
	site := h.serve()
	tess, leo := site.come("Tess"), site.come("Leo")
	for name, id := range h.clients {
		if !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(id) {
			t.Errorf("%s goes by %s", name, id)
		}
	}
	const nobody = "00000000-0000-4000-8000-000000000000"
	for _, page := range []string{"", "/edit", "/archive", "/invitation"} {
		his, nobodys := tess.get("/clients/"+h.clients["Ann"]+page), tess.get("/clients/"+nobody+page)
		if his.status != http.StatusNotFound || nobodys.status != his.status || his.body != nobodys.body {
			t.Errorf("%s: Tom's client is %d, nobody's %d", page, his.status, nobodys.status)
		}
		if strings.Contains(his.body, "Abbott") || strings.Contains(his.body, "ann@") {
			t.Errorf("%s: the refusal says whose it is", page)
		}
	}
	if list := tess.want(tess.get("/clients?q=a"), http.StatusOK).text(); strings.Contains(list, "Abbott") || !strings.Contains(list, "Lind") {
		t.Errorf("Tess's list: %s", list)
	}
	leo.want(leo.get("/portal/forms/"+nobody), http.StatusNotFound)
	leo.want(leo.get("/clients/"+h.clients["Leo"]), http.StatusNotFound)
}

func oneAddressOnePerson(t *testing.T) {
	h := furnish(t, settle)
	site := h.serve()
	olga, tess := site.come("Olga"), site.come("Tess")
	add := func(v *visitor, email string) (reply, error) {
		form := url.Values{"first_name": {"Another"}, "last_name": {"Person"}, "email": {email}}
		return v.try(http.MethodPost, "/clients", form)
	}
	for _, spelling := range []string{"mia@mail.example", " MIA@MAIL.EXAMPLE ", "Mia@mail.example", "ｍｉａ@mail.example", "mia@ＭＡＩＬ.example", "olga@willow.example", "OLGA@willow.example"} {
		r, err := add(olga, spelling)
		if err != nil {
			t.Fatal(err)
		}
		if r.status != http.StatusUnprocessableEntity || r.doc().Find("#email[aria-invalid]").Length() != 1 {
			t.Errorf("%q is taken a second time: %d", spelling, r.status)
		}
	}
	if r, err := add(tess, "ann@mail.example"); err != nil || r.status != http.StatusUnprocessableEntity || strings.Contains(r.body, "Abbott") {
		t.Errorf("Tess, who may not know of Ann, is told %d %v", r.status, err)
	}
	olga.want(olga.post("/organization/staff", "name", "Uma Ude", "email", "Mia@Mail.example", "role", "staff"), http.StatusUnprocessableEntity)
	for _, bad := range []string{`"a b"@mail.example`, "a@mail.example> SIZE=1", "a@mail.example\r\nBcc: eve@evil.example", "a(b)@mail.example", "<a@mail.example>", "a b@mail.example", "a@mail.example,b@mail.example", "a\x00@mail.example"} {
		if r, err := add(olga, bad); err != nil || r.status != http.StatusUnprocessableEntity {
			t.Errorf("%q is taken as an address: %d %v", bad, r.status, err)
		}
	}
	var taken atomic.Int32
	var all sync.WaitGroup
	for i := range 20 {
		v := site.visit("2001:db8:a::1")
		v.cookies = map[string]string{"session": olga.cookies["session"]}
		all.Go(func() {
			r, err := add(v, []string{"new@mail.example", "New@Mail.Example"}[i%2])
			if err != nil || r.status != http.StatusSeeOther && r.status != http.StatusUnprocessableEntity {
				t.Error(r.status, err)
			}
			if r.status == http.StatusSeeOther {
				taken.Add(1)
			}
		})
	}
	all.Wait()
	if taken.Load() != 1 {
		t.Errorf("of twenty at once %d have the address", taken.Load())
	}
}

func typedIsNeverMarkup(t *testing.T) {
	h := furnish(t, settle)
	site := h.serve()
	olga := site.come("Olga")
	const name = `<b id=x>{client_last_name}</b>`
	client := olga.want(olga.post("/clients", "first_name", name, "last_name", "{{.}} *a*", "email", "markup@mail.example"), http.StatusSeeOther).header.Get("Location")
	page := olga.want(olga.get(client), http.StatusOK, name, "{{.}} *a*")
	if page.doc().Find("#x").Length() != 0 {
		t.Error("a name became an element")
	}
	draft := olga.want(olga.post(client+"/drafts"), http.StatusSeeOther).header.Get("Location")
	message := filledIn(olga.form(draft, "invitation.body"))
	message.Set("invitation.body", "Dear {client_first_name} {client_last_name}\n\n<i id=y>[x](javascript:alert(1))</i>\n\n{portal_link}")
	olga.want(olga.ask(http.MethodPost, draft, message), http.StatusSeeOther)
	letter := olga.want(olga.get(draft+"/letter"), http.StatusOK, name, "{{.}} *a*").doc()
	if letter.Find("#x, #y, [href^=javascript], em").Length() != 0 {
		t.Errorf("what was typed became markup: %s", letter.Find("body").Text())
	}
}

// selfSigned is a certificate that nobody vouches for.
func selfSigned(t *testing.T) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}},
		&x509.Certificate{SerialNumber: big.NewInt(1)}, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{raw}, PrivateKey: key}}}
}

func lettersAreSealedOrStay(t *testing.T) {
	for name, options := range map[string]mailbox.Options{"a relay without TLS": {}, "a relay whose certificate nobody knows": {TLS: selfSigned(t)}} {
		h := furnish(t, settle)
		relay, err := mailbox.Open(options)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { relay.Close() })
		site := h.serve("ANTEROOM_SMTP_URL=smtp://" + relay.Addr())
		olga := site.come("Olga")
		olga.invites(h.clients["Ann"])
		for deadline := time.Now().Add(patience); !strings.Contains(site.log.String(), "outbox held"); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s: the outbox isn't held", name)
			}
		}
		if n := relay.State().Received; n != 0 {
			t.Errorf("%s got %d letters", name, n)
		}
		olga.want(olga.get("/organization/mail/queue"), http.StatusOK, "Abbott")
	}
	// One person to a letter, whatever they are called.
	h := furnish(t, settle)
	site := h.serve()
	olga := site.come("Olga")
	client := olga.want(olga.post("/clients", "first_name", "Eve\r\nBcc: eve@evil.example", "last_name", "Ude", "email", "one@mail.example"), http.StatusSeeOther).header.Get("Location")
	olga.invites(strings.TrimPrefix(client, "/clients/"))
	h.letter("one@mail.example", linkInLetter)
	for _, l := range h.relay.List() {
		if bytes.Contains(l.Source, []byte("\nBcc")) || bytes.Contains(l.Source, []byte("\nCc")) || strings.Contains(l.EnvelopeTo, ",") {
			t.Errorf("a letter to %s:\n%s", l.EnvelopeTo, l.Source)
		}
	}
}

func sessionsAreTheServers(t *testing.T) {
	h := furnish(t, settle)
	site := h.secure()
	olga, finn := site.come("Olga"), site.visit("2001:db8:a::1")
	finn.cookies["__Host-session"] = "planted-by-somebody-else"
	in := finn.post("/sign-in", "email", "finn@willow.example", "password", password)
	line := in.setCookie("__Host-session")
	if line == "" || strings.Contains(strings.ToLower(line), "domain=") || strings.Contains(line, "planted") {
		t.Errorf("the cookie is %s", line)
	}
	for _, part := range []string{"HttpOnly", "Secure", "SameSite=Lax", "path=/"} {
		if !strings.Contains(strings.ToLower(line), strings.ToLower(part)) {
			t.Errorf("the cookie lacks %s: %s", part, line)
		}
	}
	finn.want(finn.get("/clients"), http.StatusOK)
	first := finn.cookies["__Host-session"]
	finn.signsIn("finn@willow.example")
	if finn.cookies["__Host-session"] == first {
		t.Error("signing in anew keeps the session's id")
	}
	old := finn.cookies["__Host-session"]
	finn.want(finn.post("/sign-out"), http.StatusSeeOther)
	finn.cookies["__Host-session"] = old
	finn.want(finn.get("/clients"), http.StatusSeeOther) // it is gone on the server too
	finn.signsIn("finn@willow.example")
	list := olga.want(olga.get("/organization/staff"), http.StatusOK).doc()
	his := list.Find("a").FilterFunction(func(_ int, a *goquery.Selection) bool { return strings.Contains(a.Text(), "Finn Frey") }).AttrOr("href", "")
	olga.want(olga.ask(http.MethodPost, his+"/disable", filledIn(olga.get(his+"/disable").doc().Find("form[action$='/disable']"))), http.StatusSeeOther)
	finn.want(finn.get("/clients"), http.StatusSeeOther)
	site.stop(syscall.SIGTERM)

	// A session that nobody used for a quarter of an hour ends, and so do all at the end of a day, by the server's clock.
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	shifted := func(ahead time.Duration) *server {
		return launch(t, exec.Command(self), []string{shiftedClock + "=" + ahead.String(), "ANTEROOM_DATA=" + h.folder, "ANTEROOM_PROXY_HEADER=" + proxyHeader})
	}
	later := shifted(0)
	tom := later.come("Tom")
	for _, step := range []struct {
		ahead  time.Duration
		status int
	}{{14 * time.Minute, http.StatusOK}, {28 * time.Minute, http.StatusOK}, {44 * time.Minute, http.StatusSeeOther}} {
		later.stop(syscall.SIGTERM)
		later = shifted(step.ahead)
		tom.site = later.url
		tom.want(tom.get("/clients"), step.status)
	}
	later.stop(syscall.SIGTERM)

	for _, env := range [][]string{
		{"ANTEROOM_URL=http://portal.example"},
		{"ANTEROOM_URL=http://localhost:8080", "ANTEROOM_SMTP_URL=smtp://relay.example:587", "ANTEROOM_SMTP_FROM=portal@willow.example"},
	} {
		if said, ok := tell(t, append(env, "ANTEROOM_ADDR=127.0.0.1:0", "ANTEROOM_DATA="+t.TempDir()), "serve"); ok || !strings.Contains(said, "ANTEROOM_URL") {
			t.Errorf("with %q it serves, or says: %s", env, said)
		}
	}
}

func guessingIsSlowed(t *testing.T) {
	h := furnish(t, settle)
	site := h.serve()
	network := networks()
	answers := map[string][]string{}
	for _, email := range []string{"mia@mail.example", "nobody@mail.example"} {
		for range 7 {
			v := site.visit(network())
			r := v.want(v.post("/sign-in", "email", email, "password", "not the password"), http.StatusUnprocessableEntity)
			answers[email] = append(answers[email], strings.ReplaceAll(r.body, email, "them"))
		}
		v := site.visit(network())
		v.wantTo(v.post("/forgotten-password", "email", email), "/sign-in")
	}
	if !slices.Equal(answers["mia@mail.example"], answers["nobody@mail.example"]) {
		t.Error("who has an account and who has none are told different things")
	}
	if seven := answers["mia@mail.example"]; seven[0] != seven[4] || seven[5] == seven[0] || !strings.Contains(seven[6], "Too many wrong passwords") {
		t.Errorf("the seventh guess is answered: %s", seven[6])
	}
	v := site.visit(network())
	v.want(v.post("/sign-in", "email", "mia@mail.example", "password", password), http.StatusUnprocessableEntity, "Too many wrong passwords")
	// From one network, at many accounts.
	from, refused := network(), 0
	for i := range 60 {
		v := site.visit(from)
		if strings.Contains(v.post("/sign-in", "email", fmt.Sprintf("guess%d@mail.example", i), "password", "not the password").body, "Too many wrong passwords") {
			refused++
		}
	}
	if refused == 0 {
		t.Error("one network may guess without end")
	}
	leo := site.visit(network())
	leo.signsIn("leo@mail.example")
}

func foreignWritesAreRefused(t *testing.T) {
	h := furnish(t, settle)
	site := h.serve()
	olga := site.come("Olga")
	writes := 0
	for _, route := range routesOf(t) {
		if route[0] != http.MethodPost {
			continue
		}
		writes++
		for _, header := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}, {"Origin", "null"}} {
			if r := olga.ask(http.MethodPost, route[1], url.Values{}, header...); r.status != http.StatusForbidden {
				t.Errorf("%s with %q: %d", r.asked, header, r.status)
			}
		}
	}
	if writes < 40 {
		t.Errorf("%d writes only", writes)
	}
	olga.want(olga.ask(http.MethodPost, "/clients", url.Values{"first_name": {"Own"}, "last_name": {"Write"}}, "Sec-Fetch-Site", "same-origin"), http.StatusSeeOther)
}

// announces posts the head of a form of that many bytes: it is refused before a byte of it is sent.
func (v *visitor) announces(path string, length int) reply {
	v.t.Helper()
	host := strings.TrimPrefix(v.site, "http://")
	conn, err := net.Dial("tcp", host)
	if err != nil {
		v.t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n", path, host, length)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		v.t.Fatal(err)
	}
	defer response.Body.Close()
	return reply{asked: "POST " + path, status: response.StatusCode, header: response.Header}
}

func answersAreGuarded(t *testing.T) {
	h := furnish(t, settle)
	site := h.secure()
	olga, stranger := site.come("Olga"), site.visit("2001:db8:a::1")
	asset := stranger.get("/sign-in").doc().Find("script[src]").AttrOr("src", "")
	ann := "/clients/" + h.clients["Ann"]
	draft := olga.want(olga.post(ann+"/drafts"), http.StatusSeeOther).header.Get("Location")
	for _, r := range []reply{
		stranger.get("/sign-in"), stranger.get("/"), stranger.get("/nowhere"), stranger.get(asset), stranger.get("/healthz"), stranger.get("/clients"),
		stranger.post("/sign-in", "email", "x", "password", "y"), stranger.ask("DELETE", "/sign-in", nil), stranger.ask("BREW", "/sign-in", nil),
		stranger.ask("POST", "/sign-in", url.Values{}, "Origin", "null"), stranger.ask("POST", "/sign-in", url.Values{}, "Content-Encoding", "gzip"),
		stranger.announces("/sign-in", 100_000), stranger.get("/link/none"),
		olga.get("/clients"), olga.ask("GET", "/clients?q=a", nil, "HX-Request", "true"), olga.get(ann), olga.get("/clients/none"), olga.post("/clients"),
		olga.get("/organization/export"), olga.get(draft + "/letter"), olga.post("/organization/export", "what", "clients"),
	} {
		for name, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'", "X-Content-Type-Options": "nosniff", "Cross-Origin-Opener-Policy": "same-origin",
			"Cross-Origin-Resource-Policy": "same-origin", "Strict-Transport-Security": "max-age=", "Referrer-Policy": "",
		} {
			if value := r.header.Get(name); len(r.header.Values(name)) != 1 || !strings.Contains(value, want) {
				t.Errorf("%s, %d: %s: %q", r.asked, r.status, name, r.header.Values(name))
			}
		}
		policy := r.header.Get("Content-Security-Policy")
		if strings.HasSuffix(r.asked, "/letter") {
			if !strings.Contains(policy, "sandbox") || !strings.Contains(policy, "frame-ancestors 'self'") || strings.Contains(policy, "script-src") {
				t.Errorf("a mail's page has the policy %s", policy)
			}
		} else if !strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "unsafe") || strings.Contains(policy, "http") || strings.Contains(policy, "*") {
			t.Errorf("%s has the policy %s", r.asked, policy)
		}
		if !strings.Contains(r.asked, asset) && r.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s, %d may be kept: %q", r.asked, r.status, r.header.Get("Cache-Control"))
		}
		if r.header.Get("Server") != "" || r.header.Get("X-Powered-By") != "" {
			t.Errorf("%s says what serves it: %v", r.asked, r.header)
		}
	}
	page := olga.get("/clients").doc()
	if page.Find("style, [style], script:not([src])").Length() != 0 {
		t.Error("a page has style or script of its own")
	}
}

func doingsAreWrittenDown(t *testing.T) {
	h := furnish(t, settle)
	site := h.serve()
	olga, tess := site.come("Olga"), site.come("Tess")
	ann := "/clients/" + h.clients["Ann"]
	olga.want(olga.get(ann), http.StatusOK)
	tess.want(tess.get(ann), http.StatusNotFound)
	olga.want(olga.get(ann+"?history=all"), http.StatusOK)
	verify := func() (string, bool) { return tell(t, nil, "audit", "verify", "-data", h.folder) }
	said, ok := verify() // while it serves
	head := regexp.MustCompile(`head (\S+)`).FindStringSubmatch(said)
	if !ok || head == nil {
		t.Fatalf("the log is not unbroken: %s", said)
	}
	site.stop(syscall.SIGTERM)
	d, err := sql.Open("sqlite3", filepath.Join(h.folder, "anteroom.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	count := func(act string) (n int) {
		if err := d.QueryRow("SELECT count(*) FROM audit_entries WHERE act LIKE ?", act).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, act := range []string{"signed in", "opened %", "was refused"} {
		if count(act) == 0 {
			t.Errorf("the log doesn't say that somebody %s", act)
		}
	}
	for _, attempt := range []string{"UPDATE audit_entries SET act = 'did nothing' WHERE id = 3", "DELETE FROM audit_entries WHERE id = 3"} {
		if _, err := d.Exec(attempt); err == nil {
			t.Errorf("the database lets itself be told: %s", attempt)
		}
	}
	var triggers []string
	rows, err := d.Query("SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'audit_entries'")
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		triggers = append(triggers, name)
	}
	rows.Close()
	for _, name := range triggers {
		if _, err := d.Exec("DROP TRIGGER " + name); err != nil {
			t.Fatal(err)
		}
	}
	// Somebody who owns the file, and not the key, alters an entry, and later cuts the end off.
	last := 0
	if err := d.QueryRow("SELECT max(id) FROM audit_entries").Scan(&last); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Exec("DELETE FROM audit_entries WHERE id = ?", last); err != nil {
		t.Fatal(err)
	}
	if said, ok := tell(t, nil, "audit", "verify", "-data", h.folder, "-head", fmt.Sprintf("%d:%s", last, strings.Repeat("0", 64))); ok {
		t.Errorf("a log without its end passes: %s", said)
	}
	if _, err := d.Exec("UPDATE audit_entries SET act = 'did nothing' WHERE id = 3"); err != nil {
		t.Fatal(err)
	}
	if said, ok := verify(); ok || !regexp.MustCompile(`\b3\b`).MatchString(said) {
		t.Errorf("the altered third entry is told of as: %s", said)
	}
}

func answersAreSealed(t *testing.T) {
	h := furnish(t, settle)
	site := h.serve()
	olga := site.come("Olga")
	edit := filledIn(olga.form("/clients/"+h.clients["Ann"]+"/edit", "notes"))
	const said = "a sentence that only she and the office know"
	edit.Set("notes", said)
	olga.want(olga.ask(http.MethodPost, "/clients/"+h.clients["Ann"]+"/edit", edit), http.StatusSeeOther)
	olga.want(olga.get("/clients/"+h.clients["Ann"]), http.StatusOK, said)
	site.stop(syscall.SIGKILL)
	for _, name := range []string{"anteroom.db", "anteroom.db-wal"} {
		text, err := os.ReadFile(filepath.Join(h.folder, name))
		if err != nil {
			t.Fatal(err)
		}
		if (canary{"the sentence", said}).within(text) != "" {
			t.Errorf("%s holds it", name)
		}
	}
	key := filepath.Join(h.folder, "anteroom.key")
	own, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	other, err := os.ReadFile(filepath.Join(furnish(t, nil).folder, "anteroom.key"))
	if err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string][]byte{"another's key": other, "no key": nil} {
		if err := os.WriteFile(key, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if said, ok := tell(t, []string{"ANTEROOM_ADDR=127.0.0.1:0"}, "serve", "-data", h.folder); ok || !strings.Contains(said, "key") {
			t.Errorf("with %s it starts, or says %s", what, said)
		}
	}
	if err := os.WriteFile(key, own, 0o600); err != nil {
		t.Fatal(err)
	}
	site = h.serve()
	again := site.come("Olga")
	again.want(again.get("/clients/"+h.clients["Ann"]), http.StatusOK, said)
}

func cellsAreNoFormulas(t *testing.T) {
	names := []string{"=1+1", "+1", "-1", "@SUM(1)", "'=1", "''=1", "'quoted", " =2", "plain, \"words\""}
	export := func(v *visitor) [][]string {
		t.Helper()
		a := v.want(v.post("/organization/export", "what", "clients"), http.StatusOK)
		rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(a.body, "\ufeff"))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			for _, cell := range row {
				if cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r") {
					t.Errorf("a cell is the formula %q", cell)
				}
			}
		}
		return rows
	}
	from := furnish(t, nil).serve().come("Olga")
	for i, name := range names {
		from.want(from.post("/clients", "first_name", name, "last_name", fmt.Sprint("Cell", i), "email", fmt.Sprintf("cell%d@mail.example", i)), http.StatusSeeOther)
	}
	rows := export(from)
	var file bytes.Buffer
	writer := multipart.NewWriter(&file)
	part, err := writer.CreateFormFile("file", "clients.csv")
	if err != nil {
		t.Fatal(err)
	}
	if err := csv.NewWriter(part).WriteAll(rows); err != nil {
		t.Fatal(err)
	}
	writer.Close()
	to := furnish(t, nil).serve().come("Olga")
	request, err := http.NewRequest(http.MethodPost, to.site+"/organization/import", &file)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", writer.FormDataContentType())
	a, err := to.send(request)
	if err != nil {
		t.Fatal(err)
	}
	check := to.want(a, http.StatusSeeOther).header.Get("Location")
	apply := filledIn(to.form(check, "do"))
	apply.Set("do", "all")
	progress := to.want(to.ask(http.MethodPost, check, apply), http.StatusSeeOther).header.Get("Location")
	for deadline := time.Now().Add(patience); !strings.Contains(to.get(progress).text(), "were imported"); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(to.get(progress).text())
		}
	}
	back := export(to)
	for i, row := range rows {
		if i >= len(back) || !slices.Equal(row[:3], back[i][:3]) {
			t.Errorf("went as %q", row)
		}
	}
	page := to.get("/clients?q=cell0")
	to.want(page, http.StatusOK, "Cell0, =1+1")
}

func databaseIsSound(t *testing.T) {
	own := filepath.Join(t.TempDir(), "data") // which the program makes
	start(t, []string{"ANTEROOM_DATA=" + own}, "serve").stop(syscall.SIGKILL)
	if err := filepath.WalkDir(own, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is open to others: %v", path, info.Mode())
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	h := furnish(t, settle)
	site := h.serve()
	olga := site.come("Olga")
	olga.want(olga.post("/clients", "first_name", "Kept", "last_name", "Whole"), http.StatusSeeOther)
	site.stop(syscall.SIGKILL)
	d, err := sql.Open("sqlite3", filepath.Join(h.folder, "anteroom.db"))
	if err != nil {
		t.Fatal(err)
	}
	for question, want := range map[string]string{
		"PRAGMA journal_mode":                                    "wal",
		"PRAGMA integrity_check":                                 "ok",
		"SELECT count(*) FROM clients WHERE first_name = 'Kept'": "1",
		"SELECT count(*) FROM pragma_foreign_key_check":          "0",
		"SELECT group_concat(name) FROM pragma_table_list WHERE type = 'table' AND NOT strict AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'goose_%'": "",
	} {
		var got sql.NullString
		if err := d.QueryRow(question).Scan(&got); err != nil || got.String != want {
			t.Errorf("%s: %q, %v", question, got.String, err)
		}
	}
	// Somebody's tool turned the log off: it is on again.
	if _, err := d.Exec("PRAGMA journal_mode = DELETE"); err != nil {
		t.Fatal(err)
	}
	d.Close()
	site = h.serve()
	again := site.come("Olga")
	again.want(again.get("/clients?q=kept"), http.StatusOK, "Whole, Kept")
	if _, err := os.Stat(filepath.Join(h.folder, "anteroom.db-wal")); err != nil {
		t.Error("it serves without a write-ahead log:", err)
	}
}

func restoredSendsNothing(t *testing.T) {
	h := furnish(t, settle)
	site := h.serve()
	site.come("Olga").invites(h.clients["Ann"])
	h.letter("ann@mail.example", linkInLetter)
	site.stop(syscall.SIGTERM)
	if err := os.Remove(filepath.Join(h.folder, "anteroom.outbox")); err != nil {
		t.Fatal(err)
	}
	site = h.serve()
	olga := site.come("Olga")
	olga.invites(h.clients["Ben"])
	olga.want(olga.get("/organization/mail/queue"), http.StatusOK, "Bell")
	page := olga.want(olga.get("/clients"), http.StatusOK).doc().Find(".banner").Text()
	if !strings.Contains(page, "restored") && !strings.Contains(page, "moved") && !strings.Contains(page, "copied") {
		t.Errorf("no page says why no letter leaves: %q", page)
	}
	if n := h.relay.State().Received; n != 1 {
		t.Errorf("%d letters came", n)
	}
	olga.want(olga.post("/organization/mail/outbox", "turn", "resume", "from", "queue"), http.StatusSeeOther)
	h.letter("ben@mail.example", linkInLetter)
}

func codesAreForTheTerminal(t *testing.T) {
	env := []string{"ANTEROOM_DATA=" + t.TempDir(), "ANTEROOM_PROXY_HEADER=" + proxyHeader}
	site := start(t, env, "serve")
	code := site.says(`with the code (\S+)`)[1]
	site.stop(syscall.SIGTERM)
	if strings.Contains(site.log.String(), code) {
		t.Error("the log holds the code")
	}
	site = start(t, env, "serve")
	if again := site.says(`with the code (\S+)`)[1]; again == code {
		t.Error("the code is the same at the next start")
	}
	stranger := site.visit("2001:db8:a::1")
	form := filledIn(stranger.form("/set-up", "code"))
	for name, value := range map[string]string{"code": code, "name": "Willow", "phone": "555-0100", "time_zone": "America/New_York", "administrator_name": "Olga Olson", "email": olgasEmail, "password": newWords} {
		form.Set(name, value)
	}
	stranger.want(stranger.ask(http.MethodPost, "/set-up", form), http.StatusUnprocessableEntity)
	form.Set("code", site.says(`with the code (\S+)`)[1])
	stranger.want(stranger.ask(http.MethodPost, "/set-up", form), http.StatusSeeOther)
	stranger.want(site.visit("2001:db8:b::1").get("/set-up"), http.StatusNotFound)

	list := filepath.Join(t.TempDir(), "list.csv")
	if err := os.WriteFile(list, []byte("First Name,Last Name\nAnn,Abbott\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"import", list}, {"admin", "create", "-name", "Eve", "-email", "eve@evil.example"}, {"serve", "-addr", "127.0.0.1:0"}} {
		if said, ok := tell(t, env[:1], args...); ok || !strings.Contains(said, "another anteroom is using this data folder") {
			t.Errorf("beside the server %q does its work, or says: %s", args, said)
		}
	}
}
