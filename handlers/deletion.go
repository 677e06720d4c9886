package handlers

import (
	"anteroom/db"
	"anteroom/practice"

	"github.com/gofiber/fiber/v2"
)

// deletePage asks before a client's data is deleted for good.
type deletePage struct {
	Shell
	Client   db.Client
	Deletion db.Deletion
	Name     string // as typed
	Errors   practice.Invalid
}

func (s *Site) deletePage(c *fiber.Ctx, by practice.Administrator) error {
	return s.askToDelete(c, by, nil)
}

func (s *Site) askToDelete(c *fiber.Ctx, by practice.Administrator, wrong practice.Invalid) error {
	client, deletion, err := s.Practice.DeletionOf(c.UserContext(), by, c.Params("id"))
	if _, early := err.(practice.Invalid); early {
		s.notify(c, "archive first")
		return s.seeOther(c, "/clients/"+c.Params("id"))
	}
	if err != nil {
		return err
	}
	if wrong != nil {
		c.Status(fiber.StatusUnprocessableEntity)
	}
	return s.show(c, "clients/delete", deletePage{s.shell(c, "Delete the data of "+fullName(client)+"?", "clients"), client, deletion, c.FormValue("name"), wrong})
}

func (s *Site) deleteClient(c *fiber.Ctx, by practice.Administrator) error {
	if err := s.Practice.DeleteClient(c.UserContext(), by, c.Params("id"), c.FormValue("name")); err != nil {
		wrong, err := invalid(err)
		if err != nil {
			return err
		}
		return s.askToDelete(c, by, wrong)
	}
	s.notify(c, "client deleted")
	return s.seeOther(c, "/clients")
}
