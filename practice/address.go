package practice

import (
	"context"
	"errors"
	"time"

	"anteroom/db"
)

// askedAddressLife is how long an address that a client asked for waits to be confirmed. One that staff put on file waits as
// long as an invitation's link.
const askedAddressLife = 24 * time.Hour

// asksForAddress is how many addresses a client may ask for in an hour.
const asksForAddress = 3

// askAddress keeps an address until it is confirmed, and queues the letters: a link to the new address, and word to the old.
func (p *Practice) askAddress(tx *db.Tx, c db.Client, to db.Email, askedBy int64, life time.Duration) error {
	change := db.AddressChange{ClientID: c.ID, Email: to, AskedBy: askedBy, AskedAt: tx.Now(), EndsAt: tx.Now().Add(life)}
	if err := tx.AskAddressChange(change); err != nil {
		return err
	}
	if err := p.sendAddressLink(tx, c, change); err != nil {
		return err
	}
	return p.sendOldAddress(tx, languageOf(c).addressAsked, Actor{client: Client{record: c}})
}

// askNobody composes the letters of askAddress for nobody: an address that can't be used costs what another does.
func (p *Practice) askNobody(tx *db.Tx) error {
	o, err := tx.Organization()
	if err != nil {
		return err
	}
	for _, m := range []accountMessage{languages[0].newAddress, languages[0].addressAsked} {
		if _, err := p.writeAccountLetter(o, m, p.nobody(), tx.Now(), askedAddressLife); err != nil {
			return err
		}
	}
	return nil
}

// sendAddressLink queues the letter with which a new address is confirmed, and ends an earlier link.
func (p *Practice) sendAddressLink(tx *db.Tx, c db.Client, change db.AddressChange) error {
	if err := tx.CancelLetters(c.ID, db.LetterNewAddress, "a newer link was sent"); err != nil {
		return err
	}
	c.Email = change.Email
	return p.sendAccountLetter(tx, languageOf(c).newAddress, Actor{client: Client{record: c}}, db.LinkNewAddress, change.EndsAt.Sub(tx.Now()),
		db.Letter{Kind: db.LetterNewAddress, ClientID: c.ID})
}

// AskForAddress begins the change of a client's own address: a link goes to the new one, and word to the old. They give their
// password; Invalid says when it is wrong, or given wrongly too often, or when the text is no address. Whether the address
// can be used is not told: the outcome is the same. ErrConfirm, where they take a second step and didn't lately.
func (p *Practice) AskForAddress(ctx context.Context, by Client, address, password, network string) error {
	email, err := db.ParseEmail(address)
	switch {
	case err != nil:
		return Invalid{"email": notAnAddress}
	case email.Canonical() == by.record.Email.Canonical():
		return Invalid{"email": "You sign in with this address already."}
	}
	if err := p.db.View(ctx, func(tx *db.Tx) error {
		if f, err := tx.Factors(by.record.ID, 0); err != nil || !f.Any() {
			return err
		}
		return by.confirmed(tx.Now())
	}); err != nil {
		return err
	}
	if err := p.provePassword(ctx, Actor{client: by}, inSession, password, network); err != nil {
		return err
	}
	sent := false
	err = p.db.Update(ctx, func(tx *db.Tx) error {
		c, err := tx.ClientByID(by.reach(), by.record.ID)
		if err != nil {
			return err
		}
		asked := "asked for another address " + c.PublicID
		if n, err := tx.Attempts(asked, tx.Now().Add(-askWindow)); err != nil {
			return err
		} else if n >= asksForAddress {
			return Invalid{"email": "You asked for a few addresses already. Wait an hour, or call us."}
		}
		if err := tx.AddAttempt(asked); err != nil {
			return err
		}
		err = p.askAddress(tx, c, email, 0, askedAddressLife)
		if errors.Is(err, db.ErrEmailTaken) {
			err = p.askNobody(tx)
		} else {
			sent = err == nil
		}
		if err != nil {
			return err
		}
		return tx.Audit(db.AuditEntry{ByClient: c.ID, ClientID: c.ID, Act: "asked for another email address"})
	})
	if err == nil && sent {
		p.config.Wake()
	}
	return err
}

// asksOwnPassword tells whether the address that waits for a client is confirmed with the password that they have. A new one
// can be chosen only where whoever gave the address may read the client's completed forms anyway: otherwise the right to edit
// a record would open them.
func asksOwnPassword(tx *db.Tx, clientID int64) (bool, error) {
	change, err := tx.AddressChange(db.Oneself(clientID), clientID)
	if errors.Is(err, ErrNotFound) {
		return false, nil // the link is over
	}
	if err != nil || change.AskedBy == 0 {
		return true, err
	}
	asker, err := tx.StaffByID(change.AskedBy)
	if err != nil || !asker.DisabledAt.IsZero() {
		return true, err
	}
	_, err = tx.ClientByID(Staff{member: asker}.reads(), clientID)
	if errors.Is(err, ErrNotFound) {
		return true, nil
	}
	return false, err
}

// ConfirmAddress spends the link to an address that a client asked for, with their password: from then on they sign in with
// it. Other sessions end, and one is opened here; it returns the session cookie's value. Whoever holds the token may. It
// returns Invalid for "password", and NotLive when the link can't be used.
func (p *Practice) ConfirmAddress(ctx context.Context, token, password string, at Browser) (session string, who Actor, err error) {
	h, err := p.heldLink(ctx, token, at.Network)
	if err != nil {
		return "", Actor{}, err
	}
	if h.Purpose != db.LinkNewAddress || !h.OwnPassword {
		return "", Actor{}, NotLive{h.Link}
	}
	if err := p.provePassword(ctx, h.owner, withLink, password, at.Network); err != nil {
		return "", Actor{}, err
	}
	err = p.db.Update(ctx, func(tx *db.Tx) error {
		if h, err = openLink(tx, token); err != nil {
			return err
		}
		if h.State != LinkLive {
			return NotLive{h.Link}
		}
		if err := useLink(tx, h); err != nil {
			return err
		}
		id := h.owner.client.record.ID
		if err := tx.EndSessions(id, 0); err != nil {
			return err
		}
		if err := tx.Audit(db.AuditEntry{ByClient: id, ClientID: id, Act: passwordActs[db.LinkNewAddress]}); err != nil {
			return err
		}
		session, err = p.enter(tx, &h.owner, at)
		return err
	})
	if err == nil {
		p.config.Wake()
	}
	return session, h.owner, err
}

// addressChangeOf returns a client whose record a staff member may change, and the address that waits to be confirmed.
// ErrNotFound and ErrNotAllowed as for ClientToEdit; db.ErrClosed when none waits any more.
func addressChangeOf(tx *db.Tx, by Staff, publicID string) (c db.Client, change db.AddressChange, err error) {
	if c, err = within(tx, by, by.edits(), publicID); err != nil {
		return c, change, err
	}
	if change, err = tx.AddressChange(by.edits(), c.ID); errors.Is(err, ErrNotFound) {
		err = db.ErrClosed
	}
	return c, change, err
}

// ResendAddressLink sends the link to a new address again, and ends the one before. Who may is as for ClientToEdit.
// db.ErrClosed when no address waits any more, and Invalid for "address" within five minutes of the last letter.
func (p *Practice) ResendAddressLink(ctx context.Context, by Staff, publicID string) error {
	err := p.db.Update(ctx, func(tx *db.Tx) error {
		c, change, err := addressChangeOf(tx, by, publicID)
		if err != nil {
			return err
		}
		if last, err := tx.LastLetter(c.ID, db.LetterNewAddress); err != nil {
			return err
		} else if tx.Now().Sub(last) < resendAfter {
			return Invalid{"address": "A link was sent less than five minutes ago. Give it time to arrive."}
		}
		if err := p.sendAddressLink(tx, c, change); err != nil {
			return err
		}
		return tx.Audit(db.AuditEntry{StaffID: by.member.ID, Act: "sent the link to confirm the new address again", ClientID: c.ID})
	})
	if err == nil {
		p.config.Wake()
	}
	return err
}

// WithdrawAddress gives up an address that was not confirmed yet: its link ends, and its letter, if it is still queued,
// doesn't leave. Who may is as for ClientToEdit; db.ErrClosed when no address waits any more.
func (p *Practice) WithdrawAddress(ctx context.Context, by Staff, publicID string) error {
	return p.db.Update(ctx, func(tx *db.Tx) error {
		c, _, err := addressChangeOf(tx, by, publicID)
		if err != nil {
			return err
		}
		return errors.Join(endAddressChange(tx, c.ID, "the new address was withdrawn"),
			tx.Audit(db.AuditEntry{StaffID: by.member.ID, Act: "withdrew the new address", ClientID: c.ID}))
	})
}

func endAddressChange(tx *db.Tx, clientID int64, why string) error {
	return errors.Join(tx.EndAddressChange(clientID), tx.EndLinks(db.LinkNewAddress, clientID, 0), tx.CancelLetters(clientID, db.LetterNewAddress, why))
}
