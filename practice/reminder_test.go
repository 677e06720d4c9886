package practice_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"anteroom/db"
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
			if _, _, err := c.Practice.ChoosePassword(t.Context(), token, cast.Password+" for ann", "there"); err != nil {
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
