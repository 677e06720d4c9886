package practice

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"anteroom/db"
)

// SetUp is what a new practice begins with: the organization, and its first administrator.
type SetUp struct {
	OrganizationFields
	Administrator NewAdministrator
	PasswordAlone bool // is enough to sign in: for an invented practice
}

// NewAdministrator is somebody who becomes one with a password of their own, not by a mail.
type NewAdministrator struct{ Name, Email, Password string }

// Wrong codes after which a network has to wait. The code itself has 80 bits.
const (
	codesByNetwork = 10
	codeWindow     = 15 * time.Minute
)

// What a new practice's portal says until an administrator writes something better.
const (
	firstWelcome = "Welcome. This is your private space with us. Fill in your forms at your own pace: every answer is saved as you go."
	firstHelp    = "If you have a question or can't get on with a form, call us. You can also leave a form for your first visit."
	firstCrisis  = "You are not alone, and help is there right now. Call or text 988 to reach the Suicide & Crisis Lifeline, at any hour. " +
		"If you are in immediate danger, call 911 or your local emergency number, or go to the nearest emergency room. " +
		"Nobody watches this page around the clock, so please don't wait for us to answer."
)

// IsSetUp tells whether there is an organization.
func (p *Practice) IsSetUp(ctx context.Context) (bool, error) {
	if p.setUp.Load() {
		return true, nil
	}
	_, err := p.Organization(ctx)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err == nil {
		p.setUp.Store(true)
	}
	return err == nil, err
}

// SetUpCode is what opens set-up: made anew at each start, and printed on the terminal alone.
func (p *Practice) SetUpCode() string {
	code := p.setUpCode
	return code[:4] + "-" + code[4:8] + "-" + code[8:12] + "-" + code[12:]
}

func newSetUpCode() string { return rand.Text()[:16] }

// SetUp makes the organization and its first administrator, who is signed in with the session cookie's value that it
// returns. Whoever has the code may, once: later it is ErrNotFound. Otherwise it returns Invalid: for "code", or for the
// fields of the organization, "administrator_name", "email" and "password".
func (p *Practice) SetUp(ctx context.Context, code string, at Browser, s SetUp) (session string, who Actor, err error) {
	place := "set-up code " + at.Network
	err = p.db.Update(ctx, func(tx *db.Tx) error {
		if _, err := tx.Organization(); err == nil {
			return ErrNotFound
		} else if !errors.Is(err, ErrNotFound) {
			return err
		}
		n, err := tx.Attempts(place, tx.Now().Add(-codeWindow))
		if err == nil && n >= codesByNetwork {
			return Invalid{"code": "Too many wrong codes. Wait 15 minutes and try again."}
		}
		return err
	})
	if err != nil {
		return "", Actor{}, err
	}
	given := strings.ToUpper(strings.NewReplacer("-", "", " ", "").Replace(strings.TrimSpace(code)))
	if given == "" {
		return "", Actor{}, Invalid{"code": "Enter the code."}
	}
	if subtle.ConstantTimeCompare([]byte(given), []byte(p.setUpCode)) != 1 {
		if err := p.db.Update(ctx, func(tx *db.Tx) error { return tx.AddAttempt(place) }); err != nil {
			return "", Actor{}, err
		}
		return "", Actor{}, Invalid{"code": "That isn't the code. It is printed where the server was started."}
	}
	return p.begin(ctx, s, at)
}

// CreateAdministrator makes an administrator, and before set-up the organization too. Whoever holds the data folder may. It
// returns Invalid.
func (p *Practice) CreateAdministrator(ctx context.Context, s SetUp) error {
	ready, err := p.IsSetUp(ctx)
	if err != nil {
		return err
	}
	if !ready {
		_, _, err := p.begin(ctx, s, Browser{})
		return err
	}
	o, err := p.Organization(ctx)
	if err != nil {
		return err
	}
	wrong := Invalid{}
	email := s.Administrator.check(o.Name, wrong)
	if len(wrong) > 0 {
		return wrong
	}
	hash := p.hash(s.Administrator.Password)
	return p.db.Update(ctx, func(tx *db.Tx) error {
		_, err := addAdministrator(tx, s.Administrator.Name, email, hash)
		return err
	})
}

// begin makes the organization and its first administrator, and signs them in where they are at a browser.
func (p *Practice) begin(ctx context.Context, s SetUp, at Browser) (session string, who Actor, err error) {
	o := db.Organization{InvitationDays: 7, PortalWelcome: firstWelcome, PortalHelp: firstHelp, CrisisText: firstCrisis}
	wrong := s.into(&o)
	email := s.Administrator.check(o.Name, wrong)
	if len(wrong) > 0 {
		return "", Actor{}, wrong
	}
	hash := p.hash(s.Administrator.Password)
	err = p.db.Update(ctx, func(tx *db.Tx) error {
		if _, err := tx.Organization(); err == nil {
			return ErrNotFound // somebody else was faster
		}
		if err := tx.SaveOrganization(o); err != nil {
			return err
		}
		if s.PasswordAlone {
			if err := tx.RequireSecondStep(false, false); err != nil {
				return err
			}
		}
		id, err := addAdministrator(tx, s.Administrator.Name, email, hash)
		if err != nil {
			return err
		}
		if err := tx.Audit(db.AuditEntry{StaffID: id, Act: "set up the organization"}); err != nil {
			return err
		}
		if who.staff.member, err = tx.StaffByID(id); err != nil || at == (Browser{}) {
			return err
		}
		if err := rememberFirst(tx, who, at); err != nil {
			return err
		}
		session, err = p.enter(tx, &who, at)
		return err
	})
	return session, who, err
}

// check notes what is wrong with a new administrator, and returns their address.
func (a NewAdministrator) check(organization string, wrong Invalid) db.Email {
	wrong.require("administrator_name", oneLine(a.Name), "Enter the administrator's name.")
	email, err := db.ParseEmail(a.Email)
	if err != nil {
		wrong["email"] = notAnAddress
	}
	if fault := passwordFault(a.Password, a.Name, a.Email, organization); fault != "" {
		wrong["password"] = fault
	}
	return email
}

func addAdministrator(tx *db.Tx, name string, email db.Email, hash string) (id int64, err error) {
	m := db.StaffMember{Name: oneLine(name), Email: email, Role: db.RoleAdministrator}
	if err := tx.AddStaff(&m); errors.Is(err, db.ErrEmailTaken) {
		return 0, Invalid{"email": staffEmailTaken}
	} else if err != nil {
		return 0, err
	}
	if err := tx.SetStaffPassword(m.ID, hash); err != nil {
		return 0, err
	}
	return m.ID, tx.Audit(db.AuditEntry{Act: "added an administrator", Detail: staffNoted(m)})
}

const (
	notAnAddress    = "Enter an email address like name@example.com."
	staffEmailTaken = "Somebody at this practice, staff or client, uses this address already. One address never serves two people: use one that only this person reads."
	longestName     = 200
)

// require notes a sentence at a field that is empty, or far longer than what belongs there.
func (v Invalid) require(field, value, sentence string) {
	if value == "" {
		v[field] = sentence
	} else if utf8.RuneCountInString(value) > longestName {
		v[field] = "Shorten this to 200 characters."
	}
}
