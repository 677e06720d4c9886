package handlers

import (
	"fmt"
	"slices"

	"anteroom/forms"
	"anteroom/practice"

	"github.com/gofiber/fiber/v2"
)

// readPage is a completed form as its client reads it.
type readPage struct {
	Shell
	Request practice.FormRequest
	Parts   []readPart
}

// readPart is a piece of a completed form: a heading, words, answers or a signature.
type readPart struct {
	Heading   string
	Nested    bool // a heading under a heading
	Words     []forms.Block
	Answers   []readAnswer
	Signature *practice.Signature
	Label     string // of the signature
}

type readAnswer struct {
	Question string
	Words    []string // empty: not answered
	Points   string   // what a scored answer counts
	Concern  bool
}

// readingOf puts a completed form into the order in which it reads; what only staff are to see is there for staff.
func readingOf(r practice.FormRequest, forStaff bool) (parts []readPart) {
	var add func(fields []forms.Field, nested bool)
	add = func(fields []forms.Field, nested bool) {
		for _, f := range fields {
			switch f.Kind {
			case forms.Group:
				parts = append(parts, readPart{Heading: f.Text, Nested: nested})
			case forms.Display:
				parts = append(parts, readPart{Words: f.Blocks()})
			case forms.Signature:
				part := readPart{Label: f.Text}
				if signature, ok := r.Signatures[f.LinkID]; ok {
					part.Signature = &signature
				}
				parts = append(parts, part)
			default:
				if last := len(parts) - 1; last < 0 || parts[last].Answers == nil {
					parts = append(parts, readPart{})
				}
				answer := readAnswer{Question: f.Text, Words: f.Answer, Concern: f.Concern && forStaff}
				if f.Prefix != "" {
					answer.Question = f.Prefix + " " + f.Text
				}
				if forStaff {
					answer.Points = points(r, f.LinkID)
				}
				parts[len(parts)-1].Answers = append(parts[len(parts)-1].Answers, answer)
			}
			add(f.Children, true)
		}
	}
	add(r.Paper.Reading(r.Answers), false)
	return parts
}

// points is what the answer to a scored question counts.
func points(r practice.FormRequest, linkID string) string {
	total, scored := 0, false
	for _, o := range r.Paper.Item(linkID).Options {
		if o.Scored && slices.Contains(r.Answers[linkID], o.Code) {
			total, scored = total+o.Ordinal, true
		}
	}
	if !scored {
		return ""
	}
	return fmt.Sprint(total)
}

// completedPage is a completed form as staff read it.
type completedPage struct {
	Shell
	Form  practice.CompletedForm
	Parts []readPart
	Path  string
}

func (s *Site) completedForm(c *fiber.Ctx, by practice.Staff) error {
	f, err := s.Practice.ReadForm(c.UserContext(), by, c.Params("id"))
	if err != nil {
		return err
	}
	return s.show(c, "form_requests/page", completedPage{Shell: s.shell(c, f.Paper.Title+": "+f.Client.ListName(), "clients"), Form: f,
		Parts: readingOf(f.FormRequest, true), Path: "/form-requests/" + f.PublicID})
}

// completedFormFHIR is the completed form as a FHIR QuestionnaireResponse, to keep as a file.
func (s *Site) completedFormFHIR(c *fiber.Ctx, by practice.Staff) error {
	f, response, err := s.Practice.ExportForm(c.UserContext(), by, c.Params("id"))
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, "application/fhir+json; charset=utf-8")
	c.Set(fiber.HeaderContentDisposition, `attachment; filename="`+f.Paper.Key+`.json"`)
	return c.Send(response)
}

func (s *Site) reviewForm(c *fiber.Ctx, by practice.Staff) error {
	if err := s.Practice.ReviewForm(c.UserContext(), by, c.Params("id")); err != nil {
		return err
	}
	s.notify(c, "form reviewed")
	return s.seeOther(c, "/form-requests/"+c.Params("id"))
}
