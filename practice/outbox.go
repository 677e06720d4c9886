package practice

import (
	"context"
	"fmt"

	"anteroom/db"
	"anteroom/mail"
)

// Outbox is the worker that sends letters, as far as verbs and screens have to do with it.
type Outbox interface {
	Wake()                // letters are due, or the outbox was paused or resumed
	Status() mail.Status  // what holds letters, if anything does
	Configure(mail.Relay) // where they go from now on
}

// Wake tells the outbox that letters are due, where there is one.
func (c Config) Wake() {
	if c.Outbox != nil {
		c.Outbox.Wake()
	}
}

// OutboxStatus is what screens say of the outbox.
type OutboxStatus struct {
	mail.Status
	Slow string // why letters wait that may leave, and until when, in a sentence; empty: none does
}

// OutboxStatus returns what holds letters, if anything does.
func (p *Practice) OutboxStatus() (s OutboxStatus) {
	if p.config.Outbox == nil {
		return s
	}
	if s.Status = p.config.Outbox.Status(); s.Limit == "" || s.Held != "" {
		return s
	}
	zone := s.More.Location()
	if o, err := p.Organization(context.Background()); err == nil {
		zone = o.TimeZone
	}
	s.Slow = fmt.Sprintf("The mail server takes %s: the rest leave from %s.", s.Limit, s.More.In(zone).Format("January 2, 3:04 pm"))
	return s
}

// PauseOutbox lets no letter leave from now on, until somebody resumes the outbox. Letters on the wire finish. It changes nothing
// when the outbox is paused already.
func (p *Practice) PauseOutbox(ctx context.Context, by Administrator) error {
	return p.turnOutbox(ctx, by, true)
}

// ResumeOutbox lets letters leave again. After a restore that is to say: this database is the one that sends.
func (p *Practice) ResumeOutbox(ctx context.Context, by Administrator) error {
	return p.turnOutbox(ctx, by, false)
}

func (p *Practice) turnOutbox(ctx context.Context, by Administrator, pause bool) error {
	if !by.administers() {
		return ErrNotAllowed
	}
	err := p.db.Update(ctx, func(tx *db.Tx) error {
		o, err := tx.Outbox()
		if err != nil || o.Paused() == pause {
			return err
		}
		if pause {
			if err := tx.PauseOutbox(by.member.ID, by.Name()+" paused the outbox."); err != nil {
				return err
			}
			return tx.Audit(db.AuditEntry{StaffID: by.member.ID, Act: "paused the outbox"})
		}
		if err := tx.ResumeOutbox(); err != nil {
			return err
		}
		e := db.AuditEntry{StaffID: by.member.ID, Act: "resumed the outbox"}
		if o.PausedBy == 0 {
			e.Detail = o.PausedWhy
		}
		return tx.Audit(e)
	})
	if err == nil {
		p.config.Wake()
	}
	return err
}
