package practice

import (
	"slices"
	"time"

	"anteroom/db"
)

// Actor is who makes a request: a staff member, a client, or (the zero value) nobody.
type Actor struct {
	staff   Staff
	client  Client
	session db.Session
	halfway bool // the password was right, the second step is owed
}

// Staff is a staff member who is signed in. Only this package makes one; the zero value may do nothing.
type Staff struct {
	member      db.StaffMember
	confirmedAt time.Time // they last proved who they are
}

// Administrator is a staff member who is signed in and has that role. Only this package makes one.
type Administrator struct{ Staff }

// Client is a client who is signed in to the portal. Only this package makes one.
type Client struct {
	record      db.Client
	confirmedAt time.Time // they last proved who they are
}

// Person is whoever is signed in, staff member or client. Only this package makes one.
type Person struct{ who Actor }

// Halfway is whoever gave the right password and owes the second step: to all else they are nobody. Only this package makes one.
type Halfway struct{ who Actor }

// Staff returns the actor as a staff member.
func (a Actor) Staff() (Staff, bool) {
	if a.halfway || a.staff.member.ID == 0 {
		return Staff{}, false
	}
	return a.staff, true
}

// Administrator returns the actor as an administrator.
func (a Actor) Administrator() (Administrator, bool) {
	by, ok := a.Staff()
	return Administrator{by}, ok && by.administers()
}

// Client returns the actor as a client.
func (a Actor) Client() (Client, bool) {
	if a.halfway || a.client.record.ID == 0 {
		return Client{}, false
	}
	return a.client, true
}

// Person returns the actor as whoever is signed in.
func (a Actor) Person() (Person, bool) {
	if a.Nobody() {
		return Person{}, false
	}
	return Person{a}, true
}

// Halfway returns the actor as somebody who owes the second step.
func (a Actor) Halfway() (Halfway, bool) {
	if !a.halfway {
		return Halfway{}, false
	}
	return Halfway{a}, true
}

// Administers tells that whoever owes the second step is an administrator, who may be the only one.
func (h Halfway) Administers() bool { return h.who.staff.administers() }

// Nobody tells that nobody is signed in wholly.
func (a Actor) Nobody() bool { return a.halfway || a.staff.member.ID == 0 && a.client.record.ID == 0 }

// wholly is the actor as if they owed nothing.
func (a Actor) wholly() Actor {
	a.halfway = false
	return a
}

// confirmedAt notes when the actor last proved who they are.
func (a *Actor) confirmedAt(t time.Time) { a.staff.confirmedAt, a.client.confirmedAt = t, t }

// ids are the actor's ids as a client or as a staff member, whichever they are.
func (a Actor) ids() (clientID, staffID int64) { return a.client.record.ID, a.staff.member.ID }

// entry is an audit entry of what the actor did about their own way in.
func (a Actor) entry(act db.Act) db.AuditEntry {
	return db.AuditEntry{StaffID: a.staff.member.ID, ByClient: a.client.record.ID, Act: act}
}

// ID tells actors apart in logs: kind and public id, nothing that names a person.
func (a Actor) ID() string {
	switch {
	case a.halfway:
		return "halfway " + a.wholly().ID()
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

// confirmed returns ErrConfirm unless the staff member proved lately who they are.
func (s Staff) confirmed(now time.Time) error { return confirmedLately(s.confirmedAt, now) }

// confirmed returns ErrConfirm unless the client proved lately who they are.
func (c Client) confirmed(now time.Time) error { return confirmedLately(c.confirmedAt, now) }

// Email is the address that the person signs in with.
func (p Person) Email() string { return p.who.email().String() }

// confirmed returns ErrConfirm unless the person proved lately who they are.
func (p Person) confirmed(now time.Time) error {
	return confirmedLately(p.who.session.ConfirmedAt, now)
}

func confirmedLately(at, now time.Time) error {
	if now.Sub(at) > confirmLimit {
		return ErrConfirm
	}
	return nil
}

// Limits of a session. Sources: the practice's automatic logoff (45 CFR 164.312(a)(2)(iii)).
const (
	idleLimit     = 15 * time.Minute
	absoluteLimit = 12 * time.Hour
	halfwayLimit  = 15 * time.Minute // for the second step, or setting one up
	confirmLimit  = 10 * time.Minute // for which a proof of who one is counts as fresh
	touchEvery    = 30 * time.Second // how exact "last seen" is kept
)
