package handlers

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"anteroom/db"
	"anteroom/handlers/grade"

	"github.com/PuerkitoBio/goquery"
)

// listen serves the site on a free port of this machine: for requests that no decent client sends.
func (s *testSite) listen() (addr string) {
	s.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	s.t.Cleanup(func() {
		s.app.ShutdownWithTimeout(time.Second)
		<-served
	})
	return l.Addr().String()
}

// send sends a request as it stands, and returns what comes back.
func send(t *testing.T, addr, request string) (*http.Response, string) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

func TestEveryResponseIsGuarded(t *testing.T) {
	s := newSite(t)
	addr := s.listen()
	const token = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	for request, status := range map[string]int{
		"GET /sign-in HTTP/1.1\r\n\r\n":                                                                         200,
		"GET /link/" + token + " HTTP/1.1\r\n\r\n":                                                              303,
		"GET /nowhere HTTP/1.1\r\n\r\n":                                                                         404,
		"GET /static/nowhere.css HTTP/1.1\r\n\r\n":                                                              404,
		"DELETE /sign-in HTTP/1.1\r\n\r\n":                                                                      404,
		"TRACE / HTTP/1.1\r\n\r\n":                                                                              404,
		"BREW /link/" + token + " HTTP/1.1\r\n\r\n":                                                             400,
		"GET /link/" + token + " HTTP/1.1\r\nContent-Length: abc\r\n\r\n":                                       400,
		"GET /link/" + token + " HTTP/1.1\r\nNo Header : x\r\n\r\n":                                             400,
		"GET /link/" + token + " HTTP/1.1\r\nX: " + strings.Repeat("x", 20<<10) + "\r\n\r\n":                    431,
		"POST /link/" + token + " HTTP/1.1\r\nContent-Length: 100000\r\n\r\n":                                   413,
		"POST /sign-in HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: 1\r\n\r\nx": 400,
		"POST /sign-in HTTP/1.1\r\nContent-Encoding: gzip\r\nContent-Length: 0\r\n\r\n":                         415,
		"POST /sign-in HTTP/1.1\r\nOrigin: null\r\nContent-Length: 0\r\n\r\n":                                   403,
	} {
		first, rest, _ := strings.Cut(request, "\r\n")
		response, body := send(t, addr, first+"\r\nHost: localhost:8080\r\nCookie: session=my-own-secret\r\n"+rest)
		if response.StatusCode != status {
			t.Errorf("%s: status %d, want %d", first, response.StatusCode, status)
		}
		for _, fault := range grade.Faults(grade.Response{Status: response.StatusCode, Header: response.Header, Body: body}) {
			t.Errorf("%s, %d: not %s", first, response.StatusCode, fault)
		}
		if strings.Contains(body, token) || strings.Contains(body, "my-own-secret") || strings.Contains(body, "Content-Length") {
			t.Errorf("%s: the request comes back in %s", first, body)
		}
	}
	if log := s.log.String(); strings.Contains(log, token) || strings.Contains(log, "my-own-secret") {
		t.Error(log)
	}
}

func TestStrangersSendLittle(t *testing.T) {
	s := newSite(t)
	addr := s.listen()
	post := func(path, session string, length, sent int) int {
		t.Helper()
		response, _ := send(t, addr, fmt.Sprintf("POST %s HTTP/1.1\r\nHost: localhost:8080\r\nCookie: session=%s\r\nContent-Length: %d\r\n\r\n%s",
			path, session, length, strings.Repeat("a", sent)))
		return response.StatusCode
	}
	for _, ask := range []struct {
		path, who string
		length    int
		status    int
	}{
		{"/sign-in", "", maxStranger, 422},
		{"/sign-in", "", maxStranger + 1, 413},
		{importPath, "", maxStranger + 1, 413},
		{importPath, "Tom", maxSignedIn + 1, 413},
		{"/portal", "Mia", maxSignedIn + 1, 413},
		{"/clients", "Olga", maxSignedIn + 1, 413},
		{importPath, "Olga", maxSignedIn + 1, 422},
		{importPath, "Olga", maxBody + 1, 413},
	} {
		sent := ask.length
		if ask.status == 413 {
			sent = 0 // it is refused for what it announces
		}
		if status := post(ask.path, s.Sessions[ask.who], ask.length, sent); status != ask.status {
			t.Errorf("%d bytes to %s by %q: %d, want %d", ask.length, ask.path, ask.who, status, ask.status)
		}
	}
	// Without a length, it counts as it comes.
	response, _ := send(t, addr, fmt.Sprintf("POST /sign-in HTTP/1.1\r\nHost: localhost:8080\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n", maxStranger+1))
	if response.StatusCode != 413 {
		t.Error("chunked:", response.StatusCode)
	}
}

func TestFormsOfManyFields(t *testing.T) {
	s := newSite(t)
	addr := s.listen()
	for fields, status := range map[int]int{maxFields: 422, maxFields + 1: 413, 50 * maxFields: 413} {
		body := strings.Repeat("&", fields-1)
		response, page := send(t, addr, fmt.Sprintf("POST /clients HTTP/1.1\r\nHost: localhost:8080\r\nCookie: session=%s\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s",
			s.Sessions["Olga"], len(body), body))
		if response.StatusCode != status {
			t.Errorf("%d fields: %s %s", fields, response.Status, page)
		}
	}
}

// history is what the audit log says of a client, the newest first.
func (s *testSite) history(client db.Client) (acts []string) {
	s.t.Helper()
	if err := s.DB.View(s.t.Context(), func(tx *db.Tx) error {
		entries, err := tx.ClientHistory(db.Everybody(), client.ID, true, 100)
		for _, e := range entries {
			acts = append(acts, string(e.Act))
		}
		return err
	}); err != nil {
		s.t.Fatal(err)
	}
	return acts
}

func TestScannersSpendNothing(t *testing.T) {
	s := newSite(t)
	path := s.inviteAnn()
	scanner := s.as("")
	for range 250 {
		scanner.ask("HEAD", path, nil).want(303)
		scanner.ask("GET", path, nil).want(303)
		scanner.ask("GET", "/choose-password", nil).want(200)
		scanner.ask("POST", "/choose-password", url.Values{}).want(422)
	}
	for method, status := range map[string]int{"POST": 404, "PUT": 404, "DELETE": 404, "OPTIONS": 404} {
		scanner.ask(method, path, nil).want(status)
	}
	scanner.with("Sec-Fetch-Site", "cross-site").post("/choose-password", "password", "velvet anchor over tin roofs").want(403)
	scanner.ask("GET", "/choose-password?password=velvet+anchor+over+tin+roofs", nil).want(200)
	ann := s.as("")
	ann.get(path)
	ann.post("/choose-password", "password", "velvet anchor over tin roofs").wantTo("/portal")
}

func TestRacingPostsSpendALinkOnce(t *testing.T) {
	s := newSite(t)
	path := s.inviteAnn()
	var won, late atomic.Int32
	var all sync.WaitGroup
	for range 40 {
		all.Go(func() {
			b := s.as("")
			b.get(path)
			switch a := b.post("/choose-password", "password", "velvet anchor over tin roofs"); a.status {
			case 303:
				won.Add(1)
			case 410:
				late.Add(1)
			default:
				t.Error(a.status)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 || late.Load() != 39 {
		t.Error(won.Load(), late.Load())
	}
}

// castWords are what tells the cast's clients from others: a log holds none of it, nor does a refusal.
func (s *testSite) castWords() (words []string) {
	for _, c := range []db.Client{s.Ann, s.Ben, s.Sam, s.Mia, s.Leo} {
		words = append(words, c.FirstName+" ", " "+c.LastName, c.LastName+", ", c.DateOfBirth, c.Phone, c.Email.String(), "@mail.example")
	}
	return slices.DeleteFunc(words, func(w string) bool { return strings.TrimSpace(w) == "" })
}

// TestRefusalsAndLogsNameNobody has everybody ask every route, with names in what they send.
func TestRefusalsAndLogsNameNobody(t *testing.T) {
	s := newSite(t)
	s.library()
	words := s.castWords()
	typed := url.Values{"q": {"Abbott"}, "email": {"ann@mail.example"}, "first_name": {"Ann"}, "last_name": {"Abbott"}, "password": {"my dear wrong password"},
		"next": {"/clients?q=Abbott"}, "story": {"xylophone-at-midnight"}, "client": {s.Ann.PublicID}}
	refused := 0
	for _, r := range s.routes() {
		if r.path == "/sign-out" {
			continue // who is out isn't refused
		}
		for _, target := range targets(t, r.path) {
			s.Clock.Move(time.Second) // the newest form request is this target's
			path := target.path(s)
			for _, who := range []string{"", "Tess", "Finn", "Mia", "Tom"} {
				b := s.as(who)
				a := b.ask(r.method, path+"?q=Abbott", map[string]url.Values{"POST": typed}[r.method])
				if a.status != 403 && a.status != 404 {
					continue
				}
				refused++
				for _, w := range words {
					if who == "Mia" && strings.Contains(w, "Mia") {
						continue // her own name is at the top of the page
					}
					if strings.Contains(a.body, w) {
						t.Errorf("%s %s refuses %q and shows %q: %s", r.method, target.name, who, w, a.main())
					}
				}
			}
		}
	}
	if refused < 100 {
		t.Errorf("only %d refusals", refused)
	}
	log := s.log.String()
	secrets := append(words, "Olson", "Tran", "willow.example", "Abbott", "abbott", "my dear wrong password", "xylophone", s.Sessions["Tom"], s.Sessions["Mia"])
	for _, w := range secrets {
		if strings.Contains(log, w) {
			t.Errorf("the log holds %q", w)
		}
	}
	if strings.Count(log, "\n") < 300 {
		t.Error("so short a log proves nothing")
	}
}

func TestRefusalsAreAudited(t *testing.T) {
	s := newSite(t)
	path := "/clients/" + s.Ben.PublicID
	s.as("Tom").get(path).want(404)
	s.as("Finn").get(path + "/edit").want(403)
	s.as("Mia").get("/clients").want(404)
	s.as("Tom").get("/organization/staff").want(403)
	s.as("Tom").get("/nowhere").want(404)
	s.as("").get(path).want(303)
	var refused []string
	if err := s.DB.View(t.Context(), func(tx *db.Tx) error {
		rows, err := tx.QueryContext(t.Context(), "SELECT detail FROM audit_entries WHERE act = 'was refused' AND (staff_id > 0 OR by_client > 0) ORDER BY id")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var detail string
			if err := rows.Scan(&detail); err != nil {
				return err
			}
			refused = append(refused, detail)
		}
		return rows.Err()
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.DB.VerifyAudit(t.Context(), db.AuditHead{}, nil); err != nil {
		t.Error(err)
	}
	want := []string{"GET /clients/:id " + s.Ben.PublicID, "GET /clients/:id/edit " + s.Ben.PublicID, "GET /clients", "GET /organization/staff"}
	if !slices.Equal(refused, want) {
		t.Errorf("%q", refused)
	}
}

func TestTheFormToEditIsTheRecordOpened(t *testing.T) {
	s := newSite(t)
	before := len(s.history(s.Ann))
	s.as("Tom").get("/clients/"+s.Ann.PublicID+"/edit").want(200, "Edit")
	if acts := s.history(s.Ann); len(acts) != before+1 || acts[0] != "opened the record" {
		t.Error(acts)
	}
}

func TestReviewsAreForReaders(t *testing.T) {
	s := newSite(t)
	ids := askFor(t, s.Cast, s.Mia, "phq-9")
	s.as("Mia").post("/portal/forms/"+ids["phq-9"], append(slices.Clone(wholePHQ9), "44260-8", "LA6570-1", ":do", "submit")...).want(303)
	tom := s.as("Tom")
	tom.post("/form-requests/" + ids["phq-9"] + "/review").want(303)
	path := "/clients/" + s.Mia.PublicID
	tom.get(path).want(200, "reviewed the completed form")
	if body := s.as("Finn").get(path).want(200).body; strings.Contains(body, "reviewed") {
		t.Error("the front desk reads that there was something to review")
	}
}

func TestWritesFromElsewhere(t *testing.T) {
	s := newSite(t)
	s.library()
	for _, from := range []struct{ site, origin string }{
		{"cross-site", ""}, {"same-site", ""}, {"SAME-ORIGIN", ""}, {"cross-site", "http://localhost:8080"},
		{"", "https://evil.example"}, {"", "null"}, {"", "http://localhost:8081"}, {"", "http://localhost:8080.evil.example"},
	} {
		for _, r := range s.routes() {
			if r.method == "GET" {
				continue
			}
			s.Clock.Move(time.Second) // the newest form request is this target's
			path := targets(t, r.path)[0].path(s)
			b := s.as("Olga").with("Sec-Fetch-Site", from.site).with("Origin", from.origin)
			if a := b.ask(r.method, path, url.Values{}); a.status != 403 {
				t.Errorf("%s %s from %q %q: %d", r.method, r.path, from.site, from.origin, a.status)
			}
		}
	}
	s.as("Olga").with("Sec-Fetch-Site", "").with("Origin", "http://localhost:8080").post("/sign-out").want(303)
}

// markup finds what only markup that somebody typed could have brought into a page.
func markup(doc *goquery.Document) (found []string) {
	doc.Find("*").Each(func(_ int, e *goquery.Selection) {
		tag := goquery.NodeName(e)
		if src := e.AttrOr("src", ""); tag == "svg" && !e.HasClass("qr") || tag == "script" && !strings.HasPrefix(src, "/static/") || strings.Contains(src, "//") {
			found = append(found, tag+" "+src)
		}
		for _, a := range e.Nodes[0].Attr {
			scheme, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(a.Val)), ":")
			if strings.HasPrefix(a.Key, "on") || slices.Contains([]string{"href", "src", "action"}, a.Key) && slices.Contains([]string{"javascript", "data", "vbscript"}, scheme) {
				found = append(found, tag+" "+a.Key+"="+a.Val)
			}
		}
	})
	return found
}

// TestTypedTextIsNeverMarkup types markup wherever something can be typed, and looks at every page that there is.
func TestTypedTextIsNeverMarkup(t *testing.T) {
	const hostile = `"'><svg onload=alert(1)><script>alert(2)</script>`
	s := newSite(t)
	s.library()
	olga := s.as("Olga")
	olga.post("/organization/settings", "name", "P"+hostile, "phone", "+1 555 0100", "time_zone", "Europe/Vienna").want(303)
	olga.post("/organization/client-portal/settings", "invitation_days", "7", "welcome", hostile+"[a](javascript:alert(3))", "help", hostile, "crisis", hostile).want(303)
	olga.post("/organization/staff/"+s.Tess.PublicID(), "name", "T"+hostile, "email", "tess@willow.example", "role", "therapist").want(303)
	for _, c := range []db.Client{s.Ann, s.Mia, s.Leo} {
		olga.post("/clients/"+c.PublicID+"/edit", "first_name", "F"+hostile, "last_name", "L"+hostile, "preferred_name", "C"+hostile, "phone", "+1 555 0100", "email", c.Email.String()).want(303)
	}
	draft := s.olgasDraft(s.Ann)
	olga.post(draft, "invitation.subject", hostile, "invitation.body", hostile+"\n\n[a](javascript:alert(4)) [b](data:text/html,x) ![c](https://evil.example/x.png) [{client_first_name}]({client_first_name})\n\n{portal_link}", "form_key", "intake").wantTo(draft + "/preview")
	pages, shown := 0, 0
	for _, r := range s.routes() {
		if r.method != "GET" {
			continue
		}
		paths := []string{draft, draft + "/preview", draft + "/letter", draft + "/letter?client=" + s.Ann.PublicID}
		for _, target := range targets(t, r.path) {
			s.Clock.Move(time.Second) // the newest form request is this target's
			paths = append(paths, target.path(s))
		}
		for _, path := range paths {
			for _, who := range []string{"", "Olga", "Mia", "Leo"} {
				mark := "?"
				if strings.Contains(path, "?") {
					mark = "&"
				}
				a := s.as(who).get(path + mark + url.Values{"q": {hostile}, "next": {"/" + hostile}}.Encode())
				if found := markup(a.doc); found != nil {
					t.Errorf("%s, as %q, holds %q", path, who, found)
				}
				if pages++; strings.Contains(a.doc.Text(), "<svg onload=alert(1)>") {
					shown++
				}
			}
		}
	}
	if pages < 100 || shown < pages/4 {
		t.Errorf("of %d pages only %d showed what was typed", pages, shown)
	}
}

// TestNonsenseIsNoFault sends everything to every route: whatever it says, it is not the server's fault.
func TestNonsenseIsNoFault(t *testing.T) {
	s := newSite(t)
	s.library()
	for _, word := range []string{"", "\x00", "%", "\xff\xfe", "-1", "99999999999999999999", "1900-13-45", "on", "{{.}}", "a,b\n\"c", strings.Repeat("é", 2000)} {
		typed := url.Values{}
		for _, name := range []string{"q", "page", "client", "shown", "on", "do", "drop", "to", "form_key", "subject", "body", "for", "name", "phone", "time_zone",
			"email", "role", "permission", "staff", "turn", "column", "dates", "first_name", "last_name", "date_of_birth", "password", "next", "code",
			"invitation_days", "invitation.subject", "invitation.body", "history", "story", ":do"} {
			typed[name] = []string{word, word}
		}
		for _, r := range s.routes() {
			if r.path == "/sign-out" {
				continue // who is out reaches nothing
			}
			s.Clock.Move(time.Second) // the newest form request is this target's
			id := url.PathEscape(word)
			for _, path := range []string{targets(t, r.path)[0].path(s), strings.NewReplacer(":id", id, ":token", id).Replace(r.path)} {
				if r.method == "GET" && len(word) < 100 {
					path += "?" + typed.Encode()
				}
				if len(path) > 8<<10 {
					continue // that the server refuses by itself
				}
				for _, who := range []string{"Olga", "Mia"} {
					body := map[string]url.Values{"POST": typed}[r.method]
					if a := s.as(who).ask(r.method, path, body); a.status >= 500 {
						t.Errorf("%s %s with %.20q: %d", r.method, r.path, word, a.status)
					}
				}
			}
		}
	}
}
