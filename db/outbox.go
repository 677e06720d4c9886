package db

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Outbox is the queue of letters as a whole. A folder that was restored or moved, and a clock that jumped, pause it: what
// waits may have left already, or come too late.
type Outbox struct {
	Marker    string    // also in a file beside the database, so that a copy is told from the original
	BeatAt    time.Time // the worker's heartbeat
	PausedAt  time.Time // since when nothing leaves, until an administrator resumes it; zero: letters leave
	PausedBy  int64     // the administrator; 0: the program did
	PausedWhy string    // a sentence
}

// Paused tells that nothing leaves until an administrator resumes the outbox.
func (o Outbox) Paused() bool { return !o.PausedAt.IsZero() }

const (
	beatEvery    = time.Minute
	clockSlack   = 5 * time.Minute    // which clocks may be set back
	longestPause = 3 * 24 * time.Hour // between two heartbeats: a weekend
	longestDue   = 2 * time.Hour      // no try is put off for longer
)

// Why the program pauses the outbox.
const (
	wasRestored = "This database was restored or moved: letters that left since the copy was made may still wait here."
	wasAway     = "More than three days passed without a heartbeat: the program or its machine was off, or the clock jumped ahead."
	ranBack     = "The clock ran backwards, so what is due or expired can't be told."
)

// amiss says what is wrong with the clock since the last heartbeat; empty: nothing.
func (o Outbox) amiss(now time.Time) string {
	switch {
	case now.Before(o.BeatAt.Add(-clockSlack)):
		return ranBack
	case now.After(o.BeatAt.Add(longestPause)):
		return wasAway
	}
	return ""
}

// Outbox returns how the outbox stands.
func (tx *Tx) Outbox() (o Outbox, err error) {
	err = tx.row("SELECT marker, beat_at, paused_at, paused_by, paused_why FROM outbox").
		Scan(&o.Marker, timeScan{&o.BeatAt}, timeScan{&o.PausedAt}, idScan{&o.PausedBy}, &o.PausedWhy)
	return o, named(err)
}

// PauseOutbox lets no letter leave, from the commit on, until ResumeOutbox. by is an administrator, or 0 for the program, whose
// reasons come before an administrator's; otherwise a pause that is there stays as it is.
func (tx *Tx) PauseOutbox(by int64, why string) error {
	_, err := tx.exec("UPDATE outbox SET paused_at = ?, paused_by = ?, paused_why = ? WHERE paused_at IS NULL OR ? = 0 AND paused_why <> ?",
		ms(tx.now), orNull(by), why, by, why)
	return err
}

// ResumeOutbox ends a pause: this database is the one that sends, and the time is right. What a clock that ran ahead put off
// is brought back.
func (tx *Tx) ResumeOutbox() error {
	o := Outbox{Marker: rand.Text(), BeatAt: tx.now}
	// Before the commit: should that fail, the outbox is still paused.
	if err := tx.db.KeepMarker(o); err != nil {
		return err
	}
	if _, err := tx.exec("UPDATE outbox SET marker = ?, beat_at = ?, paused_at = NULL, paused_by = NULL, paused_why = ''", o.Marker, ms(o.BeatAt)); err != nil {
		return err
	}
	_, err := tx.exec("UPDATE letters SET due = ? WHERE state = 'queued' AND due > ?", ms(tx.now), ms(tx.now.Add(longestDue)))
	return err
}

// BeatOutbox is the worker's heartbeat: before each claim, and as it stops. When the clock jumped since the last one, it
// pauses the outbox instead. It tells whether it beat, which KeepMarker has to know after the commit.
func (tx *Tx) BeatOutbox(stopping bool) (o Outbox, beat bool, err error) {
	if o, err = tx.Outbox(); err != nil {
		return o, false, err
	}
	if why := o.amiss(tx.now); why != "" && !tx.db.clockMoves {
		if o.Paused() {
			return o, false, nil
		}
		if err := tx.PauseOutbox(0, why); err != nil {
			return o, false, err
		}
		o, err = tx.Outbox()
		return o, false, err
	}
	if since := tx.now.Sub(o.BeatAt).Abs(); since < beatEvery && (!stopping || since == 0) {
		return o, false, nil
	}
	o.BeatAt = tx.now
	_, err = tx.exec("UPDATE outbox SET beat_at = ?", ms(o.BeatAt))
	return o, true, err
}

// ClockMoves says that the clock is moved on purpose, as the demo's is while its past is invented: no jump pauses the outbox.
func (db *DB) ClockMoves() { db.clockMoves = true }

// checkOutbox pauses the outbox of a database that is not where, or when, it was.
func (tx *Tx) checkOutbox() error {
	o, err := tx.Outbox()
	if errors.Is(err, ErrNotFound) {
		return tx.beginOutbox()
	}
	if err != nil {
		return err
	}
	marker, beat, keptAt, err := tx.db.readMarker()
	if err != nil {
		return err
	}
	place, err := tx.db.place()
	if err != nil {
		return err
	}
	why := o.amiss(tx.now)
	if marker != o.Marker || keptAt != place || beat.After(o.BeatAt) { // the file's beat is written after the database's
		why = wasRestored
	}
	if why == "" {
		return nil
	}
	return tx.PauseOutbox(0, why)
}

// beginOutbox makes the row and its marker, in a new database and in one from before there were any. What waits in such a
// one may be a copy from long ago.
func (tx *Tx) beginOutbox() error {
	o := Outbox{Marker: rand.Text(), BeatAt: tx.now}
	var last time.Time
	if err := tx.row("SELECT max(at) FROM audit_entries WHERE EXISTS (SELECT 1 FROM letters WHERE state IN ('queued', 'sending'))").Scan(timeScan{&last}); err != nil {
		return err
	}
	if !last.IsZero() {
		o.BeatAt = last
	}
	old, _, _, err := tx.db.readMarker()
	if err != nil {
		return err
	}
	if _, err := tx.exec("INSERT INTO outbox (id, marker, beat_at) VALUES (1, ?, ?)", o.Marker, ms(o.BeatAt)); err != nil {
		return err
	}
	if why := o.amiss(tx.now); why != "" {
		return tx.PauseOutbox(0, why)
	}
	if old != "" && !last.IsZero() {
		return tx.PauseOutbox(0, wasRestored)
	}
	return tx.db.KeepMarker(o)
}

func (db *DB) markerFile() string { return filepath.Join(db.folder, "anteroom.outbox") }

// KeepMarker writes the marker and the heartbeat beside the database.
func (db *DB) KeepMarker(o Outbox) error {
	place, err := db.place()
	if err != nil {
		return err
	}
	err = replaceFile(db.markerFile(), fmt.Appendf(nil, "%s %d %s\n", o.Marker, o.BeatAt.UnixMilli(), place))
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EIO) {
		return errors.Join(ErrFull, err)
	}
	return err
}

// replaceFile writes a file that is there wholly, or as it was.
func replaceFile(path string, text []byte) error {
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// readMarker returns what the file says; nothing, when there is none or it can't be read as one.
func (db *DB) readMarker() (marker string, beat time.Time, place string, err error) {
	text, err := os.ReadFile(db.markerFile())
	if errors.Is(err, fs.ErrNotExist) {
		return "", time.Time{}, "", nil
	}
	if err != nil {
		return "", time.Time{}, "", err
	}
	var ms int64
	if n, _ := fmt.Sscan(string(text), &marker, &ms, &place); n != 3 {
		return "", time.Time{}, "", nil
	}
	return marker, time.UnixMilli(ms), place, nil
}

// place is what a copy of the whole folder doesn't carry: which file the database is on its disk, and which machine this is,
// where that can be told.
func (db *DB) place() (string, error) {
	info, err := os.Stat(databaseFile(db.folder))
	if err != nil {
		return "", err
	}
	machine, _ := os.ReadFile("/etc/machine-id") // nothing, in many a container
	sum := sha256.Sum256(append([]byte("anteroom "), machine...))
	return fmt.Sprintf("%d-%x", info.Sys().(*syscall.Stat_t).Ino, sum[:4]), nil
}
