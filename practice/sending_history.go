package practice

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"anteroom/db"
)

// SendingHistory is what happened to one sending, for the client's page.
type SendingHistory struct {
	SendingRow
	Steps []Step // as they came
}

// Step is one thing that happened to a sending.
type Step struct {
	At    time.Time // zero: where it stands now, since nobody knows when
	Words string
	Held  string    // why letters wait, in a sentence
	Reply string    // in the mail server's own words
	Next  time.Time // when it is tried next
	Sign  StepSign
}

// StepSign is whether a step was for the better.
type StepSign string

const (
	StepGood StepSign = "good"
	StepBad  StepSign = "bad"
)

// sendingPast is what a sending's history is told from, beside the sending.
type sendingPast struct {
	after []db.Letter // that went to the client until the next sending
	next  time.Time   // when that was; zero: it is the latest
	ended string      // why its link was ended
	hold  OutboxStatus
	zone  *time.Location
	now   time.Time
}

// sendingHistory tells what happened to a sending.
func sendingHistory(row SendingRow, past sendingPast) SendingHistory {
	h := SendingHistory{SendingRow: row}
	add := func(at time.Time, step Step) {
		if !at.IsZero() {
			step.At = at
			h.Steps = append(h.Steps, step)
		}
	}
	sent := "Asked for by whoever holds the old link, to " + row.To.String()
	if row.Sending.SentBy != 0 {
		sent = "Sent by " + row.SentBy + " to " + row.To.String()
	}
	add(row.SentAt, Step{Words: sent})
	h.Steps = append(h.Steps, bounceSteps(row, past)...)
	h.Steps = append(h.Steps, letterStep(row.Sending, past))
	add(row.OpenedAt, Step{Words: "Link opened (possibly by a mail scanner)"})
	add(row.UsedAt, Step{Words: "Account made", Sign: StepGood})
	switch {
	case row.State == db.SendingReplaced:
		add(row.EndedAt, Step{Words: "A newer invitation took its place: its link no longer works"})
	case !row.EndedAt.IsZero():
		add(row.EndedAt, Step{Words: past.ended})
	case row.State == db.SendingExpired:
		add(row.ExpiresAt, Step{Words: "Its link expired"})
	}
	for _, l := range past.after {
		if l.Kind.Reminder() {
			step := letterStep(db.Sending{Letter: l.State, Reply: l.Reply, SentAt: l.CreatedAt, SettledAt: l.SettledAt, Due: l.Due, Tries: l.Tries()}, past)
			step.Words = "Reminder: " + step.Words
			h.Steps = append(h.Steps, step)
		}
	}
	if row.FormsDone > 0 {
		step := Step{Words: fmt.Sprintf("%d of %d forms completed", row.FormsDone, row.Forms)}
		if row.FormsDone == row.Forms {
			step.Sign = StepGood
		}
		add(row.FinishedAt, step)
	}
	slices.SortStableFunc(h.Steps, func(a, b Step) int {
		if a.At.IsZero() != b.At.IsZero() {
			return -a.At.Compare(b.At)
		}
		return a.At.Compare(b.At)
	})
	return h
}

// bounceSteps are what became known of a sending's address while it was the latest, and what was known when it was sent.
func bounceSteps(row SendingRow, past sendingPast) (steps []Step) {
	if row.To.Canonical() != row.Client.Email.Canonical() {
		return nil // another is on file now, which has its own marks
	}
	portal := row.Client.Portal
	during := func(at time.Time) bool {
		return !at.IsZero() && !at.Before(row.SentAt) && (past.next.IsZero() || at.Before(past.next))
	}
	switch at := portal.BouncedAt; {
	case during(at):
		steps = append(steps, Step{At: at, Words: "The office noted that mail to this address bounced", Sign: StepBad})
	case !at.IsZero() && at.Before(row.SentAt) && past.next.IsZero():
		steps = append(steps, Step{At: row.SentAt, Words: "Mail to this address had bounced on " + at.In(past.zone).Format("Jan 2, 2006")})
	}
	if during(portal.UnwantedAt) {
		steps = append(steps, Step{At: portal.UnwantedAt, Words: "Whoever reads this address said that our mail isn't meant for them", Sign: StepBad})
	}
	return steps
}

// endings are the acts that end an invitation's link, as its history tells them.
var endings = map[db.Act]string{
	"revoked the invitation":   "Revoked: its link no longer works",
	"took a letter back":       "Ended: an administrator took its letter back",
	"turned portal access off": "Ended: portal access was turned off",
	"archived the client":      "Ended: the client was archived",
}

// whyEnded is why a link was ended, from what was done to the client at that moment.
func whyEnded(acts []db.AuditEntry) string {
	for _, e := range acts {
		if why := endings[e.Act]; why != "" {
			return why
		}
		if slices.Contains(strings.Split(e.Detail, ", "), "email") {
			return "Ended: the address was changed"
		}
	}
	return "Its link was ended, and no longer works"
}

// letterStep is where a sending's letter stands, and since when, if anybody knows.
func letterStep(s db.Sending, past sendingPast) Step {
	switch s.Letter {
	case db.LetterQueued:
		step := Step{Words: "Waits in the queue", Held: past.hold.Held, Reply: s.Reply, Next: past.hold.Next(s.Due, past.now)}
		switch s.Tries {
		case 0:
			step.At = s.SentAt
		case 1:
			step.Words = "Tried once so far; it waits in the queue"
		default:
			step.Words = fmt.Sprintf("Tried %d times so far; it waits in the queue", s.Tries)
		}
		return step
	case db.LetterSending:
		if !s.EndedAt.IsZero() {
			return Step{Words: "On its way: it can't be called back, but its link is dead"}
		}
		return Step{Words: "On its way now"}
	case db.LetterAccepted:
		return Step{At: s.SettledAt, Words: "Accepted by the mail server", Reply: s.Reply, Sign: StepGood}
	case db.LetterCancelled:
		return Step{At: s.SettledAt, Words: "Cancelled before it left: " + s.Reply}
	}
	words := "Couldn't be sent"
	if s.Letter == db.LetterNeedsAttention {
		words = "Needs attention"
	}
	t := ReplyTrouble(s.Reply)
	if t.Why == s.Reply {
		return Step{At: s.SettledAt, Words: words + ": " + s.Reply, Sign: StepBad}
	}
	return Step{At: s.SettledAt, Words: words + ": " + t.Why, Reply: s.Reply, Sign: StepBad}
}
