package practice_test

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/png"
	"mime"
	netmail "net/mail"
	"net/url"
	"os"
	program "os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"anteroom/db"
	"anteroom/mail"
	"anteroom/mail/mailbox"
	"anteroom/practice"
	"anteroom/practice/cast"
)

// posted is a letter as it left.
type posted struct {
	kind, from, to string
	source         []byte
}

// post has every letter that may leave leave, and be accepted.
func post(t *testing.T, c *cast.Cast) (all []posted) {
	t.Helper()
	update(t, c, func(tx *db.Tx) error {
		claimed, err := tx.ClaimLetters(100, time.Minute)
		for _, l := range claimed {
			var secrets mail.Secrets
			if l.LinkID != 0 && err == nil {
				_, secrets.Link, err = tx.LinkToken(l.LinkID)
			}
			if err == nil {
				secrets.NotMeant, err = tx.LetterToken(l)
			}
			filled, wrong := mail.Fill(l.Data, secrets)
			all = append(all, posted{string(l.Kind), l.EnvelopeFrom, l.To.Envelope(), filled})
			err = errors.Join(err, wrong, tx.SettleLetter(db.Settlement{Letter: l, State: db.LetterAccepted}))
		}
		return err
	})
	return all
}

// everyLetter has the practice write each kind of letter in a language.
func everyLetter(t *testing.T, language string, logo []byte) (all []posted) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	box, err := mailbox.Open(mailbox.Options{}) // for the test letter, which waits in no outbox
	must(err)
	t.Cleanup(func() { box.Close() })
	relay, err := mail.ParseRelay("smtp://" + box.Addr() + "?tls=none")
	must(err)
	from, err := db.ParseEmail("portal@willow.example")
	must(err)
	c := cast.New(t)
	withForms(t, c)
	p := practice.New(c.DB, practice.Config{
		Public: &url.URL{Scheme: "https", Host: "portal.willow.example"}, Composer: composer(t), From: from, Hosted: &practice.HostedMail{Relay: relay, From: from},
	})
	must(p.StartMail(t.Context()))
	if logo != nil {
		must(p.ChangeLogo(t.Context(), c.Olga, logo))
	}
	for _, client := range []db.Client{c.Ann, c.Mia, c.Leo} {
		r, err := p.ClientToEdit(t.Context(), c.Olga.Staff, client.PublicID)
		must(err)
		fields := practice.FieldsOf(r)
		fields.Language = language
		must(p.ChangeClient(t.Context(), c.Olga.Staff, client.PublicID, fields))
	}
	for _, client := range []db.Client{c.Ann, c.Mia} { // an invitation, and word of forms
		draft, err := p.StartClientDraft(t.Context(), c.Tom, client.PublicID)
		must(err)
		must(p.SaveDraft(t.Context(), c.Tom, draft, practice.DraftChange{Forms: []string{"phq-9"}}))
		must(p.Send(t.Context(), c.Tom, draft, ""))
	}
	must(p.ForgotPassword(t.Context(), "mia@mail.example", "192.0.2.1"))
	must(newEmail(t, &cast.Cast{Practice: p}, c.Olga.Staff, c.Leo, "leo@oak.example")) // to the old and to the new address
	mia, err := p.Authenticate(t.Context(), c.Sessions["Mia"], false)
	must(err)
	for _, what := range practice.Notices() {
		update(t, c, func(tx *db.Tx) error { return p.Tell(tx, mia, what, practice.Browser{Words: "Firefox on Windows"}) })
	}
	_, err = p.AddStaff(t.Context(), c.Olga, practice.StaffEntry{Name: "Nora Nash", Email: "nora@willow.example", Role: db.RoleTherapist})
	must(err)
	must(p.SendTestLetter(t.Context(), c.Olga))
	tests, err := box.Wait(t.Context(), 1)
	must(err)
	all = append(post(t, c), posted{"test", tests[0].EnvelopeFrom, tests[0].EnvelopeTo, tests[0].Source})
	for range 8 { // days: time for a reminder of each kind
		c.Clock.Move(24 * time.Hour)
		_, err := p.Remind(t.Context())
		must(err)
		all = append(all, post(t, c)...)
	}
	var kinds []string
	for _, l := range all {
		kinds = append(kinds, l.kind)
	}
	slices.Sort(kinds)
	if got, want := strings.Join(slices.Compact(kinds), ", "), strings.Join(letterKinds(t), ", "); got != want {
		t.Fatalf("letters of the kinds %s; there are %s", got, want)
	}
	return all
}

// letterKinds are those that the outbox knows, as its source has them, and the test letter.
func letterKinds(t *testing.T) []string {
	t.Helper()
	source, err := os.ReadFile("../db/letter.go")
	if err != nil {
		t.Fatal(err)
	}
	kinds := []string{"test"}
	for _, m := range regexp.MustCompile(`(?m)^\tLetter\w+ +LetterKind = "(.+?)"`).FindAllSubmatch(source, -1) {
		kinds = append(kinds, string(m[1]))
	}
	slices.Sort(kinds)
	return kinds
}

func picture(t *testing.T) []byte {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, 240, 80))
	for i := range m.Pix {
		m.Pix[i] = byte(i * 31)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// asReceived is a letter with what the servers on its way add, so that nothing is judged for its absence. The relay's address
// is example.com's: those meant for examples are judged for themselves.
func asReceived(t *testing.T, l posted) []byte {
	t.Helper()
	parsed, err := netmail.ReadMessage(bytes.NewReader(l.source))
	if err != nil {
		t.Fatal(err)
	}
	received := fmt.Sprintf("Return-Path: <%s>\r\nReceived: from relay.willow.example (relay.willow.example [93.184.215.14])\r\n\tby mx.mail.example with ESMTPS id 4Qx7 for <%s>; %s\r\n",
		l.from, l.to, parsed.Header.Get("Date"))
	return append([]byte(received), l.source...)
}

// No letter of ours looks like spam. The judge is Debian's SpamAssassin with the rules that come with it; it asks nobody. A
// logo beside less than 3,200 bytes of HTML costs more than two points: the frame's styles keep every letter above that.
func TestNoLetterLooksLikeSpam(t *testing.T) {
	if os.Getenv("ANTEROOM_SPAMASSASSIN") == "" {
		t.Skip("set ANTEROOM_SPAMASSASSIN to have SpamAssassin judge every kind of letter")
	}
	const most = 2.0 // points; five make spam by default
	var all bytes.Buffer
	letters := 0
	for _, which := range []struct {
		language string
		logo     []byte
	}{{"en", nil}, {"es", picture(t)}} {
		for _, l := range everyLetter(t, which.language, which.logo) {
			letters++
			all.WriteString("From portal@willow.example Mon Nov  2 15:04:05 2026\n")
			all.Write(bytes.ReplaceAll(asReceived(t, l), []byte("\r\n"), []byte("\n")))
			all.WriteString("\n")
		}
	}
	command := program.Command("spamassassin", "--local", "--mbox", "--nocreate-prefs", "--siteconfigpath=/etc/spamassassin", "--cf=use_bayes 0", "--cf=use_auto_welcomelist 0", "--cf=report_safe 0", "--cf=fold_headers 0")
	command.Env = append(os.Environ(), "HOME="+t.TempDir(), "LC_ALL=C")
	command.Stdin = &all
	var complaint bytes.Buffer
	command.Stderr = &complaint
	judged, err := command.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, complaint.String())
	}
	verdict := regexp.MustCompile(`(?m)^X-Spam-Status: (?:Yes|No), score=(-?[0-9.]+) .*$`)
	seen := 0
	for _, judgement := range bytes.Split(judged, []byte("\nFrom portal@willow.example ")) { // in no order
		letter, err := netmail.ReadMessage(bytes.NewReader(judgement[bytes.IndexByte(judgement, '\n')+1:]))
		found := verdict.FindSubmatch(judgement)
		if err != nil || found == nil {
			t.Fatalf("no verdict: %v\n%s\n%s", err, judgement, complaint.String())
		}
		subject, err := new(mime.WordDecoder).DecodeHeader(letter.Header.Get("Subject"))
		if err != nil {
			t.Fatal(err)
		}
		name := letter.Header.Get("Content-Language") + ": " + subject
		t.Logf("%-70s %s", name, found[0])
		if score, err := strconv.ParseFloat(string(found[1]), 64); err != nil || score >= most {
			t.Errorf("%s: %s", name, found[0])
		}
		seen++
	}
	if seen != letters {
		t.Errorf("%d verdicts on %d letters\n%s", seen, letters, complaint.String())
	}
}
