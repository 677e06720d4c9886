package handlers

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"anteroom/db"
	"anteroom/practice"

	"github.com/gofiber/fiber/v2"
)

const (
	auditPath      = "/organization/audit"
	auditCheckPath = auditPath + "/check"
)

// auditQuery reads which entries of the audit log are shown from an address's query or from a form.
func auditQuery(value func(name string) string) practice.AuditQuery {
	q := practice.AuditQuery{By: value("by"), Words: strings.TrimSpace(value("q")), Client: value("client"), From: value("from"), To: value("to")}
	if kind := practice.AuditKind(value("kind")); slices.Contains(practice.AuditKinds, kind) {
		q.Kind = kind
	}
	return q
}

// auditValues are what auditQuery reads.
func auditValues(q practice.AuditQuery) url.Values {
	values := url.Values{}
	for name, value := range map[string]string{"by": q.By, "q": q.Words, "client": q.Client, "kind": string(q.Kind), "from": q.From, "to": q.To} {
		if value != "" {
			values.Set(name, value)
		}
	}
	return values
}

// auditAt is where entries that a query lets through are shown from a place on.
func auditAt(q practice.AuditQuery, place db.AuditPlace) string {
	values := auditValues(q)
	for name, id := range map[string]int64{"before": place.Before, "after": place.After} {
		if id != 0 {
			values.Set(name, strconv.FormatInt(id, 10))
		}
	}
	return withPage(auditPath, values, 1)
}

func auditPlace(c *fiber.Ctx) (place db.AuditPlace) {
	for name, id := range map[string]*int64{"before": &place.Before, "after": &place.After} {
		if n, err := strconv.ParseInt(c.Query(name), 10, 64); err == nil && n > 0 {
			*id = n
		}
	}
	return place
}

// doers are whom a query can ask for, beside the staff.
var doers = []option{
	{practice.DoneByClients, "Clients themselves", false},
	{practice.DoneByAnteroom, "Anteroom itself", false},
	{practice.DoneByUnknown, "Somebody unknown", false},
	{practice.DoneByHost, "Whoever runs the server", false},
}

// auditPage is the audit log, or a part of it.
type auditPage struct {
	Shell
	Query  practice.AuditQuery
	Errors practice.Invalid
	Doers  []option // of the whole page only
	Kinds  []option
	Days   []auditDay
	Count  string
	Newer  string
	Older  string
	Client string // whose entries alone are shown
	Others string // the address of the same without that
	Values url.Values
	Part   bool // asked for by a part of the page
}

// Filtered tells that the list leaves something out.
func (p auditPage) Filtered() bool { return p.Query != practice.AuditQuery{} }

// auditDay is what was done on one day.
type auditDay struct {
	Day   string
	Lines []practice.AuditLine
}

// audit shows the audit log, as a page or, while somebody types, as the list alone.
func (s *Site) audit(c *fiber.Ctx, by practice.Administrator) error {
	page := auditPage{Query: auditQuery(addressed(c)), Part: partly(c)}
	found, err := s.Practice.AuditLog(c.UserContext(), by, page.Query, auditPlace(c))
	if page.Errors, err = invalid(err); err != nil {
		return err
	}
	if page.Errors != nil {
		c.Status(fiber.StatusUnprocessableEntity)
	}
	page.Shell, page.Values = s.organization(c, "Audit log", "audit"), auditValues(page.Query)
	page.Days = page.days(found.Lines)
	if found.Newer != 0 {
		page.Newer = auditAt(page.Query, db.AuditPlace{After: found.Newer})
	}
	if found.Older != 0 {
		page.Older = auditAt(page.Query, db.AuditPlace{Before: found.Older})
	}
	page.Count = page.count(found)
	if page.Query.Client != "" {
		others := page.Query
		others.Client = ""
		page.Client, page.Others = "a client who isn't here", auditAt(others, db.AuditPlace{})
		if found.Client.ID != 0 {
			page.Client = found.Client.FirstName + " " + found.Client.LastName
		}
	}
	for _, kind := range practice.AuditKinds {
		page.Kinds = append(page.Kinds, option{string(kind), string(kind), kind == page.Query.Kind})
	}
	if !page.Part {
		staff, err := s.Practice.AllStaff(c.UserContext(), by)
		if err != nil {
			return err
		}
		page.Doers = slices.Clone(doers)
		for _, m := range staff {
			page.Doers = append(page.Doers, option{m.PublicID, m.Name, false})
		}
		page.Doers = selected(page.Doers, page.Query.By)
	}
	return s.render(c, "audit/list", "audit/_found", page)
}

// days parts entries by the days on which they were written.
func (s Shell) days(lines []practice.AuditLine) (days []auditDay) {
	for _, l := range lines {
		day := l.At.In(s.zone).Format("Monday, January 2, 2006")
		if n := len(days); n == 0 || days[n-1].Day != day {
			days = append(days, auditDay{Day: day})
		}
		last := &days[len(days)-1]
		last.Lines = append(last.Lines, l)
	}
	return days
}

// count says how many entries there are, as far as that is known: nobody counts a million.
func (p auditPage) count(found practice.AuditPage) string {
	n := thousands(len(found.Lines))
	switch {
	case p.Errors != nil:
		return ""
	case !p.Filtered() && found.Entries == 1:
		return "1 entry"
	case !p.Filtered():
		return thousands(int(found.Entries)) + " entries"
	case p.Newer == "" && p.Older == "" && len(found.Lines) == 1:
		return "1 entry found"
	case p.Newer == "" && p.Older == "":
		return n + " entries found"
	case p.Newer == "":
		return "The newest " + n + " of those found"
	}
	return n + " of those found"
}

// exportAudit answers with the audit log as a CSV file, made while it is sent: however long it is.
func (s *Site) exportAudit(c *fiber.Ctx, by practice.Administrator) error {
	query := auditQuery(typed(c))
	file, err := s.Practice.ExportAudit(c.UserContext(), by, query)
	if wrong, err := invalid(err); err != nil {
		return err
	} else if wrong != nil {
		return s.seeOther(c, auditAt(query, db.AuditPlace{})) // which says what is wrong
	}
	name, err := s.Practice.ExportName(c.UserContext(), "audit-log")
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, "text/csv; charset=utf-8")
	c.Set(fiber.HeaderContentDisposition, `attachment; filename="`+name+`"`)
	c.Context().SetBodyStream(&patientFile{file, c.Context().Conn()}, -1)
	return nil
}

// patience is how long each part of a file that is made while it is sent may take to be sent.
const patience = 60 * time.Second

// patientFile is a file of which each part, not the whole, is to be sent in time.
type patientFile struct {
	*practice.AuditFile
	conn interface{ SetWriteDeadline(time.Time) error }
}

func (f *patientFile) Read(b []byte) (int, error) {
	if err := f.conn.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return 0, err
	}
	return f.AuditFile.Read(b)
}

// auditCheckPage is how a check of the audit log goes, or went.
type auditCheckPage struct {
	Shell
	URL      string // which the page asks until the check is over
	Running  bool
	Done, Of int
	By       string
	At       time.Time
	Head     string
	Entries  int
	Fault    string
	Failed   bool
}

// auditCheckPatience is how long a check may take before its progress is shown.
const auditCheckPatience = 500 * time.Millisecond

func (s *Site) checkAudit(c *fiber.Ctx, by practice.Administrator) error {
	check, err := s.Practice.CheckAudit(c.UserContext(), by)
	if err != nil {
		return err
	}
	select {
	case <-check.Done():
	case <-time.After(auditCheckPatience):
	}
	return s.seeOther(c, auditCheckPath)
}

func (s *Site) auditCheck(c *fiber.Ctx, by practice.Administrator) error {
	page := auditCheckPage{Shell: s.organization(c, "Check the log", "audit"), URL: auditCheckPath + "?poll=1"}
	if check := s.Practice.LastAuditCheck(by); check != nil {
		page.By, page.At, page.Running = check.By, check.At, !check.Over()
		if page.Running {
			done, of := check.Progress()
			page.Done, page.Of = int(done), int(of)
		} else {
			head, fault, err := check.Result()
			if err != nil {
				s.Log.Error("audit log not checked", "reference", c.Locals(referenceKey), "error", err.Error())
			}
			page.Failed = err != nil
			if fault != nil {
				page.Fault = capital(strings.TrimPrefix(fault.Error(), "audit "))
			}
			page.Head, page.Entries = head.String(), int(head.Entry)
		}
	}
	return s.render(c, "audit/check", "audit/_check", page)
}
