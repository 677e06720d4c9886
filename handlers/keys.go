package handlers

import (
	"anteroom/db"
	"anteroom/practice"

	"github.com/gofiber/fiber/v2"
)

const keysPath = "/organization/security/keys"

// keysPage is which keys there are, and how far what is under older ones is sealed anew.
type keysPage struct {
	Shell
	practice.Keys
	URL string // of the next look
}

// ByHost tells that whoever hosts the program keeps the key, so no screen can rotate it.
func (p keysPage) ByHost() bool { return p.Place == db.KeyFromHost }

// Kept says in words where the key is.
func (p keysPage) Kept() string {
	switch p.Place {
	case db.KeyFromHost:
		return "In the environment of the program, given by whoever hosts it"
	case db.KeyInOwnFile:
		return "In a file of its own, named by whoever hosts the program"
	}
	return "In the key file beside the database"
}

// Spent lists the older keys that nothing is sealed under, and whose lines still hold all of the key: a hand has to retire them.
func (p keysPage) Spent() (spent []db.KeyUse) {
	for _, u := range p.Older {
		if !u.Until.IsZero() && !u.Retired && !p.Sealing {
			spent = append(spent, u)
		}
	}
	return spent
}

func (s *Site) keys(c *fiber.Ctx, by practice.Administrator) error {
	page, err := s.keysPage(c, by)
	if err != nil {
		return err
	}
	return s.render(c, "security/keys", "security/_keys", page)
}

func (s *Site) keysPage(c *fiber.Ctx, by practice.Administrator) (page keysPage, err error) {
	page.Keys, err = s.Practice.Keys(c.UserContext(), by)
	page.Shell, page.URL = s.organization(c, "Keys", "security"), keysPath+"?poll=1"
	return page, err
}

// keyToRotate asks before the key is rotated, and says what becomes of backups.
func (s *Site) keyToRotate(c *fiber.Ctx, by practice.Administrator) error {
	page, err := s.keysPage(c, by)
	if err != nil {
		return err
	}
	if page.ByHost() {
		return s.seeOther(c, keysPath+"#rotate")
	}
	page.Title = "Rotate the key?"
	return s.show(c, "security/rotate", page)
}

func (s *Site) rotateKey(c *fiber.Ctx, by practice.Administrator) error {
	if err := s.Practice.RotateKey(c.UserContext(), by, c.FormValue("key")); err != nil {
		wrong, err := invalid(err)
		if err != nil {
			return err
		}
		page, err := s.keysPage(c, by)
		if err != nil {
			return err
		}
		page.Problem = wrong["key"]
		return s.show(c.Status(fiber.StatusUnprocessableEntity), "security/keys", page)
	}
	s.notify(c, "key rotated")
	return s.seeOther(c, keysPath)
}
