package mail

import (
	"bufio"
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strings"
	"sync/atomic"
	"time"

	"anteroom/db"
)

// Dialogue is what we and a relay said to each other, in order.
type Dialogue []Spoken

// Spoken is one line of it, or a note in brackets of what happened between lines. Secrets are
// replaced by "(hidden)", a letter by its size.
type Spoken struct {
	Ours  bool
	Line  string
	After time.Duration // since the beginning
}

const (
	hidden         = "(hidden)"
	shortestSecret = 4   // characters, to be looked for: hiding shorter ones wherever they occur would tell them
	maxLines       = 200 // of a dialogue
)

// Try sends one letter over a connection of its own, and tells the whole dialogue, however it ends.
func (r Relay) Try(ctx context.Context, from, to db.Email, data []byte) (Dialogue, Result) {
	l := r.Line()
	l.minutes.begun = time.Now()
	result := l.Send(ctx, from, to, data)
	l.Close()
	return l.minutes.lines, result
}

// minutes writes a dialogue down, once it has begun, and knows what must not be told.
type minutes struct {
	begun   time.Time // zero: nobody will read them
	lines   Dialogue
	secrets []string // of this connection
}

func (m *minutes) hide(secrets ...string) {
	for _, s := range secrets {
		if len(s) >= shortestSecret {
			m.secrets = append(m.secrets, s)
		}
	}
}

// tell returns a line without secrets: a relay may repeat what it was told.
func (m *minutes) tell(line string) string {
	for _, s := range m.secrets {
		line = strings.ReplaceAll(line, s, hidden)
	}
	return line
}

func (m *minutes) add(ours bool, line string) {
	if !m.begun.IsZero() && len(m.lines) < maxLines {
		m.lines = append(m.lines, Spoken{ours, tidy(m.tell(line)), time.Since(m.begun)})
	}
}

// note tells what isn't said.
func (m *minutes) note(format string, a ...any) { m.add(true, "("+fmt.Sprintf(format, a...)+")") }

// certificate notes whom the other side says it is.
func (m *minutes) certificate(chain []*x509.Certificate) {
	if len(chain) == 0 {
		return
	}
	c := chain[0]
	name := c.Subject.String()
	if name == "" {
		name = strings.Join(c.DNSNames, ", ")
	}
	m.note("its certificate: %s; issued by %s; valid until %s", name, c.Issuer, c.NotAfter.UTC().Format("2 January 2006"))
}

const (
	maxReplyLine = 2000     // RFC 5321 asks for 512
	maxReply     = 64 << 10 // all lines of one reply
)

var (
	errLongReply = errors.New("its reply is too long")
	errOver      = errors.New("the exchange is over")
)

// talk is a connection as go-smtp's client sees it, above the encryption. It gives out replies line by line, so that what
// nobody asked for stays apart, lets no reply grow without end, and has what was said written down.
type talk struct {
	net.Conn
	in      *bufio.Reader
	line    []byte // the rest of the one being given out
	reply   int    // bytes of the reply so far
	minutes *minutes
	signing bool // what we say are secrets
	quiet   bool // what we say is a letter

	// PIPELINING (RFC 2920): lines that go out together with the MAIL command before them, though go-smtp's client will only
	// say them once it has read the answers before. When it does, they have been said.
	together []string
	said     bool
}

func newTalk(c net.Conn, m *minutes) *talk {
	return &talk{Conn: c, in: bufio.NewReaderSize(c, maxReplyLine), minutes: m}
}

func (t *talk) Read(b []byte) (int, error) {
	if len(t.line) == 0 {
		var err error
		t.line, err = t.in.ReadSlice('\n')
		if len(t.line) > 0 {
			t.minutes.add(false, string(bytes.TrimRight(t.line, "\r\n")))
		}
		switch t.reply += len(t.line); {
		case t.reply > maxReply || err == bufio.ErrBufferFull:
			err = errLongReply
		case err == io.EOF && len(t.line) > 0: // half a line is no reply, whatever it begins with
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			t.line = nil
			return 0, err
		}
	}
	n := copy(b, t.line)
	t.line = t.line[n:]
	return n, nil
}

// ahead reports whether the relay said something that nobody asked for.
func (t *talk) ahead() bool { return len(t.line)+t.in.Buffered() > 0 }

func (t *talk) Write(b []byte) (int, error) {
	if t.quiet {
		t.reply = 0
		return t.Conn.Write(b)
	}
	line := strings.TrimRight(string(b), "\r\n")
	switch {
	case len(t.together) > 0 && t.said:
		if line != t.together[0] {
			return 0, errOver
		}
		t.together = t.together[1:]
		return len(b), nil
	case len(t.together) > 0 && strings.HasPrefix(line, "MAIL "):
		t.said, t.reply = true, 0
		_, err := io.WriteString(t.Conn, line+"\r\n"+strings.Join(t.together, "\r\n")+"\r\n")
		return len(b), err
	case t.signing && line == "*": // go-smtp cancels what the relay has ended
		return 0, errOver
	case t.signing:
		mechanism, secret, initial := strings.Cut(strings.TrimPrefix(line, "AUTH "), " ")
		if !strings.HasPrefix(line, "AUTH ") {
			mechanism, secret = "", line
		}
		t.minutes.hide(secret)
		switch {
		case mechanism == "" && line == "":
			t.minutes.add(true, "(an empty line)")
		case mechanism == "":
			t.minutes.add(true, hidden)
		case initial:
			t.minutes.add(true, "AUTH "+mechanism+" "+hidden)
		default:
			t.minutes.add(true, line)
		}
	default:
		t.minutes.add(true, line)
	}
	t.reply = 0
	return t.Conn.Write(b)
}

// startTLS asks the relay to begin encryption.
func (t *talk) startTLS() error {
	if _, err := io.WriteString(t, "STARTTLS\r\n"); err != nil {
		return err
	}
	_, _, err := textproto.NewReader(bufio.NewReader(t)).ReadResponse(220)
	if err == nil && t.ahead() {
		return errors.New("somebody spoke before the encryption began")
	}
	return err
}

// greeted is what a relay that has greeted us before is heard to say first: go-smtp's client waits for a greeting.
func (t *talk) greeted() { t.line = []byte("220 go on\r\n") }

// watched is a network connection on which nothing waits for ever. It
// remembers whether anybody has waited for an answer since it was last asked
// to forget: if not, then what was being written never wholly left.
type watched struct {
	net.Conn
	patience time.Duration
	read     atomic.Bool
	until    atomic.Int64 // the deadline somebody set for reading, in Unix nanoseconds; 0: none
}

// SetDeadline is for a whole reply, however many reads it takes: one that comes byte by byte has no longer.
func (c *watched) SetDeadline(t time.Time) error {
	c.until.Store(0)
	if !t.IsZero() {
		c.until.Store(t.UnixNano())
	}
	return c.Conn.SetDeadline(t)
}

func (c *watched) Read(b []byte) (int, error) {
	c.read.Store(true)
	if c.until.Load() == 0 { // nobody set one
		if err := c.SetReadDeadline(time.Now().Add(c.patience)); err != nil {
			return 0, err
		}
	}
	return c.Conn.Read(b)
}

func (c *watched) Write(b []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(c.patience)); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}
