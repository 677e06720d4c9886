package practice

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"anteroom/db"
)

// Permissions are those that an administrator can grant, in the order in which they are shown.
var Permissions = []db.Permission{db.MayInviteClients, db.MayEditClients, db.MayReadForms}

// Roles are those that a staff member can have, in the order in which they are shown.
var Roles = []db.Role{db.RoleAdministrator, db.RoleTherapist, db.RoleStaff}

// resendAfter is how long a letter with a link has before another is offered.
const resendAfter = 5 * time.Minute

// StaffState is where a staff member stands. It is derived, never kept.
type StaffState string

const (
	StaffActive   StaffState = "Active"
	StaffInvited  StaffState = "Invited"  // hasn't chosen a password
	StaffDisabled StaffState = "Disabled" // can't sign in
)

// StaffMember is somebody who works at the practice, as administrators see them.
type StaffMember struct{ db.StaffMember }

// State tells where they stand.
func (m StaffMember) State() StaffState {
	switch {
	case !m.DisabledAt.IsZero():
		return StaffDisabled
	case m.PasswordHash == "":
		return StaffInvited
	}
	return StaffActive
}

// Holds tells whether a permission was granted.
func (m StaffMember) Holds(p db.Permission) bool { return slices.Contains(m.Permissions, p) }

// ListedStaff is a staff member as the list of all shows them.
type ListedStaff struct {
	StaffMember
	Clients int // how many are assigned to them
}

// AllStaff lists everybody who works at the practice, by name, those who are disabled last.
func (p *Practice) AllStaff(ctx context.Context, by Administrator) (all []ListedStaff, err error) {
	if !by.administers() {
		return nil, ErrNotAllowed
	}
	err = p.db.View(ctx, func(tx *db.Tx) error {
		members, err := tx.AllStaff()
		if err != nil {
			return err
		}
		clients, err := tx.AssignedClients()
		for _, m := range members {
			all = append(all, ListedStaff{StaffMember{m}, clients[m.ID]})
		}
		return err
	})
	return all, err
}

// StaffDetails is a staff member with what their page shows.
type StaffDetails struct {
	StaffMember
	Clients     []db.Client // a page of those assigned to them, by name
	Total       int
	Letter      db.Letter // the last one with a link to choose a password; zero: none was sent
	LinkExpires time.Time
	MayResend   bool
}

// StaffMember returns a staff member with a page of their clients. ErrNotFound for an id that nobody has.
func (p *Practice) StaffMember(ctx context.Context, by Administrator, id string, offset, limit int) (d StaffDetails, err error) {
	if !by.administers() {
		return d, ErrNotAllowed
	}
	err = p.db.View(ctx, func(tx *db.Tx) error {
		if d.StaffMember.StaffMember, err = tx.Staff(id); err != nil {
			return err
		}
		if d.Clients, d.Total, err = tx.FindClients(db.AssignedTo(d.ID), db.ClientFilter{}, db.ByName, offset, limit); err != nil {
			return err
		}
		d.Letter, err = joinLetter(tx, d.ID)
		d.LinkExpires = d.Letter.CreatedAt.Add(joinStaffLife)
		d.MayResend = d.State() == StaffInvited && tx.Now().Sub(d.Letter.CreatedAt) >= resendAfter
		return err
	})
	return d, err
}

func joinLetter(tx *db.Tx, staffID int64) (db.Letter, error) {
	letters, err := tx.StaffLetters(staffID)
	if err != nil {
		return db.Letter{}, err
	}
	for _, l := range letters {
		if l.Kind == db.LetterJoinStaff {
			return l, nil
		}
	}
	return db.Letter{}, nil
}

// StaffEntry is what an administrator types of a staff member.
type StaffEntry struct {
	Name        string
	Email       string // when they are added; later it stays
	Role        db.Role
	Permissions []db.Permission
}

func (e *StaffEntry) check() Invalid {
	wrong := Invalid{}
	e.Name = oneLine(e.Name)
	wrong.require("name", e.Name, "Enter their name.")
	if !slices.Contains(Roles, e.Role) {
		wrong["role"] = "Choose a role."
	}
	e.Permissions = slices.DeleteFunc(slices.Clone(e.Permissions), func(p db.Permission) bool { return !slices.Contains(Permissions, p) })
	slices.Sort(e.Permissions)
	e.Permissions = slices.Compact(e.Permissions)
	if e.Role == db.RoleAdministrator {
		e.Permissions = nil // may do all of it anyway
	}
	return wrong
}

// AddStaff adds a staff member and sends them a link to choose a password. It returns Invalid.
func (p *Practice) AddStaff(ctx context.Context, by Administrator, e StaffEntry) (m StaffMember, err error) {
	if !by.administers() {
		return m, ErrNotAllowed
	}
	wrong := e.check()
	email, err := db.ParseEmail(e.Email)
	if err != nil {
		wrong["email"] = notAnAddress
	}
	if len(wrong) > 0 {
		return m, wrong
	}
	m.StaffMember = db.StaffMember{Name: e.Name, Email: email, Role: e.Role, Permissions: e.Permissions}
	err = p.db.Update(ctx, func(tx *db.Tx) error {
		if err := tx.AddStaff(&m.StaffMember); errors.Is(err, db.ErrEmailTaken) {
			return Invalid{"email": staffEmailTaken}
		} else if err != nil {
			return err
		}
		if err := tx.Audit(db.AuditEntry{StaffID: by.member.ID, Act: "added a staff member", Detail: describe(m.StaffMember)}); err != nil {
			return err
		}
		return p.sendJoinStaff(tx, m.StaffMember, by.member.ID)
	})
	if err == nil {
		p.config.Wake()
	}
	return m, err
}

// describe is a staff member's rights for the audit log.
func describe(m db.StaffMember) string {
	return fmt.Sprintf("staff member %s: %s %q", m.PublicID, m.Role, m.Permissions)
}

// ChangeStaff changes a staff member's name, role and permissions, in force from their next request. It returns ErrNotFound,
// and Invalid, also when nobody would be left as administrator.
func (p *Practice) ChangeStaff(ctx context.Context, by Administrator, id string, e StaffEntry) error {
	if wrong := e.check(); len(wrong) > 0 {
		return wrong
	}
	return p.changeStaff(ctx, by, id, "role", "changed a staff member", func(_ *db.Tx, m *db.StaffMember) error {
		m.Name, m.Role, m.Permissions = e.Name, e.Role, e.Permissions
		return nil
	})
}

// DisableStaff keeps a staff member out from their next request on, and ends the links they hold. It returns ErrNotFound, and
// Invalid for "disable" when nobody would be left as administrator.
func (p *Practice) DisableStaff(ctx context.Context, by Administrator, id string) error {
	return p.changeStaff(ctx, by, id, "disable", "disabled a staff member", func(tx *db.Tx, m *db.StaffMember) error {
		if m.DisabledAt.IsZero() {
			m.DisabledAt = tx.Now()
		}
		return errors.Join(tx.EndSessions(0, m.ID), tx.EndLinks(db.LinkJoinStaff, 0, m.ID), tx.EndLinks(db.LinkNewPassword, 0, m.ID))
	})
}

// EnableStaff lets a staff member in again with the password they have; one who never chose any is sent a new link. It
// returns ErrNotFound.
func (p *Practice) EnableStaff(ctx context.Context, by Administrator, id string) error {
	err := p.changeStaff(ctx, by, id, "", "enabled a staff member", func(tx *db.Tx, m *db.StaffMember) error {
		wasDisabled := !m.DisabledAt.IsZero()
		m.DisabledAt = time.Time{}
		if wasDisabled && m.PasswordHash == "" {
			return p.sendJoinStaff(tx, *m, by.member.ID)
		}
		return nil
	})
	if err == nil {
		p.config.Wake()
	}
	return err
}

// changeStaff keeps a change to a staff member, unless nobody would be left as administrator: then it says so at field.
func (p *Practice) changeStaff(ctx context.Context, by Administrator, id, field, act string, change func(*db.Tx, *db.StaffMember) error) error {
	if !by.administers() {
		return ErrNotAllowed
	}
	return p.db.Update(ctx, func(tx *db.Tx) error {
		m, err := tx.Staff(id)
		if err != nil {
			return err
		}
		if err := change(tx, &m); err != nil {
			return err
		}
		if err := tx.ChangeStaff(m); err != nil {
			return err
		}
		if n, err := tx.Administrators(); err != nil {
			return err
		} else if n == 0 {
			return Invalid{field: "Nobody else can sign in as an administrator. Make somebody else one first."}
		}
		return tx.Audit(db.AuditEntry{StaffID: by.member.ID, Act: act, Detail: describe(m)})
	})
}

// ResendJoin sends a staff member a new link to choose a password, and ends the one before. It returns ErrNotFound, and
// Invalid for "resend" when they have chosen one, are disabled, or were sent a link in the last five minutes.
func (p *Practice) ResendJoin(ctx context.Context, by Administrator, id string) error {
	if !by.administers() {
		return ErrNotAllowed
	}
	err := p.db.Update(ctx, func(tx *db.Tx) error {
		m, err := tx.Staff(id)
		if err != nil {
			return err
		}
		if state := (StaffMember{m}).State(); state != StaffInvited {
			return Invalid{"resend": "A link to choose a password is for those who are invited and haven't chosen one."}
		}
		last, err := joinLetter(tx, m.ID)
		if err != nil {
			return err
		}
		if tx.Now().Sub(last.CreatedAt) < resendAfter {
			return Invalid{"resend": "A link was sent less than five minutes ago. Give it time to arrive."}
		}
		return p.sendJoinStaff(tx, m, by.member.ID)
	})
	if err == nil {
		p.config.Wake()
	}
	return err
}
