package mail

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"anteroom/db"
	"anteroom/mail/mailbox"
)

// The rows of the fault table that the outbox answers for, and the tests that show them:
//
//	SIGKILL anywhere                  TestKilledOutboxLosesAndDoublesNothing (in the program's folder)
//	SIGTERM while sending             TestTerminatedOutboxFinishesWhatIsOnTheWire (there), TestStopping…
//	disk full                         TestNothingLeavesWhileTheDiskIsFull, TestEndingsAreKeptOnceTheDiskHasRoom; handlers.TestFullDisk
//	corrupt database page             TestDamagedDatabaseStopsTheOutbox; db.TestDamagedDatabaseRefusesToStart
//	second process on the same data   db.TestOnlyOneProcessHasTheFolder
//	clock jumps                       TestClockThatJumpsPausesTheOutbox; db.TestRestoredOrMovedDatabaseStartsPaused
//	relay down, DNS fails, times out  TestTroubleWithTheRelayHoldsTheOutboxAsOne, TestRelayThatIsDownHoldsTheOutboxAsOne
//	535, TLS failure                  TestTroubleWithTheRelayHoldsTheOutboxAsOne
//	421/451, 5xx to RCPT or DATA      TestHowEachLetterEnds
//	drops or hangs after the dot      TestHowEachLetterEnds, TestUncertainLetterGoesAgainUnchangedAndThenNeedsAttention
//	revoke, unassign, address change  TestNothingIsClaimedThatMayNotLeaveAnyMore
//	double click                      practice.TestSendTwice…
//
// Trouble with the relay spends no letter's tries, and is told once.
func TestTroubleWithTheRelayHoldsTheOutboxAsOne(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	down, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	down.Close()
	plain, locked := box(t, mailbox.Options{}), box(t, mailbox.Options{Username: "harbor", Password: "right"})
	noSender := box(t, mailbox.Options{Script: mailbox.Script{Mail: func(mailbox.Conn, string) error {
		return &smtp.SMTPError{Code: 553, Message: "not yours"}
	}}})
	full := box(t, mailbox.Options{Script: mailbox.Script{Hello: func(mailbox.Conn) error {
		return &smtp.SMTPError{Code: 421, Message: "too busy"}
	}}})
	unnamed := plainRelay(t, plain.Addr())
	unnamed.settings.Host = "no..where" // which no name server needs to be asked about
	slow := plainRelay(t, silent.Addr().String())
	slow.patience.connect, slow.patience.command = 50*time.Millisecond, 50*time.Millisecond
	for name, test := range map[string]struct {
		relay Relay
		alarm bool
		says  string
	}{
		"down":           {plainRelay(t, down.Addr().String()), false, "can't be reached"},
		"no such name":   {unnamed, false, "can't be reached"},
		"says nothing":   {slow, false, "can't be reached"},
		"says 421":       {plainRelay(t, full.Addr()), false, "too busy"},
		"no TLS":         {relayTo(t, "smtp://"+plain.Addr()), true, "can't be made secure"},
		"says 535":       {relayTo(t, "smtp://harbor:wrong@"+locked.Addr()+"?tls=none"), true, "535"},
		"sender refused": {plainRelay(t, noSender.Addr()), true, "553"},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOutbox(t, 20)
			o.invite(week)
			w, stop := o.start(test.relay, 4)
			o.logged("outbox held")
			s := w.Status()
			stop()
			if s.Alarm != test.alarm || !strings.Contains(s.Held, test.says) || s.Retry.IsZero() || s.Paused || !s.Trouble || s.Unset {
				t.Errorf("%+v", s)
			}
			for _, l := range o.letters() {
				if l.State != db.LetterQueued || l.Deferred != 0 || l.Uncertain != 0 || l.Due.After(o.Now()) {
					t.Errorf("%+v", l)
				}
			}
			for len(o.events) > 0 {
				if e := <-o.events; strings.Contains(e, "outbox held") {
					t.Errorf("told again: %s", e)
				}
			}
		})
	}
}

// What the relay does to one letter decides that letter's end, and no other's.
func TestHowEachLetterEnds(t *testing.T) {
	says := func(code int) error { return &smtp.SMTPError{Code: code, Message: "no"} }
	never := make(chan struct{})
	defer close(never)
	for name, test := range map[string]struct {
		script   mailbox.Script
		state    db.LetterState
		deferred int
		unsure   int
		says     string
	}{
		"421 to MAIL":     {mailbox.Script{Mail: func(mailbox.Conn, string) error { return says(421) }}, db.LetterQueued, 1, 0, "421"},
		"451 to RCPT":     {mailbox.Script{Rcpt: func(mailbox.Conn, string) error { return says(451) }}, db.LetterQueued, 1, 0, "451"},
		"451 to the data": {mailbox.Script{Data: func(mailbox.Conn, mailbox.Letter) error { return says(451) }}, db.LetterQueued, 1, 0, "451"},
		"550 to RCPT":     {mailbox.Script{Rcpt: func(mailbox.Conn, string) error { return says(550) }}, db.LetterFailed, 0, 0, "550"},
		"554 to the data": {mailbox.Script{Data: func(mailbox.Conn, mailbox.Letter) error { return says(554) }}, db.LetterFailed, 0, 0, "554"},
		"drops after the dot": {mailbox.Script{Kept: func(c mailbox.Conn, _ mailbox.Letter) error {
			c.HangUp()
			return nil
		}}, db.LetterQueued, 0, 1, "No clear reply"},
		"hangs after the dot": {mailbox.Script{Kept: func(mailbox.Conn, mailbox.Letter) error {
			<-never
			return nil
		}}, db.LetterQueued, 0, 1, "No clear reply"},
		"takes it": {mailbox.Script{}, db.LetterAccepted, 0, 0, "250"},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOutbox(t, 1)
			b := box(t, mailbox.Options{Script: test.script})
			o.invite(week)
			r := plainRelay(t, b.Addr())
			r.patience.verdict = 100 * time.Millisecond
			w, stop := o.start(r, 1)
			if test.state == db.LetterAccepted {
				o.arrived(b, 1)
			} else {
				o.logged("letter not accepted")
			}
			stop()
			l := o.letters()[0]
			if l.State != test.state || l.Deferred != test.deferred || l.Uncertain != test.unsure || !strings.Contains(l.Reply, test.says) {
				t.Errorf("%+v", l)
			}
			if l.State == db.LetterQueued && l.Due.Sub(o.Now()) < 45*time.Second {
				t.Errorf("due again after %v", l.Due.Sub(o.Now()))
			}
			if s := w.Status(); s.Held != "" {
				t.Errorf("one letter holds all: %+v", s)
			}
		})
	}
}

func TestNothingIsClaimedThatMayNotLeaveAnyMore(t *testing.T) {
	o := newOutbox(t, 7)
	run := func(tx *db.Tx, statement string, args ...any) error {
		_, err := tx.Exec(statement, args...)
		return err
	}
	cases := []struct {
		why  string
		then func(tx *db.Tx, c db.Client) error
	}{
		{"Its link was revoked, or replaced by a newer one.", func(tx *db.Tx, c db.Client) error { return tx.EndLinks(db.LinkJoin, c.ID, 0) }},
		{"Its sender may not invite this client any more.", func(tx *db.Tx, c db.Client) error { return tx.Unassign(o.tom.ID, c.ID) }},
		{"The email address was changed.", func(tx *db.Tx, c db.Client) error {
			return run(tx, "UPDATE email_addresses SET canonical = 'new@mail.example' WHERE client_id = ?", c.ID)
		}},
		{"Portal access was turned off.", func(tx *db.Tx, c db.Client) error {
			return run(tx, "UPDATE clients SET portal_off_at = 1 WHERE id = ?", c.ID)
		}},
		{"The client was archived.", func(tx *db.Tx, c db.Client) error {
			return run(tx, "UPDATE clients SET archived_at = 1 WHERE id = ?", c.ID)
		}},
		{"The client may not be emailed.", func(tx *db.Tx, c db.Client) error {
			return run(tx, "UPDATE clients SET no_email_at = 1 WHERE id = ?", c.ID)
		}},
		{"Its link was used already.", func(tx *db.Tx, c db.Client) error {
			return run(tx, "UPDATE links SET used_at = 1 WHERE client_id = ?", c.ID)
		}},
	}
	b := box(t, mailbox.Options{})
	o.invite(week)
	o.update(func(tx *db.Tx) error {
		for i, c := range cases {
			if err := c.then(tx, o.clients[i]); err != nil {
				return err
			}
		}
		return nil
	})
	_, stop := o.start(plainRelay(t, b.Addr()), 2)
	o.turnedOnce()
	stop()
	for i, l := range o.letters() {
		if l.State != db.LetterCancelled || l.Reply != cases[i].why {
			t.Errorf("%q: %+v", cases[i].why, l)
		}
	}
	if n := len(b.List()); n > 0 {
		t.Errorf("%d left", n)
	}
}

// turnedOnce waits until no letter is due any more.
func (o *outbox) turnedOnce() {
	o.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for ctx.Err() == nil {
		n := o.states()
		if n[db.LetterQueued]+n[db.LetterSending] == 0 {
			return
		}
	}
	o.t.Fatalf("still %v", o.states())
}

// Nothing leaves once a pause is committed, but for what is on the wire.
func TestPausedOutboxSendsNothingUntilItIsResumed(t *testing.T) {
	o := newOutbox(t, 10)
	onTheWire, goOn := make(chan struct{}, 10), make(chan struct{})
	b := box(t, mailbox.Options{Script: mailbox.Script{Data: func(mailbox.Conn, mailbox.Letter) error {
		onTheWire <- struct{}{}
		<-goOn
		return nil
	}}})
	o.invite(week)
	w, stop := o.start(plainRelay(t, b.Addr()), 1)
	<-onTheWire
	o.update(func(tx *db.Tx) error { return tx.PauseOutbox(o.tom.ID, "Olga paused the outbox.") })
	if s := w.Status(); !s.Paused || s.Alarm || s.PausedBy != o.tom.ID || s.Held != "Olga paused the outbox."+untilResume || !s.Since.Equal(o.Now()) {
		t.Errorf("%+v", s)
	}
	w.Wake()
	o.logged("outbox paused by an administrator")
	close(goOn)
	o.arrived(b, 1)
	stop()
	if n := o.states(); n[db.LetterAccepted] != 1 || n[db.LetterQueued] != 9 {
		t.Errorf("%v", n)
	}
	w, stop = o.start(plainRelay(t, b.Addr()), 1) // a restart changes nothing
	o.logged("outbox paused")
	if n := len(b.List()); n != 1 {
		t.Errorf("%d arrived", n)
	}
	o.update((*db.Tx).ResumeOutbox)
	w.Wake()
	o.arrived(b, 10)
	stop()
	if s := w.Status(); s != (Status{}) {
		t.Errorf("%+v", s)
	}
}

func TestClockThatJumpsPausesTheOutbox(t *testing.T) {
	for _, jump := range []time.Duration{365 * 24 * time.Hour, 4 * 24 * time.Hour, -time.Hour, -365 * 24 * time.Hour} {
		t.Run(jump.String(), func(t *testing.T) {
			o, b := newOutbox(t, 3), box(t, mailbox.Options{})
			w, stop := o.start(plainRelay(t, b.Addr()), 2)
			o.invite(week)
			w.Wake()
			o.arrived(b, 3)
			o.turnedOnce()
			o.move(jump)
			o.invite(week)
			w.Wake()
			o.logged("level=ERROR msg=\"outbox paused\"")
			if s := w.Status(); !s.Paused || !s.Alarm || s.PausedBy != 0 {
				t.Errorf("%+v", s)
			}
			o.move(-jump)
			w.Wake()
			if n := o.states(); n[db.LetterQueued] != 3 {
				t.Errorf("%v", n)
			}
			o.update((*db.Tx).ResumeOutbox)
			w.Wake()
			o.turnedOnce() // though some are due in a year, by when they were written
			stop()
			want := 6
			if jump < -giveUpAfter { // the letters look a year old, and so do their links
				want = 3
			}
			if n := len(b.List()); n != want {
				t.Errorf("%d arrived, not %d", n, want)
			}
		})
	}
}

func TestRelayIsChangedWhileTheOutboxRuns(t *testing.T) {
	o := newOutbox(t, 5)
	first, second := box(t, mailbox.Options{}), box(t, mailbox.Options{Username: "harbor", Password: "right"})
	o.invite(week)
	w, stop := o.start(Relay{}, 3)
	if s := w.Status(); s.Held != noRelay || s.Paused || !s.Unset {
		t.Errorf("%+v", s)
	}
	w.Configure(plainRelay(t, first.Addr()))
	o.arrived(first, 5)
	o.turnedOnce()
	w.Configure(relayTo(t, "smtp://harbor:wrong@"+second.Addr()+"?tls=none"))
	o.invite(week)
	w.Wake()
	o.logged("outbox held")
	w.Configure(relayTo(t, "smtp://harbor:right@"+second.Addr()+"?tls=none")) // asked at once: the hold was the other's
	o.arrived(second, 5)
	o.turnedOnce()
	if s := w.Status(); s.Held != "" {
		t.Errorf("%+v", s)
	}
	w.Configure(Relay{})
	o.invite(week)
	w.Wake()
	if s := w.Status(); s.Held != noRelay {
		t.Errorf("%+v", s)
	}
	stop()
	if n := o.states(); n[db.LetterQueued] != 5 || len(first.List()) != 5 || len(second.List()) != 5 {
		t.Errorf("%v, %d and %d arrived", n, len(first.List()), len(second.List()))
	}
}

func TestRelayThatIsDownIsAskedAtOnceWhenSomebodySaysSo(t *testing.T) {
	o := newOutbox(t, 3)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	o.invite(week)
	w, _ := o.start(plainRelay(t, addr), 2)
	o.logged("outbox held")
	b := box(t, mailbox.Options{Addr: addr})
	w.Retry()
	o.arrived(b, 3)
}

func TestOutboxKeepsToWhatTheRelayTakes(t *testing.T) {
	for _, test := range []struct {
		option, limit string
		within        time.Duration
	}{{"per_minute", "5 letters a minute", time.Minute}, {"per_day", "5 letters a day", day}} {
		t.Run(test.option, func(t *testing.T) {
			o, b := newOutbox(t, 12), box(t, mailbox.Options{})
			r := relayTo(t, "smtp://"+b.Addr()+"?tls=none&"+test.option+"=5")
			o.invite(week)
			w, stop := o.start(r, 3)
			o.logged("outbox waits")
			s := w.Status()
			if s.Held != "" || s.Limit != test.limit || !s.More.Equal(o.Now().Add(test.within)) {
				t.Errorf("%+v", s)
			}
			stop()
			o.move(test.within - time.Second)
			w, stop = o.start(r, 3) // that knows from the records alone
			o.logged("outbox waits")
			if n := o.states(); n[db.LetterAccepted] != 5 || n[db.LetterQueued] != 7 || len(b.List()) != 5 {
				t.Errorf("%v, %d arrived", n, len(b.List()))
			}
			o.move(time.Second)
			w.Wake()
			o.logged("outbox waits")
			o.move(test.within)
			w.Wake()
			o.arrived(b, 12)
			stop()
			for _, l := range o.letters() {
				if l.State != db.LetterAccepted || l.Attempts != 1 {
					t.Errorf("%+v", l)
				}
			}
		})
	}
}

// fill lets the database grow no more, or as it likes.
func (o *outbox) fill(full bool) {
	o.update(func(tx *db.Tx) error {
		pages := 1 << 30
		if full {
			if err := tx.QueryRow("PRAGMA page_count").Scan(&pages); err != nil {
				return err
			}
		}
		return tx.QueryRow(fmt.Sprint("PRAGMA max_page_count = ", pages)).Scan(new(int))
	})
}

// No mail without its record, on a disk that is really full for SQLite.
func TestNothingLeavesWhileTheDiskIsFull(t *testing.T) {
	o, b := newOutbox(t, 200), box(t, mailbox.Options{})
	o.invite(week)
	o.update(func(tx *db.Tx) error { // the first claim already takes more room than there is
		_, err := tx.Exec(`CREATE TABLE fills (b BLOB); CREATE TRIGGER fills AFTER UPDATE OF lease_until ON letters BEGIN INSERT INTO fills VALUES (zeroblob(4000)); END`)
		return err
	})
	o.fill(true)
	w, stop := o.start(plainRelay(t, b.Addr()), 4)
	o.logged("outbox can't be written")
	if s := w.Status(); s.Held != diskFull || !s.Alarm {
		t.Errorf("%+v", s)
	}
	if n := o.states(); n[db.LetterQueued] != 200 || len(b.List()) != 0 {
		t.Errorf("%v, %d arrived", n, len(b.List()))
	}
	o.fill(false)
	o.arrived(b, 200) // by itself
	stop()
	if n := o.states(); n[db.LetterAccepted] != 200 || len(b.List()) != 200 {
		t.Errorf("%v, %d arrived", n, len(b.List()))
	}
	if s := w.Status(); s.Held != "" {
		t.Errorf("%+v", s)
	}
}

func TestEndingsAreKeptOnceTheDiskHasRoom(t *testing.T) {
	o := newOutbox(t, 40)
	reached, goOn := make(chan struct{}, 40), make(chan struct{})
	b := box(t, mailbox.Options{Script: mailbox.Script{Data: func(mailbox.Conn, mailbox.Letter) error {
		reached <- struct{}{}
		<-goOn
		return &smtp.SMTPError{Code: 550, Message: strings.Repeat("a long reply that takes much room ", 8)}
	}}})
	o.invite(week)
	w, stop := o.start(plainRelay(t, b.Addr()), 10)
	for range 10 {
		<-reached
	}
	o.fill(true)
	close(goOn)
	o.logged("outbox can't be written")
	if s := w.Status(); s.Held != diskFull {
		t.Errorf("%+v", s)
	}
	o.fill(false)
	o.turnedOnce()
	stop()
	for _, l := range o.letters() {
		if l.State != db.LetterFailed || l.Attempts != 1 || l.Uncertain != 0 {
			t.Errorf("%+v", l)
		}
	}
}

func TestDamagedDatabaseStopsTheOutbox(t *testing.T) {
	o, b := newOutbox(t, 3), box(t, mailbox.Options{})
	o.invite(week)
	var file string
	var page, size int64
	o.update(func(tx *db.Tx) error {
		return errors.Join(tx.QueryRow("SELECT file FROM pragma_database_list WHERE name = 'main'").Scan(&file),
			tx.QueryRow("SELECT rootpage FROM sqlite_schema WHERE name = 'letters_due'").Scan(&page), tx.QueryRow("PRAGMA page_size").Scan(&size))
	})
	if _, err := o.EmptyLog(t.Context()); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Clean(file), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte(strings.Repeat("damage", 100)), (page-1)*size); err != nil {
		t.Fatal(err)
	}
	o.update(func(tx *db.Tx) error { // and SQLite has to read it
		rows, err := tx.Query("PRAGMA shrink_memory")
		if err != nil {
			return err
		}
		return rows.Close()
	})
	w, stop := o.start(plainRelay(t, b.Addr()), 2)
	o.logged("outbox can't be written")
	if s := w.Status(); !s.Alarm || !strings.Contains(s.Held, "damaged") {
		t.Errorf("%+v", s)
	}
	stop()
	if n := len(b.List()); n > 0 {
		t.Errorf("%d arrived", n)
	}
}

// A relay that takes its time gets no letter that was revoked while others were on the wire: nothing is claimed before there
// is a connection for it.
func TestNothingIsClaimedLongBeforeItLeaves(t *testing.T) {
	o := newOutbox(t, 6)
	reached, gate := make(chan struct{}, 6), make(chan struct{})
	b := box(t, mailbox.Options{Script: mailbox.Script{Data: func(mailbox.Conn, mailbox.Letter) error {
		reached <- struct{}{}
		<-gate
		return nil
	}}})
	o.invite(week)
	_, stop := o.start(plainRelay(t, b.Addr()), 2)
	defer stop()
	<-reached
	<-reached
	if n := o.states(); n[db.LetterSending] != 2 || n[db.LetterQueued] != 4 {
		t.Errorf("while two are on the wire: %v", n)
	}
	o.update(func(tx *db.Tx) error {
		_, err := tx.Exec("UPDATE clients SET archived_at = 1")
		return err
	})
	close(gate)
	o.turnedOnce()
	if n := o.states(); n[db.LetterAccepted] != 2 || n[db.LetterCancelled] != 4 {
		t.Errorf("in the end: %v", n)
	}
}

// What the relay says of an address is no matter for every staff member.
func TestWhatHoldsTheOutboxNamesNobody(t *testing.T) {
	o := newOutbox(t, 1)
	b := box(t, mailbox.Options{Script: mailbox.Script{Rcpt: func(mailbox.Conn, string) error {
		return &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: "<ann0@mail.example>: Recipient address rejected: sending quota exceeded"}
	}}})
	o.invite(week)
	w, stop := o.start(plainRelay(t, b.Addr()), 1)
	o.logged("outbox held")
	held := w.Status().Held
	stop()
	if !strings.Contains(held, "sending quota exceeded") || strings.Contains(held, "@") {
		t.Error(held)
	}
}
