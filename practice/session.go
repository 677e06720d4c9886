package practice

import (
	"cmp"
	"context"
	"errors"
	"time"

	"anteroom/db"
)

// mismatch is the one answer to a wrong password and to an unknown address.
var mismatch = Invalid{"password": "That email address and password don't match. Check both and try again."}

// Guesses after which an account, or a network, has to wait.
const (
	guessWindow      = 15 * time.Minute
	guessesByAccount = 5
	guessesByNetwork = 50
	signInsByPlace   = 100 // right ones of an account from one network, in a guessWindow: nobody needs more, and each is written down
)

// Browser is what a request tells of the browser that it came from.
type Browser struct {
	Network string // as guesses are counted
	Device  string // the value of its own long-lived cookie; empty: it has none
	Words   string // what it calls itself, in a few words

	told bool // a letter says already what is being done there
}

// SignIn opens a session for the staff member or client with this address and password, and returns the cookie's value. Who
// owes a second step is halfway in. It returns Invalid for any that don't match, and for an account or network with too many
// wrong guesses; ErrPortalOff for a client while the portal is closed; ErrCrowded while too many sign in.
func (p *Practice) SignIn(ctx context.Context, address, password string, at Browser) (token string, who Actor, err error) {
	email, err := db.ParseEmail(address)
	if err != nil {
		email = db.Email{} // goes on: an address that can't be costs what an unknown one does
	}
	leave, err := p.line.join(at.Network)
	if err != nil {
		return "", Actor{}, err
	}
	defer leave()
	account, place := "account "+cmp.Or(email.Canonical(), address), "network "+at.Network
	var hash string
	err = p.db.Update(ctx, func(tx *db.Tx) error {
		if err := guessesLeft(tx, account, place); err != nil {
			return err
		}
		// Counted before it is known to be wrong, so that many at once are not one.
		if err := errors.Join(tx.AddAttempt(account), tx.AddAttempt(place)); err != nil {
			return err
		}
		who, hash, err = login(tx, email)
		if errors.Is(err, db.ErrNotFound) {
			return nil
		}
		return err
	})
	if err != nil {
		return "", Actor{}, err
	}
	ok := p.matches(hash, password)
	var keptOut error
	err = p.db.Update(ctx, func(tx *db.Tx) error {
		if !ok {
			if who.Nobody() {
				return noteStranger(tx, "failed to sign in", "")
			}
			return tx.Audit(who.entry("failed to sign in"))
		}
		// The password may have been changed, or the account shut, while it was compared.
		if _, now, err := login(tx, email); err != nil && !errors.Is(err, db.ErrNotFound) {
			return err
		} else if ok = now == hash && err == nil; !ok {
			return tx.Audit(who.entry("failed to sign in"))
		}
		if err := errors.Join(tx.ClearAttempts(account), tx.TakeBackAttempt(place)); err != nil {
			return err
		}
		if keptOut, err = whyKeptOut(tx, who, at, "password"); err != nil || keptOut != nil {
			return err
		}
		token, err = p.enter(tx, &who, at)
		return err
	})
	if err != nil {
		return "", Actor{}, err
	}
	if !ok {
		return "", Actor{}, mismatch
	}
	if keptOut != nil {
		return "", Actor{}, keptOut
	}
	p.config.Wake() // of a letter about it
	return token, who, nil
}

// whyKeptOut counts one who proved to be somebody, and returns why they don't come in all the same: Invalid for field, in which they
// proved it, when they came very often from this network just now; ErrPortalOff, which is noted, for a client while the portal is closed.
func whyKeptOut(tx *db.Tx, who Actor, at Browser, field string) (why, err error) {
	signedIn := "signed in " + who.ID() + " from " + at.Network // so that whoever has the password locks nobody out elsewhere
	n, err := tx.Attempts(signedIn, tx.Now().Add(-guessWindow))
	if err != nil {
		return nil, err
	}
	if n >= signInsByPlace {
		return Invalid{field: "You signed in very often just now. Wait 15 minutes."}, nil
	}
	if err := tx.AddAttempt(signedIn); err != nil || who.client.record.ID == 0 {
		return nil, err
	}
	if off, err := portalIsOff(tx); err != nil || !off {
		return nil, err
	}
	entry := who.entry(refused)
	entry.Detail = "the client portal is turned off"
	return ErrPortalOff, tx.Audit(entry)
}

// enter opens a session for somebody whose password was right, or who just chose one, and returns the cookie's value. Who owes
// a second step is halfway in, and only then.
func (p *Practice) enter(tx *db.Tx, who *Actor, at Browser) (token string, err error) {
	return p.admit(tx, who, at, time.Time{}, "")
}

// enterWholly opens a session for somebody who took both steps at once, and how, and returns the cookie's value.
func (p *Practice) enterWholly(tx *db.Tx, who *Actor, at Browser, how string) (token string, err error) {
	return p.admit(tx, who, at, tx.Now(), how)
}

func (p *Practice) admit(tx *db.Tx, who *Actor, at Browser, stepped time.Time, how string) (token string, err error) {
	clientID, staffID := who.ids()
	s := db.Session{ClientID: clientID, StaffID: staffID, Device: at.Words, SteppedAt: stepped}
	if who.halfway, err = owesStep(tx, s); err != nil {
		return "", err
	}
	add := tx.AddSession
	if who.halfway {
		add = tx.AddHalfwaySession
	}
	if token, err = add(s); err != nil {
		return "", err
	}
	if who.session, err = tx.Session(token); err != nil {
		return "", err
	}
	who.confirmedAt(who.session.ConfirmedAt)
	if who.halfway {
		return token, tx.Audit(who.entry("gave the right password"))
	}
	return token, p.arrived(tx, *who, at, how)
}

// proved notes that the holder of a session proved with a second step who they are, and how: whoever was halfway in is in. The
// session gets another cookie's value. ErrNotFound when it ended meanwhile.
func (p *Practice) proved(tx *db.Tx, who Actor, token string, at Browser, how string) (renewed string, now Actor, err error) {
	return p.renewed(tx, who, token, at, true, how)
}

// renewed notes that the holder of a session proved who they are, and how.
func (p *Practice) renewed(tx *db.Tx, who Actor, token string, at Browser, stepped bool, how string) (renewed string, now Actor, err error) {
	if renewed, err = tx.ConfirmSession(token, stepped); err != nil {
		return "", Actor{}, err
	}
	if who.session, err = tx.Session(renewed); err != nil {
		return "", Actor{}, err
	}
	entered := who.halfway
	who.halfway = false
	who.confirmedAt(who.session.ConfirmedAt)
	if entered {
		return renewed, who, p.arrived(tx, who, at, how)
	}
	entry := who.entry("confirmed who they are")
	entry.Detail = how
	return renewed, who, tx.Audit(entry)
}

// signedIn is the act of being in wholly.
const signedIn db.Act = "signed in"

// arrived notes that somebody is in wholly, and tells them of a browser that they weren't in at before.
func (p *Practice) arrived(tx *db.Tx, who Actor, at Browser, how string) error {
	if err := p.noteDevice(tx, who, at); err != nil {
		return err
	}
	entry := who.entry(signedIn)
	entry.Detail = how
	return tx.Audit(entry)
}

// owesStep tells whether a session's holder owes the second step: where it is required of them, or they have set one up.
func owesStep(tx *db.Tx, s db.Session) (bool, error) {
	if !s.SteppedAt.IsZero() {
		return false, nil
	}
	staff, clients, err := tx.SecondStepRequired()
	if err != nil || staff && s.StaffID != 0 || clients && s.ClientID != 0 {
		return true, err
	}
	f, err := tx.Factors(s.ClientID, s.StaffID)
	return f.Any(), err
}

// login finds who signs in with an address, and the hash of their password.
func login(tx *db.Tx, email db.Email) (who Actor, hash string, err error) {
	member, err := tx.StaffByEmail(email)
	if err == nil {
		if !member.DisabledAt.IsZero() {
			return who, "", db.ErrNotFound
		}
		who.staff.member = member
		return who, member.PasswordHash, nil
	}
	if !errors.Is(err, db.ErrNotFound) {
		return who, "", err
	}
	client, err := tx.ClientByEmail(db.Everybody(), email)
	if err != nil {
		return who, "", err
	}
	if client.Portal.State(tx.Now()) != db.PortalActive {
		return who, "", db.ErrNotFound
	}
	who.client.record = client
	hash, err = tx.PortalPassword(client.ID)
	return who, hash, err
}

func guessesLeft(tx *db.Tx, account, place string) error {
	since := tx.Now().Add(-guessWindow)
	byAccount, err := tx.Attempts(account, since)
	if err != nil {
		return err
	}
	byNetwork, err := tx.Attempts(place, since)
	if err != nil {
		return err
	}
	if byAccount >= guessesByAccount || byNetwork >= guessesByNetwork {
		return Invalid{"password": "Too many wrong passwords. Wait 15 minutes, or choose a new password with “Forgotten password?”."}
	}
	return nil
}

// Authenticate returns who holds a session; nobody, when it ended or its holder may no longer come in. A request made by a
// person, not by a page that polls, keeps the session awake.
func (p *Practice) Authenticate(ctx context.Context, token string, byPerson bool) (who Actor, err error) {
	if token == "" {
		return Actor{}, nil
	}
	stale := false
	err = p.db.View(ctx, func(tx *db.Tx) error {
		s, err := tx.Session(token)
		if err != nil {
			return err
		}
		if who.halfway, err = owesStep(tx, s); err != nil {
			return err
		}
		if lapsed(s, who.halfway, tx.Now()) {
			return db.ErrNotFound
		}
		stale = byPerson && tx.Now().Sub(s.SeenAt).Abs() >= touchEvery
		who.session = s
		who.confirmedAt(s.ConfirmedAt)
		if s.StaffID != 0 {
			who.staff.member, err = tx.StaffByID(s.StaffID)
			if err == nil && !who.staff.member.DisabledAt.IsZero() {
				err = db.ErrNotFound
			}
			return err
		}
		who.client.record, err = tx.ClientByID(db.Oneself(s.ClientID), s.ClientID)
		if err == nil && who.client.record.Portal.State(tx.Now()) != db.PortalActive {
			err = db.ErrNotFound
		}
		if off, fault := portalIsOff(tx); fault != nil || off {
			err = cmp.Or(fault, db.ErrNotFound)
		}
		return err
	})
	if errors.Is(err, db.ErrNotFound) {
		return Actor{}, nil
	}
	if err == nil && stale {
		err = p.db.Update(ctx, func(tx *db.Tx) error {
			now := tx.Now()
			err := tx.TouchSession(token)
			if err == nil {
				who.session.SeenAt = now
			}
			return err
		})
		if errors.Is(err, db.ErrFull) {
			err = nil // with a full disk, what can be read still can
		}
	}
	if err != nil {
		return Actor{}, err
	}
	return who, nil
}

// SignOut ends the session.
func (p *Practice) SignOut(ctx context.Context, who Actor, token string) error {
	return p.db.Update(ctx, func(tx *db.Tx) error {
		if err := tx.EndSession(token); err != nil {
			return err
		}
		return tx.Audit(who.entry("signed out"))
	})
}

// refused is the act of being kept from something; refusedOften of being so again and again.
const (
	refused      db.Act = "was refused"
	refusedOften db.Act = "was refused too often to write more of it down for an hour"
)

// refusalsNoted is how many refusals of one person are written down in an hour: more say nothing new, and would fill the disk.
const refusalsNoted = 200

// NoteRefusal notes that somebody who is signed in asked for what they may not have, or what isn't there: what they asked
// for says which.
func (p *Practice) NoteRefusal(ctx context.Context, who Actor, asked string) error {
	entry := who.entry(refused)
	entry.Detail = asked
	return p.db.Update(ctx, func(tx *db.Tx) error { return noteFew(tx, "refused "+who.ID(), entry, refusedOften) })
}

// noteFew writes an entry down, unless so many of its kind were in the last hour: then it says so, once.
func noteFew(tx *db.Tx, kind string, e db.AuditEntry, enough db.Act) error {
	n, err := tx.Attempts(kind, tx.Now().Add(-askWindow))
	if err != nil || n > refusalsNoted {
		return err
	}
	if n == refusalsNoted {
		e.Act, e.Detail = enough, ""
	}
	return errors.Join(tx.AddAttempt(kind), tx.Audit(e))
}
