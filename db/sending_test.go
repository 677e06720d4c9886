package db

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// plainSendings is the reference: every client's sendings are read by themselves, and asked in Go whether the filter lets them
// through; newest first.
func plainSendings(t *testing.T, tx *Tx, all []Client, reach Reach, f SendingFilter) (found []Sending) {
	t.Helper()
	for _, c := range all {
		c, err := tx.ClientByID(reach, c.ID)
		if err == ErrNotFound {
			continue
		}
		var staff []int64
		var sendings []Sending
		if err == nil {
			staff, err = column[int64](tx, "SELECT staff_id FROM assignments WHERE client_id = ?", c.ID)
		}
		if err == nil {
			sendings, err = tx.Sendings(reach, c.ID)
		}
		if err != nil {
			t.Fatal(err)
		}
		if f.StaffID != 0 && !slices.Contains(staff, f.StaffID) || f.Unassigned && len(staff) > 0 || !containsAll(searchText(c), searchWords(f.Query)) {
			continue
		}
		for _, s := range sendings {
			if (f.From.IsZero() || !s.SentAt.Before(f.From)) && (f.Until.IsZero() || s.SentAt.Before(f.Until)) {
				found = append(found, s)
			}
		}
	}
	slices.SortFunc(found, func(a, b Sending) int { return int(b.ID - a.ID) })
	return found
}

// Whatever happens to whom something was sent, by whichever road, the list and its counts know at once, and each sending is
// in one state.
func TestSendingsAreWhatTheRecordsSay(t *testing.T) {
	now := time.Date(2026, 11, 2, 15, 0, 0, 0, time.UTC)
	d := Temp(t, func() time.Time { return now })
	r := rand.New(rand.NewPCG(7, 8))
	var all []Client
	var staff []StaffMember
	if err := d.Update(t.Context(), func(tx *Tx) error {
		for n := range 3 {
			m := StaffMember{Name: fmt.Sprint("Staff ", n), Email: address(t, fmt.Sprintf("staff%d@willow.example", n)), Role: RoleTherapist}
			if err := tx.AddStaff(&m); err != nil {
				return err
			}
			staff = append(staff, m)
		}
		for _, key := range []string{"a", "b"} {
			if err := tx.AddForm(Form{Key: key, Version: "1", Title: key, Definition: "{}"}); err != nil {
				return err
			}
		}
		for n := range 20 {
			c := randomClient(t, r, n)
			c.Email = address(t, fmt.Sprintf("client%d@mail.example", n))
			if err := tx.AddClient(&c); err != nil {
				return err
			}
			all = append(all, c)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	letters := 0
	send := func(tx *Tx, c Client, l Letter) error {
		letters++
		l.ClientID, l.MessageID, l.To, l.Data = c.ID, fmt.Sprintf("<%d@x.example>", letters), c.Email, []byte("x")
		return tx.AddLetter(&l)
	}
	link := func(tx *Tx, c Client) (l Link, err error) {
		i, err := tx.LatestInvitation(Everybody(), c.ID)
		if err == ErrNotFound {
			return l, nil
		}
		if err == nil {
			l, err = readLink(tx.row("SELECT "+linkColumns+" FROM links WHERE id = ?", i.LinkID))
		}
		return l, err
	}
	happenings := map[string]func(tx *Tx, c Client) error{
		"assign":   func(tx *Tx, c Client) error { return tx.Assign(staff[r.IntN(3)].ID, c.ID) },
		"unassign": func(tx *Tx, c Client) error { return tx.Unassign(staff[r.IntN(3)].ID, c.ID) },
		"invite": func(tx *Tx, c Client) error {
			if err := tx.CancelLetters(c.ID, LetterInvitation, "A newer invitation took its place."); err != nil {
				return err
			}
			l := Link{Purpose: LinkJoin, ClientID: c.ID, ExpiresAt: now.Add(time.Duration(2+r.IntN(40)) * time.Hour)}
			if err := tx.AddLink(&l); err != nil {
				return err
			}
			i := Invitation{ClientID: c.ID, LinkID: l.ID, SentBy: staff[0].ID}
			if err := tx.AddInvitation(&i); err != nil {
				return err
			}
			return send(tx, c, Letter{Kind: LetterInvitation, InvitationID: i.ID, LinkID: l.ID})
		},
		"forms": func(tx *Tx, c Client) error {
			if err := tx.CancelLetters(c.ID, LetterForms, "A newer letter took its place."); err != nil {
				return err
			}
			return send(tx, c, Letter{Kind: LetterForms})
		},
		"remind": func(tx *Tx, c Client) error {
			return send(tx, c, Letter{Kind: []LetterKind{LetterInvitationReminder, LetterFormsReminder, LetterNewPassword}[r.IntN(3)]})
		},
		"ask": func(tx *Tx, c Client) error {
			forms, err := tx.Forms()
			if err == nil {
				_, err = tx.AddFormRequest(c.ID, staff[0].ID, forms[r.IntN(2)])
			}
			return err
		},
		"close": func(tx *Tx, c Client) error {
			requests, err := tx.FormRequests(Everybody(), c.ID)
			for _, request := range requests {
				if request.Open() && r.IntN(4) == 0 {
					return tx.RevokeFormRequest(request.ID)
				} else if request.Open() {
					return tx.CompleteFormRequest(request, FormResult{})
				}
			}
			return err
		},
		"settle": func(tx *Tx, c Client) error {
			claimed, err := tx.ClaimLetters(4, time.Minute)
			for _, l := range claimed {
				if err == nil && r.IntN(8) > 0 {
					err = tx.SettleLetter(Settlement{Letter: l, State: []LetterState{LetterAccepted, LetterAccepted, LetterFailed, LetterNeedsAttention, LetterQueued}[r.IntN(5)], Due: now})
				}
			}
			return err
		},
		"open": func(tx *Tx, c Client) error {
			l, err := link(tx, c)
			if err == nil {
				err = tx.NoteLinkOpened(l.ID)
			}
			return err
		},
		"join": func(tx *Tx, c Client) error {
			l, err := link(tx, c)
			if err != nil || l.ID == 0 || tx.UseLink(l.ID) != nil {
				return err
			}
			return tx.SetPortalPassword(c.ID, "hash")
		},
		"revoke": func(tx *Tx, c Client) error { return tx.EndLinks(LinkJoin, c.ID, 0) },
		"cancel": func(tx *Tx, c Client) error { return tx.CancelLetters(c.ID, LetterInvitation, "why") },
		"mark": func(tx *Tx, c Client) error {
			if r.IntN(2) == 0 {
				return tx.LiftAddressMarks(c.ID)
			}
			return tx.MarkBounced(c.ID, staff[0].ID)
		},
		"change": func(tx *Tx, c Client) error {
			found, err := tx.ClientByID(Everybody(), c.ID)
			if err != nil {
				return err
			}
			found.LastName = testLast[r.IntN(len(testLast))]
			if r.IntN(3) == 0 {
				found.Email = address(t, fmt.Sprintf("other%d@mail.example", r.IntN(1e9)))
			}
			return tx.ChangeClient(found)
		},
		"archive": func(tx *Tx, c Client) error { return tx.ArchiveClient(c.ID, r.IntN(2) == 0) },
		"sweep":   func(tx *Tx, c Client) error { _, err := tx.SweepTouches(); return err },
	}
	var names []string
	for name := range happenings {
		names = append(names, name)
	}
	slices.Sort(names)
	// What comes of sendings happens more often than the rest.
	names = append(names, "invite", "invite", "settle", "settle", "settle", "join", "close", "forms", "open")

	seen := map[SendingState]int{}
	for round := range 200 {
		name := names[r.IntN(len(names))]
		undone := r.IntN(10) == 0
		err := d.Update(t.Context(), func(tx *Tx) error {
			for range 1 + r.IntN(6) {
				if err := happenings[name](tx, all[r.IntN(len(all))]); err != nil {
					t.Fatal(name, err)
				}
			}
			if undone {
				if _, _, _, err := tx.FindSendings(Everybody(), SendingFilter{}, 0, 5); err != nil {
					t.Error(err)
				}
				return fmt.Errorf("undo round %d", round)
			}
			return nil
		})
		if !undone && err != nil {
			t.Fatal(name, err)
		}
		now = now.Add(time.Duration(1+r.IntN(60)) * time.Minute)
		if r.IntN(2) == 0 {
			continue // so that several happenings are read at once
		}
		if err := d.View(t.Context(), func(tx *Tx) error {
			f := SendingFilter{Query: testWords[r.IntN(3)], Unassigned: r.IntN(8) == 0, Troubled: r.IntN(8) == 0}
			if r.IntN(3) == 0 {
				f.StaffID = staff[r.IntN(3)].ID
			}
			if r.IntN(3) == 0 {
				f.From = now.Add(-time.Duration(r.IntN(100)) * time.Hour)
			}
			if r.IntN(3) == 0 {
				f.Until = now.Add(-time.Duration(r.IntN(100)) * time.Hour)
			}
			if r.IntN(2) == 0 {
				f.State = SendingStates[r.IntN(len(SendingStates))]
			}
			for _, reach := range []Reach{Everybody(), AssignedTo(staff[0].ID), Oneself(all[3].ID), {}} {
				var want []int64
				states, troubled := map[SendingState]int{}, 0
				progress := map[int64][3]bool{}
				for _, s := range plainSendings(t, tx, all, reach, f) {
					state := s.State(tx.Now())
					states[state]++
					seen[state]++
					if s.Troubled {
						troubled++
					}
					if s.Kind == LetterInvitation {
						p := progress[s.ClientID]
						p[0], p[1], p[2] = true, p[1] || state == SendingJoined || state == SendingFinished, p[2] || state == SendingFinished
						progress[s.ClientID] = p
					}
					if (f.State == "" || f.State == state) && (!f.Troubled || s.Troubled) {
						want = append(want, s.ID)
					}
				}
				got, err := tx.SendingIDs(reach, f)
				if err != nil {
					return err
				}
				if !slices.Equal(got, want) {
					t.Fatalf("after %s, %+v within %+v: %v, want %v", name, f, reach, got, want)
				}
				page, total, counts, err := tx.FindSendings(reach, f, 1, 3)
				if err != nil {
					return err
				}
				if total != len(want) || len(page) != min(max(len(want)-1, 0), 3) || len(page) > 0 && page[0].ID != want[1] {
					t.Errorf("after %s: a page of %d of %d, want %d", name, len(page), total, len(want))
				}
				sum := 0
				for state, n := range counts.States {
					sum += n
					if n != states[state] {
						t.Errorf("after %s: %d are %q, want %d", name, n, state, states[state])
					}
				}
				var came [3]int
				for _, p := range progress {
					for i, so := range p {
						if so {
							came[i]++
						}
					}
				}
				if sum != counts.All || counts.Troubled != troubled || [3]int{counts.Invited, counts.Joined, counts.Finished} != came {
					t.Errorf("after %s: %+v add up to %d; %d in trouble, want %d; clients %v", name, counts, sum, troubled, troubled, came)
				}
			}
			return asPortalSays(t, tx, all)
		}); err != nil {
			t.Fatal(err)
		}
	}
	for _, state := range SendingStates {
		if seen[state] == 0 {
			t.Errorf("nothing was ever %q", state)
		}
	}
}

// asPortalSays holds a client's portal state against that of the invitation sent last.
func asPortalSays(t *testing.T, tx *Tx, all []Client) error {
	t.Helper()
	portal := map[SendingState]PortalState{SendingQueued: PortalQueued, SendingCouldntSend: PortalCouldntSend, SendingInvited: PortalInvited,
		SendingOpened: PortalInvited, SendingExpired: PortalExpired, SendingRevoked: PortalNotInvited, SendingCancelled: PortalNotInvited}
	for _, c := range all {
		c, err := tx.ClientByID(Everybody(), c.ID)
		if err != nil {
			return err
		}
		sendings, err := tx.Sendings(Everybody(), c.ID)
		if err != nil {
			return err
		}
		last := slices.IndexFunc(sendings, func(s Sending) bool { return s.Kind == LetterInvitation })
		if last < 0 || c.Portal.Shut() || c.Portal.HasAccount() || c.Portal.Troubled() && sendings[last].To.Canonical() != c.Email.Canonical() {
			continue
		}
		if got, want := c.Portal.State(tx.Now()), portal[sendings[last].State(tx.Now())]; got != want {
			t.Errorf("%s is %q, and the invitation %q", c.PublicID, got, sendings[last].State(tx.Now()))
		}
	}
	return nil
}
