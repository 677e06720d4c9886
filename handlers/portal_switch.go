package handlers

import (
	"context"
	"strings"

	"anteroom/db"
	"anteroom/forms"
	"anteroom/practice"

	"github.com/gofiber/fiber/v2"
)

// portalSwitchPage asks before the portal is turned off, in numbers.
type portalSwitchPage struct {
	Shell
	db.PortalUse
}

func (s *Site) portalSwitch(c *fiber.Ctx, by practice.Administrator) error {
	use, err := s.Practice.PortalUse(c.UserContext(), by)
	if err != nil {
		return err
	}
	return s.show(c, "organization/turn_off", portalSwitchPage{s.organization(c, "Turn off the client portal?", "client-portal"), use})
}

func (s *Site) turnWholePortal(c *fiber.Ctx, by practice.Administrator) error {
	var turn func(context.Context, practice.Administrator) error
	var notice string
	switch c.FormValue("turn") {
	case "off":
		turn, notice = s.Practice.TurnPortalOff, "whole portal off"
	case "on":
		turn, notice = s.Practice.TurnPortalOn, "whole portal on"
	default:
		return practice.ErrNotFound
	}
	if err := turn(c.UserContext(), by); err != nil {
		return err
	}
	s.notify(c, notice)
	return s.seeOther(c, "/organization/client-portal/settings")
}

// closedPage is what clients see while the portal is turned off.
type closedPage struct {
	Shell
	Help    []forms.Block
	Phone   phrase
	Address []string
	Crisis  [][]phrase
}

// closed tells a client, calmly, that the portal is turned off, and whom to call.
func (s *Site) closed(c *fiber.Ctx) error {
	if partly(c) {
		return s.seeOther(c, "/portal")
	}
	o, err := s.Practice.Organization(c.UserContext())
	if err != nil {
		return err
	}
	return s.show(c.Status(fiber.StatusServiceUnavailable), "portal/closed", closedPage{s.shell(c, "The client portal is closed for now", ""),
		forms.Blocks(o.PortalHelp), phrase{o.Phone, callable(o.Phone)}, strings.Split(o.Address, "\n"), paragraphs(o.CrisisText)})
}
