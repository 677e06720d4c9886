package handlers

import (
	"strings"

	"anteroom/practice"
	"anteroom/static"

	"github.com/gofiber/fiber/v2"
)

// home sends everybody to where their work is.
func (s *Site) home(c *fiber.Ctx) error { return s.seeOther(c, s.homeOf(actor(c))) }

func (s *Site) homeOf(who practice.Actor) string {
	if _, ok := who.Staff(); ok {
		return "/clients"
	}
	if _, ok := who.Client(); ok {
		return "/portal"
	}
	if _, ok := who.Halfway(); ok {
		return secondStepPath
	}
	return "/sign-in"
}

// health answers 200 when the database can be read.
func (s *Site) health(c *fiber.Ctx) error {
	if err := s.Practice.Healthy(c.UserContext()); err != nil {
		return err
	}
	return c.SendString("ok\n")
}

// asset serves an embedded file under its content-hashed name, which a browser may keep for ever.
func (s *Site) asset(c *fiber.Ctx) error {
	f, ok := static.Lookup(c.Path())
	if !ok {
		return practice.ErrNotFound
	}
	c.Set(fiber.HeaderContentType, f.ContentType)
	c.Set(fiber.HeaderCacheControl, "public, max-age=31536000, immutable")
	c.Set(fiber.HeaderVary, fiber.HeaderAcceptEncoding)
	if strings.Contains(c.Get(fiber.HeaderAcceptEncoding), "gzip") {
		if small := f.Gzip(); small != nil {
			c.Set(fiber.HeaderContentEncoding, "gzip")
			return c.Send(small)
		}
	}
	return c.Send(f.Body)
}
