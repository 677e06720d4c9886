package handlers

import (
	"strings"

	"anteroom/practice"
	"anteroom/static"

	"github.com/gofiber/fiber/v2"
)

// awaitSetUp leads everybody to set-up while there is no organization.
func (s *Site) awaitSetUp(c *fiber.Ctx) error {
	if strings.HasPrefix(c.Path(), static.Prefix) || c.Path() == "/healthz" || c.Path() == "/set-up" {
		return c.Next()
	}
	ready, err := s.Practice.IsSetUp(c.UserContext())
	if err != nil {
		return err
	}
	if !ready {
		return s.seeOther(c, "/set-up")
	}
	return c.Next()
}

type setUpPage struct {
	Shell
	practice.OrganizationFields
	Administrator practice.NewAdministrator
	Code          string
	Zones         []string
	Errors        practice.Invalid
}

func (s *Site) setUpPage(c *fiber.Ctx) error {
	ready, err := s.Practice.IsSetUp(c.UserContext())
	if err != nil {
		return err
	}
	if ready {
		return practice.ErrNotFound
	}
	return s.show(c, "set_up/page", setUpPage{Shell: s.shell(c, "Set up your practice", ""), Zones: timeZones})
}

func (s *Site) setUp(c *fiber.Ctx) error {
	page := setUpPage{
		OrganizationFields: organizationTyped(c),
		Administrator:      practice.NewAdministrator{Name: c.FormValue("administrator_name"), Email: c.FormValue("email"), Password: c.FormValue("password")},
		Code:               c.FormValue("code"),
		Zones:              timeZones,
	}
	session, who, err := s.Practice.SetUp(c.UserContext(), page.Code, s.browser(c),
		practice.SetUp{OrganizationFields: page.OrganizationFields, Administrator: page.Administrator})
	if err != nil {
		if page.Errors, err = invalid(err); err != nil {
			return err
		}
		page.Administrator.Password = ""
		page.Shell = s.shell(c, "Set up your practice", "")
		return s.show(c.Status(fiber.StatusUnprocessableEntity), "set_up/page", page)
	}
	s.cookie.set(c, sessionCookie, session, 0)
	s.notify(c, "set up"+onlyHalfway(who))
	return s.seeOther(c, s.homeOf(who))
}
