package practice

import (
	"context"
	"errors"

	"anteroom/db"
)

// MarkBounced notes that mail to a client's address came back to the office: their state says so, and the next who sends is
// told. Staff who may edit or invite the client may. address is the one that they saw: db.ErrClosed when another is on file
// now. ErrNotFound for a client out of their sight, ErrNotAllowed for one that they may only see.
func (p *Practice) MarkBounced(ctx context.Context, by Staff, publicID, address string) error {
	return p.markAddress(ctx, by, publicID, address, func(tx *db.Tx, c db.Client) (db.Act, error) {
		if !c.Portal.BouncedAt.IsZero() {
			return "", nil
		}
		return "noted that mail to the address bounced", tx.MarkBounced(c.ID, by.member.ID)
	})
}

// LiftAddressMarks notes that mail reaches a client's address again. Who may, and the errors, are as for MarkBounced.
func (p *Practice) LiftAddressMarks(ctx context.Context, by Staff, publicID, address string) error {
	return p.markAddress(ctx, by, publicID, address, func(tx *db.Tx, c db.Client) (db.Act, error) {
		if !c.Portal.Troubled() {
			return "", nil
		}
		return "noted that mail reaches the address again", tx.LiftAddressMarks(c.ID)
	})
}

// markAddress changes what is known of the address that somebody saw; an empty act is that nothing changed.
func (p *Practice) markAddress(ctx context.Context, by Staff, publicID, address string, mark func(*db.Tx, db.Client) (act db.Act, err error)) error {
	return p.db.Update(ctx, func(tx *db.Tx) error {
		c, err := within(tx, by, by.edits(), publicID)
		if errors.Is(err, ErrNotAllowed) {
			c, err = within(tx, by, by.invites(), publicID)
		}
		if err != nil {
			return err
		}
		seen, err := db.ParseEmail(address)
		if err != nil || seen.Canonical() != c.Email.Canonical() {
			return db.ErrClosed
		}
		act, err := mark(tx, c)
		if err != nil || act == "" {
			return err
		}
		return tx.Audit(db.AuditEntry{StaffID: by.member.ID, Act: act, ClientID: c.ID})
	})
}
