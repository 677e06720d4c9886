package practice_test

import (
	"errors"
	"testing"

	"anteroom/db"
	"anteroom/practice"
	"anteroom/practice/cast"
)

// Whatever role and permissions somebody has, the verbs let them do what their rights are said to be, and nothing else.
func TestRightsAreWhatVerbsAllow(t *testing.T) {
	c := cast.New(t)
	ctx, p := t.Context(), c.Practice
	completed := map[int64]string{}
	for _, client := range []db.Client{c.Mia, c.Leo} {
		id := sendForms(t, c, client, "phq-9")["phq-9"]
		if err := c.DB.Update(ctx, func(tx *db.Tx) error {
			r, err := tx.FormRequest(db.Everybody(), id)
			if err != nil {
				return err
			}
			return tx.CompleteFormRequest(r, db.FormResult{})
		}); err != nil {
			t.Fatal(err)
		}
		completed[client.ID] = id
	}
	may := func(err error) bool {
		t.Helper()
		if err != nil && !errors.Is(err, practice.ErrNotFound) && !errors.Is(err, practice.ErrNotAllowed) {
			t.Fatal(err)
		}
		return err == nil
	}
	extent := func(own, others error) practice.Extent {
		t.Helper()
		switch {
		case may(others) && may(own):
			return practice.ToAll
		case may(own):
			return practice.ToAssigned
		case may(others):
			return "others only"
		}
		return practice.ToNobody
	}
	told := map[practice.Right]map[practice.Extent]bool{}
	for _, role := range practice.Roles {
		for set := range 1 << len(practice.Permissions) {
			var permissions []db.Permission
			for i, permission := range practice.Permissions {
				if set&(1<<i) != 0 {
					permissions = append(permissions, permission)
				}
			}
			// Mia, Ann and Sam are assigned to Tom, Leo and Ben are not.
			if _, err := p.ChangeStaff(ctx, c.Olga, c.Tom.PublicID(), practice.StaffEntry{Name: "Tom Tran", Role: role, Permissions: permissions}); err != nil {
				t.Fatal(err)
			}
			who, err := p.Authenticate(ctx, c.Sessions["Tom"], true)
			tom, ok := who.Staff()
			if err != nil || !ok {
				t.Fatal(err)
			}
			_, administers := who.Administrator()
			done := map[practice.Right]practice.Extent{
				practice.SeeClients:    extent(second(p.OpenClient(ctx, tom, c.Mia.PublicID, false)), second(p.OpenClient(ctx, tom, c.Leo.PublicID, false))),
				practice.EditClients:   extent(second(p.ClientToEdit(ctx, tom, c.Mia.PublicID)), second(p.ClientToEdit(ctx, tom, c.Leo.PublicID))),
				practice.InviteClients: extent(second(p.StartClientDraft(ctx, tom, c.Ann.PublicID)), second(p.StartClientDraft(ctx, tom, c.Ben.PublicID))),
				practice.ReadForms:     extent(second(p.ReadForm(ctx, tom, completed[c.Mia.ID])), second(p.ReadForm(ctx, tom, completed[c.Leo.ID]))),
				practice.AddClients:    practice.ToNobody,
				practice.Administer:    practice.ToNobody,
			}
			if administers {
				done[practice.Administer] = practice.ToAll
			}
			if id, err := p.AddClient(ctx, tom, practice.ClientFields{FirstName: "New", LastName: "Nash"}); may(err) {
				done[practice.AddClients] = practice.ToAll
				d, err := p.OpenClient(ctx, c.Olga.Staff, id, false)
				if err != nil {
					t.Fatal(err)
				}
				if len(d.Therapists) == 1 { // theirs
					done[practice.AddClients] = practice.ToAssigned
				}
			}
			for _, right := range practice.Rights {
				if said := practice.ExtentOf(role, permissions, right); said != done[right] || tom.Extent(right) != said {
					t.Errorf("%s with %q, %s: the page says %s, the verbs %s", role, permissions, right, said, done[right])
				}
				if told[right] == nil {
					told[right] = map[practice.Extent]bool{}
				}
				told[right][done[right]] = true
			}
		}
	}
	for _, right := range practice.Rights {
		if len(told[right]) < 2 {
			t.Errorf("%s: everybody is told the same", right)
		}
	}
	for _, right := range practice.Rights {
		if (practice.Staff{}).Extent(right) != practice.ToNobody {
			t.Errorf("nobody has the right %s", right)
		}
	}
}
