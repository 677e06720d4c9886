package practice_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"anteroom/db"
	"anteroom/practice"
	"anteroom/practice/cast"
)

func TestAddStaff(t *testing.T) {
	c := cast.New(t)
	add := func(e practice.StaffEntry) error {
		_, err := c.Practice.AddStaff(t.Context(), c.Olga, e)
		return err
	}
	wantInvalid(t, add(practice.StaffEntry{Email: "nina@willow.example", Role: db.RoleStaff}), "name")
	wantInvalid(t, add(practice.StaffEntry{Name: "Nina", Email: "nina", Role: db.RoleStaff}), "email")
	wantInvalid(t, add(practice.StaffEntry{Name: "Nina", Email: "nina@willow.example", Role: "owner"}), "role")
	wantInvalid(t, add(practice.StaffEntry{Name: "Nina", Email: "TOM@willow.example", Role: db.RoleStaff}), "email")
	wantInvalid(t, add(practice.StaffEntry{Name: "Nina", Email: " Ann@Mail.example", Role: db.RoleStaff}), "email")
	if all, err := c.Practice.AllStaff(t.Context(), c.Olga); err != nil || len(all) != 4 {
		t.Fatal(len(all), err)
	}
	nina, err := c.Practice.AddStaff(t.Context(), c.Olga, practice.StaffEntry{Name: " Nina Novak ", Email: "nina@willow.example", Role: db.RoleStaff,
		Permissions: []db.Permission{db.MayReadForms, db.MayReadForms, "rule the world"}})
	if err != nil {
		t.Fatal(err)
	}
	d, err := c.Practice.StaffMember(t.Context(), c.Olga, nina.PublicID, 0, 25)
	if err != nil {
		t.Fatal(err)
	}
	if d.Name != "Nina Novak" || d.State() != practice.StaffInvited || d.MayResend || d.Letter.To.String() != "nina@willow.example" ||
		!slices.Equal(d.Permissions, []db.Permission{db.MayReadForms}) {
		t.Errorf("%+v", d)
	}

	// The link works for a week; a new one can be sent after five minutes, and ends it.
	first := lastToken(t, c, 0, nina.ID)
	wantInvalid(t, c.Practice.ResendJoin(t.Context(), c.Olga, nina.PublicID), "resend")
	c.Clock.Move(6 * 24 * time.Hour)
	wantState(t, c, first, practice.LinkLive)
	if err := c.Practice.ResendJoin(t.Context(), c.Olga, nina.PublicID); err != nil {
		t.Fatal(err)
	}
	wantState(t, c, first, practice.LinkEnded)
	if signsIn(t, c, "nina@willow.example", "") {
		t.Error("in without a password")
	}
	c.Clock.Move(8 * 24 * time.Hour)
	if err := c.Practice.RenewLink(t.Context(), first, "192.0.2.1"); err != nil {
		t.Fatal(err)
	}
	if _, who, err := c.Practice.ChoosePassword(t.Context(), lastToken(t, c, 0, nina.ID), newPassword, practice.Browser{Network: "192.0.2.1"}); err != nil {
		t.Fatal(err)
	} else if s, ok := who.Staff(); !ok || s.PublicID() != nina.PublicID {
		t.Error("somebody else is signed in")
	}
	wantInvalid(t, c.Practice.ResendJoin(t.Context(), c.Olga, nina.PublicID), "resend")
	if !signsIn(t, c, "nina@willow.example", newPassword) {
		t.Error("can't sign in with the password chosen")
	}
}

// second is the error of a verb that returns something else too.
func second[T any](_ T, err error) error { return err }

func TestStaffVerbsAreForAdministrators(t *testing.T) {
	c := cast.New(t)
	var nobody practice.Administrator
	ctx, p, id := t.Context(), c.Practice, c.Tom.PublicID()
	_, list := p.AllStaff(ctx, nobody)
	_, page := p.StaffMember(ctx, nobody, id, 0, 25)
	_, add := p.AddStaff(ctx, nobody, practice.StaffEntry{Name: "Nina", Email: "nina@willow.example", Role: db.RoleStaff})
	for i, err := range []error{list, page, add,
		second(p.FindStaff(ctx, nobody, practice.StaffQuery{}, 1)),
		second(p.ChangeStaff(ctx, nobody, id, practice.StaffEntry{Name: "Tom", Role: db.RoleAdministrator})),
		second(p.DisableStaff(ctx, nobody, id, practice.KeepAssigned)), second(p.ChangeStaffEmail(ctx, nobody, id, "eve@mail.example")), p.EnableStaff(ctx, nobody, id), p.ResendJoin(ctx, nobody, id)} {
		if err != practice.ErrNotAllowed {
			t.Errorf("%d: %v", i, err)
		}
	}
	for i, err := range []error{second(p.ChangeStaff(ctx, c.Olga, "none", practice.StaffEntry{Name: "Tom", Role: db.RoleStaff})),
		second(p.DisableStaff(ctx, c.Olga, "none", practice.KeepAssigned)), second(p.ChangeStaffEmail(ctx, c.Olga, "none", "eve@mail.example")), p.EnableStaff(ctx, c.Olga, "none"), p.ResendJoin(ctx, c.Olga, "none")} {
		if err != practice.ErrNotFound {
			t.Errorf("%d: %v", i, err)
		}
	}
}

func TestTheLastAdministratorStays(t *testing.T) {
	c := cast.New(t)
	ctx, p := t.Context(), c.Practice
	wantInvalid(t, second(p.DisableStaff(ctx, c.Olga, c.Olga.PublicID(), practice.KeepAssigned)), "disable")
	wantInvalid(t, second(p.ChangeStaff(ctx, c.Olga, c.Olga.PublicID(), practice.StaffEntry{Name: "Olga", Role: db.RoleTherapist})), "role")
	// One who was invited but can't sign in yet doesn't count.
	if _, err := p.AddStaff(ctx, c.Olga, practice.StaffEntry{Name: "Nina", Email: "nina@willow.example", Role: db.RoleAdministrator}); err != nil {
		t.Fatal(err)
	}
	wantInvalid(t, second(p.DisableStaff(ctx, c.Olga, c.Olga.PublicID(), practice.KeepAssigned)), "disable")
	if a, err := p.Authenticate(ctx, c.Sessions["Olga"], true); err != nil || a.Nobody() {
		t.Error("refused, but done in part", err)
	}
	if _, err := p.ChangeStaff(ctx, c.Olga, c.Tom.PublicID(), practice.StaffEntry{Name: "Tom Tran", Role: db.RoleAdministrator}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.DisableStaff(ctx, c.Olga, c.Olga.PublicID(), practice.KeepAssigned); err != nil {
		t.Fatal(err)
	}
	wantInvalid(t, second(p.DisableStaff(ctx, c.Olga, c.Tom.PublicID(), practice.KeepAssigned)), "disable")
}

func TestRightsCountFromTheNextRequest(t *testing.T) {
	c := cast.New(t)
	ctx, p, tom := t.Context(), c.Practice, c.Tom.PublicID()
	role := func() (r db.Role) {
		a, err := p.Authenticate(ctx, c.Sessions["Tom"], true)
		if err != nil {
			t.Fatal(err)
		}
		if s, ok := a.Staff(); ok {
			r = s.Role()
		}
		return r
	}
	if _, err := p.ChangeStaff(ctx, c.Olga, tom, practice.StaffEntry{Name: "Tom Tran", Role: db.RoleStaff}); err != nil {
		t.Fatal(err)
	}
	if role() != db.RoleStaff {
		t.Error(role())
	}
	if _, err := p.DisableStaff(ctx, c.Olga, tom, practice.KeepAssigned); err != nil {
		t.Fatal(err)
	}
	if role() != "" || signsIn(t, c, "tom@willow.example", cast.Password) {
		t.Error("disabled, but in")
	}
	if err := p.ForgotPassword(ctx, "tom@willow.example", "192.0.2.1"); err != nil {
		t.Fatal(err)
	}
	if n := len(lettersTo(t, c, 0, staffID(t, c, tom))); n != 0 {
		t.Errorf("%d letters to somebody disabled", n)
	}
	if err := p.EnableStaff(ctx, c.Olga, tom); err != nil {
		t.Fatal(err)
	}
	if role() != "" {
		t.Error("the old session came back")
	}
	if !signsIn(t, c, "tom@willow.example", cast.Password) {
		t.Error("enabled, but out")
	}
	if _, err := c.DB.VerifyAudit(ctx, db.AuditHead{}, nil); err != nil {
		t.Error(err)
	}
}

func TestDisablingEndsLinks(t *testing.T) {
	c := cast.New(t)
	nina, err := c.Practice.AddStaff(t.Context(), c.Olga, practice.StaffEntry{Name: "Nina Novak", Email: "nina@willow.example", Role: db.RoleStaff})
	if err != nil {
		t.Fatal(err)
	}
	first := lastToken(t, c, 0, nina.ID)
	if _, err := c.Practice.DisableStaff(t.Context(), c.Olga, nina.PublicID, practice.KeepAssigned); err != nil {
		t.Fatal(err)
	}
	wantState(t, c, first, practice.LinkEnded)
	if err := c.Practice.EnableStaff(t.Context(), c.Olga, nina.PublicID); err != nil {
		t.Fatal(err)
	}
	wantState(t, c, first, practice.LinkEnded)
	wantState(t, c, lastToken(t, c, 0, nina.ID), practice.LinkLive)
}

func TestNamesStandOnOneLine(t *testing.T) {
	c := cast.New(t)
	m, err := c.Practice.AddStaff(t.Context(), c.Olga, practice.StaffEntry{Name: " Eve\r\nBcc: all@mail.example\x00 \u202eEvans", Email: "eve@willow.example", Role: db.RoleStaff})
	if err != nil || m.Name != "Eve Bcc: all@mail.example Evans" {
		t.Errorf("%q, %v", m.Name, err)
	}
	if err := c.Practice.ChangeOrganization(t.Context(), c.Olga, practice.OrganizationFields{Name: "Oak\x00\r\nX: y", Phone: "555-0100\n", TimeZone: "UTC"}); err != nil {
		t.Fatal(err)
	}
	if o, err := c.Practice.Organization(t.Context()); err != nil || o.Name != "Oak X: y" || o.Phone != "555-0100" {
		t.Errorf("%q, %q, %v", o.Name, o.Phone, err)
	}
}

func TestNobodyChangesTheOrganization(t *testing.T) {
	c := cast.New(t)
	fields := practice.OrganizationFields{Name: "Oak", Phone: "555-0100", TimeZone: "UTC"}
	for _, by := range []practice.Administrator{{}, {Staff: c.Tom}} {
		if err := c.Practice.ChangeOrganization(t.Context(), by, fields); !errors.Is(err, practice.ErrNotAllowed) {
			t.Error(err)
		}
	}
}
