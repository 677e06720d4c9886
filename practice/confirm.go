package practice

import (
	"context"
	"errors"
	"time"

	"anteroom/db"
)

// Proof is what a person gives to prove anew who they are: a code or a passkey, where they have a second step, else their
// password.
type Proof struct {
	Password, Code     string
	Passkey, Challenge string // a passkey's answer, and the sealed challenge that it is to
}

// Ways tells in which ways a person can prove who they are: the second step where they have one, else the password.
func (p *Practice) Ways(ctx context.Context, by Person) (f db.Factors, err error) {
	err = p.db.View(ctx, func(tx *db.Tx) error {
		f, err = tx.Factors(by.who.ids())
		return err
	})
	return f, err
}

// Confirmed tells that somebody proved lately who they are, so that nothing asks them for a proof.
func (p *Practice) Confirmed(by Person) bool { return by.confirmed(p.Now()) == nil }

// Confirm takes a proof of who somebody is, which counts as fresh for ten minutes, and returns their session cookie's new
// value. Whoever is signed in may. It returns Invalid for "code", "password" or "passkey", also after too many wrong ones.
func (p *Practice) Confirm(ctx context.Context, by Person, token string, proof Proof, at Browser) (renewed string, now Actor, err error) {
	if proof.Passkey != "" {
		return p.provePasskey(ctx, by.who, toConfirm, token, proof.Challenge, proof.Passkey, at)
	}
	ways, err := p.Ways(ctx, by)
	if err != nil {
		return "", Actor{}, err
	}
	if ways.Any() {
		t, err := p.takeCode(ctx, by.who, token, proof.Code, at)
		return t.Session, t.Who, err
	}
	if err := p.provePassword(ctx, by.who, inSession, proof.Password, at.Network); err != nil {
		return "", Actor{}, err
	}
	err = p.db.Update(ctx, func(tx *db.Tx) error {
		renewed, now, err = p.renewed(tx, by.who, token, at, false, "with the password")
		return err
	})
	return renewed, now, err
}

// Where a person gives their own password: wrong ones are counted apart in each, and apart from those of a sign-in. So who knows an
// address, or has a link that went astray, keeps nobody from it who is in.
const (
	inSession = "confirm "
	withLink  = "confirm by link "
)

// provePassword has a person give their own password; Invalid when it isn't, and after too many wrong ones there.
func (p *Practice) provePassword(ctx context.Context, who Actor, where, password, network string) error {
	leave, err := p.line.join(network)
	if err != nil {
		return err
	}
	defer leave()
	account, place := where+who.wholly().ID(), "network "+network
	var hash string
	err = p.db.Update(ctx, func(tx *db.Tx) (err error) {
		if err := guessesLeft(tx, account, place); err != nil {
			return err
		}
		if err := errors.Join(tx.AddAttempt(account), tx.AddAttempt(place)); err != nil {
			return err
		}
		if clientID, staffID := who.ids(); staffID == 0 {
			hash, err = tx.PortalPassword(clientID)
			return err
		}
		member, err := tx.StaffByID(who.staff.member.ID)
		hash = member.PasswordHash
		return err
	})
	if err != nil {
		return err
	}
	ok := p.matches(hash, password)
	err = p.db.Update(ctx, func(tx *db.Tx) error {
		if !ok {
			return tx.Audit(who.entry("gave a wrong password"))
		}
		return errors.Join(tx.ClearAttempts(account), tx.TakeBackAttempt(place))
	})
	if err == nil && !ok {
		return Invalid{"password": "That isn't your password."}
	}
	return err
}

// keeping is what a secret that was typed into a field is sealed for, while its author proves who they are.
const keeping = "what was typed as "

// keptFor is how long they may take.
const keptFor = 15 * time.Minute

// KeepSecret seals a secret that a person typed into a field, such as a password, until they have proved who they are: so it can
// wait in their browser, and be read there by nobody.
func (p *Practice) KeepSecret(ctx context.Context, by Person, field, secret string) (sealed string, err error) {
	err = p.db.View(ctx, func(tx *db.Tx) error {
		clientID, staffID := by.who.ids()
		sealed = tx.SealFor(clientID, staffID, keeping+field, []byte(secret), tx.Now().Add(keptFor))
		return nil
	})
	return sealed, err
}

// KeptSecret opens what KeepSecret sealed for the same person and field; ErrNotFound after a quarter of an hour.
func (p *Practice) KeptSecret(ctx context.Context, by Person, field, sealed string) (secret string, err error) {
	err = p.db.View(ctx, func(tx *db.Tx) error {
		clientID, staffID := by.who.ids()
		plain, err := tx.OpenFor(clientID, staffID, keeping+field, sealed)
		secret = string(plain)
		return err
	})
	return secret, err
}
