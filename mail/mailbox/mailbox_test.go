package mailbox

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

func open(t *testing.T, o Options) *Box {
	t.Helper()
	b, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func send(t *testing.T, b *Box, to, source string) error {
	t.Helper()
	c, err := smtp.Dial(b.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.SendMail("hello@harbor.example", []string{to}, strings.NewReader(source))
}

const twoParts = "From: Harbor Therapy <hello@harbor.example>\r\nTo: Ann <ann@mail.example>\r\nSubject: =?utf-8?B?SG9sw6EgQW5u?=\r\n" +
	"Date: Mon, 23 Nov 2026 09:00:00 +0000\r\nMessage-ID: <1@harbor.example>\r\nMIME-Version: 1.0\r\n" +
	"Content-Type: multipart/alternative; boundary=b\r\n\r\n" +
	"--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nni=C3=B1o\r\n..dots\r\n" +
	"--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>hi</p>\r\n--b--\r\n"

func TestLetterIsKeptAndRead(t *testing.T) {
	now := time.Date(2026, 11, 23, 9, 1, 0, 0, time.UTC)
	b := open(t, Options{Clock: func() time.Time { return now }})
	if err := send(t, b, "ann@mail.example", twoParts); err != nil {
		t.Fatal(err)
	}
	letters, err := b.Wait(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	l := letters[0]
	if string(l.Source) != twoParts {
		t.Errorf("source: %q", l.Source)
	}
	got := fmt.Sprint(l.ID, l.At, l.EnvelopeFrom, l.EnvelopeTo, l.From, l.To, l.Subject, l.Date, l.MessageID, l.Text, l.HTML)
	want := fmt.Sprint(1, now, "hello@harbor.example", "ann@mail.example", "Harbor Therapy <hello@harbor.example>", "Ann <ann@mail.example>",
		"Holá Ann", time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC), "1@harbor.example", "niño\n..dots", "<p>hi</p>")
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestWhatIsNoMailIsKeptAsItCame(t *testing.T) {
	b := open(t, Options{})
	if err := send(t, b, "ann@mail.example", "no colon\r\n"); err != nil {
		t.Fatal(err)
	}
	if l, ok := b.Get(1); !ok || string(l.Source) != "no colon\r\n" {
		t.Errorf("%+v", l)
	}
}

func TestSearchNewestFirst(t *testing.T) {
	b := open(t, Options{})
	for i, to := range []string{"ann@mail.example", "ben@mail.example", "ann@mail.example"} {
		if err := send(t, b, to, fmt.Sprintf("Subject: Letter %d\r\n\r\nBody\r\n", i)); err != nil {
			t.Fatal(err)
		}
	}
	ids := func(letters []Letter) (s string) {
		for _, l := range letters {
			s += fmt.Sprint(l.ID)
		}
		return s
	}
	for query, want := range map[string]string{"": "321", "ANN letter": "31", "ben": "2", "nobody": "", "body letter 2": "3"} {
		if got := ids(b.Search(query)); got != want {
			t.Errorf("%q: got %q, want %q", query, got, want)
		}
	}
	if b.Clear(); len(b.List()) != 0 {
		t.Error("letters are left after Clear")
	}
}

func TestOldestGoFirstAndManyMayWrite(t *testing.T) {
	b := open(t, Options{})
	var senders sync.WaitGroup
	for range 8 {
		senders.Go(func() {
			c, err := smtp.Dial(b.Addr())
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			for range (kept + 60) / 8 {
				if err := c.SendMail("a@x.example", []string{"b@x.example"}, strings.NewReader("Subject: x\r\n\r\ny\r\n")); err != nil {
					t.Error(err)
				}
				b.Search("x")
			}
		})
	}
	if _, err := b.Wait(t.Context(), kept+60); err != nil {
		t.Fatal(err)
	}
	senders.Wait()
	if l := b.List(); len(l) != kept || l[0].ID != kept+60 || l[kept-1].ID != 61 {
		t.Errorf("%d letters, from %d to %d", len(l), l[0].ID, l[len(l)-1].ID)
	}
}

func TestOldestGoWhenTheBytesAreTooMany(t *testing.T) {
	b := open(t, Options{})
	const large = maxBytes
	for range 3 * maxHeld / large {
		b.keep(Letter{Source: make([]byte, large)})
	}
	l := b.List()
	if len(l) != maxHeld/large || l[0].ID != 3*maxHeld/large || b.held > maxHeld {
		t.Errorf("%d letters of %d bytes are kept", len(l), b.held)
	}
	if b.Clear(); b.held != 0 {
		t.Errorf("an empty mailbox holds %d bytes", b.held)
	}
}

func TestLettersAreUnreadUntilTheyAreRead(t *testing.T) {
	b := open(t, Options{})
	for range 3 {
		b.keep(Letter{})
	}
	was := b.State()
	if was.Letters != 3 || was.Unread != 3 || was.Received != 3 {
		t.Errorf("%+v", was)
	}
	if l, ok := b.Get(2); !ok || !l.Unread || b.State() != was {
		t.Error("getting a letter is not reading it")
	}
	if l, ok := b.Read(2); !ok || l.Unread || l.ID != 2 || b.State().Unread != 2 || b.State().Changes == was.Changes {
		t.Errorf("read: %+v, %+v", l, b.State())
	}
	again := b.State()
	if b.Read(2); b.State() != again {
		t.Error("reading a letter again changes something")
	}
	if _, ok := b.Read(4); ok {
		t.Error("a letter that isn't there was read")
	}
	if b.ReadAll(); b.State().Unread != 0 || b.State().Changes == again.Changes {
		t.Errorf("all read: %+v", b.State())
	}
}

// Programs send what the standards forbid: bare line feeds, lines without end, 8 bits without asking, to whole lists.
func TestMailOfOtherPrograms(t *testing.T) {
	b := open(t, Options{})
	c, err := smtp.Dial(b.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Mail("jürgen@müller.example", &smtp.MailOptions{UTF8: true}); err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{"ann@mail.example", "björn@mail.example"} {
		if err := c.Rcpt(to, nil); err != nil {
			t.Fatal(err)
		}
	}
	w, err := c.Data()
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("é", 100_000)
	fmt.Fprintf(w, "Subject: Grüße\n\n%s\n.\n..\n", long)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	l, _ := b.Get(1)
	if l.EnvelopeFrom != "jürgen@müller.example" || l.EnvelopeTo != "ann@mail.example, björn@mail.example" || l.Subject != "Grüße" || l.Text != long+"\n.\n..\n" {
		t.Errorf("%s to %s: %s, %d bytes", l.EnvelopeFrom, l.EnvelopeTo, l.Subject, len(l.Text))
	}
}

func TestTooLargeIsRefused(t *testing.T) {
	b := open(t, Options{})
	var e *smtp.SMTPError
	if err := send(t, b, "a@x.example", strings.Repeat("x\r\n", maxBytes/2)); !errors.As(err, &e) || e.Code != 552 {
		t.Errorf("got %v", err)
	}
	if len(b.List()) != 0 {
		t.Error("it was kept")
	}
}

func TestScriptDecides(t *testing.T) {
	full := &smtp.SMTPError{Code: 452, Message: "full"}
	b := open(t, Options{Script: Script{
		Rcpt: func(_ Conn, to string) error {
			if strings.HasPrefix(to, "no") {
				return full
			}
			return nil
		},
		Kept: func(c Conn, l Letter) error {
			if strings.HasPrefix(l.EnvelopeTo, "drop") {
				c.HangUp()
			}
			return nil
		},
	}})
	var e *smtp.SMTPError
	if err := send(t, b, "no@x.example", "a: b\r\n\r\n"); !errors.As(err, &e) || e.Code != 452 {
		t.Errorf("got %v", err)
	}
	if err := send(t, b, "drop@x.example", "a: b\r\n\r\n"); err == nil || errors.As(err, &e) {
		t.Errorf("got %v", err)
	}
	if l := b.List(); len(l) != 1 || l[0].EnvelopeTo != "drop@x.example" {
		t.Errorf("%+v", l)
	}
}

func TestListensOnThisMachineOnly(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:0", "harbor.example:25"} {
		if b, err := Open(Options{Addr: addr}); !errors.Is(err, ErrNotLoopback) {
			t.Errorf("%s: %v", addr, err)
			b.Close()
		}
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	b := open(t, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Wait(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
