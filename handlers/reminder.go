package handlers

import (
	"strconv"
	"time"

	"anteroom/practice"

	"github.com/gofiber/fiber/v2"
)

const remindersPath = "/organization/client-portal/reminders"

// About is a day and the hour near a time, as staff read it: what happens then waits for its turn.
func (s Shell) About(t time.Time) string {
	t = t.In(s.zone).Round(time.Hour)
	return t.Format("Mon, Jan 2") + " (about " + practice.HourInWords(t.Hour()) + ")"
}

// remindersPage is when clients are reminded, and the hours in which they are not.
type remindersPage struct {
	Shell
	practice.ReminderFields
	Errors     practice.Invalid
	FromHours  []option
	UntilHours []option
}

func (s *Site) reminders(c *fiber.Ctx, by practice.Administrator) error {
	fields, err := s.Practice.ReminderFields(c.UserContext(), by)
	if err != nil {
		return err
	}
	return s.showReminders(c, fields, nil)
}

func (s *Site) showReminders(c *fiber.Ctx, fields practice.ReminderFields, wrong practice.Invalid) error {
	if len(wrong) > 0 {
		c.Status(fiber.StatusUnprocessableEntity)
	}
	page := remindersPage{s.organization(c, "Client Portal", "client-portal"), fields, wrong, hours(fields.QuietFrom), hours(fields.QuietUntil)}
	page.Problem = wrong["version"]
	return s.show(c, "organization/reminders", page)
}

// hours are those of a day, to choose from.
func hours(chosen string) (all []option) {
	for hour := range 24 {
		value := strconv.Itoa(hour)
		all = append(all, option{Value: value, Words: capital(practice.HourInWords(hour)), Selected: value == chosen})
	}
	return all
}

func (s *Site) saveReminders(c *fiber.Ctx, by practice.Administrator) error {
	fields := practice.ReminderFields{On: c.FormValue("reminders") == "on", InvitationDays: c.FormValue("invitation_days"), FormsDays: c.FormValue("forms_days"),
		FormsTimes: c.FormValue("forms_times"), QuietFrom: c.FormValue("quiet_from"), QuietUntil: c.FormValue("quiet_until"), Version: c.FormValue("version")}
	if err := s.Practice.ChangeReminders(c.UserContext(), by, fields); err != nil {
		wrong, err := invalid(err)
		if err != nil {
			return err
		}
		if wrong["version"] != "" { // who saves again has read what changed
			now, err := s.Practice.ReminderFields(c.UserContext(), by)
			if err != nil {
				return err
			}
			fields.Version = now.Version
		}
		return s.showReminders(c, fields, wrong)
	}
	s.notify(c, "saved")
	return s.seeOther(c, remindersPath)
}

// turnReminders stops reminding one client, or goes on.
func (s *Site) turnReminders(c *fiber.Ctx, by practice.Staff) error {
	id, on := c.Params("id"), c.FormValue("turn") != "off"
	if err := s.Practice.TurnReminders(c.UserContext(), by, id, on); err != nil {
		return err
	}
	if on {
		s.notify(c, "reminders on")
	} else {
		s.notify(c, "reminders off")
	}
	return s.seeOther(c, "/clients/"+id)
}
