package practice_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"anteroom/db"
	"anteroom/practice"
	"anteroom/practice/cast"
)

// invitedByTom has Tom invite Ann and leaves the letter in the queue.
func invitedByTom(t *testing.T, c *cast.Cast) {
	t.Helper()
	id, err := c.Practice.StartClientDraft(t.Context(), c.Tom, c.Ann.PublicID)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Practice.Send(t.Context(), c.Tom, id, ""); err != nil {
		t.Fatal(err)
	}
}

func assignedTo(t *testing.T, c *cast.Cast, client db.Client) (names []string) {
	t.Helper()
	if err := c.DB.View(t.Context(), func(tx *db.Tx) error {
		all, err := tx.AssignedStaff(client.ID)
		for _, m := range all {
			names = append(names, m.Name)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return names
}

// Whatever takes the right to send a letter away takes the letter back in the same transaction, with its reason.
func TestQueuedLettersAreRechecked(t *testing.T) {
	for name, take := range map[string]func(c *cast.Cast) (int, error){
		"permission": func(c *cast.Cast) (int, error) {
			return c.Practice.ChangeStaff(t.Context(), c.Olga, c.Tom.PublicID(), practice.StaffEntry{Name: "Tom Tran", Role: db.RoleTherapist})
		},
		"disabled": func(c *cast.Cast) (int, error) {
			w, err := c.Practice.DisableStaff(t.Context(), c.Olga, c.Tom.PublicID(), practice.KeepAssigned)
			return w.Letters, err
		},
		"unassigned": func(c *cast.Cast) (int, error) {
			return 1, c.Practice.AssignClient(t.Context(), c.Olga, c.Ann.PublicID, c.Tom.PublicID(), false)
		},
		"many unassigned": func(c *cast.Cast) (int, error) {
			return c.Practice.AssignChosen(t.Context(), c.Olga, practice.Chosen{IDs: []string{c.Ann.PublicID}}, c.Tom.PublicID(), false)
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := cast.New(t)
			withForms(t, c)
			invitedByTom(t, c)
			d, err := c.Practice.StaffMember(t.Context(), c.Olga, c.Tom.PublicID(), 0, 25)
			if err != nil || d.Work != (practice.Work{Clients: 3, Letters: 1}) {
				t.Fatalf("%+v, %v", d.Work, err)
			}
			// What Olga sends stays.
			if err := c.Practice.Send(t.Context(), c.Olga.Staff, chosen(t, c, c.Ben), ""); err != nil {
				t.Fatal(err)
			}
			if n, err := take(c); n != 1 || err != nil {
				t.Fatal(n, err)
			}
			l := letters(t, c, c.Ann)[0]
			if l.State != db.LetterCancelled || l.Reply != "Its sender may not invite this client any more." || l.SettledAt.IsZero() {
				t.Errorf("%s: %s", l.State, l.Reply)
			}
			if state(t, c, c.Ann) != db.PortalNotInvited || letters(t, c, c.Ben)[0].State != db.LetterQueued {
				t.Error(state(t, c, c.Ann), letters(t, c, c.Ben)[0].State)
			}
		})
	}

	// A right that stays, in another guise, keeps the letter.
	c := cast.New(t)
	withForms(t, c)
	invitedByTom(t, c)
	if n, err := c.Practice.ChangeStaff(t.Context(), c.Olga, c.Tom.PublicID(), practice.StaffEntry{Name: "Tom Tran", Role: db.RoleAdministrator}); n != 0 || err != nil {
		t.Error(n, err)
	}
	if l := letters(t, c, c.Ann)[0]; l.State != db.LetterQueued {
		t.Error(l.State, l.Reply)
	}
}

func TestDisableHandsClientsOver(t *testing.T) {
	c := cast.New(t)
	ctx, p, tom, tess := t.Context(), c.Practice, c.Tom.PublicID(), c.Tess.PublicID()
	if err := p.AssignClient(ctx, c.Olga, c.Mia.PublicID, tess, true); err != nil {
		t.Fatal(err)
	}
	// Who takes over must be somebody else who can sign in; refused, nothing is done.
	for _, heir := range []string{"", "none", tom} {
		wantInvalid(t, second(p.DisableStaff(ctx, c.Olga, tom, heir)), "heir")
	}
	if _, err := p.DisableStaff(ctx, c.Olga, c.Finn.PublicID(), practice.KeepAssigned); err != nil {
		t.Fatal(err)
	}
	wantInvalid(t, second(p.DisableStaff(ctx, c.Olga, tom, c.Finn.PublicID())), "heir")
	if names := assignedTo(t, c, c.Ann); !slices.Equal(names, []string{"Tom Tran"}) || !signsIn(t, c, "tom@willow.example", cast.Password) {
		t.Fatal(names)
	}

	if w, err := p.DisableStaff(ctx, c.Olga, c.Finn.PublicID(), tess); w.Clients != 0 || err != nil {
		t.Fatal(w, err) // who has no clients leaves none
	}
	w, err := p.DisableStaff(ctx, c.Olga, tom, tess)
	if err != nil || w.Clients != 3 {
		t.Fatal(w, err)
	}
	for _, client := range []db.Client{c.Ann, c.Sam, c.Mia} {
		if names := assignedTo(t, c, client); !slices.Equal(names, []string{"Tess Tully"}) {
			t.Error(client.FirstName, names)
		}
		d, err := p.OpenClient(ctx, c.Olga.Staff, client.PublicID, false)
		if err != nil || d.History[0].Act != "assigned the client to Tess Tully, taken over from Tom Tran" || d.History[0].Who != "Olga Olson" {
			t.Errorf("%+v %v", d.History, err)
		}
	}
	if w, err := p.DisableStaff(ctx, c.Olga, tess, practice.NobodyAssigned); err != nil || w.Clients != 5 || len(assignedTo(t, c, c.Ann)) != 0 {
		t.Error(w, err)
	}
	if d, err := p.OpenClient(ctx, c.Olga.Staff, c.Ann.PublicID, false); err != nil || d.History[0].Act != "took the client from Tess Tully, who was disabled" {
		t.Errorf("%+v %v", d.History, err)
	}
	if _, err := c.DB.VerifyAudit(ctx, db.AuditHead{}, nil); err != nil {
		t.Error(err)
	}
}

// Two administrators who disable each other at once: one of them stays.
func TestAdministratorsDisableEachOther(t *testing.T) {
	c := cast.New(t)
	ctx, p := t.Context(), c.Practice
	if _, err := p.ChangeStaff(ctx, c.Olga, c.Tom.PublicID(), practice.StaffEntry{Name: "Tom Tran", Role: db.RoleAdministrator}); err != nil {
		t.Fatal(err)
	}
	who, err := p.Authenticate(ctx, c.Sessions["Tom"], true)
	tom, ok := who.Administrator()
	if err != nil || !ok {
		t.Fatal(err)
	}
	var errs [2]error
	var wait sync.WaitGroup
	start := make(chan struct{})
	for i, ask := range []struct {
		by practice.Administrator
		id string
	}{{c.Olga, c.Tom.PublicID()}, {tom, c.Olga.PublicID()}} {
		wait.Go(func() {
			<-start
			_, errs[i] = p.DisableStaff(ctx, ask.by, ask.id, practice.KeepAssigned)
		})
	}
	close(start)
	wait.Wait()
	if (errs[0] == nil) == (errs[1] == nil) {
		t.Fatal(errs)
	}
	wantInvalid(t, errors.Join(errs[:]...).(interface{ Unwrap() []error }).Unwrap()[0], "disable")
	in := 0
	for _, name := range []string{"Olga", "Tom"} {
		who, err := p.Authenticate(ctx, c.Sessions[name], true)
		if _, ok := who.Administrator(); ok && err == nil {
			in++
		}
	}
	if in != 1 {
		t.Errorf("%d administrators are left", in)
	}
}

func TestChangeTheAddressOfWhoIsInvited(t *testing.T) {
	c := cast.New(t)
	ctx, p := t.Context(), c.Practice
	nina, err := p.AddStaff(ctx, c.Olga, practice.StaffEntry{Name: "Nina Novak", Email: "nnia@willow.example", Role: db.RoleStaff})
	if err != nil {
		t.Fatal(err)
	}
	typo := lastToken(t, c, 0, nina.ID)
	for _, address := range []string{"", "nina", "Tom@Willow.example", " ANN@mail.example "} {
		wantInvalid(t, second(p.ChangeStaffEmail(ctx, c.Olga, nina.PublicID, address)), "email")
	}
	wantState(t, c, typo, practice.LinkLive)
	if _, err := p.ChangeStaffEmail(ctx, c.Olga, nina.PublicID, "nina@willow.example"); err != nil {
		t.Fatal(err)
	}
	wantState(t, c, typo, practice.LinkEnded)
	all := lettersTo(t, c, 0, nina.ID)
	if len(all) != 2 || all[0].To.String() != "nina@willow.example" || all[0].State != db.LetterQueued || all[1].State != db.LetterCancelled {
		t.Fatalf("%+v", all) // nothing to the address that was a mistake
	}
	wantState(t, c, lastToken(t, c, 0, nina.ID), practice.LinkLive)
	if _, err := p.AddStaff(ctx, c.Olga, practice.StaffEntry{Name: "Nia Nunn", Email: "nnia@willow.example", Role: db.RoleStaff}); err != nil {
		t.Error("the address is not free:", err)
	}
}

func TestChangeTheAddressOfWhoIsIn(t *testing.T) {
	c := cast.New(t)
	ctx, p, tom, id := t.Context(), c.Practice, c.Tom.PublicID(), staffID(t, c, c.Tom.PublicID())
	if err := p.ForgotPassword(ctx, "tom@willow.example", "192.0.2.1"); err != nil {
		t.Fatal(err)
	}
	reset := lastToken(t, c, 0, id)
	// Another spelling of the address leaves everything else as it is.
	if _, err := p.ChangeStaffEmail(ctx, c.Olga, tom, "TOM@willow.example"); err != nil {
		t.Fatal(err)
	}
	if who, err := p.Authenticate(ctx, c.Sessions["Tom"], true); err != nil || who.Nobody() {
		t.Fatal("signed out for a spelling", err)
	}
	wantState(t, c, reset, practice.LinkLive)

	if _, err := p.ChangeStaffEmail(ctx, c.Olga, tom, "tom.tran@oak.example"); err != nil {
		t.Fatal(err)
	}
	if who, err := p.Authenticate(ctx, c.Sessions["Tom"], true); err != nil || !who.Nobody() {
		t.Error("still signed in", err)
	}
	wantState(t, c, reset, practice.LinkEnded)
	for _, address := range []string{"tom@willow.example", "tom.tran@oak.example"} {
		if signsIn(t, c, address, cast.Password) {
			t.Error(address, "opens with the old password")
		}
	}
	all := lettersTo(t, c, 0, id)
	if len(all) != 3 || all[0].Kind != db.LetterJoinStaff || all[0].To.String() != "tom.tran@oak.example" ||
		all[1].Kind != db.LetterOldAddress || all[1].To.String() != "TOM@willow.example" || all[1].LinkID != 0 ||
		all[2].State != db.LetterCancelled {
		t.Fatalf("%+v", all)
	}
	// Both leave: the letter to the old address too, though it is nobody's any more.
	var claimed []db.Letter
	if err := c.DB.Update(ctx, func(tx *db.Tx) (err error) {
		claimed, err = tx.ClaimLetters(10, time.Minute)
		return err
	}); err != nil || len(claimed) != 2 {
		t.Fatal(len(claimed), err)
	}
	for _, l := range claimed {
		if text := string(l.Data); l.Kind == db.LetterOldAddress && (strings.Contains(text, "tom.tran@oak.example") || strings.Contains(text, "/link/")) {
			t.Error("the letter to the old address says too much")
		}
	}
	if _, who, err := p.ChoosePassword(ctx, lastToken(t, c, 0, id), newPassword, practice.Browser{Network: "192.0.2.1"}); err != nil {
		t.Fatal(err)
	} else if s, _ := who.Staff(); s.PublicID() != tom {
		t.Error("somebody else is in")
	}
	if !signsIn(t, c, "tom.tran@oak.example", newPassword) {
		t.Error("can't sign in")
	}

	// The only administrator keeps their address: a slip would lock everybody out.
	wantInvalid(t, second(p.ChangeStaffEmail(ctx, c.Olga, c.Olga.PublicID(), "olga@oak.example")), "email")
	if !signsIn(t, c, "olga@willow.example", cast.Password) {
		t.Error("refused, but done in part")
	}
	// Who is disabled gets no mail until they are enabled.
	if _, err := p.DisableStaff(ctx, c.Olga, tom, practice.KeepAssigned); err != nil {
		t.Fatal(err)
	}
	if _, err := p.ChangeStaffEmail(ctx, c.Olga, tom, "tom@elm.example"); err != nil || len(lettersTo(t, c, 0, id)) != 3 {
		t.Fatal(err)
	}
	if err := p.EnableStaff(ctx, c.Olga, tom); err != nil {
		t.Fatal(err)
	}
	if l := lettersTo(t, c, 0, id); len(l) != 4 || l[0].To.String() != "tom@elm.example" {
		t.Errorf("%+v", l)
	}
}

func TestFindStaff(t *testing.T) {
	c := cast.New(t)
	ctx, p := t.Context(), c.Practice
	for i := range 200 {
		if _, err := p.AddStaff(ctx, c.Olga, practice.StaffEntry{Name: fmt.Sprintf("Élodie Number%03d", i), Email: fmt.Sprintf("e%d@oak.example", i), Role: db.RoleStaff}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.DisableStaff(ctx, c.Olga, c.Finn.PublicID(), practice.KeepAssigned); err != nil {
		t.Fatal(err)
	}
	find := func(q practice.StaffQuery, page, total int, first string) {
		t.Helper()
		found, err := p.FindStaff(ctx, c.Olga, q, page)
		if err != nil {
			t.Fatal(err)
		}
		if found.Total != total || total > 0 && found.Rows[0].Name != first {
			t.Errorf("%+v, page %d: %d found, %+v", q, page, found.Total, found.Rows[:min(1, len(found.Rows))])
		}
	}
	find(practice.StaffQuery{}, 1, 204, "Élodie Number000")
	find(practice.StaffQuery{}, 2, 204, "Élodie Number025")
	find(practice.StaffQuery{}, 9, 204, "Olga Olson") // the last page: the disabled one is last of all
	find(practice.StaffQuery{}, 99, 204, "Olga Olson")
	find(practice.StaffQuery{Order: practice.StaffByNameDown}, 1, 204, "Tom Tran")
	find(practice.StaffQuery{Order: practice.StaffByRole}, 1, 204, "Olga Olson")
	find(practice.StaffQuery{Order: practice.StaffByRoleDown}, 1, 204, "Élodie Number000")
	find(practice.StaffQuery{Order: practice.StaffByState}, 1, 204, "Élodie Number000")
	find(practice.StaffQuery{Order: practice.StaffByStateDown}, 1, 204, "Finn Frey")
	find(practice.StaffQuery{Words: "elodie 17"}, 1, 12, "Élodie Number017")
	find(practice.StaffQuery{Words: "E17@OAK"}, 1, 1, "Élodie Number017")
	find(practice.StaffQuery{Words: "nobody"}, 1, 0, "")
	find(practice.StaffQuery{Role: db.RoleTherapist}, 1, 2, "Tess Tully")
	find(practice.StaffQuery{State: practice.StaffDisabled}, 1, 1, "Finn Frey")
	find(practice.StaffQuery{State: practice.StaffActive}, 1, 3, "Olga Olson")
	find(practice.StaffQuery{State: practice.StaffInvited, Role: db.RoleAdministrator}, 1, 0, "")
	if found, err := p.FindStaff(ctx, c.Olga, practice.StaffQuery{Words: "number000"}, 1); err != nil || !found.Rows[0].LinkExpires.Equal(c.Clock.Now().Truncate(time.Millisecond).Add(7*24*time.Hour)) {
		t.Error(found.Rows, err)
	}
}
