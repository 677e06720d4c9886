package practice_test

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"mime"
	netmail "net/mail"
	"os"
	program "os/exec"
	"regexp"
	"strconv"
	"testing"

	"anteroom/db"
	"anteroom/mail"
	"anteroom/mail/mailbox"
	"anteroom/practice"
	"anteroom/practice/cast"
)

// everyLetter has the practice write each kind of letter in a language, and returns them as they arrived.
func everyLetter(t *testing.T, language string, logo []byte) (arrived []mailbox.Letter) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	box, err := mailbox.Open(mailbox.Options{})
	must(err)
	t.Cleanup(func() { box.Close() })
	relay, err := mail.ParseRelay("smtp://" + box.Addr() + "?tls=none")
	must(err)
	from, err := db.ParseEmail("portal@willow.example")
	must(err)
	c := cast.New(t)
	withForms(t, c)
	p, _ := withOutbox(t, c, func(config *practice.Config) { config.Hosted = &practice.HostedMail{Relay: relay, From: from} })
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
	_, err = p.AddStaff(t.Context(), c.Olga, practice.StaffEntry{Name: "Nora Nash", Email: "nora@willow.example", Role: db.RoleTherapist})
	must(err)
	must(p.SendTestLetter(t.Context(), c.Olga))

	arrived, err = box.Wait(t.Context(), len(letterKinds))
	must(err)
	return arrived
}

// letterKinds are what everyLetter makes, and the test letter.
var letterKinds = []string{string(db.LetterInvitation), string(db.LetterForms), string(db.LetterJoinStaff), string(db.LetterNewPassword), string(db.LetterNewAddress), string(db.LetterOldAddress), "test"}

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
func asReceived(t *testing.T, l mailbox.Letter) []byte {
	t.Helper()
	parsed, err := netmail.ReadMessage(bytes.NewReader(l.Source))
	if err != nil {
		t.Fatal(err)
	}
	received := fmt.Sprintf("Return-Path: <%s>\r\nReceived: from relay.willow.example (relay.willow.example [93.184.215.14])\r\n\tby mx.mail.example with ESMTPS id 4Qx7 for <%s>; %s\r\n",
		l.EnvelopeFrom, l.EnvelopeTo, parsed.Header.Get("Date"))
	return append([]byte(received), l.Source...)
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
		arrived := everyLetter(t, which.language, which.logo)
		if len(arrived) != len(letterKinds) {
			t.Fatalf("%d letters for %d kinds", len(arrived), len(letterKinds))
		}
		for _, l := range arrived {
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
