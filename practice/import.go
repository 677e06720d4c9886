package practice

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"anteroom/db"
)

// importLife is how long a file waits to be imported.
const importLife = 24 * time.Hour

// ImportChoices are what a person says about a file's columns.
type ImportChoices struct {
	Columns []ImportField // what each column holds; nil: as guessed by their names
	Dates   string        // how dates are written: "month" or "day" first; empty: as guessed
}

// ImportColumn is one column of the file.
type ImportColumn struct {
	Name    string
	Samples []string
	Field   ImportField
}

// ImportVerdict is what happens to a row.
type ImportVerdict string

const (
	ImportAdd     ImportVerdict = "will be added"
	ImportHere    ImportVerdict = "already here"
	ImportProblem ImportVerdict = "has a problem"
)

// ImportRow is one row of the file, and what happens to it.
type ImportRow struct {
	Line    int
	Name    string // as lists order it
	Email   string
	Verdict ImportVerdict
	Notes   []string // why, or what to know

	client candidate
}

// Import is a file, looked at: what its columns hold and what would happen to each row.
type Import struct {
	ID       string
	FileName string
	Columns  []ImportColumn
	Order    DateOrder // what the dates say about how they are written
	HasDates bool
	Fault    string // why no row can be judged
	Rows     []ImportRow
	Count    map[ImportVerdict]int
	Noted    int // rows that will be added, with something to know
}

// Added is how many clients will be, or were, added.
func (i Import) Added() int { return i.Count[ImportAdd] }

// Here is how many rows are about clients who are here already.
func (i Import) Here() int { return i.Count[ImportHere] }

// Problems is how many rows can't be imported.
func (i Import) Problems() int { return i.Count[ImportProblem] }

// KeepImport keeps a file for its author to look at; administrators may. It waits a day, or until the author brings
// another. Invalid says why it can't be read.
func (p *Practice) KeepImport(ctx context.Context, by Administrator, fileName string, data []byte) (id string, err error) {
	if len(data) > MaxImport {
		return "", Invalid{"file": "This file is larger than 16 MB. Part it into several."}
	}
	if _, err := readTable(data); err != nil {
		return "", Invalid{"file": err.Error()}
	}
	kept := db.Import{AuthorID: by.member.ID, FileName: oneLine(fileName), Data: data}
	err = p.db.Update(ctx, func(tx *db.Tx) error {
		if err := tx.KeepImport(&kept); err != nil {
			return err
		}
		return tx.Audit(db.AuditEntry{StaffID: by.member.ID, Act: "brought a list of clients"})
	})
	return kept.PublicID, err
}

// DropImport forgets the file that an administrator brought.
func (p *Practice) DropImport(ctx context.Context, by Administrator) error {
	return p.db.Update(ctx, func(tx *db.Tx) error { return tx.DropImport(by.member.ID) })
}

// CheckImport tells what would happen to each row of a file that the administrator brought. Nothing is changed.
// ErrNotFound when it isn't there any more.
func (p *Practice) CheckImport(ctx context.Context, by Administrator, id string, choices ImportChoices) (i Import, err error) {
	err = p.db.View(ctx, func(tx *db.Tx) error {
		i, err = keptImport(tx, by, id, choices)
		return err
	})
	return i, err
}

func keptImport(tx *db.Tx, by Administrator, id string, choices ImportChoices) (Import, error) {
	kept, err := tx.Import(by.member.ID, id)
	if err == nil && tx.Now().Sub(kept.CreatedAt) > importLife {
		err = ErrNotFound
	}
	if err != nil {
		return Import{}, err
	}
	i, err := check(tx, kept.Data, choices)
	i.ID, i.FileName = kept.PublicID, kept.FileName
	return i, err
}

// ApplyImport imports a file that the administrator brought: all its rows, or only the good ones. Every row is judged again
// in the transaction that adds the clients. With a problem in any row, all rows means none: Invalid says so, and the import
// comes back as it stands now.
func (p *Practice) ApplyImport(ctx context.Context, by Administrator, id string, choices ImportChoices, goodOnly bool) (i Import, err error) {
	err = p.db.Update(ctx, func(tx *db.Tx) error {
		if i, err = keptImport(tx, by, id, choices); err != nil {
			return err
		}
		if err := i.apply(tx, by.member.ID, goodOnly); err != nil {
			return err
		}
		return tx.DropImport(by.member.ID)
	})
	return i, err
}

// ImportFile imports a file, or (dry) only tells what would happen. It is the host's, who has the data folder in their
// hands: no route leads here. Errors as for KeepImport and ApplyImport.
func (p *Practice) ImportFile(ctx context.Context, data []byte, choices ImportChoices, dry, goodOnly bool) (i Import, err error) {
	run := p.db.Update
	if dry {
		run = p.db.View
	}
	err = run(ctx, func(tx *db.Tx) error {
		if i, err = check(tx, data, choices); err != nil || dry {
			return err
		}
		return i.apply(tx, 0, goodOnly)
	})
	return i, err
}

// check reads a file and judges its rows.
func check(tx *db.Tx, data []byte, choices ImportChoices) (i Import, err error) {
	t, err := readTable(data)
	if err != nil {
		return i, Invalid{"file": err.Error()}
	}
	fields := choices.Columns
	if len(fields) != len(t.header) {
		fields = guessColumns(t.header)
	}
	for c, name := range t.header {
		i.Columns = append(i.Columns, ImportColumn{Name: oneLine(name), Samples: samples(t.rows, c), Field: fields[c]})
	}
	column := map[ImportField]int{}
	for c, f := range fields {
		if _, twice := column[f]; twice && f != ImportNothing {
			i.Fault = "Two columns hold the same: choose which of them, and leave the other out."
		}
		column[f] = c
	}
	_, first := column[ImportFirstName]
	_, last := column[ImportLastName]
	if _, name := column[ImportName]; i.Fault == "" && !name && !(first && last) {
		i.Fault = "Say which columns hold the client's first and last name, or which one holds the full name."
	}
	if c, ok := column[ImportDateOfBirth]; ok {
		i.HasDates = true
		i.Order = guessDateOrder(cells(t.rows, c))
	}
	i.Count = map[ImportVerdict]int{}
	if i.Fault != "" {
		return i, nil
	}
	j, err := newJudge(tx, column)
	if err != nil {
		return i, err
	}
	j.dayFirst = choices.Dates == "day" || choices.Dates == "" && i.Order.DayFirst
	i.Rows = make([]ImportRow, len(t.rows))
	for n, r := range t.rows {
		row, err := j.judge(r)
		if err != nil {
			return i, err
		}
		i.Rows[n] = row
		i.Count[row.Verdict]++
		if row.Verdict == ImportAdd && len(row.Notes) > 0 {
			i.Noted++
		}
	}
	return i, nil
}

func cells(rows []tableRow, column int) []string {
	all := make([]string, len(rows))
	for n, r := range rows {
		all[n] = r.cell(column)
	}
	return all
}

// samples are the first few values of a column.
func samples(rows []tableRow, column int) (some []string) {
	for _, r := range rows[:min(len(rows), 200)] {
		if text := oneLine(r.cell(column)); text != "" && !slices.Contains(some, text) {
			if some = append(some, text); len(some) == 3 {
				break
			}
		}
	}
	return some
}

// apply adds the clients of the good rows, by a staff member or (0) the host.
func (i Import) apply(tx *db.Tx, by int64, goodOnly bool) error {
	switch {
	case i.Fault != "":
		return Invalid{"import": i.Fault}
	case !goodOnly && i.Problems() == 1:
		return Invalid{"import": "One row has a problem, so nothing was imported."}
	case !goodOnly && i.Problems() > 1:
		return Invalid{"import": fmt.Sprintf("%d rows have a problem, so nothing was imported.", i.Problems())}
	}
	for _, r := range i.Rows {
		if r.Verdict != ImportAdd {
			continue
		}
		c := r.client.record()
		if err := tx.AddClient(&c); err != nil {
			return fmt.Errorf("line %d: %w", r.Line, err)
		}
		for _, id := range r.client.staff {
			if err := tx.Assign(id, c.ID); err != nil {
				return err
			}
		}
		if err := tx.Audit(db.AuditEntry{StaffID: by, Act: "imported the client", ClientID: c.ID}); err != nil {
			return err
		}
	}
	return tx.Audit(db.AuditEntry{StaffID: by, Act: "imported a list of clients",
		Detail: fmt.Sprintf("%d added, %d already here, %d left out", i.Count[ImportAdd], i.Count[ImportHere], i.Problems())})
}

// candidate is what a row says about a client, as it would be kept.
type candidate struct {
	first, last, preferred, birth, phone string
	email                                db.Email
	staff                                []int64 // to whom the client is assigned
}

func (c candidate) record() db.Client {
	return db.Client{FirstName: c.first, LastName: c.last, PreferredName: c.preferred, DateOfBirth: c.birth, Phone: c.phone, Email: c.email}
}

// judge judges rows one after another; it remembers those that will be added.
type judge struct {
	tx         *db.Tx
	column     map[ImportField]int
	dayFirst   bool
	therapists therapists
	now        time.Time

	people    []person
	byEmail   map[string]int // canonical address → index of people
	byName    map[string]int // sort key → index of the latest of that name
	byMailbox map[string]int
}

// person is somebody on file (id, or 0 for one who is no client), or in an earlier line of this file.
type person struct {
	id        int64
	line      int
	key       string // name
	birth     string
	canonical string
	next      int // another of the same name; -1: there is none
}

func newJudge(tx *db.Tx, column map[ImportField]int) (*judge, error) {
	j := &judge{tx: tx, column: column, now: tx.Now(), byEmail: map[string]int{}, byName: map[string]int{}, byMailbox: map[string]int{}}
	staff, err := tx.AllStaff()
	if err != nil {
		return nil, err
	}
	j.therapists = newTherapists(staff)
	err = tx.Identities(func(i db.Identity) {
		j.remember(person{id: i.ClientID, key: i.SortKey, birth: i.DateOfBirth, canonical: i.Canonical}, i.Mailbox)
	})
	return j, err
}

func (j *judge) remember(p person, mailbox string) {
	at := len(j.people)
	p.next = -1
	if p.key != "" {
		if other, ok := j.byName[p.key]; ok {
			p.next = other
		}
		j.byName[p.key] = at
	}
	if p.canonical != "" {
		j.byEmail[p.canonical] = at
		j.byMailbox[mailbox] = at
	}
	j.people = append(j.people, p)
}

func (j *judge) cell(r tableRow, f ImportField) string {
	c, ok := j.column[f]
	if !ok {
		return ""
	}
	if cell := r.cell(c); isName(f, cell) {
		return oneLine(cell)
	}
	return cellText(r.cell(c))
}

// judge reads a row and says what happens to it.
func (j *judge) judge(r tableRow) (ImportRow, error) {
	row := ImportRow{Line: r.line, Email: j.cell(r, ImportEmail)}
	c := &row.client
	problem := func(format string, args ...any) {
		row.Verdict = ImportProblem
		row.Notes = append(row.Notes, fmt.Sprintf(format, args...))
	}
	note := func(format string, args ...any) { row.Notes = append(row.Notes, fmt.Sprintf(format, args...)) }

	c.first, c.last = j.cell(r, ImportFirstName), j.cell(r, ImportLastName)
	if full := j.cell(r, ImportName); full != "" && (c.first == "" || c.last == "") {
		c.first, c.last = splitName(full)
	}
	c.preferred = j.cell(r, ImportPreferredName)
	if c.preferred == c.first {
		c.preferred = "" // many systems repeat the first name there
	}
	row.Name = strings.Trim(c.last+", "+c.first, ", ")
	switch {
	case c.first == "" && c.last == "":
		problem("No name.")
	case c.first == "":
		problem("No first name.")
	case c.last == "":
		problem("No last name.")
	}
	for _, name := range []string{c.first, c.last, c.preferred} {
		if utf8.RuneCountInString(name) > maxName {
			problem("%s is too long for a name.", quoted(name))
		}
	}
	if text := j.cell(r, ImportDateOfBirth); text != "" {
		birth, ok := parseBirth(text, j.dayFirst, j.now)
		if !ok || !plausibleBirth(birth, j.now) {
			problem("%s is not a date of birth that can be.", quoted(text))
		}
		c.birth = birth
	}
	if c.phone = j.cell(r, ImportPhone); c.phone != "" && (utf8.RuneCountInString(c.phone) > maxPhone || !strings.ContainsFunc(c.phone, unicode.IsDigit)) {
		note("%s is not a phone number, and is left out.", quoted(c.phone))
		c.phone = ""
	}
	if row.Email != "" {
		var err error
		if c.email, err = db.ParseEmail(row.Email); err != nil {
			problem("%s is not an email address.", quoted(row.Email))
		}
	}
	if text := j.cell(r, ImportTherapist); text != "" {
		var unknown []string
		c.staff, unknown = j.therapists.find(text)
		for _, name := range unknown {
			note("%s is nobody's name at this practice: assign a therapist later.", quoted(name))
		}
	}
	if row.Verdict == ImportProblem {
		return row, nil
	}
	return row, j.compare(&row, problem, note)
}

// compare looks for the same person, and for the same address, on file and in the lines above.
func (j *judge) compare(row *ImportRow, problem, note func(string, ...any)) error {
	c := &row.client
	me := person{line: row.Line, key: c.record().SortKey(), birth: c.birth, canonical: c.email.Canonical()}
	at, ok := j.byName[me.key]
	if !ok {
		at = -1
	}
	for ; at >= 0; at = j.people[at].next {
		why := me.same(j.people[at])
		if why == "" {
			continue
		}
		row.Verdict = ImportHere
		if line := j.people[at].line; line != 0 {
			row.Notes = []string{fmt.Sprintf("Line %d has the same name%s", line, why)}
		} else {
			row.Notes = []string{"On file with the same name" + why}
		}
		return nil
	}
	if at, ok := j.byEmail[me.canonical]; ok && me.canonical != "" {
		who, err := j.who(j.people[at])
		if err != nil {
			return err
		}
		problem("%s has this address already. One address never serves two people.", who)
		return nil
	}
	mailbox := c.email.Mailbox()
	if at, ok := j.byMailbox[mailbox]; ok && me.canonical != "" && (j.people[at].id != 0 || j.people[at].line != 0) {
		who, err := j.who(j.people[at])
		if err != nil {
			return err
		}
		note("%s has an address that may reach the same mailbox.", who)
	}
	if me.canonical == "" {
		note("No email address: can't be invited yet.")
	}
	row.Verdict = ImportAdd
	j.remember(me, mailbox)
	return nil
}

// same tells why two people of one name are one person; empty: they aren't, as far as can be told.
func (p person) same(other person) string {
	switch {
	case p.canonical != "" && p.canonical == other.canonical:
		return " and address."
	case p.birth != "" && p.birth == other.birth:
		return " and date of birth."
	case p.birth == "" && other.birth == "" && (p.canonical == "" || other.canonical == ""):
		return ", and nothing tells them apart. If this is somebody else, add them by hand."
	}
	return ""
}

// who begins a sentence about somebody on file or in an earlier line.
func (j *judge) who(p person) (string, error) {
	switch {
	case p.line != 0:
		return fmt.Sprintf("Line %d", p.line), nil
	case p.id == 0:
		return "Somebody who is not a client", nil
	}
	c, err := j.tx.ClientByID(db.Everybody(), p.id)
	return c.ListName(), err
}
