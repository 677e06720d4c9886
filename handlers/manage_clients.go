package handlers

import (
	"anteroom/db"
	"anteroom/practice"

	"github.com/gofiber/fiber/v2"
)

const manageClientsPath = "/organization/client-portal/clients"

// manageClientsPage is the list in which clients are ticked.
type manageClientsPage struct {
	Shell
	Pages
	Query     practice.ClientQuery
	Filters   clientFilters // of the whole page only
	Rows      []manageRow
	Total     int
	Selection practice.Selection
	Part      bool // a part of the page was asked for: what stands outside it is sent along

	Reselected bool // more was ticked or unticked than the list shows: list and selection are sent together
	Dropped    bool // one client was taken out of those who are selected
}

// manageRow is a client with a checkbox.
type manageRow struct {
	Client   clientRow
	Selected bool
	Why      string // why the client can't be ticked; empty: they can
	Mend     string // how that is mended
	MendPath string // where, on the client's page
}

func (s Shell) manageRow(r practice.ClientRow, selected bool) manageRow {
	row := manageRow{Client: s.clientRow(r), Selected: selected}
	row.Why = practice.Unreachable(r.Client)
	switch {
	case r.State == db.PortalNoEmail:
		row.Mend, row.MendPath = "Add one to invite.", "/edit#email"
	case !r.Portal.OffAt.IsZero():
		row.Mend = "Turn it on to send anything."
	case !r.Portal.UnwantedAt.IsZero() && r.NoEmailAt.IsZero():
		row.Why, row.Mend = row.Client.Reason, "See the client's page."
		row.Client.Reason = ""
	case !r.NoEmailAt.IsZero():
		row.Why, row.Mend, row.MendPath = "May not be emailed, since "+s.Day(r.NoEmailAt)+".", "Ask the client, and change it.", "/edit#may_email"
	}
	return row
}

func (s *Site) manageClients(c *fiber.Ctx, by practice.Administrator) error {
	page, err := s.manageClientsPage(c, by, clientQuery(addressed(c)), pageNumber(c))
	if err != nil {
		return err
	}
	return s.render(c, "organization/manage_clients", "organization/_found", page)
}

func (s *Site) manageClientsPage(c *fiber.Ctx, by practice.Administrator, query practice.ClientQuery, number int) (page manageClientsPage, err error) {
	found, err := s.Practice.Clients(c.UserContext(), by.Staff, query, number)
	if err != nil {
		return page, err
	}
	clients := make([]db.Client, len(found.Rows))
	for i, r := range found.Rows {
		clients[i] = r.Client
	}
	selected, err := s.Practice.Selected(c.UserContext(), by, clients)
	if err != nil {
		return page, err
	}
	page = manageClientsPage{Query: query, Total: found.Total, Part: partly(c),
		Pages: newPages(found.Number, found.Total, func(n int) string { return manageClientsAt(query, n) })}
	page.Shell = s.organization(c, "Manage Clients", "client-portal")
	for _, r := range found.Rows {
		page.Rows = append(page.Rows, page.manageRow(r, selected[r.ID]))
	}
	if page.Part {
		return page, nil // the selection stays as it is
	}
	if page.Filters, err = s.clientFilters(c, by.Staff, manageClientsPath, query); err != nil {
		return page, err
	}
	page.Selection, _, err = s.Practice.Selection(c.UserContext(), by)
	return page, err
}

func manageClientsAt(query practice.ClientQuery, number int) string {
	return withPage(manageClientsPath, queryValues(query), number)
}

// selectClients keeps the ticks of the page that was shown and does what the pressed button says. All of the page is one
// form, so no button loses a tick, with script or without.
func (s *Site) selectClients(c *fiber.Ctx, by practice.Administrator) error {
	query := clientQuery(typed(c))
	change := practice.SelectionChange{Shown: posted(c, "shown"), On: posted(c, "on"), Drop: c.FormValue("drop")}
	number := max(formNumber(c, "page"), 1)
	switch c.FormValue("do") {
	case "search":
		number = 1
	case "all":
		change.Found = &query
	case "clear":
		change.Clear = true
	}
	selection, err := s.Practice.ChangeSelection(c.UserContext(), by, change)
	if err != nil {
		return err
	}
	switch {
	case c.FormValue("do") == "invite" && selection.Count == 0:
		s.notify(c, "nobody selected")
	case c.FormValue("do") == "invite":
		_, id, err := s.Practice.Selection(c.UserContext(), by)
		if err != nil {
			return err
		}
		return s.seeOther(c, draftPath(id))
	case partly(c) && (c.FormValue("do") != "" || change.Drop != ""):
		page, err := s.manageClientsPage(c, by, query, number)
		if err != nil {
			return err
		}
		page.Selection, page.Reselected, page.Dropped = selection, true, change.Drop != "" && selection.Count > 0
		return s.show(c, "organization/_found", page)
	case partly(c):
		return s.show(c, "organization/_selection", manageClientsPage{Selection: selection, Part: true})
	}
	if to := c.FormValue("to"); local(to) {
		return s.seeOther(c, to)
	}
	return s.seeOther(c, manageClientsAt(query, number))
}
