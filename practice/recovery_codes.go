package practice

import (
	"cmp"
	"context"
	"errors"

	"anteroom/db"
)

// ErrNewerCodes says that recovery codes were made since somebody was asked whether to make new ones.
var ErrNewerCodes = errors.New("there are newer recovery codes")

// RecoverySet names the recovery codes that a person has now, and tells nothing of them; empty: they have none.
func (p *Practice) RecoverySet(ctx context.Context, by Person) (set string, err error) {
	err = p.db.View(ctx, func(tx *db.Tx) error {
		set, err = tx.RecoverySet(by.who.ids())
		return err
	})
	return set, err
}

// NewRecoveryCodes makes a person's recovery codes anew, in the place of the set that they have: those stop working. Wherever else
// they are signed in, they are signed out. It returns ErrConfirm, ErrNotFound for somebody who takes no second step, and
// ErrNewerCodes when they have another set by now: a form that is sent twice must not end the codes that were just written down.
func (p *Practice) NewRecoveryCodes(ctx context.Context, by Person, replaced string) (codes []string, err error) {
	err = p.db.Update(ctx, func(tx *db.Tx) error {
		if set, err := tx.RecoverySet(by.who.ids()); err != nil {
			return err
		} else if set != replaced {
			return ErrNewerCodes
		}
		if err := by.confirmed(tx.Now()); err != nil {
			return err
		}
		if f, err := tx.Factors(by.who.ids()); err != nil || !f.Any() {
			return cmp.Or(err, ErrNotFound)
		}
		if codes, err = newCodes(tx, by.who); err != nil {
			return err
		}
		return factorsChanged(tx, by.who, "made new recovery codes")
	})
	return codes, err
}
