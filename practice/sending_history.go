package practice

import (
	"fmt"
	"slices"
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
	At    time.Time
	Words string
	Reply string    // in the mail server's own words
	Next  time.Time // when it is tried again
	Sign  StepSign
}

// StepSign is whether a step was for the better.
type StepSign string

const (
	StepGood StepSign = "good"
	StepBad  StepSign = "bad"
)

// sendingHistory tells what happened to a sending. after are the letters that went to the client until the next sending.
func sendingHistory(row SendingRow, after []db.Letter) SendingHistory {
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
	if step, at := letterStep(row.Sending); step.Words != "" {
		add(at, step)
	}
	add(row.OpenedAt, Step{Words: "Link opened (possibly by a mail scanner)"})
	add(row.UsedAt, Step{Words: "Account made", Sign: StepGood})
	switch {
	case row.State == db.SendingReplaced:
		add(row.EndedAt, Step{Words: "A newer invitation took its place: its link no longer works"})
	case !row.EndedAt.IsZero():
		add(row.EndedAt, Step{Words: "Its link was ended, and no longer works"})
	case row.State == db.SendingExpired:
		add(row.ExpiresAt, Step{Words: "Its link expired"})
	}
	if row.Troubled {
		add(row.Client.Portal.BouncedAt, Step{Words: "The office noted that mail to this address bounced", Sign: StepBad})
		add(row.Client.Portal.UnwantedAt, Step{Words: "Whoever reads this address said that our mail isn't meant for them", Sign: StepBad})
	}
	for _, l := range after {
		if l.Kind.Reminder() {
			step, at := letterStep(db.Sending{Letter: l.State, Reply: l.Reply, SentAt: l.CreatedAt, SettledAt: l.SettledAt, Due: l.Due, Attempts: l.Attempts})
			step.Words = "Reminder: " + step.Words
			add(at, step)
		}
	}
	if row.FormsDone > 0 {
		step := Step{Words: fmt.Sprintf("%d of %d forms completed", row.FormsDone, row.Forms)}
		if row.FormsDone == row.Forms {
			step.Sign = StepGood
		}
		add(row.FinishedAt, step)
	}
	slices.SortStableFunc(h.Steps, func(a, b Step) int { return a.At.Compare(b.At) })
	return h
}

// letterStep is where a sending's letter stands, and since when.
func letterStep(s db.Sending) (Step, time.Time) {
	switch s.Letter {
	case db.LetterQueued:
		if s.Attempts > 0 {
			tries := "once"
			if s.Attempts > 1 {
				tries = fmt.Sprintf("%d times", s.Attempts)
			}
			return Step{Words: "Tried " + tries + " so far; it waits in the queue", Reply: s.Reply, Next: s.Due}, s.SentAt
		}
		return Step{Words: "Waits in the queue"}, s.SentAt
	case db.LetterSending:
		if !s.EndedAt.IsZero() {
			return Step{Words: "On its way: it can't be called back, but its link is dead"}, s.SentAt
		}
		return Step{Words: "On its way now"}, s.SentAt
	case db.LetterAccepted:
		return Step{Words: "Accepted by the mail server", Reply: s.Reply, Sign: StepGood}, s.SettledAt
	case db.LetterCancelled:
		return Step{Words: "Cancelled before it left: " + s.Reply}, s.SettledAt
	}
	words := "Couldn't be sent"
	if s.Letter == db.LetterNeedsAttention {
		words = "Needs attention"
	}
	t := ReplyTrouble(s.Reply)
	if t.Why == s.Reply {
		return Step{Words: words + ": " + s.Reply, Sign: StepBad}, s.SettledAt
	}
	return Step{Words: words + ": " + t.Why, Reply: s.Reply, Sign: StepBad}, s.SettledAt
}
