package db

import (
	"database/sql"
	"errors"
	"strings"

	"github.com/mattn/go-sqlite3"
)

var (
	// ErrNotFound says that there is no such record within the reach of who asked.
	ErrNotFound = errors.New("not found")
	// ErrEmailTaken says that another client or staff member uses the address, however it is spelled.
	ErrEmailTaken = errors.New("this email address is used by somebody else")
	// ErrClosed says that a form was completed or revoked: its answers are final.
	ErrClosed = errors.New("this form is closed")
	// ErrFull says that the disk has no room, or failed: nothing was written.
	ErrFull = errors.New("the disk is full or failing")
	// ErrCorrupt says that the database is damaged: only a backup helps.
	ErrCorrupt = errors.New("the database is damaged: restore a backup, as docs/operations.md tells under Back up and restore")
	// ErrExists says that a record that may be there once only is there already.
	ErrExists = errors.New("this exists already")
)

// named gives a broken constraint the name by which the rest of the program knows it.
func named(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	// mattn returns its errors by value; a pointer as target never matches.
	var broken sqlite3.Error
	if !errors.As(err, &broken) {
		return err
	}
	switch {
	case broken.Code == sqlite3.ErrFull || broken.Code == sqlite3.ErrIoErr:
		return errors.Join(ErrFull, err)
	case broken.Code == sqlite3.ErrCorrupt || broken.Code == sqlite3.ErrNotADB:
		return errors.Join(ErrCorrupt, err)
	case strings.Contains(broken.Error(), "email_addresses.canonical"):
		return ErrEmailTaken
	case strings.Contains(broken.Error(), "this form is closed"):
		return ErrClosed
	case broken.ExtendedCode == sqlite3.ErrConstraintUnique || broken.ExtendedCode == sqlite3.ErrConstraintPrimaryKey:
		return errors.Join(ErrExists, err)
	}
	return err
}
