package handlers

import (
	"encoding/base64"
	"io"
	"strings"

	"anteroom/mail"
	"anteroom/practice"

	"github.com/gofiber/fiber/v2"
)

// logo is the practice's picture; its address changes with it, so it can be kept for ever.
func (s *Site) logo(c *fiber.Ctx) error {
	png, err := s.Practice.Logo(c.UserContext(), c.Params("hash"))
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, "image/png")
	c.Set(fiber.HeaderCacheControl, "public, max-age=31536000, immutable")
	return c.Send(png)
}

// changeLogo takes a picture, or takes the one that is there away.
func (s *Site) changeLogo(c *fiber.Ctx, by practice.Administrator) error {
	if c.FormValue("do") == "remove" {
		if err := s.Practice.RemoveLogo(c.UserContext(), by); err != nil {
			return err
		}
		s.notify(c, "logo removed")
		return s.seeOther(c, "/organization/settings")
	}
	data, err := uploadedLogo(c)
	if err == nil {
		err = s.Practice.ChangeLogo(c.UserContext(), by, data)
	}
	if err != nil {
		wrong, err := invalid(err)
		if err != nil {
			return err
		}
		o, err := s.Practice.Organization(c.UserContext())
		if err != nil {
			return err
		}
		return s.showSettings(c, practice.OrganizationFieldsOf(o), wrong)
	}
	s.notify(c, "saved")
	return s.seeOther(c, "/organization/settings")
}

func uploadedLogo(c *fiber.Ctx) ([]byte, error) {
	header, err := c.FormFile("logo")
	if err != nil || header.Size == 0 {
		return nil, practice.Invalid{"logo": "Choose a picture."}
	}
	file, err := header.Open()
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, practice.MaxLogo+1))
}

// withLogo is a mail's HTML as a page can show it: the logo that travels with the mail stands in it.
func (s *Site) withLogo(c *fiber.Ctx, html string) (string, error) {
	if !strings.Contains(html, mail.LogoSource) {
		return html, nil
	}
	o, err := s.Practice.Organization(c.UserContext())
	return strings.Replace(html, mail.LogoSource, "data:image/png;base64,"+base64.StdEncoding.EncodeToString(o.Logo.Mail), 1), err
}
