package practice

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"anteroom/db"
)

// importLife is how long a file waits to be imported.
const importLife = 24 * time.Hour

// ImportChoices are what a person says about a file's columns.
type ImportChoices struct {
	Columns []ImportField // what each column holds; nil: as guessed by their names
	Dates   string        // how dates are written: "month" or "day" first; empty: as guessed
	Update  bool          // clients who are here already get what the file says of them; otherwise they stay as they are
	Unsure  bool          // rows that may be about somebody who is here, though nothing tells, are added; otherwise they are left out
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
	ImportUpdate  ImportVerdict = "will be updated"
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
	known  int64    // whom it updates
	cells  []string // as they stand in the file, of a row with a problem
}

// Import is a file, looked at: what its columns hold and what would happen to each row.
type Import struct {
	ID       string
	FileName string
	Columns  []ImportColumn
	Order    DateOrder // what the dates say about how they are written
	HasDates bool
	Sample   string // a date of the file …
	Reading  string // … and how it is read: YYYY-MM-DD
	Fault    string // why no row can be judged
	Rows     []ImportRow
	Count    map[ImportVerdict]int
	Noted    int // rows that will be added or updated, with something to know
	Unsure   int // rows that may be about somebody who is here
}

// Added is how many clients will be, or were, added.
func (i Import) Added() int { return i.Count[ImportAdd] }

// Updated is how many clients will be, or were, updated.
func (i Import) Updated() int { return i.Count[ImportUpdate] }

// Here is how many rows are about clients who are here already.
func (i Import) Here() int { return i.Count[ImportHere] }

// Problems is how many rows can't be imported.
func (i Import) Problems() int { return i.Count[ImportProblem] }

// KeepImport keeps a file for its author to look at; administrators may. It waits a day, or until the author brings
// another. Invalid says why it can't be read.
func (p *Practice) KeepImport(ctx context.Context, by Administrator, fileName string, data []byte) (id string, err error) {
	if len(data) > MaxImport {
		return "", Invalid{"file": "This file is larger than 100 MB. Part it into several."}
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
		i, err = keptImport(tx, by, id, choices, nil)
		return err
	})
	return i, err
}

func keptImport(tx *db.Tx, by Administrator, id string, choices ImportChoices, job *ImportJob) (Import, error) {
	kept, err := tx.Import(by.member.ID, id)
	if err == nil && tx.Now().Sub(kept.CreatedAt) > importLife {
		err = ErrNotFound
	}
	if err != nil {
		return Import{}, err
	}
	i, err := check(tx, kept.Data, choices, job)
	i.ID, i.FileName = kept.PublicID, kept.FileName
	return i, err
}

func (p *Practice) applyImport(ctx context.Context, by Administrator, id string, choices ImportChoices, goodOnly bool, job *ImportJob) (i Import, err error) {
	err = p.db.Update(ctx, func(tx *db.Tx) error {
		if i, err = keptImport(tx, by, id, choices, job); err != nil {
			return err
		}
		if err := i.apply(tx, by.member.ID, goodOnly, job); err != nil {
			return err
		}
		return tx.DropImport(by.member.ID)
	})
	return i, err
}

// ImportFile imports a file, or (dry) only tells what would happen. It is the host's, who has the data folder in their
// hands: no route leads here. Errors as for KeepImport and StartImport.
func (p *Practice) ImportFile(ctx context.Context, data []byte, choices ImportChoices, dry, goodOnly bool) (i Import, err error) {
	run := p.db.Update
	if dry {
		run = p.db.View
	}
	err = run(ctx, func(tx *db.Tx) error {
		if i, err = check(tx, data, choices, nil); err != nil || dry {
			return err
		}
		return i.apply(tx, 0, goodOnly, nil)
	})
	return i, err
}

// check reads a file and judges its rows.
func check(tx *db.Tx, data []byte, choices ImportChoices, job *ImportJob) (i Import, err error) {
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
	j.update, j.addUnsure = choices.Update, choices.Unsure
	j.dayFirst = choices.Dates == "day" || choices.Dates == "" && i.Order.DayFirst
	if c, ok := column[ImportDateOfBirth]; ok {
		i.Sample, i.Reading = sampleDate(t.rows, c, i.Order.Sample, j.dayFirst, tx.Now())
	}
	i.Rows = make([]ImportRow, len(t.rows))
	job.begins(len(t.rows))
	for n, r := range t.rows {
		row, err := j.judge(r)
		if err != nil {
			return i, err
		}
		job.step()
		if row.Verdict == ImportProblem {
			row.cells = r.cells
		}
		i.Rows[n] = row
		i.Count[row.Verdict]++
		if (row.Verdict == ImportAdd || row.Verdict == ImportUpdate) && len(row.Notes) > 0 {
			i.Noted++
		}
	}
	i.Unsure = j.unsure
	return i, nil
}

// WriteVerdicts writes what happens to each row as CSV.
func (i Import) WriteVerdicts(w io.Writer) error {
	file, err := newCSVFile(w)
	if err != nil {
		return err
	}
	if err := file.row("Line", "Name", "Email", "What happens", "Why"); err != nil {
		return err
	}
	for _, r := range i.Rows {
		if err := file.row(strconv.Itoa(r.Line), r.Name, r.Email, string(r.Verdict), strings.Join(r.Notes, " ")); err != nil {
			return err
		}
	}
	return file.end()
}

// WriteProblems writes the rows with a problem as they stand in the file, with one column more that says what is wrong: to
// be mended and brought again.
func (i Import) WriteProblems(w io.Writer) error {
	file, err := newCSVFile(w)
	if err != nil {
		return err
	}
	var header []string
	for _, c := range i.Columns {
		header = append(header, c.Name)
	}
	if err := file.row(append(header, "Problem")...); err != nil {
		return err
	}
	for _, r := range i.Rows {
		if r.Verdict != ImportProblem {
			continue
		}
		cells := slices.Clone(r.cells[:min(len(r.cells), len(header))])
		for len(cells) < len(header) {
			cells = append(cells, "")
		}
		if err := file.row(append(cells, strings.Join(r.Notes, " "))...); err != nil {
			return err
		}
	}
	return file.end()
}

func cells(rows []tableRow, column int) []string {
	all := make([]string, len(rows))
	for n, r := range rows {
		all[n] = r.cell(column)
	}
	return all
}

// sampleDate is a date of a column, at best the one that tells how dates are written, and how it is read.
func sampleDate(rows []tableRow, column int, best string, dayFirst bool, now time.Time) (sample, reading string) {
	for _, text := range append([]string{best}, cells(rows[:min(len(rows), 200)], column)...) {
		if birth, ok := parseBirth(cellText(text), dayFirst, now); ok && cellText(text) != "" {
			return cellText(text), birth
		}
	}
	return "", ""
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
func (i Import) apply(tx *db.Tx, by int64, goodOnly bool, job *ImportJob) error {
	switch {
	case i.Fault != "":
		return Invalid{"import": i.Fault}
	case !goodOnly && i.Problems() == 1:
		return Invalid{"import": "One row has a problem, so nothing was imported."}
	case !goodOnly && i.Problems() > 1:
		return Invalid{"import": fmt.Sprintf("%d rows have a problem, so nothing was imported.", i.Problems())}
	}
	for _, r := range i.Rows {
		job.step()
		var err error
		switch r.Verdict {
		case ImportAdd:
			err = r.add(tx, by)
		case ImportUpdate:
			err = r.update(tx, by)
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", r.Line, err)
		}
	}
	return tx.Audit(db.AuditEntry{StaffID: by, Act: "imported a list of clients",
		Detail: fmt.Sprintf("%d added, %d updated, %d already here, %d left out", i.Added(), i.Updated(), i.Here(), i.Problems())})
}

func (r ImportRow) add(tx *db.Tx, by int64) error {
	c := r.client.onto(ClientRecord{}, tx.Now())
	if err := tx.AddClient(&c.Client); err != nil {
		return err
	}
	if r.client.more != nil {
		if err := c.save(tx); err != nil {
			return err
		}
	}
	if err := r.assign(tx, c.ID); err != nil {
		return err
	}
	return tx.Audit(db.AuditEntry{StaffID: by, Act: "imported the client", ClientID: c.ID})
}

func (r ImportRow) update(tx *db.Tx, by int64) error {
	before, err := knownRecord(tx, r.known)
	if err != nil {
		return err
	}
	after := r.client.onto(before, tx.Now())
	if err := errors.Join(tx.ChangeClient(after.Client), after.save(tx), r.assign(tx, r.known)); err != nil {
		return err
	}
	if after.Email.Canonical() != before.Email.Canonical() {
		if err := cutOff(tx, r.known, "the client's address changed"); err != nil {
			return err
		}
	}
	if err := heedNoEmail(tx, before, after); err != nil {
		return err
	}
	return tx.Audit(db.AuditEntry{StaffID: by, Act: "updated the client from a list", ClientID: r.known, Detail: strings.Join(changed(before, after), ", ")})
}

func (r ImportRow) assign(tx *db.Tx, clientID int64) error {
	for _, id := range r.client.staff {
		if err := tx.Assign(id, clientID); err != nil {
			return err
		}
	}
	return nil
}

func knownRecord(tx *db.Tx, id int64) (ClientRecord, error) {
	c, err := tx.ClientByID(db.Everybody(), id)
	if err != nil {
		return ClientRecord{}, err
	}
	return recordOf(tx, db.Everybody(), c)
}

// candidate is what a row says about a client, as it would be kept.
type candidate struct {
	first, last, preferred, birth, phone string
	email                                db.Email
	staff                                []int64 // to whom the client is assigned
	more                                 *more
}

// more is what few files say.
type more struct {
	pronouns, guardian, language, notes string
	tags                                []string
	mayEmail                            string // "yes", "no", or empty: not said
}

// onto puts what a row says onto a record; what it leaves empty stays, and so does the address of a portal account.
func (c candidate) onto(r ClientRecord, now time.Time) ClientRecord {
	put := func(to *string, value string) {
		if value != "" {
			*to = value
		}
	}
	put(&r.FirstName, c.first)
	put(&r.LastName, c.last)
	put(&r.PreferredName, c.preferred)
	put(&r.DateOfBirth, c.birth)
	put(&r.Phone, c.phone)
	if !c.email.IsZero() && !r.Portal.HasAccount() {
		r.Email = c.email
	}
	if c.more == nil {
		return r
	}
	put(&r.Pronouns, c.more.pronouns)
	put(&r.Guardian, c.more.guardian)
	put(&r.Language, c.more.language)
	put(&r.Notes, c.more.notes)
	if len(c.more.tags) > 0 {
		r.Tags = c.more.tags
	}
	switch {
	case c.more.mayEmail == "yes":
		r.NoEmailAt = time.Time{}
	case c.more.mayEmail == "no" && r.NoEmailAt.IsZero():
		r.NoEmailAt = now
	}
	return r
}

// judge judges rows one after another; it remembers those that will be added.
type judge struct {
	tx         *db.Tx
	column     map[ImportField]int
	dayFirst   bool
	update     bool
	addUnsure  bool
	unsure     int // how many rows nothing tells from somebody who is here
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
	if c.phone = j.cell(r, ImportPhone); c.phone != "" && !plausiblePhone(c.phone) {
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
	j.more(r, c, problem, note)
	if row.Verdict == ImportProblem {
		return row, nil
	}
	return row, j.compare(&row, problem, note)
}

// more reads what few files say.
func (j *judge) more(r tableRow, c *candidate, problem, note func(string, ...any)) {
	var m more
	for _, line := range []struct {
		field ImportField
		to    *string
	}{{ImportPronouns, &m.pronouns}, {ImportGuardian, &m.guardian}} {
		if *line.to = j.cell(r, line.field); utf8.RuneCountInString(*line.to) > maxName {
			problem("%s is longer than 100 characters.", quoted(*line.to))
		}
	}
	if text := j.cell(r, ImportLanguage); text != "" {
		var ok bool
		if m.language, ok = parseLanguage(text); !ok {
			note("%s is not a language that we know, and is left out.", quoted(text))
		}
	}
	var fault string
	if m.tags, fault = splitTags(j.raw(r, ImportTags)); fault != "" {
		problem("%s", fault)
	}
	if m.notes = trimNotes(j.raw(r, ImportNotes)); utf8.RuneCountInString(m.notes) > maxNotes {
		problem("The notes are longer than 4,000 characters.")
	}
	if text := oneLine(j.raw(r, ImportMayEmail)); text != "" {
		if m.mayEmail = yesOrNo[strings.ToLower(text)]; m.mayEmail == "" {
			note("%s doesn't say whether the client may be emailed, and is left out.", quoted(text))
		}
	}
	if m.pronouns != "" || m.guardian != "" || m.language != "" || m.notes != "" || m.mayEmail != "" || len(m.tags) > 0 {
		c.more = &m
	}
}

// raw is a cell as it stands in the file.
func (j *judge) raw(r tableRow, f ImportField) string {
	if c, ok := j.column[f]; ok {
		return r.cell(c)
	}
	return ""
}

// compare looks for the same person, and for the same address, on file and in the lines above.
func (j *judge) compare(row *ImportRow, problem, note func(string, ...any)) error {
	c := &row.client
	me := person{line: row.Line, key: db.Client{FirstName: c.first, LastName: c.last}.SortKey(), birth: c.birth, canonical: c.email.Canonical()}
	at, ok := j.byName[me.key]
	if !ok {
		at = -1
	}
	for ; at >= 0; at = j.people[at].next {
		other := j.people[at]
		why, sure := me.same(other)
		if why == "" {
			continue
		}
		if !sure {
			j.unsure++
			if j.addUnsure {
				continue
			}
		}
		if sure && j.update && other.id != 0 {
			return j.updates(row, other.id, why, note)
		}
		row.Verdict = ImportHere
		if other.line != 0 {
			row.Notes = []string{fmt.Sprintf("Line %d has the same name%s", other.line, why)}
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

// updates tells what a row changes about somebody who is here.
func (j *judge) updates(row *ImportRow, id int64, why string, note func(string, ...any)) error {
	before, err := knownRecord(j.tx, id)
	if err != nil {
		return err
	}
	c := &row.client
	if !c.email.IsZero() && c.email.Canonical() != before.Email.Canonical() {
		_, taken := j.byEmail[c.email.Canonical()]
		switch {
		case before.Portal.HasAccount():
			note("Signs in with another address: change it on the client's page, where it is confirmed.")
		case taken:
			note("Somebody else has this address already, so the one on file stays.")
			c.email = db.Email{}
		}
	}
	fields := changed(before, c.onto(before, j.now))
	assigned, err := j.tx.AssignedStaff(id)
	if err != nil {
		return err
	}
	c.staff = slices.DeleteFunc(c.staff, func(staffID int64) bool {
		return slices.ContainsFunc(assigned, func(m db.StaffMember) bool { return m.ID == staffID })
	})
	if len(c.staff) > 0 {
		fields = append(fields, "therapist")
	}
	if len(fields) == 0 {
		row.Verdict, row.Notes = ImportHere, append([]string{"On file with the same name" + why}, row.Notes...)
		return nil
	}
	row.Verdict, row.known = ImportUpdate, id
	row.Notes = append([]string{"Changes: " + strings.Join(fields, ", ") + "."}, row.Notes...)
	if !c.email.IsZero() && !before.Portal.HasAccount() {
		j.byEmail[c.email.Canonical()] = len(j.people) // so that no later line takes it
		j.people = append(j.people, person{id: id, canonical: c.email.Canonical(), next: -1})
	}
	return nil
}

// same tells why two people of one name are one person, and whether that is sure; empty: they aren't, as far as can be told.
func (p person) same(other person) (why string, sure bool) {
	switch {
	case p.canonical != "" && p.canonical == other.canonical:
		return " and address.", true
	case p.birth != "" && p.birth == other.birth:
		return " and date of birth.", true
	case (p.birth == "" || other.birth == "") && (p.canonical == "" || other.canonical == ""):
		return ", and nothing tells them apart. If this is somebody else, have such rows added, or add them by hand.", false
	}
	return "", false
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
