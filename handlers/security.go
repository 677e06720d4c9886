package handlers

import (
	"errors"

	"anteroom/practice"

	"github.com/gofiber/fiber/v2"
)

// Addresses at which a person sees and changes how they sign in.
const (
	securityPath      = "/security"
	authenticatorPath = securityPath + "/authenticator"
	recoveryCodesPath = securityPath + "/recovery-codes"
)

// securityPage is how a person signs in.
type securityPage struct {
	Shell
	practice.Security
	Keys     []practice.Passkey
	Offers   bool // passkeys
	Few      bool // recovery codes are left, or none
	Sessions []signedInAt
}

func (s *Site) security(c *fiber.Ctx, by practice.Person) error {
	return s.showSecurity(c, by, nil)
}

func (s *Site) showSecurity(c *fiber.Ctx, by practice.Person, wrong practice.Invalid) error {
	how, err := s.Practice.Security(c.UserContext(), by)
	if err != nil {
		return err
	}
	keys, err := s.Practice.Passkeys(c.UserContext(), by)
	if err != nil {
		return err
	}
	page := securityPage{Shell: s.shell(c, "Sign-in and security", ""), Security: how, Keys: keys, Offers: s.Practice.OffersPasskeys(), Few: how.RecoveryCodes <= fewCodes}
	if page.Sessions, err = s.signedInAt(c, by); err != nil {
		return err
	}
	if wrong != nil {
		c.Status(fiber.StatusUnprocessableEntity)
		page.Problem = wrong["remove"]
	}
	return s.show(c, "security/page", page)
}

// authenticatorPage has a person set up their authenticator app.
type authenticatorPage struct {
	Shell
	appToSetUp
	Anew   bool // in the place of another
	Errors practice.Invalid
}

func (s *Site) authenticator(c *fiber.Ctx, by practice.Person) error {
	return s.showAuthenticator(c, by, nil)
}

func (s *Site) showAuthenticator(c *fiber.Ctx, by practice.Person, wrong practice.Invalid) error {
	e, err := s.Practice.Enrolment(c.UserContext(), by, s.waitingEnrolment(c))
	if err != nil {
		return err
	}
	how, err := s.Practice.Ways(c.UserContext(), by)
	if err != nil {
		return err
	}
	page := authenticatorPage{Shell: s.shell(c, "Set up an authenticator app", ""), Anew: how.Authenticator, Errors: wrong}
	if page.Anew {
		page.Title = "Move your authenticator app to another phone"
	}
	if page.appToSetUp, err = s.appToSetUp(c, e); err != nil {
		return err
	}
	if wrong != nil {
		c.Status(fiber.StatusUnprocessableEntity)
	}
	return s.show(c, "security/authenticator", page)
}

func (s *Site) enrolAuthenticator(c *fiber.Ctx, by practice.Person) error {
	e, err := s.Practice.EnrolAuthenticator(c.UserContext(), by, s.cookie.get(c, sessionCookie), c.FormValue("enrolment"), c.FormValue("code"), s.browser(c))
	if err != nil {
		wrong, err := invalid(err)
		if err != nil {
			return err
		}
		return s.showAuthenticator(c, by, wrong)
	}
	return s.enrolled(c, e, securityPath, "step set up")
}

// questionPage asks a person before something is taken from how they sign in.
type questionPage struct {
	Shell
	practice.Security
}

func (s *Site) authenticatorToRemove(c *fiber.Ctx, by practice.Person) error {
	how, err := s.Practice.Security(c.UserContext(), by)
	if err != nil {
		return err
	}
	if !how.Factors.Authenticator || how.Last() {
		return s.seeOther(c, securityPath)
	}
	return s.show(c, "security/remove", questionPage{s.shell(c, "Remove the authenticator app?", ""), how})
}

func (s *Site) removeAuthenticator(c *fiber.Ctx, by practice.Person) error {
	if err := s.Practice.RemoveAuthenticator(c.UserContext(), by, s.browser(c)); err != nil {
		wrong, err := invalid(err)
		if err != nil {
			return err
		}
		return s.showSecurity(c, by, wrong)
	}
	s.notify(c, "app removed")
	return s.seeOther(c, securityPath)
}

// recoveryCodesPage asks before recovery codes are made anew.
type recoveryCodesPage struct {
	Shell
	practice.Security
	Set string // the codes that are replaced
}

func (s *Site) recoveryCodes(c *fiber.Ctx, by practice.Person) error {
	how, err := s.Practice.Security(c.UserContext(), by)
	if err != nil {
		return err
	}
	if !how.Any() {
		return s.seeOther(c, securityPath)
	}
	set, err := s.Practice.RecoverySet(c.UserContext(), by)
	if err != nil {
		return err
	}
	return s.show(c, "security/recovery_codes", recoveryCodesPage{s.shell(c, "Make new recovery codes?", ""), how, set})
}

// newRecoveryCodes makes new codes, once: whoever sends the form again, as by loading the codes' page anew, keeps those of before.
func (s *Site) newRecoveryCodes(c *fiber.Ctx, by practice.Person) error {
	codes, err := s.Practice.NewRecoveryCodes(c.UserContext(), by, c.FormValue("replaced"))
	if errors.Is(err, practice.ErrNewerCodes) {
		s.notify(c, "codes given")
		return s.seeOther(c, securityPath)
	}
	if err != nil {
		return err
	}
	return s.showCodes(c, codes, securityPath)
}
