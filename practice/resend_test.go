package practice_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"anteroom/db"
	"anteroom/practice"
	"anteroom/practice/cast"
)

// settle has the relay end every letter that is due.
func settle(t *testing.T, c *cast.Cast, state db.LetterState, reply string) {
	t.Helper()
	if err := c.DB.Update(t.Context(), func(tx *db.Tx) error {
		claimed, err := tx.ClaimLetters(1000, time.Minute)
		for _, l := range claimed {
			if err == nil {
				err = tx.SettleLetter(db.Settlement{Letter: l, State: state, Reply: reply})
			}
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// sendingStates are the states of what was sent to a client, newest first.
func sendingStates(t *testing.T, c *cast.Cast, clientID int64) string {
	t.Helper()
	var all []string
	if err := c.DB.View(t.Context(), func(tx *db.Tx) error {
		sendings, err := tx.Sendings(db.Everybody(), clientID)
		for _, s := range sendings {
			all = append(all, string(s.State(tx.Now())))
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, ", ")
}

func TestWhoResends(t *testing.T) {
	for _, who := range []struct {
		name string
		by   func(*cast.Cast) practice.Staff
		want error
	}{
		{"Olga", func(c *cast.Cast) practice.Staff { return c.Olga.Staff }, nil},
		{"Tom, whose client it is", func(c *cast.Cast) practice.Staff { return c.Tom }, nil},
		{"Tess, whose client it isn't", func(c *cast.Cast) practice.Staff { return c.Tess }, practice.ErrNotFound},
		{"Finn, who may see but not invite", func(c *cast.Cast) practice.Staff { return c.Finn }, practice.ErrNotAllowed},
		{"nobody", func(*cast.Cast) practice.Staff { return practice.Staff{} }, practice.ErrNotFound},
	} {
		c := cast.New(t)
		invite(t, c)
		c.Clock.Move(5 * time.Minute)
		if err := c.Practice.Resend(t.Context(), who.by(c), c.Ann.PublicID); !errors.Is(err, who.want) {
			t.Errorf("%s: %v, want %v", who.name, err, who.want)
		}
		if sent := len(lettersTo(t, c, c.Ann.ID, 0)) == 2; sent != (who.want == nil) {
			t.Errorf("%s: sent %v", who.name, sent)
		}
	}
	// Tess may see Ben, who is hers, and not invite him.
	c := cast.New(t)
	if err := c.Practice.Resend(t.Context(), c.Tess, c.Ben.PublicID); !errors.Is(err, practice.ErrNotAllowed) {
		t.Error(err)
	}
}

func TestResend(t *testing.T) {
	c := cast.New(t)
	draft, err := c.Practice.StartClientDraft(t.Context(), c.Tom, c.Ann.PublicID)
	if err == nil {
		err = c.Practice.ChangeMessage(t.Context(), c.Tom, draft, c.Ann.PublicID, db.Message{Subject: "For {client_first_name} alone", Body: "Hello\n\n{portal_link}"}, false)
	}
	if err == nil {
		err = c.Practice.Send(t.Context(), c.Tom, draft, "")
	}
	if err != nil {
		t.Fatal(err)
	}
	first := lastToken(t, c, c.Ann.ID, 0)
	settle(t, c, db.LetterAccepted, "250 2.0.0 OK")

	c.Clock.Move(5*time.Minute - 6*time.Second) // 10:08:59: the minute that is named counts
	err = c.Practice.Resend(t.Context(), c.Tom, c.Ann.PublicID)
	if wrong := (practice.Invalid{}); !errors.As(err, &wrong) || wrong["resend"] != "The last letter is from 10:04 AM. Give it time to arrive: it can be sent again from 10:09 AM." {
		t.Fatal(err)
	}
	c.Clock.Move(time.Second)

	// Two at once send once.
	var wait sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wait.Go(func() { errs[i] = c.Practice.Resend(t.Context(), c.Tom, c.Ann.PublicID) })
	}
	wait.Wait()
	sent := 0
	for _, err := range errs {
		if err == nil {
			sent++
		} else {
			wantInvalid(t, err, "resend")
		}
	}
	letters := lettersTo(t, c, c.Ann.ID, 0)
	if sent != 1 || len(letters) != 2 {
		t.Fatalf("%d were sent, %d letters", sent, len(letters))
	}
	if letters[0].Subject != letters[1].Subject || !strings.HasPrefix(letters[0].Subject, "For ") {
		t.Errorf("another message: %q, then %q", letters[1].Subject, letters[0].Subject)
	}
	second := lastToken(t, c, c.Ann.ID, 0)
	wantState(t, c, first, practice.LinkEnded)
	wantState(t, c, second, practice.LinkLive)
	if got := sendingStates(t, c, c.Ann.ID); got != "Queued, Replaced" {
		t.Error(got)
	}

	// Refused by the relay, it is sent again at once; and expired, even by whoever holds the link, with the same message.
	settle(t, c, db.LetterFailed, "550 5.1.1 No such mailbox here")
	if got := sendingStates(t, c, c.Ann.ID); got != "Couldn't be sent, Replaced" {
		t.Error(got)
	}
	if err := c.Practice.Resend(t.Context(), c.Olga.Staff, c.Ann.PublicID); err != nil {
		t.Fatal(err)
	}
	settle(t, c, db.LetterAccepted, "250 2.0.0 OK")
	c.Clock.Move(8 * 24 * time.Hour)
	if got := sendingStates(t, c, c.Ann.ID); got != "Expired, Replaced, Replaced" {
		t.Error(got)
	}
	if err := c.Practice.RenewLink(t.Context(), lastToken(t, c, c.Ann.ID, 0), "192.0.2.1"); err != nil {
		t.Fatal(err)
	}
	if got := lettersTo(t, c, c.Ann.ID, 0)[0]; !strings.HasPrefix(got.Subject, "For ") || got.SentBy != 0 {
		t.Errorf("%+v", got)
	}

	// Revoked, it is over: whoever wants to invite again does so anew, and what was revoked stays so.
	if err := c.Practice.RevokeInvitation(t.Context(), c.Tom, c.Ann.PublicID); err != nil {
		t.Fatal(err)
	}
	c.Clock.Move(time.Hour)
	if err := c.Practice.Resend(t.Context(), c.Tom, c.Ann.PublicID); !errors.Is(err, db.ErrClosed) {
		t.Error(err)
	}
	invite(t, c)
	if got := sendingStates(t, c, c.Ann.ID); got != "Queued, Cancelled, Replaced, Replaced, Replaced" {
		t.Error(got)
	}
	settle(t, c, db.LetterAccepted, "250 2.0.0 OK")
	if err := c.Practice.RevokeInvitation(t.Context(), c.Tom, c.Ann.PublicID); err != nil {
		t.Fatal(err)
	}
	c.Clock.Move(time.Hour)
	invite(t, c)
	if got := sendingStates(t, c, c.Ann.ID); !strings.HasPrefix(got, "Queued, Revoked, Cancelled") {
		t.Error(got)
	}
}

// Revoking ends link and letter together; a letter on the wire arrives with a dead link.
func TestRevokeEndsLinkAndLetter(t *testing.T) {
	for _, onTheWire := range []bool{false, true} {
		c := cast.New(t)
		token := invite(t, c)
		want := db.LetterCancelled
		if onTheWire {
			want = db.LetterSending
			if err := c.DB.Update(t.Context(), func(tx *db.Tx) error { _, err := tx.ClaimLetters(1, time.Minute); return err }); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.Practice.RevokeInvitation(t.Context(), c.Tom, c.Ann.PublicID); err != nil {
			t.Fatal(err)
		}
		wantState(t, c, token, practice.LinkEnded)
		if got := lettersTo(t, c, c.Ann.ID, 0)[0].State; got != want {
			t.Errorf("the letter is %q, want %q", got, want)
		}
	}
}

func TestResendForms(t *testing.T) {
	c := cast.New(t)
	if err := c.Practice.KeepLibrary(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.Practice.Resend(t.Context(), c.Tom, c.Mia.PublicID); !errors.Is(err, db.ErrClosed) {
		t.Errorf("no form is open: %v", err)
	}
	draft, err := c.Practice.StartClientDraft(t.Context(), c.Tom, c.Mia.PublicID)
	if err == nil {
		err = c.Practice.SaveDraft(t.Context(), c.Tom, draft, practice.DraftChange{Forms: []string{"phq-9"},
			Messages: map[db.MessageKind]db.Message{db.FormsMessage: {Subject: "Your form", Body: "Hello\n\n{portal_link}"}}})
	}
	if err == nil {
		err = c.Practice.Send(t.Context(), c.Tom, draft, "")
	}
	if err != nil {
		t.Fatal(err)
	}
	wantInvalid(t, c.Practice.Resend(t.Context(), c.Tom, c.Mia.PublicID), "resend")
	c.Clock.Move(5 * time.Minute)
	if err := c.Practice.Resend(t.Context(), c.Tom, c.Mia.PublicID); err != nil {
		t.Fatal(err)
	}
	letters := lettersTo(t, c, c.Mia.ID, 0)
	if len(letters) != 2 || letters[0].Kind != db.LetterForms || letters[0].Subject != "Your form" || letters[1].State != db.LetterCancelled {
		t.Errorf("%+v", letters)
	}
	if got := sendingStates(t, c, c.Mia.ID); got != "Queued, Replaced" {
		t.Error(got)
	}
	c.Clock.Move(time.Hour)
	if err := c.DB.Update(t.Context(), func(tx *db.Tx) error {
		requests, err := tx.FormRequests(db.Everybody(), c.Mia.ID)
		if err != nil {
			return err
		}
		return tx.CompleteFormRequest(requests[0], db.FormResult{})
	}); err != nil {
		t.Fatal(err)
	}
	c.Clock.Move(time.Hour)
	if err := c.Practice.Resend(t.Context(), c.Tom, c.Mia.PublicID); !errors.Is(err, db.ErrClosed) {
		t.Errorf("all forms are completed: %v", err)
	}
	if got := sendingStates(t, c, c.Mia.ID); got != "Forms finished, Replaced" {
		t.Error(got)
	}
}

func TestResendToMany(t *testing.T) {
	c := cast.New(t)
	var ids []string
	for n := range 230 { // more than one transaction's
		ids = append(ids, add(t, c, c.Olga.Staff, practice.ClientFields{FirstName: "Zoe", LastName: fmt.Sprintf("Z%03d", n), Email: fmt.Sprintf("zoe%d@mail.example", n)}))
	}
	inviteAll := func(ids ...string) {
		t.Helper()
		if _, err := c.Practice.ChangeSelection(t.Context(), c.Olga, practice.SelectionChange{On: ids}); err != nil {
			t.Fatal(err)
		}
		_, draft, err := c.Practice.Selection(t.Context(), c.Olga)
		if err == nil {
			err = c.Practice.Send(t.Context(), c.Olga.Staff, draft, "")
		}
		if err != nil {
			t.Fatal(err)
		}
		settle(t, c, db.LetterAccepted, "250 2.0.0 OK")
	}
	inviteAll(ids...)
	c.Clock.Move(8 * 24 * time.Hour)
	resend := func(chosen practice.ResendChosen, want practice.Resent) {
		t.Helper()
		got, err := c.Practice.ResendChosen(t.Context(), c.Olga, chosen)
		if err != nil || got != want {
			t.Errorf("%+v (%v), want %+v", got, err, want)
		}
	}
	inviteAll(ids[0]) // just now
	if err := c.Practice.TurnPortal(t.Context(), c.Olga, ids[1], false); err != nil {
		t.Fatal(err)
	}
	// Ticked: twice the same, one of whom there is nothing, one who was never invited, and one who isn't there.
	ticked, want := practice.ResendChosen{IDs: []string{ids[2], ids[2], ids[0], ids[1], c.Ann.PublicID, "nobody"}}, practice.Resent{Sent: 1, Soon: 1, Unreachable: 1, Over: 1}
	if would, err := c.Practice.ToResend(t.Context(), c.Olga, ticked); err != nil || would != want {
		t.Errorf("beforehand: %+v (%v), want %+v", would, err, want)
	}
	resend(ticked, want)
	resend(practice.ResendChosen{IDs: []string{ids[2]}}, practice.Resent{Soon: 1})
	if _, err := c.Practice.ToResend(t.Context(), practice.Administrator{Staff: c.Tom}, ticked); !errors.Is(err, practice.ErrNotAllowed) {
		t.Error(err)
	}
	resend(practice.ResendChosen{Expired: &practice.SendingQuery{Words: "z01", State: db.SendingJoined}}, practice.Resent{Sent: 10})
	// Two at once send once to each.
	var wait sync.WaitGroup
	var sent [2]practice.Resent
	for i := range sent {
		wait.Go(func() {
			var err error
			if sent[i], err = c.Practice.ResendChosen(t.Context(), c.Olga, practice.ResendChosen{Expired: &practice.SendingQuery{}}); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if sent[0].Sent+sent[1].Sent != 217 {
		t.Errorf("two at once: %+v", sent)
	}
	resend(practice.ResendChosen{Expired: &practice.SendingQuery{}}, practice.Resent{})
	for n, want := range map[int]int{0: 2, 1: 1, 2: 2, 3: 2, 12: 2, 229: 2} {
		if got := len(lettersTo(t, c, onFileBy(t, c, ids[n]).ID, 0)); got != want {
			t.Errorf("client %d has %d letters, want %d", n, got, want)
		}
	}
	if _, err := c.Practice.ResendChosen(t.Context(), practice.Administrator{Staff: c.Tom}, practice.ResendChosen{IDs: ids}); !errors.Is(err, practice.ErrNotAllowed) {
		t.Error(err)
	}
}

// Whose mail doesn't arrive is left out of a resending to many, and keeps the link that they have; on their page, a bounce
// keeps nobody from sending.
func TestResendToManyLeavesOutWhomMailDoesNotReach(t *testing.T) {
	c := cast.New(t)
	token := invite(t, c)
	settle(t, c, db.LetterAccepted, "250 2.0.0 OK")
	c.Clock.Move(time.Hour)
	if err := c.Practice.MarkBounced(t.Context(), c.Tom, c.Ann.PublicID, "ann@mail.example"); err != nil {
		t.Fatal(err)
	}
	chosen := practice.ResendChosen{IDs: []string{c.Ann.PublicID}}
	want := func(want practice.Resent) {
		t.Helper()
		if would, err := c.Practice.ToResend(t.Context(), c.Olga, chosen); err != nil || would != want {
			t.Errorf("beforehand: %+v (%v), want %+v", would, err, want)
		}
		if done, err := c.Practice.ResendChosen(t.Context(), c.Olga, chosen); err != nil || done != want {
			t.Errorf("%+v (%v), want %+v", done, err, want)
		}
	}
	want(practice.Resent{Bounced: 1})
	wantState(t, c, token, practice.LinkLive)
	if err := c.Practice.Resend(t.Context(), c.Tom, c.Ann.PublicID); err != nil {
		t.Errorf("on the client's page: %v", err)
	}
	if err := c.Practice.LiftAddressMarks(t.Context(), c.Tom, c.Ann.PublicID, "ann@mail.example"); err != nil {
		t.Fatal(err)
	}
	c.Clock.Move(time.Hour)
	if err := c.DB.Update(t.Context(), func(tx *db.Tx) error {
		letters, err := tx.ClientLetters(db.Everybody(), c.Ann.ID)
		if err != nil {
			return err
		}
		letters[0].CreatedAt = tx.Now()
		_, err = tx.MarkUnwanted(letters[0])
		return errors.Join(err, tx.EndLinks(db.LinkJoin, c.Ann.ID, 0))
	}); err != nil {
		t.Fatal(err)
	}
	want(practice.Resent{Unreachable: 1})
	wantInvalid(t, c.Practice.Resend(t.Context(), c.Tom, c.Ann.PublicID), "resend")
}

// What ended an invitation is said with its reason, and what is known of the address under the sending during which it became so.
func TestSendingHistoryOfAnAddress(t *testing.T) {
	c := cast.New(t)
	open := func() practice.ClientDetails {
		t.Helper()
		d, err := c.Practice.OpenClient(t.Context(), c.Tom, c.Ann.PublicID, false)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	steps := func(n int) string {
		t.Helper()
		d := open()
		var all []string
		for _, s := range d.Sendings[n].Steps {
			all = append(all, s.Words)
		}
		return strings.Join(all, " | ")
	}
	want := func(n int, want string) {
		t.Helper()
		if got := steps(n); got != want {
			t.Errorf("sending %d\n got %s\nwant %s", n, got, want)
		}
	}
	const sent, accepted = "Sent by Tom Tran to ann@mail.example", " | Accepted by the mail server"
	invite(t, c)
	if open().MayMark() {
		t.Error("mail of which none was accepted yet may be marked as bounced")
	}
	settle(t, c, db.LetterAccepted, "250 OK")
	if !open().MayMark() {
		t.Error("mail may not be marked as bounced")
	}
	c.Clock.Move(time.Hour)
	if err := c.Practice.MarkBounced(t.Context(), c.Tom, c.Ann.PublicID, "ann@mail.example"); err != nil {
		t.Fatal(err)
	}
	want(0, sent+accepted+" | The office noted that mail to this address bounced")
	c.Clock.Move(time.Hour)
	if err := c.Practice.Resend(t.Context(), c.Tom, c.Ann.PublicID); err != nil {
		t.Fatal(err)
	}
	want(0, sent+" | Mail to this address had bounced on Nov 2, 2026 | Waits in the queue")
	want(1, sent+accepted+" | The office noted that mail to this address bounced | A newer invitation took its place: its link no longer works")
	settle(t, c, db.LetterFailed, "550 5.1.1 No such mailbox here")

	// The address is corrected: what is wrong with the old one is over.
	c.Clock.Move(time.Hour)
	record, err := c.Practice.ClientToEdit(t.Context(), c.Tom, c.Ann.PublicID)
	if err != nil {
		t.Fatal(err)
	}
	fields := practice.FieldsOf(record)
	fields.Email = "ann.abbott@mail.example"
	if err := c.Practice.ChangeClient(t.Context(), c.Tom, c.Ann.PublicID, fields); err != nil {
		t.Fatal(err)
	}
	if got := steps(0); !strings.HasSuffix(got, " | Ended: the address was changed") || strings.Contains(got, "had bounced") {
		t.Error(got)
	}
	if d := open(); d.Trouble.Why != "" || d.Resending.Kind != "" || !d.Over() || d.MayMark() {
		t.Errorf("%+v, %+v, over %v, may be marked %v", d.Trouble, d.Resending, d.Over(), d.MayMark())
	}
	invite(t, c)
	if open().Over() {
		t.Error("invited again, it is still over")
	}
	if err := c.Practice.TurnPortal(t.Context(), c.Olga, c.Ann.PublicID, false); err != nil {
		t.Fatal(err)
	}
	if got := steps(0); !strings.HasSuffix(got, " | Ended: portal access was turned off") {
		t.Error(got)
	}
}

func onFileBy(t *testing.T, c *cast.Cast, publicID string) (client db.Client) {
	t.Helper()
	if err := c.DB.View(t.Context(), func(tx *db.Tx) (err error) {
		client, err = tx.Client(db.Everybody(), publicID)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return client
}

// A client's page tells what happened to each sending, in order.
func TestSendingHistory(t *testing.T) {
	c := cast.New(t)
	history := func(by practice.Staff) (all []string) {
		t.Helper()
		d, err := c.Practice.OpenClient(t.Context(), by, c.Ann.PublicID, false)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range d.Sendings {
			var steps []string
			for _, s := range h.Steps {
				steps = append(steps, s.Words)
			}
			all = append(all, string(h.State)+": "+strings.Join(steps, " | "))
		}
		return all
	}
	want := func(lines ...string) {
		t.Helper()
		if got := history(c.Olga.Staff); strings.Join(got, "\n") != strings.Join(lines, "\n") {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(lines, "\n"))
		}
		c.Clock.Move(time.Hour)
	}
	update := func(fn func(*db.Tx) error) {
		t.Helper()
		if err := c.DB.Update(t.Context(), fn); err != nil {
			t.Fatal(err)
		}
	}
	const sent = "Sent by Tom Tran to ann@mail.example | "
	want()
	invite(t, c)
	want("Queued: " + sent + "Waits in the queue")
	update(func(tx *db.Tx) error {
		claimed, err := tx.ClaimLetters(1, time.Minute)
		if err != nil {
			return err
		}
		return tx.SettleLetter(db.Settlement{Letter: claimed[0], State: db.LetterQueued, Due: tx.Now(), Deferred: true, Reply: "451 4.7.1 Later"})
	})
	want("Queued: " + sent + "Tried once so far; it waits in the queue")
	update(func(tx *db.Tx) error { _, err := tx.ClaimLetters(1, time.Minute); return err })
	want("Queued: " + sent + "On its way now")
	if err := c.Practice.RevokeInvitation(t.Context(), c.Tom, c.Ann.PublicID); err != nil {
		t.Fatal(err)
	}
	want("Revoked: " + sent + "Revoked: its link no longer works | On its way: it can't be called back, but its link is dead")

	if err := c.Practice.KeepLibrary(t.Context()); err != nil {
		t.Fatal(err)
	}
	draft, err := c.Practice.StartClientDraft(t.Context(), c.Tom, c.Ann.PublicID)
	if err == nil {
		err = c.Practice.SaveDraft(t.Context(), c.Tom, draft, practice.DraftChange{Forms: []string{"phq-9", "gad-7"}})
	}
	if err == nil {
		err = c.Practice.Send(t.Context(), c.Tom, draft, "")
	}
	if err != nil {
		t.Fatal(err)
	}
	settle(t, c, db.LetterAccepted, "250 OK")
	c.Clock.Move(time.Hour)
	if err := c.Practice.NoteOpened(t.Context(), lastToken(t, c, c.Ann.ID, 0)); err != nil {
		t.Fatal(err)
	}
	if got := history(c.Olga.Staff)[0]; got != "Link opened: "+sent+"Accepted by the mail server | Link opened (possibly by a mail scanner)" {
		t.Error(got)
	}
	token := lastToken(t, c, c.Ann.ID, 0)
	c.Clock.Move(time.Hour)
	update(func(tx *db.Tx) error {
		return tx.AddLetter(&db.Letter{Kind: db.LetterInvitationReminder, ClientID: c.Ann.ID, MessageID: "<r@x.example>", To: c.Ann.Email, Data: []byte("x")})
	})
	settle(t, c, db.LetterAccepted, "250 OK")
	c.Clock.Move(time.Hour)
	if _, _, err := c.Practice.ChoosePassword(t.Context(), token, newPassword, practice.Browser{Network: "192.0.2.1"}); err != nil {
		t.Fatal(err)
	}
	c.Clock.Move(time.Hour)
	complete := func() {
		t.Helper()
		update(func(tx *db.Tx) error {
			requests, err := tx.FormRequests(db.Everybody(), c.Ann.ID)
			for _, r := range requests {
				if r.Open() {
					return tx.CompleteFormRequest(r, db.FormResult{})
				}
			}
			return err
		})
	}
	const joined = sent + "Accepted by the mail server | Link opened (possibly by a mail scanner) | Reminder: Accepted by the mail server | Account made"
	complete()
	if got := history(c.Tom)[0]; got != "Joined: "+joined+" | 1 of 2 forms completed" {
		t.Error(got)
	}
	complete()
	if got := history(c.Finn)[0]; got != "Forms finished: "+joined+" | 2 of 2 forms completed" {
		t.Error(got)
	}
	page, err := c.Practice.Sendings(t.Context(), c.Olga, practice.SendingQuery{}, 1)
	if err != nil || page.Rows[0].Reminders != 1 || page.Rows[1].Reminders != 0 {
		t.Errorf("%+v (%v)", page.Rows, err)
	}
}
