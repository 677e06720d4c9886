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

type newStaffPage struct {
	Shell
	Name, Email string
	Roles       []choice
	Permissions []choice
	Errors      practice.Invalid
}

// Queued is how many of their letters are: none yet.
func (newStaffPage) Queued() int { return 0 }

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
	Own         bool // who looks at it is whose page it is
}

// Queued is how many letters of theirs haven't left.
func (p staffMemberPage) Queued() int { return p.Work.Letters }

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
	if number > 1 && len(d.Clients) == 0 { // the last one on the last page was unassigned
		return s.seeOther(c, withPage(staffPath+"/"+d.PublicID, url.Values{}, max((d.Total+practice.PageSize-1)/practice.PageSize, 1)))
	}
	page := staffMemberPage{Shell: s.organization(c, d.Name, "staff"), StaffDetails: d, Name: d.Name, Errors: wrong, Own: d.PublicID == by.PublicID(),
		Pages: newPages(number, d.Total, func(n int) string { return withPage("/organization/staff/"+d.PublicID, url.Values{}, n) })}
	role, permissions := d.Role, d.StaffMember.Permissions
	if typed != nil {
		page.Name, role, permissions = typed.Name, typed.Role, typed.Permissions
	}
	page.Roles, page.Permissions = roleChoices(role), permissionChoices(permissions)
	if wrong != nil {
		c.Status(fiber.StatusUnprocessableEntity)
		page.Problem = wrong["resend"]
	}
	return s.show(c, "staff/page", page)
}

func (s *Site) changeStaff(c *fiber.Ctx, by practice.Administrator) error {
	e := staffEntry(c)
	letters, err := s.Practice.ChangeStaff(c.UserContext(), by, c.Params("id"), e)
	if letters > 0 {
		s.notify(c, "letters taken back", letters)
		return s.seeOther(c, "/organization/staff/"+c.Params("id"))
	}
	return s.staffChanged(c, by, &e, "staff changed", err)
}

func (s *Site) resendJoin(c *fiber.Ctx, by practice.Administrator) error {
	return s.staffChanged(c, by, nil, "join mail sent", s.Practice.ResendJoin(c.UserContext(), by, c.Params("id")))
}

type staffEmailPage struct {
	Shell
	Member practice.StaffMember
	Email  string // as typed
	Self   bool   // whose address it is looks at the page
	Errors practice.Invalid
}

func (s *Site) staffEmailPage(c *fiber.Ctx, by practice.Administrator) error {
	return s.showStaffEmail(c, by, nil, nil)
}

func (s *Site) showStaffEmail(c *fiber.Ctx, by practice.Administrator, typed *string, wrong practice.Invalid) error {
	d, err := s.Practice.StaffMember(c.UserContext(), by, c.Params("id"), 0, 0)
	if err != nil {
		return err
	}
	page := staffEmailPage{s.organization(c, "Change the email address of "+d.Name, "staff"), d.StaffMember, d.Email.String(), d.PublicID == by.PublicID(), wrong}
	if typed != nil {
		page.Email = *typed
		c.Status(fiber.StatusUnprocessableEntity)
	}
	return s.show(c, "staff/email", page)
}

func (s *Site) changeStaffEmail(c *fiber.Ctx, by practice.Administrator) error {
	typed := c.FormValue("email")
	sent, err := s.Practice.ChangeStaffEmail(c.UserContext(), by, c.Params("id"), typed)
	if err != nil {
		wrong, err := invalid(err)
		if err != nil {
			return err
		}
		return s.showStaffEmail(c, by, &typed, wrong)
	}
	if sent {
		s.notify(c, "staff link sent")
	} else {
		s.notify(c, "staff address")
	}
	return s.seeOther(c, "/organization/staff/"+c.Params("id"))
}

type disableStaffPage struct {
	Shell
	practice.StaffDetails
	Heirs  []option
	Errors practice.Invalid
}

func (s *Site) disableStaffPage(c *fiber.Ctx, by practice.Administrator) error {
	return s.showDisableStaff(c, by, nil)
}

func (s *Site) showDisableStaff(c *fiber.Ctx, by practice.Administrator, wrong practice.Invalid) error {
	d, err := s.Practice.StaffMember(c.UserContext(), by, c.Params("id"), 0, 0)
	if err != nil {
		return err
	}
	if d.State() == practice.StaffDisabled {
		s.notify(c, "over already")
		return s.seeOther(c, "/organization/staff/"+d.PublicID)
	}
	heirs, err := s.Practice.Heirs(c.UserContext(), by, d.StaffMember)
	if err != nil {
		return err
	}
	page := disableStaffPage{Shell: s.organization(c, "Disable "+d.Name+"?", "staff"), StaffDetails: d, Errors: wrong,
		Heirs: []option{{"", "Choose …", false}, {practice.KeepAssigned, "Nobody for now: keep them assigned to " + d.Name, false}, {practice.NobodyAssigned, "Nobody: they are assigned to " + d.Name + " no longer", false}}}
	for _, m := range heirs {
		page.Heirs = append(page.Heirs, option{m.PublicID, m.Name, false})
	}
	if wrong != nil {
		page.Heirs, page.Problem = selected(page.Heirs, c.FormValue("heir")), wrong["disable"]
		c.Status(fiber.StatusUnprocessableEntity)
	}
	return s.show(c, "staff/disable", page)
}

func (s *Site) disableStaff(c *fiber.Ctx, by practice.Administrator) error {
	taken, err := s.Practice.DisableStaff(c.UserContext(), by, c.Params("id"), c.FormValue("heir"))
	if err != nil {
		wrong, err := invalid(err)
		if err != nil {
			return err
		}
		return s.showDisableStaff(c, by, wrong)
	}
	if taken == (practice.Work{}) {
		s.notify(c, "staff disabled")
	} else {
		s.notify(c, "work taken", taken.Clients, taken.Letters)
	}
	return s.seeOther(c, "/organization/staff/"+c.Params("id"))
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
