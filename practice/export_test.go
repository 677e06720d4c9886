package practice_test

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"anteroom/db"
	"anteroom/practice"
	"anteroom/practice/cast"
)

// table reads an exported file: column → the cells of its rows.
func table(t *testing.T, write func(io.Writer) error) (text string, rows []map[string]string) {
	t.Helper()
	var out bytes.Buffer
	if err := write(&out); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(out.String(), "\ufeff") || strings.Count(out.String(), "\r\n") == 0 {
		t.Errorf("not a file for spreadsheets: %q", out.String()[:min(out.Len(), 40)])
	}
	all, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(out.String(), "\ufeff"))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, cells := range all[1:] {
		row := map[string]string{}
		for i, cell := range cells {
			row[all[0][i]] = cell
		}
		rows = append(rows, row)
	}
	return out.String(), rows
}

var hostile = practice.ClientFields{FirstName: "=1+1", LastName: "O’Neil \"the\" <b>, é 🌱", PreferredName: "@x", Pronouns: "+they", Phone: "+1 555 0100", Email: "hostile@mail.example",
	Guardian: "+49", Language: "es", Tags: "=SUM, Evening", Notes: "=cmd|' /C calc'!A0\nSecond \"line\".", DateOfBirth: "1990-01-02", NoEmail: true}

// What the export writes, the import reads back unchanged in another practice, and as nothing new in the same.
func TestExportComesBack(t *testing.T) {
	c := cast.New(t)
	id := add(t, c, c.Olga.Staff, hostile)
	if err := c.Practice.AssignClient(t.Context(), c.Olga, id, c.Tom.PublicID(), true); err != nil {
		t.Fatal(err)
	}
	text, rows := table(t, func(w io.Writer) error { return c.Practice.ExportClients(t.Context(), c.Olga, w, true, true) })
	if len(rows) != 6 {
		t.Fatalf("%d rows", len(rows))
	}
	i := slices.IndexFunc(rows, func(r map[string]string) bool { return r["Email"] == "hostile@mail.example" })
	if rows[i]["First name"] != "'=1+1" || rows[i]["Phone"] != "'+1 555 0100" || !strings.HasPrefix(rows[i]["Notes"], "'=cmd") || rows[i]["May be emailed"] != "no" {
		t.Errorf("a spreadsheet would run %+v", rows[i])
	}
	again, err := c.Practice.ImportFile(t.Context(), []byte(text), practice.ImportChoices{Update: true}, true, true)
	if err != nil || again.Here() != 6 {
		t.Errorf("here %d, updated %d: %+v %v", again.Here(), again.Updated(), again.Rows, err)
	}
	other := cast.New(t)
	if err := other.Practice.ArchiveClient(t.Context(), other.Olga.Staff, other.Ann.PublicID); err != nil {
		t.Fatal(err)
	}
	imports(t, other, text, practice.ImportChoices{})
	got, want := practice.FieldsOf(recordByName(t, other, "neil")), hostile
	got.Version, want.Tags = "", "=SUM, Evening"
	if got != want {
		t.Errorf("came back as\n%+v, was\n%+v", got, want)
	}
}

func TestExportLeavesOutWhatWasNotAskedFor(t *testing.T) {
	c := cast.New(t)
	add(t, c, c.Olga.Staff, hostile)
	if err := c.Practice.ArchiveClient(t.Context(), c.Olga.Staff, c.Ann.PublicID); err != nil {
		t.Fatal(err)
	}
	text, rows := table(t, func(w io.Writer) error { return c.Practice.ExportClients(t.Context(), c.Olga, w, false, false) })
	if len(rows) != 5 || strings.Contains(text, "Abbott") || strings.Contains(text, "cmd|") {
		t.Errorf("%d rows:\n%s", len(rows), text)
	}
	for what, err := range map[string]error{
		"clients": c.Practice.ExportClients(t.Context(), practice.Administrator{}, io.Discard, true, true),
		"states":  c.Practice.ExportStates(t.Context(), practice.Administrator{}, io.Discard, true),
		"forms":   c.Practice.ExportForms(t.Context(), practice.Administrator{}, io.Discard, "phq-9"),
	} {
		if !errors.Is(err, practice.ErrNotAllowed) {
			t.Errorf("nobody exports %s: %v", what, err)
		}
	}
}

func TestExportStates(t *testing.T) {
	c := cast.New(t)
	sendForms(t, c, c.Mia, "phq-9")
	_, rows := table(t, func(w io.Writer) error { return c.Practice.ExportStates(t.Context(), c.Olga, w, true) })
	if len(rows) != 5 {
		t.Errorf("%d rows", len(rows))
	}
	for _, r := range rows {
		switch r["First name"] {
		case "Mia":
			if r["Client portal"] != "Active" || r["Form"] == "" || r["Form state"] != "sent" || !strings.HasPrefix(r["Sent"], "2026-11-02T10:04:05-05:00") {
				t.Errorf("%+v", r)
			}
		case "Sam":
			if r["Client portal"] != "No email" || r["Form"] != "" {
				t.Errorf("%+v", r)
			}
		}
	}
}

func TestExportCompletedForms(t *testing.T) {
	c := cast.New(t)
	ids := sendForms(t, c, c.Mia, "phq-9", "privacy-practices")
	for key, answers := range map[string][]string{"phq-9": phq9(), "privacy-practices": privacyPractices("=Mia Moreno")} {
		if r, err := c.Practice.SubmitForm(t.Context(), c.MiaActor, ids[key], typed(answers...)); err != nil || r.Open() {
			t.Fatal(key, r.Wrong, err)
		}
	}
	n, err := c.Practice.ExportCounts(t.Context(), c.Olga)
	if err != nil || n.Clients != 5 || n.FormRequests != 2 || len(n.Forms) != 2 || n.Forms[0].Completed != 1 {
		t.Errorf("%+v %v", n, err)
	}
	_, rows := table(t, func(w io.Writer) error { return c.Practice.ExportForms(t.Context(), c.Olga, w, "phq-9") })
	if len(rows) != 1 || rows[0]["First name"] != "Mia" || rows[0]["Score"] == "" || rows[0]["Result"] == "" {
		t.Fatalf("%+v", rows)
	}
	answered := 0
	for column, cell := range rows[0] {
		if strings.Contains(column, "better off dead") && cell == "" {
			t.Error("a question has no answer")
		}
		if cell == "Not at all" || cell == "Several days" || cell == "More than half the days" || cell == "Nearly every day" {
			answered++
		}
	}
	if answered < 9 {
		t.Errorf("%d answers in words: %+v", answered, rows[0])
	}
	_, rows = table(t, func(w io.Writer) error { return c.Practice.ExportForms(t.Context(), c.Olga, w, "privacy-practices") })
	signed := 0
	for column, cell := range rows[0] {
		if cell == "'=Mia Moreno" && rows[0][column+" (signed at)"] != "" {
			signed++
		}
	}
	if signed != 1 {
		t.Errorf("%d signatures: %+v", signed, rows[0])
	}
	if d := details(t, c, c.Mia); d.History[0].Act != "downloaded the completed form" || d.History[1].Act != "downloaded the completed form" {
		t.Errorf("history: %+v", d.History[:2])
	}
	if err := c.Practice.ExportForms(t.Context(), c.Olga, io.Discard, "gad-7"); err != nil {
		t.Fatal(err)
	}
	var noted db.AuditEntry
	update(t, c, func(tx *db.Tx) (err error) {
		noted, err = tx.LastAct(staffID(t, c, c.Olga.PublicID()), "exported the completed forms")
		return err
	})
	if !strings.Contains(noted.Detail, "GAD-7") {
		t.Errorf("an export of a form that nobody completed is noted as %q", noted.Detail)
	}
	if err := c.Practice.ExportForms(t.Context(), c.Olga, io.Discard, "no-such-form"); !errors.Is(err, practice.ErrNotFound) {
		t.Errorf("a form that isn't there: %v", err)
	}
}
