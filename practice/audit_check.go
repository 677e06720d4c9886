package practice

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"anteroom/db"
)

// AuditCheck is a check of the whole audit log, on its way or over.
type AuditCheck struct {
	By   string
	At   time.Time // when it began
	of   int64
	step atomic.Int64
	done chan struct{}
	head db.AuditHead
	err  error
}

// Over tells that the check is over.
func (c *AuditCheck) Over() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// Done is closed when the check is over.
func (c *AuditCheck) Done() <-chan struct{} { return c.done }

// Progress is how many entries are checked, of how many there were when it began.
func (c *AuditCheck) Progress() (done, of int64) { return min(c.step.Load(), c.of), c.of }

// Result is the head of a log that is unbroken, or the first entry that isn't as it was written; err is why the check came to
// nothing. Only once it is over.
func (c *AuditCheck) Result() (head db.AuditHead, fault *db.AuditFault, err error) {
	if errors.As(c.err, &fault) {
		return db.AuditHead{}, fault, nil
	}
	return c.head, nil, c.err
}

// CheckAudit begins to check that no entry of the audit log was altered, and doesn't wait for it: one check at a time, so that a
// second one is the first. What it came to is noted. Administrators may.
func (p *Practice) CheckAudit(ctx context.Context, by Administrator) (*AuditCheck, error) {
	if !by.administers() {
		return nil, ErrNotAllowed
	}
	check := &AuditCheck{By: by.Name(), At: p.Now(), done: make(chan struct{})}
	if err := p.db.View(ctx, func(tx *db.Tx) error {
		head, err := tx.AuditHead()
		check.of = head.Entry
		return err
	}); err != nil {
		return nil, err
	}
	if before := p.auditCheck.Load(); before != nil && !before.Over() || !p.auditCheck.CompareAndSwap(before, check) {
		return p.auditCheck.Load(), nil
	}
	go func() {
		defer close(check.done)
		defer func() {
			if fault := recover(); fault != nil { // in no request's goroutine: it would end the program
				check.err = fmt.Errorf("check the audit log: %v", fault)
			}
		}()
		check.head, check.err = p.checkAudit(context.WithoutCancel(ctx), by, check.step.Store)
	}()
	return check, nil
}

func (p *Practice) checkAudit(ctx context.Context, by Administrator, step func(int64)) (db.AuditHead, error) {
	head, err := p.db.VerifyAudit(ctx, db.AuditHead{}, step)
	found := fmt.Sprintf("unbroken up to entry %d", head.Entry)
	var fault *db.AuditFault
	if errors.As(err, &fault) {
		found = fault.Error()
	} else if err != nil {
		return head, err
	}
	return head, errors.Join(err, p.db.Update(ctx, func(tx *db.Tx) error {
		return tx.Audit(db.AuditEntry{StaffID: by.member.ID, Act: checkedAudit, Detail: found})
	}))
}

// LastAuditCheck is the latest check of the audit log; nil when there was none since the program started.
func (p *Practice) LastAuditCheck(by Administrator) *AuditCheck {
	if !by.administers() {
		return nil
	}
	return p.auditCheck.Load()
}

// AuditHead is the end of the audit log as it stands: whoever keeps it elsewhere can tell later that the log wasn't cut off.
func (p *Practice) AuditHead(ctx context.Context) (head db.AuditHead, err error) {
	err = p.db.View(ctx, func(tx *db.Tx) error {
		head, err = tx.AuditHead()
		return err
	})
	return head, err
}
