package handlers

import (
	"bytes"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"anteroom/db"
	"anteroom/practice"

	"github.com/gofiber/fiber/v2"
)

const invitationsPath = "/organization/client-portal/invitations"

// sendingQuery reads which sendings a list shows from an address's query or from a form.
func sendingQuery(value func(name string) string) practice.SendingQuery {
	q := practice.SendingQuery{Words: strings.TrimSpace(value("q")), Staff: value("staff"), From: value("from"), To: value("to"), Troubled: value("trouble") != ""}
	if state := db.SendingState(value("state")); slices.Contains(db.SendingStates[:], state) {
		q.State = state
	}
	return q
}

// sendingValues are what sendingQuery reads.
func sendingValues(q practice.SendingQuery) url.Values {
	values := url.Values{}
	for name, value := range map[string]string{"q": q.Words, "staff": q.Staff, "from": q.From, "to": q.To, "state": string(q.State)} {
		if value != "" {
			values.Set(name, value)
		}
	}
	if q.Troubled {
		values.Set("trouble", "yes")
	}
	return values
}

func invitationsAt(q practice.SendingQuery, number int) string {
	return withPage(invitationsPath, sendingValues(q), number)
}

// sendingsPage is the list of all that was sent to invite clients or to tell them of forms.
type sendingsPage struct {
	Shell
	Pages
	Path    string
	Query   practice.SendingQuery
	Errors  practice.Invalid
	Staff   []option // of the whole page only
	Counts  db.SendingCounts
	Facets  []facet
	Count   string
	Rows    []sendingRow
	Values  url.Values // of the query, to be posted with what is ticked
	Expired int        // clients whose invitation is
	Part    bool       // asked for by a part of the page
}

// Filtered tells that the list leaves something out.
func (p sendingsPage) Filtered() bool { return p.Query != practice.SendingQuery{} }

// facet narrows the list down to one state, and says beforehand how many there are.
type facet struct {
	ID       string
	Words    string
	N        int
	URL      string
	Selected bool
}

// sendingRow is a sending as the list writes it.
type sendingRow struct {
	ClientID  string
	Client    string
	Email     []string // may break between the parts
	ID        string
	Kind      string
	Sent      string
	SentBy    string
	Slug      string
	Words     string
	Reason    string
	Forms     string
	Reminders string
	Again     bool   // something can be sent again
	No        string // why it can't all the same
}

func (s Shell) sendingRow(r practice.SendingRow) sendingRow {
	row := sendingRow{ClientID: r.Client.PublicID, Client: r.Client.ListName(), Email: breakable(r.To.String()), ID: r.PublicID, Kind: letterWords[r.Kind], Sent: s.When(r.SentAt),
		SentBy: "by " + r.SentBy, Slug: slug(string(r.State)), Words: s.sendingWords(r.Sending, r.State), Reason: r.Why(), Again: r.Again()}
	if row.Again {
		row.No = practice.Unreachable(r.Client)
	}
	if r.Sending.SentBy == 0 {
		row.SentBy = "asked for by the client"
	}
	if r.Forms > 0 {
		row.Forms = fmt.Sprintf("%d of %d", r.FormsDone, r.Forms)
	}
	if r.Reminders > 0 {
		row.Reminders = fmt.Sprintf("%d reminders, last %s", r.Reminders, s.Day(r.RemindedAt))
		if r.Reminders == 1 {
			row.Reminders = "1 reminder, " + s.Day(r.RemindedAt)
		}
	}
	return row
}

// breakable cuts an address where a line may break: before its domain, and before each dot.
func breakable(address string) (parts []string) {
	at := 0
	for i, r := range address {
		if i > at && (r == '@' || r == '.') {
			parts, at = append(parts, address[at:i]), i
		}
	}
	return append(parts, address[at:])
}

// sendings lists all that was sent, as a page or, while somebody types, as the list alone.
func (s *Site) sendings(c *fiber.Ctx, by practice.Administrator) error {
	page := sendingsPage{Path: invitationsPath, Query: sendingQuery(addressed(c)), Part: partly(c)}
	found, err := s.Practice.Sendings(c.UserContext(), by, page.Query, pageNumber(c))
	if page.Errors, err = invalid(err); err != nil {
		return err
	}
	if page.Errors != nil {
		c.Status(fiber.StatusUnprocessableEntity)
	}
	page.Shell = s.organization(c, "Client Portal", "client-portal")
	for _, r := range found.Rows {
		page.Rows = append(page.Rows, page.sendingRow(r))
	}
	page.Counts, page.Values, page.Expired = found.Counts, sendingValues(page.Query), found.Counts.States[db.SendingExpired]
	page.Pages = newPages(found.Number, found.Total, func(n int) string { return invitationsAt(page.Query, n) })
	page.Facets = facets(page.Query, found.Counts)
	page.Count = thousands(found.Total) + " sendings"
	if found.Total == 1 {
		page.Count = "1 sending"
	}
	if page.Filtered() {
		page.Count += " found"
	}
	if !page.Part {
		filters, err := s.clientFilters(c, by.Staff, invitationsPath, practice.ClientQuery{Staff: page.Query.Staff})
		if err != nil {
			return err
		}
		page.Staff = filters.Staff
	}
	return s.render(c, "sendings/list", "sendings/_found", page)
}

// facets are all states that there are among what the rest of a query lets through, and the one asked for.
func facets(q practice.SendingQuery, counts db.SendingCounts) []facet {
	rest := q
	rest.State, rest.Troubled = "", false
	all := []facet{{"state-all", "All", counts.All, invitationsAt(rest, 1), q.State == "" && !q.Troubled}}
	for _, state := range db.SendingStates {
		if n := counts.States[state]; n > 0 || q.State == state {
			one := rest
			one.State = state
			all = append(all, facet{"state-" + slug(string(state)), string(state), n, invitationsAt(one, 1), q.State == state && !q.Troubled})
		}
	}
	if counts.Troubled > 0 || q.Troubled {
		rest.Troubled = true
		all = append(all, facet{"address-trouble", "Bounced or not theirs", counts.Troubled, invitationsAt(rest, 1), q.Troubled})
	}
	return all
}

// chosenSendings does what a button of the list says: sends again, or makes a file of what the list lets through.
func (s *Site) chosenSendings(c *fiber.Ctx, by practice.Administrator) error {
	query := sendingQuery(typed(c))
	back := invitationsAt(query, formNumber(c, "page"))
	chosen := practice.ResendChosen{IDs: posted(c, "on")}
	switch c.FormValue("do") {
	case "csv":
		return s.sendingsFile(c, by, query)
	case "resend":
		if len(chosen.IDs) == 0 {
			s.notify(c, "nobody ticked")
			return s.seeOther(c, back)
		}
		if len(chosen.IDs) > practice.PageSize {
			return fiber.NewError(fiber.StatusBadRequest, "Tick no more than are on one page.")
		}
	case "expired":
		chosen = practice.ResendChosen{Expired: &query}
	default:
		return fiber.NewError(fiber.StatusBadRequest, "Say what is to be done with these sendings.")
	}
	would, err := s.Practice.ToResend(c.UserContext(), by, chosen)
	if err != nil {
		return err
	}
	if would.Sent > 0 && formNumber(c, "confirmed") != would.Sent {
		return s.seeOther(c, resendQuestionAt(query, formNumber(c, "page"), chosen.IDs))
	}
	done, err := s.Practice.ResendChosen(c.UserContext(), by, chosen)
	if err != nil {
		return err
	}
	s.notify(c, "sent again to many", done.Sent, done.Soon, done.Bounced, done.Unreachable, done.Over)
	return s.seeOther(c, back)
}

const resendQuestionPath = invitationsPath + "/resend"

// resendQuestionAt is where it is asked whether to send again to those who were ticked, by their public ids, or (none) to all
// whose invitation expired: an address, so that it can be gone back to and loaded again.
func resendQuestionAt(query practice.SendingQuery, number int, ids []string) string {
	values := sendingValues(query)
	if len(ids) > 0 {
		values["on"] = ids
	}
	return withPage(resendQuestionPath, values, number)
}

// resendQuestion asks before a letter goes to many.
type resendQuestion struct {
	Shell
	Do      string
	Would   practice.Resent
	LeftOut string
	IDs     []string // who was ticked
	Values  url.Values
	Back    string
}

// askResend asks, with the number of those who get a letter: if that changes meanwhile, it is asked anew.
func (s *Site) askResend(c *fiber.Ctx, by practice.Administrator) (err error) {
	query := sendingQuery(addressed(c))
	page := resendQuestion{Do: "resend", Values: sendingValues(query), Back: invitationsAt(query, pageNumber(c))}
	for _, id := range c.Context().QueryArgs().PeekMulti("on") {
		page.IDs = append(page.IDs, string(id))
	}
	chosen := practice.ResendChosen{IDs: page.IDs}
	if len(page.IDs) == 0 {
		page.Do, chosen.Expired = "expired", &query
	}
	if page.Would, err = s.Practice.ToResend(c.UserContext(), by, chosen); err != nil {
		return err
	}
	clients := thousands(page.Would.Sent) + " clients"
	if page.Would.Sent == 1 {
		clients = "1 client"
	}
	title := "Send again to " + clients + "?"
	switch {
	case page.Would.Sent == 0:
		title = "There is nobody to send to again"
	case page.Do == "expired":
		title = "Send again to " + clients + " whose invitation expired?"
	}
	page.Shell, page.LeftOut = s.organization(c, title, "client-portal"), leftOut(page.Would)
	page.Values.Set("confirmed", strconv.Itoa(page.Would.Sent))
	page.Values.Set("page", strconv.Itoa(pageNumber(c)))
	return s.show(c, "sendings/confirm", page)
}

// leftOut says who gets nothing of those to whom many were to be sent again, and why; empty: everybody does.
func leftOut(r practice.Resent) string {
	var all []string
	for _, some := range []struct {
		n         int
		one, many string
	}{
		{r.Soon, "who was sent something in the last five minutes", "who were sent something in the last five minutes"},
		{r.Bounced, "whose mail bounced", "whose mail bounced"},
		{r.Unreachable, "who can't be reached", "who can't be reached"},
		{r.Over, "to whom there is nothing to send again", "to whom there is nothing to send again"},
	} {
		switch some.n {
		case 0:
		case 1:
			all = append(all, "1 "+some.one)
		default:
			all = append(all, thousands(some.n)+" "+some.many)
		}
	}
	if len(all) == 0 {
		return ""
	}
	return "Left out: " + strings.Join(all, ", ") + "."
}

func (s *Site) sendingsFile(c *fiber.Ctx, by practice.Administrator, query practice.SendingQuery) error {
	var file bytes.Buffer // whole before its first byte leaves, so that a failure is told as one
	if err := s.Practice.ExportSendings(c.UserContext(), by, &file, query); err != nil {
		return err
	}
	name, err := s.Practice.ExportName(c.UserContext(), "invitations")
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, "text/csv; charset=utf-8")
	c.Set(fiber.HeaderContentDisposition, `attachment; filename="`+name+`"`)
	return c.Send(file.Bytes())
}
