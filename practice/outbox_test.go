package practice_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"anteroom/db"
	"anteroom/practice"
	"anteroom/practice/cast"
)

func TestAdministratorPausesAndResumesTheOutbox(t *testing.T) {
	c := cast.New(t)
	outbox := func() (o db.Outbox) {
		if err := c.DB.View(t.Context(), func(tx *db.Tx) (err error) { o, err = tx.Outbox(); return }); err != nil {
			t.Fatal(err)
		}
		return o
	}
	if o := outbox(); o.Paused() {
		t.Fatalf("a new one: %+v", o)
	}
	for range 2 { // the second time changes nothing
		if err := c.Practice.PauseOutbox(t.Context(), c.Olga); err != nil {
			t.Fatal(err)
		}
	}
	if o := outbox(); !o.PausedAt.Equal(c.DB.Now().Truncate(1e6)) || o.PausedBy == 0 || o.PausedWhy != "Olga Olson paused the outbox." {
		t.Errorf("%+v", o)
	}
	before := outbox().Marker
	for range 2 {
		if err := c.Practice.ResumeOutbox(t.Context(), c.Olga); err != nil {
			t.Fatal(err)
		}
	}
	if o := outbox(); o.Paused() || o.PausedBy != 0 || o.PausedWhy != "" || o.Marker == before {
		t.Errorf("%+v", o)
	}
	var acts []string
	if err := c.DB.View(t.Context(), func(tx *db.Tx) error {
		rows, err := tx.Query("SELECT act FROM audit_entries WHERE act LIKE '%the outbox' ORDER BY id")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var act string
			if err := rows.Scan(&act); err != nil {
				return err
			}
			acts = append(acts, act)
		}
		return rows.Err()
	}); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(acts, ", "); got != "paused the outbox, resumed the outbox" {
		t.Errorf("audited: %s", got)
	}
}

// letterTo queues an invitation to a client, on Olga's right, and returns its public id.
func letterTo(t *testing.T, c *cast.Cast, client db.Client, life time.Duration) (id string) {
	t.Helper()
	update(t, c, func(tx *db.Tx) error {
		link := db.Link{Purpose: db.LinkJoin, ClientID: client.ID, ExpiresAt: tx.Now().Add(life)}
		if err := tx.AddLink(&link); err != nil {
			return err
		}
		l := db.Letter{Kind: db.LetterInvitation, ClientID: client.ID, LinkID: link.ID, MessageID: rand.Text(), To: client.Email,
			EnvelopeFrom: "portal@willow.example", Subject: "Willow Street Counseling: your portal", Data: []byte("x")}
		err := tx.AddLetter(&l)
		id = l.PublicID
		return err
	})
	return id
}

func update(t *testing.T, c *cast.Cast, fn func(*db.Tx) error) {
	t.Helper()
	if err := c.DB.Update(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

// Rows of the fault table: what may be sent once more by hand, and what not, because a copy too many might arrive or a dead
// link would.
func TestRetryIsRefusedWhereItIsNotSafe(t *testing.T) {
	const anew = " Send a new one instead."
	for name, test := range map[string]struct {
		set  string // what befell the letter
		then func(t *testing.T, c *cast.Cast)
		why  string
	}{
		"waits":                 {set: "due = due + 3600000, deferred = 3"},
		"failed":                {set: "state = 'failed', settled_at = due"},
		"needs attention":       {set: "state = 'needs attention', settled_at = due, uncertain = 2"},
		"three times uncertain": {set: "state = 'needs attention', settled_at = due, uncertain = 3", why: "It may have arrived three times already." + anew},
		"sending":               {set: "state = 'sending'", why: "It is on its way."},
		"accepted":              {set: "state = 'accepted', settled_at = due", why: "The mail server took it already."},
		"cancelled":             {set: "state = 'cancelled', settled_at = due", why: "It was taken back." + anew},
		"old sender":            {set: "state = 'needs attention', settled_at = due, envelope_from = 'portal@anteroom.invalid'", why: "It was written before mails came from portal@willow.example." + anew},
		"link dies soon": {set: "state = 'failed', settled_at = due", then: func(_ *testing.T, c *cast.Cast) { c.Clock.Move(5*24*time.Hour - time.Minute) },
			why: "It waited so long that its link would soon have expired." + anew},
		"too old":   {set: "state = 'failed', settled_at = due", then: func(_ *testing.T, c *cast.Cast) { c.Clock.Move(5*24*time.Hour + time.Minute) }, why: "It waited for more than five days." + anew},
		"newer one": {set: "state = 'failed', settled_at = due", then: func(t *testing.T, c *cast.Cast) { letterTo(t, c, c.Ann, week) }, why: "A newer letter took its place."},
		"address":   {set: "state = 'failed', settled_at = due, canonical = 'other@mail.example'", why: "The email address was changed." + anew},
		"link ended": {set: "state = 'failed', settled_at = due", then: func(t *testing.T, c *cast.Cast) {
			update(t, c, func(tx *db.Tx) error { return tx.EndLinks(db.LinkJoin, c.Ann.ID, 0) })
		}, why: "Its link was revoked, or replaced by a newer one." + anew},
		"no right": {set: "state = 'failed', settled_at = due, sent_by = (SELECT id FROM staff_members WHERE name = 'Tess Tully')", why: "Its sender may not invite this client any more." + anew},
		"portal shut": {set: "state = 'failed', settled_at = due", then: func(t *testing.T, c *cast.Cast) {
			exec(t, c, "UPDATE clients SET portal_off_at = 1 WHERE id = ?", c.Ann.ID)
		}, why: "Portal access was turned off." + anew},
	} {
		t.Run(name, func(t *testing.T) {
			c := cast.New(t)
			life := week
			if name == "link dies soon" {
				life = 6 * 24 * time.Hour
			}
			id := letterTo(t, c, c.Ann, life)
			exec(t, c, "UPDATE letters SET "+test.set+" WHERE public_id = ?", id)
			if test.then != nil {
				test.then(t, c)
			}
			before := letter(t, c, id)
			err := c.Practice.RetryLetter(t.Context(), c.Olga, id)
			after := letter(t, c, id)
			if test.why != "" {
				if wrong, _ := err.(practice.Invalid); wrong["letter"] != test.why {
					t.Errorf("refused with %v", err)
				}
				if after.State != before.State || !after.Due.Equal(before.Due) {
					t.Errorf("changed: %+v", after)
				}
				return
			}
			if err != nil || after.State != db.LetterQueued || after.Due.After(c.DB.Now()) || !after.SettledAt.IsZero() || after.Uncertain != before.Uncertain {
				t.Errorf("%+v, %v", after, err)
			}
			if n := audited(t, c, "sent a letter again"); n != 1 {
				t.Errorf("audited %d times", n)
			}
		})
	}
}

const week = 7 * 24 * time.Hour

func exec(t *testing.T, c *cast.Cast, statement string, args ...any) {
	t.Helper()
	update(t, c, func(tx *db.Tx) error { _, err := tx.Exec(statement, args...); return err })
}

func letter(t *testing.T, c *cast.Cast, id string) (l db.OutboxLetter) {
	t.Helper()
	update(t, c, func(tx *db.Tx) (err error) { l, err = tx.OutboxLetter(db.Everybody(), id); return })
	return l
}

func audited(t *testing.T, c *cast.Cast, act string) (n int) {
	t.Helper()
	update(t, c, func(tx *db.Tx) error {
		return tx.QueryRow("SELECT count(*) FROM audit_entries WHERE act = ?", act).Scan(&n)
	})
	return n
}

func TestCancelTakesBackWhatHasNotLeft(t *testing.T) {
	c := cast.New(t)
	id, other := letterTo(t, c, c.Ann, week), letterTo(t, c, c.Ben, week)
	exec(t, c, "UPDATE letters SET state = 'sending' WHERE public_id = ?", other)
	n, refused, err := c.Practice.CancelLetters(t.Context(), c.Olga, id, other)
	if err != nil || n != 1 || len(refused) != 1 || refused[0].Letter.Name() != "Bell, Ben" || refused[0].Why != "It is on its way and can't be called back." {
		t.Errorf("%d, %+v, %v", n, refused, err)
	}
	if l := letter(t, c, id); l.State != db.LetterCancelled || l.SettledAt.IsZero() {
		t.Errorf("%+v", l)
	}
	if why := mayNotLeave(t, c, id); why == "" {
		t.Error("its link still opens")
	}
	if n := audited(t, c, "took a letter back"); n != 1 {
		t.Errorf("audited %d times", n)
	}
	if err := c.Practice.CancelLetter(t.Context(), c.Olga, id); err == nil {
		t.Error("taken back twice")
	}
	if _, _, err := c.Practice.RetryLetters(t.Context(), c.Olga, "nowhere"); !errors.Is(err, practice.ErrNotFound) {
		t.Error(err)
	}
}

// An older letter that is taken back leaves the link of a newer one as it is.
func TestCancelEndsTheLettersOwnLink(t *testing.T) {
	c := cast.New(t)
	old := letterTo(t, c, c.Ann, week)
	exec(t, c, "UPDATE letters SET state = 'sending' WHERE public_id = ?", old) // so that the newer one can't take it back
	newer := letterTo(t, c, c.Ann, week)
	exec(t, c, "UPDATE letters SET state = 'queued' WHERE public_id = ?", old)
	if err := c.Practice.CancelLetter(t.Context(), c.Olga, old); err != nil {
		t.Fatal(err)
	}
	if why := mayNotLeave(t, c, newer); why != "" {
		t.Error(why)
	}
}

func mayNotLeave(t *testing.T, c *cast.Cast, id string) (why string) {
	t.Helper()
	l := letter(t, c, id)
	update(t, c, func(tx *db.Tx) (err error) { why, err = tx.LetterMayNotLeave(l.ID); return })
	return why
}

func TestLettersAreFoundByStateKindAndText(t *testing.T) {
	c := cast.New(t)
	ann, ben, mia := letterTo(t, c, c.Ann, week), letterTo(t, c, c.Ben, week), letterTo(t, c, c.Mia, week)
	exec(t, c, "UPDATE letters SET state = 'failed' WHERE public_id = ?", ben)
	exec(t, c, "UPDATE letters SET kind = 'forms' WHERE public_id = ?", mia)
	for _, test := range []struct {
		f     db.LetterFilter
		want  []string
		count string
	}{
		{db.LetterFilter{}, []string{mia, ben, ann}, "map[failed:1 queued:2]"},
		{db.LetterFilter{State: db.LetterFailed}, []string{ben}, "map[failed:1 queued:2]"},
		{db.LetterFilter{Kind: db.LetterForms}, []string{mia}, "map[queued:1]"},
		{db.LetterFilter{Text: "ABBOTT ann@"}, []string{ann}, "map[queued:1]"},
		{db.LetterFilter{Text: "portal", State: db.LetterQueued}, []string{mia, ann}, "map[failed:1 queued:2]"},
		{db.LetterFilter{Text: "nobody"}, nil, "map[]"},
		{db.LetterFilter{Text: strings.Repeat("a ", 2000)}, []string{mia, ben, ann}, "map[failed:1 queued:2]"},
	} {
		got, err := c.Practice.Letters(t.Context(), c.Olga, test.f, 0, 25)
		var ids []string
		for _, l := range got.Letters {
			ids = append(ids, l.PublicID)
		}
		if err != nil || !slices.Equal(ids, test.want) || fmt.Sprint(got.Count) != test.count || got.Total != len(test.want) {
			t.Errorf("%+v: %v %v %d, %v", test.f, ids, got.Count, got.Total, err)
		}
	}
	page, err := c.Practice.Letters(t.Context(), c.Olga, db.LetterFilter{}, 1, 1)
	if err != nil || len(page.Letters) != 1 || page.Letters[0].Name() != "Bell, Ben" || page.Total != 3 {
		t.Errorf("%+v, %v", page, err)
	}
}
