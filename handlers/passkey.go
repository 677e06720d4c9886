package handlers

import (
	"errors"

	"anteroom/practice"

	"github.com/gofiber/fiber/v2"
)

// Addresses at which passkeys' answers are taken. Only script can ask a browser for a passkey, so it asks at optionsOf of each
// what to ask for; the answer comes back as a field of an ordinary form, and what is said to it is an ordinary page.
const (
	signInPasskeyPath  = "/sign-in/passkey"
	stepPasskeyPath    = secondStepPath + "/passkey"
	firstPasskeyPath   = secondStepPath + "/new-passkey"
	confirmPasskeyPath = confirmPath + "/passkey"
	passkeysPath       = securityPath + "/passkeys"
	newPasskeyPath     = passkeysPath + "/new"
	optionsOf          = "/options"
)

// passkeyField is the field of a form in which a passkey's answer comes back.
const passkeyField = "passkey"

// A browser brings the challenge back that its passkey answers: one for each thing that it can be asked for, so that two windows
// disturb each other little.
const (
	signInChallenge  = "passkey-sign-in"
	stepChallenge    = "passkey-step"
	confirmChallenge = "passkey-confirm"
	newChallenge     = "passkey-new"
)

// passkeyButton asks a browser for a passkey. Script shows it, where the browser knows passkeys.
type passkeyButton struct {
	Field   string // in which the answer comes back
	Options string // where script asks what to ask for
	Words   string
	Problem string // why the answer of before wasn't taken
	Primary bool
	Offer   bool // the browser offers passkeys also where an address is typed
}

// passkeyButton is a button, or none where passkeys aren't offered.
func (s *Site) passkeyButton(b passkeyButton) *passkeyButton {
	if !s.Practice.OffersPasskeys() {
		return nil
	}
	if b.Field == "" {
		b.Field = passkeyField
	}
	b.Options += optionsOf
	return &b
}

// askBrowser tells script what to ask the browser for, and has the browser keep the challenge.
func (s *Site) askBrowser(c *fiber.Ctx, challenge string, o practice.PasskeyOptions, sealed string, err error) error {
	if errors.Is(err, practice.ErrConfirm) {
		return c.Status(fiber.StatusForbidden).JSON(fiber.Map{"error": "It has been a while since you proved who you are. Reload this page."})
	}
	if err != nil {
		wrong, err := invalid(err)
		if err != nil {
			return err
		}
		return c.Status(fiber.StatusUnprocessableEntity).JSON(fiber.Map{"error": wrong["passkey"]})
	}
	s.cookie.set(c, challenge, sealed, practice.ChallengeLife)
	return c.JSON(o)
}

// takeChallenge returns the challenge that a browser brings back, which it then forgets.
func (s *Site) takeChallenge(c *fiber.Ctx, challenge string) (sealed string) {
	sealed = s.cookie.get(c, challenge)
	s.cookie.clear(c, challenge)
	return sealed
}

func (s *Site) askToSignIn(c *fiber.Ctx) error {
	o, sealed, err := s.Practice.AskToSignIn(c.UserContext())
	return s.askBrowser(c, signInChallenge, o, sealed, err)
}

func (s *Site) signInWithPasskey(c *fiber.Ctx) error {
	next := c.FormValue("next")
	token, who, err := s.Practice.SignInWithPasskey(c.UserContext(), s.takeChallenge(c, signInChallenge), c.FormValue(passkeyField), s.browser(c))
	if errors.Is(err, practice.ErrPortalOff) {
		return s.closed(c)
	}
	if err != nil {
		wrong, err := invalid(err)
		if err != nil {
			return err
		}
		return s.showSignIn(c, signInPage{Next: next, Errors: wrong})
	}
	return s.cameIn(c, token, who, next)
}

func (s *Site) askToStep(c *fiber.Ctx, by practice.Halfway) error {
	o, sealed, err := s.Practice.AskToStep(c.UserContext(), by)
	return s.askBrowser(c, stepChallenge, o, sealed, err)
}

func (s *Site) takeStepByPasskey(c *fiber.Ctx, by practice.Halfway) error {
	next := c.FormValue("next")
	token, who, err := s.Practice.TakeStepByPasskey(c.UserContext(), by, s.cookie.get(c, sessionCookie), s.takeChallenge(c, stepChallenge), c.FormValue(passkeyField), s.browser(c))
	if err != nil {
		wrong, err := invalid(err)
		if err != nil {
			return err
		}
		return s.showSecondStep(c, by, next, wrong)
	}
	s.cookie.set(c, sessionCookie, token, 0)
	return s.goOn(c, who, next)
}

func (s *Site) askForFirstPasskey(c *fiber.Ctx, by practice.Halfway) error {
	o, sealed, err := s.Practice.AskForFirstPasskey(c.UserContext(), by)
	return s.askBrowser(c, newChallenge, o, sealed, err)
}

func (s *Site) addFirstPasskey(c *fiber.Ctx, by practice.Halfway) error {
	next := c.FormValue("next")
	e, err := s.Practice.AddFirstPasskey(c.UserContext(), by, s.cookie.get(c, sessionCookie), s.takeChallenge(c, newChallenge), c.FormValue(passkeyField), "", s.browser(c))
	if errors.Is(err, practice.ErrNotFound) { // they set a second step up in another window
		return s.seeOther(c, secondStepOf(next))
	}
	if err != nil {
		wrong, err := invalid(err)
		if err != nil {
			return err
		}
		return s.showSecondStep(c, by, next, wrong)
	}
	return s.enrolled(c, e, next, "passkey added")
}

func (s *Site) askToConfirm(c *fiber.Ctx, by practice.Person) error {
	o, sealed, err := s.Practice.AskToConfirm(c.UserContext(), by)
	return s.askBrowser(c, confirmChallenge, o, sealed, err)
}

// newPasskeyPage has a person add a passkey.
type newPasskeyPage struct {
	Shell
	Name   string
	Button *passkeyButton
	Errors practice.Invalid
}

func (s *Site) newPasskey(c *fiber.Ctx, by practice.Person) error {
	if err := s.Practice.MayAddPasskey(c.UserContext(), by); err != nil {
		wrong, err := invalid(err)
		if err != nil {
			return err
		}
		return s.showSecurity(c, by, practice.Invalid{"remove": wrong["passkey"]})
	}
	return s.showNewPasskey(c, s.browser(c).Words, nil)
}

func (s *Site) showNewPasskey(c *fiber.Ctx, name string, wrong practice.Invalid) error {
	if wrong != nil {
		c.Status(fiber.StatusUnprocessableEntity)
	}
	button := s.passkeyButton(passkeyButton{Options: newPasskeyPath, Words: "Add the passkey", Problem: wrong["passkey"], Primary: true})
	return s.show(c, "security/new_passkey", newPasskeyPage{s.shell(c, "Add a passkey", ""), name, button, wrong})
}

func (s *Site) askForPasskey(c *fiber.Ctx, by practice.Person) error {
	o, sealed, err := s.Practice.AskForPasskey(c.UserContext(), by)
	return s.askBrowser(c, newChallenge, o, sealed, err)
}

func (s *Site) addPasskey(c *fiber.Ctx, by practice.Person) error {
	name := c.FormValue("name")
	e, err := s.Practice.AddPasskey(c.UserContext(), by, s.cookie.get(c, sessionCookie), s.takeChallenge(c, newChallenge), c.FormValue(passkeyField), name, s.browser(c))
	if err != nil {
		wrong, err := invalid(err)
		if err != nil {
			return err
		}
		return s.showNewPasskey(c, name, wrong)
	}
	return s.enrolled(c, e, securityPath, "passkey added")
}

// passkeyPage has a person rename or remove one of their passkeys.
type passkeyPage struct {
	Shell
	practice.Security
	Passkey practice.Passkey
	Typed   string // its name, as it was typed
	Errors  practice.Invalid
}

func (s *Site) passkey(c *fiber.Ctx, by practice.Person) error {
	return s.showPasskey(c, by, "", nil)
}

func (s *Site) showPasskey(c *fiber.Ctx, by practice.Person, typed string, wrong practice.Invalid) error {
	key, err := s.Practice.Passkey(c.UserContext(), by, c.Params("id"))
	if err != nil {
		return err
	}
	how, err := s.Practice.Security(c.UserContext(), by)
	if err != nil {
		return err
	}
	page := passkeyPage{s.shell(c, key.Name, ""), how, key, key.Name, wrong}
	if wrong != nil {
		c.Status(fiber.StatusUnprocessableEntity)
		page.Problem = wrong["remove"]
		if wrong["name"] != "" {
			page.Typed = typed
		}
	}
	return s.show(c, "security/passkey", page)
}

func (s *Site) renamePasskey(c *fiber.Ctx, by practice.Person) error {
	name := c.FormValue("name")
	if err := s.Practice.RenamePasskey(c.UserContext(), by, c.Params("id"), name); err != nil {
		wrong, err := invalid(err)
		if err != nil {
			return err
		}
		return s.showPasskey(c, by, name, wrong)
	}
	s.notify(c, "saved")
	return s.seeOther(c, securityPath)
}

func (s *Site) removePasskey(c *fiber.Ctx, by practice.Person) error {
	if err := s.Practice.RemovePasskey(c.UserContext(), by, c.Params("id"), s.browser(c)); err != nil {
		wrong, err := invalid(err)
		if err != nil {
			return err
		}
		return s.showPasskey(c, by, "", wrong)
	}
	s.notify(c, "passkey removed")
	return s.seeOther(c, securityPath)
}
