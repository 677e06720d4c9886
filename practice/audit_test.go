package practice_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"anteroom/db"
	"anteroom/practice"
	"anteroom/practice/cast"
)

// told is what the audit log says of entries, the newest first.
func told(t *testing.T, c *cast.Cast, query practice.AuditQuery) (sentences []string) {
	t.Helper()
	page, err := c.Practice.AuditLog(t.Context(), c.Olga, query, db.AuditPlace{})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range page.Lines {
		sentences = append(sentences, l.Sentence())
	}
	return sentences
}

func TestAuditSentences(t *testing.T) {
	c := cast.New(t)
	tom := "staff member " + c.Tom.PublicID()
	for _, e := range []struct {
		entry db.AuditEntry
		want  string
	}{
		{db.AuditEntry{StaffID: 1, Act: "exported the clients"}, "Olga Olson exported the clients"},
		{db.AuditEntry{Act: "failed to sign in"}, "Somebody unknown failed to sign in"},
		{db.AuditEntry{StaffID: 2, Act: "signed in", Detail: "with a passkey"}, "Tom Tran signed in with a passkey"},
		{db.AuditEntry{StaffID: 2, Act: "signed in"}, "Tom Tran signed in"},
		{db.AuditEntry{StaffID: 1, Act: "assigned the client", ClientID: c.Ann.ID, Detail: tom}, "Olga Olson assigned Ann Abbott to Tom Tran"},
		{db.AuditEntry{StaffID: 1, Act: "took the client away", ClientID: c.Ann.ID, Detail: tom + ", who was disabled"}, "Olga Olson took Ann Abbott from Tom Tran, who was disabled"},
		{db.AuditEntry{StaffID: 1, Act: "added a staff member", Detail: tom + ", therapist, may invite clients"}, "Olga Olson added a staff member: Tom Tran, therapist, may invite clients"},
		{db.AuditEntry{Act: "asked for a new password", ClientID: c.Mia.ID}, "Somebody unknown asked for a new password for Mia Moreno"},
		{db.AuditEntry{Act: "asked for a new password", Detail: "for " + tom}, "Somebody unknown asked for a new password for Tom Tran"},
		{db.AuditEntry{Act: "sent a reminder", ClientID: c.Ann.ID, Detail: "of the invitation"}, "Anteroom sent Ann Abbott a reminder of the invitation"},
		{db.AuditEntry{Act: "added an administrator", Detail: tom}, "Whoever runs the server added an administrator: Tom Tran"},
		{db.AuditEntry{ByClient: c.Mia.ID, ClientID: c.Mia.ID, Act: "read the completed form", Detail: "Intake"}, "Mia Moreno read the completed form: Intake"},
		{db.AuditEntry{StaffID: 2, ClientID: c.Mia.ID, Act: "read the completed form", Detail: "Intake"}, "Tom Tran read the completed form of Mia Moreno: Intake"},
		{db.AuditEntry{StaffID: 2, ClientID: c.Mia.ID, Act: "read the completed form", Detail: "{client} {detail}"}, "Tom Tran read the completed form of Mia Moreno: {client} {detail}"},
		{db.AuditEntry{StaffID: 2, ClientID: 4711, Act: "opened the record"}, "Tom Tran opened the record of a client whose data was deleted (no. 4711)"},
		{db.AuditEntry{ByClient: 4711, Act: "signed out"}, "A client whose data was deleted (no. 4711) signed out"},
		{db.AuditEntry{StaffID: 1, ClientID: 4711, Act: "deleted the client's data"}, "Olga Olson deleted the data of client no. 4711"},
		{db.AuditEntry{StaffID: 2, Act: "was refused", Detail: "POST /clients/:id/edit " + c.Ben.PublicID}, "Tom Tran was refused: changing /clients/…/edit of Ben Bell"},
		{db.AuditEntry{StaffID: 2, Act: "was refused", Detail: "GET /drafts/:id 00000000-0000-4000-8000-000000000000"}, "Tom Tran was refused: opening /drafts/…"},
		{db.AuditEntry{StaffID: 1, Act: "rotated the key", Detail: "to k2"}, "Olga Olson rotated the key to k2"},
		{db.AuditEntry{Act: "rotated the key", Detail: "to k2, as the program started"}, "Whoever runs the server rotated the key to k2, as the program started"},
		{db.AuditEntry{Act: "retired a key", Detail: "key k1"}, "Anteroom retired key k1"},
		{db.AuditEntry{StaffID: 2, Act: "invited to the client portal", ClientID: c.Ann.ID, Detail: "5 forms"}, "Tom Tran invited Ann Abbott to the client portal: 5 forms"},
		{db.AuditEntry{StaffID: 2, Act: "sent a message about forms", ClientID: c.Mia.ID, Detail: "2 forms"}, "Tom Tran sent Mia Moreno a message: 2 forms"},
		// As an older version wrote them.
		{db.AuditEntry{StaffID: 1, Act: "assigned the client to Tom Tran", ClientID: c.Ann.ID}, "Olga Olson assigned the client to Tom Tran: Ann Abbott"},
		{db.AuditEntry{Act: "asked for a new password", Detail: "of staff " + c.Tom.PublicID()}, "Somebody unknown asked for a new password of Tom Tran"},
	} {
		if err := c.DB.Update(t.Context(), func(tx *db.Tx) error { return tx.Audit(e.entry) }); err != nil {
			t.Fatal(err)
		}
		c.Clock.Move(time.Second)
		if got := told(t, c, practice.AuditQuery{}); !slices.Contains(got[:2], e.want) { // or before it, that the log was opened
			t.Errorf("%+v is told as %q, want %q", e.entry, got[:2], e.want)
		}
	}
	for _, by := range []string{practice.DoneByUnknown, practice.DoneByHost, practice.DoneByAnteroom, practice.DoneByClients, c.Tom.PublicID()} {
		if n, want := len(told(t, c, practice.AuditQuery{By: by})), map[string]int{practice.DoneByUnknown: 4, practice.DoneByHost: 2, practice.DoneByAnteroom: 2, practice.DoneByClients: 2, c.Tom.PublicID(): 9}[by]; n != want {
			t.Errorf("by %s: %d, want %d", by, n, want)
		}
	}
}

// Opening the log is noted once in a quarter of an hour, whichever pages are looked at, and by nobody else's right.
func TestAuditLogNotesWhoOpensIt(t *testing.T) {
	c := cast.New(t)
	opened := func() int {
		n := 0
		for _, s := range told(t, c, practice.AuditQuery{}) {
			if s == "Olga Olson opened the audit log" {
				n++
			}
		}
		return n
	}
	if n := opened(); n != 1 {
		t.Error(n)
	}
	c.Clock.Move(14 * time.Minute)
	if n := opened(); n != 1 {
		t.Error(n)
	}
	c.Clock.Move(2 * time.Minute)
	if n := opened(); n != 2 {
		t.Error(n)
	}
	c.Clock.Move(-400 * 24 * time.Hour) // a clock that was put back hides nobody
	if n := opened(); n != 3 {
		t.Error(n)
	}
	nobody := practice.Administrator{}
	if _, err := c.Practice.AuditLog(t.Context(), nobody, practice.AuditQuery{}, db.AuditPlace{}); !errors.Is(err, practice.ErrNotAllowed) {
		t.Error(err)
	}
	if _, err := c.Practice.ExportAudit(t.Context(), nobody, practice.AuditQuery{}); !errors.Is(err, practice.ErrNotAllowed) {
		t.Error(err)
	}
	if _, err := c.Practice.CheckAudit(t.Context(), nobody); !errors.Is(err, practice.ErrNotAllowed) || c.Practice.LastAuditCheck(nobody) != nil {
		t.Error(err)
	}
}

// A search that finds more clients than can be shown together says so.
func TestAuditLogOfManyClients(t *testing.T) {
	c := cast.New(t)
	for range 23 {
		add(t, c, c.Olga.Staff, practice.ClientFields{FirstName: "Zoe", LastName: "Zimmer"})
	}
	if n := len(told(t, c, practice.AuditQuery{Words: "zimmer"})); n != 23 {
		t.Errorf("%d entries", n)
	}
	for range 3 {
		add(t, c, c.Olga.Staff, practice.ClientFields{FirstName: "Zoe", LastName: "Zimmer"})
	}
	_, err := c.Practice.AuditLog(t.Context(), c.Olga, practice.AuditQuery{Words: "zimmer"}, db.AuditPlace{})
	wantInvalid(t, err, "q")
}
