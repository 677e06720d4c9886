package practice

import (
	"slices"
	"time"

	"anteroom/db"
)

// Actor is who makes a request: a staff member, a client, or (the zero value) nobody.
type Actor struct {
	staff  Staff
	client Client
}

// Staff is a staff member who is signed in. Only this package makes one; the zero value may do nothing.
type Staff struct{ member db.StaffMember }

// Administrator is a staff member who is signed in and has that role. Only this package makes one.
type Administrator struct{ Staff }

// Client is a client who is signed in to the portal. Only this package makes one.
type Client struct{ record db.Client }

// Staff returns the actor as a staff member.
func (a Actor) Staff() (Staff, bool) { return a.staff, a.staff.member.ID != 0 }

// Administrator returns the actor as an administrator.
func (a Actor) Administrator() (Administrator, bool) {
	return Administrator{a.staff}, a.staff.administers()
}

// Client returns the actor as a client.
func (a Actor) Client() (Client, bool) { return a.client, a.client.record.ID != 0 }

// Nobody tells that nobody is signed in.
func (a Actor) Nobody() bool { return a.staff.member.ID == 0 && a.client.record.ID == 0 }

// ID tells actors apart in logs: kind and public id, nothing that names a person.
func (a Actor) ID() string {
	switch {
	case a.staff.member.ID != 0:
		return "staff " + a.staff.member.PublicID
	case a.client.record.ID != 0:
		return "client " + a.client.record.PublicID
	}
	return "nobody"
}

// Name is the staff member's own name.
func (s Staff) Name() string { return s.member.Name }

// PublicID is the staff member's id in URLs.
func (s Staff) PublicID() string { return s.member.PublicID }

// Role is the staff member's role.
func (s Staff) Role() db.Role { return s.member.Role }

// Administers tells that the staff member is an administrator.
func (s Staff) Administers() bool { return s.administers() }

func (s Staff) administers() bool { return s.member.Role == db.RoleAdministrator }
func (s Staff) therapist() bool   { return s.member.Role == db.RoleTherapist }

func (s Staff) granted(p db.Permission) bool { return slices.Contains(s.member.Permissions, p) }

// Name is what the practice calls the client.
func (c Client) Name() string { return c.record.Name() }

// Email is the address that the client signs in with.
func (c Client) Email() string { return c.record.Email.String() }

// reach is whose names, contact and portal state a staff member sees.
func (s Staff) reach() db.Reach {
	switch s.member.Role {
	case db.RoleAdministrator, db.RoleStaff:
		return db.Everybody()
	case db.RoleTherapist:
		return db.AssignedTo(s.member.ID)
	}
	return db.Reach{}
}

// invites is whom a staff member may invite and send forms.
func (s Staff) invites() db.Reach {
	switch {
	case s.administers():
		return db.Everybody()
	case s.granted(db.MayInviteClients):
		return db.AssignedTo(s.member.ID)
	}
	return db.Reach{}
}

// edits is whose record a staff member may change.
func (s Staff) edits() db.Reach {
	switch {
	case s.administers(), s.granted(db.MayEditClients) && !s.therapist():
		return db.Everybody()
	case s.therapist():
		return db.AssignedTo(s.member.ID)
	}
	return db.Reach{}
}

// reads is whose completed forms a staff member may read.
func (s Staff) reads() db.Reach {
	switch {
	case s.administers(), s.granted(db.MayReadForms) && !s.therapist():
		return db.Everybody()
	case s.therapist():
		return db.AssignedTo(s.member.ID)
	}
	return db.Reach{}
}

// AddsClients tells whether a staff member may add clients.
func (s Staff) AddsClients() bool { return s.edits() != db.Reach{} }

// reach of a client is their own record.
func (c Client) reach() db.Reach { return db.Oneself(c.record.ID) }

// Limits of a session. Sources: the practice's automatic logoff (45 CFR 164.312(a)(2)(iii)).
const (
	idleLimit     = 15 * time.Minute
	absoluteLimit = 12 * time.Hour
	touchEvery    = 30 * time.Second // how exact "last seen" is kept
)
