package handlers

import (
	"errors"
	"time"

	"anteroom/db"
	"anteroom/practice"

	"github.com/gofiber/fiber/v2"
)

// newAddress sends the link to an address that waits to be confirmed again, or gives the address up.
func (s *Site) newAddress(c *fiber.Ctx, by practice.Staff) error {
	id, act, notice := c.Params("id"), s.Practice.ResendAddressLink, "address link sent"
	if c.FormValue("do") == "withdraw" {
		act, notice = s.Practice.WithdrawAddress, "address withdrawn"
	}
	err := act(c.UserContext(), by, id)
	var soon practice.Invalid
	switch {
	case errors.Is(err, db.ErrClosed):
		return s.overAlready(c, id)
	case errors.As(err, &soon):
		notice = "just sent"
	case err != nil:
		return err
	}
	s.notify(c, notice)
	return s.seeOther(c, "/clients/"+id)
}

// addressPage lets a client give another address.
type addressPage struct {
	Shell
	Current string
	Email   string
	Errors  practice.Invalid
}

func (s *Site) addressPage(c *fiber.Ctx, by practice.Client) error {
	return s.show(c, "portal/address", addressPage{Shell: s.shell(c, "Your email address", "portal"), Current: by.Email()})
}

func (s *Site) askForAddress(c *fiber.Ctx, by practice.Client) error {
	defer evenly(time.Now()) // whether anybody else has the address is not told
	email := c.FormValue("email")
	if err := s.Practice.AskForAddress(c.UserContext(), by, email, c.FormValue("password"), s.network(c)); err != nil {
		wrong, err := invalid(err)
		if err != nil {
			return err
		}
		return s.show(c.Status(fiber.StatusUnprocessableEntity), "portal/address",
			addressPage{Shell: s.shell(c, "Your email address", "portal"), Current: by.Email(), Email: email, Errors: wrong})
	}
	s.notify(c, "address asked")
	return s.seeOther(c, "/portal")
}
