package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"anteroom/db"
)

// Relay is the mail server that takes our letters, as configured.
type Relay struct {
	Hello string // the name we give ourselves; empty for localhost

	settings Settings
	tokens   *tokens        // shared by all lines; nil without OAuth
	roots    *x509.CertPool // nil: the system's
	patience patience
}

// Settings returns what the relay was made of, secrets included.
func (r Relay) Settings() Settings {
	s := r.settings
	if s.OAuth != nil {
		o := *s.OAuth
		s.OAuth = &o
	}
	return s
}

// String names the relay without its password.
func (r Relay) String() string {
	scheme := "smtp://"
	if r.settings.Security == ImplicitTLS {
		scheme = "smtps://"
	}
	return scheme + r.address()
}

func (r Relay) address() string {
	return net.JoinHostPort(r.settings.Host, strconv.Itoa(r.settings.Port))
}

// Trouble is what keeps any letter from leaving, and is no letter's fault.
type Trouble struct {
	// Alarm tells trouble that a person must end (a password, a certificate)
	// from trouble that ends by itself (a relay that is down).
	Alarm  bool
	Reason string // a sentence for the screen
}

func (t *Trouble) Error() string { return t.Reason }

// Outcome is how the sending of one letter ended.
type Outcome int

const (
	NotSent   Outcome = iota // trouble, or nobody wanted to wait: as if it had not been tried
	Accepted                 // the relay has it
	Rejected                 // the relay won't ever take this letter
	Deferred                 // not now: it surely doesn't have it
	Uncertain                // all was said, and no clear reply came: nobody knows
)

func (o Outcome) String() string {
	return [...]string{"not sent", "accepted", "rejected", "deferred", "uncertain"}[o]
}

// Result is the outcome with the relay's words.
type Result struct {
	Outcome Outcome
	Reply   string
	Trouble *Trouble // may be set with NotSent
}

// Line is one connection to a relay, opened when it is first needed, kept
// between letters and opened anew when it broke. One letter at a time.
type Line struct {
	relay  Relay
	conn   *watched
	client *smtp.Client
	used   bool // a letter went over this connection before
}

// Line prepares a connection; nothing is sent yet.
func (r Relay) Line() *Line { return &Line{relay: r} }

// Open connects, secures the connection and signs in, unless that is done. Its
// errors are a *Trouble.
func (l *Line) Open(ctx context.Context) error {
	if l.client != nil {
		return nil
	}
	err := l.open(ctx)
	if _, ok := errors.AsType[*spoiledToken](err); ok {
		err = l.open(ctx) // with a new one
	}
	if spoiled, ok := errors.AsType[*spoiledToken](err); ok {
		return spoiled.Trouble
	}
	return err
}

func (l *Line) open(ctx context.Context) error {
	dialer := net.Dialer{Timeout: l.relay.patience.connect}
	raw, err := dialer.DialContext(ctx, "tcp", l.relay.address())
	if err != nil {
		return l.unreachable(err)
	}
	l.conn, l.used = &watched{Conn: raw, patience: l.relay.patience.write}, false
	ctx, cancel := context.WithTimeout(ctx, l.relay.patience.connect+l.relay.patience.command)
	defer cancel()
	defer context.AfterFunc(ctx, func() { raw.Close() })()
	if err := l.begin(ctx); err != nil {
		l.drop()
		if ctx.Err() != nil {
			return l.unreachable(errors.New("it does not answer"))
		}
		return err
	}
	return nil
}

// begin goes from a bare connection to one that takes letters.
func (l *Line) begin(ctx context.Context) (err error) {
	r := l.relay
	config := &tls.Config{ServerName: r.settings.Host, MinVersion: tls.VersionTLS12, RootCAs: r.roots}
	switch r.settings.Security {
	case ImplicitTLS:
		secured := tls.Client(l.conn, config)
		if err := secured.HandshakeContext(ctx); err != nil {
			return l.untrusted(err)
		}
		l.client = smtp.NewClient(secured)
	case StartTLS:
		// go-smtp has the first, unencrypted greeting say localhost.
		if l.client, err = smtp.NewClientStartTLS(l.conn, config); err != nil {
			if _, answered := errors.AsType[*smtp.SMTPError](err); answered || !isNetwork(err) {
				return l.untrusted(err)
			}
			return l.unreachable(err)
		}
	case ClearText:
		l.client = smtp.NewClient(l.conn)
	}
	l.client.CommandTimeout, l.client.SubmissionTimeout = r.patience.command, r.patience.verdict
	hello := r.Hello
	if hello == "" {
		hello = "localhost"
	}
	if err := l.client.Hello(hello); err != nil {
		if _, answered := errors.AsType[*smtp.SMTPError](err); r.settings.Security == StartTLS && !answered && !isTimeout(err) {
			return l.untrusted(err) // the handshake comes with the first words
		}
		return l.unreachable(err)
	}
	return l.signIn(ctx)
}

func (l *Line) signIn(ctx context.Context) error {
	s := l.relay.settings
	var how sasl.Client
	var token string
	var inUse bool
	switch {
	case s.Username == "":
		return nil
	case s.OAuth != nil:
		if !l.client.SupportsAuth(xoauth2Name) {
			return &Trouble{Alarm: true, Reason: "The mail relay offers no way to sign in with OAuth (XOAUTH2)."}
		}
		var err error
		if token, inUse, err = l.relay.tokens.get(ctx); err != nil {
			return err
		}
		how = xoauth2{s.Username, token}
	case l.client.SupportsAuth(sasl.Plain):
		how = sasl.NewPlainClient("", s.Username, s.Password)
	case l.client.SupportsAuth(sasl.Login):
		how = sasl.NewLoginClient(s.Username, s.Password)
	default:
		return &Trouble{Alarm: true, Reason: "The mail relay offers no way to sign in with a password."}
	}
	err := l.client.Auth(how)
	if err == nil {
		return nil
	}
	answer, answered := errors.AsType[*smtp.SMTPError](err)
	if !answered || answer.Code/100 != 5 {
		return l.unreachable(err)
	}
	if s.OAuth == nil {
		return &Trouble{Alarm: true, Reason: "The mail relay refused our user name and password: " + words(answer)}
	}
	refused := &Trouble{Alarm: true, Reason: "The mail relay refused the access token with which we sign in for this user name: " + words(answer)}
	l.relay.tokens.spoiled(token)
	if inUse {
		return &spoiledToken{refused}
	}
	return refused
}

// Send hands one letter to the relay: its envelope is these two addresses and
// nothing else. When ctx ends, the connection is dropped.
func (l *Line) Send(ctx context.Context, from, to db.Email, data []byte) Result {
	for {
		if err := l.Open(ctx); err != nil {
			trouble, _ := errors.AsType[*Trouble](err)
			return Result{Trouble: trouble}
		}
		raw := l.conn.Conn
		stop := context.AfterFunc(ctx, func() { raw.Close() })
		result, stale := l.send(from.Envelope(), to.Envelope(), data)
		stop()
		if !stale || ctx.Err() != nil {
			return result
		}
	}
}

// send reports as stale a kept connection that the relay had given up before
// it heard of this letter.
func (l *Line) send(from, to string, data []byte) (result Result, stale bool) {
	kept := l.used
	l.used = true
	options := &smtp.MailOptions{Size: int64(len(data)), UTF8: !isASCII(from + to)}
	if offered, _ := l.client.Extension("SMTPUTF8"); options.UTF8 && !offered {
		return Result{Outcome: Rejected, Reply: "The mail relay takes only addresses in plain letters (a to z)."}, false
	}
	if err := l.client.Mail(from, options); err != nil {
		answer, answered := errors.AsType[*smtp.SMTPError](err)
		if gone := !answered || answer.Code == 421; gone && kept {
			l.drop()
			return Result{}, true
		}
		// All letters have one sender: a refusal of it is no letter's fault.
		if answered && answer.Code/100 == 5 && answer.Code != 552 && !options.UTF8 {
			l.drop()
			return Result{Trouble: &Trouble{Alarm: true, Reason: "The mail relay takes no mail from us: " + words(answer)}}, false
		}
		return l.refused(err), false
	}
	if err := l.client.Rcpt(to, nil); err != nil {
		return l.refused(err), false
	}
	w, err := l.client.Data()
	if err != nil {
		return l.refused(err), false
	}
	l.conn.read.Store(false)
	if _, err := w.Write(data); err != nil {
		return l.refused(err), false
	}
	reply, err := w.CloseWithResponse()
	if err == nil {
		return Result{Outcome: Accepted, Reply: tidy("250 " + reply.StatusText)}, false
	}
	answer, answered := errors.AsType[*smtp.SMTPError](err)
	switch {
	case answered && answer.Code/100 == 2:
		return Result{Outcome: Accepted, Reply: words(answer)}, false
	case answered && (answer.Code/100 == 4 || answer.Code/100 == 5), !answered && !l.conn.read.Load():
		return l.refused(err), false // a clear no, or the letter's end never left
	}
	l.drop()
	return Result{Outcome: Uncertain, Reply: tidy("No clear reply came after the letter: " + err.Error())}, false
}

// refused judges an error that came before the relay had the letter, and makes
// the connection fit for the next one.
func (l *Line) refused(err error) Result {
	answer, answered := errors.AsType[*smtp.SMTPError](err)
	switch {
	case !answered:
		l.drop()
		return Result{Outcome: Deferred, Reply: tidy("The connection to the mail relay broke: " + err.Error())}
	case answer.Code == 421 || l.client.Reset() != nil:
		l.drop()
	}
	switch {
	case answer.Code == 530 || answer.Code == 534 || answer.Code == 535 || answer.Code == 538:
		return Result{Trouble: &Trouble{Alarm: true, Reason: "The mail relay wants us to sign in: " + words(answer)}}
	case answer.Code/100 == 5:
		return Result{Outcome: Rejected, Reply: words(answer)}
	}
	return Result{Outcome: Deferred, Reply: words(answer)}
}

// Close says goodbye, if the relay listens.
func (l *Line) Close() {
	if l.client == nil {
		return
	}
	l.client.CommandTimeout = time.Second
	l.client.Quit()
	l.drop()
}

func (l *Line) drop() {
	if l.conn != nil {
		l.conn.Close()
	}
	l.conn, l.client = nil, nil
}

func (l *Line) unreachable(err error) error {
	answer, answered := errors.AsType[*smtp.SMTPError](err)
	return &Trouble{Alarm: answered && answer.Code/100 == 5, Reason: tidy("The mail relay can't be reached: " + reason(err))}
}

func (l *Line) untrusted(err error) error {
	return &Trouble{Alarm: true, Reason: tidy("The connection to the mail relay can't be made secure: " + reason(err))}
}

// reason is an error as the relay put it, or as it came.
func reason(err error) string {
	if answer, ok := errors.AsType[*smtp.SMTPError](err); ok {
		return words(answer)
	}
	return strings.TrimPrefix(err.Error(), "smtp: ")
}

// words is what the relay answered.
func words(e *smtp.SMTPError) string {
	if e.EnhancedCode == (smtp.EnhancedCode{}) {
		return tidy(fmt.Sprintf("%d %s", e.Code, e.Message))
	}
	return tidy(fmt.Sprintf("%d %d.%d.%d %s", e.Code, e.EnhancedCode[0], e.EnhancedCode[1], e.EnhancedCode[2], e.Message))
}

// tidy makes a stranger's words fit for one line on a screen.
func tidy(s string) string {
	const limit = 300
	s = oneLine(s)
	if r := []rune(s); len(r) > limit {
		s = string(r[:limit]) + "…"
	}
	return s
}

func isNetwork(err error) bool {
	_, ok := errors.AsType[net.Error](err)
	return ok || errors.Is(err, net.ErrClosed) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

func isTimeout(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout()
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool { return c >= utf8.RuneSelf })
}

// watched is a network connection on which no write waits for ever. It
// remembers whether anybody has waited for an answer since it was last asked
// to forget: if not, then what was being written never wholly left.
type watched struct {
	net.Conn
	patience time.Duration
	read     atomic.Bool
}

func (c *watched) Read(b []byte) (int, error) {
	c.read.Store(true)
	return c.Conn.Read(b)
}

func (c *watched) Write(b []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(c.patience)); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}
