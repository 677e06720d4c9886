package handlers

import (
	"net/url"
	"slices"

	"anteroom/db"
	"anteroom/practice"

	"github.com/gofiber/fiber/v2"
)

// permissionWords are the permissions as the practice knows them.
var permissionWords = map[db.Permission]string{
	db.MayInviteClients: "Can invite clients to the client portal and manage intake forms",
	db.MayEditClients:   "Can add and edit clients",
	db.MayReadForms:     "Can read completed forms",
}

// choice is one thing to tick or choose in a form.
type choice struct {
	Value, Words, Hint string
	Chosen             bool
}

var roleHints = map[db.Role]string{
	db.RoleAdministrator: "Sees and does everything, the Organization pages included.",
	db.RoleTherapist:     "Sees only the clients assigned to them, and reads their completed forms.",
	db.RoleStaff:         "Front desk or biller: sees clients' names, contact and portal state, and what the permissions name.",
}

func roleChoices(chosen db.Role) (choices []choice) {
	for _, r := range practice.Roles {
		choices = append(choices, choice{string(r), roleWords[r], roleHints[r], r == chosen})
	}
	return choices
}

func permissionChoices(chosen []db.Permission) (choices []choice) {
	hints := map[db.Permission]string{
		db.MayInviteClients: "Clients assigned to them, from the client's page.",
		db.MayEditClients:   "For other staff. Therapists may do so for their own clients anyway.",
		db.MayReadForms:     "For other staff. Therapists read those of their own clients anyway.",
	}
	for _, p := range practice.Permissions {
		choices = append(choices, choice{string(p), permissionWords[p], hints[p], slices.Contains(chosen, p)})
	}
	return choices
}

type staffPage struct {
	Shell
	Staff []practice.ListedStaff
}

// PermissionWords are a staff member's permissions as the list shows them.
func (staffPage) PermissionWords(m practice.StaffMember) (words []string) {
	for _, p := range practice.Permissions {
		if m.Holds(p) {
			words = append(words, permissionWords[p])
		}
	}
	return words
}

// RoleWords names a role.
func (staffPage) RoleWords(r db.Role) string { return roleWords[r] }

func (s *Site) allStaff(c *fiber.Ctx, by practice.Administrator) error {
	all, err := s.Practice.AllStaff(c.UserContext(), by)
	if err != nil {
		return err
	}
	return s.show(c, "staff/list", staffPage{s.organization(c, "Staff", "staff"), all})
}

type newStaffPage struct {
	Shell
	Name, Email string
	Roles       []choice
	Permissions []choice
	Errors      practice.Invalid
}

func (s *Site) newStaffPage(c *fiber.Ctx, _ practice.Administrator) error {
	return s.show(c, "staff/new", newStaffPage{Shell: s.organization(c, "Add a staff member", "staff"),
		Roles: roleChoices(""), Permissions: permissionChoices(nil)})
}

func staffEntry(c *fiber.Ctx) practice.StaffEntry {
	e := practice.StaffEntry{Name: c.FormValue("name"), Email: c.FormValue("email"), Role: db.Role(c.FormValue("role"))}
	for _, p := range posted(c, "permission") {
		e.Permissions = append(e.Permissions, db.Permission(p))
	}
	return e
}

func (s *Site) addStaff(c *fiber.Ctx, by practice.Administrator) error {
	e := staffEntry(c)
	m, err := s.Practice.AddStaff(c.UserContext(), by, e)
	if err != nil {
		wrong, err := invalid(err)
		if err != nil {
			return err
		}
		return s.show(c.Status(fiber.StatusUnprocessableEntity), "staff/new", newStaffPage{s.organization(c, "Add a staff member", "staff"),
			e.Name, e.Email, roleChoices(e.Role), permissionChoices(e.Permissions), wrong})
	}
	s.notify(c, "staff added")
	return s.seeOther(c, "/organization/staff/"+m.PublicID)
}

type staffMemberPage struct {
	Shell
	practice.StaffDetails
	Name        string // as typed
	Roles       []choice
	Permissions []choice
	Errors      practice.Invalid
	Pages       Pages
}

// RoleWords names the role that is in force.
func (p staffMemberPage) RoleWords() string { return roleWords[p.Role] }

func (s *Site) staffMember(c *fiber.Ctx, by practice.Administrator) error {
	return s.showStaffMember(c, by, nil, nil)
}

// showStaffMember shows a staff member's page, with what was typed when something is wrong with it.
func (s *Site) showStaffMember(c *fiber.Ctx, by practice.Administrator, typed *practice.StaffEntry, wrong practice.Invalid) error {
	number := pageNumber(c)
	d, err := s.Practice.StaffMember(c.UserContext(), by, c.Params("id"), (number-1)*practice.PageSize, practice.PageSize)
	if err != nil {
		return err
	}
	page := staffMemberPage{Shell: s.organization(c, d.Name, "staff"), StaffDetails: d, Name: d.Name, Errors: wrong,
		Pages: newPages(number, d.Total, func(n int) string { return withPage("/organization/staff/"+d.PublicID, url.Values{}, n) })}
	role, permissions := d.Role, d.StaffMember.Permissions
	if typed != nil {
		page.Name, role, permissions = typed.Name, typed.Role, typed.Permissions
	}
	page.Roles, page.Permissions = roleChoices(role), permissionChoices(permissions)
	if wrong != nil {
		c.Status(fiber.StatusUnprocessableEntity)
		page.Problem = wrong["resend"] + wrong["disable"]
	}
	return s.show(c, "staff/page", page)
}

func (s *Site) changeStaff(c *fiber.Ctx, by practice.Administrator) error {
	e := staffEntry(c)
	return s.staffChanged(c, by, &e, "staff changed", s.Practice.ChangeStaff(c.UserContext(), by, c.Params("id"), e))
}

func (s *Site) resendJoin(c *fiber.Ctx, by practice.Administrator) error {
	return s.staffChanged(c, by, nil, "join mail sent", s.Practice.ResendJoin(c.UserContext(), by, c.Params("id")))
}

type disableStaffPage struct {
	Shell
	practice.StaffDetails
}

func (s *Site) disableStaffPage(c *fiber.Ctx, by practice.Administrator) error {
	d, err := s.Practice.StaffMember(c.UserContext(), by, c.Params("id"), 0, 1)
	if err != nil {
		return err
	}
	return s.show(c, "staff/disable", disableStaffPage{s.organization(c, "Disable "+d.Name+"?", "staff"), d})
}

func (s *Site) disableStaff(c *fiber.Ctx, by practice.Administrator) error {
	return s.staffChanged(c, by, nil, "staff disabled", s.Practice.DisableStaff(c.UserContext(), by, c.Params("id")))
}

func (s *Site) enableStaff(c *fiber.Ctx, by practice.Administrator) error {
	return s.staffChanged(c, by, nil, "staff enabled", s.Practice.EnableStaff(c.UserContext(), by, c.Params("id")))
}

// staffChanged leads back to a staff member's page with a notice, or shows it with what was wrong.
func (s *Site) staffChanged(c *fiber.Ctx, by practice.Administrator, typed *practice.StaffEntry, notice string, err error) error {
	if err != nil {
		wrong, err := invalid(err)
		if err != nil {
			return err
		}
		return s.showStaffMember(c, by, typed, wrong)
	}
	s.notify(c, notice)
	return s.seeOther(c, "/organization/staff/"+c.Params("id"))
}
