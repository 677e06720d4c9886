package practice

import (
	"context"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"anteroom/db"
)

// OrganizationFields is what is typed about the organization.
type OrganizationFields struct {
	Name     string
	Phone    string
	TimeZone string // its name in the IANA database
}

func (f OrganizationFields) into(o *db.Organization) Invalid {
	wrong := Invalid{}
	o.Name, o.Phone = oneLine(f.Name), oneLine(f.Phone)
	if o.Name == "" || utf8.RuneCountInString(o.Name) > 100 {
		wrong["name"] = "Enter the practice's name, in at most 100 characters."
	}
	if !strings.ContainsAny(o.Phone, "0123456789") || utf8.RuneCountInString(o.Phone) > 40 {
		wrong["phone"] = "Enter a phone number that clients can call."
	}
	var err error
	if o.TimeZone, err = time.LoadLocation(strings.TrimSpace(f.TimeZone)); err != nil || strings.TrimSpace(f.TimeZone) == "" || f.TimeZone == "Local" {
		wrong["time_zone"] = "Choose a time zone from the list."
	}
	return wrong
}

// ChangeOrganization changes the organization's name, phone and time zone. It returns Invalid with a sentence for each
// wrong field: "name", "phone", "time_zone".
func (p *Practice) ChangeOrganization(ctx context.Context, by Administrator, f OrganizationFields) error {
	return p.changeOrganization(ctx, by, "changed the organization's settings", f.into)
}

// PortalFields is what is typed about the client portal.
type PortalFields struct {
	InvitationDays string
	Welcome        string
	Help           string
	Crisis         string
}

// PortalFieldsOf is what is set about the client portal.
func PortalFieldsOf(o db.Organization) PortalFields {
	return PortalFields{strconv.Itoa(o.InvitationDays), o.PortalWelcome, o.PortalHelp, o.CrisisText}
}

// maxText is the longest text that clients are shown, in characters.
const maxText = 2000

func (f PortalFields) into(o *db.Organization) Invalid {
	wrong := Invalid{}
	days, err := strconv.Atoi(strings.TrimSpace(f.InvitationDays))
	if err != nil || days < 1 || days > 30 {
		wrong["invitation_days"] = "Enter a number of days from 1 to 30."
	}
	o.InvitationDays = days
	for _, text := range []struct {
		field, value string
		to           *string
		required     bool
	}{
		{"welcome", f.Welcome, &o.PortalWelcome, false},
		{"help", f.Help, &o.PortalHelp, false},
		{"crisis", f.Crisis, &o.CrisisText, true},
	} {
		*text.to = strings.TrimSpace(strings.ReplaceAll(text.value, "\r\n", "\n"))
		switch {
		case utf8.RuneCountInString(*text.to) > maxText:
			wrong[text.field] = "Shorten this text to 2,000 characters."
		case text.required && *text.to == "":
			wrong[text.field] = "Say whom to call: a client in danger reads this."
		}
	}
	return wrong
}

// ChangePortal changes how long invitations live and the texts that clients read. It returns Invalid with a sentence for
// each wrong field: "invitation_days", "welcome", "help", "crisis".
func (p *Practice) ChangePortal(ctx context.Context, by Administrator, f PortalFields) error {
	return p.changeOrganization(ctx, by, "changed the client portal's settings", f.into)
}

func (p *Practice) changeOrganization(ctx context.Context, by Administrator, act string, change func(*db.Organization) Invalid) error {
	if !by.administers() {
		return ErrNotAllowed
	}
	return p.db.Update(ctx, func(tx *db.Tx) error {
		o, err := tx.Organization()
		if err != nil {
			return err
		}
		if wrong := change(&o); len(wrong) > 0 {
			return wrong
		}
		if err := tx.SaveOrganization(o); err != nil {
			return err
		}
		return tx.Audit(db.AuditEntry{StaffID: by.member.ID, Act: act})
	})
}
