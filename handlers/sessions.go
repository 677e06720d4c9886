package handlers

import (
	"cmp"

	"anteroom/practice"

	"github.com/gofiber/fiber/v2"
)

const sessionPath = "/session"

// sessionLeft is what a page knows of the session it is shown in, to warn before it ends.
type sessionLeft struct {
	Left    int    `json:"left"`    // whole seconds until it ends, if its holder does nothing
	Who     string `json:"who"`     // tells its holder from somebody else; empty: nobody is signed in
	Extends bool   `json:"extends"` // doing something makes it last longer
}

func (s *Site) sessionLeft(who practice.Actor) sessionLeft {
	left, extends := s.Practice.Left(who)
	return sessionLeft{int(left.Seconds()), who.Mark(), extends}
}

// session tells a page how long it may stay as it is. A GET is the page's own; a POST is its reader's, who stays.
func (s *Site) session(c *fiber.Ctx) error { return c.JSON(s.sessionLeft(actor(c))) }

// signedInAt is one browser at which a person is signed in, in words.
type signedInAt struct{ practice.SignedIn }

// Browser is what the browser calls itself.
func (s signedInAt) Browser() string { return cmp.Or(s.Device, practice.UnknownBrowser) }

// signedInAt lists where a person is signed in, for the page that shows it.
func (s *Site) signedInAt(c *fiber.Ctx, by practice.Person) (shown []signedInAt, err error) {
	all, err := s.Practice.Sessions(c.UserContext(), by)
	for _, one := range all {
		shown = append(shown, signedInAt{one})
	}
	return shown, err
}

func (s *Site) signOutAt(c *fiber.Ctx, by practice.Person) error {
	here, err := s.Practice.SignOutAt(c.UserContext(), by, c.Params("id"))
	if err != nil {
		return err
	}
	if here {
		return s.signedOut(c)
	}
	s.notify(c, "signed out there")
	return s.seeOther(c, securityPath)
}

func (s *Site) signOutMany(c *fiber.Ctx, by practice.Person) error {
	switch c.FormValue("where") {
	case "everywhere":
		if err := s.Practice.SignOutEverywhere(c.UserContext(), by); err != nil {
			return err
		}
		return s.signedOut(c)
	case "elsewhere":
		if err := s.Practice.SignOutElsewhere(c.UserContext(), by); err != nil {
			return err
		}
		s.notify(c, "signed out elsewhere")
		return s.seeOther(c, securityPath)
	}
	return practice.ErrNotFound
}

func (s *Site) signStaffOut(c *fiber.Ctx, by practice.Administrator) error {
	if err := s.Practice.SignStaffOut(c.UserContext(), by, c.Params("id")); err != nil {
		return err
	}
	s.notify(c, "staff signed out")
	return s.seeOther(c, staffPath+"/"+c.Params("id"))
}

func (s *Site) signClientOut(c *fiber.Ctx, by practice.Administrator) error {
	if err := s.Practice.SignClientOut(c.UserContext(), by, c.Params("id")); err != nil {
		return err
	}
	s.notify(c, "client signed out")
	return s.seeOther(c, "/clients/"+c.Params("id"))
}

// passwordPage has a person choose another password.
type passwordPage struct {
	Shell
	Email  string
	Errors practice.Invalid
}

func (s *Site) passwordPage(c *fiber.Ctx, by practice.Person) error {
	return s.show(c, "security/password", passwordPage{Shell: s.shell(c, "Change my password", ""), Email: by.Email()})
}

func (s *Site) changePassword(c *fiber.Ctx, by practice.Person) error {
	token, err := s.Practice.ChangePassword(c.UserContext(), by, s.cookie.get(c, sessionCookie), c.FormValue("current"), c.FormValue("password"), s.browser(c))
	if err != nil {
		wrong, err := invalid(err)
		if err != nil {
			return err
		}
		return s.show(c.Status(fiber.StatusUnprocessableEntity), "security/password", passwordPage{s.shell(c, "Change my password", ""), by.Email(), wrong})
	}
	s.cookie.set(c, sessionCookie, token, 0)
	s.notify(c, "password changed")
	return s.seeOther(c, securityPath)
}
