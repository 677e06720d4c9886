package practice

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
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
	Address  string // its lines
	Email    string // for replies; may be empty
	TimeZone string // its name in the IANA database
	Version  string // of the settings that were changed; empty: whichever are on file
}

// OrganizationFieldsOf is what is on file about the organization.
func OrganizationFieldsOf(o db.Organization) OrganizationFields {
	return OrganizationFields{o.Name, o.Phone, o.Address, o.Email.String(), o.TimeZone.String(), settingsVersion(organizationSettings(o))}
}

// How long an address may be.
const (
	maxAddress      = 300 // characters
	maxAddressLines = 6
)

func (f OrganizationFields) into(o *db.Organization) Invalid {
	wrong := Invalid{}
	o.Name, o.Phone, o.Address = oneLine(f.Name), oneLine(f.Phone), addressLines(f.Address)
	if o.Name == "" || utf8.RuneCountInString(o.Name) > 100 {
		wrong["name"] = "Enter the practice's name, in at most 100 characters."
	}
	if !strings.ContainsAny(o.Phone, "0123456789") || utf8.RuneCountInString(o.Phone) > 40 {
		wrong["phone"] = "Enter a phone number that clients can call."
	}
	if utf8.RuneCountInString(o.Address) > maxAddress || strings.Count(o.Address, "\n") >= maxAddressLines {
		wrong["address"] = "Shorten the address to 6 lines and 300 characters."
	}
	var err error
	o.Email = db.Email{}
	if oneLine(f.Email) != "" {
		if o.Email, err = db.ParseEmail(f.Email); err != nil {
			wrong["reply_email"] = notAnAddress
		}
	}
	if o.TimeZone, err = timeZone(f.TimeZone); err != nil {
		wrong["time_zone"] = "Choose a time zone from the list, or type its name as in America/New_York."
	}
	return wrong
}

// addressLines are the lines of an address that say something.
func addressLines(typed string) string {
	var lines []string
	for line := range strings.Lines(strings.ReplaceAll(typed, "\r", "\n")) {
		if line = oneLine(line); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

var errNoZone = errors.New("no such time zone")

// timeZone is the zone of a name in the IANA database, also when a space stands for its underscore.
func timeZone(name string) (*time.Location, error) {
	name = strings.ReplaceAll(oneLine(name), " ", "_")
	area, _, regional := strings.Cut(name, "/")
	if name != "UTC" && (!regional || area == "posix" || area == "right") { // those two are copies of all the others
		return nil, errNoZone
	}
	return time.LoadLocation(name)
}

// ChangeOrganization changes the organization's name, phone, address, email for replies and time zone. It returns Invalid with
// a sentence for each wrong field: "name", "phone", "address", "reply_email", "time_zone"; or for "version", that somebody else
// changed them meanwhile.
func (p *Practice) ChangeOrganization(ctx context.Context, by Administrator, f OrganizationFields) error {
	return p.changeOrganization(ctx, by, "changed the organization's settings", f.Version, organizationSettings, f.into)
}

// PortalFields is what is typed about the client portal.
type PortalFields struct {
	InvitationDays string
	Welcome        string
	Help           string
	Crisis         string
	Version        string // of the settings that were changed; empty: whichever are on file
}

// PortalFieldsOf is what is set about the client portal.
func PortalFieldsOf(o db.Organization) PortalFields {
	return PortalFields{strconv.Itoa(o.InvitationDays), o.PortalWelcome, o.PortalHelp, o.CrisisText, settingsVersion(portalSettings(o))}
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
// each wrong field: "invitation_days", "welcome", "help", "crisis"; or for "version", as ChangeOrganization does.
func (p *Practice) ChangePortal(ctx context.Context, by Administrator, f PortalFields) error {
	return p.changeOrganization(ctx, by, "changed the client portal's settings", f.Version, portalSettings, f.into)
}

// setting is one field that administrators set, as pages and the audit log call it.
type setting struct{ name, value string }

func organizationSettings(o db.Organization) []setting {
	return []setting{{"name", o.Name}, {"phone", o.Phone}, {"address", o.Address}, {"email for replies", o.Email.String()}, {"time zone", o.TimeZone.String()}}
}

func portalSettings(o db.Organization) []setting {
	return []setting{{"days an invitation's link works", strconv.Itoa(o.InvitationDays)}, {"welcome text", o.PortalWelcome},
		{"help text", o.PortalHelp}, {"crisis text", o.CrisisText}}
}

// settingsVersion tells apart what was set at two times.
func settingsVersion(settings []setting) string {
	sum := sha256.New()
	for _, s := range settings {
		sum.Write([]byte(strconv.Quote(s.value)))
	}
	return hex.EncodeToString(sum.Sum(nil)[:8])
}

// settingsIn are those of the settings that differ from others, in the same order.
func settingsIn(settings, others []setting) (differ []setting) {
	for i, s := range settings {
		if s != others[i] {
			differ = append(differ, s)
		}
	}
	return differ
}

// unseen refuses a change that was made from an older version than what is on file, saying what is on file where it differs
// from what was typed.
func unseen(version string, onFile, typed []setting) Invalid {
	differ := settingsIn(onFile, typed)
	if version == "" || version == settingsVersion(onFile) || len(differ) == 0 {
		return nil
	}
	var now []string
	for _, s := range differ {
		now = append(now, s.name+" “"+cmp.Or(s.value, "(none)")+"”")
	}
	return Invalid{"version": "Somebody else changed these settings meanwhile. On file now: " + strings.Join(now, ", ") + ". Save again to put what you typed in its place."}
}

func settingNames(settings []setting) string {
	var names []string
	for _, s := range settings {
		names = append(names, s.name)
	}
	return strings.Join(names, ", ")
}

// changeOrganization changes the settings of one page. The audit entry names those that changed, not what they say.
func (p *Practice) changeOrganization(ctx context.Context, by Administrator, act db.Act, version string, settings func(db.Organization) []setting, change func(*db.Organization) Invalid) error {
	if !by.administers() {
		return ErrNotAllowed
	}
	return p.db.Update(ctx, func(tx *db.Tx) error {
		before, err := tx.Organization()
		if err != nil {
			return err
		}
		o := before
		if wrong := change(&o); len(wrong) > 0 {
			return wrong
		}
		if wrong := unseen(version, settings(before), settings(o)); wrong != nil {
			return wrong
		}
		changed := settingsIn(settings(o), settings(before))
		if len(changed) == 0 {
			return nil
		}
		if err := tx.SaveOrganization(o); err != nil {
			return err
		}
		return tx.Audit(db.AuditEntry{StaffID: by.member.ID, Act: act, Detail: settingNames(changed)})
	})
}
