package db

import "time"

// PortalState is where a client stands with the portal. It is derived from what happened, never kept.
type PortalState string

const (
	PortalNoEmail     PortalState = "No email"
	PortalNotInvited  PortalState = "Not invited"
	PortalQueued      PortalState = "Invitation queued"
	PortalInvited     PortalState = "Invited"
	PortalCouldntSend PortalState = "Couldn't be sent"
	PortalExpired     PortalState = "Invitation expired"
	PortalActive      PortalState = "Active"
	PortalOff         PortalState = "Turned off"
)

// PortalStates are all of them, in the order in which a client passes through them.
var PortalStates = []PortalState{PortalNoEmail, PortalNotInvited, PortalQueued, PortalInvited, PortalCouldntSend, PortalExpired, PortalActive, PortalOff}

// Portal is what happened between a client and the portal: the account, and the latest invitation with its letter.
type Portal struct {
	OffAt      time.Time // an administrator turned it off
	ArchivedAt time.Time // the client's record is archived, which closes the portal to them too
	AccountAt  time.Time // the client joined
	Invitation string    // public id of the latest; empty: never invited
	SentAt     time.Time
	ExpiresAt  time.Time
	UsedAt     time.Time
	EndedAt    time.Time // revoked or replaced
	Letter     LetterState
	Reply      string    // why the letter stopped, in the relay's words or ours
	BouncedAt  time.Time // the office had mail to the address back
	UnwantedAt time.Time // whoever reads the address said that our mail isn't meant for them

	hasEmail bool
}

const portalColumns = `c.portal_off_at, p.created_at, i.public_id, i.sent_at, k.expires_at, k.used_at, k.ended_at, t.state, t.reply,
	e.bounced_at, e.unwanted_at`

const portalJoins = `LEFT JOIN portal_accounts p ON p.client_id = c.id
	LEFT JOIN invitations i ON i.id = (SELECT max(id) FROM invitations WHERE client_id = c.id)
	LEFT JOIN links k ON k.id = i.link_id
	LEFT JOIN letters t ON t.id = (SELECT max(id) FROM letters WHERE invitation_id = i.id AND kind = 'invitation') `

// State derives the portal state at a time.
func (p Portal) State(now time.Time) PortalState {
	switch {
	case p.Shut():
		return PortalOff
	case !p.AccountAt.IsZero():
		return PortalActive
	case !p.hasEmail:
		return PortalNoEmail
	case p.Invitation == "":
		return PortalNotInvited
	case p.Troubled():
		return PortalCouldntSend
	case !p.EndedAt.IsZero(), !p.UsedAt.IsZero(), p.Letter == LetterCancelled: // used, and the account is gone: nothing is open
		return PortalNotInvited
	case p.Letter == LetterFailed, p.Letter == LetterNeedsAttention:
		return PortalCouldntSend
	case !now.Before(p.ExpiresAt):
		return PortalExpired
	case p.Letter == LetterAccepted:
		return PortalInvited
	}
	return PortalQueued
}

// Troubled tells that mail to the address on file doesn't reach the client.
func (p Portal) Troubled() bool { return !p.BouncedAt.IsZero() || !p.UnwantedAt.IsZero() }

// Shut tells that the portal is closed to the client: it was turned off for them, or they are archived.
func (p Portal) Shut() bool { return !p.OffAt.IsZero() || !p.ArchivedAt.IsZero() }

// Open tells that the latest invitation's link still opens the portal to the client.
func (p Portal) Open(now time.Time) bool {
	return !p.Shut() && p.AccountAt.IsZero() && p.Invitation != "" && p.UsedAt.IsZero() && p.EndedAt.IsZero() && now.Before(p.ExpiresAt)
}

// HasAccount tells that the client joined the portal, whether or not access is turned off now.
func (p Portal) HasAccount() bool { return !p.AccountAt.IsZero() }

// SetPortalPassword makes a client's login, or gives it a new password.
func (tx *Tx) SetPortalPassword(clientID int64, hash string) error {
	_, err := tx.exec(`INSERT INTO portal_accounts (client_id, password_hash, created_at) VALUES (?, ?, ?)
		ON CONFLICT (client_id) DO UPDATE SET password_hash = excluded.password_hash`, clientID, hash, ms(tx.now))
	return err
}

// EverJoined tells that a client has an account or had one, or completed a form: an address given to them may open more than what
// comes.
func (tx *Tx) EverJoined(clientID int64) (joined bool, err error) {
	err = tx.row(`SELECT EXISTS (SELECT 1 FROM portal_accounts WHERE client_id = ?1)
		OR EXISTS (SELECT 1 FROM links WHERE client_id = ?1 AND purpose = 'join' AND used_at IS NOT NULL)
		OR EXISTS (SELECT 1 FROM form_requests WHERE client_id = ?1 AND completed_at IS NOT NULL)`, clientID).Scan(&joined)
	return joined, err
}

// PortalPassword returns the hash of a client's password; ErrNotFound when they have no account.
func (tx *Tx) PortalPassword(clientID int64) (hash string, err error) {
	err = tx.row("SELECT password_hash FROM portal_accounts WHERE client_id = ?", clientID).Scan(&hash)
	return hash, named(err)
}
