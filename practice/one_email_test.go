package practice_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"anteroom/db"
	"anteroom/practice"
	"anteroom/practice/cast"
)

// owners counts the rows that an address has, by canonical form: the rule is that there is never more than one.
func owners(t *testing.T, c *cast.Cast, address string) (n int) {
	t.Helper()
	email, err := db.ParseEmail(address)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.DB.View(t.Context(), func(tx *db.Tx) error {
		return tx.QueryRow("SELECT count(*) FROM email_addresses WHERE canonical = ?", email.Canonical()).Scan(&n)
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

// roads are the ways by which somebody could come by an address. Each tells whether it was refused.
func roads(t *testing.T, c *cast.Cast) map[string]func(address string) (refused bool) {
	taken := func(err error) bool {
		t.Helper()
		wrong, invalid := err.(practice.Invalid)
		if err != nil && (!invalid || wrong["email"] == "") {
			t.Errorf("refused otherwise: %v", err)
		}
		return err != nil
	}
	var mu sync.Mutex
	count := 0
	next := func() string { mu.Lock(); defer mu.Unlock(); count++; return fmt.Sprint("Person", count) }
	return map[string]func(string) bool{
		"add": func(address string) bool {
			_, err := c.Practice.AddClient(t.Context(), c.Olga.Staff, practice.ClientFields{FirstName: "A", LastName: next(), Email: address, SharedMailbox: true})
			return taken(err)
		},
		"edit": func(address string) bool { return taken(newEmail(t, c, c.Tess, c.Ben, address)) },
		"edit an account": func(address string) bool {
			return taken(newEmail(t, c, c.Tess, c.Leo, address))
		},
		"import": func(address string) bool {
			i, err := c.Practice.ImportFile(t.Context(), []byte("First name,Last name,Email\nA,"+next()+","+strings.TrimSpace(address)+"\n"), practice.ImportChoices{}, false, true)
			if err != nil {
				t.Error(err)
			}
			return i.Added() == 0
		},
		"add staff": func(address string) bool {
			_, err := c.Practice.AddStaff(t.Context(), c.Olga, practice.StaffEntry{Name: next(), Email: address, Role: db.RoleTherapist})
			return taken(err)
		},
		"edit staff": func(address string) bool {
			_, err := c.Practice.ChangeStaffEmail(t.Context(), c.Olga, c.Tess.PublicID(), address)
			return taken(err)
		},
		"from the portal": func(address string) bool {
			before := len(letters(t, c, c.Mia))
			if err := c.Practice.AskForAddress(t.Context(), c.MiaActor, address, cast.Password, network); err != nil {
				if _, limited := err.(practice.Invalid); !limited {
					t.Error(err)
				}
			}
			return len(letters(t, c, c.Mia)) == before
		},
	}
}

// An address that anybody has, in whatever way, is had by nobody else on any road, however it is spelled.
func TestOneEmailByEveryRoad(t *testing.T) {
	for holder, hold := range map[string]func(*testing.T, *cast.Cast){
		"a client": func(t *testing.T, c *cast.Cast) {
			add(t, c, c.Olga.Staff, practice.ClientFields{FirstName: "H", LastName: "Holder", Email: "holder@mail.example"})
		},
		"an archived client": func(t *testing.T, c *cast.Cast) {
			id := add(t, c, c.Olga.Staff, practice.ClientFields{FirstName: "H", LastName: "Holder", Email: "holder@mail.example"})
			if err := c.Practice.ArchiveClient(t.Context(), c.Olga.Staff, id); err != nil {
				t.Fatal(err)
			}
		},
		"a staff member": func(t *testing.T, c *cast.Cast) {
			if _, err := c.Practice.AddStaff(t.Context(), c.Olga, practice.StaffEntry{Name: "H", Email: "holder@mail.example", Role: db.RoleStaff}); err != nil {
				t.Fatal(err)
			}
		},
		"a client who has not confirmed it": func(t *testing.T, c *cast.Cast) {
			zed := add(t, c, c.Olga.Staff, practice.ClientFields{FirstName: "Z", LastName: "Zed", Email: "zed@mail.example"})
			if err := c.DB.Update(t.Context(), func(tx *db.Tx) error {
				client, err := tx.Client(db.Everybody(), zed)
				if err != nil {
					return err
				}
				return tx.SetPortalPassword(client.ID, "x")
			}); err != nil {
				t.Fatal(err)
			}
			client := db.Client{PublicID: zed}
			if err := newEmail(t, c, c.Olga.Staff, client, "holder@mail.example"); err != nil {
				t.Fatal(err)
			}
		},
	} {
		for road := range roads(t, nil) {
			t.Run(holder+", "+road, func(t *testing.T) {
				c := cast.New(t)
				hold(t, c)
				for _, spelling := range []string{"holder@mail.example", " HOLDER@Mail.Example ", "ｈｏｌｄｅｒ@mail.example"} {
					if !roads(t, c)[road](spelling) {
						t.Errorf("%q is given away twice", spelling)
					}
				}
				if n := owners(t, c, "holder@mail.example"); n != 1 {
					t.Errorf("%d have it", n)
				}
			})
		}
	}
}

// All roads at once, for one free address in many spellings: one of them gets it.
func TestOneEmailInARaceOfAllRoads(t *testing.T) {
	c := cast.New(t)
	spellings := []string{"prize@mail.example", "PRIZE@mail.example", "Prize@MAIL.example", "ｐrize@mail.example", " prize@mail.example "}
	all := roads(t, c)
	delete(all, "edit staff") // it ends the rights with which other roads are gone
	var racers sync.WaitGroup
	start := make(chan struct{})
	for n := range 8 {
		for _, road := range all {
			racers.Go(func() {
				<-start
				road(spellings[n%len(spellings)])
			})
		}
	}
	close(start)
	racers.Wait()
	if n := owners(t, c, "prize@mail.example"); n != 1 {
		t.Errorf("%d have the address", n)
	}
}

// A link that is out when its client's address goes to somebody else brings nobody in.
func TestNoJoinByAnAddressThatMoved(t *testing.T) {
	c := cast.New(t)
	token := invite(t, c)
	if err := newEmail(t, c, c.Olga.Staff, c.Ann, "annie@mail.example"); err != nil {
		t.Fatal(err)
	}
	add(t, c, c.Olga.Staff, practice.ClientFields{FirstName: "An", LastName: "Other", Email: "ann@mail.example"})
	_, _, err := c.Practice.ChoosePassword(t.Context(), token, newPassword, practice.Browser{Network: network})
	var over practice.NotLive
	if !errors.As(err, &over) || signsIn(t, c, "ann@mail.example", newPassword) || signsIn(t, c, "annie@mail.example", newPassword) {
		t.Errorf("Ann's old link: %v", err)
	}
}

// Twins of a mailbox are allowed on every road, and asked about where staff type them.
func TestTwinsAreConfirmed(t *testing.T) {
	c := cast.New(t)
	for _, twin := range []string{"ann+al@mail.example", "a.nn@mail.example", "A.N.N+x@mail.example"} {
		fields := practice.ClientFields{FirstName: "Al", LastName: "Abb" + twin, Email: twin}
		_, err := c.Practice.AddClient(t.Context(), c.Olga.Staff, fields)
		wantInvalid(t, err, "shared_mailbox")
		wantInvalid(t, newEmail(t, c, c.Tess, c.Ben, twin), "shared_mailbox")
		i, err := c.Practice.ImportFile(t.Context(), []byte("First name,Last name,Email\nTwin,"+twin+","+twin+"\n"), practice.ImportChoices{}, true, true)
		if err != nil || i.Added() != 1 || !strings.Contains(fmt.Sprint(i.Rows[0].Notes), "same mailbox") {
			t.Errorf("import of %s: %v, %+v", twin, err, i.Rows)
		}
		fields.SharedMailbox = true
		add(t, c, c.Olga.Staff, fields)
	}
}
