package practice

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"anteroom/db"
)

// The acts of looking at the audit log.
const (
	openedAudit   db.Act = "opened the audit log"
	exportedAudit db.Act = "exported the audit log"
	checkedAudit  db.Act = "checked the audit log"
)

const (
	// AuditPageSize is how many entries a page of the audit log shows.
	AuditPageSize = 50
	// auditSitting is how long one opening of the audit log counts, whichever of its pages are looked at.
	auditSitting = idleLimit
	// auditClients is how many clients a search may find whose entries are shown together.
	auditClients = 25
)

// Whom an AuditQuery may ask for, but for a staff member.
const (
	DoneByClients  = "clients"
	DoneByAnteroom = "anteroom"
	DoneByUnknown  = "unknown"
	DoneByHost     = "host"
)

var unnamedDoers = map[string]doer{DoneByAnteroom: theProgram, DoneByUnknown: somebody, DoneByHost: whoeverHostsIt}

// AuditQuery says which entries of the audit log are shown, as an address writes it. The zero value is all.
type AuditQuery struct {
	By       string // who did it: a staff member's public id, or one of the DoneBy…
	Words    string // of the names or address of whom it was done to, or who did it
	Client   string // the public id of that client
	Kind     AuditKind
	From, To string // the first and the last day, YYYY-MM-DD, in the practice's time zone
}

// days are q's, to be checked.
func (q AuditQuery) days() SendingQuery { return SendingQuery{From: q.From, To: q.To} }

// filter is the query in the records' terms. Whom it names and who isn't there did nothing. Invalid for "q" when too many
// clients are meant.
func (q AuditQuery) filter(tx *db.Tx, by Administrator) (f db.AuditFilter, err error) {
	o, err := tx.Organization()
	if err != nil {
		return f, err
	}
	f.From, f.Until = dayIn(o.TimeZone, q.From, 0), dayIn(o.TimeZone, q.To, 1)
	unnamed := unnamedDoers[q.By]
	switch {
	case q.By == "":
	case q.By == DoneByClients:
		f.By = db.ByClients
	case unnamed != "":
		f.By = db.ByNobody
	default:
		member, err := tx.Staff(q.By)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return f, err
		}
		f.By, f.StaffID = db.ByStaff, member.ID
	}
	if q.Kind != "" || unnamed != "" {
		known, err := tx.Acts()
		if err != nil {
			return f, err
		}
		f.Acts = slices.DeleteFunc(known, func(act db.Act) bool {
			words := actToldAs(act)
			return q.Kind != "" && words.kind != q.Kind || unnamed != "" && words.unnamed != unnamed
		})
	}
	f.Clients, err = q.clients(tx, by)
	return f, err
}

// clients are those whom the query is about; nil when it is about none in particular.
func (q AuditQuery) clients(tx *db.Tx, by Administrator) ([]int64, error) {
	ids := []int64{}
	switch {
	case q.Client != "":
		found, err := tx.ClientIDsOf(by.reach(), []string{q.Client})
		return append(ids, found...), err
	case q.Words == "":
		return nil, nil
	}
	for _, away := range []bool{false, true} {
		some, total, err := tx.FindClients(by.reach(), db.ClientFilter{Query: q.Words[:min(len(q.Words), maxQuery)], Archived: away}, db.ByName, 0, auditClients)
		if err != nil {
			return nil, err
		}
		if total+len(ids) > auditClients {
			return nil, Invalid{"q": fmt.Sprintf("This finds more than %d clients. Type more of one client's name.", auditClients)}
		}
		ids = append(ids, idsOf(some)...)
	}
	return ids, nil
}

// noted is the query in words for the log itself: who and which client by ids, not by what was typed.
func (q AuditQuery) noted(found []int64) string {
	var all []string
	switch {
	case q.By == DoneByClients:
		all = append(all, "by clients")
	case unnamedDoers[q.By] != "":
		all = append(all, "by "+strings.ToLower(string(unnamedDoers[q.By][:1]))+string(unnamedDoers[q.By][1:]))
	case staffID.MatchString("staff member " + q.By):
		all = append(all, "by staff member "+q.By)
	case q.By != "":
		all = append(all, "by nobody who is here")
	}
	if q.Client == "" && q.Words != "" {
		all = append(all, fmt.Sprintf("of clients found by a search: %d", len(found)))
	}
	if q.Kind != "" {
		all = append(all, strings.ToLower(string(q.Kind)))
	}
	if q.From != "" {
		all = append(all, "from "+q.From)
	}
	if q.To != "" {
		all = append(all, "to "+q.To)
	}
	return strings.Join(all, ", ")
}

// AuditPage is a page of the audit log.
type AuditPage struct {
	Lines   []AuditLine
	Entries int64     // of the whole log
	Newer   int64     // the entry after which newer ones are shown; 0: there are none
	Older   int64     // the entry before which older ones are; 0: there are none
	Client  db.Client // the one whom the query asks for by id
}

// AuditLine is an entry of the audit log as a sentence: Who, Did, Client and Rest, one after the other.
type AuditLine struct {
	ID     int64
	At     time.Time
	Kind   AuditKind
	Act    db.Act
	Who    AuditName
	Did    string
	Client AuditName // to whom; empty: to no client, or to themselves
	Rest   string
}

// AuditName is what somebody is called; a client who is there also by their public id.
type AuditName struct{ Name, PublicID string }

// Sentence is the whole entry in words.
func (l AuditLine) Sentence() string { return l.Who.Name + " " + l.Did + l.Client.Name + l.Rest }

// AuditLog opens the audit log: a page of the entries that a query lets through, newest first, from a place on. Administrators may.
// That they opened it is noted, once for all of its pages that are looked at within a quarter of an hour; if it can't be, nothing
// is shown. A place that isn't there is the newest. Invalid for "from", "to" and "q".
func (p *Practice) AuditLog(ctx context.Context, by Administrator, query AuditQuery, place db.AuditPlace) (page AuditPage, err error) {
	if !by.administers() {
		return page, ErrNotAllowed
	}
	if err := query.days().faults().orNil(); err != nil {
		return page, err
	}
	if err := p.noteAuditOpened(ctx, by); err != nil {
		return page, err
	}
	err = p.db.View(ctx, func(tx *db.Tx) error {
		f, err := query.filter(tx, by)
		if err != nil {
			return err
		}
		if err := page.read(tx, by, f, place); err != nil {
			return err
		}
		head, err := tx.AuditHead()
		if page.Entries = head.Entry; err != nil || query.Client == "" {
			return err
		}
		page.Client, err = tx.Client(by.reach(), query.Client)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		return err
	})
	return page, err
}

func (p *Practice) noteAuditOpened(ctx context.Context, by Administrator) error {
	sits := false
	err := p.db.View(ctx, func(tx *db.Tx) error {
		last, err := tx.LastAct(by.member.ID, openedAudit)
		sits = err == nil && tx.Now().Sub(last.At).Abs() < auditSitting
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		return err
	})
	if err != nil || sits {
		return err
	}
	return p.db.Update(ctx, func(tx *db.Tx) error {
		return tx.Audit(db.AuditEntry{StaffID: by.member.ID, Act: openedAudit})
	})
}

func (page *AuditPage) read(tx *db.Tx, by Administrator, f db.AuditFilter, place db.AuditPlace) error {
	entries, err := tx.AuditEntries(by.reach(), f, place, AuditPageSize+1)
	if errors.Is(err, ErrNotFound) || err == nil && place.After != 0 && len(entries) <= AuditPageSize {
		place = db.AuditPlace{} // the newest page, whole
		entries, err = tx.AuditEntries(by.reach(), f, place, AuditPageSize+1)
	}
	if err != nil {
		return err
	}
	more := len(entries) > AuditPageSize
	if more && place.After != 0 {
		entries = entries[1:]
	} else if more {
		entries = entries[:AuditPageSize]
	}
	if n := len(entries); n > 0 {
		if place.Before != 0 || place.After != 0 && more {
			page.Newer = entries[0].ID
		}
		if more || place.After != 0 {
			page.Older = entries[n-1].ID
		}
	}
	page.Lines, err = tellAll(tx, by.reach(), entries)
	return err
}

// actToldAs is how an act is told, also one that only older versions wrote: those named whom a client was assigned to.
func actToldAs(act db.Act) actWords {
	words, ok := acts[act]
	if !ok {
		words.kind = KindClients
	}
	if words.unnamed == "" {
		words.unnamed = theProgram
	}
	return words
}

// teller tells entries in words. It looks up the names of those whom the log knows by ids.
type teller struct {
	staff   map[int64]string
	clients map[int64]db.Client
	public  map[string]string // names by public id, of staff and clients
}

var (
	staffID     = regexp.MustCompile(`\b(?:staff member|staff|client) ([0-9a-f]{8}-[0-9a-f-]{27})\b`)
	refusedPage = regexp.MustCompile(`^([A-Z]+) (/\S*)(?: ([0-9a-f]{8}-[0-9a-f-]{27}))?$`)
)

// newTeller looks up who entries are about, of those within reach.
func newTeller(tx *db.Tx, reach db.Reach, entries []db.AuditEntry) (*teller, error) {
	t := &teller{clients: map[int64]db.Client{}, public: map[string]string{}}
	var err error
	if t.staff, err = tx.StaffNames(); err != nil {
		return nil, err
	}
	var ids []int64
	var public []string
	for _, e := range entries {
		ids = append(ids, e.ClientID, e.ByClient)
		for _, named := range staffID.FindAllStringSubmatch(e.Detail, -1) {
			public = append(public, named[1])
		}
		if refused := refusedPage.FindStringSubmatch(e.Detail); refused != nil && refused[3] != "" {
			public = append(public, refused[3])
		}
	}
	if len(public) > 0 {
		all, err := tx.AllStaff()
		if err != nil {
			return nil, err
		}
		for _, m := range all {
			t.public[m.PublicID] = m.Name
		}
		more, err := tx.ClientIDsOf(reach, public)
		if err != nil {
			return nil, err
		}
		ids = append(ids, more...)
	}
	slices.Sort(ids)
	for some := range slices.Chunk(slices.Compact(ids), exportBatch) {
		clients, err := tx.ClientsByID(reach, some)
		if err != nil {
			return nil, err
		}
		for _, c := range clients {
			t.clients[c.ID], t.public[c.PublicID] = c, c.FirstName+" "+c.LastName
		}
	}
	return t, nil
}

func tellAll(tx *db.Tx, reach db.Reach, entries []db.AuditEntry) ([]AuditLine, error) {
	t, err := newTeller(tx, reach, entries)
	if err != nil {
		return nil, err
	}
	lines := make([]AuditLine, len(entries))
	for i, e := range entries {
		lines[i] = t.tell(e)
	}
	return lines, nil
}

// tell is an entry as a sentence.
func (t *teller) tell(e db.AuditEntry) AuditLine {
	words := actToldAs(e.Act)
	line := AuditLine{ID: e.ID, At: e.At, Kind: words.kind, Act: e.Act, Who: t.who(e)}
	pattern, detail := words.own, t.detail(e)
	if e.ClientID != 0 && e.ClientID != e.ByClient {
		pattern, line.Client = words.story, t.client(e.ClientID)
		if e.Act == deletedData {
			line.Client = AuditName{Name: fmt.Sprintf("client no. %d", e.ClientID)}
		}
	}
	if pattern == "" {
		pattern = string(e.Act)
		if line.Client.Name != "" {
			pattern += ": {client}"
		}
	}
	before, after, ok := strings.Cut(pattern, "{client}")
	switch {
	case !ok:
		line.Did, line.Client = withDetail(pattern, detail), AuditName{}
	case strings.Contains(before, "{detail}"):
		line.Did, line.Rest = withDetail(before, detail), after
	default:
		line.Did, line.Rest = before, withDetail(after, detail)
	}
	return line
}

// here is what was done, and more about it, in the words of the client's own page.
func (t *teller) here(e db.AuditEntry) (act, detail string) {
	if words := actToldAs(e.Act); words.here != "" {
		return withDetail(words.here, t.detail(e)), ""
	}
	return string(e.Act), t.detail(e)
}

// withDetail puts a detail where a pattern has room for it, or else after it.
func withDetail(pattern, detail string) string {
	before, after, ok := strings.Cut(pattern, "{detail}")
	switch {
	case ok:
		return strings.TrimRight(before+detail+after, " ")
	case detail == "":
		return pattern
	}
	return pattern + ": " + detail
}

// who did it.
func (t *teller) who(e db.AuditEntry) AuditName {
	switch {
	case e.StaffID != 0:
		return AuditName{Name: t.staff[e.StaffID]}
	case e.ByClient != 0:
		name := t.client(e.ByClient)
		if name.PublicID == "" {
			name.Name = "A" + name.Name[1:]
		}
		return name
	}
	return AuditName{Name: string(actToldAs(e.Act).unnamed)}
}

// client is what a client is called.
func (t *teller) client(id int64) AuditName {
	if c, ok := t.clients[id]; ok {
		return AuditName{c.FirstName + " " + c.LastName, c.PublicID}
	}
	return AuditName{Name: fmt.Sprintf("a client whose data was deleted (no. %d)", id)}
}

// detail is an entry's detail with names in it.
func (t *teller) detail(e db.AuditEntry) string {
	if e.Act == refused {
		return t.refused(e.Detail)
	}
	return staffID.ReplaceAllStringFunc(e.Detail, func(text string) string {
		if name := t.public[staffID.FindStringSubmatch(text)[1]]; name != "" {
			return name
		}
		return text
	})
}

// refused tells what somebody was refused, from the method, the route and what it was about.
func (t *teller) refused(detail string) string {
	asked := refusedPage.FindStringSubmatch(detail)
	if asked == nil {
		return detail
	}
	words := "changing "
	if asked[1] == "GET" || asked[1] == "HEAD" {
		words = "opening "
	}
	words += strings.ReplaceAll(asked[2], ":id", "…")
	if name := t.public[asked[3]]; name != "" {
		words += " of " + name
	}
	return words
}
