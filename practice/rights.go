package practice

import "anteroom/db"

// Right is something that a staff member may or may not do.
type Right string

const (
	SeeClients    Right = "see clients"
	AddClients    Right = "add clients"
	EditClients   Right = "edit clients"
	InviteClients Right = "invite clients"
	ReadForms     Right = "read forms"
	Administer    Right = "administer"
)

// Rights are all of them, in the order in which they are told.
var Rights = []Right{SeeClients, AddClients, EditClients, InviteClients, ReadForms, Administer}

// Extent is how far a right goes: to whose clients, or that it goes at all.
type Extent string

const (
	ToNobody   Extent = "nobody"
	ToAssigned Extent = "assigned"
	ToAll      Extent = "all"
)

// Extent tells how far a right of a staff member goes. It asks what every verb asks, so it can't say anything else.
func (s Staff) Extent(r Right) Extent {
	switch r {
	case SeeClients:
		return s.extent(s.reach())
	case AddClients:
		if s.AddsClients() {
			return s.extent(s.edits()) // whoever edits only their own is assigned those whom they add
		}
	case EditClients:
		return s.extent(s.edits())
	case InviteClients:
		return s.extent(s.invites())
	case ReadForms:
		return s.extent(s.reads())
	case Administer:
		if s.administers() {
			return ToAll
		}
	}
	return ToNobody
}

func (s Staff) extent(reach db.Reach) Extent {
	switch reach {
	case db.Everybody():
		return ToAll
	case db.AssignedTo(s.member.ID):
		return ToAssigned
	}
	return ToNobody
}

// ExtentOf tells how far a right goes of whoever has a role and these permissions.
func ExtentOf(role db.Role, permissions []db.Permission, r Right) Extent {
	return Staff{member: db.StaffMember{Role: role, Permissions: permissions}}.Extent(r)
}

// Holds tells whether the staff member was granted a permission.
func (s Staff) Holds(p db.Permission) bool { return s.granted(p) }
