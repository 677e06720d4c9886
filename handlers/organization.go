package handlers

import (
	"time"

	"anteroom/db"
	"anteroom/practice"

	"github.com/gofiber/fiber/v2"
)

// settingsPage is what mails and the portal say of the organization.
type settingsPage struct {
	Shell
	practice.OrganizationFields
	Zones  []string
	Errors practice.Invalid
}

func (s *Site) settings(c *fiber.Ctx, _ practice.Administrator) error {
	o, err := s.Practice.Organization(c.UserContext())
	if err != nil {
		return err
	}
	return s.showSettings(c, practice.OrganizationFieldsOf(o), nil)
}

func (s *Site) showSettings(c *fiber.Ctx, fields practice.OrganizationFields, wrong practice.Invalid) error {
	if len(wrong) > 0 {
		c.Status(fiber.StatusUnprocessableEntity)
	}
	page := settingsPage{s.organization(c, "Settings", "settings"), fields, timeZones, wrong}
	if page.Problem = wrong["version"]; page.Problem != "" { // who saves again has read what changed
		o, err := s.Practice.Organization(c.UserContext())
		if err != nil {
			return err
		}
		page.Version = practice.OrganizationFieldsOf(o).Version
	}
	return s.show(c, "organization/settings", page)
}

func (s *Site) saveSettings(c *fiber.Ctx, by practice.Administrator) error {
	fields := organizationTyped(c)
	fields.Version = c.FormValue("version")
	if err := s.Practice.ChangeOrganization(c.UserContext(), by, fields); err != nil {
		wrong, err := invalid(err)
		if err != nil {
			return err
		}
		return s.showSettings(c, fields, wrong)
	}
	s.notify(c, "saved")
	return s.seeOther(c, "/organization/settings")
}

func organizationTyped(c *fiber.Ctx) practice.OrganizationFields {
	return practice.OrganizationFields{Name: c.FormValue("name"), Phone: c.FormValue("phone"), Address: c.FormValue("address"),
		Email: c.FormValue("reply_email"), TimeZone: c.FormValue("time_zone")}
}

// timeZones are the zones offered where practices of the United States, Canada and Europe are; any other can be typed.
var timeZones = []string{
	"America/New_York", "America/Chicago", "America/Denver", "America/Phoenix", "America/Los_Angeles", "America/Anchorage",
	"Pacific/Honolulu", "America/Puerto_Rico", "America/Halifax", "America/Toronto", "America/Winnipeg", "America/Edmonton",
	"America/Vancouver", "Europe/London", "Europe/Dublin", "Europe/Lisbon", "Europe/Madrid", "Europe/Paris", "Europe/Berlin",
	"Europe/Rome", "Europe/Warsaw", "Europe/Athens", "Australia/Sydney", "Australia/Perth", "Pacific/Auckland", "UTC",
}

// portalSettingsPage is how the client portal is set.
type portalSettingsPage struct {
	Shell
	practice.PortalFields
	Errors practice.Invalid
	OffAt  time.Time // zero: the portal is on
	Late   string    // which reminders come after a link expired, and aren't sent; empty: none
}

func (s *Site) clientPortal(c *fiber.Ctx, _ practice.Administrator) error {
	return s.seeOther(c, "/organization/client-portal/settings")
}

func (s *Site) portalSettings(c *fiber.Ctx, by practice.Administrator) error {
	o, err := s.Practice.Organization(c.UserContext())
	if err != nil {
		return err
	}
	return s.showPortalSettings(c, by, o, practice.PortalFieldsOf(o), nil)
}

func (s *Site) showPortalSettings(c *fiber.Ctx, by practice.Administrator, o db.Organization, fields practice.PortalFields, wrong practice.Invalid) error {
	if len(wrong) > 0 {
		c.Status(fiber.StatusUnprocessableEntity)
	}
	reminders, err := s.Practice.ReminderFields(c.UserContext(), by)
	if err != nil {
		return err
	}
	page := portalSettingsPage{s.organization(c, "Client Portal", "client-portal"), fields, wrong, o.PortalOffAt, reminders.Late}
	if page.Problem = wrong["version"]; page.Problem != "" {
		page.Version = practice.PortalFieldsOf(o).Version
	}
	return s.show(c, "organization/client_portal", page)
}

func (s *Site) savePortalSettings(c *fiber.Ctx, by practice.Administrator) error {
	fields := practice.PortalFields{InvitationDays: c.FormValue("invitation_days"), Welcome: c.FormValue("welcome"),
		Help: c.FormValue("help"), Crisis: c.FormValue("crisis"), Version: c.FormValue("version")}
	if err := s.Practice.ChangePortal(c.UserContext(), by, fields); err != nil {
		wrong, err := invalid(err)
		if err != nil {
			return err
		}
		o, err := s.Practice.Organization(c.UserContext())
		if err != nil {
			return err
		}
		return s.showPortalSettings(c, by, o, fields, wrong)
	}
	s.notify(c, "saved")
	return s.seeOther(c, "/organization/client-portal/settings")
}
