package main

import (
	"bytes"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf16"

	"anteroom/mail/mailbox"

	"github.com/PuerkitoBio/goquery"
	"github.com/pquerna/otp/totp"
)

// canary is a secret that must be found nowhere.
type canary struct{ name, secret string }

// forms are the ways in which a secret may be written, each of them whole, and for a token also as its pieces.
func (c canary) forms() map[string][]byte {
	found := map[string][]byte{}
	add := func(how string, raw []byte) {
		found[how] = raw
		found[how+", in hex"] = []byte(hex.EncodeToString(raw))
		found[how+", in capital hex"] = bytes.ToUpper([]byte(hex.EncodeToString(raw)))
		for skip := range 3 { // base64 of something longer, wherever in it the secret begins
			whole := base64.StdEncoding.EncodeToString(raw[skip:])
			found[fmt.Sprintf("%s, in base64 %d", how, skip)] = []byte(whole[:len(whole)-4])
		}
		var wide, big []byte
		for _, unit := range utf16.Encode([]rune(string(raw))) {
			wide, big = append(wide, byte(unit), byte(unit>>8)), append(big, byte(unit>>8), byte(unit))
		}
		found[how+", in UTF-16"], found[how+", in big-endian UTF-16"] = wide, big
	}
	add("as it is", []byte(c.secret))
	if half := len(c.secret) / 2; half >= 16 && !strings.Contains(c.secret, " ") {
		add("its first half", []byte(c.secret[:half]))
		add("its second half", []byte(c.secret[half:]))
	}
	if raw, err := base64.RawURLEncoding.DecodeString(c.secret); err == nil && len(raw) == 32 {
		found["its bytes"], found["its bytes, in hex"] = raw, []byte(hex.EncodeToString(raw))
		found["half of its bytes"] = raw[:16]
	}
	return found
}

// within tells where in a text a canary sings.
func (c canary) within(text []byte) (how string) {
	for how, form := range c.forms() {
		if bytes.Contains(text, form) {
			return how
		}
	}
	return ""
}

func TestCanariesAreHeard(t *testing.T) {
	const secret = "yellow-canary-of-the-mine"
	c := canary{"a canary", secret}
	wide := ""
	for _, r := range secret {
		wide += string(r) + "\x00"
	}
	for _, text := range []string{secret, wide, hex.EncodeToString([]byte("some " + secret)), base64.StdEncoding.EncodeToString([]byte("x" + secret + "y")),
		base64.StdEncoding.EncodeToString([]byte("xy" + secret)), base64.StdEncoding.EncodeToString([]byte("xyz" + secret + "z"))} {
		if c.within([]byte("before "+text+" after")) == "" {
			t.Errorf("not heard in %q", text)
		}
	}
	if how := c.within([]byte("yellow canary of the mine")); how != "" {
		t.Errorf("heard %s where there is none", how)
	}
}

// A practice is set up and its administrator takes a second step, a client is invited, joins, answers and signs, and passwords are forgotten. What was said and chosen meanwhile,
// and what opened doors, is found neither in the database and the files beside it nor in what the program prints: not while it
// serves, not after it was killed, not when it starts again.
func TestSecretsAreWrittenNowhere(t *testing.T) {
	t.Parallel()
	const relaysOwn = "canary-in-the-harbor-7731"
	relay, err := mailbox.Open(mailbox.Options{Username: "harbor", Password: relaysOwn})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { relay.Close() })
	h := &house{t: t, folder: t.TempDir(), relay: relay}
	temp := t.TempDir()
	env := []string{"ANTEROOM_DATA=" + h.folder, "ANTEROOM_PROXY_HEADER=" + proxyHeader, "TMPDIR=" + temp}
	site := start(t, env, "serve")
	network := networks()
	var canaries []canary
	sing := func(name string, v *visitor) { // of what a browser holds
		for cookie, value := range v.cookies {
			if cookie != "notice" {
				canaries = append(canaries, canary{"the cookie " + cookie + " of " + name, value})
			}
		}
	}
	keep := func(name, secret string) string {
		canaries = append(canaries, canary{name, secret})
		return secret
	}

	// Set-up
	code := site.says(`with the code (\S+)`)[1]
	olga := site.visit(network())
	setUp := filledIn(olga.form("/set-up", "code"))
	olgasOwn := keep("Olga's password", "canary perched upon marble")
	for name, value := range map[string]string{"code": code, "name": "Willow Street", "phone": "555-0100", "time_zone": "America/New_York",
		"administrator_name": "Olga Olson", "email": olgasEmail, "password": olgasOwn} {
		setUp.Set(name, value)
	}
	olga.want(olga.ask(http.MethodPost, "/set-up", setUp), http.StatusSeeOther)
	sing("Olga, halfway in", olga)

	// A second step: what her app keeps, and what she writes down
	enrol := olga.want(olga.get("/second-step"), http.StatusOK)
	shown := keep("what Olga's app keeps", enrol.doc().Find("#secret").Text())
	appSecret := strings.NewReplacer(" ", "", "-", "").Replace(shown)
	if raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(appSecret); err != nil || len(raw) < 16 {
		t.Fatalf("the app is given %q: %v", shown, err)
	} else {
		keep("what Olga's app keeps, without dashes", appSecret)
		keep("the bytes that Olga's app keeps", string(raw))
	}
	form := filledIn(enrol.doc().Find("form:has(#code)"))
	digits, err := totp.GenerateCode(appSecret, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	form.Set("code", digits)
	enrolled := olga.ask(http.MethodPost, "/second-step", form)
	codes := strings.Fields(enrolled.doc().Find("#codes").Text())
	if len(codes) < 8 {
		t.Fatalf("Olga is given the recovery codes %q: %d %s", codes, enrolled.status, enrolled.text())
	}
	for _, code := range codes {
		keep("a recovery code", code)
	}
	sing("Olga", olga)

	// Mail, with a password
	settings := filledIn(olga.form(mailForm, "version"))
	host, port, _ := strings.Cut(relay.Addr(), ":")
	for name, value := range map[string]string{"host": host, "port": port, "security": "none", "sign_in": "password", "username": "harbor",
		"password": keep("the relay's password", relaysOwn), "from": "portal@willow.example"} {
		settings.Set(name, value)
	}
	olga.want(olga.ask(http.MethodPost, "/organization/mail/settings", settings), http.StatusSeeOther)

	// A client, invited to every form
	fern := filledIn(olga.form("/clients/new", "first_name"))
	for name, value := range map[string]string{"first_name": "Fern", "last_name": "Fjordsdottir", "email": "fern@mail.example",
		"notes": keep("the office's notes", "canary asked about the window seat")} {
		fern.Set(name, value)
	}
	client := olga.want(olga.ask(http.MethodPost, "/clients", fern), http.StatusSeeOther).header.Get("Location")
	draft := olga.want(olga.post(client+"/drafts"), http.StatusSeeOther).header.Get("Location")
	message := filledIn(olga.form(draft, "invitation.body"))
	message.Del("form_key")
	olga.get(draft).doc().Find("[name=form_key]").Each(func(_ int, key *goquery.Selection) { message.Add("form_key", key.AttrOr("value", "")) })
	olga.want(olga.ask(http.MethodPost, draft, message), http.StatusSeeOther)
	olga.wantTo(olga.post(draft+"/send"), draft+"/sent")
	join, astray := h.letter("fern@mail.example", linkInLetter), h.letter("fern@mail.example", notMeantInLetter)
	keep("the link to join", strings.TrimPrefix(join, "/link/"))
	keep("the link of a stray letter", strings.TrimPrefix(astray, "/not-for-me/"))

	// She joins, answers and signs
	person := site.visit(network())
	person.get(join)
	sing("Fern, who opened the link", person)
	person.wantTo(person.post("/choose-password", "password", keep("Fern's first password", "first canary sang at dawn")), "/portal")
	sing("Fern", person)
	answers := 0
	person.get("/portal").doc().Find("a[href^='/portal/forms/']").Each(func(_ int, link *goquery.Selection) {
		page := link.AttrOr("href", "")
		form := person.form(page, ":shown")
		typed := filledIn(form)
		form.Find("input, textarea").Each(func(_ int, field *goquery.Selection) {
			name := field.AttrOr("name", "")
			switch kind := field.AttrOr("type", "text"); {
			case kind == "radio" || kind == "checkbox":
				if !typed.Has(name) {
					typed.Set(name, field.AttrOr("value", "on"))
				}
			case kind == "date":
				typed.Set(name, "1990-05-17")
			case kind == "text" && field.AttrOr("inputmode", "") == "":
				answers++
				what := keep("the answer to "+name, fmt.Sprintf("canary %d told of %s", answers, strings.Map(plainWord, name)))
				if strings.Contains(field.AttrOr("autocomplete", ""), "tel") {
					what = keep("the answer to "+name, fmt.Sprintf("+1 555 %07d canary", 7730000+answers))
				}
				typed.Set(name, what)
			}
		})
		saved := person.ask(http.MethodPost, page, withDo(typed, "save"))
		person.wantTo(saved, "/portal")
		again := filledIn(person.form(page, ":shown"))
		r := person.ask(http.MethodPost, page, withDo(again, "submit"))
		if r.status != http.StatusSeeOther {
			t.Errorf("%s isn't taken: %d %s", page, r.status, r.doc().Find(".error").Text())
		}
	})
	if answers < 20 {
		t.Errorf("Fern typed %d answers only", answers)
	}

	// She forgets her password, and Olga hers, who then mistypes it.
	for name, email := range map[string]string{"Fern": "fern@mail.example", "Olga": olgasEmail} {
		v := site.visit(network())
		v.wantTo(v.post("/forgotten-password", "email", email), "/sign-in")
		link := h.letter(email, linkInLetter, join)
		keep("the link for a new password of "+name, strings.TrimPrefix(link, "/link/"))
		v.get(link)
		sing(name+", who opened it", v)
		v.want(v.post("/choose-password", "password", keep(name+"'s new password", "later canary of "+name+" sang on")), http.StatusSeeOther)
		sing(name+", who has a new password", v)
		stranger := site.visit(network())
		stranger.want(stranger.post("/sign-in", "email", email, "password", keep("a wrong password of "+name, "mistaken canary of "+name)), http.StatusUnprocessableEntity)
		stranger.want(stranger.post("/sign-in", "email", keep("a password where an address belongs, of "+name, "misplaced canary "+name), "password", "x"), http.StatusUnprocessableEntity)
	}

	listen := func(when string) {
		t.Helper()
		texts := map[string][]byte{"its log": []byte(site.log.String()), "what it printed": []byte(site.said.String())}
		for _, folder := range []string{h.folder, temp} {
			if err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
				if err != nil || entry.IsDir() {
					return err
				}
				texts[filepath.Base(path)], err = os.ReadFile(path) // nothing of this process has it open
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Contains(bytes.Join([][]byte{texts["anteroom.db"], texts["anteroom.db-wal"]}, nil), []byte("Fjordsdottir")) {
			t.Errorf("%s: even her name isn't there: this looks in the wrong place", when)
		}
		for where, text := range texts {
			for _, c := range canaries {
				if how := c.within(text); how != "" {
					t.Errorf("%s: %s holds %s %s", when, where, c.name, how)
				}
			}
			if where != "what it printed" && bytes.Contains(text, []byte(code)) {
				t.Errorf("%s: %s holds the set-up code", when, where)
			}
		}
	}
	listen("while it serves")
	site.stop(syscall.SIGKILL)
	listen("after it was killed")
	site = start(t, env, "serve")
	again := site.visit(network())
	again.want(again.post("/sign-in", "email", olgasEmail, "password", "later canary of Olga sang on"), http.StatusSeeOther)
	sing("Olga, halfway back", again)
	again.want(again.post("/second-step", "code", codes[0]), http.StatusSeeOther)
	again.want(again.get(client), http.StatusOK, "canary asked about the window seat") // it is all there, for who may read it
	sing("Olga, back again", again)
	listen("started again")
	site.stop(syscall.SIGTERM)
	listen("stopped")
}

func plainWord(r rune) rune {
	if r >= 'a' && r <= 'z' {
		return r
	}
	return '-'
}

func withDo(form url.Values, do string) url.Values {
	form.Set(":do", do)
	return form
}
