package handlers

import (
	"errors"
	"io"
	"net/url"
	"slices"
	"strconv"
	"time"

	"anteroom/practice"

	"github.com/gofiber/fiber/v2"
)

const importPath = "/organization/import"

type importPage struct {
	Shell
	Errors practice.Invalid
}

func (s *Site) importPage(c *fiber.Ctx, _ practice.Administrator) error {
	return s.show(c, "imports/upload", importPage{Shell: s.organization(c, "Import clients", "import")})
}

// keepImport takes the file and goes on to look at it.
func (s *Site) keepImport(c *fiber.Ctx, by practice.Administrator) error {
	id, err := s.uploaded(c, by)
	if err != nil {
		page := importPage{}
		if page.Errors, err = invalid(err); err != nil {
			return err
		}
		page.Shell = s.organization(c, "Import clients", "import")
		return s.show(c.Status(fiber.StatusUnprocessableEntity), "imports/upload", page)
	}
	return s.seeOther(c, importPath+"/"+id)
}

func (s *Site) uploaded(c *fiber.Ctx, by practice.Administrator) (id string, err error) {
	header, err := c.FormFile("file")
	if err != nil || header.Size == 0 {
		return "", practice.Invalid{"file": "Choose a file."}
	}
	file, err := header.Open()
	if err != nil {
		return "", err
	}
	defer file.Close()
	data, err := io.ReadAll(file)
	if err != nil {
		return "", err
	}
	return s.Practice.KeepImport(c.UserContext(), by, header.Filename, data)
}

// importGroup is a group of rows that can be looked at by itself.
type importGroup struct {
	key   string
	words string
	holds func(practice.ImportRow) bool
}

var importGroups = []importGroup{
	{"all", "All rows", func(practice.ImportRow) bool { return true }},
	{"problem", "With a problem", func(r practice.ImportRow) bool { return r.Verdict == practice.ImportProblem }},
	{"noted", "Added, with a note", func(r practice.ImportRow) bool { return r.Verdict == practice.ImportAdd && len(r.Notes) > 0 }},
	{"update", "Updated", func(r practice.ImportRow) bool { return r.Verdict == practice.ImportUpdate }},
	{"add", "Added", func(r practice.ImportRow) bool { return r.Verdict == practice.ImportAdd }},
	{"here", "Already here", func(r practice.ImportRow) bool { return r.Verdict == practice.ImportHere }},
}

type importKind struct {
	Words   string
	Count   int
	URL     string
	Current bool
}

type importCheck struct {
	Shell
	practice.Import
	Choices practice.ImportChoices
	Query   string // the choices in an address
	Fields  any    // what a column can hold
	Kinds   []importKind
	Shown   []importRow
	Pages   Pages
	Refused string
}

// importRow is a row with the colour of its verdict.
type importRow struct {
	practice.ImportRow
	Slug string
}

func importRows(rows []practice.ImportRow) []importRow {
	written := make([]importRow, len(rows))
	for i, r := range rows {
		written[i] = importRow{r, "good"}
		switch {
		case r.Verdict == practice.ImportProblem:
			written[i].Slug = "bad"
		case r.Verdict == practice.ImportHere:
			written[i].Slug = "plain"
		case r.Verdict == practice.ImportUpdate:
			written[i].Slug = "info"
		case len(r.Notes) > 0:
			written[i].Slug = "warn"
		}
	}
	return written
}

func (s *Site) checkImport(c *fiber.Ctx, by practice.Administrator) error {
	query := c.Context().QueryArgs()
	choices := importChoices(query.PeekMulti("column"), addressed(c))
	i, err := s.Practice.CheckImport(c.UserContext(), by, c.Params("id"), choices)
	if err != nil {
		return err
	}
	return s.showImport(c, i, choices, "")
}

func importChoices(columns [][]byte, value func(string) string) practice.ImportChoices {
	choices := practice.ImportChoices{Dates: value("dates"), Update: value("known") == "update", Unsure: value("unsure") == "add"}
	for _, column := range columns {
		choices.Columns = append(choices.Columns, practice.ImportField(column))
	}
	return choices
}

// choiceValues are what importChoices reads.
func choiceValues(choices practice.ImportChoices) url.Values {
	query := url.Values{}
	for _, column := range choices.Columns {
		query.Add("column", string(column))
	}
	if choices.Dates != "" {
		query.Set("dates", choices.Dates)
	}
	if choices.Update {
		query.Set("known", "update")
	}
	if choices.Unsure {
		query.Set("unsure", "add")
	}
	return query
}

// importVerdicts is what happens to each row, and importProblems the rows with a problem alone, as CSV.
func (s *Site) importVerdicts(c *fiber.Ctx, by practice.Administrator) error {
	return s.importCSV(c, by, "verdicts", practice.Import.WriteVerdicts)
}

func (s *Site) importProblems(c *fiber.Ctx, by practice.Administrator) error {
	return s.importCSV(c, by, "problems", practice.Import.WriteProblems)
}

func (s *Site) importCSV(c *fiber.Ctx, by practice.Administrator, name string, write func(practice.Import, io.Writer) error) error {
	i, err := s.Practice.CheckImport(c.UserContext(), by, c.Params("id"), importChoices(c.Context().QueryArgs().PeekMulti("column"), addressed(c)))
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, "text/csv; charset=utf-8")
	c.Set(fiber.HeaderContentDisposition, `attachment; filename="import-`+name+`.csv"`)
	return write(i, c.Response().BodyWriter())
}

func (s *Site) showImport(c *fiber.Ctx, i practice.Import, choices practice.ImportChoices, refused string) error {
	page := importCheck{Shell: s.organization(c, "Import clients", "import"), Import: i, Choices: choices, Fields: practice.ImportFields, Refused: refused}
	kind := c.Query("show")
	if !slices.ContainsFunc(importGroups, func(g importGroup) bool { return g.key == kind }) {
		kind = "all"
		if i.Problems() > 0 {
			kind = "problem"
		}
	}
	page.Query = choiceValues(choices).Encode()
	address := func(kind string, number int) string {
		query := choiceValues(choices)
		query.Set("show", kind)
		if number > 1 {
			query.Set("page", strconv.Itoa(number))
		}
		return importPath + "/" + i.ID + "?" + query.Encode() + "#rows"
	}
	for _, g := range importGroups {
		var rows []practice.ImportRow
		for _, r := range i.Rows {
			if g.holds(r) {
				rows = append(rows, r)
			}
		}
		page.Kinds = append(page.Kinds, importKind{g.words, len(rows), address(g.key, 1), g.key == kind})
		if g.key == kind {
			number := min(pageNumber(c), max(1, (len(rows)+practice.PageSize-1)/practice.PageSize))
			page.Shown = importRows(rows[(number-1)*practice.PageSize : min(number*practice.PageSize, len(rows))])
			page.Pages = newPages(number, len(rows), func(number int) string { return address(g.key, number) })
		}
	}
	return s.show(c, "imports/check", page)
}

// applyImport imports all rows or the good ones, or forgets the file.
func (s *Site) applyImport(c *fiber.Ctx, by practice.Administrator) error {
	do := c.FormValue("do")
	if do != "all" && do != "good" && do != "discard" {
		return fiber.NewError(fiber.StatusBadRequest, "Say whether to import all rows, or only the good ones.")
	}
	if do == "discard" {
		if err := s.Practice.DropImport(c.UserContext(), by); err != nil {
			return err
		}
		s.notify(c, "import discarded")
		return s.seeOther(c, importPath)
	}
	choices := importChoices(c.Request().PostArgs().PeekMulti("column"), typed(c))
	job, err := s.Practice.StartImport(c.UserContext(), by, c.Params("id"), choices, do == "good")
	if errors.Is(err, practice.ErrBusy) {
		s.notify(c, "import busy")
		return s.seeOther(c, importPath+"/"+c.Params("id"))
	}
	if err != nil {
		return err
	}
	select {
	case <-job.Done():
	case <-time.After(importPatience):
		return s.seeOther(c, importPath+"/"+c.Params("id")+"/progress")
	}
	i, err := job.Result()
	if err != nil {
		wrong, err := invalid(err)
		if err != nil {
			return err
		}
		c.Status(fiber.StatusUnprocessableEntity)
		return s.showImport(c, i, choices, wrong["import"])
	}
	s.notifyImported(c, i)
	return s.seeOther(c, "/clients")
}

// importPatience is how long an import may take before its progress is shown.
const importPatience = time.Second

func (s *Site) notifyImported(c *fiber.Ctx, i practice.Import) {
	switch n := i.Added(); {
	case i.Updated() > 0:
		s.notify(c, "clients imported and updated", n, i.Updated())
	case n == 1:
		s.notify(c, "client imported")
	default:
		s.notify(c, "clients imported", n)
	}
}

// importProgress is how far an import is.
type importProgress struct {
	Shell
	ID       string
	URL      string // of the next look
	Done, Of int
	Running  bool
	Lost     bool // the program was started anew meanwhile
	Fault    string
	Result   practice.Import
}

func (s *Site) importProgress(c *fiber.Ctx, by practice.Administrator) error {
	job, err := s.Practice.ImportJob(c.UserContext(), by, c.Params("id"))
	if err != nil {
		return err
	}
	page := importProgress{Shell: s.organization(c, "Importing clients", "import"), ID: c.Params("id"), Lost: job == nil}
	page.URL = importPath + "/" + page.ID + "/progress?poll=1"
	if job != nil {
		page.Running = !job.Over()
		page.Done, page.Of = job.Progress()
	}
	if job != nil && !page.Running {
		if page.Result, err = job.Result(); err != nil {
			wrong, err := invalid(err)
			if err != nil {
				return err
			}
			page.Fault = wrong["import"]
		}
	}
	return s.render(c, "imports/progress", "imports/_progress", page)
}
