package practice_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"anteroom/db"
	"anteroom/practice"
	"anteroom/practice/cast"
)

func newPractice(t *testing.T) (*practice.Practice, *db.DB, *cast.Clock) {
	t.Helper()
	clock := cast.NewClock()
	database := db.Temp(t, clock.Now)
	return practice.New(database, practice.Config{Public: cast.Public}), database, clock
}

func willow() practice.SetUp {
	return practice.SetUp{
		OrganizationFields: practice.OrganizationFields{Name: "Willow Street Counseling", Phone: "555-0100", TimeZone: "America/New_York"},
		Administrator:      practice.NewAdministrator{Name: "Olga Olson", Email: "olga@willow.example", Password: newPassword},
	}
}

func TestSetUp(t *testing.T) {
	p, database, _ := newPractice(t)
	ctx := t.Context()
	if ready, err := p.IsSetUp(ctx); ready || err != nil {
		t.Fatal(ready, err)
	}
	for field, spoil := range map[string]func(*practice.SetUp){
		"name":               func(s *practice.SetUp) { s.Name = " " },
		"phone":              func(s *practice.SetUp) { s.Phone = "" },
		"time_zone":          func(s *practice.SetUp) { s.TimeZone = "Mars/Olympus" },
		"administrator_name": func(s *practice.SetUp) { s.Administrator.Name = "" },
		"email":              func(s *practice.SetUp) { s.Administrator.Email = "olga" },
		"password":           func(s *practice.SetUp) { s.Administrator.Password = "Willow Street 1" },
	} {
		s := willow()
		spoil(&s)
		_, _, err := p.SetUp(ctx, p.SetUpCode(), practice.Browser{Network: "192.0.2.1"}, s)
		wantInvalid(t, err, field)
	}
	code := " " + strings.ToLower(strings.ReplaceAll(p.SetUpCode(), "-", " ")) // as somebody types it
	session, _, err := p.SetUp(ctx, code, practice.Browser{Network: "192.0.2.1"}, willow())
	if err != nil {
		t.Fatal(err)
	}
	who, err := p.Authenticate(ctx, session, true)
	if _, ok := who.Halfway(); !ok || err != nil {
		t.Error("no administrator is halfway in", err)
	}
	o, err := p.Organization(ctx)
	if err != nil || o.Name != "Willow Street Counseling" || o.TimeZone.String() != "America/New_York" || !strings.Contains(o.CrisisText, "988") ||
		o.PortalWelcome == "" || o.PortalHelp == "" || o.InvitationDays != 7 {
		t.Errorf("%+v %v", o, err)
	}
	if _, _, err := p.SetUp(ctx, p.SetUpCode(), practice.Browser{Network: "192.0.2.1"}, willow()); err != practice.ErrNotFound {
		t.Error("set up twice:", err)
	}
	if _, err := database.VerifyAudit(ctx, db.AuditHead{}, nil); err != nil {
		t.Error(err)
	}
}

func TestSetUpNeedsTheCode(t *testing.T) {
	p, _, clock := newPractice(t)
	other, _, _ := newPractice(t)
	if p.SetUpCode() == other.SetUpCode() {
		t.Fatal("two starts have one code")
	}
	for range 10 {
		_, _, err := p.SetUp(t.Context(), other.SetUpCode(), practice.Browser{Network: "192.0.2.1"}, practice.SetUp{})
		wantInvalid(t, err, "code")
		if wrong := err.(practice.Invalid); len(wrong) != 1 {
			t.Fatal("says more than that the code is wrong:", wrong)
		}
	}
	_, _, err := p.SetUp(t.Context(), p.SetUpCode(), practice.Browser{Network: "192.0.2.1"}, willow())
	wantInvalid(t, err, "code")
	clock.Move(16 * time.Minute)
	if _, _, err := p.SetUp(t.Context(), p.SetUpCode(), practice.Browser{Network: "192.0.2.1"}, willow()); err != nil {
		t.Error(err)
	}
}

func TestSetUpOnce(t *testing.T) {
	p, database, _ := newPractice(t)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if _, _, err := p.SetUp(t.Context(), p.SetUpCode(), practice.Browser{Network: "192.0.2.1"}, willow()); err != nil && err != practice.ErrNotFound {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if err := database.View(t.Context(), func(tx *db.Tx) error {
		n, err := tx.Administrators()
		if n != 1 {
			t.Errorf("%d administrators", n)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

func TestCreateAdministrator(t *testing.T) {
	p, _, _ := newPractice(t)
	ctx := t.Context()
	bare := practice.SetUp{Administrator: willow().Administrator}
	wantInvalid(t, p.CreateAdministrator(ctx, bare), "name")
	if err := p.CreateAdministrator(ctx, willow()); err != nil {
		t.Fatal(err)
	}
	wantInvalid(t, p.CreateAdministrator(ctx, bare), "email")
	bare.Administrator.Email = "otto@willow.example"
	if err := p.CreateAdministrator(ctx, bare); err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{"olga@willow.example", "otto@willow.example"} {
		_, who, err := p.SignIn(ctx, address, newPassword, practice.Browser{Network: "192.0.2.1"})
		if _, ok := who.Halfway(); !ok {
			t.Error(address, err)
		}
	}
}
