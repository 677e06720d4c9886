package handlers

import (
	"strings"

	"anteroom/db"
	"anteroom/practice"

	"github.com/gofiber/fiber/v2"
)

// archiveEnds says in numbers what archiving ends.
func archiveEnds(e db.ArchiveEffect) string {
	var ends []string
	for _, end := range []struct {
		n         int
		one, many string
	}{
		{e.Accounts, "1 portal account closes", "portal accounts close"},
		{e.Invitations, "1 open invitation ends", "open invitations end"},
		{e.Letters, "1 queued letter doesn't leave", "queued letters don't leave"},
		{e.Forms, "1 unfinished form waits", "unfinished forms wait"},
	} {
		switch end.n {
		case 0:
		case 1:
			ends = append(ends, end.one)
		default:
			ends = append(ends, thousands(end.n)+" "+end.many)
		}
	}
	text := "Archived clients are out of the lists, and the portal is closed to them. "
	if len(ends) > 0 {
		text += capital(strings.Join(ends, ", ")) + ". "
	}
	return text + "Everything on file stays, their email address too. You can restore them at any time."
}

func (s *Site) archivePage(c *fiber.Ctx, by practice.Staff) error {
	client, ends, err := s.Practice.ClientToArchive(c.UserContext(), by, c.Params("id"))
	if err != nil {
		return err
	}
	if !client.ArchivedAt.IsZero() {
		return s.overAlready(c, client.PublicID)
	}
	return s.show(c, "clients/confirm", confirmPage{Client: client, Shell: s.shell(c, "Archive "+fullName(client)+"?", "clients"),
		Text: archiveEnds(ends), Action: "/clients/" + client.PublicID + "/archive", Button: "Archive", Cancel: "Keep the client"})
}

func (s *Site) archiveClient(c *fiber.Ctx, by practice.Staff) error {
	if err := s.Practice.ArchiveClient(c.UserContext(), by, c.Params("id")); err != nil {
		return err
	}
	s.notify(c, "client archived")
	return s.seeOther(c, "/clients/"+c.Params("id"))
}

func (s *Site) restoreClient(c *fiber.Ctx, by practice.Staff) error {
	if err := s.Practice.RestoreClient(c.UserContext(), by, c.Params("id")); err != nil {
		return err
	}
	s.notify(c, "client restored")
	return s.seeOther(c, "/clients/"+c.Params("id"))
}

func (s *Site) releaseAddressPage(c *fiber.Ctx, by practice.Staff) error {
	client, _, err := s.Practice.ClientToArchive(c.UserContext(), by, c.Params("id"))
	if err != nil {
		return err
	}
	if client.ArchivedAt.IsZero() || client.Email.IsZero() {
		return s.overAlready(c, client.PublicID)
	}
	page := confirmPage{Client: client, Shell: s.shell(c, "Release the address of "+fullName(client)+"?", "clients"),
		Text:   client.Email.String() + " is taken off this record, and somebody else can use it then.",
		Action: "/clients/" + client.PublicID + "/release-address", Button: "Release the address", Cancel: "Keep it"}
	if client.Portal.HasAccount() {
		page.Text += " The portal account that signs in with it goes too, and whoever reads it is told. What the client completed stays on file, and what they only began is taken back. After restoring the client you can invite them again with another address; the new account doesn't open what was completed in this one."
	}
	return s.show(c, "clients/confirm", page)
}

func (s *Site) releaseAddress(c *fiber.Ctx, by practice.Staff) error {
	err := s.Practice.ReleaseAddress(c.UserContext(), by, c.Params("id"))
	if _, refused := err.(practice.Invalid); refused {
		return s.overAlready(c, c.Params("id"))
	}
	if err != nil {
		return err
	}
	s.notify(c, "address released")
	return s.seeOther(c, "/clients/"+c.Params("id"))
}
