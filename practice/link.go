package practice

import (
	"cmp"
	"context"
	"errors"
	"time"

	"anteroom/db"
	"anteroom/mail"
)

// How long the links live that staff members are sent, and those of a forgotten password.
const (
	joinStaffLife   = 7 * 24 * time.Hour
	newPasswordLife = 30 * time.Minute
)

// How often a person's mailbox, and one network, may have letters with links sent that anybody can ask for. Those to a person count
// while a link of theirs lives alone: who has none always gets one, else whoever knows an address could keep its owner from it.
const (
	askWindow      = time.Hour
	lettersByHour  = 3
	lettersByDay   = 12
	asksByNetwork  = 30
	badLinksWindow = 15 * time.Minute
	badLinks       = 30
)

// LinkState is what can be done with a link that somebody brought.
type LinkState string

const (
	LinkLive    LinkState = "live"    // a password can be chosen with it
	LinkUsed    LinkState = "used"    // a password was; signing in is next
	LinkExpired LinkState = "expired" // a new one can be asked for
	LinkEnded   LinkState = "ended"   // replaced by a newer one, or taken back
	LinkClosed  LinkState = "closed"  // the portal is, for now: the link stays as it is
	LinkUnknown LinkState = "unknown" // there never was such a link
)

// Link is what anybody who holds a link may know of it: nothing of whom it was sent to.
type Link struct {
	Purpose     db.Purpose
	State       LinkState
	OwnPassword bool // it asks for the password that its owner has, not for a new one
}

// NotLive is the error of choosing a password with a link that isn't live.
type NotLive struct{ Link }

func (e NotLive) Error() string { return "the link is " + string(e.State) }

// OpenLink tells what can be done with a link. Looking spends nothing. Whoever holds the token may ask.
func (p *Practice) OpenLink(ctx context.Context, token string) (l Link, err error) {
	err = p.db.View(ctx, func(tx *db.Tx) error {
		h, err := openLink(tx, token)
		l = h.Link
		return err
	})
	return l, err
}

// NoteOpened notes when the link of an invitation was opened first. That spends nothing, and a mail scanner may have been the
// one who did. Whoever holds the token may; of any other link nothing is noted.
func (p *Practice) NoteOpened(ctx context.Context, token string) error {
	var link db.Link
	err := p.db.View(ctx, func(tx *db.Tx) (err error) {
		link, err = tx.LinkByToken(token)
		return err
	})
	if errors.Is(err, ErrNotFound) || err == nil && (link.Purpose != db.LinkJoin || !link.OpenedAt.IsZero()) {
		return nil
	}
	if err != nil {
		return err
	}
	return p.db.Update(ctx, func(tx *db.Tx) error { return tx.NoteLinkOpened(link.ID) })
}

// heldLink is a link and whose it is.
type heldLink struct {
	Link
	record db.Link
	owner  Actor
}

func openLink(tx *db.Tx, token string) (h heldLink, err error) {
	h.State = LinkUnknown
	if h.record, err = tx.LinkByToken(token); errors.Is(err, db.ErrNotFound) {
		return h, nil
	} else if err != nil {
		return h, err
	}
	h.Purpose = h.record.Purpose
	var joined, shut bool
	if h.record.StaffID != 0 {
		h.owner.staff.member, err = tx.StaffByID(h.record.StaffID)
		joined, shut = h.owner.staff.member.PasswordHash != "", !h.owner.staff.member.DisabledAt.IsZero()
	} else {
		h.owner.client.record, err = tx.ClientByID(db.Oneself(h.record.ClientID), h.record.ClientID)
		joined, shut = h.owner.client.record.Portal.HasAccount(), h.owner.client.record.Portal.Shut()
	}
	resets := h.Purpose == db.LinkNewPassword || h.Purpose == db.LinkNewAddress
	if h.Purpose == db.LinkNewAddress {
		if h.OwnPassword, err = asksOwnPassword(tx, h.record.ClientID); err != nil {
			return h, err
		}
	}
	switch {
	case shut:
		h.State = LinkEnded
	case !h.record.UsedAt.IsZero(), joined && !resets: // a second link to join must not change a password
		h.State = LinkUsed
	case !h.record.EndedAt.IsZero(), resets && !joined:
		h.State = LinkEnded
	case !h.record.Live(tx.Now()):
		h.State = LinkExpired
	default:
		h.State = LinkLive
	}
	if h.record.ClientID != 0 && err == nil {
		var off bool
		if off, err = portalIsOff(tx); off {
			h.State = LinkClosed
		}
	}
	return h, err
}

// ChoosePassword spends a live link for a password, ends that person's other sessions and signs them in with the password
// just typed; it returns the session cookie's value. Whoever holds the token may, from a network without too many bad ones.
// It returns Invalid for "password", and NotLive when the link can't be used, or was meanwhile.
func (p *Practice) ChoosePassword(ctx context.Context, token, password string, at Browser) (session string, who Actor, err error) {
	h, err := p.heldLink(ctx, token, at.Network)
	if err == nil && h.OwnPassword {
		err = NotLive{h.Link}
	}
	if err != nil {
		return "", Actor{}, err
	}
	err = p.db.View(ctx, func(tx *db.Tx) error {
		o, err := tx.Organization()
		if err != nil {
			return err
		}
		if fault := passwordFault(password, append(h.owner.names(), o.Name)...); fault != "" {
			return Invalid{"password": fault}
		}
		return nil
	})
	if err != nil {
		return "", Actor{}, err
	}
	hash, err := p.hashIf(password, func() error { // outside the transaction, for it takes long
		return p.db.View(ctx, func(tx *db.Tx) error {
			if h, err = openLink(tx, token); err == nil && h.State != LinkLive {
				err = NotLive{h.Link}
			}
			return err
		})
	})
	if err != nil {
		return "", Actor{}, err
	}
	err = p.db.Update(ctx, func(tx *db.Tx) error {
		if h, err = openLink(tx, token); err != nil {
			return err
		}
		if h.State != LinkLive {
			return NotLive{h.Link}
		}
		if err := useLink(tx, h); err != nil {
			return err
		}
		session, err = p.setPassword(tx, &h.owner, hash, passwordActs[h.Purpose], at)
		return err
	})
	if err != nil {
		return "", Actor{}, err
	}
	p.config.Wake()
	return session, h.owner, nil
}

// heldLink opens a link that somebody brought to use it: NotLive when it isn't, Invalid for a network with too many bad ones.
func (p *Practice) heldLink(ctx context.Context, token, network string) (h heldLink, err error) {
	err = p.db.View(ctx, func(tx *db.Tx) error {
		if err := badLinksLeft(tx, network, "password"); err != nil {
			return err
		}
		h, err = openLink(tx, token)
		return err
	})
	if err != nil || h.State == LinkLive {
		return h, err
	}
	if h.State == LinkUnknown {
		if err := p.db.Update(ctx, func(tx *db.Tx) error { return tx.AddAttempt(badLinkFrom(network)) }); err != nil {
			return h, err
		}
	}
	return h, NotLive{h.Link}
}

func badLinkFrom(network string) string { return "bad link " + network }

// badLinksLeft refuses a network from which too many links came that nobody sent; Invalid for field.
func badLinksLeft(tx *db.Tx, network, field string) error {
	n, err := tx.Attempts(badLinkFrom(network), tx.Now().Add(-badLinksWindow))
	if err == nil && n >= badLinks {
		err = Invalid{field: "Too many links that don't work came from your network. Wait 15 minutes and try again."}
	}
	return err
}

// useLink spends a link; that of a new address puts it in the place of the old one.
func useLink(tx *db.Tx, h heldLink) error {
	if err := tx.UseLink(h.record.ID); err != nil {
		return err
	}
	if h.Purpose != db.LinkNewAddress {
		return nil
	}
	if err := tx.ConfirmAddress(h.owner.client.record); errors.Is(err, ErrNotFound) {
		h.State = LinkEnded
		return NotLive{h.Link}
	} else if err != nil {
		return err
	}
	// Whoever reads the old mailbox chooses no password any more.
	id := h.owner.client.record.ID
	return errors.Join(tx.EndLinks(db.LinkNewPassword, id, 0), tx.CancelLetters(id, db.LetterNewPassword, "the client's address changed"))
}

var passwordActs = map[db.Purpose]db.Act{
	db.LinkJoin:        "joined the client portal",
	db.LinkJoinStaff:   "chose a password",
	db.LinkNewPassword: "chose a new password",
	db.LinkNewAddress:  "confirmed the new email address",
}

// setPassword keeps a person's new password, signs them out wherever they were signed in, and in here: halfway, where they owe
// a second step.
func (p *Practice) setPassword(tx *db.Tx, who *Actor, hash string, act db.Act, at Browser) (session string, err error) {
	clientID, staffID := who.ids()
	if err := keepPassword(tx, *who, hash); err != nil {
		return "", err
	}
	if err := errors.Join(tx.EndSessions(clientID, staffID), tx.ClearAttempts("account "+who.email().Canonical())); err != nil {
		return "", err
	}
	if act == passwordActs[db.LinkNewPassword] {
		if err := p.tell(tx, *who, passwordChanged, at); err != nil {
			return "", err
		}
		at.told = true
	}
	if act == passwordActs[db.LinkJoin] || act == passwordActs[db.LinkJoinStaff] {
		if err := rememberFirst(tx, *who, at); err != nil {
			return "", err
		}
	}
	if err := tx.Audit(db.AuditEntry{StaffID: staffID, ByClient: clientID, ClientID: clientID, Act: act}); err != nil {
		return "", err
	}
	return p.enter(tx, who, at)
}

func keepPassword(tx *db.Tx, who Actor, hash string) error {
	clientID, staffID := who.ids()
	if staffID != 0 {
		return tx.SetStaffPassword(staffID, hash)
	}
	return tx.SetPortalPassword(clientID, hash)
}

// RenewLink sends a new link in place of one that doesn't work any more, to the address on file only. Whoever holds the old
// one may ask, and learns nothing: the outcome is the same whether or not a letter is sent.
func (p *Practice) RenewLink(ctx context.Context, token, network string) error {
	return p.ask(ctx, network, func(tx *db.Tx) (Actor, error) {
		h, err := openLink(tx, token)
		if h.State == LinkUnknown || h.Purpose == db.LinkNewAddress { // the owner of an address that isn't confirmed is nobody yet
			return Actor{}, err
		}
		return h.owner, err
	})
}

// ForgotPassword sends a link for a new password to an address, if a staff member or a client signs in with it; to one who
// was invited but has not joined, a new link to join. Anybody may ask, and learns nothing: outcome and cost are the same for
// every address.
func (p *Practice) ForgotPassword(ctx context.Context, address, network string) error {
	email, err := db.ParseEmail(address)
	if err != nil {
		return Invalid{"email": notAnAddress}
	}
	return p.ask(ctx, network, func(tx *db.Tx) (who Actor, err error) {
		if who.staff.member, err = tx.StaffByEmail(email); !errors.Is(err, db.ErrNotFound) {
			return who, err
		}
		if who.client.record, err = tx.ClientByEmail(db.Everybody(), email); errors.Is(err, db.ErrNotFound) {
			return Actor{}, nil
		}
		return who, err
	})
}

// ask sends the letter that helps a person in again, unless the network asked too often, or they have a link that lives and were sent
// many.
func (p *Practice) ask(ctx context.Context, network string, find func(*db.Tx) (Actor, error)) error {
	place := "asked from " + network
	sent := false
	err := p.db.Update(ctx, func(tx *db.Tx) error {
		who, err := find(tx)
		if err != nil {
			return err
		}
		byNetwork, err := tx.Attempts(place, tx.Now().Add(-askWindow))
		if err != nil || byNetwork >= asksByNetwork {
			return err
		}
		if err := tx.AddAttempt(place); err != nil {
			return err
		}
		if many, err := sentMany(tx, who); err != nil || many {
			return err
		}
		sent, err = p.helpIn(tx, who)
		return err
	})
	if err == nil && sent {
		p.config.Wake()
	}
	return err
}

// sentMany tells that a person was sent as many links lately as anybody may ask for, and has one that lives.
func sentMany(tx *db.Tx, who Actor) (bool, error) {
	clientID, staffID := who.ids()
	byHour, err := tx.LinksSince(clientID, staffID, tx.Now().Add(-askWindow))
	if err != nil {
		return false, err
	}
	byDay, err := tx.LinksSince(clientID, staffID, tx.Now().Add(-24*time.Hour))
	if err != nil {
		return false, err
	}
	purpose := db.LinkNewPassword
	switch {
	case clientID != 0 && !who.client.record.Portal.HasAccount():
		purpose = db.LinkJoin
	case staffID != 0 && who.staff.member.PasswordHash == "":
		purpose = db.LinkJoinStaff
	}
	lives, err := tx.HasLiveLink(purpose, clientID, staffID)
	return lives && (byHour >= lettersByHour || byDay >= lettersByDay), err
}

// helpIn queues the letter with which a person gets in again, where there is one for them.
func (p *Practice) helpIn(tx *db.Tx, who Actor) (sent bool, err error) {
	o, err := tx.Organization()
	if err != nil {
		return false, err
	}
	member, client := who.staff.member, who.client.record
	switch {
	case client.ID != 0 && (o.PortalOff() || !client.Portal.UnwantedAt.IsZero()):
		// What a link leads to is closed, or somebody else would get it: the answer is as for nobody.
	case member.ID != 0 && !member.DisabledAt.IsZero():
		return false, nil
	case member.ID != 0 && member.PasswordHash == "":
		return true, p.sendJoinStaff(tx, member, 0)
	case client.ID != 0 && client.Portal.State(tx.Now()) == db.PortalActive, member.ID != 0:
		return true, p.sendNewPassword(tx, who)
	case client.ID != 0:
		return p.renewInvitation(tx, client)
	}
	// Nobody who could use a link has the address: composing a letter to nobody costs what composing one to somebody does.
	if _, err := p.writeAccountLetter(o, languages[0].newPassword, p.nobody(), tx.Now(), newPasswordLife); err != nil {
		return false, err
	}
	return false, noteStranger(tx, "asked for a new password or link", "for an address that is nobody's")
}

// renewInvitation sends the invitation again to a client whose invitation is out, or expired, and ends its link.
func (p *Practice) renewInvitation(tx *db.Tx, client db.Client) (sent bool, err error) {
	if state := client.Portal.State(tx.Now()); state != db.PortalInvited && state != db.PortalExpired {
		return false, nil
	}
	last, err := tx.LatestInvitation(db.Oneself(client.ID), client.ID)
	if err != nil {
		return false, err
	}
	inviter, err := tx.StaffByID(last.SentBy)
	if err != nil {
		return false, err
	}
	o, err := tx.Organization()
	if err != nil {
		return false, err
	}
	w := p.newWriter(o, inviter.Name, tx.Now())
	letter, err := w.writeAgain(tx, db.InvitationMessage, client)
	if err != nil {
		return false, err
	}
	if err := p.sendInvitation(tx, letter, client, w.expires(), inviter.ID, db.Letter{}); err != nil {
		return false, err
	}
	return true, tx.Audit(db.AuditEntry{ClientID: client.ID, Act: "sent a new link to join", Detail: "asked for by whoever holds the old link or knows the address"})
}

// accountMessage is what a letter about somebody's own way in says.
type accountMessage struct {
	message *mail.Message
	button  string // of its link; empty: it has none
	why     string // why they get it, where that isn't what a client's letters say
}

func newAccountMessage(subject, body, button, why string) accountMessage {
	return accountMessage{mail.Parse(subject, body), button, why}
}

var (
	joinStaffMessage = newAccountMessage("{practice_name}: choose your password", `Hello,

An account on the client portal of {practice_name} was made for you. Choose a password, and you are in.

{portal_link}

The link is yours alone and works until {link_expires_on}. If it has expired by then, the page it opens sends you a new one.`, "Choose a password", "")

	oldAddressMessage = newAccountMessage("{practice_name}: you sign in with another email address now", `Hello,

An administrator of {practice_name} changed the email address of your account. This one no longer opens it. A link to choose a password was sent to the new one.

If you didn't expect this, please tell the practice.`, "", "")
)

// sendJoinStaff queues the letter with which a staff member chooses their first password, and ends an earlier link.
func (p *Practice) sendJoinStaff(tx *db.Tx, member db.StaffMember, sentBy int64) error {
	if err := p.sendAccountLetter(tx, joinStaffMessage, Actor{staff: Staff{member: member}}, db.LinkJoinStaff, joinStaffLife,
		db.Letter{Kind: db.LetterJoinStaff, StaffID: member.ID, SentBy: sentBy}); err != nil {
		return err
	}
	return tx.Audit(db.AuditEntry{StaffID: sentBy, Act: "sent a link to choose a password", Detail: "to " + staffNoted(member)})
}

// sendOldAddress queues the letter that tells somebody, at the address they sign in with, of another.
func (p *Practice) sendOldAddress(tx *db.Tx, m accountMessage, to Actor) error {
	o, err := tx.Organization()
	if err != nil {
		return err
	}
	letter, err := p.writeAccountLetter(o, m, to, tx.Now(), 0)
	if err != nil {
		return err
	}
	return p.queue(tx, letter, db.Letter{Kind: db.LetterOldAddress, StaffID: to.staff.member.ID, ClientID: to.client.record.ID})
}

func (p *Practice) sendNewPassword(tx *db.Tx, who Actor) error {
	staffID, clientID := who.staff.member.ID, who.client.record.ID
	if err := p.sendAccountLetter(tx, languageOf(who.client.record).newPassword, who, db.LinkNewPassword, newPasswordLife,
		db.Letter{Kind: db.LetterNewPassword, StaffID: staffID, ClientID: clientID}); err != nil {
		return err
	}
	e := db.AuditEntry{Act: "asked for a new password", ClientID: clientID}
	if staffID != 0 {
		e.Detail = "for " + staffNoted(who.staff.member)
	}
	return tx.Audit(e)
}

func (p *Practice) sendAccountLetter(tx *db.Tx, m accountMessage, to Actor, purpose db.Purpose, life time.Duration, l db.Letter) error {
	o, err := tx.Organization()
	if err != nil {
		return err
	}
	link := db.Link{Purpose: purpose, StaffID: l.StaffID, ClientID: l.ClientID, ExpiresAt: tx.Now().Add(life)}
	if err := tx.AddLink(&link); err != nil {
		return err
	}
	letter, err := p.writeAccountLetter(o, m, to, tx.Now(), life)
	if err != nil {
		return err
	}
	l.LinkID = link.ID
	return p.queue(tx, letter, l)
}

func (p *Practice) writeAccountLetter(o db.Organization, m accountMessage, to Actor, now time.Time, life time.Duration) (mail.Letter, error) {
	return p.writeLetterTo(o, m, to, now, map[string]string{"link_expires_on": languageOf(to.client.record).minute(now.Add(life).In(o.TimeZone))}, "link/"+mail.Slot)
}

// writeLetterTo composes a letter to somebody about their own way in. Its button, where it has one, leads to path.
func (p *Practice) writeLetterTo(o db.Organization, m accountMessage, to Actor, now time.Time, values map[string]string, path string) (mail.Letter, error) {
	l := languageOf(to.client.record)
	frame := p.frame(o, l, now)
	frame.To, frame.Button, frame.Values = to.address(), m.button, values
	values["practice_name"] = o.Name
	if m.button != "" {
		values[mail.Link] = p.link(path)
	}
	if to.staff.member.ID != 0 {
		frame.Footer += "If this mail wasn't meant for you, please tell us and delete it."
	} else {
		frame.Footer += l.line(cmp.Or(m.why, l.why), o.Name, "")
		frame.NotMeant = p.notMeantLink(l)
	}
	return p.config.Composer.Compose(m.message, frame)
}

// nobody is whom a letter is composed for that isn't sent: it costs what another does.
func (p *Practice) nobody() Actor { return Actor{client: Client{record: db.Client{Email: p.from()}}} }

// email is the address that the actor signs in with.
func (a Actor) email() db.Email {
	if a.staff.member.ID != 0 {
		return a.staff.member.Email
	}
	return a.client.record.Email
}

// names are what others know of the actor: a password made of them is easy to guess.
func (a Actor) names() []string {
	m, c := a.staff.member, a.client.record
	return []string{a.email().String(), m.Name, c.FirstName, c.LastName, c.PreferredName, c.DateOfBirth, c.Phone}
}

// address is where the actor's letters go.
func (a Actor) address() mail.Address {
	if a.staff.member.ID != 0 {
		return mail.Address{Name: a.staff.member.Name, Email: a.staff.member.Email}
	}
	return mail.Address{Name: a.client.record.FirstName + " " + a.client.record.LastName, Email: a.client.record.Email}
}
