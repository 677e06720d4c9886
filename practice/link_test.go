package practice_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"anteroom/db"
	"anteroom/practice"
	"anteroom/practice/cast"
)

const newPassword = "velvet anchor over tin roofs"

// invite sends Ann an invitation by Tom and returns its link's token.
func invite(t *testing.T, c *cast.Cast) string {
	t.Helper()
	draft, err := c.Practice.StartClientDraft(t.Context(), c.Tom, c.Ann.PublicID)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Practice.Send(t.Context(), c.Tom, draft, ""); err != nil {
		t.Fatal(err)
	}
	return lastToken(t, c, c.Ann.ID, 0)
}

func lettersTo(t *testing.T, c *cast.Cast, clientID, staffID int64) (all []db.Letter) {
	t.Helper()
	err := c.DB.View(t.Context(), func(tx *db.Tx) (err error) {
		if staffID != 0 {
			all, err = tx.StaffLetters(staffID)
		} else {
			all, err = tx.ClientLetters(db.Everybody(), clientID)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// lastToken is the token of the link in the last letter to somebody.
func lastToken(t *testing.T, c *cast.Cast, clientID, staffID int64) (token string) {
	t.Helper()
	all := lettersTo(t, c, clientID, staffID)
	if len(all) == 0 {
		t.Fatal("no letter was sent")
	}
	err := c.DB.View(t.Context(), func(tx *db.Tx) (err error) {
		_, token, err = tx.LinkToken(all[0].LinkID)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func staffID(t *testing.T, c *cast.Cast, publicID string) (id int64) {
	t.Helper()
	err := c.DB.View(t.Context(), func(tx *db.Tx) error {
		m, err := tx.Staff(publicID)
		id = m.ID
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func wantInvalid(t *testing.T, err error, field string) {
	t.Helper()
	if v, ok := err.(practice.Invalid); !ok || v[field] == "" {
		t.Fatalf("%v, want something wrong with %s", err, field)
	}
}

func wantState(t *testing.T, c *cast.Cast, token string, want practice.LinkState) {
	t.Helper()
	l, err := c.Practice.OpenLink(t.Context(), token)
	if err != nil || l.State != want {
		t.Fatalf("the link is %q (%v), want %q", l.State, err, want)
	}
}

// signsIn tells whether somebody can sign in.
func signsIn(t *testing.T, c *cast.Cast, address, password string) bool {
	t.Helper()
	_, who, err := c.Practice.SignIn(t.Context(), address, password, practice.Browser{Network: "198.51.100.7"})
	if _, wrong := err.(practice.Invalid); err != nil && !wrong {
		t.Fatal(err)
	}
	return !who.Nobody()
}

func TestJoin(t *testing.T) {
	c := cast.New(t)
	token := invite(t, c)
	wantState(t, c, token, practice.LinkLive)
	_, _, err := c.Practice.ChoosePassword(t.Context(), token, "", practice.Browser{Network: "192.0.2.1"})
	wantInvalid(t, err, "password")
	_, _, err = c.Practice.ChoosePassword(t.Context(), token, "Ann Abbott 1990", practice.Browser{Network: "192.0.2.1"})
	wantInvalid(t, err, "password")
	wantState(t, c, token, practice.LinkLive)

	session, who, err := c.Practice.ChoosePassword(t.Context(), token, newPassword, practice.Browser{Network: "192.0.2.1"})
	if err != nil {
		t.Fatal(err)
	}
	if client, ok := who.Client(); !ok || client.Name() != "Ann" {
		t.Error("somebody else is signed in")
	}
	if a, err := c.Practice.Authenticate(t.Context(), session, true); err != nil || a.Nobody() {
		t.Error("not signed in after joining", err)
	}
	if a, err := c.Practice.Authenticate(t.Context(), c.Sessions["Mia"], true); err != nil || a.Nobody() {
		t.Error("joining signed somebody else out", err)
	}
	if !signsIn(t, c, "ANN@mail.example", newPassword) {
		t.Error("can't sign in with the password just chosen")
	}
	wantState(t, c, token, practice.LinkUsed)
	_, _, err = c.Practice.ChoosePassword(t.Context(), token, "another anchor, more velvet", practice.Browser{Network: "192.0.2.1"})
	if over := (practice.NotLive{}); !errors.As(err, &over) || over.State != practice.LinkUsed {
		t.Error("a used link:", err)
	}
	if !signsIn(t, c, "ann@mail.example", newPassword) {
		t.Error("a used link changed the password")
	}
}

func TestOneOfTwoSpendsALink(t *testing.T) {
	c := cast.New(t)
	token := invite(t, c)
	passwords := []string{"first anchor over the bay", "second anchor over the bay", "third anchor over the bay", "fourth anchor over the bay"}
	won := make([]bool, len(passwords))
	var all sync.WaitGroup
	for i, password := range passwords {
		all.Go(func() {
			_, _, err := c.Practice.ChoosePassword(t.Context(), token, password, practice.Browser{Network: "192.0.2.1"})
			won[i] = err == nil
			if over := (practice.NotLive{}); err != nil && !errors.As(err, &over) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	winners := 0
	for i, password := range passwords {
		if won[i] {
			winners++
		}
		if signsIn(t, c, "ann@mail.example", password) != won[i] {
			t.Errorf("%q: %v", password, won[i])
		}
	}
	if winners != 1 {
		t.Errorf("%d won", winners)
	}
}

func TestLinksThatAreOver(t *testing.T) {
	c := cast.New(t)
	first := invite(t, c)
	second := invite(t, c)
	wantState(t, c, first, practice.LinkEnded)
	wantState(t, c, second, practice.LinkLive)
	wantState(t, c, "no such token", practice.LinkUnknown)
	c.Clock.Move(7*24*time.Hour + time.Minute)
	wantState(t, c, second, practice.LinkExpired)
	if _, _, err := c.Practice.ChoosePassword(t.Context(), second, newPassword, practice.Browser{Network: "192.0.2.1"}); err == nil {
		t.Fatal("an expired link was spent")
	}

	// A new one comes to the address on file, and the old ones stay dead.
	if err := c.Practice.RenewLink(t.Context(), second, "192.0.2.1"); err != nil {
		t.Fatal(err)
	}
	third := lastToken(t, c, c.Ann.ID, 0)
	wantState(t, c, third, practice.LinkLive)
	wantState(t, c, second, practice.LinkEnded)
	last := lettersTo(t, c, c.Ann.ID, 0)[0]
	if last.To.String() != "ann@mail.example" || last.Kind != db.LetterInvitation || last.SentBy != 0 {
		t.Errorf("%+v", last)
	}

	// Turned off, none opens.
	if err := c.DB.Update(t.Context(), func(tx *db.Tx) error { return tx.TurnPortal(c.Ann.ID, false) }); err != nil {
		t.Fatal(err)
	}
	wantState(t, c, third, practice.LinkEnded)
	before := len(lettersTo(t, c, c.Ann.ID, 0))
	if err := c.Practice.RenewLink(t.Context(), third, "192.0.2.9"); err != nil {
		t.Fatal(err)
	}
	if len(lettersTo(t, c, c.Ann.ID, 0)) != before {
		t.Error("a letter was sent to somebody whose access is turned off")
	}
}

func TestRenewLinkIsThrottled(t *testing.T) {
	c := cast.New(t)
	token := invite(t, c)
	c.Clock.Move(8 * 24 * time.Hour)
	for range 5 {
		if err := c.Practice.RenewLink(t.Context(), token, "192.0.2.1"); err != nil {
			t.Fatal(err)
		}
		c.Clock.Move(8 * time.Minute) // each waits in the outbox no longer than that
		if err := c.DB.Update(t.Context(), func(tx *db.Tx) error {
			_, err := tx.Exec("UPDATE letters SET state = 'accepted'")
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(lettersTo(t, c, c.Ann.ID, 0)); n != 4 { // the invitation and three more
		t.Errorf("%d letters", n)
	}
	c.Clock.Move(time.Hour)
	if err := c.Practice.RenewLink(t.Context(), token, "192.0.2.1"); err != nil {
		t.Fatal(err)
	}
	if n := len(lettersTo(t, c, c.Ann.ID, 0)); n != 5 {
		t.Errorf("%d letters an hour later", n)
	}
}

// Whoever asks and asks for somebody keeps them from no link: who asks holds one that opens, and the letters stay few.
func TestAsksKeepNobodyFromALink(t *testing.T) {
	c := cast.New(t)
	ask := func(network string) {
		t.Helper()
		for _, address := range []string{"mia@mail.example", "tom@willow.example"} {
			if err := c.Practice.ForgotPassword(t.Context(), address, network); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i := range 2 * 24 * 6 {
		ask(fmt.Sprint("of a stranger ", i))
		ask("their own")
		for who, token := range map[string]string{"Mia": lastToken(t, c, c.Mia.ID, 0), "Tom": lastToken(t, c, 0, staffID(t, c, c.Tom.PublicID()))} {
			if l, err := c.Practice.OpenLink(t.Context(), token); err != nil || l.State != practice.LinkLive {
				t.Fatalf("%s's newest link is %s after %d minutes: %v", who, l.State, i*10, err)
			}
		}
		c.Clock.Move(10 * time.Minute)
	}
	if n := len(lettersTo(t, c, c.Mia.ID, 0)); n > 2*48+12 {
		t.Errorf("%d letters to Mia in two days", n)
	}
}

func TestForgottenPassword(t *testing.T) {
	c := cast.New(t)
	for _, address := range []string{"nobody@mail.example", "mia@mail.example", "tom@willow.example", "ben@mail.example"} {
		if err := c.Practice.ForgotPassword(t.Context(), address, "192.0.2.1"); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
	wantInvalid(t, c.Practice.ForgotPassword(t.Context(), "not an address", "192.0.2.1"), "email")
	if len(lettersTo(t, c, c.Ben.ID, 0)) != 0 {
		t.Error("a client who was never invited got a letter")
	}
	token := lastToken(t, c, c.Mia.ID, 0)
	c.Clock.Move(29 * time.Minute)
	wantState(t, c, token, practice.LinkLive)
	c.Clock.Move(2 * time.Minute)
	wantState(t, c, token, practice.LinkExpired)
	if err := c.Practice.RenewLink(t.Context(), token, "192.0.2.1"); err != nil {
		t.Fatal(err)
	}
	again := lastToken(t, c, c.Mia.ID, 0)

	other, _, err := c.Practice.SignIn(t.Context(), "mia@mail.example", cast.Password, practice.Browser{Network: "192.0.2.1"})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Practice.ChoosePassword(t.Context(), again, newPassword, practice.Browser{Network: "192.0.2.1"}); err != nil {
		t.Fatal(err)
	}
	if a, _ := c.Practice.Authenticate(t.Context(), other, true); !a.Nobody() {
		t.Error("a session from before the new password goes on")
	}
	if signsIn(t, c, "mia@mail.example", cast.Password) || !signsIn(t, c, "mia@mail.example", newPassword) {
		t.Error("the password did not change")
	}

	wantState(t, c, lastToken(t, c, 0, staffID(t, c, c.Tom.PublicID())), practice.LinkExpired)
	if _, err := c.DB.VerifyAudit(t.Context(), db.AuditHead{}, nil); err != nil {
		t.Error(err)
	}
}

func TestLettersHoldNoSecret(t *testing.T) {
	c := cast.New(t)
	if err := c.Practice.ForgotPassword(t.Context(), "mia@mail.example", "192.0.2.1"); err != nil {
		t.Fatal(err)
	}
	token := lastToken(t, c, c.Mia.ID, 0)
	var data string
	if err := c.DB.View(t.Context(), func(tx *db.Tx) error {
		return tx.QueryRow("SELECT data FROM letter_mails").Scan(&data)
	}); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(data, token) || !strings.Contains(data, "Willow Street Counseling") {
		t.Error(data)
	}
}

// Whoever chose another password while signed in isn't undone by a link that lay in the mailbox before.
func TestAChangedPasswordEndsTheLinkToANewOne(t *testing.T) {
	c := cast.New(t)
	if err := c.Practice.ForgotPassword(t.Context(), "mia@mail.example", "192.0.2.1"); err != nil {
		t.Fatal(err)
	}
	token := lastToken(t, c, c.Mia.ID, 0)
	who, err := c.Practice.Authenticate(t.Context(), c.Sessions["Mia"], true)
	if err != nil {
		t.Fatal(err)
	}
	mia, _ := who.Person()
	if _, err := c.Practice.ChangePassword(t.Context(), mia, c.Sessions["Mia"], cast.Password, newPassword, practice.Browser{Network: "192.0.2.1"}); err != nil {
		t.Fatal(err)
	}
	wantState(t, c, token, practice.LinkEnded)
}

// hashes is how many passwords f has hashed: argon2id takes its 19 MiB for each, and nothing else here takes as much.
func hashes(f func()) int {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int((after.TotalAlloc - before.TotalAlloc) / (19 << 20))
}

// Whoever signs in, and as whom, costs one hash, so that nobody is told from how long it takes who has an account; and who guessed
// too often costs none.
func TestEverybodyCostsOneHashAndWhoGuessesNone(t *testing.T) {
	c := cast.New(t)
	if _, err := c.Practice.DisableStaff(t.Context(), c.Olga, c.Finn.PublicID(), practice.KeepAssigned); err != nil {
		t.Fatal(err)
	}
	// The cast's passwords are hashed cheaply.
	for address, who := range map[string][2]int64{"olga@willow.example": {0, staffID(t, c, c.Olga.PublicID())}, "mia@mail.example": {c.Mia.ID, 0}} {
		if err := c.Practice.ForgotPassword(t.Context(), address, "192.0.2.1"); err != nil {
			t.Fatal(err)
		}
		if _, _, err := c.Practice.ChoosePassword(t.Context(), lastToken(t, c, who[0], who[1]), newPassword, practice.Browser{Network: "192.0.2.1"}); err != nil {
			t.Fatal(err)
		}
	}
	signIn := func(address, password string) func() {
		return func() {
			if _, _, err := c.Practice.SignIn(t.Context(), address, password, practice.Browser{Network: "192.0.2.1"}); err == nil {
				t.Errorf("%s is in", address)
			}
		}
	}
	for who, address := range map[string]string{"an administrator": "olga@willow.example", "a client": "mia@mail.example", "an invited client": "ann@mail.example",
		"disabled": "finn@willow.example", "unknown": "nobody@willow.example", "no address": "nonsense"} {
		for range 5 {
			if n := hashes(signIn(address, "wrong password")); n != 1 {
				t.Errorf("%s costs %d hashes", who, n)
			}
		}
		if n := hashes(signIn(address, "wrong password")); n != 0 {
			t.Errorf("%s who guessed too often costs %d hashes", who, n)
		}
	}
	if n := hashes(signIn("leo@mail.example", strings.Repeat("long ", 30))); n != 1 {
		t.Errorf("a password that is too long costs %d hashes", n)
	}
}

func TestGuessesAreThrottled(t *testing.T) {
	c := cast.New(t)
	try := func(address, password, network string) string {
		_, _, err := c.Practice.SignIn(t.Context(), address, password, practice.Browser{Network: network})
		if v, ok := err.(practice.Invalid); ok {
			return v["password"]
		} else if err != nil {
			t.Fatal(err)
		}
		return ""
	}
	for _, address := range []string{"tom@willow.example", "nobody@willow.example"} {
		for range 5 {
			if said := try(address, "wrong password", "192.0.2.1"); !strings.Contains(said, "don't match") {
				t.Fatal(address, said)
			}
		}
		if said := try(address, cast.Password, "203.0.113.5"); !strings.Contains(said, "Too many") {
			t.Error(address, "goes on:", said)
		}
	}
	c.Clock.Move(16 * time.Minute)
	if said := try("tom@willow.example", cast.Password, "192.0.2.1"); said != "" {
		t.Error("still kept out:", said)
	}
	// A new password opens a throttled account at once.
	for range 5 {
		try("mia@mail.example", "wrong password", "192.0.2.2")
	}
	if err := c.Practice.ForgotPassword(t.Context(), "mia@mail.example", "192.0.2.1"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Practice.ChoosePassword(t.Context(), lastToken(t, c, c.Mia.ID, 0), newPassword, practice.Browser{Network: "192.0.2.1"}); err != nil {
		t.Fatal(err)
	}
	if said := try("mia@mail.example", newPassword, "192.0.2.2"); said != "" {
		t.Error(said)
	}
	// Whatever the accounts, one network has its limit; right passwords don't count.
	c.Clock.Move(16 * time.Minute)
	for range 60 {
		if said := try("leo@mail.example", cast.Password, "192.0.2.3"); said != "" {
			t.Fatal(said)
		}
	}
	for i := range 50 {
		try("nobody"+string(rune('a'+i%26))+string(rune('a'+i/26))+"@mail.example", "wrong password", "192.0.2.3")
	}
	if said := try("leo@mail.example", cast.Password, "192.0.2.3"); !strings.Contains(said, "Too many") {
		t.Error("the network goes on:", said)
	}
	if said := try("leo@mail.example", cast.Password, "192.0.2.4"); said != "" {
		t.Error(said)
	}
}

func TestManyGuessesAtOnceAreCounted(t *testing.T) {
	c := cast.New(t)
	var mu sync.Mutex
	said := map[string]int{}
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			_, _, err := c.Practice.SignIn(t.Context(), "tom@willow.example", "wrong password", practice.Browser{Network: "192.0.2.1"})
			mu.Lock()
			defer mu.Unlock()
			said[err.Error()]++
		})
	}
	all.Wait()
	for sentence, n := range said {
		if strings.Contains(sentence, "don't match") && n != 5 {
			t.Errorf("%d guesses were compared", n)
		}
	}
	if len(said) != 2 {
		t.Error(said)
	}
}

func TestSweep(t *testing.T) {
	c := cast.New(t)
	count := func(table string) (n int) {
		if err := c.DB.View(t.Context(), func(tx *db.Tx) error { return tx.QueryRow("SELECT count(*) FROM " + table).Scan(&n) }); err != nil {
			t.Fatal(err)
		}
		return n
	}
	signsIn(t, c, "mia@mail.example", "wrong password")
	for _, step := range []struct {
		move              time.Duration
		sessions, guesses bool
	}{{0, true, true}, {16 * time.Minute, false, true}, {time.Hour, false, false}} {
		c.Clock.Move(step.move)
		if err := c.Practice.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := count("sessions") > 0; got != step.sessions {
			t.Errorf("after %v sessions are kept: %v", step.move, got)
		}
		if got := count("attempts") > 0; got != step.guesses {
			t.Errorf("after %v guesses are kept: %v", step.move, got)
		}
	}
}
