package handlers

import (
	"strings"

	"anteroom/db"
	"anteroom/practice"

	"github.com/gofiber/fiber/v2"
)

// rightWords say what each right is, and how far it goes; to nobody is "No".
var rightWords = map[practice.Right]struct{ what, all, assigned string }{
	practice.SeeClients:    {"See clients: name, contact, client portal, which forms were sent, letters and history", "All clients", "Assigned clients"},
	practice.AddClients:    {"Add clients", "Yes", "Yes: a client they add is assigned to them"},
	practice.EditClients:   {"Change what is on file about clients, the email address too", "All clients", "Assigned clients"},
	practice.InviteClients: {"Invite to the client portal; send, resend and revoke forms", "All clients", "Assigned clients"},
	practice.ReadForms:     {"Read completed forms and their scores", "All clients", "Assigned clients"},
	practice.Administer:    {"Everything under Organization: Manage Clients, staff, import, settings. Turn portal access off and on, assign clients", "Yes", "Yes"},
}

func extentWords(r practice.Right, e practice.Extent) string {
	switch e {
	case practice.ToAll:
		return rightWords[r].all
	case practice.ToAssigned:
		return rightWords[r].assigned
	}
	return "No"
}

// rightCell is how far a right goes for one role: by itself, and with a permission that changes that.
type rightCell struct {
	Role  string
	Words string
	With  []rightWith
}

type rightWith struct{ Words, Permission string }

// No tells that the role by itself doesn't have the right.
func (c rightCell) No() bool { return c.Words == "No" }

// newRightCell asks the rules themselves, with and without each permission.
func newRightCell(r practice.Right, role db.Role) rightCell {
	alone := practice.ExtentOf(role, nil, r)
	cell := rightCell{Role: roleWords[role], Words: extentWords(r, alone)}
	for _, p := range practice.Permissions {
		if with := practice.ExtentOf(role, []db.Permission{p}, r); with != alone {
			cell.With = append(cell.With, rightWith{extentWords(r, with), permissionWords[p]})
		}
	}
	return cell
}

type rightRow struct {
	What  string
	Cells []rightCell
	You   string // how far it goes for whoever looks; on their own page only
}

// permissionRow is a permission, and what it adds to each role that can be granted it.
type permissionRow struct {
	Words string
	Adds  []permissionAdds
}

type permissionAdds struct {
	Role string
	What []string // nothing: they may do that anyway
}

type rightsPage struct {
	Shell
	Rows        []rightRow
	Permissions []permissionRow
	Roles       []roleColumn
	Granted     []string // the permissions of whoever looks; on their own page only
	Mine        bool     // it is their own page
}

type roleColumn struct {
	Words, Hint string
	Yours       bool
}

func (s *Site) newRightsPage(shell Shell, of *practice.Staff) rightsPage {
	page := rightsPage{Shell: shell, Mine: of != nil}
	for _, role := range practice.Roles {
		page.Roles = append(page.Roles, roleColumn{roleWords[role], roleHints[role], of != nil && of.Role() == role})
	}
	for _, right := range practice.Rights {
		row := rightRow{What: rightWords[right].what}
		for _, role := range practice.Roles {
			row.Cells = append(row.Cells, newRightCell(right, role))
		}
		if of != nil {
			row.You = extentWords(right, of.Extent(right))
		}
		page.Rows = append(page.Rows, row)
	}
	for _, p := range practice.Permissions {
		row := permissionRow{Words: permissionWords[p]}
		for _, role := range practice.Roles {
			if role == db.RoleAdministrator {
				continue // may do all of it anyway
			}
			adds := permissionAdds{Role: roleWords[role]}
			for _, right := range practice.Rights {
				if with := practice.ExtentOf(role, []db.Permission{p}, right); with != practice.ExtentOf(role, nil, right) {
					adds.What = append(adds.What, rightWords[right].what+": "+strings.ToLower(extentWords(right, with)))
				}
			}
			row.Adds = append(row.Adds, adds)
		}
		page.Permissions = append(page.Permissions, row)
		if of != nil && of.Holds(p) {
			page.Granted = append(page.Granted, permissionWords[p])
		}
	}
	return page
}

// allRights tells administrators what each role and permission lets people do and see.
func (s *Site) allRights(c *fiber.Ctx, _ practice.Administrator) error {
	return s.show(c, "staff/rights", s.newRightsPage(s.organization(c, "Who may do what", "staff"), nil))
}

// ownRights tells a staff member what they may do and see themselves.
func (s *Site) ownRights(c *fiber.Ctx, by practice.Staff) error {
	return s.show(c, "staff/rights", s.newRightsPage(s.shell(c, "What you may do", ""), &by))
}
