package handlers

import (
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
