package db

import "time"

// Organization is the practice that this program serves: there is one.
type Organization struct {
	Name           string
	Phone          string
	TimeZone       *time.Location
	InvitationDays int    // how long an invitation's link lives
	PortalWelcome  string // shown to clients on their first page
	PortalHelp     string // whom to ask
	CrisisText     string // shown at once to a client whose answers raise a safety concern
}

// Organization returns ErrNotFound before set-up.
func (tx *Tx) Organization() (Organization, error) {
	var o Organization
	var zone string
	err := tx.row("SELECT name, phone, time_zone, invitation_days, portal_welcome, portal_help, crisis_text FROM organization").
		Scan(&o.Name, &o.Phone, &zone, &o.InvitationDays, &o.PortalWelcome, &o.PortalHelp, &o.CrisisText)
	if err != nil {
		return o, named(err)
	}
	o.TimeZone, err = time.LoadLocation(zone)
	return o, err
}

// SaveOrganization makes the organization, or changes all of it.
func (tx *Tx) SaveOrganization(o Organization) error {
	_, err := tx.exec(`INSERT INTO organization (id, name, phone, time_zone, invitation_days, portal_welcome, portal_help, crisis_text, created_at)
		VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET name = excluded.name, phone = excluded.phone, time_zone = excluded.time_zone,
			invitation_days = excluded.invitation_days, portal_welcome = excluded.portal_welcome,
			portal_help = excluded.portal_help, crisis_text = excluded.crisis_text`,
		o.Name, o.Phone, o.TimeZone.String(), o.InvitationDays, o.PortalWelcome, o.PortalHelp, o.CrisisText, ms(tx.now))
	return err
}
