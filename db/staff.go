package db

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"
)

// Role is a staff member's kind of work.
type Role string

const (
	RoleAdministrator Role = "administrator"
	RoleTherapist     Role = "therapist"
	RoleStaff         Role = "staff"
)

// Permission is a right that an administrator grants to a therapist or other staff.
type Permission string

const (
	MayInviteClients Permission = "invite clients"
	MayEditClients   Permission = "edit clients"
	MayReadForms     Permission = "read forms"
)

// StaffMember is somebody who works at the practice.
type StaffMember struct {
	ID           int64
	PublicID     string
	Name         string
	Email        Email
	Role         Role
	Permissions  []Permission
	PasswordHash string // empty until they chose one
	DisabledAt   time.Time
	CreatedAt    time.Time
}

const staffColumns = `s.id, s.public_id, s.name, e.email, e.canonical, s.role, ifnull(s.password_hash, ''), s.disabled_at, s.created_at
	FROM staff_members s JOIN email_addresses e ON e.staff_id = s.id AND e.pending = 0`

func (tx *Tx) readStaff(s scanner) (m StaffMember, err error) {
	err = s.Scan(&m.ID, &m.PublicID, &m.Name, &m.Email.typed, &m.Email.canonical, &m.Role, &m.PasswordHash,
		timeScan{&m.DisabledAt}, timeScan{&m.CreatedAt})
	return m, err
}

func (tx *Tx) staffWhere(where string, args ...any) (StaffMember, error) {
	m, err := tx.readStaff(tx.row("SELECT "+staffColumns+" WHERE "+where, args...))
	if err != nil {
		return m, named(err)
	}
	m.Permissions, err = column[Permission](tx, "SELECT permission FROM permissions WHERE staff_id = ?", m.ID)
	return m, err
}

// Staff finds a staff member by public id.
func (tx *Tx) Staff(publicID string) (StaffMember, error) {
	return tx.staffWhere("s.public_id = ?", publicID)
}

// StaffByID finds a staff member by the id that other records hold.
func (tx *Tx) StaffByID(id int64) (StaffMember, error) { return tx.staffWhere("s.id = ?", id) }

// StaffByEmail finds the staff member who signs in with this address.
func (tx *Tx) StaffByEmail(e Email) (StaffMember, error) {
	return tx.staffWhere("e.canonical = ?", e.canonical)
}

// AllStaff lists everybody, by name.
func (tx *Tx) AllStaff() ([]StaffMember, error) {
	all, err := list(tx, tx.readStaff, "SELECT "+staffColumns+" ORDER BY s.disabled_at IS NOT NULL, lower(s.name), s.id")
	if err != nil {
		return nil, err
	}
	type grant struct {
		id int64
		p  Permission
	}
	grants, err := list(tx, func(s scanner) (g grant, err error) { err = s.Scan(&g.id, &g.p); return }, "SELECT staff_id, permission FROM permissions")
	if err != nil {
		return nil, err
	}
	byStaff := map[int64][]Permission{}
	for _, g := range grants {
		byStaff[g.id] = append(byStaff[g.id], g.p)
	}
	for i := range all {
		all[i].Permissions = byStaff[all[i].ID]
	}
	return all, nil
}

// AssignedClients counts the clients who are assigned to each staff member.
func (tx *Tx) AssignedClients() (map[int64]int, error) {
	counts := map[int64]int{}
	_, err := list(tx, func(s scanner) (_ struct{}, err error) {
		var id int64
		var n int
		err = s.Scan(&id, &n)
		counts[id] = n
		return struct{}{}, err
	}, "SELECT staff_id, count(*) FROM assignments GROUP BY staff_id")
	return counts, err
}

// AddStaff adds m with its address and permissions, and fills in its ids. ErrEmailTaken when somebody has the address.
func (tx *Tx) AddStaff(m *StaffMember) (err error) {
	m.PublicID, m.CreatedAt = uuid.NewString(), tx.now
	m.ID, err = tx.insert("INSERT INTO staff_members (public_id, name, role, created_at) VALUES (?, ?, ?, ?)", m.PublicID, m.Name, m.Role, ms(tx.now))
	if err != nil {
		return err
	}
	if err := tx.addEmail(m.Email, 0, m.ID, nil); err != nil {
		return err
	}
	return tx.setPermissions(m.ID, m.Permissions)
}

// ChangeStaff keeps m's name, role, permissions and whether it is disabled.
func (tx *Tx) ChangeStaff(m StaffMember) error {
	if _, err := tx.exec("UPDATE staff_members SET name = ?, role = ?, disabled_at = ? WHERE id = ?", m.Name, m.Role, ms(m.DisabledAt), m.ID); err != nil {
		return err
	}
	return tx.setPermissions(m.ID, m.Permissions)
}

func (tx *Tx) setPermissions(staffID int64, permissions []Permission) error {
	if _, err := tx.exec("DELETE FROM permissions WHERE staff_id = ?", staffID); err != nil {
		return err
	}
	for _, p := range permissions {
		if _, err := tx.exec("INSERT INTO permissions (staff_id, permission) VALUES (?, ?)", staffID, p); err != nil {
			return err
		}
	}
	return nil
}

// ChangeStaffEmail puts another address in the place of a staff member's. ErrEmailTaken when somebody else has it.
func (tx *Tx) ChangeStaffEmail(staffID int64, e Email) error {
	if _, err := tx.exec("DELETE FROM email_addresses WHERE staff_id = ? AND pending = 0", staffID); err != nil {
		return err
	}
	return tx.addEmail(e, 0, staffID, nil)
}

// SetStaffPassword keeps the hash of a staff member's new password; empty: they have none until they choose one.
func (tx *Tx) SetStaffPassword(staffID int64, hash string) error {
	_, err := tx.exec("UPDATE staff_members SET password_hash = nullif(?, '') WHERE id = ?", hash, staffID)
	return err
}

// Administrators counts those who can sign in as one: there must always be one.
func (tx *Tx) Administrators() (n int, err error) {
	err = tx.row("SELECT count(*) FROM staff_members WHERE role = 'administrator' AND disabled_at IS NULL AND password_hash IS NOT NULL").Scan(&n)
	return n, err
}

// AssignedClientIDs lists the clients who are assigned to a staff member, archived ones too.
func (tx *Tx) AssignedClientIDs(staffID int64) ([]int64, error) {
	return column[int64](tx, "SELECT client_id FROM assignments WHERE staff_id = ? ORDER BY client_id", staffID)
}

// Assign gives a staff member a client; again is no error.
func (tx *Tx) Assign(staffID, clientID int64) error {
	_, err := tx.exec("INSERT INTO assignments (client_id, staff_id) VALUES (?, ?) ON CONFLICT DO NOTHING", clientID, staffID)
	return err
}

// Unassign takes a client from a staff member.
func (tx *Tx) Unassign(staffID, clientID int64) error {
	_, err := tx.exec("DELETE FROM assignments WHERE client_id = ? AND staff_id = ?", clientID, staffID)
	return err
}

// AssignAll gives a staff member clients, and returns those whom they didn't have.
func (tx *Tx) AssignAll(staffID int64, clientIDs []int64) ([]int64, error) {
	if len(clientIDs) == 0 {
		return nil, nil
	}
	ids, err := json.Marshal(clientIDs)
	if err != nil {
		return nil, err
	}
	return column[int64](tx, "INSERT INTO assignments (client_id, staff_id) SELECT value, ? FROM json_each(?) WHERE true ON CONFLICT DO NOTHING RETURNING client_id", staffID, string(ids))
}

// UnassignAll takes clients from a staff member, and returns those whom they had.
func (tx *Tx) UnassignAll(staffID int64, clientIDs []int64) ([]int64, error) {
	ids, err := json.Marshal(clientIDs)
	if err != nil {
		return nil, err
	}
	return column[int64](tx, "DELETE FROM assignments WHERE staff_id = ? AND client_id IN (SELECT value FROM json_each(?)) RETURNING client_id", staffID, string(ids))
}

// AssignedStaff lists the staff members to whom a client is assigned, by name.
func (tx *Tx) AssignedStaff(clientID int64) ([]StaffMember, error) {
	return list(tx, tx.readStaff, "SELECT "+staffColumns+" JOIN assignments x ON x.staff_id = s.id WHERE x.client_id = ? ORDER BY lower(s.name), s.id", clientID)
}

// TherapistsOf names the staff members to whom each of these clients within reach is assigned, by name.
func (tx *Tx) TherapistsOf(reach Reach, clientIDs []int64) (map[int64][]string, error) {
	ids, err := json.Marshal(clientIDs)
	if err != nil {
		return nil, err
	}
	type pair struct {
		id   int64
		name string
	}
	pairs, err := list(tx, func(s scanner) (p pair, err error) { err = s.Scan(&p.id, &p.name); return },
		`SELECT a.client_id, s.name FROM assignments a JOIN staff_members s ON s.id = a.staff_id
		WHERE a.client_id IN (SELECT value FROM json_each(?)) AND `+reach.holds("a.client_id")+" ORDER BY lower(s.name)", string(ids))
	names := map[int64][]string{}
	for _, p := range pairs {
		names[p.id] = append(names[p.id], p.name)
	}
	return names, err
}

// StaffNames names everybody who works or worked here, by the id that other records hold.
func (tx *Tx) StaffNames() (map[int64]string, error) {
	type named struct {
		id   int64
		name string
	}
	all, err := list(tx, func(s scanner) (n named, err error) { err = s.Scan(&n.id, &n.name); return }, "SELECT id, name FROM staff_members")
	names := make(map[int64]string, len(all))
	for _, n := range all {
		names[n.id] = n.name
	}
	return names, err
}
