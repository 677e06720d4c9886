package handlers

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"anteroom/db"
	"anteroom/practice"

	"github.com/gofiber/fiber/v2"
)

// mailShell is the shell of a page that says itself what holds the outbox.
func (s *Site) mailShell(c *fiber.Ctx, title string) (Shell, practice.OutboxStatus) {
	shell, status := s.organization(c, title, "mail"), s.Practice.OutboxStatus()
	if held := fullStop(status.Held); held != "" && strings.HasSuffix(shell.MailHeld, held) {
		shell.MailHeld = strings.TrimSpace(strings.TrimSuffix(shell.MailHeld, held))
		shell.MailPath, shell.MailWords = whereHeld(practice.OutboxStatus{})
	}
	return shell, status
}

// letterStates are the states of letters, in the order in which they go through them.
var letterStates = []db.LetterState{db.LetterQueued, db.LetterSending, db.LetterAccepted, db.LetterFailed, db.LetterNeedsAttention, db.LetterCancelled}

// queuePage is the list of all letters.
type queuePage struct {
	Shell
	Outbox   practice.OutboxStatus
	Filter   db.LetterFilter
	Rows     []letterRow
	Counts   []stateCount
	Kinds    []option
	Found    string
	Pages    Pages
	Done     string // what came of the last try to turn letters, where some stayed as they were
	Refused  []practice.LetterRefusal
	Fragment bool
}

// From is where the outbox's buttons are.
func (p queuePage) From() string { return "queue" }

// outboxPaths are the pages with the outbox's buttons, each by its name.
var outboxPaths = map[string]string{"queue": mailQueuePath, "settings": mailSettingsPath}

// backTo is the page whose button was pressed.
func backTo(from string) string { return cmp.Or(outboxPaths[from], mailQueuePath) }

// stateCount is how many letters are in a state, and where they are listed.
type stateCount struct {
	State    string // in words
	N        int
	Path     string
	Selected bool
}

// letterRow is one letter in the list.
type letterRow struct {
	db.OutboxLetter
	About  string // why it was sent, in words
	Person string // the address of the page of whom it is for
}

func newLetterRow(l db.OutboxLetter) letterRow {
	row := letterRow{OutboxLetter: l, About: letterAbout(l.Kind), Person: "/clients/" + l.Client.PublicID}
	if l.ClientID == 0 {
		row.Person = staffPath + "/" + l.Staff.PublicID
	}
	return row
}

func letterAbout(kind db.LetterKind) string { return cmp.Or(letterWords[kind], capital(string(kind))) }

// Came is what became of it, in plain words: of an accepted letter its state says enough.
func (r letterRow) Came() string {
	if r.State == db.LetterAccepted {
		return ""
	}
	return practice.ReplyTrouble(r.Reply).Why
}

// May tells whether anything can be done to the letter.
func (r letterRow) May() bool {
	return r.State == db.LetterQueued || r.State == db.LetterFailed || r.State == db.LetterNeedsAttention
}

// Turns tells whether anything can be done to any letter on the page.
func (p queuePage) Turns() bool { return slices.ContainsFunc(p.Rows, letterRow.May) }

func letterFilter(value func(name string) string) db.LetterFilter {
	return db.LetterFilter{State: db.LetterState(value("state")), Kind: db.LetterKind(value("kind")), Text: value("q")}
}

func letterValues(f db.LetterFilter) url.Values {
	values := url.Values{}
	for name, value := range map[string]string{"q": f.Text, "state": string(f.State), "kind": string(f.Kind)} {
		if value != "" {
			values.Set(name, value)
		}
	}
	return values
}

func (s *Site) mailQueue(c *fiber.Ctx, by practice.Administrator) error {
	page, err := s.queuePage(c, by, letterFilter(addressed(c)), pageNumber(c))
	if err != nil {
		return err
	}
	return s.render(c, "outbox/queue", "outbox/_found", page)
}

func (s *Site) queuePage(c *fiber.Ctx, by practice.Administrator, f db.LetterFilter, number int) (page queuePage, err error) {
	found, err := s.Practice.Letters(c.UserContext(), by, f, (number-1)*practice.PageSize, practice.PageSize)
	if err != nil {
		return page, err
	}
	page.Shell, page.Outbox = s.mailShell(c, "Mail")
	page.Filter, page.Fragment = f, partly(c)
	page.Pages = newPages(number, found.Total, func(n int) string { return withPage(mailQueuePath, letterValues(f), n) })
	for _, l := range found.Letters {
		page.Rows = append(page.Rows, newLetterRow(l))
	}
	all, every := f, 0
	all.State = ""
	for _, n := range found.Count {
		every += n
	}
	page.Counts = append(page.Counts, stateCount{"All", every, withPage(mailQueuePath, letterValues(all), 1), f.State == ""})
	for _, state := range letterStates {
		all.State = state
		page.Counts = append(page.Counts, stateCount{capital(string(state)), found.Count[state], withPage(mailQueuePath, letterValues(all), 1), f.State == state})
	}
	for kind := range letterWords {
		page.Kinds = append(page.Kinds, option{string(kind), letterAbout(kind), kind == f.Kind})
	}
	slices.SortFunc(page.Kinds, func(a, b option) int { return cmp.Compare(a.Words, b.Words) })
	page.Found = thousands(found.Total) + " letters"
	if found.Total == 1 {
		page.Found = "1 letter"
	}
	return page, nil
}

// turnLetters tries letters again, or takes them back: those that were ticked, or one on its own page.
func (s *Site) turnLetters(c *fiber.Ctx, by practice.Administrator) error {
	f, number := letterFilter(typed(c)), max(1, formNumber(c, "page"))
	var turn func(context.Context, practice.Administrator, ...string) (int, []practice.LetterRefusal, error)
	var notice string
	switch c.FormValue("do") {
	case "retry":
		turn, notice = s.Practice.RetryLetters, "letters tried"
	case "cancel":
		turn, notice = s.Practice.CancelLetters, "letters cancelled"
	default:
		return practice.ErrNotFound
	}
	back, ids := withPage(mailQueuePath, letterValues(f), number), posted(c, "on")
	if len(ids) == 0 {
		s.notify(c, "no letter ticked")
		return s.seeOther(c, back)
	}
	n, refused, err := turn(c.UserContext(), by, ids...)
	if err != nil {
		return err
	}
	if len(refused) == 0 {
		s.notify(c, notice, n)
		return s.seeOther(c, back)
	}
	page, err := s.queuePage(c, by, f, number)
	if err != nil {
		return err
	}
	page.Done, page.Refused = strings.Replace(notices[notice], "%s", thousands(n), 1), refused
	return s.show(c.Status(fiber.StatusUnprocessableEntity), "outbox/queue", page)
}

// letterPage is one letter of the outbox.
type letterPage struct {
	Shell
	practice.LetterDetails
	Row    letterRow
	Outbox practice.OutboxStatus
	Next   time.Time // when it is tried next, while it is queued; zero: nobody knows, or at once
}

func (s *Site) queuedLetter(c *fiber.Ctx, by practice.Administrator) error {
	letter, err := s.Practice.LetterDetails(c.UserContext(), by, c.Params("id"))
	if err != nil {
		return err
	}
	page := letterPage{LetterDetails: letter, Row: newLetterRow(letter.OutboxLetter)}
	page.Shell, page.Outbox = s.mailShell(c, page.Row.About+" to "+letter.Name())
	page.Next = page.Outbox.Next(letter.Due, s.Practice.Now())
	return s.show(c, "outbox/letter", page)
}

// resumePage asks before an outbox goes on that the program itself paused: what waits may have left already.
type resumePage struct {
	Shell
	Outbox  practice.OutboxStatus
	Waiting db.WaitingLetters
	From    string // the page that one came from
}

// Back is its address.
func (p resumePage) Back() string { return backTo(p.From) }

func (s *Site) outboxToResume(c *fiber.Ctx, by practice.Administrator) error {
	waiting, err := s.Practice.WaitingLetters(c.UserContext(), by)
	if err != nil {
		return err
	}
	page := resumePage{Waiting: waiting, From: c.Query("from")}
	if page.Shell, page.Outbox = s.mailShell(c, "Resume the outbox?"); !page.Outbox.Paused {
		return s.seeOther(c, page.Back())
	}
	return s.show(c, "outbox/resume", page)
}

func (s *Site) turnOutbox(c *fiber.Ctx, by practice.Administrator) error {
	var turn func(context.Context, practice.Administrator) error
	var notice string
	switch c.FormValue("turn") {
	case "pause":
		turn, notice = s.Practice.PauseOutbox, "outbox paused"
	case "resume":
		turn, notice = s.Practice.ResumeOutbox, "outbox resumed"
	case "retry":
		turn, notice = s.Practice.RetryOutbox, "outbox tried"
	default:
		return practice.ErrNotFound
	}
	if err := turn(c.UserContext(), by); err != nil {
		return err
	}
	s.notify(c, notice)
	return s.seeOther(c, backTo(c.FormValue("from")))
}
