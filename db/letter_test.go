package db

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

// outbox is a practice with letters to send.
type outbox struct {
	*DB
	t         *testing.T
	now       time.Time
	olga, tom StaffMember
	clients   []Client // Tom's
}

func newOutbox(t *testing.T, clients int) *outbox {
	t.Helper()
	o := &outbox{t: t, now: time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)}
	o.DB = Temp(t, func() time.Time { return o.now })
	o.olga = StaffMember{Name: "Olga", Email: address(t, "olga@harbor.example"), Role: RoleAdministrator}
	o.tom = StaffMember{Name: "Tom", Email: address(t, "tom@harbor.example"), Role: RoleTherapist, Permissions: []Permission{MayInviteClients}}
	o.update(func(tx *Tx) error {
		for _, m := range []*StaffMember{&o.olga, &o.tom} {
			if err := tx.AddStaff(m); err != nil {
				return err
			}
		}
		for i := range clients {
			c := Client{FirstName: "Ann", LastName: fmt.Sprint(i), Email: address(t, fmt.Sprintf("ann%d@mail.example", i))}
			if err := tx.AddClient(&c); err != nil {
				return err
			}
			o.clients = append(o.clients, c)
			if err := tx.Assign(o.tom.ID, c.ID); err != nil {
				return err
			}
		}
		return nil
	})
	return o
}

func address(t *testing.T, s string) Email {
	t.Helper()
	e, err := ParseEmail(s)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func (o *outbox) update(fn func(*Tx) error) {
	o.t.Helper()
	if err := o.Update(o.t.Context(), fn); err != nil {
		o.t.Fatal(err)
	}
}

// invite queues an invitation, sent on Tom's right.
func (o *outbox) invite(c Client) (l Letter) {
	o.t.Helper()
	o.update(func(tx *Tx) error {
		link := Link{Purpose: LinkJoin, ClientID: c.ID, ExpiresAt: tx.Now().AddDate(0, 0, 7)}
		if err := tx.AddLink(&link); err != nil {
			return err
		}
		l = Letter{Kind: LetterInvitation, ClientID: c.ID, SentBy: o.tom.ID, LinkID: link.ID, MessageID: fmt.Sprint(link.ID, "@harbor.example"),
			To: c.Email, EnvelopeFrom: "hello@harbor.example", Subject: "s", Data: []byte("the mail")}
		return tx.AddLetter(&l)
	})
	return l
}

func (o *outbox) claim(n int) (claimed []Letter) {
	o.t.Helper()
	o.update(func(tx *Tx) (err error) {
		claimed, err = tx.ClaimLetters(n, time.Minute)
		return err
	})
	return claimed
}

func (o *outbox) letter(l Letter) (now Letter) {
	o.t.Helper()
	o.update(func(tx *Tx) (err error) {
		now, err = readLetter(tx.row("SELECT "+letterColumns+" FROM letters WHERE id = ?", l.ID))
		return err
	})
	return now
}

func TestSixClaimersShareTwoHundredLettersAndNoneIsClaimedTwice(t *testing.T) {
	o := newOutbox(t, 200)
	for _, c := range o.clients {
		o.invite(c)
	}
	var mu sync.Mutex
	times := map[int64]int{}
	var claimers sync.WaitGroup
	for n := range 6 {
		claimers.Go(func() {
			var mine []Letter
			for {
				err := o.Update(t.Context(), func(tx *Tx) (err error) {
					for _, l := range mine {
						if err := tx.SettleLetter(Settlement{Letter: l, State: LetterAccepted, Reply: "250 ok"}); err != nil {
							return err
						}
					}
					mine, err = tx.ClaimLetters(n+1, time.Minute)
					return err
				})
				if err != nil {
					t.Error(err)
					return
				}
				if len(mine) == 0 {
					return
				}
				mu.Lock()
				for _, l := range mine {
					times[l.ID]++
				}
				mu.Unlock()
			}
		})
	}
	claimers.Wait()
	if len(times) != 200 {
		t.Errorf("%d letters were claimed", len(times))
	}
	for id, n := range times {
		if n != 1 {
			t.Errorf("letter %d was claimed %d times", id, n)
		}
	}
}

func TestClaimTakesWhatIsDueOldestFirst(t *testing.T) {
	o := newOutbox(t, 3)
	late, first, second := o.invite(o.clients[0]), o.invite(o.clients[1]), o.invite(o.clients[2])
	l := o.claim(1)[0]
	if l.ID != late.ID || string(l.Data) != "the mail" || l.To != o.clients[0].Email || l.Attempts != 1 || l.State != LetterSending {
		t.Fatalf("%+v", l)
	}
	due := o.now.Add(time.Hour)
	o.update(func(tx *Tx) error {
		return tx.SettleLetter(Settlement{Letter: l, State: LetterQueued, Due: due, Deferred: true, Reply: "451 later"})
	})
	if got := o.claim(9); len(got) != 2 || got[0].ID != first.ID || got[1].ID != second.ID {
		t.Errorf("%+v", got)
	}
	var next time.Time
	o.update(func(tx *Tx) (err error) {
		next, err = tx.NextLetter()
		return err
	})
	if !next.Equal(due) || len(o.claim(9)) != 0 {
		t.Errorf("the next is due at %v", next)
	}
	o.now = due
	if got := o.claim(9); len(got) != 1 || got[0].Attempts != 2 || got[0].Deferred != 1 || got[0].Reply != "451 later" {
		t.Errorf("%+v", got)
	}
}

func TestOnlyTheNewestClaimSettles(t *testing.T) {
	o := newOutbox(t, 1)
	o.invite(o.clients[0])
	old := o.claim(1)[0]
	o.update(func(tx *Tx) error {
		return tx.SettleLetter(Settlement{Letter: old, State: LetterQueued, Due: o.now, Uncertain: true})
	})
	newer := o.claim(1)[0]
	o.update(func(tx *Tx) error {
		return tx.SettleLetter(Settlement{Letter: old, State: LetterFailed, Reply: "550 no"})
	})
	if l := o.letter(newer); l.State != LetterSending || l.Uncertain != 1 {
		t.Errorf("%+v", l)
	}
	o.update(func(tx *Tx) error {
		return tx.SettleLetter(Settlement{Letter: newer, State: LetterAccepted, Reply: "250 ok"})
	})
	if l := o.letter(newer); l.State != LetterAccepted || l.Reply != "250 ok" || !l.SettledAt.Equal(o.now) {
		t.Errorf("%+v", l)
	}
}

func TestLostLettersAreFoundByTheirLease(t *testing.T) {
	o := newOutbox(t, 1)
	o.invite(o.clients[0])
	o.claim(1)
	lost := func(all bool) (n int) {
		o.update(func(tx *Tx) error {
			l, err := tx.LostLetters(all)
			n = len(l)
			return err
		})
		return n
	}
	if lost(false) != 0 || lost(true) != 1 {
		t.Error("its lease isn't over")
	}
	o.now = o.now.Add(time.Minute)
	if lost(false) != 1 {
		t.Error("its lease is over")
	}
}

func TestLetterThatMayNotLeaveIsCancelled(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(o *outbox, tx *Tx, ann Client) error
		why  string // empty: it leaves
	}{
		{"nothing happened", func(*outbox, *Tx, Client) error { return nil }, ""},
		{"the address changed", func(o *outbox, tx *Tx, ann Client) error {
			ann.Email = address(o.t, "new@mail.example")
			return tx.ChangeClient(ann)
		}, "The email address was changed."},
		{"the address changed and somebody else has it now", func(o *outbox, tx *Tx, ann Client) error {
			old := ann.Email
			ann.Email = address(o.t, "new@mail.example")
			if err := tx.ChangeClient(ann); err != nil {
				return err
			}
			return tx.AddClient(&Client{FirstName: "Ben", LastName: "B", Email: old})
		}, "The email address was changed."},
		{"only the address's spelling changed", func(o *outbox, tx *Tx, ann Client) error {
			ann.Email = address(o.t, "Ann0@Mail.example")
			return tx.ChangeClient(ann)
		}, ""},
		{"portal access was turned off", func(o *outbox, tx *Tx, ann Client) error {
			return tx.TurnPortal(ann.ID, false)
		}, "Portal access was turned off."},
		{"the invitation was revoked", func(o *outbox, tx *Tx, ann Client) error {
			return tx.EndLinks(LinkJoin, ann.ID, 0)
		}, "Its link was revoked, or replaced by a newer one."},
		{"the client has joined", func(o *outbox, tx *Tx, ann Client) error {
			return tx.UseLink(1)
		}, "Its link was used already."},
		{"the sender lost the permission", func(o *outbox, tx *Tx, ann Client) error {
			o.tom.Permissions = nil
			return tx.ChangeStaff(o.tom)
		}, "Its sender may not invite this client any more."},
		{"the sender lost the client", func(o *outbox, tx *Tx, ann Client) error {
			return tx.Unassign(o.tom.ID, ann.ID)
		}, "Its sender may not invite this client any more."},
		{"the sender became administrator", func(o *outbox, tx *Tx, ann Client) error {
			o.tom.Role, o.tom.Permissions = RoleAdministrator, nil
			if err := tx.ChangeStaff(o.tom); err != nil {
				return err
			}
			return tx.Unassign(o.tom.ID, ann.ID)
		}, ""},
		{"the sender was turned off", func(o *outbox, tx *Tx, ann Client) error {
			_, err := tx.exec("UPDATE staff_members SET disabled_at = 1 WHERE id = ?", o.tom.ID)
			return err
		}, "Its sender may not invite this client any more."},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := newOutbox(t, 2)
			ann, other := o.invite(o.clients[0]), Letter{}
			o.update(func(tx *Tx) error { return c.do(o, tx, o.clients[0]) })
			if c.why == "" {
				if got := o.claim(9); len(got) != 1 || got[0].ID != ann.ID {
					t.Errorf("claimed %+v", got)
				}
				return
			}
			// Its place in the claim goes to the next one.
			o.update(func(tx *Tx) error {
				other = Letter{Kind: LetterNewPassword, StaffID: o.olga.ID, MessageID: "reset", To: o.olga.Email, Data: []byte("the mail")}
				return tx.AddLetter(&other)
			})
			if got := o.claim(1); len(got) != 1 || got[0].ID != other.ID {
				t.Errorf("claimed %+v", got)
			}
			if l := o.letter(ann); l.State != LetterCancelled || l.Reply != c.why || l.SettledAt.IsZero() {
				t.Errorf("%+v", l)
			}
		})
	}
}

func TestLettersToStaff(t *testing.T) {
	o := newOutbox(t, 0)
	add := func(sentBy int64, kind LetterKind) (l Letter) {
		o.update(func(tx *Tx) error {
			l = Letter{Kind: kind, StaffID: o.tom.ID, SentBy: sentBy, MessageID: fmt.Sprint(kind, sentBy), To: o.tom.Email, Data: []byte("the mail")}
			return tx.AddLetter(&l)
		})
		return l
	}
	fromOlga, fromTom, reset := add(o.olga.ID, LetterJoinStaff), add(o.tom.ID, LetterJoinStaff), add(0, LetterNewPassword)
	if got := o.claim(9); len(got) != 2 || got[0].ID != fromOlga.ID || got[1].ID != reset.ID {
		t.Errorf("claimed %+v", got)
	}
	if l := o.letter(fromTom); l.State != LetterCancelled {
		t.Errorf("only an administrator adds staff: %+v", l)
	}
	again := add(0, LetterJoinStaff)
	o.update(func(tx *Tx) error {
		_, err := tx.exec("UPDATE staff_members SET disabled_at = 1 WHERE id = ?", o.tom.ID)
		return err
	})
	if got, l := o.claim(9), o.letter(again); len(got) != 0 || l.Reply != "This staff member was turned off." {
		t.Errorf("claimed %+v; %+v", got, l)
	}
}

// A letter that was on its way when mails began to come from another address isn't tried again from the old one.
func TestLetterOfAnotherSenderIsSetAsideOnceItIsQueuedAgain(t *testing.T) {
	o := newOutbox(t, 1)
	l := o.invite(o.clients[0])
	claimed := o.claim(1)
	o.update(func(tx *Tx) error {
		n, err := tx.SetAsideLetters(address(t, "new@harbor.example"))
		if n != 0 {
			t.Errorf("%d set aside while it was on its way", n)
		}
		return err
	})
	o.update(func(tx *Tx) error {
		return tx.SettleLetter(Settlement{Letter: claimed[0], State: LetterQueued, Due: tx.Now(), Deferred: true, Reply: "451 later"})
	})
	if now := o.letter(l); now.State != LetterNeedsAttention || now.SettledAt.IsZero() || now.Deferred != 1 {
		t.Errorf("%+v", now)
	}
}
