package mail

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"anteroom/mail/mailbox"
)

// proxy stands between a line and a relay that works. When its stage comes on the first connection, the relay hears what was
// said and answers; but instead of the answer the client meets the fault. Every later connection is a good one.
type proxy struct {
	relay string
	stage string // what the client says; "": the greeting; "…": in the middle of the letter
	fault func(client *net.TCPConn, over <-chan struct{})
	each  bool // it hides that commands may come together, so that each waits for its answer

	listener net.Listener
	over     chan struct{} // the test is
	used     atomic.Bool
	dots     atomic.Int32 // letters whose end the client said, faulty connection only
}

func newProxy(t *testing.T, relay, stage string, each bool, fault func(*net.TCPConn, <-chan struct{})) *proxy {
	t.Helper()
	p := &proxy{relay: relay, stage: stage, fault: fault, each: each, over: make(chan struct{})}
	var err error
	if p.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { close(p.over); p.listener.Close() })
	go func() {
		for {
			c, err := p.listener.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { c.Close() })
			go p.serve(c.(*net.TCPConn), !p.used.Swap(true))
		}
	}()
	return p
}

func (p *proxy) serve(client *net.TCPConn, faulty bool) {
	defer client.Close()
	server, err := net.Dial("tcp", p.relay)
	if err != nil {
		return
	}
	defer server.Close()
	if !faulty {
		go func() { io.Copy(server, client); server.(*net.TCPConn).CloseWrite() }()
		io.Copy(client, server)
		return
	}
	var mute atomic.Bool
	answered := make(chan struct{}, 1)
	mute.Store(p.stage == "")
	go func() {
		b := make([]byte, 4096)
		for {
			n, err := server.Read(b)
			if err != nil {
				return
			}
			if !mute.Load() {
				said := b[:n]
				if p.each {
					said = bytes.Replace(said, []byte("250-PIPELINING\r\n"), nil, 1)
				}
				client.Write(said)
				continue
			}
			select {
			case answered <- struct{}{}:
			default:
			}
		}
	}()
	if p.stage == "" {
		<-answered
		p.fault(client, p.over)
		return
	}
	lines := bufio.NewReaderSize(client, 4096)
	letter := 0 // lines of it so far; 0: none is being said
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		said := strings.TrimRight(line, "\r\n")
		at := letter == 0 && p.stage != "." && strings.HasPrefix(said, p.stage)
		switch {
		case letter > 0 && said == ".":
			p.dots.Add(1)
			letter, at = 0, p.stage == "."
		case letter > 0:
			letter++
			at = p.stage == "…" && letter == 100
		case said == "DATA":
			letter = 1
		}
		mute.Store(at)
		if _, err := io.WriteString(server, line); err != nil {
			return
		}
		if at {
			if p.stage != "…" {
				<-answered
			}
			p.fault(client, p.over)
			return
		}
	}
}

// The faults. The first four are of the network, the others of a relay.
func hangUp(c *net.TCPConn, _ <-chan struct{}) { c.Close() }

func reset(c *net.TCPConn, _ <-chan struct{}) {
	c.SetLinger(0)
	c.Close()
}

func silence(_ *net.TCPConn, over <-chan struct{}) { <-over }

func halfALine(c *net.TCPConn, _ <-chan struct{}) {
	io.WriteString(c, "250 2.0")
	c.Close()
}

func drip(c *net.TCPConn, over <-chan struct{}) {
	pace := time.NewTicker(5 * time.Millisecond)
	defer pace.Stop()
	for i := 0; ; i++ {
		select {
		case <-over:
			return
		case <-pace.C:
			if _, err := c.Write([]byte{"250-a\r\n"[i%7]}); err != nil {
				return
			}
		}
	}
}

func garbage(c *net.TCPConn, over <-chan struct{}) {
	io.WriteString(c, "\x16\x03\x01\x00\xee HTTP/1.1 400 Bad Request\r\n\r\n")
	<-over
}

func slowly(c *net.TCPConn, over <-chan struct{}) { // but faster than any single write would wait
	pace := time.NewTicker(5 * time.Millisecond)
	defer pace.Stop()
	for b := make([]byte, 16<<10); ; {
		select {
		case <-over:
			return
		case <-pace.C:
			if _, err := c.Read(b); err != nil {
				return
			}
		}
	}
}

// taker is a relay that takes letters of any size, and counts them. It refuses nobody@….
func taker(t testing.TB) (addr string, kept *atomic.Int32) {
	t.Helper()
	kept = new(atomic.Int32)
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &takerSession{kept}, nil }))
	server.ErrorLog = log.New(io.Discard, "", 0)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); server.Serve(listener) }()
	t.Cleanup(func() { server.Close(); listener.Close(); <-done })
	return listener.Addr().String(), kept
}

type takerSession struct{ kept *atomic.Int32 }

func (s *takerSession) Reset()                               {}
func (s *takerSession) Logout() error                        { return nil }
func (s *takerSession) Mail(string, *smtp.MailOptions) error { return nil }
func (s *takerSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	if strings.HasPrefix(to, "nobody@") {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "No such user"}
	}
	return nil
}
func (s *takerSession) Data(r io.Reader) error {
	if _, err := io.Copy(io.Discard, r); err != nil {
		return err
	}
	s.kept.Add(1)
	return nil
}

var hurried = patience{connect: 10 * time.Second, command: time.Second, write: time.Second, letter: 3 * time.Second, verdict: time.Second}

// A worker that still waits for a relay must not lose its claim on the letter.
func TestNoLetterTakesLongerThanItsLease(t *testing.T) {
	p := usualPatience
	if all := p.letter + p.verdict + p.command; all > lease || p.verdict < 10*time.Minute { // RFC 5321, 4.5.3.2.6
		t.Errorf("a letter may take %v, its claim lasts %v", all, lease)
	}
}

// Before the letter's end is said, nothing is uncertain; after it, everything but a clear answer is. Nothing waits for ever,
// and the next letter leaves over a new connection.
func TestEveryFaultAtEveryStage(t *testing.T) {
	config, roots := certificate(t)
	type fault struct {
		name string
		meet func(*net.TCPConn, <-chan struct{})
	}
	answers := []fault{{"it hangs up", hangUp}, {"it resets", reset}, {"it hangs", silence}, {"half a line", halfALine}, {"byte by byte", drip}, {"garbage", garbage}}
	silent := []fault{{"it hangs up", hangUp}, {"it resets", reset}, {"it stops reading", silence}, {"it reads slowly", slowly}}
	huge := strings.Repeat(strings.Repeat("x", 70)+"\r\n", 200_000) // more than the network holds by itself
	var meeting sync.WaitGroup
	for _, stage := range []struct {
		name, said string
		faults     []fault
		secure     bool // needs STARTTLS and a password
		to, letter string
		want       Outcome
	}{
		{"the greeting", "", answers, false, "ann", small, NotSent},
		{"EHLO", "EHLO", answers, false, "ann", small, NotSent},
		{"STARTTLS", "STARTTLS", answers, true, "ann", small, NotSent},
		{"AUTH", "AUTH", answers, false, "ann", small, NotSent},
		{"MAIL", "MAIL", answers, false, "ann", small, Deferred},
		{"RCPT", "RCPT", answers, false, "ann", small, Deferred},
		{"DATA", "DATA", answers, false, "ann", small, Deferred},
		{"the middle of the letter", "…", silent, false, "ann", huge, Deferred},
		{"the letter's end", ".", answers, false, "ann", small, Uncertain},
		{"RSET", "RSET", answers, false, "nobody", small, Rejected},
	} {
		for i := range 2 * len(stage.faults) {
			f, each := stage.faults[i/2], i%2 == 0
			relay, kept := taker(t)
			query, user := "?tls=none", ""
			if stage.secure || stage.said == "AUTH" {
				o := mailbox.Options{Username: "harbor", Password: "secret"}
				if user = "harbor:secret@"; stage.secure {
					o.TLS, query = config, ""
				}
				b := box(t, o)
				relay = b.Addr()
			}
			p := newProxy(t, relay, stage.said, each, f.meet)
			r := relayTo(t, "smtp://"+user+p.listener.Addr().String()+query)
			r.roots, r.patience = roots, hurried
			from, to, ann := email(t, "hello@harbor.example"), email(t, stage.to+"@mail.example"), email(t, "ann@mail.example")
			meeting.Go(func() {
				name := fmt.Sprintf("%s, at %s, one by one: %v", f.name, stage.name, each)
				l := r.Line()
				defer l.Close()
				got := l.Send(t.Context(), from, to, []byte(stage.letter))
				if got.Outcome != stage.want || (got.Outcome == NotSent) != (got.Trouble != nil) {
					t.Errorf("%s: %+v %+v", name, got, got.Trouble)
				}
				if f.name == "it reads slowly" && !strings.Contains(got.Reply, "too slow") {
					t.Errorf("%s: it ended by itself: %+v", name, got)
				}
				if got.Outcome == Uncertain && p.dots.Load() == 0 {
					t.Errorf("%s: uncertain, and its end was never said", name)
				}
				if n := kept.Load(); n > 0 && got.Outcome != Uncertain && got.Outcome != Accepted {
					t.Errorf("%s: %v, but the relay has it", name, got.Outcome)
				}
				if got := l.Send(t.Context(), from, ann, []byte(small)); got.Outcome != Accepted {
					t.Errorf("%s, the letter after it: %+v %+v", name, got, got.Trouble)
				}
			})
		}
	}
	meeting.Wait()
}

// Whatever a relay says: nothing hangs or panics, a letter is accepted only by a yes to its end, and uncertain only once that
// was said.
func FuzzRelaySays(f *testing.F) {
	for _, s := range []string{
		"220 hi\x00250-x\r\n250 PIPELINING\x00250 ok\x00250 ok\x00354 go\x00250 kept",
		"220 hi\x00250-x\r\n250 SIZE 5\x00250 ok", "220 hi\x00250 x\x00250 ok\x00550 5.1.1 no\x00250 reset", "220 hi\x00250 x\x00250 ok\x00250 ok\x00354 go\x00354 go",
		"220 hi\x00250 x\x00250 ok\x00250 ok\x00354 go\r\n250 ok", "220 hi\x00250-x\r\n250 PIPELINING\x00451 no\x00250 ok\x00354 go", "220-\r\n220\x002", "554 no", "\xff\x16\x03",
		"220 hi\x00250 x\x00250 ok\x00250 ok\x00354 go\x00250-kept\r\n250", "220 hi\x00500 what\x00250 x\x00250 ok\x00250 ok\x00354 go\x00251 kept",
	} {
		f.Add([]byte(s))
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { listener.Close() })
	r := relayTo(f, "smtp://"+listener.Addr().String()+"?tls=none")
	from, to := email(f, "hello@harbor.example"), email(f, "ann@mail.example")
	f.Fuzz(func(t *testing.T, says []byte) {
		replies := bytes.Split(says, []byte{0})
		var verdict []byte // to the letter's end; nil: it was never said
		done := make(chan struct{})
		go func() {
			defer close(done)
			c, err := listener.Accept()
			if err != nil {
				return
			}
			defer c.Close()
			lines := bufio.NewScanner(c)
			for at, letter := 0, false; at < len(replies); at++ {
				c.Write(slices.Concat(replies[at], []byte("\r\n")))
				c.SetReadDeadline(time.Now().Add(20 * time.Millisecond)) // it may wait for the rest of a reply: then this was all
				for lines.Scan() {
					switch verb, _, _ := strings.Cut(lines.Text(), " "); verb {
					case ".":
						letter = false
						if verdict = []byte{}; at+1 < len(replies) {
							verdict = replies[at+1]
						}
					case "EHLO", "HELO", "MAIL", "RCPT", "DATA", "RSET", "NOOP", "QUIT":
						if letter {
							continue
						}
						letter = verb == "DATA" && at+1 < len(replies) && bytes.HasPrefix(replies[at+1], []byte("354"))
					default:
						continue
					}
					break
				}
			}
		}()
		l := r.Line()
		got := l.Send(t.Context(), from, to, []byte(small))
		l.drop()
		<-done
		switch {
		case got.Outcome == Accepted && !bytes.HasPrefix(verdict, []byte("2")), got.Outcome == Uncertain && verdict == nil, (got.Outcome == NotSent) != (got.Trouble != nil):
			t.Errorf("%+v %+v; the letter's end was answered by %q", got, got.Trouble, verdict)
		case got.Outcome == Rejected && verdict != nil && !bytes.HasPrefix(verdict, []byte("5")):
			t.Errorf("rejected by %q", verdict)
		}
	})
}
