package handlers

import (
	"context"
	"errors"
	"regexp"
	"time"

	"anteroom/db"
	"anteroom/practice"

	"github.com/gofiber/fiber/v2"
)

// linkLife is how long a browser that opened a link may take to choose a password.
const linkLife = 30 * time.Minute

// isToken matches what could be a token: nothing else gets into a cookie.
var isToken = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)

// noteTime is how long a link that is opened may wait until that is noted, while a large sending is written.
const noteTime = time.Second

// openLink lets whoever opened a link in a mail choose a password. It notes when that was first and spends nothing: mail
// scanners open links too.
func (s *Site) openLink(c *fiber.Ctx) error {
	if token := c.Params("token"); isToken.MatchString(token) && c.Method() == fiber.MethodGet {
		s.noteOpened(c, token)
	}
	return s.swapToken(c, linkCookie, "/choose-password")
}

// swapToken puts the token in a mail's link into a cookie, so that it stands in no address bar, history or referrer.
func (s *Site) swapToken(c *fiber.Ctx, cookie, next string) error {
	if token := c.Params("token"); isToken.MatchString(token) {
		s.cookie.set(c, cookie, token, linkLife)
	} else {
		s.cookie.clear(c, cookie)
	}
	c.Set(fiber.HeaderReferrerPolicy, "no-referrer")
	return c.Redirect(next, fiber.StatusSeeOther)
}

// noteOpened notes that a link was opened. Whoever holds it gets in all the same where that can't be noted.
func (s *Site) noteOpened(c *fiber.Ctx, token string) {
	ctx, cancel := context.WithTimeout(c.UserContext(), noteTime)
	defer cancel()
	if err := s.Practice.NoteOpened(ctx, token); err != nil {
		s.Log.Error("opening not noted", "reference", c.Locals(referenceKey), "error", err.Error())
	}
}

type choosePasswordPage struct {
	Shell
	practice.Link
	Errors practice.Invalid
}

var choosePasswordTitles = map[db.Purpose]string{
	db.LinkJoin:        "Join Client Portal",
	db.LinkJoinStaff:   "Choose your password",
	db.LinkNewPassword: "Choose a new password",
	db.LinkNewAddress:  "Confirm your email address",
}

func (s *Site) choosePasswordPage(c *fiber.Ctx) error {
	link := practice.Link{State: practice.LinkUnknown}
	if token := s.cookie.get(c, linkCookie); token != "" {
		var err error
		if link, err = s.Practice.OpenLink(c.UserContext(), token); err != nil {
			return err
		}
	}
	return s.showLink(c, link, nil)
}

// showLink asks for a password, or says what became of a link that isn't live.
func (s *Site) showLink(c *fiber.Ctx, link practice.Link, wrong practice.Invalid) error {
	if link.State == practice.LinkClosed {
		return s.closed(c)
	}
	if link.State != practice.LinkLive {
		c.Status(fiber.StatusGone)
		return s.show(c, "link/over", choosePasswordPage{Shell: s.shell(c, "This link doesn't work", ""), Link: link})
	}
	if wrong != nil {
		c.Status(fiber.StatusUnprocessableEntity)
	}
	if link.OwnPassword {
		return s.show(c, "link/confirm_address", choosePasswordPage{s.shell(c, choosePasswordTitles[link.Purpose], ""), link, wrong})
	}
	return s.show(c, "link/choose_password", choosePasswordPage{s.shell(c, choosePasswordTitles[link.Purpose], ""), link, wrong})
}

func (s *Site) choosePassword(c *fiber.Ctx) error {
	token := s.cookie.get(c, linkCookie)
	link, err := s.Practice.OpenLink(c.UserContext(), token)
	if err != nil {
		return err
	}
	use, notice := s.Practice.ChoosePassword, "password chosen"
	if link.OwnPassword {
		use = s.Practice.ConfirmAddress
	}
	session, who, err := use(c.UserContext(), token, c.FormValue("password"), s.browser(c))
	var over practice.NotLive
	if errors.As(err, &over) {
		return s.showLink(c, over.Link, nil)
	}
	if err != nil {
		wrong, err := invalid(err)
		if err != nil {
			return err
		}
		return s.showLink(c, link, wrong)
	}
	s.cookie.clear(c, linkCookie)
	s.cookie.set(c, sessionCookie, session, 0)
	notice += onlyHalfway(who)
	switch link.Purpose {
	case db.LinkNewAddress:
		notice = "address confirmed"
	case db.LinkNewPassword:
		has, err := s.Practice.HasPasskeys(c.UserContext(), who)
		if err != nil {
			return err
		}
		if has {
			notice = "password chosen, passkeys"
		}
	}
	s.notify(c, notice)
	return s.seeOther(c, s.homeOf(who))
}

func (s *Site) newLink(c *fiber.Ctx) error {
	defer evenly(time.Now())
	if err := s.Practice.RenewLink(c.UserContext(), s.cookie.get(c, linkCookie), s.network(c)); err != nil {
		return err
	}
	s.cookie.clear(c, linkCookie)
	s.notify(c, "new link")
	return s.seeOther(c, "/sign-in")
}

type forgottenPasswordPage struct {
	Shell
	Email  string
	Held   bool // letters can't leave now
	Errors practice.Invalid
}

func (s *Site) forgottenPasswordPage(c *fiber.Ctx) error {
	return s.show(c, "link/forgotten_password", forgottenPasswordPage{Shell: s.shell(c, "Forgotten password", ""), Held: s.Practice.OutboxStatus().Held != ""})
}

func (s *Site) forgottenPassword(c *fiber.Ctx) error {
	defer evenly(time.Now())
	page := forgottenPasswordPage{Email: c.FormValue("email"), Held: s.Practice.OutboxStatus().Held != ""}
	if err := s.Practice.ForgotPassword(c.UserContext(), page.Email, s.network(c)); err != nil {
		if page.Errors, err = invalid(err); err != nil {
			return err
		}
		page.Shell = s.shell(c, "Forgotten password", "")
		return s.show(c.Status(fiber.StatusUnprocessableEntity), "link/forgotten_password", page)
	}
	s.notify(c, "forgotten password")
	return s.seeOther(c, "/sign-in")
}

// evenStep is longer than it takes to compare a password or to queue a letter, on most days.
const evenStep = 100 * time.Millisecond

// evenly waits until a whole number of steps has passed since then. What anybody may ask for is answered so where more is written for
// some than for others: a letter takes a millisecond to queue, and that would tell who has an account.
func evenly(began time.Time) { time.Sleep(evenStep - time.Since(began)%evenStep) }
