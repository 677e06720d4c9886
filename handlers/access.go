package handlers

import (
	"crypto/rand"
	"net/url"
	"time"

	"anteroom/db"
	"anteroom/practice"

	"github.com/gofiber/fiber/v2"
)

// audience says who may open a route. Its type carries the actor that the handler needs, so a handler for staff can't be
// mounted for everybody.
type audience struct {
	name    string
	handler fiber.Handler
}

// anyone may open the route.
func (s *Site) anyone(h fiber.Handler) audience { return audience{"anyone", h} }

// staff members who are signed in may.
func (s *Site) staff(h func(*fiber.Ctx, practice.Staff) error) audience {
	return audience{"staff", func(c *fiber.Ctx) error {
		if by, ok := actor(c).Staff(); ok {
			return h(c, by)
		}
		return s.refuse(c)
	}}
}

// administrator: only administrators may.
func (s *Site) administrator(h func(*fiber.Ctx, practice.Administrator) error) audience {
	return audience{"administrator", func(c *fiber.Ctx) error {
		if by, ok := actor(c).Administrator(); ok {
			return h(c, by)
		}
		if _, ok := actor(c).Staff(); ok {
			return practice.ErrNotAllowed
		}
		return s.refuse(c)
	}}
}

// client: clients who are signed in to the portal may.
func (s *Site) client(h func(*fiber.Ctx, practice.Client) error) audience {
	return audience{"client", func(c *fiber.Ctx) error {
		if by, ok := actor(c).Client(); ok {
			return h(c, by)
		}
		if o, err := s.Practice.Organization(c.UserContext()); err != nil {
			return err
		} else if o.PortalOff() && actor(c).Nobody() {
			return s.closed(c)
		}
		return s.refuse(c)
	}}
}

// person: whoever is signed in may, staff member or client.
func (s *Site) person(h func(*fiber.Ctx, practice.Person) error) audience {
	return audience{"person", func(c *fiber.Ctx) error {
		if by, ok := actor(c).Person(); ok {
			return h(c, by)
		}
		return s.refuse(c)
	}}
}

// halfway: whoever gave the right password and owes the second step. Who is in goes on to where they wanted to go, also when they
// send again the form with which they set up the step: the page of recovery codes that it led to can't be shown anew.
func (s *Site) halfway(h func(*fiber.Ctx, practice.Halfway) error) audience {
	return audience{"halfway", func(c *fiber.Ctx) error {
		if by, ok := actor(c).Halfway(); ok {
			return h(c, by)
		}
		if who := actor(c); !who.Nobody() {
			if c.Method() != fiber.MethodPost {
				return s.goOn(c, who, c.Query("next"))
			}
			if c.Path() == firstPasskeyPath || c.FormValue("enrolment") != "" {
				s.notify(c, "codes given")
			}
			return s.goOn(c, who, c.FormValue("next"))
		}
		return s.refuse(c)
	}}
}

// refuse asks who is not signed in to do so, and who is halfway for the second step; for somebody who is in, the page is not
// there.
func (s *Site) refuse(c *fiber.Ctx) error {
	if !actor(c).Nobody() {
		return practice.ErrNotFound
	}
	if _, ok := actor(c).Halfway(); ok {
		return s.seeOther(c, secondStepOf(here(c)))
	}
	if s.wasSignedOut(c) && c.Method() == fiber.MethodPost && !partly(c) { // what a part of a page sent is kept there
		s.notify(c, "not saved")
	}
	return s.seeOther(c, "/sign-in?next="+url.QueryEscape(here(c)))
}

// wasSignedOut tells that a session was ended that this browser still brings: after too long, or from elsewhere. Whoever signs out
// takes it along.
func (s *Site) wasSignedOut(c *fiber.Ctx) bool {
	_, halfway := actor(c).Halfway()
	return s.cookie.get(c, sessionCookie) != "" && actor(c).Nobody() && !halfway
}

// here is the page that a request was made from: the address asked for, unless it was a part of a page or a write.
func here(c *fiber.Ctx) string {
	page := c.OriginalURL()
	if partly(c) {
		page = c.Get("HX-Current-URL")
	} else if c.Method() != fiber.MethodGet {
		page = c.Get(fiber.HeaderReferer)
	}
	u, err := url.Parse(page)
	if err != nil {
		return ""
	}
	return u.RequestURI()
}

var roleWords = map[db.Role]string{
	db.RoleAdministrator: "Administrator",
	db.RoleTherapist:     "Therapist",
	db.RoleStaff:         "Staff",
}

const (
	sessionCookie   = "session"
	noticeCookie    = "notice"
	linkCookie      = "link"
	notMeantCookie  = "not-meant"
	deviceCookie    = "device"
	enrolmentCookie = "enrolment"
)

// browser is what a request tells of the browser that it comes from, which from then on has a cookie of its own.
func (s *Site) browser(c *fiber.Ctx) practice.Browser {
	device := s.cookie.get(c, deviceCookie)
	if len(device) != len(newDevice()) {
		device = newDevice()
	}
	s.cookie.set(c, deviceCookie, device, practice.DeviceLife)
	return practice.Browser{Network: s.network(c), Device: device, Words: browserWords(c.Get(fiber.HeaderUserAgent))}
}

func newDevice() string { return rand.Text() + rand.Text() } // 256 bits

// cookies sets and reads the site's cookies: locked to this host where the site is served over https.
type cookies struct {
	prefix string
	secure bool
}

func newCookies(public *url.URL) cookies {
	if public.Scheme == "https" {
		return cookies{prefix: "__Host-", secure: true}
	}
	return cookies{}
}

func (k cookies) get(c *fiber.Ctx, name string) string { return c.Cookies(k.prefix + name) }

// set keeps a value for a while; for 0, until the browser closes.
func (k cookies) set(c *fiber.Ctx, name, value string, life time.Duration) {
	c.Cookie(&fiber.Cookie{Name: k.prefix + name, Value: value, Path: "/", MaxAge: int(life.Seconds()), Secure: k.secure,
		HTTPOnly: true, SameSite: fiber.CookieSameSiteLaxMode, SessionOnly: life == 0})
}

func (k cookies) clear(c *fiber.Ctx, name string) {
	c.Cookie(&fiber.Cookie{Name: k.prefix + name, Path: "/", Expires: time.Unix(1, 0), Secure: k.secure, HTTPOnly: true,
		SameSite: fiber.CookieSameSiteLaxMode})
}
