package handlers

import (
	"strings"

	"anteroom/mail"
	"anteroom/practice"

	"github.com/gofiber/fiber/v2"
)

// Addresses under Organization, Mail.
const (
	mailPath         = "/organization/mail"
	mailSettingsPath = mailPath + "/settings"
	mailDomainPath   = mailPath + "/domain"
	mailQueuePath    = mailPath + "/queue"
)

func (s *Site) mail(c *fiber.Ctx, _ practice.Administrator) error {
	return s.seeOther(c, mailSettingsPath)
}

// mailPage is how mail is set up, and how the latest test went.
type mailPage struct {
	Shell
	Outbox practice.OutboxStatus
	practice.MailSettings
	Providers []mail.Provider
	Preset    mail.Provider // whose settings the form shows
	Other     bool          // another provider was chosen, or is set
	Chosen    bool          // the form is shown: a provider was chosen, or one is set
	Test      *practice.MailTest
	Saved     string // what was saved before the test
	Errors    practice.Invalid

	onFile practice.MailFields
}

// From is where the outbox's buttons are.
func (p mailPage) From() string { return "settings" }

// Unsaved tells that the form shows other settings than those that are used.
func (p mailPage) Unsaved() bool { return p.Fields != p.onFile }

func (s *Site) mailSettings(c *fiber.Ctx, by practice.Administrator) error {
	page, err := s.mailPage(c, by)
	if err != nil {
		return err
	}
	if c.Query("tested") != "" {
		page.Saved, page.Notice = page.Notice, "" // beside the test, to which one is led
	}
	switch name := c.Query("provider"); name {
	case "":
	case "other":
		page.Fields, page.Chosen = page.Fields.Preset(mail.Provider{}), true
	default:
		provider, ok := mail.ProviderNamed(name)
		if !ok {
			return practice.ErrNotFound
		}
		page.Fields, page.Chosen = page.Fields.Preset(provider), true
	}
	return s.showMailSettings(c, page, nil)
}

func (s *Site) mailPage(c *fiber.Ctx, by practice.Administrator) (page mailPage, err error) {
	page.MailSettings, err = s.Practice.MailSettings(c.UserContext(), by)
	page.Shell, page.Outbox = s.mailShell(c, "Mail")
	page.Providers, page.Test = mail.Providers, s.Practice.LastMailTest(by)
	page.Chosen, page.onFile = page.Set, page.Fields
	return page, err
}

func (s *Site) showMailSettings(c *fiber.Ctx, page mailPage, wrong practice.Invalid) error {
	if page.Errors = wrong; len(wrong) > 0 {
		c.Status(fiber.StatusUnprocessableEntity)
		page.Problem = wrong["version"]
	}
	page.Preset, _ = mail.ProviderNamed(page.Fields.Provider)
	page.Other = page.Chosen && page.Fields.Provider == ""
	return s.show(c, "outbox/settings", page)
}

func (s *Site) saveMailSettings(c *fiber.Ctx, by practice.Administrator) error {
	typed := practice.MailFields{Provider: c.FormValue("provider"), Host: c.FormValue("host"), Port: c.FormValue("port"), Security: c.FormValue("security"),
		From: c.FormValue("from"), SignIn: c.FormValue("sign_in"), Username: c.FormValue("username"), Password: c.FormValue("password"),
		TokenURL: c.FormValue("token_url"), ClientID: c.FormValue("client_id"), Secret: c.FormValue("client_secret"), Refresh: c.FormValue("refresh_token"),
		Scope: c.FormValue("scope"), PerMinute: c.FormValue("per_minute"), PerDay: c.FormValue("per_day"), Version: c.FormValue("version")}
	aside, err := s.Practice.ChangeMail(c.UserContext(), by, typed)
	if err != nil {
		wrong, err := invalid(err)
		if err != nil {
			return err
		}
		page, err := s.mailPage(c, by)
		if err != nil {
			return err
		}
		if wrong["version"] != "" { // who saves again has read what changed
			typed.Version = page.Fields.Version
		}
		typed.Password, typed.Secret, typed.Refresh = "", "", "" // never shown again, not even what was just typed
		page.Fields, page.Chosen = typed, true
		return s.showMailSettings(c, page, wrong)
	}
	saved := "mail saved"
	if aside > 0 {
		saved = "mail saved, set aside"
	}
	if c.FormValue("do") == "test" {
		return s.testMail(c, by, saved, aside)
	}
	s.notify(c, saved, aside)
	return s.seeOther(c, mailSettingsPath)
}

func (s *Site) sendTestLetter(c *fiber.Ctx, by practice.Administrator) error {
	return s.testMail(c, by, "", 0)
}

// testMail sends a test letter. saved is the notice of settings that were saved just before, if they were.
func (s *Site) testMail(c *fiber.Ctx, by practice.Administrator, saved string, aside int) error {
	if err := s.Practice.SendTestLetter(c.UserContext(), by); err != nil {
		wrong, err := invalid(err)
		if err != nil {
			return err
		}
		page, err := s.mailPage(c, by)
		if err != nil {
			return err
		}
		page.Saved = strings.Replace(notices[saved], "%s", thousands(aside), 1)
		return s.showMailSettings(c, page, wrong)
	}
	if saved != "" {
		s.notify(c, saved, aside)
		return s.seeOther(c, mailSettingsPath+"?tested=1#test")
	}
	return s.seeOther(c, mailSettingsPath+"#test")
}

func (s *Site) forgetMail(c *fiber.Ctx, by practice.Administrator) error {
	if err := s.Practice.ForgetMail(c.UserContext(), by); err != nil {
		return err
	}
	s.notify(c, "mail forgotten")
	return s.seeOther(c, mailSettingsPath)
}

// textField is one field into which something is typed about mail.
type textField struct {
	Name, Label, Hint string
	Type              string // of its input
	Short, Optional   bool
	Value, Error      string
	Kept              bool // a secret of it is on file
}

// Text is one of the page's fields.
func (p mailPage) Text(name string) textField {
	f := p.Fields
	field := map[string]textField{
		"host":          {Label: "Mail server", Hint: "Its name, such as smtp.example.com.", Value: f.Host},
		"port":          {Label: "Port", Hint: "587 with STARTTLS, 465 with TLS from the start.", Short: true, Value: f.Port},
		"from":          {Label: "From address", Type: "email", Hint: "Clients see that mails come from it. The mail server must let you send with it.", Value: f.From},
		"username":      {Label: "User name", Value: f.Username},
		"password":      {Label: "Password", Type: "password", Kept: p.HasPassword},
		"token_url":     {Label: "Token address", Type: "url", Hint: "Where the provider gives out tokens. It begins with https://.", Value: f.TokenURL},
		"client_id":     {Label: "Client ID", Value: f.ClientID},
		"client_secret": {Label: "Client secret", Type: "password", Kept: p.HasSecret},
		"refresh_token": {Label: "Refresh token", Type: "password", Optional: true, Hint: "Without one, the client signs in by its own secret (client credentials).", Kept: p.HasRefresh},
		"scope":         {Label: "Scope", Optional: true, Value: f.Scope},
		"per_minute":    {Label: "Letters a minute", Hint: "At most so many leave. Empty: no limit.", Short: true, Optional: true, Value: f.PerMinute},
		"per_day":       {Label: "Letters a day", Hint: "The rest leave the day after. Empty: no limit.", Short: true, Optional: true, Value: f.PerDay},
	}[name]
	field.Name, field.Error = name, p.Errors[name]
	return field
}

// domainPage is what the DNS says of the domain that mails come from.
type domainPage struct {
	Shell
	From   string
	Asked  practice.DomainQuestion
	Check  *practice.DomainCheck // nil: not looked up yet
	Errors practice.Invalid
}

func (s *Site) mailDomain(c *fiber.Ctx, by practice.Administrator) error {
	settings, err := s.Practice.MailSettings(c.UserContext(), by)
	if err != nil {
		return err
	}
	page := domainPage{Shell: s.organization(c, "Check the domain", "mail"), Asked: practice.DomainQuestion{SPF: c.Query("spf"), Selector: c.Query("selector")}}
	if settings.Set && settings.Fault == "" {
		page.From = settings.Fields.From
	}
	if page.From != "" && c.Query("look") != "" {
		check, err := s.Practice.CheckDomain(c.UserContext(), by, page.Asked)
		if page.Errors, err = invalid(err); err != nil {
			return err
		}
		if len(page.Errors) > 0 {
			c.Status(fiber.StatusUnprocessableEntity)
		} else {
			page.Check = &check
		}
	}
	return s.show(c, "outbox/domain", page)
}

// recordStates are the kinds of badge that tell of a record.
var recordStates = map[practice.RecordState]string{
	practice.RecordFine: "good", practice.RecordOpen: "info", practice.RecordUnknown: "warn",
	practice.RecordShort: "warn", practice.RecordMissing: "warn", practice.RecordHarsh: "bad", practice.RecordFaulty: "bad",
}

// Badge is the kind of badge that tells of a record.
func (p domainPage) Badge(state practice.RecordState) string { return recordStates[state] }
