package handlers

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"anteroom/db"
	"anteroom/practice"

	"github.com/gofiber/fiber/v2"
)

const staffPath = "/organization/staff"

// staffQuery reads which staff members a list shows from its address.
func staffQuery(c *fiber.Ctx) practice.StaffQuery {
	q := practice.StaffQuery{Words: strings.TrimSpace(c.Query("q"))}
	if role := db.Role(c.Query("role")); slices.Contains(practice.Roles, role) {
		q.Role = role
	}
	if state := practice.StaffState(c.Query("state")); slices.Contains(practice.StaffStates, state) {
		q.State = state
	}
	if order := practice.StaffOrder(c.Query("order")); slices.ContainsFunc(staffOrders, func(o option) bool { return o.Value == string(order) }) {
		q.Order = order
	}
	return q
}

// staffValues are what staffQuery reads.
func staffValues(q practice.StaffQuery) url.Values {
	values := url.Values{}
	for name, value := range map[string]string{"q": q.Words, "role": string(q.Role), "state": string(q.State), "order": string(q.Order)} {
		if value != "" {
			values.Set(name, value)
		}
	}
	return values
}

var staffOrders = []option{
	{string(practice.StaffByName), "Name, A to Z", false},
	{string(practice.StaffByNameDown), "Name, Z to A", false},
	{string(practice.StaffByRole), "Role, administrators first", false},
	{string(practice.StaffByRoleDown), "Role, administrators last", false},
	{string(practice.StaffByState), "State, first steps first", false},
	{string(practice.StaffByStateDown), "State, last steps first", false},
}

// staffHeadings are the headings of name, role and state.
func staffHeadings(q practice.StaffQuery) map[string]sortable {
	heading := func(words string, up, down practice.StaffOrder) sortable {
		h, next := sortable{Words: words}, q
		switch q.Order {
		case up:
			h.Sort, next.Order = "ascending", down
		case down:
			h.Sort, next.Order = "descending", up
		default:
			next.Order = up
		}
		h.URL = withPage(staffPath, staffValues(next), 1)
		return h
	}
	return map[string]sortable{"Name": heading("Name", practice.StaffByName, practice.StaffByNameDown),
		"Role":  heading("Role and permissions", practice.StaffByRole, practice.StaffByRoleDown),
		"State": heading("State", practice.StaffByState, practice.StaffByStateDown)}
}

// staffRow is a staff member as the list writes them.
type staffRow struct {
	practice.ListedStaff
	RoleWords   string
	Permissions []string
	Expired     bool // so has the link that they were sent
}

func newStaffRow(m practice.ListedStaff, now time.Time) staffRow {
	row := staffRow{ListedStaff: m, RoleWords: roleWords[m.Role], Expired: m.State() == practice.StaffInvited && !now.Before(m.LinkExpires)}
	for _, p := range practice.Permissions {
		if m.Holds(p) {
			row.Permissions = append(row.Permissions, permissionWords[p])
		}
	}
	return row
}

type staffPage struct {
	Shell
	Query    practice.StaffQuery
	Rows     []staffRow
	Count    string
	Headings map[string]sortable
	Roles    []option
	States   []option
	Orders   []option
	Pages    Pages
	Fragment bool
}

// staffList lists everybody who works here, as a page or, while somebody types, as the list alone.
func (s *Site) staffList(c *fiber.Ctx, by practice.Administrator) error {
	q := staffQuery(c)
	found, err := s.Practice.FindStaff(c.UserContext(), by, q, pageNumber(c))
	if err != nil {
		return err
	}
	page := staffPage{Shell: s.organization(c, "Staff", "staff"), Query: q, Headings: staffHeadings(q), Fragment: partly(c),
		Orders: selected(staffOrders, string(q.Order)),
		Pages:  newPages(found.Number, found.Total, func(n int) string { return withPage(staffPath, staffValues(q), n) })}
	for _, m := range found.Rows {
		page.Rows = append(page.Rows, newStaffRow(m, s.Practice.Now()))
	}
	for _, role := range practice.Roles {
		page.Roles = append(page.Roles, option{string(role), roleWords[role], role == q.Role})
	}
	for _, state := range practice.StaffStates {
		page.States = append(page.States, option{string(state), string(state), state == q.State})
	}
	page.Count = thousands(found.Total) + " staff members"
	if found.Total == 1 {
		page.Count = "1 staff member"
	}
	if q.Filtered() {
		page.Count += " found"
	}
	return s.render(c, "staff/list", "staff/_found", page)
}

// staffClientsPage is the list in which clients are ticked to be assigned to a staff member.
type staffClientsPage struct {
	Shell
	Member   practice.StaffMember
	Query    practice.ClientQuery
	Rows     []clientRow
	Assigned []bool // already, row by row
	Count    string
	Pages    Pages
	Fragment bool
}

// Path is the list's address.
func (p staffClientsPage) Path() string { return staffPath + "/" + p.Member.PublicID + "/clients" }

// Unassigned tells that the list shows only those who are assigned to nobody.
func (p staffClientsPage) Unassigned() bool { return p.Query.Staff == practice.NobodyAssigned }

func (s *Site) staffClients(c *fiber.Ctx, by practice.Administrator) error {
	member, assigned, err := s.Practice.StaffClients(c.UserContext(), by, c.Params("id"))
	if err != nil {
		return err
	}
	page := staffClientsPage{Member: member, Query: clientQuery(addressed(c)), Fragment: partly(c)}
	found, err := s.Practice.Clients(c.UserContext(), by.Staff, page.Query, pageNumber(c))
	if err != nil {
		return err
	}
	page.Shell = s.organization(c, "Assign clients to "+member.Name, "staff")
	for _, r := range found.Rows {
		page.Rows = append(page.Rows, page.clientRow(r))
		page.Assigned = append(page.Assigned, assigned[r.ID])
	}
	page.Count = counted(found.Total, page.Query)
	page.Pages = newPages(found.Number, found.Total, func(n int) string { return withPage(page.Path(), queryValues(page.Query), n) })
	return s.render(c, "staff/clients", "staff/_clients", page)
}

// changeStaffClients assigns those who were ticked, or takes one client away.
func (s *Site) changeStaffClients(c *fiber.Ctx, by practice.Administrator) error {
	id, assign := c.Params("id"), c.FormValue("do") != "unassign"
	clients := posted(c, "on")
	back := withPage(staffPath+"/"+id+"/clients", queryValues(clientQuery(typed(c))), formNumber(c, "page"))
	if !assign {
		back = withPage(staffPath+"/"+id, url.Values{}, formNumber(c, "page"))
	}
	if len(clients) == 0 {
		s.notify(c, "nobody ticked")
		return s.seeOther(c, back)
	}
	n, err := s.Practice.AssignChosen(c.UserContext(), by, practice.Chosen{IDs: clients}, id, assign)
	if err != nil {
		return err
	}
	done := "unassigned"
	if assign {
		done = "assigned"
	}
	if n == 1 {
		s.notify(c, "client "+done)
	} else {
		s.notify(c, "clients "+done, n)
	}
	return s.seeOther(c, back)
}
