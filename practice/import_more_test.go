package practice_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"strings"
	"testing"

	"anteroom/db"
	"anteroom/practice"
	"anteroom/practice/cast"
)

// imports imports a file as Olga does: all rows, or only the good ones.
func imports(t *testing.T, c *cast.Cast, file string, choices practice.ImportChoices) practice.Import {
	t.Helper()
	id, err := c.Practice.KeepImport(t.Context(), c.Olga, "list.csv", []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	i, err := applied(t, c, id, choices, true)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// applied has Olga's list imported, and waits for it.
func applied(t *testing.T, c *cast.Cast, id string, choices practice.ImportChoices, goodOnly bool) (practice.Import, error) {
	t.Helper()
	job, err := c.Practice.StartImport(t.Context(), c.Olga, id, choices, goodOnly)
	if err != nil {
		t.Fatal(err)
	}
	<-job.Done()
	return job.Result()
}

func recordByName(t *testing.T, c *cast.Cast, words string) practice.ClientRecord {
	t.Helper()
	page := find(t, c, c.Olga.Staff, words)
	if page.Total != 1 {
		t.Fatalf("%d are found by %q", page.Total, words)
	}
	r, err := c.Practice.ClientToEdit(t.Context(), c.Olga.Staff, page.Rows[0].PublicID)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestImportAllColumns(t *testing.T) {
	c := cast.New(t)
	i := imports(t, c, "\ufeffClient Name;DOB;Mobile;E-mail;Pronouns;Parent/Guardian;Preferred Language;OK to email;Tags;Notes;Clinician\r\n"+
		"\"Rivers, Rae\";31.12.2012;'+1 555 0100;rae@mail.example;they/them;Robin Rivers;Español;No;Kids, Evening;\"Rings twice.\r\nThen waits.\";Tom Tran, LCSW\r\n"+
		"Stone Sol;;;sol@mail.example;;;Klingonese;maybe;;;\r\n", practice.ImportChoices{})
	if i.Added() != 2 || i.Problems() != 0 {
		t.Fatalf("%+v", i.Rows)
	}
	r := recordByName(t, c, "rivers")
	got := practice.FieldsOf(r)
	got.Version = ""
	want := practice.ClientFields{FirstName: "Rae", LastName: "Rivers", Pronouns: "they/them", DateOfBirth: "2012-12-31", Guardian: "Robin Rivers", Phone: "+1 555 0100",
		Email: "rae@mail.example", NoEmail: true, Language: "es", Tags: "Evening, Kids", Notes: "Rings twice.\nThen waits."}
	if got != want {
		t.Errorf("on file:\n%+v, want\n%+v", got, want)
	}
	if notes := fmt.Sprint(i.Rows[1].Notes); !strings.Contains(notes, "“Klingonese” is not a language") || !strings.Contains(notes, "“maybe” doesn't say") {
		t.Errorf("notes: %s", notes)
	}
	if i.Sample != "31.12.2012" || i.Reading != "2012-12-31" {
		t.Errorf("%s is read as %s", i.Sample, i.Reading)
	}
}

func TestImportUpdates(t *testing.T) {
	c := cast.New(t)
	r := recordByName(t, c, "abbott ann")
	fields := practice.FieldsOf(r)
	fields.Phone, fields.Notes, fields.DateOfBirth = "555-0001", "Old words", "1990-01-02"
	if err := c.Practice.ChangeClient(t.Context(), c.Olga.Staff, r.PublicID, fields); err != nil {
		t.Fatal(err)
	}
	const file = "First name,Last name,Email,DOB,Phone,Tags,Notes,Therapist\n" +
		"Ann,Abbott,ann2@mail.example,1990-01-02,555-0002,Evening,,Tess Tully\n" +
		"Mia,Moreno,mia@mail.example,,,Evening,,\n" + // has a portal account
		"Ben,Bell,ben@mail.example,,,,,\n" // nothing new
	for _, update := range []bool{false, true} {
		i := imports(t, c, file, practice.ImportChoices{Update: update})
		if want := map[bool]int{false: 0, true: 2}[update]; i.Updated() != want || i.Added() != 0 || i.Here() != 3-want {
			t.Errorf("update %v: %+v", update, i.Rows)
		}
	}
	ann := practice.FieldsOf(recordByName(t, c, "abbott ann"))
	if ann.Email != "ann2@mail.example" || ann.Phone != "555-0002" || ann.Tags != "Evening" || ann.Notes != "Old words" {
		t.Errorf("on file: %+v", ann)
	}
	d := details(t, c, c.Ann)
	if len(d.Therapists) != 2 || d.History[0].Act != "updated the client from a list" || d.History[0].Detail != "phone, email, tags" {
		t.Errorf("therapists %d, history %+v", len(d.Therapists), d.History[0])
	}
	if i := imports(t, c, file, practice.ImportChoices{Update: true}); i.Here() != 3 {
		t.Errorf("once more: %+v", i.Rows)
	}

	// An address that somebody else has, and that of a portal account, stay as they are.
	i := imports(t, c, "First name,Last name,DOB,Email,Phone\nAnn,Abbott,1990-01-02,BEN@mail.example,555-0003\n", practice.ImportChoices{Update: true})
	if i.Updated() != 1 || !strings.Contains(fmt.Sprint(i.Rows[0].Notes), "Somebody else has this address already") {
		t.Errorf("%+v", i.Rows)
	}
	mia := practice.FieldsOf(recordByName(t, c, "moreno mia"))
	mia.DateOfBirth = "1991-02-03"
	if err := c.Practice.ChangeClient(t.Context(), c.Olga.Staff, c.Mia.PublicID, mia); err != nil {
		t.Fatal(err)
	}
	i = imports(t, c, "First name,Last name,DOB,Email,Phone\nMia,Moreno,1991-02-03,mia2@mail.example,555-0004\n", practice.ImportChoices{Update: true})
	if i.Updated() != 1 || !strings.Contains(fmt.Sprint(i.Rows[0].Notes), "Signs in with another address") || !signsIn(t, c, "mia@mail.example", cast.Password) {
		t.Errorf("%+v", i.Rows)
	}
	// Two lines can't give two clients one address.
	i = imports(t, c, "First name,Last name,DOB,Email\nAnn,Abbott,1990-01-02,new@mail.example\nNew,Person,1999-01-01,NEW@mail.example\n", practice.ImportChoices{Update: true})
	if i.Updated() != 1 || i.Problems() != 1 {
		t.Errorf("%+v", i.Rows)
	}
	// A word against email takes queued letters back, as it does on the form.
	invite(t, c)
	imports(t, c, "First name,Last name,DOB,May be emailed\nAnn,Abbott,1990-01-02,no\n", practice.ImportChoices{Update: true})
	if l := letters(t, c, c.Ann)[0]; l.State != db.LetterCancelled {
		t.Errorf("Ann's letter is %s", l.State)
	}
}

func TestImportUnsure(t *testing.T) {
	c := cast.New(t)
	const file = "First name,Last name,Phone\nSam,Stone,555-0009\n"
	if i := imports(t, c, file, practice.ImportChoices{}); i.Here() != 1 || i.Unsure != 1 {
		t.Errorf("%+v", i)
	}
	if i := imports(t, c, file, practice.ImportChoices{Update: true}); i.Here() != 1 {
		t.Errorf("somebody of whom nobody is sure is updated: %+v", i.Rows)
	}
	if i := imports(t, c, file, practice.ImportChoices{Unsure: true}); i.Added() != 1 {
		t.Errorf("%+v", i.Rows)
	}
	if n := find(t, c, c.Olga.Staff, "stone sam").Total; n != 2 {
		t.Errorf("%d Sams", n)
	}
}

// The rows with a problem come out as a file that can be mended and brought again.
func TestImportVerdictsAreFiles(t *testing.T) {
	c := cast.New(t)
	file := "First name,Last name,Email,Note\nZed,Zee,zed@mail.example,=1+1\nAl,,al@mail.example,\"two\nlines\"\nYo,Yam,not an address\n"
	id, err := c.Practice.KeepImport(t.Context(), c.Olga, "list.csv", []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	i, err := c.Practice.CheckImport(t.Context(), c.Olga, id, practice.ImportChoices{})
	if err != nil {
		t.Fatal(err)
	}
	read := func(write func(*bytes.Buffer) error) [][]string {
		t.Helper()
		var out bytes.Buffer
		if err := write(&out); err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(out.String(), "\ufeff"))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	verdicts := read(func(b *bytes.Buffer) error { return i.WriteVerdicts(b) })
	if fmt.Sprint(verdicts[1:]) != "[[2 Zee, Zed zed@mail.example will be added ] [3 Al al@mail.example has a problem No last name.] [5 Yam, Yo not an address has a problem “not an address” is not an email address.]]" {
		t.Errorf("verdicts %v", verdicts)
	}
	problems := read(func(b *bytes.Buffer) error { return i.WriteProblems(b) })
	if fmt.Sprint(problems) != "[[First name Last name Email Note Problem] [Al  al@mail.example two\nlines No last name.] [Yo Yam not an address  “not an address” is not an email address.]]" {
		t.Errorf("problems %q", problems)
	}
	if _, err := applied(t, c, id, practice.ImportChoices{}, true); err != nil {
		t.Fatal(err)
	}
	problems[1][1], problems[2][2] = "Aster", "yo@mail.example"
	var mended bytes.Buffer
	if err := csv.NewWriter(&mended).WriteAll(problems); err != nil {
		t.Fatal(err)
	}
	if i := imports(t, c, mended.String(), practice.ImportChoices{}); i.Added() != 2 {
		t.Errorf("%+v", i.Rows)
	}
}
