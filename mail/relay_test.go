package mail

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"anteroom/mail/mailbox"
)

func TestParseRelay(t *testing.T) {
	for s, want := range map[string]string{
		"smtp://user:p%40ss@mail.example.com:2525": "smtp://mail.example.com:2525",
		"smtp://mail.example.com":                  "smtp://mail.example.com:587",
		"smtps://user:pass@mail.example.com/":      "smtps://mail.example.com:465",
		"smtp://localhost:25?tls=none":             "smtp://localhost:25",
		"smtp://[::1]?tls=none":                    "smtp://[::1]:587",
		"smtp://user:pass@127.0.0.1?tls=none":      "smtp://127.0.0.1:587",
	} {
		r, err := ParseRelay(s)
		if err != nil || r.String() != want {
			t.Errorf("%s: %v, %v", s, r, err)
		}
	}
	for s, want := range map[string]string{
		"":                            "smtp://",
		"mail.example.com:587":        "smtp://",
		"http://mail.example.com":     "smtp://",
		"smtp://":                     "no host",
		"smtp://user@mail.example":    "both a user and a password",
		"smtp://:hunter2@host":        "both",
		"smtp://user:hunter2@host/x":  "ends with the port",
		"smtp://user:hunter2%zz@host": "hexadecimal",
		"smtp://user:hunter2@host:xx": "can't be read",
		"smtp://user:hunter2@host:0":  "port",
		"smtp://user:hunter2@mail.example.com?tls=none": "on this machine only",
		"smtps://user:hunter2@127.0.0.1?tls=none":       "contradict",
		"smtp://user:hunter2@127.0.0.1?tls=off":         "these options only",
		"smtp://user:hunter2@127.0.0.1?insecure=1":      "these options only",
	} {
		_, err := ParseRelay(s)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", s, err)
		}
	}
}

var hasty = patience{connect: 5 * time.Second, command: 5 * time.Second, write: 5 * time.Second, letter: 30 * time.Second, verdict: 5 * time.Second}

// relayTo is the relay at a test's address.
func relayTo(t testing.TB, url string) Relay {
	t.Helper()
	r, err := ParseRelay(url)
	if err != nil {
		t.Fatal(err)
	}
	r.Hello, r.patience = "portal.harbor.example", hasty
	return r
}

func box(t testing.TB, o mailbox.Options) *mailbox.Box {
	t.Helper()
	b, err := mailbox.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func lineTo(t testing.TB, r Relay) *Line {
	l := r.Line()
	t.Cleanup(l.Close)
	return l
}

// certificate is one for 127.0.0.1, and who vouches for it.
func certificate(t *testing.T) (*tls.Config, *x509.CertPool) {
	s := httptest.NewTLSServer(nil)
	t.Cleanup(s.Close)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return &tls.Config{Certificates: s.TLS.Certificates}, roots
}

const small = "Subject: x\r\n\r\n.dots\r\nand lines\r\n"

func sendSmall(t testing.TB, l *Line) Result {
	t.Helper()
	return l.Send(t.Context(), email(t, "hello@harbor.example"), email(t, "ann@mail.example"), []byte(small))
}

func TestLettersTravelSignedInAndEncrypted(t *testing.T) {
	config, roots := certificate(t)
	for _, c := range []struct {
		name, scheme, query string
		options             mailbox.Options
		hellos              string
	}{
		{"STARTTLS", "smtp", "", mailbox.Options{TLS: config}, "[portal.harbor.example false portal.harbor.example true]"},
		{"implicit TLS", "smtps", "", mailbox.Options{TLS: config, Implicit: true}, "[portal.harbor.example true]"},
		{"on this machine", "smtp", "?tls=none", mailbox.Options{}, "[portal.harbor.example false]"},
		{"AUTH LOGIN", "smtps", "", mailbox.Options{TLS: config, Implicit: true, Mechanisms: []string{"LOGIN"}}, "[portal.harbor.example true]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var hellos []string
			c.options.Username, c.options.Password = "harbor", "s3:cret@"
			c.options.Script.Hello = func(c mailbox.Conn) error {
				hellos = append(hellos, fmt.Sprint(c.Helo(), " ", c.Secure()))
				return nil
			}
			b := box(t, c.options)
			r := relayTo(t, c.scheme+"://harbor:s3%3Acret%40@"+b.Addr()+c.query)
			r.roots = roots
			l := lineTo(t, r)
			for i := range 3 {
				result := sendSmall(t, l)
				if result.Outcome != Accepted || !strings.HasPrefix(result.Reply, "250 ") {
					t.Fatalf("%d: %+v", i, result)
				}
			}
			letters, err := b.Wait(t.Context(), 3)
			if err != nil {
				t.Fatal(err)
			}
			if l := letters[0]; string(l.Source) != small || l.EnvelopeFrom != "hello@harbor.example" || l.EnvelopeTo != "ann@mail.example" {
				t.Errorf("%+v", l)
			}
			if got := fmt.Sprint(hellos); got != c.hellos {
				t.Errorf("three letters: %s, want %s", got, c.hellos)
			}
		})
	}
}

func TestTroubleKeepsEveryLetterBack(t *testing.T) {
	config, roots := certificate(t)
	closed := box(t, mailbox.Options{})
	closed.Close()
	answer := func(code int) mailbox.Script {
		e := &smtp.SMTPError{Code: code, Message: "no"}
		return mailbox.Script{Hello: func(mailbox.Conn) error { return e }}
	}
	mail := func(code int) mailbox.Script {
		e := &smtp.SMTPError{Code: code, Message: "no"}
		return mailbox.Script{Mail: func(mailbox.Conn, string) error { return e }}
	}
	rcpt := func(code int, enhanced ...int) mailbox.Script {
		e := &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode(enhanced), Message: "no"}
		return mailbox.Script{Rcpt: func(mailbox.Conn, string) error { return e }}
	}
	for _, c := range []struct {
		name    string
		options mailbox.Options
		url     string // of the box's address
		roots   *x509.CertPool
		alarm   bool
		reason  string
	}{
		{"nobody listens", mailbox.Options{}, "smtp://" + closed.Addr(), nil, false, "can't be reached"},
		{"it has no TLS", mailbox.Options{}, "smtp://%s", nil, true, "STARTTLS"},
		{"a certificate nobody vouches for", mailbox.Options{TLS: config}, "smtp://%s", x509.NewCertPool(), true, "certificate"},
		{"the same from the start", mailbox.Options{TLS: config, Implicit: true}, "smtps://%s", x509.NewCertPool(), true, "certificate"},
		{"no TLS where it was expected", mailbox.Options{}, "smtps://%s", roots, true, "secure"},
		{"a wrong password", mailbox.Options{TLS: config, Username: "harbor", Password: "x"}, "smtp://harbor:hunter2@%s", roots, true, "535"},
		{"no way to sign in", mailbox.Options{TLS: config, Username: "harbor", Password: "x", Mechanisms: []string{"XOAUTH2"}}, "smtp://harbor:hunter2@%s", roots, true, "no way to sign in"},
		{"it is full", mailbox.Options{Script: answer(421)}, "smtp://%s?tls=none", nil, false, "421"},
		{"it wants nothing of us", mailbox.Options{Script: answer(554)}, "smtp://%s?tls=none", nil, true, "554"},
		{"it wants a password", mailbox.Options{Username: "harbor", Password: "x"}, "smtp://%s?tls=none", nil, true, "530"},
		{"it lets nobody in without encryption", mailbox.Options{Username: "harbor", Password: "x"}, "smtp://harbor:x@%s", nil, true, "STARTTLS"},
		{"the day's limit is used up", mailbox.Options{Script: rcpt(550, 5, 4, 5)}, "smtp://%s?tls=none", nil, true, "550 5.4.5"},
		{"our sender is blocked", mailbox.Options{Script: rcpt(550, 5, 1, 8)}, "smtp://%s?tls=none", nil, true, "550 5.1.8"},
		{"we may not send as this sender", mailbox.Options{Script: rcpt(550, 5, 7, 60)}, "smtp://%s?tls=none", nil, true, "5.7.60"},
		{"our organization is blocked", mailbox.Options{Script: rcpt(550, 5, 7, 705)}, "smtp://%s?tls=none", nil, true, "5.7.705"},
		{"it refuses the sender", mailbox.Options{Script: mail(553)}, "smtp://%s?tls=none", nil, true, "553"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := box(t, c.options)
			if strings.Contains(c.url, "%s") {
				c.url = fmt.Sprintf(c.url, b.Addr())
			}
			r := relayTo(t, c.url)
			r.roots = c.roots
			got := sendSmall(t, lineTo(t, r))
			if got.Outcome != NotSent || got.Trouble == nil {
				t.Fatalf("%+v", got)
			}
			if got.Trouble.Alarm != c.alarm || !strings.Contains(got.Trouble.Reason, c.reason) || strings.Contains(got.Trouble.Reason, "hunter2") {
				t.Errorf("%+v", got.Trouble)
			}
			if len(b.List()) > 0 {
				t.Error("it took a letter")
			}
		})
	}
}

func TestOutcomeOfEachAnswer(t *testing.T) {
	var next atomic.Pointer[mailbox.Script] // of the next letter
	next.Store(&mailbox.Script{})
	b := box(t, mailbox.Options{Script: mailbox.Script{
		Mail: func(c mailbox.Conn, from string) error { return play(next.Load().Mail, c, from) },
		Rcpt: func(c mailbox.Conn, to string) error { return play(next.Load().Rcpt, c, to) },
		Data: func(c mailbox.Conn, l mailbox.Letter) error { return play(next.Load().Data, c, l) },
		Kept: func(c mailbox.Conn, l mailbox.Letter) error { return play(next.Load().Kept, c, l) },
	}})
	address := func(code int) func(mailbox.Conn, string) error {
		return func(c mailbox.Conn, _ string) error {
			if code == 0 {
				c.HangUp()
			}
			return &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{code / 100, 1, 1}, Message: "for a reason"}
		}
	}
	data := func(code int) func(mailbox.Conn, mailbox.Letter) error {
		return func(c mailbox.Conn, _ mailbox.Letter) error { return address(code)(c, "") }
	}
	l := lineTo(t, relayTo(t, "smtp://"+b.Addr()+"?tls=none"))
	for _, c := range []struct {
		name    string
		script  mailbox.Script
		outcome Outcome
		reply   string
	}{
		{"MAIL 451", mailbox.Script{Mail: address(451)}, Deferred, "451 4.1.1 for a reason"},
		{"MAIL 552", mailbox.Script{Mail: address(552)}, Rejected, "552 5.1.1 for a reason"},
		{"RCPT 550", mailbox.Script{Rcpt: address(550)}, Rejected, "550 5.1.1 for a reason"},
		{"RCPT 450", mailbox.Script{Rcpt: address(450)}, Deferred, "450 4.1.1 for a reason"},
		{"RCPT 421", mailbox.Script{Rcpt: address(421)}, Deferred, "421 4.1.1 for a reason"},
		{"RCPT 530", mailbox.Script{Rcpt: address(530)}, NotSent, ""},
		{"RCPT dropped", mailbox.Script{Rcpt: address(0)}, Deferred, "The connection to the mail server broke: EOF"},
		{"end 554", mailbox.Script{Data: data(554)}, Rejected, "554 5.1.1 for a reason"},
		{"end 452", mailbox.Script{Data: data(452)}, Deferred, "452 4.1.1 for a reason"},
		{"end 421", mailbox.Script{Data: data(421)}, Deferred, "421 4.1.1 for a reason"},
		{"end 251", mailbox.Script{Kept: data(251)}, Accepted, "251 2.1.1 for a reason"},
		{"end 354", mailbox.Script{Kept: data(354)}, Uncertain, "No clear reply came after the letter: 354 3.1.1 for a reason"},
		{"end dropped", mailbox.Script{Kept: data(0)}, Uncertain, "No clear reply came after the letter: EOF"},
	} {
		t.Run(c.name, func(t *testing.T) {
			next.Store(&c.script)
			if got := sendSmall(t, l); got.Outcome != c.outcome || got.Reply != c.reply {
				t.Errorf("got %+v", got)
			}
			next.Store(&mailbox.Script{})
			if got := sendSmall(t, l); got.Outcome != Accepted {
				t.Errorf("the letter after it: %+v", got)
			}
		})
	}
}

func play[T any](f func(mailbox.Conn, T) error, c mailbox.Conn, about T) error {
	if f == nil {
		return nil
	}
	return f(c, about)
}

// talker is a relay that speaks by the book until somebody says otherwise: for
// each line it reads, answer returns the reply, or "" to say nothing.
func talker(t *testing.T, answer func(c net.Conn, line string) string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { c.Close() })
			go func() {
				fmt.Fprint(c, "220 ready\r\n")
				lines := bufio.NewScanner(c)
				for lines.Scan() {
					if reply := answer(c, lines.Text()); reply != "" {
						fmt.Fprint(c, reply+"\r\n")
					}
				}
			}()
		}
	}()
	return listener.Addr().String()
}

// byTheBook answers a command; of a letter's lines it knows only the last.
func byTheBook(line string) string {
	verb, _, _ := strings.Cut(line, " ")
	switch verb {
	case "EHLO", "MAIL", "RCPT", "RSET", ".":
		return "250 ok"
	case "DATA":
		return "354 go on"
	case "QUIT":
		return "221 bye"
	}
	return ""
}

func TestRelayThatHangs(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer func(c net.Conn, line string) string
		want   Outcome
	}{
		{"at the greeting", func(net.Conn, string) string { return "" }, NotSent},
		{"at RCPT", func(_ net.Conn, line string) string {
			if strings.HasPrefix(line, "RCPT") {
				return ""
			}
			return byTheBook(line)
		}, Deferred},
		{"after the dot", func(_ net.Conn, line string) string {
			if line == "." {
				return ""
			}
			return byTheBook(line)
		}, Uncertain},
		{"within its reply to the dot", func(_ net.Conn, line string) string {
			if line == "." {
				return "250-ok so far"
			}
			return byTheBook(line)
		}, Uncertain},
		{"with nonsense after the dot", func(_ net.Conn, line string) string {
			if line == "." {
				return "all right"
			}
			return byTheBook(line)
		}, Uncertain},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := relayTo(t, "smtp://"+talker(t, c.answer)+"?tls=none")
			r.patience = patience{connect: 50 * time.Millisecond, command: 50 * time.Millisecond, write: 50 * time.Millisecond, letter: 5 * time.Second, verdict: 50 * time.Millisecond}
			if got := sendSmall(t, r.Line()); got.Outcome != c.want {
				t.Errorf("got %+v", got)
			}
		})
		if c.want == NotSent {
			continue
		}
		t.Run(c.name+", and nobody waits", func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			r := relayTo(t, "smtp://"+talker(t, func(conn net.Conn, line string) string {
				reply := c.answer(conn, line)
				if reply == "" && strings.HasPrefix(line, "RCPT") || line == "." {
					cancel()
				}
				return reply
			})+"?tls=none")
			got := r.Line().Send(ctx, email(t, "hello@harbor.example"), email(t, "ann@mail.example"), []byte(small))
			cancel()
			if got.Outcome != c.want {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestRelayThatStopsReading(t *testing.T) {
	hold := make(chan struct{})
	t.Cleanup(func() { close(hold) })
	r := relayTo(t, "smtp://"+talker(t, func(_ net.Conn, line string) string {
		if strings.HasPrefix(line, "x") {
			<-hold
		}
		return byTheBook(line)
	})+"?tls=none")
	r.patience.write = 50 * time.Millisecond
	huge := strings.Repeat(strings.Repeat("x", 70)+"\r\n", 200_000)
	got := r.Line().Send(t.Context(), email(t, "hello@harbor.example"), email(t, "ann@mail.example"), []byte(huge))
	if got.Outcome != Deferred {
		t.Errorf("got %+v", got)
	}
}

// cutAtTheDot is a network that breaks just before a letter's end.
type cutAtTheDot struct{ net.Conn }

func (c cutAtTheDot) Write(b []byte) (int, error) {
	if before, found := strings.CutSuffix(string(b), "\r\n.\r\n"); found {
		n, _ := c.Conn.Write([]byte(before))
		return n, io.ErrClosedPipe
	}
	return c.Conn.Write(b)
}

func TestLetterWhoseEndNeverLeftIsNotUncertain(t *testing.T) {
	b := box(t, mailbox.Options{})
	l := lineTo(t, relayTo(t, "smtp://"+b.Addr()+"?tls=none"))
	if err := l.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.conn.Conn = cutAtTheDot{l.conn.Conn}
	if got := sendSmall(t, l); got.Outcome != Deferred {
		t.Errorf("got %+v", got)
	}
}

func TestConnectionGivenUpWhileIdleIsReplaced(t *testing.T) {
	var connections atomic.Int32
	for _, farewell := range []string{"", "421 idle for too long\r\n"} {
		connections.Store(0)
		gone := make(chan struct{})
		r := relayTo(t, "smtp://"+talker(t, func(c net.Conn, line string) string {
			if strings.HasPrefix(line, "EHLO") {
				connections.Add(1)
			}
			if line == "." && connections.Load() == 1 {
				io.WriteString(c, "250 ok\r\n"+farewell)
				c.Close()
				close(gone)
				return ""
			}
			return byTheBook(line)
		})+"?tls=none")
		l := lineTo(t, r)
		if got := sendSmall(t, l); got.Outcome != Accepted {
			t.Fatalf("%+v", got)
		}
		<-gone
		if got := sendSmall(t, l); got.Outcome != Accepted {
			t.Errorf("after %q: %+v", farewell, got)
		}
		if n := connections.Load(); n != 2 {
			t.Errorf("%d connections", n)
		}
	}
}

func TestAddressesBeyondASCII(t *testing.T) {
	from, to := email(t, "hello@harbor.example"), email(t, "josé@bücher.example")
	b := box(t, mailbox.Options{})
	if got := lineTo(t, relayTo(t, "smtp://"+b.Addr()+"?tls=none")).Send(t.Context(), from, to, []byte(small)); got.Outcome != Accepted {
		t.Errorf("%+v", got)
	}
	if l := b.List(); l[0].EnvelopeTo != "josé@xn--bcher-kva.example" {
		t.Errorf("to %s", l[0].EnvelopeTo)
	}
	plain := box(t, mailbox.Options{ASCII: true})
	l := lineTo(t, relayTo(t, "smtp://"+plain.Addr()+"?tls=none"))
	if got := l.Send(t.Context(), from, to, []byte(small)); got.Outcome != Rejected {
		t.Errorf("%+v", got)
	}
	if got := l.Send(t.Context(), from, email(t, "ann@bücher.example"), []byte(small)); got.Outcome != Accepted {
		t.Errorf("a domain needs no extension: %+v", got)
	}
}

func TestConnectionThatBreaksAtResetFailsNoLetter(t *testing.T) {
	var hellos atomic.Int32
	r := relayTo(t, "smtp://"+talker(t, func(c net.Conn, line string) string {
		switch {
		case strings.HasPrefix(line, "EHLO"):
			if hellos.Add(1) == 2 {
				c.Close()
				return ""
			}
			return "250-ok\r\n250 SMTPUTF8"
		case strings.HasPrefix(line, "RCPT TO:<ann@"):
			return "550 5.1.1 no"
		}
		return byTheBook(line)
	})+"?tls=none")
	l := lineTo(t, r)
	if got := sendSmall(t, l); got.Outcome != Rejected {
		t.Fatalf("%+v", got)
	}
	if got := l.Send(t.Context(), email(t, "hello@harbor.example"), email(t, "josé@mail.example"), []byte(small)); got.Outcome != Accepted {
		t.Errorf("%+v", got)
	}
}

func TestLetterLargerThanTheRelayTakes(t *testing.T) {
	var heard []string
	l := lineTo(t, relayTo(t, "smtp://"+talker(t, func(_ net.Conn, line string) string {
		heard = append(heard, line)
		if strings.HasPrefix(line, "EHLO") {
			return "250-ok\r\n250 SIZE 1024"
		}
		return byTheBook(line)
	})+"?tls=none"))
	from, to := email(t, "hello@harbor.example"), email(t, "ann@mail.example")
	got := l.Send(t.Context(), from, to, []byte(strings.Repeat("0123456789abcde\n", 65)))
	if want := "The letter has 2 KB, and the mail server takes no more than 1 KB."; got.Outcome != Rejected || got.Reply != want {
		t.Errorf("%+v", got)
	}
	if got := sendSmall(t, l); got.Outcome != Accepted {
		t.Errorf("the letter after it: %+v", got)
	}
	if n := strings.Count(strings.Join(heard, " "), "MAIL FROM"); n != 1 {
		t.Errorf("it heard of %d letters: %q", n, heard)
	}
}

func TestReasonsInPlainWords(t *testing.T) {
	config, _ := certificate(t)
	strangers := x509.NewCertPool()
	plain, secure := box(t, mailbox.Options{}), box(t, mailbox.Options{TLS: config, Implicit: true})
	_, port, _ := net.SplitHostPort(secure.Addr())
	web := talker(t, func(net.Conn, string) string { return "HTTP/1.1 400 Bad Request" })
	for _, c := range []struct{ url, want string }{
		{"smtps://" + plain.Addr(), "it doesn't begin with TLS there; try STARTTLS, or another port"},
		{"smtps://" + secure.Addr(), "nobody whom this machine trusts vouches for its certificate"},
		{"smtp://" + web + "?tls=none", "isn't a mail server"},
		{"smtps://localhost:" + port, "certificate"},
	} {
		r := relayTo(t, c.url)
		r.roots = strangers
		if got := sendSmall(t, lineTo(t, r)); got.Trouble == nil || !got.Trouble.Alarm || !strings.Contains(got.Trouble.Reason, c.want) {
			t.Errorf("%s: %+v", c.url, got.Trouble)
		}
	}
	r := relayTo(t, "smtp://mail.example.com:465")
	if got := r.Line().unreachable(errSilent).Error(); !strings.HasSuffix(got, "at port 465 most expect TLS from the start") {
		t.Error(got)
	}
}

func TestRefusalsOfManyLettersKeepTheConnection(t *testing.T) {
	var hellos int
	b := box(t, mailbox.Options{Script: mailbox.Script{
		Hello: func(mailbox.Conn) error { hellos++; return nil },
		Rcpt: func(mailbox.Conn, string) error {
			return &smtp.SMTPError{Code: 550, Message: "unknown"}
		},
	}})
	l := lineTo(t, relayTo(t, "smtp://"+b.Addr()+"?tls=none"))
	var outcomes []Outcome
	for range 8 {
		outcomes = append(outcomes, sendSmall(t, l).Outcome)
	}
	if hellos != 1 || slices.ContainsFunc(outcomes, func(o Outcome) bool { return o != Rejected }) {
		t.Errorf("%d connections, %v", hellos, outcomes)
	}
}
