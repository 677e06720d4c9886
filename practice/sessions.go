package practice

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"time"

	"anteroom/db"
)

// lapsed tells that a session ended by itself: nobody used it for too long, it began too long ago, or whoever is halfway in
// took no second step. One from so far in the future ended too: the clock was set back, and nobody knows how long ago that was.
func lapsed(s db.Session, halfway bool, now time.Time) bool {
	age := now.Sub(s.CreatedAt).Abs()
	return now.Sub(s.SeenAt).Abs() > idleLimit || age > absoluteLimit || halfway && age > halfwayLimit
}

// Left is how long the actor stays signed in who does nothing more, and whether doing something makes it longer: towards the
// end of the twelve hours it doesn't. Nobody has no time left.
func (p *Practice) Left(who Actor) (left time.Duration, extends bool) {
	if who.Nobody() {
		return 0, false
	}
	now := p.Now()
	idle, absolute := idleLimit-now.Sub(who.session.SeenAt), absoluteLimit-now.Sub(who.session.CreatedAt)
	return max(0, min(idle, absolute)), absolute > idle+time.Minute
}

// Mark tells one person from another and says nothing else of them; empty: nobody is signed in.
func (a Actor) Mark() string {
	if a.Nobody() {
		return ""
	}
	h := sha256.Sum256([]byte("mark of " + a.ID()))
	return hex.EncodeToString(h[:8])
}

// SignedIn is one browser at which a person is signed in.
type SignedIn struct {
	db.Session
	Here    bool // it is the one that asks
	Halfway bool // the password was given there, and no second step yet
}

// Sessions lists where a person is signed in, the newest first. They may, for themselves.
func (p *Practice) Sessions(ctx context.Context, by Person) (all []SignedIn, err error) {
	err = p.db.View(ctx, func(tx *db.Tx) error {
		sessions, err := tx.SessionsOf(by.who.ids())
		for _, s := range sessions {
			halfway, fault := owesStep(tx, s)
			err = errors.Join(err, fault)
			if !lapsed(s, halfway, tx.Now()) {
				all = append(all, SignedIn{s, s.PublicID == by.who.session.PublicID, halfway})
			}
		}
		return err
	})
	return all, err
}

// SignOutAt signs a person out at one of their browsers, and tells whether it is the one that asks. ErrNotFound for a session
// that is over, or somebody else's.
func (p *Practice) SignOutAt(ctx context.Context, by Person, publicID string) (here bool, err error) {
	here = publicID == by.who.session.PublicID
	act := db.Act("signed out at another browser")
	if here {
		act = "signed out"
	}
	clientID, staffID := by.who.ids()
	return here, p.db.Update(ctx, func(tx *db.Tx) error {
		if err := tx.EndSessionOf(clientID, staffID, publicID); err != nil {
			return err
		}
		return tx.Audit(by.who.entry(act))
	})
}

// SignOutElsewhere signs a person out everywhere but at the browser that asks.
func (p *Practice) SignOutElsewhere(ctx context.Context, by Person) error {
	return p.db.Update(ctx, func(tx *db.Tx) error {
		clientID, staffID := by.who.ids()
		return errors.Join(tx.EndOtherSessions(clientID, staffID, by.who.session.PublicID), tx.Audit(by.who.entry("signed out everywhere else")))
	})
}

// SignOutEverywhere signs a person out everywhere, at the browser that asks too.
func (p *Practice) SignOutEverywhere(ctx context.Context, by Person) error {
	return p.db.Update(ctx, func(tx *db.Tx) error {
		return errors.Join(tx.EndSessions(by.who.ids()), tx.Audit(by.who.entry("signed out everywhere")))
	})
}

// SignStaffOut signs a staff member out everywhere. Administrators may; ErrNotFound for an id that nobody has.
func (p *Practice) SignStaffOut(ctx context.Context, by Administrator, id string) error {
	if !by.administers() {
		return ErrNotAllowed
	}
	return p.db.Update(ctx, func(tx *db.Tx) error {
		m, err := tx.Staff(id)
		if err != nil {
			return err
		}
		return errors.Join(tx.EndSessions(0, m.ID),
			tx.Audit(db.AuditEntry{StaffID: by.member.ID, Act: "signed a staff member out everywhere", Detail: "staff member " + m.PublicID}))
	})
}

// SignClientOut signs a client out everywhere. Administrators may; ErrNotFound for an id that nobody has.
func (p *Practice) SignClientOut(ctx context.Context, by Administrator, id string) error {
	if !by.administers() {
		return ErrNotAllowed
	}
	return p.db.Update(ctx, func(tx *db.Tx) error {
		c, err := tx.Client(by.reach(), id)
		if err != nil {
			return err
		}
		return errors.Join(tx.EndSessions(c.ID, 0),
			tx.Audit(db.AuditEntry{StaffID: by.member.ID, Act: "signed the client out everywhere", ClientID: c.ID}))
	})
}

// changesAnHour is how often a person can change their password in an hour: each signs out, is written down and told by mail.
const changesAnHour = 10

// ChangePassword puts another password in the place of a person's own, which they give: they are signed out everywhere else, a
// letter tells them, and their session goes on under another cookie's value, which it returns. Whoever is signed in may. It
// returns Invalid for "current", also after too many wrong ones, and for "password", also after too many changes; ErrNotFound when
// the session ended meanwhile.
func (p *Practice) ChangePassword(ctx context.Context, by Person, token, current, password string, at Browser) (renewed string, err error) {
	who := by.who
	err = p.db.View(ctx, func(tx *db.Tx) error {
		o, err := tx.Organization()
		if err != nil {
			return err
		}
		if fault := passwordFault(password, append(who.names(), o.Name)...); fault != "" {
			return Invalid{"password": fault}
		}
		if string(spelled(password)) == string(spelled(current)) {
			return Invalid{"password": "Choose another than the one you have."}
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	if err := p.provePassword(ctx, who, inSession, current, at.Network); err != nil {
		if wrong, ok := err.(Invalid); ok {
			err = Invalid{"current": wrong["password"]}
		}
		return "", err
	}
	hash := p.hash(password) // outside the transaction, for it takes long
	changes := "password changes of " + who.ID()
	err = p.db.Update(ctx, func(tx *db.Tx) error {
		if n, err := tx.Attempts(changes, tx.Now().Add(-askWindow)); err != nil {
			return err
		} else if n >= changesAnHour {
			return Invalid{"password": "You changed your password very often just now. Wait an hour."}
		}
		if renewed, err = tx.RenewSession(token); err != nil {
			return err
		}
		clientID, staffID := who.ids()
		entry := who.entry("changed their password")
		entry.ClientID = clientID
		return errors.Join(tx.AddAttempt(changes), keepPassword(tx, who, hash), tx.EndOtherSessions(clientID, staffID, who.session.PublicID),
			tx.EndLinks(db.LinkNewPassword, clientID, staffID), p.tell(tx, who, passwordChanged, at), tx.Audit(entry))
	})
	if err == nil {
		p.config.Wake()
	}
	return renewed, err
}
