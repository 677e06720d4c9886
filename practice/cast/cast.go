// Package cast sets the stage for tests: a practice on a real database, with the same people every time.
package cast

import (
	"context"
	"net/url"
	"sync"
	"time"

	"anteroom/db"
	"anteroom/mail"
	"anteroom/practice"
	"anteroom/views"
)

// Password is everybody's.
const Password = "a quiet place to wait"

// passwordHash is its hash, made at the least cost, so that a test can sign in without waiting.
const passwordHash = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$2QPW09rrF+zoNySMt3a+mI6+UkbOTyuBQ5069V4vyLg"

// Public is the site's address.
var Public = &url.URL{Scheme: "http", Host: "localhost:8080"}

// Clock is a clock that stands until it is moved.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock is a clock on the afternoon on which every test begins.
func NewClock() *Clock { return &Clock{now: time.Date(2026, 11, 2, 15, 4, 5, 0, time.UTC)} }

// Now is what the clock shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Move moves the clock on.
func (c *Clock) Move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Cast is the practice and its people.
type Cast struct {
	DB       *db.DB
	Practice *practice.Practice
	Clock    *Clock

	Olga practice.Administrator
	Tom  practice.Staff // therapist who may invite: Ann, Sam and Mia are his
	Tess practice.Staff // therapist who may not: Ben and Leo are hers
	Finn practice.Staff // front desk, with no permission

	Ann db.Client // Tom's; not invited yet
	Ben db.Client // Tess's; not invited yet
	Sam db.Client // Tom's; has no email address
	Mia db.Client // Tom's; has a portal account
	Leo db.Client // Tess's; has a portal account

	MiaActor practice.Client
	LeoActor practice.Client

	// Sessions are the cookie's values of those who are signed in, by first name.
	Sessions map[string]string
}

// T is the part of *testing.T and *testing.B that the cast needs.
type T interface {
	Helper()
	TempDir() string
	Cleanup(func())
	Fatal(...any)
}

// New sets the stage.
func New(t T) *Cast {
	t.Helper()
	c := &Cast{Clock: NewClock(), Sessions: map[string]string{}}
	c.DB = db.Temp(t, c.Clock.Now)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	composer, err := mail.NewComposer(views.Files)
	must(err)
	c.Practice = practice.New(c.DB, practice.Config{Public: Public, Composer: composer, From: email(t, "portal@willow.example")})
	ctx := context.Background()
	zone, err := time.LoadLocation("America/New_York")
	must(err)
	staff := map[string]*db.StaffMember{}
	must(c.DB.Update(ctx, func(tx *db.Tx) error {
		must(tx.SaveOrganization(db.Organization{Name: "Willow Street Counseling", Phone: "555-0100", TimeZone: zone, InvitationDays: 7,
			PortalWelcome: "Welcome.", PortalHelp: "Call us.", CrisisText: "If you are in danger, call 988 now."}))
		for _, m := range []db.StaffMember{
			{Name: "Olga Olson", Role: db.RoleAdministrator},
			{Name: "Tom Tran", Role: db.RoleTherapist, Permissions: []db.Permission{db.MayInviteClients}},
			{Name: "Tess Tully", Role: db.RoleTherapist},
			{Name: "Finn Frey", Role: db.RoleStaff},
		} {
			first := m.Name[:4]
			if first[3] == ' ' {
				first = first[:3]
			}
			m.Email = email(t, first+"@willow.example")
			must(tx.AddStaff(&m))
			must(tx.SetStaffPassword(m.ID, passwordHash))
			staff[first] = &m
			c.Sessions[first], err = tx.AddSession(db.Session{StaffID: m.ID})
			must(err)
		}
		for _, p := range []struct {
			client    *db.Client
			last      string
			address   string
			therapist string
			account   bool
		}{
			{&c.Ann, "Abbott", "ann@mail.example", "Tom", false},
			{&c.Ben, "Bell", "ben@mail.example", "Tess", false},
			{&c.Sam, "Stone", "", "Tom", false},
			{&c.Mia, "Moreno", "mia@mail.example", "Tom", true},
			{&c.Leo, "Lind", "leo@mail.example", "Tess", true},
		} {
			first := map[*db.Client]string{&c.Ann: "Ann", &c.Ben: "Ben", &c.Sam: "Sam", &c.Mia: "Mia", &c.Leo: "Leo"}[p.client]
			*p.client = db.Client{FirstName: first, LastName: p.last, DateOfBirth: "1990-05-17"}
			if p.address != "" {
				p.client.Email = email(t, p.address)
			}
			must(tx.AddClient(p.client))
			must(tx.Assign(staff[p.therapist].ID, p.client.ID))
			if p.account {
				must(tx.SetPortalPassword(p.client.ID, passwordHash))
				c.Sessions[first], err = tx.AddSession(db.Session{ClientID: p.client.ID})
				must(err)
			}
		}
		// A password is enough, and everybody has just proved who they are, for as long as a test lasts.
		must(tx.RequireSecondStep(false, false))
		_, err := tx.ExecContext(ctx, "UPDATE sessions SET confirmed_at = ?", c.Clock.Now().AddDate(100, 0, 0).UnixMilli())
		return err
	}))
	who := func(name string) practice.Actor {
		a, err := c.Practice.Authenticate(ctx, c.Sessions[name], true)
		must(err)
		return a
	}
	c.Olga, _ = who("Olga").Administrator()
	c.Tom, _ = who("Tom").Staff()
	c.Tess, _ = who("Tess").Staff()
	c.Finn, _ = who("Finn").Staff()
	c.MiaActor, _ = who("Mia").Client()
	c.LeoActor, _ = who("Leo").Client()
	return c
}

func email(t T, s string) db.Email {
	t.Helper()
	e, err := db.ParseEmail(s)
	if err != nil {
		t.Fatal(err)
	}
	return e
}
