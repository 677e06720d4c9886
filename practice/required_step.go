package practice

import (
	"context"
	"errors"

	"anteroom/db"
)

// ErrNoStep says that somebody has no second step that could be removed.
var ErrNoStep = errors.New("no second step is set up")

// RequiredStep is who must take a second step when they sign in, and who has one.
type RequiredStep struct {
	OfStaff, OfClients bool
	db.FactorUse
	Own bool // the administrator has one
}

// RequiredStep tells administrators who must take a second step.
func (p *Practice) RequiredStep(ctx context.Context, by Administrator) (r RequiredStep, err error) {
	if !by.administers() {
		return r, ErrNotAllowed
	}
	err = p.db.View(ctx, func(tx *db.Tx) error {
		if r.OfStaff, r.OfClients, err = tx.SecondStepRequired(); err != nil {
			return err
		}
		f, err := tx.Factors(0, by.member.ID)
		if err != nil {
			return err
		}
		r.Own = f.Any()
		r.FactorUse, err = tx.FactorUse()
		return err
	})
	return r, err
}

// RequireStep says who must take a second step. It counts from their next click on: whoever has none yet sets one up. Where it
// is required no longer, whoever was halfway in signs in anew: nobody comes in without its being noted and told. It returns
// ErrConfirm.
func (p *Practice) RequireStep(ctx context.Context, by Administrator, ofStaff, ofClients bool) error {
	if !by.administers() {
		return ErrNotAllowed
	}
	return p.db.Update(ctx, func(tx *db.Tx) error {
		staff, clients, err := tx.SecondStepRequired()
		if err != nil || staff == ofStaff && clients == ofClients {
			return err
		}
		if err := by.confirmed(tx.Now()); err != nil {
			return err
		}
		for _, change := range []struct {
			before, now     bool
			required, ended db.Act
		}{
			{staff, ofStaff, "required a second step of staff", "no longer required a second step of staff"},
			{clients, ofClients, "required a second step of clients", "no longer required a second step of clients"},
		} {
			act := change.ended
			if change.now {
				act = change.required
			}
			if change.before != change.now {
				if err := tx.Audit(db.AuditEntry{StaffID: by.member.ID, Act: act}); err != nil {
					return err
				}
			}
		}
		return errors.Join(tx.EndUnstepped(staff && !ofStaff, clients && !ofClients), tx.RequireSecondStep(ofStaff, ofClients))
	})
}

// RemoveStaffStep takes from a staff member all with which they take the second step, for they lost it: they are signed out,
// and told by mail. Where it is required they set it up anew when they sign in. Administrators may, but for their own. It
// returns ErrConfirm, and ErrNoStep for somebody who has none.
func (p *Practice) RemoveStaffStep(ctx context.Context, by Administrator, id string) error {
	return p.removeStep(ctx, by, func(tx *db.Tx) (who Actor, e db.AuditEntry, err error) {
		if who.staff.member, err = tx.Staff(id); err == nil && who.staff.member.ID == by.member.ID {
			err = ErrNotAllowed
		}
		return who, db.AuditEntry{Act: "removed the second step of a staff member", Detail: describe(who.staff.member)}, err
	})
}

// ClientStepToRemove returns a client whose second step can be removed, and whether they have to set it up anew then. Administrators
// may; ErrNoStep for a client who has none.
func (p *Practice) ClientStepToRemove(ctx context.Context, by Administrator, publicID string) (c db.Client, required bool, err error) {
	if !by.administers() {
		return c, false, ErrNotAllowed
	}
	err = p.db.View(ctx, func(tx *db.Tx) error {
		if c, err = tx.Client(by.reach(), publicID); err != nil {
			return err
		}
		s, err := security(tx, Actor{client: Client{record: c}})
		if err == nil && !s.Any() {
			err = ErrNoStep
		}
		required = s.Required
		return err
	})
	return c, required, err
}

// RemoveClientStep does the same for a client's portal account.
func (p *Practice) RemoveClientStep(ctx context.Context, by Administrator, publicID string) error {
	return p.removeStep(ctx, by, func(tx *db.Tx) (who Actor, e db.AuditEntry, err error) {
		who.client.record, err = tx.Client(by.reach(), publicID)
		return who, db.AuditEntry{Act: "removed the client's second step", ClientID: who.client.record.ID}, err
	})
}

func (p *Practice) removeStep(ctx context.Context, by Administrator, find func(*db.Tx) (Actor, db.AuditEntry, error)) error {
	if !by.administers() {
		return ErrNotAllowed
	}
	err := p.db.Update(ctx, func(tx *db.Tx) error {
		who, entry, err := find(tx)
		if err != nil {
			return err
		}
		if err := by.confirmed(tx.Now()); err != nil {
			return err
		}
		clientID, staffID := who.ids()
		if f, err := tx.Factors(clientID, staffID); err != nil {
			return err
		} else if !f.Any() {
			return ErrNoStep
		}
		entry.StaffID = by.member.ID
		if err := errors.Join(tx.DropFactors(clientID, staffID), tx.EndSessions(clientID, staffID), tx.Audit(entry)); err != nil {
			return err
		}
		return p.tell(tx, who, stepRemoved, Browser{Words: practicesBrowser})
	})
	if err == nil {
		p.config.Wake()
	}
	return err
}
