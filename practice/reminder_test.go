package practice_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"anteroom/db"
	"anteroom/mail"
	"anteroom/practice"
	"anteroom/practice/cast"
)

// remind does what the program does every few minutes.
func remind(t *testing.T, c *cast.Cast) (sent int) {
	t.Helper()
	sent, err := c.Practice.Remind(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return sent
}

// accept has every letter that may leave accepted by a relay, and tells the token of the link in each.
func accept(t *testing.T, c *cast.Cast) (tokens map[int64]string) {
	t.Helper()
	tokens = map[int64]string{}
	update(t, c, func(tx *db.Tx) error {
		claimed, err := tx.ClaimLetters(1000, time.Minute)
		if err != nil {
			return err
		}
		for _, l := range claimed {
			token := ""
			if l.LinkID != 0 {
				if _, token, err = tx.LinkToken(l.LinkID); err != nil {
					return err
				}
			}
			tokens[l.ID] = token
			if err := tx.SettleLetter(db.Settlement{Letter: l, State: db.LetterAccepted}); err != nil {
				return err
			}
		}
		return nil
	})
	return tokens
}

// reminded lists when a client was sent reminders of a kind.
func reminded(t *testing.T, c *cast.Cast, client db.Client, kind db.LetterKind) (at []time.Time) {
	t.Helper()
	for _, l := range letters(t, c, client) {
		if l.Kind == kind {
			at = append(at, l.CreatedAt)
		}
	}
	slices.Reverse(at)
	return at
}

// rules are one practice's settings.
type rules struct {
	zone         *time.Location
	from, until  int
	days         []int
	every, times int
}

// TestRemindersOverRandomMonths compares what is sent with the rule, told here once more in plain words over a plain record of
// what happened.
func TestRemindersOverRandomMonths(t *testing.T) {
	counted := map[db.LetterKind]int{}
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 7))
		c := cast.New(t)
		withForms(t, c)
		zones := []string{"America/New_York", "America/Los_Angeles", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"}
		zone, err := time.LoadLocation(zones[r.IntN(len(zones))])
		if err != nil {
			t.Fatal(err)
		}
		h := rules{zone, r.IntN(24), r.IntN(24), []int{3, 6}, 7, 3}
		if r.IntN(2) == 0 {
			h.from, h.until = 20, 8
		}
		if r.IntN(3) == 0 {
			h.days, h.every, h.times = []int{1, 2, 4, 5}, 1+r.IntN(9), r.IntN(4)
		}
		// The month goes over the day on which clocks are put back, or forward.
		start := time.Date(2026, 10, 15, r.IntN(24), r.IntN(60), 0, 0, time.UTC)
		if r.IntN(2) == 0 {
			start = time.Date(2027, 2, 28, r.IntN(24), r.IntN(60), 0, 0, time.UTC)
		}
		c.Clock.Move(start.Sub(c.Clock.Now()))
		update(t, c, func(tx *db.Tx) error {
			o, err := tx.Organization()
			if err != nil {
				return err
			}
			o.TimeZone = zone
			if err := tx.SaveOrganization(o); err != nil {
				return err
			}
			return tx.SaveReminderSettings(db.ReminderSettings{InvitationDays: h.days, FormsDays: h.every, FormsTimes: h.times, QuietFrom: h.from, QuietUntil: h.until})
		})
		runMonths(t, c, r, h, seed, counted)
	}
	if counted[db.LetterInvitationReminder] < 20 || counted[db.LetterFormsReminder] < 8 {
		t.Errorf("too little happened: %v", counted)
	}
}

// runMonths has a month and a half pass for one client, some hours at a time.
func runMonths(t *testing.T, c *cast.Cast, r *rand.Rand, h rules, seed uint64, counted map[db.LetterKind]int) {
	t.Helper()
	var (
		invitedAt, expires, joinedAt, askedAt, answeredAt, lastLetter time.Time
		open, off, revoked, portalOff                                 bool
		token                                                         string
		last                                                          time.Time // reminder of what is current
		invitations, forms                                            int       // reminders of it
		formID                                                        string
	)
	quiet := func(now time.Time) bool {
		if h.from == h.until {
			return false
		}
		for hour := h.from; hour != h.until; hour = (hour + 1) % 24 {
			if now.In(h.zone).Hour() == hour {
				return true
			}
		}
		return false
	}
	due := func(now time.Time) db.LetterKind {
		if off || quiet(now) || now.Sub(lastLetter) < 20*time.Hour {
			return ""
		}
		switch {
		case joinedAt.IsZero() && !invitedAt.IsZero() && !revoked && expires.Sub(now) >= 12*time.Hour:
			var passed time.Time
			n := 0
			for _, d := range h.days {
				if at := invitedAt.Add(time.Duration(d) * 24 * time.Hour); !now.Before(at) {
					passed, n = at, n+1
				}
			}
			if n > 0 && invitations < n && last.Before(passed) {
				return db.LetterInvitationReminder
			}
		case !joinedAt.IsZero() && open && forms < h.times:
			week := time.Duration(h.every) * 24 * time.Hour
			since := askedAt
			if joinedAt.After(since) {
				since = joinedAt
			}
			heard := since
			for _, at := range []time.Time{answeredAt, last} {
				if at.After(heard) {
					heard = at
				}
			}
			peace := since
			if answeredAt.After(peace) {
				peace = answeredAt
			}
			if !now.Before(heard.Add(week)) && now.Before(peace.Add(time.Duration(h.times+1)*week)) {
				return db.LetterFormsReminder
			}
		}
		return ""
	}
	for hours := 0; hours < 24*45; {
		step := 1 + r.IntN(3)
		hours += step
		c.Clock.Move(time.Duration(step) * time.Hour)
		now := c.Clock.Now().Truncate(time.Millisecond)
		switch n := r.IntN(1000); {
		case portalOff && n >= 120: // nothing is done meanwhile
		case portalOff || n < 2:
			portalOff = !portalOff
			turn := c.Practice.TurnPortalOn
			if portalOff {
				turn = c.Practice.TurnPortalOff
			}
			if err := turn(t.Context(), c.Olga); err != nil {
				t.Fatal(err)
			}
		case n < 20 && joinedAt.IsZero():
			draft := chosen(t, c, c.Ann)
			if err := c.Practice.SaveDraft(t.Context(), c.Olga.Staff, draft, practice.DraftChange{Forms: []string{"intake"}}); err != nil {
				t.Fatal(err)
			}
			if err := c.Practice.Send(t.Context(), c.Olga.Staff, draft, ""); err != nil {
				t.Fatal(err)
			}
			if !open {
				askedAt = now
			}
			open, invitedAt, expires, revoked, last, invitations = true, now, now.AddDate(0, 0, 7), false, time.Time{}, 0
			token, lastLetter = lastToken(t, c, c.Ann.ID, 0), now
		case (n < 24 || seed%2 == 1) && !invitedAt.IsZero() && joinedAt.IsZero() && !revoked && now.Before(expires):
			if _, _, err := c.Practice.ChoosePassword(t.Context(), token, cast.Password+" for ann", practice.Browser{Network: "there"}); err != nil {
				t.Fatal(err)
			}
			joinedAt, last, forms = now, time.Time{}, 0
		case n >= 33 && n < 36 && !joinedAt.IsZero() && open:
			update(t, c, func(tx *db.Tx) error { // an answer saved
				all, err := tx.FormRequests(db.Everybody(), c.Ann.ID)
				if err != nil {
					return err
				}
				formID = all[0].PublicID
				answeredAt = now
				return tx.SaveAnswers(all[0], map[string][]string{"x": {"y"}})
			})
		case n >= 36 && n < 38 && !joinedAt.IsZero() && open && formID != "":
			update(t, c, func(tx *db.Tx) error {
				f, err := tx.FormRequest(db.Everybody(), formID)
				if err != nil {
					return err
				}
				return tx.CompleteFormRequest(f, db.FormResult{})
			})
			open, formID, answeredAt = false, "", now
		case n >= 38 && n < 60 && !joinedAt.IsZero() && !open:
			draft := chosen(t, c, c.Ann)
			if err := c.Practice.SaveDraft(t.Context(), c.Olga.Staff, draft, practice.DraftChange{Forms: []string{"intake"}}); err != nil {
				t.Fatal(err)
			}
			if err := c.Practice.Send(t.Context(), c.Olga.Staff, draft, ""); err != nil {
				t.Fatal(err)
			}
			open, askedAt, lastLetter, last, forms = true, now, now, time.Time{}, 0
		case n >= 60 && n < 64 && (off || n < 61):
			off = !off
			if err := c.Practice.TurnReminders(t.Context(), c.Olga.Staff, c.Ann.PublicID, !off); err != nil {
				t.Fatal(err)
			}
		case n >= 64 && n < 66 && !invitedAt.IsZero() && joinedAt.IsZero() && !revoked && now.Before(expires):
			if err := c.Practice.RevokeInvitation(t.Context(), c.Olga.Staff, c.Ann.PublicID); err != nil {
				t.Fatal(err)
			}
			revoked = true
		}
		if portalOff {
			if n := remind(t, c); n != 0 {
				t.Fatalf("seed %d: %d sent while the portal is off", seed, n)
			}
			continue
		}
		if r.IntN(4) == 0 || r.IntN(40) == 0 { // the program is off for a while now and then
			accept(t, c)
			continue
		}
		accept(t, c)
		want := due(now)
		sent := remind(t, c)
		if (sent == 1) != (want != "") || sent > 1 {
			t.Fatalf("seed %d, %v: sent %d, but due is %q (%+v)", seed, now.In(h.zone), sent, want, h)
		}
		if sent == 0 {
			continue
		}
		if again := remind(t, c); again != 0 {
			t.Fatalf("seed %d, %v: sent twice", seed, now)
		}
		l := letters(t, c, c.Ann)[0]
		if l.Kind != want || l.SentBy != 0 {
			t.Fatalf("seed %d: %q by %d, want %q", seed, l.Kind, l.SentBy, want)
		}
		got := accept(t, c)[l.ID]
		if want == db.LetterInvitationReminder && got != token || want == db.LetterFormsReminder && l.LinkID != 0 {
			t.Fatalf("seed %d: the link of a reminder is %q, that of the invitation %q", seed, got, token)
		}
		counted[want]++
		last, lastLetter = now, now
		if want == db.LetterInvitationReminder {
			invitations++
		} else {
			forms++
		}
	}
}

// sendTo invites a client, or sends forms to one who has an account, as Olga does, and has the letter accepted.
func sendTo(t *testing.T, c *cast.Cast, client db.Client, forms ...string) {
	t.Helper()
	draft := chosen(t, c, client)
	if err := c.Practice.SaveDraft(t.Context(), c.Olga.Staff, draft, practice.DraftChange{Forms: forms}); err != nil {
		t.Fatal(err)
	}
	if err := c.Practice.Send(t.Context(), c.Olga.Staff, draft, ""); err != nil {
		t.Fatal(err)
	}
	accept(t, c)
}

const hoursPerDay = 24 * time.Hour

func TestTwoFellDueWhileTheServerWasOff(t *testing.T) {
	c := cast.New(t)
	f, err := c.Practice.ReminderFields(t.Context(), c.Olga)
	f.InvitationDays = "1, 2"
	if err := errors.Join(err, c.Practice.ChangeReminders(t.Context(), c.Olga, f)); err != nil {
		t.Fatal(err)
	}
	sendTo(t, c, c.Ann)
	c.Clock.Move(2*hoursPerDay + time.Hour) // past both days
	if n := remind(t, c); n != 1 {
		t.Fatalf("sent %d, not one for both", n)
	}
	accept(t, c)
	for range 12 {
		c.Clock.Move(5 * time.Hour)
		if n := remind(t, c); n != 0 {
			t.Fatalf("%v: sent %d more", c.Clock.Now(), n)
		}
	}
}

// A reminder of an invitation says what the invitation said: until when its link works, and who sent it.
func TestAReminderRepeatsTheDayOnWhichTheLinkExpires(t *testing.T) {
	c := cast.New(t)
	withForms(t, c)
	sendTo(t, c, c.Ann)
	sendTo(t, c, c.Leo, "intake")
	text := func(client db.Client) string {
		return strings.ReplaceAll(string(data(t, c, letters(t, c, client)[0])), "=\r\n", "")
	}
	const day = "Monday, November 9, 2026"
	if !strings.Contains(text(c.Ann), day) {
		t.Fatal(text(c.Ann))
	}
	c.Clock.Move(3*hoursPerDay + time.Hour)
	if n := remind(t, c); n != 1 {
		t.Fatalf("sent %d", n)
	}
	for _, words := range []string{day, "It is the same link as before", "Join Client Portal", "Olga Olson sent you this", "/link/" + mail.Slot} {
		if !strings.Contains(text(c.Ann), words) {
			t.Errorf("%q is not in: %s", words, text(c.Ann))
		}
	}
	accept(t, c)
	c.Clock.Move(4 * hoursPerDay)
	if n := remind(t, c); n != 1 {
		t.Fatalf("sent %d", n)
	}
	for _, words := range []string{"Something is still waiting", "/sign-in", "Olga Olson sent you this"} {
		if !strings.Contains(text(c.Leo), words) {
			t.Errorf("%q is not in: %s", words, text(c.Leo))
		}
	}
	if strings.Contains(text(c.Leo), "Intake") {
		t.Error("it names the form")
	}
}

func TestFormsReminders(t *testing.T) {
	c := cast.New(t)
	withForms(t, c)
	sendTo(t, c, c.Mia, "intake")
	for range 70 * 4 {
		c.Clock.Move(6 * time.Hour)
		remind(t, c)
		accept(t, c)
	}
	at := reminded(t, c, c.Mia, db.LetterFormsReminder)
	if len(at) != 3 {
		t.Fatalf("reminded %v", at)
	}
	start := cast.NewClock().Now()
	for i, want := range []time.Duration{7, 14, 21} {
		if late := at[i].Sub(start) - want*hoursPerDay; late < 0 || late > 18*time.Hour+time.Duration(i)*12*time.Hour {
			t.Errorf("reminder %d after %v", i+1, at[i].Sub(start))
		}
	}
	// Forms sent again begin anew.
	sendTo(t, c, c.Mia, "phq-9")
	c.Clock.Move(7*hoursPerDay + time.Hour)
	if n := remind(t, c); n != 1 {
		t.Errorf("sent %d for new forms", n)
	}
}

// Forms that were open for long when a practice begins to remind are nobody's news.
func TestNobodyIsRemindedOfWhatLiesLongBack(t *testing.T) {
	c := cast.New(t)
	withForms(t, c)
	sendTo(t, c, c.Mia, "intake")
	c.Clock.Move(29 * hoursPerDay)
	if n := remind(t, c); n != 0 {
		t.Errorf("sent %d", n)
	}
	if d := details(t, c, c.Mia); d.Reminders.None != "The forms were sent too long ago." {
		t.Errorf("%+v", d.Reminders)
	}
}

func TestSchedulersAtOnceSendEachReminderOnce(t *testing.T) {
	c := cast.New(t)
	sendTo(t, c, c.Ann)
	sendTo(t, c, c.Ben)
	c.Clock.Move(3*hoursPerDay + time.Hour)
	var wait sync.WaitGroup
	var sent atomic.Int64
	for range 6 {
		wait.Go(func() {
			n, err := c.Practice.Remind(t.Context())
			if err != nil {
				t.Error(err)
			}
			sent.Add(int64(n))
		})
	}
	wait.Wait()
	if sent.Load() != 2 || len(reminded(t, c, c.Ann, db.LetterInvitationReminder)) != 1 || len(reminded(t, c, c.Ben, db.LetterInvitationReminder)) != 1 {
		t.Errorf("sent %d", sent.Load())
	}
}

// Nothing that says what was sent is in memory: after the process ended at any moment, the database tells the next.
func TestRemindersAfterAKill(t *testing.T) {
	folder, clock := t.TempDir(), cast.NewClock()
	days := 0
	for start := 0; start < 8; start++ {
		d, err := db.Open(t.Context(), folder, "", clock.Now)
		if err != nil {
			t.Fatal(err)
		}
		from, _ := db.ParseEmail("portal@willow.example")
		p := practice.New(d, practice.Config{Public: cast.Public, Composer: composer(t), From: from})
		if start == 0 {
			addInvited(t, d)
		}
		for range 2 {
			n, err := p.Remind(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			days += n
		}
		if err := d.Update(t.Context(), func(tx *db.Tx) error { // a claim that nobody settles
			_, err := tx.ClaimLetters(10, time.Minute)
			if err != nil || start%2 == 1 {
				return err
			}
			lost, err := tx.LostLetters(true)
			for _, l := range lost {
				err = errors.Join(err, tx.SettleLetter(db.Settlement{Letter: l, State: db.LetterAccepted}))
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		d.Close()
		clock.Move(hoursPerDay)
	}
	if days < 1 || days > 2 {
		t.Errorf("reminded %d times", days)
	}
}

// addInvited makes a practice with one client, who was just invited.
func addInvited(t *testing.T, d *db.DB) {
	t.Helper()
	if err := d.Update(t.Context(), func(tx *db.Tx) error {
		zone, err := time.LoadLocation("America/New_York")
		if err != nil {
			return err
		}
		olga, ann := db.StaffMember{Name: "Olga", Role: db.RoleAdministrator}, db.Client{FirstName: "Ann", LastName: "Abbott"}
		olga.Email, _ = db.ParseEmail("olga@willow.example")
		ann.Email, _ = db.ParseEmail("ann@mail.example")
		if err := errors.Join(tx.SaveOrganization(db.Organization{Name: "Willow", Phone: "5", TimeZone: zone, InvitationDays: 7}), tx.AddStaff(&olga), tx.AddClient(&ann)); err != nil {
			return err
		}
		link := db.Link{Purpose: db.LinkJoin, ClientID: ann.ID, ExpiresAt: tx.Now().Add(7 * hoursPerDay)}
		if err := tx.AddLink(&link); err != nil {
			return err
		}
		i := db.Invitation{ClientID: ann.ID, LinkID: link.ID, SentBy: olga.ID}
		if err := tx.AddInvitation(&i); err != nil {
			return err
		}
		return tx.AddLetter(&db.Letter{Kind: db.LetterInvitation, ClientID: ann.ID, InvitationID: i.ID, LinkID: link.ID, MessageID: "first@willow.example", To: ann.Email, Data: []byte("x")})
	}); err != nil {
		t.Fatal(err)
	}
}

// What happens while a reminder waits takes it back, with its reason.
func TestAReminderThatWaitsIsTakenBack(t *testing.T) {
	for why, act := range map[string]func(t *testing.T, c *cast.Cast) error{
		"The client has joined.": func(t *testing.T, c *cast.Cast) error {
			_, _, err := c.Practice.ChoosePassword(t.Context(), lastToken(t, c, c.Ann.ID, 0), cast.Password+" too", practice.Browser{Network: "here"})
			return err
		},
		"Reminders were turned off.": func(t *testing.T, c *cast.Cast) error {
			f, err := c.Practice.ReminderFields(t.Context(), c.Olga)
			f.On = false
			return errors.Join(err, c.Practice.ChangeReminders(t.Context(), c.Olga, f))
		},
		"Reminders were turned off. ": func(t *testing.T, c *cast.Cast) error {
			return c.Practice.TurnReminders(t.Context(), c.Tom, c.Ann.PublicID, false)
		},
		"the invitation was revoked": func(t *testing.T, c *cast.Cast) error {
			return c.Practice.RevokeInvitation(t.Context(), c.Tom, c.Ann.PublicID)
		},
		"A newer invitation took its place.": func(t *testing.T, c *cast.Cast) error {
			c.Clock.Move(time.Hour)
			return c.Practice.Resend(t.Context(), c.Tom, c.Ann.PublicID)
		},
		"Mail to this address came back.": func(t *testing.T, c *cast.Cast) error {
			exec(t, c, "UPDATE email_addresses SET bounced_at = 1 WHERE client_id = ?", c.Ann.ID)
			return nil
		},
		"The client may not be emailed.": func(t *testing.T, c *cast.Cast) error {
			exec(t, c, "UPDATE clients SET no_email_at = 1 WHERE id = ?", c.Ann.ID)
			return nil
		},
		"Its link would soon expire.": nil,
	} {
		t.Run(why, func(t *testing.T) {
			c := cast.New(t)
			sendTo(t, c, c.Ann)
			c.Clock.Move(3*hoursPerDay + time.Hour)
			if n := remind(t, c); n != 1 {
				t.Fatalf("sent %d", n)
			}
			reminder := letters(t, c, c.Ann)[0]
			if act == nil {
				c.Clock.Move(3*hoursPerDay + 13*time.Hour)
				link := db.Link{ExpiresAt: onFile(t, c, c.Ann.ID).Portal.ExpiresAt}
				if got, end := mail.TooLate(reminder, link, c.Clock.Now()); got != why || end != db.LetterCancelled {
					t.Errorf("%q, %s", got, end)
				}
				return
			}
			if err := act(t, c); err != nil {
				t.Fatal(err)
			}
			accept(t, c)
			for _, l := range letters(t, c, c.Ann) {
				if l.ID == reminder.ID && (l.State != db.LetterCancelled || l.Reply != strings.TrimSpace(why)) {
					t.Errorf("%s: %s", l.State, l.Reply)
				}
			}
			if n := remind(t, c); n != 0 {
				t.Errorf("and sent %d more", n)
			}
		})
	}
	c := cast.New(t)
	withForms(t, c)
	sendTo(t, c, c.Mia, "intake")
	c.Clock.Move(7*hoursPerDay + time.Hour)
	if n := remind(t, c); n != 1 {
		t.Fatalf("sent %d", n)
	}
	exec(t, c, "UPDATE form_requests SET completed_at = 1 WHERE client_id = ?", c.Mia.ID)
	accept(t, c)
	if l := letters(t, c, c.Mia)[0]; l.State != db.LetterCancelled || l.Reply != "No form is open for the client any more." {
		t.Errorf("%s: %s", l.State, l.Reply)
	}
}

func TestWhoTurnsReminders(t *testing.T) {
	c := cast.New(t)
	sendTo(t, c, c.Ann)
	for _, test := range []struct {
		by     practice.Staff
		client db.Client
		want   error
	}{
		{c.Olga.Staff, c.Ann, nil}, {c.Tom, c.Ann, nil}, {c.Tess, c.Ben, nil}, // she edits him
		{c.Tess, c.Ann, practice.ErrNotFound}, {c.Finn, c.Ann, practice.ErrNotAllowed}, {practice.Staff{}, c.Ann, practice.ErrNotFound},
	} {
		for _, on := range []bool{false, false, true} {
			before := audited(t, c, "turned reminders off") + audited(t, c, "turned reminders on")
			if err := c.Practice.TurnReminders(t.Context(), test.by, test.client.PublicID, on); !errors.Is(err, test.want) {
				t.Fatalf("%s: %v, want %v", test.by.Name(), err, test.want)
			}
			d := details(t, c, test.client)
			if entries := audited(t, c, "turned reminders off") + audited(t, c, "turned reminders on"); test.want == nil && d.Reminders.Off == on || entries-before > 1 {
				t.Errorf("%s turned them %v: %+v, %d entries", test.by.Name(), on, d.Reminders, entries-before)
			}
		}
	}
	if off := audited(t, c, "turned reminders off"); off != 3 {
		t.Errorf("turned off %d times", off)
	}
}

func TestWhatAClientsPageSaysOfReminders(t *testing.T) {
	c := cast.New(t)
	none := func(client db.Client, want string) {
		t.Helper()
		if d := details(t, c, client).Reminders; d.None != want || !d.Next.IsZero() {
			t.Errorf("%+v, want %q", d, want)
		}
	}
	none(c.Sam, "No email address on file.")
	none(c.Ann, "The client isn't invited.")
	none(c.Mia, "No form is open.")
	sendTo(t, c, c.Ann)
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	// Sent on Monday at 10:04 in New York.
	if d := details(t, c, c.Ann).Reminders; !d.Next.Equal(time.Date(2026, 11, 5, 10, 4, 5, 0, zone)) {
		t.Errorf("%+v", d)
	}
	c.Clock.Move(3*hoursPerDay + 12*time.Hour) // nobody was there until ten at night
	if d := details(t, c, c.Ann).Reminders; !d.Next.Equal(time.Date(2026, 11, 6, 8, 0, 0, 0, zone)) {
		t.Errorf("%+v", d)
	}
	if n := remind(t, c); n != 0 {
		t.Errorf("sent %d in quiet hours", n)
	}
	c.Clock.Move(10 * time.Hour)
	if n := remind(t, c); n != 1 {
		t.Errorf("sent %d", n)
	}
	none(c.Ann, "Another letter has to leave first.")
	accept(t, c)
	c.Clock.Move(2*hoursPerDay + 3*time.Hour)
	remind(t, c)
	accept(t, c)
	none(c.Ann, "All 2 were sent.")
	c.Clock.Move(2 * hoursPerDay)
	none(c.Ann, "The invitation expired.")
	if n := audited(t, c, "sent a reminder"); n != 2 {
		t.Errorf("%d entries", n)
	}
}

func TestReminderSettings(t *testing.T) {
	c := cast.New(t)
	f, err := c.Practice.ReminderFields(t.Context(), c.Olga)
	if err != nil || !f.On || f.InvitationDays != "3, 6" || f.FormsDays != "7" || f.FormsTimes != "3" || f.QuietFrom != "20" || f.QuietUntil != "8" {
		t.Fatalf("%+v, %v", f, err)
	}
	for name, test := range map[string]struct {
		change func(*practice.ReminderFields)
		field  string
	}{
		"no days":         {func(f *practice.ReminderFields) { f.InvitationDays = " , " }, "invitation_days"},
		"five":            {func(f *practice.ReminderFields) { f.InvitationDays = "1 2 3 4 5" }, "invitation_days"},
		"words":           {func(f *practice.ReminderFields) { f.InvitationDays = "three" }, "invitation_days"},
		"zero":            {func(f *practice.ReminderFields) { f.InvitationDays = "0, 3" }, "invitation_days"},
		"backwards":       {func(f *practice.ReminderFields) { f.InvitationDays = "6, 3" }, "invitation_days"},
		"twice":           {func(f *practice.ReminderFields) { f.InvitationDays = "3, 3" }, "invitation_days"},
		"after the link":  {func(f *practice.ReminderFields) { f.InvitationDays = "3, 7" }, "invitation_days"},
		"every 0 days":    {func(f *practice.ReminderFields) { f.FormsDays = "0" }, "forms_days"},
		"every 61 days":   {func(f *practice.ReminderFields) { f.FormsDays = "61" }, "forms_days"},
		"11 times":        {func(f *practice.ReminderFields) { f.FormsTimes = "11" }, "forms_times"},
		"some times":      {func(f *practice.ReminderFields) { f.FormsTimes = "some" }, "forms_times"},
		"none fits":       {func(f *practice.ReminderFields) { f.InvitationDays = "0, 7, 8" }, "invitation_days"},
		"hour 24":         {func(f *practice.ReminderFields) { f.QuietFrom = "24" }, "quiet_from"},
		"no hour":         {func(f *practice.ReminderFields) { f.QuietUntil = "" }, "quiet_until"},
		"somebody's else": {func(f *practice.ReminderFields) { f.Version, f.FormsDays = "old", "9" }, "version"},
	} {
		typed := f
		test.change(&typed)
		err := c.Practice.ChangeReminders(t.Context(), c.Olga, typed)
		if wrong, ok := err.(practice.Invalid); !ok || len(wrong) != 1 || wrong[test.field] == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := audited(t, c, "changed the reminders"); n != 0 {
		t.Errorf("%d entries of refused changes", n)
	}
	f.InvitationDays, f.FormsTimes, f.QuietFrom, f.QuietUntil = "1;2, 5", "0", "0", "0"
	for range 2 { // the second time changes nothing
		if err := c.Practice.ChangeReminders(t.Context(), c.Olga, f); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := c.Practice.ReminderFields(t.Context(), c.Olga); err != nil || got.InvitationDays != "1, 2, 5" || got.FormsTimes != "0" || got.Version == f.Version {
		t.Errorf("%+v, %v", got, err)
	}
	if n := audited(t, c, "changed the reminders"); n != 1 {
		t.Errorf("%d entries", n)
	}
	if err := c.Practice.ChangeReminders(t.Context(), practice.Administrator{}, f); !errors.Is(err, practice.ErrNotAllowed) {
		t.Error(err)
	}
}

// Links may be made to expire before a day on which clients are reminded. That is said, and keeps nobody from saving.
func TestRemindersAfterTheLinkExpired(t *testing.T) {
	c := cast.New(t)
	for _, test := range []struct{ life, late, possible string }{
		{"7", "", "Each day is a number from 1 to 6, before the link expires."},
		{"6", "An invitation's link works for 6 days, so the reminder after 6 days isn't sent.", "Each day is a number from 1 to 5, before the link expires."},
		{"2", "An invitation's link works for 2 days, so the reminders after 3 and 6 days aren't sent.", "An invitation's link works for 2 days, so the only day for a reminder is 1."},
		{"1", "An invitation's link works for 1 day, so the reminders after 3 and 6 days aren't sent.", "An invitation's link works for 1 day, so no reminder can come before it expires."},
	} {
		if err := c.Practice.ChangePortal(t.Context(), c.Olga, practice.PortalFields{InvitationDays: test.life, Crisis: "Call 988."}); err != nil {
			t.Fatal(err)
		}
		f, err := c.Practice.ReminderFields(t.Context(), c.Olga)
		if err != nil || f.Late != test.late {
			t.Errorf("%s days: %q, %v", test.life, f.Late, err)
		}
		if err := c.Practice.ChangeReminders(t.Context(), c.Olga, f); err != nil {
			t.Errorf("%s days: nothing changed, and %v", test.life, err)
		}
		f.InvitationDays = "0, 7, 8"
		if wrong, _ := c.Practice.ChangeReminders(t.Context(), c.Olga, f).(practice.Invalid); wrong["invitation_days"] != test.possible {
			t.Errorf("%s days: %q", test.life, wrong["invitation_days"])
		}
		f.InvitationDays, f.On = "3, 6", false
		if err := c.Practice.ChangeReminders(t.Context(), c.Olga, f); err != nil {
			t.Fatal(err)
		}
		off, err := c.Practice.ReminderFields(t.Context(), c.Olga)
		if err != nil || off.Late != "" {
			t.Errorf("none is sent anyway: %q, %v", off.Late, err)
		}
		if off.On = true; c.Practice.ChangeReminders(t.Context(), c.Olga, off) != nil {
			t.Error("they aren't turned on again")
		}
	}
}

// Whatever stands between a client and a reminder, none is queued; once it is gone, one is.
func TestWhoIsNotReminded(t *testing.T) {
	for name, test := range map[string]struct {
		before, undo func(t *testing.T, c *cast.Cast) error
	}{
		"nothing": {},
		"access turned off": {func(t *testing.T, c *cast.Cast) error {
			return c.Practice.TurnPortal(t.Context(), c.Olga, c.Ann.PublicID, false)
		},
			nil},
		"archived": {func(t *testing.T, c *cast.Cast) error {
			return c.Practice.ArchiveClient(t.Context(), c.Olga.Staff, c.Ann.PublicID)
		}, nil},
		"not to be emailed": {statement("UPDATE clients SET no_email_at = 1 WHERE first_name = 'Ann'"), statement("UPDATE clients SET no_email_at = NULL")},
		"bounced":           {statement("UPDATE email_addresses SET bounced_at = 1 WHERE canonical = 'ann@mail.example'"), statement("UPDATE email_addresses SET bounced_at = NULL")},
		"unwanted":          {statement("UPDATE email_addresses SET unwanted_at = 1 WHERE canonical = 'ann@mail.example'"), statement("UPDATE email_addresses SET unwanted_at = NULL")},
		"portal off": {func(t *testing.T, c *cast.Cast) error { return c.Practice.TurnPortalOff(t.Context(), c.Olga) },
			func(t *testing.T, c *cast.Cast) error { return c.Practice.TurnPortalOn(t.Context(), c.Olga) }},
		"outbox paused": {func(t *testing.T, c *cast.Cast) error { return c.Practice.PauseOutbox(t.Context(), c.Olga) },
			func(t *testing.T, c *cast.Cast) error { return c.Practice.ResumeOutbox(t.Context(), c.Olga) }},
		"reminders off": {func(t *testing.T, c *cast.Cast) error {
			return c.Practice.TurnReminders(t.Context(), c.Tom, c.Ann.PublicID, false)
		}, func(t *testing.T, c *cast.Cast) error {
			return c.Practice.TurnReminders(t.Context(), c.Tom, c.Ann.PublicID, true)
		}},
		"another address": {statement("UPDATE links SET ended_at = 1 WHERE purpose = 'join'"), nil}, // which ends the link
		"refused":         {statement("UPDATE letters SET state = 'failed'"), nil},
		"a letter waits":  {statement("UPDATE letters SET state = 'sending', settled_at = NULL"), statement("UPDATE letters SET state = 'accepted', settled_at = 1")},
	} {
		t.Run(name, func(t *testing.T) {
			c := cast.New(t)
			sendTo(t, c, c.Ann)
			c.Clock.Move(3*hoursPerDay + time.Hour)
			if test.before != nil {
				if err := test.before(t, c); err != nil {
					t.Fatal(err)
				}
				if n := remind(t, c); n != 0 {
					t.Errorf("sent %d", n)
				}
			}
			if test.before == nil || test.undo != nil {
				if test.undo != nil {
					if err := test.undo(t, c); err != nil {
						t.Fatal(err)
					}
				}
				if n := remind(t, c); n != 1 {
					t.Errorf("sent %d once nothing was in the way", n)
				}
			}
		})
	}
}

func statement(words string) func(*testing.T, *cast.Cast) error {
	return func(t *testing.T, c *cast.Cast) error { exec(t, c, words); return nil }
}

// Who was told of their forms again by hand has a week from then.
func TestWordByHandPutsAReminderOff(t *testing.T) {
	c := cast.New(t)
	withForms(t, c)
	sendTo(t, c, c.Mia, "intake")
	c.Clock.Move(6 * hoursPerDay)
	if err := c.Practice.Resend(t.Context(), c.Tom, c.Mia.PublicID); err != nil {
		t.Fatal(err)
	}
	accept(t, c)
	c.Clock.Move(6 * hoursPerDay)
	if n := remind(t, c); n != 0 {
		t.Errorf("sent %d", n)
	}
	c.Clock.Move(hoursPerDay)
	if n := remind(t, c); n != 1 {
		t.Errorf("sent %d a week later", n)
	}
}
