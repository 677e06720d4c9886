package practice_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"anteroom/db"
	"anteroom/mail"
	"anteroom/mail/mailbox"
	"anteroom/practice"
	"anteroom/practice/cast"
	"anteroom/views"
)

// canary is a password that must be nowhere but where it is sealed, and on the wire.
const canary = "canary-Pa55word"

// relayBox is a mail server that asks for a password.
func relayBox(t *testing.T, options mailbox.Options) (*mailbox.Box, practice.MailFields) {
	t.Helper()
	options.Username, options.Password = "portal", canary
	box, err := mailbox.Open(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { box.Close() })
	host, port, _ := net.SplitHostPort(box.Addr())
	return box, practice.MailFields{Host: host, Port: port, Security: "none", From: "clinic@willow.example", SignIn: practice.SignInByPassword,
		Username: "portal", Password: canary}
}

// withOutbox is a practice on the cast's database whose outbox works. log is what it wrote.
func withOutbox(t *testing.T, c *cast.Cast, change func(*practice.Config)) (p *practice.Practice, log *bytes.Buffer) {
	t.Helper()
	composer, err := mail.NewComposer(views.Files)
	if err != nil {
		t.Fatal(err)
	}
	log = &bytes.Buffer{}
	worker := mail.NewWorker(c.DB, 2, slog.New(slog.NewTextHandler(log, nil)))
	nowhere, err := db.ParseEmail("portal@anteroom.invalid")
	if err != nil {
		t.Fatal(err)
	}
	config := practice.Config{Public: &url.URL{Scheme: "https", Host: "portal.willow.example"}, Composer: composer, From: nowhere, Outbox: worker}
	if change != nil {
		change(&config)
	}
	p = practice.New(c.DB, config)
	if err := p.StartMail(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- worker.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return p, log
}

func letterStates(t *testing.T, c *cast.Cast, staffID string) (states []db.LetterState) {
	t.Helper()
	if err := c.DB.View(t.Context(), func(tx *db.Tx) error {
		member, err := tx.Staff(staffID)
		if err != nil {
			return err
		}
		letters, err := tx.StaffLetters(member.ID)
		for _, l := range letters {
			states = append(states, l.State)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return states
}

// Letters wait while there is no mail server. What was written for no sender at all needs attention once there is one; what
// is written afterwards leaves, from the address that was set, though the outbox ran all the time.
func TestMailIsSetWhileLettersWait(t *testing.T) {
	c := cast.New(t)
	p, _ := withOutbox(t, c, nil)
	box, fields := relayBox(t, mailbox.Options{})
	early := added(t, p, c, "early@willow.example")
	if held := p.OutboxStatus().Held; !strings.Contains(held, "No mail server") {
		t.Errorf("held by %q", held)
	}
	aside, err := p.ChangeMail(t.Context(), c.Olga, fields)
	if err != nil || aside != 1 {
		t.Fatalf("%d set aside, %v", aside, err)
	}
	if states := letterStates(t, c, early); len(states) != 1 || states[0] != db.LetterNeedsAttention {
		t.Errorf("the letter written before: %v", states)
	}
	added(t, p, c, "late@willow.example")
	within, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if got, err := box.Wait(within, 1); err != nil || got[0].EnvelopeFrom != "clinic@willow.example" || got[0].EnvelopeTo != "late@willow.example" {
		t.Errorf("%+v, %v", got, err)
	}

	// Another program on the same data goes on with what is on file.
	again := practice.New(c.DB, practice.Config{Public: &url.URL{Scheme: "https", Host: "portal.willow.example"}})
	if err := again.StartMail(t.Context()); err != nil {
		t.Fatal(err)
	}
	s, err := again.MailSettings(t.Context(), c.Olga)
	if err != nil || !s.Set || s.Fault != "" || s.Fields.Host != fields.Host || s.Fields.Password != "" || !s.HasPassword || s.ChangedBy != "Olga Olson" {
		t.Errorf("%+v, %v", s, err)
	}
}

// A letter that waits for a mail server which isn't there leaves through the one that is set next. Forgotten settings send nothing.
func TestMailIsSetAnewWhileALetterWaits(t *testing.T) {
	c := cast.New(t)
	p, _ := withOutbox(t, c, nil)
	gone, wrong := relayBox(t, mailbox.Options{})
	gone.Close()
	if _, err := p.ChangeMail(t.Context(), c.Olga, wrong); err != nil {
		t.Fatal(err)
	}
	added(t, p, c, "waits@willow.example")
	box, right := relayBox(t, mailbox.Options{})
	if aside, err := p.ChangeMail(t.Context(), c.Olga, right); err != nil || aside != 0 {
		t.Fatalf("%d set aside, %v", aside, err)
	}
	within, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if got, err := box.Wait(within, 1); err != nil || got[0].EnvelopeTo != "waits@willow.example" {
		t.Errorf("%+v, %v", got, err)
	}
	for range 2 { // the second time there is nothing to forget
		if err := p.ForgetMail(t.Context(), c.Olga); err != nil {
			t.Fatal(err)
		}
	}
	s, err := p.MailSettings(t.Context(), c.Olga)
	if held := p.OutboxStatus().Held; err != nil || s.Set || s.HasPassword || !strings.Contains(held, "No mail server") {
		t.Errorf("%+v, held by %q, %v", s, held, err)
	}
}

func added(t *testing.T, p *practice.Practice, c *cast.Cast, email string) (id string) {
	t.Helper()
	m, err := p.AddStaff(t.Context(), c.Olga, practice.StaffEntry{Name: "New", Email: email, Role: db.RoleStaff})
	if err != nil {
		t.Fatal(err)
	}
	return m.PublicID
}

func TestMailSettingsThatAreWrong(t *testing.T) {
	c := cast.New(t)
	p, _ := withOutbox(t, c, nil)
	good := practice.MailFields{Provider: "google", Host: "smtp.example.com", Port: "587", Security: "starttls", From: "clinic@willow.example",
		SignIn: practice.SignInByPassword, Username: "portal", Password: canary, PerMinute: "30", PerDay: "2,000"}
	oauth := practice.MailFields{Host: "smtp.example.com", Port: "587", Security: "starttls", From: "clinic@willow.example", SignIn: practice.SignInByOAuth,
		Username: "portal", TokenURL: "https://login.example.com/token", ClientID: "id", Secret: canary}
	for _, c2 := range []struct {
		field  string
		from   practice.MailFields
		change func(*practice.MailFields)
	}{
		{"provider", good, func(f *practice.MailFields) { f.Provider = "nobody" }},
		{"host", good, func(f *practice.MailFields) { f.Host = "" }},
		{"host", good, func(f *practice.MailFields) { f.Host = "https://smtp.example.com" }},
		{"port", good, func(f *practice.MailFields) { f.Port = "smtp" }},
		{"port", good, func(f *practice.MailFields) { f.Port = "" }},
		{"port", good, func(f *practice.MailFields) { f.Port = "70000" }},
		{"security", good, func(f *practice.MailFields) { f.Security = "none" }},
		{"security", good, func(f *practice.MailFields) { f.Security = "" }},
		{"from", good, func(f *practice.MailFields) { f.From = "Willow" }},
		{"sign_in", good, func(f *practice.MailFields) { f.SignIn = "" }},
		{"username", good, func(f *practice.MailFields) { f.Username = "" }},
		{"password", good, func(f *practice.MailFields) { f.Password = "" }},
		{"per_minute", good, func(f *practice.MailFields) { f.PerMinute = "-1" }},
		{"per_day", good, func(f *practice.MailFields) { f.PerDay = "many" }},
		{"token_url", oauth, func(f *practice.MailFields) { f.TokenURL = "" }},
		{"token_url", oauth, func(f *practice.MailFields) {
			f.TokenURL = "https://login.microsoftonline.com/TENANT/oauth2/v2.0/token"
		}},
		{"token_url", oauth, func(f *practice.MailFields) { f.TokenURL = "http://login.example.com" }},
		{"client_id", oauth, func(f *practice.MailFields) { f.ClientID = "" }},
		{"client_secret", oauth, func(f *practice.MailFields) { f.Secret = "" }},
		{"username", oauth, func(f *practice.MailFields) { f.Username = "" }},
	} {
		f := c2.from
		c2.change(&f)
		_, err := p.ChangeMail(t.Context(), c.Olga, f)
		if wrong, ok := errors.AsType[practice.Invalid](err); !ok || wrong[c2.field] == "" || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: %v", c2.field, err)
		}
	}
	for _, f := range []practice.MailFields{good, oauth} {
		if _, err := p.ChangeMail(t.Context(), c.Olga, f); err != nil {
			t.Errorf("with %s: %v", f.SignIn, err)
		}
	}
	// The secrets on file stay while nothing is typed, but go to no other server.
	oauth.Secret = ""
	oauth.Scope = "mail"
	if _, err := p.ChangeMail(t.Context(), c.Olga, oauth); err != nil {
		t.Error(err)
	}
	for _, change := range []func(*practice.MailFields){
		func(f *practice.MailFields) { f.TokenURL = "https://thief.example/token" },
		func(f *practice.MailFields) { f.Host = "smtp.thief.example" },
		func(f *practice.MailFields) { f.Port = "2525" },
	} {
		f := oauth
		change(&f)
		_, err := p.ChangeMail(t.Context(), c.Olga, f)
		if wrong, ok := errors.AsType[practice.Invalid](err); !ok || !strings.Contains(wrong["client_secret"], "again") {
			t.Errorf("secrets on file would go to %s and %s: %v", f.Host, f.TokenURL, err)
		}
	}
	if _, err := p.ChangeMail(t.Context(), c.Olga, good); err != nil {
		t.Error(err)
	}
	good.Password = ""
	for _, change := range []func(*practice.MailFields){
		func(f *practice.MailFields) { f.Host = "smtp.thief.example" },
		func(f *practice.MailFields) { f.Port = "2525" },
		func(f *practice.MailFields) { f.Username = "thief" },
		func(f *practice.MailFields) { f.Security = "tls" },
	} {
		f := good
		change(&f)
		_, err := p.ChangeMail(t.Context(), c.Olga, f)
		if wrong, ok := errors.AsType[practice.Invalid](err); !ok || !strings.Contains(wrong["password"], "again") || !strings.Contains(wrong["password"], "encryption") {
			t.Errorf("the password on file would go to %s:%s: %v", f.Host, f.Port, err)
		}
	}
	good.Password, good.PerMinute = canary, ""
	if _, err := p.ChangeMail(t.Context(), c.Olga, good); err != nil {
		t.Error(err)
	}
	// An older page may not overwrite newer settings unseen.
	good.From, good.Version, good.PerMinute = "other@willow.example", "older", "9"
	_, err := p.ChangeMail(t.Context(), c.Olga, good)
	if wrong, ok := errors.AsType[practice.Invalid](err); !ok || !strings.Contains(wrong["version"], "From address “clinic@willow.example”, letters a minute “no limit”") {
		t.Errorf("%v", err)
	}
}

func TestMailNeedsAPublicAddress(t *testing.T) {
	c := cast.New(t)
	p, _ := withOutbox(t, c, func(config *practice.Config) { config.Public = cast.Public })
	_, err := p.ChangeMail(t.Context(), c.Olga, practice.MailFields{Host: "smtp.example.com", Port: "587", Security: "starttls", From: "clinic@willow.example", SignIn: practice.SignInNever})
	if wrong, ok := errors.AsType[practice.Invalid](err); !ok || !strings.Contains(wrong["host"], "ANTEROOM_URL") {
		t.Error(err)
	}
	_, fields := relayBox(t, mailbox.Options{})
	if _, err := p.ChangeMail(t.Context(), c.Olga, fields); err != nil {
		t.Errorf("a mail server on this machine: %v", err)
	}
}

// What the host sets comes first, also before what is on file, and can't be changed on the screen.
func TestHostsMailComesFirst(t *testing.T) {
	c := cast.New(t)
	own, fields := relayBox(t, mailbox.Options{})
	first, _ := withOutbox(t, c, nil)
	if _, err := first.ChangeMail(t.Context(), c.Olga, fields); err != nil {
		t.Fatal(err)
	}
	hosts, hostFields := relayBox(t, mailbox.Options{})
	relay, err := mail.ParseRelay("smtp://portal:" + canary + "@" + net.JoinHostPort(hostFields.Host, hostFields.Port) + "?tls=none")
	if err != nil {
		t.Fatal(err)
	}
	from, err := db.ParseEmail("host@willow.example")
	if err != nil {
		t.Fatal(err)
	}
	p := practice.New(c.DB, practice.Config{Public: cast.Public, Composer: composer(t), Hosted: &practice.HostedMail{Relay: relay, From: from, Source: "ANTEROOM_SMTP_URL"}})
	if err := p.StartMail(t.Context()); err != nil {
		t.Fatal(err)
	}
	s, err := p.MailSettings(t.Context(), c.Olga)
	if err != nil || s.Hosted != "ANTEROOM_SMTP_URL" || s.Fields.From != "host@willow.example" || s.Fields.Port != hostFields.Port || s.Fields.Password != "" || !s.HasPassword {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := p.ChangeMail(t.Context(), c.Olga, fields); !errors.Is(err, practice.ErrNotAllowed) {
		t.Error(err)
	}
	if err := p.ForgetMail(t.Context(), c.Olga); !errors.Is(err, practice.ErrNotAllowed) {
		t.Error(err)
	}
	if err := p.SendTestLetter(t.Context(), c.Olga); err != nil {
		t.Fatal(err)
	}
	if len(hosts.List()) != 1 || len(own.List()) != 0 {
		t.Errorf("the host's server has %d letters, the other %d", len(hosts.List()), len(own.List()))
	}
}

// Some mail servers refuse whoever says to be localhost.
func TestMailServerHearsOurPublicName(t *testing.T) {
	heard := make(chan string, 1)
	box, fields := relayBox(t, mailbox.Options{Script: mailbox.Script{Hello: func(c mailbox.Conn) error {
		heard <- c.Helo()
		return nil
	}}})
	relay, err := mail.ParseRelay("smtp://portal:" + canary + "@" + box.Addr() + "?tls=none")
	if err != nil {
		t.Fatal(err)
	}
	for name, hosted := range map[string]*practice.HostedMail{"the host's": {Relay: relay}, "an administrator's": nil} {
		c := cast.New(t)
		p, _ := withOutbox(t, c, func(config *practice.Config) {
			if config.Hosted = hosted; hosted != nil {
				hosted.From = config.From
			}
		})
		if hosted == nil {
			if _, err := p.ChangeMail(t.Context(), c.Olga, fields); err != nil {
				t.Fatal(err)
			}
		}
		if err := p.SendTestLetter(t.Context(), c.Olga); err != nil {
			t.Fatal(err)
		}
		if got := <-heard; got != "portal.willow.example" {
			t.Errorf("%s relay heard %q", name, got)
		}
	}
}

func composer(t *testing.T) *mail.Composer {
	t.Helper()
	made, err := mail.NewComposer(views.Files)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// A test letter goes out though the outbox is paused; what was said holds no secret, nor does anything else that is kept.
func TestTestLetter(t *testing.T) {
	on := &folder{T: t}
	c := cast.New(on)
	p, log := withOutbox(t, c, nil)
	if err := p.SendTestLetter(t.Context(), c.Olga); !strings.Contains(err.Error(), "no mail server to test") {
		t.Error(err)
	}
	box, fields := relayBox(t, mailbox.Options{})
	if _, err := p.ChangeMail(t.Context(), c.Olga, fields); err != nil {
		t.Fatal(err)
	}
	if err := p.PauseOutbox(t.Context(), c.Olga); err != nil {
		t.Fatal(err)
	}
	if err := p.SendTestLetter(t.Context(), c.Olga); err != nil {
		t.Fatal(err)
	}
	test := p.LastMailTest(c.Olga)
	if test == nil || test.Outcome != mail.Accepted || len(box.List()) != 1 || !strings.Contains(box.List()[0].Text, "test letter that you asked for") {
		t.Fatalf("%+v", test)
	}
	said := ""
	for _, s := range test.Dialogue {
		said += s.Line + "\n"
	}
	for _, words := range []string{"EHLO", "AUTH", "(hidden)", "MAIL FROM", "RCPT TO", "250"} {
		if !strings.Contains(said, words) {
			t.Errorf("%q isn't in the dialogue:\n%s", words, said)
		}
	}
	// It is refused: the verdict says what that means.
	fields.Password = "wrong-" + canary
	if _, err := p.ChangeMail(t.Context(), c.Olga, fields); err != nil {
		t.Fatal(err)
	}
	if test := p.LastMailTest(c.Olga); test != nil {
		t.Errorf("the earlier settings' test is told as if it were of these: %+v", test)
	}
	if err := p.SendTestLetter(t.Context(), c.Olga); err != nil {
		t.Fatal(err)
	}
	if test := p.LastMailTest(c.Olga); test.Outcome == mail.Accepted || test.Meaning != "Our mail server doesn't let us sign in." || !strings.HasPrefix(test.Advice, "Check the user name and the password") || !strings.HasPrefix(test.Words, "535 ") {
		t.Errorf("%+v", test)
	} else {
		for _, s := range test.Dialogue {
			said += s.Line + "\n"
		}
		said += test.Reply
	}
	if err := p.SendTestLetter(t.Context(), c.Olga); err != nil {
		t.Fatal(err)
	}
	if err := p.SendTestLetter(t.Context(), c.Olga); err == nil || !strings.Contains(err.Error(), "Wait a minute") {
		t.Errorf("a fourth test at once: %v", err)
	}
	c.Clock.Move(61 * time.Second)
	if err := p.SendTestLetter(t.Context(), c.Olga); err != nil {
		t.Error(err)
	}
	var audit string
	if err := c.DB.View(t.Context(), func(tx *db.Tx) error {
		rows, err := tx.Query("SELECT act, detail FROM audit_entries ORDER BY id")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var act, detail string
			if err := rows.Scan(&act, &detail); err != nil {
				return err
			}
			audit += act + ": " + detail + "\n"
		}
		return rows.Err()
	}); err != nil {
		t.Fatal(err)
	}
	if strings.Count(audit, "had a test letter sent") != 4 || !strings.Contains(audit, "changed the mail settings: ") || !strings.Contains(audit, "secrets") {
		t.Error(audit)
	}
	for what, text := range map[string]string{"dialogue": said, "audit log": audit, "log": log.String()} {
		for _, secret := range []string{canary, "AHBvcnRhbABjYW5hcnkt"} { // the second as PLAIN encodes it
			if strings.Contains(text, secret) {
				t.Errorf("the %s holds %s:\n%s", what, secret, text)
			}
		}
	}
	if err := filepath.WalkDir(on.path, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if bytes.Contains(data, []byte(canary)) {
			t.Errorf("%s holds the password", d.Name())
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}
