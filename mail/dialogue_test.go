package mail

import (
	"encoding/base64"
	"fmt"
	"net"
	"regexp"
	"strings"
	"testing"

	"github.com/emersion/go-smtp"
	"github.com/google/go-cmp/cmp"

	"anteroom/mail/mailbox"
)

// script is a dialogue as a screen has it, without what differs from run to run.
func script(d Dialogue) []string {
	var lines []string
	for _, s := range d {
		who := "relay: "
		if s.Ours {
			who = "us: "
		}
		line := regexp.MustCompile(`127\.0\.0\.1:\d+`).ReplaceAllString(s.Line, "HOST")
		line = regexp.MustCompile(`SIZE \d+$`).ReplaceAllString(line, "SIZE N")
		line = regexp.MustCompile(`TLS 1\.\d, \w+`).ReplaceAllString(line, "TLS")
		lines = append(lines, who+regexp.MustCompile(`until .*\)`).ReplaceAllString(line, "until DATE)"))
	}
	return lines
}

func trySmall(t *testing.T, r Relay) ([]string, Result) {
	t.Helper()
	d, result := r.Try(t.Context(), email(t, "hello@harbor.example"), email(t, "ann@mail.example"), []byte(small))
	for i := 1; i < len(d); i++ {
		if d[i].After < d[i-1].After {
			t.Errorf("%q was said before what it answers", d[i].Line)
		}
	}
	return script(d), result
}

func TestTryTellsTheWholeDialogue(t *testing.T) {
	config, roots := certificate(t)
	b := box(t, mailbox.Options{TLS: config, Username: "harbor", Password: "hunter2hunter2", Mechanisms: []string{"PLAIN"}})
	r := relayTo(t, "smtp://harbor:hunter2hunter2@"+b.Addr())
	r.roots = roots
	got, result := trySmall(t, r)
	if result.Outcome != Accepted || len(b.List()) != 1 {
		t.Fatalf("%+v", result)
	}
	want := []string{
		"us: (connecting to HOST)",
		"relay: 220 localhost ESMTP Service Ready",
		"us: EHLO portal.harbor.example",
		"relay: 250-Hello portal.harbor.example", "relay: 250-PIPELINING", "relay: 250-8BITMIME", "relay: 250-ENHANCEDSTATUSCODES", "relay: 250-CHUNKING",
		"relay: 250-STARTTLS", "relay: 250-SMTPUTF8", "relay: 250-SIZE N", "relay: 250 LIMITS RCPTMAX=50",
		"us: STARTTLS",
		"relay: 220 2.0.0 Ready to start TLS",
		"us: (encrypted with TLS)",
		"us: (its certificate: O=Acme Co; issued by O=Acme Co; valid until DATE)",
		"us: EHLO portal.harbor.example",
		"relay: 250-Hello portal.harbor.example", "relay: 250-PIPELINING", "relay: 250-8BITMIME", "relay: 250-ENHANCEDSTATUSCODES", "relay: 250-CHUNKING",
		"relay: 250-AUTH PLAIN", "relay: 250-SMTPUTF8", "relay: 250-SIZE N", "relay: 250 LIMITS RCPTMAX=50",
		"us: AUTH PLAIN (hidden)",
		"relay: 235 2.0.0 Authentication succeeded",
		"us: MAIL FROM:<hello@harbor.example> BODY=8BITMIME SIZE=32",
		"relay: 250 2.0.0 Roger, accepting mail from <hello@harbor.example>",
		"us: RCPT TO:<ann@mail.example>",
		"relay: 250 2.0.0 I'll make sure <ann@mail.example> gets this",
		"us: DATA",
		"relay: 354 Go ahead. End your data with <CR><LF>.<CR><LF>",
		"us: (the letter, 32 bytes)",
		"relay: 250 2.0.0 OK: queued",
		"us: QUIT",
		"relay: 221 2.0.0 Bye",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestTryTellsHowFarItCame(t *testing.T) {
	config, roots := certificate(t)
	no := &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "No such user"}
	for _, c := range []struct {
		name    string
		options mailbox.Options
		url     string
		want    Outcome
		last    []string // lines of it, in this order
		never   string
	}{
		{"a wrong password", mailbox.Options{TLS: config, Implicit: true, Username: "harbor", Password: "x"}, "smtps://harbor:hunter2hunter2@%s", NotSent,
			[]string{"us: AUTH PLAIN (hidden)", "relay: 535 "}, "us: *"},
		{"word by word", mailbox.Options{TLS: config, Implicit: true, Username: "harbor", Password: "x", Mechanisms: []string{"LOGIN"}}, "smtps://harbor:hunter2hunter2@%s", NotSent,
			[]string{"us: AUTH LOGIN (hidden)", "relay: 334 UGFzc3dvcmQ6", "us: (hidden)", "relay: 535 "}, "us: *"},
		{"a stranger's certificate", mailbox.Options{TLS: config, Implicit: true}, "smtps://localhost:%p", NotSent,
			[]string{"us: (connecting to localhost", "us: (its certificate: O=Acme Co"}, "EHLO"},
		{"no such mailbox", mailbox.Options{Script: mailbox.Script{Rcpt: func(mailbox.Conn, string) error { return no }}}, "smtp://%s?tls=none", Rejected,
			[]string{"us: RCPT TO:<ann@mail.example>", "relay: 550 5.1.1 No such user", "us: RSET", "us: QUIT", "relay: 221"}, "us: DATA"},
		{"it hangs up", mailbox.Options{Script: mailbox.Script{Mail: func(c mailbox.Conn, _ string) error { c.HangUp(); return nil }}}, "smtp://%s?tls=none", Deferred,
			[]string{"us: MAIL FROM:"}, "us: RCPT"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := box(t, c.options)
			_, port, _ := net.SplitHostPort(b.Addr())
			r := relayTo(t, strings.NewReplacer("%s", b.Addr(), "%p", port).Replace(c.url))
			r.roots = roots
			got, result := trySmall(t, r)
			all := strings.Join(got, "\n")
			if result.Outcome != c.want {
				t.Errorf("%+v", result)
			}
			rest := all
			for _, line := range c.last {
				_, after, found := strings.Cut(rest, line)
				if !found {
					t.Errorf("no %q in\n%s", line, all)
				}
				rest = after
			}
			if strings.Contains(all, c.never) || strings.Contains(all, "hunter2") || strings.Contains(all, base64.StdEncoding.EncodeToString([]byte("hunter2hunter2"))) {
				t.Errorf("it says too much:\n%s", all)
			}
		})
	}
}

func TestSecretsStayHiddenWhenARelayRepeatsThem(t *testing.T) {
	r := relayTo(t, "smtp://harbor:hunter2hunter2@"+talker(t, func(_ net.Conn, line string) string {
		switch {
		case strings.HasPrefix(line, "EHLO"):
			return "250-ok\r\n250 AUTH PLAIN"
		case strings.HasPrefix(line, "AUTH"):
			blob := strings.TrimPrefix(line, "AUTH PLAIN ")
			plain, _ := base64.StdEncoding.DecodeString(blob)
			return fmt.Sprintf("535 wrong: %s is %q", blob, plain)
		}
		return byTheBook(line)
	})+"?tls=none")
	got, result := trySmall(t, r)
	if all := strings.Join(got, "\n"); !strings.Contains(all, "relay: 535 wrong: (hidden) is ") || strings.Contains(all, "hunter2") {
		t.Error(all)
	}
	if result.Trouble == nil || strings.Contains(result.Trouble.Reason, "hunter2") {
		t.Errorf("%+v", result.Trouble)
	}
}

func TestRepliesHaveAnEnd(t *testing.T) {
	for name, reply := range map[string]string{
		"many lines":      strings.Repeat("250-and so on\r\n", 10_000) + "250 end",
		"one line":        "250 " + strings.Repeat("x", 5000),
		"more than asked": "250 ok\r\n250 ok\r\n250 ok",
	} {
		t.Run(name, func(t *testing.T) {
			r := relayTo(t, "smtp://"+talker(t, func(_ net.Conn, line string) string {
				if strings.HasPrefix(line, "RCPT") {
					return reply
				}
				return byTheBook(line)
			})+"?tls=none")
			l := lineTo(t, r)
			if got := sendSmall(t, l); got.Outcome != Deferred || l.client != nil {
				t.Errorf("%+v, the connection was kept: %v", got, l.client != nil)
			}
		})
	}
	r := relayTo(t, "smtp://"+talker(t, func(_ net.Conn, line string) string {
		if line == "DATA" {
			return "354 go on\r\n250 ok"
		}
		return byTheBook(line)
	})+"?tls=none")
	if got := sendSmall(t, lineTo(t, r)); got.Outcome != Deferred {
		t.Errorf("a verdict before the letter: %+v", got)
	}
}
