package practice

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base32"
	"errors"
	"strings"
	"time"

	"anteroom/db"

	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"
)

const (
	codePeriod = 30 // seconds for which an authenticator app shows a code
	codeDrift  = 1  // codes before and after that are taken too: clocks differ, and people type slowly
)

// EnrolmentLife is how long setting up an authenticator app may take.
const EnrolmentLife = 15 * time.Minute

// enrolling is what an authenticator app's secret is sealed for, in the form that sets it up: this session of theirs alone.
func enrolling(who Actor) string { return "enrolment " + who.session.PublicID }

// codeMismatch is the one answer to a code of an app that isn't one, was used, or comes too late; recoveryMismatch that to a recovery code.
var codeMismatch = Invalid{"code": "That code doesn't work now. Codes of the app change every half minute and count once: try the next one."}
var recoveryMismatch = Invalid{"code": "That recovery code doesn't work now. Each of them works once: check how it is spelled, or take another."}

// IsClient tells that it is a client who owes the second step, not a staff member.
func (h Halfway) IsClient() bool { return h.who.client.record.ID != 0 }

// IsClient tells that it is a client, not a staff member.
func (p Person) IsClient() bool { return p.who.client.record.ID != 0 }

// StepOwed tells in which ways somebody can take the second step that they owe: in none, where they have to set one up first.
func (p *Practice) StepOwed(ctx context.Context, by Halfway) (f db.Factors, err error) {
	err = p.db.View(ctx, func(tx *db.Tx) error {
		f, err = tx.Factors(by.who.ids())
		return err
	})
	return f, err
}

// StepTaken is what came of a code that was right.
type StepTaken struct {
	Session  string // the session cookie's new value
	Who      Actor
	Recovery bool // it was a recovery code
	Left     int  // recovery codes that still work
}

// TakeStep takes a code of an authenticator app, or a recovery code, as the second step: whoever owed it is in. It returns
// Invalid for "code", also after too many wrong ones, and ErrNotFound when the session ended meanwhile.
func (p *Practice) TakeStep(ctx context.Context, by Halfway, token, code string, at Browser) (StepTaken, error) {
	return p.takeCode(ctx, by.who, token, code, at)
}

// takeCode takes a code of an authenticator app, or a recovery code, as the second step of a session's holder, who is in with
// it if they were halfway. It returns Invalid for "code". All of it is one transaction: of many codes at once each is counted,
// and of one code given twice one is taken.
func (p *Practice) takeCode(ctx context.Context, who Actor, token, code string, at Browser) (t StepTaken, err error) {
	code = plainCode(code)
	if code == "" {
		return t, Invalid{"code": "Enter the code."}
	}
	var wrong error
	err = p.db.Update(ctx, func(tx *db.Tx) error {
		app, recovery := codeCounters(who, "second step", at.Network), codeCounters(who, "recovery code", at.Network)
		counters := app
		if isRecoveryCode(code) {
			counters = recovery
		}
		n, err := codesLeft(tx, append(counters, counter{"network " + at.Network, guessesByNetwork}))
		if err != nil {
			return err
		}
		how, err := useCode(tx, who, code)
		if errors.Is(err, ErrNotFound) {
			if wrong = codeMismatch; isRecoveryCode(code) {
				wrong = recoveryMismatch
			}
			err := errors.Join(tx.AddAttempt("network "+at.Network), tx.Audit(who.entry("gave a wrong code")))
			for _, c := range counters {
				err = errors.Join(err, tx.AddAttempt(c.key))
			}
			if err != nil || !who.halfway || n+1 < guessesByAccount {
				return err
			}
			return p.tellOfWrongCodes(tx, who, at)
		}
		if err != nil {
			return err
		}
		for _, c := range append(app, recovery...) {
			if err := tx.ClearAttempts(c.key); err != nil {
				return err
			}
		}
		f, err := tx.Factors(who.ids())
		if err != nil {
			return err
		}
		t.Recovery, t.Left = how == withRecoveryCode, f.RecoveryCodes
		if t.Recovery && t.Left == 0 {
			if err := p.tell(tx, who, codesUsedUp, at); err != nil {
				return err
			}
			at.told = true
		}
		t.Session, t.Who, err = p.proved(tx, who, token, at, how)
		return err
	})
	if err == nil {
		p.config.Wake()
	}
	return t, cmp.Or(err, wrong)
}

// toldOfWrongCodes is what happened to whom a letter told of wrong codes.
const toldOfWrongCodes db.Act = "was told by mail of wrong codes after the right password"

// tellOfWrongCodes tells somebody by mail, once a day at most, that their password is known to who doesn't have their codes.
func (p *Practice) tellOfWrongCodes(tx *db.Tx, who Actor, at Browser) error {
	clientID, staffID := who.ids()
	if told, err := tx.DidSince(clientID, staffID, toldOfWrongCodes, tx.Now().Add(-24*time.Hour)); err != nil || told {
		return err
	}
	return errors.Join(p.tell(tx, who, wrongCodes, at), tx.Audit(who.entry(toldOfWrongCodes)))
}

// How a second step was taken, as the audit log says it.
const (
	withApp          = "with a code of the authenticator app"
	withRecoveryCode = "with a recovery code"
)

// useCode spends a code, and tells of what it was; ErrNotFound when it is none that works now.
func useCode(tx *db.Tx, who Actor, code string) (how string, err error) {
	clientID, staffID := who.ids()
	if isRecoveryCode(code) {
		return withRecoveryCode, tx.UseRecoveryCode(clientID, staffID, asRecoveryCode(code))
	}
	a, err := tx.Authenticator(clientID, staffID)
	if err != nil {
		return "", err
	}
	step, ok := stepOf(a.Secret, code, tx.Now())
	if !ok {
		return "", ErrNotFound
	}
	return withApp, tx.TakeStep(clientID, staffID, step)
}

// isRecoveryCode tells a recovery code from an app's, which is of digits alone.
func isRecoveryCode(code string) bool { return strings.Trim(code, "0123456789") != "" }

// stepOf tells which half minute a code is of, if it is one of those that count now.
func stepOf(secret []byte, code string, now time.Time) (step int64, ok bool) {
	current := now.Unix() / codePeriod
	for step := current - codeDrift; step <= current+codeDrift; step++ {
		want, err := hotp.GenerateCode(asText(secret), uint64(step))
		if err == nil && subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 {
			return step, true
		}
	}
	return 0, false
}

// asText is a secret as authenticator apps take it.
func asText(secret []byte) string { return base32.StdEncoding.EncodeToString(secret) }

// plainCode is a code without what people type between its groups.
func plainCode(code string) string {
	return strings.ToUpper(strings.NewReplacer("-", "", "–", "", " ", "", "\u00a0", "", "\t", "").Replace(code))
}

// asRecoveryCode reads the digits that recovery codes don't have as the letters that look like them.
func asRecoveryCode(code string) string { return strings.NewReplacer("0", "O", "1", "I").Replace(code) }

// writtenCode is a recovery code as people read and type it.
func writtenCode(code string) string { return strings.ToLower(groups(code)) }

// groups writes a long code in groups of four.
func groups(code string) string {
	var b strings.Builder
	for i, r := range code {
		if i > 0 && i%4 == 0 {
			b.WriteByte('-')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// codesByAccount is how many wrong codes of one kind are looked at in a guessWindow from who is halfway in, whatever networks they come
// from. So many that it takes four networks to keep an owner's code from being taken; so few that guessing at an app without a pause
// would take half a year to hit, three codes in a million counting at a time, and the owner is told on the first day.
const codesByAccount = 20

// counter is under what wrong codes are counted, and how many may be.
type counter struct {
	key  string
	most int
}

// codeCounters are where wrong codes of a kind count, the widest first. The kinds are counted apart, so that whoever tries codes of the
// app doesn't keep its owner's recovery codes from being taken; and so are those of who is in already, for whoever is halfway in
// may have no more than the password. A new password clears none: a mailbox is enough to choose one, and from who has no more the
// second step is to keep the account.
func codeCounters(who Actor, kind, network string) []counter {
	if !who.halfway {
		return []counter{{"confirm by " + kind + " " + who.ID(), guessesByAccount}}
	}
	account := kind + " " + who.wholly().ID()
	return []counter{{account, codesByAccount}, {account + " from " + network, guessesByAccount}}
}

// codesLeft is how many wrong codes were counted lately under the first of some counters; Invalid when it is too many under any.
func codesLeft(tx *db.Tx, counters []counter) (first int, err error) {
	for i, c := range counters {
		n, err := tx.Attempts(c.key, tx.Now().Add(-guessWindow))
		if err == nil && n >= c.most {
			err = Invalid{"code": "Too many wrong codes. Wait 15 minutes and try again."}
		}
		if err != nil {
			return 0, err
		}
		if i == 0 {
			first = n
		}
	}
	return first, nil
}

// Enrolment is an authenticator app that is being set up: it counts once it was proved with a code.
type Enrolment struct {
	Secret string // as text in groups, for whoever can't scan
	URL    string // the same for apps: otpauth:…
	Sealed string // the same for us: comes back with the code
}

// FirstEnrolment is the app that somebody sets up who owes a second step and has none: the one that sealed holds, or a new one.
// It returns ErrNotFound once they have one.
func (p *Practice) FirstEnrolment(ctx context.Context, by Halfway, sealed string) (e Enrolment, err error) {
	err = p.db.View(ctx, func(tx *db.Tx) error {
		if f, err := tx.Factors(by.who.ids()); err != nil || f.Any() {
			return cmp.Or(err, ErrNotFound)
		}
		e, err = p.enrolment(tx, by.who, sealed)
		return err
	})
	return e, err
}

// Enrolment is the app that a person sets up: the one that sealed holds, or a new one. It returns ErrConfirm.
func (p *Practice) Enrolment(ctx context.Context, by Person, sealed string) (e Enrolment, err error) {
	err = p.db.View(ctx, func(tx *db.Tx) error {
		if err := by.confirmed(tx.Now()); err != nil {
			return err
		}
		e, err = p.enrolment(tx, by.who, sealed)
		return err
	})
	return e, err
}

func (p *Practice) enrolment(tx *db.Tx, who Actor, sealed string) (Enrolment, error) {
	clientID, staffID := who.ids()
	secret, err := tx.OpenFor(clientID, staffID, enrolling(who), sealed)
	if errors.Is(err, ErrNotFound) {
		secret = make([]byte, 20)
		rand.Read(secret)
		sealed = tx.SealFor(clientID, staffID, enrolling(who), secret, tx.Now().Add(EnrolmentLife))
	} else if err != nil {
		return Enrolment{}, err
	}
	o, err := tx.Organization()
	if err != nil {
		return Enrolment{}, err
	}
	key, err := totp.Generate(totp.GenerateOpts{Issuer: issuer(o.Name), AccountName: who.email().String(), Secret: secret})
	if err != nil {
		return Enrolment{}, err
	}
	return Enrolment{Secret: groups(key.Secret()), URL: key.URL(), Sealed: sealed}, nil
}

// issuer is the practice's name as an app shows it, so short that it fits into a QR code in every script.
func issuer(practice string) string {
	name := []rune(strings.ReplaceAll(practice, ":", ""))
	return string(name[:min(len(name), 40)])
}

// Enrolled is what came of setting up a way to take the second step.
type Enrolled struct {
	Session string // the session cookie's new value
	Who     Actor
	Codes   []string // recovery codes, where they had none: never told again
}

// EnrolFirst takes the first code of an authenticator app as the second step of somebody who owed it and had none: they are in.
// It returns Invalid for "code", and ErrNotFound once they have one.
func (p *Practice) EnrolFirst(ctx context.Context, by Halfway, token, sealed, code string, at Browser) (e Enrolled, err error) {
	err = p.db.Update(ctx, func(tx *db.Tx) error {
		if f, err := tx.Factors(by.who.ids()); err != nil || f.Any() {
			return cmp.Or(err, ErrNotFound)
		}
		e, err = p.enrolApp(tx, by.who, token, sealed, code, at)
		return err
	})
	if err == nil {
		p.config.Wake()
	}
	return e, err
}

// EnrolAuthenticator sets up a person's authenticator app, in the place of the one before, with its first code. Wherever else
// they are signed in, they are signed out. It returns ErrConfirm, and Invalid for "code".
func (p *Practice) EnrolAuthenticator(ctx context.Context, by Person, token, sealed, code string, at Browser) (e Enrolled, err error) {
	err = p.db.Update(ctx, func(tx *db.Tx) error {
		if err := by.confirmed(tx.Now()); err != nil {
			return err
		}
		e, err = p.enrolApp(tx, by.who, token, sealed, code, at)
		return err
	})
	if err == nil {
		p.config.Wake()
	}
	return e, err
}

func (p *Practice) enrolApp(tx *db.Tx, who Actor, token, sealed, code string, at Browser) (Enrolled, error) {
	clientID, staffID := who.ids()
	secret, err := tx.OpenFor(clientID, staffID, enrolling(who), sealed)
	if errors.Is(err, ErrNotFound) {
		return Enrolled{}, Invalid{"code": "This took too long. Add the practice to your app again, with what is shown here now."}
	}
	if err != nil {
		return Enrolled{}, err
	}
	if code = plainCode(code); code == "" {
		return Enrolled{}, Invalid{"code": "Enter the code that your app shows."}
	}
	step, ok := stepOf(secret, code, tx.Now())
	if !ok {
		return Enrolled{}, Invalid{"code": "That isn't the code that your app should show now. Try the next one. If it goes on, check that your phone sets its time by itself."}
	}
	if err := tx.SetAuthenticator(clientID, staffID, secret, step); err != nil {
		return Enrolled{}, err
	}
	return p.enrolled(tx, who, token, at, "set up an authenticator app", withApp)
}

// enrolled notes that somebody set up a way to take the second step and proved it so: this session has taken the step, their
// others end, and they are given recovery codes where they have none. A letter tells them, but for who comes in for the first
// time ever, at the browser where they chose their password. Whoever calls it wakes the outbox after the commit.
func (p *Practice) enrolled(tx *db.Tx, who Actor, token string, at Browser, act db.Act, how string) (e Enrolled, err error) {
	if err := factorsChanged(tx, who, act); err != nil {
		return e, err
	}
	clientID, staffID := who.ids()
	first, err := isFirst(tx, who, at)
	if err != nil {
		return e, err
	}
	if !first || !who.halfway {
		if err := p.tell(tx, who, stepAdded, at); err != nil {
			return e, err
		}
		at.told = true
	}
	f, err := tx.Factors(clientID, staffID)
	if err != nil {
		return e, err
	}
	if f.RecoveryCodes == 0 {
		if e.Codes, err = newCodes(tx, who); err != nil {
			return e, err
		}
	}
	e.Session, e.Who, err = p.proved(tx, who, token, at, how)
	return e, err
}

// factorsChanged notes that somebody changed with what they take the second step, and ends their other sessions.
func factorsChanged(tx *db.Tx, who Actor, act db.Act) error {
	clientID, staffID := who.ids()
	entry := who.entry(act)
	entry.ClientID = clientID
	return errors.Join(tx.EndOtherSessions(clientID, staffID, who.session.PublicID), tx.Audit(entry))
}

// newCodes makes somebody's recovery codes anew, as they are to be written down.
func newCodes(tx *db.Tx, who Actor) ([]string, error) {
	codes, err := tx.NewRecoveryCodes(who.ids())
	for i := range codes {
		codes[i] = writtenCode(codes[i])
	}
	return codes, err
}

// Security is how a person signs in.
type Security struct {
	db.Factors
	Required bool      // they must take a second step
	AppSince time.Time // when the authenticator app was set up
}

// Last tells that there is one way to take the second step, and it must stay.
func (s Security) Last() bool {
	return s.Required && (s.Factors.Authenticator && s.Passkeys == 0 || !s.Factors.Authenticator && s.Passkeys == 1)
}

// Security tells a person how they sign in.
func (p *Practice) Security(ctx context.Context, by Person) (s Security, err error) {
	err = p.db.View(ctx, func(tx *db.Tx) error {
		s, err = security(tx, by.who)
		return err
	})
	return s, err
}

func security(tx *db.Tx, who Actor) (s Security, err error) {
	clientID, staffID := who.ids()
	if s.Factors, err = tx.Factors(clientID, staffID); err != nil {
		return s, err
	}
	staff, clients, err := tx.SecondStepRequired()
	if err != nil {
		return s, err
	}
	s.Required = staff && staffID != 0 || clients && clientID != 0
	if s.Factors.Authenticator {
		a, err := tx.Authenticator(clientID, staffID)
		if err != nil {
			return s, err
		}
		s.AppSince = a.CreatedAt
	}
	return s, nil
}

// RemoveAuthenticator forgets a person's authenticator app, and with the last way to take the second step their recovery codes.
// Wherever else they are signed in, they are signed out. It returns ErrConfirm, ErrNotFound when they have none, and Invalid for
// "remove" where they must keep one.
func (p *Practice) RemoveAuthenticator(ctx context.Context, by Person, at Browser) error {
	return p.removeFactor(ctx, by, at, "removed the authenticator app", func(tx *db.Tx, s Security) error {
		if !s.Factors.Authenticator {
			return ErrNotFound
		}
		return tx.DropAuthenticator(by.who.ids())
	})
}

// removeFactor has a person remove a way to take the second step, and tells them by mail.
func (p *Practice) removeFactor(ctx context.Context, by Person, at Browser, act db.Act, remove func(*db.Tx, Security) error) error {
	err := p.db.Update(ctx, func(tx *db.Tx) error {
		if err := by.confirmed(tx.Now()); err != nil {
			return err
		}
		before, err := security(tx, by.who)
		if err != nil {
			return err
		}
		if err := remove(tx, before); err != nil {
			return err
		}
		left, err := tx.Factors(by.who.ids())
		if err != nil {
			return err
		}
		if !left.Any() {
			if before.Required {
				return Invalid{"remove": "A second step is required here, so the last way to take it stays. Set up another one first."}
			}
			if err := tx.DropRecoveryCodes(by.who.ids()); err != nil {
				return err
			}
		}
		return errors.Join(factorsChanged(tx, by.who, act), p.tell(tx, by.who, stepRemoved, at))
	})
	if err == nil {
		p.config.Wake()
	}
	return err
}
