package main

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	netmail "net/mail"
	"net/smtp"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/PuerkitoBio/goquery"
	"github.com/emersion/go-message"
	"golang.org/x/net/html"
)

// valid are values for fields that take no text, or not any, so that the rest of their form is taken: by the field's name. A phone
// number does for all others.
var valid = map[string]string{
	"date_of_birth": "1990-05-17", "time_zone": "America/New_York", "reply_email": "office@willow.example",
	"invitation_days": "7", "forms_days": "3", "forms_times": "2", "quiet_from": "20:00", "quiet_until": "08:00",
	"invitation.body": "Hello {client_first_name}\n\n{portal_link}", "forms.body": "Hello {client_first_name}\n\n{portal_link}", "body": "Hello\n\n{portal_link}",
	"invitation-reminder.body": "Hello {client_first_name}\n\n{portal_link}", "forms-reminder.body": "Hello {client_first_name}\n\n{portal_link}",
	"host": "127.0.0.1", "port": "2525", "from": "portal@willow.example", "per_minute": "60", "per_day": "1000", "token_url": "https://login.example/token",
}

// notTaken are the fields through which no string of the corpus gets into the database, and why.
var notTaken = map[*regexp.Regexp]string{
	regexp.MustCompile(` (email|reply_email)$`):                                              "an address is parsed before it is kept",
	regexp.MustCompile(` date_of_birth$`):                                                    "a date is",
	regexp.MustCompile(` time_zone$`):                                                        "it must be one that there is",
	regexp.MustCompile(` (invitation_days|forms_days|forms_times|port|per_minute|per_day)$`): "a number is",
	regexp.MustCompile(` (host|from|token_url|username|client_id|scope)$`):                   "what mail is sent with is parsed before it is kept",
	regexp.MustCompile(`^/security/passkeys/new `):                                           "a passkey is made by a device; TestStoryPasskey has one",
	regexp.MustCompile(`^/security/password `):                                               "the address there is for the browser that keeps the password",
	regexp.MustCompile(`^/set-up `):                                                          "a practice is set up once, with one string in each field",
	regexp.MustCompile(` code$`):                                                             "a code is compared, and not kept",
	regexp.MustCompile(`^(search |/sign-in |/forgotten-password |an address)`):               "what is asked for is not kept",
	regexp.MustCompile(`^a list's row 0 `):                                                   "the row has no proper address, so it is shown and left out",
	regexp.MustCompile(`^a list's name$`):                                                    "it is shown while the list is looked at",
}

// notShown are the fields whose strings are kept or used, and shown nowhere: and why.
var notShown = map[*regexp.Regexp]string{
	secret: "a secret is never shown again",
	regexp.MustCompile(`^/security/password email$`):    "it is there for the browser that keeps the password",
	regexp.MustCompile(` code$`):                        "nor is a code, which was wrong",
	regexp.MustCompile(`^an address that isn't there$`): "a page that isn't there says nothing of what was asked for",
}

// round is one turn of the whole job, with another string of the corpus in every field.
type round struct {
	*ledger
	h    *house
	site *server
	turn int
	done map[string]bool // forms that were sent in this turn
}

// hostile is this turn's string for a field: over all turns, each field is given each string.
func (r *round) hostile(field string) string {
	all := corpus()
	sum := fnv.New32a()
	sum.Write([]byte(field))
	return r.mark(field, all[(r.turn+int(sum.Sum32()))%len(all)])
}

// kindOf is a path without what names one thing.
func kindOf(path string) string {
	path, _, _ = strings.Cut(path, "?")
	return publicID.ReplaceAllString(path, "*")
}

// textual tells that a field takes what a person types.
func textual(field *goquery.Selection) bool {
	if goquery.NodeName(field) == "textarea" {
		return true
	}
	return goquery.NodeName(field) == "input" && slices.Contains([]string{"text", "search", "email", "tel", "url", "date", "time", "number", ""}, field.AttrOr("type", ""))
}

// sends sends a form with a hostile string in each of its text fields, again without those that are refused, until it is taken. with
// are fields of which this test knows better.
func (r *round) sends(v *visitor, page string, form *goquery.Selection, with url.Values) reply {
	r.t.Helper()
	action := form.AttrOr("action", page)
	stood, values := filledIn(form), filledIn(form)
	hostile := map[string]string{} // field's name → what it is called in the ledger
	form.Find("input[name], textarea[name]").Each(func(_ int, field *goquery.Selection) {
		name := field.AttrOr("name", "")
		if _, off := field.Attr("disabled"); off || with.Has(name) || !textual(field) {
			return
		}
		hostile[name] = kindOf(action) + " " + name
		values.Set(name, r.hostile(hostile[name]))
	})
	form.Find("input[type=radio], input[autocomplete=current-password]").Each(func(_ int, field *goquery.Selection) {
		if name := field.AttrOr("name", ""); !values.Has(name) {
			values.Set(name, field.AttrOr("value", ""))
		} else if field.AttrOr("type", "") == "password" {
			values.Set(name, password)
		}
	})
	for name, value := range with {
		values[name] = value
	}
	for range 9 {
		a := v.ask(http.MethodPost, action, values, "Referer", v.site+page)
		sink := "the answer to POST " + kindOf(action)
		r.readsPage(sink, a.doc())
		switch {
		case a.status >= 500:
			r.failed("fault "+sink, "%s: %d for %.300q", a.asked, a.status, values)
			return a
		case a.status == http.StatusSeeOther:
			for _, field := range hostile {
				r.stored[field]++
			}
			if to := a.header.Get("Location"); strings.HasPrefix(to, "/") {
				r.sink("the way on", v.get(to))
			}
			return a
		}
		again := a.doc().Find("form[action='" + action + "']") // which may know of what was kept meanwhile
		again.Find("input[type=hidden][name=':seen'], input[type=hidden][name=version]").Each(func(_ int, field *goquery.Selection) {
			values.Set(field.AttrOr("name", ""), field.AttrOr("value", ""))
		})
		wrong := 0
		a.doc().Find("[aria-invalid=true][name]").Each(func(_ int, field *goquery.Selection) {
			name := field.AttrOr("name", "")
			if hostile[name] == "" {
				return
			}
			wrong++
			r.refused[hostile[name]]++
			delete(hostile, name)
			values.Set(name, cmp.Or(stood.Get(name), valid[name], "+1 555 0100"))
			if name == "email" && stood.Get(name) == "" {
				values.Set(name, fmt.Sprintf("somebody%d@mail.example", len(r.typed)))
			}
		})
		if longest := longestOf(hostile, values); wrong == 0 && longest != "" { // it says at no field what is wrong
			wrong++
			r.refused[hostile[longest]]++
			delete(hostile, longest)
			values.Set(longest, cmp.Or(stood.Get(longest), valid[longest], "+1 555 0100"))
		}
		if wrong == 0 && refusing[kindOf(action)] {
			return a
		}
		if wrong == 0 {
			r.failed("form "+kindOf(action), "%s is never taken: %d: %.300s", kindOf(action), a.status, a.doc().Find("main [role=alert], main .error").Text())
			return a
		}
	}
	return reply{}
}

func longestOf(hostile map[string]string, values url.Values) (longest string) {
	for name := range hostile {
		if longest == "" || len(values.Get(name)) > len(values.Get(longest)) {
			longest = name
		}
	}
	return longest
}

// crawls opens the pages of a person, two of each kind from those where they begin, sends what forms they have, and reads what is
// shown there.
func (r *round) crawls(v *visitor, who string, first ...string) {
	r.t.Helper()
	seen, of := map[string]bool{}, map[string]int{}
	for open := first; len(open) > 0; open = open[1:] {
		path := open[0]
		kind := kindOf(path)
		if seen[path] || of[kind] >= 2 && !slices.Contains(first, path) || path == "/sign-out" {
			continue
		}
		seen[path] = true
		of[kind]++
		a := v.get(path)
		r.sink(who, a)
		if a.status != http.StatusOK || !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") {
			continue
		}
		doc := a.doc()
		doc.Find("form").Each(func(_ int, form *goquery.Selection) { r.meets(v, who, path, form) })
		doc.Find("a[href], iframe[src]").Each(func(_ int, link *goquery.Selection) {
			to, err := url.Parse(link.AttrOr("href", link.AttrOr("src", "")))
			if err == nil && to.Host == "" && strings.HasPrefix(to.Path, "/") {
				open = append(open, to.RequestURI())
			}
		})
	}
}

// meets sends a form once in a turn: a search with what is searched for, another with what is typed into it.
func (r *round) meets(v *visitor, who, page string, form *goquery.Selection) {
	r.t.Helper()
	text := form.Find("input[name], textarea[name]").FilterFunction(func(_ int, field *goquery.Selection) bool { return textual(field) })
	action := form.AttrOr("action", page)
	key := who + " " + form.AttrOr("method", "get") + " " + kindOf(action)
	if text.Length() == 0 || r.done[key] || passedOver[kindOf(action)] {
		return
	}
	r.done[key] = true
	if !strings.EqualFold(form.AttrOr("method", "get"), "post") {
		values := filledIn(form)
		text.Each(func(_ int, field *goquery.Selection) {
			name := field.AttrOr("name", "")
			values.Set(name, r.hostile("search "+kindOf(action)+" "+name))
		})
		at, _, _ := strings.Cut(action, "?")
		if len(values.Encode()) > 12<<10 {
			return // longer than the program lets a request's head be
		}
		r.sink(who, v.get(at+"?"+values.Encode()))
		r.sink(who, v.ask(http.MethodGet, at+"?"+values.Encode(), nil, "HX-Request", "true"))
		return
	}
	r.sends(v, page, form, nil)
}

// passedOver are forms that the turn itself sends, when it is their time.
var passedOver = map[string]bool{"/clients": true, "/organization/mail/settings": true, "/portal/forms/*": true, "/organization/staff/*/email": true, "/sign-in": true}

// refusing are forms that take nothing without a code, a device or a password, which this test hasn't.
var refusing = map[string]bool{"/security/authenticator": true, "/second-step": true, "/set-up": true, "/security/passkeys/new": true, "/security/password": true}

// sink reads an answer, whatever kind of answer it is.
func (r *round) sink(who string, a reply) {
	r.t.Helper()
	_, path, _ := strings.Cut(a.asked, " ")
	sink := who + "’s " + kindOf(path)
	if a.status >= 500 {
		r.failed("fault "+sink, "%s: %d", a.asked, a.status)
	}
	for name, values := range a.header {
		if line := strings.Join(values, "\n"); name != "Location" && markPattern.MatchString(line) || strings.ContainsAny(line, "\r\x00") {
			r.failed("header "+sink+name, "%s has the header %s: %q", a.asked, name, values)
		}
	}
	switch kind, _, _ := strings.Cut(a.header.Get("Content-Type"), ";"); kind {
	case "text/html":
		if strings.HasSuffix(kindOf(path), "/letter") {
			r.readsLetter(sink, a.doc())
			return
		}
		r.readsPage(sink, a.doc())
	case "text/csv":
		r.readsCSV(sink, a)
	case "application/fhir+json", "application/json":
		var tree any
		if err := json.Unmarshal([]byte(a.body), &tree); err != nil {
			r.failed("json "+sink, "%s is no JSON: %v", a.asked, err)
		}
		r.readsTree(sink, tree)
	default:
		if a.body != "" && markPattern.MatchString(a.body) {
			r.failed("type "+sink, "%s shows what was typed as %q", a.asked, kind)
		}
	}
}

func (r *round) readsTree(sink string, tree any) {
	switch tree := tree.(type) {
	case string:
		r.reads(sink, tree, true)
	case []any:
		for _, branch := range tree {
			r.readsTree(sink, branch)
		}
	case map[string]any:
		for _, branch := range tree {
			r.readsTree(sink, branch)
		}
	}
}

// attached matches the one form in which a file is named.
var attached = regexp.MustCompile(`^attachment; filename="?[a-z0-9.-]+"?$`)

// readsCSV checks a file for spreadsheets: no cell of it is a formula, and what was typed comes back by taking the apostrophe away.
func (r *round) readsCSV(sink string, a reply) {
	r.t.Helper()
	if name := a.header.Get("Content-Disposition"); !attached.MatchString(name) {
		r.failed("name "+sink, "%s is named %q", a.asked, name)
	}
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(a.body, "\ufeff"))).ReadAll()
	if err != nil {
		r.failed("csv "+sink, "%s: %v", a.asked, err)
	}
	for _, row := range rows {
		for _, cell := range row {
			if cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r") {
				r.failed("formula "+sink, "%s has the formula %.100q", a.asked, cell)
			}
			r.reads(sink, cell, true)
		}
	}
}

// letterTags are what Markdown and the letter's own template make, with the attributes that each may have.
var letterTags = regexp.MustCompile(`^(html( lang)?|head|title|meta( charset| name| content)*|style|body( class| style)*|(div|table|tbody|tr|td|p|span|img|a|h[1-6]|ul|ol|li|blockquote|pre|code|em|strong|hr|br|del|thead|th)( (class|style|role|width|height|alt|src|href|lang|dir|cellpadding|cellspacing|border|align|start|rel|title|valign|aria-hidden))*)$`)

// readsLetter checks a letter's HTML: nothing in it runs, loads from elsewhere or sends.
func (r *round) readsLetter(sink string, doc *goquery.Document) {
	r.t.Helper()
	for node := range doc.Nodes[0].Descendants() {
		if node.Type != html.ElementNode {
			r.reads(sink, node.Data, false)
			continue
		}
		shape := node.Data
		for _, a := range node.Attr {
			shape += " " + a.Key
			if a.Key == "href" && !leadsWell("a", a.Val) || a.Key == "src" && !strings.HasPrefix(a.Val, "cid:") && !strings.HasPrefix(a.Val, "/logo/") && !strings.HasPrefix(a.Val, "data:image/png") {
				r.failed("letter "+sink+a.Key, "%s: %s=%.100q", sink, a.Key, a.Val)
			}
		}
		if !letterTags.MatchString(shape) {
			r.failed("letter "+sink+shape, "%s holds <%s>", sink, shape)
		}
	}
}

// form opens a page and finds its form with a field of that name.
func (v *visitor) form(page, field string) *goquery.Selection {
	v.t.Helper()
	form := v.want(v.get(page), http.StatusOK).doc().Find("form:has([name='" + field + "'])").First()
	if form.Length() == 0 {
		v.t.Fatalf("%s has no form with %s", page, field)
	}
	return form
}

// Each string of the corpus goes through every text field that a form of the site has, to every place where it is shown: pages,
// letters, files, answers of machines, logs. It comes back as it was typed, and is never anything but text.
func TestHostileStringsStayText(t *testing.T) {
	t.Parallel()
	h := furnish(t, settle)
	site := h.serveAlone()
	l := newLedger(t)
	olga, tom := site.visit("2001:db8:a::1"), site.visit("2001:db8:b::1")
	n := rounds(12)
	var signedIn time.Time
	for i := range n {
		if time.Since(signedIn) > 4*time.Minute { // sessions end, and a proof grows old
			signedIn = time.Now()
			olga.signsIn(olgasEmail)
			tom.signsIn("tom@willow.example")
			olga.setsUpMail(h)
		}
		r := &round{ledger: l, h: h, site: site, turn: i * (len(corpus()) / n), done: map[string]bool{}}
		r.goes(olga, tom)
	}
	l.setsUp(n)
	if found := markPattern.FindString(site.log.String() + site.said.String()); found != "" {
		t.Errorf("the log holds what was typed into %s", l.typed[found].field)
	}
	l.sums(t)
}

// setsUp types into the form with which a practice begins, at last with the right code.
func (l *ledger) setsUp(n int) {
	l.t.Helper()
	site := start(l.t, []string{"ANTEROOM_DATA=" + l.t.TempDir(), "ANTEROOM_PROXY_HEADER=" + proxyHeader}, "serve")
	network := networks()
	for i := range n {
		r := &round{ledger: l, site: site, turn: i * (len(corpus()) / n)}
		code := r.hostile("/set-up code")
		if i == n-1 {
			code = site.says(`with the code (\S+)`)[1]
		}
		stranger := site.visit(network())
		r.sends(stranger, "/set-up", stranger.form("/set-up", "code"), url.Values{"password": {newWords}, "code": {code}})
	}
	if found := markPattern.FindString(site.log.String() + site.said.String()); found != "" {
		l.t.Errorf("the log holds what was typed into %s", l.typed[found].field)
	}
}

// sums tells of each field what became of its strings, and fails for one that they never went through, or from which they were never
// seen again, without a reason.
func (l *ledger) sums(t *testing.T) {
	var fields []string
	for _, typed := range l.typed {
		fields = append(fields, typed.field)
	}
	slices.Sort(fields)
	excused := func(field string, reasons map[*regexp.Regexp]string) bool {
		for pattern := range reasons {
			if pattern.MatchString(field) {
				return true
			}
		}
		return false
	}
	for _, field := range slices.Compact(fields) {
		t.Logf("%-90s taken %4d, refused %4d, shown by %3d kinds of sink", field, l.stored[field], l.refused[field], len(l.seen[field]))
		if l.stored[field] == 0 && !strings.HasPrefix(field, "a list's row 1") && !excused(field, notTaken) {
			t.Errorf("no string was ever taken by %s", field)
		}
		if len(l.seen[field]) == 0 && !excused(field, notShown) {
			t.Errorf("what was typed into %s was never seen", field)
		}
	}
	if len(l.seen) < 50 {
		t.Errorf("the strings went through %d fields only", len(l.seen))
	}
}

// serveAlone starts the program without a relay: an administrator sets it.
func (h *house) serveAlone() *server {
	h.t.Helper()
	return start(h.t, []string{"ANTEROOM_DATA=" + h.folder, "ANTEROOM_PROXY_HEADER=" + proxyHeader}, "serve")
}

// setsUpMail has the practice send through the house's relay.
func (v *visitor) setsUpMail(h *house) {
	v.t.Helper()
	host, port, _ := strings.Cut(h.relay.Addr(), ":")
	form := filledIn(v.form(mailForm, "version"))
	for name, value := range map[string]string{"host": host, "port": port, "security": "none", "sign_in": "none", "from": "portal@willow.example", "per_minute": "", "per_day": ""} {
		form.Set(name, value)
	}
	v.want(v.ask(http.MethodPost, "/organization/mail/settings", form), http.StatusSeeOther)
}

// mailForm is where the form to set a relay is.
const mailForm = "/organization/mail/settings?provider=other"

// goes through the whole job once.
func (r *round) goes(olga, tom *visitor) {
	r.t.Helper()
	r.visitsAsStranger()
	email := fmt.Sprintf("c%d+o'hara@mail.example", r.turn)
	added := r.sends(olga, "/clients/new", olga.form("/clients/new", "first_name"), url.Values{"email": {email}})
	client := added.header.Get("Location")
	if !strings.HasPrefix(client, "/clients/") {
		r.t.Fatalf("no client: %d %s", added.status, added.text())
	}
	page := olga.get(client)
	olga.want(olga.post(client+"/therapists", "staff", page.doc().Find("form[action$='/therapists'] option").FilterFunction(func(_ int, o *goquery.Selection) bool {
		return strings.HasPrefix(o.Text(), "Tom")
	}).AttrOr("value", ""), "do", "assign"), http.StatusSeeOther)
	r.imports(olga)

	draft := olga.want(olga.post(client+"/drafts"), http.StatusSeeOther).header.Get("Location")
	forms := url.Values{}
	olga.want(olga.get(draft), http.StatusOK).doc().Find("[name=form_key]").Each(func(_ int, key *goquery.Selection) {
		forms.Add("form_key", key.AttrOr("value", ""))
	})
	r.sends(olga, draft, olga.form(draft, "invitation.body"), forms)
	r.crawls(olga, "administrator", client, client+"/edit", draft, draft+"/preview", draft+"/letter", "/organization/settings", "/organization/client-portal", "/clients", "/organization/mail/queue")
	olga.wantTo(olga.post(draft+"/send"), draft+"/sent")
	r.sink("administrator", olga.get(draft+"/sent"))
	link := r.h.letter(email, linkInLetter)
	r.arrived()

	person := r.site.visit("2001:db8:c::1")
	person.get(link)
	person.wantTo(person.post("/choose-password", "password", password), "/portal")
	r.fillsIn(person)
	r.crawls(person, "client", "/portal")
	r.done = map[string]bool{"administrator post /clients/*/edit": true}
	r.crawls(olga, "administrator again", client, client+"/edit", "/clients", "/organization/client-portal/invitations", "/organization/mail/queue")
	r.crawls(tom, "therapist", client, client+"/edit", "/clients")
	r.exports(olga)
	with := url.Values{"security": {"none"}, "sign_in": {[]string{"password", "oauth"}[r.turn%2]}}
	for _, name := range []string{"password", "client_secret", "refresh_token"} {
		with.Set(name, strings.Map(visible, r.hostile("/organization/mail/settings "+name)))
	}
	if r.sends(olga, mailForm, olga.form(mailForm, "version"), with).status == http.StatusSeeOther {
		for _, name := range []string{"password", "client_secret", "refresh_token"} {
			r.stored["/organization/mail/settings "+name]++
		}
	}
	r.sink("administrator", olga.get("/organization/mail/settings"))
	olga.setsUpMail(r.h)
}

// visible drops what no secret may hold.
func visible(r rune) rune {
	if !unicode.IsGraphic(r) || r == utf8.RuneError {
		return -1
	}
	return r
}

// visitsAsStranger types into what anybody can open.
func (r *round) visitsAsStranger() {
	stranger := r.site.visit(fmt.Sprintf("2001:db8:d:%x::1", r.turn))
	r.sends(stranger, "/forgotten-password", stranger.form("/forgotten-password", "email"), nil)
	r.sink("stranger", stranger.post("/sign-in", "email", r.hostile("/sign-in email"), "password", r.hostile("/sign-in password")))
	r.sink("stranger", stranger.get("/sign-in?next="+url.QueryEscape(r.hostile("/sign-in next"))))
	r.sink("stranger", stranger.get("/"+url.PathEscape(r.hostile("an address that isn't there"))))
}

// imports brings a list whose cells, and whose name, are hostile.
func (r *round) imports(olga *visitor) {
	r.t.Helper()
	var list bytes.Buffer
	rows := csv.NewWriter(&list)
	columns := []string{"First Name", "Last Name", "Preferred Name", "Email", "Phone", "Date of Birth", "Notes", "Tags"}
	rows.Write(columns)
	for i, proper := range []map[string]string{nil, {"Email": fmt.Sprintf("l%d@mail.example", r.turn), "Phone": "+1 555 0100", "Date of Birth": "1990-05-17"}} {
		var row []string
		for _, c := range columns {
			cell, ok := proper[c]
			if !ok {
				cell = strings.ToValidUTF8(r.hostile(fmt.Sprintf("a list's row %d %s", i, c)), "") // else all of the file is read in another encoding
			}
			row = append(row, cell)
		}
		rows.Write(row)
	}
	rows.Flush()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	file, err := form.CreateFormFile("file", strings.NewReplacer("\r", "", "\n", "").Replace(r.hostile(listName)))
	if err != nil {
		r.t.Fatal(err)
	}
	file.Write(list.Bytes())
	form.Close()
	request, err := http.NewRequest(http.MethodPost, olga.site+"/organization/import", &body)
	if err != nil {
		r.t.Fatal(err)
	}
	request.Header.Set("Content-Type", form.FormDataContentType())
	a, err := olga.send(request)
	if err != nil {
		r.t.Fatal(err)
	}
	r.sink("administrator", a)
	if check := a.header.Get("Location"); check != "" {
		for _, page := range []string{check, check + "/verdicts.csv", check + "/problems.csv"} {
			r.sink("administrator", olga.get(page))
		}
		if good := olga.get(check).doc().Find("form:has([name=do][value=good]:not([disabled]))"); good.Length() == 1 {
			values := filledIn(good)
			values.Set("do", "good")
			r.sink("administrator", olga.ask(http.MethodPost, check, values))
		}
	}
}

// fillsIn fills in every form that a client was sent, and submits it.
func (r *round) fillsIn(person *visitor) {
	r.t.Helper()
	person.get("/portal").doc().Find("a[href^='/portal/forms/']").Each(func(_ int, link *goquery.Selection) {
		page := link.AttrOr("href", "")
		form := person.form(page, ":shown")
		with := url.Values{}
		form.Find("input[type=radio], input[type=checkbox]").Each(func(_ int, choice *goquery.Selection) {
			name := choice.AttrOr("name", "")
			if !with.Has(name) || choice.Closest(".own").Length() > 0 { // one's own words are asked for
				with.Set(name, choice.AttrOr("value", "on"))
			}
		})
		form.Find("input[type=date], input[inputmode=numeric]").Each(func(_ int, field *goquery.Selection) {
			with.Set(field.AttrOr("name", ""), map[string]string{"date": "1990-05-17"}[field.AttrOr("type", "")])
		})
		with.Set(":do", "submit")
		r.sends(person, page, form, with)
	})
}

// exports takes every file that there is.
func (r *round) exports(olga *visitor) {
	r.t.Helper()
	page := olga.get("/organization/export").doc()
	page.Find("form[action='/organization/export']").Each(func(_ int, form *goquery.Selection) {
		values := filledIn(form)
		values.Set("notes", "yes")
		keys := []string{""}
		form.Find("[name=form_key] option").Each(func(_ int, o *goquery.Selection) { keys = append(keys, o.AttrOr("value", "")) })
		for _, key := range keys {
			if values.Has("form_key") == (key == "") {
				continue
			}
			values.Set("form_key", key)
			a := olga.ask(http.MethodPost, "/organization/export", values)
			a.asked = "POST /organization/export/" + values.Get("what")
			r.sink("administrator", a)
		}
	})
}

// What a letter has, and nothing besides.
var (
	letterFields = []string{"Date", "From", "Reply-To", "To", "Subject", "Message-Id", "Auto-Submitted", "Content-Language", "Mime-Version", "Content-Type"}
	letterParts  = []string{"multipart/alternative", "multipart/related", "text/plain", "text/html", "image/png"}
)

// arrived checks every letter that came since: its header, its envelope and its parts are those of a letter to one person.
func (r *round) arrived() {
	r.t.Helper()
	for _, l := range r.h.relay.List() {
		if l.ID <= r.letters[r.h] {
			break
		}
		bad := func(what string, value any) {
			r.failed("letter "+what, "a letter to %s: %s %.200q:\n%.600s", l.EnvelopeTo, what, value, l.Source)
		}
		source := string(l.Source)
		if bare := strings.ReplaceAll(source, "\r\n", ""); strings.ContainsAny(bare, "\r\n\x00") {
			bad("has bare line breaks", "")
		}
		entity, err := message.Read(bytes.NewReader(l.Source))
		if err != nil {
			bad("can't be read", err.Error())
			continue
		}
		for fields := entity.Header.Fields(); fields.Next(); {
			raw, err := fields.Raw()
			if name := fields.Key(); err != nil || len(entity.Header.Values(name)) != 1 || !slices.Contains(letterFields, name) || strings.ContainsFunc(string(raw), func(c rune) bool { return c > '~' }) {
				bad("has the field", name+": "+string(raw))
			}
			text, err := fields.Text()
			if err != nil {
				bad("has the field", string(raw))
			}
			if strings.HasSuffix(fields.Key(), "To") || fields.Key() == "From" {
				one, err := netmail.ParseAddress(fields.Value())
				if err != nil {
					bad("has the field", string(raw))
					continue
				}
				text = one.Name
			}
			r.reads("a letter's "+fields.Key(), text, false)
		}
		to, err := netmail.ParseAddressList(entity.Header.Get("To"))
		if err != nil || len(to) != 1 || to[0].Address != l.EnvelopeTo {
			bad("goes to", entity.Header.Get("To"))
		}
		n := 0
		if err := entity.Walk(func(_ []int, part *message.Entity, err error) error {
			if err != nil {
				return err
			}
			n++
			kind, _, err := part.Header.ContentType()
			if err != nil || !slices.Contains(letterParts, kind) {
				bad("has the part", kind)
			}
			if kind != "text/plain" && kind != "text/html" {
				return nil
			}
			text, err := io.ReadAll(part.Body)
			if err != nil {
				return err
			}
			if kind == "text/plain" {
				r.reads("a letter's text", string(text), false)
				return nil
			}
			doc, err := goquery.NewDocumentFromReader(bytes.NewReader(text))
			r.readsLetter("a letter", doc)
			return err
		}); err != nil || n < 3 || n > 5 {
			bad("has parts", fmt.Sprint(n, err))
		}
	}
	r.letters[r.h] = r.h.relay.List()[0].ID
}

// The demo's mailbox takes letters of anybody: what they say is shown as text, and their HTML in a frame where nothing runs.
func TestHostileLettersStayInTheMailbox(t *testing.T) {
	t.Parallel()
	site := start(t, nil, "demo", "-mailbox-addr", "127.0.0.1:0")
	relay := site.says(`smtp://(\S+)`)[1]
	l := newLedger(t)
	reader := site.visit("")
	list := corpus()
	n := rounds(40)
	for i := range n {
		r := &round{ledger: l, site: site, turn: i * (len(list) / n)}
		proper := func(field string) string { // a letter's own text ends where its header says
			return strings.NewReplacer("\r", "", "\n", "", "\x00", "").Replace(strings.ToValidUTF8(r.hostile(field), ""))
		}
		html := strings.ToValidUTF8(r.hostile("a letter's html body"), "")
		letter := "Subject: " + mime.BEncoding.Encode("utf-8", "é "+proper("a letter's subject")) + "\r\nFrom: " + (&netmail.Address{Name: proper("a letter's sender"), Address: "me@mail.example"}).String() +
			"\r\nTo: you@mail.example\r\nMIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
			base64.StdEncoding.EncodeToString([]byte(proper("a letter's text"))) + "\r\n--b\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
			base64.StdEncoding.EncodeToString([]byte(html)) + "\r\n--b--\r\n"
		if err := smtp.SendMail(relay, nil, "me@mail.example", []string{"you@mail.example"}, []byte(letter)); err != nil {
			t.Fatal(err)
		}
		mailbox := reader.get("/demo/mailbox")
		r.sink("reader", mailbox)
		newest := mailbox.doc().Find("#letters li a").First().AttrOr("href", "")
		newest, _, _ = strings.Cut(newest, "?")
		r.sink("reader", reader.get(newest))
		for _, view := range []string{"text", "source"} { // addresses in them are links
			doc := reader.want(reader.get(newest+"?view="+view), http.StatusOK).doc()
			pre := doc.Find("pre.mail-text")
			l.reads("the mailbox’s "+view, pre.Text(), false)
			pre.Find("a").Each(func(_ int, a *goquery.Selection) { a.ReplaceWithHtml("") })
			if html := pre.Children(); html.Length() != 0 {
				t.Errorf("a letter's %s holds %s", view, html.Text())
			}
		}
		framed := reader.want(reader.get(newest+"/letter"), http.StatusOK)
		if policy := framed.header.Get("Content-Security-Policy"); !strings.Contains(policy, "sandbox") || strings.Contains(policy, "allow-scripts") || strings.Contains(policy, "script-src") || !strings.Contains(policy, "default-src 'none'") {
			t.Fatalf("a letter's HTML has the policy %s", policy)
		}
		if source := reader.get(newest + "/source"); strings.HasPrefix(source.header.Get("Content-Type"), "text/html") || !strings.HasPrefix(source.header.Get("Content-Disposition"), "attachment") {
			t.Fatalf("a letter's source is given as %v", source.header)
		}
	}
	if found := markPattern.FindString(site.log.String() + site.said.String()); found != "" {
		t.Errorf("the log holds %s", l.typed[found].field)
	}
	for _, field := range []string{"a letter's subject", "a letter's text"} {
		if len(l.seen[field]) == 0 {
			t.Errorf("%s was never seen", field)
		}
	}
}
