package practice

import (
	"context"
	"errors"
	"time"

	"anteroom/db"
)

// How long is kept what nobody needs any more.
const (
	draftLife  = 90 * 24 * time.Hour  // a draft that nobody touches
	letterLife = 365 * 24 * time.Hour // what a letter said; letters about somebody's own way in, and their links, altogether
	sweepDaily = 24 * time.Hour       // how often the sweeps come that read much
)

// Sweep forgets what ended: sessions, guesses that no longer count, lists that nobody imported, addresses that nobody confirmed and, once
// a day, drafts that nobody touches, what old letters said, old links, and browsers not seen for long. It goes in small steps, so
// that nobody else's write waits for long.
func (p *Practice) Sweep(ctx context.Context) error {
	if p.logHolds.Load() {
		if err := p.emptyLog(ctx); err != nil {
			return err
		}
	}
	now := p.Now()
	before := now.Add
	sweeps := []func(*db.Tx) (more bool, err error){
		func(tx *db.Tx) (bool, error) { return tx.SweepSessions(before(-idleLimit), before(-absoluteLimit)) },
		func(tx *db.Tx) (bool, error) { return tx.SweepAttempts(before(-askWindow)) },
		func(tx *db.Tx) (bool, error) { return tx.SweepImports(before(-importLife)) },
		(*db.Tx).SweepTouches,
		(*db.Tx).SweepAddressChanges,
	}
	daily := now.Sub(time.UnixMilli(p.swept.Load())).Abs() >= sweepDaily
	if daily {
		sweeps = append(sweeps,
			func(tx *db.Tx) (bool, error) { return tx.SweepDrafts(before(-draftLife)) },
			func(tx *db.Tx) (bool, error) { return tx.SweepMails(before(-letterLife)) },
			func(tx *db.Tx) (bool, error) { return tx.SweepLetters(before(-letterLife)) },
			func(tx *db.Tx) (bool, error) { return tx.SweepLinks(before(-letterLife)) },
			func(tx *db.Tx) (bool, error) { return tx.SweepDevices(before(-DeviceLife)) })
	}
	for _, sweep := range sweeps {
		for more := true; more; {
			err := p.db.Update(ctx, func(tx *db.Tx) (err error) {
				more, err = sweep(tx)
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	if daily {
		p.swept.Store(now.UnixMilli())
	}
	return nil
}

// What strangers do is written down, but no more of it than this in a guessWindow: else they could fill the disk with it.
const strangersNoted = 200

const hidStrangers db.Act = "wrote down no more of what strangers try for a quarter of an hour"

// noteStranger writes down what nobody known did, unless much of that was written down lately: then it is only counted, which costs
// the same.
func noteStranger(tx *db.Tx, act db.Act, detail string) error {
	const noted = "strangers noted"
	n, err := tx.Attempts(noted, tx.Now().Add(-guessWindow))
	switch {
	case err != nil:
		return err
	case n == strangersNoted:
		act, detail = hidStrangers, ""
	case n > strangersNoted:
		return tx.AddAttempt("strangers not noted")
	}
	return errors.Join(tx.AddAttempt(noted), tx.Audit(db.AuditEntry{Act: act, Detail: detail}))
}
