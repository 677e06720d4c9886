package practice_test

import (
	"errors"
	"strings"
	"testing"

	"anteroom/db"
	"anteroom/practice"
	"anteroom/practice/cast"
)

func archived(t *testing.T, c *cast.Cast) string {
	t.Helper()
	page, err := c.Practice.Clients(t.Context(), c.Olga.Staff, practice.ClientQuery{Archived: true}, 1)
	if err != nil {
		t.Fatal(err)
	}
	return names(page)
}

func TestArchiveClosesThePortalAndRestoreOpensIt(t *testing.T) {
	c := cast.New(t)
	token := invite(t, c)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, ends, err := c.Practice.ClientToArchive(t.Context(), c.Tom, c.Ann.PublicID)
	must(err)
	if ends != (db.ArchiveEffect{Clients: 1, Invitations: 1, Letters: 1, Forms: ends.Forms}) {
		t.Errorf("archiving Ann would end %+v", ends)
	}
	must(c.Practice.ArchiveClient(t.Context(), c.Tom, c.Ann.PublicID))
	must(c.Practice.ArchiveClient(t.Context(), c.Olga.Staff, c.Mia.PublicID))
	must(c.Practice.ArchiveClient(t.Context(), c.Olga.Staff, c.Mia.PublicID)) // again is no error
	if got := archived(t, c); got != "Ann Mia" {
		t.Errorf("archived: %s", got)
	}
	if got := names(find(t, c, c.Olga.Staff, "")); got != "Ben Leo Sam" {
		t.Errorf("listed: %s", got)
	}
	wantState(t, c, token, practice.LinkEnded)
	if l := letters(t, c, c.Ann)[0]; l.State != db.LetterCancelled || l.Reply != "the client was archived" {
		t.Errorf("Ann's letter is %s: %s", l.State, l.Reply)
	}
	if signsIn(t, c, "mia@mail.example", cast.Password) {
		t.Error("Mia signs in while she is archived")
	}
	if who, err := c.Practice.Authenticate(t.Context(), c.Sessions["Mia"], false); err != nil || !who.Nobody() {
		t.Errorf("Mia is still signed in: %v %v", who.ID(), err)
	}
	if _, err := c.Practice.StartClientDraft(t.Context(), c.Olga.Staff, c.Ann.PublicID); !errors.Is(err, practice.ErrNotAllowed) {
		t.Errorf("an archived client is invited: %v", err)
	}

	must(c.Practice.RestoreClient(t.Context(), c.Olga.Staff, c.Mia.PublicID))
	if !signsIn(t, c, "mia@mail.example", cast.Password) {
		t.Error("Mia can't sign in again")
	}
	must(c.Practice.RestoreClient(t.Context(), c.Tom, c.Ann.PublicID))
	wantState(t, c, token, practice.LinkEnded) // what ended stays so
	if got := archived(t, c); got != "" {
		t.Errorf("archived: %s", got)
	}

	for who, by := range map[string]practice.Staff{"Finn": c.Finn, "Tess": c.Tess} {
		want := practice.ErrNotAllowed
		if who == "Tess" {
			want = practice.ErrNotFound
		}
		for what, err := range map[string]error{
			"archives": c.Practice.ArchiveClient(t.Context(), by, c.Ann.PublicID),
			"restores": c.Practice.RestoreClient(t.Context(), by, c.Ann.PublicID),
			"releases": c.Practice.ReleaseAddress(t.Context(), by, c.Ann.PublicID),
		} {
			if !errors.Is(err, want) {
				t.Errorf("%s %s Ann: %v", who, what, err)
			}
		}
	}
}

func TestArchivedClientsKeepTheirAddress(t *testing.T) {
	c := cast.New(t)
	wantInvalid(t, c.Practice.ReleaseAddress(t.Context(), c.Olga.Staff, c.Mia.PublicID), "client")
	if err := c.Practice.ArchiveClient(t.Context(), c.Olga.Staff, c.Mia.PublicID); err != nil {
		t.Fatal(err)
	}
	other := practice.ClientFields{FirstName: "Max", LastName: "Moreno", Email: "MIA@mail.example"}
	_, err := c.Practice.AddClient(t.Context(), c.Olga.Staff, other)
	wantInvalid(t, err, "email")
	for range 2 {
		if err := c.Practice.ReleaseAddress(t.Context(), c.Tom, c.Mia.PublicID); err != nil {
			t.Fatal(err)
		}
	}
	add(t, c, c.Olga.Staff, other)
	if signsIn(t, c, "mia@mail.example", cast.Password) {
		t.Error("the released address still signs Mia in")
	}
	if err := c.Practice.RestoreClient(t.Context(), c.Olga.Staff, c.Mia.PublicID); err != nil {
		t.Fatal(err)
	}
	if got := state(t, c, c.Mia); got != db.PortalNoEmail {
		t.Errorf("Mia's portal state: %s", got)
	}
	if got := names(find(t, c, c.Olga.Staff, "mia@mail")); got != "Max" {
		t.Errorf("who has the address: %s", got)
	}
}

func TestChosenClientsAreArchived(t *testing.T) {
	c := cast.New(t)
	chosen := practice.Chosen{All: &practice.ClientQuery{State: db.PortalActive}}
	ends, err := c.Practice.ArchiveChosenEnds(t.Context(), c.Olga, chosen)
	if err != nil || ends.Clients != 2 || ends.Accounts != 2 {
		t.Errorf("would end %+v, %v", ends, err)
	}
	if n, err := c.Practice.ArchiveChosen(t.Context(), c.Olga, chosen, true); err != nil || n != 2 {
		t.Errorf("%d archived, %v", n, err)
	}
	if n, err := c.Practice.ArchiveChosen(t.Context(), c.Olga, practice.Chosen{IDs: []string{c.Mia.PublicID, c.Ann.PublicID}}, false); err != nil || n != 1 {
		t.Errorf("%d restored, %v", n, err)
	}
	if got := archived(t, c); got != "Leo" {
		t.Errorf("archived: %s", got)
	}
	if _, err := c.Practice.ArchiveChosen(t.Context(), practice.Administrator{}, chosen, true); !errors.Is(err, practice.ErrNotAllowed) {
		t.Errorf("nobody archives: %v", err)
	}
}

// A word against email holds everywhere, keeps its date, and is taken back by another word.
func TestNoEmail(t *testing.T) {
	c := cast.New(t)
	token := invite(t, c)
	edit := func(change func(*practice.ClientFields)) {
		t.Helper()
		r, err := c.Practice.ClientToEdit(t.Context(), c.Tom, c.Ann.PublicID)
		if err != nil {
			t.Fatal(err)
		}
		fields := practice.FieldsOf(r)
		change(&fields)
		if err := c.Practice.ChangeClient(t.Context(), c.Tom, c.Ann.PublicID, fields); err != nil {
			t.Fatal(err)
		}
	}
	edit(func(f *practice.ClientFields) { f.NoEmail = true })
	said := c.Clock.Now()
	c.Clock.Move(1e12)
	edit(func(f *practice.ClientFields) { f.Phone = "555-0177" })
	r, err := c.Practice.ClientToEdit(t.Context(), c.Tom, c.Ann.PublicID)
	if err != nil || !r.NoEmailAt.Equal(said.Truncate(1e6)) {
		t.Errorf("said at %v, %v", r.NoEmailAt, err)
	}
	if l := letters(t, c, c.Ann)[0]; l.State != db.LetterCancelled || l.Reply != "the client may not be emailed" {
		t.Errorf("Ann's letter is %s: %s", l.State, l.Reply)
	}
	wantState(t, c, token, practice.LinkLive) // she may still use a link that she has
	if _, err := c.Practice.StartClientDraft(t.Context(), c.Tom, c.Ann.PublicID); !errors.Is(err, practice.ErrNotAllowed) {
		t.Errorf("invited all the same: %v", err)
	}
	if s, err := c.Practice.ChangeSelection(t.Context(), c.Olga, practice.SelectionChange{On: []string{c.Ann.PublicID}, Found: &practice.ClientQuery{}}); err != nil || s.Count != 3 {
		t.Errorf("%d selected, want Ben, Leo and Mia: %v", s.Count, err)
	}
	edit(func(f *practice.ClientFields) { f.NoEmail = false })
	if _, err := c.Practice.StartClientDraft(t.Context(), c.Tom, c.Ann.PublicID); err != nil {
		t.Errorf("can't be invited again: %v", err)
	}
}

func TestRecordFields(t *testing.T) {
	c := cast.New(t)
	fields := practice.ClientFields{FirstName: "Al", LastName: "Abb", Pronouns: " they /  them ", Guardian: "Pat Abb", Language: "ES", Tags: "evening, Adults;Evening,, ", Notes: "Rings\r\nat noon.\n"}
	id := add(t, c, c.Tess, fields)
	r, err := c.Practice.ClientToEdit(t.Context(), c.Tess, id)
	if err != nil {
		t.Fatal(err)
	}
	if got := practice.FieldsOf(r); got.Pronouns != "they / them" || got.Guardian != "Pat Abb" || got.Language != "es" || got.Tags != "Adults, evening" || got.Notes != "Rings\nat noon." {
		t.Errorf("on file: %+v", got)
	}
	for field, wrong := range map[string]practice.ClientFields{
		"language": {FirstName: "A", LastName: "B", Language: "no language"},
		"tags":     {FirstName: "A", LastName: "B", Tags: "a tag that is far too long to be a tag at all"},
		"notes":    {FirstName: "A", LastName: "B", Notes: strings.Repeat("x", 4001)},
		"guardian": {FirstName: "A", LastName: "B", Guardian: strings.Repeat("x", 101)},
	} {
		_, err := c.Practice.AddClient(t.Context(), c.Olga.Staff, wrong)
		wantInvalid(t, err, field)
	}
	// History names the fields, and never repeats the notes.
	fields.Notes, fields.Tags = "Other words", ""
	if err := c.Practice.ChangeClient(t.Context(), c.Tess, id, fields); err != nil {
		t.Fatal(err)
	}
	d, err := c.Practice.OpenClient(t.Context(), c.Tess, id, false)
	if err != nil {
		t.Fatal(err)
	}
	if h := d.History[0]; h.Act != "changed the client" || h.Detail != "tags, notes" {
		t.Errorf("history: %+v", h)
	}
}

// A new address that waits goes with the one that is released, and nobody who gets either reads what was meant for another.
func TestReleaseEndsAnAddressChange(t *testing.T) {
	c := cast.New(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(c.Practice.ArchiveClient(t.Context(), c.Olga.Staff, c.Mia.PublicID))
	must(newEmail(t, c, c.Olga.Staff, c.Mia, "mia@oak.example"))
	must(c.Practice.ReleaseAddress(t.Context(), c.Olga.Staff, c.Mia.PublicID))
	must(c.Practice.RestoreClient(t.Context(), c.Olga.Staff, c.Mia.PublicID))
	add(t, c, c.Olga.Staff, practice.ClientFields{FirstName: "A", LastName: "One", Email: "mia@mail.example"})
	add(t, c, c.Olga.Staff, practice.ClientFields{FirstName: "A", LastName: "Two", Email: "mia@oak.example"})
	if leaving := claim(t, c); len(leaving) != 0 {
		t.Errorf("%d letters leave, the first to %s", len(leaving), leaving[0].To)
	}

	// Word to an old address doesn't reach whoever has it by then.
	must(newEmail(t, c, c.Olga.Staff, c.Leo, "leo@oak.example"))
	if _, _, err := c.Practice.ChoosePassword(t.Context(), addressToken(t, c, c.Leo), newPassword, practice.Browser{Network: network}); err != nil {
		t.Fatal(err)
	}
	add(t, c, c.Olga.Staff, practice.ClientFields{FirstName: "A", LastName: "Three", Email: "leo@mail.example"})
	for _, l := range claim(t, c) {
		if l.To.Canonical() == "leo@mail.example" {
			t.Errorf("%q leaves for somebody else", l.Subject)
		}
	}
}
