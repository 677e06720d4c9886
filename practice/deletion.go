package practice

import (
	"context"
	"time"

	"anteroom/db"
)

// deletedData is the act that ends a client's record: whom it was is known by a number from then on.
const deletedData db.Act = "deleted the client's data"

// DeletionOf tells what deleting an archived client's data would delete; administrators may ask. Invalid for "client" when
// the client isn't archived.
func (p *Practice) DeletionOf(ctx context.Context, by Administrator, publicID string) (c db.Client, d db.Deletion, err error) {
	err = p.db.View(ctx, func(tx *db.Tx) error {
		c, d, err = toDelete(tx, by.reach(), publicID)
		return err
	})
	return c, d, err
}

// DeleteClient deletes all that is on file about an archived client, for good: the key under which their answers are sealed,
// answers, signatures, forms, letters, account and record. What stays is the audit log, which knows them by a number.
// Administrators may. confirmed is the client's name as lists write it; Invalid for "name" when it is another, and for
// "client" when the client isn't archived; else ErrConfirm.
func (p *Practice) DeleteClient(ctx context.Context, by Administrator, publicID, confirmed string) error {
	if !by.administers() {
		return ErrNotAllowed
	}
	return p.deleteClient(ctx, by.reach(), by.member.ID, publicID, confirmed, by.confirmed)
}

// HostDeletes is DeleteClient for the host, who has the data folder in their hands: no route leads here. dry only tells what
// would be deleted.
func (p *Practice) HostDeletes(ctx context.Context, publicID, confirmed string, dry bool) (c db.Client, d db.Deletion, err error) {
	err = p.db.View(ctx, func(tx *db.Tx) error {
		c, d, err = toDelete(tx, db.Everybody(), publicID)
		return err
	})
	if err != nil || dry {
		return c, d, err
	}
	return c, d, p.deleteClient(ctx, db.Everybody(), 0, publicID, confirmed, func(time.Time) error { return nil })
}

func toDelete(tx *db.Tx, reach db.Reach, publicID string) (c db.Client, d db.Deletion, err error) {
	if c, err = tx.Client(reach, publicID); err != nil {
		return c, d, err
	}
	if c.ArchivedAt.IsZero() {
		return c, d, Invalid{"client": "Archive the client first: only an archived client's data can be deleted."}
	}
	d, err = tx.Deletion(c.ID)
	return c, d, err
}

func (p *Practice) deleteClient(ctx context.Context, reach db.Reach, by int64, publicID, confirmed string, proved func(now time.Time) error) error {
	err := p.db.Update(ctx, func(tx *db.Tx) error {
		c, _, err := toDelete(tx, reach, publicID)
		if err != nil {
			return err
		}
		if oneLine(confirmed) != c.ListName() {
			return Invalid{"name": "Type the name exactly as it stands here: " + c.ListName() + "."}
		}
		if err := proved(tx.Now()); err != nil { // only now: it tells an administrator nothing that they don't see anyway
			return err
		}
		if err := tx.DeleteClient(c.ID); err != nil {
			return err
		}
		return tx.Audit(db.AuditEntry{StaffID: by, Act: deletedData, ClientID: c.ID})
	})
	if err != nil {
		return err
	}
	return p.emptyLog(ctx)
}

// emptyLog empties the database's log of what was deleted, now or, while somebody reads, at the next sweep.
func (p *Practice) emptyLog(ctx context.Context) error {
	emptied, err := p.db.EmptyLog(ctx)
	p.logHolds.Store(!emptied)
	return err
}
