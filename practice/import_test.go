package practice

import (
	"encoding/binary"
	"maps"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"anteroom/db"

	"github.com/google/go-cmp/cmp"
)

// Exports as practice systems and spreadsheets write them, and what is understood of their first row.
func TestReadExports(t *testing.T) {
	type row = map[ImportField]string
	ann := row{ImportFirstName: "Ann", ImportLastName: "Abbott", ImportEmail: "ann@mail.example", ImportDateOfBirth: "1990-05-17"}
	for name, c := range map[string]struct {
		file string
		want row
		line int
	}{
		"plain":                 {"First Name,Last Name,Email,Date of Birth\r\nAnn,Abbott,ann@mail.example,5/17/1990\r\n", ann, 2},
		"with a mark":           {"\ufeffFirst Name,Last Name,Email,Date of Birth\nAnn,Abbott,ann@mail.example,05/17/90\n", ann, 2},
		"semicolons, day first": {"Vorname;First name;Surname;E-mail;DOB\nx;Ann;Abbott;ann@mail.example;17.05.1990\n", ann, 2},
		"tabs":                  {"first_name\tlast_name\temail_address\tbirth_date\nAnn\tAbbott\tann@mail.example\t1990-05-17T00:00:00Z\n", ann, 2},
		"says its separator":    {"sep=;\nFirst Name;Last Name;Email;DOB\nAnn;Abbott;ann@mail.example;May 17, 1990\n", ann, 2},
		"a title above":         {"Client List,,,\nPrinted 11/2/2026,,,\n\nLegal First Name,Legal Last Name,Primary Email,Birthdate\nAnn,Abbott,ann@mail.example,17-May-1990\n", ann, 5},
		"quoted line breaks":    {"First Name,Last Name,Address,Email,DOB\nAnn,Abbott,\"1 Main St\nApt, 2\",ann@mail.example,1990/5/17\n", ann, 2},
		"surest column wins": {"Emergency Contact Email,Work Email,Client Email,First Name,Last Name,DOB\nx@x.example,w@w.example,ann@mail.example,Ann,Abbott,5/17/1990 00:00\n",
			ann, 2},
		"one name, last first": {"Client Name,Email,DOB\n\"Abbott, Ann\",ann@mail.example,5/17/1990\n", ann, 2},
		"one name, first last": {"Patient,Email,DOB\nAnn Abbott,ann@mail.example,5/17/1990\n", ann, 2},
		"name beside its parts": {"Name,First,Last,E-Mail Address,Date of Birth (DOB)\nAnnie A.,Ann,Abbott,ann@mail.example,5/17/1990\n",
			ann, 2},
		"neutralised":        {"First Name,Last Name,Email,DOB,Phone\n'=Ann,Abbott,ann@mail.example,5/17/1990,'+1 555 0100\n", row{ImportFirstName: "=Ann", ImportLastName: "Abbott", ImportEmail: "ann@mail.example", ImportDateOfBirth: "1990-05-17", ImportPhone: "+1 555 0100"}, 2},
		"stray quotes":       {"First Name,Last Name,Email,DOB\nAnn \"Annie\" B,Abbott,ann@mail.example,5/17/1990\n", row{ImportFirstName: `Ann "Annie" B`, ImportLastName: "Abbott", ImportEmail: "ann@mail.example", ImportDateOfBirth: "1990-05-17"}, 2},
		"short row":          {"First Name,Last Name,Email,DOB\nAnn,Abbott\n", row{ImportFirstName: "Ann", ImportLastName: "Abbott"}, 2},
		"Windows-1252":       {"First Name,Last Name\nZo\xeb,O\x92Neil\n", row{ImportFirstName: "Zoë", ImportLastName: "O’Neil"}, 2},
		"UTF-16 with a mark": {utf16File("First Name\tLast Name\nZoë\tAbbott\n", true), row{ImportFirstName: "Zoë", ImportLastName: "Abbott"}, 2},
		"UTF-16 without":     {utf16File("First Name,Last Name\nZoe,Abbott\n", false), row{ImportFirstName: "Zoe", ImportLastName: "Abbott"}, 2},
		"only nothings":      {"First Name,Last Name,Email,Phone\nAnn,Abbott,n/a,NONE\n", row{ImportFirstName: "Ann", ImportLastName: "Abbott"}, 2},
		"a family named No":  {"First Name,Last Name,Email,Phone\nMinji,No,No,no\n", row{ImportFirstName: "Minji", ImportLastName: "No"}, 2},
		"commas in names": {"Client Name;Email\nAbbott, Ann;ann@mail.example\nBell, Ben;ben@mail.example\n",
			row{ImportFirstName: "Ann", ImportLastName: "Abbott", ImportEmail: "ann@mail.example"}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			table, err := readTable([]byte(c.file))
			if err != nil {
				t.Fatal(err)
			}
			j := &judge{column: map[ImportField]int{}, now: time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC), byName: map[string]int{}, byEmail: map[string]int{}, byMailbox: map[string]int{}}
			for i, f := range guessColumns(table.header) {
				j.column[f] = i
			}
			if at, ok := j.column[ImportDateOfBirth]; ok {
				j.dayFirst = guessDateOrder(cells(table.rows, at)).DayFirst
			}
			got, err := j.judge(table.rows[0])
			if err != nil {
				t.Fatal(err)
			}
			if got.Verdict != ImportAdd || got.Line != c.line {
				t.Errorf("line %d %s: %v", got.Line, got.Verdict, got.Notes)
			}
			read := row{ImportFirstName: got.client.first, ImportLastName: got.client.last, ImportEmail: got.client.email.String(), ImportDateOfBirth: got.client.birth, ImportPhone: got.client.phone}
			maps.DeleteFunc(read, func(_ ImportField, text string) bool { return text == "" })
			if diff := cmp.Diff(c.want, read); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func utf16File(text string, mark bool) string {
	var b []byte
	if mark {
		b = []byte{0xff, 0xfe}
	}
	for _, u := range utf16.Encode([]rune(text)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return string(b)
}

func TestReadRefuses(t *testing.T) {
	for file, want := range map[string]string{
		"":                       "empty",
		" \n\n":                  "empty",
		"First Name,Last Name\n": "no rows",
		"PK\x03\x04zip":          "spreadsheet",
		"a,b\x00\x01\x02,c":      "not a CSV file",
		"First Name,Last Name\n" + strings.Repeat("a,b\n", maxRows+1):         "more than 100,000 rows",
		"First Name,Last Name\n" + strings.Repeat("a,b\n", 4*maxRows):         "more than 100,000 rows",
		"First Name,Last Name\n\"Ann,Abbott\n" + strings.Repeat("x,y\n", 100): "In line 2 a quotation mark is opened and never closed",
	} {
		if _, err := readTable([]byte(file)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %v", file, err)
		}
	}
}

func TestGuessDateOrder(t *testing.T) {
	for _, c := range []struct {
		cells string
		want  DateOrder
	}{
		{"3/4/1990 5/17/1990", DateOrder{Sample: "5/17/1990"}},
		{"3/4/1990 17/5/1990", DateOrder{DayFirst: true, Sample: "17/5/1990"}},
		{"3/4/1990 5/6/1991", DateOrder{Unclear: true, Sample: "5/6/1991"}},
		{"3.4.1990 5.6.1991", DateOrder{DayFirst: true, Unclear: true, Sample: "5.6.1991"}},
		{"5/5/1990", DateOrder{}},
		{"1990-03-04", DateOrder{}},
		{"", DateOrder{}},
	} {
		if diff := cmp.Diff(c.want, guessDateOrder(strings.Fields(c.cells))); diff != "" {
			t.Errorf("%s: %s", c.cells, diff)
		}
	}
}

func TestParseBirth(t *testing.T) {
	now := time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		text     string
		dayFirst bool
		want     string // empty: refused
	}{
		{"3/4/1990", false, "1990-03-04"}, {"3/4/1990", true, "1990-04-03"}, {"03-04-90", false, "1990-03-04"},
		{"3/4/26", false, "2026-03-04"}, {"3/4/27", false, "1927-03-04"}, {"3. 4. 1990", true, "1990-04-03"},
		{"2/29/2000", false, "2000-02-29"}, {"2/29/2001", false, ""}, {"13/1/1990", false, ""}, {"0/1/1990", false, ""},
		{"1990-05-17", true, "1990-05-17"}, {"1990-05-17 00:00:00", false, "1990-05-17"}, {"19900517", false, "1990-05-17"},
		{"May 17, 1990", false, "1990-05-17"}, {"17 May 1990", false, "1990-05-17"}, {"17-May-90", false, "1990-05-17"}, {"17-May-55", false, "1955-05-17"},
		{"5/17/1990 12:00:00 AM", false, "1990-05-17"}, {"5/17", false, ""}, {"yesterday", false, ""}, {"3/4/190", false, ""}, {"-3/4/1990", false, "1990-03-04"},
	} {
		got, ok := parseBirth(c.text, c.dayFirst, now)
		if !ok {
			got = ""
		}
		if got != c.want {
			t.Errorf("%q (day first: %t): %q, want %q", c.text, c.dayFirst, got, c.want)
		}
	}
}

func TestSplitName(t *testing.T) {
	for name, want := range map[string]string{
		"Ann Abbott": "Ann|Abbott", "Abbott, Ann": "Ann|Abbott", "Abbott,Ann Mary": "Ann Mary|Abbott", "Ann Mary Abbott": "Ann Mary|Abbott",
		"Maria de la Cruz": "Maria|de la Cruz", "Ludwig van Beethoven": "Ludwig|van Beethoven", "John Smith Jr.": "John|Smith Jr.",
		"John Smith, Jr.": "John|Smith Jr.", "de la Cruz, Maria": "Maria|de la Cruz", "Cher": "Cher|", "Van Morrison": "Van|Morrison",
	} {
		first, last := splitName(name)
		if got := first + "|" + last; got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestFindTherapists(t *testing.T) {
	email, _ := db.ParseEmail("tom@willow.example")
	known := newTherapists([]db.StaffMember{{ID: 1, Name: "Tom Tran", Email: email}, {ID: 2, Name: "Zoë Lee"}, {ID: 3, Name: "Sam Fox"}, {ID: 4, Name: "Sam Fox"},
		{ID: 5, Name: "Gone Girl", DisabledAt: time.Unix(1, 0)}})
	for cell, want := range map[string][]int64{
		"Tom Tran": {1}, "tran, tom": {1}, "TOM TRAN, PhD, LCSW": {1}, "Tran, Tom, LCSW": {1}, "Tom@Willow.example": {1}, "Zoe Lee": {2},
		"Tom Tran; Zoë Lee": {1, 2}, "Sam Fox": nil, "Gone Girl": nil, "Somebody": nil,
	} {
		ids, unknown := known.find(cell)
		if diff := cmp.Diff(want, ids); diff != "" || (want == nil) != (len(unknown) == 1) {
			t.Errorf("%s: %v, unknown %q", cell, ids, unknown)
		}
	}
}

func FuzzReadTable(f *testing.F) {
	for _, file := range []string{"First Name,Last Name\nAnn,Abbott\n", "\ufeffa;b\n\"x\ny\";z\n", "sep=\t\na\tb\n1\t2\n", utf16File("a,b\nc,d\n", true), "a,b\n\"\n", "\xff\xfe", "'=1,'-2\nx,y\n"} {
		f.Add([]byte(file))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		table, err := readTable(data)
		if err != nil {
			if err.Error() == "" || !utf8.ValidString(err.Error()) {
				t.Errorf("not a sentence: %q", err)
			}
			return
		}
		line := 0
		for _, r := range table.rows {
			if r.line <= line {
				t.Fatalf("line %d comes after line %d", r.line, line)
			}
			line = r.line
		}
		if line > len(data)+1 {
			t.Fatalf("line %d of %d bytes", line, len(data))
		}
		for _, f := range guessColumns(table.header) {
			if f == ImportNothing {
				continue
			}
			for _, r := range table.rows {
				if text := cellText(r.cell(0)); strings.ContainsAny(text, "\n\r\t\x00") {
					t.Fatalf("more than a line: %q", text)
				}
				parseBirth(r.cell(0), false, time.Unix(0, 0))
				splitName(r.cell(0))
			}
		}
	})
}
