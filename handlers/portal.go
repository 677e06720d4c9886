package handlers

import (
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"

	"anteroom/db"
	"anteroom/forms"
	"anteroom/practice"

	"github.com/gofiber/fiber/v2"
)

// What a post of a form may hold.
const (
	maxAnswers = 4 << 20 // bytes
	maxInputs  = 5000
)

// doInput names the buttons below a form.
const doInput = ":do"

type portalPage struct {
	Shell
	Name    string
	Welcome []forms.Block
	Help    []forms.Block
	Phone   phrase
	Address []string // its lines
	Open    []portalForm
	Done    []portalForm
	Crisis  [][]phrase // empty: no concern
}

// portalForm is one form request in a client's list.
type portalForm struct {
	practice.FormRequest
	Path            string
	Answered, Asked int
}

func (s *Site) portal(c *fiber.Ctx, by practice.Client) error {
	portal, err := s.Practice.Portal(c.UserContext(), by)
	if err != nil {
		return err
	}
	o := portal.Organization
	page := portalPage{Shell: s.shell(c, "Your forms", "portal"), Name: by.Name(), Welcome: forms.Blocks(o.PortalWelcome),
		Help: forms.Blocks(o.PortalHelp), Phone: phrase{o.Phone, callable(o.Phone)}, Address: strings.Split(o.Address, "\n"), Open: portalForms(portal.Open), Done: portalForms(portal.Done)}
	if portal.Concern {
		page.Crisis = paragraphs(o.CrisisText)
	}
	return s.show(c, "portal/home", page)
}

// Total is how many forms there are.
func (p portalPage) Total() int { return len(p.Open) + len(p.Done) }

func portalForms(requests []practice.FormRequest) (list []portalForm) {
	for _, r := range requests {
		f := portalForm{FormRequest: r, Path: "/portal/forms/" + r.PublicID}
		f.Answered, f.Asked = progress(r)
		list = append(list, f)
	}
	return list
}

// progress counts the questions that are asked, and those that have an answer.
func progress(r practice.FormRequest) (answered, asked int) {
	var count func([]forms.Field)
	count = func(fields []forms.Field) {
		for _, f := range fields {
			if f.Enabled && f.Kind != forms.Display && f.Kind != forms.Group {
				asked++
				if len(f.Answer) > 0 {
					answered++
				}
			}
			count(f.Children)
		}
	}
	count(r.Paper.Fields(r.Answers, nil))
	return answered, asked
}

// formPage is a form to fill in.
type formPage struct {
	Shell
	Path      string
	Request   practice.FormRequest
	Intro     []forms.Block
	Questions []question
	Summary   []question // those with something wrong, for the list at the top
	Crisis    [][]phrase // empty: no concern
	Status    savedStatus
	Signed    bool // asks for a signature
}

// question is an item of a form as the page shows it.
type question struct {
	forms.Field
	Path     string // where its answer goes
	Nested   bool   // a group inside a group
	Tag      string // "required" or "optional", whichever is the exception on this form
	Crisis   *crisis
	Children []question
	Part     bool // shown alone, to replace what the page has
}

// FirstInput is the id of the input that a link to the question goes to.
func (q question) FirstInput() string {
	switch q.Kind {
	case forms.Boolean, forms.Tick, forms.Choice, forms.Multiple, forms.OpenChoice:
		return "f-" + q.LinkID + "-0"
	case forms.Signature:
		if q.Value != "" {
			return "f-" + q.LinkID + "-consent"
		}
	}
	return "f-" + q.LinkID
}

// crisis is the place beside a question that may raise a safety concern: empty until it does.
type crisis struct {
	ID    string
	Text  [][]phrase
	Alert bool // announce it
	Part  bool
}

// savedStatus is the line that tells how the form stands.
type savedStatus struct {
	Answered, Asked int
	Saved           string // when; empty: nothing yet
	Seen            int64
	Unsaved         bool
}

// form shows a client's own form: to fill in, or to read once it is submitted.
func (s *Site) form(c *fiber.Ctx, by practice.Client) error {
	r, err := s.Practice.OpenForm(c.UserContext(), by, c.Params("id"))
	if err != nil {
		return err
	}
	if !r.Open() {
		return s.show(c, "portal/read", readPage{Shell: s.shell(c, r.Paper.Title, "portal"), Request: r, Parts: readingOf(r, false)})
	}
	return s.formPage(c, r, fiber.StatusOK)
}

func (s *Site) formPage(c *fiber.Ctx, r practice.FormRequest, status int) error {
	page := formPage{Shell: s.shell(c, r.Paper.Title, "portal"), Path: "/portal/forms/" + r.PublicID, Request: r,
		Intro: forms.Blocks(r.Paper.Description)}
	page.Status = page.statusOf(r)
	page.Questions = questions(r.Paper, r.Paper.Fields(r.Answers, r.Wrong), page.Path)
	walk(page.Questions, func(q question) {
		page.Signed = page.Signed || q.Kind == forms.Signature
		if status != fiber.StatusOK && q.Error != "" && q.Enabled {
			page.Summary = append(page.Summary, q)
		}
	})
	if len(page.Summary) > 0 {
		page.Title = "Please check: " + page.Title
	}
	if r.Concern {
		var err error
		if page.Crisis, err = s.crisisText(c); err != nil {
			return err
		}
	}
	return s.show(c.Status(status), "portal/form", page)
}

func (s Shell) statusOf(r practice.FormRequest) savedStatus {
	status := savedStatus{Unsaved: r.Unsaved}
	if !r.SavedAt.IsZero() {
		status.Saved, status.Seen = s.Clock(r.SavedAt), r.SavedAt.UnixMilli()
	}
	status.Answered, status.Asked = progress(r)
	return status
}

func (s *Site) crisisText(c *fiber.Ctx) ([][]phrase, error) {
	o, err := s.Practice.Organization(c.UserContext())
	return paragraphs(o.CrisisText), err
}

func walk(all []question, do func(question)) {
	for _, q := range all {
		do(q)
		walk(q.Children, do)
	}
}

// questions lays out a form's fields.
func questions(f *forms.Form, fields []forms.Field, path string) []question {
	rarer := rarer(f)
	var lay func(fields []forms.Field, nested bool) []question
	lay = func(fields []forms.Field, nested bool) (list []question) {
		for _, field := range fields {
			q := question{Field: field, Path: path, Nested: nested, Children: lay(field.Children, true)}
			item := f.Item(field.LinkID)
			if item.Asks() && item.Required == (rarer == "required") {
				q.Tag = rarer
			}
			if slices.ContainsFunc(item.Options, func(o forms.Option) bool { return o.Concern }) {
				q.Crisis = &crisis{ID: "crisis-" + field.LinkID}
			}
			list = append(list, q)
		}
		return list
	}
	return lay(fields, false)
}

// rarer is what fewer questions of a form are, and so is worth marking: required or optional.
func rarer(f *forms.Form) string {
	balance := 0
	var count func([]*forms.Item)
	count = func(items []*forms.Item) {
		for _, it := range items {
			if it.Asks() && it.Required {
				balance++
			} else if it.Asks() {
				balance--
			}
			count(it.Items)
		}
	}
	count(f.Items)
	if balance < 0 {
		return "required"
	}
	return "optional"
}

// answerForm saves what a page posts: one question by itself, or the whole page by a button.
func (s *Site) answerForm(c *fiber.Ctx, by practice.Client) error {
	if len(c.Body()) > maxAnswers || c.Request().PostArgs().Len() > maxInputs {
		return fiber.NewError(fiber.StatusRequestEntityTooLarge, "This is more than the form can hold, so nothing was saved. Go back and shorten it.")
	}
	input := func(name string) []string { return posted(c, name) }
	if slices.Contains(input(doInput), "submit") {
		return s.submitForm(c, by, input)
	}
	id := c.Params("id")
	r, err := s.Practice.SaveAnswers(c.UserContext(), by, id, input)
	page := "/portal/forms/" + id
	withdrawn := input(forms.ClearInput)
	switch {
	case errors.Is(err, db.ErrClosed) && partly(c):
		return s.seeOther(c, page) // which says so
	case err != nil:
		return err
	case partly(c):
		return s.savedPart(c, r, input)
	case r.Unsaved:
		return s.formPage(c, r, fiber.StatusUnprocessableEntity)
	case len(withdrawn) > 0 && r.Paper.Item(withdrawn[0]) != nil:
		return s.seeOther(c, page+"#q-"+url.PathEscape(withdrawn[0]))
	}
	s.notify(c, "answers saved")
	return s.seeOther(c, "/portal")
}

// savedPart tells a page that one of its questions was saved, and which others are asked now.
func (s *Site) savedPart(c *fiber.Ctx, r practice.FormRequest, input func(string) []string) error {
	part := struct {
		Status    savedStatus
		Questions []question
	}{Status: s.shell(c, "", "").statusOf(r)}
	shown := input(forms.ShownInput)
	type asked struct {
		Asked    []string `json:"asked"`
		NotAsked []string `json:"notAsked"`
	}
	var now asked
	var crisisText [][]phrase
	if r.Concern {
		var err error
		if crisisText, err = s.crisisText(c); err != nil {
			return err
		}
	}
	walk(questions(r.Paper, r.Paper.Fields(r.Answers, r.Wrong), ""), func(q question) {
		if q.Enabled {
			now.Asked = append(now.Asked, q.LinkID)
		} else {
			now.NotAsked = append(now.NotAsked, q.LinkID)
		}
		if !slices.Contains(shown, q.LinkID) {
			return
		}
		q.Part = true
		if q.Crisis != nil {
			q.Crisis.Part = true
			if q.Concern {
				q.Crisis.Alert, q.Crisis.Text = true, crisisText
			}
		}
		part.Questions = append(part.Questions, q)
	})
	events, err := json.Marshal(map[string]asked{"questions": now})
	if err != nil {
		return err
	}
	c.Set("HX-Trigger", string(events))
	if r.Unsaved {
		c.Status(fiber.StatusUnprocessableEntity)
	}
	return s.show(c, "portal/_saved", part)
}

func (s *Site) submitForm(c *fiber.Ctx, by practice.Client, input func(string) []string) error {
	r, err := s.Practice.SubmitForm(c.UserContext(), by, c.Params("id"), input)
	if err != nil {
		return err
	}
	if r.Open() {
		return s.formPage(c, r, fiber.StatusUnprocessableEntity)
	}
	return s.seeOther(c, "/portal/forms/"+r.PublicID+"/thank-you")
}

type thankYouPage struct {
	Shell
	Form   portalForm
	Next   *portalForm // another that waits
	Others int         // how many wait
	Crisis [][]phrase
	Help   []forms.Block
}

// thankYou follows a submitted form.
func (s *Site) thankYou(c *fiber.Ctx, by practice.Client) error {
	portal, err := s.Practice.Portal(c.UserContext(), by)
	if err != nil {
		return err
	}
	done := portalForms(portal.Done)
	i := slices.IndexFunc(done, func(f portalForm) bool { return f.PublicID == c.Params("id") })
	if i < 0 {
		return practice.ErrNotFound
	}
	page := thankYouPage{Shell: s.shell(c, "Thank you", "portal"), Form: done[i], Others: len(portal.Open), Help: forms.Blocks(portal.Organization.PortalHelp)}
	if open := portalForms(portal.Open); len(open) > 0 {
		page.Next = &open[0]
	}
	if done[i].Concern {
		page.Crisis = paragraphs(portal.Organization.CrisisText)
	}
	return s.show(c, "portal/thank_you", page)
}
