package practice_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"anteroom/db"
	"anteroom/practice"
	"anteroom/practice/cast"
)

func names(page practice.ClientPage) string {
	var all []string
	for _, r := range page.Rows {
		all = append(all, r.FirstName)
	}
	return strings.Join(all, " ")
}

func find(t *testing.T, c *cast.Cast, by practice.Staff, query string) practice.ClientPage {
	t.Helper()
	page, err := c.Practice.Clients(t.Context(), by, practice.ClientQuery{Words: query}, 1)
	if err != nil {
		t.Fatal(err)
	}
	return page
}

func add(t *testing.T, c *cast.Cast, by practice.Staff, fields practice.ClientFields) string {
	t.Helper()
	id, err := c.Practice.AddClient(t.Context(), by, fields)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestClientsSearch(t *testing.T) {
	c := cast.New(t)
	add(t, c, c.Olga.Staff, practice.ClientFields{FirstName: "Renée", LastName: "Çelik-Åberg", PreferredName: "Ren", Email: "r.celik@post.example"})
	add(t, c, c.Olga.Staff, practice.ClientFields{FirstName: "100%", LastName: "Under_score"})
	for query, want := range map[string]string{
		"":                       "Ann Ben Renée Leo Mia Sam 100%",
		"ann":                    "Ann",
		"ABBOTT ann":             "Ann",
		"ann abbott":             "Ann",
		"Abbott, Ann":            "Ann",
		"bbo":                    "Ann",
		"renee":                  "Renée",
		"RENÉE":                  "Renée",
		"aberg celik":            "Renée",
		"Å":                      "Ann Ben Renée Leo Mia Sam",
		"post.example":           "Renée",
		"mail.ex":                "Ann Ben Leo Mia",
		"ann zzz":                "",
		"%":                      "100%",
		"_":                      "100%",
		"'":                      "",
		"\x00":                   "Ann Ben Renée Leo Mia Sam 100%",
		strings.Repeat("é", 500): "",
	} {
		if got := find(t, c, c.Olga.Staff, query); names(got) != want || got.Total != len(strings.Fields(want)) {
			t.Errorf("%q: %q of %d, want %q", query, names(got), got.Total, want)
		}
	}
	// Everybody finds within their reach: there is a Ben, but he is Tess's.
	if names(find(t, c, c.Olga.Staff, "ben")) != "Ben" || names(find(t, c, c.Tom, "ben")) != "" || names(find(t, c, c.Tess, "ben")) != "Ben" {
		t.Error("the search doesn't keep to reach")
	}
	if got := names(find(t, c, c.Tom, "")); got != "Ann Mia Sam" {
		t.Errorf("Tom's clients: %q", got)
	}
	if got := find(t, c, practice.Staff{}, ""); got.Total != 0 {
		t.Errorf("nobody finds %d", got.Total)
	}
	row := find(t, c, c.Tom, "mia").Rows[0]
	if row.State != db.PortalActive || !slices.Equal(row.Therapists, []string{"Tom Tran"}) {
		t.Errorf("%+v", row)
	}
}

// However an address is spelled, it serves one client.
func TestOneEmailOneClient(t *testing.T) {
	c := cast.New(t)
	add(t, c, c.Olga.Staff, practice.ClientFields{FirstName: "Fritz", LastName: "Strauß", Email: "fritz.strauß@bücher.example"})
	add(t, c, c.Olga.Staff, practice.ClientFields{FirstName: "José", LastName: "Ruiz", Email: "josé@mail.example"})
	if find(t, c, c.Olga.Staff, "ann@mail.example").Total != 1 {
		t.Fatal("nobody has ann@mail.example")
	}
	for _, spelling := range []string{
		"ann@mail.example", "ANN@mail.example", "  ann@Mail.Example\t", "ａｎｎ@mail.example", "ann@ｍａｉｌ.example", "ann@mail。example", "ᴬnn@mail.example",
		"FRITZ.STRAUSS@BÜCHER.example", "fritz.strauss@xn--bcher-kva.example", "fritz.STRAUẞ@xn--BCHER-KVA.example",
		"jose\u0301@mail.example", "JOSÉ@mail.example",
		"olga@willow.example", "Tom@Willow.EXAMPLE",
	} {
		_, err := c.Practice.AddClient(t.Context(), c.Olga.Staff, practice.ClientFields{FirstName: "An", LastName: "Other", Email: spelling, SharedMailbox: true})
		var wrong practice.Invalid
		if !errors.As(err, &wrong) || wrong["email"] != practice.EmailTaken {
			t.Errorf("%s: added: %v", spelling, err)
		}
		err = c.Practice.ChangeClient(t.Context(), c.Olga.Staff, c.Ben.PublicID, practice.ClientFields{FirstName: "Ben", LastName: "Bell", Email: spelling, SharedMailbox: true})
		if !errors.As(err, &wrong) || wrong["email"] != practice.EmailTaken {
			t.Errorf("%s: changed: %v", spelling, err)
		}
	}
	if got := find(t, c, c.Olga.Staff, "other"); got.Total != 0 {
		t.Errorf("%d were added all the same", got.Total)
	}
	if find(t, c, c.Olga.Staff, "ben@mail.example").Total != 1 {
		t.Error("Ben's address is gone")
	}
	// Different addresses stay so: the Turkish dotless i is no i.
	for i, other := range []string{"anı@mail.example", "ann@mail.example.example", "ann.@x", "a.nn@mail.example"} {
		_, err := c.Practice.AddClient(t.Context(), c.Olga.Staff, practice.ClientFields{FirstName: "An", LastName: fmt.Sprint("Other", i), Email: other, SharedMailbox: true})
		if (err != nil) != (other == "ann.@x") {
			t.Errorf("%s: %v", other, err)
		}
	}
}

func TestOneEmailOneClientInARace(t *testing.T) {
	c := cast.New(t)
	spellings := []string{"zed@mail.example", "ZED@mail.example", " zed@MAIL.example", "ｚｅｄ@mail.example"}
	var won, lost atomic.Int32
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range 200 {
		all.Go(func() {
			<-start
			_, err := c.Practice.AddClient(t.Context(), c.Olga.Staff, practice.ClientFields{FirstName: "Zed", LastName: fmt.Sprint("Zee", i), Email: spellings[i%len(spellings)]})
			var wrong practice.Invalid
			switch {
			case err == nil:
				won.Add(1)
			case errors.As(err, &wrong) && wrong["email"] == practice.EmailTaken:
				lost.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	close(start)
	all.Wait()
	if won.Load() != 1 || lost.Load() != 199 {
		t.Errorf("%d won, %d lost", won.Load(), lost.Load())
	}
	if n := find(t, c, c.Olga.Staff, "zee").Total; n != 1 {
		t.Errorf("%d clients", n)
	}
}

func TestSharedMailboxIsConfirmed(t *testing.T) {
	c := cast.New(t)
	fields := practice.ClientFields{FirstName: "Al", LastName: "Abbott", Email: "ann+al@mail.example"}
	_, err := c.Practice.AddClient(t.Context(), c.Olga.Staff, fields)
	if wrong, ok := err.(practice.Invalid); !ok || wrong["shared_mailbox"] == "" || len(wrong) != 1 {
		t.Fatal(err)
	}
	fields.SharedMailbox = true
	id := add(t, c, c.Olga.Staff, fields)
	// What was confirmed once isn't asked again while the address stays.
	fields.SharedMailbox, fields.Phone = false, "555-0199"
	if err := c.Practice.ChangeClient(t.Context(), c.Olga.Staff, id, fields); err != nil {
		t.Error(err)
	}
	for _, other := range []string{"anna+al@mail.example", "ann+al@mail2.example", "an@mail.example"} {
		add(t, c, c.Olga.Staff, practice.ClientFields{FirstName: "X", LastName: "Y", Email: other})
	}
}

func TestWhoChangesClients(t *testing.T) {
	c := cast.New(t)
	fields := practice.ClientFields{FirstName: "Ben", LastName: "Bell", Phone: "555-0123"}
	for _, who := range []struct {
		name string
		by   practice.Staff
		want error
	}{{"Tom", c.Tom, practice.ErrNotFound}, {"Finn", c.Finn, practice.ErrNotAllowed}, {"nobody", practice.Staff{}, practice.ErrNotFound}, {"Tess", c.Tess, nil}, {"Olga", c.Olga.Staff, nil}} {
		if err := c.Practice.ChangeClient(t.Context(), who.by, c.Ben.PublicID, fields); !errors.Is(err, who.want) {
			t.Errorf("%s: %v", who.name, err)
		}
	}
	if _, err := c.Practice.AddClient(t.Context(), c.Finn, practice.ClientFields{FirstName: "A", LastName: "B"}); !errors.Is(err, practice.ErrNotAllowed) {
		t.Error(err)
	}
	if _, err := c.Practice.OpenClient(t.Context(), c.Tom, c.Ben.PublicID, false); !errors.Is(err, practice.ErrNotFound) {
		t.Error(err)
	}
	if _, err := c.DB.VerifyAudit(t.Context(), db.AuditHead{}, nil); err != nil {
		t.Error(err)
	}
}

func TestNewAddressSignsOut(t *testing.T) {
	c := cast.New(t)
	signedIn := func() bool {
		who, err := c.Practice.Authenticate(t.Context(), c.Sessions["Mia"], true)
		if err != nil {
			t.Fatal(err)
		}
		return !who.Nobody()
	}
	change := func(email string) {
		t.Helper()
		if err := c.Practice.ChangeClient(t.Context(), c.Olga.Staff, c.Mia.PublicID, practice.ClientFields{FirstName: "Mia", LastName: "Moreno", Email: email}); err != nil {
			t.Fatal(err)
		}
	}
	if change("MIA@mail.example"); !signedIn() {
		t.Error("another spelling of the same address signed her out")
	}
	if change("mia2@mail.example"); signedIn() {
		t.Error("still signed in after the address changed")
	}
}

const list = "First Name,Last Name,Email,Date of Birth,Therapist\n"

func TestImport(t *testing.T) {
	c := cast.New(t)
	ctx := t.Context()
	keep := func(file string) practice.Import {
		t.Helper()
		id, err := c.Practice.KeepImport(ctx, c.Olga, "list.csv", []byte(file))
		if err != nil {
			t.Fatal(err)
		}
		i, err := c.Practice.CheckImport(ctx, c.Olga, id, practice.ImportChoices{})
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
	mixed := list +
		"Zed,Zee,zed@mail.example,1/2/1990,Tom Tran\n" + // added, Tom's
		"Ann,Abbott,ANN@mail.example,,\n" + // here by address
		"Sam,Stone,,5/17/1990,\n" + // here by date of birth
		"Al,Abbott,ann@mail.example,2/3/2015,\n" + // Ann's address
		"Bo,Bee,zed@MAIL.example,2/3/2015,\n" + // line 2's address
		"Zed,Zee,,1/2/1990,\n" + // line 2 again
		"Yan,Yoo,tom@willow.example,,\n" + // a staff member's address
		"Kim,,kim@mail.example,,\n" +
		"Kay,Kay,kay@@mail.example,2/30/1990,\n" +
		"Una,Ulm,ann+una@mail.example,3/4/1999,Somebody Else\n"
	i := keep(mixed)
	var got []string
	for _, r := range i.Rows {
		got = append(got, fmt.Sprintf("%d %s: %s", r.Line, r.Verdict, strings.Join(r.Notes, " ")))
	}
	want := []string{
		"2 will be added: ",
		"3 already here: On file with the same name and address.",
		"4 already here: On file with the same name and date of birth.",
		"5 has a problem: Abbott, Ann has this address already. One address never serves two people.",
		"6 has a problem: Line 2 has this address already. One address never serves two people.",
		"7 already here: Line 2 has the same name and date of birth.",
		"8 has a problem: Somebody who is not a client has this address already. One address never serves two people.",
		"9 has a problem: No last name.",
		"10 has a problem: “2/30/1990” is not a date of birth that can be. “kay@@mail.example” is not an email address.",
		"11 will be added: “Somebody Else” is nobody's name at this practice: assign a therapist later. Abbott, Ann has an address that may reach the same mailbox.",
	}
	if !slices.Equal(got, want) {
		t.Errorf("verdicts:\n%s", strings.Join(got, "\n"))
	}
	before := find(t, c, c.Olga.Staff, "").Total
	if _, err := applied(t, c, i.ID, practice.ImportChoices{}, false); err == nil || find(t, c, c.Olga.Staff, "").Total != before {
		t.Errorf("all or nothing: %v", err)
	}
	if _, err := applied(t, c, i.ID, practice.ImportChoices{}, true); err != nil {
		t.Fatal(err)
	}
	if n := find(t, c, c.Olga.Staff, "").Total; n != before+2 {
		t.Errorf("%d clients, want %d", n, before+2)
	}
	if names(find(t, c, c.Tom, "zed")) != "Zed" || names(find(t, c, c.Tess, "zed")) != "" {
		t.Error("Zed is not Tom's alone")
	}
	// The file is gone, and bringing it again makes no twins.
	if _, err := applied(t, c, i.ID, practice.ImportChoices{}, true); !errors.Is(err, practice.ErrNotFound) {
		t.Error(err)
	}
	if again := keep(mixed); again.Count[practice.ImportAdd] != 0 {
		t.Errorf("again: %v", again.Count)
	}
	nameless := keep("First Name,Last Name\nCy,Cole\n")
	if _, err := applied(t, c, nameless.ID, practice.ImportChoices{}, false); err != nil {
		t.Fatal(err)
	}
	if again := keep("First Name,Last Name\nCy,Cole\n"); again.Count[practice.ImportHere] != 1 {
		t.Errorf("again, by name alone: %v", again.Count)
	}
	if _, err := c.DB.VerifyAudit(ctx, db.AuditHead{}, nil); err != nil {
		t.Error(err)
	}
}

func TestImportIsItsAuthors(t *testing.T) {
	c := cast.New(t)
	id, err := c.Practice.KeepImport(t.Context(), c.Olga, "list.csv", []byte(list+"Zed,Zee,,,\n"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Practice.CheckImport(t.Context(), c.Olga, id, practice.ImportChoices{}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Practice.CheckImport(t.Context(), practice.Administrator{}, id, practice.ImportChoices{}); !errors.Is(err, practice.ErrNotFound) {
		t.Error(err)
	}
	c.Clock.Move(25 * time.Hour)
	if _, err := c.Practice.CheckImport(t.Context(), c.Olga, id, practice.ImportChoices{}); !errors.Is(err, practice.ErrNotFound) {
		t.Errorf("still there after a day: %v", err)
	}
	if err := c.Practice.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.DB.View(t.Context(), func(tx *db.Tx) error {
		var kept int
		err := tx.QueryRowContext(t.Context(), "SELECT count(*) FROM imports").Scan(&kept)
		if kept != 0 {
			t.Errorf("%d lists are still kept", kept)
		}
		return err
	}); err != nil {
		t.Error(err)
	}
}

// What changed between the look and the import is seen: rows are judged again where they are added.
func TestImportLooksAgain(t *testing.T) {
	c := cast.New(t)
	id, err := c.Practice.KeepImport(t.Context(), c.Olga, "list.csv", []byte(list+"Zed,Zee,zed@mail.example,,\n"))
	if err != nil {
		t.Fatal(err)
	}
	if i, err := c.Practice.CheckImport(t.Context(), c.Olga, id, practice.ImportChoices{}); err != nil || i.Count[practice.ImportAdd] != 1 {
		t.Fatal(i.Count, err)
	}
	add(t, c, c.Tess, practice.ClientFields{FirstName: "Yan", LastName: "Yoo", Email: "ZED@mail.example"})
	i, err := applied(t, c, id, practice.ImportChoices{}, false)
	if wrong, ok := err.(practice.Invalid); !ok || wrong["import"] == "" || i.Problems() != 1 {
		t.Errorf("%v, %v", err, i.Count)
	}
}

func TestImportChoices(t *testing.T) {
	c := cast.New(t)
	check := func(file string, choices practice.ImportChoices) practice.Import {
		t.Helper()
		id, err := c.Practice.KeepImport(t.Context(), c.Olga, "list.csv", []byte(file))
		if err != nil {
			t.Fatal(err)
		}
		i, err := c.Practice.CheckImport(t.Context(), c.Olga, id, choices)
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
	const file = "A,B,C\nZed,Zee,13/4/1990\n"
	if i := check(file, practice.ImportChoices{}); i.Fault == "" || len(i.Rows) != 0 {
		t.Errorf("unknown columns: %+v", i)
	}
	columns := []practice.ImportField{practice.ImportFirstName, practice.ImportLastName, practice.ImportDateOfBirth}
	if i := check(file, practice.ImportChoices{Columns: columns}); i.Fault != "" || i.Count[practice.ImportAdd] != 1 || !i.Order.DayFirst {
		t.Errorf("chosen: %+v", i)
	}
	if i := check(file, practice.ImportChoices{Columns: columns, Dates: "month"}); i.Problems() != 1 {
		t.Errorf("month first: %+v", i)
	}
	columns[1] = practice.ImportFirstName
	if i := check(file, practice.ImportChoices{Columns: columns}); !strings.Contains(i.Fault, "Two columns") {
		t.Errorf("twice the same: %+v", i)
	}
	columns[1] = "nonsense"
	if i := check(file, practice.ImportChoices{Columns: columns}); i.Fault == "" {
		t.Errorf("nonsense: %+v", i)
	}
}
