package handlers

import (
	"bytes"
	"strings"

	"anteroom/practice"

	"github.com/gofiber/fiber/v2"
)

const exportPath = "/organization/export"

type exportPage struct {
	Shell
	practice.ExportCounts
}

func (s *Site) exportPage(c *fiber.Ctx, by practice.Administrator) error {
	counts, err := s.Practice.ExportCounts(c.UserContext(), by)
	if err != nil {
		return err
	}
	return s.show(c, "exports/page", exportPage{s.organization(c, "Export", "export"), counts})
}

// export answers with a CSV file. It is whole before its first byte leaves, so that a failure is told as one.
func (s *Site) export(c *fiber.Ctx, by practice.Administrator) error {
	var file bytes.Buffer
	var err error
	what, archived := c.FormValue("what"), c.FormValue("archived") != ""
	switch what {
	case "clients":
		err = s.Practice.ExportClients(c.UserContext(), by, &file, archived, c.FormValue("notes") != "")
	case "portal":
		err = s.Practice.ExportStates(c.UserContext(), by, &file, archived)
	case "forms":
		what = strings.Map(plainLetters, c.FormValue("form_key"))
		err = s.Practice.ExportForms(c.UserContext(), by, &file, c.FormValue("form_key"))
	default:
		return fiber.NewError(fiber.StatusBadRequest, "Say what is to be exported.")
	}
	if err != nil {
		return err
	}
	name, err := s.Practice.ExportName(c.UserContext(), what)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, "text/csv; charset=utf-8")
	c.Set(fiber.HeaderContentDisposition, `attachment; filename="`+name+`"`)
	return c.Send(file.Bytes())
}

// plainLetters keeps what needs no quoting in a header.
func plainLetters(r rune) rune {
	if 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' {
		return r
	}
	return -1
}
