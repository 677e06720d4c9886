package db

import (
	"time"

	"github.com/google/uuid"
)

// Invitation is one sending of a link with which a client joins the portal.
type Invitation struct {
	ID       int64
	PublicID string
	ClientID int64
	LinkID   int64
	SentBy   int64
	SentAt   time.Time
}

// AddInvitation keeps an invitation, and fills in its ids.
func (tx *Tx) AddInvitation(i *Invitation) (err error) {
	i.PublicID, i.SentAt = uuid.NewString(), tx.now
	i.ID, err = tx.insert("INSERT INTO invitations (public_id, client_id, link_id, sent_by, sent_at) VALUES (?, ?, ?, ?, ?)",
		i.PublicID, i.ClientID, i.LinkID, i.SentBy, ms(tx.now))
	return err
}

// Invitation finds an invitation to a client within reach by public id.
func (tx *Tx) Invitation(reach Reach, publicID string) (Invitation, error) {
	return tx.invitationWhere(reach, "public_id = ?", publicID)
}

// LatestInvitation finds the invitation sent last to a client within reach.
func (tx *Tx) LatestInvitation(reach Reach, clientID int64) (Invitation, error) {
	return tx.invitationWhere(reach, "client_id = ? ORDER BY id DESC LIMIT 1", clientID)
}

func (tx *Tx) invitationWhere(reach Reach, where string, arg any) (i Invitation, err error) {
	err = tx.row("SELECT id, public_id, client_id, link_id, sent_by, sent_at FROM invitations WHERE "+reach.holds("client_id")+" AND "+where, arg).
		Scan(&i.ID, &i.PublicID, &i.ClientID, &i.LinkID, &i.SentBy, timeScan{&i.SentAt})
	return i, named(err)
}
