package practice

import (
	"context"
	"time"

	"anteroom/db"
	"anteroom/mail"
)

// MailTest is how the sending of a test letter went.
type MailTest struct {
	At       time.Time
	To       db.Email
	By       string
	Dialogue mail.Dialogue
	Outcome  mail.Outcome
	Meaning  string // a plain sentence
	Advice   string // what to do
	Reply    string // what it said, or what we say where it said nothing
	Words    string // the mail server's own within that, if any

	of *activeMail // which settings it tells of
}

const (
	testTime       = 45 * time.Second // that a test letter may take, all in all
	testsPerMinute = 3
)

var testMessage = mail.Parse("{practice_name}: a test of the mail settings", `Hello,

This is the test letter that you asked for. Mail from the client portal of {practice_name} leaves as it should.

Look whether it came into the inbox or into junk: your clients' mail goes the same way. If it came into junk, *Check the domain* beside the mail settings says what is missing.`)

// SendTestLetter sends a letter to the administrator's own address over a connection of its own, also while the outbox is
// paused, and keeps what was said. It returns Invalid for "test", while there is no relay and after too many in a minute.
func (p *Practice) SendTestLetter(ctx context.Context, by Administrator) error {
	if !by.administers() {
		return ErrNotAllowed
	}
	m := p.mail.Load()
	if m == nil {
		return Invalid{"test": "There is no mail server to test yet. Set one up first."}
	}
	var letter mail.Letter
	err := p.db.Update(ctx, func(tx *db.Tx) error {
		n, err := tx.Attempts("test letter", tx.Now().Add(-time.Minute))
		if err != nil {
			return err
		}
		if n >= testsPerMinute {
			return Invalid{"test": "That was the third test within a minute. Wait a minute, then try again."}
		}
		if err := tx.AddAttempt("test letter"); err != nil {
			return err
		}
		o, err := tx.Organization()
		if err != nil {
			return err
		}
		if letter, err = p.writeAccountLetter(o, accountMessage{message: testMessage}, Actor{staff: by.Staff}, tx.Now(), 0); err != nil {
			return err
		}
		return tx.Audit(db.AuditEntry{StaffID: by.member.ID, Act: "had a test letter sent to themselves"})
	})
	if err != nil {
		return err
	}
	within, cancel := context.WithTimeout(ctx, testTime)
	defer cancel()
	test := MailTest{At: p.Now(), To: by.member.Email, By: by.Name(), of: m}
	var result mail.Result
	test.Dialogue, result = m.relay.Try(within, letter.From.Email, letter.To.Email, letter.Bytes)
	test.judge(result)
	p.mailTest.Store(&test)
	return nil
}

func (t *MailTest) judge(r mail.Result) {
	t.Outcome, t.Reply = r.Outcome, r.Reply
	if r.Trouble != nil {
		t.Reply = r.Trouble.Reason
	}
	t.Words = mail.Words(t.Reply)
	if r.Outcome == mail.Accepted {
		t.Meaning = "The mail server took the letter."
		t.Advice = "Look whether it arrives at " + t.To.String() + " within a few minutes, and whether it is in the inbox or in junk."
		return
	}
	t.Meaning, t.Advice = mail.ExplainTest(t.of.relay.Settings(), r)
}

// LastMailTest is how the latest test letter went; nil: none was sent since the program started, or since the settings changed.
func (p *Practice) LastMailTest(by Administrator) *MailTest {
	test := p.mailTest.Load()
	if !by.administers() || test == nil || test.of != p.mail.Load() {
		return nil
	}
	return test
}
