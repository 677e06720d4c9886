package practice

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"anteroom/db"
)

// ChallengeLife is how long a person may take to answer a passkey's challenge.
const ChallengeLife = 5 * time.Minute

// maxPasskeys is how many passkeys a person can have: a request to a browser names all of them.
const maxPasskeys = 20

// maxPasskeyName is the length of a passkey's name, in characters.
const maxPasskeyName = 60

// What a challenge is for: an answer to one is none to another.
const (
	toSignIn   = "sign in"
	toStep     = "second step"
	toConfirm  = "confirm"
	toRegister = "register"
)

// What is said of an answer that isn't taken. The first is the same of a passkey that nobody knows and of one whose answer is
// wrong.
var (
	passkeyRefused = Invalid{"passkey": "That passkey doesn't work here. Try again, or take another way."}
	passkeyLate    = Invalid{"passkey": "That took longer than five minutes, or was begun in another window. Try again."}
	passkeyNotMade = Invalid{"passkey": "Your browser made a passkey that can't be used here. Try again, on another device or in another browser if need be."}
	passkeyTooMany = Invalid{"passkey": "Too many tries that failed came from your network. Wait 15 minutes and try again."}
	passkeysFull   = Invalid{"passkey": fmt.Sprintf("You have %d passkeys already. Remove one first.", maxPasskeys)}
)

// Passkey is one of a person's own passkeys.
type Passkey struct {
	ID        string
	Name      string
	BackedUp  bool // a copy is kept where its owner's other devices find it
	CreatedAt time.Time
	UsedAt    time.Time // zero: not yet
}

// OffersPasskeys tells whether browsers know passkeys at the site's address: they don't at an IP address.
func (p *Practice) OffersPasskeys() bool { return p.rp != nil }

// challenge makes a challenge for a purpose, and seals it for a session's holder; for who nobody is, whoever answers it.
func (p *Practice) challenge(tx *db.Tx, who Actor, purpose string) (challenge []byte, sealed string, err error) {
	if p.rp == nil {
		return nil, "", ErrNotFound
	}
	challenge = make([]byte, 32)
	rand.Read(challenge)
	return challenge, tx.SealChallenge(challenge, purpose, who.session.PublicID), nil
}

// challenged opens the challenge that an answer is to; Invalid when it is too old, or was made for something or somebody else.
func (p *Practice) challenged(tx *db.Tx, who Actor, purpose, sealed string) (c db.Challenge, err error) {
	if p.rp == nil {
		return c, ErrNotFound
	}
	c, err = tx.OpenChallenge(sealed, purpose, who.session.PublicID)
	if age := tx.Now().Sub(c.MadeAt); errors.Is(err, ErrNotFound) || err == nil && (age < 0 || age > ChallengeLife) {
		err = passkeyLate
	}
	return c, err
}

// AskToSignIn asks a browser to sign somebody in with a passkey, whoever it is. The sealed challenge comes back with the answer.
// It returns ErrNotFound where passkeys aren't offered.
func (p *Practice) AskToSignIn(ctx context.Context) (o PasskeyOptions, sealed string, err error) {
	err = p.db.View(ctx, func(tx *db.Tx) error {
		var challenge []byte
		if challenge, sealed, err = p.challenge(tx, Actor{}, toSignIn); err == nil {
			o = p.rp.toSign(challenge, nil)
		}
		return err
	})
	return o, sealed, err
}

// AskToStep asks the browser of somebody who owes the second step for one of their passkeys. ErrNotFound when they have none.
func (p *Practice) AskToStep(ctx context.Context, by Halfway) (o PasskeyOptions, sealed string, err error) {
	return p.askForOwn(ctx, by.who, toStep)
}

// AskToConfirm asks a person's browser for one of their passkeys, to prove who they are. ErrNotFound when they have none.
func (p *Practice) AskToConfirm(ctx context.Context, by Person) (o PasskeyOptions, sealed string, err error) {
	return p.askForOwn(ctx, by.who, toConfirm)
}

func (p *Practice) askForOwn(ctx context.Context, who Actor, purpose string) (o PasskeyOptions, sealed string, err error) {
	err = p.db.View(ctx, func(tx *db.Tx) error {
		all, err := tx.Passkeys(who.ids())
		if err == nil && len(all) == 0 {
			err = ErrNotFound
		}
		if err != nil {
			return err
		}
		var challenge []byte
		if challenge, sealed, err = p.challenge(tx, who, purpose); err == nil {
			o = p.rp.toSign(challenge, all)
		}
		return err
	})
	return o, sealed, err
}

// SignInWithPasskey opens a session for whose passkey answered a challenge of AskToSignIn, and returns the cookie's value: a
// passkey is both steps at once. It returns Invalid for "passkey", the same for one that isn't known and for a wrong answer, and
// for a network with too many of them, or somebody who came in too often; ErrPortalOff for a client while the portal is closed.
func (p *Practice) SignInWithPasskey(ctx context.Context, sealed, answer string, at Browser) (token string, who Actor, err error) {
	var refused error
	err = p.db.Update(ctx, func(tx *db.Tx) error {
		if who, refused, err = p.takePasskey(tx, Actor{}, toSignIn, sealed, answer, "failed to sign in", at); err != nil || refused != nil {
			return err
		}
		if refused, err = whyKeptOut(tx, who, at, "passkey"); err != nil || refused != nil {
			return err
		}
		token, err = p.enterWholly(tx, &who, at, withPasskey)
		return err
	})
	if err = cmp.Or(err, refused); err != nil {
		return "", Actor{}, err
	}
	p.config.Wake() // of a letter about it
	return token, who, nil
}

// withPasskey is how somebody signed in or proved who they are, as the audit log says it.
const withPasskey = "with a passkey"

// TakeStepByPasskey takes an answer to a challenge of AskToStep as the second step: whoever owed it is in. It returns Invalid for
// "passkey", and ErrNotFound when the session ended meanwhile.
func (p *Practice) TakeStepByPasskey(ctx context.Context, by Halfway, token, sealed, answer string, at Browser) (renewed string, now Actor, err error) {
	return p.provePasskey(ctx, by.who, toStep, token, sealed, answer, at)
}

// provePasskey takes an answer to a session's own challenge as proof of who its holder is. The session gets another cookie's value.
func (p *Practice) provePasskey(ctx context.Context, who Actor, purpose, token, sealed, answer string, at Browser) (renewed string, now Actor, err error) {
	var refused error
	err = p.db.Update(ctx, func(tx *db.Tx) error {
		if _, refused, err = p.takePasskey(tx, who, purpose, sealed, answer, "gave a passkey that wasn't taken", at); err != nil || refused != nil {
			return err
		}
		renewed, now, err = p.proved(tx, who, token, at, withPasskey)
		return err
	})
	p.config.Wake() // of a letter about a sign-in at another browser
	return renewed, now, cmp.Or(err, refused)
}

// takePasskey takes, once, the answer of a passkey to a challenge for a purpose, and returns whose it is: anybody's to sign in, else
// who's own. An answer that isn't taken is counted against the network and noted as failed; refused is what is said of it.
func (p *Practice) takePasskey(tx *db.Tx, who Actor, purpose, sealed, answer string, failed db.Act, at Browser) (owner Actor, refused, err error) {
	place := "network " + at.Network
	n, err := tx.Attempts(place, tx.Now().Add(-guessWindow))
	if err == nil && n >= guessesByNetwork {
		err = passkeyTooMany
	}
	if err != nil {
		return owner, nil, err
	}
	c, err := p.challenged(tx, who, purpose, sealed)
	if err != nil {
		return owner, nil, err
	}
	owner, why, err := p.answered(tx, who, purpose == toSignIn, c, answer)
	if why == nil || err != nil {
		return owner, nil, err
	}
	entry := owner.entry(failed)
	entry.Detail = withPasskey
	if errors.Is(why, errCopied) {
		entry.Detail += ": " + why.Error()
	}
	return Actor{}, passkeyRefused, errors.Join(tx.AddAttempt(place), noteFailure(tx, owner, entry))
}

// failedOften is the act of answering wrongly again and again.
const failedOften db.Act = "gave passkeys that weren't taken too often to write more of it down for an hour"

// noteFailure writes down that an answer wasn't taken, but no more of it than of what else strangers try, or somebody.
func noteFailure(tx *db.Tx, owner Actor, e db.AuditEntry) error {
	owner = owner.wholly()
	if owner.Nobody() {
		return noteStranger(tx, e.Act, e.Detail)
	}
	return noteFew(tx, "failed passkeys "+owner.ID(), e, failedOften)
}

// answered returns whose passkey answered a challenge; or why the answer isn't taken, and whose it seems to be.
func (p *Practice) answered(tx *db.Tx, who Actor, anybody bool, c db.Challenge, text string) (owner Actor, why, err error) {
	answer, why := readAnswer(text)
	if why != nil {
		return who, why, nil
	}
	key, err := tx.PasskeyOf(answer.ID)
	if errors.Is(err, ErrNotFound) {
		return who, errors.New("nobody has this passkey"), nil
	}
	if err != nil {
		return who, nil, err
	}
	if owner = who; anybody {
		if owner, err = holder(tx, key.ClientID, key.StaffID); errors.Is(err, ErrNotFound) {
			return who, errors.New("its owner may not come in"), nil
		} else if err != nil {
			return who, nil, err
		}
	}
	clientID, staffID := owner.ids()
	handle := answer.Response.UserHandle
	switch {
	case key.ClientID != clientID || key.StaffID != staffID:
		return owner, errors.New("the passkey is somebody else's"), nil
	case string(handle) != owner.handle() && (anybody || len(handle) > 0):
		return owner, errors.New("the passkey was made for somebody else"), nil
	}
	now, why := p.rp.signed(c.Bytes, key.Credential, answer)
	if why != nil {
		return owner, why, nil
	}
	err = tx.UsePasskey(key.ID, c.MadeAt, now)
	if errors.Is(err, ErrNotFound) {
		return owner, errors.New("the challenge was answered before"), nil
	}
	return owner, nil, err
}

// holder is the client or staff member of these ids; ErrNotFound when they may not come in, as without an account or a password
// of their own.
func holder(tx *db.Tx, clientID, staffID int64) (who Actor, err error) {
	if staffID != 0 {
		who.staff.member, err = tx.StaffByID(staffID)
		if err == nil && (StaffMember{who.staff.member}).State() != StaffActive {
			return Actor{}, ErrNotFound
		}
		return who, err
	}
	who.client.record, err = tx.ClientByID(db.Oneself(clientID), clientID)
	if err == nil && who.client.record.Portal.State(tx.Now()) != db.PortalActive {
		return Actor{}, ErrNotFound
	}
	return who, err
}

// handle is how a passkey knows whose it is: it names nobody.
func (a Actor) handle() string { return a.wholly().ID() }

// name is what the actor is called.
func (a Actor) name() string {
	if a.staff.member.ID != 0 {
		return a.staff.member.Name
	}
	return a.client.record.Name()
}

// MayAddPasskey returns what AskForPasskey would.
func (p *Practice) MayAddPasskey(ctx context.Context, by Person) error {
	_, _, err := p.AskForPasskey(ctx, by)
	return err
}

// AskForPasskey asks a person's browser to make a passkey. It returns ErrConfirm, Invalid for "passkey" when they have too many,
// and ErrNotFound where passkeys aren't offered.
func (p *Practice) AskForPasskey(ctx context.Context, by Person) (o PasskeyOptions, sealed string, err error) {
	if err := by.confirmed(p.Now()); err != nil {
		return o, "", err
	}
	return p.askForNew(ctx, by.who)
}

// AskForFirstPasskey asks the browser of somebody who owes a second step, and has none, to make a passkey. ErrNotFound once they
// have one.
func (p *Practice) AskForFirstPasskey(ctx context.Context, by Halfway) (o PasskeyOptions, sealed string, err error) {
	f, err := p.StepOwed(ctx, by)
	if err != nil || f.Any() {
		return o, "", cmp.Or(err, ErrNotFound)
	}
	return p.askForNew(ctx, by.who)
}

func (p *Practice) askForNew(ctx context.Context, who Actor) (o PasskeyOptions, sealed string, err error) {
	err = p.db.View(ctx, func(tx *db.Tx) error {
		have, err := passkeysOf(tx, who)
		if err != nil {
			return err
		}
		practice, err := tx.Organization()
		if err != nil {
			return err
		}
		var challenge []byte
		if challenge, sealed, err = p.challenge(tx, who, toRegister); err == nil {
			o = p.rp.toMake(challenge, practice.Name, passkeyUser{base64url(who.handle()), who.email().String(), who.name()}, have)
		}
		return err
	})
	return o, sealed, err
}

// passkeysOf lists those of somebody who may add one more.
func passkeysOf(tx *db.Tx, who Actor) ([]db.Passkey, error) {
	have, err := tx.Passkeys(who.ids())
	if err == nil && len(have) >= maxPasskeys {
		err = passkeysFull
	}
	return have, err
}

// AddPasskey keeps the passkey that a person's browser made in answer to AskForPasskey. Wherever else they are signed in, they are
// signed out. It returns ErrConfirm, and Invalid for "passkey" or "name".
func (p *Practice) AddPasskey(ctx context.Context, by Person, token, sealed, answer, name string, at Browser) (e Enrolled, err error) {
	err = p.db.Update(ctx, func(tx *db.Tx) error {
		if err := by.confirmed(tx.Now()); err != nil {
			return err
		}
		e, err = p.addPasskey(tx, by.who, token, sealed, answer, name, at)
		return err
	})
	if err == nil {
		p.config.Wake() // of the letter about it
	}
	return e, err
}

// AddFirstPasskey keeps the passkey that the browser of somebody made who owed the second step and had none: they are in. It
// returns Invalid for "passkey" or "name", and ErrNotFound once they have one.
func (p *Practice) AddFirstPasskey(ctx context.Context, by Halfway, token, sealed, answer, name string, at Browser) (e Enrolled, err error) {
	err = p.db.Update(ctx, func(tx *db.Tx) error {
		if f, err := tx.Factors(by.who.ids()); err != nil || f.Any() {
			return cmp.Or(err, ErrNotFound)
		}
		e, err = p.addPasskey(tx, by.who, token, sealed, answer, name, at)
		return err
	})
	if err == nil {
		p.config.Wake() // of the letter about it
	}
	return e, err
}

func (p *Practice) addPasskey(tx *db.Tx, who Actor, token, sealed, text, name string, at Browser) (e Enrolled, err error) {
	if name, err = passkeyName(name, at); err != nil {
		return e, err
	}
	if _, err := passkeysOf(tx, who); err != nil {
		return e, err
	}
	c, err := p.challenged(tx, who, toRegister, sealed)
	if err != nil {
		return e, err
	}
	answer, err := readAnswer(text)
	if err != nil {
		return e, passkeyNotMade
	}
	made, err := p.rp.made(c.Bytes, answer)
	if err != nil {
		return e, passkeyNotMade
	}
	clientID, staffID := who.ids()
	if err := tx.AddPasskey(&db.Passkey{ClientID: clientID, StaffID: staffID, Credential: made, Name: name}); errors.Is(err, db.ErrExists) {
		return e, passkeyNotMade // also the same answer once more
	} else if err != nil {
		return e, err
	}
	return p.enrolled(tx, who, token, at, "added a passkey", withPasskey)
}

// passkeyName is the name that somebody gave a passkey; unless they did, what their browser calls itself.
func passkeyName(name string, at Browser) (string, error) {
	name = cmp.Or(oneLine(name), at.Words, "Passkey")
	if utf8.RuneCountInString(name) > maxPasskeyName {
		return "", Invalid{"name": fmt.Sprintf("Use at most %d characters.", maxPasskeyName)}
	}
	return name, nil
}

// Passkeys lists a person's own passkeys, the oldest first.
func (p *Practice) Passkeys(ctx context.Context, by Person) (all []Passkey, err error) {
	err = p.db.View(ctx, func(tx *db.Tx) error {
		keys, err := tx.Passkeys(by.who.ids())
		for _, k := range keys {
			all = append(all, Passkey{k.PublicID, k.Name, k.Credential.BackedUp, k.CreatedAt, k.UsedAt})
		}
		return err
	})
	return all, err
}

// HasPasskeys tells whether somebody who is in, or halfway, has a passkey: it signs them in whatever password they choose.
func (p *Practice) HasPasskeys(ctx context.Context, who Actor) (has bool, err error) {
	err = p.db.View(ctx, func(tx *db.Tx) error {
		f, err := tx.Factors(who.ids())
		has = f.Passkeys > 0
		return err
	})
	return has, err
}

// Passkey is one of a person's own passkeys; ErrNotFound when it isn't theirs.
func (p *Practice) Passkey(ctx context.Context, by Person, id string) (Passkey, error) {
	all, err := p.Passkeys(ctx, by)
	if err != nil {
		return Passkey{}, err
	}
	for _, k := range all {
		if k.ID == id {
			return k, nil
		}
	}
	return Passkey{}, ErrNotFound
}

// RenamePasskey gives a person's passkey another name. It returns Invalid for "name", and ErrNotFound when it isn't theirs.
func (p *Practice) RenamePasskey(ctx context.Context, by Person, id, name string) error {
	if name = oneLine(name); name == "" {
		return Invalid{"name": "Enter a name by which you know it."}
	}
	name, err := passkeyName(name, Browser{})
	if err != nil {
		return err
	}
	return p.db.Update(ctx, func(tx *db.Tx) error {
		clientID, staffID := by.who.ids()
		if err := tx.RenamePasskey(clientID, staffID, id, name); err != nil {
			return err
		}
		return tx.Audit(by.who.entry("renamed a passkey"))
	})
}

// RemovePasskey forgets a person's passkey, and with the last way to take the second step their recovery codes. Wherever else they
// are signed in, they are signed out. It returns ErrConfirm, ErrNotFound when it isn't theirs, and Invalid for "remove" where they
// must keep one.
func (p *Practice) RemovePasskey(ctx context.Context, by Person, id string, at Browser) error {
	return p.removeFactor(ctx, by, at, "removed a passkey", func(tx *db.Tx, _ Security) error {
		clientID, staffID := by.who.ids()
		return tx.DropPasskey(clientID, staffID, id)
	})
}
