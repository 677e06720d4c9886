package practice

import (
	"context"
	"errors"
	"sync"
	"time"

	"anteroom/db"
)

// Keys tells of the keys under which answers and other secrets are sealed, and of nothing that opens any.
type Keys struct {
	Place   db.KeyPlace
	InUse   db.KeyUse
	Older   []db.KeyUse // newest first
	Sealing bool        // what is under older ones is being sealed anew
	Failed  bool        // the last try to, which is repeated after a minute
}

// Wrapped counts the clients whose keys are wrapped, under whichever key.
func (k Keys) Wrapped() int {
	n := k.InUse.Clients
	for _, u := range k.Older {
		n += u.Clients
	}
	return n
}

// Under tells that something is still sealed under an older key.
func (k Keys) Under() bool {
	for _, u := range k.Older {
		if u.Clients+u.Others > 0 {
			return true
		}
	}
	return false
}

// Keys tells administrators which keys there are.
func (p *Practice) Keys(ctx context.Context, by Administrator) (k Keys, err error) {
	if !by.administers() {
		return k, ErrNotAllowed
	}
	k.Sealing, k.Failed = p.sealing.state()
	k.Place = p.db.KeyPlace()
	err = p.db.View(ctx, func(tx *db.Tx) error {
		uses, err := tx.KeyUses()
		if err == nil {
			k.InUse, k.Older = uses[0], uses[1:]
		}
		return err
	})
	return k, err
}

// RotateKey makes a new key and puts it to use at once; KeepSealed then seals anew what is under the one before. known is the
// id of the key that the administrator saw in use: when another is by now, it was rotated already, and nothing happens. It
// returns ErrConfirm when who asks has to prove anew who they are, and Invalid for key where the key file can't be written:
// whoever hosts the program adds the key there.
func (p *Practice) RotateKey(ctx context.Context, by Administrator, known string) error {
	if !by.administers() {
		return ErrNotAllowed
	}
	err := p.db.Update(ctx, func(tx *db.Tx) error {
		if err := by.confirmed(tx.Now()); err != nil {
			return err
		}
		uses, err := tx.KeyUses()
		if err != nil || uses[0].ID != known {
			return err
		}
		id, err := tx.RotateKey()
		if err != nil {
			return err
		}
		return tx.Audit(db.AuditEntry{StaffID: by.member.ID, Act: "rotated the key", Detail: "to " + id})
	})
	if errors.Is(err, db.ErrKeyFile) {
		return Invalid{"key": "The key was not rotated: its file can’t be written from here, or somebody changed it since the program started."}
	}
	if err == nil {
		p.sealing.ask()
	}
	return err
}

// SealAnew seals what is under older keys anew under the one in use, and retires those that nothing is under any more. It may
// be ended anywhere, and goes on the next time.
func (p *Practice) SealAnew(ctx context.Context) error {
	sealed, left, err := p.db.SealAnew(ctx)
	if err != nil {
		return err
	}
	err = p.db.RetireKeys(ctx)
	if sealed > 0 { // what was sealed under an older key goes from the log, too
		err = errors.Join(err, p.emptyLog(ctx))
	}
	if left > 0 {
		err = errors.Join(err, errDamagedSeal)
	}
	return err
}

var errDamagedSeal = errors.New("something is sealed that doesn't open: it stays under its older key, which is kept")

// KeepSealed calls SealAnew at once and after each rotation, until ctx ends. failed hears why it couldn't; unless only whoever
// hosts the program can help, it is tried again after a minute.
func (p *Practice) KeepSealed(ctx context.Context, failed func(error)) {
	for {
		p.sealing.begin()
		err := p.SealAnew(ctx)
		if ctx.Err() != nil {
			return
		}
		var again <-chan time.Time
		if err != nil {
			failed(err)
		}
		if err != nil && !errors.Is(err, db.ErrKeyFile) && !errors.Is(err, errDamagedSeal) {
			p.sealing.fail()
			again = time.After(time.Minute)
		} else {
			p.sealing.end()
		}
		select {
		case <-ctx.Done():
			return
		case <-p.sealing.asked:
		case <-again:
		}
	}
}

// sealing is whether what is under older keys is being sealed anew.
type sealing struct {
	asked   chan struct{} // one that waits is enough
	mu      sync.Mutex
	running bool
	failed  bool
}

func (s *sealing) state() (running, failed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.running, s.failed
}

func (s *sealing) set(running, failed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running, s.failed = running, failed
}

// ask has KeepSealed go on; from now on it is said to.
func (s *sealing) ask() {
	s.set(true, false)
	select {
	case s.asked <- struct{}{}:
	default:
	}
}

func (s *sealing) begin() { s.set(true, false) }
func (s *sealing) fail()  { s.set(true, true) }

// end says that it rests, unless it was asked to go on meanwhile.
func (s *sealing) end() { s.set(len(s.asked) > 0, false) }
