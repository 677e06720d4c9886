package practice

import (
	"context"
	"errors"
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
	Clients     int       // how many are assigned to them, archived ones too
	LinkExpires time.Time // of the link with which they choose a first password; zero: they hold none
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
		if err != nil {
			return err
		}
		expires, err := tx.JoinStaffLinks()
		for _, m := range members {
			all = append(all, ListedStaff{StaffMember{m}, clients[m.ID], expires[m.ID]})
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
	LinkExpires time.Time // of the link that they hold; zero: none
	Expired     bool      // it doesn't work any more
	ResendFrom  time.Time // when another may be sent
	MayResend   bool
	Work        Work
	Factors     db.Factors // with which they take the second step
}

// Work is what a staff member leaves behind when they are disabled.
type Work struct {
	Clients  int // assigned to them
	Archived int // of those
	Letters  int // that they sent to clients and that haven't left
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
		if d.Letter, err = joinLetter(tx, d.ID); err != nil {
			return err
		}
		expires, err := tx.JoinStaffLinks()
		if err != nil {
			return err
		}
		d.LinkExpires, d.ResendFrom = expires[d.ID], d.Letter.CreatedAt.Add(resendAfter)
		d.Expired = !tx.Now().Before(d.LinkExpires)
		d.MayResend = d.State() == StaffInvited && !tx.Now().Before(d.ResendFrom)
		assigned, err := tx.AssignedClientIDs(d.ID)
		if err != nil {
			return err
		}
		d.Work = Work{Clients: len(assigned), Archived: len(assigned) - d.Total}
		if d.Work.Letters, err = tx.QueuedLettersBy(d.ID); err != nil {
			return err
		}
		d.Factors, err = tx.Factors(0, d.ID)
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

// StaffClients returns a staff member who isn't disabled, and who of all clients is assigned to them already; administrators
// may ask. ErrNotFound for an id that nobody such has.
func (p *Practice) StaffClients(ctx context.Context, by Administrator, id string) (m StaffMember, assigned map[int64]bool, err error) {
	if !by.administers() {
		return m, nil, ErrNotAllowed
	}
	err = p.db.View(ctx, func(tx *db.Tx) error {
		if m.StaffMember, err = tx.Staff(id); err != nil {
			return err
		}
		if !m.DisabledAt.IsZero() {
			return ErrNotFound
		}
		ids, err := tx.AssignedClientIDs(m.ID)
		assigned = make(map[int64]bool, len(ids))
		for _, id := range ids {
			assigned[id] = true
		}
		return err
	})
	return m, assigned, err
}

// Heirs lists those who can take over the clients of a staff member, by name; administrators may ask.
func (p *Practice) Heirs(ctx context.Context, by Administrator, of StaffMember) (heirs []db.StaffMember, err error) {
	all, err := p.AllStaff(ctx, by)
	for _, m := range all {
		if m.DisabledAt.IsZero() && m.ID != of.ID {
			heirs = append(heirs, m.StaffMember.StaffMember)
		}
	}
	return heirs, err
}

// StaffEntry is what an administrator types of a staff member.
type StaffEntry struct {
	Name        string
	Email       string // when they are added; later ChangeStaffEmail changes it
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

// AddStaff adds a staff member and sends them a link to choose a password. It returns Invalid, and ErrConfirm.
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
		if err := by.confirmed(tx.Now()); err != nil {
			return err
		}
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
	text := staffNoted(m) + ", " + string(m.Role)
	for _, p := range m.Permissions {
		text += ", may " + string(p)
	}
	return text
}

// ChangeStaff changes a staff member's name, role and permissions, in force from their next request, and tells how many
// queued letters of theirs it took back, because they may not send them any more. It returns ErrNotFound, and Invalid, also
// when nobody would be left as administrator.
func (p *Practice) ChangeStaff(ctx context.Context, by Administrator, id string, e StaffEntry) (letters int, err error) {
	if wrong := e.check(); len(wrong) > 0 {
		return 0, wrong
	}
	return p.changeStaff(ctx, by, id, "role", "changed a staff member", func(_ *db.Tx, m *db.StaffMember) error {
		m.Name, m.Role, m.Permissions = e.Name, e.Role, e.Permissions
		return nil
	})
}

// ChangeStaffEmail puts another address in the place of a staff member's. Whoever has chosen a password is signed out, told
// so at the old address, and chooses a new one with a link sent to the new address: the old password opens nothing any more,
// so that nobody comes in who doesn't read that mail; nor do their passkeys, nor anything else of a second step, which goes with
// it. Who is invited gets a new link, and the old one ends; who is disabled
// gets one when they are enabled. Another spelling of the same address changes nothing else. It tells whether a link was
// sent, and returns ErrNotFound, and Invalid for "email", also when nobody would be left as administrator.
func (p *Practice) ChangeStaffEmail(ctx context.Context, by Administrator, id, address string) (sent bool, err error) {
	email, err := db.ParseEmail(address)
	if err != nil {
		return false, Invalid{"email": notAnAddress}
	}
	_, err = p.changeStaff(ctx, by, id, "email", "changed a staff member's email address", func(tx *db.Tx, m *db.StaffMember) error {
		before := *m
		m.Email = email
		if err := tx.ChangeStaffEmail(m.ID, email); errors.Is(err, db.ErrEmailTaken) {
			return Invalid{"email": staffEmailTaken}
		} else if err != nil || email.Canonical() == before.Email.Canonical() {
			return err
		}
		if err := errors.Join(tx.SetStaffPassword(m.ID, ""), tx.DropFactors(0, m.ID), tx.ForgetDevices(0, m.ID), shutOut(tx, m.ID)); err != nil || !m.DisabledAt.IsZero() {
			return err
		}
		if before.PasswordHash != "" {
			if err := p.sendOldAddress(tx, oldAddressMessage, Actor{staff: Staff{member: before}}); err != nil {
				return err
			}
		}
		sent = true
		return p.sendJoinStaff(tx, *m, by.member.ID)
	})
	if err != nil {
		return false, err
	}
	p.config.Wake()
	return sent, nil
}

// KeepAssigned says that the clients of somebody who is disabled stay assigned to them.
const KeepAssigned = "keep"

// DisableStaff keeps a staff member out from their next request on, ends the links they hold and takes their queued letters
// back. heir says who takes over their clients: KeepAssigned, NobodyAssigned, or a staff member's public id. It tells how
// many clients changed hands and how many letters were taken back. It returns ErrNotFound, and Invalid for "heir", and for
// "disable" when nobody would be left as administrator.
func (p *Practice) DisableStaff(ctx context.Context, by Administrator, id, heir string) (w Work, err error) {
	w.Letters, err = p.changeStaff(ctx, by, id, "disable", "disabled a staff member", func(tx *db.Tx, m *db.StaffMember) error {
		if m.DisabledAt.IsZero() {
			m.DisabledAt = tx.Now()
		}
		if w.Clients, err = handOver(tx, by, *m, heir); err != nil {
			return err
		}
		return shutOut(tx, m.ID)
	})
	return w, err
}

// shutOut signs a staff member out and ends the links they hold.
func shutOut(tx *db.Tx, staffID int64) error {
	return errors.Join(tx.EndSessions(0, staffID), tx.EndLinks(db.LinkJoinStaff, 0, staffID), tx.EndLinks(db.LinkNewPassword, 0, staffID))
}

// handOver gives a staff member's clients to the heir, and tells how many there were.
func handOver(tx *db.Tx, by Administrator, from db.StaffMember, heir string) (int, error) {
	if heir == KeepAssigned {
		return 0, nil
	}
	var to db.StaffMember
	if heir != NobodyAssigned {
		var err error
		if to, err = tx.Staff(heir); errors.Is(err, ErrNotFound) || err == nil && (to.ID == from.ID || !to.DisabledAt.IsZero()) {
			return 0, Invalid{"heir": "Choose who takes over their clients."}
		} else if err != nil {
			return 0, err
		}
	}
	ids, err := tx.AssignedClientIDs(from.ID)
	if err != nil {
		return 0, err
	}
	if _, err := tx.UnassignAll(from.ID, ids); err != nil {
		return 0, err
	}
	act, detail := tookClient, staffNoted(from)+", who was disabled"
	if to.ID != 0 {
		if _, err := tx.AssignAll(to.ID, ids); err != nil {
			return 0, err
		}
		act, detail = assignedClient, staffNoted(to)+", taken over from "+staffNoted(from)
	}
	for _, clientID := range ids {
		if err := tx.Audit(db.AuditEntry{StaffID: by.member.ID, Act: act, ClientID: clientID, Detail: detail}); err != nil {
			return 0, err
		}
	}
	return len(ids), nil
}

// EnableStaff lets a staff member in again with the password they have; one who never chose any is sent a new link. It
// returns ErrNotFound.
func (p *Practice) EnableStaff(ctx context.Context, by Administrator, id string) error {
	_, err := p.changeStaff(ctx, by, id, "", "enabled a staff member", func(tx *db.Tx, m *db.StaffMember) error {
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

// changeStaff keeps a change to a staff member, unless nobody would be left as administrator: then it says so at field. It
// takes back the letters that they may not send any more, and tells how many. ErrConfirm, unless the administrator proved
// lately who they are.
func (p *Practice) changeStaff(ctx context.Context, by Administrator, id, field string, act db.Act, change func(*db.Tx, *db.StaffMember) error) (letters int, err error) {
	if !by.administers() {
		return 0, ErrNotAllowed
	}
	err = p.db.Update(ctx, func(tx *db.Tx) error {
		if err := by.confirmed(tx.Now()); err != nil {
			return err
		}
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
		if letters, err = tx.RecheckLetters(m.ID); err != nil {
			return err
		}
		return tx.Audit(db.AuditEntry{StaffID: by.member.ID, Act: act, Detail: describe(m)})
	})
	return letters, err
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
			return Invalid{"resend": "A link was sent less than five minutes ago. Give it time to arrive, and look again in a few minutes."}
		}
		return p.sendJoinStaff(tx, m, by.member.ID)
	})
	if err == nil {
		p.config.Wake()
	}
	return err
}
