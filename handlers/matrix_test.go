package handlers

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"anteroom/db"
	"anteroom/practice"
)

// walkIn is somebody who comes to every route with a session, or with what is left of one.
type walkIn struct {
	name  string
	state string // "in", "halfway" or "out"
	staff *db.StaffMember
	own   string // the client whose things are theirs, by first name
	step  bool   // they have every way to take the second step
}

// walkIns are the cast and others, in every state that a session can be in.
func (s *testSite) walkIns() (all []walkIn) {
	s.t.Helper()
	all = append(all, walkIn{name: "", state: "out"})
	err := s.DB.Update(s.t.Context(), func(tx *db.Tx) error {
		session := func(name string, m db.Session, change string, args ...any) error {
			token, err := tx.AddSession(m)
			if err != nil {
				return err
			}
			s.Sessions[name] = token
			if change == "" {
				return nil
			}
			stored, err := tx.Session(token)
			if err != nil {
				return err
			}
			_, err = tx.ExecContext(s.t.Context(), "UPDATE sessions SET "+change+" WHERE public_id = ?", append(args, stored.PublicID)...)
			return err
		}
		staff := func(name string, role db.Role, state string, permissions ...db.Permission) (m db.StaffMember, err error) {
			m = db.StaffMember{Name: name, Role: role, Permissions: permissions}
			if m.Email, err = db.ParseEmail(name + "@willow.example"); err != nil {
				return m, err
			}
			if err := tx.AddStaff(&m); err != nil {
				return m, err
			}
			all = append(all, walkIn{name: name, state: state, staff: &m})
			return m, session(name, db.Session{StaffID: m.ID}, "confirmed_at = ?", s.Clock.Now().AddDate(100, 0, 0).UnixMilli())
		}
		client := func(name, state string) (c db.Client, err error) {
			c = db.Client{FirstName: name, LastName: "Walker"}
			if c.Email, err = db.ParseEmail(name + "@mail.example"); err != nil {
				return c, err
			}
			if err := errors.Join(tx.AddClient(&c), tx.SetPortalPassword(c.ID, "x")); err != nil {
				return c, err
			}
			all = append(all, walkIn{name: name, state: state, own: name})
			return c, session(name, db.Session{ClientID: c.ID}, "")
		}
		for _, m := range []practice.Staff{s.Olga.Staff, s.Tom, s.Tess, s.Finn} {
			member, err := tx.Staff(m.PublicID())
			if err != nil {
				return err
			}
			name, _, _ := strings.Cut(member.Name, " ")
			all = append(all, walkIn{name: name, state: "in", staff: &member})
		}
		all = append(all, walkIn{name: "Mia", state: "in", own: "Mia"}, walkIn{name: "Leo", state: "in", own: "Leo"})
		olga := all[1].staff.ID

		if _, err := staff("Fay", db.RoleStaff, "in", db.MayInviteClients, db.MayEditClients, db.MayReadForms); err != nil {
			return err
		}
		if _, err := staff("Theo", db.RoleTherapist, "in", db.MayInviteClients); err != nil {
			return err
		}
		stepped, err := staff("Stella", db.RoleAdministrator, "in")
		if err != nil {
			return err
		}
		halfway, err := staff("Hal", db.RoleAdministrator, "halfway")
		if err != nil {
			return err
		}
		disabled, err := staff("Dora", db.RoleAdministrator, "out")
		if err != nil {
			return err
		}
		disabled.DisabledAt = tx.Now()
		if _, err := client("Gwen", "halfway"); err != nil {
			return err
		}
		otto, err := client("Otto", "out")
		if err != nil {
			return err
		}
		arno, err := client("Arno", "out")
		if err != nil {
			return err
		}
		if _, err := client("Cleo", "in"); err != nil {
			return err
		}
		ended, long := tx.Now().Add(-15*time.Minute-time.Second).UnixMilli(), tx.Now().Add(-12*time.Hour-time.Second).UnixMilli()
		err = errors.Join(tx.ChangeStaff(disabled),
			session("Stella", db.Session{StaffID: stepped.ID, SteppedAt: tx.Now()}, "confirmed_at = ?", s.Clock.Now().AddDate(100, 0, 0).UnixMilli()),
			session("idle", db.Session{StaffID: olga}, "seen_at = ?", ended),
			session("old", db.Session{StaffID: olga}, "created_at = ?", long),
			session("late", db.Session{StaffID: halfway.ID}, "created_at = ?", ended), // halfway for too long
			session("gone", db.Session{StaffID: olga}, ""), tx.EndSession(s.Sessions["gone"]))
		for _, name := range []string{"idle", "old", "late", "gone", "forged"} {
			all = append(all, walkIn{name: name, state: "out"})
		}
		s.Sessions["forged"] = strings.Repeat("A", len(s.Sessions["gone"]))
		_, off := tx.ExecContext(s.t.Context(), "UPDATE clients SET portal_off_at = 1 WHERE id = ?", otto.ID)
		_, archived := tx.ExecContext(s.t.Context(), "UPDATE clients SET archived_at = 1 WHERE id = ?", arno.ID)
		return errors.Join(err, off, archived)
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.hasEveryStep("stella@willow.example", "hal@willow.example", "gwen@mail.example")
	for i := range all {
		all[i].step = slices.Contains([]string{"Tess", "Leo", "Stella", "Hal", "Gwen"}, all[i].name)
	}
	return all
}

// needs is the right that a staff member needs for a route that is about one client; elsewhere the audience says it all.
var needs = []struct {
	prefix, suffix string
	right          practice.Right
	hidden         bool           // who may not is told that it isn't there, also where they see the client
	or             practice.Right // which does as well
}{
	{"/clients", "/drafts", practice.InviteClients, true, ""},
	{"/clients", "/resend", practice.InviteClients, false, ""},
	{"/clients", "/invitation", practice.InviteClients, false, ""},
	{"/clients", "/reminders", practice.EditClients, false, practice.InviteClients},
	{"/clients", "/edit", practice.EditClients, false, ""},
	{"/clients", "/new-address", practice.EditClients, false, ""},
	{"/clients", "/address-marks", practice.EditClients, false, practice.InviteClients},
	{"/clients", "/archive", practice.EditClients, false, ""},
	{"/clients", "/restore", practice.EditClients, false, ""},
	{"/clients", "/release-address", practice.EditClients, false, ""},
	{"/clients/new", "", practice.AddClients, false, ""},
	{"/clients/:id", "", practice.SeeClients, true, ""},
	{"/form-requests", "/revoke", practice.InviteClients, false, ""},
	{"/form-requests", "", practice.ReadForms, true, ""},
}

// ofStep are the routes whose writes find nothing where a person has no second step.
var ofStep = []string{confirmPasskeyPath + optionsOf, authenticatorPath + "/remove", recoveryCodesPath}

// assigned are the cast's clients, by therapist.
var assigned = map[string]string{"Tom": "Ann Sam Mia", "Tess": "Ben Leo"}

// statusFor is the status with which a route answers a walk-in about somebody's thing; 0: what it answers an administrator, or
// the one whose thing it is.
func statusFor(t *testing.T, r route, about string, who walkIn) int {
	t.Helper()
	switch {
	case r.audience.name == "anyone":
		return 0
	case r.audience.name == "halfway":
		if who.state == "halfway" && who.step && r.path == firstPasskeyPath+optionsOf {
			return http.StatusNotFound // a first passkey is for who has no way yet
		}
		if who.state == "halfway" {
			return 0
		}
		return http.StatusSeeOther // who is in goes on
	case who.state != "in":
		return http.StatusSeeOther
	case r.audience.name == "person":
		if about != "" && who.own != about || !who.step && r.method == "POST" && slices.Contains(ofStep, r.path) {
			return http.StatusNotFound
		}
		return 0
	case r.audience.name == "client":
		if who.own == "" || about != "" && who.own != about {
			return http.StatusNotFound
		}
		return 0
	case who.staff == nil:
		return http.StatusNotFound
	case r.audience.name == "administrator":
		if who.staff.Role != db.RoleAdministrator {
			return http.StatusForbidden
		}
		if about == "nobody" {
			return http.StatusNotFound
		}
		if r.method == "GET" && strings.HasPrefix(r.path, importPath+"/") && who.name != "Olga" {
			return http.StatusNotFound // a list is whoever's brought it
		}
		return 0
	case r.path == "/clients" && r.method == "GET", r.path == "/what-you-may-do":
		return 0
	case r.path == "/clients":
		if practice.ExtentOf(who.staff.Role, who.staff.Permissions, practice.AddClients) == practice.ToNobody {
			return http.StatusForbidden
		}
		return 0
	case strings.HasPrefix(r.path, "/drafts/"):
		if who.name != "Olga" {
			return http.StatusNotFound // a draft is its author's
		}
		return 0
	}
	for _, n := range needs {
		if !strings.HasPrefix(r.path, n.prefix) || !strings.HasSuffix(r.path, n.suffix) {
			continue
		}
		holds := func(right practice.Right) bool {
			switch practice.ExtentOf(who.staff.Role, who.staff.Permissions, right) {
			case practice.ToAll:
				return about != "nobody"
			case practice.ToAssigned:
				return about == "" || slices.Contains(strings.Fields(assigned[who.name]), about)
			}
			return false
		}
		switch {
		case holds(n.right), n.or != "" && holds(n.or):
			return 0
		case n.hidden, !holds(practice.SeeClients):
			return http.StatusNotFound
		}
		return http.StatusForbidden
	}
	t.Fatalf("say in needs which right %s %s takes", r.method, r.path)
	return 0
}

// about tells whose thing a target is.
func about(name string) string {
	for part, whose := range map[string]string{"Toms-Ann": "Ann", "Tesss-Leo": "Leo", "Leos-open": "Leo", "sessions/Leos": "Leo", "passkeys/Leos": "Leo", "Mias-completed": "Mia", "nobodys": "nobody"} {
		if strings.Contains(name, part) {
			return whose
		}
	}
	return ""
}

// deadEnds are where also whoever may come there finds nothing, or is led to sign in, and why.
var deadEnds = map[string]string{
	"GET /":                                      "whoever is out signs in",
	"GET /static/none.css":                       "no file is called so",
	"GET /logo/none":                             "no logo is called so",
	"GET /set-up":                                "the practice is set up",
	"POST /set-up":                               "the practice is set up",
	"POST /sign-out":                             "it ends what let them in",
	"POST /security/sessions/Leos/sign-out":      "it ends the session that Leo is in with",
	"POST /new-link":                             "whoever asks for a link waits for it outside",
	"GET /portal/forms/Leos-open/thank-you":      "it isn't completed",
	"GET /form-requests/Leos-open":               "it isn't completed",
	"GET /form-requests/Leos-open/response.json": "it isn't completed",
	"POST /form-requests/Leos-open/review":       "it isn't completed",
}

// deadEnd tells that an answer is what somebody gets who may not come there.
func (a answer) deadEnd(who walkIn) bool {
	to := a.header.Get("Location")
	return a.status == http.StatusNotFound || strings.HasPrefix(to, "/sign-in") || who.state == "in" && strings.HasPrefix(to, secondStepPath)
}

// TestAccessMatrix asks every route of the table, about every owner's things, for every kind of person in every state of a
// session, and compares the answer with the rules. Whoever is refused reads nothing of anybody, and what isn't theirs reads as
// what isn't there.
func TestAccessMatrix(t *testing.T) {
	cells, refused := 0, 0
	ended := map[string]bool{}
	for _, r := range newSite(t).routes() {
		for _, target := range targets(t, r.path) {
			t.Run(r.method+" "+target.name, func(t *testing.T) { // each lets go of its sites when it ends
				var s *testSite
				var path string
				var people []walkIn
				stage := func() {
					s = furnished(t, r)
					people = s.walkIns()
					for i, who := range people {
						if strings.HasPrefix(r.path, firstPasskeyPath) && who.state == "in" && !who.step {
							people[i].state = "halfway" // there everybody must take one
						}
					}
					path = target.path(s)
				}
				stage()
				words := append(s.castWords(), "Walker")
				var entitled int
				for i := range people {
					who := people[i]
					want := statusFor(t, r, about(target.name), who)
					a := s.as(who.name).ask(r.method, path, s.formFor(r))
					cells++
					denied := want != 0
					switch {
					case r.audience.name == "anyone":
						if who.state == "out" && entitled == 0 {
							entitled = a.status
						} else if who.state == "out" && a.status != entitled {
							t.Errorf("%s %s tells %s %d, and nobody %d", r.method, target.name, who.name, a.status, entitled)
						}
					case !denied && who.name == "Olga":
						entitled = a.status
					case !denied && who.staff != nil && r.audience.name != "halfway" && r.audience.name != "person" && a.status != entitled:
						t.Errorf("%s %s tells %s %d, and Olga %d", r.method, target.name, who.name, a.status, entitled)
					case !denied && a.status == http.StatusForbidden:
						t.Errorf("%s %s refuses %s", r.method, target.name, who.name)
					case denied && a.status != want:
						t.Errorf("%s %s tells %s %d, want %d", r.method, target.name, who.name, a.status, want)
					}
					if !denied && a.deadEnd(who) {
						if ended[r.method+" "+target.name] = true; deadEnds[r.method+" "+target.name] == "" {
							t.Errorf("%s %s is a dead end for %s, who may: %d %s", r.method, target.name, who.name, a.status, a.header.Get("Location"))
						}
					}
					to := a.header.Get("Location")
					if denied && want == http.StatusSeeOther && !strings.HasPrefix(to, map[string]string{"out": "/sign-in?", "halfway": secondStepPath + "?"}[who.state]) {
						t.Errorf("%s %s sends %s to %s", r.method, target.name, who.name, to)
					}
					if denied {
						refused++
						own := map[string]string{"Mia": "Moreno", "Leo": "Lind"}[who.name]
						for _, w := range words {
							if strings.Contains(a.body, w) && !strings.Contains(w, who.name) && (own == "" || !strings.Contains(w, own)) && (who.own == "" || w != "Walker") {
								t.Errorf("%s %s refuses %s, and shows %q", r.method, target.name, who.name, w)
							}
						}
						if want == http.StatusNotFound && strings.Contains(path, "-") && strings.Contains(r.path, ":id") {
							missing := strings.Replace(r.path, ":id", nobodys, 1)
							if b := s.as(who.name).ask(r.method, missing, s.formFor(r)); b.status != a.status || b.body != a.body {
								t.Errorf("%s %s: what isn't theirs tells %s something else than what isn't there", r.method, target.name, who.name)
							}
						}
					}
					if r.method != "GET" && !a.refused() && i+1 < len(people) {
						stage() // a write may change what the next is told
					}
				}
			})
		}
	}
	for where, why := range deadEnds {
		if !ended[where] {
			t.Errorf("%s is no dead end any more: %s", where, why)
		}
	}
	t.Logf("%d cells, %d refusals", cells, refused)
	if cells < 3000 || refused < 1500 {
		t.Errorf("only %d cells, %d refusals", cells, refused)
	}
}
