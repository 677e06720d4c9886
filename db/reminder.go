package db

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ReminderSettings is when the practice reminds clients, and when it lets them be.
type ReminderSettings struct {
	OffAt          time.Time // no reminders at all; zero: they are sent
	InvitationDays []int     // after the sending of an invitation, ascending
	FormsDays      int       // between two reminders of unfinished forms
	FormsTimes     int       // at most so many
	QuietFrom      int       // hours of the practice's day; the same hour twice: none are quiet
	QuietUntil     int
	TimeZone       *time.Location // the practice's
}

// ReminderSettings returns ErrNotFound before set-up.
func (tx *Tx) ReminderSettings() (s ReminderSettings, err error) {
	var days, zone string
	err = tx.row("SELECT reminders_off_at, invitation_reminder_days, forms_reminder_days, forms_reminders, quiet_from, quiet_until, time_zone FROM organization").
		Scan(timeScan{&s.OffAt}, &days, &s.FormsDays, &s.FormsTimes, &s.QuietFrom, &s.QuietUntil, &zone)
	if err != nil {
		return s, named(err)
	}
	for day := range strings.SplitSeq(days, ",") {
		n, err := strconv.Atoi(day)
		if err != nil {
			return s, fmt.Errorf("days of reminders: %w", err)
		}
		s.InvitationDays = append(s.InvitationDays, n)
	}
	s.TimeZone, err = time.LoadLocation(zone)
	return s, err
}

// SaveReminderSettings keeps all of them but the time zone, which is the organization's.
func (tx *Tx) SaveReminderSettings(s ReminderSettings) error {
	days := make([]string, len(s.InvitationDays))
	for i, n := range s.InvitationDays {
		days[i] = strconv.Itoa(n)
	}
	_, err := tx.exec("UPDATE organization SET reminders_off_at = ?, invitation_reminder_days = ?, forms_reminder_days = ?, forms_reminders = ?, quiet_from = ?, quiet_until = ?",
		ms(s.OffAt), strings.Join(days, ","), s.FormsDays, s.FormsTimes, s.QuietFrom, s.QuietUntil)
	return err
}

// quiet tells that the practice's clock shows a quiet hour. They may go past midnight.
func (s ReminderSettings) quiet(t time.Time) bool {
	hour := t.In(s.TimeZone).Hour()
	if s.QuietFrom <= s.QuietUntil {
		return s.QuietFrom <= hour && hour < s.QuietUntil
	}
	return hour >= s.QuietFrom || hour < s.QuietUntil
}

// AfterQuiet is the time itself, or, in quiet hours, when they end. Clocks may be put forward or back meanwhile: so it looks at
// what they show. Wherever clocks are, their hours begin at a quarter of ours.
func (s ReminderSettings) AfterQuiet(t time.Time) time.Time {
	const quarter = 15 * time.Minute
	for s.quiet(t) {
		t = t.Truncate(quarter).Add(quarter)
	}
	return t
}

// quietEnds is when the quiet hours end; the zero time when it is in none now.
func (tx *Tx) quietEnds() (time.Time, error) {
	s, err := tx.ReminderSettings()
	if errors.Is(err, ErrNotFound) {
		return time.Time{}, nil
	}
	if err != nil || !s.quiet(tx.now) {
		return time.Time{}, err
	}
	return s.AfterQuiet(tx.now), nil
}

// Reminding is what the records say of reminding one client.
type Reminding struct {
	OffAt    time.Time // for this client
	LetterAt time.Time // when a letter to them last left, or was queued
	Waiting  bool      // a letter to them waits, or is on its way

	Invitation Invitation // the latest; zero: there is none
	AskedAt    time.Time  // when the newest form that is open was sent; zero: none is
	AskedBy    int64
	ToldAt     time.Time // when they were last told of forms by hand
	AnsweredAt time.Time // when they last saved an answer or completed a form

	Reminded []time.Time // of the invitation, or of forms where they have an account; oldest first
}

// Reminding reads what is on record about reminding a client.
func (tx *Tx) Reminding(c Client) (r Reminding, err error) {
	var settled time.Time
	err = tx.row(`SELECT c.reminders_off_at,
		(SELECT max(created_at) FROM letters WHERE client_id = c.id), (SELECT max(settled_at) FROM letters WHERE client_id = c.id),
		EXISTS (SELECT 1 FROM letters WHERE client_id = c.id AND state IN ('queued', 'sending')),
		(SELECT max(created_at) FROM letters WHERE client_id = c.id AND kind = 'forms'),
		(SELECT nullif(max(max(ifnull(f.completed_at, 0), ifnull((SELECT max(saved_at) FROM answers WHERE form_request_id = f.id), 0))), 0) FROM form_requests f WHERE f.client_id = c.id),
		r.sent_at, r.sent_by
		FROM clients c LEFT JOIN form_requests r ON r.id =
			(SELECT id FROM form_requests WHERE client_id = c.id AND completed_at IS NULL AND revoked_at IS NULL ORDER BY sent_at DESC, id DESC LIMIT 1)
		WHERE c.id = ?`, c.ID).
		Scan(timeScan{&r.OffAt}, timeScan{&r.LetterAt}, timeScan{&settled}, &r.Waiting, timeScan{&r.ToldAt}, timeScan{&r.AnsweredAt},
			timeScan{&r.AskedAt}, idScan{&r.AskedBy})
	if err != nil {
		return r, named(err)
	}
	if settled.After(r.LetterAt) {
		r.LetterAt = settled
	}
	of, id := "kind = 'forms reminder' AND client_id", c.ID
	if !c.Portal.HasAccount() {
		if r.Invitation, err = tx.LatestInvitation(Oneself(c.ID), c.ID); errors.Is(err, ErrNotFound) {
			return r, nil
		} else if err != nil {
			return r, err
		}
		of, id = "kind = 'invitation reminder' AND invitation_id", r.Invitation.ID
	}
	r.Reminded, err = list(tx, func(s scanner) (at time.Time, err error) { err = s.Scan(timeScan{&at}); return },
		"SELECT created_at FROM letters WHERE "+of+" = ? ORDER BY id", id)
	return r, err
}

// ReminderTimes bounds whom the records could have a reminder due to: the rule itself is asked of each of them.
type ReminderTimes struct {
	LinkUntil  time.Time // an invitation's link has to work until then
	LetterFrom time.Time // no letter to the client since
	FormsFrom  time.Time // no form sent, account made or word of forms since
	SilentFrom time.Time // but one of these, or an answer, since
}

// MayRemind lists the clients to whom a reminder may be due now.
func (tx *Tx) MayRemind(s ReminderSettings, t ReminderTimes) ([]int64, error) {
	const reachable = `c.reminders_off_at IS NULL AND c.portal_off_at IS NULL AND c.archived_at IS NULL AND c.no_email_at IS NULL
		AND NOT EXISTS (SELECT 1 FROM letters l WHERE l.client_id = c.id AND (l.state IN ('queued', 'sending') OR l.created_at > ? OR l.settled_at > ?)) AND `
	const day = 24 * time.Hour
	latest, args := "0", []any{ms(t.LinkUntil), ms(t.LetterFrom), ms(t.LetterFrom)} // the latest time by which a reminder of i fell due
	for _, days := range s.InvitationDays {
		after := time.Duration(days) * day
		latest = fmt.Sprintf("iif(i.sent_at <= ?, i.sent_at + %d, %s)", after.Milliseconds(), latest)
		args = slices.Insert(args, 3, any(ms(tx.now.Add(-after))))
	}
	invited, err := column[int64](tx, `SELECT c.id FROM links k JOIN invitations i ON i.link_id = k.id JOIN clients c ON c.id = i.client_id
		WHERE k.purpose = 'join' AND k.used_at IS NULL AND k.ended_at IS NULL AND k.expires_at >= ? AND `+reachable+
		latest+" > ifnull((SELECT max(created_at) FROM letters WHERE invitation_id = i.id AND kind = 'invitation reminder'), 0) ORDER BY c.id", args...)
	if err != nil {
		return nil, err
	}
	asked, err := column[int64](tx, `SELECT c.id FROM (SELECT client_id, max(sent_at) AS sent_at FROM form_requests WHERE completed_at IS NULL AND revoked_at IS NULL GROUP BY client_id) w
		JOIN portal_accounts p ON p.client_id = w.client_id JOIN clients c ON c.id = w.client_id
		WHERE max(w.sent_at, p.created_at) <= ? AND (max(w.sent_at, p.created_at) > ? OR EXISTS (SELECT 1 FROM form_requests f WHERE f.client_id = c.id
				AND (f.completed_at > ? OR EXISTS (SELECT 1 FROM answers a WHERE a.form_request_id = f.id AND a.saved_at > ?))))
			AND `+reachable+`NOT EXISTS (SELECT 1 FROM letters l WHERE l.client_id = c.id AND l.kind IN ('forms', 'forms reminder') AND l.created_at > ?)
			AND (SELECT count(*) FROM letters l WHERE l.client_id = c.id AND l.kind = 'forms reminder' AND l.created_at > max(w.sent_at, p.created_at)) < ? ORDER BY c.id`,
		ms(t.FormsFrom), ms(t.SilentFrom), ms(t.SilentFrom), ms(t.SilentFrom), ms(t.LetterFrom), ms(t.LetterFrom), ms(t.FormsFrom), s.FormsTimes)
	return append(invited, asked...), err
}

// TurnReminders stops reminding a client, or goes on.
func (tx *Tx) TurnReminders(clientID int64, on bool) error {
	var off any
	if !on {
		off = ms(tx.now)
	}
	_, err := tx.exec("UPDATE clients SET reminders_off_at = ? WHERE id = ?", off, clientID)
	return err
}
