package handlers

import (
	"cmp"
	"errors"
	"fmt"
	"html/template"
	"strings"

	"anteroom/db"
	"anteroom/practice"

	"github.com/gofiber/fiber/v2"
	"rsc.io/qr"
)

// fewCodes is how many recovery codes are so few that whoever has no more is told.
const fewCodes = 3

// secondStepPage asks for the second step.
type secondStepPage struct {
	Shell
	Next    string
	Client  bool
	Admin   bool   // an administrator, perhaps the only one
	Phone   string // of the practice
	Ways    db.Factors
	Passkey *passkeyButton // where they have one
	Code    codeField
}

// codeField asks for a code of an authenticator app, or for a recovery code in a field of its own: a phone shows digits for the
// one, and letters for the other.
type codeField struct {
	Prefix                   string // of the fields' names
	App                      bool   // they have an authenticator app
	Focus                    string // the field that has it: "code" or "recovery"
	Problem, RecoveryProblem string
}

// ID is the prefix of the fields' ids.
func (f codeField) ID() string { return strings.TrimPrefix(f.Prefix, ":") }

// newCodeField is the field, with what is wrong with the code that the request brought beside where it was typed.
func newCodeField(c *fiber.Ctx, prefix string, ways db.Factors, wrong practice.Invalid) codeField {
	f := codeField{Prefix: prefix, App: ways.Authenticator, Focus: "code", Problem: wrong["code"]}
	if form := c.Request().PostArgs(); !f.App || len(form.Peek(prefix+"code")) == 0 && len(form.Peek(prefix+"recovery")) > 0 {
		f.Focus, f.Problem, f.RecoveryProblem = "recovery", "", f.Problem
	}
	if ways.Passkeys > 0 && wrong["code"] == "" {
		f.Focus = ""
	}
	return f
}

// typedCode is the code that was typed into one of a codeField's fields.
func typedCode(c *fiber.Ctx, prefix string) string {
	form := c.Request().PostArgs()
	return cmp.Or(string(form.Peek(prefix+"code")), string(form.Peek(prefix+"recovery")))
}

func (s *Site) secondStep(c *fiber.Ctx, by practice.Halfway) error {
	return s.showSecondStep(c, by, c.Query("next"), nil)
}

// showSecondStep asks for the second step, or has it set up by who has none.
func (s *Site) showSecondStep(c *fiber.Ctx, by practice.Halfway, next string, wrong practice.Invalid) error {
	ways, err := s.Practice.StepOwed(c.UserContext(), by)
	if err != nil {
		return err
	}
	if !ways.Any() {
		return s.showSetUpStep(c, by, next, wrong)
	}
	if wrong != nil {
		c.Status(fiber.StatusUnprocessableEntity)
	}
	o, err := s.Practice.Organization(c.UserContext())
	if err != nil {
		return err
	}
	page := secondStepPage{Shell: s.shell(c, "Enter your code", ""), Next: next, Client: by.IsClient(), Admin: by.Administers(), Phone: o.Phone, Ways: ways, Code: newCodeField(c, "", ways, wrong)}
	if ways.Passkeys > 0 {
		page.Title = "Your second step"
		page.Passkey = s.passkeyButton(passkeyButton{Options: stepPasskeyPath, Words: "Use your passkey", Problem: wrong["passkey"], Primary: true})
	}
	return s.show(c, "second_step/page", page)
}

// setUpStepPage has somebody set up a second step before they are in.
type setUpStepPage struct {
	Shell
	appToSetUp
	Next    string
	Client  bool
	Admin   bool
	Phone   string
	Passkey *passkeyButton
	Errors  practice.Invalid
}

func (s *Site) showSetUpStep(c *fiber.Ctx, by practice.Halfway, next string, wrong practice.Invalid) error {
	e, err := s.Practice.FirstEnrolment(c.UserContext(), by, s.waitingEnrolment(c))
	if err != nil {
		return err
	}
	o, err := s.Practice.Organization(c.UserContext())
	if err != nil {
		return err
	}
	page := setUpStepPage{Shell: s.shell(c, "Set up your second step", ""), Next: next, Client: by.IsClient(), Admin: by.Administers(), Phone: o.Phone, Errors: wrong}
	page.Passkey = s.passkeyButton(passkeyButton{Options: firstPasskeyPath, Words: "Use a passkey", Problem: wrong["passkey"], Primary: true})
	if page.appToSetUp, err = s.appToSetUp(c, e); err != nil {
		return err
	}
	if wrong != nil {
		c.Status(fiber.StatusUnprocessableEntity)
	}
	return s.show(c, "second_step/set_up", page)
}

// waitingEnrolment is the authenticator app that somebody is setting up, sealed: going to the app and coming back to a page that the
// phone has dropped must not make another. An address never says which: a link could have its reader set up somebody else's.
func (s *Site) waitingEnrolment(c *fiber.Ctx) string {
	return cmp.Or(string(c.Request().PostArgs().Peek("enrolment")), s.cookie.get(c, enrolmentCookie))
}

// onlyHalfway is what the name of a notice ends with that greets somebody who owes the second step.
func onlyHalfway(who practice.Actor) string {
	if _, halfway := who.Halfway(); halfway {
		return ", halfway"
	}
	return ""
}

// takeSecondStep takes the code of who has a second step, or the first one of who sets it up.
func (s *Site) takeSecondStep(c *fiber.Ctx, by practice.Halfway) error {
	next, code, token := c.FormValue("next"), typedCode(c, ""), s.cookie.get(c, sessionCookie)
	if sealed := c.FormValue("enrolment"); sealed != "" {
		e, err := s.Practice.EnrolFirst(c.UserContext(), by, token, sealed, code, s.browser(c))
		if errors.Is(err, practice.ErrNotFound) { // they set it up in another window
			s.notify(c, "step taken anew")
			return s.seeOther(c, secondStepOf(next))
		}
		if err != nil {
			wrong, err := invalid(err)
			if err != nil {
				return err
			}
			return s.showSecondStep(c, by, next, wrong)
		}
		return s.enrolled(c, e, next, "step set up")
	}
	t, err := s.Practice.TakeStep(c.UserContext(), by, token, code, s.browser(c))
	if err != nil {
		wrong, err := invalid(err)
		if err != nil {
			return err
		}
		return s.showSecondStep(c, by, next, wrong)
	}
	s.cookie.set(c, sessionCookie, t.Session, 0)
	if t.Recovery && t.Left <= fewCodes {
		s.notify(c, "few codes", t.Left)
	}
	return s.goOn(c, t.Who, next)
}

// enrolled shows the recovery codes of who set up their first second step, and sends everybody else on with a notice.
func (s *Site) enrolled(c *fiber.Ctx, e practice.Enrolled, next, notice string) error {
	s.cookie.set(c, sessionCookie, e.Session, 0)
	s.cookie.clear(c, enrolmentCookie)
	c.Locals(actorKey, e.Who)
	if len(e.Codes) > 0 {
		if !local(next) {
			next = s.homeOf(e.Who)
		}
		return s.showCodes(c, e.Codes, next)
	}
	s.notify(c, notice)
	return s.goOn(c, e.Who, next)
}

// codesPage shows recovery codes, this once.
type codesPage struct {
	Shell
	Codes []string
	Next  string
}

func (s *Site) showCodes(c *fiber.Ctx, codes []string, next string) error {
	return s.show(c, "security/codes", codesPage{s.shell(c, "Your recovery codes", ""), codes, next})
}

// appToSetUp is what an authenticator app needs to know.
type appToSetUp struct {
	practice.Enrolment
	Picture qrCode
}

// appToSetUp shows an app what it needs to know. The browser keeps it too, for waitingEnrolment.
func (s *Site) appToSetUp(c *fiber.Ctx, e practice.Enrolment) (appToSetUp, error) {
	s.cookie.set(c, enrolmentCookie, e.Sealed, practice.EnrolmentLife)
	picture, err := newQRCode(e.URL)
	return appToSetUp{e, picture}, err
}

// Open is the address at which a phone opens its app. The practice's name and the person's address in it are escaped by whoever
// made it.
func (a appToSetUp) Open() template.URL { return template.URL(a.URL) }

// qrCode is a QR code as one path of an SVG picture.
type qrCode struct {
	Size int // with the quiet zone round it
	Path string
}

const quietZone = 4

func newQRCode(text string) (q qrCode, err error) {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return q, err
	}
	var path strings.Builder
	for y := range code.Size {
		for x := range code.Size {
			if code.Black(x, y) {
				fmt.Fprintf(&path, "M%d %dh1v1h-1z", x+quietZone, y+quietZone)
			}
		}
	}
	return qrCode{code.Size + 2*quietZone, path.String()}, nil
}
