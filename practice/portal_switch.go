package practice

import (
	"context"
	"errors"
	"time"

	"anteroom/db"
)

// ErrPortalOff says that the portal is closed to all clients.
var ErrPortalOff = errors.New("the client portal is turned off")

// portalOff is why nothing can be sent to anybody.
const portalOff = "The client portal is turned off, so nothing can be sent now. An administrator can turn it on, under Organization, Client Portal."

// PortalUse tells how many would notice that the portal is turned off.
func (p *Practice) PortalUse(ctx context.Context, by Administrator) (u db.PortalUse, err error) {
	if !by.administers() {
		return u, ErrNotAllowed
	}
	err = p.db.View(ctx, func(tx *db.Tx) error {
		u, err = tx.PortalUse()
		return err
	})
	return u, err
}

// TurnPortalOff closes the portal to all clients: their sessions end, nobody joins or signs in, and letters to them wait.
// Links stay as they are. It changes nothing when the portal is closed already.
func (p *Practice) TurnPortalOff(ctx context.Context, by Administrator) error {
	return p.turnPortal(ctx, by, true)
}

// TurnPortalOn opens the portal again, and lets the letters leave that waited and still may.
func (p *Practice) TurnPortalOn(ctx context.Context, by Administrator) error {
	err := p.turnPortal(ctx, by, false)
	if err == nil {
		p.config.Wake()
	}
	return err
}

func (p *Practice) turnPortal(ctx context.Context, by Administrator, off bool) error {
	if !by.administers() {
		return ErrNotAllowed
	}
	return p.db.Update(ctx, func(tx *db.Tx) error {
		o, err := tx.Organization()
		if err != nil || o.PortalOff() == off {
			return err
		}
		act := db.Act("turned the client portal on")
		o.PortalOffAt = time.Time{}
		if off {
			act, o.PortalOffAt = "turned the client portal off", tx.Now()
			if err := tx.EndClientSessions(); err != nil {
				return err
			}
		}
		if err := tx.SaveOrganization(o); err != nil {
			return err
		}
		return tx.Audit(db.AuditEntry{StaffID: by.member.ID, Act: act})
	})
}

// portalIsOff tells whether the portal is closed to all clients.
func portalIsOff(tx *db.Tx) (bool, error) {
	o, err := tx.Organization()
	return o.PortalOff(), err
}
