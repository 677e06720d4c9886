package practice

import (
	"time"

	"anteroom/db"
	"anteroom/mail"
)

// Trouble says in words why mail doesn't reach a client, as far as anything is known to be wrong.
type Trouble struct {
	Why    string // a sentence; empty: nothing is known to be wrong
	Advice string // what to do about it
}

// AddressTrouble is what is known of the address on file; days are of the practice's time zone.
func AddressTrouble(p db.Portal, zone *time.Location) Trouble {
	day := func(at time.Time) string { return at.In(zone).Format("Jan 2, 2006") }
	switch {
	case !p.UnwantedAt.IsZero():
		return Trouble{"Whoever reads this address said on " + day(p.UnwantedAt) + " that our mail isn't meant for them.", "Ask the client for their own address, and correct it."}
	case !p.BouncedAt.IsZero():
		return Trouble{"Mail to this address bounced on " + day(p.BouncedAt) + ".", "Check it with the client first, and correct it."}
	}
	return Trouble{}
}

// PortalTrouble is why a client's latest invitation couldn't be sent. One that was ended troubles nobody any more.
func PortalTrouble(p db.Portal, zone *time.Location) Trouble {
	if t := AddressTrouble(p, zone); t.Why != "" || p.Letter != db.LetterFailed && p.Letter != db.LetterNeedsAttention || !p.EndedAt.IsZero() {
		return t
	}
	return ReplyTrouble(p.Reply)
}

// sendingTrouble is why a sending to a client couldn't be sent.
func sendingTrouble(s db.Sending, c db.Client, zone *time.Location) Trouble {
	switch {
	case s.Troubled:
		return AddressTrouble(c.Portal, zone)
	case s.Letter == db.LetterFailed || s.Letter == db.LetterNeedsAttention:
		return ReplyTrouble(s.Reply)
	}
	return Trouble{}
}

// ReplyTrouble puts why a letter stopped in plain words, unless they are our own already: a mail server's begin with a number.
func ReplyTrouble(reply string) Trouble {
	if reply == "" || reply[0] < '0' || reply[0] > '9' {
		return Trouble{Why: reply}
	}
	why, advice := mail.Explain(reply)
	return Trouble{why, advice}
}
