package handlers

import (
	"errors"
	"net/url"
	"strings"
	"time"

	"anteroom/practice"

	"github.com/gofiber/fiber/v2"
)

// SignIn is how one of the demo's invented people signs in.
type SignIn struct{ Name, Role, Email, Password string }

type signInPage struct {
	Shell
	Email     string
	Next      string
	SignedOut bool // a session that they had here was ended
	NotSaved  bool // and what they sent last came too late
	Passkey   *passkeyButton
	Invented  []SignIn // in the demo
	Errors    practice.Invalid
}

func (s *Site) signInPage(c *fiber.Ctx) error {
	if who := actor(c); !who.Nobody() {
		return s.goOn(c, who, c.Query("next"))
	}
	return s.showSignIn(c, signInPage{Next: c.Query("next")})
}

func (s *Site) showSignIn(c *fiber.Ctx, page signInPage) error {
	page.Shell = s.shell(c, "Sign in", "")
	page.Invented = s.Invented
	page.SignedOut = s.wasSignedOut(c) && page.Errors == nil
	if page.Notice == notices["not saved"] {
		page.NotSaved, page.Notice = true, ""
	}
	page.Passkey = s.passkeyButton(passkeyButton{Options: signInPasskeyPath, Words: "Sign in with a passkey", Problem: page.Errors["passkey"], Offer: true})
	if page.Errors != nil {
		c.Status(fiber.StatusUnprocessableEntity)
	}
	return s.show(c, "session/sign_in", page)
}

func (s *Site) signIn(c *fiber.Ctx) error {
	defer evenly(time.Now())
	page := signInPage{Email: c.FormValue("email"), Next: c.FormValue("next")}
	token, who, err := s.Practice.SignIn(c.UserContext(), page.Email, c.FormValue("password"), s.browser(c))
	if errors.Is(err, practice.ErrPortalOff) {
		return s.closed(c)
	}
	if err != nil {
		if page.Errors, err = invalid(err); err != nil {
			return err
		}
		return s.showSignIn(c, page)
	}
	return s.cameIn(c, token, who, page.Next)
}

// cameIn gives a browser the session of who signed in there, and sends it on.
func (s *Site) cameIn(c *fiber.Ctx, token string, who practice.Actor, next string) error {
	if before := actor(c); !before.Nobody() {
		if err := s.Practice.SignOut(c.UserContext(), before, s.cookie.get(c, sessionCookie)); err != nil {
			return err
		}
	}
	s.cookie.set(c, sessionCookie, token, 0)
	if _, ok := who.Halfway(); ok {
		return s.seeOther(c, secondStepOf(next))
	}
	return s.goOn(c, who, next)
}

// goOn sends somebody who came in to where they wanted to go, or home.
func (s *Site) goOn(c *fiber.Ctx, who practice.Actor, next string) error {
	if !local(next) {
		next = s.homeOf(who)
	}
	return s.seeOther(c, next)
}

// local tells that an address given in a request stays on this site.
func local(next string) bool {
	u, err := url.Parse(next)
	return err == nil && u.Scheme == "" && u.Host == "" && strings.HasPrefix(next, "/") && !strings.HasPrefix(next, "//") &&
		!strings.Contains(next, `\`) && u.Path != "/"
}

func (s *Site) signOut(c *fiber.Ctx) error {
	who := actor(c)
	if _, halfway := who.Halfway(); halfway || !who.Nobody() {
		if err := s.Practice.SignOut(c.UserContext(), who, s.cookie.get(c, sessionCookie)); err != nil {
			return err
		}
	}
	return s.signedOut(c)
}

// signedOut leaves nothing of somebody in the browser whose session has ended.
func (s *Site) signedOut(c *fiber.Ctx) error {
	s.cookie.clear(c, sessionCookie)
	// Not "cookies", for the notice is one, nor "cache": pages are never stored, and Chromium takes seconds to empty it.
	c.Set("Clear-Site-Data", `"storage"`)
	s.notify(c, "signed out")
	return s.seeOther(c, "/sign-in")
}
