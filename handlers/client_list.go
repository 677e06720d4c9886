package handlers

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"anteroom/db"
	"anteroom/practice"

	"github.com/gofiber/fiber/v2"
)

// clientQuery reads which clients a list shows from an address's query or from a form.
func clientQuery(value func(name string) string) practice.ClientQuery {
	q := practice.ClientQuery{Words: strings.TrimSpace(value("q")), Staff: value("staff"), Tag: value("tag"),
		Outstanding: value("forms") == "outstanding", Archived: value("show") == "archived"}
	if state := db.PortalState(value("state")); slices.Contains(db.PortalStates, state) {
		q.State = state
	}
	if order := db.ClientOrder(value("order")); slices.ContainsFunc(clientOrders, func(o option) bool { return o.Value == string(order) }) {
		q.Order = order
	}
	return q
}

func addressed(c *fiber.Ctx) func(string) string {
	return func(name string) string { return c.Query(name) }
}

func typed(c *fiber.Ctx) func(string) string {
	return func(name string) string { return c.FormValue(name) }
}

// queryValues are what clientQuery reads.
func queryValues(q practice.ClientQuery) url.Values {
	values := url.Values{}
	for name, value := range map[string]string{"q": q.Words, "staff": q.Staff, "tag": q.Tag, "state": string(q.State), "order": string(q.Order)} {
		if value != "" {
			values.Set(name, value)
		}
	}
	if q.Outstanding {
		values.Set("forms", "outstanding")
	}
	if q.Archived {
		values.Set("show", "archived")
	}
	return values
}

// option is a choice in a select.
type option struct {
	Value    string
	Words    string
	Selected bool
}

var clientOrders = []option{
	{string(db.ByName), "Last name, A to Z", false},
	{string(db.ByNameDown), "Last name, Z to A", false},
	{string(db.ByState), "Client portal, first steps first", false},
	{string(db.ByStateDown), "Client portal, last steps first", false},
	{string(db.ByForms), "Most forms outstanding", false},
	{string(db.ByAdded), "Newest first", false},
}

// clientFilters are the choices above a list of clients.
type clientFilters struct {
	Path   string // of the list
	Query  practice.ClientQuery
	Staff  []option // nobody to choose among: they see their own
	States []option
	Tags   []option
	Orders []option
}

func (s *Site) clientFilters(c *fiber.Ctx, by practice.Staff, path string, q practice.ClientQuery) (f clientFilters, err error) {
	staff, tags, err := s.Practice.ClientFilters(c.UserContext(), by)
	if err != nil {
		return f, err
	}
	f = clientFilters{Path: path, Query: q, Orders: selected(clientOrders, string(q.Order))}
	if len(staff) > 0 {
		f.Staff = []option{{practice.NobodyAssigned, "Nobody", false}}
		for _, m := range staff {
			f.Staff = append(f.Staff, option{m.PublicID, m.Name, false})
		}
		f.Staff = selected(f.Staff, q.Staff)
	}
	for _, state := range db.PortalStates {
		f.States = append(f.States, option{string(state), string(state), state == q.State})
	}
	for _, t := range tags {
		f.Tags = append(f.Tags, option{t.Name, t.Name, db.SearchFold(t.Name) == db.SearchFold(q.Tag)})
	}
	return f, nil
}

func selected(options []option, value string) []option {
	chosen := slices.Clone(options)
	for i := range chosen {
		chosen[i].Selected = chosen[i].Value == value
	}
	return chosen
}

// sortable is a column's heading that orders the list by it.
type sortable struct {
	Words string
	URL   string
	Sort  string // how the list is ordered by it now, in the words of aria-sort; empty: it isn't
}

// sortables are the headings of name, portal state and forms.
func sortables(path string, q practice.ClientQuery) map[string]sortable {
	heading := func(words string, up, down db.ClientOrder) sortable {
		h, next := sortable{Words: words}, q
		switch q.Order {
		case up:
			h.Sort, next.Order = "ascending", down
		case down:
			h.Sort, next.Order = "descending", up
		default:
			next.Order = up
		}
		h.URL = withPage(path, queryValues(next), 1)
		return h
	}
	forms := heading("Forms completed", db.ByForms, db.ByForms)
	if forms.Sort != "" {
		forms.Sort = "descending" // most outstanding first
	}
	return map[string]sortable{"Name": heading("Name", db.ByName, db.ByNameDown), "Portal": heading("Client portal", db.ByState, db.ByStateDown), "Forms": forms}
}

type clientsPage struct {
	Shell
	Query    practice.ClientQuery
	Filters  clientFilters // of the whole page only
	Count    string
	Total    int
	Rows     []clientRow
	Headings map[string]sortable
	Pages    Pages
	MayAdd   bool
	Assigned bool // whoever looks sees only clients assigned to them
	Fragment bool

	Values  url.Values // of the query, to be posted with what is ticked
	Chooses bool       // an administrator ticks clients here, to assign or archive them
	Staff   []option   // whom they can be assigned to
}

// clients lists the clients whom a staff member sees, as a page or, while somebody types, as the list alone.
func (s *Site) clients(c *fiber.Ctx, by practice.Staff) error {
	page := clientsPage{Query: clientQuery(addressed(c)), MayAdd: by.AddsClients(), Assigned: by.Role() == db.RoleTherapist,
		Fragment: partly(c), Chooses: by.Administers()}
	found, err := s.Practice.Clients(c.UserContext(), by, page.Query, pageNumber(c))
	if err != nil {
		return err
	}
	page.Shell = s.shell(c, "Clients", "clients")
	for _, r := range found.Rows {
		page.Rows = append(page.Rows, page.clientRow(r))
	}
	page.Total, page.Count = found.Total, counted(found.Total, page.Query)
	page.Values = queryValues(page.Query)
	page.Headings = sortables("/clients", page.Query)
	page.Pages = newPages(found.Number, found.Total, func(number int) string { return withPage("/clients", queryValues(page.Query), number) })
	if !page.Fragment {
		if page.Filters, err = s.clientFilters(c, by, "/clients", page.Query); err != nil {
			return err
		}
	}
	if administrator, ok := actor(c).Administrator(); ok && !page.Fragment {
		if page.Staff, err = s.assignable(c, administrator); err != nil {
			return err
		}
	}
	return s.render(c, "clients/list", "clients/_found", page)
}

// counted is how many clients a list shows.
func counted(total int, q practice.ClientQuery) string {
	noun := "clients"
	if total == 1 {
		noun = "client"
	}
	if q.Words != "" || q.Filtered() {
		noun += " found"
	}
	return thousands(total) + " " + noun
}

func (s *Site) assignable(c *fiber.Ctx, by practice.Administrator) (options []option, err error) {
	staff, err := s.Practice.Assignable(c.UserContext(), by)
	for _, m := range staff {
		options = append(options, option{Value: m.PublicID, Words: m.Name})
	}
	return options, err
}

// confirmChosen asks before something is done to many clients.
type confirmChosen struct {
	Shell
	Text   string
	Do     string
	Button string
	Danger bool
	IDs    []string // who was ticked; nobody: all whom the list shows
	Values url.Values
	Back   string
}

// chosenClients does what a button of the list says to the clients who were ticked, or to all whom the list shows. What is
// taken away, and what is done to more than a person can see, is asked first.
func (s *Site) chosenClients(c *fiber.Ctx, by practice.Administrator) error {
	query := clientQuery(typed(c))
	back := withPage("/clients", queryValues(query), formNumber(c, "page"))
	chosen := practice.Chosen{IDs: posted(c, "on")}
	if c.FormValue("all") != "" {
		chosen = practice.Chosen{All: &query}
	}
	count, err := s.Practice.CountChosen(c.UserContext(), by, chosen)
	if err != nil {
		return err
	}
	do, to := c.FormValue("do"), c.FormValue("to")
	switch {
	case count == 0:
		s.notify(c, "nobody ticked")
		return s.seeOther(c, back)
	case (do == "assign" || do == "unassign") && to == "":
		s.notify(c, "nobody to assign to")
		return s.seeOther(c, back)
	case (do != "assign" || chosen.All != nil) && formNumber(c, "confirmed") != count:
		return s.confirmChosen(c, by, chosen, count, back)
	}
	switch do {
	case "assign", "unassign":
		n, err := s.Practice.AssignChosen(c.UserContext(), by, chosen, to, do == "assign")
		if err != nil {
			return err
		}
		s.notifyCounted(c, " "+do+"ed", n)
	case "archive", "restore":
		n, err := s.Practice.ArchiveChosen(c.UserContext(), by, chosen, do == "archive")
		if err != nil {
			return err
		}
		s.notifyCounted(c, " "+do+"d", n)
	default:
		return fiber.NewError(fiber.StatusBadRequest, "Say what is to be done with these clients.")
	}
	return s.seeOther(c, back)
}

// notifyCounted says what was done to one client or to many.
func (s *Site) notifyCounted(c *fiber.Ctx, done string, n int) {
	if n == 1 {
		s.notify(c, "client"+done)
		return
	}
	s.notify(c, "clients"+done, n)
}

// confirmChosen asks, with the number of those whom it is about: if that changes meanwhile, it is asked anew.
func (s *Site) confirmChosen(c *fiber.Ctx, by practice.Administrator, chosen practice.Chosen, count int, back string) error {
	page := confirmChosen{Do: c.FormValue("do"), IDs: chosen.IDs, Back: back, Values: queryValues(clientQuery(typed(c)))}
	page.Values.Set("confirmed", strconv.Itoa(count))
	if chosen.All != nil {
		page.Values.Set("all", "yes")
	}
	clients := thousands(count) + " clients"
	if count == 1 {
		clients = "1 client"
	}
	var title string
	switch page.Do {
	case "assign", "unassign":
		member, err := s.Practice.StaffMember(c.UserContext(), by, c.FormValue("to"), 0, 0)
		if err != nil {
			return err
		}
		page.Values.Set("to", member.PublicID)
		if page.Do == "assign" {
			title, page.Button = "Assign "+clients+" to "+member.Name+"?", "Assign"
			page.Text = member.Name + " will see them. Whoever has them now keeps them."
		} else {
			title, page.Button, page.Danger = "Take "+clients+" from "+member.Name+"?", "Unassign", true
			page.Text = member.Name + " no longer sees them, and letters to them that " + member.Name + " sent and that are still queued don't leave. You can assign them again at any time."
		}
	case "archive":
		ends, err := s.Practice.ArchiveChosenEnds(c.UserContext(), by, chosen)
		if err != nil {
			return err
		}
		title, page.Button, page.Danger, page.Text = "Archive "+clients+"?", "Archive", true, archiveEnds(ends)
	case "restore":
		title, page.Button = "Restore "+clients+"?", "Restore"
		page.Text = "They are in the lists again, and those who had a portal account can sign in again. Links and letters that ended stay so."
	default:
		return fiber.NewError(fiber.StatusBadRequest, "Say what is to be done with these clients.")
	}
	page.Shell = s.shell(c, title, "clients")
	return s.show(c, "clients/confirm_chosen", page)
}
