package practice

import (
	"context"

	"anteroom/db"
)

// Chosen says for which clients a list's button was pressed: those who were ticked, or all whom the list shows.
type Chosen struct {
	IDs []string // public ids
	All *ClientQuery
}

func (c Chosen) clients(tx *db.Tx, reach db.Reach) ([]int64, error) {
	if c.All == nil {
		return tx.ClientIDsOf(reach, c.IDs)
	}
	f, err := c.All.filter(tx)
	if err != nil {
		return nil, err
	}
	return tx.ClientIDs(reach, f)
}

// CountChosen tells how many clients a button would be pressed for; administrators may ask.
func (p *Practice) CountChosen(ctx context.Context, by Administrator, chosen Chosen) (n int, err error) {
	err = p.db.View(ctx, func(tx *db.Tx) error {
		ids, err := chosen.clients(tx, by.reach())
		n = len(ids)
		return err
	})
	return n, err
}

// Assignable lists the staff members to whom clients can be assigned, by name; administrators may ask.
func (p *Practice) Assignable(ctx context.Context, by Administrator) (staff []db.StaffMember, err error) {
	if !by.administers() {
		return nil, ErrNotAllowed
	}
	err = p.db.View(ctx, func(tx *db.Tx) error {
		all, err := tx.AllStaff()
		for _, m := range all {
			if m.DisabledAt.IsZero() && m.Role != db.RoleAdministrator {
				staff = append(staff, m)
			}
		}
		return err
	})
	return staff, err
}

// AssignChosen gives clients to a staff member, or takes them away, and tells for how many that changed something;
// administrators may. ErrNotFound when there is no such staff member, or a disabled one is to be given clients. Letters of
// theirs that may not leave any more are taken back. ErrConfirm, unless the administrator proved lately who they are: it changes who
// may read whose forms.
func (p *Practice) AssignChosen(ctx context.Context, by Administrator, chosen Chosen, staffID string, assign bool) (n int, err error) {
	if !by.administers() {
		return 0, ErrNotAllowed
	}
	err = p.db.Update(ctx, func(tx *db.Tx) error {
		member, err := tx.Staff(staffID)
		if err != nil {
			return err
		}
		if assign && !member.DisabledAt.IsZero() {
			return ErrNotFound
		}
		if err := by.confirmed(tx.Now()); err != nil {
			return err
		}
		ids, err := chosen.clients(tx, by.reach())
		if err != nil {
			return err
		}
		act, change := assignedClient, tx.AssignAll
		if !assign {
			act, change = tookClient, tx.UnassignAll
		}
		changed, err := change(member.ID, ids)
		if err != nil {
			return err
		}
		for _, id := range changed {
			if err := tx.Audit(db.AuditEntry{StaffID: by.member.ID, Act: act, ClientID: id, Detail: staffNoted(member)}); err != nil {
				return err
			}
		}
		n = len(changed)
		if !assign {
			_, err = tx.RecheckLetters(member.ID)
		}
		return err
	})
	return n, err
}
