package db

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// The reference: every client is read by itself, and asked in Go whether the filter lets it through.
func plainFilter(t *testing.T, tx *Tx, all []Client, reach Reach, f ClientFilter) (ids []int64) {
	t.Helper()
	for _, c := range all {
		c, err := tx.ClientByID(reach, c.ID)
		if err == ErrNotFound {
			continue
		}
		var staff, tags []int64
		var open int
		if err == nil {
			staff, err = column[int64](tx, "SELECT staff_id FROM assignments WHERE client_id = ?", c.ID)
		}
		if err == nil {
			tags, err = column[int64](tx, "SELECT tag_id FROM client_tags WHERE client_id = ?", c.ID)
		}
		if err == nil {
			err = tx.row("SELECT count(*) FROM form_requests WHERE client_id = ? AND completed_at IS NULL AND revoked_at IS NULL", c.ID).Scan(&open)
		}
		if err != nil {
			t.Fatal(err)
		}
		if c.ArchivedAt.IsZero() == f.Archived || f.StaffID != 0 && !slices.Contains(staff, f.StaffID) || f.Unassigned && len(staff) > 0 ||
			f.TagID != 0 && !slices.Contains(tags, f.TagID) || f.Outstanding && open == 0 || f.State != "" && c.Portal.State(tx.Now()) != f.State ||
			!containsAll(searchText(c), searchWords(f.Query)) {
			continue
		}
		ids = append(ids, c.ID)
	}
	slices.Sort(ids)
	return ids
}

// Whatever happens to a client, by whichever road, the lists know at once.
func TestFilterIsWhatTheRecordsSay(t *testing.T) {
	now := time.Date(2026, 11, 2, 15, 0, 0, 0, time.UTC)
	d := Temp(t, func() time.Time { return now })
	r := rand.New(rand.NewPCG(5, 6))
	var all []Client
	var staff []StaffMember
	update := func(fn func(tx *Tx) error) {
		t.Helper()
		if err := d.Update(t.Context(), fn); err != nil {
			t.Fatal(err)
		}
	}
	update(func(tx *Tx) error {
		for n := range 3 {
			address, err := ParseEmail(fmt.Sprintf("staff%d@willow.example", n))
			if err != nil {
				return err
			}
			m := StaffMember{Name: fmt.Sprint("Staff ", n), Email: address, Role: RoleTherapist}
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
		for n := range 60 {
			c := randomClient(t, r, n)
			if err := tx.AddClient(&c); err != nil {
				return err
			}
			all = append(all, c)
		}
		return nil
	})

	happenings := map[string]func(tx *Tx, c Client) error{
		"assign":   func(tx *Tx, c Client) error { return tx.Assign(staff[r.IntN(3)].ID, c.ID) },
		"unassign": func(tx *Tx, c Client) error { return tx.Unassign(staff[r.IntN(3)].ID, c.ID) },
		"tag": func(tx *Tx, c Client) error {
			return tx.SetTags(c.ID, []string{"Adults", "Evening", "Écoute"}[:r.IntN(4)])
		},
		"turn": func(tx *Tx, c Client) error { return tx.TurnPortal(c.ID, r.IntN(3) > 0) },
		"archive": func(tx *Tx, c Client) error {
			_, err := tx.exec("UPDATE clients SET archived_at = ? WHERE id = ?", []any{nil, ms(tx.now)}[r.IntN(2)], c.ID)
			return err
		},
		"join": func(tx *Tx, c Client) error {
			if r.IntN(4) > 0 {
				return nil
			}
			return tx.SetPortalPassword(c.ID, "hash")
		},
		"rename": func(tx *Tx, c Client) error {
			found, err := tx.ClientByID(Everybody(), c.ID)
			found.LastName = testLast[r.IntN(len(testLast))]
			if err == nil {
				err = tx.ChangeClient(found)
			}
			return err
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
				if request.Open() && r.IntN(2) == 0 {
					return tx.RevokeFormRequest(request.ID)
				} else if request.Open() {
					return tx.CompleteFormRequest(request, FormResult{})
				}
			}
			return err
		},
		"invite": func(tx *Tx, c Client) error {
			link := Link{Purpose: LinkJoin, ClientID: c.ID, ExpiresAt: now.Add(time.Duration(r.IntN(3)) * 24 * time.Hour)}
			if err := tx.AddLink(&link); err != nil {
				return err
			}
			invitation := Invitation{ClientID: c.ID, LinkID: link.ID, SentBy: staff[0].ID}
			if err := tx.AddInvitation(&invitation); err != nil {
				return err
			}
			return tx.AddLetter(&Letter{Kind: LetterInvitation, ClientID: c.ID, SentBy: 0, InvitationID: invitation.ID, LinkID: link.ID,
				MessageID: fmt.Sprintf("<%d@x.example>", link.ID), To: c.Email, Data: []byte("x")})
		},
		"settle": func(tx *Tx, c Client) error {
			claimed, err := tx.ClaimLetters(3, time.Minute)
			for _, l := range claimed {
				if err == nil {
					err = tx.SettleLetter(Settlement{Letter: l, State: []LetterState{LetterAccepted, LetterFailed, LetterNeedsAttention, LetterQueued}[r.IntN(4)], Due: now})
				}
			}
			return err
		},
		"revoke": func(tx *Tx, c Client) error { return tx.EndLinks(LinkJoin, c.ID, 0) },
		"sweep":  func(tx *Tx, c Client) error { _, err := tx.SweepTouches(); return err },
	}
	var names []string
	for name := range happenings {
		names = append(names, name)
	}
	slices.Sort(names)

	seen := map[PortalState]int{}
	for round := range 150 {
		name := names[r.IntN(len(names))]
		undone := r.IntN(10) == 0
		err := d.Update(t.Context(), func(tx *Tx) error {
			for range 1 + r.IntN(6) {
				if err := happenings[name](tx, all[r.IntN(len(all))]); err != nil {
					t.Fatal(name, err)
				}
			}
			if undone {
				if _, _, err := tx.FindClients(Everybody(), ClientFilter{}, ByName, 0, 5); err != nil {
					t.Error(err)
				}
				return fmt.Errorf("undo round %d", round)
			}
			return nil
		})
		if !undone && err != nil {
			t.Fatal(name, err)
		}
		now = now.Add(time.Duration(r.IntN(60)) * time.Minute)
		if err := d.View(t.Context(), func(tx *Tx) error {
			f := ClientFilter{Archived: r.IntN(4) == 0, Outstanding: r.IntN(4) == 0, Unassigned: r.IntN(8) == 0, Query: testWords[r.IntN(3)]}
			if r.IntN(3) == 0 {
				f.StaffID = staff[r.IntN(3)].ID
			}
			if r.IntN(3) == 0 {
				f.TagID = int64(r.IntN(4))
			}
			if r.IntN(2) == 0 {
				f.State = PortalStates[r.IntN(len(PortalStates))]
			}
			for _, reach := range []Reach{Everybody(), AssignedTo(staff[0].ID), Oneself(all[3].ID), {}} {
				want := plainFilter(t, tx, all, reach, f)
				got, err := tx.ClientIDs(reach, f)
				if err != nil {
					return err
				}
				slices.Sort(got)
				if !slices.Equal(got, want) {
					t.Errorf("after %s, %+v within %+v: %v, want %v", name, f, reach, got, want)
				}
				for _, order := range []ClientOrder{ByName, ByNameDown, ByState, ByStateDown, ByForms, ByAdded} {
					page, total, err := tx.FindClients(reach, f, order, 1, 3)
					if err != nil {
						return err
					}
					if total != len(want) || len(page) != min(max(len(want)-1, 0), 3) {
						t.Errorf("after %s, by %q: %d of %d, want %d", name, order, len(page), total, len(want))
					}
				}
			}
			for _, c := range all {
				c, err := tx.ClientByID(Everybody(), c.ID)
				if err != nil {
					return err
				}
				seen[c.Portal.State(tx.Now())]++
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	for _, state := range PortalStates {
		if seen[state] == 0 {
			t.Errorf("nobody was ever %q", state)
		}
	}
}
