package practice

import (
	"context"
	"errors"
	"time"

	"anteroom/db"
)

// notMeantLife is how long after a letter was written somebody may say that it wasn't meant for them.
const notMeantLife = 30 * 24 * time.Hour

// NotMeant takes the word of whoever reads an address that our mail isn't meant for them. If it is still on file for the
// client whom the letter was for, it gets no more letters than must be, its links end, and the office is told; an address
// that waits to be confirmed is given up. A portal account stays: a stray click locks nobody out. Whoever holds the letter's
// token may say so, and learns nothing: the outcome is the same for every token, known or not. Invalid for "link" for a
// network from which too many bad ones came.
func (p *Practice) NotMeant(ctx context.Context, token, network string) error {
	return p.db.Update(ctx, func(tx *db.Tx) error {
		if err := badLinksLeft(tx, network, "link"); err != nil {
			return err
		}
		letter, err := tx.LetterByToken(token)
		if errors.Is(err, ErrNotFound) {
			return tx.AddAttempt(badLinkFrom(network))
		}
		if err != nil {
			return err
		}
		if tx.Now().Sub(letter.CreatedAt) > notMeantLife {
			return nil
		}
		if err := giveUpWaiting(tx, letter); err != nil {
			return err
		}
		marked, err := tx.MarkUnwanted(letter)
		if err != nil || !marked {
			return err
		}
		return errors.Join(tx.EndLinks(db.LinkJoin, letter.ClientID, 0), tx.EndLinks(db.LinkNewPassword, letter.ClientID, 0), tx.RecheckLettersTo(letter.ClientID),
			tx.Audit(db.AuditEntry{ClientID: letter.ClientID, Act: "heard from whoever reads this address that our mail isn't meant for them"}))
	})
}

// giveUpWaiting frees the address of a letter if it waits to be confirmed: its link would have opened the account.
func giveUpWaiting(tx *db.Tx, letter db.Letter) error {
	change, err := tx.AddressChange(db.Oneself(letter.ClientID), letter.ClientID)
	if errors.Is(err, ErrNotFound) || err == nil && change.Email.Canonical() != letter.To.Canonical() {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(endAddressChange(tx, letter.ClientID, "Whoever reads the address said that our mail isn't meant for them."),
		tx.Audit(db.AuditEntry{ClientID: letter.ClientID, Act: "gave up the new address: whoever reads it said that our mail isn't meant for them"}))
}
