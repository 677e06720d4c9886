package handlers

import (
	"anteroom/practice"

	"github.com/gofiber/fiber/v2"
)

const notMeantPath = "/not-for-me"

// notMeantPage is where whoever got a mail of ours by mistake says so. It shows nothing of whom the mail was for.
type notMeantPage struct {
	Shell
	Held   bool // a link was opened: its button can be pressed
	Said   bool // it was pressed
	Errors practice.Invalid
}

// openNotMeant looks at nothing and changes nothing: mail scanners open links too, but press no buttons.
func (s *Site) openNotMeant(c *fiber.Ctx) error {
	return s.swapToken(c, notMeantCookie, notMeantPath)
}

func (s *Site) notMeantPage(c *fiber.Ctx) error {
	page := notMeantPage{Held: s.cookie.get(c, notMeantCookie) != "", Said: c.Query("said") != ""}
	if !page.Held && !page.Said {
		c.Status(fiber.StatusGone)
	}
	return s.showNotMeant(c, page)
}

func (s *Site) showNotMeant(c *fiber.Ctx, page notMeantPage) error {
	page.Shell = s.shell(c, "This wasn't meant for me", "")
	return s.show(c, "link/not_meant", page)
}

// notMeant takes their word. The answer is the same whatever the token is.
func (s *Site) notMeant(c *fiber.Ctx) error {
	token := s.cookie.get(c, notMeantCookie)
	if token == "" {
		return s.seeOther(c, notMeantPath)
	}
	if err := s.Practice.NotMeant(c.UserContext(), token, s.network(c)); err != nil {
		wrong, err := invalid(err)
		if err != nil {
			return err
		}
		c.Status(fiber.StatusUnprocessableEntity)
		return s.showNotMeant(c, notMeantPage{Held: true, Errors: wrong})
	}
	s.cookie.clear(c, notMeantCookie)
	return s.seeOther(c, notMeantPath+"?said=yes")
}
