package handlers

import (
	"cmp"
	"errors"
	"net/url"
	"regexp"
	"strings"

	"anteroom/db"
	"anteroom/practice"

	"github.com/gofiber/fiber/v2"
)

// secondStepPath is where whoever is halfway takes the second step.
const secondStepPath = "/second-step"

const confirmPath = "/confirm"

// Fields in which a person proves who they are. They ride on the write that asked for it, whose own fields never begin so.
const (
	confirmPrefix   = ":confirm-"
	confirmPassword = confirmPrefix + "password"
	confirmCode     = confirmPrefix + "code"
	confirmRecovery = confirmPrefix + "recovery" // a recovery code
	confirmPasskey  = confirmPrefix + "passkey"
	confirmBack     = confirmPrefix + "back"  // not a proof: the page that they were on
	confirmKept     = confirmPrefix + "kept-" // before the name of a field with a secret, which waits sealed
)

// isSecret matches the names of fields in which secrets are typed: they are not told again, not even to who typed them.
var isSecret = regexp.MustCompile(`password|secret|token$`)

// act is what a route that may ask for a proof is for.
type act struct {
	words string // those of its button
	typed bool   // something is typed for it
	file  bool   // it answers with a file, beside which the page stays
}

// needsProof tells what is asked for at the routes that may ask for a proof.
var needsProof = map[string]act{
	"/clients/:id/edit":            {words: "change a client’s address", typed: true},
	"/clients/:id/release-address": {words: "release a client’s address"},
	"/clients/:id/therapists":      {words: "change who sees a client"},
	"/clients/:id/second-step":     {words: "remove a client’s second step"},
	"/clients/:id/delete":          {words: "delete a client’s data", typed: true},
	"/clients/chosen":              {words: "change who sees the chosen clients"},
	staffPath:                      {words: "add a staff member", typed: true},
	staffPath + "/:id":             {words: "change a staff member’s rights", typed: true},
	staffPath + "/:id/email":       {words: "change a staff member’s address", typed: true},
	staffPath + "/:id/clients":     {words: "change whom a staff member sees"},
	staffPath + "/:id/second-step": {words: "remove a staff member’s second step"},
	staffPath + "/:id/disable":     {words: "disable a staff member"},
	staffPath + "/:id/enable":      {words: "enable a staff member"},
	mailSettingsPath:               {words: "change how mail is sent", typed: true},
	mailPath + "/forget":           {words: "forget the mail settings"},
	mailPath + "/outbox":           {words: "let letters leave again"},
	requiredStepPath:               {words: "change who takes a second step"},
	keysPath + "/rotate":           {words: "rotate the key"},
	importPath + "/:id":            {words: "change clients by a list"},
	exportPath:                     {words: "export a list", file: true},
	invitationsPath:                {words: "download the list of invitations", file: true},
	auditPath:                      {words: "download the audit log", file: true},
	"/portal/address":              {words: "change your email address", typed: true},
	authenticatorPath:              {words: "set up an authenticator app", typed: true},
	authenticatorPath + "/remove":  {words: "remove your authenticator app"},
	newPasskeyPath:                 {words: "add a passkey"},
	passkeysPath + "/:id/remove":   {words: "remove a passkey"},
	recoveryCodesPath:              {words: "make new recovery codes"},
}

// exports are the words of exportPath's buttons.
var exports = map[string]string{"clients": "export the clients", "portal": "export the states", "forms": "export completed forms"}

// askedFor tells what a request asked for that needs a proof. With confirmPath, that is a page.
func askedFor(c *fiber.Ctx, ways db.Factors) act {
	path, page := c.Path(), c.Method() == fiber.MethodGet
	if path == confirmPath {
		path, _, _ = strings.Cut(c.FormValue("next"), "?")
		page = true
	}
	for route, asked := range needsProof {
		if !fiber.RoutePatternMatch(path, route) {
			continue
		}
		if route == exportPath {
			asked.words = cmp.Or(exports[c.FormValue("what")], asked.words)
		}
		if route == authenticatorPath && ways.Authenticator {
			asked.words = "move your authenticator app to another phone"
		}
		asked.typed, asked.file = asked.typed && !page, asked.file && !page
		return asked
	}
	return act{}
}

// proofPage asks a person to prove who they are, and holds what they had sent, so that nothing has to be typed again.
type proofPage struct {
	Shell
	Act     string // what they asked for, in words
	Action  string
	Fields  []sentField
	Sent    bool   // they had filled in a form
	Typed   bool   // they had typed into it
	File    bool   // what they asked for comes as a file, and this page stays
	Back    string // where they were, for who would rather not
	Ways    db.Factors
	Passkey *passkeyButton // where they have one
	Code    codeField
	Errors  practice.Invalid
}

// sentField is one field that a form sent.
type sentField struct{ Name, Value string }

// sentFields are the fields that a form sent, in their order.
func sentFields(c *fiber.Ctx) (all []sentField) {
	c.Request().PostArgs().VisitAll(func(name, value []byte) { all = append(all, sentField{string(name), string(value)}) })
	return all
}

// askConfirm asks for a proof of who somebody is: with it, the same request is made again.
func (s *Site) askConfirm(c *fiber.Ctx, wrong practice.Invalid) error {
	by, ok := actor(c).Person()
	if !ok {
		return s.refuse(c)
	}
	page := proofPage{Shell: s.shell(c, "Confirm it’s you", ""), Action: c.OriginalURL(), Back: cameFrom(c), Errors: wrong}
	if !local(page.Action) {
		return practice.ErrNotFound
	}
	var err error
	if page.Ways, err = s.Practice.Ways(c.UserContext(), by); err != nil {
		return err
	}
	asked := askedFor(c, page.Ways)
	page.Act, page.Typed, page.File = asked.words, asked.typed, asked.file
	page.Code = newCodeField(c, confirmPrefix, page.Ways, wrong)
	if page.Ways.Passkeys > 0 {
		page.Passkey = s.passkeyButton(passkeyButton{Field: confirmPasskey, Options: confirmPasskeyPath, Words: "Use your passkey", Problem: wrong["passkey"], Primary: true})
	}
	if c.Method() == fiber.MethodGet {
		page.Action, page.Fields = confirmPath, []sentField{{"next", here(c)}}
	}
	for _, f := range sentFields(c) {
		if strings.HasPrefix(f.Name, confirmPrefix) && !strings.HasPrefix(f.Name, confirmKept) {
			continue
		}
		if isSecret.MatchString(f.Name) && !strings.HasPrefix(f.Name, confirmKept) && f.Value != "" {
			if f.Value, err = s.Practice.KeepSecret(c.UserContext(), by, f.Name, f.Value); err != nil {
				return err
			}
			f.Name = confirmKept + f.Name
		}
		page.Fields = append(page.Fields, f)
	}
	page.Sent = len(page.Fields) > 0 && page.Action != confirmPath && !page.File
	c.Status(fiber.StatusForbidden)
	if wrong != nil {
		c.Status(fiber.StatusUnprocessableEntity)
	}
	if partly(c) {
		// What asked was a part of a page: the question takes the place of all of it.
		c.Set("HX-Retarget", "#main")
		c.Set("HX-Reswap", "innerHTML")
	}
	return s.render(c, "session/confirm", "session/_confirm", page)
}

// cameFrom is the page of this site that a person was on before they were asked for a proof, however often they were.
func cameFrom(c *fiber.Ctx) string {
	if back := string(c.Request().PostArgs().Peek(confirmBack)); local(back) {
		return back
	}
	from := c.Get(fiber.HeaderReferer)
	if partly(c) {
		from = c.Get("HX-Current-URL")
	}
	if u, err := url.Parse(from); err == nil && local(u.RequestURI()) && from != "" {
		return u.RequestURI()
	}
	return "/"
}

// takeProof takes the proof of who somebody is that rides on a write, before the write goes on.
func (s *Site) takeProof(c *fiber.Ctx) error {
	by, ok := actor(c).Person()
	args := c.Request().PostArgs()
	if !ok || c.Method() != fiber.MethodPost || !args.Has(confirmPassword) && !args.Has(confirmCode) && !args.Has(confirmRecovery) && !args.Has(confirmPasskey) {
		return c.Next()
	}
	// A proof that is fresh yet isn't asked for again: a second click, or a second Confirm beside a file, sends a code that is spent.
	if !s.Practice.Confirmed(by) {
		if wrong, err := s.prove(c, by); err != nil {
			return err
		} else if wrong != nil {
			return s.askConfirm(c, wrong)
		}
	}
	if err := s.unseal(c, by); err != nil {
		return err
	}
	return c.Next()
}

// prove judges the proof that a request brings, and gives the browser the session's new cookie.
func (s *Site) prove(c *fiber.Ctx, by practice.Person) (wrong practice.Invalid, err error) {
	args := c.Request().PostArgs()
	proof := practice.Proof{Password: string(args.Peek(confirmPassword)), Code: typedCode(c, confirmPrefix), Passkey: string(args.Peek(confirmPasskey))}
	if proof.Passkey != "" {
		proof.Challenge = s.takeChallenge(c, confirmChallenge)
	}
	token, now, err := s.Practice.Confirm(c.UserContext(), by, s.cookie.get(c, sessionCookie), proof, s.browser(c))
	if err != nil {
		return invalid(err)
	}
	s.cookie.set(c, sessionCookie, token, 0)
	c.Locals(actorKey, now)
	return nil, nil
}

// unseal puts the secrets that waited sealed back into the fields in which they were typed.
func (s *Site) unseal(c *fiber.Ctx, by practice.Person) error {
	for _, f := range sentFields(c) {
		name, kept := strings.CutPrefix(f.Name, confirmKept)
		if !kept {
			continue
		}
		secret, err := s.Practice.KeptSecret(c.UserContext(), by, name, f.Value)
		if errors.Is(err, practice.ErrNotFound) {
			return fiber.NewError(fiber.StatusConflict, "That took too long, so nothing was done. Go back and type it again.")
		}
		if err != nil {
			return err
		}
		c.Request().PostArgs().Add(name, secret)
	}
	return nil
}

// confirmed sends a person on to the page for which they had to prove who they are; takeProof has seen to that.
func (s *Site) confirmed(c *fiber.Ctx, _ practice.Person) error {
	return s.goOn(c, actor(c), c.FormValue("next"))
}

// secondStepOf is the address of the second step, and of where to go on after it.
func secondStepOf(next string) string { return secondStepPath + "?next=" + url.QueryEscape(next) }
