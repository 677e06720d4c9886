package mail

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"anteroom/db"
	"anteroom/mail/mailbox"
)

// outbox is a practice with letters to send, and its clock.
type outbox struct {
	*db.DB
	t       testing.TB
	clock   atomic.Pointer[time.Time]
	tom     db.StaffMember
	clients []db.Client // Tom's
	events  chan string // what the worker logs
}

func newOutbox(t testing.TB, clients int) *outbox {
	t.Helper()
	o := &outbox{t: t, events: make(chan string, 1000)}
	start := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	o.clock.Store(&start)
	o.DB = db.Temp(t, func() time.Time { return *o.clock.Load() })
	o.tom = db.StaffMember{Name: "Tom", Email: email(t, "tom@harbor.example"), Role: db.RoleTherapist, Permissions: []db.Permission{db.MayInviteClients}}
	o.update(func(tx *db.Tx) error {
		if err := tx.AddStaff(&o.tom); err != nil {
			return err
		}
		for i := range clients {
			c := db.Client{FirstName: "Ann", LastName: fmt.Sprint(i), Email: email(t, fmt.Sprintf("ann%d@mail.example", i))}
			if err := tx.AddClient(&c); err != nil {
				return err
			}
			if err := tx.Assign(o.tom.ID, c.ID); err != nil {
				return err
			}
			o.clients = append(o.clients, c)
		}
		return nil
	})
	return o
}

func (o *outbox) move(d time.Duration) {
	then := o.clock.Load().Add(d)
	o.clock.Store(&then)
}

func (o *outbox) update(fn func(*db.Tx) error) {
	o.t.Helper()
	if err := o.Update(context.Background(), fn); err != nil {
		o.t.Fatal(err)
	}
}

// invite queues an invitation to each client.
func (o *outbox) invite(life time.Duration) {
	o.t.Helper()
	o.update(func(tx *db.Tx) error { return o.inviteIn(tx, life) })
}

func (o *outbox) inviteIn(tx *db.Tx, life time.Duration) error {
	c := composer(o.t)
	m := Parse("Welcome, {client_first_name}", "Dear {client_first_name}, please join us.\n\n{portal_link}")
	for _, client := range o.clients {
		link := db.Link{Purpose: db.LinkJoin, ClientID: client.ID, ExpiresAt: tx.Now().Add(life)}
		if err := tx.AddLink(&link); err != nil {
			return err
		}
		p := toAnn(o.t)
		p.To, p.Date, p.MessageID = Address{client.Name(), client.Email}, tx.Now(), fmt.Sprint(link.ID, "@harbor.example")
		letter, err := c.Compose(m, p)
		if err != nil {
			return err
		}
		if err := tx.AddLetter(&db.Letter{Kind: db.LetterInvitation, ClientID: client.ID, SentBy: o.tom.ID, LinkID: link.ID, MessageID: p.MessageID,
			To: client.Email, EnvelopeFrom: p.From.Email.Envelope(), Subject: letter.Subject, Data: letter.Bytes}); err != nil {
			return err
		}
	}
	return nil
}

// letters are the newest letters to each client.
func (o *outbox) letters() (all []db.Letter) {
	o.t.Helper()
	if err := o.View(context.Background(), func(tx *db.Tx) error {
		for _, c := range o.clients {
			l, err := tx.ClientLetters(db.Everybody(), c.ID)
			if err != nil {
				return err
			}
			all = append(all, l[0])
		}
		return nil
	}); err != nil {
		o.t.Fatal(err)
	}
	return all
}

func (o *outbox) states() map[db.LetterState]int {
	n := map[db.LetterState]int{}
	for _, l := range o.letters() {
		n[l.State]++
	}
	return n
}

// logged waits until the worker has logged a message.
func (o *outbox) logged(message string) {
	o.t.Helper()
	for {
		select {
		case got := <-o.events:
			if strings.Contains(got, message) {
				return
			}
		case <-time.After(20 * time.Second):
			o.t.Fatalf("the worker never said %q", message)
		}
	}
}

// arrived waits until n letters are in the mailbox.
func (o *outbox) arrived(b *mailbox.Box, n int) []mailbox.Letter {
	o.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	letters, err := b.Wait(ctx, n)
	if err != nil {
		o.t.Fatal(err, o.states())
	}
	return letters
}

// Write hears the worker's log.
func (o *outbox) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte("@")) {
		o.t.Errorf("an address in the log: %s", b)
	}
	o.events <- string(b)
	return len(b), nil
}

// start runs a worker until stop, which waits for it.
func (o *outbox) start(r Relay, connections int) (w *Worker, stop func()) {
	w = NewWorker(o.DB, connections, slog.New(slog.NewTextHandler(o, nil)))
	w.Configure(r)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				o.t.Error(err)
			}
		})
	}
	o.t.Cleanup(stop)
	return w, stop
}

func plainRelay(t testing.TB, addr string) Relay { return relayTo(t, "smtp://"+addr+"?tls=none") }

const week = 7 * 24 * time.Hour

func TestWorkerSendsEachLetterOnceWithItsOwnLink(t *testing.T) {
	o, b := newOutbox(t, 200), box(t, mailbox.Options{})
	w, stop := o.start(plainRelay(t, b.Addr()), 6)
	o.invite(week)
	w.Wake()
	got := o.arrived(b, 200)
	stop()
	if len(b.List()) != 200 {
		t.Errorf("%d letters arrived", len(b.List()))
	}
	clientOf := map[string]int64{}
	for _, c := range o.clients {
		clientOf[c.Email.String()] = c.ID
	}
	o.update(func(tx *db.Tx) error {
		for _, l := range got {
			_, after, _ := strings.Cut(l.Text, portal)
			token, _, _ := strings.Cut(after, "\n")
			link, err := tx.LinkByToken(token)
			if err != nil || link.ClientID == 0 || link.ClientID != clientOf[l.EnvelopeTo] || !strings.Contains(l.HTML, portal+token) {
				t.Errorf("the link in the letter to %s: %+v, %v", l.EnvelopeTo, link, err)
			}
			delete(clientOf, l.EnvelopeTo)
		}
		return nil
	})
	for _, l := range o.letters() {
		if l.State != db.LetterAccepted || l.Attempts != 1 || l.Reply != "250 2.0.0 OK: queued" {
			t.Errorf("%+v", l)
		}
	}
	if s := w.Status(); s != (Status{}) {
		t.Errorf("%+v", s)
	}
}

func TestWorkerSendsNothingThatWasRevoked(t *testing.T) {
	o, b := newOutbox(t, 2), box(t, mailbox.Options{})
	o.invite(week)
	o.update(func(tx *db.Tx) error { return tx.EndLinks(db.LinkJoin, o.clients[0].ID, 0) })
	_, stop := o.start(plainRelay(t, b.Addr()), 2)
	o.arrived(b, 1)
	stop()
	if l := o.letters(); l[0].State != db.LetterCancelled || l[1].State != db.LetterAccepted || len(b.List()) != 1 {
		t.Errorf("%+v; %d arrived", l, len(b.List()))
	}
}

func TestUncertainLetterGoesAgainUnchangedAndThenNeedsAttention(t *testing.T) {
	o := newOutbox(t, 1)
	b := box(t, mailbox.Options{Script: mailbox.Script{Kept: func(c mailbox.Conn, _ mailbox.Letter) error {
		c.HangUp()
		return nil
	}}})
	o.invite(week)
	for try := 1; try <= 3; try++ {
		w, stop := o.start(plainRelay(t, b.Addr()), 4)
		w.Wake()
		o.logged("outcome=uncertain")
		stop()
		l := o.letters()[0]
		if l.Uncertain != try || l.Attempts != try {
			t.Fatalf("try %d: %+v", try, l)
		}
		if try < 3 && (l.State != db.LetterQueued || l.Due.Sub(o.Now()) < 40*time.Second) {
			t.Fatalf("try %d: %+v", try, l)
		}
		if try == 3 && (l.State != db.LetterNeedsAttention || !strings.HasPrefix(l.Reply, "It was sent three times")) {
			t.Fatalf("%+v", l)
		}
		o.move(5 * time.Minute)
	}
	got := b.List()
	if len(got) != 3 || !bytes.Equal(got[0].Source, got[1].Source) || !bytes.Equal(got[1].Source, got[2].Source) {
		t.Errorf("%d letters, not all the same", len(got))
	}
}

func TestRefusedLetterFailsAloneWithItsReason(t *testing.T) {
	o := newOutbox(t, 5)
	b := box(t, mailbox.Options{Script: mailbox.Script{Rcpt: func(_ mailbox.Conn, to string) error {
		if to == "ann2@mail.example" {
			return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "No such user"}
		}
		return nil
	}}})
	o.invite(week)
	_, stop := o.start(plainRelay(t, b.Addr()), 2)
	o.logged("outcome=rejected")
	o.arrived(b, 4)
	stop()
	for i, l := range o.letters() {
		if i == 2 && (l.State != db.LetterFailed || l.Reply != "550 5.1.1 No such user") || i != 2 && l.State != db.LetterAccepted {
			t.Errorf("%d: %+v", i, l)
		}
	}
}

func TestDeferredLetterComesBackLater(t *testing.T) {
	o := newOutbox(t, 1)
	var busy atomic.Bool
	busy.Store(true)
	b := box(t, mailbox.Options{Script: mailbox.Script{Data: func(mailbox.Conn, mailbox.Letter) error {
		if busy.Load() {
			return &smtp.SMTPError{Code: 451, Message: "busy"}
		}
		return nil
	}}})
	o.invite(week)
	w, stop := o.start(plainRelay(t, b.Addr()), 1)
	o.logged("outcome=deferred")
	busy.Store(false)
	o.move(2 * time.Minute)
	w.Wake()
	o.arrived(b, 1)
	stop()
	if l := o.letters()[0]; l.State != db.LetterAccepted || l.Deferred != 1 || l.Uncertain != 0 || l.Attempts != 2 {
		t.Errorf("%+v", l)
	}
}

func TestRelayThatIsDownHoldsTheOutboxAsOne(t *testing.T) {
	o := newOutbox(t, 20)
	down, err := mailbox.Open(mailbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	addr := down.Addr()
	down.Close()
	o.invite(week)
	w, stop := o.start(plainRelay(t, addr), 4)
	o.logged("outbox held")
	s := w.Status()
	if !strings.Contains(s.Held, "can't be reached") || s.Alarm || !s.Since.Equal(o.Now()) || !s.Retry.After(o.Now()) {
		t.Errorf("%+v", s)
	}
	o.move(2 * time.Minute)
	w.Wake()
	o.logged("outbox held") // still
	if again := w.Status(); !again.Since.Equal(s.Since) || again.Retry.Sub(o.Now()) < 90*time.Second {
		t.Errorf("%+v", again)
	}
	up := box(t, mailbox.Options{Addr: addr})
	w.Wake() // not time yet
	o.move(5 * time.Minute)
	w.Wake()
	o.arrived(up, 20)
	stop()
	for _, l := range o.letters() {
		if l.State != db.LetterAccepted || l.Deferred != 0 || l.Uncertain != 0 {
			t.Errorf("%+v", l)
		}
	}
	if s := w.Status(); s.Held != "" {
		t.Errorf("%+v", s)
	}
}

func TestWrongPasswordIsAnAlarmAndNoLettersFault(t *testing.T) {
	o := newOutbox(t, 3)
	b := box(t, mailbox.Options{Username: "harbor", Password: "right"})
	o.invite(week)
	r := relayTo(t, "smtp://harbor:wrong@"+b.Addr()+"?tls=none")
	w, stop := o.start(r, 4)
	o.logged("level=ERROR msg=\"outbox held\"")
	if s := w.Status(); !s.Alarm || !strings.Contains(s.Held, "535") {
		t.Errorf("%+v", s)
	}
	stop()
	if n := o.states(); n[db.LetterQueued] != 3 {
		t.Errorf("%v", n)
	}
}

func TestSenderThatIsRefusedHoldsTheOutboxToo(t *testing.T) {
	o := newOutbox(t, 9)
	b := box(t, mailbox.Options{Script: mailbox.Script{Mail: func(_ mailbox.Conn, from string) error {
		return &smtp.SMTPError{Code: 553, Message: from + " is not yours"}
	}}})
	o.invite(week)
	w, stop := o.start(plainRelay(t, b.Addr()), 4)
	o.logged("outbox held")
	if s := w.Status(); !s.Alarm || !strings.Contains(s.Held, "553") {
		t.Errorf("%+v", s)
	}
	o.move(time.Hour)
	w.Wake()
	o.logged("outbox held") // connecting works, but it isn't what is wrong
	stop()
	for _, l := range o.letters() {
		if l.State != db.LetterQueued || l.Deferred != 0 {
			t.Errorf("%+v", l)
		}
	}
}

func TestRelayThatWantsFewConnectionsGetsFew(t *testing.T) {
	o := newOutbox(t, 60)
	var seen sync.Map
	var open atomic.Int32
	b := box(t, mailbox.Options{Script: mailbox.Script{Hello: func(c mailbox.Conn) error {
		if _, again := seen.LoadOrStore(c, true); !again && open.Add(1) > 1 {
			return &smtp.SMTPError{Code: 421, Message: "too many connections"}
		}
		return nil
	}}})
	all := o.clients
	o.clients = all[:1]
	o.invite(week)
	w, stop := o.start(plainRelay(t, b.Addr()), 6)
	o.arrived(b, 1)
	o.clients = all[1:]
	o.invite(week)
	w.Wake()
	o.arrived(b, 60)
	stop()
	if n := o.states(); n[db.LetterAccepted] != 59 || open.Load() < 2 {
		t.Errorf("%v, %d connections", n, open.Load())
	}
	for len(o.events) > 0 {
		if e := <-o.events; strings.Contains(e, "outbox held") {
			t.Error("one connection too many held all the letters")
		}
	}
}

func TestLetterOfAWorkerThatDiedGoesAgainUnchanged(t *testing.T) {
	o, b := newOutbox(t, 1), box(t, mailbox.Options{})
	o.invite(week)
	var jobs []job
	o.update(func(tx *db.Tx) (err error) {
		jobs, err = claimJobs(tx, 9)
		return err
	})
	l := lineTo(t, plainRelay(t, b.Addr()))
	if got := jobs[0].do(t.Context(), l); got.Outcome != Accepted {
		t.Fatalf("%+v", got)
	}
	// The program is killed here: nobody settles. The next one must not wait for the lease.
	w, stop := o.start(plainRelay(t, b.Addr()), 1)
	o.logged("lost")
	o.move(2 * time.Minute)
	w.Wake()
	got := o.arrived(b, 2)
	stop()
	if l := o.letters()[0]; l.State != db.LetterAccepted || l.Uncertain != 1 || l.Attempts != 2 {
		t.Errorf("%+v", l)
	}
	if !bytes.Equal(got[0].Source, got[1].Source) {
		t.Errorf("first:\n%s\nthen:\n%s", got[0].Source, got[1].Source)
	}
}

func TestLeaseThatRanOutIsUncertain(t *testing.T) {
	o, b := newOutbox(t, 2), box(t, mailbox.Options{})
	o.invite(week)
	w, stop := o.start(plainRelay(t, b.Addr()), 1)
	o.arrived(b, 2) // it has begun
	o.update(func(tx *db.Tx) error {
		if err := o.inviteIn(tx, week); err != nil {
			return err
		}
		_, err := tx.ClaimLetters(1, lease) // and nobody will settle it
		return err
	})
	w.Wake()
	o.arrived(b, 3)
	o.move(lease)
	w.Wake()
	o.logged("lost")
	o.move(2 * time.Minute)
	w.Wake()
	o.arrived(b, 4)
	stop()
	if l := o.letters(); l[0].State != db.LetterAccepted || l[0].Uncertain != 1 || l[1].Uncertain != 0 {
		t.Errorf("%+v", l)
	}
}

func TestStoppingFinishesTheLetterOnTheWireAndClaimsNothing(t *testing.T) {
	o := newOutbox(t, 10)
	onTheWire, goOn := make(chan struct{}, 10), make(chan struct{})
	b := box(t, mailbox.Options{Script: mailbox.Script{Data: func(mailbox.Conn, mailbox.Letter) error {
		onTheWire <- struct{}{}
		<-goOn
		return nil
	}}})
	o.invite(week)
	w := NewWorker(o.DB, 1, slog.New(slog.DiscardHandler))
	w.Configure(plainRelay(t, b.Addr()))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- w.Run(ctx) }()
	<-onTheWire
	cancel()
	close(goOn)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if n := o.states(); n[db.LetterAccepted] != 1 || n[db.LetterQueued] != 9 {
		t.Errorf("%v", n)
	}
}

func TestStoppingDropsWhatTakesTooLong(t *testing.T) {
	o := newOutbox(t, 3)
	onTheWire, never := make(chan struct{}, 10), make(chan struct{})
	t.Cleanup(func() { close(never) })
	b := box(t, mailbox.Options{Script: mailbox.Script{Kept: func(mailbox.Conn, mailbox.Letter) error {
		onTheWire <- struct{}{}
		<-never
		return nil
	}}})
	o.invite(week)
	w := NewWorker(o.DB, 1, slog.New(slog.DiscardHandler))
	w.Configure(plainRelay(t, b.Addr()))
	w.stopWithin = 10 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- w.Run(ctx) }()
	<-onTheWire
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	l := o.letters()
	if l[0].State != db.LetterQueued || l[0].Uncertain != 1 || l[1].State != db.LetterQueued || l[1].Uncertain != 0 {
		t.Errorf("%+v", l)
	}
}

func TestLetterThatWouldArriveTooLateNeedsAttention(t *testing.T) {
	for _, c := range []struct {
		life, waited time.Duration
		leaves       bool
	}{
		{week, 4 * 24 * time.Hour, true},
		{week, week - linkMustLast + time.Second, false},
		{30 * 24 * time.Hour, giveUpAfter, true},
		{30 * 24 * time.Hour, giveUpAfter + time.Second, false},
		{24 * time.Hour, 12 * time.Hour, true},
		{24 * time.Hour, 13 * time.Hour, false},
	} {
		o := newOutbox(t, 1)
		o.invite(c.life)
		o.move(c.waited)
		var jobs []job
		o.update(func(tx *db.Tx) (err error) {
			jobs, err = claimJobs(tx, 1)
			return err
		})
		l := o.letters()[0]
		if leaves := len(jobs) == 1; leaves != c.leaves || !leaves && l.State != db.LetterNeedsAttention {
			t.Errorf("a link of %v after %v: %+v", c.life, c.waited, l)
		}
	}
}

// A notice that comes too late alarms and doesn't help: it is taken back, and nobody has to see to it.
func TestNoticeThatComesTooLateIsTakenBack(t *testing.T) {
	now := time.Unix(1e9, 0)
	for _, kind := range []db.LetterKind{db.LetterNewDevice, db.LetterOwnAccount} {
		for waited, want := range map[time.Duration]db.LetterState{0: "", noticeMustLeave: "", noticeMustLeave + time.Second: db.LetterCancelled} {
			if why, end := TooLate(db.Letter{Kind: kind, CreatedAt: now.Add(-waited)}, db.Link{}, now); end != want || (why == "") != (want == "") {
				t.Errorf("%s after %v: %q, %q", kind, waited, why, end)
			}
		}
	}
}

func TestBackOffDoublesUpToAnHour(t *testing.T) {
	for failures, want := range []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 16 * time.Minute, 32 * time.Minute, time.Hour, time.Hour} {
		seen := map[time.Duration]bool{}
		for range 50 {
			d := backOff(failures)
			if d < want*4/5 || d > want*6/5 {
				t.Errorf("after %d: %v", failures, d)
			}
			seen[d] = true
		}
		if len(seen) < 2 {
			t.Errorf("after %d failures all wait equally long", failures)
		}
	}
	if d := backOff(1000); d > longestWait*6/5 || d < longestWait*4/5 {
		t.Errorf("after very many: %v", d)
	}
}

func TestPatienceOfTheRelayEnds(t *testing.T) {
	l := db.Letter{CreatedAt: time.Unix(0, 0), Deferred: 200}
	for after, want := range map[time.Duration]db.LetterState{giveUpAfter - 2*time.Hour: db.LetterQueued, giveUpAfter: db.LetterNeedsAttention} {
		got := settlement(l, Result{Outcome: Deferred, Reply: "451 later"}, l.CreatedAt.Add(after))
		if got.State != want || !strings.Contains(got.Reply, "451 later") {
			t.Errorf("after %v: %+v", after, got)
		}
	}
}

// BenchmarkOutbox sends letters to a relay on this machine that keeps nothing, and keeps how each ended.
func BenchmarkOutbox(b *testing.B) {
	for _, connections := range []int{1, 4, 10} {
		b.Run(fmt.Sprint(connections), func(b *testing.B) {
			o := newOutbox(b, 1000)
			arrived := make(chan struct{}, 1000)
			sink := sinkServer(b, arrived)
			w, _ := o.start(plainRelay(b, sink), connections)
			for b.Loop() {
				b.StopTimer()
				o.invite(week)
				b.StartTimer()
				w.Wake()
				for range o.clients {
					<-arrived
				}
			}
			b.ReportMetric(float64(b.N*len(o.clients))/b.Elapsed().Seconds(), "letters/s")
		})
		b.Run(fmt.Sprint(connections, " without an outbox"), func(b *testing.B) {
			o := newOutbox(b, 1000)
			arrived := make(chan struct{}, 1000)
			r := plainRelay(b, sinkServer(b, arrived))
			o.invite(week)
			var jobs []job
			o.update(func(tx *db.Tx) (err error) {
				jobs, err = claimJobs(tx, 1000)
				return err
			})
			var lines []*Line
			for range connections {
				lines = append(lines, r.Line())
			}
			for b.Loop() {
				var senders sync.WaitGroup
				for i, l := range lines {
					senders.Go(func() {
						for k := i; k < len(jobs); k += connections {
							jobs[k].do(context.Background(), l)
						}
					})
				}
				senders.Wait()
				for range jobs {
					<-arrived
				}
			}
			b.ReportMetric(float64(b.N*len(jobs))/b.Elapsed().Seconds(), "letters/s")
		})
	}
}

type sink struct{ arrived chan<- struct{} }

func (s sink) Reset()                               {}
func (s sink) Logout() error                        { return nil }
func (s sink) Mail(string, *smtp.MailOptions) error { return nil }
func (s sink) Rcpt(string, *smtp.RcptOptions) error { return nil }
func (s sink) Data(r io.Reader) error {
	_, err := io.Copy(io.Discard, r)
	s.arrived <- struct{}{}
	return err
}

func sinkServer(b *testing.B, arrived chan<- struct{}) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return sink{arrived}, nil }))
	go s.Serve(l)
	b.Cleanup(func() { s.Close() })
	return l.Addr().String()
}
