package practice

import (
	"context"
	"errors"
	"slices"

	"anteroom/db"
)

// ClientToArchive returns a client whom a staff member may archive, restore, or whose address they may release, and what
// archiving would end. Who may is as for ClientToEdit.
func (p *Practice) ClientToArchive(ctx context.Context, by Staff, publicID string) (c db.Client, ends db.ArchiveEffect, err error) {
	err = p.db.View(ctx, func(tx *db.Tx) error {
		if c, err = within(tx, by, by.edits(), publicID); err != nil {
			return err
		}
		ends, err = tx.ArchiveEffect([]int64{c.ID})
		return err
	})
	return c, ends, err
}

// ArchiveClient takes a client out of the lists and closes the portal to them: they are signed out, their links end and
// queued letters are taken back. All that is on file stays, the address too. Who may is as for ClientToEdit; who is archived
// already stays so.
func (p *Practice) ArchiveClient(ctx context.Context, by Staff, publicID string) error {
	return p.changeArchived(ctx, by, publicID, archive)
}

// RestoreClient undoes ArchiveClient; links and letters that ended stay so. Who may is as for ClientToEdit.
func (p *Practice) RestoreClient(ctx context.Context, by Staff, publicID string) error {
	return p.changeArchived(ctx, by, publicID, restore)
}

// ReleaseAddress takes the address of an archived client off their record, with the portal account that signs in by it, so
// that somebody else can use it. Whoever had the account is told at that address, and what they began there and didn't complete is
// taken back. Who may is as for ClientToEdit. Invalid for "client" when they aren't archived, and ErrConfirm.
func (p *Practice) ReleaseAddress(ctx context.Context, by Staff, publicID string) error {
	err := p.changeArchived(ctx, by, publicID, func(tx *db.Tx, by Staff, c db.Client) error {
		if c.ArchivedAt.IsZero() {
			return Invalid{"client": "Only an archived client's address can be released."}
		}
		if c.Email.IsZero() {
			return nil
		}
		if err := by.confirmed(tx.Now()); err != nil {
			return err
		}
		if c.Portal.HasAccount() {
			if err := p.sendOldAddress(tx, languageOf(c).addressReleased, Actor{client: Client{record: c}}); err != nil {
				return err
			}
		}
		if err := errors.Join(cutOff(tx, c.ID, "the address was released"), takeBackBegun(tx, by, c), tx.ReleaseAddress(c)); err != nil {
			return err
		}
		return tx.Audit(db.AuditEntry{StaffID: by.member.ID, Act: "released the address", ClientID: c.ID})
	})
	if err == nil {
		p.config.Wake()
	}
	return err
}

// takeBackBegun revokes the forms that a client began and didn't complete: a new account doesn't open them, and the same forms can
// be sent anew.
func takeBackBegun(tx *db.Tx, by Staff, c db.Client) error {
	requests, err := tx.FormRequests(by.edits(), c.ID)
	if err != nil {
		return err
	}
	for _, r := range requests {
		if r.State() != db.FormInProgress {
			continue
		}
		if err := revokeForm(tx, by, r); err != nil {
			return err
		}
	}
	return nil
}

func (p *Practice) changeArchived(ctx context.Context, by Staff, publicID string, change func(*db.Tx, Staff, db.Client) error) error {
	return p.db.Update(ctx, func(tx *db.Tx) error {
		c, err := within(tx, by, by.edits(), publicID)
		if err != nil {
			return err
		}
		return change(tx, by, c)
	})
}

func archive(tx *db.Tx, by Staff, c db.Client) error {
	if !c.ArchivedAt.IsZero() {
		return nil
	}
	return errors.Join(tx.ArchiveClient(c.ID, true), cutOff(tx, c.ID, "the client was archived"),
		tx.Audit(db.AuditEntry{StaffID: by.member.ID, Act: "archived the client", ClientID: c.ID}))
}

func restore(tx *db.Tx, by Staff, c db.Client) error {
	if c.ArchivedAt.IsZero() {
		return nil
	}
	return errors.Join(tx.ArchiveClient(c.ID, false), tx.Audit(db.AuditEntry{StaffID: by.member.ID, Act: "restored the client", ClientID: c.ID}))
}

// ArchiveChosenEnds tells how many clients a button would archive, and what that would end; administrators may ask.
func (p *Practice) ArchiveChosenEnds(ctx context.Context, by Administrator, chosen Chosen) (ends db.ArchiveEffect, err error) {
	err = p.db.View(ctx, func(tx *db.Tx) error {
		ids, err := chosen.clients(tx, by.reach())
		if err != nil {
			return err
		}
		ends, err = tx.ArchiveEffect(ids)
		return err
	})
	return ends, err
}

// ArchiveChosen archives clients or restores them, and tells for how many that changed something; administrators may.
func (p *Practice) ArchiveChosen(ctx context.Context, by Administrator, chosen Chosen, away bool) (n int, err error) {
	if !by.administers() {
		return 0, ErrNotAllowed
	}
	change := restore
	if away {
		change = archive
	}
	err = p.db.Update(ctx, func(tx *db.Tx) error {
		ids, err := chosen.clients(tx, by.reach())
		if err != nil {
			return err
		}
		for some := range slices.Chunk(ids, 1000) {
			clients, err := tx.ClientsByID(by.reach(), some)
			if err != nil {
				return err
			}
			for _, c := range clients {
				if c.ArchivedAt.IsZero() != away {
					continue
				}
				if err := change(tx, by.Staff, c); err != nil {
					return err
				}
				n++
			}
		}
		return nil
	})
	return n, err
}
