// Package practice holds the verbs: what may be done, and by whom. Each public verb takes its actor, opens one transaction,
// checks, writes the nouns and the audit entry, and commits.
package practice

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"anteroom/db"
	"anteroom/mail"
)

// ErrNotFound says that there is no such thing, or that it is not the actor's to know of.
var ErrNotFound = db.ErrNotFound

// ErrNotAllowed says that the actor may see the thing, but may not do this to it.
var ErrNotAllowed = errors.New("not allowed")

// ErrConfirm says that the actor may do this, once they have proved anew who they are.
var ErrConfirm = errors.New("who this is isn't confirmed")

// Invalid says what is wrong with what was typed: a sentence for each field.
type Invalid map[string]string

func (v Invalid) Error() string {
	var all []string
	for field, sentence := range v {
		all = append(all, field+": "+sentence)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// orNil is v as an error: nil when nothing is wrong.
func (v Invalid) orNil() error {
	if len(v) == 0 {
		return nil
	}
	return v
}

// Config is what a practice is made of, besides its records.
type Config struct {
	Public   *url.URL       // the site's public address, for links in mails
	Composer *mail.Composer // of letters, for the preview and for sending alike
	From     db.Email       // the address that mails come from
	Outbox   Outbox         // sends letters; nil: nobody does
	Hosted   *HostedMail    // the relay that whoever hosts this gave; nil: administrators set one
	Resolver Resolver       // looks up domains' records; nil: the system's
}

// Practice does what actors ask of it.
type Practice struct {
	config Config
	rp     *relyingParty // nil: no passkeys
	db     *db.DB
	slots  chan struct{} // bounds how many passwords are hashed at once
	line   hashLine      // bounds how many wait for that
	papers sync.Map      // key and version → *forms.Form

	importJob  atomic.Pointer[ImportJob]  // the latest
	mail       atomic.Pointer[activeMail] // nil: no relay is set
	mailTest   atomic.Pointer[MailTest]   // the latest
	swept      atomic.Int64               // when the daily sweep was, in Unix milliseconds
	logHolds   atomic.Bool                // the database's log still holds what was deleted
	sealing    sealing
	auditCheck atomic.Pointer[AuditCheck] // the latest

	setUp     atomic.Bool // there is an organization
	setUpCode string
}

// New returns a practice that keeps its records in database.
func New(database *db.DB, config Config) *Practice {
	return &Practice{config: config, rp: newRelyingParty(config.Public), db: database, slots: make(chan struct{}, hashSlots), line: hashLine{of: map[string]int{}}, setUpCode: newSetUpCode(),
		sealing: sealing{asked: make(chan struct{}, 1)}}
}

// Now is the time by the practice's clock.
func (p *Practice) Now() time.Time { return p.db.Now() }

// Organization is what everybody may know of the practice: ErrNotFound before set-up.
func (p *Practice) Organization(ctx context.Context) (o db.Organization, err error) {
	err = p.db.View(ctx, func(tx *db.Tx) error {
		o, err = tx.Organization()
		return err
	})
	return o, err
}

// link is a public address of this site.
func (p *Practice) link(path string) string { return p.config.Public.JoinPath(path).String() }

// Healthy returns why the practice can't serve, if it can't.
func (p *Practice) Healthy(ctx context.Context) error {
	return p.db.View(ctx, func(tx *db.Tx) error {
		_, err := tx.Organization()
		if errors.Is(err, ErrNotFound) {
			return nil // waits for set-up
		}
		return err
	})
}
