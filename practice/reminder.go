package practice

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"anteroom/db"
	"anteroom/mail"
)

const (
	day          = 24 * time.Hour
	remindsApart = 20 * time.Hour // from any other letter to the client: nobody hears from us twice a day
)

// reminder is the next one that a client gets.
type reminder struct {
	kind db.MessageKind // empty: there is none
	at   time.Time
	none string // why there is none, in a sentence
}

// nextReminder is the rule of when a client is reminded: derived from what was sent and done, as of now.
func nextReminder(s db.ReminderSettings, o db.Organization, c db.Client, r db.Reminding, now time.Time) reminder {
	unreachable := Unreachable(c)
	switch {
	case !s.OffAt.IsZero():
		return reminder{none: "They are turned off for all clients."}
	case !r.OffAt.IsZero():
		return reminder{none: "They are turned off for this client."}
	case o.PortalOff():
		return reminder{none: "The client portal is turned off."}
	case unreachable != "":
		return reminder{none: unreachable}
	case c.Portal.Troubled():
		return reminder{none: "Mail to this address doesn't reach the client."}
	}
	var next reminder
	switch c.Portal.State(now) {
	case db.PortalActive:
		next = nextOfForms(s, c, r)
	case db.PortalInvited:
		next = nextOfInvitation(s, c, r, now)
	case db.PortalQueued:
		return reminder{none: "The invitation hasn't left yet."}
	case db.PortalExpired:
		return reminder{none: "The invitation expired."}
	case db.PortalCouldntSend:
		return reminder{none: "The invitation couldn't be sent."}
	default:
		return reminder{none: "The client isn't invited."}
	}
	if next.none != "" {
		return next
	}
	if r.Waiting {
		return reminder{none: "Another letter has to leave first."}
	}
	next.at = s.AfterQuiet(latest(next.at, r.LetterAt.Add(remindsApart), now))
	switch {
	case next.kind == db.InvitationReminderMessage && c.Portal.ExpiresAt.Sub(next.at) < mail.ReminderMustLast:
		return reminder{none: "The invitation expires before another would be sent."}
	case next.kind == db.FormsReminderMessage && !next.at.Before(leftInPeace(s, c, r)):
		return reminder{none: "The forms were sent too long ago."}
	}
	return next
}

// nextOfInvitation: each of the days has one reminder; when several passed without any, one is enough.
func nextOfInvitation(s db.ReminderSettings, c db.Client, r db.Reminding, now time.Time) reminder {
	sent := len(r.Reminded)
	next := reminder{kind: db.InvitationReminderMessage}
	for i, days := range s.InvitationDays {
		at := c.Portal.SentAt.Add(time.Duration(days) * day)
		had := sent > i || sent > 0 && !r.Reminded[sent-1].Before(at)
		switch {
		case had:
		case next.at.IsZero() || !at.After(now):
			next.at = at
		}
	}
	if next.at.IsZero() {
		return reminder{none: remindedSo(sent)}
	}
	return next
}

// nextOfForms: so many days after the last that was heard of each other, and only so many for what was asked for.
func nextOfForms(s db.ReminderSettings, c db.Client, r db.Reminding) reminder {
	if r.AskedAt.IsZero() {
		return reminder{none: "No form is open."}
	}
	since := latest(r.AskedAt, c.Portal.AccountAt)
	last, sent := latest(since, r.ToldAt, r.AnsweredAt), 0
	for _, at := range r.Reminded {
		if at.After(since) {
			sent++
		}
		last = latest(last, at)
	}
	if sent >= s.FormsTimes {
		return reminder{none: remindedSo(sent)}
	}
	return reminder{kind: db.FormsReminderMessage, at: last.Add(time.Duration(s.FormsDays) * day)}
}

// leftInPeace is when a client is who hasn't done anything about their forms: after all the reminders had their time,
// and at once where forms were open for long when the practice began to remind.
func leftInPeace(s db.ReminderSettings, c db.Client, r db.Reminding) time.Time {
	return latest(r.AskedAt, c.Portal.AccountAt, r.AnsweredAt).Add(silence(s))
}

func silence(s db.ReminderSettings) time.Duration {
	return time.Duration(s.FormsDays*(s.FormsTimes+1)) * day
}

func remindedSo(sent int) string {
	switch sent {
	case 0:
		return "None are sent for forms."
	case 1:
		return "The only one was sent."
	}
	return fmt.Sprintf("All %d were sent.", sent)
}

func latest(times ...time.Time) time.Time { return slices.MaxFunc(times, time.Time.Compare) }

// remindAtOnce is how many clients are reminded in one transaction: others get their turn in between.
const remindAtOnce = 200

// Remind queues the reminders that are due, and tells how many. The program does that by itself every few minutes, on nobody's
// right; each is checked in the transaction that queues it. None is queued in quiet hours, nor while letters wait anyway.
func (p *Practice) Remind(ctx context.Context) (sent int, err error) {
	if p.OutboxStatus().Held != "" {
		return 0, nil
	}
	var ids []int64
	err = p.db.View(ctx, func(tx *db.Tx) error {
		r, err := p.newReminders(tx)
		if err != nil || r == nil {
			return err
		}
		ids, err = tx.MayRemind(r.settings, r.times())
		return err
	})
	if err != nil {
		return 0, err
	}
	for some := range slices.Chunk(ids, remindAtOnce) {
		n := 0
		if err := p.db.Update(ctx, func(tx *db.Tx) error {
			r, err := p.newReminders(tx)
			if err != nil || r == nil {
				return err
			}
			n, err = r.send(tx, some)
			return err
		}); err != nil {
			return sent, err
		}
		if sent += n; n > 0 {
			p.config.Wake()
		}
	}
	return sent, nil
}

// reminders are sent in one transaction.
type reminders struct {
	p        *Practice
	settings db.ReminderSettings
	practice db.Organization
	writer   *writer
}

// newReminders returns nil when none may be sent now.
func (p *Practice) newReminders(tx *db.Tx) (*reminders, error) {
	s, err := tx.ReminderSettings()
	if errors.Is(err, ErrNotFound) {
		return nil, nil // waits for set-up
	}
	if err != nil {
		return nil, err
	}
	outbox, err := tx.Outbox()
	if err != nil {
		return nil, err
	}
	o, err := tx.Organization()
	if err != nil || !s.OffAt.IsZero() || o.PortalOff() || outbox.Paused() || s.AfterQuiet(tx.Now()).After(tx.Now()) {
		return nil, err
	}
	return &reminders{p, s, o, p.newWriter(o, "", tx.Now())}, nil
}

// times bounds whom the records could have one due to.
func (r *reminders) times() db.ReminderTimes {
	now := r.writer.now
	return db.ReminderTimes{LinkUntil: now.Add(mail.ReminderMustLast), LetterFrom: now.Add(-remindsApart),
		FormsFrom: now.Add(-time.Duration(r.settings.FormsDays) * day), SilentFrom: now.Add(-silence(r.settings))}
}

func (r *reminders) send(tx *db.Tx, clientIDs []int64) (sent int, err error) {
	clients, err := tx.ClientsByID(db.Everybody(), clientIDs)
	if err != nil {
		return 0, err
	}
	for _, c := range clients {
		facts, err := tx.Reminding(c)
		if err != nil {
			return sent, err
		}
		next := nextReminder(r.settings, r.practice, c, facts, tx.Now())
		if next.kind == "" || next.at.After(tx.Now()) {
			continue
		}
		switch err := r.remind(tx, c, facts, next.kind); {
		case errors.Is(err, mail.ErrTooLong): // with names that grew since the message was saved: staff reach the client otherwise
		case err != nil:
			return sent, err
		default:
			sent++
		}
	}
	return sent, nil
}

// remind queues a client's reminder. It names as its sender whoever sent what it reminds of.
func (r *reminders) remind(tx *db.Tx, c db.Client, facts db.Reminding, kind db.MessageKind) error {
	w, by := *r.writer, facts.AskedBy
	l := db.Letter{Kind: db.LetterFormsReminder, ClientID: c.ID}
	of := "of forms that are open"
	if kind == db.InvitationReminderMessage {
		l.Kind, l.InvitationID, l.LinkID = db.LetterInvitationReminder, facts.Invitation.ID, facts.Invitation.LinkID
		w.repeats, by, of = c.Portal.ExpiresAt, facts.Invitation.SentBy, "of the invitation"
	}
	sender, err := tx.StaffByID(by)
	if err != nil {
		return err
	}
	w.sender = sender.Name
	message, err := defaultFor(tx, kind, c)
	if err != nil {
		return err
	}
	therapists, err := tx.TherapistsOf(db.Oneself(c.ID), []int64{c.ID})
	if err != nil {
		return err
	}
	letter, err := w.write(kind, message, c, therapists[c.ID])
	if err != nil {
		return err
	}
	if err := r.p.queue(tx, letter, l); err != nil {
		return err
	}
	return tx.Audit(db.AuditEntry{Act: "sent a reminder", ClientID: c.ID, Detail: of})
}

// Reminders is what a client's page says of them.
type Reminders struct {
	Next time.Time // zero: none comes
	None string    // why, in a sentence
	Off  bool      // for this client
	May  bool      // turn them off and on
}

// remindersOf is what comes next for a client.
func remindersOf(tx *db.Tx, c db.Client, may bool) (Reminders, error) {
	facts, err := tx.Reminding(c)
	if err != nil {
		return Reminders{}, err
	}
	s, err := tx.ReminderSettings()
	if err != nil {
		return Reminders{}, err
	}
	o, err := tx.Organization()
	if err != nil {
		return Reminders{}, err
	}
	next := nextReminder(s, o, c, facts, tx.Now())
	return Reminders{Next: next.at, None: next.none, Off: !facts.OffAt.IsZero(), May: may}, nil
}

// TurnReminders stops reminding a client, or goes on. Who may invite the client or edit their record may; ErrNotFound and
// ErrNotAllowed as for ClientToEdit. Off takes a reminder back that has not left.
func (p *Practice) TurnReminders(ctx context.Context, by Staff, clientID string, on bool) error {
	return p.db.Update(ctx, func(tx *db.Tx) error {
		c, err := within(tx, by, by.edits(), clientID)
		if errors.Is(err, ErrNotAllowed) {
			c, err = within(tx, by, by.invites(), clientID)
		}
		if err != nil {
			return err
		}
		facts, err := tx.Reminding(c)
		if err != nil || facts.OffAt.IsZero() == on {
			return err
		}
		act := db.Act("turned reminders on")
		if !on {
			act = "turned reminders off"
		}
		return errors.Join(tx.TurnReminders(c.ID, on), tx.RecheckReminders(), tx.Audit(db.AuditEntry{StaffID: by.member.ID, Act: act, ClientID: c.ID}))
	})
}

// ReminderFields is what is typed about reminders.
type ReminderFields struct {
	On             bool
	InvitationDays string // "3, 6"
	FormsDays      string
	FormsTimes     string
	QuietFrom      string // hours of the day
	QuietUntil     string
	Version        string // of the settings that were changed; empty: whichever are on file
	Late           string // which reminders aren't sent, as a link expires before, in a sentence; empty: none. It isn't typed
}

// ReminderFields is what is set about reminders; administrators may know.
func (p *Practice) ReminderFields(ctx context.Context, by Administrator) (f ReminderFields, err error) {
	if !by.administers() {
		return f, ErrNotAllowed
	}
	err = p.db.View(ctx, func(tx *db.Tx) error {
		s, err := tx.ReminderSettings()
		if err != nil {
			return err
		}
		o, err := tx.Organization()
		f = ReminderFields{s.OffAt.IsZero(), daysInWords(s.InvitationDays), strconv.Itoa(s.FormsDays), strconv.Itoa(s.FormsTimes),
			strconv.Itoa(s.QuietFrom), strconv.Itoa(s.QuietUntil), settingsVersion(reminderSettings(s)), ""}
		if f.On {
			f.Late = lateReminders(s.InvitationDays, o.InvitationDays)
		}
		return err
	})
	return f, err
}

func daysInWords(days []int) string {
	words := make([]string, len(days))
	for i, n := range days {
		words[i] = strconv.Itoa(n)
	}
	return strings.Join(words, ", ")
}

// lateReminders says which reminders of an invitation aren't sent: links that work for so many days expire before.
func lateReminders(days []int, life int) string {
	var late []string
	for _, n := range days {
		if n >= life {
			late = append(late, strconv.Itoa(n))
		}
	}
	works := linkWorks(life) + ", so the "
	switch last := len(late) - 1; len(late) {
	case 0:
		return ""
	case 1:
		return works + "reminder after " + daysOf(late[0]) + " isn't sent."
	default:
		return works + "reminders after " + strings.Join(late[:last], ", ") + " and " + late[last] + " days aren't sent."
	}
}

func linkWorks(life int) string {
	return "An invitation's link works for " + daysOf(strconv.Itoa(life))
}

func daysOf(n string) string {
	if n == "1" {
		return "1 day"
	}
	return n + " days"
}

// Limits of what can be set.
const (
	maxInvitationReminders = 4
	maxFormsDays           = 60
	maxFormsReminders      = 10
)

// into checks what was typed. An invitation lives for so many days.
func (f ReminderFields) into(s *db.ReminderSettings, life int, now time.Time) Invalid {
	wrong := Invalid{}
	switch {
	case f.On:
		s.OffAt = time.Time{}
	case s.OffAt.IsZero():
		s.OffAt = now
	}
	var fault string
	if s.InvitationDays, fault = parseDays(f.InvitationDays, life, s.InvitationDays); fault != "" {
		wrong["invitation_days"] = fault
	}
	for _, number := range []struct {
		field, typed string
		to           *int
		from, until  int
		sentence     string
	}{
		{"forms_days", f.FormsDays, &s.FormsDays, 1, maxFormsDays, "Enter a number of days from 1 to 60."},
		{"forms_times", f.FormsTimes, &s.FormsTimes, 0, maxFormsReminders, "Enter a number from 0 to 10."},
		{"quiet_from", f.QuietFrom, &s.QuietFrom, 0, 23, "Choose an hour."},
		{"quiet_until", f.QuietUntil, &s.QuietUntil, 0, 23, "Choose an hour."},
	} {
		n, err := strconv.Atoi(strings.TrimSpace(number.typed))
		if err != nil || n < number.from || n > number.until {
			wrong[number.field] = number.sentence
		}
		*number.to = n
	}
	return wrong
}

// parseDays reads days such as "3, 6" after the sending of an invitation, or says what is wrong with them. Those on file may stay
// where links were made to expire before: the page says that no reminder comes then.
func parseDays(typed string, life int, onFile []int) (days []int, fault string) {
	words := strings.FieldsFunc(typed, func(r rune) bool { return r == ',' || r == ';' || r == ' ' })
	if len(words) == 0 || len(words) > maxInvitationReminders {
		return nil, "Enter one to four numbers of days, such as 3, 6."
	}
	for _, word := range words {
		n, err := strconv.Atoi(word)
		switch {
		case err != nil:
			return nil, "Enter whole numbers of days, such as 3, 6."
		case n < 1 || n >= life && !slices.Contains(onFile, n):
			return nil, possibleDays(life)
		case len(days) > 0 && n <= days[len(days)-1]:
			return nil, "Put the days in order, each once, such as 3, 6."
		}
		days = append(days, n)
	}
	return days, ""
}

func possibleDays(life int) string {
	switch life {
	case 1:
		return linkWorks(life) + ", so no reminder can come before it expires."
	case 2:
		return linkWorks(life) + ", so the only day for a reminder is 1."
	}
	return fmt.Sprintf("Each day is a number from 1 to %d, before the link expires.", life-1)
}

func reminderSettings(s db.ReminderSettings) []setting {
	on := "on"
	if !s.OffAt.IsZero() {
		on = "off"
	}
	return []setting{{"reminders", on}, {"days after an invitation", daysInWords(s.InvitationDays)}, {"days between reminders of forms", strconv.Itoa(s.FormsDays)},
		{"reminders of forms at most", strconv.Itoa(s.FormsTimes)}, {"quiet from", HourInWords(s.QuietFrom)}, {"quiet until", HourInWords(s.QuietUntil)}}
}

// HourInWords is an hour of the day as people say it.
func HourInWords(hour int) string {
	switch hour {
	case 0:
		return "midnight"
	case 12:
		return "noon"
	}
	return time.Date(2000, 1, 1, hour, 0, 0, 0, time.UTC).Format("3 PM")
}

// ChangeReminders changes when clients are reminded; administrators may. It returns Invalid with a sentence for each wrong field:
// "invitation_days", "forms_days", "forms_times", "quiet_from", "quiet_until"; or for "version", as ChangeOrganization does.
// Turned off, it takes the reminders back that have not left.
func (p *Practice) ChangeReminders(ctx context.Context, by Administrator, f ReminderFields) error {
	if !by.administers() {
		return ErrNotAllowed
	}
	err := p.db.Update(ctx, func(tx *db.Tx) error {
		o, err := tx.Organization()
		if err != nil {
			return err
		}
		before, err := tx.ReminderSettings()
		if err != nil {
			return err
		}
		s := before
		if err := f.into(&s, o.InvitationDays, tx.Now()).orNil(); err != nil {
			return err
		}
		if wrong := unseen(f.Version, reminderSettings(before), reminderSettings(s)); wrong != nil {
			return wrong
		}
		changed := settingsIn(reminderSettings(s), reminderSettings(before))
		if len(changed) == 0 {
			return nil
		}
		return errors.Join(tx.SaveReminderSettings(s), tx.RecheckReminders(),
			tx.Audit(db.AuditEntry{StaffID: by.member.ID, Act: "changed the reminders", Detail: settingNames(changed)}))
	})
	if err == nil {
		p.config.Wake() // other hours are quiet
	}
	return err
}
