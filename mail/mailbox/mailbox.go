// Package mailbox is an SMTP server that keeps what it gets, in memory and only
// on this machine: where the demo's mail is read, and the relay of the tests.
package mailbox

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-smtp"
	"golang.org/x/net/netutil"
)

// What a mailbox takes in. Letters on their way in come on top of those that are kept: at most maxConnections at a time.
const (
	kept           = 500      // letters; the oldest go first
	maxHeld        = 64 << 20 // bytes of all letters; again the oldest go
	maxBytes       = 4 << 20  // of one letter
	maxConnections = 32       // others wait
	idle           = 5 * time.Minute
)

// DefaultAddr is where the demo's mailbox takes mail, unless told otherwise.
const DefaultAddr = "127.0.0.1:2525"

// ErrNotLoopback says that the address can be reached from other machines.
var ErrNotLoopback = errors.New("a mailbox listens on a loopback address only")

// Options say how to listen and what to demand. The zero value takes any mail
// on a free port of 127.0.0.1.
type Options struct {
	Addr               string // a loopback address and port; empty for a free port
	Clock              func() time.Time
	TLS                *tls.Config // offers STARTTLS
	Implicit           bool        // TLS from the first byte instead
	Username, Password string      // demanded when set
	Mechanisms         []string    // of signing in; empty for PLAIN
	ASCII              bool        // doesn't offer SMTPUTF8
	Script             Script
}

// Script lets a test decide the fate of mail. An error that is a
// *smtp.SMTPError is answered as it is. Every step may be nil.
type Script struct {
	Hello func(c Conn) error
	Mail  func(c Conn, from string) error
	Rcpt  func(c Conn, to string) error
	Data  func(c Conn, l Letter) error // the letter was read and isn't kept yet
	Kept  func(c Conn, l Letter) error // the letter is kept, the reply not yet sent
}

// Conn is a client's connection, as far as a script may touch it.
type Conn struct{ conn *smtp.Conn }

// HangUp drops the connection without another word.
func (c Conn) HangUp() { c.conn.Conn().Close() }

// Helo is the name the client gave itself.
func (c Conn) Helo() string { return c.conn.Hostname() }

// Secure reports whether the connection is encrypted.
func (c Conn) Secure() bool {
	_, ok := c.conn.TLSConnectionState()
	return ok
}

// Box is a running mailbox. All its methods may be called at the same time.
type Box struct {
	options  Options
	listener net.Listener
	server   *smtp.Server
	done     chan struct{}

	mu       sync.Mutex
	letters  []Letter // oldest first
	held     int      // bytes of them
	received int
	changes  int
	arrived  chan struct{} // closed and replaced with each letter
}

// Open starts a mailbox. The error is ErrNotLoopback, or why it can't listen.
func Open(o Options) (*Box, error) {
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	host, _, err := net.SplitHostPort(o.Addr)
	if err != nil {
		return nil, err
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, ErrNotLoopback
	}
	l, err := net.Listen("tcp", o.Addr)
	if err != nil {
		return nil, err
	}
	b := &Box{options: o, listener: l, done: make(chan struct{}), arrived: make(chan struct{})}
	b.server = smtp.NewServer(smtp.BackendFunc(b.session))
	b.server.Domain = "localhost"
	b.server.MaxMessageBytes = maxBytes
	b.server.MaxLineLength = maxBytes // many programs never break a line
	b.server.MaxRecipients = 50
	b.server.ReadTimeout, b.server.WriteTimeout = idle, idle
	b.server.EnableSMTPUTF8 = !o.ASCII
	b.server.AllowInsecureAuth = o.TLS == nil
	b.server.ErrorLog = log.New(io.Discard, "", 0) // a client that hung up is no news
	l = netutil.LimitListener(l, maxConnections)
	if o.Implicit {
		l = tls.NewListener(l, o.TLS)
	} else {
		b.server.TLSConfig = o.TLS
	}
	go func() {
		defer close(b.done)
		b.server.Serve(l)
	}()
	return b, nil
}

// Addr is the address and port it listens on.
func (b *Box) Addr() string { return b.listener.Addr().String() }

// Close hangs up on everybody and forgets nothing.
func (b *Box) Close() error {
	err := b.server.Close()
	b.listener.Close() // Serve may not have met it yet
	<-b.done
	return err
}

// List returns the letters it keeps, newest first.
func (b *Box) List() []Letter { return b.Search("") }

// Search returns the letters whose recipient, sender, subject or text hold
// every word of query, newest first.
func (b *Box) Search(query string) []Letter {
	b.mu.Lock()
	defer b.mu.Unlock()
	var found []Letter
	for _, l := range slices.Backward(b.letters) {
		if l.matches(query) {
			found = append(found, l)
		}
	}
	return found
}

// Get returns one letter by its id.
func (b *Box) Get(id int) (Letter, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := b.index(id); i >= 0 {
		return b.letters[i], true
	}
	return Letter{}, false
}

// Read returns one letter by its id, which is no longer unread then.
func (b *Box) Read(id int) (Letter, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := b.index(id)
	if i < 0 {
		return Letter{}, false
	}
	if b.letters[i].Unread {
		b.letters[i].Unread = false
		b.changes++
	}
	return b.letters[i], true
}

// ReadAll leaves no letter unread.
func (b *Box) ReadAll() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range b.letters {
		b.letters[i].Unread = false
	}
	b.changes++
}

func (b *Box) index(id int) int {
	return slices.IndexFunc(b.letters, func(l Letter) bool { return l.ID == id })
}

// Clear forgets every letter.
func (b *Box) Clear() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.letters, b.held = nil, 0
	b.changes++
}

// State is a mailbox in numbers. Changes differs whenever anything in it does.
type State struct{ Letters, Unread, Received, Changes int }

// State returns how the mailbox stands.
func (b *Box) State() State {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := State{Letters: len(b.letters), Received: b.received, Changes: b.changes}
	for _, l := range b.letters {
		if l.Unread {
			s.Unread++
		}
	}
	return s
}

// Wait returns once n letters have ever arrived, with those that are kept,
// oldest first.
func (b *Box) Wait(ctx context.Context, n int) ([]Letter, error) {
	for {
		b.mu.Lock()
		received, arrived, letters := b.received, b.arrived, slices.Clone(b.letters)
		b.mu.Unlock()
		if received >= n {
			return letters, nil
		}
		select {
		case <-arrived:
		case <-ctx.Done():
			return letters, fmt.Errorf("%d of %d letters: %w", received, n, ctx.Err())
		}
	}
}

func (b *Box) keep(l Letter) Letter {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.received++
	b.changes++
	l.ID, l.Unread = b.received, true
	b.letters = append(b.letters, l)
	b.held += l.size()
	old := 0
	for ; len(b.letters)-old > kept || b.held > maxHeld; old++ {
		b.held -= b.letters[old].size()
	}
	b.letters = slices.Delete(b.letters, 0, old)
	close(b.arrived)
	b.arrived = make(chan struct{})
	return l
}

func (b *Box) session(c *smtp.Conn) (smtp.Session, error) {
	s := &session{box: b, conn: Conn{c}}
	if f := b.options.Script.Hello; f != nil {
		if err := f(s.conn); err != nil {
			return nil, err
		}
	}
	if b.options.Username == "" {
		return s, nil
	}
	return &signIn{session: s}, nil
}

// session is one connection's mail transaction.
type session struct {
	box  *Box
	conn Conn
	from string
	to   []string
}

func (s *session) Reset()        { s.from, s.to = "", nil }
func (s *session) Logout() error { return nil }

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if f := s.box.options.Script.Mail; f != nil {
		if err := f(s.conn, from); err != nil {
			return err
		}
	}
	s.from = from
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if f := s.box.options.Script.Rcpt; f != nil {
		if err := f(s.conn, to); err != nil {
			return err
		}
	}
	s.to = append(s.to, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	source, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	l := read(source)
	l.EnvelopeFrom, l.EnvelopeTo, l.At = s.from, strings.Join(s.to, ", "), s.box.options.Clock()
	if f := s.box.options.Script.Data; f != nil {
		if err := f(s.conn, l); err != nil {
			return err
		}
	}
	l = s.box.keep(l)
	if f := s.box.options.Script.Kept; f != nil {
		return f(s.conn, l)
	}
	return nil
}
