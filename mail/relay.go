package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"syscall"
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
	relay   Relay
	conn    *watched
	talk    *talk
	client  *smtp.Client
	used    bool // a letter went over this connection before
	minutes *minutes
}

// Line prepares a connection; nothing is sent yet.
func (r Relay) Line() *Line { return &Line{relay: r, minutes: &minutes{}} }

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
	l.minutes.secrets = nil
	l.minutes.hide(l.relay.settings.Password)
	l.minutes.note("connecting to %s", l.relay.address())
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
			return l.unreachable(errSilent)
		}
		return err
	}
	return nil
}

// begin goes from a bare connection to one that takes letters.
func (l *Line) begin(ctx context.Context) error {
	how := l.relay.settings.Security
	if how == ImplicitTLS {
		secured, err := l.encrypt(ctx)
		if err != nil {
			return err
		}
		l.listen(secured)
	} else {
		l.listen(l.conn)
	}
	if err := l.hello(); err != nil {
		return err
	}
	if how == StartTLS {
		if offered, _ := l.client.Extension("STARTTLS"); !offered {
			return l.untrusted(errors.New(noSTARTTLS))
		}
		l.conn.SetDeadline(time.Now().Add(l.relay.patience.command))
		if err := l.talk.startTLS(); isNetwork(err) {
			return l.unreachable(err)
		} else if err != nil {
			return l.untrusted(err)
		}
		secured, err := l.encrypt(ctx)
		if err != nil {
			return err
		}
		l.listen(secured)
		l.talk.greeted()
		if err := l.hello(); err != nil { // what it offers now is what counts
			return err
		}
	}
	return l.signIn(ctx)
}

// encrypt begins TLS on the bare connection.
func (l *Line) encrypt(ctx context.Context) (net.Conn, error) {
	l.conn.SetDeadline(time.Now().Add(l.relay.patience.command))
	secured := tls.Client(l.conn, &tls.Config{ServerName: l.relay.settings.Host, MinVersion: tls.VersionTLS12, RootCAs: l.relay.roots})
	if err := secured.HandshakeContext(ctx); err != nil {
		if isTimeout(err) || ctx.Err() != nil {
			return nil, l.unreachable(errSilent)
		}
		return nil, l.untrusted(err)
	}
	state := secured.ConnectionState()
	l.minutes.note("encrypted with %s, %s", tls.VersionName(state.Version), tls.CipherSuiteName(state.CipherSuite))
	l.minutes.certificate(state.PeerCertificates)
	return secured, nil
}

// listen hands a connection to go-smtp's client.
func (l *Line) listen(c net.Conn) {
	l.talk = newTalk(c, l.minutes)
	l.client = smtp.NewClient(l.talk)
	l.client.CommandTimeout, l.client.SubmissionTimeout = l.relay.patience.command, l.relay.patience.verdict
}

// hello learns what the relay offers.
func (l *Line) hello() error {
	name := l.relay.Hello
	if name == "" {
		name = "localhost"
	}
	if err := l.client.Hello(name); err != nil {
		return l.unreachable(err)
	}
	return nil
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
			return &Trouble{Alarm: true, Reason: "The mail server offers no way to sign in with OAuth (XOAUTH2)."}
		}
		var err error
		if token, inUse, err = l.relay.tokens.get(ctx); err != nil {
			return err
		}
		l.minutes.hide(token)
		if !inUse {
			l.minutes.note("a new access token came from the mail provider")
		}
		how = xoauth2{s.Username, token}
	case l.client.SupportsAuth(sasl.Plain):
		how = sasl.NewPlainClient("", s.Username, s.Password)
	case l.client.SupportsAuth(sasl.Login):
		how = sasl.NewLoginClient(s.Username, s.Password)
	default:
		return &Trouble{Alarm: true, Reason: "The mail server offers no way to sign in with a password."}
	}
	l.talk.signing = true
	err := l.client.Auth(how)
	l.talk.signing = false
	if err == nil {
		return nil
	}
	answer, answered := errors.AsType[*smtp.SMTPError](err)
	if !answered || answer.Code/100 != 5 {
		return l.unreachable(err)
	}
	if s.OAuth == nil {
		return &Trouble{Alarm: true, Reason: "The mail server refused our user name and password: " + l.minutes.tell(words(answer))}
	}
	refused := &Trouble{Alarm: true, Reason: "The mail server refused the access token with which we sign in for this user name: " + l.minutes.tell(words(answer))}
	l.relay.tokens.spoiled(token)
	if inUse {
		return &spoiledToken{refused}
	}
	return refused
}

// Send hands one letter to the relay: its envelope is these two addresses and
// nothing else. When ctx ends, the connection is dropped.
func (l *Line) Send(ctx context.Context, from, to db.Email, data []byte) Result {
	early, cancel := context.WithTimeout(ctx, l.relay.patience.letter) // all that comes before the letter's end
	defer cancel()
	for {
		if err := l.Open(early); err != nil {
			trouble, _ := errors.AsType[*Trouble](err)
			return Result{Trouble: trouble}
		}
		conn := l.conn.Conn
		hangUp := func() { conn.Close() }
		stop := context.AfterFunc(early, hangUp)
		result, stale := l.send(from.Envelope(), to.Envelope(), data, func() {
			stop()
			stop = context.AfterFunc(ctx, hangUp)
		})
		stop()
		if result.Outcome == Deferred && early.Err() != nil && ctx.Err() == nil {
			result.Reply = "The mail server was too slow to take the letter."
		}
		if !stale || early.Err() != nil {
			return result
		}
	}
}

// send calls ending when all but the letter's end is said. It reports as stale
// a kept connection that the relay had given up before it heard of this letter.
func (l *Line) send(from, to string, data []byte, ending func()) (result Result, stale bool) {
	kept := l.used
	l.used = true
	options := &smtp.MailOptions{Size: int64(len(data)), UTF8: !isASCII(from + to)}
	if offered, _ := l.client.Extension("SMTPUTF8"); options.UTF8 && !offered {
		if l.client.Noop() != nil { // after RSET go-smtp asks anew what is offered: it isn't there any more
			l.drop()
			return Result{Outcome: Deferred, Reply: "The connection to the mail server broke."}, kept
		}
		return Result{Outcome: Rejected, Reply: "The mail server takes only addresses in plain letters (a to z)."}, false
	}
	if limit, ok := l.client.MaxMessageSize(); ok && limit > 0 && len(data) > limit {
		return Result{Outcome: Rejected, Reply: fmt.Sprintf("The letter has %d KB, and the mail server takes no more than %d KB.", (len(data)+1023)/1024, limit/1024)}, false
	}
	if offered, _ := l.client.Extension("PIPELINING"); offered && l.minutes.begun.IsZero() {
		l.talk.together, l.talk.said = []string{"RCPT TO:<" + to + ">", "DATA"}, false
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
			return Result{Trouble: &Trouble{Alarm: true, Reason: unwelcome + words(answer)}}, false
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
	if l.talk.ahead() { // what it says next would be taken for its verdict
		return l.refused(errors.New("it answered what nobody asked")), false
	}
	l.minutes.note("the letter, %d bytes", len(data))
	l.talk.quiet = true
	l.conn.read.Store(false)
	if _, err := w.Write(data); err != nil {
		return l.refused(err), false
	}
	ending()
	reply, err := w.CloseWithResponse()
	l.talk.quiet = false
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
	return Result{Outcome: Uncertain, Reply: tidy("No clear reply came after the letter: " + reason(err))}, false
}

// refused judges an error that came before the relay had the letter, and makes
// the connection fit for the next one.
func (l *Line) refused(err error) Result {
	answer, answered := errors.AsType[*smtp.SMTPError](err)
	switch {
	case !answered:
		l.drop()
		return Result{Outcome: Deferred, Reply: tidy("The connection to the mail server broke: " + reason(err))}
	case answer.Code == 421 || answer.Code/100 < 4 || l.hearOut() != nil || l.client.Reset() != nil:
		l.drop()
	}
	switch {
	case answer.Code == 530 || answer.Code == 534 || answer.Code == 535 || answer.Code == 538:
		return Result{Trouble: &Trouble{Alarm: true, Reason: "The mail server wants us to sign in: " + words(answer)}}
	case answer.Code/100 == 5 && isAboutUs(answer):
		return Result{Trouble: &Trouble{Alarm: true, Reason: "The mail server takes no more mail from us for now: " + words(answer)}}
	case answer.Code/100 == 5:
		return Result{Outcome: Rejected, Reply: words(answer)}
	}
	return Result{Outcome: Deferred, Reply: words(answer)}
}

// hearOut takes in the answers to what was said together with the command that was refused. None of them may be a yes: to
// drop the connection then is the one way to be sure that no empty letter arrives.
func (l *Line) hearOut() error {
	if !l.talk.said {
		l.talk.together = nil
	}
	for len(l.talk.together) > 0 {
		var err error
		if command := l.talk.together[0]; command == "DATA" {
			_, err = l.client.Data()
		} else {
			err = l.client.Rcpt(strings.TrimSuffix(strings.TrimPrefix(command, "RCPT TO:<"), ">"), nil)
		}
		if answer, answered := errors.AsType[*smtp.SMTPError](err); !answered || answer.Code/100 < 4 {
			return errOver
		}
	}
	return nil
}

// isAboutUs tells a refusal that every letter of ours would meet from one of this letter: a limit that is used up, a sender
// that is blocked or isn't ours. The codes are what Google and Microsoft document, as they say it to whoever has signed in.
func isAboutUs(answer *smtp.SMTPError) bool {
	switch c := answer.EnhancedCode; {
	case c == smtp.EnhancedCode{5, 1, 8}, c == smtp.EnhancedCode{5, 4, 5}, c == smtp.EnhancedCode{5, 7, 60}, c == smtp.EnhancedCode{5, 2, 252},
		c[1] == 7 && c[2] >= 501 && c[2] <= 503, c[1] == 7 && c[2] >= 700 && c[2] <= 750:
		return true
	}
	said := strings.ToLower(answer.Message)
	return strings.Contains(said, "sending limit") || strings.Contains(said, "sending quota") || strings.Contains(said, "submissionquotaexceeded")
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
	l.conn, l.talk, l.client = nil, nil, nil
}

// What we say of a mail server that is of no use; ExplainTest tells it apart by these words.
const (
	unreached  = "The mail server can't be reached: "
	insecure   = "The connection to the mail server can't be made secure: "
	unwelcome  = "The mail server takes no mail from us: "
	strangers  = "What answers at "
	noSTARTTLS = "it offers no encryption (STARTTLS)"
	noTLS      = "it doesn't begin with TLS there"
)

func (l *Line) unreachable(err error) error {
	if _, nonsense := errors.AsType[textproto.ProtocolError](err); nonsense {
		return &Trouble{Alarm: true, Reason: strangers + l.relay.address() + " isn't a mail server, or expects encryption from the start. Check the name, the port and the encryption."}
	}
	if silent := err == errSilent || isTimeout(err); silent && l.relay.settings.Security == StartTLS && l.relay.settings.Port == 465 {
		err = errors.New("it does not answer; at port 465 most expect TLS from the start")
	}
	answer, answered := errors.AsType[*smtp.SMTPError](err)
	return &Trouble{Alarm: answered && answer.Code/100 == 5, Reason: tidy(unreached + l.minutes.tell(reason(err)))}
}

func (l *Line) untrusted(err error) error {
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		l.minutes.certificate(e.UnverifiedCertificates)
	}
	return &Trouble{Alarm: true, Reason: tidy(insecure + reason(err))}
}

var errSilent = errors.New("it does not answer")

// reason is an error as the relay put it, in plain words where we have them, or as it came.
func reason(err error) string {
	if answer, ok := errors.AsType[*smtp.SMTPError](err); ok {
		return words(answer)
	}
	if e, ok := errors.AsType[*textproto.Error](err); ok {
		return e.Error()
	}
	if e, ok := errors.AsType[x509.HostnameError](err); ok {
		return "its certificate is not for " + e.Host
	}
	if e, ok := errors.AsType[x509.CertificateInvalidError](err); ok && e.Reason == x509.Expired {
		return "its certificate has expired, or the clock here is wrong"
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "nobody whom this machine trusts vouches for its certificate"
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return noTLS + "; try STARTTLS, or another port"
	}
	if e, ok := errors.AsType[*net.DNSError](err); ok && e.IsNotFound {
		return "no server has that name"
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nobody listens at that port"
	case isTimeout(err):
		return errSilent.Error()
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
