package db

import "time"

// Organization is the practice that this program serves: there is one.
type Organization struct {
	Name           string
	Phone          string
	Address        string // its lines
	Email          Email  // where answers to its letters go; zero: to where they come from
	TimeZone       *time.Location
	InvitationDays int       // how long an invitation's link lives
	PortalWelcome  string    // shown to clients on their first page
	PortalHelp     string    // whom to ask
	CrisisText     string    // shown at once to a client whose answers raise a safety concern
	PortalOffAt    time.Time // the portal is closed to all clients; zero: it is open
	Logo           Logo
}

// PortalOff tells that the portal is closed to all clients.
func (o Organization) PortalOff() bool { return !o.PortalOffAt.IsZero() }

// Organization returns ErrNotFound before set-up.
func (tx *Tx) Organization() (Organization, error) {
	var o Organization
	var zone, replies string
	err := tx.row(`SELECT name, phone, address, email, time_zone, invitation_days, portal_welcome, portal_help, crisis_text, portal_off_at,
		ifnull(l.hash, ''), l.mail, ifnull(l.width, 0), ifnull(l.height, 0) FROM organization o LEFT JOIN organization_logo l ON l.id = o.id`).
		Scan(&o.Name, &o.Phone, &o.Address, &replies, &zone, &o.InvitationDays, &o.PortalWelcome, &o.PortalHelp, &o.CrisisText, timeScan{&o.PortalOffAt},
			&o.Logo.Hash, &o.Logo.Mail, &o.Logo.Width, &o.Logo.Height)
	if err != nil {
		return o, named(err)
	}
	if replies != "" {
		if o.Email, err = ParseEmail(replies); err != nil {
			return o, err
		}
	}
	o.TimeZone, err = time.LoadLocation(zone)
	return o, err
}

// SaveOrganization makes the organization, or changes all of it.
func (tx *Tx) SaveOrganization(o Organization) error {
	_, err := tx.exec(`INSERT INTO organization (id, name, phone, address, email, time_zone, invitation_days, portal_welcome, portal_help, crisis_text, portal_off_at, created_at)
		VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET name = excluded.name, phone = excluded.phone, address = excluded.address, email = excluded.email, time_zone = excluded.time_zone,
			invitation_days = excluded.invitation_days, portal_welcome = excluded.portal_welcome,
			portal_help = excluded.portal_help, crisis_text = excluded.crisis_text, portal_off_at = excluded.portal_off_at`,
		o.Name, o.Phone, o.Address, o.Email.String(), o.TimeZone.String(), o.InvitationDays, o.PortalWelcome, o.PortalHelp, o.CrisisText, ms(o.PortalOffAt), ms(tx.now))
	return err
}

// PortalUse is how many would notice that the portal is closed.
type PortalUse struct {
	Accounts    int // clients who can sign in
	Invitations int // links that work, of clients who have not joined yet
	Letters     int // to clients, waiting to be sent
}

// PortalUse counts who uses the portal now.
func (tx *Tx) PortalUse() (u PortalUse, err error) {
	err = tx.row(`SELECT (SELECT count(*) FROM portal_accounts a JOIN clients c ON c.id = a.client_id WHERE c.portal_off_at IS NULL AND c.archived_at IS NULL),
		(SELECT count(*) FROM links WHERE purpose = ? AND used_at IS NULL AND ended_at IS NULL AND expires_at > ?),
		(SELECT count(*) FROM letters WHERE state = 'queued' AND client_id IS NOT NULL)`, LinkJoin, ms(tx.now)).Scan(&u.Accounts, &u.Invitations, &u.Letters)
	return u, err
}
