package handlers

import (
	"errors"

	"anteroom/practice"

	"github.com/gofiber/fiber/v2"
)

const requiredStepPath = "/organization/security"

// requiredStepPage is who must take a second step.
type requiredStepPage struct {
	Shell
	practice.RequiredStep
}

func (s *Site) requiredStep(c *fiber.Ctx, by practice.Administrator) error {
	who, err := s.Practice.RequiredStep(c.UserContext(), by)
	if err != nil {
		return err
	}
	return s.show(c, "security/organization", requiredStepPage{s.organization(c, "Second step", "security"), who})
}

func (s *Site) requireStep(c *fiber.Ctx, by practice.Administrator) error {
	if err := s.Practice.RequireStep(c.UserContext(), by, c.FormValue("of_staff") != "", c.FormValue("of_clients") != ""); err != nil {
		return err
	}
	s.notify(c, "step required")
	return s.seeOther(c, requiredStepPath)
}

// staffStepPage asks before a staff member's second step is removed.
type staffStepPage struct {
	Shell
	practice.StaffDetails
	Required bool
}

func (s *Site) staffStepToRemove(c *fiber.Ctx, by practice.Administrator) error {
	d, err := s.Practice.StaffMember(c.UserContext(), by, c.Params("id"), 0, 0)
	if err != nil {
		return err
	}
	who, err := s.Practice.RequiredStep(c.UserContext(), by)
	if err != nil {
		return err
	}
	switch {
	case d.PublicID == by.PublicID():
		return s.seeOther(c, securityPath)
	case !d.Factors.Any():
		s.notify(c, "over already")
		return s.seeOther(c, staffPath+"/"+d.PublicID)
	}
	return s.show(c, "staff/second_step", staffStepPage{s.organization(c, "Remove the second step of "+d.Name+"?", "staff"), d, who.OfStaff})
}

func (s *Site) removeStaffStep(c *fiber.Ctx, by practice.Administrator) error {
	return s.stepRemoved(c, staffPath+"/"+c.Params("id"), s.Practice.RemoveStaffStep(c.UserContext(), by, c.Params("id")))
}

func (s *Site) clientStepToRemove(c *fiber.Ctx, by practice.Administrator) error {
	client, required, err := s.Practice.ClientStepToRemove(c.UserContext(), by, c.Params("id"))
	if err != nil {
		return s.stepRemoved(c, "/clients/"+c.Params("id"), err)
	}
	text := "Do this when they lost their phone and their recovery codes. Make sure that it is they who ask: speak with them, don’t go by a mail. " +
		"They are signed out everywhere, and a mail tells them. Then they sign in with their password alone"
	if required {
		text += ", and set up a second step again before they are in."
	} else {
		text += ", until they set up a second step again."
	}
	page := confirmPage{Client: client, Shell: s.shell(c, "Remove the second step of "+fullName(client)+"?", "clients"), Text: text,
		Action: "/clients/" + client.PublicID + "/second-step", Button: "Remove their second step", Cancel: "Keep it"}
	return s.show(c, "clients/confirm", page)
}

func (s *Site) removeClientStep(c *fiber.Ctx, by practice.Administrator) error {
	return s.stepRemoved(c, "/clients/"+c.Params("id"), s.Practice.RemoveClientStep(c.UserContext(), by, c.Params("id")))
}

// stepRemoved leads back to whose second step was removed, or who has none.
func (s *Site) stepRemoved(c *fiber.Ctx, page string, err error) error {
	notice := "step removed"
	if errors.Is(err, practice.ErrNoStep) {
		notice = "over already"
	} else if err != nil {
		return err
	}
	s.notify(c, notice)
	return s.seeOther(c, page)
}
